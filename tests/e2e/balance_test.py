"""Slots are never exceeded, a batch is bound to a worker as late as can be, and each policy picks
as it says."""

import collections
import unittest

import fake_worker
import load
import raw_client
from harness import SLOW, WeirCase, basic_config, until

POLICIES = ("least_loaded", "power_of_two", "round_robin", "random", "first")


class BalanceTest(WeirCase):
    async def test_slots_are_filled_and_never_exceeded(self):
        slots = {"w1": 1, "w2": 2, "w3": 5}
        for policy in POLICIES:
            with self.subTest(policy):
                workers = [await self.worker(name, fake_worker.takes(0.003)) for name in slots]
                weir = await self.weir(basic_config(
                    [w.config(slots=slots[w.name]) for w in workers], pool={"balance": policy}))
                running = load.Load(weir.front, clients=30)
                await running.reached(600 // SLOW)
                outcomes = await running.stop()
                self.assertEqual(set(outcomes), {200}, outcomes)
                for worker in workers:
                    self.assertEqual(worker.high_water, slots[worker.name], worker.name)
                await weir.stop()

    async def test_a_slow_worker_holds_up_only_its_own_batch(self):
        held = fake_worker.Held()
        slow, fast = await self.worker("slow", held), await self.worker("fast")
        weir = await self.weir(basic_config([w.config(slots=1) for w in (slow, fast)],
                                            pool={"balance": "round_robin"}))
        asks = [self.task(raw_client.ask(weir.front, "POST", body=b"x")) for _ in range(30)]
        await until(lambda: sum(a.done() for a in asks) == 29, "all batches but one")
        self.assertEqual((len(slow.requests), len(fast.requests)), (1, 29))
        held.release()
        for ask in asks:
            self.assertEqual((await ask).status, 200)

    async def counts(self, policy, workers, batches, clients=1):
        weir = await self.weir(basic_config(workers, pool={"balance": policy}))
        running = load.Load(weir.front, clients)
        await running.reached(batches)
        self.assertEqual(set(await running.stop()), {200})
        await weir.stop()
        return collections.Counter({w.name: len(w.requests) for w in workers})

    async def test_round_robin_takes_turns(self):
        workers = [await self.worker(f"w{n}") for n in range(4)]
        counts = await self.counts("round_robin", workers, 80)
        self.assertLessEqual(max(counts.values()) - min(counts.values()), 1, counts)

    async def test_first_takes_the_first_while_it_has_room(self):
        workers = [await self.worker(f"w{n}") for n in range(3)]
        counts = await self.counts("first", workers, 50)
        self.assertEqual((counts["w1"], counts["w2"]), (0, 0), counts)

    async def test_random_and_two_choices_use_every_worker(self):
        for policy in ("random", "power_of_two"):
            workers = [await self.worker(f"w{n}", fake_worker.takes(0.001)) for n in range(3)]
            counts = await self.counts(policy, workers, 150, clients=3)
            self.assertGreater(min(counts.values()), 15, (policy, counts))

    async def test_least_loaded_learns_who_is_faster(self):
        fast = await self.worker("fast", fake_worker.takes(0.002 * SLOW))
        slow = await self.worker("slow", fake_worker.takes(0.04 * SLOW))
        counts = await self.counts("least_loaded", [slow, fast], 150)
        self.assertGreater(counts["fast"], 3 * counts["slow"], counts)

    async def test_a_learned_rate_is_shown(self):
        fast = await self.worker("fast", fake_worker.takes(0.002 * SLOW))
        slow = await self.worker("slow", fake_worker.takes(0.04 * SLOW))
        weir = await self.weir(basic_config([slow.config(slots=2), fast.config(slots=2)]))
        running = load.Load(weir.front, clients=4)
        await running.reached(200)
        await running.stop()
        metrics = await weir.metrics()
        self.assertGreater(metrics.sum("weir_worker_rate", worker="fast"),
                           metrics.sum("weir_worker_rate", worker="slow"))


if __name__ == "__main__":
    unittest.main()
