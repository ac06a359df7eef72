"""How one proxy is measured: each function starts a load against a running proxy and returns
numbers by metric name. What they share is in Bench: the tools, the workers, how long a run lasts.
"""

import contextlib
import os
import re
import shutil
import ssl
import subprocess
import tempfile

import machine
import proxies

MIB = 1 << 20
GIB = 1 << 30
PROXY_CPUS = {0}
LOAD_CPUS = {1}
BOTH_CPUS = {0, 1}


class Bench:
    """What all measurements of a comparison share. A context: the two workers live in it."""

    def __init__(self, options):
        self.options = options
        self.weir = os.path.abspath(options.weir)
        self.programs = os.path.abspath(options.programs)
        self.load_cpus = LOAD_CPUS
        self.files = machine.raise_limits()
        self.seconds = 0.5 if options.quick else options.seconds
        self.saturation = {}  # requests/s of a variant, measured once
        self.workers = []
        self.count = 0
        self.stack = contextlib.ExitStack()

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-loadtests-")
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self._certify()
            for _ in range(2):
                worker = machine.Process([self.program("worker"), "--slots", proxies.SLOTS],
                                         LOAD_CPUS, self.folder, log="worker.log", pipe=True)
                self.stack.callback(worker.stop)
                self.workers.append((worker, int(worker.line())))
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def program(self, name):
        return os.path.join(self.programs, name)

    def _certify(self):
        self.certificate = os.path.join(self.folder, "server.pem")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1", "-keyout", self.certificate, "-out",
             self.certificate + ".crt"], check=True, capture_output=True)
        with open(self.certificate, "a", encoding="ascii") as both, \
                open(self.certificate + ".crt", encoding="ascii") as certificate:
            both.write(certificate.read())
        self.trusting = ssl.create_default_context()
        self.trusting.check_hostname = False
        self.trusting.verify_mode = ssl.CERT_NONE

    @contextlib.contextmanager
    def running(self, variant, cpus=None):
        """A fresh proxy, warm: it has answered some hundred requests."""
        self.count += 1
        folder = os.path.join(self.folder, f"{self.count}-{variant.name}")
        ports = [port for _, port in self.workers]
        with proxies.Running(variant, folder, ports, cpus or PROXY_CPUS, self) as proxy:
            self.load(proxy, "closed", connections=8, seconds=0.2)
            yield proxy

    @contextlib.contextmanager
    def spread(self):
        """The workers on both CPUs, the load's place in `cpus`."""
        for worker, _ in self.workers:
            worker.pin(BOTH_CPUS)
        try:
            yield BOTH_CPUS
        finally:
            for worker, _ in self.workers:
                worker.pin(LOAD_CPUS)

    def begin(self, proxy, mode, cpus=None, headers=(), **options):
        command = [self.program("load"), mode, proxy.port]
        if proxy.variant.tls:
            command += ["--tls", 1]
        for line in headers:
            command += ["--header", line]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), value]
        return machine.Process(command, cpus or LOAD_CPUS, self.folder, log="load.log", pipe=True)

    def load(self, proxy, mode, **options):
        patience = float(options.get("seconds", 0)) + 150
        text = self.begin(proxy, mode, **options).finish(patience)
        return machine.result_of(text, f"{mode} load on {proxy.variant.name}")


def measured(bench, proxy, mode, **options):
    """A load's result and the CPU seconds that the proxy spent on it."""
    before = machine.usage(proxy.pid)
    result = bench.load(proxy, mode, **options)
    return result, machine.usage(proxy.pid) - before


def per_request(result, spent):
    user, system = spent.split()
    n = result["requests"]
    return {"cpu_us": spent.total / n * 1e6, "user_us": user / n * 1e6,
            "system_us": system / n * 1e6, "rate": result["rate"],
            "busy": spent.total / result["seconds"], "p50_us": result["latency_us"]["p50"],
            "p99_us": result["latency_us"]["p99"], "p999_us": result["latency_us"]["p999"]}


def requests(mode="closed", connections=64, both=False, threads_cpus=None, **load):
    """CPU per request and requests/s under as much load as `connections` make."""
    def measure(bench, variant):
        with bench.running(variant, threads_cpus) as proxy, contextlib.ExitStack() as stack:
            cpus = stack.enter_context(bench.spread()) if both else None
            return per_request(*measured(bench, proxy, mode, cpus=cpus, connections=connections,
                                         seconds=bench.seconds, **load))
    return measure


