#!/usr/bin/env python3
"""Measures weir, HAProxy, nginx and a relay that parses nothing side by side, in turns, and prints
one table. compare.sh installs and builds what this needs; README.md says how to read it.
"""

import argparse
import json
import os
import platform
import signal
import sys
import time

import machine
import measures
import proxies
import report
import rows


def read_command_line():
    names = [row.name for row in rows.all_rows()]
    parser = argparse.ArgumentParser(description=__doc__, epilog="rows: " + " ".join(names))
    parser.add_argument("--weir", default="build/release/weir", help="the binary to measure")
    parser.add_argument("--programs", default="build/loadtests", help="folder of load and worker")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--seconds", type=float, default=3, help="of each run with a duration")
    parser.add_argument("--quick", action="store_true", help="one short round: a smoke test")
    parser.add_argument("--only", default="", help="ROW[,ROW]...")
    parser.add_argument("--proxies", default="", help="NAME[,NAME]... instead of all")
    parser.add_argument("--trace", default="", help="arrivals of the row mix")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nice", type=int, default=0, help="of all processes; below 0 as root")
    parser.add_argument("--json", default="", help="file for all numbers")
    options = parser.parse_args()
    unknown = [name for name in options.only.split(",") if name and name not in names]
    if unknown:
        parser.error(f"no such row: {' '.join(unknown)}; there are {' '.join(names)}")
    if options.quick:
        options.rounds = 1
    return options


def chosen_rows(options):
    only = [name for name in options.only.split(",") if name]
    trace = os.path.abspath(options.trace) if options.trace else ""
    return [row for row in rows.all_rows(trace) if not only or row.name in only]


def chosen_variants(row, options):
    only = [name for name in options.proxies.split(",") if name]
    return [v for v in row.variants if not only or v.name in only]


def one_round(bench, row, variants, turn):
    """Every variant once; another one begins each time."""
    found = {}
    turn %= len(variants)
    for variant in variants[turn:] + variants[:turn]:
        try:
            found[variant.name] = row.measure(bench, variant)
        except (machine.Failed, TimeoutError, OSError) as failure:
            print(f"  {row.name}: {failure}", file=sys.stderr)
    return found


def machine_told():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        models = [line.partition(":")[2].strip() for line in file if line.startswith("model name")]
    return {"cpu": models[0] if models else platform.machine(), "cpus": os.cpu_count(),
            "kernel": platform.release(), "memory_gib": round(
                os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30),
            "haproxy": proxies.version_of(["haproxy", "-v"], r"version \S+"),
            "nginx": proxies.version_of(["nginx", "-v"], r"nginx/\S+"),
            "load_average": os.getloadavg()}


def compare(options):
    summaries = {}
    with measures.Bench(options) as bench:
        for row in chosen_rows(options):
            began = time.monotonic()
            variants = chosen_variants(row, options)
            rounds = [one_round(bench, row, variants, turn) for turn in range(options.rounds)]
            summaries[row.name] = report.summary_of(row, rounds)
            for line in report.lines_of(row, summaries[row.name]):
                print(line)
            print(f"  {options.rounds} rounds, {time.monotonic() - began:.0f} s\n", flush=True)
    return summaries


def main():
    options = read_command_line()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    if len(os.sched_getaffinity(0)) < 2:
        sys.exit("two CPUs are needed: one for the proxy, one for load and workers")
    if options.nice:
        machine.prefer(options.nice)
    told = machine_told()
    print(json.dumps(told), "\n")
    with machine.alone():
        summaries = compare(options)
    print("\n".join(report.markdown(summaries)))
    if options.json:
        with open(options.json, "w", encoding="utf-8") as file:
            json.dump({"machine": told, "options": vars(options), "rows": summaries}, file,
                      indent=1)
    incomplete = [name for name, s in summaries.items()
                  if any(not medians for medians in s["medians"].values())
                  and not options.proxies]
    if incomplete:
        sys.exit(f"not measured in full: {' '.join(incomplete)}")


if __name__ == "__main__":
    main()
