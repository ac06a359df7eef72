#!/usr/bin/env python3
"""A soak: an hour's worth of mixed traffic in ten minutes, through one weir that meanwhile is
reloaded, drained, scraped and has its log rotated; then the books are compared. README.md says what
is checked. The exit code is 0 when every check passed.
"""

import argparse
import asyncio
import collections
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

import books
import machine
import traffic

MIB = 1 << 20
FAULTS = {   # by worker process; shares of its requests
    0: "fail=0.02&reset=0.01&close=0.01&framing=0.01&stall=0.01&stall_ms=1500",
    1: "fail=0.02&stall=0.02&stall_ms=1500&slow=0.01&slow_bytes=4000000",
    2: "fail=0.01&stall=0.01&stall_ms=1500", 3: "fail=0.01", 4: "fail=0.01",
}
# Slots that each process has; weir is told of more than the first one has, so that it is busy.
PROCESS_SLOTS = [7, 12, 12, 12, 6]
TOLD_MOST = [9, 12, 12, 12, 6]

# The load generator's part: mode and options.
LOADS = {
    "load-small": ("open", {"rate": 250, "connections": 64, "answer": "exp:300"}),
    "load-post": ("open", {"rate": 80, "connections": 64, "body": "exp:3000", "answer": "exp:500",
                           "key": 1}),
    "load-tls": ("open", {"rate": 50, "connections": 32, "body": "exp:20000",
                          "answer": "exp:20000", "tls": 1}),
    "load-slow": ("open", {"rate": 6, "connections": 256, "service-us": "exp:700000",
                           "answer": 1000}),
    "load-connect": ("connect", {"connections": 2, "service-us": "exp:30000"}),
    "load-up": ("open", {"rate": 0.15, "connections": 4,
                         "body": f"pareto:1.1,{64 * MIB},{1024 * MIB}"}),
    "load-down": ("open", {"rate": 0.15, "connections": 4,
                           "answer": f"pareto:1.1,{64 * MIB},{1024 * MIB}"}),
}

YAML = """\
threads: 2
access_log: {{file: access.log}}
listeners:
  - {{name: plain, bind: "127.0.0.1:0"}}
  - {{name: tls, bind: "127.0.0.1:0",
     tls: {{certificate: server.pem, private_key: server.pem}}}}
admin: {{bind: "127.0.0.1:0"}}
routes:
  - {{name: strict, path: /load/strict, pool: loaders, tenant: {{header: X-Tenant}},
     timeout: {{response: 800ms}}, retry: {{on_timeout: true}}}}
  - {{name: finish, path: /load/finish, pool: loaders, tenant: {{header: X-Tenant}},
     on_client_gone: finish}}
  - {{name: limited, path: /load/limited, pool: loaders, tenant: {{header: X-Tenant}},
     body_max: 64KiB}}
  - {{name: all, path: /load, pool: loaders, tenant: {{header: X-Tenant}}}}
pools:
  loaders:
    slow_start: 0s
    health_check: {{path: /healthz, interval: 1s}}
    ejection: {{base_time: 1s}}
    workers:
{workers}
"""


