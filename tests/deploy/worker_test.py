"""The example worker over real sockets: framing, rows, the ledger, fencing, busy, leaving."""
import argparse
import os
import pathlib
import shutil
import signal
import sqlite3
import subprocess
import sys
import tempfile
import threading
import unittest
import unittest.mock

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import DEPLOY, Program, Wire, ask, eventually
import worker as worker_module

CSV_HEAD = "row,iata,name,city,state,country,latitude,longitude\n"
GOOD = CSV_HEAD + "1,00M,Thigpen,Bay Springs,MS,USA,31.95376472,-89.23450472\n" \
                  "2,BTR,\"Baton Rouge, Ryan\",Baton Rouge,LA,USA,30.53316083,-91.14963444\n"
NDJSON = "application/x-ndjson"


class WorkerTest(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.addCleanup(self.folder.cleanup)
        self.database = pathlib.Path(self.folder.name, "loaded.sqlite")

    def start(self, *options):
        worker = Program("worker/worker.py", "--listen", "127.0.0.1:0", "--id", "w",
                         "--database", self.database, *options)
        self.addCleanup(worker.stop)
        return worker

    def rows(self, statement):
        connection = sqlite3.connect(self.database)
        try:
            return connection.execute(statement).fetchall()
        finally:
            connection.close()

    def post(self, worker, body=GOOD, table="airports", key="k", kind="text/csv", **headers):
        if key:
            headers["Idempotency_Key"] = key
        return ask(worker.address, "POST", f"/load/{table}", body, Content_Type=kind, **headers)

    def count(self, table="airports"):
        return self.rows(f"SELECT count(*) FROM {table}")[0][0]


class LoadingTest(WorkerTest):
    def test_csv_rows_are_loaded_with_their_types(self):
        answer = self.post(self.start())
        self.assertEqual((answer.status, answer.headers["Content-Type"]), (200, "application/json"))
        self.assertEqual(answer.json(), {"batch": "k", "table": "airports", "worker": "w",
                                         "rows_loaded": 2, "rows_rejected": 0, "replayed": False})
        self.assertEqual(self.rows("SELECT * FROM airports WHERE source_row = 2"),
                         [("k", 2, "BTR", "Baton Rouge, Ryan", "Baton Rouge", "LA", "USA",
                           30.53316083, -91.14963444)])

    def test_ndjson_rows_are_trimmed_and_money_is_cents(self):
        strike = ('{"row":7,"Airport Name":"  CHICAGO   O\'HARE ","Aircraft Make Model":"B-737",'
                  '"Effect Amount of damage":"minor","Flight Date":"1999-10-19",'
                  '"Aircraft Airline Operator":"US AIRWAYS*","Origin State":"Illinois",'
                  '"Phase of flight":"Climb","Wildlife Size":"Large","Wildlife Species":"Gull",'
                  '"Time of day":"Day","Cost Other":0,"Cost Repair":"1,234.5",'
                  '"Cost Total $":1234.5,"Speed IAS in knots":""}\r\n\r\n')
        answer = self.post(self.start(), strike, "birdstrikes", kind=NDJSON + "; charset=utf-8")
        self.assertEqual(answer.json()["rows_loaded"], 1)
        self.assertEqual(
            self.rows("SELECT airport, damage, flight_date, cost_repair_cents, cost_total_cents,"
                      " speed_knots FROM birdstrikes"),
            [("CHICAGO O'HARE", "Minor", "1999-10-19", 123450, 123450, None)])

    def test_broken_rows_are_kept_aside_with_the_reason_and_the_others_load(self):
        body = GOOD + "3,00V,Meadow Lake,Springs,CO,USA,98.9,-104\n4,,x,,,USA,1,1\n"
        answer = self.post(self.start(), body)
        self.assertEqual((answer.json()["rows_loaded"], answer.json()["rows_rejected"]), (2, 2))
        self.assertEqual(self.rows("SELECT batch, line, table_name, reason FROM rejects"),
                         [("k", 3, "airports", "latitude: 98.9 is outside -90..90"),
                          ("k", 4, "airports", "iata: missing")])
        self.assertIn("Meadow Lake", self.rows("SELECT raw FROM rejects WHERE line = 3")[0][0])

    def test_without_a_key_the_batch_id_of_weir_is_the_key(self):
        worker = self.start()
        first = self.post(worker, key=None, Weir_Batch_Id="b1", Weir_Attempt="1")
        again = self.post(worker, key=None, Weir_Batch_Id="b1", Weir_Attempt="2")
        self.assertEqual((first.json()["replayed"], again.json()["replayed"]), (False, True))
        self.assertEqual(self.count(), 2)

    def test_a_batch_without_any_key_is_refused(self):
        self.assertEqual(self.post(self.start(), key=None).status, 400)

    def test_a_tenant_does_not_meet_the_keys_of_another(self):
        worker = self.start()
        for tenant in ("a", "b"):
            answer = self.post(worker, X_Tenant=tenant).json()
            self.assertEqual((answer["batch"], answer["replayed"]), (f"{tenant}/k", False))
        self.assertEqual(self.count(), 4)


class RefusalTest(WorkerTest):
    def test_a_batch_of_broken_structure_loads_nothing_and_says_where(self):
        table = [
            ("text/csv", "row,iata\n1,00M\n", "the header lacks"),
            ("text/csv", GOOD + '3,"00V,x,y,CO,USA,1,1\n', "unexpected end of data"),
            ("text/csv", CSV_HEAD, "without a row"),
            ("text/csv", "", "the header lacks"),
            ("text/csv", GOOD.encode() + b"\xff\xfe", "not UTF-8 at byte"),
            (NDJSON, '{"row":1}\n{"row":2', "line 2 is not JSON"),
            (NDJSON, '[1]\n', "line 1 is not a JSON object"),
            (NDJSON, "\n\n", "without a row"),
            (NDJSON, "[" * 100000, "line 1 is not JSON"),
        ]
        worker = self.start()
        for kind, body, reason in table:
            with self.subTest(body=body[:40]):
                answer = self.post(worker, body, kind=kind)
                self.assertEqual((answer.status, answer.headers["Content-Type"]),
                                 (422, "application/problem+json"))
                self.assertEqual(answer.json()["status"], 422)
                self.assertIn(reason, answer.json()["detail"])
        self.assertEqual((self.count(), self.count("rejects"), self.count("batches")), (0, 0, 0))
        self.assertEqual(self.post(worker).status, 200)     # the key is not used up

    def test_what_is_not_a_batch_gets_the_fitting_status(self):
        worker = self.start("--body-max", "500")
        table = [("/load/nothing", "text/csv", GOOD, 404), ("/", "text/csv", GOOD, 404),
                 ("/load/airports", "application/json", GOOD, 415),
                 ("/load/airports", "text/csv", "x" * 501, 413)]
        for path, kind, body, status in table:
            with self.subTest(path=path, kind=kind):
                answer = ask(worker.address, "POST", path, body, Content_Type=kind,
                             Idempotency_Key="k")
                self.assertEqual(answer.status, status)
        self.assertEqual(ask(worker.address, "GET", "/load/airports").status, 404)

    def test_an_answer_before_a_huge_body_was_read_is_not_lost_to_a_reset(self):
        worker = self.start("--body-max", "1000")
        answer = self.post(worker, "x" * (8 << 20))
        self.assertEqual((answer.status, answer.headers["Connection"]), (413, "close"))


class FramingTest(WorkerTest):
    HEAD = "POST /load/airports HTTP/1.1\r\nHost: w\r\nContent-Type: text/csv\r\n"

    def test_chunks_of_any_size_with_extensions_and_trailers(self):
        data, parts = GOOD.encode(), []
        for place in range(0, len(data), 7):
            piece = data[place:place + 7]
            parts.append(f"{len(piece):X};x=y\r\n".encode() + piece + b"\r\n")
        with Wire(self.start().address) as wire:
            wire.send(self.HEAD, "Idempotency-Key: k\r\nTransfer-Encoding: chunked\r\n\r\n",
                      *parts, "0\r\nX-Sum: 1\r\n\r\n")
            self.assertEqual(wire.answer().json()["rows_loaded"], 2)
            wire.send(self.HEAD, f"Idempotency-Key: l\r\nContent-Length: {len(GOOD)}\r\n\r\n", GOOD)
            self.assertEqual(wire.answer().json()["batch"], "l")      # the connection lives on

    def test_many_requests_pass_over_one_connection(self):
        with Wire(self.start().address) as wire:
            for key in range(20):
                wire.send(self.HEAD, f"Idempotency-Key: {key}\r\n",
                          f"Content-Length: {len(GOOD)}\r\n\r\n", GOOD)
                self.assertEqual(wire.answer().status, 200)
        self.assertEqual(self.count(), 40)

    def test_broken_framing_is_refused_and_the_connection_closed(self):
        table = [("Transfer-Encoding: chunked\r\nContent-Length: 3", "0\r\n\r\n", 400),
                 ("Transfer-Encoding: gzip, chunked", "0\r\n\r\n", 400),
                 ("Transfer-Encoding: chunked", "zz\r\n", 400),
                 ("Transfer-Encoding: chunked", "-1\r\n", 400),
                 ("Transfer-Encoding: chunked", "1\r\nabc\r\n", 400),
                 ("Content-Length: -1", "", 400),
                 ("X-Nothing: 1", "", 411)]
        worker = self.start()
        for field, body, status in table:
            with self.subTest(field=field, body=body), Wire(worker.address) as wire:
                wire.send(self.HEAD, f"Idempotency-Key: k\r\n{field}\r\n\r\n{body}")
                self.assertEqual(wire.answer().status, status)
                self.assertTrue(wire.at_end())
        self.assertEqual(self.count(), 0)

    def test_a_client_that_leaves_in_the_middle_of_its_body_loads_nothing(self):
        worker = self.start("--slots", "1")
        with Wire(worker.address) as wire:
            wire.send(self.HEAD, "Idempotency-Key: k\r\nContent-Length: 1000\r\n\r\n", GOOD)
        eventually(lambda: self.post(worker, key="l").status == 200, "the slot came back")
        self.assertEqual(self.rows("SELECT key FROM batches"), [("l",)])


class LedgerTest(WorkerTest):
    def test_a_batch_sent_again_gets_the_stored_answer_and_counts_once(self):
        worker = self.start()
        first = self.post(worker).json()
        again = self.post(worker)
        self.assertEqual((again.status, again.json()), (200, {**first, "replayed": True}))
        self.assertEqual((self.count(), self.count("batches")), (2, 1))

    def test_the_ledger_is_shared_by_workers_and_outlives_them(self):
        with Program("worker/worker.py", "--listen", "127.0.0.1:0", "--database", self.database,
                     "--id", "first") as other:
            self.post(other)
        again = self.post(self.start()).json()
        self.assertEqual((again["worker"], again["replayed"]), ("first", True))

    def test_a_key_used_for_another_content_is_refused(self):
        worker = self.start()
        self.post(worker)
        self.assertEqual(self.post(worker, GOOD + "3,00R,L,L,TX,USA,1,1\n").status, 422)
        self.assertEqual(self.count(), 2)

    def test_workers_on_one_file_load_a_batch_once_however_many_bring_it(self):
        workers = [self.start(), self.start()]
        answers = []
        def bring(worker):
            answers.append(self.post(worker).json())
        threads = [threading.Thread(target=bring, args=(w,)) for w in workers * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([a["replayed"] for a in answers].count(False), 1)
        self.assertEqual(self.count(), 2)

    def test_a_worker_killed_in_the_middle_of_loading_leaves_nothing_and_the_next_loads_all(self):
        dying = self.start("--crash-at", "2")
        self.post(dying, key="before")
        with self.assertRaises(ConnectionError):
            self.post(dying, Weir_Batch_Id="b", Weir_Attempt="1")
        self.assertEqual(dying.ended(), -signal.SIGKILL)
        self.assertEqual((self.count(), self.count("batches")), (2, 1))
        answer = self.post(self.start(), Weir_Batch_Id="b", Weir_Attempt="2").json()
        self.assertEqual((answer["rows_loaded"], answer["replayed"]), (2, False))
        self.assertEqual((self.count(), self.count("batches")), (4, 2))


class FencingTest(WorkerTest):
    def attempt(self, worker, number, batch="b", key="k"):
        return self.post(worker, key=key, Weir_Batch_Id=batch, Weir_Attempt=str(number))

    def test_a_lower_attempt_than_one_that_loaded_is_refused(self):
        worker = self.start()
        self.assertEqual(self.attempt(worker, 3).status, 200)
        late = self.attempt(worker, 2)
        self.assertEqual((late.status, late.headers["Content-Type"]),
                         (409, "application/problem+json"))
        self.assertEqual(self.attempt(worker, 3).json()["replayed"], True)
        self.assertEqual(self.attempt(worker, 4).json()["replayed"], True)

    def test_a_later_attempt_that_died_before_loading_shuts_out_the_earlier_ones(self):
        dying = self.start("--crash-at", "1")
        with self.assertRaises(ConnectionError):
            self.attempt(dying, 2)
        self.assertEqual(self.rows("SELECT state, attempt FROM batches"), [("claimed", 2)])
        worker = self.start()
        self.assertEqual(self.attempt(worker, 1).status, 409)
        self.assertEqual((self.count(), self.attempt(worker, 3).json()["rows_loaded"]), (0, 2))

    def test_an_attempt_overtaken_while_it_received_its_body_cannot_load(self):
        worker = self.start()
        with Wire(worker.address) as slow:
            slow.send(FramingTest.HEAD, "Idempotency-Key: k\r\nWeir-Batch-Id: b\r\n",
                      f"Weir-Attempt: 1\r\nContent-Length: {len(GOOD)}\r\n\r\n", GOOD[:20])
            self.assertEqual(self.attempt(worker, 2).status, 200)
            self.assertEqual(slow.send(GOOD[20:]).answer().status, 409)
        self.assertEqual(self.count(), 2)

    def test_attempts_of_another_batch_with_the_same_key_are_not_compared(self):
        worker = self.start()
        self.attempt(worker, 3, batch="b1")
        answer = self.attempt(worker, 1, batch="b2")    # the client sent it anew through weir
        self.assertEqual((answer.status, answer.json()["replayed"]), (200, True))

    def test_an_attempt_that_is_no_number_is_refused(self):
        self.assertEqual(self.attempt(self.start(), "-1").status, 400)


class SlotsTest(WorkerTest):
    def take_slot(self, wire):
        """Sends a head and waits for 100 Continue: from then on the slot is ours."""
        wire.send(FramingTest.HEAD, "Idempotency-Key: k\r\nExpect: 100-continue\r\n",
                  f"Content-Length: {len(GOOD)}\r\n\r\n")
        self.assertEqual(wire.line(), "HTTP/1.1 100 Continue")
        self.assertEqual(wire.line(), "")

    def test_when_all_slots_are_taken_the_answer_is_busy_and_nothing_was_executed(self):
        worker = self.start("--slots", "1")
        with Wire(worker.address) as wire:
            self.take_slot(wire)
            self.assertEqual(ask(worker.address, "GET", "/healthz").json()["in_flight"], 1)
            busy = self.post(worker, key="l")
            self.assertEqual((busy.status, busy.headers["Retry-After"]), (503, "1"))
            self.assertEqual(wire.send(GOOD).answer().status, 200)
        self.assertEqual(self.rows("SELECT key FROM batches"), [("k",)])
        self.assertEqual(self.post(worker, key="l").status, 200)

    def test_an_expecting_client_gets_a_refusal_in_place_of_continue(self):
        worker = self.start("--slots", "1")
        with Wire(worker.address) as holder, Wire(worker.address) as second:
            self.take_slot(holder)
            second.send(FramingTest.HEAD, "Idempotency-Key: l\r\nExpect: 100-continue\r\n",
                        "Content-Length: 5\r\n\r\n")
            self.assertEqual(second.line(), "HTTP/1.1 503 Service Unavailable")

    def test_the_slot_is_free_again_before_the_answer_arrives(self):
        worker = self.start("--slots", "1")
        for key in range(50):
            self.assertEqual(self.post(worker, key=str(key)).status, 200)

    def test_terminated_it_finishes_what_runs_refuses_what_comes_and_leaves(self):
        worker = self.start()
        with Wire(worker.address) as wire:
            self.take_slot(wire)
            worker.process.send_signal(signal.SIGTERM)
            eventually(lambda: ask(worker.address, "GET", "/healthz").status == 503, "draining")
            refused = self.post(worker, key="l")
            self.assertEqual((refused.status, refused.headers["Retry-After"]), (503, "1"))
            answer = wire.send(GOOD).answer()
            self.assertEqual((answer.status, answer.headers["Connection"]), (200, "close"))
        self.assertEqual(worker.ended(), 0)
        self.assertEqual(self.rows("SELECT key FROM batches"), [("k",)])

    def test_idle_it_leaves_at_once(self):
        worker = self.start()
        with Wire(worker.address):                      # an idle connection does not hold it
            worker.process.send_signal(signal.SIGTERM)
            self.assertEqual(worker.ended(), 0)

    def test_it_says_what_it_did_not_counting_replays(self):
        worker = self.start()
        self.post(worker)
        self.post(worker)
        status = ask(worker.address, "GET", "/healthz").json()
        self.assertEqual(status, {"worker": "w", "state": "up", "slots": 4, "in_flight": 0,
                                  "batches": 1, "rows": 2})


class DatabaseTest(WorkerTest):
    def test_a_database_that_fails_is_a_500_and_comes_back(self):
        worker = self.start("--slots", "1")
        connection = sqlite3.connect(self.database)
        connection.execute("ALTER TABLE airports RENAME TO hidden")
        self.assertEqual(self.post(worker).status, 500)
        connection.execute("ALTER TABLE hidden RENAME TO airports")
        connection.close()
        self.assertEqual(self.post(worker).json()["replayed"], False)
        self.assertEqual(self.count(), 2)

    def test_a_database_that_cannot_be_opened_ends_the_worker_at_the_start(self):
        self.database.mkdir()
        with self.assertRaisesRegex(AssertionError, "unable to open database"):
            self.start()


class FaultTest(unittest.TestCase):
    def test_a_row_takes_its_delay_and_a_slow_worker_its_factor(self):
        options = argparse.Namespace(slots=1, database=":memory:", delay=10, slow=4)
        with unittest.mock.patch.object(worker_module, "time") as clock:
            clock.monotonic.return_value = 7.0
            worker_module.Worker(options)._pretend_to_work(20, started=6.5)
        self.assertEqual([call.args[0] for call in clock.sleep.call_args_list], [0.2, 1.5])


class PostgresTest(WorkerTest):
    """The same statements against PostgreSQL, where its programs are installed."""
    BIN = next(iter(sorted(pathlib.Path("/usr/lib/postgresql").glob("*/bin"), reverse=True)), None)

    def setUp(self):
        if self.BIN is None or not (self.BIN / "initdb").exists():
            self.skipTest("PostgreSQL's programs are not installed")
        super().setUp()
        self.user = "postgres" if os.geteuid() == 0 else None    # initdb refuses root
        if self.user:
            shutil.chown(self.folder.name, self.user)
        data = pathlib.Path(self.folder.name, "data")
        self.run_as(self.BIN / "initdb", "-D", data, "-U", "weir", "-A", "trust", "--no-sync")
        options = f"-k {self.folder.name} -c listen_addresses= -c fsync=off"
        self.run_as(self.BIN / "pg_ctl", "-D", data, "-o", options, "-w", "-l",
                    f"{self.folder.name}/log", "start")
        self.addCleanup(self.run_as, self.BIN / "pg_ctl", "-D", data, "-m", "immediate", "stop")
        self.database = f"postgresql://weir@/postgres?host={self.folder.name}"

    def run_as(self, *command):
        subprocess.run([str(part) for part in command], user=self.user, cwd=self.folder.name,
                       check=True, timeout=60, stdout=subprocess.DEVNULL)

    def rows(self, statement):
        import psycopg2
        connection = psycopg2.connect(self.database)
        try:
            with connection.cursor() as cursor:
                cursor.execute(statement)
                return cursor.fetchall()
        finally:
            connection.close()

    def test_the_ledger_holds_on_postgresql_too(self):
        workers = [self.start("--crash-at", "3"), self.start()]
        first = self.post(workers[0], GOOD + "3,,x,,,USA,1,1\n").json()
        self.assertEqual((first["rows_loaded"], first["rows_rejected"]), (2, 1))
        again = self.post(workers[1], GOOD + "3,,x,,,USA,1,1\n").json()
        self.assertEqual(again, {**first, "replayed": True})
        self.post(workers[0], key="second")
        with self.assertRaises(ConnectionError):
            self.post(workers[0], key="third", Weir_Batch_Id="b", Weir_Attempt="2")
        self.assertEqual(self.rows("SELECT key, state, attempt FROM batches ORDER BY key"),
                         [("k", "loaded", 1), ("second", "loaded", 1), ("third", "claimed", 2)])
        late = self.post(workers[1], key="third", Weir_Batch_Id="b", Weir_Attempt="1")
        third = self.post(workers[1], key="third", Weir_Batch_Id="b", Weir_Attempt="3")
        self.assertEqual((late.status, third.status, self.count()), (409, 200, 6))
        self.assertEqual(self.rows("SELECT latitude FROM airports WHERE source_row = 2")[0][0],
                         30.53316083)

    def test_what_was_fed_is_counted(self):
        worker, rows = self.start(), ["--rows", "300"]
        for command in (["feed.py", "--url", worker.url, "--at-once", "4", *rows],
                        ["count.py", "--database", self.database, *rows]):
            done = subprocess.run([sys.executable, str(DEPLOY / command[0]), *command[1:]],
                                  timeout=60, stdout=subprocess.PIPE)
            self.assertEqual(done.returncode, 0, done.stdout)

    def test_batches_at_once_are_loaded_once(self):
        workers = [self.start(), self.start()]
        answers = []
        threads = [threading.Thread(target=lambda w=w: answers.append(self.post(w).json()))
                   for w in workers * 3]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        self.assertEqual([a["replayed"] for a in answers].count(False), 1)
        self.assertEqual(self.count(), 2)


if __name__ == "__main__":
    unittest.main()
