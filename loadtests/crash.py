#!/usr/bin/env python3
"""Kills weir (SIGKILL) at random moments under a load of durable batches, and starts it again on
what it stored, round after round; workers fail, hang up and are slow. Then all must be drained, and
crash_books.py's rules must hold: nothing accepted is lost, no two attempts of a batch at once,
every effect exactly once. README.md says more; tests/e2e/crash_test.py runs a few rounds of it.
"""

import argparse
import asyncio
import contextlib
import os
import random
import signal
import sys
import tempfile
import time

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path[:0] = [HERE, os.path.join(os.path.dirname(HERE), "tests", "e2e")]

# pylint: disable=wrong-import-position
import crash_books
import crash_worker
import fake_worker
import harness
import raw_client
import wire

CLIENTS = 8
WORKERS = 3
LATER = (429, 503)   # come again
DRAIN = 120          # seconds until everything accepted must have ended
ROUTE = {"async": "allow",
         "async_retry": {"attempts": 8, "backoff_base": "10ms", "backoff_max": "200ms"}}
POOL = {"ejection": {"consecutive_failures": 20, "base_time": "500ms", "max_time": "1s"}}
LIMITS = {"inline_bytes_max": "16KiB"}


class Crash:
    """One state_dir, its weirs one after the other, and all who deal with them. A context."""

    def __init__(self, folder, seed):
        self.folder = folder
        self.random = random.Random(seed)
        self.books = crash_books.Books()
        self.warehouse = crash_worker.Warehouse(os.path.join(folder, "warehouse.sqlite"))
        self.script = crash_worker.Script(self.books, self.warehouse, random.Random(seed + 1))
        self.workers = []
        self.weir = None
        self.front = None                # the address of the door while there is one
        self.opened = asyncio.Event()
        self.posting = asyncio.Event()   # cleared: clients begin nothing new
        self.busy = 0                    # clients with a posting in their hands
        self.tasks = []

    async def __aenter__(self):
        harness.allow_many_files()
        for number in range(WORKERS):
            worker = fake_worker.Worker(f"w{number}", self.script)
            self.workers.append(await worker.start())
        self.config = harness.basic_config(
            [worker.config(slots=6) for worker in self.workers], ROUTE, POOL,
            state_dir=os.path.join(self.folder, "state"), limits=LIMITS)
        self.tasks = [asyncio.ensure_future(self._client(number)) for number in range(CLIENTS)]
        return self

    async def __aexit__(self, *_):
        for task in self.tasks:
            task.cancel()
        await asyncio.gather(*self.tasks, return_exceptions=True)
        if self.weir:
            await self.kill()
        for worker in self.workers:
            worker.kill()
        await harness.until(self._idle, "the end of the workers")
        self.warehouse.close()

    def _idle(self):
        return all(worker.running == 0 for worker in self.workers)

    # --- clients ---------------------------------------------------------------------------------
    async def _client(self, number):
        draws = random.Random(self.random.getrandbits(64))
        for count in range(1 << 30):
            await self.posting.wait()
            self.busy += 1
            try:
                await self._deliver(draws, f"{number}-{count}")
            except Exception as unexpected:  # pylint: disable=broad-except
                self.books.wrong(f"client {number}: {unexpected!r}")
            finally:
                self.busy -= 1

    async def _deliver(self, draws, marker):
        posting = crash_books.Posting(
            marker, key=f'"key-{marker}"' if draws.random() < 0.5 else "",
            doomed=draws.random() < 0.01, cancelled=draws.random() < 0.03)
        self.books.posted(posting)
        fields, body = message(posting, draws)
        while not posting.batch:
            with contextlib.suppress(OSError, wire.Closed, asyncio.IncompleteReadError):
                response = await self._ask("POST", "/load", fields, body)
                self._take(posting, response)
                if response.status in LATER:
                    await pause(0.02)
            if not posting.key:
                break
        if posting.batch and posting.cancelled:
            await self._persist("DELETE", f"/_weir/batches/{posting.batch}", (200, 202, 204, 409))

    def _take(self, posting, response):
        if response.status == 202:
            batch = (response.field("Location") or "").removeprefix("/_weir/batches/")
            self.books.answered(posting, batch)
        elif response.status not in LATER:
            self.books.wrong(f"{posting.marker} got {response!r}")

    async def _ask(self, method, target, fields=(), body=None):
        """An answer of whichever weir there is; an OSError or Closed when it was killed."""
        await self.opened.wait()
        mine = self.weir
        try:
            return await raw_client.ask(self.front, method, target, fields, body, timeout=30)
        except TimeoutError:
            if mine is self.weir:
                self.books.wrong(f"{method} {target}: no answer for 30 s")
            raise

    async def _persist(self, method, target, expected):
        """An answer, by as many weirs as it takes."""
        while True:
            with contextlib.suppress(OSError, wire.Closed, asyncio.IncompleteReadError):
                response = await self._ask(method, target)
                if response.status not in expected:
                    self.books.wrong(f"{method} {target} got {response!r}")
                return response

    # --- weirs -----------------------------------------------------------------------------------
    async def start(self):
        """Open to clients from the first moment on, ready or not."""
        self.weir = harness.Weir(self.folder, self.config)
        await self.weir.start(ready=False)
        self.front = self.weir.front
        self.opened.set()

    async def kill(self):
        """The end of this weir; anything else than our signal ending it is a fault."""
        weir, self.weir = self.weir, None
        self.opened.clear()
        with contextlib.suppress(ProcessLookupError):
            weir.signal(signal.SIGKILL)
        code = await weir.exited()
        wrong = weir.complaint(False)
        if code != -signal.SIGKILL or wrong:
            self.books.wrong(f"weir ended with {code}: {wrong or weir.tail()}")

    async def one_round(self):
        """A life of weir under load: cut off as it starts, or some time later."""
        self.posting.set()
        if self.random.random() < 0.25:
            await self._still_birth()
        await self.start()
        if self.random.random() < 0.5:
            await self.weir.ready()
        await pause(self.random.choice((0.05, 0.3, 1)) * self.random.random())
        await self.kill()

    async def _still_birth(self):
        starting = asyncio.ensure_future(self.start())
        await harness.until(lambda: self.weir and self.weir.process, "weir's process")
        await pause(self.random.uniform(0, 0.2))
        await self.kill()
        await asyncio.gather(starting, return_exceptions=True)
        self.opened.clear()

    async def settle(self):
        """No new postings, all that was accepted ends, and the books are balanced."""
        self.posting.clear()
        self.script.draw_faults(False)
        await self.start()
        await self.weir.ready()
        await harness.until(lambda: self.busy == 0, "the clients' last answers", DRAIN)
        end = time.monotonic() + DRAIN
        for batch in sorted(self.books.unended):
            await self._follow(batch, end)
        await self._comes_to_rest()
        self.books.idle()
        self.books.effects_are(self.warehouse.effects())
        await self.kill()
        self.script.draw_faults(True)

    async def _comes_to_rest(self):
        """Nor is anything left that was taken, but whose 202 never arrived."""
        try:
            await self.weir.waiting(0)
            await harness.until(self._idle, "idle workers")
        except AssertionError as late:
            self.books.wrong(f"{late}: {await self.weir.pool()}\n{self.weir.tail()}")

    async def _follow(self, batch, end):
        target = f"/_weir/batches/{batch}"
        while True:
            told = await self._persist("GET", target, (200,))
            if told.status != 200:
                return self.books.lost(batch, repr(told))
            state = told.json()["state"]
            if state in crash_books.ENDS:
                break
            if time.monotonic() > end:
                return self.books.state_is(batch, told.body.decode())
            await pause(0.02)
        result = b""
        if state == "succeeded":
            result = (await self._persist("GET", target + "/result", (200,))).body
        return self.books.state_is(batch, state, result.decode("utf-8", "replace"))


