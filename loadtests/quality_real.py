"""How well weir decides on real sockets: scenarios of the simulator, scaled down in time, through
the built weir, HAProxy and nginx at the same time, each in front of a fleet of sleeping workers of
its own. Then the same arrivals go through `weir simulate`, which has to say the same of weir as was
measured. `quality.sh --real` calls it; README.md says how to read it.
"""

import argparse
import contextlib
import dataclasses
import json
import os
import random
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request

import machine
import proxies

LOAD = 0.9          # of what the workers can do; exact
ALPHA, LOW = 1.1, 0.02   # the simulator's sizes: bounded Pareto, from LOW seconds on
BODY = 64           # bytes of a batch
ALONE_US = 5000     # of each batch that is posted alone, to see what a dispatch costs
AGREEMENT = 0.10    # weir's mean from the simulated one, at most
FIRST_COME_MAX = 0.5   # weir's mean over HAProxy's and nginx's, where that is asked
CONNECTIONS = 10000
PATIENCE = 180      # seconds beyond the last arrival

# What the simulator plays for each.
POLICIES = {"weir": "weir", "haproxy": "first-come", "nginx": "least-connections"}
VARIANTS = {"weir": proxies.WEIR, "haproxy": proxies.HAPROXY, "nginx": proxies.NGINX}

WEIR_YAML = proxies.WEIR_TOP + """\
  - name: batches
    path: /load
    pool: loaders
    cost: {{header: X-Service-Us}}
    timeout: {{queue: 1h, response: 1h, total: 2h}}
pools:
  loaders:
    balance: least_loaded
    slow_start: 0s
    workers:
{workers}
    health_check: {{path: /healthz, interval: 2s}}
    queue: {{order: cost_aware, max_batches: 100000, max_bytes: 64GiB, max_wait: 1h}}
"""


@dataclasses.dataclass(frozen=True)
class Group:
    """Workers that are alike. `brownout`: factor of the speed, from and to as shares of the run."""
    count: int
    slots: int = 2
    speed: float = 1
    brownout: tuple = ()


@dataclasses.dataclass(frozen=True)
class Scenario:
    """`scale`: the simulator's times are divided by it. `most`: the largest size, before that. Its
    120 s would be a quarter of a short run, and on few slots a run in which two such batches happen
    to begin together says nothing of another one."""
    name: str
    groups: tuple
    batches: int
    scale: float
    most: float = 120
    first_come_max: float = 0   # the bar against HAProxy and nginx; 0: none

    @property
    def capacity(self):
        """Seconds of work a second, troubles not counted: as the simulator has it."""
        return sum(g.count * g.slots * g.speed for g in self.groups)

    @property
    def slots(self):
        return self.groups[0].slots


SCENARIOS = [
    Scenario("homogeneous", (Group(16),), 200_000, 8, first_come_max=FIRST_COME_MAX),
    Scenario("unequal", (Group(8, speed=0.4), Group(8, speed=1.6)), 54_000, 4, most=60),
    Scenario("small_3x2", (Group(3),), 20_000, 4, most=10),
    Scenario("brownout", (Group(1, brownout=(0.05, 0.25, 0.6)), Group(15)), 54_000, 4, most=60),
]


# --- arrivals ------------------------------------------------------------------------------------
def draw_size(scenario, source):
    """Seconds: the inverse of the bounded Pareto's F(x) = (1 - (low/x)^a) / (1 - (low/high)^a)."""
    all_of_it = 1 - (LOW / scenario.most) ** ALPHA
    return LOW / (1 - source.random() * all_of_it) ** (1 / ALPHA) / scenario.scale


def draw_arrivals(scenario, seed, batches=0):
    """(seconds, size in µs), a Poisson process; the last one comes when its work over the time is
    exactly the load."""
    source = random.Random(f"{scenario.name} {seed}")
    sizes = [round(draw_size(scenario, source) * 1e6) for _ in range(batches or scenario.batches)]
    times, now = [], 0.0
    for _ in sizes:
        now += source.expovariate(1)
        times.append(now)
    stretch = sum(sizes) / 1e6 / (LOAD * scenario.capacity) / now
    return [(at * stretch, size) for at, size in zip(times, sizes)]


def write_trace(path, arrivals):
    """As the load generator reads it: seconds, body, answer, service time in µs."""
    with open(path, "w", encoding="ascii") as file:
        file.writelines(f"{at:.6f},{BODY},0,{size}\n" for at, size in arrivals)


