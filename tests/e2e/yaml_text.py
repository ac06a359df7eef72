"""Plain dicts, lists and scalars as block YAML, the way people write it (the standard library has
no YAML)."""

import json
import re

_PLAIN = re.compile(r"^[A-Za-z0-9/.][A-Za-z0-9_./%+-]*(:[A-Za-z0-9_./%+-]+)*$")
_SPECIAL = {"true", "false", "null", "yes", "no", "on", "off"}


def scalar(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, (int, float)):
        return str(value)
    plain = _PLAIN.match(value) and value.lower() not in _SPECIAL
    return value if plain and not re.fullmatch(r"[\d.]+", value) else json.dumps(value)


def dump(value, indent=0):
    pad = " " * indent
    if isinstance(value, dict) and value:
        return "".join(_entry(f"{pad}{scalar(key)}:", item, indent) for key, item in value.items())
    if isinstance(value, list) and value:
        return "".join(_item(pad, item, indent) for item in value)
    return pad + ({} == value and "{}" or [] == value and "[]" or scalar(value)) + "\n"


def _entry(start, item, indent):
    if isinstance(item, (dict, list)) and item:
        return f"{start}\n{dump(item, indent + 2)}"
    return f"{start} {dump(item).strip()}\n"


def _item(pad, item, indent):
    return f"{pad}- {dump(item, indent + 2).lstrip()}"
