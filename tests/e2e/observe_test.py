"""What operators look at: metrics by their names, the access log, readiness, the guarded API."""

import os
import signal
import unittest

import fake_worker
import raw_client
from harness import WeirCase, basic_config, until

METRICS = {  # name: labels
    "weir_batches_total": {"pool", "route", "outcome"},
    "weir_batch_duration_seconds_bucket": {"pool", "le"},
    "weir_queue_wait_seconds_bucket": {"pool", "outcome", "le"},
    "weir_queue_batches": {"pool"},
    "weir_queue_cost": {"pool"},
    "weir_queue_oldest_seconds": {"pool"},
    "weir_queue_drain_seconds": {"pool"},
    "weir_worker_state": {"pool", "worker", "state"},
    "weir_worker_slots": {"pool", "worker"},
    "weir_worker_slots_open": {"pool", "worker"},
    "weir_worker_reported_load": {"pool", "worker"},
    "weir_bad_load_reports_total": {"pool", "worker"},
    "weir_worker_in_flight": {"pool", "worker"},
    "weir_worker_outstanding_cost": {"pool", "worker"},
    "weir_worker_rate": {"pool", "worker"},
    "weir_attempts_total": {"pool", "worker", "outcome"},
    "weir_retries_total": {"pool", "reason"},
    "weir_ejections_total": {"pool", "worker"},
    "weir_probes_total": {"pool", "worker", "result"},
    "weir_autoscale_desired": {"pool"},
    "weir_config_last_reload_successful": set(),
    "weir_config_last_reload_success_timestamp_seconds": set(),
    "weir_connections": {"listener"},
    "weir_limit_hits_total": {"limit"},
    "weir_replay_bytes": {"where"},
    "process_resident_memory_bytes": set(),
    "process_open_fds": set(),
    "process_cpu_seconds_total": set(),
}


class MetricsTest(WeirCase):
    async def start(self):
        async def script(request, reply):
            if request.target == "/fail" and reply.worker.name == "w1":
                reply.reset()
            else:
                await fake_worker.echo(request, reply)
        self.w1, self.w2 = [await self.worker(f"w{n}", script) for n in (1, 2)]
        self.door = await self.weir(basic_config([self.w1, self.w2], pool={
            "balance": "first", "ejection": {"consecutive_failures": 1},
            "autoscale": {"min": 1, "max": 2, "hooks": [{"exec": {"command": ["/bin/true"]}}]}}))

    async def test_every_name_of_the_contract_is_there_with_its_labels(self):
        await self.start()
        await raw_client.ask(self.door.front)
        self.assertEqual((await raw_client.ask(self.door.front, target="/fail")).status, 200)
        await self.door.reload()
        metrics = await self.door.metrics()
        wrong = []
        for name, labels in METRICS.items():
            have = [set(l) for n, l, _ in metrics.samples if n == name]
            if not have:
                wrong.append(f"{name}: absent")
            elif have[0] != labels:
                wrong.append(f"{name}: labels {have[0]}, wanted {labels}")
        self.assertFalse(wrong, "\n".join(wrong))

    async def test_the_text_is_well_formed(self):
        await self.start()
        await raw_client.ask(self.door.front)
        response = await self.door.api("GET", "/metrics")
        self.assertIn("text/plain", response.field("Content-Type"))
        lines = response.body.decode().splitlines()
        typed = {line.split()[2] for line in lines if line.startswith("# TYPE")}
        helped = {line.split()[2] for line in lines if line.startswith("# HELP")}
        for line in lines:
            if line.startswith("#") or not line:
                continue
            self.assertRegex(line, r'^[a-z_]+(\{([a-z_]+="[^"]*",?)*\})? [-+0-9.eE]+(Inf|NaN)?$')
            name = line.split("{")[0].split()[0]
            base = name.rsplit("_", 1)[0] if name.rsplit("_", 1)[-1] in (
                "bucket", "sum", "count") else name
            self.assertTrue({name, base} & typed and {name, base} & helped, name)

    async def test_histograms_span_a_millisecond_to_an_hour(self):
        await self.start()
        await raw_client.ask(self.door.front)
        metrics = await self.door.metrics()
        for name in ("weir_batch_duration_seconds", "weir_queue_wait_seconds"):
            bounds = sorted(float(b) for b in metrics.labels(name + "_bucket", "le"))
            self.assertLessEqual(bounds[0], 0.001)
            self.assertGreaterEqual(bounds[-2], 3600)
        self.assertEqual(metrics.sum("weir_batch_duration_seconds_count", pool="loaders"), 1)

    async def test_a_worker_is_in_exactly_one_state(self):
        await self.start()
        metrics = await self.door.metrics()
        for worker in ("w1", "w2"):
            self.assertEqual(metrics.sum("weir_worker_state", worker=worker), 1)
            self.assertEqual(metrics.sum("weir_worker_state", worker=worker, state="up"), 1)
        states = metrics.labels("weir_worker_state", "state")
        self.assertGreaterEqual(states, {"checking", "up", "saturated", "ejected", "down",
                                         "draining"})

    async def test_counters_add_up(self):
        await self.start()
        for n in range(30):
            await raw_client.ask(self.door.front, target="/fail" if n % 10 == 0 else "/")
        metrics = await self.door.metrics()
        self.assertEqual(metrics.sum("weir_batches_total"), 30)
        self.assertEqual(metrics.sum("weir_attempts_total"), 30 + metrics.sum("weir_retries_total"))
        self.assertEqual(metrics.sum("weir_attempts_total", outcome="succeeded"), 30)


