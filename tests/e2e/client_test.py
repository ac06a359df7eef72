"""Clients that hesitate, stop sending or vanish, and answers that come before their bodies."""

import asyncio
import contextlib
import socket
import unittest

import fake_worker
import raw_client
import wire
from harness import WeirCase, basic_config, until
from raw_client import LAST_CHUNK, chunk, request_head


class ExpectTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.held = fake_worker.Held()
        self.w1 = await self.worker("w1", self.held)
        self.door = await self.weir(basic_config(
            [self.w1.config(slots=1)], pool={"queue": {"max_batches": 1}}))

    async def expecting(self):
        client = await self.client(self.door.front)
        await client.send(request_head("POST", "/", {"Expect": "100-continue",
                                                     "Content-Length": "5"}))
        return client

    async def test_continue_comes_with_the_grant_and_not_before(self):
        first = await self.expecting()
        self.assertEqual((await first.interim()).first.split()[1], "100")
        await first.send(b"first")
        await until(lambda: self.held.waiting, "the first batch at the worker")
        second = await self.expecting()
        await self.door.waiting(1)
        self.assertTrue(await second.quiet(0.3))
        self.held.release()
        self.assertEqual((await first.response()).status, 200)
        self.assertEqual((await second.interim()).first.split()[1], "100")
        await second.send(b"after")
        await until(lambda: self.held.waiting, "the second batch at the worker")
        self.held.release()
        self.assertEqual((await second.response()).status, 200)
        self.assertIsNone(self.w1.requests[-1].field("Expect"))
        self.assertEqual([r.data for r in self.w1.requests], [b"first", b"after"])

    async def test_a_refused_batch_gets_no_continue(self):
        first = await self.expecting()
        await first.interim()
        await self.expecting()
        await self.door.waiting(1)
        third = await self.expecting()
        response = await third.response()
        self.assert_problem(response, 429)
        self.assertEqual(response.interims, [])

    async def test_an_unknown_expectation_is_417(self):
        response = await raw_client.ask(self.door.front, "POST", "/", {"Expect": "wonders"}, b"x")
        self.assert_problem(response, 417)

    async def test_a_body_that_comes_without_waiting_needs_no_continue(self):
        self.w1.script = fake_worker.echo
        client = await self.expecting()
        await client.send(b"eager")
        self.assertEqual((await client.response()).json()["length"], 5)


class EarlyAnswerTest(WeirCase):
    async def big_upload(self, sock, size=8 << 20):
        """Sends until all is sent or nobody takes it any more."""
        loop = asyncio.get_running_loop()
        head = request_head("POST", "/load", {"Content-Length": str(1 << 30)})
        with contextlib.suppress(OSError):
            await loop.sock_sendall(sock, head + b"x" * size)

    async def read_early(self, address, status):
        """The answer is readable though the upload was not finished: no reset may eat it. On a
        bare socket, since asyncio's streams forget what came once they cannot write."""
        loop = asyncio.get_running_loop()
        sock = socket.socket()
        self.addCleanup(sock.close)
        sock.setblocking(False)
        await loop.sock_connect(sock, wire.split_address(address))
        self.task(self.big_upload(sock))
        reader = asyncio.StreamReader()

        async def read():
            with contextlib.suppress(ConnectionError):
                while part := await loop.sock_recv(sock, 65536):
                    reader.feed_data(part)
            reader.feed_eof()
        self.task(read())
        response = await raw_client.Client(reader, None).response("POST")
        self.assertEqual(response.status, status, response)
        self.assertTrue(response.body)
        return response

    async def test_a_workers_early_refusal_reaches_the_client(self):
        async def script(request, reply):
            await reply.send(413, [("Connection", "close")], b"too much for me")
            reply.close()
        w1 = await self.worker("w1", script)
        weir = await self.weir(basic_config([w1]))
        response = await self.read_early(weir.front, 413)
        self.assertEqual(response.body, b"too much for me")
        self.assertIn("close", response.head.tokens("Connection"))
        self.assertEqual((await raw_client.ask(weir.front, "POST", body=b"small")).status, 413)

    async def test_weirs_own_early_refusals_reach_the_client(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], {"path": "/elsewhere"}))
        for _ in range(3):
            await self.read_early(weir.front, 404)

    async def test_a_full_queue_answers_before_the_body(self):
        w1 = await self.worker("w1", fake_worker.Held())
        weir = await self.weir(basic_config([w1.config(slots=1)],
                                            pool={"queue": {"max_batches": 0}}))
        self.task(raw_client.ask(weir.front))
        await until(lambda: w1.running, "a batch that holds the slot")
        response = await self.read_early(weir.front, 429)
        self.assert_problem(response, 429)

    async def test_a_complete_early_answer_with_a_small_rest_keeps_the_connection(self):
        async def script(request, reply):
            await reply.send(200, (), b"early")
            await request.body()
        w1 = await self.worker("w1", script)
        weir = await self.weir(basic_config([w1]))
        client = await self.client(weir.front)
        await client.send(request_head("POST", "/", {"Content-Length": "4"}) + b"ab")
        self.assertEqual((await client.response()).body, b"early")
        await client.send(b"cd")
        ended = self.task(client.ended(timeout=wire.DEADLINE))
        await asyncio.wait({ended}, timeout=0.2)
        if not ended.done():  # kept: then in step
            ended.cancel()
            await asyncio.wait({ended})
            self.assertEqual((await client.ask("GET")).body, b"early")


