"""Infrastructure as code: it parses, names only metrics and labels that weir has, agrees with
itself about ports, names and times, and holds configurations that weir accepts."""
import configparser
import json
import os
import pathlib
import re
import subprocess
import sys
import tempfile
import unittest

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import DEPLOY, SOURCE

# The metrics of weir and their labels: what users were promised.
METRICS = {
    "weir_batches_total": {"pool", "route", "outcome"},
    "weir_batch_duration_seconds": {"pool"},
    "weir_queue_wait_seconds": {"pool", "outcome"},
    "weir_queue_batches": {"pool"}, "weir_queue_cost": {"pool"},
    "weir_queue_oldest_seconds": {"pool"}, "weir_queue_drain_seconds": {"pool"},
    "weir_worker_state": {"pool", "worker", "state"}, "weir_worker_slots": {"pool", "worker"},
    "weir_worker_in_flight": {"pool", "worker"},
    "weir_worker_outstanding_cost": {"pool", "worker"}, "weir_worker_rate": {"pool", "worker"},
    "weir_attempts_total": {"pool", "worker", "outcome"},
    "weir_retries_total": {"pool", "reason"}, "weir_ejections_total": {"pool", "worker"},
    "weir_probes_total": {"pool", "worker", "result"}, "weir_autoscale_desired": {"pool"},
    "weir_autoscale_hooks_total": {"pool", "direction", "outcome"},
    "weir_config_last_reload_successful": set(),
    "weir_config_last_reload_success_timestamp_seconds": set(),
    "weir_connections": {"listener"}, "weir_limit_hits_total": {"limit"},
    "weir_replay_bytes": {"where"},
}
SCRAPED = {"instance", "job"}      # labels that Prometheus adds


def unknown(expression):
    """Metrics and labels in a PromQL expression that weir does not have."""
    found, names = set(), re.findall(r"\bweir_\w+", expression)
    labels = set(SCRAPED)
    for name in names:
        base = re.sub(r"_(bucket|sum|count)$", "", name)
        known = METRICS.get(base if base.endswith("_seconds") else name)
        found |= {name} if known is None else set()
        labels |= known or set()
    used = set(re.findall(r"[{,]\s*(\w+)\s*(?:=~|!~|!=|=)", expression))
    for group in re.findall(r"\bby\s*\(([^)]*)\)", expression):
        used |= {label.strip() for label in group.split(",")}
    return found | (used - labels - {"le"})


class MetricsTest(unittest.TestCase):
    def test_a_wrong_name_or_label_is_found(self):
        for expression, wrong in (
                ("rate(weir_batch_total[5m])", "weir_batch_total"),
                ('sum by (shard) (weir_queue_batches)', "shard"),
                ('weir_queue_batches{worker="a"}', "worker"),
                ('weir_worker_state{pool=~"$pool", phase!="up"}', "phase"),
                ("weir_queue_batches_bucket", "weir_queue_batches_bucket")):
            with self.subTest(expression=expression):
                self.assertEqual(unknown(expression), {wrong})

    def test_alerts_use_only_what_there_is_and_say_what_to_look_at(self):
        whole = yaml.safe_load((DEPLOY / "prometheus/alerts.yaml").read_text())
        rules = whole["groups"][0]["rules"]
        self.assertGreaterEqual(len(rules), 10)
        self.assertEqual(len({rule["alert"] for rule in rules}), len(rules))
        for rule in rules:
            with self.subTest(alert=rule["alert"]):
                self.assertEqual(unknown(rule["expr"]), set())
                self.assertTrue(rule["annotations"]["summary"])
                self.assertTrue(rule["annotations"]["look_at"])
                self.assertIn(rule["labels"]["severity"], ("critical", "warning", "info"))
                for label in re.findall(r"\$labels\.(\w+)", rule["annotations"]["summary"]):
                    self.assertIn(label, rule["expr"] + "instance")

    def test_the_dashboard_uses_only_what_there_is(self):
        board = json.loads((DEPLOY / "grafana/weir.json").read_text())
        places = [(p["gridPos"]["x"], p["gridPos"]["y"]) for p in board["panels"]]
        self.assertEqual(len(set(places)), len(board["panels"]))
        for panel in board["panels"]:
            for target in panel["targets"]:
                with self.subTest(panel=panel["title"]):
                    self.assertEqual(unknown(target["expr"]), set())
                    for label in re.findall(r"{{(\w+)}}", target["legendFormat"]):
                        self.assertIn(label, target["expr"] + "worker")


class KubernetesTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.objects = {}
        for path in sorted((DEPLOY / "kubernetes").glob("*.yaml")):
            for document in yaml.safe_load_all(path.read_text()):
                cls.objects[document["kind"], document["metadata"]["name"]] = document

    def container(self, name):
        return self.objects["Deployment", name]["spec"]["template"]["spec"]["containers"][0]

    def test_all_that_was_promised_is_there(self):
        self.assertEqual(set(self.objects), {
            ("ConfigMap", "weir"), ("Deployment", "weir"), ("Service", "weir"),
            ("Service", "weir-control"), ("PodDisruptionBudget", "weir"),
            ("Deployment", "weir-example-worker"), ("PodDisruptionBudget", "weir-example-worker"),
            ("ScaledObject", "weir-example-worker"), ("TriggerAuthentication", "weir-admin")})

    def test_selectors_find_their_pods(self):
        for (kind, name), thing in self.objects.items():
            if kind not in ("Service", "PodDisruptionBudget"):
                continue
            selector = thing["spec"]["selector"]
            wanted = selector.get("matchLabels", selector)
            labels = [d["spec"]["template"]["metadata"]["labels"]
                      for (k, _), d in self.objects.items() if k == "Deployment"]
            self.assertIn(wanted, labels, (kind, name))

    def test_probes_and_services_use_ports_that_the_container_names(self):
        for name in ("weir", "weir-example-worker"):
            container = self.container(name)
            ports = {port["name"] for port in container["ports"]}
            probes = [v for k, v in container.items() if k.endswith("Probe")]
            self.assertTrue(probes)
            for probe in probes:
                self.assertIn((probe.get("httpGet") or probe["tcpSocket"])["port"], ports)
        ports = {port["name"] for port in self.container("weir")["ports"]}
        for name in ("weir", "weir-control"):
            for port in self.objects["Service", name]["spec"]["ports"]:
                self.assertIn(port["targetPort"], ports)
        probes = self.container("weir")
        self.assertEqual((probes["livenessProbe"]["httpGet"]["path"],
                          probes["readinessProbe"]["httpGet"]["path"]), ("/livez", "/readyz"))

    def config(self):
        return yaml.safe_load(self.objects["ConfigMap", "weir"]["data"]["weir.yaml"])

    def test_the_configuration_listens_where_the_container_says(self):
        config = self.config()
        ports = {port["name"]: port["containerPort"] for port in self.container("weir")["ports"]}
        self.assertEqual({"front": config["listeners"][0]["bind"], "admin": config["admin"]["bind"],
                          "registration": config["registration"]["bind"]},
                         {name: f"0.0.0.0:{port}" for name, port in ports.items()})

    def test_a_pod_gets_the_time_that_a_drain_takes(self):
        config, units = self.config(), {"s": 1, "m": 60}
        drain = sum(int(config[key][:-1]) * units[config[key][-1]]
                    for key in ("drain_delay", "drain_timeout"))
        pod = self.objects["Deployment", "weir"]["spec"]["template"]["spec"]
        self.assertGreater(pod["terminationGracePeriodSeconds"], drain)

    def test_the_worker_registers_where_weir_listens_and_keda_asks_there(self):
        control = {p["name"]: p["port"]
                   for p in self.objects["Service", "weir-control"]["spec"]["ports"]}
        arguments = self.container("weir-example-worker")["args"]
        self.assertIn(f"--register=http://weir-control:{control['registration']}", arguments)
        pool, = self.config()["pools"]
        self.assertIn(f"--pool={pool}", arguments)
        scaled = self.objects["ScaledObject", "weir-example-worker"]["spec"]
        trigger = scaled["triggers"][0]
        self.assertEqual(trigger["metadata"]["url"],
                         f"http://weir-control:{control['admin']}/v1/pools/{pool}/scale")
        self.assertEqual((trigger["metadata"]["valueLocation"], trigger["metadata"]["targetValue"],
                          trigger["metricType"]), ("desired", "1", "AverageValue"))
        autoscale = self.config()["pools"][pool]["autoscale"]
        self.assertEqual((scaled["minReplicaCount"], scaled["maxReplicaCount"]),
                         (autoscale["min"], autoscale["max"]))
        self.assertEqual(scaled["scaleTargetRef"]["name"], "weir-example-worker")

    def test_keda_shows_the_token_that_weir_reads(self):
        trigger = self.objects["ScaledObject", "weir-example-worker"]["spec"]["triggers"][0]
        self.assertEqual(trigger["metadata"]["authMode"], "bearer")
        named = trigger["authenticationRef"]["name"]
        given, = self.objects["TriggerAuthentication", named]["spec"]["secretTargetRef"]
        pod = self.objects["Deployment", "weir"]["spec"]["template"]["spec"]
        tokens, = [v["secret"] for v in pod["volumes"] if "secret" in v]
        folder, = [m["mountPath"] for m in self.container("weir")["volumeMounts"]
                   if m["name"] == "tokens"]
        self.assertEqual((given["parameter"], given["name"]), ("token", tokens["secretName"]))
        self.assertEqual(f"{folder}/{given['key']}", self.config()["admin"]["token_file"])

    def test_the_worker_takes_the_arguments_it_is_given(self):
        given = {a.split("=")[0] for a in self.container("weir-example-worker")["args"]}
        source = (DEPLOY / "worker/worker.py").read_text()
        self.assertEqual(given - set(re.findall(r'"(--[\w-]+)"', source)), set())

    def test_nothing_runs_as_root_or_writes_to_its_root(self):
        for (kind, name), thing in self.objects.items():
            if kind == "Deployment":
                pod = thing["spec"]["template"]["spec"]
                self.assertTrue(pod["securityContext"]["runAsNonRoot"], name)
                for container in pod["containers"]:
                    context = container["securityContext"]
                    self.assertTrue(context["readOnlyRootFilesystem"], name)
                    self.assertFalse(context["allowPrivilegeEscalation"], name)
                    self.assertEqual(context["capabilities"], {"drop": ["ALL"]}, name)