def speed_changes(scenario, length, start_ns):
    """Lines for the fleet: which worker, its new speed, when on the monotonic clock."""
    lines, number = [], 0
    for group in scenario.groups:
        for _ in range(group.count):
            if group.brownout:
                factor, begin, end = group.brownout
                for share, speed in ((begin, group.speed * factor), (end, group.speed)):
                    lines.append(f"{number} {speed} {start_ns + round(share * length * 1e9)}\n")
            number += 1
    return lines


# --- the simulator -------------------------------------------------------------------------------
def simulated_workers(scenario):
    rows = []
    for group in scenario.groups:
        troubles = ""
        if group.brownout:
            factor, begin, end = group.brownout
            troubles = (f", troubles: [{{type: brownout, factor: {factor}, from: {begin:.0%}, "
                        f"to: {end:.0%}}}]")
        rows.append(f"  - {{count: {group.count}, slots: {group.slots}, speed: {group.speed}"
                    f"{troubles}}}\n")
    return "".join(rows)


def simulated_scenario(scenario, trace, policy, overhead_us):
    """The measured weir's own configuration, these arrivals, these workers."""
    return (f"name: {scenario.name}\nconfig: weir.yaml\npool: loaders\nseeds: 1\n"
            f"policies: [{policy}]\noverhead: {max(0, round(overhead_us * 1000))}ns\n"
            f"traces:\n  - file: {trace}\n    header: false\n    time: \"1\"\n"
            "    work: [{column: \"4\", factor: 0.000001}]\n    units: [{column: \"4\"}]\n"
            f"workers:\n{simulated_workers(scenario)}")


def simulate(weir, folder, scenario, trace, policy, overhead_us):
    """Sojourns in ms."""
    with open(os.path.join(folder, "weir.yaml"), "w", encoding="utf-8") as file:
        file.write(WEIR_YAML.format(threads=1, tls="", workers=(
            "      - {id: w0, url: 'http://127.0.0.1:1', slots: 1}")))
    path = os.path.join(folder, "scenario.yaml")
    with open(path, "w", encoding="utf-8") as file:
        file.write(simulated_scenario(scenario, trace, policy, overhead_us))
    done = subprocess.run([weir, "simulate", "--scenario", path, "--json"], check=True,
                          stdout=subprocess.PIPE, text=True)
    median = json.loads(done.stdout)["policies"][0]["median"]
    if median["lost"]:
        raise machine.Failed(f"{scenario.name}: the simulated {policy} lost {median['lost']}")
    return {name: median["sojourn"][name] * 1e3 for name in ("mean", "p50", "p99")}


def expected(weir, folder, scenario, trace, name, overhead_us):
    """What the simulator says of a proxy. A slot that the proxy counts is taken until the answer is
    back; nginx counts none, and its workers begin the next batch at once."""
    within = 0 if POLICIES[name] == "least-connections" else overhead_us
    found = simulate(weir, folder, scenario, trace, POLICIES[name], within)
    return {key: ms + (overhead_us - within) / 1e3 for key, ms in found.items()}


# --- real sockets --------------------------------------------------------------------------------
class Front(proxies.Running):
    """A proxy in front of a fleet. What it learns from is the batches alone."""
    weir_yaml = WEIR_YAML
    head_timeout = "1h"   # a burst's connections wait unused for the next one

    def _answers(self):
        if self.process.child.poll() is not None:
            return super()._answers()  # tells why it ended
        with contextlib.suppress(OSError):
            if self.variant.kind == "weir":
                return self._workers_up() == len(self.workers)
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5):
                return True
        return False

    def _workers_up(self):
        port = machine.until(lambda: self._weir_port("admin"), "address from weir's API")
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
            lines = answer.read().decode().splitlines()
        return sum(line.startswith("weir_worker_state{") and 'state="up"' in line and
                   line.endswith(" 1") for line in lines)


