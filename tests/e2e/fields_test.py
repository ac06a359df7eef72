"""What weir adds to, removes from and rewrites in the heads it forwards, and its own answers."""

import re
import unittest

import fake_worker
import raw_client
from harness import WeirCase, basic_config


class FieldsTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.w1 = await self.worker("w1")

    async def door(self, route=None, **top):
        weir = await self.weir(basic_config([self.w1], route, **top))
        return weir, await self.client(weir.front)

    def seen(self):
        """The last request's fields as the worker got them, by lower-case name."""
        return {n.lower(): v for n, v in self.w1.requests[-1].head.fields}

    async def test_the_worker_learns_where_a_batch_came_from(self):
        _, client = await self.door()
        await client.ask("POST", "/a", {"Idempotency-Key": '"k 1"', "X-Own": "kept"}, b"x")
        seen = self.seen()
        self.assertRegex(seen["via"], r"^1\.1 \S*weir")
        self.assertRegex(seen["forwarded"], r'for="?127\.0\.0\.1')
        self.assertIn("proto=http", seen["forwarded"])
        self.assertRegex(seen["forwarded"], r'host="?weir\.test')
        self.assertEqual(seen["x-forwarded-for"], "127.0.0.1")
        self.assertEqual(seen["x-forwarded-proto"], "http")
        self.assertEqual(seen["x-forwarded-host"], "weir.test")
        self.assertRegex(seen["traceparent"], r"^00-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}$")
        self.assertRegex(seen["weir-batch-id"], r"^[0-9A-Za-z_-]{16,32}$")
        self.assertEqual(seen["weir-attempt"], "1")
        self.assertEqual(seen["idempotency-key"], '"k 1"')
        self.assertEqual((seen["host"], seen["x-own"]), ("weir.test", "kept"))

    async def test_the_client_learns_who_served_it_and_how_long_it_took(self):
        self.w1.script = fake_worker.answer(200, [("Server-Timing", "db;dur=5"), ("X-Own", "kept")])
        _, client = await self.door()
        response = await client.ask("POST", body=b"x")
        self.assertRegex(response.field("Via"), r"^1\.1 \S*weir")
        self.assertEqual(response.field("Weir-Worker"), "w1")
        self.assertEqual(response.field("Weir-Batch-Id"), self.seen()["weir-batch-id"])
        timing = ", ".join(response.head.all("Server-Timing"))
        for part in (r"queue;dur=\d", r"worker;dur=\d", r"db;dur=5"):
            self.assertRegex(timing, part)
        self.assertEqual(response.field("X-Own"), "kept")

    async def test_each_batch_has_an_id_of_its_own(self):
        _, client = await self.door()
        ids = {(await client.ask("GET")).field("Weir-Batch-Id") for _ in range(20)}
        self.assertEqual(len(ids), 20)

    async def test_fields_of_one_hop_stay_on_it(self):
        self.w1.script = fake_worker.answer(200, [
            ("Connection", "X-Hop"), ("X-Hop", "1"), ("Keep-Alive", "timeout=3"), ("X-End", "1")])
        _, client = await self.door()
        response = await client.ask("GET", "/", {
            "Connection": "keep-alive, X-Drop", "X-Drop": "1", "Keep-Alive": "timeout=5",
            "Proxy-Connection": "keep-alive", "TE": "trailers", "Upgrade": "h2c", "X-End": "2"})
        seen = self.seen()
        for name in ("x-drop", "keep-alive", "proxy-connection", "upgrade"):
            self.assertNotIn(name, seen)
        self.assertEqual(seen["x-end"], "2")
        for name in ("X-Hop", "Keep-Alive"):
            self.assertIsNone(response.field(name))
        self.assertEqual(response.field("X-End"), "1")

    async def test_connection_cannot_remove_what_weir_adds_or_framing_needs(self):
        _, client = await self.door()
        await client.ask("POST", "/", {"Connection": "Host, Content-Length, X-Forwarded-For, Via"},
                         b"12345")
        seen = self.seen()
        self.assertEqual(self.w1.requests[-1].received, 5)
        for name in ("host", "x-forwarded-for", "via"):
            self.assertIn(name, seen)

    async def test_a_clients_weir_fields_are_removed_save_two(self):
        _, client = await self.door()
        await client.ask("GET", "/", {
            "Weir-Attempt": "9", "Weir-Batch-Id": "forged", "Weir-Worker": "x", "Weir-Other": "x",
            "Weir-Deadline": "600", "Weir-Group": "backfill"})
        seen = self.seen()
        self.assertEqual(seen["weir-attempt"], "1")
        self.assertNotEqual(seen["weir-batch-id"], "forged")
        self.assertNotIn("weir-other", seen)
        self.assertNotIn("weir-worker", seen)
        self.assertEqual(seen["weir-group"], "backfill")
        self.assertEqual(seen["weir-deadline"], "600")

    async def test_forwarding_fields_of_a_stranger_are_replaced(self):
        _, client = await self.door()
        await client.ask("GET", "/", {"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "https",
                                      "Forwarded": "for=6.6.6.6", "X-Forwarded-Host": "evil"})
        seen = self.w1.requests[-1].head
        everything = " ".join(v for n, v in seen.fields if "forwarded" in n.lower())
        self.assertNotIn("6.6.6.6", everything)
        self.assertNotIn("evil", everything)
        self.assertEqual(seen.field("X-Forwarded-Proto"), "http")

    async def test_forwarding_fields_of_a_trusted_peer_are_appended_to(self):
        config = basic_config([self.w1])
        config["listeners"][0]["trusted"] = ["127.0.0.0/8"]
        weir = await self.weir(config)
        await raw_client.ask(weir.front, fields={"X-Forwarded-For": "192.0.2.7",
                                                 "Forwarded": "for=192.0.2.7",
                                                 "X-Forwarded-Proto": "https"})
        head = self.w1.requests[-1].head
        chain = ", ".join(head.all("X-Forwarded-For"))
        self.assertEqual(re.split(r",\s*", chain), ["192.0.2.7", "127.0.0.1"])
        forwarded = ", ".join(head.all("Forwarded"))
        self.assertTrue(forwarded.startswith("for=192.0.2.7"), forwarded)
        self.assertIn("127.0.0.1", forwarded)
        self.assertEqual(head.field("X-Forwarded-Proto"), "https")

    async def test_a_valid_trace_goes_on_and_a_bad_one_is_replaced(self):
        _, client = await self.door()
        trace = "4bf92f3577b34da6a3ce929d0e0e4736"
        await client.ask("GET", "/", {"traceparent": f"00-{trace}-00f067aa0ba902b7-01"})
        self.assertEqual(self.seen()["traceparent"].split("-")[1], trace)
        await client.ask("GET", "/", {"traceparent": "00-nonsense"})
        self.assertRegex(self.seen()["traceparent"], r"^00-[0-9a-f]{32}-")

    async def test_a_route_rewrites_path_host_and_fields(self):
        self.w1.script = fake_worker.answer(200, [("X-Secret", "1"), ("X-Kept", "1")])
        _, client = await self.door({"path": "/load", "rewrite": {
            "strip_prefix": "/load", "host": "worker",
            "request_headers": {"set": {"X-Added": "yes"}, "remove": ["X-Gone"]},
            "response_headers": {"set": {"X-Said": "weir"}, "remove": ["X-Secret"]}}})
        response = await client.ask("GET", "/load/orders?x=1",
                                    {"X-Gone": "1", "X-Added": "no", "X-Kept": "1"})
        request, seen = self.w1.requests[-1], self.seen()
        self.assertEqual(request.target, "/orders?x=1")
        self.assertEqual(seen["host"], self.w1.address)
        self.assertEqual(request.head.all("X-Added"), ["yes"])
        self.assertNotIn("x-gone", seen)
        self.assertEqual(seen["x-kept"], "1")
        self.assertEqual(response.field("X-Said"), "weir")
        self.assertIsNone(response.field("X-Secret"))
        self.assertEqual(response.field("X-Kept"), "1")
        await client.ask("GET", "/load")
        self.assertEqual(self.w1.requests[-1].target, "/")

    async def test_a_workers_broken_promise_of_weirs_fields_is_not_believed(self):
        self.w1.script = fake_worker.answer(200, [("Weir-Worker", "another"),
                                                  ("Weir-Batch-Id", "forged")])
        _, client = await self.door()
        response = await client.ask("GET")
        self.assertEqual(response.head.all("Weir-Worker"), ["w1"])
        self.assertEqual(response.head.all("Weir-Batch-Id"), [self.seen()["weir-batch-id"]])


