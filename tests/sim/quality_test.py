"""loadtests/quality.py: what it runs, and that a missed bar is told.

WEIR_BINARY: the built weir.
"""

import importlib.util
import json
import os
import subprocess
import tempfile
import unittest

SOURCE = os.environ["WEIR_SOURCE"]
WEIR = os.environ["WEIR_BINARY"]
SCRIPT = os.path.join(SOURCE, "loadtests", "quality.py")


def load_quality():
    spec = importlib.util.spec_from_file_location("quality", SCRIPT)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


quality = load_quality()


def policy(name, means, ratio=1.0, lost=0, tenant_p99=1.0):
    runs = [{"sojourn": {"mean": mean}} for mean in means]
    median = {"ratio": ratio, "lost": lost, "batches": 1000,
              "tenants": [{"sojourn": {"p99": tenant_p99}}]}
    return {"policy": name, "runs": runs, "median": median, "ratio_low": ratio - 0.1,
            "ratio_high": ratio + 0.1}


def row(policies, name="unequal", load=90, sizes="known"):
    return quality.Row(name, load, sizes, {"policies": policies})


class JudgementTest(unittest.TestCase):
    def test_a_ratio_beyond_its_bar_is_missed(self):
        self.assertEqual(row([policy("weir", [1, 1], ratio=1.81)]).missed(), [])
        self.assertEqual(row([policy("weir", [1, 1], ratio=1.814)]).missed(), [])
        missed = row([policy("weir", [1, 1], ratio=1.82)]).missed()
        self.assertEqual(len(missed), 1)
        self.assertIn("unequal at 90 %, sizes known: 1.820 times the bound, the bar is 1.81",
                      missed)

    def test_a_row_without_a_bar_has_none(self):
        self.assertEqual(row([policy("weir", [1], ratio=99)], "cold_start").missed(), [])

    def test_worse_than_first_come_by_two_percent_is_missed(self):
        for other in ("first-come", "weir-fifo"):
            fine = row([policy("weir", [1.01, 2.0, 3.0]), policy(other, [1.0, 2.0, 3.0])])
            self.assertEqual(fine.missed(), [])
            worse = row([policy("weir", [1.1, 2.2, 3.3]), policy(other, [1.0, 2.0, 3.0])])
            self.assertIn(f"1.100 times {other}", worse.missed()[0])

    def test_who_loses_batches_is_no_comparison(self):
        rows = row([policy("weir", [2, 2]), policy("first-come", [1, 1], lost=100)])
        self.assertEqual(rows.missed(), [])
        self.assertEqual(rows.cell("first-come"), "1.00 (10% lost)")

    def test_policies_are_compared_seed_by_seed(self):
        runs = [policy("a", [1, 10, 100])["runs"], policy("b", [2, 10, 50])["runs"]]
        self.assertEqual(quality.against(*runs), 1)

    def test_the_small_tenant_has_a_bar_of_its_own(self):
        fine = [policy("weir", [1], tenant_p99=2.9)]
        slow = [policy("weir", [1], tenant_p99=3.5)]
        self.assertEqual(row(fine, "tenants", 75).missed(), [])
        self.assertIn("p99 of the steady tenant 3.50 s", row(slow, "tenants", 75).missed()[0])
        self.assertEqual(row(slow, "tenants", 75, "unknown").missed(), [])
        self.assertEqual(row(slow, "tenants", 90).missed(), [])

    def test_numbers_are_short(self):
        for number, text in ((1.014, "1.01"), (12.34, "12.3"), (234.5, "234")):
            self.assertEqual(quality.short(number), text)


class RunTest(unittest.TestCase):
    def run_quality(self, *arguments):
        return subprocess.run(["/usr/bin/python3", SCRIPT, "--weir", WEIR, "--seeds", "1",
                               "--batches", "1500", *arguments], capture_output=True, text=True,
                              check=False, timeout=300)

    def test_every_scenario_gives_a_row_for_each_load_and_knowledge_of_sizes(self):
        with tempfile.TemporaryDirectory() as folder:
            out = os.path.join(folder, "all.json")
            done = self.run_quality("--json", out)
            self.assertEqual(done.returncode, 0, done.stderr)
            with open(out, encoding="utf-8") as file:
                told = json.load(file)
        names = quality.scenarios([])
        self.assertGreaterEqual(len(names), 11)
        self.assertEqual(len(told), len(names) * 2 * 3)
        for name in names:
            self.assertEqual(done.stdout.count(f"\n{name:<14}"), 6, name)
        for one in told:
            ratios = [p["median"]["ratio"] for p in one["policies"]]
            self.assertEqual(len(ratios), 6)
            self.assertTrue(all(r > 0 for r in ratios), one["scenario"])

    def test_the_same_seed_prints_the_same(self):
        first, again = (self.run_quality("--only", "unequal,small_3x2").stdout for _ in range(2))
        self.assertEqual(first, again)
        self.assertIn("unequal", first)
        self.assertNotIn("brownout", first)

    def test_a_scenario_that_is_not_there_is_told(self):
        done = self.run_quality("--only", "equal")
        self.assertNotEqual(done.returncode, 0)
        self.assertIn("no scenario equal, expected one of", done.stderr)

    def test_tables_show_every_policy(self):
        done = self.run_quality("--only", "small_3x2", "--tables")
        self.assertIn("small_3x2: 3 workers, 6 slots, load 75 %, 1500 batches", done.stdout)
        self.assertEqual(done.stdout.count("\nround-robin "), 6)


if __name__ == "__main__":
    unittest.main()
