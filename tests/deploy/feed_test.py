"""The plan of the feed (same seed, same bytes; counts as documented), the feed against a front door
that misbehaves, and the count of the database, which has to notice every kind of loss."""
import collections
import hashlib
import http.server
import json
import pathlib
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import DEPLOY, PATIENCE, Program
import plan
import tables

ROWS = 1500      # enough for every kind of breakage, few enough for a test


def digest(batches):
    whole = hashlib.sha256()
    for batch in batches:
        whole.update(repr(batch).encode())
    return whole.hexdigest()


def outcome(batch):
    """(loaded, rejected) by the worker's own rules, or None when the batch is broken."""
    try:
        records = tables.parse(batch.table, batch.kind, batch.body)
    except tables.Broken:
        return None
    loaded = 0
    for _, record in records:
        try:
            loaded += bool(tables.transform(batch.table, record))
        except ValueError:
            pass
    return loaded, len(records) - loaded


class PlanTest(unittest.TestCase):
    def test_the_sources_are_the_documented_ones(self):
        self.assertEqual(plan.sizes(), {"airports": 3376, "birdstrikes": 10000, "zipcodes": 42049})
        bad = [r for r in plan.source("birdstrikes") if not plan.usable("birdstrikes", r)]
        self.assertEqual(collections.Counter(r["Effect Amount of damage"] for r in bad),
                         {"B": 1, "C": 14})

    def test_the_real_data_gives_the_documented_counts(self):
        expected = {"tables": {"airports": {"batches": 171, "rows": 3376, "rejects": 79},
                               "birdstrikes": {"batches": 497, "rows": 9985, "rejects": 215},
                               "zipcodes": {"batches": 2102, "rows": 42049, "rejects": 867}},
                    "broken_batches": 65, "repeated_batches": 75}
        self.assertEqual(plan.expectation(plan.batches()), expected)
        readme = (DEPLOY / "README.md").read_text(encoding="utf-8")
        for count in ("3,376", "9,985", "42,049", "55,425", "1,161", "2,770", "65", "75"):
            self.assertIn(count, readme)

    def test_the_same_seed_gives_the_same_bytes_and_another_gives_others(self):
        first = digest(plan.batches(ROWS))
        self.assertEqual(first, digest(plan.batches(ROWS)))
        self.assertNotEqual(first, digest(plan.batches(ROWS, seed=plan.SEED + 1)))

    def test_every_batch_is_what_it_says_by_the_rules_of_the_worker(self):
        kinds = collections.Counter()
        for batch in plan.batches():
            with self.subTest(batch=batch.key):
                expected = None if batch.broken else (batch.loads, batch.rejects)
                self.assertEqual(outcome(batch), expected)
            kinds[batch.kind, batch.broken] += 1
        self.assertEqual(len(kinds), 8)          # both formats; whole, and broken in three ways

    def test_every_row_of_the_source_is_in_exactly_one_batch(self):
        seen = collections.Counter()
        for batch in plan.batches():
            if not batch.broken:
                for _, record in tables.parse(batch.table, batch.kind, batch.body):
                    try:
                        seen[batch.table, tables.transform(batch.table, record)[0]] += 1
                    except ValueError:
                        pass
        usable = {(table, number) for table, count in plan.sizes().items()
                  for number in range(1, count + 1)
                  if plan.usable(table, plan.row(table, number))}
        self.assertEqual(set(seen), usable)
        self.assertEqual(set(seen.values()), {1})

    def test_more_rows_than_the_source_has_are_varied_copies_that_load(self):
        count = plan.sizes(120000)
        self.assertEqual(sum(count.values()), 120000)
        for table in plan.TENANTS:
            size = len(plan.source(table))
            for number in (size + 1, size + 77, 2 * size + 5):
                copy = plan.row(table, number)
                self.assertEqual(copy, plan.row(table, number))
                self.assertNotEqual(copy, {**plan.row(table, (number - 1) % size + 1),
                                           "row": str(number)})
                self.assertEqual(tables.transform(table, copy)[0], number)

    def test_fewer_rows_are_the_first_of_each_source(self):
        for rows in (1, 2, 17, ROWS):
            self.assertEqual(sum(plan.sizes(rows).values()), rows)
            loads = sum(b.loads for b in plan.batches(rows) if not b.broken)
            self.assertLessEqual(loads, rows)


