"""The quickstart's processes: written down, found again later, stopped by pid and birth."""
import json
import os
import pathlib
import signal
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import eventually
import processes

# A signal that comes just before pause() is not waited for; one that is blocked always is.
PATIENT = [sys.executable, "-c", "import signal; signal.pause()"]
POLITE = [sys.executable, "-c", "import signal\n"
          "signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM])\n"
          "print('http://here', flush=True)\nsignal.sigwait([signal.SIGTERM])"]
STUBBORN = [sys.executable, "-c", "import signal\nsignal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "print('http://here', flush=True)\nwhile True: signal.pause()"]


class ProcessesTest(unittest.TestCase):
    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        self.run_ = processes.Processes(self.folder)
        self.addCleanup(self.end)

    def end(self):
        for child in self.run_.children.values():
            child.kill()
            child.wait()

    def test_the_first_line_is_the_url_and_the_rest_goes_to_the_log(self):
        self.assertEqual(self.run_.start("a", POLITE, says_url=True), "http://here")
        self.run_.start("b", [sys.executable, "-c", "import sys; print('out'); sys.exit('err')"])
        eventually(lambda: not self.run_.alive("b"), "it ended")
        self.assertEqual(sorted((self.folder / "b.log").read_text().split()), ["err", "out"])

    def test_one_that_ends_without_its_url_is_an_error_that_names_its_log(self):
        with self.assertRaisesRegex(RuntimeError, r"c did not start: see .*c\.log"):
            self.run_.start("c", [sys.executable, "-c", "raise SystemExit('no')"], says_url=True)

    def test_a_later_call_finds_what_still_lives(self):
        for name in ("a", "b"):
            self.run_.start(name, PATIENT)
        pid = self.run_.children["a"].pid
        self.run_.kill("b")
        self.assertEqual(processes.Processes(self.folder).recorded(), {"a": pid})

    def test_a_pid_that_another_process_got_is_not_ours(self):
        stranger = subprocess.Popen(PATIENT)
        self.addCleanup(stranger.wait)
        self.addCleanup(stranger.kill)
        birth = processes.born(stranger.pid)
        self.run_.book.write_text(json.dumps({"a": [stranger.pid, str(int(birth) - 1)]}))
        self.assertEqual(self.run_.recorded(), {})
        self.assertEqual(self.run_.stop_all(), {})
        self.assertIsNone(stranger.poll())

    def test_they_are_stopped_in_order_and_politely(self):
        for name in ("first", "second", "third"):
            self.run_.start(name, POLITE, says_url=True)
        stopped = self.run_.stop_all(order=("third", "nobody", "first"))
        self.assertEqual(list(stopped.items()),
                         [("third", True), ("first", True), ("second", True)])
        self.assertEqual(self.run_.recorded(), {})

    def test_one_that_ends_otherwise_than_well_is_told_apart(self):
        self.run_.start("a", PATIENT)      # dies of the signal
        self.assertEqual(self.run_.stop_all(), {"a": False})

    def test_one_that_stays_is_killed(self):
        self.run_.start("a", STUBBORN, says_url=True)
        self.assertEqual(self.run_.stop_all(patience=0.05), {"a": False})
        self.assertEqual(self.run_.children["a"].returncode, -signal.SIGKILL)

    def test_one_that_is_held_still_is_stopped_all_the_same(self):
        self.run_.start("a", POLITE, says_url=True)
        self.run_.signal("a", signal.SIGSTOP)
        self.assertEqual(self.run_.stop_all(), {"a": True})

    def test_a_process_that_is_gone_was_never_born(self):
        child = subprocess.Popen([sys.executable, "-c", ""])
        os.waitid(os.P_PID, child.pid, os.WEXITED | os.WNOWAIT)
        self.assertIsNone(processes.born(child.pid))        # a zombie does not live
        child.wait()
        self.assertIsNone(processes.born(child.pid))


if __name__ == "__main__":
    unittest.main()
