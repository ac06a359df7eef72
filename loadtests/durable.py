#!/usr/bin/env python3
"""Batches accepted durably a second by weir (Prefer: respond-async, 202) and by RabbitMQ
(persistent messages to one durable queue, publisher confirms), in turns on the same disk, and one
table. With --start-up N: how long weir takes to be ready with N batches waiting. durable.sh
installs and builds what this needs; README.md says how to read it.
"""

import argparse
import contextlib
import dataclasses
import functools
import json
import os
import shutil
import signal
import sys
import tempfile
import time

import broker
import compare
import durable_weir
import machine
import proxies
import report
import rows

KIB = 1 << 10
WARM_UP = 0.5  # seconds
CONNECTIONS = 64
ASYNC = "Prefer: respond-async"


@dataclasses.dataclass(frozen=True)
class Variant:
    """One column. `outstanding`: what a connection may leave unconfirmed."""
    name: str
    outstanding: int = 1
    queue: str = ""  # RabbitMQ's type of queue


WEIR = Variant("weir")
RABBIT = Variant("rabbitmq", 1, "classic")
PIPELINED = Variant("rabbitmq-64", 64, "classic")
QUORUM = Variant("rabbitmq-quorum", 1, "quorum")


class Bench:
    """What all measurements share: options, CPUs, a folder on the disk. A context."""

    def __init__(self, options):
        self.options = options
        self.seconds = 1 if options.quick else options.seconds
        both = {0, 1}
        self.server_cpus, self.load_cpus = (both, both) if options.spread else ({0}, {1})
        self.count = 0
        self.stack = contextlib.ExitStack()
        machine.raise_limits()

    def __enter__(self):
        disk = os.path.abspath(self.options.disk)
        os.makedirs(disk, exist_ok=True)
        self.folder = tempfile.mkdtemp(prefix="weir-durable-", dir=disk)
        self.stack.callback(shutil.rmtree, self.folder, ignore_errors=True)
        try:
            self.spare = self.worker(self.stack)
        except BaseException:
            self.stack.close()
            raise
        return self

    def __exit__(self, *_):
        self.stack.close()

    def worker(self, stack):
        """The port of a fast worker that lives as long as the stack."""
        worker = machine.Process([self.program("worker"), "--slots", 64], self.load_cpus,
                                 self.folder, log="worker.log", pipe=True)
        stack.callback(worker.stop)
        return int(worker.line())

    def weir(self, folder, workers=()):
        return durable_weir.Weir(self.options.weir, folder, self.server_cpus, self.spare, workers,
                                 self.options.threads)

    @contextlib.contextmanager
    def place(self, name):
        """A fresh folder; what was written before it is on the disk, and not this one's cost."""
        self.count += 1
        folder = os.path.join(self.folder, f"{self.count}-{name}")
        os.sync()
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)

    def program(self, name):
        return os.path.join(os.path.abspath(self.options.programs), name)

    def run(self, what, *command):
        """A load generator's result."""
        process = machine.Process(command, self.load_cpus, self.folder, log="load.log", pipe=True)
        try:
            return machine.result_of(process.finish(900), what)
        finally:
            process.stop()

    def post(self, weir, body, **bounds):
        """Batches that weir answers once they are durable."""
        words = [word for name, value in bounds.items() for word in ("--" + name, value)]
        return self.run("load on weir", self.program("load"), "closed", weir.port, "--connections",
                        CONNECTIONS, "--header", ASYNC, "--body", body, *words)

    def publish(self, rabbit, variant, body, seconds):
        return self.run("publisher", self.program("publisher"), rabbit.port, "--connections",
                        CONNECTIONS, "--outstanding", variant.outstanding, "--type", variant.queue,
                        "--body", body, "--seconds", seconds)


# --- what is measured ----------------------------------------------------------------------------
def numbers(result, spent):
    return {"accepted": result["rate"], "cpu_us": spent.total / result["requests"] * 1e6,
            "busy": spent.total / result["seconds"], "p50_us": result["latency_us"]["p50"],
            "p99_us": result["latency_us"]["p99"]}


def by_rabbitmq(bench, variant, body):
    with bench.place(variant.name) as folder, broker.Broker(folder, bench.server_cpus) as rabbit:
        bench.publish(rabbit, variant, body, WARM_UP)
        before = machine.usage(rabbit.pid)
        result = bench.publish(rabbit, variant, body, bench.seconds)
        if result["queued"] != result["requests"]:
            raise machine.Failed(f"{result['requests']} confirms, {result['queued']} in the queue")
        return numbers(result, machine.usage(rabbit.pid) - before)