class Door(http.server.BaseHTTPRequestHandler):
    """A front door that answers as the worker would, after the faults that its script holds."""
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def do_POST(self):
        body = self.body()
        kind, table = self.headers["Content-Type"], self.path.removeprefix("/load/")
        key = self.headers["Idempotency-Key"]
        with self.server.lock:
            self.server.seen.append((key, table, body, self.headers["X-Tenant"],
                                     self.headers["X-Batch-Rows"]))
            fault = self.server.faults.pop(0) if self.server.faults else None
            replayed = key in self.server.loaded
            if fault is None:
                self.server.loaded.add(key)
        if fault == "drop":
            self.close_connection = True
            return None
        if fault:
            return self.answer(fault, {}, [("Retry-After", "0")])
        counts = outcome(plan.Batch(key, table, kind, 0, body, 0, 0))
        if counts is None:
            return self.answer(422, {})
        return self.answer(200, {"rows_loaded": counts[0], "rows_rejected": counts[1],
                                 "replayed": replayed and not self.server.forgetful})

    def body(self):
        if self.headers["Content-Length"]:
            return self.rfile.read(int(self.headers["Content-Length"]))
        body = b""
        while size := int(self.rfile.readline(), 16):
            body += self.rfile.read(size + 2)[:-2]
        self.rfile.readline()
        return body

    def answer(self, status, content, fields=()):
        """Every other answer in chunks: weir relays what the worker sent."""
        text = json.dumps(content).encode()
        chunked = len(self.server.seen) % 2
        self.send_response(status)
        for name, value in [*fields, ("Weir-Worker", f"w{len(text) % 2}"),
                            ("Transfer-Encoding", "chunked") if chunked
                            else ("Content-Length", str(len(text)))]:
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(b"%x\r\n%b\r\n0\r\n\r\n" % (len(text), text) if chunked else text)

    def log_message(self, *_):
        pass


class FeedTest(unittest.TestCase):
    def feed(self, faults=(), forgetful=False, at_once=4):
        """Runs the feed against a door with these faults first: (exit code, summary, door)."""
        server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Door)
        server.daemon_threads = True
        server.lock, server.faults = threading.Lock(), list(faults)
        server.seen, server.loaded, server.forgetful = [], set(), forgetful
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            with tempfile.NamedTemporaryFile("r") as summary:
                done = subprocess.run(
                    [sys.executable, str(DEPLOY / "feed.py"), "--rows", str(ROWS), "--at-once",
                     str(at_once), "--url", f"http://127.0.0.1:{server.server_port}",
                     "--summary", summary.name], timeout=PATIENCE, stdout=subprocess.PIPE)
                return done.returncode, json.load(summary), server
        finally:
            server.shutdown()
            thread.join()
            server.server_close()

    def test_it_posts_what_the_plan_says_and_counts_what_came_back(self):
        code, summary, door = self.feed()
        batches = list(plan.batches(ROWS))
        self.assertEqual((code, summary["failures"], summary["errors_seen"]), (0, [], {}))
        self.assertEqual(summary["answered"], summary["expected"])
        self.assertEqual(summary["expected"], plan.expectation(batches))
        self.assertEqual(summary["answers"]["422"], sum(bool(b.broken) for b in batches))
        self.assertEqual(sum(summary["workers"].values()), len(batches))
        planned = [(f'"{b.key}"', b.table, b.body, plan.TENANTS[b.table], str(b.rows))
                   for b in batches for _ in range(1 + b.repeated)]
        self.assertEqual(sorted(door.seen), sorted(planned))

    def test_refusals_and_lost_answers_are_sent_again_with_the_same_key(self):
        faults = ["drop", 503, 429, 502, 504, 409, 503]
        code, summary, door = self.feed(faults)
        self.assertEqual((code, summary["failures"]), (0, []))
        self.assertEqual(summary["told_to_wait"], 3)
        self.assertEqual(sum(summary["errors_seen"].values()), 4)
        self.assertEqual(summary["sent_again"], len(faults))
        bodies = collections.defaultdict(set)
        for key, _, body, _, _ in door.seen:
            bodies[key].add(body)
        self.assertEqual({len(b) for b in bodies.values()}, {1})

    def test_a_kept_connection_that_was_closed_is_no_error(self):
        code, summary, _ = self.feed([None, "drop"], at_once=1)
        self.assertEqual((code, summary["errors_seen"], summary["sent_again"]), (0, {}, 0))

    def test_a_batch_that_is_loaded_again_is_a_failure(self):
        code, summary, _ = self.feed(forgetful=True)
        self.assertEqual(code, 1)
        self.assertIn("not a replay", summary["failures"][0])

    def test_an_answer_that_was_not_planned_is_a_failure(self):
        code, summary, _ = self.feed([418])
        self.assertEqual(code, 1)
        self.assertEqual(len(summary["failures"]), 1)
        self.assertIn("418, not ", summary["failures"][0])


