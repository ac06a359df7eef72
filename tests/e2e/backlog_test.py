"""The backlog: its bounds, its order, its fairness, and what clients and operators see of it."""

import asyncio
import unittest

import fake_worker
import raw_client
import wire
from harness import WeirCase, basic_config, until


class BacklogCase(WeirCase):
    async def start(self, route=None, **pool):
        """One worker with one slot, which a first batch holds."""
        self.held = fake_worker.Held()
        self.w1 = await self.worker("w1", self.held)
        self.door = await self.weir(basic_config([self.w1.config(slots=1)], route, pool))
        self.first = self.task(raw_client.ask(self.door.front, "POST", "/first", (), b"x"))
        await until(lambda: self.held.waiting, "the first batch at the worker")

    async def wait_in_line(self, target, fields=(), method="POST", body=b"x"):
        """One more batch that waits; returns once it is in the queue."""
        count = (await self.door.pool())["waiting"]
        ask = self.task(raw_client.ask(self.door.front, method, target, fields, body))
        await self.door.waiting(count + 1)
        return ask

    async def serve_all(self, count):
        """Serves what waits, one after the other; the targets in order."""
        for served in range(1, count + 2):
            await until(lambda: self.held.waiting, f"batch {served} at the worker")
            self.held.release(1)
        return [r.target for r in self.w1.requests[1:]]


class OrderTest(BacklogCase):
    async def test_first_come_is_first_served(self):
        await self.start()
        for n in range(5):
            await self.wait_in_line(f"/{n}")
        self.assertEqual(await self.serve_all(5), [f"/{n}" for n in range(5)])

    async def test_urgency_goes_first(self):
        await self.start()
        for urgency in (7, 3, 5, 0, 1):
            await self.wait_in_line(f"/{urgency}", {"Priority": f"u={urgency}, i"})
        await self.wait_in_line("/none")
        order = await self.serve_all(6)
        self.assertEqual(order, ["/0", "/1", "/3", "/none", "/5", "/7"])

    async def test_a_step_of_no_length_ignores_urgency(self):
        await self.start(queue={"priority_step": "0s"})
        for urgency in (7, 0):
            await self.wait_in_line(f"/{urgency}", {"Priority": f"u={urgency}"})
        self.assertEqual(await self.serve_all(2), ["/7", "/0"])

    async def learned(self, order, **fields):
        """Teaches the route that a row takes 10 µs, then lets a long batch wait before a short."""
        await self.start({"cost": {"header": "X-Rows"}}, queue={"order": order})
        self.held.release()
        await self.first
        self.w1.script = fake_worker.takes(0.01)
        for _ in range(10):
            await raw_client.ask(self.door.front, fields={"X-Rows": "1000"})
        self.w1.script = self.held
        self.w1.requests.clear()
        self.first = self.task(raw_client.ask(self.door.front, fields={"X-Rows": "1000"}))
        await until(lambda: self.held.waiting, "the batch that holds the slot")
        await self.wait_in_line("/long", {"X-Rows": "10000000", **fields})
        await self.wait_in_line("/short", {"X-Rows": "10", **fields})
        return await self.serve_all(2)

    async def test_a_short_batch_passes_a_long_one(self):
        self.assertEqual(await self.learned("cost_aware"), ["/short", "/long"])

    async def test_what_decides_when_a_group_is_done_goes_first(self):
        order = await self.learned("cost_aware", **{"Weir-Group": "backfill 7"})
        self.assertEqual(order, ["/long", "/short"])
        self.assertEqual(self.w1.requests[-1].field("Weir-Group"), "backfill 7")

    async def test_fifo_is_fifo_whatever_the_cost(self):
        self.assertEqual(await self.learned("fifo"), ["/long", "/short"])

    async def test_a_tenant_that_dumps_much_does_not_hold_up_another(self):
        await self.start({"tenant": {"header": "X-Tenant"}})
        for n in range(8):
            await self.wait_in_line(f"/bulk{n}", {"X-Tenant": "bulk"})
        for n in range(2):
            await self.wait_in_line(f"/small{n}", {"X-Tenant": "small"})
        order = await self.serve_all(10)
        self.assertLessEqual(order.index("/small0"), 2, order)
        self.assertLessEqual(order.index("/small1"), 4, order)
        bulk = [t for t in order if t.startswith("/bulk")]
        self.assertEqual(bulk, sorted(bulk))


