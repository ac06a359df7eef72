#!/usr/bin/env python3
"""Counts the database of the example workers against the source: every row of it exactly once,
rejects as planned, and nothing of a broken batch. Reads SQLite or PostgreSQL, changes nothing.
Prints a JSON report; exits 1 when something is missing, double or wrong.
"""
import argparse
import json
import sqlite3
import sys

import plan

# A column that says which row it is, and the field it came from: the rows' content is compared too.
TELLTALE = {"airports": ("iata", "iata"), "zipcodes": ("zip_code", "zip_code"),
            "birdstrikes": ("flight_date", "Flight Date")}


def connect(url):
    if url.startswith(("postgresql://", "postgres://")):
        import psycopg2
        return psycopg2.connect(url)
    return sqlite3.connect(f"file:{url}?mode=ro", uri=True, timeout=60)


class Count:
    def __init__(self, connection, rows, seed, size):
        self.connection, self.rows, self.seed, self.size = connection, rows, seed, size
        self.wrong = []

    def query(self, statement):
        cursor = self.connection.cursor()
        cursor.execute(statement)
        return cursor.fetchall()

    def number(self, statement):
        return self.query(statement)[0][0]

    def check(self, what, found, expected):
        if found != expected:
            self.wrong.append(f"{what}: {found}, not {expected}")
        return found

    def report(self):
        expected = plan.expectation(plan.batches(self.rows, self.seed, self.size))
        tables = {table: self._table(table, count, expected["tables"][table])
                  for table, count in plan.sizes(self.rows).items()}
        self.check("batches in the ledger",
                   self.number("SELECT count(*) FROM batches WHERE state = 'loaded'"),
                   sum(t["batches"] for t in expected["tables"].values()))
        self.check("broken batches that loaded something",
                   self.number("SELECT count(*) FROM batches WHERE state = 'loaded'"
                               " AND key LIKE '%-broken'"), 0)
        self.check("batches whose rows are not what the ledger says", self._torn(), 0)
        return {"ok": not self.wrong, "wrong": self.wrong, "tables": tables,
                "workers": self._workers(),
                "later_attempts": self.number(
                    "SELECT count(*) FROM batches WHERE state = 'loaded' AND attempt > 1")}

    def _table(self, table, count, expected):
        missing, double, strange = set(range(1, count + 1)), 0, 0
        column, field = TELLTALE[table]
        missing -= {k for k in missing if not plan.usable(table, plan.row(table, k, self.seed))}
        rows = self.query(f"SELECT source_row, {column} FROM {table}")
        seen = set()
        for number, value in rows:
            double += number in seen
            seen.add(number)
            strange += (number not in missing
                        or value != plan.row(table, number, self.seed)[field])
        self.check(f"{table}: rows", len(rows), expected["rows"])
        self.check(f"{table}: rows missing", len(missing - seen), 0)
        self.check(f"{table}: rows loaded twice", double, 0)
        self.check(f"{table}: rows that are not the source's", strange, 0)
        rejects = self.number(f"SELECT count(*) FROM rejects WHERE table_name = '{table}'")
        self.check(f"{table}: rejects", rejects, expected["rejects"])
        return {"rows": len(rows), "missing": len(missing - seen), "double": double,
                "rejects": rejects}

    def _torn(self):
        """Batches of which a part is there, or more than the ledger counted."""
        parts = [f"SELECT batch, 1 AS loaded, 0 AS rejected FROM {table}" for table in TELLTALE]
        parts.append("SELECT batch, 0, 1 FROM rejects")
        return self.number(f"""
            SELECT count(*) FROM batches LEFT JOIN (
                SELECT batch, sum(loaded) AS loaded, sum(rejected) AS rejected
                FROM ({' UNION ALL '.join(parts)}) AS parts GROUP BY batch) AS found
            ON batch = key WHERE coalesce(rows_loaded, 0) <> coalesce(loaded, 0)
                              OR coalesce(rows_rejected, 0) <> coalesce(rejected, 0)""")

    def _workers(self):
        return {worker: {"batches": batches, "rows": int(rows)} for worker, batches, rows in
                self.query("SELECT worker, count(*), sum(rows_loaded) FROM batches"
                           " WHERE state = 'loaded' GROUP BY worker ORDER BY worker")}


def main():
    parser = argparse.ArgumentParser(description="count what was loaded against the source")
    parser.add_argument("--database", required=True)
    parser.add_argument("--rows", type=int)
    parser.add_argument("--seed", type=int, default=plan.SEED)
    parser.add_argument("--batch", type=int, default=20)
    options = parser.parse_args()
    connection = connect(options.database)
    report = Count(connection, options.rows, options.seed, options.batch).report()
    connection.close()
    print(json.dumps(report, indent=2))
    return 0 if report["ok"] else 1


if __name__ == "__main__":
    sys.exit(main())
