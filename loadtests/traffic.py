"""The unruly half of a soak's clients, which the load generator cannot be: they leave, read or send
slowly, pipeline, send nonsense. Each request has a number in its target and an entry in the
ledger that says what its client knows of it, to be compared with weir's access log.
"""

import asyncio
import collections
import contextlib
import dataclasses
import itertools
import random
import socket
import ssl
import struct

PATIENCE = 150   # seconds; nothing that these clients ask for takes as long
AT_ONCE = 500
BLOCK = b"soak" * (1 << 14)

# Arrivals a second of each kind, a Poisson process each.
RATES = {
    "get": 12, "keep": 3, "post": 8, "chunked": 4, "pipelined": 3, "expect": 3, "head": 2,
    "slow_reader": 0.6, "slow_sender": 0.8, "half_head": 3, "mid_body": 2, "mid_response": 2,
    "leaves": 3, "burst": 0.08, "strict": 2, "idle": 0.5, "bad": 4, "no_route": 3, "too_large": 1,
    "bad_field": 1, "broken_chunk": 1, "no_handshake": 0.5,
}

BAD_HEADS = [
    b"GET /load HTTP/1.1\r\n\r\n",
    b"GET /load HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n",
    b"POST /load HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\nhello",
    b"POST /load HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n",
    b"POST /load HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: zip\r\n\r\n",
    b"GET /load HTTP/3.0\r\nHost: a\r\n\r\n",
    b"GET /load HTTP/1.1\r\nHost: a\r\nName : value\r\n\r\n",
    b"GET /load HTTP/1.1\r\nHost: a\r\nExpect: wonders\r\n\r\n",
    b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n",
    b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\nHost: a\r\n\r\n",
    b"GET /load HTTP/1.1\r\nHost: a\r\nName: " + b"a" * 20000 + b"\r\n\r\n",
]


@dataclasses.dataclass(slots=True)
class Entry:
    """One request, as its client knows it."""
    kind: str
    sent: bool = False      # its whole head: weir may log it
    patient: bool = False   # the client waited for the answer
    status: int = 0         # that came
    whole: bool = False     # the answer came to its end


class Ledger:
    def __init__(self):
        self.entries = {}
        self.bad = collections.Counter()   # refused heads, by status
        self.failures = collections.Counter()

    def enter(self, kind):
        number = len(self.entries) + 1
        entry = self.entries[number] = Entry(kind)
        return number, entry


class Wire:
    """A client's connection."""

    def __init__(self, reader, writer):
        self.reader = reader
        self.writer = writer

    def send(self, data):
        self.writer.write(data)
        return self.writer.drain()

    async def answer(self, entry, bodiless=False):
        """Reads a final response to its end."""
        fields = await self.head(entry)
        if bodiless:
            entry.whole = True
            return
        if "content-length" in fields:
            await self.skip(int(fields["content-length"]))
        elif "transfer-encoding" in fields:
            await self._skip_chunks()
        entry.whole = True

    async def head(self, entry):
        while True:
            lines = (await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
            status = int(lines[0].split(" ")[1])
            if status >= 200:
                break
        entry.status = status
        pairs = (line.partition(":") for line in lines[1:] if line)
        return {name.lower(): value.strip() for name, _, value in pairs}

    async def skip(self, count):
        while count > 0:
            data = await self.reader.read(min(count, 1 << 18))
            if not data:
                raise EOFError
            count -= len(data)

    async def _skip_chunks(self):
        while size := int(await self.reader.readuntil(b"\r\n"), 16):
            await self.skip(size)
            await self.reader.readexactly(2)
        await self.reader.readuntil(b"\r\n")

    def reset(self):
        linger = struct.pack("ii", 1, 0)
        sock = self.writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger)


