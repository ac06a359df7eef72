"""Runs the scenarios of scenarios/ through `weir simulate` and prints what came of them: the mean
time in the system over a lower bound that no policy can beat, for weir and for its peers, and
whether the bars are met. quality.sh says how it is called.
"""

import argparse
import json
import os
import subprocess
import sys

HERE = os.path.dirname(os.path.abspath(__file__))
SCENARIOS = os.path.join(HERE, "scenarios")
LOADS = (75, 90)
# What batches declare of their sizes, and the options for it.
SIZES = {"known": [], "rough": ["--sigma", "1"], "unknown": ["--unknown"]}
# weir's mean over the bound, at most: (scenario, load, sizes).
BARS = {
    ("homogeneous", 75, "known"): 1.01, ("homogeneous", 90, "known"): 1.16,
    ("unequal", 75, "known"): 1.43, ("unequal", 90, "known"): 1.81,
    ("antagonists", 75, "known"): 1.30, ("antagonists", 90, "known"): 1.52,
    ("homogeneous", 75, "rough"): 1.02, ("homogeneous", 90, "rough"): 1.20,
    ("unequal", 75, "rough"): 1.43, ("unequal", 90, "rough"): 1.91,
    ("antagonists", 75, "rough"): 1.32, ("antagonists", 90, "rough"): 1.63,
}
FIRST_COME = ("first-come", "weir-fifo")
WORSE_MAX = 1.02              # than first come first served, seed by seed
LOST_SHARE_MAX = 0.001        # who loses more has chosen what he serves: no comparison
TENANT_P99_MAX = 3.0          # seconds, of the small tenant at load 75 %


def scenarios(only):
    names = sorted(n[:-len(".yaml")] for n in os.listdir(SCENARIOS) if n.endswith(".yaml"))
    unknown = [n for n in only if n not in names]
    if unknown:
        sys.exit(f"no scenario {unknown[0]}, expected one of {', '.join(names)}")
    return only or names


def simulate(options, name, load, sizes, as_json=True):
    command = [options.weir, "simulate", "--scenario", os.path.join(SCENARIOS, name + ".yaml"),
               "--load", str(load), "--seeds", str(options.seeds), *SIZES[sizes]]
    if options.batches:
        command += ["--batches", str(options.batches)]
    if as_json:
        command.append("--json")
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
    return json.loads(done.stdout) if as_json else done.stdout


def against(runs, others):
    """Median over the seeds of a policy's mean over another's."""
    ratios = sorted(a["sojourn"]["mean"] / b["sojourn"]["mean"] for a, b in zip(runs, others))
    return ratios[(len(ratios) - 1) // 2]


def short(number):
    digits = 0 if number >= 100 else 1 if number >= 10 else 2
    return f"{number:.{digits}f}"


class Row:
    """One scenario at one load: every policy's standing."""

    def __init__(self, name, load, sizes, told):
        self.name, self.load, self.sizes = name, load, sizes
        self.policies = {p["policy"]: p for p in told["policies"]}
        self.weir = self.policies["weir"]

    def lost_share(self, policy):
        return self.policies[policy]["median"]["lost"] / self.weir["median"]["batches"]

    def cell(self, policy):
        text = short(self.policies[policy]["median"]["ratio"])
        lost = self.lost_share(policy)
        return f"{text} ({lost * 100:.0f}% lost)" if lost > LOST_SHARE_MAX else text

    def line(self, columns):
        spread = f"{short(self.weir['ratio_low'])} .. {short(self.weir['ratio_high'])}"
        cells = "".join(f"{self.cell(c):>20}" for c in columns)
        return f"{self.name:<14}{self.load:>4}%  {self.sizes:<8}{spread:>16}{cells}"

    def missed(self):
        found = []
        where = f"{self.name} at {self.load} %, sizes {self.sizes}"
        bar = BARS.get((self.name, self.load, self.sizes))
        ratio = self.weir["median"]["ratio"]
        # The bars have two decimals.
        if bar and ratio >= bar + 0.005:
            found.append(f"{where}: {ratio:.3f} times the bound, the bar is {bar}")
        for other in FIRST_COME:
            if other not in self.policies or self.lost_share(other) > LOST_SHARE_MAX:
                continue
            worse = against(self.weir["runs"], self.policies[other]["runs"])
            if worse > WORSE_MAX:
                found.append(f"{where}: {worse:.3f} times {other}, the bar is {WORSE_MAX}")
        if self.name == "tenants" and self.load == 75 and self.sizes != "unknown":
            p99 = self.weir["median"]["tenants"][0]["sojourn"]["p99"]
            if p99 > TENANT_P99_MAX:
                found.append(f"{where}: p99 of the steady tenant {p99:.2f} s, "
                             f"the bar is {TENANT_P99_MAX:.0f} s")
        return found


def arguments():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weir", default=os.path.join(HERE, "..", "build", "release", "weir"))
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--batches", type=int)
    parser.add_argument("--only", default="")
    parser.add_argument("--json")
    parser.add_argument("--tables", action="store_true")
    return parser.parse_args()


def main():
    options = arguments()
    told, missed = [], []
    columns = ["weir", "weir-fifo", "first-come", "least-connections", "two-choices",
               "round-robin"]
    print("mean time in the system over the lower bound; weir's lowest and highest first")
    print(f"{'scenario':<14}{'load':>5}  {'sizes':<8}{'of weir':>16}"
          + "".join(f"{c:>20}" for c in columns))
    for sizes in SIZES:
        for load in LOADS:
            for name in scenarios([n for n in options.only.split(",") if n]):
                got = simulate(options, name, load, sizes)
                row = Row(name, load, sizes, got)
                print(row.line(columns), flush=True)
                missed += row.missed()
                told.append({"scenario": name, "load": load, "sizes": sizes, **got})
                if options.tables:
                    print(simulate(options, name, load, sizes, as_json=False))
    print("\n".join(["", "missed:", *missed] if missed else ["", "every bar is met"]))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump(told, file)


if __name__ == "__main__":
    main()