class Stage:
    """One proxy and its fleet, started."""

    def __init__(self, bench, name, groups):
        self.bench, self.name = bench, name
        self.stack = contextlib.ExitStack()
        words = [f"{g.count}:{g.slots}:{g.speed}" for g in groups]
        self.fleet = machine.Process([bench.program("fleet"), *words], bench.load_cpus,
                                     bench.folder, log="fleet.log", pipe=True)
        self.stack.callback(self.fleet.stop)
        try:
            self.ports = [int(word) for word in self.fleet.line().split()]
            self.front = self.stack.enter_context(
                Front(VARIANTS[name], bench.new_folder(name), self.ports, bench.load_cpus, bench,
                      groups[0].slots))
        except BaseException:
            self.stack.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.stack.close()

    def begin(self, mode, **options):
        command = [self.bench.program("load"), mode, self.front.port, "--body", BODY]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), value]
        return machine.Process(command, self.bench.load_cpus, self.bench.folder, log="load.log",
                               pipe=True)

    def result(self, load, patience):
        found = machine.result_of(load.finish(patience), f"load on {self.name}")
        return {name: found["latency_us"][name] / 1e3 for name in ("mean", "p50", "p99")} | {
            "batches": found["requests"], "waited_at_workers": self.waited()}

    def waited(self):
        """Batches that were sent to a worker whose slots were taken."""
        count = 0
        for port in self.ports:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/stats", timeout=5) as answer:
                count += json.load(answer)["waited"]
        return count

    def change_speeds(self, lines):
        self.fleet.child.stdin.write("".join(lines).encode())
        self.fleet.child.stdin.flush()


class Bench:
    """What all runs share."""
    certificate, trusting = "", None

    def __init__(self, options):
        self.options = options
        self.weir = os.path.abspath(options.weir)
        self.programs = os.path.abspath(options.programs)
        self.load_cpus = os.sched_getaffinity(0)
        self.files = machine.raise_limits()
        self.names = [n for n in POLICIES if n in options.proxies.split(",")]
        self.count = 0

    def __enter__(self):
        self.folder = tempfile.mkdtemp(prefix="weir-quality-")
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.folder, ignore_errors=True)

    def program(self, name):
        return os.path.join(self.programs, name)

    def new_folder(self, name):
        self.count += 1
        return os.path.join(self.folder, f"{self.count}-{name}")

    def play(self, scenario, arrivals, trace):
        """(what each came to, what each costs unloaded), all at once: what else the machine does
        meets all of them. Unloaded is a second process of each, on a fleet of speed 1, that is
        given one batch at a time."""
        length = arrivals[-1][0]
        limit = length + PATIENCE
        with contextlib.ExitStack() as stack:
            def started(groups):
                return [stack.enter_context(Stage(self, name, groups)) for name in self.names]

            def finished(pairs):
                return {stage.name: stage.result(load, limit + 30) for stage, load in pairs}

            stages, unloaded = started(scenario.groups), started((Group(4),))
            start = time.monotonic_ns() + 1_000_000_000
            loads = []
            for stage in stages:
                stage.change_speeds(speed_changes(scenario, length, start))
                loads.append((stage, stage.begin("open", trace=trace, connections=CONNECTIONS,
                                                 start=start, limit=limit)))
            single = [(stage, stage.begin("closed", connections=1, seconds=length, start=start,
                                          service_us=ALONE_US)) for stage in unloaded]
            for _, load in loads + single:
                stack.callback(load.stop)
            return finished(loads), finished(single)

    def round(self, scenario, seed):
        arrivals = draw_arrivals(scenario, seed, self.options.batches)
        trace = os.path.join(self.folder, "trace.csv")
        write_trace(trace, arrivals)
        real, unloaded = self.play(scenario, arrivals, trace)
        overheads = {name: one["mean"] * 1e3 - ALONE_US for name, one in unloaded.items()}
        return {name: {"real": real[name], "overhead_us": overheads[name],
                       "simulated": expected(self.weir, self.folder, scenario, trace, name,
                                             overheads[name])}
                for name in self.names}