class Traffic:
    """Runs the clients of RATES until told to stop."""

    def __init__(self, plain, tls, seed):
        self.plain, self.tls = plain, tls   # ports
        self.seed = seed
        self.ledger = Ledger()
        self.running = set()
        self.drivers = []
        self.trusting = ssl.create_default_context()
        self.trusting.check_hostname = False
        self.trusting.verify_mode = ssl.CERT_NONE
        self.keys = itertools.count(1)

    def start(self):
        self.drivers = [asyncio.create_task(self._drive(kind, rate))
                        for kind, rate in RATES.items()]

    async def stop(self):
        """No new clients; waits for those there are."""
        for driver in self.drivers:
            driver.cancel()
        await asyncio.gather(*self.drivers, return_exceptions=True)
        if self.running:
            await asyncio.wait(self.running)

    async def _drive(self, kind, rate):
        arrivals = random.Random(f"{self.seed}/{kind}")
        for number in itertools.count():
            await asyncio.sleep(arrivals.expovariate(rate))
            if len(self.running) >= AT_ONCE:
                continue
            draw = random.Random(f"{self.seed}/{kind}/{number}")
            task = asyncio.create_task(self._guarded(kind, draw))
            self.running.add(task)
            task.add_done_callback(self.running.discard)

    async def _guarded(self, kind, draw):
        try:
            async with asyncio.timeout(PATIENCE):
                await getattr(self, "_" + kind)(draw)
        except TimeoutError:
            self.ledger.failures[f"{kind}: not over within {PATIENCE} s"] += 1
        except (OSError, EOFError):
            pass   # the entries tell whether that may be
        except Exception as wrong:  # pylint: disable=broad-exception-caught
            self.ledger.failures[f"{kind}: {wrong!r}"] += 1

    # --- what the kinds share --------------------------------------------------------------------
    @contextlib.asynccontextmanager
    async def _wire(self, draw, tls=None, receive_buffer=0):
        secure = draw.random() < 0.25 if tls is None else tls
        sock = socket.socket()
        sock.setblocking(False)
        if receive_buffer:
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        try:
            address = ("127.0.0.1", self.tls if secure else self.plain)
            await asyncio.get_running_loop().sock_connect(sock, address)
            options = {"ssl": self.trusting, "server_hostname": "soak"} if secure else {}
            reader, writer = await asyncio.open_connection(sock=sock, **options)
        except BaseException:
            sock.close()
            raise
        try:
            yield Wire(reader, writer)
        finally:
            writer.transport.abort()

    def _request(self, kind, method="GET", path="/load", query="", fields=()):
        """(its head's bytes, its entry)"""
        number, entry = self.ledger.enter(kind)
        lines = [f"{method} {path}?{query}&id={number} HTTP/1.1", "Host: soak", f"X-Tenant: {kind}",
                 *fields]
        return ("\r\n".join(lines) + "\r\n\r\n").encode(), entry

    def _key(self, draw, share=0.5):
        return [f'Idempotency-Key: "soak-{next(self.keys)}"'] if draw.random() < share else []

    @staticmethod
    async def _whole(wire, entry, data, bodiless=False):
        """A client that waits for its answer as it should."""
        entry.sent = entry.patient = True
        await wire.send(data)
        await wire.answer(entry, bodiless)

    @staticmethod
    async def _upload(wire, count):
        while count > 0:
            await wire.send(BLOCK[:count])
            count -= len(BLOCK[:count])

    # --- well-behaved ----------------------------------------------------------------------------
    async def _get(self, draw):
        size = int(draw.expovariate(1 / 3000))
        async with self._wire(draw) as wire:
            head, entry = self._request("get", query=f"bytes={size}")
            await self._whole(wire, entry, head)

    async def _keep(self, draw):
        async with self._wire(draw) as wire:
            for _ in range(5):
                head, entry = self._request("keep", query=f"bytes={draw.randrange(2000)}",
                                            fields=self._key(draw))
                await self._whole(wire, entry, head)
                await asyncio.sleep(draw.expovariate(2))

    async def _post(self, draw):
        size = int(draw.paretovariate(1.1) * 1000) % (8 << 20)
        async with self._wire(draw) as wire:
            head, entry = self._request(
                "post", "POST", query=f"bytes={draw.randrange(5000)}",
                fields=[f"Content-Length: {size}", *self._key(draw)])
            entry.sent = entry.patient = True
            await wire.send(head)
            await self._upload(wire, size)
            await wire.answer(entry)

    async def _chunked(self, draw):
        async with self._wire(draw) as wire:
            head, entry = self._request(
                "chunked", "POST", query=f"bytes={draw.randrange(1 << 20)}&chunked=1",
                fields=["Transfer-Encoding: chunked", *self._key(draw)])
            entry.sent = entry.patient = True
            await wire.send(head)
            for _ in range(draw.randrange(20)):
                size = draw.randrange(1, len(BLOCK))
                await wire.send(b"%x;x=y\r\n%b\r\n" % (size, BLOCK[:size]))
            await wire.send(b"0\r\nTrailer-Field: here\r\n\r\n")
            await wire.answer(entry)

    async def _pipelined(self, draw):
        async with self._wire(draw) as wire:
            asked = [self._request("pipelined", query=f"bytes={draw.randrange(3000)}")
                     for _ in range(draw.randrange(2, 20))]
            for _, entry in asked:
                entry.sent = True   # one that breaks off in the middle takes the later ones along
            await wire.send(b"".join(head for head, _ in asked))
            for _, entry in asked:
                await wire.answer(entry)

    async def _expect(self, draw):
        size = draw.randrange(1 << 18)
        async with self._wire(draw) as wire:
            head, entry = self._request(
                "expect", "POST", fields=[f"Content-Length: {size}", "Expect: 100-continue",
                                          *self._key(draw)])
            entry.sent = entry.patient = True
            await wire.send(head)
            first = await wire.reader.readuntil(b"\r\n\r\n")
            if not first.startswith(b"HTTP/1.1 100"):   # a final answer: the body is not wanted
                entry.status = int(first[9:12])
                return
            await self._upload(wire, size)
            await wire.answer(entry)

    async def _head(self, draw):
        async with self._wire(draw) as wire:
            head, entry = self._request("head", "HEAD", query="bytes=1000")
            await self._whole(wire, entry, head, bodiless=True)

    async def _strict(self, draw):
        """A route whose timeout.response is short, for slow work."""
        async with self._wire(draw) as wire:
            head, entry = self._request(
                "strict", path="/load/strict",
                fields=[f"X-Service-Us: {int(draw.expovariate(1 / 400000))}"])
            await self._whole(wire, entry, head)

    async def _idle(self, draw):
        async with self._wire(draw) as wire:
            head, entry = self._request("idle")
            await self._whole(wire, entry, head)
            await asyncio.sleep(draw.uniform(1, 20))

    # --- slow and leaving ------------------------------------------------------------------------
    async def _slow_reader(self, draw):
        size = draw.randrange(1 << 20, 4 << 20)
        async with self._wire(draw, receive_buffer=32768) as wire:
            head, entry = self._request("slow_reader", query=f"bytes={size}")
            entry.sent = entry.patient = True
            await wire.send(head)
            left = int((await wire.head(entry)).get("content-length", 0))
            while left > 0:
                piece = min(left, 1 << 17)
                await wire.skip(piece)
                left -= piece
                await asyncio.sleep(draw.uniform(0, 0.3))
            entry.whole = True

    async def _slow_sender(self, draw):
        size = 4000
        async with self._wire(draw) as wire:
            head, entry = self._request("slow_sender", "POST",
                                        fields=[f"Content-Length: {size}", *self._key(draw)])
            entry.sent = entry.patient = True
            data = head + BLOCK[:size]
            while data:
                count = draw.randrange(1, 300)
                await wire.send(data[:count])
                data = data[count:]
                await asyncio.sleep(draw.uniform(0, 0.2))
            await wire.answer(entry)

    def _leave(self, draw, wire):
        if draw.random() < 0.5:
            wire.reset()

    async def _half_head(self, draw):
        async with self._wire(draw) as wire:
            head, _ = self._request("half_head")   # entered, never sent: must not be logged
            await wire.send(head[:draw.randrange(1, len(head) - 3)])
            await asyncio.sleep(draw.uniform(0, 0.5))
            self._leave(draw, wire)

    async def _mid_body(self, draw):
        size = draw.randrange(1 << 16, 16 << 20)
        async with self._wire(draw) as wire:
            head, entry = self._request("mid_body", "POST", fields=[f"Content-Length: {size}",
                                                                    *self._key(draw)])
            entry.sent = True
            await wire.send(head)
            await self._upload(wire, draw.randrange(size))
            await asyncio.sleep(draw.uniform(0, 0.2))
            self._leave(draw, wire)

    async def _mid_response(self, draw):
        size = draw.randrange(1 << 18, 32 << 20)
        async with self._wire(draw, receive_buffer=65536) as wire:
            head, entry = self._request("mid_response", query=f"bytes={size}")
            entry.sent = True
            await wire.send(head)
            await wire.head(entry)
            await wire.skip(draw.randrange(size // 2))
            self._leave(draw, wire)

    async def _leaves(self, draw):
        """While its request is worked on; half of them on a route that lets the worker finish."""
        path = draw.choice(["/load", "/load/finish"])
        async with self._wire(draw) as wire:
            head, entry = self._request("leaves", path=path, fields=["X-Service-Us: 300000"])
            entry.sent = True
            await wire.send(head)
            await asyncio.sleep(draw.uniform(0, 0.3))
            self._leave(draw, wire)

    async def _burst(self, draw):
        """More at once than there are slots, so that many wait; every other one leaves."""
        async def one(patient):
            async with self._wire(draw) as wire:
                head, entry = self._request("burst", fields=["X-Service-Us: 300000"])
                if patient:
                    return await self._whole(wire, entry, head)
                entry.sent = True
                await wire.send(head)
                await asyncio.sleep(draw.uniform(0, 0.5))
                return self._leave(draw, wire)
        await asyncio.gather(*(one(n % 2 == 0) for n in range(120)), return_exceptions=True)

    # --- wrong -----------------------------------------------------------------------------------
    async def _bad(self, draw):
        data = draw.choice(BAD_HEADS)
        async with self._wire(draw) as wire:
            entry = Entry("bad")
            await wire.send(data)
            await wire.answer(entry)
            self.ledger.bad[entry.status] += 1

    async def _no_route(self, draw):
        async with self._wire(draw) as wire:
            head, entry = self._request("no_route", path="/nowhere")
            await self._whole(wire, entry, head)

    async def _too_large(self, draw):
        async with self._wire(draw) as wire:
            head, entry = self._request("too_large", "POST", path="/load/limited",
                                        fields=["Content-Length: 70000"])
            entry.sent = entry.patient = True
            await wire.send(head + BLOCK[:draw.choice([0, 60000])])
            await wire.answer(entry)

    async def _bad_field(self, draw):
        async with self._wire(draw) as wire:
            head, entry = self._request("bad_field", fields=["Weir-Deadline: soon"])
            await self._whole(wire, entry, head)

    async def _broken_chunk(self, draw):
        async with self._wire(draw) as wire:
            head, entry = self._request("broken_chunk", "POST",
                                        fields=["Transfer-Encoding: chunked"])
            await self._whole(wire, entry, head + b"5\r\nhello\r\nno size\r\n")

    async def _no_handshake(self, draw):
        """Plain bytes at the TLS listener."""
        reader, writer = await asyncio.open_connection("127.0.0.1", self.tls)
        try:
            writer.write(draw.choice([b"GET /load HTTP/1.1\r\nHost: a\r\n\r\n", b"", b"\x16\x03"]))
            await asyncio.sleep(draw.uniform(0, 0.2))
            writer.write_eof()
            await reader.read(1000)
        finally:
            writer.transport.abort()
