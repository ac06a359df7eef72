"""The house rules as functions: each takes a path and its text and returns findings, one line each.

tree_test.py applies them to the repository, rules_test.py shows that each can fail.
"""

import ast
import posixpath
import re

import cpp

# A room and those it may include: design rule "decisions below, I/O above". Upward never.
ROOMS = {
    "base": set(),
    "core": {"base"},
    "config": {"core", "base"},
    "http": {"base"},
    "net": {"http", "base"},
    "store": {"core", "base"},
    "telemetry": {"base"},
    "sim": {"core", "config", "base"},
}
LOWER = {"net", "http", "store", "config", "telemetry", "core", "base"}
ROOMS.update({room: set(LOWER) for room in ("proxy", "probe", "scale", "admin")})
ROOMS["app"] = set(ROOMS)
ROOMS["main"] = {"app", "base"}

FILE_LINES_MAX = 500
FUNCTION_LINES_MAX = 70
TABLE_LINES_MAX = 200
FUNCTION_LINES_MEDIAN_MAX = 8
COLUMNS_MAX = 100
OPENING_LINES = (2, 8)
README_LINES_MAX = 150

# What core must not touch: the standard library's and the libraries' ways to a clock, to chance, to
# the world outside, to other threads and to exceptions. (<chrono> has types too: only its clocks.)
CORE_HEADERS = re.compile(
    r"^(atomic|barrier|condition_variable|cstdio|ctime|coroutine|exception|execution|fcntl\.h"
    r"|filesystem|fstream|future|iostream|istream|latch|mutex|netdb\.h|netinet/.*|new|ostream"
    r"|poll\.h|pthread\.h|random|semaphore|shared_mutex|signal\.h|csignal|sqlite3\.h|stdexcept"
    r"|stdio\.h|stop_token|sys/.*|syncstream|thread|time\.h|unistd\.h|openssl/.*|spdlog/.*"
    r"|prometheus/.*|yaml-cpp/.*|boost/(asio|beast|json|url|thread|filesystem|process).*)$")
CORE_WORDS = re.compile(
    r"\b(system_clock|steady_clock|high_resolution_clock|random_device|mt19937(_64)?|srand|getenv"
    r"|mutex|lock_guard|unique_lock|scoped_lock|shared_lock|call_once|thread_local|atomic\w*"
    r"|throw|try|catch|clock_gettime|gettimeofday|printf|fprintf|cout|cerr|clog|fopen|ifstream"
    r"|ofstream|socket|asio|beast|YAML|prometheus|spdlog|co_await|co_return|co_yield)\b"
    r"|\brand\s*\(|\btime\s*\(\s*(nullptr|NULL|0)\s*\)")

# Words that make a test wait for time instead of for a condition.
SLEEPS = re.compile(
    r"\bsleep_(for|until)\b|(?<![.\w])sleep\s*\(\s*\d|\bnanosleep\b|\btime\.sleep\b|\busleep\b"
    r"|\basyncio\.sleep\s*\((?!\s*0\s*\))|^[ \t]*sleep[ \t]+[\d.]", re.MULTILINE)

# Folders of the machine that something was written on.
MACHINE_PATHS = re.compile(r"(?<![\w.~$}*-])/(work|home|root|Users)/[\w.]")

GETTERS = re.compile(r"(?<![\w:.>])get_(?!return_object\b)\w+\s*\(")  # which C++ wants so
TEST_NAMES = re.compile(r'\bTEST_CASE\s*\(\s*((?:"(?:[^"\\]|\\.)*"\s*)+)')


def room_of(path):
    """The room of src/<room>/x or tests/<room>/x; `main` for src/main.cpp."""
    parts = path.split("/")
    return "main" if parts[:2] == ["src", "main.cpp"] else parts[1]


def include_direction(path, text):
    room = room_of(path)
    allowed = ROOMS.get(room)
    if allowed is None:
        return [f"{path}: no such room in the table: {room}"]
    found = []
    for number, header in cpp.quoted_includes(text):
        target = header.split("/")[0]
        if "/" not in header or target not in ROOMS:
            if path.startswith("src/"):
                found.append(f'{path}:{number}: "{header}": name ours as "room/file.hpp"')
        elif target != room and target not in allowed:
            found.append(f"{path}:{number}: {room} must not include {target} ({header})")
    return found


