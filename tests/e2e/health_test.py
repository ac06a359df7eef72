"""Health from outside: proof before traffic, down and back, ejection, slow start, drains."""

import asyncio
import unittest

import fake_worker
import load
import raw_client
import wire
from harness import WeirCase, basic_config, until

FAST = {"health_check": {"interval": "50ms", "timeout": "500ms", "fall": 2, "rise": 2}}


async def reset(request, reply):
    reply.reset()


class ProbeTest(WeirCase):
    async def test_no_traffic_before_the_first_proof(self):
        w1, w2 = await self.worker("w1"), await self.worker("w2")
        w1.probe_status = None
        weir = await self.weir(basic_config([w1, w2], pool=FAST))
        for _ in range(20):
            self.assertEqual((await raw_client.ask(weir.front)).field("Weir-Worker"), "w2")
        self.assertEqual(await weir.worker_state("w1"), "checking")
        w1.probe_status = 200
        for connection in list(w1.connections):
            wire.reset(connection.writer)
        await weir.worker_is("w1", "up")
        await until_served_by(weir, "w1")

    async def test_readiness_waits_for_the_first_proof(self):
        w1 = await self.worker("w1")
        w1.probe_status = 500
        weir = await self.weir(basic_config([w1], pool=FAST), ready=False)
        self.assertEqual((await weir.api("GET", "/readyz")).status, 503)
        self.assertEqual((await weir.api("GET", "/livez")).status, 200)
        w1.probe_status = 200
        await weir.ready()

    async def test_a_worker_goes_down_by_probes_and_comes_back(self):
        w1, w2 = await self.worker("w1"), await self.worker("w2")
        weir = await self.weir(basic_config([w1, w2], pool=FAST))
        w1.probe_status = 500
        await weir.worker_is("w1", "down")
        before = len(w1.requests)
        for _ in range(20):
            self.assertEqual((await raw_client.ask(weir.front)).status, 200)
        self.assertEqual(len(w1.requests), before)
        self.assertIn("500", (await weir.workers())["w1"]["reason"])
        w1.probe_status = 204
        await weir.worker_is("w1", "up")
        await until_served_by(weir, "w1")
        metrics = await weir.metrics()
        self.assertGreater(metrics.sum("weir_probes_total", worker="w1"), 4)
        self.assertGreater(len(metrics.labels("weir_probes_total", "result")), 1)

    async def test_a_probe_that_hangs_has_failed(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], pool={"health_check": {
            "interval": "50ms", "timeout": "100ms", "fall": 2}}))
        w1.probe_status = None
        await weir.worker_is("w1", "down")

    async def test_a_failed_probe_aborts_no_attempt(self):
        held = fake_worker.Held()
        w1 = await self.worker("w1", held)
        weir = await self.weir(basic_config([w1], pool=FAST))
        ask = self.task(raw_client.ask(weir.front, "POST", body=b"x"))
        await until(lambda: held.waiting, "a batch at the worker")
        w1.probe_status = 500
        await weir.worker_is("w1", "down")
        held.release()
        self.assertEqual((await ask).status, 200)

    async def test_tcp_checks_need_no_answer(self):
        w1 = await self.worker("w1")
        w1.probe_status = 500
        weir = await self.weir(basic_config([w1], pool={"health_check": {
            "type": "tcp", "path": "/", "interval": "50ms", "timeout": "500ms", "fall": 2}}))
        self.assertEqual(await weir.worker_state("w1"), "up")
        w1.kill()
        await weir.worker_is("w1", "down")
        await w1.restart()
        await weir.worker_is("w1", "up")

    async def test_a_path_and_statuses_of_ones_own(self):
        w1 = await self.worker("w1")
        w1.probe_status = 207
        weir = await self.weir(basic_config([w1], pool={"health_check": {
            "interval": "50ms", "timeout": "500ms", "fall": 2, "statuses": [207]}}))
        w1.probe_status = 200
        await weir.worker_is("w1", "down")

    async def test_a_full_worker_is_saturated_and_not_down(self):
        held = fake_worker.Held()
        w1 = await self.worker("w1", held)
        weir = await self.weir(basic_config([w1.config(slots=2)], pool=FAST))
        asks = [self.task(raw_client.ask(weir.front)) for _ in range(2)]
        await weir.worker_is("w1", "saturated")
        self.assertEqual((await weir.api("GET", "/readyz")).status, 200)
        held.release()
        await asyncio.gather(*asks)
        await weir.worker_is("w1", "up")


