"""loadtests/quality_real.py without its sockets: what arrives, what the simulator is told of it,
and how the two are compared.

WEIR_BINARY: the built weir.
"""

import dataclasses
import os
import sys
import tempfile
import unittest

SOURCE = os.environ["WEIR_SOURCE"]
WEIR = os.environ["WEIR_BINARY"]
sys.path.insert(0, os.path.join(SOURCE, "loadtests"))

import quality_real as real  # noqa: E402  (found by the line above)

SCENARIOS = {s.name: s for s in real.SCENARIOS}


def work_of(arrivals):
    return sum(size for _, size in arrivals) / 1e6


def measured(**means):
    """A round, of (measured, simulated) means."""
    return {name: {"real": {"mean": mean, "p50": 1.0, "p99": 9.0, "batches": 7,
                            "waited_at_workers": 0},
                   "simulated": {"mean": simulated, "p50": 1.0, "p99": 9.0}, "overhead_us": 300.0}
            for name, (mean, simulated) in means.items()}


class ArrivalsTest(unittest.TestCase):
    def test_the_offered_load_is_exact(self):
        for name, capacity in (("homogeneous", 32), ("unequal", 32), ("small_3x2", 6),
                               ("brownout", 32)):
            with self.subTest(name):
                arrivals = real.draw_arrivals(SCENARIOS[name], 1, 3000)
                self.assertEqual(len(arrivals), 3000)
                offered = work_of(arrivals) / arrivals[-1][0] / capacity
                self.assertAlmostEqual(offered, real.LOAD, places=9)

    def test_a_seed_gives_the_same_arrivals_and_another_one_others(self):
        draw = lambda name, seed: real.draw_arrivals(SCENARIOS[name], seed, 100)
        self.assertEqual(draw("unequal", 3), draw("unequal", 3))
        self.assertNotEqual(draw("unequal", 3), draw("unequal", 4))
        self.assertNotEqual(draw("unequal", 3), draw("brownout", 3))

    def test_sizes_are_of_the_scaled_tail(self):
        sizes = [size for _, size in real.draw_arrivals(SCENARIOS["homogeneous"], 2)]
        self.assertGreaterEqual(min(sizes), 2500)
        self.assertLessEqual(max(sizes), 15_000_000)
        self.assertGreater(max(sizes), 5_000_000)
        few = [size for _, size in real.draw_arrivals(SCENARIOS["small_3x2"], 2)]
        self.assertTrue(5000 <= min(few) and 1_250_000 < max(few) <= 2_500_000)
        # P(X > x) of a bounded Pareto with exponent 1.1, at twice and at ten times the smallest.
        for factor in (2, 10):
            share = sum(size > 2500 * factor for size in sizes) / len(sizes)
            self.assertAlmostEqual(share, factor ** -1.1, delta=0.01)

    def test_arrivals_are_a_poisson_process(self):
        times = [at for at, _ in real.draw_arrivals(SCENARIOS["unequal"], 5)]
        gaps = [b - a for a, b in zip([0, *times], times)]
        mean = sum(gaps) / len(gaps)
        self.assertGreaterEqual(min(gaps), 0)
        self.assertAlmostEqual(sum((g - mean) ** 2 for g in gaps) / len(gaps) / mean ** 2, 1,
                               delta=0.05)

    def test_a_run_takes_one_to_two_minutes(self):
        for scenario in real.SCENARIOS:
            for seed in (1, 2, 3):
                length = real.draw_arrivals(scenario, seed)[-1][0]
                self.assertTrue(40 < length < 130, f"{scenario.name}: {length} s")

    def test_a_brownout_begins_and_ends_at_its_shares_of_the_run(self):
        lines = real.speed_changes(SCENARIOS["brownout"], 60, 5_000_000_000)
        self.assertEqual(lines, ["0 0.05 20000000000\n", "0 1 41000000000\n"])
        self.assertEqual(real.speed_changes(SCENARIOS["unequal"], 60, 0), [])


