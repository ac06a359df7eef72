"""Large bodies move through in bounded memory, both ways, at the pace of the slower side."""

import asyncio
import unittest

import raw_client
import wire
from harness import HEAVY, WeirCase, basic_config
from raw_client import request_head

MIB = 1 << 20
SIZE = (4096 if HEAVY else 192) * MIB
GROWTH_MAX = 8 * MIB
BLOCK = bytes(range(256)) * 1024  # 256 KiB


async def send_blocks(write, size):
    for _ in range(size // len(BLOCK)):
        await write(BLOCK)


class StreamTest(WeirCase):
    async def start(self, script, **config):
        self.w1 = await self.worker("w1", script)
        self.door = await self.weir(basic_config([self.w1], **config))
        await raw_client.ask(self.door.front, "HEAD", "/warm")
        self.before = self.door.rss()
        return await self.client(self.door.front)

    def assert_flat(self, peak):
        self.assertLess(peak - self.before, GROWTH_MAX * (1 if wire.SLOW == 1 else 20))

    async def watch(self, task):
        """The largest resident size while the task runs."""
        peak = 0
        while not task.done():
            peak = max(peak, self.door.rss())
            await asyncio.wait({task}, timeout=0.05)
        return peak

    async def upload(self, client, fields, frame):
        async def send():
            await client.send(request_head("POST", "/big", fields))
            await send_blocks(lambda block: client.send(frame(block)), SIZE)
            if "Transfer-Encoding" in fields:
                await client.send(raw_client.LAST_CHUNK)
        response = self.task(client.response(timeout=wire.DEADLINE * 20))
        sending = self.task(send())
        self.assert_flat(await self.watch(response))
        await sending
        return (await response).json()

    async def count(self, request, reply):
        """Reads without keeping."""
        size = 0
        async for piece in request.pieces():
            size += len(piece)
        await reply.send(200, (), b"%d" % size)

    async def test_a_large_upload(self):
        client = await self.start(self.count)
        seen = await self.upload(client, {"Content-Length": str(SIZE)}, lambda block: block)
        self.assertEqual(seen, SIZE)

    async def test_a_large_chunked_upload(self):
        client = await self.start(self.count)
        seen = await self.upload(client, {"Transfer-Encoding": "chunked"}, raw_client.chunk)
        self.assertEqual(seen, SIZE)

    async def test_a_large_upload_that_may_be_retried_is_not_kept_beyond_the_limit(self):
        client = await self.start(self.count, limits={"replay_batch_bytes_max": "64KiB"})
        fields = {"Content-Length": str(SIZE), "Idempotency-Key": "k"}
        self.assertEqual(await self.upload(client, fields, lambda block: block), SIZE)

    async def download(self, script):
        client = await self.start(script)
        await client.request("GET", "/big")
        head = await client.head()

        async def read():
            return sum([len(p) async for p in wire.pieces(client.reader, head.framing)])
        reading = self.task(read())
        self.assert_flat(await self.watch(reading))
        self.assertEqual(await reading, SIZE)

    async def test_a_large_download(self):
        async def script(request, reply):
            if request.method == "HEAD":
                return await reply.send()
            await reply.head(200, [("Content-Length", str(SIZE))])
            await send_blocks(reply.raw, SIZE)
        await self.download(script)

    async def test_a_large_chunked_download(self):
        async def script(request, reply):
            if request.method == "HEAD":
                return await reply.send()
            await reply.head(200, [("Transfer-Encoding", "chunked")])
            await send_blocks(lambda block: reply.raw(raw_client.chunk(block)), SIZE)
            await reply.raw(raw_client.LAST_CHUNK)
        await self.download(script)

    async def test_both_ways_at_once(self):
        async def script(request, reply):
            await reply.head(200, [("Transfer-Encoding", "chunked")])
            async for piece in request.pieces():
                await reply.raw(raw_client.chunk(piece))
            await reply.raw(raw_client.LAST_CHUNK)
        client = await self.start(script)
        size = SIZE // 8
        await client.send(request_head("POST", "/both", {"Content-Length": str(size)}))
        sending = self.task(send_blocks(client.send, size))
        head = await client.head("POST")
        received = sum([len(p) async for p in wire.pieces(client.reader, head.framing)])
        await sending
        self.assertEqual(received, size)

    async def test_a_worker_that_stops_reading_stops_the_client(self):
        gate = asyncio.Event()

        async def script(request, reply):
            if request.method == "HEAD":
                return await reply.send()
            request.connection.reader._transport.pause_reading()
            await gate.wait()
            request.connection.reader._transport.resume_reading()
            await self.count(request, reply)
        client = await self.start(script)
        sent = 0
        await client.send(request_head("POST", "/slow", {"Content-Length": str(SIZE)}))
        for _ in range(SIZE // len(BLOCK)):
            client.writer.write(BLOCK)
            drained = asyncio.ensure_future(client.writer.drain())
            await asyncio.wait({drained}, timeout=0.5)
            if not drained.done():
                break
            sent += len(BLOCK)
        self.assertLess(sent, 64 * MIB)
        self.assert_flat(self.door.rss())
        gate.set()
        await drained
        await send_blocks(client.send, SIZE - sent - len(BLOCK))
        self.assertEqual((await client.response(timeout=wire.DEADLINE * 4)).json(), SIZE)

    async def test_a_client_that_stops_reading_stops_the_worker(self):
        sent = []

        async def script(request, reply):
            if request.method == "HEAD":
                return await reply.send()
            await reply.head(200, [("Content-Length", str(SIZE))])
            for _ in range(SIZE // len(BLOCK)):
                await reply.raw(BLOCK)
                sent.append(len(BLOCK))
        client = await self.start(script)
        await client.request("GET", "/slow")
        head = await client.head()
        client.reader._transport.pause_reading()
        seen = -1
        while seen != len(sent):  # until nothing moves any more
            seen = len(sent)
            await wire.pause(0.4)
        self.assertLess(sum(sent), 64 * MIB)
        self.assert_flat(self.door.rss())
        client.reader._transport.resume_reading()
        received = sum([len(p) async for p in wire.pieces(client.reader, head.framing)])
        self.assertEqual(received, SIZE)

    async def test_many_batches_in_flight_hold_little_each(self):
        gate = asyncio.Event()

        async def script(request, reply):
            if request.method == "POST":
                request.connection.reader._transport.pause_reading()
                await gate.wait()
                request.connection.reader._transport.resume_reading()
            await self.count(request, reply)
        count = 40
        self.w1 = await self.worker("w1", script)
        self.door = await self.weir(basic_config([self.w1.config(slots=count)]))
        await raw_client.ask(self.door.front, "HEAD", "/warm")
        self.before = self.door.rss()
        size = 4 * MIB

        async def one():
            return await raw_client.ask(self.door.front, "POST", "/", (), b"x" * size, 60)
        asks = [self.task(one()) for _ in range(count)]
        await wire.until(lambda: self.w1.running == count, "all at the worker")
        await wire.pause(0.3)
        growth = self.door.rss() - self.before
        gate.set()
        for ask in asks:
            self.assertEqual((await ask).json(), size)
        if wire.SLOW == 1:
            self.assertLess(growth / count, 512 * 1024)


if __name__ == "__main__":
    unittest.main()
