"""The example worker's database: rows, rejects and the ledger of batches, one transaction a batch.

Exactly once in effect comes from the ledger. A batch is known by its key; its rows and its ledger
line are committed together, so a worker killed at any moment leaves all or nothing, and a batch
that comes again finds its line and gets the stored answer. Weir-Attempt is a fencing token: once
attempt n of a batch was seen, attempt n-1 (a slow worker that weir gave up on) can commit no more.

SQLite by default; a PostgreSQL URL uses psycopg2. The statements are the same for both.
"""
import json
import os
import signal
import sqlite3
from typing import NamedTuple

from tables import TABLES

LEDGER = """
CREATE TABLE IF NOT EXISTS batches(
  key TEXT PRIMARY KEY, batch_id TEXT NOT NULL, attempt BIGINT NOT NULL, fingerprint TEXT NOT NULL,
  state TEXT NOT NULL, table_name TEXT NOT NULL, worker TEXT NOT NULL,
  rows_loaded BIGINT, rows_rejected BIGINT, answer TEXT, loaded_at TEXT);
CREATE TABLE IF NOT EXISTS rejects(
  batch TEXT NOT NULL, line BIGINT NOT NULL, table_name TEXT NOT NULL, reason TEXT NOT NULL,
  raw TEXT NOT NULL);
"""


def schema():
    """All tables. source_row is not unique: a row loaded twice shall show, not be hidden."""
    tables = [f"CREATE TABLE IF NOT EXISTS {name}(batch TEXT NOT NULL, "
              + ", ".join(f"{column} {kind[0]}" for column, _, kind, _ in columns) + ");"
              for name, columns in TABLES.items()]
    return LEDGER + "\n".join(tables)


class Refused(Exception):
    """The ledger forbids this attempt: (HTTP status, why)."""


class Claim(NamedTuple):
    """Who asks: the batch's key, the id and attempt that weir gave it, and what it contains."""
    key: str
    batch_id: str
    attempt: int
    fingerprint: str
    table: str
    worker: str


class Store:
    """One connection, used by one batch at a time."""

    def __init__(self, url):
        self.url = url
        self.postgres = url.startswith(("postgresql://", "postgres://"))
        self.connection = None
        self.crash = False      # a fault for demonstration: die halfway through the next batch

    def open(self):
        self.connection = self._postgres() if self.postgres else self._sqlite()
        return self

    def _sqlite(self):
        connection = sqlite3.connect(self.url, timeout=60, isolation_level=None,
                                     check_same_thread=False)
        connection.execute("PRAGMA journal_mode=WAL")
        connection.execute("PRAGMA synchronous=FULL")
        connection.executescript("BEGIN IMMEDIATE;" + schema() + "COMMIT;")
        return connection

    def _postgres(self):
        import psycopg2
        connection = psycopg2.connect(self.url)
        with connection, connection.cursor() as cursor:   # one at a time: IF NOT EXISTS may race
            cursor.execute("SELECT pg_advisory_xact_lock(778337)")
            cursor.execute(schema())
        return connection

    def close(self):
        if self.connection is not None:
            self.connection.close()
            self.connection = None

    def _execute(self, statement, values=()):
        cursor = self.connection.cursor()
        cursor.execute(statement.replace("?", "%s") if self.postgres else statement, values)
        return cursor

    def _insert(self, table, rows):
        for row in rows:
            self._execute(f"INSERT INTO {table} VALUES({','.join('?' * len(row))})", row)

    def _begin(self):
        if not self.postgres:                       # psycopg2 begins by itself
            self._execute("BEGIN IMMEDIATE")

    def claim(self, claim):
        """Makes a later attempt known before it works, so that the ones before it can commit no
        more. The first attempt has nobody to shut out and spares itself the transaction."""
        if claim.attempt > 1:
            return self._transaction(self._look_up, claim)
        return None

    def load(self, claim, rows, rejects, answer):
        """Commits a batch whole. Returns the answer, the stored one when it was loaded before."""
        return self._transaction(self._load, claim, rows, rejects, answer)

    def _transaction(self, work, *arguments):
        try:
            self._begin()
            result = work(*arguments)
            self.connection.commit()
            return result
        except Refused:
            self.connection.rollback()
            raise
        except Exception:
            self.close()                            # whatever state it was in: start afresh
            raise

    def _look_up(self, claim):
        """The stored answer, or None when the batch is to be loaded, with its line locked."""
        self._execute("INSERT INTO batches(key, batch_id, attempt, fingerprint, state, table_name,"
                      " worker) VALUES(?,?,?,?,'claimed',?,?) ON CONFLICT(key) DO NOTHING", claim)
        batch_id, attempt, fingerprint, answer = self._execute(
            "SELECT batch_id, attempt, fingerprint, answer FROM batches WHERE key = ?"
            + (" FOR UPDATE" if self.postgres else ""), (claim.key,)).fetchone()
        if fingerprint != claim.fingerprint:
            raise Refused(422, "this key was used for another batch")
        if batch_id == claim.batch_id and attempt > claim.attempt:   # another id: the client again
            raise Refused(409, f"attempt {attempt} of this batch was seen, this is {claim.attempt}")
        if answer is not None:
            return {**json.loads(answer), "replayed": True}
        self._execute("UPDATE batches SET batch_id = ?, attempt = ?, worker = ? WHERE key = ?",
                      (claim.batch_id, claim.attempt, claim.worker, claim.key))
        return None

    def _load(self, claim, rows, rejects, answer):
        stored = self._look_up(claim)
        if stored is not None:
            return stored
        self._insert(claim.table, [(claim.key, *row) for row in rows])
        if self.crash:
            os.kill(os.getpid(), signal.SIGKILL)
        self._insert("rejects", [(claim.key, line, claim.table, reason, raw)
                                 for line, reason, raw in rejects])
        self._execute("UPDATE batches SET state = 'loaded', rows_loaded = ?, rows_rejected = ?,"
                      " answer = ?, loaded_at = CURRENT_TIMESTAMP WHERE key = ?",
                      (len(rows), len(rejects), json.dumps(answer), claim.key))
        return answer