def saturation_of(bench, variant):
    if variant.name not in bench.saturation:
        with bench.running(variant) as proxy:
            result = bench.load(proxy, "closed", connections=64, seconds=min(1, bench.seconds))
        bench.saturation[variant.name] = result["rate"]
    return bench.saturation[variant.name]


def open_loop(peers, share=0.5, **load):
    """Latency at a Poisson rate of `share` of what the slowest peer could take at most."""
    def measure(bench, variant):
        rate = share * min(saturation_of(bench, peer) for peer in peers)
        with bench.running(variant) as proxy:
            found = per_request(*measured(bench, proxy, "open", rate=rate, warmup=0.2,
                                          connections=512, seconds=bench.seconds + 0.2, **load))
        return {**found, "offered": rate}
    return measure


def batch_mix(trace):
    """Batches as they come: heavy-tailed sizes and service times, or those of a trace."""
    def measure(bench, variant):
        source = {"trace": trace, "speedup": 2000, "shrink": 10000} if trace else {
            "rate": 300, "body": "pareto:1.1,1000,4000000", "answer": "pareto:1.1,100,400000",
            "service_us": "pareto:1.2,500,300000"}
        with bench.running(variant) as proxy:
            seconds = 3 * bench.seconds
            return per_request(*measured(bench, proxy, "open", connections=900, seconds=seconds,
                                         limit=seconds + 60, seed=bench.options.seed, **source))
    return measure


def bodies(size, up, **load):
    """CPU seconds per GiB of large bodies, a few at once."""
    def measure(bench, variant):
        whole = GIB // 2 if bench.options.quick else 2 * GIB
        at_once = 4 if size > 16 * MIB else 8
        kind = {"body": size} if up else {"answer": size}
        with bench.running(variant) as proxy:
            result, spent = measured(bench, proxy, "bulk", connections=at_once,
                                     count=max(whole // size, 2), **kind, **load)
        gib = result["requests"] * size / GIB
        user, system = spent.split()
        return {"cpu_s": spent.total / gib, "user_s": user / gib, "system_s": system / gib,
                "gib_s": gib / result["seconds"], "busy": spent.total / result["seconds"]}
    return measure


def held(bench, proxy, count, mode, **load):
    """Memory per connection that is held: (private, rss), in bytes."""
    before = machine.memory(proxy.pid)
    process = bench.begin(proxy, mode, connections=count, limit=120, **load)
    try:
        if process.line(90) != "ready":
            raise machine.Failed(f"{mode} load on {proxy.variant.name}: {process.finish(5)!r}")
        after = machine.memory(proxy.pid)
        machine.result_of(process.finish(60), f"{mode} load on {proxy.variant.name}")
    finally:
        process.stop()
    return {name: (after[name] - before[name]) / count for name in after}


def idle_memory():
    """Memory per idle keep-alive connection that has had one answer."""
    def measure(bench, variant):
        count = 2000 if bench.options.quick and variant.tls else 10000
        with bench.running(variant) as proxy:
            return held(bench, proxy, count, "idle")
    return measure


def batch_memory(up):
    """Memory per batch of 1 GiB in flight whose receiver stopped after 8 MiB."""
    def measure(bench, variant):
        with bench.running(variant) as proxy:
            if up:
                return held(bench, proxy, 32, "hold", body=GIB,
                            headers=[f"X-Hold-After: {8 * MIB}"])
            return held(bench, proxy, 32, "hold", answer=GIB, hold_after=8 * MIB)
    return measure


def foreign(tool):
    """The same small requests by a load generator that is not ours, to check ours against."""
    def measure(bench, variant):
        seconds = max(1, round(bench.seconds))
        with bench.running(variant) as proxy:
            url = f"http://127.0.0.1:{proxy.port}/load"
            command = (["wrk", "-t1", "-c64", f"-d{seconds}s", url] if tool == "wrk" else
                       ["h2load", "--h1", "-t1", "-c64", f"-D{seconds}", url])
            before = machine.usage(proxy.pid)
            process = machine.Process(command, LOAD_CPUS, bench.folder, log="load.log", pipe=True)
            text = process.finish(seconds + 30)
            spent = machine.usage(proxy.pid) - before
        count = re.search(r"(\d+) requests in" if tool == "wrk" else r"(\d+) succeeded", text)
        if not count or not int(count.group(1)):
            raise machine.Failed(f"{tool} on {variant.name}: {text}")
        return {"cpu_us": spent.total / int(count.group(1)) * 1e6,
                "rate": int(count.group(1)) / seconds}
    return measure
