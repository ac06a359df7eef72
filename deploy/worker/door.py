"""The example worker's HTTP: framing of requests and answers, one thread a connection.

worker.py decides; this file only knows how a batch arrives (Content-Length or chunks, with or
without Expect: 100-continue) and how an answer leaves, also when the body was not read.
"""
import hashlib
import http.server
import json
import socket

from store import Claim
from tables import TABLES

REASONS = {400: "Bad Request", 404: "Not Found", 409: "Conflict", 411: "Length Required",
           413: "Content Too Large", 415: "Unsupported Media Type", 422: "Unprocessable Content",
           500: "Internal Server Error", 503: "Service Unavailable"}


class Problem(Exception):
    """An answer other than success: a status and a reason for people (RFC 9457)."""

    def __init__(self, status, detail, **fields):
        super().__init__(detail)
        self.status, self.fields = status, fields


class Handler(http.server.BaseHTTPRequestHandler):
    """HTTP/1.1 on one connection: framing, and what is an answer when. Its own thread."""
    protocol_version = "HTTP/1.1"
    wbufsize = -1                   # head and body leave in one write
    disable_nagle_algorithm = True
    timeout = 75                    # an idle connection or a stalled body is closed

    def do_GET(self):
        if self.path != "/healthz":
            return self._answer(404, {"detail": "there is /healthz and POST /load/TABLE"})
        status = self.server.worker.status()
        return self._answer(200 if status["state"] == "up" else 503, status)

    def do_POST(self):
        worker = self.server.worker
        self.unread = True
        with worker.lock:
            worker.requests += 1
        try:
            self._answer(200, self._load(worker))
        except Problem as problem:
            self._answer(problem.status, {"detail": str(problem)}, **problem.fields)
        except OSError as why:                          # the client left, or stalled
            self.log_error("%s", why)
            self.close_connection = True
        finally:
            with worker.lock:
                worker.requests -= 1
                worker.lock.notify_all()

    def _load(self, worker):
        table = self.path.removeprefix("/load/")
        if table not in TABLES:
            raise Problem(404, f"no table at {self.path}; there are {', '.join(TABLES)}")
        media_type = (self.headers["Content-Type"] or "").split(";")[0].strip().lower()
        if media_type not in ("application/x-ndjson", "text/csv"):
            raise Problem(415, "send application/x-ndjson or text/csv")
        store = worker.take_slot()
        try:
            body = self._body(worker.options.body_max)
            claim = self._claim(worker, table, media_type, body)
            return worker.run(store, claim, media_type, body)
        except (Problem, OSError):
            raise
        except Exception as why:                        # the database failed: not known how far
            self.log_error("%r", why)
            raise Problem(500, "the database failed; send the batch again") from None
        finally:
            worker.slots.put(store)                     # before the answer: weir counts slots

    def _claim(self, worker, table, media_type, body):
        batch_id = self.headers["Weir-Batch-Id"] or ""
        key = (self.headers["Idempotency-Key"] or batch_id).strip().strip('"')
        tenant = self.headers["X-Tenant"]
        attempt = self.headers["Weir-Attempt"] or "1"
        if not key or not attempt.isdecimal():
            raise Problem(400, "a batch needs Idempotency-Key or Weir-Batch-Id")
        content = f"{table} {media_type} {hashlib.sha256(body).hexdigest()}"
        scoped = f"{tenant}/{key}" if tenant else key   # a tenant's keys are its own
        return Claim(scoped, batch_id, int(attempt), content, table, worker.options.id)

    def _body(self, longest):
        """The whole body; the slot is ours, so a client that asked may now send it."""
        coding, length = self.headers["Transfer-Encoding"], self.headers["Content-Length"]
        if coding is None and length is None:
            raise Problem(411, "a batch needs Content-Length or chunks")
        if coding and (length or coding.strip().lower() != "chunked"):
            raise Problem(400, "Transfer-Encoding must be chunked and stand alone")
        if length and (not length.isdecimal() or int(length) > longest):
            raise Problem(413 if length.isdecimal() else 400, f"at most {longest} bytes")
        if self.headers.get("Expect", "").lower() == "100-continue":
            self.send_response_only(100)
            self.end_headers()
            self.wfile.flush()
        body = self._chunks(longest) if coding else self._read(int(length))
        self.unread = False
        return body

    def _chunks(self, longest):
        body = bytearray()
        while size := self._chunk_size():
            if len(body) + size > longest:
                raise Problem(413, f"at most {longest} bytes")
            body += self._read(size)
            if self._read(2) != b"\r\n":
                raise Problem(400, "a chunk does not end where it says")
        while self.rfile.readline(8192).strip():        # trailers
            pass
        return bytes(body)

    def _chunk_size(self):
        line = self.rfile.readline(256)
        digits = line.split(b";")[0].strip()
        if not line.endswith(b"\n") or not digits or digits.strip(b"0123456789abcdefABCDEF"):
            raise Problem(400, "a broken chunk size")
        return int(digits, 16)

    def _read(self, size):
        data = self.rfile.read(size)
        if len(data) < size:
            raise ConnectionError("the client left in the middle of a body")
        return data

    def version_string(self):
        return "weir-example-worker"

    def handle_expect_100(self):
        return True                                     # answered in _body, once a slot is ours

    def _answer(self, status, body, headers=()):
        if status >= 400:
            body = {"type": "about:blank", "title": REASONS[status], "status": status, **body}
        text = json.dumps(body).encode() + b"\n"
        kind = "application/json" if status < 400 else "application/problem+json"
        leaving = getattr(self, "unread", False) or self.server.worker.draining
        self.send_response(status, REASONS.get(status))
        for name, value in [("Content-Type", kind), ("Content-Length", str(len(text))),
                            *dict(headers).items(), *([("Connection", "close")] * leaving)]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(text)
        self.wfile.flush()
        if getattr(self, "unread", False):
            self._linger()

    def _linger(self):
        """Closing with a body unread would reset the connection and destroy the answer."""
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(2)
        for _ in range(256):
            if not self.rfile.read1(1 << 16):
                return

    def log_request(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self, worker):
        host, _, port = worker.options.listen.rpartition(":")
        super().__init__((host, int(port)), Handler)
        self.worker = worker
        self.url = f"http://{host}:{self.server_port}"
