"""Dead letters and waiting batches by the command line, and copies of the state."""

import asyncio
import json
import os
import signal
import unittest

import fake_worker
from async_case import FAST, AsyncCase
from harness import BINARY
from wire import until


class BatchesCase(AsyncCase):
    async def command(self, *words, status=0):
        """What a verb of the command line prints."""
        child = await asyncio.create_subprocess_exec(
            BINARY, *words, cwd=self.folder, stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
            env={**os.environ, "WEIR_ADMIN": getattr(self, "door", None) and self.door.admin_url
                 or ""})
        text = (await child.communicate())[0].decode()
        self.assertEqual(child.returncode, status, text)
        return text

    async def failing(self, count, route=None):
        """A weir with that many dead letters; the worker obeys self.broken."""
        self.broken = True

        async def obeys(request, reply):
            await request.body()
            await reply.send(422 if self.broken else 200, [], b"said")
        await self.start(await self.worker("w1", obeys), route=route)
        all_of_them = [await self.post(bytes([n])) for n in range(count)]
        for at in all_of_them:
            await self.becomes(at, "failed")
        return all_of_them


class CommandTest(BatchesCase):
    async def test_dead_letters_are_listed_shown_requeued_and_dropped(self):
        first, second, third = await self.failing(3)
        ids = [at.rsplit("/", 1)[1] for at in (first, second, third)]
        listed = await self.command("batches", "ls", "--state", "failed")
        self.assertTrue(all(one in listed for one in ids), listed)
        shown = await self.command("batches", "show", ids[0])
        self.assertIn("the worker answered 422", shown)
        self.broken = False
        await self.command("batches", "requeue", ids[0])
        done = await self.becomes(first, "succeeded")
        self.assertEqual([h["attempt"] for h in done["history"]], [1, 2])
        self.assertIn("dropped", await self.command("batches", "drop", ids[1]))
        self.assertEqual((await self.ask("GET", second)).status, 404)
        self.assertIn("1 batches requeued", await self.command("batches", "requeue", "--all"))
        await self.becomes(third, "succeeded")
        self.assertIn("0 batches requeued", await self.command("batches", "requeue", "--all"))

    async def test_a_list_has_pages_and_chooses_by_tenant(self):
        await self.start(await self.worker(), route={"tenant": {"header": "X-Tenant"}})
        for n in range(5):
            at = await self.post(fields={"X-Tenant": "ab"[n % 2]})
            await self.becomes(at, "succeeded", fields={"X-Tenant": "ab"[n % 2]})
        page = await self.door.get("/v1/batches?limit=2")
        self.assertEqual(len(page["batches"]), 2)
        rest = await self.door.get(f"/v1/batches?limit=10&after={page['next']}")
        self.assertEqual((len(rest["batches"]), rest["next"]), (3, None))
        only = json.loads(await self.command("batches", "ls", "--tenant", "b", "--json"))
        self.assertEqual({b["tenant"] for b in only["batches"]}, {"b"})
        self.assertEqual(len(only["batches"]), 2)

    async def test_waiting_batches_are_cancelled_all_at_once(self):
        held = fake_worker.Held()
        worker = await self.worker("w1", held)
        await self.start(worker.config(slots=1))
        running = await self.post(b"1")
        await until(lambda: held.waiting, "the first attempt")
        waiting = [await self.post(b"2") for _ in range(5)]
        self.assertIn("5 batches cancelled", await self.command("batches", "cancel", "--all"))
        for at in waiting:
            self.assertEqual((await self.show(at))["state"], "cancelled")
        self.assertEqual((await self.door.pool())["waiting"], 0)
        held.release()
        await self.becomes(running, "succeeded")

    async def test_mistakes_say_what_was_expected(self):
        await self.start(await self.worker())
        for words, status, said in (
                (("batches", "requeue"), 2, "--all"),
                (("batches", "show", "xyz"), 1, "hexadecimal"),
                (("batches", "ls", "--state", "odd"), 1, "one of queued"),
                (("batches", "drop", "--all", "--state", "queued"), 1, "cannot be dropped"),
                (("batches", "show", "0" * 32), 1, "no such batch")):
            with self.subTest(words=words):
                self.assertIn(said, await self.command(*words, status=status))


class BackupTest(BatchesCase):
    async def test_a_copy_of_a_running_weir_is_restored_whole(self):
        held = fake_worker.Held(fake_worker.answer(200, [], b"done"))
        worker = await self.worker("w1", held)
        weir = await self.start(worker.config(slots=1))
        bodies = [b"a", b"b" * 1_000_000, b"c"]
        all_of_them = [await self.post(body) for body in bodies]
        await until(lambda: held.waiting, "an attempt")
        copy = self.path("copy")
        self.assertIn("was copied", await self.command("backup", copy))
        after_it = await self.post(b"lost with the disk")
        weir.signal(signal.SIGKILL)
        await weir.exited()
        os.rename(self.path("state"), self.path("burnt"))
        held.waiting.clear()
        worker.script = fake_worker.echo
        said = await self.command("restore", copy, "--config", "weir.yaml")
        self.assertIn("3 waiting", said)
        await self.again()
        for at, body in zip(all_of_them, bodies):
            await self.becomes(at, "succeeded")
            self.assertEqual((await self.result(at)).json()["length"], len(body))
        self.assertEqual((await self.ask("GET", after_it)).status, 404)

    async def test_a_used_state_dir_or_a_damaged_copy_is_refused(self):
        weir = await self.start(await self.worker())
        await self.becomes(await self.post(b"x"), "succeeded")
        copy = self.path("copy")
        await self.command("backup", copy)
        self.assertIn("not empty", await self.command("backup", copy, status=1))
        await weir.stop()
        self.assertIn("not empty", await self.command("restore", copy, "--state-dir", "state",
                                                      status=1))
        with open(os.path.join(copy, "batches.db"), "r+b") as file:
            file.seek(5000)
            file.write(b"flipped")
        self.assertIn("checksum", await self.command("restore", copy, "--state-dir", "fresh",
                                                     status=1))
        self.assertFalse(os.path.exists(self.path("fresh/batches.db")))

    async def test_copies_are_made_on_a_schedule_and_old_ones_removed(self):
        await self.start(await self.worker(), backup={"dir": self.path("copies"),
                                                      "interval": "1s", "keep": 2})
        await self.post(b"x")

        # Neither a folder of somebody else's nor a copy that broke off counts, or is removed.
        for other in ("weir-notes", "weir-9999999999999"):
            os.makedirs(self.path(f"copies/{other}"))

        def names():
            return sorted(name for name in os.listdir(self.path("copies"))
                          if os.path.exists(self.path(f"copies/{name}/backup.json")))
        await until(lambda: len(names()) >= 2, "two copies")
        first = names()[0]
        await until(lambda: first not in names(), "the first copy's end")
        self.assertIn(len(names()), (2, 3))
        self.assertLessEqual({"weir-notes", "weir-9999999999999"},
                             set(os.listdir(self.path("copies"))))


class RetentionTest(BatchesCase):
    async def test_results_go_after_their_time_and_dead_letters_after_theirs(self):
        at, = await self.failing(1, route={"async_retry": FAST})
        await self.door.stop()
        self.broken = False
        self.config["retention"] = {"results": "1s", "dead_letters": "1h"}
        await self.again()
        done = await self.post(b"x")
        await self.becomes(done, "succeeded")

        async def is_gone():
            return (await self.ask("GET", done)).status == 404
        await until(is_gone, "the result's end", 30)
        self.assertEqual((await self.show(at))["state"], "failed")


if __name__ == "__main__":
    unittest.main()
