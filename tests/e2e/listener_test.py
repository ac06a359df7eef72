"""Doors and workers of every kind: IPv6, unix sockets, TLS with client certificates, https."""

import asyncio
import os
import signal
import ssl
import unittest

import certs
import fake_worker
import raw_client
import wire
import yaml_text
from harness import WeirCase, basic_config, run_command


class ListenerTest(WeirCase):
    async def test_ipv6_in_and_out(self):
        w1 = await self.worker("w1", host="::1")
        config = basic_config([w1])
        config["listeners"][0]["bind"] = "[::1]:0"
        weir = await self.weir(config)
        self.assertTrue(weir.front.startswith("[::1]:"), weir.front)
        response = await raw_client.ask(weir.front)
        self.assertEqual(response.status, 200)
        head = w1.requests[0].head
        self.assertEqual(head.field("X-Forwarded-For"), "::1")
        self.assertIn('"[::1]', head.field("Forwarded"))

    async def test_unix_socket_in_and_out(self):
        w1 = await self.worker("w1", unix=self.path("worker.sock"))
        config = basic_config([w1])
        config["listeners"].append({"name": "local", "bind": "unix:" + self.path("weir.sock")})
        weir = await self.weir(config)
        response = await raw_client.ask("unix:" + self.path("weir.sock"), "POST", body=b"x" * 99999)
        self.assertEqual(response.json()["length"], 99999)
        self.assertEqual(w1.requests[0].field("X-Forwarded-Proto"), "http")
        self.assertEqual(weir.listeners["local"], "unix:" + self.path("weir.sock"))
        weir.signal(signal.SIGTERM)
        self.assertEqual(await weir.exited(), 0)
        self.assertFalse(os.path.exists(self.path("weir.sock")))

    async def test_a_stale_unix_socket_is_taken_over(self):
        w1 = await self.worker("w1")
        config = basic_config([w1])
        config["listeners"][0]["bind"] = "unix:" + self.path("weir.sock")
        first = await self.weir(config)
        first.process.kill()
        await first.exited()
        self.assertTrue(os.path.exists(self.path("weir.sock")))
        await self.weir(config)
        self.assertEqual((await raw_client.ask("unix:" + self.path("weir.sock"))).status, 200)

    async def test_a_second_weir_on_the_same_port_is_refused_and_the_first_keeps_serving(self):
        w1 = await self.worker("w1")
        first = await self.weir(basic_config([w1]))
        config = basic_config([w1])
        config["listeners"][0]["bind"] = first.front
        file = self.write("second.yaml", yaml_text.dump(config))
        code, _, err = await run_command("serve", "--config", file, cwd=self.folder)
        self.assertEqual(code, 1, err)
        self.assertIn(first.front, err)
        self.assertIn("another process listens there", err)
        answers = await asyncio.gather(*[raw_client.ask(first.front) for _ in range(20)])
        self.assertEqual({a.status for a in answers}, {200})

    async def test_a_listener_is_renamed_moved_to_all_addresses_and_back_by_reloads(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        port = weir.front.rsplit(":", 1)[1]
        for name, host in (("front", "127.0.0.1"), ("door", "127.0.0.1"), ("door", "0.0.0.0"),
                           ("front", "127.0.0.1")):
            config = basic_config([w1])
            config["listeners"] = [{"name": name, "bind": f"{host}:{port}"}]
            await weir.reload(config)
            self.assertEqual((await raw_client.ask(weir.front)).status, 200, (name, host))

    async def test_every_listener_serves_and_is_counted(self):
        w1 = await self.worker("w1")
        config = basic_config([w1])
        config["listeners"].append({"name": "second", "bind": "127.0.0.1:0"})
        weir = await self.weir(config)
        clients = {name: await self.client(weir.listeners[name]) for name in ("front", "second")}
        for client in clients.values():
            self.assertEqual((await client.ask("GET")).status, 200)
        metrics = await weir.metrics()
        for name in clients:
            self.assertEqual(metrics.sum("weir_connections", listener=name), 1)


class TlsTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.authority = certs.Authority(self.folder)
        self.identity = self.authority.issue("front")
        self.w1 = await self.worker("w1")

    def config(self, **tls):
        config = basic_config([self.w1])
        config["listeners"][0]["tls"] = {"certificate": self.identity[0],
                                         "private_key": self.identity[1], **tls}
        return config

    async def test_tls_serves_and_says_so(self):
        weir = await self.weir(self.config())
        client = await self.client(weir.front, tls=self.authority.client_context(),
                                   server_name="weir.test")
        body = os.urandom(3 << 20)
        for _ in range(3):
            response = await client.ask("POST", body=body)
            self.assertEqual(response.json()["length"], len(body))
        self.assertEqual(self.w1.requests[0].field("X-Forwarded-Proto"), "https")
        self.assertIn("proto=https", self.w1.requests[0].field("Forwarded"))
        version = client.writer.get_extra_info("ssl_object").version()
        self.assertEqual(version, "TLSv1.3")

    async def test_old_versions_are_refused(self):
        weir = await self.weir(self.config())
        context = self.authority.client_context()
        context.minimum_version = ssl.TLSVersion.TLSv1
        context.maximum_version = ssl.TLSVersion.TLSv1_1
        context.set_ciphers("ALL:@SECLEVEL=0")
        with self.assertRaises(OSError):
            await raw_client.ask(weir.front, tls=context, server_name="weir.test")

    async def test_client_certificates_are_required_and_verified(self):
        weir = await self.weir(self.config(client_ca=self.authority.file, client_auth="require"))
        other = certs.Authority(self.folder, "other")
        good = self.authority.client_context(self.authority.issue("client"))
        bad = self.authority.client_context(other.issue("stranger"))
        for context in (self.authority.client_context(), bad):
            with self.assertRaises((OSError, wire.Closed)):
                await raw_client.ask(weir.front, tls=context, server_name="weir.test")
        self.assertEqual(self.w1.requests, [])
        response = await raw_client.ask(weir.front, tls=good, server_name="weir.test")
        self.assertEqual(response.status, 200)

    async def test_a_requested_certificate_may_be_left_out(self):
        weir = await self.weir(self.config(client_ca=self.authority.file, client_auth="request"))
        response = await raw_client.ask(weir.front, tls=self.authority.client_context(),
                                        server_name="weir.test")
        self.assertEqual(response.status, 200)

    async def test_plain_http_on_a_tls_door_harms_nobody(self):
        weir = await self.weir(self.config())
        client = await self.client(weir.front)
        await client.send(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        try:
            self.assertNotIn(b"200", (await client.reader.read(1000))[:20])
        except ConnectionError:
            pass  # just as good
        silent = await self.client(weir.front)
        response = await raw_client.ask(weir.front, tls=self.authority.client_context(),
                                        server_name="weir.test")
        self.assertEqual(response.status, 200)
        silent.close()

    async def test_certificates_are_read_again_on_reload(self):
        weir = await self.weir(self.config())
        context = self.authority.client_context()

        async def serial():
            client = await self.client(weir.front, tls=context, server_name="weir.test")
            self.assertEqual((await client.ask("GET")).status, 200)
            return client.writer.get_extra_info("peercert")["serialNumber"]
        before = await serial()
        self.identity = self.authority.issue("front")
        await weir.reload()
        self.assertNotEqual(await serial(), before)


class HttpsWorkerTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.authority = certs.Authority(self.folder)
        self.names = []

    async def start(self, alternative="DNS:worker.test", tls=None, ready=True, mutual=False):
        identity = self.authority.issue("worker", alternative)
        context = certs.server_context(identity, self.names.append)
        if mutual:
            context.verify_mode = ssl.CERT_REQUIRED
            context.load_verify_locations(self.authority.file)
        self.w1 = await self.worker("w1", tls=context)
        pool = {"tls": {"ca": self.authority.file, "server_name": "worker.test", **(tls or {})}}
        return await self.weir(basic_config([self.w1], {"timeout": {"queue": "200ms"}}, pool),
                               ready=ready)

    async def test_a_verified_worker_is_used_and_asked_for_by_name(self):
        weir = await self.start()
        body = os.urandom(2 << 20)
        response = await raw_client.ask(weir.front, "POST", body=body)
        self.assertEqual(response.json()["length"], len(body))
        self.assertEqual(set(self.names), {"worker.test"})

    async def test_a_worker_with_another_name_is_never_used(self):
        weir = await self.start("DNS:other.test", ready=False)
        await wire.until(lambda: self.names, "a handshake")
        response = await raw_client.ask(weir.front, "POST", body=b"secret")
        self.assert_problem(response, 503)
        self.assertEqual(self.w1.requests, [])
        self.assertIn(await weir.worker_state("w1"), ("checking", "down"))

    async def test_a_worker_of_an_unknown_authority_is_never_used(self):
        other = certs.Authority(self.folder, "other")
        weir = await self.start(tls={"ca": other.file}, ready=False)
        await wire.until(lambda: self.names, "a handshake")
        self.assert_problem(await raw_client.ask(weir.front), 503)
        self.assertEqual(self.w1.requests, [])

    async def test_verification_can_be_switched_off(self):
        weir = await self.start("DNS:other.test", tls={"verify": False})
        self.assertEqual((await raw_client.ask(weir.front)).status, 200)

    async def test_weir_shows_its_certificate_to_workers_that_ask(self):
        certificate, key = self.authority.issue("proxy")
        weir = await self.start(tls={"certificate": certificate, "private_key": key}, mutual=True)
        self.assertEqual((await raw_client.ask(weir.front)).status, 200)

    async def test_https_in_and_out_carries_large_bodies_both_ways(self):
        async def script(request, reply):
            body = await request.body()
            await reply.chunks([body[:100000], body[100000:]])
        weir = await self.start()
        self.w1.script = script
        body = os.urandom(4 << 20)
        self.assertEqual((await raw_client.ask(weir.front, "POST", body=body)).body, body)

    async def test_a_tls_worker_that_dies_is_502_or_retried(self):
        weir = await self.start()

        async def script(request, reply):
            if len(self.w1.requests) % 2:
                reply.reset()
            else:
                await fake_worker.echo(request, reply)
        self.w1.script = script
        self.assertEqual((await raw_client.ask(weir.front, "POST", body=b"x")).status, 502)
        self.w1.requests.clear()
        self.assertEqual((await raw_client.ask(weir.front, "GET")).status, 200)


if __name__ == "__main__":
    unittest.main()