async def until_served_by(weir, worker):
    async def served():
        return (await raw_client.ask(weir.front)).field("Weir-Worker") == worker
    await until(served, f"a batch served by {worker}")


class EjectionTest(WeirCase):
    async def test_a_failing_worker_is_ejected_for_a_time_and_no_client_notices(self):
        w1, w2, w3 = [await self.worker(f"w{n}") for n in (1, 2, 3)]
        weir = await self.weir(basic_config([w1, w2, w3], pool={
            "ejection": {"consecutive_failures": 3, "base_time": "500ms"},
            "retry_budget": {"min": 100}}))
        running = load.Load(weir.front, clients=6)
        await running.reached(60)
        w1.script = reset
        await weir.worker_is("w1", "ejected")
        w1.script = fake_worker.echo
        before = len(w1.requests)
        await until(lambda: len(w1.requests) > before, "traffic for the worker again")
        outcomes = await running.stop()
        self.assertEqual(set(outcomes), {200}, running.examples)
        metrics = await weir.metrics()
        self.assertGreaterEqual(metrics.sum("weir_ejections_total", worker="w1"), 1)
        self.assertEqual(metrics.sum("weir_ejections_total", worker="w2"), 0)

    async def test_who_was_down_goes_on_with_its_ejection_which_counts_once(self):
        w1, w2 = [await self.worker(f"w{n}") for n in (1, 2)]
        weir = await self.weir(basic_config([w1, w2], pool={
            "balance": "first", "retry_budget": {"min": 100},
            "ejection": {"consecutive_failures": 1, "base_time": "5m"},
            "health_check": {"path": "/healthz", "interval": "50ms", "fast_interval": "20ms",
                             "timeout": "1s", "fall": 1, "rise": 1}}))
        await weir.worker_is("w1", "up")
        await weir.worker_is("w2", "up")
        w1.script = reset
        await raw_client.ask(weir.front)
        await weir.worker_is("w1", "ejected")
        w1.probe_status = 503
        await weir.worker_is("w1", "down")
        w1.probe_status = 200
        await weir.worker_is("w1", "ejected")
        self.assertEqual((await weir.metrics()).sum("weir_ejections_total", worker="w1"), 1)

    async def test_the_last_worker_is_never_ejected(self):
        w1 = await self.worker("w1", reset)
        weir = await self.weir(basic_config([w1], pool={"ejection": {"consecutive_failures": 2}}))
        for _ in range(12):
            self.assertEqual((await raw_client.ask(weir.front, "POST", body=b"x")).status, 502)
        w1.script = fake_worker.echo
        self.assertEqual((await raw_client.ask(weir.front, "POST", body=b"x")).status, 200)

    async def test_a_shared_outage_condemns_nobody(self):
        workers = [await self.worker(f"w{n}", reset) for n in range(4)]
        weir = await self.weir(basic_config(workers, pool={
            "ejection": {"consecutive_failures": 2, "base_time": "5m"}}))

        async def outage():
            await asyncio.gather(*[raw_client.ask(weir.front, "POST", body=b"x")
                                   for _ in range(8)])
            return (await weir.pool())["outage"]
        await until(outage, "an outage")
        for worker in workers:
            worker.script = fake_worker.echo

        async def over():
            await raw_client.ask(weir.front, "POST", body=b"x")
            states = [row["state"] for row in (await weir.workers()).values()]
            return states == ["up"] * 4
        await until(over, "all workers up again")

    async def test_answers_that_count_as_failures_are_told(self):
        w1, w2 = await self.worker("w1"), await self.worker("w2")
        weir = await self.weir(basic_config([w1, w2], pool={
            "balance": "round_robin",
            "ejection": {"consecutive_failures": 3, "base_time": "5m"}}))
        w1.script = fake_worker.answer(404)
        for _ in range(12):
            await raw_client.ask(weir.front, "POST", body=b"x")
        self.assertEqual(await weir.worker_state("w1"), "up")
        w1.script = fake_worker.answer(500)

        async def ejected():
            await raw_client.ask(weir.front, "POST", body=b"x")
            return await weir.worker_state("w1") == "ejected"
        await until(ejected, "w1 ejected")


