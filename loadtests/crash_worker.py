"""The workers of crash.py: a warehouse in which every effect is a row, and a script for fake
workers that load into it as the example worker does (fenced by Weir-Attempt, once for each key),
and that fail, hang up, lose their answers and take their time.
"""

import hashlib
import sqlite3

SHARES = {  # of attempts
    "none": 70, "slow": 10, "fail": 6, "hang up": 4, "cut": 2, "answer lost": 5, "fail late": 3,
}


class Warehouse:
    """One transaction an effect. Nothing here is unique but what the rules of a worker need: an
    effect that happens twice shall show."""

    def __init__(self, path):
        self.base = sqlite3.connect(path, isolation_level=None)
        self.base.executescript("""
            PRAGMA synchronous = OFF;
            CREATE TABLE fences(batch TEXT PRIMARY KEY, attempt INTEGER);
            CREATE TABLE loaded(key TEXT PRIMARY KEY);
            CREATE TABLE effects(marker TEXT, batch TEXT, attempt INTEGER);""")

    def close(self):
        self.base.close()

    def claim(self, batch, attempt):
        """From here on no earlier attempt of the batch can load."""
        self.base.execute("INSERT INTO fences VALUES(?, ?) ON CONFLICT(batch) DO UPDATE "
                          "SET attempt = max(attempt, excluded.attempt)", (batch, attempt))

    def load(self, batch, attempt, key, marker):
        """False: fenced off. True: the effect is there, by this attempt or an earlier one."""
        self.base.execute("BEGIN IMMEDIATE")
        newest, = self.base.execute("SELECT attempt FROM fences WHERE batch = ?",
                                    (batch,)).fetchone()
        if newest == attempt and self.base.execute("INSERT OR IGNORE INTO loaded VALUES(?)",
                                                   (key,)).rowcount:
            self.base.execute("INSERT INTO effects VALUES(?, ?, ?)", (marker, batch, attempt))
        self.base.execute("COMMIT")
        return newest == attempt

    def effects(self):
        return [marker for marker, in self.base.execute("SELECT marker FROM effects")]


class Script:
    """What a worker does with a request (fake_worker.py). All share the books and the warehouse."""

    def __init__(self, books, warehouse, random):
        self.books, self.warehouse, self.random = books, warehouse, random
        self.draw_faults(True)

    def draw_faults(self, wanted):
        self.shares = SHARES if wanted else {"none": 1}

    async def __call__(self, request, reply):
        batch, key = request.field("Weir-Batch-Id"), request.field("Idempotency-Key")
        marker, number = request.field("X-Marker"), int(request.field("Weir-Attempt") or 0)
        reply.worker.requests.clear()  # bodies, of which nobody wants to know later
        attempt = self.books.begun(batch, number, key, marker, lambda: connected(reply.writer))
        try:
            fault, = self.random.choices(list(self.shares), list(self.shares.values()))
            if request.field("X-Doomed"):
                fault = "fail"
            self.warehouse.claim(batch, number)
            status = await self._work(request, reply, fault, (batch, number, key, marker))
        finally:
            self.books.ended(attempt)
        if status is None:
            reply.reset()
        else:
            await reply.send(status, body=marker.encode() if status == 200 else b"")

    async def _work(self, request, reply, fault, line):
        """The status to answer with, or None to hang up."""
        if fault == "cut":
            async for _ in request.pieces():
                return None
        await request.body()
        self.books.body_was(line[0], request.digest.hexdigest() == request.field("X-Sha256"))
        if fault == "slow":
            await reply.worker.serve_for(self.random.uniform(0.01, 0.5))
        if fault in ("fail", "hang up"):
            return 500 if fault == "fail" else None
        if not self.warehouse.load(*line):
            return 409
        return {"answer lost": None, "fail late": 500}.get(fault, 200)


def connected(writer):
    """Whether the peer still holds the connection: tcp(7), TCP_INFO begins with the state."""
    sock = writer.get_extra_info("socket")
    try:
        return sock.getsockopt(6, 11, 1) == b"\1"  # IPPROTO_TCP, TCP_INFO: TCP_ESTABLISHED
    except (OSError, AttributeError):
        return False


def digest(body):
    return hashlib.sha256(body).hexdigest()
