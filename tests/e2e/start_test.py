"""A weir that says it is ready serves at once, on every one of its loops."""

import asyncio
import unittest

import fake_worker
import raw_client
from harness import SLOW, WeirCase, basic_config

STARTS = 6 if SLOW == 1 else 2
LOOPS = 16


class StartTest(WeirCase):
    async def test_every_loop_reaches_every_worker_from_the_first_batch_on(self):
        workers = [await self.worker(f"w{n}", fake_worker.answer()) for n in range(4)]
        for start in range(STARTS):
            weir = await self.weir(basic_config(workers, {"timeout": {"queue": "3s"}},
                                                threads=LOOPS))
            # The kernel spreads connections over the loops' listeners by their ports.
            answers = await asyncio.gather(*[raw_client.ask(weir.front) for _ in range(4 * LOOPS)])
            wrong = [a for a in answers if a.status != 200]
            self.assertFalse(wrong, f"start {start}: {wrong[:1]}")
            metrics = await weir.metrics()
            self.assertEqual(metrics.sum("weir_retries_total"), 0, f"start {start}")
            self.assertIsNone(await weir.stop())

    async def test_every_loop_learns_of_pools_and_workers_that_a_reload_brings(self):
        w1, w2 = await self.worker("w1"), await self.worker("w2")
        weir = await self.weir(basic_config([w1], threads=LOOPS))
        for number in range(STARTS):
            name = f"pool{number}"
            config = basic_config([w1], {"path": "/old"}, threads=LOOPS)
            config["routes"].append({"name": name, "path": "/new", "pool": name,
                                     "timeout": {"queue": "3s"}})
            config["pools"][name] = {"workers": [w2.config(slots=4 * LOOPS)],
                                     "health_check": {"interval": "1s", "timeout": "1s"}}
            await weir.reload(config)
            await weir.worker_is("w2", "up", pool=name)
            answers = await asyncio.gather(*[raw_client.ask(weir.front, target="/new")
                                             for _ in range(4 * LOOPS)])
            self.assertEqual({a.status for a in answers}, {200}, f"reload {number}")
            metrics = await weir.metrics()
            self.assertEqual(metrics.sum("weir_retries_total", pool=name), 0, f"reload {number}")

    async def test_stopping_during_the_start_is_clean(self):
        w1 = await self.worker("w1")
        for _ in range(STARTS):
            weir = await self.weir(basic_config([w1], threads=4), ready=False)
            self.assertIsNone(await weir.stop())


if __name__ == "__main__":
    unittest.main()
