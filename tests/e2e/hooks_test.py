"""Scale hooks: a sustained backlog is one signed decision, whatever happens to its receiver."""

import json
import os
import signal
import unittest

import fake_worker
import raw_client
import receiver
import wire
from harness import WeirCase, basic_config, run_command, until

PATIENCE = wire.DEADLINE + 25  # a decision is taken each 5 s


class HooksCase(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.receiver = receiver.Receiver()
        self.scaler = await self.worker("scaler", self.receiver)

    def hook(self):
        secret = self.write("hook.secret", receiver.SECRET_TEXT)
        return {"webhook": {"url": self.scaler.url + "/weir?x=1", "secret_file": secret}}

    def scaling(self, **more):
        return {"min": 1, "max": 10, "objective": "10s", "sustain": "1s", "startup_time": "1s",
                "hooks": [self.hook()], **more}

    async def start(self, workers, scaling, **pool):
        return await self.weir(basic_config(workers, pool={"autoscale": scaling, **pool}),
                               ready=bool(workers))

    async def backlog(self, weir, count=40):
        """Batches that one held slot cannot serve."""
        for _ in range(count):
            self.task(raw_client.ask(weir.front, "POST", "/", {}, b"x", 300))
        await weir.waiting(count - 1)

    async def decided(self, count=1):
        await until(lambda: len(self.receiver.real()) >= count, f"{count} decisions", PATIENCE)
        return self.receiver.real()[count - 1]


class ScaleOutTest(HooksCase):
    async def test_a_sustained_backlog_is_one_signed_decision(self):
        w1 = await self.worker("w1", fake_worker.Held())
        weir = await self.start([w1.config(slots=1)], self.scaling())
        await self.backlog(weir)
        decision = await self.decided()
        self.assertEqual((decision["pool"], decision["direction"]), ("loaders", "out"))
        self.assertGreater(decision["desired"], 1)
        self.assertLessEqual(decision["desired"], 10)
        self.assertEqual(decision["current"], 1)
        self.assertEqual(decision["backlog"]["batches"], 39)
        for name in ("cost", "bytes", "oldest_seconds", "drain_seconds"):
            self.assertGreaterEqual(decision["backlog"][name], 0)
        self.assertGreater(decision["backlog"]["oldest_seconds"], 0.9)
        self.assertTrue(decision["reason"])
        self.assertEqual(self.receiver.decisions[0]["type"], "weir.scale")
        self.assertRegex(self.receiver.decisions[0]["timestamp"], r"^\d{4}-\d\d-\d\dT[\d:.]+Z$")
        self.assertEqual(self.receiver.faults, [])
        scale = await weir.get("/v1/pools/loaders/scale")
        self.assertEqual(scale["desired"], decision["desired"])
        await self.told_in_metrics(weir, decision)

    async def told_in_metrics(self, weir, decision):
        async def counted():
            metrics = await weir.metrics()
            return metrics.sum("weir_autoscale_hooks_total", direction="out") >= 1 and metrics
        metrics = await until(counted, "the hook in the metrics")
        self.assertEqual(metrics.sum("weir_autoscale_desired", pool="loaders"),
                         decision["desired"])

    async def test_a_receiver_that_was_down_gets_exactly_one_effective_decision(self):
        w1 = await self.worker("w1", fake_worker.Held())
        weir = await self.start([w1.config(slots=1)], self.scaling())
        self.receiver.status = 503
        await self.backlog(weir, 10)
        await until(lambda: len(self.receiver.ids) >= 2, "two failed deliveries", PATIENCE)
        self.scaler.kill()
        await self.backlog_grows(weir)
        self.receiver.status = 204
        await self.scaler.restart()
        first = await self.decided()
        scale = await weir.get("/v1/pools/loaders/scale")
        self.assertEqual(first["desired"], scale["desired"])
        await wire.pause(2)
        effective = {(d["episode"], d["desired"]) for d in self.receiver.real()}
        self.assertEqual(len(effective), 1, self.receiver.real())
        sequences = [d["sequence"] for d in self.receiver.real()]
        self.assertEqual(sequences, sorted(set(sequences)))
        self.assertEqual(self.receiver.faults, [])

    async def backlog_grows(self, weir):
        for _ in range(20):
            self.task(raw_client.ask(weir.front, "POST", "/", {}, b"x", 300))
        await weir.waiting(29)

    async def test_a_backlog_that_passes_quickly_is_no_decision(self):
        held = fake_worker.Held()
        w1 = await self.worker("w1", held)
        weir = await self.start([w1.config(slots=1)], self.scaling(sustain="1h"))
        await self.backlog(weir, 10)
        await wire.pause(6)
        self.assertLessEqual({d["desired"] for d in self.receiver.real()}, {2})

    async def test_with_no_worker_and_min_0_a_batch_waits_for_the_first(self):
        weir = await self.start([], self.scaling(min=0))
        ask = self.task(raw_client.ask(weir.front, "POST", "/", (), b"x", PATIENCE * 2))
        decision = await self.decided()
        self.assertGreaterEqual(decision["desired"], 1)
        self.assertEqual(decision["current"], 0)
        w1 = await self.worker("w1")
        await weir.post("/v1/pools/loaders/workers", {"id": "w1", "url": w1.url, "slots": 1,
                                                      "ttl": "60s"})
        self.assertEqual((await ask).field("Weir-Worker"), "w1")

    async def test_a_program_gets_the_same_on_standard_input(self):
        w1 = await self.worker("w1", fake_worker.Held())
        said = self.path("said.json")
        hooks = [{"exec": {"command": ["/usr/bin/tee", said]}}]
        weir = await self.start([w1.config(slots=1)], self.scaling(hooks=hooks))
        await self.backlog(weir)

        def written():
            if not os.path.exists(said):
                return None
            with open(said, encoding="utf-8") as file:
                text = file.read()
            return text.rstrip().endswith("}") and json.loads(text)
        decision = (await until(written, "the program's input", PATIENCE))["data"]
        self.assertEqual((decision["pool"], decision["direction"]), ("loaders", "out"))

    async def test_a_program_inherits_no_descriptor(self):
        w1 = await self.worker("w1", fake_worker.Held())
        said = self.path("fds")
        script = self.write("hook.sh", f"#!/bin/sh\nls -l /proc/self/fd > {said}.new\n"
                            f"mv {said}.new {said}\n", 0o700)
        weir = await self.start([w1.config(slots=1)],
                                self.scaling(hooks=[{"exec": {"command": [script]}}]))
        await self.backlog(weir)
        await until(lambda: os.path.exists(said), "the program's run", PATIENCE)
        with open(said, encoding="utf-8") as file:
            self.assertNotIn("socket:", file.read())

    async def test_a_test_says_of_each_hook_what_happened_and_fails_when_one_did(self):
        w1 = await self.worker("w1")
        self.receiver.status = 500
        hooks = [self.hook(), {"exec": {"command": ["/bin/false"]}},
                 {"exec": {"command": ["/bin/true"]}}]
        weir = await self.start([w1], self.scaling(hooks=hooks))
        report = await weir.post("/v1/pools/loaders/scale/test", status=502)
        self.assertIs(report["ok"], False)
        self.assertEqual(report["detail"], "1 of 3 hooks took the test")
        self.assertEqual(report["lines"], [
            f"webhook {self.scaler.url}: failed, answered 500",
            "exec /bin/false: failed, exit status 1", "exec /bin/true: delivered, exit status 0"])
        code, out, err = await run_command("test-hooks", "loaders", "--admin", weir.admin_url)
        self.assertEqual((code, out), (1, ""))
        self.assertIn("exec /bin/false: failed, exit status 1\n", err)

    async def test_the_status_says_since_when_a_hook_fails_and_why(self):
        w1 = await self.worker("w1", fake_worker.Held())
        self.receiver.status = 503
        weir = await self.start([w1.config(slots=1)], self.scaling())
        await self.backlog(weir)

        async def hook(state):
            hook, = (await weir.pool())["hooks"]
            return hook if hook["state"] == state else None
        failing = await until(lambda: hook("failing"), "a failed delivery", PATIENCE)
        self.assertEqual(failing["detail"], "answered 503")
        _, out, _ = await run_command("status", "--admin", weir.admin_url)
        self.assertRegex(out, r"hook of loaders: webhook http://\S+, failing for .*: answered 503")
        self.receiver.status = 204
        delivering = await until(lambda: hook("delivering"), "a delivery", PATIENCE)
        self.assertEqual((delivering["detail"], delivering["failures"]), ("answered 204", 0))

    async def test_a_test_delivery_is_marked_and_signed(self):
        w1 = await self.worker("w1")
        weir = await self.start([w1], self.scaling())
        report = await weir.post("/v1/pools/loaders/scale/test")
        self.assertTrue(report["lines"])
        await until(lambda: self.receiver.decisions, "the test delivery")
        self.assertEqual(self.receiver.real(), [])
        self.assertEqual(self.receiver.faults, [])


class RestartTest(HooksCase):
    async def start(self, workers, scaling, **more):
        self.config = basic_config(workers, pool={"autoscale": scaling}, state_dir="state", **more)
        return await self.weir(self.config)

    async def again(self, weir):
        """weir is killed as it stands, and started anew; its backlog is gone with its clients."""
        weir.signal(signal.SIGKILL)
        await weir.exited()
        return await self.weir(self.config)

    async def test_an_undelivered_decision_goes_on_after_a_crash_under_its_id(self):
        w1 = await self.worker("w1", fake_worker.Held())
        weir = await self.start([w1.config(slots=1)], self.scaling(resend="1h"))
        self.receiver.status = 503
        await self.backlog(weir)
        await until(lambda: len(self.receiver.ids) >= 2, "two failed deliveries", PATIENCE)
        last = self.receiver.ids[-1]
        asked = (await weir.get("/v1/pools/loaders/scale"))["desired"]
        self.scaler.kill()
        w1.kill()   # what it held goes with its clients
        await w1.restart()
        weir = await self.again(weir)
        self.receiver.status = 204
        await self.scaler.restart()
        decision = await self.decided()
        self.assertEqual(self.receiver.ids[-1], last)
        self.assertEqual((decision["direction"], decision["desired"]), ("out", asked))
        self.assertEqual(self.receiver.faults, [])
        # Delivered, it is not sent by the next one.
        async def counted():
            return (await weir.metrics()).sum("weir_autoscale_hooks_total", outcome="delivered")
        await until(counted, "the delivery counted")
        calls = len(self.receiver.ids)
        self.assertIsNone(await weir.stop())
        await self.weir(self.config)
        await wire.pause(2)
        self.assertNotIn(last, self.receiver.ids[calls:])

    async def test_numbers_rise_across_crashes(self):
        held = fake_worker.Held()
        w1 = await self.worker("w1", held)
        weir = await self.start([w1.config(slots=1)], self.scaling())
        await self.backlog(weir)
        first = await self.decided()
        weir = await self.again(weir)
        await self.backlog(weir)
        second = await self.decided(len(self.receiver.real()) + 1)
        self.assertGreater(second["sequence"], first["sequence"])
        self.assertGreater(second["episode"], first["episode"])

    async def test_a_decision_of_a_hook_that_is_not_configured_any_more_is_dropped(self):
        w1 = await self.worker("w1", fake_worker.Held())
        weir = await self.start([w1.config(slots=1)], self.scaling())
        self.receiver.status = 503
        await self.backlog(weir)
        # By the second the decision is on disk, which its first delivery did not wait for.
        await until(lambda: len(self.receiver.ids) >= 2, "two failed deliveries", PATIENCE)
        self.config["pools"]["loaders"]["autoscale"]["hooks"] = [
            {"exec": {"command": ["/bin/true"]}}]
        weir = await self.again(weir)
        await weir.said("a kept scale decision is not sent.*not configured any more")


class ScaleInTest(HooksCase):
    async def test_only_managed_workers_are_drained_then_named(self):
        held = fake_worker.Held()
        workers = [await self.worker(f"w{n}") for n in range(6)]
        rows = [w.config(slots=1, managed=n >= 2) for n, w in enumerate(workers)]
        busy = workers[5]
        busy.script = held
        weir = await self.start(rows, self.scaling(scale_in_window="1s", max=20))
        for n in range(5):
            await weir.post(f"/v1/pools/loaders/workers/w{n}/drain")
        ask = self.task(raw_client.ask(weir.front, "POST", "/", (), b"x", 300))
        await until(lambda: held.waiting, "the batch at w5")
        for n in range(5):
            await weir.post(f"/v1/pools/loaders/workers/w{n}/undrain")
        named = set()

        async def all_idle_named():
            for decision in self.receiver.real():
                self.assertEqual(decision["direction"], "in")
                named.update(decision["remove"])
            return named >= {"w2", "w3", "w4"}
        await until(all_idle_named, "the idle managed workers named", PATIENCE * 3)
        self.assertEqual(named, {"w2", "w3", "w4"})
        for name in named:
            self.assertIn(await weir.worker_state(name), ("draining", "removed", "gone"))
        response = await weir.api("POST", "/v1/pools/loaders/workers/w2/undrain")
        self.assertEqual(response.status, 409, response)
        self.assertEqual(await weir.worker_state("w0"), "up")
        held.release()
        self.assertEqual((await ask).status, 200)
        self.assertEqual(self.receiver.faults, [])


if __name__ == "__main__":
    unittest.main()
