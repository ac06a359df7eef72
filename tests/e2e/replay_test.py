"""A body of any size is sent again whole: from memory, from disk, or, without room, not at all."""

import asyncio
import contextlib
import hashlib
import itertools
import json
import os
import subprocess
import unittest

import certs
import raw_client
import wire
from harness import HEAVY, SLOW, WeirCase, basic_config, until

MIB = 1 << 20
SIZE = (2048 if HEAVY else 64 if SLOW == 1 else 16) * MIB
BLOCK = 1 * MIB
NOISE = os.urandom(BLOCK)
NUMBERS = itertools.count()


def key():
    """One that no other request has."""
    return {"Idempotency-Key": f"k{next(NUMBERS)}"}
GROWTH_MAX = 16 * MIB
PATIENT = {"balance": "first", "ejection": {"consecutive_failures": 0},
           "retry_budget": {"min": 1000}}


def blocks(size=SIZE):
    """The body: no block is like another, so that none can be lost, doubled or out of place."""
    for number in range(size // BLOCK):
        yield number.to_bytes(8) + NOISE[8:]


def digest(size=SIZE):
    whole = hashlib.sha256()
    for block in blocks(size):
        whole.update(block)
    return whole.hexdigest()


def dies_at(share, size=SIZE):
    """Resets the connection when it has read that share of the body."""
    async def script(request, reply):
        async for _ in request.pieces():
            if request.received >= size * share:
                return reply.reset()
        await reply.send(200, [("Connection", "close")])   # no connection is left that looks stale
    return script


async def read_all(request):
    async for _ in request.pieces():
        pass


async def busy(request, reply):
    await read_all(request)
    await reply.send(503, [("Retry-After", "1")], b"busy")


async def hashes(request, reply):
    """Reads without keeping, and says what came."""
    await read_all(request)
    seen = {"length": request.received, "sha256": request.digest.hexdigest(),
            "attempt": request.field("Weir-Attempt")}
    await reply.send(200, (), json.dumps(seen).encode())


class ReplayCase(WeirCase):
    async def start(self, *scripts, limits=None, worker=None, through=(), **top):
        """A weir over workers with these scripts, tried in this order."""
        self.workers = [await self.worker(f"w{n}", script, **(worker or {}))
                        for n, script in enumerate(scripts, 1)]
        os.makedirs(self.path("copies"), exist_ok=True)
        config = basic_config(self.workers, {"retry": {"backoff_base": "1ms"}}, PATIENT,
                              **{"replay_dir": self.path("copies"), "limits": limits or {}, **top})
        self.door = await self.weir(config, through=through)
        for worker in self.workers:   # else one that is not up yet cannot take over
            await self.door.worker_is(worker.name, "up")
        return self.door

    async def upload(self, chunked=False, size=SIZE, address=None):
        client = await self.client(address or self.door.front)
        fields = {**key(), **({"Transfer-Encoding": "chunked"} if chunked
                            else {"Content-Length": str(size)})}

        async def send():
            await client.send(raw_client.request_head("POST", "/load", fields))
            for block in blocks(size):
                await client.send(raw_client.chunk(block) if chunked else block)
            if chunked:
                await client.send(raw_client.LAST_CHUNK)
        sending = self.task(send())
        response = await client.response(timeout=wire.DEADLINE * 20)
        with contextlib.suppress(OSError):   # an answer may come before the body's end
            await sending
        return response

    def assert_whole(self, response, attempt, size=SIZE):
        self.assertEqual(response.status, 200, response)
        seen = response.json()
        self.assertEqual((seen["length"], seen["attempt"]), (size, str(attempt)),
                         (self.door.access_log(), self.door.tail()))
        self.assertEqual(seen["sha256"], digest(size))

    async def on_disk(self):
        return (await self.door.metrics()).sum("weir_replay_bytes", where="disk")

    async def nothing_left(self):
        async def gone():
            return await self.on_disk() == 0
        await until(gone, "no bytes kept on disk")
        self.assertEqual(os.listdir(self.path("copies")), [])
        metrics = await self.door.metrics()
        self.assertEqual(metrics.sum("weir_replay_bytes"), 0)


class ReplayTest(ReplayCase):
    async def whole_at_the_second(self, chunked=False, **how):
        weir = await self.start(dies_at(0.9), hashes, **how)
        await raw_client.ask(weir.front, "HEAD", "/warm")
        before = weir.rss()
        uploading = self.task(self.upload(chunked))
        peak = 0
        while not uploading.done():
            peak = max(peak, weir.rss())
            await asyncio.wait({uploading}, timeout=0.05)
        self.assert_whole(await uploading, 2)
        if SLOW == 1:
            self.assertLess(peak - before, GROWTH_MAX)
        metrics = await weir.metrics()
        self.assertEqual(metrics.sum("weir_retries_total", pool="loaders"), 1)
        self.assertEqual(metrics.sum("weir_limit_hits_total",
                                     limit="limits.replay_batch_bytes_max"), 1)
        self.assertEqual(metrics.sum("weir_limit_hits_total",
                                     limit="limits.replay_disk_bytes_max"), 0)
        await self.nothing_left()

    async def test_a_worker_that_dies_at_nine_tenths_costs_nothing(self):
        await self.whole_at_the_second()

    async def test_nor_when_the_body_is_chunked(self):
        await self.whole_at_the_second(chunked=True)

    async def test_nor_when_workers_take_tls(self):
        authority = certs.Authority(self.folder)
        await self.whole_at_the_second(
            worker={"tls": certs.server_context(authority.issue("worker"))},
            pools={"loaders": {"tls": {"ca": authority.file}}})

    async def test_a_batch_survives_a_death_and_a_busy_worker(self):
        await self.start(dies_at(0.5), busy, hashes)
        self.assert_whole(await self.upload(), 3)
        await self.nothing_left()

    async def test_many_at_once(self):
        size = 8 * MIB
        await self.start(dies_at(0.9, size), hashes)
        answers = await asyncio.gather(*[self.upload(n % 2 == 1, size) for n in range(6)])
        for response in answers:
            self.assert_whole(response, int(response.json()["attempt"]), size)
        await self.nothing_left()

    async def test_a_client_that_leaves_leaves_nothing_on_disk(self):
        await self.start(hashes)
        client = await self.client(self.door.front)
        await client.send(raw_client.request_head(
            "POST", "/load", {**key(), "Content-Length": str(SIZE)}))
        for block in blocks(8 * MIB):
            await client.send(block)

        async def some():
            return await self.on_disk() > 4 * MIB
        await until(some, "bytes on disk")
        self.assertEqual(os.listdir(self.path("copies")), [])   # they have no name
        client.reset()
        await self.nothing_left()


class NoRoomTest(ReplayCase):
    SMALL = 16 * MIB

    async def streams_without_the_promise(self, limit, **how):
        """A sound worker gets the body all the same; one that dies is the batch's end."""
        await self.start(hashes, **how)
        for chunked in (False, True):
            self.assert_whole(await self.upload(chunked, self.SMALL), 1, self.SMALL)
        await self.hits(limit, 2)

    async def is_not_sent_again(self, limit, **how):
        await self.start(dies_at(0.9, self.SMALL), hashes, **how)
        for number, chunked in enumerate((False, True), 1):
            response = await self.upload(chunked, self.SMALL)
            self.assert_problem(response, 502)
            await self.hits(limit, number)
        self.assertEqual(len(self.workers[1].requests), 0)
        await self.nothing_left()

    async def hits(self, limit, count):
        metrics = await self.door.metrics()
        self.assertEqual(metrics.sum("weir_limit_hits_total", limit=limit), count)

    async def test_over_the_budget_a_body_streams_on(self):
        await self.streams_without_the_promise("limits.replay_disk_bytes_max",
                                               limits={"replay_disk_bytes_max": "8MiB"})

    async def test_over_the_budget_a_body_is_not_sent_again(self):
        await self.is_not_sent_again("limits.replay_disk_bytes_max",
                                     limits={"replay_disk_bytes_max": "8MiB"})

    def small_disk(self):
        """What runs weir with a tmpfs of 4 MiB at `copies`, for it alone."""
        if os.geteuid() != 0:
            self.skipTest("mounting a small tmpfs takes root")
        os.makedirs(self.path("copies"), exist_ok=True)
        mount = f"mount -t tmpfs -o size=4m tmpfs {self.path('copies')}"
        tried = subprocess.run(["unshare", "-m", "sh", "-c", mount], capture_output=True,
                               check=False)
        if tried.returncode:
            self.skipTest(f"no tmpfs can be mounted here: {tried.stderr.decode().strip()}")
        return ("unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "sh")

    async def test_on_a_full_disk_a_body_streams_on(self):
        await self.streams_without_the_promise("replay_dir", through=self.small_disk())
        await self.door.said("could not be kept on disk.*No space left on device")

    async def test_on_a_full_disk_a_body_is_not_sent_again(self):
        await self.is_not_sent_again("replay_dir", through=self.small_disk())


class FolderTest(ReplayCase):
    async def test_a_folder_that_takes_no_files_is_a_mistake_at_the_start(self):
        with self.assertRaisesRegex(AssertionError, "replay_dir /proc/copies: no file can be made"):
            await self.start(hashes, replay_dir="/proc/copies")

    async def test_state_dir_has_the_copies_when_nobody_says_otherwise(self):
        await self.start(dies_at(0.9), hashes, replay_dir="", state_dir=self.path("state"))
        self.assert_whole(await self.upload(), 2)
        folder = self.path("state/replay")
        self.assertEqual(os.stat(folder).st_mode & 0o777, 0o700)
        self.assertEqual(os.listdir(folder), [])


if __name__ == "__main__":
    unittest.main()
