"""What weir writes to or reads from may take nothing, or never end: it serves, and it stops."""

import contextlib
import os
import signal
import unittest

import raw_client
from harness import WeirCase, basic_config, until


def stop_reading(weir):
    """Nobody reads weir's standard error any more, and its pipe is full."""
    weir.process._transport.get_pipe_transport(2).pause_reading()
    pipe = os.open(f"/proc/{weir.process.pid}/fd/2", os.O_WRONLY | os.O_NONBLOCK)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(pipe, b"." * 4095 + b"\n")
    os.close(pipe)


def read_again(weir):
    weir.process._transport.get_pipe_transport(2).resume_reading()


class StuckLogTest(WeirCase):
    async def asyncSetUp(self):
        await super().asyncSetUp()
        self.door = await self.weir(basic_config([await self.worker("w1")]))
        stop_reading(self.door)

    async def test_a_log_that_nobody_reads_holds_up_nothing(self):
        for _ in range(3):
            await self.door.reload()
        self.assertEqual((await raw_client.ask(self.door.front)).status, 200)
        self.door.signal(signal.SIGTERM)
        read_again(self.door)
        self.assertEqual(await self.door.exited(), 0)
        said = "\n".join(self.door.log)
        self.assertEqual(said.count('"reloaded"'), 3, self.door.tail())
        self.assertIn('"stopped"', said)

    async def test_it_stops_though_its_last_words_are_read_by_nobody(self):
        self.door.signal(signal.SIGTERM)
        running = f"/proc/{self.door.process.pid}"
        await until(lambda: not os.path.exists(running), "its end")
        read_again(self.door)
        self.assertEqual(await self.door.exited(), 0)


class StuckFileTest(WeirCase):
    async def test_a_pipe_instead_of_the_configuration_is_refused_and_holds_up_nothing(self):
        worker = await self.worker("w1")
        weir = await self.weir(basic_config([worker], reload="watch"))
        os.mkfifo(self.path("pipe"))
        os.replace(self.path("pipe"), weir.file)
        response = await weir.api("POST", "/v1/reload")
        self.assertEqual(response.status, 422, response)
        self.assertIn("is a pipe, socket or device", response.body.decode())
        weir.write(basic_config([worker, await self.worker("w2")], reload="watch"))

        async def reloaded():
            return "w2" in await weir.workers()
        await until(reloaded, "the watched file, a file again")


if __name__ == "__main__":
    unittest.main()
