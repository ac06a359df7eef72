"""The shipped examples against the shipped JSON Schema, with a validator that weir did not write.

The C++ tests hold the schema equal to the reader's tables; here it is shown to be a schema, to take
what the reader takes, and to refuse each kind of mistake that a schema can see.
"""
import copy
import json
import os
import unittest

import jsonschema
import yaml

SOURCE = os.environ.get("WEIR_SOURCE") or os.path.dirname(
    os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def source(*path):
    with open(os.path.join(SOURCE, *path), encoding="utf-8") as file:
        return file.read()


SCHEMA = json.loads(source("config", "weir.schema.json"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)


def full(optional):
    lines = source("config", "full.yaml").splitlines()
    if optional:
        lines = [line[3:] if line.startswith("#: ") else line for line in lines]
    return yaml.safe_load("\n".join(lines))


def least():
    return {
        "listeners": [{"name": "front", "bind": "127.0.0.1:8080"}],
        "routes": [{"name": "all", "pool": "p"}],
        "pools": {"p": {"workers": [{"id": "w1", "url": "http://127.0.0.1:9001"}]}},
    }


def changed(path, value):
    """least() with the value at a path of keys and indices set, or its key removed (None)."""
    document = copy.deepcopy(least())
    place = document
    for step in path[:-1]:
        place = place.setdefault(step, {}) if isinstance(place, dict) else place[step]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    return document


POOL = ("pools", "p")
WORKER = ("pools", "p", "workers", 0)
ROUTE = ("routes", 0)

GOOD = [
    (("threads",), "auto"), (("threads",), 4), (("threads",), "${THREADS:-4}"),
    (("drain_timeout",), "1h30m"), (("drain_timeout",), "${DRAIN}"),
    (("limits", "head_bytes_max"), 4096), (("limits", "head_bytes_max"), "32KiB"),
    (("listeners", 0, "bind"), "[::]:8080"), (("listeners", 0, "bind"), "unix:/run/weir.sock"),
    (ROUTE + ("host",), "a.example"), (ROUTE + ("host",), ["a.example", "*.b.example"]),
    (ROUTE + ("cost",), {"fixed": 0.5}), (ROUTE + ("cost",), {}),
    (ROUTE + ("headers",), {"X-Shard": 5, "X-Old": True}),
    (WORKER + ("url",), "https://[2001:db8::1]:9001/"), (WORKER + ("id",), 7),
    (POOL + ("ejection",), {"max_ejected": "12.5%"}),
    (POOL + ("autoscale",), {"hooks": [{"exec": {"command": ["/bin/scale", 5]}}]}),
]

BAD = [
    (("threads",), 0), (("threads",), "many"), (("threads",), True), (("thread",), 4),
    (("drain_timeout",), 5), (("drain_timeout",), "5 s"), (("drain_timeout",), ["5s"]),
    (("limits", "head_bytes_max"), "32kib"), (("limits", "fields_max"), "100"),
    (("listeners",), []), (("listeners",), None), (("listeners", 0, "bind"), "localhost:80"),
    (("listeners", 0, "name"), "a b"), (("listeners", 0, "tls"), {"certificate": "s.pem"}),
    (("registration",), {"bind": "127.0.0.1:1", "token_file": "t"}),
    (("reload",), "always"), (("pools",), {}), (("pools", "a/b"), {}),
    (ROUTE + ("pool",), None), (ROUTE + ("host",), ["a b"]), (ROUTE + ("path",), "load"),
    (ROUTE + ("cost",), {"fixed": 1, "bytes": True}),
    (ROUTE + ("retry",), {"attempts": 0}), (ROUTE + ("retry",), {"busy_statuses": [200]}),
    (ROUTE + ("headers",), {"X Y": "a"}),
    (WORKER + ("id",), None), (WORKER + ("url",), "http://h/path"), (WORKER + ("slots",), 0),
    (WORKER + ("slots",), 1.5), (POOL + ("ejection",), {"max_ejected": 0.5}),
    (POOL + ("balance",), "least_connections"),
    (POOL + ("autoscale",), {"hooks": [{}]}),
    (POOL + ("autoscale",), {"hooks": [{"exec": {"command": []}}]}),
    (POOL + ("autoscale",), {"hooks": [{"webhook": {"url": "ftp://x"}}]}),
    (POOL + ("autoscale",), {"hooks": [{"webhook": {"url": "http://x"},
                                       "exec": {"command": ["/x"]}}]}),
]


class Schema(unittest.TestCase):
    def test_is_a_schema(self):
        jsonschema.Draft202012Validator.check_schema(SCHEMA)

    def test_takes_the_shipped_examples(self):
        examples = {"weir.yaml": yaml.safe_load(source("config", "weir.yaml")),
                    "full.yaml": full(False), "full.yaml with optional lines": full(True)}
        for name, document in examples.items():
            with self.subTest(name):
                self.assertEqual([], [e.message for e in VALIDATOR.iter_errors(document)])

    def test_takes_what_the_reader_takes(self):
        for path, value in GOOD:
            with self.subTest(path=path, value=value):
                errors = VALIDATOR.iter_errors(changed(path, value))
                self.assertEqual([], [e.message for e in errors])

    def test_refuses_what_the_reader_refuses(self):
        for path, value in BAD:
            with self.subTest(path=path, value=value):
                self.assertFalse(VALIDATOR.is_valid(changed(path, value)))

    def test_every_default_fits_its_own_schema(self):
        sections = [SCHEMA] + [d for d in SCHEMA["$defs"].values() if "properties" in d]
        for section in sections:
            for key, schema in section["properties"].items():
                if schema.get("default", "") in ("", [], {}):
                    continue
                whole = {**schema, "$defs": SCHEMA["$defs"]}
                with self.subTest(key):
                    jsonschema.Draft202012Validator(whole).validate(schema["default"])

    def test_every_section_is_closed(self):
        for name, section in SCHEMA["$defs"].items():
            if "properties" in section:
                self.assertIs(False, section["additionalProperties"], name)


if __name__ == "__main__":
    unittest.main()
