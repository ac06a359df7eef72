"""The instruments tell the truth: each test lets the load generator meet the worker, or the floor
between them, and compares what both counted. compare.sh runs it before it measures. Bounds on time
are lower ones only, which hold however busy the machine is.
"""

import http.client
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import unittest
import urllib.request

PROGRAMS = os.environ.get("WEIR_LOAD_PROGRAMS") or "build/loadtests"
MIB = 1 << 20


def program(name):
    return os.path.join(PROGRAMS, name)


class ToolsTest(unittest.TestCase):
    def start(self, name, *arguments):
        """Starts a program that prints its port first."""
        child = subprocess.Popen([program(name), *map(str, arguments)], stdin=subprocess.DEVNULL,
                                 stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return int(child.stdout.readline())

    def load(self, mode, port, **options):
        """(exit code, result)"""
        command = [program("load"), mode, str(port), "--limit", "30"]
        for name, value in options.items():
            command += ["--" + name.replace("_", "-"), str(value)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL)
        return done.returncode, json.loads(done.stdout.splitlines()[-1])

    def ask(self, port, path):
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=10) as answer:
            return answer.read()

    def stats(self, port):
        return json.loads(self.ask(port, "/stats"))

    def test_as_many_requests_as_asked_are_made_and_served(self):
        worker = self.start("worker")
        code, result = self.load("closed", worker, connections=7, count=1000, answer=100)
        self.assertEqual((code, result["requests"], result["connections"]), (0, 1000, 7))
        self.assertEqual(result["latency_us"]["count"], 1000)
        self.assertEqual(self.stats(worker)["served"], 1000)

    def test_every_byte_of_a_body_arrives_through_the_floor_and_back(self):
        worker = self.start("worker")
        floor = self.start("floor", worker)
        self.assertEqual(self.load("bulk", floor, connections=3, count=9, body=5 * MIB)[0], 0)
        self.assertEqual(self.stats(worker)["body_bytes"], 9 * 5 * MIB)
        code, result = self.load("bulk", floor, connections=3, count=9, answer=5 * MIB)
        self.assertEqual(code, 0)
        self.assertGreater(result["received"], 9 * 5 * MIB)
        self.assertLess(result["received"], 9 * (5 * MIB + 1000))

    def test_each_request_of_connect_has_its_own_connection(self):
        floor = self.start("floor", self.start("worker"))
        code, result = self.load("connect", floor, connections=4, count=300)
        self.assertEqual((code, result["requests"]), (0, 300))
        self.assertGreaterEqual(result["connections"], 300)

    def test_service_times_are_kept(self):
        worker = self.start("worker", "--speed", 2)
        _, result = self.load("closed", worker, connections=4, count=20, service_us=40000)
        self.assertGreaterEqual(result["latency_us"]["p50"], 20000 * 0.99)

    def test_a_stall_is_not_hidden_from_the_open_loop(self):
        """One connection, 100 arrivals a second, 100 ms each: who arrives last waits for all."""
        worker = self.start("worker")
        code, result = self.load("open", worker, connections=1, rate=100, seconds=0.5,
                                 service_us=100000)
        self.assertEqual(code, 0)
        self.assertGreaterEqual(result["latency_us"]["max"],
                                result["requests"] * 100000 - 500000)

    def test_the_same_seed_asks_the_same(self):
        worker = self.start("worker")
        sent = [self.load("bulk", worker, connections=1, count=200, seed=seed,
                          body="pareto:1.1,100,100000", answer="exp:50")[1]["sent"]
                for seed in (1, 1, 2)]
        self.assertEqual(sent[0], sent[1])
        self.assertNotEqual(sent[0], sent[2])

    def test_a_trace_sets_arrivals_and_sizes(self):
        worker = self.start("worker")
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "trace")
        with open(path, "w", encoding="ascii") as file:
            file.write("0.0,1000,10,0\n0.1,2000,10,5\n0.2,0,10,0\n")
        code, result = self.load("open", worker, trace=path, speedup=2, shrink=10)
        self.assertEqual((code, result["requests"]), (0, 3))
        self.assertGreaterEqual(result["seconds"], 0.1)
        self.assertEqual(self.stats(worker)["body_bytes"], 300)

    def test_every_fault_is_seen_as_what_it_is(self):
        for name, kinds in {"fail": {"status"}, "close": {"closed"}, "framing": {"malformed"},
                            "reset": {"reset", "closed"}}.items():
            with self.subTest(name):
                worker = self.start("worker")
                self.ask(worker, f"/control?{name}=1")
                code, result = self.load("closed", worker, connections=2, count=40, answer=100)
                self.assertEqual((code, result["requests"]), (1, 0))
                self.assertLessEqual(set(result["errors"]), kinds)
                self.assertEqual(self.stats(worker)["faults"], sum(result["errors"].values()))

    def test_stalls_and_slow_reading_take_their_time(self):
        worker = self.start("worker")
        self.ask(worker, "/control?stall=1&stall_ms=150")
        _, result = self.load("closed", worker, connections=1, count=2)
        self.assertGreaterEqual(result["latency_us"]["p50"], 150000 * 0.99)
        self.ask(worker, f"/control?stall=0&slow=1&slow_bytes={10 * MIB}")
        _, result = self.load("bulk", worker, connections=1, count=1, body=2 * MIB)
        self.assertGreaterEqual(result["latency_us"]["max"], 150000)

    def test_a_closed_door_refuses_and_opens_again(self):
        worker = self.start("worker")
        control = http.client.HTTPConnection("127.0.0.1", worker, timeout=10)
        self.addCleanup(control.close)
        command(control, "/control?refuse_ms=600000")
        code, result = self.load("closed", worker, connections=2, seconds=0.2)
        self.assertEqual((code, result["requests"]), (1, 0))
        self.assertLessEqual(set(result["errors"]), {"connect", "reset"})
        command(control, "/control?refuse_ms=0")
        code, result = self.load("closed", worker, connections=2, seconds=5, count=2)
        self.assertEqual(result["requests"], 2)

    def test_more_than_the_slots_are_turned_away(self):
        worker = self.start("worker", "--slots", 2)
        code, result = self.load("closed", worker, connections=6, seconds=0.3, service_us=50000)
        self.assertEqual((code, set(result["errors"])), (1, {"status"}))
        stats = self.stats(worker)
        self.assertEqual((stats["busy_most"], stats["busy"]), (2, 0))
        self.assertEqual(stats["turned_away"], result["errors"]["status"])

    def test_an_answer_comes_in_chunks_when_asked_to(self):
        worker = self.start("worker")
        for size in (0, 1, 3 * MIB):
            url = f"http://127.0.0.1:{worker}/load?bytes={size}&chunked=1"
            with urllib.request.urlopen(url, timeout=10) as answer:
                self.assertEqual(answer.headers["Transfer-Encoding"], "chunked")
                self.assertEqual(len(answer.read()), size)
        stats = self.stats(worker)
        self.assertEqual([stats[name] for name in ("requests", "served", "open", "open_most")],
                         [3, 3, 0, 1])

    def test_chunked_bodies_are_stepped_over_however_they_are_cut(self):
        worker = self.start("worker")
        whole = (b"POST /load HTTP/1.1\r\nHost: w\r\nTransfer-Encoding: chunked\r\n\r\n"
                 b"5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: v\r\n\r\n")
        for cut in range(1, len(whole)):
            with socket.create_connection(("127.0.0.1", worker), timeout=10) as client:
                client.sendall(whole[:cut])
                client.sendall(whole[cut:] + b"GET /load HTTP/1.1\r\nConnection: close\r\n\r\n")
                answers = b"".join(iter(lambda: client.recv(4096), b""))
            self.assertEqual(answers.count(b"HTTP/1.1 200 OK"), 2, cut)
        self.assertEqual(self.stats(worker)["body_bytes"], 15 * (len(whole) - 1))

    def fleet(self, *groups):
        """(the process, its workers' ports)"""
        child = subprocess.Popen([program("fleet"), *groups], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        self.addCleanup(child.stdout.close)
        self.addCleanup(child.stdin.close)
        self.addCleanup(child.wait)
        self.addCleanup(child.kill)
        return child, [int(word) for word in child.stdout.readline().split()]

    def test_a_fleet_runs_what_fits_its_slots_and_the_others_wait(self):
        _, ports = self.fleet("1:2:1", "2:3:2")
        self.assertEqual(len(set(ports)), 3)
        code, result = self.load("closed", ports[0], connections=6, count=12, service_us=20000,
                                 body=100)
        self.assertEqual((code, result["requests"]), (0, 12))
        self.assertGreaterEqual(result["seconds"], 6 * 0.02)
        stats = self.stats(ports[0])
        self.assertEqual((stats["served"], stats["running_most"]), (12, 2))
        self.assertGreaterEqual(stats["waited"], 4)
        _, result = self.load("closed", ports[2], connections=3, count=30, service_us=20000)
        self.assertGreaterEqual(result["latency_us"]["mean"], 10000)
        self.assertLessEqual(result["latency_us"]["mean"], result["latency_us"]["max"])
        self.assertEqual(self.stats(ports[2]), {"served": 30, "waited": 0, "running_most": 3})
        self.assertEqual(self.stats(ports[1])["served"], 0)

    def test_a_fleets_batches_go_on_at_the_speed_that_their_worker_has_now(self):
        child, ports = self.fleet("2:1:1")
        child.stdin.write(f"0 0.25 {time.monotonic_ns() + 50_000_000}\n1 4")
        child.stdin.flush()
        _, result = self.load("closed", ports[0], connections=1, count=1, service_us=100000)
        self.assertGreaterEqual(result["latency_us"]["max"], 250000)
        child.stdin.write("00 0\n")   # the rest of the line
        child.stdin.flush()
        until(lambda: self.load("closed", ports[1], connections=1, count=1, service_us=100000)[1]
              ["latency_us"]["max"] < 100000)

    def test_a_fleet_forgets_the_batch_of_a_connection_that_is_gone(self):
        _, ports = self.fleet("1:1:1")
        head = b"GET /load HTTP/1.1\r\nX-Service-Us: 60000000\r\n\r\n"
        for _ in range(2):   # one runs, one waits
            with socket.create_connection(("127.0.0.1", ports[0]), timeout=10) as client:
                client.sendall(head)
                until(lambda: self.ask(ports[0], "/healthz") == b"")
        code, result = self.load("closed", ports[0], connections=1, count=1)
        self.assertEqual((code, result["requests"]), (0, 1))

    def test_arrivals_begin_when_they_are_told_to(self):
        worker = self.start("worker")
        path = os.path.join(self.enterContext(tempfile.TemporaryDirectory()), "trace")
        with open(path, "w", encoding="ascii") as file:
            file.write("0.05,0,0,0\n")
        start = time.monotonic_ns() + 200_000_000
        code, result = self.load("open", worker, trace=path, start=start)
        self.assertEqual((code, result["requests"]), (0, 1))
        self.assertGreaterEqual(time.monotonic_ns(), start + 50_000_000)
        self.assertGreaterEqual(result["seconds"], 0.05)   # counted from the start

    def test_idle_and_held_ones_end_with_their_input(self):
        worker = self.start("worker")
        code, result = self.load("idle", worker, connections=300)
        self.assertEqual((code, result["requests"], result["connections"]), (0, 300, 300))
        for options in ({"body": 64 * MIB, "header": f"X-Hold-After: {MIB}"},
                        {"answer": 64 * MIB, "hold_after": MIB}):
            code, result = self.load("hold", worker, connections=3, **options)
            self.assertEqual((code, result["requests"], result["errors"]), (0, 0, {}))
            self.assertGreaterEqual(result["sent"] + result["received"], 3 * MIB)


def until(holds):
    end = time.monotonic() + 30
    while not holds():
        if time.monotonic() > end:
            raise TimeoutError


def command(control, path):
    control.request("GET", path)
    control.getresponse().read()


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
