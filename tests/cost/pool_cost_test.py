"""Instructions that core::pool spends on one batch, admit and finish: counted by callgrind, so the
same on a busy machine as on an idle one. A budget is what was measured and a tenth; who makes it
dearer sees it here, who makes it cheaper lowers the budget."""

import os
import re
import subprocess
import tempfile
import unittest

PROGRAM = os.path.join(os.path.dirname(os.environ["WEIR_BINARY"]), "tests", "weir_pool_cost")
ROUNDS = 2000

# workers, tenants, waiting: instructions a batch
BUDGETS = {
    (10, 0, 0): 1600,
    (10, 8, 0): 1700,
    (10, 0, 100): 3400,
    (1000, 10000, 100000): 4600,
}


def instructions(*case):
    with tempfile.TemporaryDirectory() as folder:
        done = subprocess.run(
            ["valgrind", "--tool=callgrind", "--toggle-collect=measured_round",
             f"--callgrind-out-file={folder}/out", PROGRAM, *map(str, case)],
            capture_output=True, text=True, timeout=300, check=True)
    return int(re.search(r"Collected : (\d+)", done.stderr).group(1)) / ROUNDS


@unittest.skipIf(os.environ.get("WEIR_SANITIZE"), "sanitizers count themselves")
class PoolCost(unittest.TestCase):
    def test_a_batch_stays_within_its_budget_of_instructions(self):
        for case, budget in BUDGETS.items():
            with self.subTest(workers=case[0], tenants=case[1], waiting=case[2]):
                spent = instructions(*case)
                print(f"  {case}: {spent:.0f} instructions a batch, budget {budget}")
                self.assertLessEqual(spent, budget)
                self.assertGreater(spent, 200)  # it was counted at all


if __name__ == "__main__":
    unittest.main(verbosity=2)
