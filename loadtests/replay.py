#!/usr/bin/env python3
"""One long body, a worker that dies before its end, and one that gets it all: time, memory, bytes.
README.md says how to read it. The exit code is 0 when the bytes are equal and memory was bounded.
"""

import argparse
import hashlib
import json
import multiprocessing
import os
import re
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

MIB = 1 << 20
BLOCK = 4 * MIB
NOISE = os.urandom(BLOCK)
DEADLINE = 600

YAML = """\
threads: {threads}
replay_dir: {folder}
access_log: {{file: access.log}}
listeners: [{{name: front, bind: "127.0.0.1:0"}}]
admin: {{bind: "127.0.0.1:0"}}
limits: {{replay_disk_bytes_max: 1TiB}}
routes: [{{name: all, path: /, pool: loaders, body_max: 1TiB}}]
pools:
  loaders:
    balance: first
    workers:
      - {{id: dies, url: "http://127.0.0.1:{dies}"}}
      - {{id: lives, url: "http://127.0.0.1:{lives}"}}
    health_check: {{type: tcp}}
    slow_start: 0s
"""


class Source:
    """A connection's bytes, a line or a block at a time."""

    def __init__(self, connection):
        self.connection, self.buffer = connection, bytearray(MIB)
        self.ready = memoryview(b"")

    def block(self):
        if not self.ready:
            count = self.connection.recv_into(self.buffer)
            self.ready = memoryview(self.buffer)[:count]
        taken, self.ready = self.ready, memoryview(b"")
        return taken

    def upto(self, count):
        taken = self.block()
        self.ready = taken[count:]
        return taken[:count]

    def line(self):
        line = b""
        while not line.endswith(b"\n"):
            line += bytes(self.upto(1))
            if not line:
                return line
        return line

    def head(self):
        """The fields, names in lower case; nothing when the peer closed."""
        if not self.line():
            return None
        fields = {}
        while (line := self.line()) not in (b"\r\n", b""):
            name, _, value = line.decode("latin-1").partition(":")
            fields[name.lower()] = value.strip()
        return fields

    def body(self, fields):
        if "transfer-encoding" not in fields:
            yield from self.exactly(int(fields.get("content-length", 0)))
            return
        while size := int(self.line(), 16):
            yield from self.exactly(size)
            self.line()
        self.line()

    def exactly(self, left):
        while left:
            part = self.upto(left)
            if not part:
                raise EOFError(f"{left} bytes missing")
            left -= len(part)
            yield part


def serve(connection, dies_after):
    source = Source(connection)
    while (fields := source.head()) is not None:
        taken, digest, began = 0, hashlib.sha256(), time.monotonic()
        for part in source.body(fields):
            taken += len(part)
            if dies_after and taken >= dies_after:
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                                      struct.pack("ii", 1, 0))
                connection.close()
                return
            if not dies_after:
                digest.update(part)
        said = json.dumps({"bytes": taken, "sha256": digest.hexdigest(),
                           "attempt": fields.get("weir-attempt"),
                           "seconds": time.monotonic() - began}).encode()
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(said), said))


def worker(told, dies_after):
    listener = socket.create_server(("127.0.0.1", 0))
    told.send(listener.getsockname()[1])
    while True:
        connection, _ = listener.accept()
        threading.Thread(target=serve, args=(connection, dies_after), daemon=True).start()


def start_worker(dies_after):
    here, there = multiprocessing.Pipe()
    process = multiprocessing.Process(target=worker, args=(there, dies_after), daemon=True)
    process.start()
    return process, here.recv()


class Weir:
    def __init__(self, binary, folder, config):
        path = os.path.join(folder, "weir.yaml")
        with open(path, "w", encoding="utf-8") as file:
            file.write(config)
        self.process = subprocess.Popen([binary, "serve", "--config", path], cwd=folder,
                                        stderr=subprocess.PIPE, text=True)
        self.log = []
        self.admin = self._address("admin")
        threading.Thread(target=self._read, daemon=True).start()
        until(self._ready, "readyz")
        status = json.loads(self.get("/v1/status"))
        self.front = next(l["address"] for l in status["listeners"])

    def _address(self, name):
        for line in self.process.stderr:
            self.log.append(line)
            found = re.search(name + r'.*?(127\.0\.0\.1:\d+)', line)
            if found and not found.group(1).endswith(":0"):
                return found.group(1)
        raise SystemExit("weir did not start:\n" + "".join(self.log))

    def _read(self):
        for line in self.process.stderr:
            self.log.append(line)

    def _ready(self):
        try:
            self.get("/readyz")
            return True
        except OSError:
            return False

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.admin}{path}", timeout=DEADLINE) as answer:
            return answer.read().decode()

    def metric(self, name):
        found = re.search("^" + re.escape(name) + r" (\S+)$", self.get("/metrics"), re.M)
        return float(found.group(1)) if found else 0.0

    def memory(self, what="VmRSS"):
        with open(f"/proc/{self.process.pid}/status", encoding="ascii") as file:
            return int(re.search(what + r":\s+(\d+) kB", file.read()).group(1)) * 1024

    def cpu_seconds(self):
        with open(f"/proc/{self.process.pid}/stat", encoding="ascii") as file:
            fields = file.read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def stop(self):
        for number in (signal.SIGTERM, signal.SIGTERM, signal.SIGKILL):
            if self.process.poll() is None:
                self.process.send_signal(number)
                try:
                    self.process.wait(5)
                except subprocess.TimeoutExpired:
                    pass


