"""The tools of this folder against each other, without weir: what they claim, they do."""

import asyncio
import json
import unittest

import certs
import fake_worker
import harness
import load
import raw_client
import wire
import yaml_text


class ToolsTest(harness.WeirCase):
    async def test_a_worker_echoes_what_arrived_in_any_framing(self):
        worker = await self.worker()
        client = await self.client(worker.address)
        for fields, body in (((), b"abc"), ({"Transfer-Encoding": "chunked"},
                                            raw_client.chunk(b"ab") + raw_client.chunk(b"c")
                                            + raw_client.LAST_CHUNK)):
            seen = (await client.ask("POST", "/a?b", fields, body)).json()
            self.assertEqual((seen["target"], seen["length"]), ("/a?b", 3))
        self.assertEqual((await client.ask("HEAD")).body, b"")
        self.assertEqual(worker.accepted, 1)

    async def test_a_worker_counts_slots_and_their_high_water(self):
        held = fake_worker.Held()
        worker = await self.worker(script=held)
        asks = [self.task(raw_client.ask(worker.address, "POST", body=b"x")) for _ in range(3)]
        await wire.until(lambda: len(held.waiting) == 3, "three held")
        self.assertEqual(worker.running, 3)
        held.release()
        self.assertEqual([r.status for r in await asyncio.gather(*asks)], [200] * 3)
        self.assertEqual((worker.running, worker.high_water), (0, 3))

    async def test_a_killed_worker_resets_and_refuses_and_may_come_back(self):
        worker = await self.worker(script=fake_worker.Held())
        client = await self.client(worker.address)
        await client.request("GET")
        await wire.until(lambda: worker.running, "a request")
        worker.kill()
        with self.assertRaises((ConnectionError, wire.Closed)):
            await client.response()
        with self.assertRaises(ConnectionError):
            await raw_client.Client.open(worker.address)
        await worker.restart()
        worker.script = fake_worker.echo
        self.assertEqual((await raw_client.ask(worker.address)).status, 200)

    async def test_chunked_answers_early_interims_and_probes(self):
        async def script(request, reply):
            await reply.raw(b"HTTP/1.1 103 Early\r\nLink: </a>\r\n\r\n")
            await reply.chunks([b"a" * 1000, b"b"])
        worker = await self.worker(script=script)
        response = await raw_client.ask(worker.address)
        self.assertEqual(response.interims[0].field("Link"), "</a>")
        self.assertEqual(len(response.body), 1001)
        worker.probe_status = 503
        self.assertEqual((await raw_client.ask(worker.address, target="/healthz")).status, 503)
        self.assertEqual((worker.probes, len(worker.requests)), (1, 1))

    async def test_tls_with_a_client_certificate_and_a_server_name(self):
        authority = certs.Authority(self.folder)
        names = []
        context = certs.server_context(authority.issue("server"), names.append)
        context.verify_mode = certs.ssl.CERT_REQUIRED
        context.load_verify_locations(authority.file)
        worker = await self.worker(tls=context)
        with self.assertRaises((OSError, wire.Closed)):
            await raw_client.ask(worker.address, tls=authority.client_context())
        identity = authority.client_context(authority.issue("client"))
        response = await raw_client.ask(worker.address, tls=identity, server_name="weir.test")
        self.assertEqual(response.status, 200)
        self.assertEqual(names[-1], "weir.test")

    async def test_ends_of_connections_are_told_apart(self):
        async def end(request, reply):
            getattr(reply, request.target[1:])()
        worker = await self.worker(script=end)
        for how, seen in (("close", "closed"), ("reset", "reset")):
            client = await self.client(worker.address)
            await client.request("GET", "/" + how)
            self.assertEqual(await client.ended(), seen)

    async def test_load_counts_every_outcome(self):
        worker = await self.worker()
        running = load.Load(worker.address, clients=4)
        await running.reached(50)
        worker.script = fake_worker.answer(503)
        await running.reached(50)
        outcomes = await running.stop()
        self.assertEqual(sum(outcomes.values()), running.sent)
        self.assertEqual(set(outcomes), {200, 503})
        self.assertEqual(len(worker.requests), running.sent)

    async def test_a_worker_of_its_own_process(self):
        process = await asyncio.create_subprocess_exec(
            "/usr/bin/python3", fake_worker.__file__, "p1", "0", stdout=asyncio.subprocess.PIPE)
        address = (await process.stdout.readline()).decode().strip()
        self.assertEqual((await raw_client.ask(address)).body, b"p1")
        process.kill()
        await process.wait()

    def test_yaml_text(self):
        value = {"a": [{"b": "127.0.0.1:0", "c": True}, "x y"], "d": {}, "e": "[::]:0"}
        text = yaml_text.dump(value)
        self.assertEqual(text, 'a:\n  - b: 127.0.0.1:0\n    c: true\n  - "x y"\nd: {}\n'
                               'e: "[::]:0"\n')

    def test_metrics_text(self):
        metrics = harness.Metrics('# HELP a b\na{x="1",y="q\\"}"} 2\na{x="2"} 3\nb 1e3\n')
        self.assertEqual(metrics.sum("a"), 5)
        self.assertEqual(metrics.sum("a", x="2"), 3)
        self.assertEqual((metrics.sum("b"), metrics.labels("a", "x")), (1000, {"1", "2"}))

    async def test_until_gives_up_and_says_what_for(self):
        with self.assertRaisesRegex(AssertionError, "the moon"):
            await wire.until(lambda: False, "the moon", timeout=0.05)

    def test_a_problem_is_recognised_as_one(self):
        head = wire.Head(b"HTTP/1.1 429 Too Many Requests\r\nContent-Type: application/problem+json"
                         b"\r\nProxy-Status: weir; error=x\r\nRetry-After: 2\r\n\r\n")
        response = raw_client.Response(head, [])
        response.body = json.dumps({"type": "a", "title": "b", "status": 429}).encode()
        self.assert_problem(response, 429)
        for gone in ("Retry-After", "Proxy-Status", "Content-Type"):
            bare = wire.Head(head.raw.replace(gone.encode(), b"X-Other"))
            wrong = raw_client.Response(bare, [])
            wrong.body = response.body
            with self.assertRaises(AssertionError):
                self.assert_problem(wrong, 429)


if __name__ == "__main__":
    unittest.main()
