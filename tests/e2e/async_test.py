"""`Prefer: respond-async`: what was answered with 202 is done, whoever leaves or dies."""

import hashlib
import json
import os
import signal
import unittest

import fake_worker
import raw_client
from async_case import ASYNC, ENDED, FAST, AsyncCase, pairs
from wire import until


class AcceptTest(AsyncCase):
    async def test_a_batch_is_taken_done_and_its_result_kept(self):
        worker = await self.worker("w1", fake_worker.answer(201, [("X-Rows", "7")], b"loaded"))
        await self.start(worker)
        response = await self.ask("POST", "/load?day=1", ASYNC, b"rows")
        self.assertEqual(response.status, 202, response)
        self.assertEqual(response.field("Preference-Applied"), "respond-async")
        at = response.field("Location")
        self.assertRegex(at, "^/_weir/batches/[0-9a-f]{32}$")
        self.assertEqual(response.json()["id"], at.rsplit("/", 1)[1])
        done = await self.becomes(at, *ENDED)
        self.assertEqual((done["state"], done["attempts"], done["target"]),
                         ("succeeded", 1, "/load?day=1"))
        self.assertEqual([(h["worker"], h["outcome"]) for h in done["history"]],
                         [("w1", "succeeded")])
        result = await self.result(at)
        self.assertEqual((result.status, result.body), (201, b"loaded"))
        self.assertEqual(result.field("X-Rows"), "7")
        self.assertEqual(result.field("Weir-Worker"), "w1")
        self.assertEqual(result.field("Weir-Batch-Id"), done["id"])

    async def test_the_worker_gets_the_whole_request_with_a_key_and_an_attempt_number(self):
        for size in (0, 1, 100_000, 3_000_000):   # the last ones lie in a spool file
            for own_key in (None, f'"abc-{size}"'):
                with self.subTest(size=size, key=own_key):
                    worker = await self.worker()
                    weir = await self.start(worker)
                    body = os.urandom(size)
                    key = {"Idempotency-Key": own_key} if own_key else {}
                    at = await self.post(body, {"X-Kept": "yes", "Weir-Group": "g", **key})
                    await self.becomes(at, "succeeded")
                    seen = (await self.result(at)).json()
                    fields = {name.lower(): value for name, value in seen["fields"]}
                    self.assertEqual((seen["length"], seen["sha256"]),
                                     (size, hashlib.sha256(body).hexdigest()))
                    self.assertEqual(fields["x-kept"], "yes")
                    self.assertEqual(fields["weir-group"], "g")
                    self.assertEqual(fields["weir-attempt"], "1")
                    self.assertEqual(fields["idempotency-key"],
                                     own_key or f'"{at.rsplit("/", 1)[1]}"')
                    self.assertEqual(fields["content-length"], str(size))
                    self.assertNotIn("prefer", fields)
                    await weir.stop()

    async def test_a_chunked_body_is_sent_on_with_its_length(self):
        await self.start(await self.worker())
        client = await raw_client.Client.open(self.door.front)
        await client.send(raw_client.request_head("POST", "/load", [
            *pairs(ASYNC), ("Transfer-Encoding", "chunked")]))
        for part in (b"a" * 10, b"b" * 300_000):
            await client.send(raw_client.chunk(part))
        await client.send(raw_client.LAST_CHUNK)
        response = await client.response()
        self.assertEqual(response.status, 202, response)
        at = response.field("Location")
        await self.becomes(at, "succeeded")
        seen = (await self.result(at)).json()
        self.assertEqual(seen["length"], 300_010)
        fields = {name.lower(): value for name, value in seen["fields"]}
        self.assertEqual(fields["content-length"], "300010")
        self.assertNotIn("transfer-encoding", fields)
        # The connection goes on.
        self.assertEqual((await client.ask("GET", at)).status, 200)
        client.close()

    async def test_wait_gives_the_answer_itself_when_it_comes_in_time(self):
        held = fake_worker.Held(fake_worker.answer(200, [], b"in time"))
        await self.start(await self.worker("w1", held))
        client = await raw_client.Client.open(self.door.front)
        await client.request("POST", "/load", [("Prefer", "respond-async, wait=20")], b"x")
        await until(lambda: held.waiting, "the attempt")
        held.release()
        response = await client.response()
        self.assertEqual((response.status, response.body), (200, b"in time"))
        client.close()

    async def test_wait_that_is_over_gives_202_and_the_attempt_goes_on(self):
        held = fake_worker.Held(fake_worker.answer(200, [], b"late"))
        await self.start(await self.worker("w1", held))
        response = await self.ask("POST", "/load", {"Prefer": "respond-async, wait=1"}, b"x")
        self.assertEqual(response.status, 202, response)
        held.release()
        at = response.field("Location")
        await self.becomes(at, "succeeded")
        self.assertEqual((await self.result(at)).body, b"late")

    async def test_a_client_that_leaves_while_it_waits_loses_nothing(self):
        held = fake_worker.Held(fake_worker.answer())
        await self.start(await self.worker("w1", held))
        client = await raw_client.Client.open(self.door.front)
        await client.request("POST", "/load", [("Prefer", "respond-async"), ("Prefer", "wait=20")],
                             b"x")
        await until(lambda: held.waiting, "the attempt")
        client.close()
        held.release()

        async def is_done():
            return (await self.door.metrics()).sum("weir_batches_total", outcome="ok") == 1
        await until(is_done, "the batch's end")

    async def test_always_takes_every_batch_and_never_takes_none(self):
        worker = await self.worker()
        for mode, fields, status in (("always", {}, 202), ("never", ASYNC, 200),
                                     ("allow", {}, 200)):
            with self.subTest(mode=mode):
                weir = await self.start(worker, route={"async": mode})
                response = await self.ask("POST", "/load", fields, b"x")
                self.assertEqual(response.status, status, response)
                self.assertIsNone(response.field("Preference-Applied"))
                await weir.stop()

    async def test_a_full_queue_on_disk_refuses_with_retry_after(self):
        held = fake_worker.Held()
        await self.start(await self.worker("w1", held),
                         pool={"queue": {"durable": {"max_batches": 2}}})
        for _ in range(2):
            await self.post()
        response = await self.ask("POST", "/load", ASYNC, b"x")
        self.assertEqual(response.status, 429, response)
        self.assertIn("queue.durable.max_batches", response.json()["detail"])
        self.assertTrue(int(response.field("Retry-After")) >= 1)


