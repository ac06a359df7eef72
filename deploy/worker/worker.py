#!/usr/bin/env python3
"""An example worker for weir, meant to be copied: it takes batches of rows over HTTP, checks and
transforms them, and loads them into a database so that each batch counts once, however often it
is sent. tables.py says what a row is, store.py how it is loaded once, lease.py how to join a pool.

    POST /load/TABLE   NDJSON (application/x-ndjson) or CSV (text/csv): 200 with counts of rows;
                       409 fenced off, 422 broken, 503 + Retry-After busy: nothing was executed
    GET  /healthz      200 and what it is doing; 503 while it leaves
SIGTERM: takes nothing new, finishes what runs, leaves.
"""
import argparse
import os
import queue
import signal
import sys
import threading
import time

from door import Problem, Server
from lease import Lease
from store import Refused, Store
from tables import Broken, parse, transform


class Worker:
    """The slots and the work, without HTTP. A slot is a database connection that nobody uses."""

    def __init__(self, options):
        self.options = options
        self.slots = queue.LifoQueue()
        for _ in range(options.slots):
            self.slots.put(Store(options.database))
        self.lock = threading.Condition()
        self.requests = self.batches = self.rows = 0
        self.draining = False

    def take_slot(self):
        """A slot, or the answer that weir reads as "not executed, try later"."""
        try:
            if not self.draining:
                return self.slots.get_nowait()
        except queue.Empty:
            pass
        raise Problem(503, "leaving" if self.draining else "all slots are taken",
                      headers={"Retry-After": "1"})

    def run(self, store, claim, media_type, body):
        """One batch from text to committed rows. Raises Problem; then nothing was loaded."""
        started = time.monotonic()
        try:
            records = parse(claim.table, media_type, body)
            if store.connection is None:
                store.open()
            answer = store.claim(claim) or self._transform_and_load(store, claim, records, started)
        except Broken as why:
            raise Problem(422, str(why)) from None
        except Refused as refusal:
            raise Problem(*refusal.args) from None
        if not answer["replayed"]:
            with self.lock:
                self.batches += 1
                self.rows += answer["rows_loaded"]
        return answer

    def _transform_and_load(self, store, claim, records, started):
        rows, rejects = [], []
        for line, (raw, record) in enumerate(records, 1):
            try:
                rows.append(transform(claim.table, record))
            except ValueError as why:
                rejects.append((line, str(why), raw))
        self._pretend_to_work(len(records), started)
        with self.lock:
            store.crash = self.batches + 1 == self.options.crash_at
        return store.load(claim, rows, rejects, {
            "batch": claim.key, "table": claim.table, "worker": claim.worker,
            "rows_loaded": len(rows), "rows_rejected": len(rejects), "replayed": False})

    def _pretend_to_work(self, rows, started):
        """Faults for demonstration: rows that take long, and a machine that is slow."""
        time.sleep(rows * self.options.delay / 1000)
        time.sleep((time.monotonic() - started) * (self.options.slow - 1))

    def status(self):
        return {"worker": self.options.id, "state": "draining" if self.draining else "up",
                "slots": self.options.slots, "in_flight": self.options.slots - self.slots.qsize(),
                "batches": self.batches, "rows": self.rows}

    def finish(self):
        """Refuses new batches and waits until every answer is sent."""
        self.draining = True
        with self.lock:
            self.lock.wait_for(lambda: self.requests == 0)


def seconds(text):
    units = {"ms": 0.001, "s": 1, "m": 60, "h": 3600}
    number = text.rstrip("mhs")
    return float(number) * units[text[len(number):] or "s"]


def options():
    parser = argparse.ArgumentParser(description="an example worker for weir")
    parser.add_argument("--listen", default="127.0.0.1:9001", help="port 0: the kernel picks")
    parser.add_argument("--database", default="weir-example.sqlite",
                        help="a SQLite file, shared by workers, or postgresql://...")
    parser.add_argument("--slots", type=int, default=4, help="batches at once")
    parser.add_argument("--id", default=f"worker-{os.getpid()}")
    parser.add_argument("--body-max", type=int, default=64 << 20, help="bytes of a batch")
    parser.add_argument("--register", metavar="URL", help="weir's registration surface")
    parser.add_argument("--pool", default="loaders")
    parser.add_argument("--advertise", metavar="URL", help="where weir reaches this worker")
    parser.add_argument("--token-file", help="the token that allows to register")
    parser.add_argument("--ttl", type=seconds, default="15s", help="of the lease")
    parser.add_argument("--delay", type=float, default=0, metavar="MS",
                        help="demonstration: every row takes so much longer")
    parser.add_argument("--slow", type=float, default=1, metavar="FACTOR",
                        help="demonstration: everything takes so many times as long")
    parser.add_argument("--crash-at", type=int, default=0, metavar="N",
                        help="demonstration: kill -9 in the middle of loading the Nth batch")
    return parser.parse_args()


def main():
    signals = {signal.SIGTERM, signal.SIGINT}
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)   # for all threads: this one waits for them
    worker = Worker(options())
    worker.slots.queue[-1].open()                       # a bad database shows now, not later
    server = Server(worker)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    print(server.url, flush=True)                       # for whoever started us: the one line
    lease = join(worker.options, server.url)
    signal.sigwait(signals)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, signals)  # a second one ends us at once
    if lease:
        lease.stop()
    worker.finish()


def join(options, url):
    if not options.register:
        return None
    token = ""
    if options.token_file:
        with open(options.token_file, encoding="utf-8") as file:
            token = file.read().strip()
    me = {"id": options.id, "url": options.advertise or url, "slots": options.slots}
    lease = Lease(options.register, options.pool, me, token, options.ttl)
    lease.start()
    return lease


if __name__ == "__main__":
    sys.exit(main())
