"""A batch through the front door: methods, framing both ways, keep-alive, fields, hostile heads."""

import hashlib
import unittest

import fake_worker
import raw_client
import wire
from harness import WeirCase, basic_config
from raw_client import LAST_CHUNK, chunk


class ProxyTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.w1 = await self.worker("w1")

    async def door(self, route=None, pool=None, **top):
        """A weir before w1, and a client connected to it."""
        weir = await self.weir(basic_config([self.w1], route, pool, **top))
        return weir, await self.client(weir.front)

    async def test_any_method_target_and_body_arrive_as_they_were_sent(self):
        _, client = await self.door()
        for method in ("GET", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "BREW"):
            for target in ("/", "/a/b?c=d&e=%2F%20;x", "/%7Eodd//path/"):
                for body in (None, b"", b"x", bytes(range(256)) * 400):
                    response = await client.ask(method, target, (), body)
                    self.assertEqual(response.status, 200, response)
                    seen = response.json()
                    self.assertEqual((seen["method"], seen["target"]), (method, target))
                    self.assertEqual(seen["sha256"], hashlib.sha256(body or b"").hexdigest())

    async def test_answers_without_a_body_leave_the_connection_in_step(self):
        _, client = await self.door()
        cases = (("HEAD", 200, b"12345"), ("GET", 204, None), ("GET", 304, None))
        for method, status, body in cases:
            async def script(request, reply, status=status, body=body):
                length = [("Content-Length", str(len(body)))] if body else []
                await reply.head(status, length)
            self.w1.script = script
            response = await client.ask(method)
            self.assertEqual((response.status, response.body), (status, b""))
            if method == "HEAD":
                self.assertEqual(response.field("Content-Length"), "5")
            self.w1.script = fake_worker.echo
            self.assertEqual((await client.ask("GET", "/after")).json()["target"], "/after")

    async def test_interim_answers_are_passed_on_before_the_final_one(self):
        async def script(request, reply):
            for number in (1, 2):
                await reply.raw(b"HTTP/1.1 103 Early Hints\r\nLink: </%d>\r\nConnection: x\r\n\r\n"
                                % number)
            await reply.send(200, (), b"final")
        self.w1.script = script
        _, client = await self.door()
        response = await client.ask("GET")
        self.assertEqual([i.field("Link") for i in response.interims], ["</1>", "</2>"])
        self.assertIsNone(response.interims[0].field("Connection"))
        self.assertEqual(response.body, b"final")

    async def test_a_client_of_http_1_0_gets_no_interim_and_no_chunks(self):
        async def script(request, reply):
            await reply.raw(b"HTTP/1.1 103 Early Hints\r\n\r\n")
            await reply.chunks([b"ab", b"c" * 5000])
        self.w1.script = script
        _, client = await self.door()
        await client.send(b"GET / HTTP/1.0\r\nHost: weir.test\r\n\r\n")
        response = await client.response()
        self.assertEqual((response.status, response.interims), (200, []))
        self.assertEqual(response.framing[0], "close")
        self.assertEqual(response.body, b"ab" + b"c" * 5000)

    async def test_a_chunked_request_arrives_chunked(self):
        _, client = await self.door()
        cases = {
            b"": LAST_CHUNK,
            b"abc": chunk(b"a") + chunk(b"bc") + LAST_CHUNK,
            b"ext": b"3;name=value;q=\"x\"\r\next\r\n" + LAST_CHUNK,
            b"trailer": b"7\r\ntrailer\r\n0\r\nX-Sum: 1\r\n\r\n",
            b"0" * 300000: chunk(b"0" * 300000) + LAST_CHUNK,
        }
        for body, coded in cases.items():
            seen = (await client.ask("POST", "/", {"Transfer-Encoding": "chunked"}, coded)).json()
            self.assertEqual(seen["sha256"], hashlib.sha256(body).hexdigest())
            fields = {n.lower(): v for n, v in seen["fields"]}
            self.assertEqual(fields.get("transfer-encoding"), "chunked")
            self.assertNotIn("content-length", fields)

    async def test_a_chunk_cut_anywhere_is_put_together(self):
        _, client = await self.door()
        coded = raw_client.request_head("POST", "/", {"Transfer-Encoding": "chunked"})
        coded += chunk(b"hello") + chunk(b"w" * 20) + LAST_CHUNK
        for size in (1, 3, 7):
            for at in range(0, len(coded), size):
                await client.send(coded[at:at + size])
                await wire.pause(0)
            self.assertEqual((await client.response("POST")).json()["length"], 25)

    async def test_a_chunked_answer_arrives_chunked(self):
        async def script(request, reply):
            await reply.chunks([b"x", b"y" * 100000, b"z"])
        self.w1.script = script
        _, client = await self.door()
        for _ in range(3):
            response = await client.ask("GET")
            self.assertEqual(response.framing[0], "chunked")
            self.assertEqual(response.body, b"x" + b"y" * 100000 + b"z")

    async def test_an_answer_that_ends_with_its_connection_becomes_chunked(self):
        async def script(request, reply):
            await reply.head(200, [("Connection", "close")])
            await reply.raw(b"until the end")
            reply.close()
        self.w1.script = script
        _, client = await self.door()
        for _ in range(2):
            response = await client.ask("GET")
            self.assertEqual((response.framing[0], response.body), ("chunked", b"until the end"))

    async def test_pipelined_requests_are_answered_in_order(self):
        _, client = await self.door()
        many = b""
        for n in range(20):
            body = b"y" * (n * 100)
            fields = {"Content-Length": str(len(body))} if n % 2 else {}
            many += raw_client.request_head("POST" if n % 2 else "GET", f"/{n}", fields)
            many += body if n % 2 else b""
        await client.send(many)
        for n in range(20):
            seen = (await client.response()).json()
            self.assertEqual((seen["target"], seen["length"]), (f"/{n}", n * 100 if n % 2 else 0))

    async def test_connections_are_kept_on_both_sides(self):
        _, client = await self.door()
        before = self.w1.accepted
        for n in range(50):
            self.assertEqual((await client.ask("GET", f"/{n}")).status, 200)
        self.assertLessEqual(self.w1.accepted - before, 3)

    async def test_a_client_that_says_close_is_closed_after_its_answer(self):
        _, client = await self.door()
        response = await client.ask("GET", "/", {"Connection": "close"})
        self.assertEqual(response.status, 200)
        self.assertIn("close", response.head.tokens("Connection"))
        self.assertEqual(await client.ended(), "closed")

    async def test_empty_lines_before_a_request_are_skipped(self):
        _, client = await self.door()
        await client.send(b"\r\n\r\n" + raw_client.request_head("GET", "/"))
        self.assertEqual((await client.response()).status, 200)

    async def test_absolute_form_and_asterisk(self):
        _, client = await self.door()
        seen = (await client.ask("GET", "http://weir.test/a?b")).json()
        self.assertEqual(seen["target"], "/a?b")
        self.assertEqual(dict(seen["fields"])["Host"], "weir.test")
        self.assertEqual((await client.ask("OPTIONS", "*")).json()["target"], "*")

    async def test_too_large_bodies_get_413(self):
        weir, client = await self.door({"body_max": "10KiB"})
        self.assertEqual((await client.ask("POST", "/", (), b"x" * 10240)).status, 200)
        response = await client.ask("POST", "/", (), b"x" * 10241)
        self.assert_problem(response, 413)
        client = await self.client(weir.front)
        response = await client.ask("POST", "/", {"Transfer-Encoding": "chunked"},
                                    chunk(b"x" * 20000) + LAST_CHUNK)
        self.assert_problem(response, 413)

    async def test_a_slow_head_gets_408(self):
        config = basic_config([self.w1])
        config["listeners"][0]["head_timeout"] = "200ms"
        weir = await self.weir(config)
        client = await self.client(weir.front)
        await client.send(b"GET / HTTP/1.1\r\nHost: weir")
        self.assert_problem(await client.response(), 408)
        self.assertEqual(await client.ended(), "closed")

    async def test_a_connection_without_a_request_is_closed_silently(self):
        config = basic_config([self.w1])
        config["listeners"][0]["idle_timeout"] = "200ms"
        weir = await self.weir(config)
        client = await self.client(weir.front)
        self.assertEqual(await client.ended(), "closed")
        client = await self.client(weir.front)
        self.assertEqual((await client.ask("GET")).status, 200)
        self.assertEqual(await client.ended(), "closed")


