"""What waits costs next to nothing: an announced body is not read before a slot is there."""

import asyncio
import socket
import struct
import unittest

import fake_worker
import raw_client
import wire
from harness import WeirCase, basic_config, until

CLIENTS = 2000 if wire.SLOW == 1 else 200
ANNOUNCED = 100 << 20
GROWTH_MAX = 64 << 20
HEAD_BUFFER_MAX = 16 * 1024  # limits.head_bytes_max


def unread(port):
    """Bytes in flight on each connection to a port, by the client's port: what the client's side
    has not sent plus what the door's side has not read (/proc/net/tcp, tx_queue and rx_queue)."""
    waiting = {}
    with open("/proc/net/tcp", encoding="ascii") as file:
        for line in file.readlines()[1:]:
            parts = line.split()
            here, there = (int(parts[n].split(":")[1], 16) for n in (1, 2))
            unsent, unreceived = (int(q, 16) for q in parts[4].split(":"))
            if there == port:
                waiting[here] = waiting.get(here, 0) + unsent
            elif here == port:
                waiting[there] = waiting.get(there, 0) + unreceived
    return waiting


class Uploader:
    """A client that announces 100 MiB and pushes at once as much as the kernel takes."""

    def __init__(self, number):
        self.number = number
        self.sent = 0
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 16 * 1024)
        self.socket.setblocking(False)

    async def connect(self, host, port):
        await asyncio.get_running_loop().sock_connect(self.socket, (host, port))
        self.port = self.socket.getsockname()[1]
        head = raw_client.request_head("POST", f"/{self.number}", {
            "Content-Length": str(ANNOUNCED), "Idempotency-Key": f"k{self.number}"})
        self.head = len(head)
        self.push(head)

    def push(self, first=b""):
        try:
            if first:
                self.sent += self.socket.send(first)
            while True:
                self.sent += self.socket.send(b"x" * 65536)
        except BlockingIOError:
            pass


class MemoryTest(WeirCase):
    async def start(self):
        self.held = fake_worker.Held()
        self.w1 = await self.worker("w1", self.held)
        # Descriptors and buffers that loops take once are taken before it counts.
        self.door = await self.weir(basic_config([self.w1.config(slots=1)], pool={
            "queue": {"max_batches": CLIENTS + 10, "max_wait": "1h"}}))
        self.task(raw_client.ask(self.door.front, "POST", "/holds", (), b"x", 600))
        await until(lambda: self.held.waiting, "the batch that holds the slot")

    async def uploaders(self):
        host, port = wire.split_address(self.door.front)
        clients = [Uploader(n) for n in range(CLIENTS)]
        for client in clients:
            self.addCleanup(client.socket.close)
        for at in range(0, CLIENTS, 100):
            await asyncio.gather(*[c.connect(host, port) for c in clients[at:at + 100]])
        await self.door.waiting(CLIENTS)
        for client in clients:
            client.push()
        return clients, port

    async def test_thousands_of_announced_uploads_wait_in_the_kernel(self):
        await self.start()
        before = self.door.rss()
        clients, port = await self.uploaders()
        await wire.pause(0.5)
        for client in clients:
            client.push()
        in_flight = unread(port)
        read = {c.number: c.sent - in_flight.get(c.port, 0) for c in clients}
        worst = max(read.values())
        growth = self.door.rss() - before
        print(f"{CLIENTS} waiting: {growth >> 10} KiB more, {growth // CLIENTS} bytes each; "
              f"{worst} bytes read of the worst")
        self.assertGreater(min(c.sent for c in clients), 16 * 1024)
        self.assertLessEqual(worst, HEAD_BUFFER_MAX)
        if wire.SLOW == 1:
            self.assertLess(growth, GROWTH_MAX)
        self.assertEqual((await self.door.pool())["waiting"], CLIENTS)

    async def test_they_leave_as_cheaply_as_they_came(self):
        await self.start()
        descriptors = self.door.descriptors()
        clients, _ = await self.uploaders()
        for client in clients:  # by RST: a FIN would stand behind what weir does not read
            client.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            client.socket.close()
        await self.door.waiting(0)
        await until(lambda: self.door.descriptors() <= descriptors + 4, "the descriptors closed")
        self.assertEqual(len(self.w1.requests), 1)
        self.held.release()

    async def test_idle_connections_cost_little(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        warm = [await self.client(weir.front) for _ in range(50)]
        for client in warm:
            await client.ask("GET")
        before = weir.rss()
        clients = [await self.client(weir.front) for _ in range(CLIENTS // 2)]
        for client in clients:
            self.assertEqual((await client.ask("GET")).status, 200)
        each = (weir.rss() - before) / len(clients)
        print(f"{each:.0f} bytes an idle connection")
        if wire.SLOW == 1:
            self.assertLess(each, 8 * 1024)


if __name__ == "__main__":
    unittest.main()
