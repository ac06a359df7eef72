"""Steady load on a weir: clients that send one batch after the other and count what came of it."""

import asyncio
import collections

import raw_client
import wire


def post(number, client):
    """The usual batch: a keyed POST, so that it may be retried."""
    del client
    return "POST", "/load", {"Idempotency-Key": f"batch-{number}"}, b"x" * 2000


def post_without_key(number, client):
    del client, number
    return "POST", "/load", {}, b"x" * 2000


class Load:
    def __init__(self, address, clients=16, make=post, keep_alive=True):
        self.address, self.make, self.keep_alive = address, make, keep_alive
        self.outcomes = collections.Counter()   # of statuses, and of "error: what"
        self.sent = 0
        self.examples = {}                      # the last response or error of each outcome
        self._stop = False
        self._tasks = [asyncio.ensure_future(self._run(n)) for n in range(clients)]

    @property
    def answered(self):
        return sum(self.outcomes.values())

    async def reached(self, count):
        """Waits for that many outcomes from now on."""
        goal = self.answered + count
        await wire.until(lambda: self.answered >= goal, f"{count} more answers", wire.DEADLINE * 4)

    async def stop(self):
        """No new batches; waits for those under way. Returns the outcomes."""
        self._stop = True
        await asyncio.gather(*self._tasks)
        return self.outcomes

    def count(self, outcome, example):
        self.outcomes[outcome] += 1
        self.examples[outcome] = example

    async def _run(self, client_number):
        client = None
        while not self._stop:
            try:
                client = client or await raw_client.Client.open(self.address)
                response = await self._once(client, client_number)
                self.count(response.status, response)
                over = "close" in response.head.tokens("Connection") or not self.keep_alive
            except (OSError, wire.Closed, TimeoutError) as e:
                self.count(f"error: {type(e).__name__} {e}", e)
                over = True
            if over and client:
                client.close()
                client = None
        if client:
            client.close()

    async def _once(self, client, client_number):
        self.sent += 1
        method, target, fields, body = self.make(self.sent, client_number)
        return await client.ask(method, target, fields, body, timeout=wire.DEADLINE * 2)
