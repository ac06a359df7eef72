"""Which pool a batch goes to: path on segment borders, host, method, header; first match wins."""

import unittest

import raw_client
from harness import WeirCase, basic_config, until

ROUTES = [
    {"name": "exact-header", "path": "/load", "headers": {"X-Kind": "bulk"}, "pool": "bulk"},
    {"name": "any-header", "headers": {"X-Present": "*"}, "pool": "present"},
    {"name": "orders", "path": "/load/orders", "methods": ["POST", "PUT"], "pool": "orders"},
    {"name": "deep", "path": "/load/orders/deep/", "pool": "deep"},
    {"name": "host", "host": "api.weir.test", "pool": "host"},
    {"name": "wild", "host": "*.tenants.weir.test", "pool": "wild"},
    {"name": "load", "path": "/load", "pool": "load"},
]
CASES = [  # method, target, fields (Host among them), the pool that answers
    ("POST", "/load/orders", {}, "orders"),
    ("POST", "/load/orders/", {}, "orders"),
    ("POST", "/load/orders/today?x=/y", {}, "orders"),
    ("POST", "/load/orders?x", {}, "orders"),
    ("PUT", "/load/orders", {}, "orders"),
    ("GET", "/load/orders", {}, "load"),
    ("POST", "/load/ordersets", {}, "load"),
    ("GET", "/load/orders/deep/x", {}, "deep"),
    ("GET", "/loader", {}, None),
    ("GET", "/Load", {}, None),
    ("GET", "/", {}, None),
    ("GET", "/load", {"X-Kind": "bulk"}, "bulk"),
    ("GET", "/load", {"x-kind": "bulk"}, "bulk"),
    ("GET", "/load", {"X-Kind": "Bulk"}, "load"),
    ("GET", "/load", {"X-Kind": "bulky"}, "load"),
    ("GET", "/nowhere", {"X-Present": ""}, "present"),
    ("GET", "/nowhere", {"X-Present": "anything"}, "present"),
    ("GET", "/nowhere", {"Host": "api.weir.test"}, "host"),
    ("GET", "/nowhere", {"Host": "API.Weir.Test:8080"}, "host"),
    ("GET", "/nowhere", {"Host": "one.tenants.weir.test"}, "wild"),
    ("GET", "/nowhere", {"Host": "a.b.tenants.weir.test"}, None),
    ("GET", "/nowhere", {"Host": "tenants.weir.test"}, None),
    ("GET", "http://api.weir.test/nowhere", {"Host": "api.weir.test"}, "host"),
]


class RoutingTest(WeirCase):
    async def test_every_case_of_the_table(self):
        pools, workers = {}, {}
        for route in ROUTES:
            name = route["pool"]
            workers[name] = await self.worker(name)
            pools[name] = {"workers": [workers[name].config()],
                           "health_check": {"interval": "1s", "timeout": "1s"}}
        config = basic_config([])
        config.update(routes=ROUTES, pools=pools)
        weir = await self.weir(config)
        for name in pools:
            await weir.worker_is(name, "up", pool=name)
        for method, target, fields, pool in CASES:
            with self.subTest(f"{method} {target} {fields}"):
                response = await raw_client.ask(weir.front, method, target, fields)
                if pool is None:
                    self.assert_problem(response, 404)
                else:
                    self.assertEqual(response.field("Weir-Worker"), pool)

    async def test_batches_are_counted_by_pool_and_route(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], {"name": "orders"}))
        for _ in range(3):
            await raw_client.ask(weir.front)

        async def counted():   # just after the answer
            metrics = await weir.metrics()
            return metrics.sum("weir_batches_total", pool="loaders", route="orders",
                               outcome="ok") == 3
        await until(counted, "three batches counted")


if __name__ == "__main__":
    unittest.main()
