"""The books of a soak: weir's metrics, scrape by scrape, and its access log, line by line, and the
rules by which they, the clients and the workers must agree. deploy/README.md says what each counts.
"""

import collections
import glob
import json
import re

SERIES = re.compile(r'^(\w+)(?:\{(.*)\})? (\S+)$')
LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"')


def parse_metrics(text):
    """{(name, ((label, value), …)): value}"""
    found = {}
    for line in text.splitlines():
        series = SERIES.match(line)
        if series:
            name, labels, value = series.groups()
            found[name, tuple(sorted(LABEL.findall(labels or "")))] = float(value)
    return found


def total(scrape, name, **labels):
    wanted = set(labels.items())
    return sum(value for (series, have), value in scrape.items()
               if series == name and wanted <= set(have))


def by_label(scrape, name, label):
    """{label's value: sum}, without zeros."""
    sums = collections.Counter()
    for (series, have), value in scrape.items():
        if series == name and value:
            sums[dict(have).get(label, "")] += int(value)
    return sums


class Counters:
    """Counters over the whole run: those of workers that left, and came back at 0, too."""

    def __init__(self):
        self.last = {}
        self.gone = {}

    def add(self, scrape):
        for series, before in self.last.items():
            if series[0].endswith(("_total", "_count")) and scrape.get(series, -1) < before:
                self.gone[series] = self.gone.get(series, 0) + before
        self.last = scrape

    def sums(self):
        return {series: self.last.get(series, 0) + self.gone.get(series, 0)
                for series in {*self.last, *self.gone}}


class AccessLog:
    """All lines of a log that was rotated, summed up."""

    def __init__(self, pattern):
        self.broken = 0
        self.routed = collections.Counter()      # (route, outcome)
        self.unrouted = 0
        self.pools = collections.Counter()
        self.tenants = collections.Counter()
        self.bad_heads = collections.Counter()   # status; lines without a target
        self.reasons = collections.Counter()
        self.lines = {}                          # of numbered requests: (status, outcome, count)
        self.attempts = self.retried = self.granted = self.admitted = 0
        for name in glob.glob(pattern):
            with open(name, "rb") as file:
                for line in file:
                    self._take(line)

    def _take(self, line):
        try:
            told = json.loads(line) if line.endswith(b"\n") else None
        except ValueError:
            told = None
        if not isinstance(told, dict):
            self.broken += 1
            return
        self.reasons[told.get("reason", "")] += 1
        number = re.search(r"[?&]id=(\d+)$", told.get("target", ""))
        if "route" in told:
            self._take_routed(told)
        else:
            self.unrouted += 1
            if not number:   # all others that no route took have one
                self.bad_heads[told.get("status", 0)] += 1
        if number:
            key = int(number.group(1))
            count = self.lines[key][2] if key in self.lines else 0
            self.lines[key] = told.get("status", 0), told["outcome"], count + 1

    def _take_routed(self, told):
        attempts = told.get("attempts", 0)
        self.routed[told["route"], told["outcome"]] += 1
        self.pools[told["pool"]] += 1
        self.tenants[told.get("tenant", "")] += 1
        self.attempts += attempts
        self.granted += attempts > 0
        self.retried += "retried" in told
        # What was wrong, or left, before it was let into the pool has never waited.
        turned_off = attempts == 0 and told["queue_ms"] == 0 and \
            told["outcome"] in ("bad_request", "client_gone")
        self.admitted += not turned_off


class Verdict:
    """The checks, in order."""

    def __init__(self):
        self.rows = []

    def check(self, what, holds, detail):
        self.rows.append((what, bool(holds), str(detail)))

    def equal(self, what, *values):
        self.check(what, all(value == values[0] for value in values),
                   " = ".join(f"{value:g}" if isinstance(value, float) else str(value)
                              for value in values))

    def ordered(self, what, *values):
        self.check(what, all(a <= b for a, b in zip(values, values[1:])),
                   " ≤ ".join(f"{value:g}" for value in values))

    @property
    def good(self):
        return all(holds for _, holds, _ in self.rows)

    def print(self):
        width = max(len(what) for what, _, _ in self.rows)
        for what, holds, detail in self.rows:
            print(f"{'pass' if holds else 'FAIL'}  {what:{width}}  {detail}")