class AccessLogTest(WeirCase):
    async def test_a_line_has_what_happened_and_how_long_each_part_took(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], {"tenant": {"header": "X-Tenant"},
                                                     "cost": {"header": "X-Rows"}}))
        fields = {"X-Tenant": "acme", "X-Rows": "12.5", "Weir-Group": "nightly"}
        response = await raw_client.ask(weir.front, "POST", '/a?b="c"\\', fields, b"12345")
        line = (await weir.logged(1))[0]
        wanted = {"listener": "front", "client": "127.0.0.1", "method": "POST",
                  "target": '/a?b="c"\\', "status": 200, "route": "all", "pool": "loaders",
                  "tenant": "acme", "group": "nightly", "cost": 12.5, "worker": "w1",
                  "attempts": 1, "outcome": "ok"}
        for key, value in wanted.items():
            self.assertEqual(line.get(key), value, (key, line))
        self.assertEqual(line["batch"], response.field("Weir-Batch-Id"))
        for timer in ("accept", "queue", "connect", "first_byte", "attempt", "total"):
            key = next((k for k in line if k.startswith(timer)), None)
            self.assertIsNotNone(key, f"no timer {timer}: {line}")
            self.assertGreaterEqual(line[key], 0)

    async def test_a_head_that_is_refused_is_logged_with_what_was_read_of_it(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        for number, (head, method, target) in enumerate((
                (b"PUT /two?q HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", "PUT", "/two?q"),
                (b"GET /old HTTP/3.0\r\n\r\n", "GET", "/old"),
                (b"\x01 / HTTP/1.1\r\n\r\n", None, None)), 1):
            client = await self.client(weir.front)
            await client.send(head)
            await client.response()
            line = (await weir.logged(number))[-1]
            self.assertEqual((line.get("method"), line.get("target")), (method, target), line)
            self.assertEqual(line["outcome"], "bad_request")

    async def test_every_outcome_has_its_word(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], {"path": "/load", "timeout": {
            "response": "100ms"}}))

        async def reset(request, reply):
            reply.reset()
        cases = ((fake_worker.echo, "POST", "/load", "ok"),
                 (fake_worker.answer(500), "POST", "/load", "ok"),
                 (fake_worker.echo, "GET", "/none", "bad_request"),
                 (reset, "POST", "/load", "failed"),
                 (fake_worker.Held(), "POST", "/load", "timed_out"))
        for number, (script, method, target, outcome) in enumerate(cases, 1):
            w1.script = script
            response = await raw_client.ask(weir.front, method, target, (), b"x")
            line = (await weir.logged(number))[-1]
            self.assertEqual(line["outcome"], outcome, line)
            if outcome not in ("ok", "client_gone"):
                self.assertTrue(line["reason"], line)
                self.assertEqual(line["response_bytes"], len(response.body), line)

    async def test_the_time_of_a_first_request_counts_from_the_connection(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        client = await self.client(weir.front)

        async def accepted():
            return (await weir.metrics()).sum("weir_connections", listener="front") == 1
        await until(accepted, "the connection")      # which takes a while, as a handshake would
        for _ in range(2):
            self.assertEqual((await client.ask("GET")).status, 200)
        first, second = await weir.logged(2)
        self.assertEqual((first["reused"], second["reused"]), (False, True))
        self.assertGreater(first["accept_ms"], 0)
        self.assertGreaterEqual(first["total_ms"], first["accept_ms"])

    async def test_usr1_opens_the_file_again(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        await raw_client.ask(weir.front)
        await weir.logged(1)
        os.rename(self.path("access.log"), self.path("access.log.1"))
        weir.signal(signal.SIGUSR1)

        async def again():
            await raw_client.ask(weir.front)
            return weir.access_log()
        await until(again, "a line in the new file")

    async def test_standard_output_by_default(self):
        w1 = await self.worker("w1")
        config = basic_config([w1])
        del config["access_log"]
        weir = await self.weir(config)
        await raw_client.ask(weir.front, target="/seen")
        await until(lambda: b"/seen" in weir.output, "a line on standard output")

    async def test_everything_is_written_before_the_end(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        client = await self.client(weir.front)
        for _ in range(200):
            await client.ask("GET")
        weir.signal(signal.SIGTERM)
        self.assertEqual(await weir.exited(), 0)
        self.assertEqual(len(weir.access_log()), 200)


class GuardTest(WeirCase):
    async def test_changes_need_the_token_when_there_is_one(self):
        self.write("token", "open-sesame-0123456789\n")
        config = basic_config([await self.worker("w1")])
        config["admin"]["token_file"] = self.path("token")
        weir = await self.weir(config)
        path = "/v1/pools/loaders/pause"
        self.assertEqual((await weir.api("POST", path)).status, 401)
        for token, status in (("wrong", 401), ("open-sesame-0123456789", 200)):
            fields = [("Authorization", f"Bearer {token}")]
            self.assertEqual((await weir.api("POST", path, {}, fields)).status, status)

    async def test_changes_need_json_and_an_own_host_and_origin(self):
        weir = await self.weir(basic_config([await self.worker("w1")]))
        json_type = {"Content-Type": "application/json"}
        good = {"Host": weir.admin, **json_type}
        cases = (({"Host": weir.admin}, False), ({**good, "Content-Type": "text/plain"}, False),
                 ({**good, "Host": "evil.example"}, False),
                 ({**good, "Origin": "http://evil.example"}, False),
                 ({**good, "Origin": f"http://{weir.admin}"}, True), (good, True))
        for fields, ok in cases:
            client = await self.client(weir.admin)
            await client.request("POST", "/v1/pools/loaders/resume", fields, b"{}", host=None)
            status = (await client.response()).status
            self.assertEqual(status == 200, ok, (fields, status))

    async def test_the_page_and_liveness_are_there(self):
        weir = await self.weir(basic_config([await self.worker("w1")]))
        page = await weir.api("GET", "/")
        self.assertEqual(page.status, 200)
        self.assertIn("text/html", page.field("Content-Type"))
        self.assertIn("weir", page.body.decode())
        for path in ("/livez", "/readyz"):
            self.assertEqual((await weir.api("GET", path)).status, 200)

    async def test_events_tell_what_happened(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1]))
        await weir.post("/v1/pools/loaders/workers/w1/drain")

        async def told():
            events = (await weir.get("/v1/events"))["events"]
            return [e for e in events if e["worker"] == "w1" and "drain" in e["text"]]
        await until(told, "the drain among the events")

    async def test_readiness_follows_the_pool(self):
        w1 = await self.worker("w1")
        weir = await self.weir(basic_config([w1], pool={"health_check": {
            "interval": "50ms", "timeout": "200ms", "fall": 1}}))
        w1.kill()

        async def unready():
            return (await weir.api("GET", "/readyz")).status == 503
        await until(unready, "readiness to fail")
        await w1.restart()
        await weir.ready()


if __name__ == "__main__":
    unittest.main()
