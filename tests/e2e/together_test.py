"""What belongs together: batches of one group end together, and those of one dataset go to one
worker; whether their clients wait for them or not."""

import collections
import unittest

import fake_worker
from async_case import AsyncCase
from harness import until


class TogetherTest(AsyncCase):
    async def test_what_a_route_names_keeps_to_one_worker(self):
        workers = [await self.worker(f"w{n}") for n in range(4)]
        await self.start(*workers, route={"affinity": {"header": "X-Dataset"}},
                         pool={"balance": "hash"})
        for worker in workers:
            await self.door.worker_is(worker.name, "up")
        for dataset in range(8):
            fields = {"X-Dataset": f"d{dataset}"}
            for _ in range(3):
                self.assertEqual((await self.ask("POST", "/load", fields, b"x")).status, 200)
                await self.becomes(await self.post(fields=fields), "succeeded")
        went = collections.defaultdict(set)
        for worker in workers:
            for request in worker.requests:
                went[request.field("X-Dataset")].add(worker.name)
        self.assertEqual([len(w) for w in went.values()], [1] * 8, went)
        self.assertGreater(len(set.union(*went.values())), 1, went)

    async def test_what_decides_when_a_group_is_done_goes_first_though_nobody_waits(self):
        w1 = await self.worker("w1", fake_worker.takes(0.01))
        await self.start(w1.config(slots=1), route={"cost": {"header": "X-Rows"}})
        for _ in range(10):
            await self.ask("POST", "/learn", {"X-Rows": "1000"}, b"x")
        held = w1.script = fake_worker.Held()
        first = await self.post(target="/first", fields={"X-Rows": "1000"})
        await until(lambda: held.waiting, "the batch that holds the slot")
        group = {"Weir-Group": "backfill"}
        long = await self.post(target="/long", fields={"X-Rows": "10000000", **group})
        short = await self.post(target="/short", fields={"X-Rows": "10", **group})
        for at in (first, long, short):
            await until(lambda: held.waiting, "a batch at the worker")
            held.release()
            await self.becomes(at, "succeeded")
        self.assertEqual([r.target for r in w1.requests[-3:]], ["/first", "/long", "/short"])


if __name__ == "__main__":
    unittest.main()
