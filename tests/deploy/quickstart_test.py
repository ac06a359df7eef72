"""The quickstart as a user runs it, with the built weir: a kill survived, scale-out, scale-in,
every row counted, and nothing left behind."""
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import DEPLOY, SOURCE
import plan

WEIR = os.environ.get("WEIR_BINARY", str(SOURCE / "build/release/weir"))
CHECKS = ["every batch was answered as planned", "no client saw an error",
          "every row is in the database exactly once", "w1 was killed in the middle of batches",
          "the hook fired and the workers it started joined",
          "scale-in stopped workers that weir had drained", "weir left by itself when told to",
          "scaler left by itself when told to"]


def quickstart(*arguments):
    return subprocess.run([sys.executable, str(DEPLOY / "quickstart.py"), "--weir", WEIR,
                           *map(str, arguments)], text=True, timeout=500, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT)


def processes_that_name(folder):
    """Command lines that mention this folder: the run's workers, scaler and weir all do."""
    found = []
    for entry in pathlib.Path("/proc").glob("[0-9]*/cmdline"):
        try:
            line = entry.read_bytes().replace(b"\0", b" ").decode(errors="replace")
        except OSError:
            continue
        if str(folder) in line:
            found.append(line)
    return found


class ArgumentsTest(unittest.TestCase):
    """quickstart.sh refuses what it does not know before it installs or builds anything."""

    def run_shell(self, *arguments):
        tools = tempfile.TemporaryDirectory()
        self.addCleanup(tools.cleanup)
        os.symlink("/usr/bin/sed", os.path.join(tools.name, "sed"))    # no apt-get, no cmake
        return subprocess.run(["/bin/bash", str(DEPLOY / "quickstart.sh"), *arguments], text=True,
                              timeout=60, env={"PATH": tools.name}, stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE)

    def test_what_is_wrong_is_told_with_status_2(self):
        for arguments, words in ((("--bogus",), "--bogus"), (("--rows", "5"), "20000"),
                                 (("--rows=5",), "20000"), (("--rows", "many"), "whole number"),
                                 (("--rows",), "value"), (("--dir",), "value"),
                                 (("extra",), "extra")):
            with self.subTest(arguments=arguments):
                done = self.run_shell(*arguments)
                self.assertEqual((done.returncode, done.stdout), (2, ""), done.stderr)
                self.assertIn(words, done.stderr)

    def test_help_is_every_argument_with_status_0(self):
        done = self.run_shell("--help")
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        for word in ("--once", "--rows", "--dir", "--stop", "8080"):
            self.assertIn(word, done.stdout)
        self.assertNotIn("set -", done.stdout)

    def test_the_fewest_rows_are_those_of_the_course(self):
        shell = re.search(r"^rows_min=(\d+)", (DEPLOY / "quickstart.sh").read_text(), re.M)
        course = re.search(r"^ROWS_MIN = (\d+)", (DEPLOY / "quickstart.py").read_text(), re.M)
        self.assertEqual(shell[1], course[1])


class QuickstartTest(unittest.TestCase):
    def setUp(self):
        if not os.access(WEIR, os.X_OK):
            self.skipTest("weir is not built")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name, "run")

    def test_once_every_row_arrives_exactly_once_and_nothing_stays(self):
        done = quickstart("--once", "--rows", 20000, "--dir", self.folder)
        self.assertEqual(done.returncode, 0, done.stdout)
        self.assertEqual(processes_that_name(self.folder), [])
        for check in CHECKS:
            self.assertRegex(done.stdout, rf"(?m)^  ok     {re.escape(check)}")
        self.assertNotIn("FAILED", done.stdout)
        rows = [int(n.replace(",", ""))
                for n in re.findall(r"(?m)^  rows +([\d,]+) \w+ +0 missing, 0 double", done.stdout)]
        tables = plan.expectation(plan.batches(20000))["tables"]
        self.assertEqual(sorted(rows), sorted(table["rows"] for table in tables.values()))

    def test_a_weir_that_does_not_start_is_an_error_and_nothing_stays(self):
        done = quickstart("--once", "--dir", self.folder, "--weir", "/bin/false")
        self.assertEqual(done.returncode, 1)
        self.assertEqual(processes_that_name(self.folder), [])

    def test_a_folder_that_holds_something_else_is_left_alone(self):
        self.folder.mkdir()
        (self.folder / "precious").touch()
        done = quickstart("--dir", self.folder)
        self.assertEqual((done.returncode, [p.name for p in self.folder.iterdir()]),
                         (1, ["precious"]))
        self.assertEqual(done.stdout, f"quickstart: {self.folder} holds something else\n"
                                      "quickstart: nothing was started\n")

    def test_too_few_rows_for_a_backlog_are_refused(self):
        self.assertEqual(quickstart("--rows", 100).returncode, 2)

    def test_there_may_be_nothing_to_stop(self):
        done = quickstart("--stop", "--dir", self.folder)
        self.assertEqual((done.returncode, done.stdout),
                         (0, "stopped nothing: nothing was running\n"))


if __name__ == "__main__":
    unittest.main()
