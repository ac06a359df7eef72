#!/usr/bin/env python3
"""Posts the batches of plan.py through weir, many at once, as a careful client would: with an
Idempotency-Key, the number of rows and the tenant, waiting as Retry-After says, and sending a batch
again when its answer was lost. Counts every outcome and writes a summary with what has to be in
the database afterwards. Exits 1 when a batch ended otherwise than planned.
"""
import argparse
import asyncio
import collections
import json
import statistics
import sys
import time
import urllib.parse

import plan

OVERLOADED, LOST = (429, 503), (408, 409, 500, 502, 504)
TRIES = 200      # of one batch, refusals with Retry-After included


class Broken(Exception):
    """An answer that is not HTTP, or none."""


class Stale(Exception):
    """A kept connection was closed before an answer began: nobody's fault, take another."""


class Connection:
    """One keep-alive connection: HTTP/1.1 by hand, so that thousands of them are cheap."""

    def __init__(self, host, port):
        self.host, self.port = host, port
        self.reader = self.writer = None

    async def exchange(self, path, fields, batch):
        """(status, fields by lower-case name, body). Raises Broken or OSError."""
        try:
            return await self._exchange(path, fields, batch, kept=self.writer is not None)
        except Stale:
            return await self._exchange(path, fields, batch, kept=False)

    async def _exchange(self, path, fields, batch, kept):
        if not kept:
            self.reader, self.writer = await asyncio.open_connection(self.host, self.port)
        try:
            self.writer.write(request(f"{self.host}:{self.port}", path, fields, batch))
            status, received, body = await self._answer(kept)
        except BaseException:
            self.close()
            raise
        if received.get("connection", "").lower() == "close":
            self.close()
        return status, received, body

    async def _answer(self, kept):
        try:
            first = await self.reader.read(1)
        except ConnectionError:
            first = b""
        if not first:
            raise Stale() if kept else Broken("closed without an answer")
        try:
            return await self._rest(first)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ValueError,
                IndexError) as why:
            raise Broken(repr(why)) from None

    async def _rest(self, first=b""):
        lines = (first + await self.reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        status = int(lines[0].split()[1])
        if 100 <= status < 200:
            return await self._rest()
        fields = {name.lower(): value.strip()
                  for name, _, value in (line.partition(":") for line in lines[1:] if line)}
        return status, fields, await self._body(fields)

    async def _body(self, fields):
        if fields.get("transfer-encoding", "").lower() != "chunked":
            return await self.reader.readexactly(int(fields.get("content-length", "0")))
        body = b""
        while size := int((await self.reader.readline()).split(b";")[0], 16):
            body += (await self.reader.readexactly(size + 2))[:-2]
        while (await self.reader.readline()).strip():
            pass
        return body

    def close(self):
        if self.writer is not None:
            self.writer.close()
            self.writer = None


def request(host, path, fields, batch):
    framing = ("Transfer-Encoding: chunked" if batch.chunked
               else f"Content-Length: {len(batch.body)}")
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    start = f"POST {path} HTTP/1.1\r\nHost: {host}\r\n{head}{framing}\r\n\r\n".encode()
    if not batch.chunked:
        return start + batch.body
    half = len(batch.body) // 2 or 1
    parts = (batch.body[:half], batch.body[half:])
    return start + b"".join(b"%x\r\n%b\r\n" % (len(p), p) for p in parts if p) + b"0\r\n\r\n"


class Feed:
    def __init__(self, options):
        self.options = options
        url = urllib.parse.urlsplit(options.url)
        self.host, self.port = url.hostname, url.port or 80
        self.prefix = url.path.rstrip("/")
        self.answers, self.workers = collections.Counter(), collections.Counter()
        self.tables = plan.expectation(())["tables"]
        self.refused, self.repeated, self.again, self.waits = 0, 0, 0, 0
        self.errors, self.failures, self.seconds = collections.Counter(), [], []

    async def run(self):
        """Feeds everything; `at_once` batches are under way at any time."""
        batches = plan.batches(self.options.rows, self.options.seed, self.options.batch)
        self.total = sum(plan.sizes(self.options.rows).values())
        await asyncio.gather(*(self._lane(batches) for _ in range(self.options.at_once)))

    async def _lane(self, batches):
        connection = Connection(self.host, self.port)
        for batch in batches:                   # one iterator for all lanes: each takes the next
            await self._settle(connection, batch)
        connection.close()

    async def _settle(self, connection, batch):
        """Sends one batch until its fate is known, and compares that with the plan."""
        started = time.monotonic()
        status, fields, body = await self._until_answered(connection, batch)
        self.seconds.append(time.monotonic() - started)
        expected = 422 if batch.broken else 200
        if status != expected:
            self.failures.append(f"{batch.key}: {status}, not {expected}: {body[:200]!r}")
            return
        self.workers[fields.get("weir-worker", "?")] += 1
        if batch.broken:
            self.refused += 1
            return
        self._count(batch, json.loads(body))
        if batch.repeated:
            await self._repeat(connection, batch)

    def _count(self, batch, answer):
        loaded, rejected = answer["rows_loaded"], answer["rows_rejected"]
        if (loaded, rejected) != (batch.loads, batch.rejects):
            self.failures.append(f"{batch.key}: {loaded} loaded and {rejected} rejected,"
                                 f" not {batch.loads} and {batch.rejects}")
        table, before = self.tables[batch.table], sum(t["rows"] for t in self.tables.values())
        table["batches"] += 1
        table["rows"] += loaded
        table["rejects"] += rejected
        if before * 10 // self.total != (before + loaded) * 10 // self.total:
            print(f"fed {before + loaded} of {self.total} rows", flush=True)

    async def _repeat(self, connection, batch):
        """A client that forgot that it was answered: nothing may be loaded again."""
        status, fields, body = await self._until_answered(connection, batch)
        replayed = status == 200 and ("idempotent-replayed" in fields
                                      or json.loads(body)["replayed"])
        self.repeated += replayed
        if not replayed:
            self.failures.append(f"{batch.key} sent again: {status} {body[:200]!r}, not a replay")

    async def _until_answered(self, connection, batch):
        fields = {"Content-Type": batch.kind, "Idempotency-Key": f'"{batch.key}"',
                  "X-Tenant": plan.TENANTS[batch.table], "X-Batch-Rows": batch.rows}
        for tries in range(1, TRIES + 1):
            try:
                status, received, body = await asyncio.wait_for(
                    connection.exchange(f"{self.prefix}/load/{batch.table}", fields, batch),
                    self.options.timeout)
            except (OSError, Broken, asyncio.TimeoutError) as why:
                status, received, body = 0, {}, repr(why).encode()
            self.answers[str(status or "lost")] += 1
            pause = self._pause(status, received, tries)
            if pause is None or tries == TRIES:
                return status, received, body
            self.again += 1
            await asyncio.sleep(pause)

    def _pause(self, status, fields, tries):
        """Seconds until the batch is sent again; None when the answer is final."""
        if status in OVERLOADED:
            self.waits += 1
            return float(fields.get("retry-after", "1"))
        if status in LOST or status == 0:
            self.errors[str(status or "lost")] += 1
            return min(5, 0.1 * tries) if sum(self.errors.values()) < 1000 else None
        return None

    def summary(self, seconds):
        """What happened, and what has to be true of the database now."""
        took = sorted(self.seconds) or [0]
        expected = plan.expectation(
            plan.batches(self.options.rows, self.options.seed, self.options.batch))
        return {
            "seed": self.options.seed, "rows": self.total, "batch": self.options.batch,
            "seconds": round(seconds, 2), "expected": expected,
            "answered": {"tables": self.tables, "broken_batches": self.refused,
                         "repeated_batches": self.repeated},
            "answers": dict(self.answers), "sent_again": self.again, "told_to_wait": self.waits,
            "errors_seen": dict(self.errors), "failures": self.failures[:100],
            "workers": dict(sorted(self.workers.items())),
            "batch_seconds": {"mean": round(statistics.fmean(took), 3),
                              "p50": round(took[len(took) // 2], 3),
                              "p99": round(took[len(took) * 99 // 100], 3),
                              "max": round(took[-1], 3)},
        }


def in_short(feed, summary, good):
    """One line for whoever reads no JSON."""
    tables = summary["answered"]["tables"].values()
    loaded, rows = (sum(t[key] for t in tables) for key in ("batches", "rows"))
    verdict = "as planned" if good else "NOT AS PLANNED"
    return (f"{verdict}: {loaded} batches with {rows} rows loaded,"
            f" {feed.refused} broken ones refused, {feed.repeated} sent twice and not loaded twice,"
            f" in {summary['seconds']} s")


def arguments():
    parser = argparse.ArgumentParser(description="feed the example data through weir")
    parser.add_argument("--url", help="weir's front door")
    parser.add_argument("--plan", action="store_true", help="only print what would be expected")
    parser.add_argument("--rows", type=int, help="of all tables together; default: the real data")
    parser.add_argument("--seed", type=int, default=plan.SEED)
    parser.add_argument("--batch", type=int, default=20, help="rows of a batch, on average")
    parser.add_argument("--at-once", type=int, default=32, help="batches under way at any time")
    parser.add_argument("--timeout", type=float, default=300, help="seconds for one answer")
    parser.add_argument("--summary", help="file for the summary; default: standard output")
    options = parser.parse_args()
    if not options.plan and not options.url:
        parser.error("--url is missing")
    return options


def main():
    options = arguments()
    if options.plan:
        some = plan.batches(options.rows, options.seed, options.batch)
        print(json.dumps(plan.expectation(some), indent=2))
        return 0
    feed, started = Feed(options), time.monotonic()
    asyncio.run(feed.run())
    summary = feed.summary(time.monotonic() - started)
    with open(options.summary or "/dev/stdout", "w", encoding="utf-8") as file:
        json.dump(summary, file, indent=2)
        file.write("\n")
    good = summary["answered"] == summary["expected"] and not feed.failures
    print(in_short(feed, summary, good), file=sys.stderr)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
