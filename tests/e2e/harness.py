"""Starts the real weir for a test and looks at it from outside: its log, API, metrics, memory.

A test class derives from WeirCase: workers, weirs and clients made through it are gone when the
test is, and a weir that crashed, or that a sanitizer complained about, fails its test.
"""

import asyncio
import contextlib
import json
import os
import re
import resource
import shutil
import signal
import sys
import tempfile
import unittest

import fake_worker
import raw_client
import wire
import yaml_text
from wire import DEADLINE, SLOW, until

SOURCE = os.environ.get("WEIR_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
BINARY = os.environ.get("WEIR_BINARY") or os.path.join(SOURCE, "build/release/weir")
HEAVY = bool(os.environ.get("WEIR_E2E_HEAVY"))
KEEP = bool(os.environ.get("WEIR_E2E_KEEP"))
BROKEN = re.compile(r"internal error, this must hold|AddressSanitizer|LeakSanitizer"
                    r"|ThreadSanitizer|runtime error:|terminate called")


def allow_many_files():
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft < hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def deep_merge(into, more):
    for key, value in more.items():
        if isinstance(value, dict) and isinstance(into.get(key), dict):
            deep_merge(into[key], value)
        else:
            into[key] = value
    return into


def basic_config(workers, route=None, pool=None, **top):
    """One listener, one route, one pool of these workers; probed often, nothing ramped."""
    config = {
        "threads": 2,
        "drain_timeout": "20s",
        "access_log": {"file": "access.log"},
        "listeners": [{"name": "front", "bind": "127.0.0.1:0"}],
        "admin": {"bind": "127.0.0.1:0"},
        "routes": [{"name": "all", "path": "/", "pool": "loaders"}],
        "pools": {"loaders": {
            "workers": [w if isinstance(w, dict) else w.config() for w in workers],
            "health_check": {"path": "/healthz", "interval": "1s", "timeout": "1s"},
            "slow_start": "0s",
        }},
    }
    deep_merge(config["routes"][0], route or {})
    deep_merge(config["pools"]["loaders"], pool or {})
    return deep_merge(config, top)


class Metrics:
    """Prometheus text, by name and labels."""

    LINE = re.compile(r"^(\w+)(?:\{(.*)\})? (\S+)$")
    LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')

    def __init__(self, text):
        self.text = text
        self.samples = []
        for line in text.splitlines():
            match = self.LINE.match(line)
            if match:
                labels = dict(self.LABEL.findall(match.group(2) or ""))
                self.samples.append((match.group(1), labels, float(match.group(3))))
        self.names = {name for name, _, _ in self.samples}

    def sum(self, name, **labels):
        return sum(v for n, have, v in self.samples
                   if n == name and all(have.get(k) == w for k, w in labels.items()))

    def labels(self, name, label):
        return {have.get(label) for n, have, _ in self.samples if n == name}


class Weir:
    """One running weir. start() returns once it has told its addresses."""

    def __init__(self, folder, config, *arguments, environment=None, through=()):
        self.folder = folder
        self.file = os.path.join(folder, "weir.yaml")
        self.arguments = arguments
        self.through = through   # a command that runs the one behind it
        self.environment = {**os.environ, **(environment or {})}
        self.log = []          # lines of standard error
        self.output = b""      # standard output
        self.listeners = {}    # name: address
        self.admin = None
        self.process = None
        self.code = None
        self.write(config)

    def write(self, config):
        """Puts the file in place as editors do: written beside it, then renamed."""
        text = config if isinstance(config, str) else yaml_text.dump(config)
        with open(self.file + ".new", "w", encoding="utf-8") as file:
            file.write(text)
        os.replace(self.file + ".new", self.file)

    async def start(self, ready=True):
        self.process = await asyncio.create_subprocess_exec(
            *self.through, BINARY, "serve", "--config", self.file, *self.arguments, cwd=self.folder,
            env=self.environment, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
            preexec_fn=fake_worker.die_with_parent, limit=wire.STREAM_LIMIT)
        self._readers = [asyncio.ensure_future(self._read_log()),
                         asyncio.ensure_future(self._read_output())]
        await until(lambda: self._find_admin() or self._gone(), "weir's start")
        if self._gone():
            raise AssertionError(f"weir ended at its start:\n{self.tail()}")
        status = await self.get("/v1/status")
        self.listeners = {one["name"]: one["address"] for one in status["listeners"]}
        if ready:
            await self.ready()
        return self

    def _gone(self):
        return self.process.returncode is not None

    def _find_admin(self):
        for line in self.log:
            match = re.search(r'admin.*?((?:\d+\.){3}\d+:\d+|\[[0-9a-f:]+\]:\d+)', line)
            if match and not match.group(1).endswith(":0"):
                self.admin = match.group(1)
        return self.admin

    async def _read_log(self):
        while line := await self.process.stderr.readline():
            self.log.append(line.decode("utf-8", "replace").rstrip())

    async def _read_output(self):
        while part := await self.process.stdout.read(65536):
            self.output += part

    def tail(self, lines=30):
        return "\n".join(self.log[-lines:])

    @property
    def front(self):
        return self.listeners["front"]

    @property
    def admin_url(self):
        return f"http://{self.admin}"

    # --- the admin API -------------------------------------------------------------------------
    async def api(self, method, path, body=None, fields=()):
        """The raw response. A mutating call says JSON, as it must."""
        data = json.dumps(body or {}).encode() if method != "GET" else None
        pairs = list(fields) + ([("Content-Type", "application/json")] if data else [])
        client = await raw_client.Client.open(self.admin)
        try:
            await client.request(method, path, pairs, data, host=self.admin)
            return await client.response(method)
        finally:
            client.close()

    async def get(self, path):
        response = await self.api("GET", path)
        assert response.status == 200, f"GET {path}: {response!r}"
        return response.json()

    async def post(self, path, body=None, status=None):
        response = await self.api("POST", path, body)
        wanted = status or range(200, 300)
        ok = response.status == wanted if status else response.status in wanted
        assert ok, f"POST {path}: {response!r}"
        return response.json() if response.body else None

    async def ready(self):
        async def is_ready():
            return (await self.api("GET", "/readyz")).status == 200
        await until(is_ready, "readyz")

    async def workers(self, pool="loaders"):
        """The pool's workers by id."""
        rows = (await self.get(f"/v1/workers?pool={pool}"))["workers"]
        return {row["id"]: row for row in rows if row.get("pool", pool) == pool}

    async def worker_state(self, worker, pool="loaders"):
        row = (await self.workers(pool)).get(worker)
        return row["state"] if row else "gone"

    async def worker_is(self, worker, *states, pool="loaders"):
        async def matches():
            return await self.worker_state(worker, pool) in states
        await until(matches, f"{worker} {' or '.join(states)}")

    async def pool(self, pool="loaders"):
        return next(p for p in (await self.get("/v1/pools"))["pools"] if p["name"] == pool)

    async def queue(self, pool="loaders"):
        """The waiting batches in order of dispatch."""
        return (await self.get(f"/v1/queue?pool={pool}&limit=500"))["batches"]

    async def waiting(self, count, pool="loaders"):
        async def matches():
            return (await self.pool(pool))["waiting"] == count
        await until(matches, f"{count} waiting batches")

    async def metrics(self):
        response = await self.api("GET", "/metrics")
        assert response.status == 200, response
        return Metrics(response.body.decode())

    async def reload(self, config=None, status=None):
        if config is not None:
            self.write(config)
        return await self.post("/v1/reload", status=status)

    def access_log(self):
        path = os.path.join(self.folder, "access.log")
        if not os.path.exists(path):
            return []
        with open(path, encoding="utf-8") as file:
            return [json.loads(line) for line in file if line.endswith("\n")]

    async def logged(self, count):
        await until(lambda: len(self.access_log()) >= count, f"{count} lines in the access log")
        return self.access_log()

    async def said(self, pattern):
        """Waits for a line of the log that matches; the match."""
        def found():
            return next(filter(None, (re.search(pattern, line) for line in self.log)), None)
        return await until(found, f"a log line like {pattern}")

    # --- the process ---------------------------------------------------------------------------
    def rss(self):
        """Resident bytes."""
        with open(f"/proc/{self.process.pid}/statm", encoding="ascii") as file:
            return int(file.read().split()[1]) * os.sysconf("SC_PAGE_SIZE")

    def descriptors(self):
        return len(os.listdir(f"/proc/{self.process.pid}/fd"))

    def signal(self, number):
        self.process.send_signal(number)

    async def exited(self, timeout=None):
        """Waits for the end; the exit code."""
        async with asyncio.timeout(timeout or DEADLINE):
            self.code = await self.process.wait()
            await asyncio.wait(self._readers)
        return self.code

    async def stop(self):
        """Ends it by two signals, else for good; returns what was wrong with it, or nothing."""
        stuck = False
        for number, patience in ((signal.SIGTERM, 0.1), (signal.SIGTERM, 10 * SLOW),
                                 (signal.SIGKILL, 10)):
            if self.process is None or self.process.returncode is not None:
                break
            stuck = number == signal.SIGKILL
            with contextlib.suppress(ProcessLookupError, TimeoutError):
                self.process.send_signal(number)
                await self.exited(patience)
        if self.process is not None and self.code is None:
            await self.exited()
        return self.complaint(stuck)

    def complaint(self, stuck):
        bad = [line for line in self.log if BROKEN.search(line)]
        if bad:
            return "\n".join(self.log[self.log.index(bad[0]):][:60])
        if self.code in (-signal.SIGABRT, -signal.SIGSEGV, -signal.SIGBUS):
            return f"weir died of signal {-self.code}\n{self.tail()}"
        return f"weir did not stop at a second signal\n{self.tail()}" if stuck else None


def _loop_error(loop, context):
    """Failed handshakes and resets are what some tests are about: only the rest is said."""
    if not isinstance(context.get("exception"), OSError):
        loop.default_exception_handler(context)


class WeirCase(unittest.IsolatedAsyncioTestCase):
    maxDiff = 2000

    async def asyncSetUp(self):
        allow_many_files()
        loop = asyncio.get_running_loop()
        loop.set_debug(False)
        loop.set_exception_handler(_loop_error)
        self.folder = tempfile.mkdtemp(prefix="weir-e2e-")
        self.addCleanup(self._leave_folder)

    def _leave_folder(self):
        if KEEP:
            print(f"{self.id()}: {self.folder}", file=sys.stderr)
        else:
            shutil.rmtree(self.folder, ignore_errors=True)

    def path(self, name):
        return os.path.join(self.folder, name)

    def write(self, name, text, mode=0o600):
        with open(self.path(name), "w", encoding="utf-8") as file:
            file.write(text)
        os.chmod(self.path(name), mode)
        return self.path(name)

    async def worker(self, name="w1", script=fake_worker.echo, **where):
        worker = fake_worker.Worker(name, script)
        await worker.start(**where)
        self.addCleanup(worker.kill)
        return worker

    async def weir(self, config, *arguments, ready=True, environment=None, through=()):
        weir = Weir(self.folder, config, *arguments, environment=environment, through=through)

        async def end():
            wrong = await weir.stop()
            self.assertIsNone(wrong, wrong)
        self.addAsyncCleanup(end)
        return await weir.start(ready)

    async def client(self, address, **how):
        client = await raw_client.Client.open(address, **how)
        self.addCleanup(client.close)
        return client

    def task(self, coroutine):
        """Runs beside the test, and is cancelled with it."""
        task = asyncio.ensure_future(coroutine)
        self.addCleanup(task.cancel)
        return task

    def assert_problem(self, response, status, message=""):
        """weir's own answer: problem+json with Proxy-Status."""
        self.assertEqual(response.status, status, f"{message} {response!r}")
        self.assertEqual(response.field("Content-Type"), "application/problem+json", response)
        problem = response.json()
        self.assertEqual(problem["status"], status)
        for member in ("type", "title"):
            self.assertTrue(problem[member], response)
        self.assertRegex(response.field("Proxy-Status") or "", r"^weir\b", response)
        if status in (429, 503):
            self.assertRegex(response.field("Retry-After") or "", r"^[1-9]\d*$", response)
        return problem


async def run_command(*arguments, environment=None, stdin=None, cwd=None):
    """Runs the binary's other verbs: (exit code, standard output, standard error)."""
    process = await asyncio.create_subprocess_exec(
        BINARY, *arguments, cwd=cwd, env={**os.environ, **(environment or {})},
        stdin=asyncio.subprocess.PIPE if stdin else asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
        preexec_fn=fake_worker.die_with_parent)
    async with asyncio.timeout(DEADLINE):
        out, err = await process.communicate(stdin)
    return process.returncode, out.decode(), err.decode()


__all__ = ["BINARY", "DEADLINE", "HEAVY", "SLOW", "SOURCE", "Metrics", "Weir", "WeirCase",
           "basic_config", "deep_merge", "run_command", "until"]
