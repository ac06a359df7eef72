"""The rules of a soak's books notice: each test breaks one thing in books that agree, and some
check must fail, but none before. soak.sh runs it first.
"""

import json
import os
import sys
import tempfile
import unittest

import books
import traffic

METRICS = """\
# HELP weir_batches_total Batches that ended, by how they ended.
weir_batches_total{outcome="ok",pool="p",route="all"} 2
weir_batches_total{outcome="client_gone",pool="p",route="all"} 1
weir_batches_total{outcome="bad_request",pool="p",route="limited"} 1
weir_batches_total{outcome="bad_request",pool="",route=""} 2
weir_batch_duration_seconds_count{pool="p"} 4
weir_attempts_total{outcome="succeeded",pool="p",worker="w1"} 2
weir_attempts_total{outcome="failed",pool="p",worker="w1"} 1
weir_retries_total{pool="p",reason="failed"} 1
weir_queue_wait_seconds_count{outcome="granted",pool="p"} 3
weir_queue_wait_seconds_count{outcome="client_gone",pool="p"} 1
weir_limit_hits_total{limit="routes.body_max"} 1
weir_limit_hits_total{limit="limits.head_bytes_max"} 1
weir_limit_hits_total{limit="access_log.buffer_records"} 0
"""
ROUTED = {"route": "all", "pool": "p", "tenant": "get", "queue_ms": 0.0}
LINES = [
    {**ROUTED, "outcome": "ok", "status": 200, "target": "/load?id=1", "attempts": 1},
    {**ROUTED, "outcome": "ok", "status": 200, "target": "/load?id=2", "attempts": 2,
     "retried": "failed"},
    {**ROUTED, "outcome": "client_gone", "target": "/load?id=3", "queue_ms": 5.0,
     "reason": "client-gone"},
    {**ROUTED, "route": "limited", "outcome": "bad_request", "status": 413,
     "target": "/load/limited?id=4", "reason": "body-too-large"},
    {"outcome": "bad_request", "status": 404, "target": "/nowhere?id=5", "reason": "no-route"},
    {"outcome": "bad_request", "status": 431, "reason": "head-too-large", "target": "/load"},
]


def known():
    ledger = traffic.Ledger()
    for status in (200, 200, 0, 413, 404, None):
        _, entry = ledger.enter("get")
        entry.sent = status is not None
        entry.patient = entry.whole = bool(status)
        entry.status = status or 0
    ledger.bad[431] = 1
    return ledger


def worker(**changes):
    return (4, 4, {"requests": 3, "served": 2, "turned_away": 0, "open": 0, "open_most": 2,
                   **changes})


class BooksTest(unittest.TestCase):
    def failures(self, metrics=METRICS, lines=LINES, ledger=None, of_worker=None, tail=""):
        """Names of the checks that fail."""
        with tempfile.TemporaryDirectory() as folder:
            with open(os.path.join(folder, "access.log"), "w", encoding="utf-8") as file:
                file.writelines(json.dumps(line) + "\n" for line in lines)
                file.write(tail)
            log = books.AccessLog(os.path.join(folder, "access*.log"))
        verdict = books.Verdict()
        sums = books.parse_metrics(metrics)
        loads = {"get": {"requests": 3, "errors": {"closed": 1}}}
        books.check_counters(verdict, sums, log)
        books.check_clients(verdict, log, ledger or known(), loads)
        books.check_workers(verdict, sums, [of_worker or worker()])
        books.check_idle(verdict, sums)
        return [what for what, holds, _ in verdict.rows if not holds]

    def test_books_that_agree_pass(self):
        self.assertEqual(self.failures(), [])

    def test_any_counter_that_is_off_by_one_is_noticed(self):
        for line in METRICS.splitlines()[1:]:
            with self.subTest(line):
                series, _, value = line.rpartition(" ")
                changed = METRICS.replace(line, f"{series} {int(value) + 1}")
                self.assertNotEqual(self.failures(changed), [])

    def test_a_line_that_is_missing_or_doubled_or_cut_is_noticed(self):
        for number in range(len(LINES)):
            with self.subTest(number):
                self.assertNotEqual(self.failures(lines=LINES[:number] + LINES[number + 1:]), [])
                self.assertNotEqual(self.failures(lines=LINES + [LINES[number]]), [])
        self.assertNotEqual(self.failures(tail='{"outcome":"ok"'), [])
        self.assertNotEqual(self.failures(tail="{}{}\n"), [])

    def test_a_line_that_contradicts_its_client_is_noticed(self):
        for changes in ({"status": 503}, {"whole": False}, {"status": 0}, {"sent": False}):
            with self.subTest(changes):
                ledger = known()
                for name, value in changes.items():
                    setattr(ledger.entries[1], name, value)
                self.assertEqual(len(self.failures(ledger=ledger)), 1)

    def test_a_worker_that_got_too_much_is_noticed(self):
        for changes in ({"open_most": 5}, {"turned_away": 1}, {"open": 1}, {"requests": 4},
                        {"requests": 2}, {"served": 1}):
            with self.subTest(changes):
                self.assertEqual(len(self.failures(of_worker=worker(**changes))), 1)

    def test_a_gauge_that_stays_is_noticed(self):
        for name in ("weir_queue_batches", "weir_worker_in_flight", "weir_connections"):
            self.assertEqual(len(self.failures(METRICS + f'{name}{{pool="p"}} 1\n')), 1)

    def test_memory_that_grows_is_noticed(self):
        for last, good in ((104, True), (106, False)):
            verdict = books.Verdict()
            books.check_memory(verdict, [10] * 2 + [100] * 6 + [last] * 2, 0.05)
            self.assertEqual(verdict.good, good)

    def test_counters_of_workers_that_left_and_came_back_are_kept(self):
        counters = books.Counters()
        name = "weir_attempts_total", (("worker", "w"),)
        for value in (5, 7, None, 2, 3):
            counters.add({} if value is None else {name: value})
        self.assertEqual(counters.sums()[name], 10)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