def message(posting, draws):
    """A POST's fields and bytes: small or large, with its length or in chunks."""
    large = draws.random() < 0.2
    size = int(2 ** draws.uniform(14, 21)) if large else draws.randint(100, 9999)
    body = draws.randbytes(size)
    fields = [("Prefer", "respond-async"), ("X-Marker", posting.marker),
              ("X-Sha256", crash_worker.digest(body))]
    if posting.key:
        fields.append(("Idempotency-Key", posting.key))
    if posting.doomed:
        fields.append(("X-Doomed", "yes"))
    if draws.random() < 0.2:
        fields.append(("Transfer-Encoding", "chunked"))
        cut = draws.randrange(1, size)
        body = raw_client.chunk(body[:cut]) + raw_client.chunk(body[cut:]) + raw_client.LAST_CHUNK
    return fields, body


async def pause(seconds):
    await asyncio.wait({asyncio.get_running_loop().create_future()}, timeout=seconds)


async def run(folder, seed, rounds, every=25, patience=None, tell=lambda books, done: None):
    """Rounds of kills with a balance after every so many; the books. `patience`: seconds after
    which no further round begins."""
    began = time.monotonic()
    async with Crash(folder, seed) as crash:
        done = 0
        while done < rounds and not crash.books.problems:
            await crash.one_round()
            done += 1
            late = patience and time.monotonic() - began > patience
            if done % every == 0 or done == rounds or late:
                await crash.settle()
                tell(crash.books, done)
            if late:
                break
        crash.books.totals["rounds"] = done
        return crash.books


def read_command_line():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--weir", default=harness.BINARY, help="the binary to kill")
    parser.add_argument("--rounds", type=int, default=300)
    parser.add_argument("--every", type=int, default=25, help="rounds between two balances")
    parser.add_argument("--seed", type=int, default=None, help="of an earlier run")
    parser.add_argument("--keep", default="", help="folder to leave state and logs in")
    return parser.parse_args()


def main():
    options = read_command_line()
    harness.BINARY = os.path.abspath(options.weir)
    seed = random.randrange(1 << 31) if options.seed is None else options.seed
    print(f"seed {seed}", flush=True)
    began = time.monotonic()

    def tell(books, done):
        print(f"{done} rounds, {time.monotonic() - began:.0f} s: {dict(books.totals)}", flush=True)

    with contextlib.ExitStack() as stack:
        folder = options.keep or stack.enter_context(tempfile.TemporaryDirectory(prefix="weir-"))
        os.makedirs(folder, exist_ok=True)
        books = asyncio.run(run(folder, seed, options.rounds, options.every, tell=tell))
    for problem in books.problems[:50]:
        print(problem)
    print(f"{'MISS' if books.problems else 'pass'}: {len(books.problems)} faults in "
          f"{books.totals['rounds']} rounds, seed {seed}")
    sys.exit(1 if books.problems else 0)


if __name__ == "__main__":
    main()
