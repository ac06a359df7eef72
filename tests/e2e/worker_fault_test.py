"""Workers that break the protocol or connections: 502, or a cut answer, never a half truth."""

import contextlib
import unittest

import fake_worker
import raw_client
import wire
from harness import WeirCase, basic_config

OK = b"HTTP/1.1 200 OK\r\n"
BROKEN_HEADS = {
    "no HTTP at all": b"hello\r\n\r\n",
    "nothing": b"",
    "half a head": OK + b"X: ",
    "a status of two digits": b"HTTP/1.1 20 OK\r\n\r\n",
    "a status of four digits": b"HTTP/1.1 2000 OK\r\n\r\n",
    "a status that is a word": b"HTTP/1.1 abc OK\r\n\r\n",
    "another version": b"HTTP/2.0 200 OK\r\n\r\n",
    "both framings": OK + b"Content-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n",
    "two lengths": OK + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab",
    "a length that is none": OK + b"Content-Length: x\r\n\r\n",
    "an unknown coding": OK + b"Transfer-Encoding: gzip\r\n\r\nabc",
    "obs-fold": OK + b"X: a\r\n b\r\nContent-Length: 0\r\n\r\n",
    "a blank before a colon": OK + b"X : a\r\nContent-Length: 0\r\n\r\n",
    "NUL": OK + b"X: \0\r\nContent-Length: 0\r\n\r\n",
    "bare CR": OK + b"X: a\rb\r\nContent-Length: 0\r\n\r\n",
    "bare LF": b"HTTP/1.1 200 OK\nContent-Length: 0\n\n",
    "a large head": OK + b"X: " + b"a" * 70000 + b"\r\n\r\n",
    "an upgrade nobody asked for": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n",
    "interims without end": b"HTTP/1.1 103 Early\r\n\r\n" * 2000,
}
# After a good head the client has its status: then only the end can say that it went wrong.
BROKEN_BODIES = {
    "a short body": OK + b"Content-Length: 10\r\n\r\nabc",
    "a chunk without its end": OK + b"Transfer-Encoding: chunked\r\n\r\n5\r\nabc",
    "no last chunk": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n",
    "a bad chunk size": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabc\r\nzz\r\n",
    "a chunk that is longer": OK + b"Transfer-Encoding: chunked\r\n\r\n3\r\nabcd\r\n0\r\n\r\n",
}


def says(data, reset=False):
    async def script(request, reply):
        await request.body()
        await reply.raw(data)
        (reply.reset if reset else reply.close)()
    return script


class WorkerFaultTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.w1 = await self.worker("w1")
        self.door = await self.weir(basic_config(
            [self.w1], pool={"ejection": {"consecutive_failures": 0}}))

    async def test_a_broken_head_is_502_and_the_client_may_go_on(self):
        for what, data in BROKEN_HEADS.items():
            with self.subTest(what):
                self.w1.script = says(data)
                client = await self.client(self.door.front)
                response = await client.ask("POST", body=b"x")
                self.assert_problem(response, 502, what)
                self.assertNotIn(b"hello", response.body)
                if "close" not in response.head.tokens("Connection"):
                    self.w1.script = fake_worker.echo
                    self.assertEqual((await client.ask("GET", "/next")).status, 200)

    async def test_a_reset_before_the_head_is_502(self):
        for data in (b"", OK):
            self.w1.script = says(data, reset=True)
            response = await raw_client.ask(self.door.front, "POST", body=b"x")
            self.assert_problem(response, 502)

    async def test_a_broken_body_cuts_the_clients_answer(self):
        """Or is told as a 502, when nothing of the answer had gone out yet."""
        for what, data in BROKEN_BODIES.items():
            with self.subTest(what):
                self.w1.script = says(data)
                client = await self.client(self.door.front)
                await client.request("POST", body=b"x")
                with contextlib.suppress(wire.Closed, OSError):
                    response = await client.response()
                    self.assertEqual(response.status, 502, response)

    async def test_an_old_client_sees_a_cut_answer_as_one(self):
        """Where the end of the connection ends the body, only a reset can say that it is cut."""
        self.w1.script = says(BROKEN_BODIES["no last chunk"])
        client = await self.client(self.door.front)
        await client.send(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        with self.assertRaises((wire.Closed, OSError)):
            response = await client.response()
            self.fail(f"taken for whole: {response!r}")

    async def test_more_than_the_length_said_is_not_passed_on(self):
        self.w1.script = says(OK + b"Content-Length: 3\r\n\r\nabcHTTP/1.1 200 OK\r\n\r\n")
        client = await self.client(self.door.front)
        self.assertEqual((await client.ask("GET")).body, b"abc")
        self.w1.script = fake_worker.echo
        self.assertEqual((await client.ask("GET", "/own")).json()["target"], "/own")

    async def test_an_answer_before_any_request_is_not_used(self):
        """A worker's connection that talks unasked is not in step: another one is used."""
        client = await self.client(self.door.front)
        await client.ask("GET", "/first")
        for connection in self.w1.connections:
            connection.writer.write(OK + b"Content-Length: 6\r\n\r\nforged")
        await wire.pause(0.05)
        response = await client.ask("GET", "/second")
        self.assertEqual(response.json()["target"], "/second")

    async def test_each_failure_is_logged_and_counted_as_the_workers(self):
        self.w1.script = says(b"hello\r\n\r\n")
        await raw_client.ask(self.door.front, "POST", body=b"x")
        record = (await self.door.logged(1))[0]
        self.assertEqual((record["outcome"], record["status"]), ("failed", 502))
        self.assertEqual(record["worker"], "w1")
        metrics = await self.door.metrics()
        self.assertEqual(metrics.sum("weir_attempts_total", worker="w1", outcome="failed"), 1)


class KeepAliveRaceTest(WeirCase):
    async def test_a_worker_that_closes_after_each_answer_costs_no_batch(self):
        async def script(request, reply):
            await fake_worker.echo(request, reply)
            reply.close()
        w1 = await self.worker("w1", script)
        weir = await self.weir(basic_config([w1]))
        client = await self.client(weir.front)
        for n in range(300):
            response = await client.ask("POST", f"/{n}", (), b"not to be sent twice")
            self.assertEqual(response.status, 200, response)
        self.assertEqual(len(w1.requests), 300)

    async def test_a_worker_that_closes_idle_connections_costs_no_batch(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], pool={"keepalive": {"idle": "1h"}}))
        client = await self.client(weir.front)
        for n in range(50):
            self.assertEqual((await client.ask("POST", f"/{n}", (), b"x")).status, 200)
            w1.close_idle()
            await wire.pause(0.002 * (n % 3))

    async def test_a_retryable_batch_survives_a_close_in_answer_to_it(self):
        """The worker closes a kept connection as the request arrives, without a byte."""
        async def script(request, reply):
            if request.connection.served > 1:
                reply.close()
            else:
                await fake_worker.echo(request, reply)
        w1 = await self.worker("w1", script)
        weir = await self.weir(basic_config([w1]))
        client = await self.client(weir.front)
        for n in range(40):
            self.assertEqual((await client.ask("GET", f"/{n}")).status, 200)
        self.assertEqual(await weir.worker_state("w1"), "up")

    async def test_connection_close_is_obeyed(self):
        async def script(request, reply):
            await reply.send(200, [("Connection", "close")], b"bye")
        w1 = await self.worker("w1", script)
        weir = await self.weir(basic_config([w1]))
        client = await self.client(weir.front)
        for _ in range(10):
            self.assertEqual((await client.ask("POST", body=b"x")).status, 200)
        self.assertTrue(all(r.connection.served == 1 for r in w1.requests))

    async def test_idle_connections_are_closed_in_time_and_bounded(self):
        w1 = await self.worker("w1", fake_worker.takes(0.05))
        weir = await self.weir(basic_config(
            [w1.config(slots=20)], pool={"keepalive": {"idle": "300ms", "max": 2}}, threads=1))
        clients = [self.task(raw_client.ask(weir.front)) for _ in range(10)]
        for client in clients:
            self.assertEqual((await client).status, 200)
        await wire.until(lambda: len(w1.connections) <= 3, "all but 2 and a probe's closed")
        await wire.until(lambda: len(w1.connections) <= 1, "the idle ones closed")


if __name__ == "__main__":
    unittest.main()