def by_weir(bench, body, workers=()):
    """Accepted with nobody to dispatch to, or while workers take what was accepted."""
    with bench.place("weir") as folder, bench.weir(folder, workers) as weir:
        warm = bench.post(weir, body, seconds=WARM_UP)
        before, began = machine.usage(weir.pid), time.monotonic()
        result = bench.post(weir, body, seconds=bench.seconds)
        spent = machine.usage(weir.pid) - before
        everything = warm["requests"] + result["requests"]
        found = numbers(result, spent)
        if workers:
            machine.until(lambda: served(workers) >= everything, "end of the dispatch", 600)
            found["finished"] = result["requests"] / (time.monotonic() - began)
        check_books(weir, everything, workers)
        return found


def served(workers):
    return sum(json.loads(durable_weir.fetch(port, "/stats")[1])["served"] for port in workers)


def check_books(weir, everything, workers):
    """Every 202 is a batch that waits, or that a worker had exactly once."""
    if workers:
        machine.until(lambda: weir.waiting() == 0, "end of the last batch")
        held = served(workers)
    else:
        held = weir.waiting()
    if held != everything:
        raise machine.Failed(f"{everything} batches were accepted, {held} are there")


def accepted(body):
    def measure(bench, variant):
        if variant.queue:
            return by_rabbitmq(bench, variant, body)
        return by_weir(bench, body)
    return measure


def dispatched(body):
    def measure(bench, _):
        with contextlib.ExitStack() as stack:
            return by_weir(bench, body, [bench.worker(stack) for _ in range(2)])
    return measure


METRICS = ["accepted", "p50_us", "p99_us", "cpu_us", "busy"]
BESIDE = [WEIR, RABBIT, PIPELINED, QUORUM]


def all_rows():
    at_least = functools.partial(rows.against, "accepted", at_least=True)
    return [
        rows.Row("1k", "1 KiB accepted durably, no worker up", BESIDE, accepted(KIB), METRICS,
                 at_least(3, "rabbitmq")),
        rows.Row("64k", "64 KiB accepted durably, no worker up", BESIDE, accepted(64 * KIB),
                 METRICS, at_least(1.5, "rabbitmq")),
        rows.Row("1k-dispatch", "1 KiB accepted while two fast workers take them", [WEIR],
                 dispatched(KIB), ["accepted", "finished", "p50_us", "p99_us", "busy"]),
        rows.Row("64k-dispatch", "64 KiB accepted while two fast workers take them", [WEIR],
                 dispatched(64 * KIB), ["accepted", "finished", "p50_us", "p99_us", "busy"]),
    ]


# --- start-up ------------------------------------------------------------------------------------
def start_up(bench, count):
    """Fills a state_dir through weir itself, kills weir, and looks at the next start."""
    with bench.place("weir") as folder, bench.weir(folder) as weir:
        began = time.monotonic()
        bench.post(weir, KIB, count=count, limit=850)
        print(f"{count:,} batches of 1 KiB in {time.monotonic() - began:.1f} s", flush=True)
        return [one_start(weir, count, end) for end in (weir.stop, weir.kill)]


def one_start(weir, count, end):
    """Ready is when /readyz says so; known, when the pool counts all that waits."""
    machine.until(lambda: weir.waiting() == count, f"{count} waiting batches")
    most_before = weir.most_memory()
    end()
    os.sync()
    began = time.monotonic()
    weir.start()
    found = {"after": end.__name__, "ready_s": round(weir.took, 2),
             "ready_rss_mib": mib(machine.memory(weir.pid)["rss"])}
    machine.until(lambda: weir.waiting() == count, f"{count} waiting batches")
    found["known_s"] = round(time.monotonic() - began, 2)
    time.sleep(10)
    found |= {"later_rss_mib": mib(machine.memory(weir.pid)["rss"]),
              "most_rss_mib": mib(weir.most_memory()), "most_rss_before_mib": mib(most_before)}
    print(json.dumps(found), flush=True)
    found["passed"] = found["known_s"] <= 5 and found["most_rss_mib"] <= 300
    print(f"  {'pass' if found['passed'] else 'MISS'}  all of them known within 5 s; at most "
          "300 MiB", flush=True)
    return found