class BoundsTest(BacklogCase):
    async def test_a_full_queue_is_429_at_once(self):
        await self.start(queue={"max_batches": 2})
        waiting = [await self.wait_in_line(f"/{n}") for n in range(2)]
        for _ in range(3):
            response = await raw_client.ask(self.door.front, "POST", body=b"x")
            self.assertIn("queue", self.assert_problem(response, 429)["type"])
        self.assertEqual(await self.serve_all(2), ["/0", "/1"])
        for ask in waiting:
            self.assertEqual((await ask).status, 200)
        metrics = await self.door.metrics()
        self.assertGreaterEqual(metrics.sum("weir_limit_hits_total"), 3)

    async def test_a_wait_has_an_end_by_pool_or_route(self):
        for route, queue in (({}, {"max_wait": "200ms"}), ({"timeout": {"queue": "200ms"}}, {})):
            with self.subTest(route=route):
                await self.start(route, queue=queue)
                response = await raw_client.ask(self.door.front, "POST", body=b"x")
                self.assert_problem(response, 429)
                self.assertEqual((await self.door.pool())["waiting"], 0)
                self.held.release()
                self.assertEqual((await self.first).status, 200)
                await self.door.stop()

    async def test_a_deadline_that_passes_while_waiting_is_429(self):
        await self.start()
        response = await raw_client.ask(self.door.front, "POST", "/late", {"Weir-Deadline": "0.3"},
                                        b"x")
        problem = self.assert_problem(response, 429)
        self.assertIn("deadline", problem["type"])
        self.assertIn("passed while it waited", problem["detail"])
        self.assertNotIn("Retry-After", problem["detail"])
        self.assertNotIn("/late", [r.target for r in self.w1.requests])

    async def test_a_deadline_that_has_passed_is_refused_at_once(self):
        await self.start()
        for deadline in ("0", "Mon, 01 Jan 2024 00:00:00 GMT", "2024-01-01T00:00:00Z"):
            response = await raw_client.ask(self.door.front, "POST", "/late",
                                            {"Weir-Deadline": deadline}, b"x")
            detail = self.assert_problem(response, 429, deadline)["detail"]
            self.assertIn("had passed when it came", detail)
            self.assertNotIn("Retry-After", detail)

    async def test_a_deadline_that_is_none_is_400(self):
        await self.start()
        response = await raw_client.ask(self.door.front, "GET", "/", {"Weir-Deadline": "soon"})
        self.assert_problem(response, 400)

    async def test_a_deadline_that_can_be_met_is(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        response = await raw_client.ask(weir.front, fields={"Weir-Deadline": "60"})
        self.assertEqual(response.status, 200)

    async def test_waiting_without_any_worker_ends_in_503(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config(
            [w1], {"timeout": {"queue": "300ms"}}, {"health_check": {"interval": "100ms",
                                                                     "fall": 1}}))
        w1.kill()
        await weir.worker_is("w1", "down")
        response = await raw_client.ask(weir.front, "POST", body=b"x")
        self.assert_problem(response, 503)

    async def test_refused_clients_are_told_different_times(self):
        """A backlog of some seconds: those refused do not all come back at once."""
        await self.start({"cost": {"fixed": 1}}, queue={"max_batches": 40})
        self.held.release()
        await self.first
        self.w1.script = fake_worker.takes(0.3)
        for _ in range(6):  # what a batch costs has to be learned first
            await raw_client.ask(self.door.front)
        for n in range(41):
            self.task(raw_client.ask(self.door.front, "POST", f"/{n}", (), b"x"))
        await self.door.waiting(40)
        refused = [await raw_client.ask(self.door.front) for _ in range(25)]
        times = {int(r.field("Retry-After")) for r in refused if r.status == 429}
        self.assertGreater(len(times), 2, times)


class ViewsTest(BacklogCase):
    async def test_the_queue_is_shown_in_order(self):
        await self.start({"tenant": {"header": "X-Tenant"}})
        for n in range(3):
            await self.wait_in_line(f"/{n}", {"X-Tenant": "acme", "Priority": f"u={5 - n}"})
        page = await self.door.get("/v1/queue?pool=loaders&limit=2")
        self.assertEqual(page["total"], 3)
        self.assertEqual([b["urgency"] for b in page["batches"]], [3, 4])
        self.assertEqual({b["tenant"] for b in page["batches"]}, {"acme"})
        rest = await self.door.get("/v1/queue?pool=loaders&offset=2&limit=2")
        self.assertEqual([b["urgency"] for b in rest["batches"]], [5])

    async def test_a_waiting_batch_is_explained(self):
        await self.start()
        await self.wait_in_line("/mine")
        label = (await self.door.queue())[0]["batch"]
        response = await self.door.api("GET", f"/v1/explain?batch={label}")
        self.assertEqual(response.status, 200, response)
        self.assertIn("wait", response.body.decode().lower())
        self.assertEqual((await self.door.api("GET", "/v1/explain?batch=nobody")).status, 404)

    async def test_metrics_show_the_backlog(self):
        await self.start()
        for n in range(3):
            await self.wait_in_line(f"/{n}")
        metrics = await self.door.metrics()
        self.assertEqual(metrics.sum("weir_queue_batches", pool="loaders"), 3)
        self.assertGreater(metrics.sum("weir_queue_cost", pool="loaders"), 0)
        self.assertGreater(metrics.sum("weir_queue_oldest_seconds", pool="loaders"), 0)
        self.assertEqual(metrics.sum("weir_worker_in_flight", worker="w1"), 1)

    async def test_a_wait_that_a_pause_used_up_names_the_pause(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], {"timeout": {"queue": "200ms"}}))
        await weir.post("/v1/pools/loaders/pause")
        response = await raw_client.ask(weir.front)
        self.assertIn("pool 'loaders' is paused", self.assert_problem(response, 429)["detail"])
        self.assertEqual(w1.requests, [])

    async def test_pause_holds_everything_and_resume_lets_it_go(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        await weir.post("/v1/pools/loaders/pause")
        asks = [self.task(raw_client.ask(weir.front)) for _ in range(5)]
        await weir.waiting(5)
        await wire.pause(0.2)
        self.assertEqual(w1.requests, [])
        await weir.post("/v1/pools/loaders/resume")
        responses = await asyncio.gather(*asks)
        self.assertEqual([r.status for r in responses], [200] * 5)


if __name__ == "__main__":
    unittest.main()