class CountTest(unittest.TestCase):
    """Feeds a real worker once, then counts copies of its database with one thing changed."""

    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.whole = f"{cls.folder.name}/whole.sqlite"
        with Program("worker/worker.py", "--listen", "127.0.0.1:0", "--database", cls.whole,
                     "--id", "w") as worker:
            subprocess.run([sys.executable, str(DEPLOY / "feed.py"), "--url", worker.url, "--rows",
                            str(ROWS), "--at-once", "4"], check=True, timeout=PATIENCE,
                           stdout=subprocess.DEVNULL)

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def count(self, *changes):
        path = f"{self.folder.name}/changed.sqlite"
        pathlib.Path(path).unlink(missing_ok=True)
        source, copy = sqlite3.connect(self.whole), sqlite3.connect(path)
        source.backup(copy)
        for change in changes:
            copy.execute(change)
        copy.commit()
        source.close()
        copy.close()
        done = subprocess.run([sys.executable, str(DEPLOY / "count.py"), "--database", path,
                               "--rows", str(ROWS)], timeout=PATIENCE, stdout=subprocess.PIPE)
        return done.returncode, json.loads(done.stdout)

    def test_what_was_fed_is_there_once(self):
        code, report = self.count()
        self.assertEqual((code, report["ok"], report["wrong"]), (0, True, []))
        rows = sum(table["rows"] for table in report["tables"].values())
        self.assertEqual(report["workers"]["w"]["rows"], rows)

    def test_every_kind_of_loss_is_noticed(self):
        one = "rowid = (SELECT min(rowid) FROM zipcodes)"
        table = [
            (f"DELETE FROM zipcodes WHERE {one}", "zipcodes: rows missing: 1"),
            (f"INSERT INTO zipcodes SELECT * FROM zipcodes WHERE {one}", "loaded twice: 1"),
            (f"UPDATE zipcodes SET zip_code = '00000' WHERE {one}", "not the source's: 1"),
            (f"UPDATE zipcodes SET source_row = 99999 WHERE {one}", "not the source's: 1"),
            ("DELETE FROM rejects WHERE table_name = 'zipcodes'", "zipcodes: rejects: 0"),
            ("DELETE FROM batches WHERE rowid = 1", "batches in the ledger"),
            ("INSERT INTO batches SELECT key || '-broken', batch_id, attempt, fingerprint, state,"
             " table_name, worker, 0, 0, answer, loaded_at FROM batches LIMIT 1",
             "broken batches that loaded something: 1"),
            (f"UPDATE zipcodes SET batch = 'other' WHERE {one}", "not what the ledger says: 1"),
        ]
        for change, says in table:
            with self.subTest(change=change):
                code, report = self.count(change)
                self.assertEqual((code, report["ok"]), (1, False))
                self.assertIn(says, "\n".join(report["wrong"]))


if __name__ == "__main__":
    unittest.main()
