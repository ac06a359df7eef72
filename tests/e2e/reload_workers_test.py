"""Reloads of a full pool: what the configuration lists is there, whoever else is."""

import unittest

import fake_worker
import raw_client
from harness import WeirCase, basic_config, until


class FullPoolTest(WeirCase):
    async def test_a_worker_that_moved_joins_while_the_old_one_finishes(self):
        held = fake_worker.Held()
        old, new = await self.worker("w1", held), await self.worker("w1")
        weir = await self.weir(basic_config([old], pool={"workers_max": 1}))
        ask = self.task(raw_client.ask(weir.front))
        await until(lambda: held.waiting, "a batch at the old one")
        await weir.reload(basic_config([new], pool={"workers_max": 1}))
        self.assertEqual((await raw_client.ask(weir.front)).status, 200)
        held.release()
        self.assertEqual((await ask).status, 200)

        async def only_the_new_one():
            rows = (await weir.get("/v1/workers?pool=loaders"))["workers"]
            return [row["url"] for row in rows] == [new.url]
        await until(only_the_new_one, "the old one gone")

    async def test_a_worker_that_is_new_joins_though_registered_ones_took_every_place(self):
        w1, w2, r1 = [await self.worker(name) for name in ("w1", "w2", "r1")]
        weir = await self.weir(basic_config([w1], pool={"workers_max": 2}))
        path = "/v1/pools/loaders/workers"
        await weir.post(path, {"id": "r1", "url": r1.url, "ttl": "1m"}, 201)
        await weir.reload(basic_config([w1, w2], pool={"workers_max": 2}))
        await weir.worker_is("w2", "up")
        self.assertEqual(await weir.worker_state("r1"), "up")


if __name__ == "__main__":
    unittest.main()