GOOD = b"Host: weir.test\r\n"
HOSTILE = [  # head, status, why
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Transfer-Encoding: chunked\r\nContent-Length: 3\r\n\r\n",
     400, "both framings"),
    (b"POST / HTTP/1.0\r\n" + GOOD + b"Transfer-Encoding: chunked\r\n\r\n", 400, "chunked on 1.0"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Transfer-Encoding: gzip\r\n\r\n", 501, "unknown coding"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Transfer-Encoding: chunked, chunked\r\n\r\n", 400, "twice"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Transfer-Encoding: xchunked\r\n\r\n", 501, "a near miss"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Content-Length: 3\r\nContent-Length: 4\r\n\r\n",
     400, "two lengths"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Content-Length: 3, 4\r\n\r\n", 400, "a list of lengths"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Content-Length: +3\r\n\r\n", 400, "a signed length"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Content-Length: -3\r\n\r\n", 400, "a negative length"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Content-Length: 0x3\r\n\r\n", 400, "a hex length"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Content-Length: 99999999999999999999\r\n\r\n",
     400, "a length beyond 64 bits"),
    (b"POST / HTTP/1.1\r\n" + GOOD + b"Content-Length:\r\n\r\n", 400, "an empty length"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b"X: a\r\n b\r\n\r\n", 400, "obs-fold"),
    (b"GET / HTTP/1.1\r\n X: a\r\n" + GOOD + b"\r\n", 400, "a blank before the first field"),
    (b"GET / HTTP/1.1\n" + b"Host: weir.test\n\n", 400, "bare LF"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b"X: a\rb\r\n\r\n", 400, "bare CR in a value"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b"X: a\0b\r\n\r\n", 400, "NUL"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b"X: a\x0bb\r\n\r\n", 400, "a control byte"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b"X : a\r\n\r\n", 400, "a blank before the colon"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b": a\r\n\r\n", 400, "no name"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b"no colon\r\n\r\n", 400, "no colon"),
    (b"GET / HTTP/1.1\r\n\r\n", 400, "no Host"),
    (b"GET / HTTP/1.1\r\n" + GOOD + GOOD + b"\r\n", 400, "two Hosts"),
    (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "a Host that is none"),
    (b"GET / HTTP/1.1\r\nHost: user@weir.test\r\n\r\n", 400, "a Host with a user"),
    (b"GET / HTTP/2.0\r\n" + GOOD + b"\r\n", 505, "another version"),
    (b"GET / http/1.1\r\n" + GOOD + b"\r\n", 400, "a version in lower case"),
    (b"GET /\r\n" + GOOD + b"\r\n", 400, "no version"),
    (b"GET  / HTTP/1.1\r\n" + GOOD + b"\r\n", 400, "two blanks"),
    (b"G@T / HTTP/1.1\r\n" + GOOD + b"\r\n", 400, "a method that is no token"),
    (b"GET /a b HTTP/1.1\r\n" + GOOD + b"\r\n", 400, "a blank in the target"),
    (b"GET /\x01 HTTP/1.1\r\n" + GOOD + b"\r\n", 400, "a control byte in the target"),
    (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, "TLS on a plain door"),
    (b"GET /" + b"a" * 9000 + b" HTTP/1.1\r\n" + GOOD + b"\r\n", 414, "a long target"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b"X: " + b"a" * 20000 + b"\r\n\r\n", 431, "a large head"),
    (b"GET / HTTP/1.1\r\n" + GOOD + b"X: a\r\n" * 200 + b"\r\n", 431, "many fields"),
]
BAD_CHUNKS = [b"zz\r\n", b"-1\r\n", b"+1\r\na\r\n", b"0x1\r\na\r\n", b"fffffffffffffffff\r\n",
              b"1\r\nab\r\n", b"1\na\r\n", b" 1\r\na\r\n", b"1 \r\na\r\n", b"\r\n",
              b"1;" + b"e" * 400 + b"\r\na\r\n", b"0\r\nX: " + b"t" * 5000 + b"\r\n\r\n",
              b"0\r\nbad trailer\r\n\r\n"]


class HostileTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.w1 = await self.worker("w1")
        self.door = await self.weir(basic_config([self.w1]))

    async def test_bad_heads_are_refused_and_the_connection_closed(self):
        for head, status, why in HOSTILE:
            with self.subTest(why):
                client = await self.client(self.door.front)
                await client.send(head + b"GET /smuggled HTTP/1.1\r\n" + GOOD + b"\r\n")
                response = await client.response()
                self.assert_problem(response, status, why)
                self.assertIn("close", response.head.tokens("Connection"), why)
                self.assertEqual(await client.ended(), "closed", why)
        self.assertEqual([r.target for r in self.w1.requests], [])

    async def test_bad_heads_are_refused_when_they_come_byte_by_byte(self):
        for head, status, why in HOSTILE[:3] + HOSTILE[12:20]:
            with self.subTest(why):
                client = await self.client(self.door.front)
                for n in range(len(head)):
                    client.writer.write(head[n:n + 1])
                    await wire.pause(0)
                self.assert_problem(await client.response(), status, why)

    async def test_bad_chunks_never_complete_a_request(self):
        for bad in BAD_CHUNKS:
            with self.subTest(bad[:20]):
                client = await self.client(self.door.front)
                await client.send(raw_client.request_head(
                    "POST", "/", {"Transfer-Encoding": "chunked"}) + chunk(b"fine") + bad)
                self.assert_problem(await client.response(), 400, bad[:20])
                self.assertEqual(await client.ended(), "closed")
        await wire.until(lambda: self.w1.running == 0, "the worker's requests ended")
        self.assertFalse([r for r in self.w1.requests if r.complete])

    async def test_the_next_client_is_served_after_all_that(self):
        for head, _, _ in HOSTILE[:5]:
            client = await self.client(self.door.front)
            await client.send(head)
            client.reset()
        self.assertEqual((await raw_client.ask(self.door.front)).status, 200)


if __name__ == "__main__":
    unittest.main()
