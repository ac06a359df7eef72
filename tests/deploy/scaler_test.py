"""The local scaler: signatures (with the published test vector), deliveries carried out once and in
order, absolute numbers, and that no worker is stopped that was not named."""
import base64
import contextlib
import datetime
import hashlib
import hmac
import io
import json
import os
import pathlib
import signal
import sys
import tempfile
import time
import unittest

sys.path.insert(0, str(pathlib.Path(__file__).parent))
from support import Program, ask, eventually
import scaler

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
# A worker that says when it was asked to leave, and by what.
CHILD = ("import pathlib, signal, sys\n"
         "signals = {signal.SIGTERM, signal.SIGINT}\n"
         "signal.pthread_sigmask(signal.SIG_BLOCK, signals)\n"
         "folder, name = pathlib.Path(sys.argv[1]), sys.argv[2]\n"
         "(folder / (name + '.up')).touch()\n"
         "(folder / (name + '.left')).write_text(str(int(signal.sigwait(signals))))\n")
STUBBORN = ("import pathlib, signal, sys\n"
            "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
            "pathlib.Path(sys.argv[1], sys.argv[2] + '.up').touch()\n"
            "signal.pause()\n")


def signature(name, sent, body, key=KEY):
    mac = hmac.new(key, f"{name}.{sent}.".encode() + body, hashlib.sha256).digest()
    return "v1," + base64.b64encode(mac).decode()


class SignatureTest(unittest.TestCase):
    """The vector is that of the Standard Webhooks specification's reference libraries."""
    VECTOR_KEY = scaler.signing_key("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw")
    BODY = b'{"test": 2432232314}'
    FIELDS = {"webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek", "webhook-timestamp": "1614265330",
              "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE="}
    NOW = 1614265330

    def verify(self, now=NOW, body=BODY, **changes):
        fields = {**self.FIELDS, **{f"webhook-{name}": value for name, value in changes.items()}}
        return scaler.verify(self.VECTOR_KEY, {n: v for n, v in fields.items() if v}, body, now)

    def test_the_published_vector_holds_alone_and_among_others(self):
        self.assertEqual(self.verify(), self.FIELDS["webhook-id"])
        other = "v1,AAAA v1a,zzzz " + self.FIELDS["webhook-signature"]
        self.assertEqual(self.verify(signature=other), self.FIELDS["webhook-id"])
        for edge in (-300, 300):
            self.verify(now=self.NOW + edge)

    def test_everything_that_is_not_signed_by_us_and_now_is_refused(self):
        good = self.FIELDS["webhook-signature"]
        table = [{"body": self.BODY + b" "}, {"id": "msg_other"}, {"timestamp": "1614265331"},
                 {"now": self.NOW + 301}, {"now": self.NOW - 301}, {"signature": None},
                 {"signature": good.replace("v1,", "v2,")}, {"signature": good[:-4]},
                 {"signature": "v1,\u00e9"}, {"id": None}, {"timestamp": None},
                 {"timestamp": "now"}, {"timestamp": "-1"}]
        for changes in table:
            with self.subTest(**changes), self.assertRaises(scaler.Refused) as caught:
                self.verify(**changes)
            self.assertEqual(caught.exception.args[0], 401)

    def test_a_secret_that_is_not_one_is_refused(self):
        for text in ("MfKQ9r8G", "whsec_!!!!", ""):
            with self.subTest(text=text), self.assertRaises(ValueError):
                scaler.signing_key(text)


class FakeFleet:
    """Counts in place of processes."""

    def __init__(self):
        self.running, self.calls = {}, []

    def start(self):
        name = f"auto-{len([c for c in self.calls if c[0] == 'start']) + 1}"
        self.running[name] = None
        self.calls.append(("start", name))
        return name

    def stop(self, name):
        self.calls.append(("stop", name))
        return self.running.pop(name, self) is not self


