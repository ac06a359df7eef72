"""What the tests of deploy/ share: programs started on ports that the kernel picks, HTTP spoken by
hand where the framing is the point, and a bounded wait for a condition that only polling shows."""
import contextlib
import http.client
import json
import os
import pathlib
import socket
import subprocess
import sys
import tempfile
import threading
import urllib.parse

SOURCE = pathlib.Path(os.environ.get("WEIR_SOURCE", pathlib.Path(__file__).parents[2]))
DEPLOY = SOURCE / "deploy"
PATIENCE = 60     # seconds until a wait that should end at once is called a failure
sys.path[:0] = [str(DEPLOY), str(DEPLOY / "worker")]


class Program:
    """A child that prints its URL as its first line. Killed when its block ends."""

    def __init__(self, script, *arguments):
        self.errors = tempfile.TemporaryFile()
        self.process = subprocess.Popen(
            [sys.executable, str(DEPLOY / script), *map(str, arguments)],
            stdout=subprocess.PIPE, stderr=self.errors, text=True)
        self.url = self.process.stdout.readline().strip()
        if not self.url.startswith("http://"):
            said = self.said()
            self.stop()
            raise AssertionError(f"{script} did not start: {said}")
        where = urllib.parse.urlsplit(self.url)
        self.address = (where.hostname, where.port)

    def said(self):
        self.errors.seek(0)
        return self.errors.read().decode()

    def ended(self):
        return self.process.wait(timeout=PATIENCE)

    def stop(self):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait(timeout=PATIENCE)
        self.process.stdout.close()
        self.errors.close()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stop()


class Answer:
    def __init__(self, response):
        self.status, self.headers = response.status, response.headers
        self.body = response.read()

    def json(self):
        return json.loads(self.body)


def ask(address, method, path, body=None, **headers):
    """One request on a connection of its own. Header names are written with underscores."""
    with contextlib.closing(http.client.HTTPConnection(*address, timeout=PATIENCE)) as connection:
        connection.request(method, path, body, named(headers))
        return Answer(connection.getresponse())


def named(headers):
    return {name.replace("_", "-"): value for name, value in headers.items()}


class Wire:
    """A connection on which bytes are sent as they are and answers are read one by one."""

    def __init__(self, address):
        self.socket = socket.create_connection(address, timeout=PATIENCE)

    def send(self, *parts):
        self.socket.sendall(b"".join(p if isinstance(p, bytes) else p.encode() for p in parts))
        return self

    def answer(self):
        response = http.client.HTTPResponse(self.socket, method="POST")
        response.begin()                # skips 100 Continue by itself
        return Answer(response)

    def line(self):
        """One line of a head, read byte by byte so that nothing beyond it is taken."""
        line = b""
        while not line.endswith(b"\n"):
            byte = self.socket.recv(1)
            if not byte:
                break
            line += byte
        return line.decode().rstrip("\r\n")

    def at_end(self):
        return self.socket.recv(1) == b""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.socket.close()


def eventually(condition, what):
    """Asks again until the condition holds, at most PATIENCE seconds."""
    pause, tries = threading.Event(), PATIENCE * 50
    for _ in range(tries):
        result = condition()
        if result:
            return result
        pause.wait(0.02)
    raise AssertionError(f"never: {what}")
