"""HTTP/1.1 on the wire, as little as the tests need: heads, framing, addresses and deadlines.
Deliberately not strict: what is odd in a message is the tests' business.
"""

import asyncio
import contextlib
import os
import socket
import struct

SLOW = 5 if os.environ.get("WEIR_SANITIZE") else 1
DEADLINE = 15 * SLOW  # seconds that any single thing may take before a test gives up on it
STREAM_LIMIT = 1 << 20


class Closed(Exception):
    """The peer ended the connection where a message had to begin or go on."""


class Head:
    def __init__(self, raw):
        self.raw = raw
        lines = raw.decode("latin-1").split("\r\n")
        self.first = lines[0]
        self.fields = []
        for line in lines[1:]:
            if line:
                name, _, value = line.partition(":")
                self.fields.append((name, value.strip()))

    def field(self, name):
        """The first field of that name, or None."""
        return next((v for n, v in self.fields if n.lower() == name.lower()), None)

    def all(self, name):
        return [v for n, v in self.fields if n.lower() == name.lower()]

    def tokens(self, name):
        return [t.strip().lower() for v in self.all(name) for t in v.split(",") if t.strip()]


async def read_head(reader):
    """One head with its empty line. None when the connection ended cleanly before it."""
    try:
        return Head(await reader.readuntil(b"\r\n\r\n"))
    except asyncio.IncompleteReadError as e:
        if not e.partial:
            return None
        raise Closed(f"inside a head: {e.partial[:200]!r}") from e
    except OSError as e:
        raise Closed(str(e)) from e


def framing(head, response_to=None):
    """("none"|"length"|"chunked"|"close", length). `response_to`: the request's method."""
    if response_to is not None:
        status = int(head.first.split()[1])
        if response_to == "HEAD" or status < 200 or status in (204, 304):
            return "none", 0
    if "chunked" in head.tokens("Transfer-Encoding"):
        return "chunked", 0
    length = head.field("Content-Length")
    if length is not None:
        return ("length", int(length)) if int(length) else ("none", 0)
    return ("close", 0) if response_to is not None else ("none", 0)


async def pieces(reader, frame, size=256 * 1024):
    """The body as it comes, without its framing. Raises Closed when it ends early."""
    kind, left = frame
    if kind == "chunked":
        async for piece in _chunked_pieces(reader, size):
            yield piece
        return
    while kind == "close" or (kind == "length" and left):
        piece = await _read(reader, size if kind == "close" else min(size, left))
        if not piece:
            if kind == "length":
                raise Closed(f"{left} bytes of the body missing")
            return
        left -= len(piece)
        yield piece


async def _chunked_pieces(reader, size):
    while True:
        line = await _line(reader)
        left = int(line.split(b";")[0], 16)
        if not left:
            while (await _line(reader)).strip():
                pass
            return
        while left:
            piece = await _read(reader, min(size, left))
            if not piece:
                raise Closed("inside a chunk")
            left -= len(piece)
            yield piece
        if await _line(reader) != b"\r\n":
            raise Closed("a chunk longer than it said")


async def _read(reader, size):
    try:
        return await reader.read(size)
    except OSError as e:
        raise Closed(str(e)) from e


async def _line(reader):
    try:
        line = await reader.readuntil(b"\r\n")
    except (asyncio.IncompleteReadError, OSError) as e:
        raise Closed(f"inside chunk framing: {e}") from e
    return line


def split_address(address):
    """("unix", path) or (host, port) of "127.0.0.1:80", "[::1]:80", "unix:/path"."""
    if address.startswith("unix:"):
        return "unix", address[len("unix:"):]
    host, _, port = address.rpartition(":")
    return host.strip("[]"), int(port)


def reset(writer):
    """Ends a connection with RST: linger for no time (socket(7)), then close."""
    sock = writer.get_extra_info("socket")
    if sock is not None and sock.family != socket.AF_UNIX:
        with contextlib.suppress(OSError):  # it is closed already
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def until(condition, what, timeout=None):
    """Waits until condition() (or await condition()) is true, and returns what it returned."""
    loop = asyncio.get_running_loop()
    end = loop.time() + (timeout or DEADLINE)
    never = loop.create_future()
    while True:
        value = condition()
        if asyncio.iscoroutine(value):
            value = await value
        if value:
            return value
        if loop.time() > end:
            raise AssertionError(f"did not come in time: {what}")
        await asyncio.wait({never}, timeout=0.01)


async def pause(seconds):
    """Lets a span pass in which something must NOT happen, or as a worker's time of service."""
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)
