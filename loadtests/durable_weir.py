"""A weir with a state_dir for durable.py: started, killed and started again on what it stored."""

import contextlib
import json
import os
import signal
import time
import urllib.error
import urllib.request

import machine

CONFIG = """\
threads: {threads}
state_dir: state
access_log: {{file: access.log}}
listeners: [{{name: front, bind: "127.0.0.1:0"}}]
admin: {{bind: "127.0.0.1:0"}}
routes:
  - {{name: spare, path: /spare, pool: spare}}
  - {{name: all, pool: loaders, async: allow}}
pools:
  loaders:
    slow_start: 0s
    workers:
{workers}
    health_check: {{path: /healthz, interval: 2s}}
    queue:
      max_batches: 100000
      durable: {{max_batches: 5000000, max_bytes: 1TiB}}
  spare:  # weir is ready when it has a worker for anything
    workers: [{{id: spare, url: "http://127.0.0.1:{spare}", slots: 1}}]
    health_check: {{path: /healthz, interval: 2s}}
"""


def fetch(port, path):
    """(status, body); a status of 0 when nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as told:
            return told.status, told.read()
    except urllib.error.HTTPError as refused:
        return refused.code, refused.read()
    except OSError:
        return 0, b""


class Weir:
    """`port` takes batches, `admin` questions. Without worker ports the pool has one worker whose
    port nobody listens on, so that everything accepted waits. `spare`: the port of a worker that
    gets nothing."""

    def __init__(self, binary, folder, cpus, spare, workers=(), threads="auto"):
        self.binary = os.path.abspath(binary)
        self.folder = folder
        self.cpus = cpus
        self.process = None
        self.starts = 0
        self.port = self.admin = None
        self.closed = None if workers else machine.Reservation()
        os.makedirs(folder)
        ports = workers or [self.closed.port]
        lines = [f"      - {{id: w{i}, url: 'http://127.0.0.1:{port}', slots: 64}}"
                 for i, port in enumerate(ports)]
        with open(os.path.join(folder, "weir.yaml"), "w", encoding="ascii") as file:
            file.write(CONFIG.format(threads=threads, spare=spare, workers="\n".join(lines)))

    def __enter__(self):
        try:
            return self.start()
        except BaseException:
            self.__exit__()
            raise

    def __exit__(self, *_):
        self.stop()
        if self.closed:
            self.closed.close()

    @property
    def pid(self):
        return self.process.pid

    def start(self):
        """Returns once it is ready; `took` is how long that was, in seconds."""
        began = time.monotonic()
        self.starts += 1
        self.port = self.admin = None
        self.process = machine.Process([self.binary, "serve", "--config", "weir.yaml"], self.cpus,
                                       self.folder, log=self._log())
        machine.until(self._ready, "readiness of weir", 120)
        self.took = time.monotonic() - began
        return self

    def stop(self):
        if self.process:
            self.process.stop()

    def kill(self):
        self.process.child.send_signal(signal.SIGKILL)
        self.process.stop()
        self.process.child.wait()

    def ask(self, path):
        return fetch(self.admin, path)

    def waiting(self):
        """Batches that are in the pool's memory or on disk."""
        pools = json.loads(self.ask("/v1/pools")[1])["pools"]
        return next(pool["waiting"] for pool in pools if pool["name"] == "loaders")

    def most_memory(self):
        """The most resident bytes so far."""
        with open(f"/proc/{self.pid}/status", encoding="ascii") as file:
            return next(int(line.split()[1]) * 1024 for line in file if line.startswith("VmHWM"))

    def _log(self):
        return f"log-{self.starts}"

    def _ready(self):
        if self.process.child.poll() is not None:
            with open(os.path.join(self.folder, self._log()), encoding="utf-8") as log:
                raise machine.Failed(f"weir ended at once:\n{log.read()}")
        if not self.admin:
            self._read_addresses()
        return bool(self.admin) and self.ask("/readyz")[0] == 200

    def _read_addresses(self):
        with open(os.path.join(self.folder, self._log()), encoding="utf-8") as log:
            for line in log:
                with contextlib.suppress(ValueError):
                    told = json.loads(line)
                    if told.get("message") != "listening":
                        continue
                    port = int(told["address"].rpartition(":")[2])
                    if told["name"] == "front":
                        self.port = port
                    elif told["name"] == "admin":
                        self.admin = port
