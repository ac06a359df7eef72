"""The end of a weir: readiness fails first, what was admitted is answered, a second signal cuts."""

import signal
import unittest

import fake_worker
import load
import raw_client
import wire
from harness import SLOW, WeirCase, basic_config, until


class ShutdownTest(WeirCase):
    async def test_term_under_load_answers_every_admitted_batch(self):
        for number in (signal.SIGTERM, signal.SIGINT):
            with self.subTest(number):
                w1 = await self.worker("w1", fake_worker.takes(0.01))
                weir = await self.weir(basic_config([w1.config(slots=8)]))
                running = load.Load(weir.front, clients=24, make=load.post_without_key)
                await running.reached(200 // SLOW)
                weir.signal(number)
                self.assertEqual(await weir.exited(), 0, weir.tail())
                outcomes = await running.stop()
                self.assertEqual(outcomes[200], len(w1.requests))
                cut = [o for o in outcomes if o not in (200, 503) and "Refused" not in str(o)]
                for outcome in cut:  # only connections on which nothing was under way
                    self.assertRegex(str(outcome), "before a response|reset|Broken", outcomes)
                self.assertEqual(w1.running, 0)

    async def test_batches_in_flight_and_waiting_are_answered(self):
        held = fake_worker.Held()
        w1 = await self.worker("w1", held)
        weir = await self.weir(basic_config([w1.config(slots=1)]))
        first = self.task(raw_client.ask(weir.front))
        await until(lambda: held.waiting, "a batch at the worker")
        second = self.task(raw_client.ask(weir.front))
        await weir.waiting(1)
        weir.signal(signal.SIGTERM)
        await wire.pause(0.2)
        self.assertFalse(first.done())
        held.release()
        answered = await first
        self.assertEqual(answered.status, 200)
        self.assertIn("close", answered.head.tokens("Connection"))
        await until(lambda: held.waiting or second.done(), "the second batch's turn")
        held.release()
        self.assertIn((await second).status, (200, 503))
        self.assertEqual(await weir.exited(), 0)

    async def test_readiness_fails_for_a_while_before_the_listeners_close(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], drain_delay="700ms"))
        kept = await self.client(weir.front)
        await kept.ask("GET")
        weir.signal(signal.SIGTERM)

        async def unready():
            return (await weir.api("GET", "/readyz")).status == 503
        await until(unready, "readiness to fail")
        self.assertEqual((await raw_client.ask(weir.front)).status, 200)
        self.assertEqual((await weir.api("GET", "/livez")).status, 200)
        self.assertEqual(await weir.exited(), 0)
        with self.assertRaises(OSError):
            await raw_client.Client.open(weir.front)
        self.assertEqual(await kept.ended(), "closed")

    async def test_idle_connections_do_not_hold_it_up(self):
        w1 = await self.worker("w1")
        config = basic_config([w1])
        config["listeners"][0]["head_timeout"] = "500ms"
        weir = await self.weir(config)
        clients = [await self.client(weir.front) for _ in range(10)]
        for client in clients[:5]:
            await client.ask("GET")
        await clients[9].send(b"GET / HT")
        weir.signal(signal.SIGTERM)
        self.assertEqual(await weir.exited(5 * SLOW), 0)

    async def test_a_batch_that_takes_longer_than_the_drain_is_cut(self):
        w1 = await self.worker("w1", fake_worker.Held())
        weir = await self.weir(basic_config([w1], drain_timeout="300ms"))
        client = await self.client(weir.front)
        await client.request("GET")
        await until(lambda: w1.running, "a batch at the worker")
        weir.signal(signal.SIGTERM)
        await weir.exited(5 * SLOW)
        try:
            self.assertEqual((await client.response()).status, 504)
        except (OSError, wire.Closed):
            pass  # just as good

    async def test_what_no_worker_can_serve_does_not_hold_the_drain(self):
        w1 = await self.worker("w1")
        w1.refuse()
        weir = await self.weir(basic_config([w1], drain_timeout="10m"), ready=False)
        waits = self.task(raw_client.ask(weir.front))
        await weir.waiting(1)
        weir.signal(signal.SIGTERM)
        answered = await waits
        self.assertEqual(answered.status, 503)
        self.assertIn("close", answered.head.tokens("Connection"))
        self.assertEqual(await weir.exited(), 0)

    async def draining_with_a_batch_held(self, **settings):
        w1 = await self.worker("w1", fake_worker.Held())
        weir = await self.weir(basic_config([w1], **settings))
        self.task(raw_client.ask(weir.front))
        await until(lambda: w1.running, "a batch at the worker")
        weir.signal(signal.SIGTERM)
        return weir

    async def test_a_second_signal_stops_at_once(self):
        weir = await self.draining_with_a_batch_held(drain_timeout="10m")

        async def unready():
            return (await weir.api("GET", "/readyz")).status == 503
        await until(unready, "the drain to begin")
        self.assertIsNone(weir.process.returncode)
        weir.signal(signal.SIGTERM)
        await weir.exited(5 * SLOW)

    async def test_a_second_signal_during_the_drain_delay_waits_for_nothing(self):
        weir = await self.draining_with_a_batch_held(drain_delay="10m")
        await weir.said("draining")
        weir.signal(signal.SIGTERM)
        self.assertEqual(await weir.exited(5 * SLOW), 0)
        self.assertTrue([line for line in weir.log if "draining ends now" in line], weir.tail())
        self.assertFalse([line for line in weir.log if "do not end" in line], weir.tail())

    async def test_uploads_and_downloads_under_way_are_finished(self):
        size = 2 << 20

        async def slow(request, reply):
            body = await request.body()
            await reply.head(200, [("Content-Length", str(len(body)))])
            for at in range(0, len(body), 1 << 18):
                await reply.raw(body[at:at + (1 << 18)])
                await wire.pause(0.02)
        w1 = await self.worker("w1", slow)
        weir = await self.weir(basic_config([w1]))
        client = await self.client(weir.front)
        await client.send(raw_client.request_head("POST", "/", {"Content-Length": str(size)})
                          + b"x" * 1000)
        await until(lambda: w1.running, "the upload at the worker")
        weir.signal(signal.SIGTERM)
        await client.send(b"x" * (size - 1000))
        self.assertEqual((await client.response()).body, b"x" * size)
        self.assertEqual(await weir.exited(), 0)


if __name__ == "__main__":
    unittest.main()