class OwnAnswersTest(WeirCase):
    async def test_no_route_is_404_and_the_connection_goes_on(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], {"path": "/load"}))
        client = await self.client(weir.front)
        for method, body in (("GET", None), ("POST", b"small")):
            self.assert_problem(await client.ask(method, "/other", (), body), 404)
        response = await client.ask("HEAD", "/other")
        self.assertEqual((response.status, response.body), (404, b""))
        self.assertEqual((await client.ask("GET", "/load")).status, 200)

    async def test_no_worker_is_503(self):
        weir = await self.weir(basic_config([]), ready=False)
        self.assert_problem(await raw_client.ask(weir.front, "POST", body=b"x"), 503)

    async def test_no_answer_is_504(self):
        silent = fake_worker.Held()
        w1 = await self.worker("w1", silent)
        weir = await self.weir(basic_config([w1], {"timeout": {"response": "200ms"}}))
        problem = self.assert_problem(await raw_client.ask(weir.front, "POST", body=b"x"), 504)
        self.assertIn("detail", problem)

    async def test_a_total_time_is_kept(self):
        w1 = await self.worker("w1", fake_worker.Held())
        weir = await self.weir(basic_config([w1], {"timeout": {"total": "300ms"}}))
        self.assert_problem(await raw_client.ask(weir.front, "GET"), 504)

    async def test_a_worker_that_resets_is_502_and_says_so_in_proxy_status(self):
        async def script(request, reply):
            reply.reset()
        w1 = await self.worker("w1", script)
        weir = await self.weir(basic_config([w1]))
        response = await raw_client.ask(weir.front, "POST", body=b"x")
        self.assert_problem(response, 502)
        self.assertIn("error=", response.field("Proxy-Status"))
        self.assertTrue(response.field("Weir-Batch-Id"))


if __name__ == "__main__":
    unittest.main()
