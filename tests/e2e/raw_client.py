"""A client that sends exact bytes and reads what comes back, over TCP, TLS or a unix socket."""

import asyncio
import json as json_module
import socket

import wire


class Response:
    def __init__(self, head, interims):
        self.head = head
        self.version, status, self.reason = (head.first.split(" ", 2) + [""])[:3]
        self.status = int(status)
        self.interims = interims  # heads of 1xx that came before
        self.body = b""
        self.framing = ("none", 0)

    def field(self, name):
        return self.head.field(name)

    def json(self):
        return json_module.loads(self.body)

    def __repr__(self):
        return f"{self.head.raw!r}{self.body[:300]!r}"


def request_head(method, target, fields=(), host="weir.test"):
    """A head's bytes. `fields`: pairs or a dict; Host comes first unless given."""
    pairs = list(fields.items() if isinstance(fields, dict) else fields)
    if host is not None and not any(n.lower() == "host" for n, _ in pairs):
        pairs.insert(0, ("Host", host))
    lines = [f"{method} {target} HTTP/1.1"] + [f"{n}: {v}" for n, v in pairs]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def chunk(data):
    return b"%x\r\n%s\r\n" % (len(data), data)


LAST_CHUNK = b"0\r\n\r\n"


class Client:
    """Every wait has the common deadline: a client never hangs a test."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    @classmethod
    async def open(cls, address, tls=None, server_name=None, send_buffer=None):
        host, port = wire.split_address(address)
        extra = {"limit": wire.STREAM_LIMIT}
        if tls:
            extra.update(ssl=tls, server_hostname=server_name or host)
        async with asyncio.timeout(wire.DEADLINE):
            if host == "unix":
                return cls(*await asyncio.open_unix_connection(port, **extra))
            if send_buffer is None:
                return cls(*await asyncio.open_connection(host, port, **extra))
            sock = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET)
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, send_buffer)
            sock.setblocking(False)
            await asyncio.get_running_loop().sock_connect(sock, (host, port))
            return cls(*await asyncio.open_connection(sock=sock, **extra))

    async def send(self, data):
        async with asyncio.timeout(wire.DEADLINE):
            self.writer.write(data)
            await self.writer.drain()

    async def request(self, method, target="/", fields=(), body=None, host="weir.test"):
        """Sends a whole request; a body gets its Content-Length."""
        pairs = list(fields.items() if isinstance(fields, dict) else fields)
        if body is not None and not any(n.lower() == "transfer-encoding" for n, _ in pairs):
            pairs.append(("Content-Length", str(len(body))))
        await self.send(request_head(method, target, pairs, host) + (body or b""))

    async def head(self, method="GET", timeout=None):
        """The next final response's head, its body unread."""
        interims = []
        async with asyncio.timeout(timeout or wire.DEADLINE):
            while True:
                head = await wire.read_head(self.reader)
                if head is None:
                    raise wire.Closed("before a response")
                status = int(head.first.split()[1])
                if status >= 200 or status == 101:
                    break
                interims.append(head)
        response = Response(head, interims)
        response.framing = wire.framing(head, method)
        return response

    async def interim(self, timeout=None):
        """The next head, which must be a 1xx."""
        async with asyncio.timeout(timeout or wire.DEADLINE):
            head = await wire.read_head(self.reader)
        assert head is not None and head.first.split()[1].startswith("1"), head and head.raw
        return head

    async def response(self, method="GET", timeout=None):
        response = await self.head(method, timeout)
        async with asyncio.timeout(timeout or wire.DEADLINE):
            response.body = b"".join([p async for p in wire.pieces(self.reader, response.framing)])
        return response

    async def ask(self, method, target="/", fields=(), body=None, timeout=None):
        await self.request(method, target, fields, body)
        return await self.response(method, timeout)

    async def ended(self, timeout=None):
        """How the peer ended the connection: "closed" or "reset". Other bytes fail."""
        try:
            async with asyncio.timeout(timeout or wire.DEADLINE):
                more = await self.reader.read(1000)
        except ConnectionError:
            return "reset"
        assert not more, f"wanted the end of the connection, got {more!r}"
        return "closed"

    async def quiet(self, seconds):
        """True when nothing, not even the end, comes within that time."""
        try:
            async with asyncio.timeout(seconds):
                data = await self.reader.read(1)
        except TimeoutError:
            return True
        except ConnectionError:
            return False
        raise AssertionError(f"wanted silence, got {data!r}")

    def half_close(self):
        self.writer.write_eof()

    def reset(self):
        wire.reset(self.writer)

    def close(self):
        self.writer.close()


async def ask(address, method="GET", target="/", fields=(), body=None, timeout=None, **how):
    """One request on a connection of its own."""
    client = await Client.open(address, **how)
    try:
        return await client.ask(method, target, fields, body, timeout)
    finally:
        client.close()