class Weir:
    """The weir under test, its configuration, and what is sampled of it."""

    def __init__(self, options, folder, ports):
        self.options = options
        self.folder = folder
        self.ports = ports
        # id: (which process, slots)
        self.workers = {"w1": (0, 9), "w2": (1, 12), "w3": (2, 12)}
        self.counters = books.Counters()
        self.memory = []
        self.rotations = self.reloads = 0
        self._configure()
        self.process = machine.Process([os.path.abspath(options.weir), "serve", "--config",
                                        "weir.yaml"], os.sched_getaffinity(0), folder)
        self.plain, self.tls, self.admin = machine.until(self._ports, "weir's addresses")

    @property
    def pid(self):
        return self.process.pid

    def path(self, name):
        return os.path.join(self.folder, name)

    def _configure(self):
        lines = "\n".join(f"      - {{id: {name}, url: 'http://127.0.0.1:{self.ports[process]}', "
                          f"slots: {slots}}}" for name, (process, slots) in self.workers.items())
        with open(self.path("new.yaml"), "w", encoding="utf-8") as file:
            file.write(YAML.format(workers=lines))
        os.replace(self.path("new.yaml"), self.path("weir.yaml"))

    def told(self):
        """The lines of its own log."""
        with open(self.path("log"), encoding="utf-8") as file:
            return file.read().splitlines()

    def _ports(self):
        if self.process.child.poll() is not None:
            raise machine.Failed("weir ended at once:\n" + "\n".join(self.told()))
        found = {}
        for line in self.told():
            with contextlib.suppress(ValueError):
                said = json.loads(line)
                if said.get("message") == "listening":
                    found[said["name"]] = int(said["address"].rpartition(":")[2])
        return len(found) == 3 and (found["plain"], found["tls"], found["admin"])

    async def ask(self, path, method="GET"):
        return await ask(self.admin, path, method)

    async def scrape(self):
        found = books.parse_metrics(await self.ask("/metrics"))
        self.counters.add(found)
        return found

    async def reload(self, **workers):
        """Takes over `workers`, None: without it; by a signal."""
        self.workers.update(workers)
        self.workers = {name: worker for name, worker in self.workers.items() if worker}
        self._configure()
        before = await self.generation()
        os.kill(self.pid, signal.SIGHUP)
        await until(lambda: self._reloaded(before), "reload")
        self.reloads += 1

    async def generation(self):
        return json.loads(await self.ask("/v1/status"))["config"]["generation"]

    async def _reloaded(self, before):
        return await self.generation() > before

    async def settled(self, worker):
        """True when nothing runs on it any more."""
        return books.total(await self.scrape(), "weir_worker_in_flight", worker=worker) == 0

    async def drain(self, worker, undrain=False):
        await self.ask(f"/v1/pools/loaders/workers/{worker}/{'un' if undrain else ''}drain", "POST")

    async def rotate(self):
        self.rotations += 1
        os.rename(self.path("access.log"), self.path(f"access.{self.rotations}.log"))
        os.kill(self.pid, signal.SIGUSR1)
        await until(lambda: os.path.exists(self.path("access.log")), "new access log")

    def descriptors(self):
        """{kind: count}"""
        kinds = collections.Counter()
        for name in os.listdir(f"/proc/{self.pid}/fd"):
            with contextlib.suppress(FileNotFoundError):
                kinds[re.sub(r":?\[.*\d+.*\]", "", os.readlink(f"/proc/{self.pid}/fd/{name}"))] += 1
        return kinds


