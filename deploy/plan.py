"""The batches that the quickstart feeds: the three real data sets of data/, cut into thousands of
batches, with broken rows and broken batches added on purpose, all drawn from one seed.

The same seed gives the same bytes. Row k of a table is row k of its source; beyond the source's end
(`rows` larger than it) it is a varied copy of an earlier one. Shares, as README.md documents them:
one row in 50 is followed by a broken copy of itself, which has to be rejected; one batch in 40 is
followed by one whose structure is broken (422, nothing loaded), and one in 40 is sent twice.
"""
import csv
import datetime
import functools
import heapq
import io
import json
import lzma
import pathlib
import random
from typing import NamedTuple

DATA = pathlib.Path(__file__).parent / "data"
SEED = 1990
ROWS_PER_BROKEN_ROW, BATCHES_PER_BROKEN_BATCH, BATCHES_PER_REPEAT = 50, 40, 40
TENANTS = {"airports": "data.gov", "birdstrikes": "faa", "zipcodes": "geonames"}
NDJSON, CSV = "application/x-ndjson", "text/csv"

# What makes a row one to reject: a field and a value that it must not have.
SPOILS = {
    "airports": [("iata", ""), ("iata", "TOOLONG"), ("latitude", "91.5"), ("longitude", "west"),
                 ("state", "Texas"), ("country", "")],
    "zipcodes": [("zip_code", "1234"), ("zip_code", "12 34"), ("latitude", ""), ("city", ""),
                 ("longitude", "-181"), ("row", "0")],
    "birdstrikes": [("Flight Date", "1999-02-30"), ("Flight Date", "10/19/1999"),
                    ("Cost Repair", "-5"), ("Cost Other", "1.234"), ("Wildlife Size", "Huge"),
                    ("Speed IAS in knots", "fast"), ("Airport Name", "")],
}
# Rows of the source itself that are to be rejected: damage classes "B" and "C", which the FAA does
# not define.
KNOWN_DAMAGE = ("None", "Minor", "Medium", "Substantial", "Destroyed")


class Batch(NamedTuple):
    key: str
    table: str
    kind: str            # media type
    rows: int            # in the body, whatever becomes of them
    body: bytes
    loads: int           # rows that have to be in the table afterwards
    rejects: int
    broken: str = ""     # how its structure was broken; it has to be refused with 422
    chunked: bool = False
    repeated: bool = False   # sent twice: the second answer has to be a replay


@functools.cache
def source(table):
    """The rows of a data set, as dicts in their order."""
    with lzma.open(DATA / f"{table}.csv.xz", "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def sizes(rows=None):
    """How many rows each table gets of `rows` in all: in proportion, by default its source's."""
    counts = {table: len(source(table)) for table in TENANTS}
    if rows is None:
        return counts
    total, shares, given = sum(counts.values()), {}, 0
    for place, table in enumerate(counts):
        shares[table] = counts[table] * rows // total if place + 1 < len(counts) else rows - given
        given += shares[table]
    return shares


def usable(table, record):
    return table != "birdstrikes" or record["Effect Amount of damage"] in KNOWN_DAMAGE


def row(table, number, seed=SEED):
    """Row `number` (from 1) of a table, with its number."""
    rows = source(table)
    record = {"row": str(number), **rows[(number - 1) % len(rows)]}
    return record if number <= len(rows) else _varied(table, number, record, seed)


def _varied(table, number, record, seed):
    chance = random.Random(f"{seed}/row/{table}/{number}")
    if table == "birdstrikes":
        day = datetime.date.fromisoformat(record["Flight Date"])
        record["Flight Date"] = (day + datetime.timedelta(chance.randint(1, 7000))).isoformat()
        record["Cost Total $"] = f"{chance.randint(0, 10**7) / 100:.2f}"
        return record
    for field in ("latitude", "longitude"):
        record[field] = f"{float(record[field]) * chance.uniform(0.999, 1):.6f}"
    return record


def batches(rows=None, seed=SEED, size=20):
    """All batches, the tables mixed as they would come from three sources at once."""
    streams = [_of_table(table, count, seed, size) for table, count in sizes(rows).items()]
    for _, batch in heapq.merge(*streams, key=lambda placed: placed[0]):
        yield batch


def _of_table(table, count, seed, size):
    """(place in the whole from 0 to 1, batch) of one table, broken ones included."""
    start, number = 1, 0
    while start <= count:
        number += 1
        chance = random.Random(f"{seed}/batch/{table}/{number}")
        end = min(count, start + chance.randint(size // 2, size + size // 2) - 1)
        records, rejects = _records(table, range(start, end + 1), seed, chance)
        key, kind = f"{table}-{seed}-{number:06}", chance.choice((NDJSON, CSV))
        batch = Batch(key, table, kind, len(records), _encoded(kind, records),
                      len(records) - rejects, rejects, chunked=chance.random() < 0.1,
                      repeated=chance.randrange(BATCHES_PER_REPEAT) == 0)
        yield end / count, batch
        if chance.randrange(BATCHES_PER_BROKEN_BATCH) == 0:
            yield end / count, _broken(batch, records, chance)
        start = end + 1


def _records(table, numbers, seed, chance):
    """The rows with broken copies among them, and how many of all are to be rejected."""
    records, rejects = [], 0
    for number in numbers:
        record = row(table, number, seed)
        records.append(record)
        rejects += not usable(table, record)
        if chance.randrange(ROWS_PER_BROKEN_ROW) == 0:
            field, value = chance.choice(SPOILS[table])
            records.append({**record, field: value})
            rejects += 1
    return records, rejects


def _encoded(kind, records):
    if kind == NDJSON:
        return "".join(json.dumps(record) + "\n" for record in records).encode()
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, records[0], lineterminator="\n")
    writer.writeheader()
    writer.writerows(records)
    return text.getvalue().encode()


def _broken(batch, records, chance):
    """The same rows in a batch that nothing may be loaded from."""
    body, how = batch.body, chance.choice(("cut", "not UTF-8", "structure"))
    if how == "not UTF-8":
        body = body[:-1] + b" \xff\xfe\n"
    elif how == "cut" and batch.kind == NDJSON:
        body = body[:-chance.randint(3, 20)]
    elif batch.kind == NDJSON:
        body = json.dumps(records).encode()                 # one array in place of lines
    elif how == "cut":
        body = body + b'1,"cut in the middle of a quoted fie'
    else:
        body = body.split(b"\n", 1)[1]                      # without its header
    return batch._replace(key=batch.key + "-broken", body=body, loads=0, rejects=0, broken=how,
                          repeated=False)


def expectation(some):
    """What has to be true after these batches went through."""
    tables = {table: {"batches": 0, "rows": 0, "rejects": 0} for table in TENANTS}
    broken = repeated = 0
    for batch in some:
        if batch.broken:
            broken += 1
            continue
        count = tables[batch.table]
        count["batches"] += 1
        count["rows"] += batch.loads
        count["rejects"] += batch.rejects
        repeated += batch.repeated
    return {"tables": tables, "broken_batches": broken, "repeated_batches": repeated}
