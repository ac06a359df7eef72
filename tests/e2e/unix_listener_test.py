"""Listeners on unix sockets: their files come, stay and go with them."""

import os
import stat
import unittest

import raw_client
import wire
from harness import WeirCase, basic_config


class UnixListenerTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.w1 = await self.worker("w1")

    def config(self, **paths):
        """The usual listener, and unix ones by name."""
        config = basic_config([self.w1])
        config["listeners"] += [{"name": name, "bind": f"unix:{self.path(path)}"}
                                for name, path in paths.items()]
        return config

    async def answers(self, path):
        return (await raw_client.ask(f"unix:{self.path(path)}")).status == 200

    def is_socket(self, path):
        return os.path.exists(self.path(path)) and stat.S_ISSOCK(os.stat(self.path(path)).st_mode)

    async def test_a_new_name_keeps_the_socket_and_its_connections(self):
        weir = await self.weir(self.config(one="a.sock"))
        client = await self.client(f"unix:{self.path('a.sock')}")
        self.assertEqual((await client.ask("GET")).status, 200)
        inode = os.stat(self.path("a.sock")).st_ino
        await weir.reload(self.config(two="a.sock"))
        self.assertEqual(os.stat(self.path("a.sock")).st_ino, inode)
        self.assertTrue(await self.answers("a.sock"))
        self.assertEqual((await client.ask("GET")).status, 200)
        names = {one["name"] for one in (await weir.get("/v1/status"))["listeners"]}
        self.assertEqual(names, {"front", "two"})
        await weir.reload(self.config())
        with self.assertRaises(OSError):
            await self.answers("a.sock")
        self.assertFalse(self.is_socket("a.sock"))

    async def test_a_listener_that_moves_to_the_path_of_one_that_goes_takes_its_socket(self):
        weir = await self.weir(self.config(one="a.sock"))
        config = basic_config([self.w1])
        config["listeners"] = [{"name": "front", "bind": f"unix:{self.path('a.sock')}"}]
        await weir.reload(config)
        self.assertTrue(await self.answers("a.sock"))
        with self.assertRaises(OSError):
            await raw_client.ask(weir.front)
        self.assertEqual([one["name"] for one in (await weir.get("/v1/status"))["listeners"]],
                         ["front"])

    async def test_a_refused_reload_leaves_no_file_behind(self):
        weir = await self.weir(self.config())
        config = self.config(fresh="a.sock")
        config["listeners"].append({"name": "taken", "bind": self.w1.address})
        weir.write(config)
        self.assertEqual((await weir.api("POST", "/v1/reload")).status, 422)
        self.assertFalse(os.path.exists(self.path("a.sock")))

    async def test_what_another_process_put_at_the_path_stays(self):
        weir = await self.weir(self.config(one="a.sock"))
        os.unlink(self.path("a.sock"))
        await wire.pause(0.05)   # the next file may get the same inode: its time tells
        await self.worker("w2", unix=self.path("a.sock"))
        await weir.reload(self.config())
        self.assertTrue(self.is_socket("a.sock"))
        weir.write(self.config(one="a.sock"))
        self.assertEqual((await weir.api("POST", "/v1/reload")).status, 422)
        self.assertTrue(self.is_socket("a.sock"))


if __name__ == "__main__":
    unittest.main()
