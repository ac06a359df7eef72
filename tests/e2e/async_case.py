"""What the tests of asynchronous batches share."""

import raw_client
from harness import WeirCase, basic_config
from wire import until

ASYNC = {"Prefer": "respond-async"}
FAST = {"attempts": 3, "backoff_base": "1ms", "backoff_max": "20ms"}
ENDED = ("succeeded", "failed", "cancelled")


def pairs(fields):
    return list((fields or {}).items())


class AsyncCase(WeirCase):
    async def start(self, *workers, route=None, pool=None, **top):
        """A weir with a state_dir and a route that takes asynchronous batches."""
        self.config = basic_config(
            workers, {"async": "allow", "async_retry": FAST, **(route or {})},
            {"retry_budget": {"min": 1000}, **(pool or {})}, state_dir="state", **top)
        self.door = await self.weir(self.config)
        return self.door

    async def again(self):
        """The weir of the same folder, started anew after its end."""
        self.door = await self.weir(self.config)
        return self.door

    async def ask(self, method, target, fields=None, body=None):
        return await raw_client.ask(self.door.front, method, target, pairs(fields), body)

    async def post(self, body=b"rows", fields=None, target="/load", status=202):
        """Hands a batch over; its address."""
        response = await self.ask("POST", target, {**ASYNC, **(fields or {})}, body)
        self.assertEqual(response.status, status, response)
        return response.field("Location")

    async def show(self, at, fields=None):
        response = await self.ask("GET", at, fields)
        self.assertEqual(response.status, 200, response)
        return response.json()

    async def becomes(self, at, *states, fields=None):
        """Waits until the batch is in one of these states; what is shown of it then."""
        seen = {}

        async def is_there():
            seen.update(await self.show(at, fields))
            return seen["state"] in states
        await until(is_there, f"{at} {' or '.join(states)}")
        return seen

    async def result(self, at, fields=None):
        return await self.ask("GET", at + "/result", fields)
