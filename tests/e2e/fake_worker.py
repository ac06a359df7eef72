"""A worker for the tests: an HTTP/1.1 server that does what a script says, and keeps count.

A script is `async def script(request, reply)`. It may read the body or not, answer whole, in
parts, with raw bytes or never, close or reset. Probes (GET /healthz) are answered apart and not
counted. Run as a program it is a worker of its own process, to be killed for real:
    fake_worker.py NAME SECONDS     prints its address, takes SECONDS for each request
"""

import asyncio
import contextlib
import ctypes
import hashlib
import json
import signal
import sys

import raw_client
import wire


class Request:
    def __init__(self, head, connection):
        self.head = head
        self.connection = connection
        self.method, self.target, self.version = head.first.split(" ", 2)
        self.framing = wire.framing(head)
        self.received = 0
        self.data = b""
        self.digest = hashlib.sha256()
        self.complete = self.framing[0] == "none"

    def field(self, name):
        return self.head.field(name)

    async def pieces(self):
        """The body as it comes; nothing when it was read already."""
        if self.complete:
            return
        async for piece in wire.pieces(self.connection.reader, self.framing):
            self.received += len(piece)
            self.digest.update(piece)
            yield piece
        self.complete = True

    async def body(self):
        """The whole body, however often it is asked for."""
        self.data += b"".join([piece async for piece in self.pieces()])
        return self.data

    async def closed(self):
        """Returns once weir has ended this connection (what still comes is thrown away)."""
        with contextlib.suppress(OSError):
            while await self.connection.reader.read(65536):
                pass


class Reply:
    def __init__(self, request, worker):
        self.request, self.worker = request, worker
        self.writer = request.connection.writer
        self.keep = "close" not in request.head.tokens("Connection")
        self.counted = True

    def finished(self):
        """The slot is free again: said before the answer's last bytes can reach weir."""
        if self.counted:
            self.counted = False
            self.worker.running -= 1

    async def raw(self, data):
        self.writer.write(data)
        with contextlib.suppress(OSError):
            await self.writer.drain()

    async def head(self, status=200, fields=(), reason="Said"):
        pairs = [f"{n}: {v}\r\n" for n, v in fields]
        await self.raw(f"HTTP/1.1 {status} {reason}\r\n{''.join(pairs)}\r\n".encode("latin-1"))

    async def send(self, status=200, fields=(), body=b"", reason="Said"):
        """A whole answer with Content-Length."""
        self.finished()
        pairs = "".join(f"{n}: {v}\r\n" for n, v in fields)
        head = f"HTTP/1.1 {status} {reason}\r\n{pairs}Content-Length: {len(body)}\r\n\r\n"
        await self.raw(head.encode("latin-1") + (b"" if self.request.method == "HEAD" else body))

    async def chunks(self, parts, fields=()):
        await self.head(200, [("Transfer-Encoding", "chunked"), *fields])
        for part in parts:
            await self.raw(raw_client.chunk(part))
        self.finished()
        await self.raw(raw_client.LAST_CHUNK)

    def close(self):
        """After what was written, FIN."""
        self.finished()
        self.keep = False

    def reset(self):
        self.finished()
        self.keep = False
        wire.reset(self.writer)


async def echo(request, reply):
    """Answers with what arrived."""
    body = await request.body()
    seen = {"worker": reply.worker.name, "method": request.method, "target": request.target,
            "fields": request.head.fields, "length": len(body),
            "sha256": request.digest.hexdigest()}
    await reply.send(200, [("Content-Type", "application/json")], json.dumps(seen).encode())


def answer(status=200, fields=(), body=b"done"):
    async def script(request, reply):
        await request.body()
        await reply.send(status, fields, body)
    return script


def takes(seconds, status=200, body=b"done"):
    """Serves for that long, then answers."""
    async def script(request, reply):
        await request.body()
        await reply.worker.serve_for(seconds)
        await reply.send(status, (), body)
    return script


class Held:
    """A script that answers when told: requests wait in `waiting` for release()."""

    def __init__(self, then=None):
        self.waiting, self.then = [], then

    async def __call__(self, request, reply):
        await request.body()
        gate = asyncio.get_running_loop().create_future()
        self.waiting.append(gate)
        await gate
        await (self.then or answer())(request, reply)

    def release(self, count=None):
        """Lets that many go on, oldest first; all when not given."""
        for gate in self.waiting[:count]:
            if not gate.done():
                gate.set_result(None)
        del self.waiting[:count]