class HalfCloseTest(WeirCase):
    async def run_half_closed(self, how, coded):
        self.w1 = await self.worker("w1", fake_worker.takes(0.1))
        weir = await self.weir(basic_config([self.w1], {"half_close": how}))
        client = await self.client(weir.front)
        fields = {"Transfer-Encoding": "chunked"} if coded else {"Content-Length": "4"}
        body = chunk(b"body") + LAST_CHUNK if coded else b"body"
        await client.send(request_head("POST", "/", fields) + body)
        client.half_close()
        return client

    async def test_a_client_that_has_sent_all_may_stop_sending(self):
        for coded in (False, True):
            client = await self.run_half_closed("wait", coded)
            response = await client.response()
            self.assertEqual((response.status, response.body), (200, b"done"))
            self.assertEqual(await client.ended(), "closed")

    async def test_it_is_taken_as_gone_where_the_route_says_so(self):
        client = await self.run_half_closed("abort", coded=False)
        self.assertIn(await client.ended(), ("closed", "reset"))

    async def test_a_half_closed_client_may_wait_in_the_queue(self):
        held = fake_worker.Held()
        w1 = await self.worker("w1", held)
        weir = await self.weir(basic_config([w1.config(slots=1)], {"half_close": "wait"}))
        first = self.task(raw_client.ask(weir.front))
        await until(lambda: held.waiting, "the first at the worker")
        client = await self.client(weir.front)
        await client.request("POST", body=b"second")
        client.half_close()
        await weir.waiting(1)
        held.release()
        await first
        await until(lambda: held.waiting, "the second at the worker")
        held.release()
        self.assertEqual((await client.response()).status, 200)