def check_counters(verdict, sums, log):
    """weir's metrics against its access log."""
    routed = collections.Counter()
    for (name, labels), value in sums.items():
        if name == "weir_batches_total" and value and dict(labels)["route"]:
            routed[dict(labels)["route"], dict(labels)["outcome"]] += int(value)
    same = dict(routed) == dict(log.routed)
    verdict.check("batches by route and outcome: counters = log lines", same,
                  sum(routed.values()) if same else f"{dict(routed)} ≠ {dict(log.routed)}")
    verdict.equal("batches without a route: counter = log lines",
                  int(total(sums, "weir_batches_total", route="")), log.unrouted)
    verdict.equal("batches by pool: weir_batch_duration_seconds_count = log lines",
                  int(total(sums, "weir_batch_duration_seconds_count")), sum(log.pools.values()))
    attempts = int(total(sums, "weir_attempts_total"))
    verdict.equal("attempts: counters = `attempts` of the log", attempts, log.attempts)
    waits = by_label(sums, "weir_queue_wait_seconds_count", "outcome")
    ungranted = sum(waits.values()) - waits["granted"]
    retries = int(total(sums, "weir_retries_total"))
    # Being let in, or sent back, ends in an attempt or in a wait that was not granted.
    verdict.equal("let in + sent back = attempts + waits not granted", log.admitted + retries,
                  attempts + ungranted)
    verdict.ordered("batches sent back ≤ retries; attempts beyond the first ≤ retries",
                    max(log.retried, log.attempts - log.granted), retries)
    ends = by_label(sums, "weir_attempts_total", "outcome")
    reasons = by_label(sums, "weir_retries_total", "reason")
    # What cost nothing may have got its next attempt at once, without a wait.
    free = sum(reasons[name] for name in ("connect_failed", "stale_connection", "busy"))
    verdict.ordered("attempts, less free retries ≤ waits granted ≤ attempts", attempts - free,
                    waits["granted"], attempts)
    verdict.check("retries by reason ≤ attempts that ended so",
                  all(count <= ends[reason] for reason, count in reasons.items()), dict(reasons))
    verdict.equal("413: weir_limit_hits_total = log lines",
                  int(total(sums, "weir_limit_hits_total", limit="routes.body_max")),
                  log.reasons["body-too-large"])
    verdict.equal("431: weir_limit_hits_total = log lines",
                  int(total(sums, "weir_limit_hits_total", limit="limits.head_bytes_max") +
                      total(sums, "weir_limit_hits_total", limit="limits.fields_max")),
                  log.reasons["head-too-large"])
    verdict.check("the log has whole JSON lines only, none dropped or failed", log.broken == 0 ==
                  total(sums, "weir_limit_hits_total", limit="access_log.buffer_records") ==
                  total(sums, "weir_access_log_errors_total"),
                  f"{sum(log.reasons.values())} lines, {log.broken} broken")


def disagreement(entry, line):
    """What is wrong between a request's client and its line in the log; None: nothing."""
    status, outcome, count = line
    if count > 1:
        return "logged twice"
    if not entry.sent:
        return "logged, but its head was never sent" if count else None
    if entry.status and not count:
        return "answered, but not logged"
    if entry.status and entry.status != status:
        return f"{entry.status} at the client, {status} in the log"
    if entry.whole and entry.status < 400 and outcome != "ok":
        return f"answered whole, {outcome} in the log"
    if entry.patient and entry.status and not entry.whole and outcome == "ok":
        return "cut at the client, ok in the log"
    if entry.patient and not entry.status:
        return "never answered"
    return None


def check_clients(verdict, log, ledger, loads):
    """What the clients know against the access log. `loads`: {tenant: the generator's result}"""
    wrong = collections.Counter()
    for number, entry in ledger.entries.items():
        reason = disagreement(entry, log.lines.get(number, (0, "", 0)))
        if reason:
            wrong[f"{entry.kind}: {reason}"] += 1
    verdict.check("each numbered request: once in the log, as its client saw it", not wrong,
                  dict(wrong) or f"{len(ledger.entries)} requests")
    verdict.check("clients: nothing unexpected", not ledger.failures, dict(ledger.failures))
    verdict.equal("refused heads by status: clients = log lines",
                  dict(sorted(ledger.bad.items())), dict(sorted(log.bad_heads.items())))
    for tenant, result in loads.items():
        # An error at the client may have come before weir had the request, or after.
        most = result["requests"] + sum(result["errors"].values())
        verdict.ordered(f"requests of {tenant}: answered ≤ log lines ≤ made", result["requests"] +
                        result["errors"].get("status", 0), log.tenants[tenant], most)
        odd = {name: count for name, count in result["errors"].items()
               if name in ("connect", "tls", "timeout", "malformed")}
        verdict.check(f"requests of {tenant}: no error but those of faulty workers", not odd,
                      result["errors"])


def check_workers(verdict, sums, workers):
    """weir's attempts against what the workers counted. `workers`: [(slots that weir was told at
    most, slots it has, its /stats)]"""
    ends = by_label(sums, "weir_attempts_total", "outcome")
    seen = sum(stats["requests"] for _, _, stats in workers)
    surely = sum(ends[name] for name in ("succeeded", "busy", "failed", "response_timeout"))
    verdict.ordered("attempts answered ≤ workers' requests ≤ attempts that reached one", surely,
                    seen, sum(ends.values()) - ends["connect_failed"])
    verdict.ordered("attempts succeeded ≤ workers' answers", ends["succeeded"],
                    sum(stats["served"] for _, _, stats in workers))
    verdict.ordered("attempts busy ≤ workers' 503", ends["busy"],
                    sum(stats["turned_away"] for _, _, stats in workers))
    for number, (told, slots, stats) in enumerate(workers, 1):
        verdict.ordered(f"worker {number}: requests at once ≤ slots that weir has",
                        stats["open_most"], told)
        if slots >= told:
            verdict.equal(f"worker {number}: none turned away", stats["turned_away"], 0)
    verdict.equal("requests left at the workers", sum(stats["open"] for _, _, stats in workers), 0)


def check_idle(verdict, scrape):
    """Gauges when nothing runs."""
    for name in ("weir_queue_batches", "weir_worker_in_flight", "weir_connections",
                 "weir_queue_cost", "weir_worker_outstanding_cost"):
        verdict.check(f"{name} is 0 when idle", abs(total(scrape, name)) < 1e-6,
                      f"{total(scrape, name):g}")


def median(values):
    return sorted(values)[len(values) // 2]


def check_memory(verdict, samples, bar):
    """`samples`: private bytes, one a second. `bar`: the most growth, None: any."""
    fifth = max(len(samples) // 5, 1)
    before, after = median(samples[fifth:2 * fifth]), median(samples[-fifth:])
    growth = after / before - 1
    limit = "not judged" if bar is None else f"≤ {bar:.0%}"
    verdict.check(f"private memory, last fifth against second: growth {limit}",
                  bar is None or growth <= bar,
                  f"{growth:+.1%} ({before / 2**20:.1f} → {after / 2**20:.1f} MiB)")