class Connection:
    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer
        self.served = 0


class Worker:
    def __init__(self, name="w1", script=echo):
        self.name, self.script = name, script
        self.requests = []         # in order of arrival, probes not included
        self.running = 0           # requests received and not answered
        self.high_water = 0        # the most of them at once
        self.probes = 0
        self.probe_status = 200    # None: a probe is never answered
        self.probe_fields = ()
        self.connections = set()
        self.accepted = 0
        self.scheme = "http"
        self.address = None
        self._server = None
        self._stop = asyncio.Event()

    async def start(self, host="127.0.0.1", port=0, unix=None, tls=None):
        self._stop = asyncio.Event()
        if unix:
            self._server = await asyncio.start_unix_server(self._serve, unix,
                                                           limit=wire.STREAM_LIMIT)
            self.address = "unix:" + unix
        else:
            self._server = await asyncio.start_server(
                self._serve, host, port, ssl=tls, reuse_address=True, limit=wire.STREAM_LIMIT,
                backlog=1024)
            self.scheme = "https" if tls else "http"
            host, port = self._server.sockets[0].getsockname()[:2]
            self.address = f"[{host}]:{port}" if ":" in host else f"{host}:{port}"
        return self

    @property
    def url(self):
        plain = self.address.startswith("unix:")
        return self.address if plain else f"{self.scheme}://{self.address}"

    def config(self, **more):
        return {"id": self.name, "url": self.url, "slots": 4, **more}

    async def serve_for(self, seconds):
        """A time of service, cut short when the worker stops."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._stop.wait(), seconds)

    def refuse(self):
        """No new connections from here on: they are refused. Open ones go on."""
        if self._server:
            self._server.close()
            self._server = None

    def kill(self):
        """As a death of the process: no listener, every connection reset."""
        self.refuse()
        self._stop.set()
        for connection in list(self.connections):
            wire.reset(connection.writer)

    async def restart(self):
        """Back on the same address."""
        host, port = wire.split_address(self.address)
        if host == "unix":
            return await self.start(unix=port)
        return await self.start(host, port)

    def close_idle(self):
        """FIN on every connection that has no request."""
        for connection in list(self.connections):
            if not getattr(connection, "busy", False):
                connection.writer.close()

    async def _serve(self, reader, writer):
        connection = Connection(reader, writer)
        self.connections.add(connection)
        self.accepted += 1
        try:
            while await self._one(connection):
                pass
        except (OSError, wire.Closed, asyncio.IncompleteReadError):
            pass
        finally:
            self.connections.discard(connection)
            writer.close()

    async def _one(self, connection):
        """One request and its answer; False when the connection is over."""
        connection.busy = False
        head = await wire.read_head(connection.reader)
        if head is None:
            return False
        connection.busy = True
        request = Request(head, connection)
        if request.target == "/healthz":
            return await self._probe(request)
        connection.served += 1
        self.requests.append(request)
        self.running += 1
        self.high_water = max(self.high_water, self.running)
        reply = Reply(request, self)
        try:
            await self.script(request, reply)
        finally:
            reply.finished()
        return reply.keep and request.complete

    async def _probe(self, request):
        self.probes += 1
        if self.probe_status is None:
            await request.closed()
            return False
        fields = "".join(f"{n}: {v}\r\n" for n, v in self.probe_fields)
        request.connection.writer.write(
            f"HTTP/1.1 {self.probe_status} Probed\r\n{fields}Content-Length: 0\r\n\r\n".encode())
        return "close" not in request.head.tokens("Connection")


def die_with_parent():
    """A child of the tests never outlives them (prctl(2), PR_SET_PDEATHSIG)."""
    ctypes.CDLL(None).prctl(1, signal.SIGKILL)


async def main(name, seconds):
    worker = await Worker(name, takes(seconds, body=name.encode())).start()
    print(worker.address, flush=True)
    await asyncio.get_running_loop().create_future()


if __name__ == "__main__":
    die_with_parent()
    asyncio.run(main(sys.argv[1], float(sys.argv[2])))