class OutcomeTest(AsyncCase):
    async def test_a_failing_batch_becomes_a_dead_letter_that_says_why(self):
        async def fails_on_bad(request, reply):
            bad = await request.body() == b"bad"
            await reply.send(500 if bad else 200, [], b"no disk" if bad else b"fine")
        workers = [await self.worker(f"w{n}", fails_on_bad) for n in range(4)]
        await self.start(*workers, route={"async_retry": {**FAST, "attempts": 3}})
        at = await self.post(b"bad")
        done = await self.becomes(at, *ENDED)
        self.assertEqual((done["state"], done["attempts"]), ("failed", 3))
        for attempt in done["history"]:
            self.assertEqual(attempt["outcome"], "failed")
            self.assertEqual(attempt["detail"], "the worker answered 500")
        result = await self.result(at)
        self.assertEqual((result.status, result.body), (500, b"no disk"))

    async def test_while_all_workers_fail_batches_are_held_and_none_is_condemned(self):
        broken = [True]

        async def with_the_warehouse(request, reply):
            await request.body()
            await reply.send(500 if broken else 200)
        workers = [await self.worker(f"w{n}", with_the_warehouse) for n in range(3)]
        await self.start(*workers, route={"async_retry": {**FAST, "attempts": 8}})
        all_of_them = [await self.post(bytes([n])) for n in range(20)]

        async def many_attempts():
            metrics = await self.door.metrics()
            return metrics.sum("weir_attempts_total", outcome="failed") > 100
        await until(many_attempts, "many failed attempts")
        self.assertEqual({(await self.show(at))["state"] for at in all_of_them} & {"failed"}, set())
        broken.clear()
        for at in all_of_them:
            await self.becomes(at, "succeeded")

    async def test_an_answer_that_refuses_the_batch_is_final(self):
        await self.start(await self.worker("w1", fake_worker.answer(422, [], b"bad row")))
        at = await self.post()
        done = await self.becomes(at, *ENDED)
        self.assertEqual((done["state"], done["attempts"]), ("failed", 1))
        self.assertEqual((await self.result(at)).status, 422)

    async def test_a_worker_that_breaks_off_is_followed_by_another(self):
        async def breaks_off(request, reply):
            await request.body()
            await reply.head(200, [("Content-Length", "100")])
            await reply.raw(b"half")
            reply.reset()
        first = await self.worker("w1", breaks_off)
        await self.start(first, await self.worker("w2", fake_worker.answer(200, [], b"whole")),
                         pool={"balance": "first"})
        at = await self.post()
        done = await self.becomes(at, *ENDED)
        self.assertEqual([h["worker"] for h in done["history"]], ["w1", "w2"])
        self.assertEqual((await self.result(at)).body, b"whole")

    async def test_a_waiting_batch_shows_its_place_and_can_be_cancelled(self):
        held = fake_worker.Held(fake_worker.answer())
        worker = await self.worker("w1", held)
        await self.start(worker.config(slots=1))
        running = await self.post(b"1")
        await until(lambda: held.waiting, "the first attempt")
        waiting = [await self.post(b"2"), await self.post(b"3")]
        self.assertEqual((await self.show(running))["state"], "running")
        self.assertEqual([(await self.show(at))["position"] for at in waiting], [0, 1])
        unfinished = await self.result(waiting[0])
        self.assertEqual(unfinished.status, 409, unfinished)
        cancelled = await self.ask("DELETE", waiting[0])
        self.assertEqual((cancelled.status, cancelled.json()["state"]), (200, "cancelled"))
        self.assertEqual((await self.ask("DELETE", waiting[0])).status, 409)
        held.release()
        await until(lambda: held.waiting, "the next attempt")
        held.release()
        await self.becomes(waiting[1], "succeeded")
        self.assertEqual((await self.show(waiting[0]))["attempts"], 0)

    async def test_cancelling_a_running_batch_breaks_its_attempt_off(self):
        left = []

        async def waits(request, reply):
            await request.body()
            await request.closed()
            left.append(True)
        await self.start(await self.worker("w1", waits))
        at = await self.post()
        await self.becomes(at, "running")
        self.assertEqual((await self.ask("DELETE", at)).status, 200)
        await until(lambda: left, "the end of the attempt's connection")

        async def ended():
            return (await self.show(at))["history"][0].get("outcome") == "cancelled"
        await until(ended, "the attempt that was cancelled")
        self.assertEqual((await self.show(at))["state"], "cancelled")

    async def test_only_its_tenant_can_see_or_cancel_a_batch(self):
        await self.start(await self.worker(), route={"tenant": {"header": "X-Tenant"}})
        at = await self.post(fields={"X-Tenant": "a"})
        for fields in ({"X-Tenant": "b"}, {}):
            for method, target in (("GET", at), ("GET", at + "/result"), ("DELETE", at)):
                response = await self.ask(method, target, fields)
                self.assertEqual(response.status, 404, response)
        await self.becomes(at, "succeeded", fields={"X-Tenant": "a"})

    async def test_bad_addresses_and_methods_are_told_so(self):
        await self.start(await self.worker())
        at = await self.post()
        for method, target, status in (
                ("GET", "/_weir/batches/", 404), ("GET", "/_weir/batches/00", 404),
                ("GET", "/_weir/batches/" + "0" * 32, 404), ("GET", "/_weir/else", 404),
                ("GET", at + "/else", 404), ("POST", at, 405), ("DELETE", at + "/result", 405)):
            with self.subTest(method=method, target=target):
                self.assertEqual((await self.ask(method, target)).status, status)


