#!/usr/bin/env python3
"""A local autoscaler for weir's scale hooks: starts and stops worker processes on this machine.
Copy it to drive your own fleet: replace Fleet's start and stop by calls to your cloud.

    scaler.py --secret-file FILE --static 3 -- worker.py --id {id} --register URL ...

What a receiver of these hooks has to do, and this one does:
- verify the Standard Webhooks signature, and refuse what is older or newer than five minutes;
- carry out a delivery once: the same webhook-id again is answered and has no effect;
- never go back: a decision with a lower data.sequence than one seen is answered and ignored;
- read `desired` as an absolute number of workers in the pool, never as a step;
- stop only workers that `remove` names (weir drained them), by SIGTERM, and no other ever.
GET / shows the state as JSON. At SIGTERM it stops what it started and leaves.
"""
import argparse
import base64
import binascii
import collections
import datetime
import hashlib
import hmac
import http.server
import json
import os
import signal
import subprocess
import sys
import threading
import time

TOLERANCE_SECONDS, IDS_KEPT, BODY_MAX = 300, 10000, 1 << 20


class Refused(Exception):
    """A delivery that is not carried out: (HTTP status, why)."""


def signing_key(text):
    """The key of a secret file: whsec_ and base64."""
    text = text.strip()
    if not text.startswith("whsec_"):
        raise ValueError("a signing secret begins with whsec_")
    return base64.b64decode(text.removeprefix("whsec_"), validate=True)


def verify(key, headers, body, now):
    """Raises Refused unless one of the signatures is ours and the timestamp is about now."""
    name, sent, given = (headers.get(f"webhook-{part}")
                         for part in ("id", "timestamp", "signature"))
    if not name or not sent or not given or not sent.isdecimal():
        raise Refused(401, "not signed")
    if abs(now - int(sent)) > TOLERANCE_SECONDS:
        raise Refused(401, "the timestamp is too far from now")
    mac = hmac.new(key, f"{name}.{sent}.".encode() + body, hashlib.sha256).digest()
    expected = "v1," + base64.b64encode(mac).decode()
    if not any(hmac.compare_digest(expected.encode(), one.encode()) for one in given.split()):
        raise Refused(401, "the signature is wrong")
    return name


def read(body):
    """(pool, sequence, time, desired, direction, remove) of a decision; None for another event."""
    try:
        event = json.loads(body)
        if event["type"] != "weir.scale" or event["data"].get("test"):
            return None
        data = event["data"]
        when = datetime.datetime.fromisoformat(event["timestamp"])
        return Decision(str(data["pool"]), int(data["sequence"]), when, int(data["desired"]),
                        str(data["direction"]), [str(name) for name in data.get("remove", [])])
    except (ValueError, KeyError, TypeError, AttributeError) as why:
        raise Refused(400, f"not a scale event: {why!r}") from None


Decision = collections.namedtuple("Decision", "pool sequence time desired direction remove")


