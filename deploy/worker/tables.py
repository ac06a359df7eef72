"""What the example worker accepts: three tables, their columns, and how a field becomes a value.

A batch is text in, rows out. `parse` reads the structure of a batch (raises Broken: nothing of it
can be trusted) and `transform` turns one record into the values of its table (raises ValueError
with the reason: that row alone is rejected). To load your own data, write your own TABLES.
"""
import csv
import datetime
import io
import json
import re


class Broken(Exception):
    """The structure of a batch cannot be read, so none of its rows is loaded."""


def text(longest, pattern=None):
    def convert(value):
        if len(value) > longest:
            raise ValueError(f"longer than {longest} characters")
        if not value.isprintable():
            raise ValueError(f"{value!r} has control characters")
        if pattern and not re.fullmatch(pattern, value):
            raise ValueError(f"{value!r} does not look like {pattern}")
        return value
    return "TEXT", convert


def choice(*names):
    known = {name.lower(): name for name in names}

    def convert(value):
        if value.lower() not in known:
            raise ValueError(f"{value!r} is none of {', '.join(names)}")
        return known[value.lower()]
    return "TEXT", convert


def integer(low, high):
    def convert(value):
        if not re.fullmatch(r"-?[0-9]{1,18}", value):
            raise ValueError(f"{value!r} is not a whole number")
        if not low <= int(value) <= high:
            raise ValueError(f"{value} is outside {low}..{high}")
        return int(value)
    return "BIGINT", convert


def decimal(low, high):
    def convert(value):
        if not re.fullmatch(r"-?[0-9]{1,18}(\.[0-9]{1,18})?(e-?[0-9]{1,2})?", value):
            raise ValueError(f"{value!r} is not a decimal number")
        if not low <= float(value) <= high:
            raise ValueError(f"{value} is outside {low}..{high}")
        return float(value)
    return "DOUBLE PRECISION", convert


def cents(value):
    """Money is counted in cents, never in floating point: "1,234.5" is 123450."""
    match = re.fullmatch(r"([0-9]{1,3}(?:,[0-9]{3})+|[0-9]{1,15})(?:\.([0-9]{1,2}))?", value)
    if not match:
        raise ValueError(f"{value!r} is not an amount of money")
    return int(match[1].replace(",", "")) * 100 + int((match[2] or "").ljust(2, "0"))


def iso_date(value):
    if not re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", value):
        raise ValueError(f"{value!r} is not a date YYYY-MM-DD")
    return datetime.date.fromisoformat(value).isoformat()   # refuses 2001-02-30


MONEY, DATE, ROW = ("BIGINT", cents), ("TEXT", iso_date), integer(1, 10**15)
LATITUDE, LONGITUDE = decimal(-90, 90), decimal(-180, 180)

# table: (column, field of the source, (SQL type, conversion), may be empty). source_row is
# the place of a row in its source: they have true duplicates, so that nothing else names a row.
TABLES = {
    "airports": [
        ("source_row", "row", ROW, False),
        ("iata", "iata", text(4, "[A-Z0-9]{3,4}"), False),
        ("name", "name", text(80), False),
        ("city", "city", text(80), True),
        ("state", "state", text(2, "[A-Z]{2}"), True),
        ("country", "country", text(60), False),
        ("latitude", "latitude", LATITUDE, False),
        ("longitude", "longitude", LONGITUDE, False),
    ],
    "zipcodes": [
        ("source_row", "row", ROW, False),
        ("zip_code", "zip_code", text(5, "[0-9]{5}"), False),
        ("latitude", "latitude", LATITUDE, False),
        ("longitude", "longitude", LONGITUDE, False),
        ("city", "city", text(80), False),
        ("state", "state", text(2, "[A-Z]{2}"), False),
        ("county", "county", text(80), True),
    ],
    "birdstrikes": [
        ("source_row", "row", ROW, False),
        ("airport", "Airport Name", text(80), False),
        ("aircraft", "Aircraft Make Model", text(40), False),
        ("damage", "Effect Amount of damage",
         choice("None", "Minor", "Medium", "Substantial", "Destroyed"), False),
        ("flight_date", "Flight Date", DATE, False),
        ("operator", "Aircraft Airline Operator", text(80), False),
        ("origin_state", "Origin State", text(40), True),
        ("phase", "Phase of flight", text(40), True),
        ("wildlife_size", "Wildlife Size", choice("Small", "Medium", "Large"), True),
        ("species", "Wildlife Species", text(80), True),
        ("time_of_day", "Time of day", choice("Dawn", "Day", "Dusk", "Night"), True),
        ("cost_other_cents", "Cost Other", MONEY, True),
        ("cost_repair_cents", "Cost Repair", MONEY, True),
        ("cost_total_cents", "Cost Total $", MONEY, True),
        ("speed_knots", "Speed IAS in knots", integer(0, 1000), True),
    ],
}
EMPTY, LONGEST = ("", "NA"), 200


def transform(table, record):
    """The values of one row in the order of its table's columns."""
    if None in record:
        raise ValueError("more fields than the header has")
    return [_value(record.get(field), field, convert, may_be_empty)
            for _, field, (_, convert), may_be_empty in TABLES[table]]


def _value(value, field, convert, may_be_empty):
    if isinstance(value, (dict, list, bool)):
        raise ValueError(f"{field}: not a text or number")
    trimmed = " ".join(str(value).split()) if value is not None else ""
    if len(trimmed) > LONGEST:
        raise ValueError(f"{field}: longer than any value may be")
    if trimmed in EMPTY:
        if may_be_empty:
            return None
        raise ValueError(f"{field}: missing")
    try:
        return convert(trimmed)
    except ValueError as why:
        raise ValueError(f"{field}: {why}") from None


def parse(table, media_type, body):
    """The records of a batch, as (raw text, dict) in their order."""
    try:
        whole = body.decode("utf-8")
    except UnicodeDecodeError as why:
        raise Broken(f"not UTF-8 at byte {why.start}") from None
    records = _ndjson(whole) if media_type == "application/x-ndjson" else _csv(table, whole)
    if not records:
        raise Broken("a batch without a row")
    return records


def _ndjson(whole):
    records = []
    for number, line in enumerate(whole.split("\n"), 1):
        if not line.strip():
            continue
        try:
            record = json.loads(line)
        except (ValueError, RecursionError):
            raise Broken(f"line {number} is not JSON") from None
        if not isinstance(record, dict):
            raise Broken(f"line {number} is not a JSON object")
        records.append((line, record))
    return records


def _csv(table, whole):
    reader = csv.DictReader(io.StringIO(whole, newline=""), strict=True)
    try:
        missing = {field for _, field, _, _ in TABLES[table]} - set(reader.fieldnames or ())
        if missing:
            raise Broken(f"the header lacks {', '.join(sorted(missing))}")
        return [(json.dumps(list(record.values())), record) for record in reader]
    except csv.Error as why:
        raise Broken(f"line {reader.line_num}: {why}") from None
