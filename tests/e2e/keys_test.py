"""Idempotency-Key on requests that wait for their answer: done once, told as often as asked."""

import asyncio
import signal
import unittest

import fake_worker
import raw_client
from async_case import AsyncCase, pairs
from harness import basic_config
from wire import until

KEY = {"Idempotency-Key": '"k1"'}


class Counting:
    """A worker's script that says how often it was asked."""

    def __init__(self, status=200, size=0):
        self.status, self.size, self.seen = status, size, 0

    async def __call__(self, request, reply):
        await request.body()
        self.seen += 1
        body = b"x" * self.size or f"answer {self.seen}".encode()
        await reply.send(self.status, [("X-Row", "1")], body)


class KeysTest(AsyncCase):
    async def plain(self, *workers, route=None, **top):
        """Without a state_dir: keys are in memory."""
        self.door = await self.weir(basic_config(workers, route or {}, **top))
        return self.door

    async def test_a_repeated_request_gets_the_first_answer_and_no_worker(self):
        for start in (self.plain, self.start):
            with self.subTest(start=start.__name__):
                script = Counting(201)
                weir = await start(await self.worker("w1", script))
                for method, body in (("POST", b"rows"), ("POST", b""), ("POST", b"r" * 300_000)):
                    key = {"Idempotency-Key": f"k{len(body)}"}
                    seen = script.seen
                    first = await self.ask(method, "/load", key, body)
                    again = await self.ask(method, "/load", key, body)
                    self.assertEqual((first.status, again.status), (201, 201))
                    self.assertEqual(again.body, first.body)
                    self.assertEqual(again.field("X-Row"), "1")
                    self.assertIsNone(first.field("Idempotent-Replayed"))
                    self.assertEqual(again.field("Idempotent-Replayed"), "true")
                    self.assertEqual(script.seen, seen + 1)
                await weir.stop()

    async def test_the_quoted_and_the_bare_form_are_the_same_key(self):
        script = Counting()
        await self.plain(await self.worker("w1", script))
        for form in ('"abc"', "abc"):
            response = await self.ask("POST", "/load", {"Idempotency-Key": form}, b"x")
            self.assertEqual(response.body, b"answer 1")

    async def test_another_request_with_the_key_is_refused(self):
        script = Counting()
        await self.plain(await self.worker("w1", script))
        await self.ask("POST", "/load", KEY, b"rows")
        for method, target, body in (("POST", "/load", b"ROWS"), ("POST", "/load", b""),
                                     ("POST", "/else", b"rows"), ("PUT", "/load", b"rows"),
                                     ("POST", "/load", b"r" * 200_000)):
            with self.subTest(method=method, target=target, size=len(body)):
                response = await self.ask(method, target, KEY, body)
                self.assertEqual(response.status, 422, response)
        self.assertEqual(script.seen, 1)

    async def test_chunked_or_not_is_the_same_request(self):
        script = Counting()
        await self.plain(await self.worker("w1", script))
        first = await self.ask("POST", "/load", KEY, b"ab")
        client = await raw_client.Client.open(self.door.front)
        await client.send(raw_client.request_head("POST", "/load", [
            *pairs(KEY), ("Transfer-Encoding", "chunked")]))
        await client.send(raw_client.chunk(b"a") + raw_client.chunk(b"b") + raw_client.LAST_CHUNK)
        again = await client.response()
        self.assertEqual((again.status, again.body), (200, first.body))
        client.close()

    async def test_while_the_first_runs_another_gets_409_or_waits(self):
        for mode in ("refuse", "wait"):
            with self.subTest(mode=mode):
                held = fake_worker.Held(Counting())
                weir = await self.plain(await self.worker("w1", held),
                                        route={"idempotency": {"on_running": mode}})
                first = asyncio.ensure_future(self.ask("POST", "/load", KEY, b"x"))
                await until(lambda: held.waiting, "the first attempt")
                second = asyncio.ensure_future(self.ask("POST", "/load", KEY, b"x"))
                if mode == "refuse":
                    refused = await second
                    self.assertEqual(refused.status, 409, refused)
                    self.assertEqual(refused.field("Retry-After"), "1")
                held.release()
                self.assertEqual((await first).body, b"answer 1")
                if mode == "wait":
                    self.assertEqual((await second).body, b"answer 1")
                await weir.stop()

    async def test_only_a_final_answer_within_the_limit_is_kept(self):
        for script, route, kept in ((Counting(404), {}, True), (Counting(500), {}, False),
                                    (Counting(429), {}, False),
                                    (Counting(200, 2000),
                                     {"idempotency": {"answer_bytes_max": "1000B"}}, False)):
            with self.subTest(status=script.status, size=script.size):
                weir = await self.plain(await self.worker("w1", script), route=route)
                await self.ask("POST", "/load", KEY, b"x")
                seen = script.seen
                await self.ask("POST", "/load", KEY, b"x")
                self.assertEqual(script.seen > seen, not kept)
                await weir.stop()

    async def test_a_request_without_an_answer_leaves_its_key_free(self):
        async def resets(request, reply):
            await request.body()
            reply.reset()
        worker = await self.worker("w1", resets)
        await self.plain(worker, route={"retry": {"attempts": 1}})
        self.assertEqual((await self.ask("POST", "/load", KEY, b"x")).status, 502)
        worker.script = Counting()
        self.assertEqual((await self.ask("POST", "/load", KEY, b"other")).body, b"answer 1")

    async def test_tenants_and_routes_have_keys_of_their_own(self):
        script = Counting()
        await self.plain(await self.worker("w1", script), route={"tenant": {"header": "X-Tenant"}})
        for n, tenant in enumerate(("a", "b", None), 1):
            fields = {**KEY, **({"X-Tenant": tenant} if tenant else {})}
            response = await self.ask("POST", "/load", fields, b"x")
            self.assertEqual(response.body, f"answer {n}".encode())
            self.assertIsNone(response.field("Idempotent-Replayed"))

    async def test_a_kept_answer_survives_a_crash(self):
        script = Counting()
        weir = await self.start(await self.worker("w1", script))
        first = await self.ask("POST", "/load", KEY, b"x")
        # What is asked of the store after it is answered after it.
        await self.ask("POST", "/load", KEY, b"x")
        weir.signal(signal.SIGKILL)
        await weir.exited()
        await self.again()
        again = await self.ask("POST", "/load", KEY, b"x")
        self.assertEqual((again.body, again.field("Idempotent-Replayed")), (first.body, "true"))

    async def test_an_asynchronous_batch_is_taken_once_for_its_key(self):
        script = Counting()
        await self.start(await self.worker("w1", script))
        at = await self.post(b"rows", KEY)
        self.assertEqual(await self.post(b"rows", KEY), at)
        await self.becomes(at, "succeeded")
        self.assertEqual(await self.post(b"rows", KEY), at)
        await self.post(b"other", KEY, status=422)
        waits = await self.ask("POST", "/load", KEY, b"rows")
        self.assertEqual(waits.status, 409, waits)
        self.assertIn(at, waits.json()["detail"])
        self.assertEqual(script.seen, 1)


if __name__ == "__main__":
    unittest.main()
