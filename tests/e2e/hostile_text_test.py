"""What clients put into fields is shown to operators, as JSON that parses, never as commands."""

import json
import unittest

import fake_worker
import raw_client
from harness import WeirCase, basic_config, run_command, until

TENANT = b"\xff\x9b31m\xc2\x9b31mEVIL"


class HostileTextTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.held = fake_worker.Held()
        worker = await self.worker("w1", self.held)
        self.door = await self.weir(basic_config([worker.config(slots=1)],
                                                 route={"tenant": {"header": "X-Tenant"}}))
        head = b"GET / HTTP/1.1\r\nHost: a\r\nX-Tenant: " + TENANT + b"\r\n\r\n"
        for _ in range(2):
            client = await self.client(self.door.front)
            await client.send(head)
        await until(lambda: self.held.waiting, "a batch at the worker")
        await self.door.waiting(1)
        self.addCleanup(self.held.release)

    async def test_admin_answers_are_json_without_control_characters(self):
        for path, status in (("/v1/queue?pool=loaders", 200), ("/v1/events", 200),
                             ("/v1/queue?pool=%FF%C2%9B", 404)):
            response = await self.door.api("GET", path)
            self.assertEqual(response.status, status, response)
            text = response.body.decode()
            json.loads(text)
            self.assertNotRegex(text, "[\x7f-\x9f]", path)

    async def test_commands_print_no_control_characters(self):
        for more in ([], ["--json"]):
            code, out, errors = await run_command("queue", "--admin", self.door.admin_url, *more)
            self.assertEqual((code, errors), (0, ""))
            self.assertIn("EVIL", out)
            self.assertNotRegex(out, "[\x00-\x09\x0b-\x1f\x7f-\x9f]")


if __name__ == "__main__":
    unittest.main()