class SimulatedTest(unittest.TestCase):
    def simulate(self, scenario, arrivals, policy="weir", overhead_us=0.0):
        with tempfile.TemporaryDirectory() as folder:
            trace = os.path.join(folder, "trace.csv")
            real.write_trace(trace, arrivals)
            return real.simulate(WEIR, folder, scenario, trace, policy, overhead_us)

    def test_what_is_played_are_these_arrivals_on_these_workers(self):
        for name in ("homogeneous", "small_3x2"):
            got = self.simulate(SCENARIOS[name], [(10.0 * i, 8000) for i in range(1, 6)])
            self.assertEqual({key: round(ms, 6) for key, ms in got.items()},
                             {"mean": 8, "p50": 8, "p99": 8}, name)
        one_a_slot = self.simulate(SCENARIOS["unequal"], [(1.0, 8000)] * 32)
        self.assertAlmostEqual(one_a_slot["mean"], (8 / 0.4 + 8 / 1.6) / 2, places=6)

    def test_the_overhead_is_paid_for_every_batch(self):
        alone = [(10.0 * i, 8000) for i in range(1, 6)]
        for policy in real.POLICIES.values():
            got = self.simulate(SCENARIOS["small_3x2"], alone, policy, 312.4)
            self.assertAlmostEqual(got["mean"], 8.3124, places=6)

    def test_only_who_counts_slots_holds_them_while_a_batch_is_on_its_way(self):
        at_once = [(1.0, 8000)] * 7   # on six slots
        with tempfile.TemporaryDirectory() as folder:
            trace = os.path.join(folder, "trace.csv")
            real.write_trace(trace, at_once)
            means = {name: real.expected(WEIR, folder, SCENARIOS["small_3x2"], trace, name,
                                         1000)["mean"] for name in real.POLICIES}
        self.assertAlmostEqual(means["weir"], (6 * 9 + 18) / 7, places=6)
        self.assertAlmostEqual(means["haproxy"], (6 * 9 + 18) / 7, places=6)
        self.assertAlmostEqual(means["nginx"], (6 * 9 + 17) / 7, places=6)

    def test_a_brownout_is_simulated(self):
        one = dataclasses.replace(SCENARIOS["brownout"], groups=SCENARIOS["brownout"].groups[:1])
        arrivals = [(1.0, 8000), (50.0, 8000), (90.0, 8000), (100.0, 8000)]
        got = self.simulate(one, arrivals)
        self.assertAlmostEqual(got["mean"], (8 * 3 + 8 / 0.05) / 4, places=3)

    def test_every_scenario_is_accepted(self):
        for scenario in real.SCENARIOS:
            arrivals = real.draw_arrivals(scenario, 1, 500)
            for policy in real.POLICIES.values():
                self.assertGreater(self.simulate(scenario, arrivals, policy, 300)["mean"], 2.8)


class JudgementTest(unittest.TestCase):
    def bars(self, rounds, name="homogeneous"):
        return [(what, met) for what, _, _, met in real.bars(SCENARIOS[name], rounds)]

    def test_agreement_is_the_median_of_the_rounds(self):
        rounds = [measured(weir=pair) for pair in ((11, 10), (30, 20), (9, 10))]
        self.assertEqual(real.agreement(rounds, "weir"), (1.1, 0.9, 1.5))

    def test_weir_may_be_ten_percent_off_either_way(self):
        for mean, met in ((88, False), (91, True), (100, True), (109, True), (111, False)):
            rounds = [measured(weir=(mean, 100))] * 3
            self.assertEqual(self.bars(rounds, "unequal"), [("weir, measured/simulated", met)])

    def test_others_are_compared_where_the_scenario_asks(self):
        rounds = [measured(weir=(5, 5), haproxy=(10, 1), nginx=(9, 1))]
        self.assertEqual(self.bars(rounds), [("weir, measured/simulated", True),
                                             ("weir/haproxy", True), ("weir/nginx", False)])
        self.assertEqual(len(self.bars(rounds, "unequal")), 1)
        self.assertEqual(self.bars([measured(nginx=(9, 1))]), [])

    def test_others_are_compared_round_by_round(self):
        rounds = [measured(weir=(1, 1), nginx=(2, 2)), measured(weir=(10, 1), nginx=(10, 1)),
                  measured(weir=(100, 1), nginx=(50, 1))]
        self.assertEqual(real.against(rounds, "nginx"), 1)

    def test_a_missed_bar_is_told(self):
        rounds = [measured(weir=(12, 10), haproxy=(30, 30))]
        told = "\n".join(real.lines_of(SCENARIOS["homogeneous"], rounds))
        self.assertIn("missed  weir, measured/simulated 1.200, the bar is within 10% of 1", told)
        self.assertIn("met   weir/haproxy 0.400, the bar is ≤ 0.5", told)
        self.assertIn("homogeneous: 7 batches, load 90%, medians of 1 rounds", told)


if __name__ == "__main__":
    unittest.main()
