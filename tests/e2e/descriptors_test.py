"""A weir that may open few files takes as many connections as it can serve, and says so."""

import unittest
from unittest import mock

import harness
from harness import WeirCase, basic_config

GET = b"GET / HTTP/1.1\r\nHost: weir.test\r\n\r\n"


class FewDescriptorsTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        text = f'#!/bin/sh\nulimit -n 300\nexec {harness.BINARY} "$@"\n'
        script = self.write("weir", text, 0o700)
        worker = await self.worker("w1")
        with mock.patch("harness.BINARY", script):
            self.door = await self.weir(basic_config([worker]))

    async def test_more_clients_than_descriptors_leave_everything_working(self):
        said = await self.door.said(r'"connections_max":(\d+),"descriptors":(\d+),"taken":(\d+)')
        self.assertEqual(said.group(2, 3), ("300", "75"))
        clients = [await self.client(self.door.front) for _ in range(200)]
        for client in clients[:40]:
            await client.send(GET)
        for client in clients[:40]:
            self.assertEqual((await client.response()).status, 200)
        self.assertEqual((await self.door.api("GET", "/readyz")).status, 200)
        self.assertLess(self.door.descriptors(), 300)
        for client in clients[:150]:
            client.close()
        await clients[-1].send(GET)
        self.assertEqual((await clients[-1].response()).status, 200)
        self.assertEqual(await self.door.worker_state("w1"), "up")
        metrics = await self.door.metrics()
        self.assertGreater(metrics.sum("weir_limit_hits_total", limit="limits.connections_max"), 0)


if __name__ == "__main__":
    unittest.main()
