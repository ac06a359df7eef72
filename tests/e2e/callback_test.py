"""`Weir-Callback`: who handed a batch over hears of its end, whatever is down in between."""

import signal
import unittest

import fake_worker
import receiver
import wire
from async_case import AsyncCase
from harness import run_command
from wire import until

PATIENCE = wire.DEADLINE + 20


class CallbackCase(AsyncCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.receiver = receiver.Receiver()
        self.peer = await self.worker("peer", self.receiver)
        self.url = self.peer.url + "/ended?token=1"

    async def start(self, *workers, allow=None, **more):
        secret = self.write("callback.secret", receiver.SECRET_TEXT)
        route = {"callback": {"allow": allow or [self.peer.url], "secret_file": secret}}
        return await super().start(*workers, route=route, **more)

    async def hand_over(self, **more):
        return await self.post(b"rows", {"Weir-Callback": self.url, **more})

    async def told(self, count=1):
        await until(lambda: len(self.receiver.decisions) >= count, f"{count} callbacks", PATIENCE)
        self.assertEqual(self.receiver.faults, [])
        return self.receiver.decisions[count - 1]

    async def counted(self, outcome, count=1):
        async def is_there():
            metrics = await self.door.metrics()
            return metrics.sum("weir_callbacks_total", route="all", outcome=outcome) >= count
        await until(is_there, f"{count} callbacks {outcome}", PATIENCE)


class DeliveryTest(CallbackCase):
    async def test_the_end_of_a_batch_is_told_once_and_signed(self):
        await self.start(await self.worker("w1", fake_worker.answer(201, [], b"loaded")))
        at = await self.hand_over(**{"Idempotency-Key": '"k"'})
        body = await self.told()
        self.assertEqual(body["type"], "weir.batch")
        self.assertRegex(body["timestamp"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        self.assertEqual(body["data"], {
            "id": at.rsplit("/", 1)[1], "state": "succeeded", "pool": "loaders", "route": "all",
            "tenant": "", "attempts": 1, "status": 201, "location": at})
        self.assertEqual(self.peer.requests[0].target, "/ended?token=1")
        await self.counted("delivered")
        await self.hand_over(**{"Idempotency-Key": '"k"'})   # the batch that it was: no end
        await self.hand_over()
        second = await self.told(2)
        self.assertNotEqual(second["data"]["id"], body["data"]["id"])
        self.assertEqual(len(set(self.receiver.ids)), 2)

    async def test_a_dead_letter_is_told_with_the_last_status(self):
        await self.start(await self.worker("w1", fake_worker.answer(500, [], b"no")))
        await self.hand_over()
        data = (await self.told())["data"]
        self.assertEqual((data["state"], data["status"], data["attempts"]), ("failed", 500, 3))

    async def test_a_batch_whose_deadline_passes_as_it_waits_is_told_without_a_status(self):
        held = fake_worker.Held()
        await self.start((await self.worker("w1", held)).config(slots=1))
        await self.post(b"first")
        await until(lambda: held.waiting, "the slot taken")
        await self.hand_over(**{"Weir-Deadline": "1"})
        data = (await self.told())["data"]
        self.assertEqual((data["state"], data["status"]), ("failed", None))
        held.release()

    async def test_a_batch_without_a_callback_tells_nobody(self):
        await self.start(await self.worker())
        await self.becomes(await self.post(), "succeeded")
        await self.hand_over()
        await self.told()
        self.assertEqual(len(self.receiver.ids), 1)

    async def test_what_was_not_taken_is_sent_again_under_the_same_id(self):
        await self.start(await self.worker())
        self.receiver.status = 500
        await self.hand_over()
        await until(lambda: len(self.receiver.ids) >= 2, "a second try", PATIENCE)
        self.receiver.status = 204
        await self.told()
        self.assertEqual(len(set(self.receiver.ids)), 1)
        await self.counted("failed", 2)
        await self.counted("delivered")

    async def test_410_ends_it(self):
        await self.start(await self.worker())
        self.receiver.status = 410
        await self.hand_over()
        await self.counted("gone")
        self.assertEqual(len(self.receiver.ids), 1)

    async def test_a_redirect_is_not_followed(self):
        other = await self.worker("other", receiver.Receiver())

        async def moved(request, reply):
            self.receiver.ids.append(request.field("webhook-id"))
            await request.body()
            await reply.send(307, [("Location", other.url + "/ended")])
        self.peer.script = moved
        await self.start(await self.worker())
        await self.hand_over()
        await until(lambda: len(self.receiver.ids) >= 2, "a second try", PATIENCE)
        self.assertEqual(other.requests, [])
        self.peer.script = self.receiver
        await self.told()


class RestartTest(CallbackCase):
    async def test_after_a_crash_it_is_still_told(self):
        await self.start(await self.worker())
        self.peer.kill()
        ats = [await self.hand_over() for _ in range(20)]
        for at in ats:
            await self.becomes(at, "succeeded")
        self.door.signal(signal.SIGKILL)
        await self.door.exited()
        await self.peer.restart()
        await self.again()
        await self.told(20)
        self.assertEqual({d["data"]["location"] for d in self.receiver.decisions}, set(ats))

    async def test_a_route_that_allows_the_origin_no_more_is_not_told(self):
        await self.start(await self.worker())
        self.receiver.status = 503
        await self.becomes(await self.hand_over(), "succeeded")
        await until(lambda: self.receiver.ids, "a failed try", PATIENCE)
        self.config["routes"][0]["callback"]["allow"] = ["https://other.example"]
        await self.door.reload(self.config)
        tries = len(self.receiver.ids)
        await self.counted("refused")
        self.assertLessEqual(len(self.receiver.ids), tries + 1)
        self.assertEqual(self.receiver.decisions, [])


class AllowedTest(CallbackCase):
    async def test_other_origins_get_400_and_are_not_taken(self):
        await self.start(await self.worker(), allow=[self.peer.url, "https://good.example"])
        host = self.peer.address
        for url in ("http://127.0.0.1:1/ended", f"https://{host}/ended", "https://good.example:8/",
                    "https://good.example.evil.example/", f"http://user@{host}/", "/ended", "",
                    f"http://{host}/#part", "file:///etc/passwd",
                    f"http://{host}@evil.example/"):
            with self.subTest(url=url):
                response = await self.ask("POST", "/load", {"Prefer": "respond-async",
                                                            "Weir-Callback": url}, b"x")
                problem = self.assert_problem(response, 400)
                self.assertIn("Weir-Callback", problem["detail"])
        counts = await self.door.get("/v1/queue?pool=loaders")
        self.assertEqual(counts["batches"], [])
        self.assertEqual((await self.hand_over())[:15], "/_weir/batches/")

    async def test_a_name_that_leads_to_a_metadata_address_is_not_called(self):
        await self.start(await self.worker(), allow=["http://169.254.169.254"])
        self.url = "http://169.254.169.254/latest/meta-data"
        await self.hand_over()
        await self.counted("failed")
        await self.door.said("leads to no address that may be called")

    async def test_the_check_of_a_configuration_warns_of_callbacks_without_a_state_dir(self):
        weir = await self.start(await self.worker())
        del self.config["state_dir"]
        weir.write(self.config)
        code, _, err = await run_command("check", "--config", weir.file)
        self.assertEqual(code, 0)
        self.assertIn("callback", err)


if __name__ == "__main__":
    unittest.main()