class GoneTest(WeirCase):
    async def start(self, action="cancel", script=None, **pool):
        self.held = script or fake_worker.Held()
        self.w1 = await self.worker("w1", self.held)
        self.door = await self.weir(basic_config(
            [self.w1.config(slots=1)], {"on_client_gone": action}, pool))
        return self.door

    async def busy(self):
        """A client whose batch holds the only slot."""
        client = await self.client(self.door.front)
        await client.request("POST", body=b"holds")
        await until(lambda: self.w1.running, "the batch at the worker")
        return client

    async def test_a_client_that_leaves_while_it_waits_leaves_the_queue(self):
        await self.start()
        await self.busy()
        unread = request_head("POST", "/gone", {"Content-Length": "1000000"}) + b"x" * 100000
        small = request_head("POST", "/gone", {"Content-Length": "1"}) + b"x"
        partly = request_head("POST", "/gone", {"Content-Length": "9"}) + b"x"
        for data, leave in ((small, "close"), (small, "reset"), (unread, "reset"),
                            (unread, "close"), (partly, "half_close"), (unread, "half_close")):
            with self.subTest(f"{len(data)} bytes, {leave}"):
                client = await self.client(self.door.front)
                client.writer.write(data)
                await self.door.waiting(1)
                getattr(client, leave)()
                await self.door.waiting(0)
        self.held.release()
        await until(lambda: self.w1.running == 0, "the slot free")
        self.assertFalse([r for r in self.w1.requests if r.target == "/gone"])

    async def test_a_running_attempt_is_cancelled_when_its_client_leaves(self):
        closed = asyncio.Event()

        async def script(request, reply):
            await request.body()
            await request.closed()
            closed.set()
        await self.start("cancel", script)
        (await self.busy()).reset()
        await asyncio.wait_for(closed.wait(), wire.DEADLINE)
        record = (await self.door.logged(1))[0]
        self.assertEqual(record["outcome"], "client_gone")

    async def test_a_cancelled_attempt_keeps_its_slot_until_the_worker_has_noticed(self):
        await self.start("cancel", abandoned_hold="1h")
        (await self.busy()).reset()
        second = self.task(raw_client.ask(self.door.front, target="/second"))
        await self.door.waiting(1)
        await wire.pause(0.3)
        self.assertEqual(len(self.w1.requests), 1)
        self.held.release()  # the worker answers nobody and closes
        await until(lambda: len(self.w1.requests) == 2, "the second batch at the worker")
        self.assertEqual(self.w1.high_water, 1)
        self.held.release()
        self.assertEqual((await second).status, 200)

    async def test_a_cancelled_attempt_keeps_its_slot_for_the_hold_at_most(self):
        await self.start("cancel", abandoned_hold="300ms")
        (await self.busy()).reset()
        second = self.task(raw_client.ask(self.door.front, target="/second"))
        await until(lambda: len(self.w1.requests) == 2, "the second batch at the worker")
        self.held.release()
        self.assertEqual((await second).status, 200)

    async def test_an_attempt_finishes_without_its_client_where_the_route_says_so(self):
        broken = []

        async def script(request, reply):
            await request.body()
            ended = asyncio.ensure_future(request.closed())
            await asyncio.wait({ended}, timeout=0.5)
            broken.append(ended.done())
            ended.cancel()
            await asyncio.wait({ended})
            await reply.send(200, (), b"late")
        await self.start("finish", script)
        (await self.busy()).reset()
        await until(lambda: broken, "the attempt's end")
        self.assertEqual(broken, [False])

        async def succeeded():
            metrics = await self.door.metrics()
            return metrics.sum("weir_attempts_total", worker="w1", outcome="succeeded") == 1
        await until(succeeded, "a succeeded attempt")

    async def test_an_upload_that_breaks_off_reaches_the_worker_as_broken(self):
        partial = []

        async def script(request, reply):
            try:
                await request.body()
            except wire.Closed:
                partial.append(request.received)
                raise
        for coded in (False, True):
            with self.subTest(coded=coded):
                partial.clear()
                await self.start("finish", script)
                client = await self.client(self.door.front)
                how = {"Transfer-Encoding": "chunked"} if coded else {"Content-Length": "50"}
                data = chunk(b"twenty bytes of them") if coded else b"twenty bytes of them"
                await client.send(request_head("POST", "/", how) + data)
                await until(lambda: self.w1.running, "the batch at the worker")
                client.reset()
                await until(lambda: partial, "the broken upload at the worker")
                self.assertLessEqual(partial[0], 20)

    async def test_a_stalled_upload_is_given_up(self):
        held = fake_worker.Held()
        w1 = await self.worker("w1", held)
        weir = await self.weir(basic_config([w1], {"timeout": {"progress": "300ms"}}))
        client = await self.client(weir.front)
        await client.send(request_head("POST", "/", {"Content-Length": "50"}) + b"part")
        self.assert_problem(await client.response(), 408)
        self.assertIn(await client.ended(), ("closed", "reset"))

    async def test_clients_that_come_and_go_leave_nothing_behind(self):
        await self.start(script=fake_worker.echo)
        descriptors = self.door.descriptors()
        for n in range(60):
            client = await self.client(self.door.front)
            await client.send(request_head("POST", "/", {"Content-Length": "9"})[:n * 2 or 1])
            (client.reset if n % 2 else client.close)()
        await until(lambda: self.door.descriptors() <= descriptors + 4, "the descriptors closed")
        self.assertEqual((await raw_client.ask(self.door.front)).status, 200)
        pool = await self.door.pool()
        self.assertEqual((pool["waiting"], pool["running"]), (0, 0))


if __name__ == "__main__":
    unittest.main()