class UnitAndImageTest(unittest.TestCase):
    def test_the_unit_reloads_by_hup_and_waits_for_the_drain(self):
        unit = configparser.ConfigParser(strict=False, interpolation=None)
        unit.optionxform = str
        unit.read(DEPLOY / "weir.service")
        service = unit["Service"]
        self.assertEqual((service["Type"], service["ExecReload"], service["User"]),
                         ("exec", "/bin/kill -HUP $MAINPID", "weir"))
        self.assertGreater(int(service["TimeoutStopSec"].rstrip("s")), 60)
        for key in ("NoNewPrivileges", "PrivateTmp", "ProtectHome", "MemoryDenyWriteExecute"):
            self.assertEqual(service[key], "yes", key)

    def test_the_documents_that_the_unit_names_are_those_that_the_readme_installs(self):
        named = re.search(r"^Documentation=(.*)$", (DEPLOY / "weir.service").read_text(), re.M)[1]
        readme = (DEPLOY / "README.md").read_text()
        for place in named.split():
            path = place.removeprefix("file://")
            found = re.search(rf"install -Dm 644 (\S+) {re.escape(path)}", readme)
            self.assertTrue(found, path)
            self.assertTrue((SOURCE / found[1]).is_file(), found[1])

    def test_an_image_is_built_without_what_stands_around_on_this_machine(self):
        left_out = (SOURCE / ".dockerignore").read_text().split("\n")
        for name in (".git", "build", "state", "**/__pycache__"):
            self.assertIn(name, left_out)
        for line in re.findall(r"^COPY (?!--)(.*)$", (DEPLOY / "Dockerfile").read_text(), re.M):
            for path in line.split()[:-1]:
                self.assertNotIn(path.split("/")[0], left_out)

    def test_the_images_are_not_run_as_root_and_copy_what_there_is(self):
        text = (DEPLOY / "Dockerfile").read_text()
        stages = re.split(r"^FROM .* AS (\w+)$", text, flags=re.M)[1:]
        stages = dict(zip(stages[::2], stages[1::2]))
        self.assertEqual(set(stages), {"build", "weir", "worker"})
        for name in ("weir", "worker"):
            self.assertRegex(stages[name], r"(?m)^USER 10001:10001$")
        for line in re.findall(r"^COPY (?!--)(.*)$", text, flags=re.M):
            for path in line.split()[:-1]:
                self.assertTrue((SOURCE / path).exists(), path)


class AcceptedTest(unittest.TestCase):
    """weir's own opinion of the configurations in here."""

    def setUp(self):
        self.weir = os.environ.get("WEIR_BINARY", str(SOURCE / "build/release/weir"))
        if not os.access(self.weir, os.X_OK):
            self.skipTest("weir is not built")
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)

    def accepts(self, text):
        config = self.folder / "weir.yaml"
        config.write_text(text)
        done = subprocess.run([self.weir, "check", "--config", config], text=True, timeout=60,
                              stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self.assertEqual(done.returncode, 0, done.stderr)

    def test_the_configuration_of_the_quickstart(self):
        (self.folder / "registration.token").write_text("token\n")
        (self.folder / "hook.secret").write_text("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw\n")
        text = (DEPLOY / "quickstart.yaml.in").read_text().replace("@DIR@", str(self.folder))
        text = re.sub(r"@\w+_PORT@", "0", text)
        self.accepts(re.sub(r"@(\w+)_URL@", r"http://\1.example:9001", text))

    def test_the_configuration_of_the_config_map(self):
        for name in ("admin", "registration"):
            (self.folder / name).write_text("token\n")
        text = (DEPLOY / "kubernetes/weir.yaml").read_text()
        inside = next(yaml.safe_load_all(text))["data"]["weir.yaml"]
        self.accepts(inside.replace("/etc/weir/tokens", str(self.folder)))


if __name__ == "__main__":
    unittest.main()