def pure_core(path, text):
    found = [f"{path}:{number}: core must not include <{header}>"
             for number, header in cpp.system_includes(text) if CORE_HEADERS.match(header)]
    for number, line in enumerate(cpp.code_only(text).split("\n"), 1):
        match = None if line.lstrip().startswith("#") else CORE_WORDS.search(line)
        if match:
            found.append(f"{path}:{number}: core must not use `{match.group().strip()}`")
    return found


def file_length(path, text):
    lines = text.count("\n")
    return [f"{path}: {lines} lines, {FILE_LINES_MAX} at most"] if lines > FILE_LINES_MAX else []


def function_lengths(path, text):
    """(name, first line, lines) of every function of a .cpp, .hpp or .py."""
    if not path.endswith(".py"):
        return cpp.functions(text)
    nodes = (n for n in ast.walk(ast.parse(text))
             if isinstance(n, (ast.FunctionDef, ast.AsyncFunctionDef)))
    return [(n.name, n.lineno, n.end_lineno - n.lineno + 1) for n in nodes]


def function_length(path, text):
    """A test case may hold a long table: its rows are data."""
    def most(name):
        return TABLE_LINES_MAX if name == "TEST_CASE" else FUNCTION_LINES_MAX
    return [f"{path}:{line}: {name} has {lines} lines, {most(name)} at most"
            for name, line, lines in function_lengths(path, text) if lines > most(name)]


def columns(path, text):
    return [f"{path}:{number}: {len(line)} columns, {COLUMNS_MAX} at most"
            for number, line in enumerate(text.split("\n"), 1) if len(line) > COLUMNS_MAX]


def opening_comment(path, text):
    lines = text.split("\n")
    opening = next((i for i, line in enumerate(lines) if not line.startswith("//")), len(lines))
    low, high = OPENING_LINES
    if low <= opening <= high:
        return []
    return [f"{path}:1: opens with {opening} comment lines, wanted {low} to {high}: "
            "what it is, who calls it, on which thread, its invariants"]


def pragma_once(path, text):
    return [] if re.search(r"^#pragma once$", text, re.MULTILINE) else [f"{path}: no #pragma once"]


def no_getters(path, text):
    return [f"{path}:{number}: `{match.group().rstrip('( ')}`: name it without get_"
            for number, line in enumerate(cpp.code_only(text).split("\n"), 1)
            for match in GETTERS.finditer(line)]


def no_sleeps(path, text):
    code = cpp.code_only(text, keep_strings=True) if path.endswith((".cpp", ".hpp")) else text
    return [f"{path}:{code.count(chr(10), 0, m.start()) + 1}: `{m.group().strip()}`: "
            "wait for a condition with a deadline" for m in SLEEPS.finditer(code)]


def no_machine_paths(path, text):
    return [f"{path}:{text.count(chr(10), 0, m.start()) + 1}: a path of one machine: {m.group()}…"
            for m in MACHINE_PATHS.finditer(text)]


def test_names(path, text):
    """ctest's discovery drops or merges cases whose names hold brackets, `;` or backslashes."""
    found = []
    for match in TEST_NAMES.finditer(text):
        name = "".join(re.findall(r'"((?:[^"\\]|\\.)*)"', match.group(1)))
        line = text.count("\n", 0, match.start()) + 1
        if re.search(r"[\[\];\\]", name):
            found.append(f"{path}:{line}: name without brackets, `;` and `\\`: {name!r}")
    return found


def dead_links(path, text, exists):
    """Links of a Markdown file to files of the repository that are not there. `exists`: of a path
    from the root."""
    found = []
    for match in re.finditer(r"\]\(([^()\s]+)\)", text):
        target = match.group(1).split("#")[0]
        if not target or re.match(r"[a-z]+:", target):
            continue
        full = posixpath.normpath(posixpath.join(posixpath.dirname(path), target))
        if not exists(full):
            line = text.count("\n", 0, match.start()) + 1
            found.append(f"{path}:{line}: a link to what is not there: {target}")
    return found


def unfinished(path, text):
    words = "|".join(("TO" + "DO", "FIX" + "ME", "X" * 3, "HA" + "CK"))
    return [f"{path}:{text.count(chr(10), 0, m.start()) + 1}: unfinished: {m.group()}"
            for m in re.finditer(rf"\b({words})\b", text)]