# --- judgement -----------------------------------------------------------------------------------
def middle(values):
    return sorted(values)[(len(values) - 1) // 2]


def agreement(rounds, name):
    """Measured over simulated mean, round by round: median, least, most."""
    ratios = [r[name]["real"]["mean"] / r[name]["simulated"]["mean"] for r in rounds]
    return middle(ratios), min(ratios), max(ratios)


def against(rounds, other):
    """weir's measured mean over another's on the same arrivals: median of the rounds."""
    return middle([r["weir"]["real"]["mean"] / r[other]["real"]["mean"] for r in rounds])


def bars(scenario, rounds):
    """(what, its value, its limit as text, whether it is met)"""
    if not rounds or "weir" not in rounds[0]:
        return []
    off = agreement(rounds, "weir")[0]
    found = [("weir, measured/simulated", off, f"within {AGREEMENT:.0%} of 1",
              abs(off - 1) <= AGREEMENT)]
    for other in ("haproxy", "nginx"):
        if scenario.first_come_max and other in rounds[0]:
            ratio = against(rounds, other)
            found.append((f"weir/{other}", ratio, f"≤ {scenario.first_come_max}",
                          ratio <= scenario.first_come_max))
    return found


def row(name, rounds):
    mid = {key: middle([r[name]["real"][key] for r in rounds]) for key in ("mean", "p50", "p99")}
    ratio, low, high = agreement(rounds, name)
    ours = f"{against(rounds, name):.2f}" if "weir" in rounds[0] else "–"
    return (f"  {name:<9}{mid['mean']:>9.1f}{mid['p50']:>8.2f}{mid['p99']:>9.1f}"
            f"{middle([r[name]['overhead_us'] for r in rounds]):>10.0f}"
            f"{middle([r[name]['simulated']['mean'] for r in rounds]):>11.1f}"
            f"{ratio:>7.3f} ({low:.3f}–{high:.3f}){ours:>8}"
            f"{middle([r[name]['real']['waited_at_workers'] for r in rounds]):>9}")


def lines_of(scenario, rounds):
    batches = rounds[0][next(iter(rounds[0]))]["real"]["batches"]
    lines = [f"{scenario.name}: {batches} batches, load {LOAD:.0%}, medians of {len(rounds)} "
             "rounds, ms",
             f"  {'':<9}{'mean':>9}{'p50':>8}{'p99':>9}{'alone µs':>10}{'simulated':>11}"
             f"{'real/simulated':>22}{'weir/':>8}{'waited':>9}"]
    lines += [row(name, rounds) for name in rounds[0]]
    lines += [f"  {'met ' if met else 'missed'}  {what} {value:.3f}, the bar is {limit}"
              for what, value, limit, met in bars(scenario, rounds)]
    return lines


# --- the command line ----------------------------------------------------------------------------
def read_command_line():
    names = [s.name for s in SCENARIOS]
    parser = argparse.ArgumentParser(description=__doc__, epilog="scenarios: " + " ".join(names))
    parser.add_argument("--real", action="store_true", help="what quality.sh calls this by")
    parser.add_argument("--weir", default="build/release/weir", help="the binary to measure")
    parser.add_argument("--programs", default="build/loadtests", help="folder of load and fleet")
    parser.add_argument("--rounds", type=int, default=5, help="each with arrivals of its own")
    parser.add_argument("--only", default="", help="NAME[,NAME]...")
    parser.add_argument("--proxies", default=",".join(POLICIES))
    parser.add_argument("--batches", type=int, default=0, help="of each run, instead of its own")
    parser.add_argument("--nice", type=int, default=0, help="of all processes; below 0 as root")
    parser.add_argument("--json", default="", help="file for all numbers")
    options = parser.parse_args()
    options.only = [name for name in options.only.split(",") if name] or names
    for name in options.only:
        if name not in names:
            parser.error(f"no scenario {name}, expected one of {', '.join(names)}")
    return options


def measure(bench, scenario):
    rounds = []
    for number in range(1, bench.options.rounds + 1):
        try:
            rounds.append(bench.round(scenario, number))
        except (machine.Failed, TimeoutError, subprocess.TimeoutExpired, OSError) as failure:
            print(f"  {scenario.name}, round {number}: {failure}", file=sys.stderr)
            continue
        told = ", ".join(f"{name} {r['real']['mean']:.1f} ms (simulated "
                         f"{r['simulated']['mean']:.1f})" for name, r in rounds[-1].items())
        print(f"  {scenario.name}, round {number}: {told}", file=sys.stderr, flush=True)
    return rounds


def main():
    options = read_command_line()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if options.nice:
        machine.prefer(options.nice)
    told, complete = {}, True
    with machine.alone(), Bench(options) as bench:
        for scenario in (s for s in SCENARIOS if s.name in options.only):
            rounds = measure(bench, scenario)
            complete = complete and len(rounds) == options.rounds
            if rounds:
                print("\n".join(lines_of(scenario, rounds)), flush=True)
            told[scenario.name] = {"rounds": rounds, "bars": bars(scenario, rounds)}
    missed = [f"{name}: {what}" for name, one in told.items()
              for what, _, _, met in one["bars"] if not met]
    print("\n".join(["", "missed:", *missed] if missed else ["", "every bar is met"]))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(told, file, indent=1)
    if not complete:
        sys.exit("not every round was measured")


if __name__ == "__main__":
    main()
