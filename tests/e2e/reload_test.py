"""Reloads: all or nothing, by every way to ask for one, and never at a batch's cost."""

import asyncio
import contextlib
import json
import os
import random
import signal
import unittest

import fake_worker
import load
import raw_client
import yaml_text
from harness import HEAVY, SLOW, Weir, WeirCase, basic_config, run_command, until

RELOADS = 1000 if HEAVY else 200 // SLOW


class ReloadUnderLoadTest(WeirCase):
    async def test_many_reloads_under_load_fail_no_batch(self):
        seed = int(os.environ.get("WEIR_E2E_SEED", random.randrange(1 << 32)))
        print(f"seed {seed}")
        chance = random.Random(seed)
        workers = [await self.worker(f"w{n}", fake_worker.takes(0.002)) for n in range(8)]

        def config():
            """A random part of the workers, some changed; always one that stays."""
            chosen = [workers[0]] + chance.sample(workers[1:], chance.randrange(7))
            rows = [w.config(slots=chance.randrange(1, 6), weight=chance.choice((0.5, 1, 2)))
                    for w in chosen]
            pool = {"balance": chance.choice(("least_loaded", "round_robin", "power_of_two")),
                    "queue": {"max_batches": chance.randrange(100, 5000)}}
            return basic_config(rows, pool=pool)
        weir = await self.weir(config())
        makes = (load.post, load.post_without_key)
        running = [load.Load(weir.front, 8, make) for make in makes]
        for _ in range(RELOADS):
            await weir.reload(config())
        for one in running:
            await one.reached(50)
            self.assertEqual(set(await one.stop()), {200}, one.examples)
        answered = sum(one.answered for one in running)
        metrics = await weir.metrics()
        self.assertEqual(metrics.sum("weir_batches_total", outcome="ok"), answered)
        self.assertEqual(metrics.sum("weir_config_last_reload_successful"), 1)
        generation = (await weir.get("/v1/status"))["config"]["generation"]
        self.assertEqual(generation, RELOADS + 1)
        pool = await weir.pool()
        self.assertEqual((pool["waiting"], pool["running"]), (0, 0))


class ReloadTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.w1, self.w2 = await self.worker("w1"), await self.worker("w2")

    async def has_worker(self, weir, name):
        async def matches():
            return name in await weir.workers()
        await until(matches, f"worker {name}")

    async def test_a_bad_file_changes_nothing_and_says_why(self):
        weir = await self.weir(basic_config([self.w1]))
        good = basic_config([self.w1, self.w2])
        good["pools"]["loaders"]["blance"] = "first"
        good["routes"][0]["pool"] = "loders"
        weir.write(good)
        response = await weir.api("POST", "/v1/reload")
        self.assertEqual(response.status, 422, response)
        text = response.body.decode()
        for part in ("weir.yaml:", "blance", "balance", "loders", "loaders"):
            self.assertIn(part, text)
        self.assertNotIn("w2", await weir.workers())
        status = (await weir.get("/v1/status"))["config"]
        self.assertEqual((status["last_reload_ok"], status["generation"]), (False, 1))
        self.assertTrue(status["last_reload_error"])
        metrics = await weir.metrics()
        self.assertEqual(metrics.sum("weir_config_last_reload_successful"), 0)
        self.assertEqual((await raw_client.ask(weir.front)).status, 200)
        await weir.reload(basic_config([self.w1, self.w2]))
        await weir.worker_is("w2", "up")
        metrics = await weir.metrics()
        self.assertEqual(metrics.sum("weir_config_last_reload_successful"), 1)

    async def test_mistakes_of_a_refused_reload_stand_on_lines_of_their_own(self):
        weir = await self.weir(basic_config([self.w1]))
        bad = basic_config([self.w1])
        bad["routs"], bad["thread"] = [], 2
        weir.write(bad)
        weir.signal(signal.SIGHUP)

        async def refused():
            return (await weir.get("/v1/status"))["config"]["last_reload_ok"] is False
        await until(refused, "the reload refused")
        for verb, before in (("status", "  "), ("events", "    ")):
            _, out, _ = await run_command(verb, "--admin", weir.admin_url)
            for key in ("routs", "thread"):
                self.assertRegex(out, rf"(?m)^{before}\S*weir\.yaml:\d+:\d+: unknown key `{key}`")

    async def test_what_may_not_be_meant_is_in_the_log_at_the_start_and_after_a_reload(self):
        config = basic_config([self.w1])
        config["pools"]["spare"] = {"workers": [self.w2.config()]}
        weir = await self.weir(config)
        self.assertEqual([line for line in weir.log if not line.startswith("{")], [])
        warned = [line for line in weir.log if "pools.spare: is not used" in line]
        self.assertEqual(len(warned), 1)
        self.assertEqual(json.loads(warned[0])["level"], "warning")
        config["state_dir"] = "state"
        await weir.reload(config)
        config["backup"] = {"dir": "copies"}
        del config["state_dir"]
        await weir.reload(config)
        await weir.said("backup: has no effect without `state_dir`")

    async def test_log_lines_hold_no_empty_members(self):
        weir = await self.weir(basic_config([self.w1]))
        await weir.reload()
        await weir.said("reloaded")
        for line in map(json.loads, weir.log):
            self.assertNotIn("", line.values(), line)

    async def test_hup_reloads(self):
        weir = await self.weir(basic_config([self.w1]))
        weir.write(basic_config([self.w1, self.w2]))
        weir.signal(signal.SIGHUP)
        await self.has_worker(weir, "w2")

    async def test_a_bad_file_and_hup_leave_weir_running(self):
        weir = await self.weir(basic_config([self.w1]))
        weir.write("pools: [\n")
        weir.signal(signal.SIGHUP)
        await weir.said(r"weir\.yaml:\d+:\d+")
        self.assertEqual((await raw_client.ask(weir.front)).status, 200)

    async def test_a_watched_file_is_reloaded_when_it_is_replaced_or_written(self):
        weir = await self.weir(basic_config([self.w1], reload="watch"))
        weir.write(basic_config([self.w1, self.w2], reload="watch"))
        await self.has_worker(weir, "w2")
        with open(weir.file, encoding="utf-8") as file:
            text = file.read()
        with open(weir.file, "w", encoding="utf-8") as file:
            file.write(text.replace("id: w2", "id: w3"))
        await self.has_worker(weir, "w3")

    async def test_a_watched_config_map_is_reloaded_when_its_link_is_swapped(self):
        """Kubernetes: weir.yaml -> ..data/weir.yaml; ..data -> ..1, then -> ..2 by rename."""
        def publish(version, text):
            os.mkdir(self.path(f"..{version}"))
            self.write(f"..{version}/weir.yaml", text)
            os.symlink(f"..{version}", self.path("..data_tmp"))
            os.replace(self.path("..data_tmp"), self.path("..data"))
        start = basic_config([self.w1], reload="watch")
        weir = await self.weir_from_link(start, publish)
        publish(2, yaml_text.dump(basic_config([self.w1, self.w2], reload="watch")))
        await self.has_worker(weir, "w2")
        publish(3, yaml_text.dump(basic_config([self.w2], reload="watch")))

        async def gone():
            return "w1" not in await weir.workers()
        await until(gone, "w1 gone")

    async def weir_from_link(self, config, publish):
        weir = Weir(self.folder, config)
        os.unlink(weir.file)
        publish(1, yaml_text.dump(config))
        os.symlink("..data/weir.yaml", weir.file)
        self.addAsyncCleanup(weir.stop)
        return await weir.start()

    async def test_what_did_not_change_keeps_its_state(self):
        async def reset(request, reply):
            reply.reset()
        w3 = await self.worker("w3")
        pool = {"ejection": {"consecutive_failures": 2, "base_time": "5m"},
                "balance": "round_robin"}
        weir = await self.weir(basic_config([self.w1, self.w2, w3], pool=pool))
        self.w1.script = reset

        async def ejected():
            await raw_client.ask(weir.front, "POST", body=b"x")
            return await weir.worker_state("w1") == "ejected"
        await until(ejected, "w1 ejected")
        await weir.post("/v1/pools/loaders/workers/w2/drain")
        changed = basic_config([self.w1, self.w2, w3.config(weight=2)], pool=pool)
        await weir.reload(changed)
        self.assertEqual(await weir.worker_state("w1"), "ejected")
        self.assertEqual(await weir.worker_state("w2"), "draining")
        self.assertEqual(await weir.worker_state("w3"), "up")
        self.assertEqual((await weir.workers())["w3"]["weight"], 2)

    async def test_the_queue_and_batches_in_flight_survive(self):
        held = fake_worker.Held()
        self.w1.script = held
        weir = await self.weir(basic_config([self.w1.config(slots=1)]))
        asks = [self.task(raw_client.ask(weir.front, "POST", "/0", (), b"x"))]
        await until(lambda: held.waiting, "a batch at the worker")
        for n in (1, 2):
            asks.append(self.task(raw_client.ask(weir.front, "POST", f"/{n}", (), b"x")))
            await weir.waiting(n)
        await weir.reload(basic_config([self.w1.config(slots=1)],
                                       pool={"queue": {"max_batches": 10}}))
        self.assertEqual((await weir.pool())["waiting"], 2)
        for _ in range(3):
            await until(lambda: held.waiting, "the next batch")
            held.release(1)
        self.assertEqual([r.status for r in await asyncio.gather(*asks)], [200] * 3)
        self.assertEqual([r.target for r in self.w1.requests], ["/0", "/1", "/2"])

    async def test_a_removed_worker_finishes_and_stays_visible_until_then(self):
        held = fake_worker.Held()
        self.w1.script = held
        weir = await self.weir(basic_config([self.w1, self.w2], pool={"balance": "first"}))
        ask = self.task(raw_client.ask(weir.front))
        await until(lambda: held.waiting, "a batch at w1")
        await weir.reload(basic_config([self.w2], pool={"balance": "first"}))
        self.assertEqual(await weir.worker_state("w1"), "draining")
        self.assertEqual((await raw_client.ask(weir.front)).field("Weir-Worker"), "w2")
        held.release()
        self.assertEqual((await ask).status, 200)

        async def gone():
            return await weir.worker_state("w1") == "gone"
        await until(gone, "w1 gone")
        metrics = await weir.metrics()
        self.assertNotIn("w1", metrics.labels("weir_worker_state", "worker"))

    async def test_listeners_come_and_go_and_the_others_stay_open(self):
        weir = await self.weir(basic_config([self.w1]))
        client = await self.client(weir.front)
        await client.ask("GET")
        two = basic_config([self.w1])
        two["listeners"].append({"name": "second", "bind": "127.0.0.1:0"})
        await weir.reload(two)
        status = await weir.get("/v1/status")
        addresses = {one["name"]: one["address"] for one in status["listeners"]}
        self.assertEqual(addresses["front"], weir.front)
        self.assertEqual((await raw_client.ask(addresses["second"])).status, 200)
        await weir.reload(basic_config([self.w1]))

        async def refused():   # what is in its queue is still served
            with contextlib.suppress(OSError):
                return not await raw_client.ask(addresses["second"])
            return True
        await until(refused, "nobody at the second listener's address")
        self.assertEqual((await client.ask("GET")).status, 200)

    async def test_a_listener_that_cannot_be_bound_fails_the_whole_reload(self):
        weir = await self.weir(basic_config([self.w1]))
        config = basic_config([self.w1, self.w2])
        config["listeners"].append({"name": "taken", "bind": self.w1.address})
        weir.write(config)
        response = await weir.api("POST", "/v1/reload")
        self.assertGreaterEqual(response.status, 400, response)
        self.assertNotIn("w2", await weir.workers())
        self.assertEqual((await raw_client.ask(weir.front)).status, 200)

    async def test_routes_and_pools_change_as_one(self):
        weir = await self.weir(basic_config([self.w1]))
        config = basic_config([self.w1], {"path": "/old"})
        config["routes"].append({"name": "new", "path": "/new", "pool": "other"})
        config["pools"]["other"] = {"workers": [self.w2.config()]}
        await weir.reload(config)
        await weir.worker_is("w2", "up", pool="other")
        self.assertEqual((await raw_client.ask(weir.front, target="/new")).field("Weir-Worker"),
                         "w2")
        self.assertEqual((await raw_client.ask(weir.front, target="/else")).status, 404)

    async def test_a_plan_says_what_would_change_and_changes_nothing(self):
        weir = await self.weir(basic_config([self.w1]))
        weir.write(basic_config([self.w1.config(slots=9), self.w2]))
        report = await weir.post("/v1/plan")
        text = " ".join([report["summary"], *report["lines"]])
        self.assertIn("w2", text)
        self.assertIn("slots", text)
        self.assertEqual(set(await weir.workers()), {"w1"})
        self.assertEqual((await weir.workers())["w1"]["slots"], 4)


if __name__ == "__main__":
    unittest.main()