async def ask(port, path, method="GET"):
    """The body of a 2xx answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"{method} {path} HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nConnection: close\r\n"
                     "Content-Type: application/json\r\nContent-Length: 0\r\n\r\n".encode())
        head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    if head[9:10] != b"2":
        raise machine.Failed(f"{method} {path}: {head.decode()}\n{body.decode()}")
    return body.decode()


async def until(holds, what, patience=60):
    end = time.monotonic() + patience
    while time.monotonic() < end:
        result = holds()
        if asyncio.iscoroutine(result):
            result = await result
        if result:
            return result
        await asyncio.sleep(0.1)
    raise TimeoutError(f"no {what} within {patience} s")


def written(pid):
    """Bytes of memory that the process has written to, and shares with nobody. Clean pages are
    those of its program file: whether they count as shared depends on who else runs it."""
    with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
        for line in file:
            if line.startswith("Private_Dirty:"):
                return int(line.split()[1]) * 1024
    raise machine.Failed("no Private_Dirty in smaps_rollup")


# --- what is done to weir meanwhile --------------------------------------------------------------
async def sample(weir):
    """Memory and metrics, each second."""
    while True:
        weir.memory.append(written(weir.pid))
        await weir.scrape()
        await asyncio.sleep(1)


async def rotate(weir, every):
    while True:
        await asyncio.sleep(every)
        await weir.rotate()


async def reload(weir, every):
    """Fewer slots; one worker more; another url under load; one less, drained before, because the
    series of a worker that left are gone, and with them what was counted since the last scrape."""
    spare = 3
    while True:
        await asyncio.sleep(every)
        await weir.reload(w2=(1, 9))
        await asyncio.sleep(every)
        await weir.reload(w4=(4, 6))
        await asyncio.sleep(every)
        if await unused(weir, spare):
            before = weir.workers["w3"][0]
            await weir.reload(w3=(spare, 12), w2=(1, 12))
            spare = before
        await asyncio.sleep(every)
        await weir.drain("w4")
        await until(lambda: weir.settled("w4"), "end of w4's batches", patience=120)
        await weir.scrape()
        await weir.reload(w4=None)


async def unused(weir, process):
    return json.loads(await ask(weir.ports[process], "/stats"))["open"] == 0


async def drain(weir, every):
    while True:
        await asyncio.sleep(every)
        await weir.drain("w2")
        await asyncio.sleep(every / 10)
        await weir.drain("w2", undrain=True)


# --- the run -------------------------------------------------------------------------------------
class Soak:
    def __init__(self, options, folder, stack):
        self.options = options
        self.folder = folder
        self.stack = stack
        self.seconds = 30 if options.quick else options.minutes * 60
        cpus = os.sched_getaffinity(0)
        self.workers = []
        for number, slots in enumerate(PROCESS_SLOTS):
            worker = machine.Process([self._program("worker"), "--slots", slots, "--seed",
                                      options.seed + number], cpus, folder, "workers.log",
                                     pipe=True)
            stack.callback(worker.stop)
            self.workers.append(int(worker.line()))
        self.weir = Weir(options, folder, self.workers)
        stack.callback(self.weir.process.stop)
        self.traffic = traffic.Traffic(self.weir.plain, self.weir.tls, options.seed)
        self.loads = {}

    def _program(self, name):
        return os.path.join(os.path.abspath(self.options.programs), name)

    def _begin_load(self, number, tenant):
        mode, given = LOADS[tenant]
        options = {**given, "seconds": self.seconds, "limit": self.seconds + 120,
                   "seed": self.options.seed + number, "header": f"X-Tenant: {tenant}"}
        port = self.weir.tls if "tls" in given else self.weir.plain
        command = [self._program("load"), mode, port]
        for name, value in options.items():
            command += ["--" + name, value]
        load = machine.Process(command, os.sched_getaffinity(0), self.folder, tenant, pipe=True)
        self.stack.callback(load.stop)
        return load

    async def _load(self, number, tenant):
        load = self._begin_load(number, tenant)
        text = await asyncio.to_thread(load.finish, self.seconds + 180)
        self.loads[tenant] = machine.result_of(text, tenant, tolerant=True)

    async def _warm(self):
        """The state before the load: workers up, each way gone once, nothing open."""
        await until(lambda: self._up(3), "workers")
        for process, faults in FAULTS.items():
            await ask(self.workers[process], "/control?" + faults)
        await asyncio.sleep(2)

    async def _up(self, count):
        scrape = await self.weir.scrape()
        return books.total(scrape, "weir_worker_state", state="up") == count

    async def run(self):
        await self._warm()
        before = self.weir.descriptors()
        every = 20 if self.seconds >= 300 else self.seconds / 10
        chores = [asyncio.create_task(chore) for chore in (
            sample(self.weir), reload(self.weir, every), rotate(self.weir, 1.5 * every),
            drain(self.weir, 1.25 * every))]
        self.traffic.start()
        loads = [self._load(*pair) for pair in enumerate(LOADS)]
        load = asyncio.gather(*loads)
        await asyncio.wait([load, *chores], timeout=self.seconds,
                           return_when=asyncio.FIRST_EXCEPTION)
        samples = list(self.weir.memory)
        for chore in chores:
            if chore.done():
                chore.result()
            chore.cancel()
        await asyncio.gather(self.traffic.stop(), load)
        await asyncio.gather(*chores, return_exceptions=True)
        await self._rest(before)
        return await self._verdict(before, self.weir.descriptors(), samples)

    async def _rest(self, descriptors):
        """Until nothing runs: abandoned attempts hold their slots for up to 30 s, idle connections
        live for a second, a probe for a moment."""
        async def idle():
            scrape = await self.weir.scrape()
            names = ("weir_worker_in_flight", "weir_connections", "weir_queue_batches")
            return not any(books.total(scrape, name) for name in names)
        with contextlib.suppress(TimeoutError):
            await until(idle, "rest", patience=90)
            await until(lambda: self.weir.descriptors() == descriptors, "rest", patience=20)

    async def _verdict(self, before, after, samples):
        verdict = books.Verdict()
        scrape = await self.weir.scrape()
        sums = self.weir.counters.sums()
        stats = [json.loads(await ask(port, "/stats")) for port in self.workers]
        code, log_lines = await self._end()
        with open(os.path.join(self.folder, "memory.json"), "w", encoding="ascii") as file:
            json.dump(samples, file)
        log = books.AccessLog(os.path.join(self.folder, "access*.log"))
        print(f"{sum(log.reasons.values())} requests, {log.attempts} attempts; "
              f"{self.weir.reloads} reloads, {self.weir.rotations} rotations; weir's answers: "
              f"{dict(log.reasons.most_common())}")
        # Half a minute is all warm-up.
        books.check_memory(verdict, samples, None if self.options.quick else 0.05)
        verdict.check("descriptors: as before the load", before == after, dict(after)
                      if before == after else f"{dict(before)} → {dict(after)}")
        books.check_counters(verdict, sums, log)
        books.check_clients(verdict, log, self.traffic.ledger, self.loads)
        books.check_workers(verdict, sums, list(zip(TOLD_MOST, PROCESS_SLOTS, stats)))
        books.check_idle(verdict, scrape)
        verdict.equal("exit code after SIGTERM", code, 0)
        verdict.check("weir's log: no error, JSON only", not log_lines, log_lines[:3])
        return verdict

    async def _end(self):
        """(exit code, lines of weir's log that should not be there)"""
        self.weir.process.child.send_signal(signal.SIGTERM)
        code = await asyncio.to_thread(self.weir.process.child.wait, 60)
        return code, [line for line in self.weir.told()
                      if not line.startswith("{") or json.loads(line)["level"] == "error"]


def certify(folder):
    name = os.path.join(folder, "server.pem")
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                    "ec_paramgen_curve:P-256", "-nodes", "-days", "2", "-subj", "/CN=soak",
                    "-keyout", name, "-out", name + ".crt"], check=True, capture_output=True)
    with open(name, "a", encoding="ascii") as both, \
            open(name + ".crt", encoding="ascii") as certificate:
        both.write(certificate.read())


def read_options():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n", maxsplit=1)[0])
    parser.add_argument("--minutes", type=float, default=10)
    parser.add_argument("--quick", action="store_true", help="30 seconds: a smoke test")
    parser.add_argument("--seed", type=int, default=int.from_bytes(os.urandom(3), "big"))
    parser.add_argument("--weir", default="build/release/weir")
    parser.add_argument("--programs", default="build/loadtests")
    parser.add_argument("--keep", metavar="FOLDER", help="a new one, for all logs and samples")
    return parser.parse_args()


def main():
    options = read_options()
    machine.raise_limits()
    print(f"seed {options.seed}", flush=True)
    with contextlib.ExitStack() as stack:
        if options.keep:
            os.makedirs(options.keep)   # a new one: what lies there would be read as this run's
        folder = os.path.abspath(options.keep) if options.keep else stack.enter_context(
            tempfile.TemporaryDirectory(prefix="weir-soak-"))
        certify(folder)
        verdict = asyncio.run(Soak(options, folder, stack).run())
    verdict.print()
    print("good" if verdict.good else "failed")
    return 0 if verdict.good else 1


if __name__ == "__main__":
    sys.exit(main())
