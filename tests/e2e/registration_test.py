"""Workers that come by themselves: a lease, its own secret, its loss, and a door for that alone."""

import json
import unittest

import fake_worker
import raw_client
import wire
from harness import WeirCase, basic_config, until

FAST = {"health_check": {"interval": "50ms", "timeout": "500ms"}}


class RegistrationTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.token = "let-workers-in-0123456789"
        self.w1 = await self.worker("w1")

    async def start(self, allow=("127.0.0.0/8",), workers=(), **more):
        config = basic_config(workers, pool={**FAST, **more}, registration={
            "bind": "127.0.0.1:0", "token_file": self.write("token", self.token + "\n"),
            "allow": list(allow)})
        self.door = await self.weir(config, ready=bool(workers))
        said = await self.door.said(r"registration.*?(127\.0\.0\.1:[1-9]\d*)")
        self.registration = said.group(1)
        return self.door

    async def call(self, method, path, body=None, token=None, address=None):
        data = json.dumps(body).encode() if body is not None else b""
        fields = {"Content-Type": "application/json"}
        if token is not False:
            fields["Authorization"] = f"Bearer {token or self.token}"
        client = await self.client(address or self.registration)
        await client.request(method, path, fields, data, host=address or self.registration)
        return await client.response(method)

    async def join(self, worker, ttl="30s", **more):
        response = await self.call("POST", "/v1/pools/loaders/workers", {
            "id": worker.name, "url": worker.url, "slots": 2, "ttl": ttl, **more})
        self.assertEqual(response.status, 201, response)
        return response.json()

    async def test_a_worker_joins_serves_and_leaves(self):
        weir = await self.start()
        lease = await self.join(self.w1)
        await weir.worker_is("w1", "up")
        row = (await weir.workers())["w1"]
        self.assertTrue(row["registered"] and row["managed"])
        self.assertEqual((await raw_client.ask(weir.front)).field("Weir-Worker"), "w1")
        response = await self.call("DELETE", "/v1/pools/loaders/workers/w1",
                                   token=lease["secret"])
        self.assertEqual(response.status, 202, response)
        await weir.worker_is("w1", "gone")

    async def test_a_lost_lease_drains_and_removes_after_the_last_batch(self):
        held = fake_worker.Held()
        self.w1.script = held
        weir = await self.start()
        await self.join(self.w1, ttl="1s")
        await weir.worker_is("w1", "up")
        ask = self.task(raw_client.ask(weir.front))
        await until(lambda: held.waiting, "a batch at the worker")
        await weir.worker_is("w1", "draining")
        held.release()
        self.assertEqual((await ask).status, 200)
        await weir.worker_is("w1", "gone")

    async def test_a_url_that_another_worker_has_is_a_conflict(self):
        weir = await self.start(workers=[self.w1])
        response = await self.call("POST", "/v1/pools/loaders/workers",
                                   {"id": "again", "url": self.w1.url, "slots": 2})
        self.assertEqual(response.status, 409, response)
        self.assertIn(self.w1.url, response.json()["detail"])
        self.assertIn("'w1'", response.json()["detail"])
        self.assertEqual(set(await weir.workers()), {"w1"})

    async def test_a_renewed_lease_is_kept(self):
        weir = await self.start()
        lease = await self.join(self.w1, ttl="1s")
        await weir.worker_is("w1", "up")
        for _ in range(6):
            response = await self.call("PUT", lease["renew"], {}, token=lease["secret"])
            self.assertEqual(response.status, 200, response)
            before = (await weir.workers())["w1"]["lease_seconds"]

            async def shorter(before=before):
                return (await weir.workers())["w1"]["lease_seconds"] < before - 0.2
            await until(shorter, "the lease to run down a little")
        self.assertEqual(await weir.worker_state("w1"), "up")

    async def test_each_lease_has_a_secret_of_its_own(self):
        await self.start()
        w2 = await self.worker("w2")
        first, second = await self.join(self.w1), await self.join(w2)
        self.assertNotEqual(first["secret"], second["secret"])
        for token in (self.token, second["secret"], "wrong", False):
            for method, path in (("PUT", first["renew"]),
                                 ("DELETE", "/v1/pools/loaders/workers/w1")):
                response = await self.call(method, path, {}, token=token)
                self.assertIn(response.status, (401, 403), (method, token, response))
        self.assertIn(await self.door.worker_state("w1"), ("up", "checking"))

    async def test_joining_needs_the_token(self):
        await self.start()
        for token in ("wrong", self.token[:-1], False):
            response = await self.call("POST", "/v1/pools/loaders/workers",
                                       {"id": "w1", "url": self.w1.url}, token=token)
            self.assertEqual(response.status, 401, response)
        self.assertEqual(await self.door.workers(), {})

    async def test_a_taken_name_is_refused(self):
        await self.start(workers=[self.w1])
        response = await self.call("POST", "/v1/pools/loaders/workers",
                                   {"id": "w1", "url": "http://127.0.0.2:9"})
        self.assertEqual(response.status, 409, response)

    async def test_urls_that_no_worker_may_have_are_refused(self):
        await self.start(allow=["127.0.0.1/32"])
        for url in ("http://169.254.169.254", "http://[fe80::1]:80", "http://192.0.2.1:80",
                    "http://127.0.0.2:80", "http://2130706433:80", "ftp://127.0.0.1",
                    "http://127.0.0.1:80/path", "unix:/run/x.sock", "http://[::ffff:169.254.1.1]"):
            response = await self.call("POST", "/v1/pools/loaders/workers",
                                       {"id": "w1", "url": url})
            self.assertIn(response.status, (400, 403, 422), (url, response))
        self.assertEqual(await self.door.workers(), {})

    async def test_peers_outside_the_list_are_refused(self):
        await self.start(allow=["192.0.2.0/24"])
        try:
            response = await self.call("POST", "/v1/pools/loaders/workers",
                                       {"id": "w1", "url": self.w1.url})
            self.assertEqual(response.status, 403, response)
        except (OSError, wire.Closed):
            pass  # not even listened to: just as good
        self.assertEqual(await self.door.workers(), {})

    async def test_the_door_for_workers_does_nothing_else(self):
        await self.start(workers=[self.w1])
        for method, path in (("GET", "/v1/status"), ("GET", "/v1/workers"), ("GET", "/metrics"),
                             ("GET", "/"), ("GET", "/v1/config"), ("POST", "/v1/reload"),
                             ("POST", "/v1/pools/loaders/pause"),
                             ("POST", "/v1/pools/loaders/workers/w1/drain")):
            response = await self.call(method, path, {} if method == "POST" else None)
            self.assertIn(response.status, (404, 405), (method, path, response))
        response = await self.call("DELETE", "/v1/pools/loaders/workers/w1")
        self.assertIn(response.status, (401, 403, 404), response)
        self.assertEqual(await self.door.worker_state("w1"), "up")

    async def test_a_worker_that_joins_again_takes_its_place_over_a_restart(self):
        weir = await self.start()
        await self.join(self.w1)
        await weir.worker_is("w1", "up")
        again = await self.call("POST", "/v1/pools/loaders/workers",
                                {"id": "w1", "url": self.w1.url, "slots": 2})
        self.assertIn(again.status, (201, 409), again)

    async def test_the_waiting_backlog_goes_to_a_worker_that_joins(self):
        held = fake_worker.Held()
        self.w1.script = held
        weir = await self.start(workers=[self.w1.config(slots=1)])
        asks = [self.task(raw_client.ask(weir.front)) for _ in range(6)]
        await weir.waiting(5)
        w2 = await self.worker("w2")
        await self.join(w2)
        await until(lambda: sum(a.done() for a in asks) == 5, "the backlog served")
        self.assertEqual(len(w2.requests), 5)
        held.release()


if __name__ == "__main__":
    unittest.main()