class DecisionTest(unittest.TestCase):
    START = datetime.datetime(2030, 1, 1, tzinfo=datetime.timezone.utc)

    def setUp(self):
        self.fleet = FakeFleet()
        self.scaler = scaler.Scaler(self.fleet, KEY, "loaders", static=3, most=6)
        self.names = 0

    def deliver(self, sequence, desired, remove=(), name=None, pool="loaders", late=0, kind=None,
                **more):
        """One delivery; `late` moves its own time, by default in step with its sequence."""
        self.names += 1
        when = self.START + datetime.timedelta(seconds=sequence + late)
        body = json.dumps({"type": kind or "weir.scale", "timestamp": when.isoformat(), "data": {
            "pool": pool, "episode": 1, "sequence": sequence, "direction": "out",
            "desired": desired, "current": 0, "reason": "", "remove": list(remove),
            **more}}).encode()
        name, now = name or f"msg_{self.names}", 1700000000
        fields = {"webhook-id": name, "webhook-timestamp": str(now),
                  "webhook-signature": signature(name, now, body)}
        with contextlib.redirect_stderr(io.StringIO()):
            return self.scaler.deliver(fields, body, now)

    def test_desired_is_absolute_and_counts_workers_that_others_started(self):
        for desired, running in ((5, 2), (5, 2), (7, 4), (3, 4), (8, 5)):
            self.assertEqual(self.deliver(self.names + 1, desired), "applied")
            self.assertEqual(len(self.fleet.running), running)
        self.assertNotIn("stop", [call for call, _ in self.fleet.calls])

    def test_whatever_is_desired_there_is_a_most(self):
        self.deliver(1, 10**6)
        self.assertEqual(len(self.fleet.running), 6)

    def test_only_named_workers_of_ours_are_stopped(self):
        self.deliver(1, 6)
        self.assertEqual(self.deliver(2, 5, remove=["auto-2", "static-1"]), "applied")
        self.assertEqual(sorted(self.fleet.running), ["auto-1", "auto-3"])
        self.assertEqual(self.scaler.history[-1]["stopped"], ["auto-2"])

    def test_a_delivery_that_comes_again_has_no_effect(self):
        self.assertEqual(self.deliver(1, 6, name="one"), "applied")
        self.fleet.running.clear()
        self.assertEqual(self.deliver(1, 6, name="one"), "duplicate")
        self.assertEqual(len(self.fleet.running), 0)

    def test_an_older_decision_that_arrives_late_has_no_effect(self):
        self.deliver(5, 6)
        self.assertEqual(self.deliver(4, 9, remove=["auto-1"]), "stale")
        self.assertEqual(self.deliver(5, 9), "stale")
        self.assertEqual((len(self.fleet.running), self.scaler.last.sequence), (3, 5))

    def test_a_weir_that_started_anew_counts_from_the_beginning(self):
        self.deliver(50, 4)
        self.assertEqual(self.deliver(1, 5, late=3600), "applied")
        self.assertEqual(self.deliver(51, 9), "stale")              # said before it started anew
        self.assertEqual(self.deliver(2, 6, late=3600), "applied")
        self.assertEqual(self.deliver(1, 9, late=3600), "stale")
        self.assertEqual(len(self.fleet.running), 3)

    def test_other_events_pools_and_test_deliveries_are_acknowledged_only(self):
        self.assertEqual(self.deliver(1, 9, pool="other"), "ignored")
        self.assertEqual(self.deliver(2, 9, kind="weir.scale.test"), "ignored")
        self.assertEqual(self.deliver(3, 9, test=True), "ignored")
        self.assertEqual(self.fleet.calls, [])

    def test_a_decision_that_could_not_be_carried_out_may_come_again(self):
        def refuse():
            raise OSError("no more processes")
        self.fleet.start, start = refuse, self.fleet.start
        with self.assertRaises(OSError):
            self.deliver(1, 4, name="one")
        self.fleet.start = start
        self.assertEqual(self.deliver(1, 4, name="one"), "applied")
        self.assertEqual(len(self.fleet.running), 1)

    def test_what_is_signed_but_no_event_is_refused(self):
        for body in (b"", b"[]", b"{}", b'{"type":"weir.scale"}', b"\xff",
                     b'{"type":"weir.scale","timestamp":"x","data":{}}'):
            fields = {"webhook-id": "m", "webhook-timestamp": "5",
                      "webhook-signature": signature("m", 5, body)}
            with self.subTest(body=body), self.assertRaises(scaler.Refused) as caught:
                self.scaler.deliver(fields, body, 5)
            self.assertEqual(caught.exception.args[0], 400)

    def test_memory_of_deliveries_is_bounded(self):
        for _ in range(3):
            self.deliver(self.names + 1, 0)
        self.scaler.ids.update((str(n), True) for n in range(scaler.IDS_KEPT - 3))
        self.deliver(self.names + 1, 0)
        self.assertEqual(len(self.scaler.ids), scaler.IDS_KEPT)
        self.assertNotIn("msg_1", self.scaler.ids)


