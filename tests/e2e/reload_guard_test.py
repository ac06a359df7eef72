"""Reloads and who may change what: a running surface never loses what guards it."""

import unittest

from harness import WeirCase, basic_config

TOKEN = "open-sesame-0123456789"
AUTHORIZED = [("Authorization", f"Bearer {TOKEN}")]
PAUSE = "/v1/pools/loaders/pause"
WORKERS = "/v1/pools/loaders/workers"


class ReloadGuardTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.w1 = await self.worker("w1")

    def config(self, **admin):
        return basic_config([self.w1], admin=admin)

    async def test_the_token_stays_as_long_as_the_bind_does(self):
        token_file = self.write("token", TOKEN + "\n")
        weir = await self.weir(self.config(token_file=token_file))
        config = self.config()
        config["admin"] = {"bind": f"unix:{self.path('admin.sock')}"}
        for _ in range(2):
            weir.write(config)
            response = await weir.api("POST", "/v1/reload", {}, AUTHORIZED)
            self.assertEqual(response.status, 200, response)
            self.assertIn("admin.token_file: token -> none (needs a restart)",
                          response.body.decode().replace(token_file, "token"))
            self.assertEqual((await weir.api("POST", PAUSE)).status, 401)
        self.assertEqual((await weir.api("POST", PAUSE, {}, AUTHORIZED)).status, 200)

    async def test_a_new_token_is_taken_though_the_bind_waits_for_a_restart(self):
        token_file = self.write("token", TOKEN + "\n")
        weir = await self.weir(self.config(token_file=token_file))
        renewed = self.write("renewed", "another-token-0123456789\n")
        weir.write(self.config(bind=f"unix:{self.path('admin.sock')}", token_file=renewed))
        response = await weir.api("POST", "/v1/reload", {}, AUTHORIZED)
        self.assertEqual(response.status, 200, response)
        self.assertEqual((await weir.api("POST", PAUSE, {}, AUTHORIZED)).status, 401)
        fresh = [("Authorization", "Bearer another-token-0123456789")]
        self.assertEqual((await weir.api("POST", PAUSE, {}, fresh)).status, 200)

    async def test_a_lease_of_the_admin_surface_is_as_long_after_a_reload_as_before(self):
        weir = await self.weir(self.config())
        for name in ("before", "after"):
            worker = await self.worker(name)
            lease = await weir.post(WORKERS, {"id": name, "url": worker.url, "ttl": "1m"}, 201)
            self.assertAlmostEqual(lease["ttl_seconds"], 60, 3, lease)
            await weir.reload()


if __name__ == "__main__":
    unittest.main()
