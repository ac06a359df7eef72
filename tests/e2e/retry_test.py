"""A batch whose worker fails is tried again elsewhere when that is safe, and only then."""

import asyncio
import hashlib
import signal
import sys
import unittest

import fake_worker
import load
import raw_client
import wire
from harness import SLOW, WeirCase, basic_config

KEY = {"Idempotency-Key": "k"}
PATIENT = {"ejection": {"consecutive_failures": 0}, "retry_budget": {"min": 1000}}


async def reset(request, reply):
    await request.body()
    reply.reset()


class KilledWorkerTest(WeirCase):
    async def process(self, name, seconds=0.01):
        """A worker in a process of its own; its config row."""
        child = await asyncio.create_subprocess_exec(
            sys.executable, fake_worker.__file__, name, str(seconds),
            stdout=asyncio.subprocess.PIPE)

        async def end():
            if child.returncode is None:
                child.kill()
            await child.wait()
        self.addAsyncCleanup(end)
        address = (await asyncio.wait_for(child.stdout.readline(), wire.DEADLINE)).decode().strip()
        return child, {"id": name, "url": f"http://{address}", "slots": 4}

    async def test_sigkill_under_load_costs_no_retryable_batch(self):
        children = [await self.process(f"w{n}") for n in range(3)]
        weir = await self.weir(basic_config([row for _, row in children], pool={
            "health_check": {"interval": "200ms", "timeout": "500ms", "fall": 1}}))
        running = load.Load(weir.front, clients=16)
        await running.reached(400 // SLOW)
        children[0][0].send_signal(signal.SIGKILL)
        await running.reached(400 // SLOW)
        outcomes = await running.stop()
        self.assertEqual(set(outcomes), {200}, running.examples)
        await weir.worker_is("w0", "down")
        metrics = await weir.metrics()
        self.assertEqual(metrics.sum("weir_batches_total", outcome="ok"), sum(outcomes.values()))

    async def test_sigkill_under_load_fails_only_what_ran_on_it_without_a_key(self):
        children = [await self.process(f"w{n}") for n in range(3)]
        weir = await self.weir(basic_config([row for _, row in children], pool={
            "health_check": {"interval": "200ms", "timeout": "500ms", "fall": 1}}))
        running = load.Load(weir.front, clients=16, make=load.post_without_key)
        await running.reached(300 // SLOW)
        children[0][0].send_signal(signal.SIGKILL)
        await running.reached(300 // SLOW)
        outcomes = await running.stop()
        # What ran on it, and what the kernel still took while it buried the process.
        self.assertLessEqual(outcomes.pop(502, 0), 3 * 4, running.examples)
        self.assertEqual(set(outcomes), {200}, running.examples)


class RetryCase(WeirCase):
    async def start(self, *scripts, route=None, pool=None, **top):
        """A weir over workers with these scripts, tried in this order."""
        self.workers = [await self.worker(f"w{n}", script) for n, script in enumerate(scripts, 1)]
        self.door = await self.weir(basic_config(
            self.workers, {"retry": {"backoff_base": "1ms"}, **(route or {})},
            {"balance": "first", **PATIENT, **(pool or {})}, **top))
        return self.door


class RetryTest(RetryCase):
    async def test_a_keyed_batch_goes_to_another_worker_whole(self):
        weir = await self.start(reset, fake_worker.echo)
        body = bytes(range(256)) * 1000
        response = await raw_client.ask(weir.front, "POST", "/load", KEY, body)
        self.assertEqual(response.status, 200, response)
        self.assertEqual(response.json()["sha256"], hashlib.sha256(body).hexdigest())
        first, second = (w.requests[0] for w in self.workers)
        self.assertEqual([r.field("Weir-Attempt") for r in (first, second)], ["1", "2"])
        self.assertEqual(first.field("Weir-Batch-Id"), second.field("Weir-Batch-Id"))
        self.assertEqual(first.target, second.target)
        record = (await weir.logged(1))[0]
        self.assertEqual((record["attempts"], record["worker"]), (2, "w2"))
        metrics = await weir.metrics()
        self.assertEqual(metrics.sum("weir_retries_total", pool="loaders"), 1)

    async def test_idempotent_methods_need_no_key(self):
        weir = await self.start(reset, fake_worker.echo)
        for method, body in (("GET", None), ("PUT", b"x"), ("DELETE", None), ("HEAD", None)):
            response = await raw_client.ask(weir.front, method, "/", (), body)
            self.assertEqual(response.status, 200, method)
        for method in ("POST", "PATCH"):
            response = await raw_client.ask(weir.front, method, "/", (), b"x")
            self.assert_problem(response, 502, method)

    async def test_a_route_may_declare_every_method_safe(self):
        weir = await self.start(reset, fake_worker.echo, route={"retry": {"unsafe": True}})
        self.assertEqual((await raw_client.ask(weir.front, "POST", body=b"x")).status, 200)

    async def test_chunked_bodies_are_replayed_too(self):
        weir = await self.start(reset, fake_worker.echo)
        body = raw_client.chunk(b"abc") + raw_client.chunk(b"d" * 9000) + raw_client.LAST_CHUNK
        response = await raw_client.ask(weir.front, "POST", "/",
                                        {**KEY, "Transfer-Encoding": "chunked"}, body)
        self.assertEqual(response.json()["length"], 9003)

    async def test_a_failure_in_the_middle_of_the_upload_is_retried(self):
        async def early(request, reply):
            async for _ in request.pieces():
                if request.received > 100000:
                    return reply.reset()
        weir = await self.start(early, fake_worker.echo)
        body = b"y" * 700000
        response = await raw_client.ask(weir.front, "POST", "/", KEY, body)
        self.assertEqual(response.json()["length"], len(body))

    async def test_a_body_beyond_the_limit_streams_without_the_promise(self):
        weir = await self.start(reset, fake_worker.echo, limits={
            "replay_batch_bytes_max": "64KiB", "replay_disk_bytes_max": 0})
        response = await raw_client.ask(weir.front, "POST", "/", KEY, b"z" * 1000000)
        self.assert_problem(response, 502)
        response = await raw_client.ask(weir.front, "POST", "/", KEY, b"z" * 60000)
        self.assertEqual(response.status, 200)
        self.assertGreater((await weir.metrics()).sum("weir_limit_hits_total"), 0)

    async def test_attempts_are_limited_and_the_answer_is_502(self):
        weir = await self.start(reset, reset, reset, reset, route={"retry": {
            "attempts": 3, "backoff_base": "1ms"}})
        self.assert_problem(await raw_client.ask(weir.front, "POST", "/", KEY, b"x"), 502)
        self.assertEqual(sum(len(w.requests) for w in self.workers), 3)

    async def test_once_the_client_got_a_byte_nothing_is_tried_again(self):
        async def half(request, reply):
            await request.body()
            await reply.head(200, [("Content-Length", "100")])
            await reply.raw(b"half")
            await wire.pause(0.05)
            reply.reset()
        weir = await self.start(half, fake_worker.echo)
        client = await self.client(weir.front)
        await client.request("GET")
        with self.assertRaises((wire.Closed, OSError)):
            await client.response()
        self.assertEqual(len(self.workers[1].requests), 0)

    async def test_a_refused_connection_costs_nothing(self):
        weir = await self.start(fake_worker.echo, fake_worker.echo, route={"retry": {
            "attempts": 1}}, pool={"health_check": {"interval": "1h"}, "retry_budget": {"min": 0}})
        self.workers[0].kill()
        for _ in range(10):
            response = await raw_client.ask(weir.front, "POST", body=b"not to be sent twice")
            self.assertEqual(response.field("Weir-Worker"), "w2", response)

    async def test_all_connections_refused_is_a_wait_for_a_worker_that_ends(self):
        weir = await self.start(fake_worker.echo, fake_worker.echo,
                                route={"timeout": {"queue": "1s"}},
                                pool={"health_check": {
                                    "interval": "100ms", "fast_interval": "100ms",
                                    "down_interval_max": "100ms", "fall": 1, "rise": 1}})
        for worker in self.workers:
            worker.kill()
        await weir.worker_is("w2", "down")
        response = await raw_client.ask(weir.front, "POST", body=b"x")
        self.assert_problem(response, 503)
        again = self.task(raw_client.ask(weir.front, "POST", body=b"x"))
        await self.workers[1].restart()
        self.assertEqual((await again).field("Weir-Worker"), "w2")

    async def test_a_timed_out_answer_is_retried_only_where_the_route_says_so(self):
        for on_timeout, status in ((False, 504), (True, 200)):
            with self.subTest(on_timeout=on_timeout):
                weir = await self.start(fake_worker.Held(), fake_worker.echo, route={
                    "timeout": {"response": "200ms"},
                    "retry": {"on_timeout": on_timeout, "backoff_base": "1ms"}})
                response = await raw_client.ask(weir.front, "POST", "/", KEY, b"x")
                self.assertEqual(response.status, status, response)
                await weir.stop()

    async def test_a_budget_keeps_retries_from_multiplying_load(self):
        weir = await self.start(reset, reset, route={"retry": {"attempts": 10,
                                                               "backoff_base": "1ms"}},
                                pool={"retry_budget": {"ratio": "10%", "min": 2}})
        for _ in range(20):
            await raw_client.ask(weir.front, "POST", "/", KEY, b"x")
        attempts = sum(len(w.requests) for w in self.workers)
        self.assertLessEqual(attempts, 20 + 4)
        self.assertGreater((await weir.pool())["retries_denied"], 0)


class BusyTest(RetryCase):
    async def busy(self, request, reply):
        await request.body()
        await reply.send(503, [("Retry-After", "1")], b"busy")

    async def test_a_busy_worker_rests_and_the_batch_goes_elsewhere(self):
        weir = await self.start(self.busy, fake_worker.echo)
        for _ in range(5):
            response = await raw_client.ask(weir.front, "POST", "/", KEY, b"x")
            self.assertEqual(response.field("Weir-Worker"), "w2")
        self.assertEqual(len(self.workers[0].requests), 1)
        self.assertEqual(await weir.worker_state("w1"), "up")

    async def test_a_batch_waits_for_a_resting_worker(self):
        async def once_busy(request, reply):
            if len(self.workers[0].requests) == 1:
                await self.busy(request, reply)
            else:
                await fake_worker.echo(request, reply)
        weir = await self.start(once_busy)
        loop = asyncio.get_running_loop()
        start = loop.time()
        response = await raw_client.ask(weir.front, "POST", "/", KEY, b"x")
        self.assertEqual(response.status, 200, response)
        self.assertGreaterEqual(loop.time() - start, 0.9)

    async def test_without_retry_after_a_busy_status_is_an_answer(self):
        weir = await self.start(fake_worker.answer(429, (), b"own"), fake_worker.echo)
        response = await raw_client.ask(weir.front, "POST", "/", KEY, b"x")
        self.assertEqual((response.status, response.body), (429, b"own"))

    async def test_a_batch_that_cannot_be_replayed_gets_the_busy_answer(self):
        weir = await self.start(self.busy, fake_worker.echo,
                                limits={"replay_batch_bytes_max": "1KiB",
                                        "replay_disk_bytes_max": 0})
        response = await raw_client.ask(weir.front, "POST", "/", KEY, b"x" * 100000)
        self.assertEqual((response.status, response.body), (503, b"busy"))
        self.assertEqual(response.field("Retry-After"), "1")

    async def test_bounces_are_limited(self):
        async def always(request, reply):
            await request.body()
            await reply.send(429, [("Retry-After", "0")], b"never")
        weir = await self.start(always, route={"retry": {"bounces_max": 3}})
        response = await raw_client.ask(weir.front, "POST", "/", KEY, b"x")
        self.assertEqual((response.status, response.body), (429, b"never"))
        self.assertEqual(len(self.workers[0].requests), 4)

    async def test_other_statuses_can_be_declared_busy(self):
        async def overloaded(request, reply):
            await request.body()
            await reply.send(529, [("Retry-After", "1")], b"")
        weir = await self.start(overloaded, fake_worker.echo,
                                route={"retry": {"busy_statuses": [529]}})
        response = await raw_client.ask(weir.front, "POST", "/", KEY, b"x")
        self.assertEqual(response.field("Weir-Worker"), "w2")


if __name__ == "__main__":
    unittest.main()
