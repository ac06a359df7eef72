"""The rows of the table: what is measured, of whom, and the bars. A bar is a limit for the median
of the ratios (subject / reference, round by round), or for the subject's own median where it has no
reference.
"""

import dataclasses
import typing

import measures
from proxies import FLOOR, HAPROXY, NGINX, SPLICE, STREAM, WEIR

KIB = 1 << 10
MIB = 1 << 20

# What the numbers are called in the table.
UNITS = {
    "cpu_us": "CPU µs/request", "user_us": "user µs", "system_us": "system µs",
    "rate": "requests/s", "busy": "share of a CPU", "p50_us": "p50 µs", "p99_us": "p99 µs",
    "p999_us": "p99.9 µs", "offered": "offered/s", "cpu_s": "CPU s/GiB", "user_s": "user s/GiB",
    "system_s": "system s/GiB", "gib_s": "GiB/s", "rss": "RSS bytes", "pss": "PSS bytes",
    "private": "private bytes", "accepted": "accepted/s", "finished": "finished/s",
}


@dataclasses.dataclass(frozen=True)
class Bar:
    metric: str
    limit: float
    reference: str = ""      # a variant's name; empty: the value itself
    at_least: bool = False
    subject: str = "weir"


@dataclasses.dataclass(frozen=True)
class Row:
    name: str
    title: str
    variants: list
    measure: typing.Callable
    metrics: list            # the first is shown with every ratio; all are in the JSON
    bars: list = dataclasses.field(default_factory=list)


def against(metric, limit, *references, at_least=False):
    return [Bar(metric, limit, reference, at_least) for reference in references]


PEERS = [HAPROXY, NGINX]
SMALL = [WEIR, HAPROXY, NGINX, FLOOR]
POSTS = [WEIR, HAPROXY, NGINX, STREAM, FLOOR]
LARGE = [v.but(bodies=True) for v in (WEIR, HAPROXY, SPLICE, NGINX, STREAM, FLOOR)]
BATCHES = [WEIR, HAPROXY, SPLICE, STREAM]
TLS = [v.but(tls=True) for v in (WEIR, HAPROXY, NGINX)]
TWICE = [v.but(name=v.name + suffix, threads=n) for v in (WEIR, HAPROXY, NGINX)
         for n, suffix in ((1, ""), (2, "-2"))]
REQUEST = ["cpu_us", "user_us", "system_us", "rate", "busy"]
LATENCY = ["p50_us", "p99_us", "p999_us"]
BODY = ["cpu_s", "user_s", "system_s", "gib_s"]
MEMORY = ["private", "rss", "pss"]


def body_rows():
    rows = []
    for label, size in (("4m", 4 * MIB), ("256m", 256 * MIB)):
        for way in ("up", "down"):
            words = f"{size // MIB} MiB bodies {way}"
            rows.append(Row(f"{way}-{label}", words, LARGE, measures.bodies(size, way == "up"),
                            BODY, against("cpu_s", 1.0, "haproxy-splice") +
                            against("cpu_s", 1.25, "floor")))
        rows.append(Row(f"up-{label}-key", f"{size // MIB} MiB bodies up, replay on", LARGE,
                        measures.bodies(size, True, key=1), BODY))
    return rows


def request_rows():
    best = [peer.name for peer in PEERS]
    rows = [
        Row("small", "small keep-alive GET, 64 connections; load and workers on one CPU", SMALL,
            measures.requests(), REQUEST,
            against("cpu_us", 0.85, "nginx") + against("cpu_us", 0.75, "haproxy") +
            against("cpu_us", 1.20, "floor") + against("rate", 1.0, *best, at_least=True)),
        Row("spread", "the same; load and workers on both CPUs: the proxy is the limit", SMALL,
            measures.requests(both=True), REQUEST, against("rate", 1.1, *best, at_least=True)),
    ]
    for kib in (4, 16, 64):
        rows.append(Row(f"answer-{kib}k", f"{kib} KiB answers, 64 connections", SMALL,
                        measures.requests(answer=kib * KIB), REQUEST,
                        against("rate", 1.1, *best, at_least=True)))
    rows += [
        Row("post", "POST of 1 KiB, no key", POSTS, measures.requests(body=KIB), REQUEST),
        Row("post-key", "POST of 1 KiB with Idempotency-Key: replay on", POSTS,
            measures.requests(body=KIB, key=1), REQUEST),
        Row("latency", "open loop, Poisson, 50 % of the slowest peer's saturation", SMALL,
            measures.open_loop(PEERS), LATENCY, against("p99_us", 1.05, *best)),
        Row("connect", "a new connection for each request, 64 at once", SMALL,
            measures.requests(mode="connect"), ["rate", "cpu_us", "user_us", "system_us"]),
        Row("threads", "small keep-alive GET, 2 threads against 1; everything on both CPUs", TWICE,
            measures.requests(both=True, threads_cpus=measures.BOTH_CPUS), REQUEST,
            [Bar("cpu_us", 1.15, "weir", subject="weir-2")]),
    ]
    return rows


def other_rows(trace):
    return [
        Row("idle", "memory per idle keep-alive connection, at 10,000", [WEIR, HAPROXY, NGINX],
            measures.idle_memory(), MEMORY, [Bar("private", 1.5 * KIB)]),
        Row("idle-tls", "the same with TLS", TLS, measures.idle_memory(), MEMORY,
            against("private", 1.0, "haproxy")),
        Row("batch-up", "memory per 1 GiB upload in flight", BATCHES, measures.batch_memory(True),
            MEMORY, [Bar("private", 256 * KIB)]),
        Row("batch-down", "memory per 1 GiB download in flight", BATCHES + [NGINX],
            measures.batch_memory(False), MEMORY, [Bar("private", 256 * KIB)]),
        Row("tls-request", "TLS 1.3, small keep-alive GET, 64 connections", TLS,
            measures.requests(), REQUEST, against("cpu_us", 1.0, "nginx")),
        Row("tls-handshake", "TLS 1.3, a new connection and full handshake for each request", TLS,
            measures.requests(mode="connect", connections=16), REQUEST,
            against("cpu_us", 1.0, "nginx")),
        Row("mix", "open loop of batches: sizes and service times by Pareto or from a trace",
            POSTS, measures.batch_mix(trace), LATENCY + ["cpu_us"]),
        Row("wrk", "small keep-alive GET by wrk, to check our generator", SMALL,
            measures.foreign("wrk"), ["cpu_us", "rate"]),
        Row("h2load", "small keep-alive GET by h2load --h1, for the same reason", SMALL,
            measures.foreign("h2load"), ["cpu_us", "rate"]),
    ]


def all_rows(trace=""):
    return request_rows() + body_rows() + other_rows(trace)
