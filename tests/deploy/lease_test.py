"""Self-registration of the example worker against a registration surface that the test scripts."""
import contextlib
import http.server
import io
import json
import pathlib
import queue
import signal
import sys
import tempfile
import threading
import unittest
import unittest.mock
import urllib.error

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import PATIENCE, Program, ask
from lease import Lease


class Surface(http.server.BaseHTTPRequestHandler):
    """Puts every call into a queue; answers by its script, and well when that is empty."""
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True

    def answer(self):
        body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
        call = (self.command, self.path, self.headers["Authorization"], json.loads(body))
        status = self.server.script.pop(0) if self.server.script else 200
        self.server.calls.put(call)
        if status == "drop":
            self.close_connection = True
            return
        if self.command == "POST":
            self.server.leases += 1
        text = json.dumps({"secret": f"lease-{self.server.leases}", "ttl": "1s"}
                          if status < 400 else {}).encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    do_POST = do_PUT = do_DELETE = answer

    def log_message(self, *_):
        pass


class PaceTest(unittest.TestCase):
    """When it renews, without waiting for it: the event that it waits on is played."""

    def pauses(self, *answers):
        """What it waits before each step, when its calls end like this."""
        lease = Lease("http://surface", "loaders", {"id": "w1"}, "token", ttl=15)
        lease._send = unittest.mock.Mock(side_effect=[
            {"secret": "s"} if a == 200 else urllib.error.HTTPError("u", a, "no", None, None)
            if isinstance(a, int) else a for a in answers])
        lease.stopping = unittest.mock.Mock()
        lease.stopping.wait.side_effect = [False] * len(answers) + [True]
        with contextlib.redirect_stderr(io.StringIO()):
            lease._run()
        return [call.args[0] for call in lease.stopping.wait.call_args_list]

    def test_it_renews_at_a_third_of_its_time(self):
        self.assertEqual(self.pauses(200, 200, 200), [0, 5, 5, 5])

    def test_it_registers_anew_at_once_when_the_lease_is_lost(self):
        self.assertEqual(self.pauses(200, 404, 200), [0, 5, 0, 5])

    def test_it_waits_a_second_after_a_refusal_or_silence(self):
        self.assertEqual(self.pauses(403, OSError("away"), 200), [0, 1, 1, 5])


class LeaseTest(unittest.TestCase):
    BASE = "/v1/pools/loaders/workers"

    def setUp(self):
        self.server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Surface)
        self.server.daemon_threads = True
        self.server.calls, self.server.script, self.server.leases = queue.Queue(), [], 0
        thread = threading.Thread(target=self.server.serve_forever, args=(0.01,))
        thread.start()
        self.addCleanup(self.server.server_close)
        self.addCleanup(thread.join)
        self.addCleanup(self.server.shutdown)
        self.url = f"http://127.0.0.1:{self.server.server_port}"

    def call(self):
        return self.server.calls.get(timeout=PATIENCE)

    def lease(self, *script, ttl=0.03):
        self.server.script = list(script)
        lease = Lease(self.url + "/", "loaders", {"id": "w1", "url": "http://h:1", "slots": 2},
                      "token", ttl)
        self.addCleanup(lease.thread.join)
        self.addCleanup(lease.stopping.set)
        lease.start()
        return lease

    def registers(self, secret="Bearer token"):
        method, path, authorization, body = self.call()
        self.assertEqual((method, path, authorization), ("POST", self.BASE, secret))
        return body

    def renews(self, secret):
        self.assertEqual(self.call()[:3], ("PUT", f"{self.BASE}/w1/lease", f"Bearer {secret}"))

    def test_it_registers_with_the_pools_token_and_renews_with_the_leases_own(self):
        self.lease()
        self.assertEqual(self.registers(), {"id": "w1", "url": "http://h:1", "slots": 2,
                                            "ttl": "30ms"})
        for _ in range(5):
            self.renews("lease-1")

    def lost(self, status):
        self.lease(200, 200, status)
        self.registers()
        self.renews("lease-1")
        self.renews("lease-1")
        self.registers()
        self.renews("lease-2")

    def test_a_lease_that_weir_does_not_know_is_followed_by_a_new_registration(self):
        self.lost(404)

    def test_a_lease_that_weir_gave_to_another_is_followed_by_a_new_registration(self):
        self.lost(403)

    def test_a_refused_registration_is_tried_again(self):
        self.lease(503, 403, 200)
        for _ in range(3):
            self.registers()
        self.renews("lease-3")

    def test_a_renewal_that_got_no_answer_is_sent_again_for_the_same_lease(self):
        self.lease(200, "drop", "drop", 200)
        self.registers()
        for _ in range(3):
            self.renews("lease-1")

    def test_it_says_goodbye_with_the_leases_secret(self):
        lease = self.lease(ttl=3600)
        self.registers()
        lease.stop()
        self.assertEqual(self.call()[:3], ("DELETE", f"{self.BASE}/w1", "Bearer lease-1"))

    def test_a_goodbye_that_fails_does_not_hold_the_worker(self):
        lease = self.lease(200, 500, ttl=3600)
        self.registers()
        lease.stop()
        self.assertEqual(self.call()[0], "DELETE")
        self.assertFalse(lease.thread.is_alive())

    def test_without_a_lease_there_is_no_goodbye(self):
        lease = self.lease(503, 503, 503, ttl=3600)
        self.registers()
        lease.stop()
        self.assertTrue(self.server.calls.empty() or self.call()[0] == "POST")

    def test_the_worker_registers_where_it_listens_and_leaves_at_sigterm(self):
        with tempfile.TemporaryDirectory() as folder:
            token = pathlib.Path(folder, "token")
            token.write_text("secret of the pool\n")
            with Program("worker/worker.py", "--listen", "127.0.0.1:0", "--id", "w1", "--slots",
                         "7", "--database", f"{folder}/x.sqlite", "--register", self.url,
                         "--token-file", token, "--ttl", "15s") as worker:
                self.assertEqual(self.registers("Bearer secret of the pool"),
                                 {"id": "w1", "url": worker.url, "slots": 7, "ttl": "15000ms"})
                self.assertEqual(ask(worker.address, "GET", "/healthz").status, 200)
                worker.process.send_signal(signal.SIGTERM)
                self.assertEqual(worker.ended(), 0)
                self.assertEqual(self.call()[0], "DELETE")


if __name__ == "__main__":
    unittest.main()