def until(holds, what):
    limit = time.monotonic() + DEADLINE
    pause = threading.Event()
    while not holds():
        if time.monotonic() > limit:
            raise SystemExit(f"waited in vain for {what}")
        pause.wait(0.05)


def upload(address, size, chunked):
    """(what the worker said, the body's digest)"""
    host, port = address.rsplit(":", 1)
    connection = socket.create_connection((host, int(port)), DEADLINE)
    framing = "Transfer-Encoding: chunked" if chunked else f"Content-Length: {size}"
    connection.sendall(f"POST / HTTP/1.1\r\nHost: weir\r\nIdempotency-Key: replay\r\n{framing}"
                       "\r\n\r\n".encode())
    digest, block = hashlib.sha256(), bytearray(NOISE)
    for number in range(size // BLOCK):
        block[:8] = number.to_bytes(8)   # no block is like another
        digest.update(block)
        if chunked:
            connection.sendall(b"%x\r\n" % BLOCK)
        connection.sendall(block)
        if chunked:
            connection.sendall(b"\r\n")
    if chunked:
        connection.sendall(b"0\r\n\r\n")
    answer = b""
    while b"}" not in answer:
        part = connection.recv(65536)
        if not part:
            break
        answer += part
    head, _, body = answer.partition(b"\r\n\r\n")
    if b" 200 " not in head.split(b"\r\n")[0]:
        raise SystemExit(answer.decode("latin-1"))
    return json.loads(body), digest.hexdigest()


def measure(options, folder, dies_at):
    """One upload; `dies_at`: the first worker's share of the body, 0: it is not asked."""
    size = options.size * MIB // BLOCK * BLOCK
    first, dies = start_worker(int(size * dies_at) if dies_at else 0)
    second, lives = start_worker(0)
    weir = Weir(options.weir, folder, YAML.format(threads=options.threads, folder=options.folder or
                                                  folder, dies=dies, lives=lives))
    try:
        before, cpu, began = weir.memory(), weir.cpu_seconds(), time.monotonic()
        said, sent = upload(weir.front, size, options.chunked)
        seconds = time.monotonic() - began
        result = {"mib": size // MIB, "seconds": round(seconds, 2),
                  "weir_cpu_seconds": round(weir.cpu_seconds() - cpu, 2),
                  "attempt": said["attempt"], "second_attempt_seconds": round(said["seconds"], 2),
                  "rss_before_mib": round(before / MIB, 1),
                  "rss_peak_mib": round(weir.memory("VmHWM") / MIB, 1),
                  "equal": said["sha256"] == sent and said["bytes"] == size}
        until(lambda: weir.metric('weir_replay_bytes{where="disk"}') == 0, "the copy's end")
        return result
    finally:
        weir.stop()
        for process in (first, second):
            process.kill()
            process.join()


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weir", default="build/release/weir", help="the binary")
    parser.add_argument("--size", type=int, default=2048, help="of the body, in MiB")
    parser.add_argument("--at", type=float, default=0.9, help="the share at which the worker dies")
    parser.add_argument("--chunked", action="store_true", help="without Content-Length")
    parser.add_argument("--threads", type=int, default=1, help="weir's")
    parser.add_argument("--folder", help="replay_dir; a temporary folder when not given")
    options = parser.parse_args()
    options.weir = os.path.abspath(options.weir)
    with tempfile.TemporaryDirectory(prefix="weir-replay-", dir="/var/tmp") as folder:
        alone = measure(options, folder, 0)
        print("no death:", json.dumps(alone), flush=True)
        again = measure(options, folder, options.at)
        print(f"death at {options.at:.0%}:", json.dumps(again), flush=True)
    bounded = all(r["rss_peak_mib"] - r["rss_before_mib"] < 16 for r in (alone, again))
    good = alone["equal"] and again["equal"] and again["attempt"] == "2" and bounded
    print("bytes equal, memory bounded" if good else "NOT as it should be")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