class ProcessTest(unittest.TestCase):
    """The program itself, with real children."""

    def setUp(self):
        folder = tempfile.TemporaryDirectory()
        self.addCleanup(folder.cleanup)
        self.folder = pathlib.Path(folder.name)
        (self.folder / "secret").write_text(SECRET + "\n")
        self.sequence = 0

    def start(self, child=CHILD, *more):
        program = Program("scaler.py", "--secret-file", self.folder / "secret", *more, "--",
                          sys.executable, "-c", child, self.folder, "{id}")
        self.addCleanup(program.stop)
        return program

    def deliver(self, program, desired, remove=(), key=KEY):
        self.sequence += 1
        now = int(time.time())
        when = datetime.datetime.now(datetime.timezone.utc).isoformat()
        body = json.dumps({"type": "weir.scale", "timestamp": when, "data": {
            "pool": "loaders", "sequence": self.sequence, "direction": "out", "desired": desired,
            "remove": list(remove)}}).encode()
        return ask(program.address, "POST", "/weir", body, webhook_id=f"m{self.sequence}",
                   webhook_timestamp=str(now), webhook_signature=signature(f"m{self.sequence}",
                                                                           now, body, key))

    def state(self, program):
        return ask(program.address, "GET", "/").json()

    def left(self):
        return {p.stem: int(p.read_text()) for p in self.folder.glob("*.left")}

    def up(self, count):
        eventually(lambda: len(list(self.folder.glob("*.up"))) == count, f"{count} workers up")

    def test_workers_come_and_only_the_named_one_goes_by_sigterm(self):
        program = self.start()
        self.assertEqual(self.deliver(program, 3).json(), {"outcome": "applied"})
        self.up(3)
        self.assertEqual(sorted(self.state(program)["running"]), ["auto-1", "auto-2", "auto-3"])
        self.deliver(program, 2, remove=["auto-2"])
        state = eventually(lambda: (s := self.state(program))["stopped"] == 1 and s, "it left")
        self.assertEqual(sorted(state["running"]), ["auto-1", "auto-3"])
        self.assertEqual(self.left(), {"auto-2": signal.SIGTERM})
        self.assertEqual((state["desired"], state["deliveries"]), (2, {"applied": 2}))

    def test_a_worker_that_died_is_replaced_by_the_next_decision(self):
        program = self.start()
        self.deliver(program, 1)
        self.up(1)
        pid = self.state(program)["running"]["auto-1"]
        signal.pidfd_send_signal(self.pidfd(pid), signal.SIGKILL)
        eventually(lambda: self.state(program)["died"] == 1, "its death was seen")
        self.deliver(program, 1)
        self.assertEqual(list(self.state(program)["running"]), ["auto-2"])

    def pidfd(self, pid):
        handle = os.pidfd_open(pid)
        self.addCleanup(os.close, handle)
        return handle

    def test_a_wrong_signature_starts_nothing(self):
        program = self.start()
        self.assertEqual(self.deliver(program, 3, key=b"other").status, 401)
        self.assertEqual(self.state(program)["started"], 0)

    def test_a_body_without_or_beyond_its_length_is_refused(self):
        program = self.start()
        answer = ask(program.address, "POST", "/", b"", Content_Length=str(scaler.BODY_MAX + 1))
        self.assertEqual(answer.status, 413)
        answer = ask(program.address, "POST", "/", iter([b"x"]), Transfer_Encoding="chunked")
        self.assertEqual(answer.status, 411)

    def test_a_command_that_cannot_be_started_is_a_500(self):
        program = Program("scaler.py", "--secret-file", self.folder / "secret",
                          str(self.folder / "nothing"))
        self.addCleanup(program.stop)
        self.assertEqual(self.deliver(program, 1).status, 500)

    def test_at_the_end_its_workers_leave_with_it(self):
        program = self.start()
        self.deliver(program, 2)
        self.up(2)
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(program.ended(), 0)
        self.assertEqual(self.left(), {"auto-1": signal.SIGTERM, "auto-2": signal.SIGTERM})

    def test_workers_that_do_not_leave_in_time_are_killed(self):
        program = self.start(STUBBORN, "--patience", "0.05")
        self.deliver(program, 1)
        self.up(1)
        handle = self.pidfd(self.state(program)["running"]["auto-1"])
        program.process.send_signal(signal.SIGTERM)
        self.assertEqual(program.ended(), 0)
        with self.assertRaises(ProcessLookupError):
            signal.pidfd_send_signal(handle, signal.SIGKILL)


if __name__ == "__main__":
    unittest.main()