class RampTest(WeirCase):
    async def ramp(self, clients, slow_start):
        """How many of ten slots were open, from when the worker came up until all were."""
        w1 = await self.worker("w1", fake_worker.takes(0.02))
        weir = await self.weir(basic_config([w1.config(slots=10)], pool={
            "slow_start": slow_start, **FAST}))
        w1.probe_status = 500
        await weir.worker_is("w1", "down")
        running = load.Load(weir.front, clients=clients)
        w1.probe_status = 200
        await weir.worker_is("w1", "up", "saturated")
        opened = []

        async def all_open():
            opened.append((await weir.workers())["w1"]["slots_open"])
            return opened[-1] == 10
        await until(all_open, "all slots open")
        self.assertEqual(set(await running.stop()), {200})
        self.assertEqual(opened, sorted(opened))
        return opened

    async def test_slots_open_slowly(self):
        opened = await self.ramp(clients=2, slow_start="2s")
        self.assertLess(opened[0], 10)
        self.assertGreater(len(set(opened)), 3)

    async def test_slots_of_a_worker_that_does_its_work_open_for_what_waits(self):
        await self.ramp(clients=20, slow_start="1h")

    async def test_backup_workers_serve_only_when_no_other_is_left(self):
        w1, spare = await self.worker("w1"), await self.worker("spare")
        weir = await self.weir(basic_config([w1], pool={**FAST,
                                                        "backup_workers": [spare.config()]}))
        await weir.worker_is("spare", "up")
        for _ in range(20):
            await raw_client.ask(weir.front)
        self.assertEqual(spare.requests, [])
        w1.kill()
        response = await raw_client.ask(weir.front)
        self.assertEqual(response.field("Weir-Worker"), "spare")
        await w1.restart()
        await weir.worker_is("w1", "up")
        before = len(spare.requests)
        for _ in range(20):
            self.assertEqual((await raw_client.ask(weir.front)).field("Weir-Worker"), "w1")
        self.assertEqual(len(spare.requests), before)


class DrainTest(WeirCase):
    async def test_a_drained_worker_finishes_and_gets_nothing_new_until_undrained(self):
        held = fake_worker.Held()
        w1, w2 = await self.worker("w1", held), await self.worker("w2")
        weir = await self.weir(basic_config([w1, w2], pool={"balance": "first"}))
        ask = self.task(raw_client.ask(weir.front))
        await until(lambda: held.waiting, "a batch at w1")
        await weir.post("/v1/pools/loaders/workers/w1/drain")
        self.assertEqual(await weir.worker_state("w1"), "draining")
        for _ in range(10):
            self.assertEqual((await raw_client.ask(weir.front)).field("Weir-Worker"), "w2")
        held.release()
        self.assertEqual((await ask).field("Weir-Worker"), "w1")
        w1.script = fake_worker.echo
        await weir.post("/v1/pools/loaders/workers/w1/undrain")
        await until_served_by(weir, "w1")

    async def test_a_drain_is_apart_from_health(self):
        w1, w2 = await self.worker("w1"), await self.worker("w2")
        weir = await self.weir(basic_config([w1, w2], pool=FAST))
        await weir.post("/v1/pools/loaders/workers/w1/drain")
        w1.probe_status = 500
        await wire.pause(0.3)
        w1.probe_status = 200
        await wire.pause(0.3)
        self.assertEqual(await weir.worker_state("w1"), "draining")
        await weir.post("/v1/pools/loaders/workers/w1/undrain")
        await weir.worker_is("w1", "up", "checking")

    async def test_names_that_are_none_are_404(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        for path in ("/v1/pools/none/workers/w1/drain", "/v1/pools/loaders/workers/none/drain",
                     "/v1/pools/none/pause"):
            self.assertEqual((await weir.api("POST", path)).status, 404, path)


if __name__ == "__main__":
    unittest.main()
