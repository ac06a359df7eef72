"""The command line: what each verb prints and how it exits."""

import json
import unittest

import fake_worker
import raw_client
import yaml_text
from harness import WeirCase, basic_config, run_command, until

MISTAKES = """\
listeners:
  - {name: front, bind: 127.0.0.1:0}
routs: []
routes:
  - name: all
    path: /
    pool: loders
    timeout: {queue: 5 minutes}
pools:
  loaders:
    balance: best
    workers:
      - {id: w1, url: "http://127.0.0.1:9001", slots: -1}
      - {id: w1, url: "http://127.0.0.1:9002"}
"""
EXPECTED = [  # line, column (None: any), words
    (3, 1, ("routs", "routes")),
    (7, None, ("loders", "loaders")),
    (8, None, ("5 minutes", "5m")),
    (11, None, ("best", "least_loaded")),
    (13, None, ("slots",)),
    (14, None, ("w1",)),
]


class CheckTest(WeirCase):
    async def check(self, text, **how):
        return await run_command("check", "--config", self.write("weir.yaml", text), **how)

    async def test_a_good_file_is_summed_up(self):
        config = basic_config([{"id": "w1", "url": "http://127.0.0.1:9001"}])
        code, out, err = await self.check(yaml_text.dump(config))
        self.assertEqual((code, err), (0, ""), err)
        for word in ("loaders", "front", "all"):
            self.assertIn(word, out)

    async def test_every_mistake_is_told_with_its_place(self):
        code, _, err = await self.check(MISTAKES)
        self.assertEqual(code, 1)
        lines = err.strip().split("\n")
        for line, column, words in EXPECTED:
            place = f"weir.yaml:{line}:{column or ''}"
            match = [said for said in lines if place in said and all(w in said for w in words)]
            self.assertTrue(match, f"no line for {place} with {words}:\n{err}")
            self.assertIn("expected", match[0])
        for said in lines:
            self.assertRegex(said, r"^\S*weir\.yaml:\d+:\d+: ")

    async def test_what_is_not_yaml_is_told_too(self):
        for text in ("a: [1\n", "a:\n\tb: 1\n", "\x00", "- just a list\n", ""):
            code, out, err = await self.check(text)
            self.assertEqual((code, out), (1, ""), text)
            self.assertRegex(err, r"weir\.yaml:\d+:\d+: ", text)

    async def test_a_file_that_is_not_there(self):
        code, _, err = await run_command("check", "--config", self.path("absent.yaml"))
        self.assertEqual(code, 1)
        self.assertIn("absent.yaml", err)

    async def test_environment_and_defaults(self):
        config = yaml_text.dump(basic_config([{"id": "w1", "url": "${WORKER_URL}"}]))
        code, _, err = await self.check(config)
        self.assertEqual(code, 1)
        self.assertIn("WORKER_URL", err)
        code, _, err = await self.check(config, environment={"WORKER_URL": "http://127.0.0.1:9"})
        self.assertEqual((code, err), (0, ""))
        code, _, err = await self.check(config.replace("${WORKER_URL}",
                                                       "${WORKER_URL:-http://127.0.0.1:9}"))
        self.assertEqual((code, err), (0, ""))

    async def test_secrets_appear_nowhere(self):
        self.write("token", "very-secret-token-0123456789\n")
        config = basic_config([])
        config["admin"]["token_file"] = self.path("token")
        weir = await self.weir(config, ready=False)
        whole = (await weir.api("GET", "/v1/config")).body.decode() + weir.output.decode() \
            + "".join(weir.log) + (await weir.metrics()).text
        self.assertNotIn("very-secret", whole)

    async def test_usage(self):
        for arguments in ((), ("nonsense",), ("serve",), ("check",), ("drain",),
                          ("check", "--config"), ("status", "--nonsense"), ("drain", "loaders"),
                          ("undrain", "loaders"), ("status", "--admin", "bogus")):
            code, _, err = await run_command(*arguments)
            self.assertEqual(code, 2, (arguments, err))
            self.assertTrue(err, arguments)
        code, out, _ = await run_command("--version")
        self.assertEqual(code, 0)
        self.assertRegex(out, r"\b\d+\.\d+\.\d+\b")
        code, out, _ = await run_command("--help")
        self.assertEqual(code, 0)
        for verb in ("serve", "check", "plan", "reload", "status", "workers", "queue", "drain",
                     "undrain", "explain"):
            self.assertIn(verb, out)


class ServeTest(WeirCase):
    async def test_a_bad_file_is_told_and_nothing_starts(self):
        code, _, err = await run_command("serve", "--config", self.write("weir.yaml", MISTAKES))
        self.assertEqual(code, 1)
        self.assertIn("weir.yaml:3:1", err)

    async def test_a_taken_address_is_told(self):
        w1 = await self.worker("w1")
        config = basic_config([w1])
        config["listeners"][0]["bind"] = w1.address
        path = self.write("weir.yaml", yaml_text.dump(config))
        code, _, err = await run_command("serve", "--config", path, cwd=self.folder)
        self.assertEqual(code, 1)
        self.assertIn(w1.address, err)


class VerbsTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.held = fake_worker.Held()
        self.w1, self.w2 = await self.worker("w1", self.held), await self.worker("w2")
        self.door = await self.weir(basic_config([self.w1.config(slots=1)]))

    async def run_verb(self, *arguments):
        return await run_command(*arguments, "--admin", self.door.admin_url)

    async def json(self, *arguments):
        code, out, err = await self.run_verb(*arguments, "--json")
        self.assertEqual((code, err), (0, ""))
        return json.loads(out)

    async def hold(self):
        """One batch that runs and one that waits."""
        for _ in range(2):
            self.task(raw_client.ask(self.door.front))
        await self.door.waiting(1)

    async def test_status_workers_and_queue(self):
        await self.hold()
        for verb, words in (("status", ("loaders", self.door.front)),
                            ("workers", ("w1", "saturated", self.w1.url)),
                            ("queue", ("loaders", "all"))):
            code, out, err = await self.run_verb(verb)
            self.assertEqual((code, err), (0, ""), verb)
            for word in words:
                self.assertIn(word, out, verb)
        self.assertEqual((await self.json("workers"))["workers"][0]["id"], "w1")
        self.assertEqual((await self.json("queue"))["total"], 1)
        self.assertTrue((await self.json("status"))["ready"])

    async def test_explain(self):
        await self.hold()
        label = (await self.door.queue())[0]["batch"]
        code, out, _ = await self.run_verb("explain", label)
        self.assertEqual(code, 0)
        self.assertIn("loaders", out)
        code, _, err = await self.run_verb("explain", "nobody")
        self.assertEqual(code, 1)
        self.assertTrue(err)

    async def test_drain_undrain_and_wait(self):
        ask = self.task(raw_client.ask(self.door.front))
        await until(lambda: self.held.waiting, "a batch at w1")
        waiting = self.task(self.run_verb("drain", "loaders/w1", "--wait"))
        await self.door.worker_is("w1", "draining")
        self.assertFalse(waiting.done())
        self.held.release()
        self.assertEqual((await ask).status, 200)
        code, _, err = await waiting
        self.assertEqual((code, err), (0, ""))
        code, _, _ = await self.run_verb("undrain", "loaders/w1")
        self.assertEqual(code, 0)
        await self.door.worker_is("w1", "up")
        for arguments in (("drain", "loaders/none"), ("drain", "none/w1"), ("undrain", "none/w1")):
            code, _, err = await self.run_verb(*arguments)
            self.assertEqual(code, 1, arguments)
            self.assertTrue(err)

    async def test_plan_and_reload(self):
        self.door.write(basic_config([self.w1.config(slots=3), self.w2]))
        code, out, err = await self.run_verb("plan", "--config", self.door.file)
        self.assertEqual((code, err), (0, ""))
        for word in ("w1", "slots", "w2"):
            self.assertIn(word, out)
        self.assertNotIn("w2", await self.door.workers())
        code, out, err = await self.run_verb("reload")
        self.assertEqual((code, err), (0, ""))
        self.assertIn("w2", await self.door.workers())
        self.door.write(MISTAKES)
        for verb in (("reload",), ("plan", "--config", self.door.file)):
            code, _, err = await self.run_verb(*verb)
            self.assertEqual(code, 1, verb)
            self.assertRegex(err, r"weir\.yaml:3:1: ")

    async def test_a_plan_reads_variables_and_secrets_as_the_running_weir_does(self):
        self.write("token", "very-secret-token-0123456789\n")
        config = yaml_text.dump(basic_config([self.w1, self.w2], admin={"token_file": "${TOKF}"}))
        path = self.write("other.yaml", config)
        code, _, err = await self.run_verb("plan", "--config", path)
        self.assertEqual(code, 1)
        self.assertRegex(err, r"other\.yaml:\d+:\d+: .*TOKF")
        weir = await self.weir(config, environment={"TOKF": self.path("token")})
        code, out, err = await run_command("plan", "--config", path, "--admin", weir.admin_url,
                                           "--token-file", self.path("token"))
        self.assertEqual((code, err), (0, ""))
        self.assertIn("nothing would change", out)

    async def test_without_the_token_the_way_to_give_it_is_named(self):
        self.write("token", "very-secret-token-0123456789\n")
        weir = await self.weir(basic_config([self.w1], admin={"token_file": self.path("token")}))
        code, _, err = await run_command("reload", "--admin", weir.admin_url)
        self.assertEqual(code, 1)
        for word in ("--token-file", "WEIR_TOKEN_FILE"):
            self.assertIn(word, err)
        self.assertNotIn("very-secret", err)

    async def test_a_worker_that_the_api_removed_comes_again_with_a_reload(self):
        self.assertEqual((await self.door.api("DELETE", "/v1/pools/loaders/workers/w1")).status,
                         202)
        self.assertNotIn("w1", {n for n, w in (await self.door.workers()).items()
                                if not w["removing"]})
        line = "worker loaders/w1: added again (removed through the API)"
        for verb in (("plan", "--config", self.door.file), ("reload",)):
            code, out, err = await self.run_verb(*verb)
            self.assertEqual((code, err), (0, ""), verb)
            self.assertIn(line, out)
        await self.door.worker_is("w1", "up")
        code, out, _ = await self.run_verb("plan", "--config", self.door.file)
        self.assertIn("nothing would change", out)

    async def test_nobody_there(self):
        self.w2.refuse()
        for verb in ("status", "workers", "queue", "reload"):
            code, _, err = await run_command(verb, "--admin", f"http://{self.w2.address}")
            self.assertEqual(code, 1, verb)
            self.assertIn(self.w2.address, err)


if __name__ == "__main__":
    unittest.main()
