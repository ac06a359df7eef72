"""The publisher tells the truth: it meets a broker of a few lines that speaks as much AMQP 0-9-1 as
it needs and keeps count. durable.sh runs it before it measures.
"""

import contextlib
import json
import os
import socket
import struct
import subprocess
import sys
import threading
import unittest

PROGRAMS = os.environ.get("WEIR_LOAD_PROGRAMS") or "build/loadtests"
PUBLISH, ACK, NACK = (60, 40), (60, 80), (60, 120)
ANSWERS = {  # what each method of the client gets
    (10, 11): ((10, 30), struct.pack(">HIH", 2047, 131072, 0)),
    (10, 40): ((10, 41), b"\0"),
    (20, 10): ((20, 11), bytes(4)),
    (50, 40): ((50, 41), bytes(4)),
    (85, 10): ((85, 11), b""),
}


class Broker:
    """`confirm(tags)` names, after each message, what is said about those that are not confirmed:
    pairs of (tag, whether all before it are meant too)."""

    def __init__(self, confirm, verdict=ACK):
        self.confirm, self.verdict = confirm, verdict
        self.door = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.lock = threading.Lock()
        self.messages = []      # (routing key, properties, body)
        self.open_most = 0      # unconfirmed ones of a connection
        self.queues = []        # declarations, as bytes
        threading.Thread(target=self._accept, daemon=True).start()

    @property
    def port(self):
        return self.door.getsockname()[1]

    def _accept(self):
        while True:
            try:
                peer = self.door.accept()[0]
            except OSError:
                return
            threading.Thread(target=self._serve, args=(peer,), daemon=True).start()

    def _serve(self, peer):
        with contextlib.suppress(OSError), peer, peer.makefile("rb") as file:
            assert file.read(8) == b"AMQP\0\0\x09\x01"
            start = struct.pack(">BBII", 0, 9, 0, 5) + b"PLAIN" + struct.pack(">I", 5) + b"en_US"
            send(peer, 0, (10, 10), start)
            tags, tag = [], 0
            while frame := read_frame(file):
                kind, channel, payload = frame
                method = struct.unpack(">HH", payload[:4])
                if kind == 1 and method == PUBLISH:
                    tag += 1
                    self._take(file, payload, tags, tag)
                    self._say(peer, tags)
                elif method == (50, 10):
                    self._declared(peer, payload)
                elif method in ANSWERS:
                    send(peer, channel, *ANSWERS[method])

    def _take(self, file, payload, tags, tag):
        key = payload[8:8 + payload[7]].decode()
        header = read_frame(file)[2]
        size, = struct.unpack(">Q", header[4:12])
        body = b""
        while len(body) < size:
            body += read_frame(file)[2]
        tags.append(tag)
        with self.lock:
            self.messages.append((key, header[12:], body))
            self.open_most = max(self.open_most, len(tags))

    def _say(self, peer, tags):
        for tag, all_before in self.confirm(list(tags)):
            tags[:] = [t for t in tags if not (t == tag or (all_before and t < tag))]
            send(peer, 1, self.verdict, struct.pack(">QB", tag, all_before))

    def _declared(self, peer, payload):
        with self.lock:
            self.queues.append(payload)
            count = len(self.messages)
        send(peer, 1, (50, 11), b"\1q" + struct.pack(">II", count, 0))


def send(peer, channel, method, arguments):
    payload = struct.pack(">HH", *method) + arguments
    peer.sendall(struct.pack(">BHI", 1, channel, len(payload)) + payload + b"\xce")


def read_frame(file):
    head = file.read(7)
    if len(head) < 7:
        return None
    kind, channel, size = struct.unpack(">BHI", head)
    payload = file.read(size)
    assert file.read(1) == b"\xce"
    return kind, channel, payload


def each(tags):
    return [(tags[-1], 0)]


def five_at_once(tags):
    return [(tags[-1], 1)] if len(tags) == 5 else []


def backwards(tags):
    return [(tag, 0) for tag in reversed(tags)] if len(tags) == 5 else []


class PublisherTest(unittest.TestCase):
    def publish(self, confirm, verdict=ACK, **options):
        """(broker, exit code, result or None)"""
        broker = Broker(confirm, verdict)
        self.addCleanup(broker.door.close)
        command = [os.path.join(PROGRAMS, "publisher"), str(broker.port), "--limit", "30"]
        for name, value in options.items():
            command += ["--" + name, str(value)]
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False,
                              stdin=subprocess.DEVNULL)
        return broker, done.returncode, json.loads(done.stdout) if done.stdout else None

    def test_as_many_persistent_messages_as_asked_are_published_and_confirmed(self):
        broker, code, result = self.publish(each, connections=3, count=100, body=1000)
        self.assertEqual((code, result["requests"], result["queued"]), (0, 100, 100))
        self.assertEqual(result["latency_us"]["count"], 100)
        self.assertEqual(result["errors"], {})
        self.assertEqual({(key, properties, len(body)) for key, properties, body
                          in broker.messages}, {("batches", b"\x10\0\2", 1000)})
        self.assertEqual(broker.open_most, 1)

    def test_bodies_beyond_a_frame_arrive_whole(self):
        broker, code, result = self.publish(each, connections=2, count=6, body=300_000)
        self.assertEqual((code, result["requests"]), (0, 6))
        self.assertEqual({len(body) for _, _, body in broker.messages}, {300_000})
        self.assertEqual(len({body for _, _, body in broker.messages}), 1)

    def test_no_more_than_the_bound_is_unconfirmed(self):
        for confirm in (each, five_at_once, backwards):
            with self.subTest(confirm.__name__):
                broker, code, result = self.publish(confirm, connections=1, count=200,
                                                    outstanding=5)
                self.assertEqual((code, result["requests"]), (0, 200))
                self.assertEqual(result["latency_us"]["count"], 200)
                self.assertLessEqual(broker.open_most, 5)

    def test_what_is_not_confirmed_is_an_error(self):
        _, code, result = self.publish(lambda tags: [], connections=2, count=9, limit=0.3)
        self.assertEqual((code, result["requests"], result["errors"]), (1, 0, {"timeout": 2}))

    def test_a_refused_message_ends_it(self):
        self.assertEqual(self.publish(each, NACK, count=9)[1:], (2, None))

    def test_the_queue_is_durable_and_of_the_type_asked_for(self):
        for kind, words in {"classic": [b"classic"], "quorum": [b"quorum"],
                            "classic-v2": [b"classic", b"x-queue-version"]}.items():
            broker, _, _ = self.publish(each, connections=1, count=1, type=kind)
            asked = broker.queues[0]
            self.assertEqual(asked[6:15], b"\7batches\2")  # its name; the bit `durable` alone
            for word in words:
                self.assertIn(word, asked)


if __name__ == "__main__":
    unittest.main(argv=sys.argv[:1], verbosity=1)