class RestartTest(AsyncCase):
    async def test_what_waits_or_runs_at_a_crash_is_done_after_it(self):
        held = fake_worker.Held(fake_worker.answer())
        worker = await self.worker("w1", held)
        weir = await self.start(worker.config(slots=1))
        all_of_them = [await self.post(bytes([n]) * (n * 100_000 + 1)) for n in range(4)]
        await until(lambda: held.waiting, "an attempt")
        weir.signal(signal.SIGKILL)
        await weir.exited()
        held.waiting.clear()
        worker.script = fake_worker.echo
        await self.again()
        for n, at in enumerate(all_of_them):
            done = await self.becomes(at, "succeeded")
            self.assertEqual(done["attempts"], 2 if n == 0 else 1)
            self.assertEqual((await self.result(at)).json()["length"], n * 100_000 + 1)
        first = await self.show(all_of_them[0])
        self.assertEqual([h["outcome"] for h in first["history"]], ["interrupted", "succeeded"])

    async def test_a_drain_finishes_what_runs_and_leaves_what_waits(self):
        held = fake_worker.Held(fake_worker.answer())
        worker = await self.worker("w1", held)
        weir = await self.start(worker.config(slots=1))
        running, waiting = await self.post(b"1"), await self.post(b"2")
        await until(lambda: held.waiting, "an attempt")
        weir.signal(signal.SIGTERM)
        await weir.said("draining")
        held.release()
        self.assertEqual(await weir.exited(), 0)
        self.assertEqual(held.waiting, [])
        worker.script = fake_worker.answer(200, [], b"later")
        await self.again()
        self.assertEqual((await self.show(running))["state"], "succeeded")
        await self.becomes(waiting, "succeeded")

    async def test_a_second_weir_on_the_same_directory_is_refused(self):
        await self.start(await self.worker())
        with self.assertRaisesRegex(AssertionError, "state_dir state: .*another weir"):
            await self.weir(self.config)


if __name__ == "__main__":
    unittest.main()