class Fleet:
    """The processes. `running` ones count as workers, `stopping` ones were told to leave."""

    def __init__(self, command, prefix):
        self.command, self.prefix = command, prefix
        self.running, self.stopping = {}, {}
        self.started = self.stopped = self.died = 0
        self.changed = threading.Condition()

    def start(self):
        """Starts one more and returns its id. Raises OSError."""
        with self.changed:
            self.started += 1
            name = f"{self.prefix}-{self.started}"
            process = subprocess.Popen([part.replace("{id}", name) for part in self.command],
                                       stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
            self.running[name] = process
        threading.Thread(target=self._watch, args=(name, process), daemon=True).start()
        return name

    def stop(self, name):
        """Tells one to finish and leave. False when it is none of ours, or was told before."""
        with self.changed:
            process = self.running.pop(name, None)
            if process is None:
                return False
            self.stopping[name] = process
            process.terminate()
            return True

    def _watch(self, name, process):
        process.wait()
        with self.changed:
            self.died += self.running.pop(name, None) is not None
            self.stopped += self.stopping.pop(name, None) is not None
            self.changed.notify_all()

    def close(self, patience):
        """Stops all; the ones that do not leave in time are killed."""
        for name in list(self.running):
            self.stop(name)
        with self.changed:
            if not self.changed.wait_for(lambda: not self.stopping, patience):
                for process in self.stopping.values():
                    process.kill()
                self.changed.wait_for(lambda: not self.stopping, patience)


class Scaler:
    """What deliveries do to a fleet. One at a time."""

    def __init__(self, fleet, key, pool, static, most):
        self.fleet, self.key, self.pool, self.static, self.most = fleet, key, pool, static, most
        self.lock = threading.Lock()
        self.ids = collections.OrderedDict()        # deliveries carried out, the newest last
        self.last = self.epoch = None               # the newest decision; see _outcome
        self.counts = collections.Counter()
        self.history = collections.deque(maxlen=100)

    def deliver(self, headers, body, now):
        """Verifies and carries out one delivery. Raises Refused or OSError; then it comes again."""
        name = verify(self.key, headers, body, now)
        decision = read(body)
        with self.lock:
            outcome = self._outcome(name, decision)
            if outcome == "applied":
                self._apply(decision)
            self.counts[outcome] += 1
            self.ids[name] = True
            if len(self.ids) > IDS_KEPT:
                self.ids.popitem(last=False)
        return outcome

    def _outcome(self, name, decision):
        if name in self.ids:
            return "duplicate"
        if decision is None or decision.pool != self.pool:
            return "ignored"
        if self.last is None or decision.sequence > self.last.sequence:
            return "applied" if self.epoch is None or decision.time >= self.epoch else "stale"
        if decision.time <= self.last.time:
            return "stale"
        self.epoch = decision.time      # a lower number, but later: weir started anew and counts
        return "applied"                # from the beginning; what it said before is history

    def _apply(self, decision):
        removed = [name for name in decision.remove if self.fleet.stop(name)]
        wanted = min(decision.desired - self.static, self.most)
        added = [self.fleet.start() for _ in range(wanted - len(self.fleet.running))]
        self.last = decision
        self.history.append({"sequence": decision.sequence, "direction": decision.direction,
                             "desired": decision.desired, "started": added, "stopped": removed})
        print(f"decision {decision.sequence}: {decision.direction} to {decision.desired}, started"
              f" {added}, stopped {removed}", file=sys.stderr, flush=True)

    def state(self):
        fleet = self.fleet
        with self.lock, fleet.changed:
            return {"pool": self.pool, "static": self.static,
                    "desired": self.last.desired if self.last else None,
                    "sequence": self.last.sequence if self.last else None,
                    "running": {name: p.pid for name, p in fleet.running.items()},
                    "stopping": {name: p.pid for name, p in fleet.stopping.items()},
                    "started": fleet.started, "stopped": fleet.stopped, "died": fleet.died,
                    "deliveries": dict(self.counts), "decisions": list(self.history)}


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    wbufsize = -1
    disable_nagle_algorithm = True
    timeout = 30

    def do_GET(self):
        self._answer(200, self.server.scaler.state())

    def do_POST(self):
        length = self.headers["Content-Length"] or ""
        if not length.isdecimal() or int(length) > BODY_MAX:
            self.close_connection = True
            return self._answer(413 if length.isdecimal() else 411, {"error": "Content-Length"})
        body = self.rfile.read(int(length))
        try:
            outcome = self.server.scaler.deliver(self.headers, body, time.time())
            return self._answer(200, {"outcome": outcome})
        except Refused as refusal:
            status, why = refusal.args
            return self._answer(status, {"error": why})
        except OSError as why:                      # a process could not be started
            self.log_error("%s", why)
            return self._answer(500, {"error": str(why)})

    def _answer(self, status, body):
        text = json.dumps(body).encode() + b"\n"
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def log_request(self, *_):
        pass


def options():
    parser = argparse.ArgumentParser(description="a local scaler for weir's scale hooks")
    parser.add_argument("--listen", default="127.0.0.1:0", help="port 0: the kernel picks")
    parser.add_argument("--secret-file", required=True, help="whsec_ and base64")
    parser.add_argument("--pool", default="loaders")
    parser.add_argument("--static", type=int, default=0,
                        help="workers of the pool that others started")
    parser.add_argument("--max", type=int, default=20, help="processes, whatever is desired")
    parser.add_argument("--prefix", default="auto", help="ids are PREFIX-1, PREFIX-2, ...")
    parser.add_argument("--patience", type=float, default=30,
                        help="seconds that workers may take to leave at the end")
    parser.add_argument("command", nargs="+", help="starts a worker; {id} is replaced by its id")
    return parser.parse_args()


def main():
    chosen = options()
    with open(chosen.secret_file, encoding="utf-8") as file:
        try:
            key = signing_key(file.read())
        except (ValueError, binascii.Error) as why:
            sys.exit(f"{chosen.secret_file}: {why}")
    fleet = Fleet(chosen.command, chosen.prefix)
    host, _, port = chosen.listen.rpartition(":")
    server = http.server.ThreadingHTTPServer((host, int(port)), Handler)
    server.daemon_threads = True
    server.scaler = Scaler(fleet, key, chosen.pool, chosen.static, chosen.max)
    ending, wake = os.pipe()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: os.write(wake, b"."))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(f"http://{host}:{server.server_port}", flush=True)
    os.read(ending, 1)
    server.shutdown()
    fleet.close(chosen.patience)


if __name__ == "__main__":
    main()