def mib(size):
    return round(size / (1 << 20), 1)


# --- the command line ----------------------------------------------------------------------------
def read_command_line():
    names = [row.name for row in all_rows()]
    parser = argparse.ArgumentParser(description=__doc__, epilog="rows: " + " ".join(names))
    parser.add_argument("--weir", default="build/release/weir", help="the binary to measure")
    parser.add_argument("--programs", default="build/loadtests", help="folder of load, publisher")
    parser.add_argument("--disk", default="build/durable", help="folder on the disk to measure")
    parser.add_argument("--threads", default="auto", help="weir's")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each run")
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke test")
    parser.add_argument("--only", default="", help="ROW[,ROW]...")
    parser.add_argument("--proxies", default="", help="NAME[,NAME]... instead of all columns")
    parser.add_argument("--spread", action="store_true",
                        help="server and load on both CPUs instead of one each")
    parser.add_argument("--start-up", type=int, default=0, metavar="N",
                        help="instead: time to ready with N batches of 1 KiB waiting")
    parser.add_argument("--nice", type=int, default=0, help="of all processes; below 0 as root")
    parser.add_argument("--json", default="", help="file for all numbers")
    options = parser.parse_args()
    unknown = [name for name in options.only.split(",") if name and name not in names]
    if unknown:
        parser.error(f"no such row: {' '.join(unknown)}; there are {' '.join(names)}")
    if options.quick:
        options.rounds = 1
    return options


def measure_rows(bench, options):
    only = [name for name in options.only.split(",") if name]
    summaries = {}
    for row in [row for row in all_rows() if not only or row.name in only]:
        began = time.monotonic()
        variants = compare.chosen_variants(row, options)
        rounds = [compare.one_round(bench, row, variants, turn)
                  for turn in range(options.rounds) if variants]
        summaries[row.name] = report.summary_of(row, rounds)
        for line in [*report.lines_of(row, summaries[row.name]), *medians(summaries[row.name])]:
            print(line)
        print(f"  {options.rounds} rounds, {time.monotonic() - began:.0f} s\n", flush=True)
    return summaries


def medians(summary):
    """The absolute numbers of every column."""
    for name, found in summary["medians"].items():
        told = "  ".join(f"{rows.UNITS[metric]} {report.number(value)}"
                         for metric, value in found.items())
        yield f"    {name:16} {told or 'not measured'}"


def sync_times(disk, size=64 * KIB, count=200):
    """What the disk itself takes for a durable write: milliseconds, the median and the 99th
    percentile. With one batch a connection no server can commit a group faster."""
    took = []
    with tempfile.NamedTemporaryFile(dir=disk) as file:
        for _ in range(count):
            os.write(file.fileno(), os.urandom(size))
            began = time.monotonic()
            os.fdatasync(file.fileno())
            took.append((time.monotonic() - began) * 1000)
    took.sort()
    return {"p50": round(took[count // 2], 2), "p99": round(took[count * 99 // 100], 2)}


def machine_told(disk):
    found = compare.machine_told()
    for name in ("haproxy", "nginx"):
        found.pop(name)
    found["rabbitmq"] = proxies.version_of(
        ["dpkg-query", "-W", "-f=${Version}", "rabbitmq-server"], r"\S+")
    found["fdatasync_ms"] = sync_times(disk)
    found["disk"] = proxies.version_of(["df", "--output=source,fstype", disk], r"/\S+ +\S+")
    return found


def main():
    options = read_command_line()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("two CPUs are needed: one for the server, one for the load")
    if options.nice:
        machine.prefer(options.nice)
    with machine.alone(), Bench(options) as bench:
        found = {"machine": machine_told(bench.folder), "options": vars(options)}
        print(json.dumps(found["machine"]), "\n")
        if options.start_up:
            found["start_up"] = start_up(bench, options.start_up)
        else:
            found["rows"] = measure_rows(bench, options)
            print("\n".join(report.markdown(found["rows"])))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(found, file, indent=1)
    incomplete = [name for name, s in found.get("rows", {}).items()
                  if any(not metrics for metrics in s["medians"].values())
                  and not options.proxies]
    if incomplete:
        sys.exit(f"not measured in full: {' '.join(incomplete)}")


if __name__ == "__main__":
    main()
