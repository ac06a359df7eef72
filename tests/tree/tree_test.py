"""The repository keeps the house rules. Each test lists every finding at once."""

import os
import re
import statistics
import subprocess
import sys
import unittest

import rules

ROOT = os.environ.get("WEIR_SOURCE") or os.path.dirname(os.path.dirname(os.path.dirname(
    os.path.abspath(__file__))))
CODE = (".cpp", ".hpp", ".py", ".sh")
# Sources whose test is elsewhere, and why.
MIRROR_EXCEPTIONS = {
    "src/main.cpp": "tests/e2e runs it",
    "src/app/instance.cpp": "tests/e2e runs it: start, drain, both signals",
    "src/app/remote.cpp": "tests/e2e/cli_test.py runs every verb",
    "src/app/serve.cpp": "tests/e2e runs it",
    "src/config/reading.cpp": "tests/config/reader_test.cpp and the tables of mistakes",
    "src/config/rules.cpp": "tests/config/mistakes_*_test.cpp",
    "src/config/scalar.cpp": "tests/config/mistakes_*_test.cpp",
    "src/http/reader.cpp": "tests/http: every head goes through it",
    "src/proxy/exchange.cpp": "tests/proxy: every session has one",
    "src/proxy/hall.cpp": "tests/proxy: every session has one",
}
MIRROR_LINES_MIN = 40  # smaller ones are shown by the tests of what uses them


def listed():
    """Files that git tracks or would track; all below ROOT without .git when there is no git."""
    ask = subprocess.run(["git", "-C", ROOT, "ls-files", "-co", "--exclude-standard"],
                         capture_output=True, text=True, check=False)
    if ask.returncode == 0:
        names = ask.stdout.splitlines()
    else:
        names = [os.path.relpath(os.path.join(folder, name), ROOT)
                 for folder, _, files in os.walk(ROOT) for name in files]
    skip = ("build/", ".git/", "state/")
    return sorted(n for n in names if not n.startswith(skip) and os.path.isfile(f"{ROOT}/{n}"))


def read(name):
    with open(os.path.join(ROOT, name), encoding="utf-8", errors="replace") as file:
        return file.read()


FILES = listed()


def select(folders, endings):
    return [n for n in FILES if n.startswith(folders) and n.endswith(endings)]


def lines_of(names):
    return sum(read(n).count("\n") for n in names)


class TreeTest(unittest.TestCase):
    def check(self, rule, names):
        self.assertTrue(names, "a rule over no file shows nothing")
        found = [finding for name in names for finding in rule(name, read(name))]
        self.report(found)

    def report(self, found):
        if found:
            self.fail("\n  " + "\n  ".join(found))

    def test_a_room_includes_only_rooms_below_it(self):
        self.check(rules.include_direction, select(("src/",), (".cpp", ".hpp")))

    def test_tests_of_a_room_include_only_what_the_room_may(self):
        names = [n for n in select(("tests/",), (".cpp", ".hpp"))
                 if n.count("/") > 1 and n.split("/")[1] in rules.ROOMS]
        self.check(rules.include_direction, names)

    def test_cmake_links_a_room_only_to_rooms_below_it(self):
        found = []
        calls = re.findall(r"^weir_room\((\w+)(.*?)\)", read("CMakeLists.txt"), re.M | re.S)
        self.assertGreater(len(calls), 5)
        for room, arguments in calls:
            rooms = re.search(r"ROOMS([^A-Z]*)", arguments)
            linked = set(rooms.group(1).split()) if rooms else set()
            extra = linked - rules.ROOMS.get(room, set())
            found += [f"CMakeLists.txt: {room} must not link {other}" for other in sorted(extra)]
        self.assertEqual(found, [])

    def test_core_touches_no_clock_chance_io_lock_or_exception(self):
        self.check(rules.pure_core, select(("src/core/",), (".cpp", ".hpp")))

    def test_files_are_short(self):
        self.check(rules.file_length, [n for n in FILES if n.endswith(CODE)])

    def test_functions_are_short(self):
        self.check(rules.function_length, [n for n in FILES if n.endswith((".cpp", ".hpp", ".py"))])

    def test_the_median_function_is_short(self):
        lengths = [lines for name in select(("src/",), (".cpp", ".hpp"))
                   for _, _, lines in rules.function_lengths(name, read(name))]
        self.assertLessEqual(statistics.median(lengths), rules.FUNCTION_LINES_MEDIAN_MAX)

    def test_lines_fit_a_hundred_columns(self):
        self.check(rules.columns, [n for n in FILES if n.endswith(CODE)])

    def test_headers_open_with_what_they_are(self):
        self.check(rules.opening_comment, select(("src/",), (".hpp",)))

    def test_headers_are_read_once(self):
        self.check(rules.pragma_once, [n for n in FILES if n.endswith(".hpp")])

    def test_no_name_begins_with_get(self):
        self.check(rules.no_getters, select(("src/", "tests/", "loadtests/"), (".cpp", ".hpp")))

    def test_no_test_sleeps(self):
        names = select(("tests/",), (".cpp", ".hpp", ".py", ".sh"))
        self.check(rules.no_sleeps, [n for n in names if not n.startswith("tests/tree/rules")])

    def test_no_path_of_one_machine(self):
        self.check(rules.no_machine_paths,
                   [n for n in FILES if not n.startswith("tests/tree/rules")])

    def test_case_names_survive_discovery(self):
        self.check(rules.test_names, select(("tests/",), ("_test.cpp",)))

    def test_nothing_is_left_unfinished(self):
        self.check(rules.unfinished, [n for n in FILES if n.endswith(CODE + (".md", ".txt"))])

    def test_links_between_documents_lead_somewhere(self):
        def rule(name, text):
            return rules.dead_links(name, text, lambda n: os.path.exists(os.path.join(ROOT, n)))
        self.check(rule, [n for n in FILES if n.endswith(".md")])

    def test_the_readme_is_short(self):
        self.assertLess(read("README.md").count("\n"), rules.README_LINES_MAX)

    def test_every_source_has_its_test(self):
        """A test file of its name, or one that includes its header; a part of another's class (no
        header of its own) is shown by that one's tests."""
        included = set(re.findall(r'#include "([^"]+)"',
                                  "".join(map(read, select(("tests/",), (".cpp", ".hpp"))))))
        found = []
        for name in select(("src/",), (".cpp",)):
            if name in MIRROR_EXCEPTIONS or lines_of([name]) < MIRROR_LINES_MIN:
                continue
            stem = name[len("src/"):-len(".cpp")]
            if f"src/{stem}.hpp" not in FILES or f"{stem}.hpp" in included:
                continue
            mirror = re.compile(rf"tests/{re.escape(stem)}(_\w+)?_test\.cpp$")
            if not any(mirror.match(n) for n in FILES):
                found.append(f"{name}: no tests/{stem}_test.cpp")
        self.report(found)

    def test_exceptions_name_files_that_exist(self):
        self.assertEqual([n for n in MIRROR_EXCEPTIONS if n not in FILES], [])

    def test_there_are_as_many_lines_of_tests_as_of_source(self):
        table = []
        rooms = sorted({n.split("/")[1] for n in select(("src/",), (".cpp", ".hpp"))
                        if n.count("/") > 1})
        for room in rooms:
            source = lines_of(select((f"src/{room}/",), (".cpp", ".hpp")))
            tests = lines_of(select((f"tests/{room}/",), (".cpp", ".hpp")))
            wanted = 1.5 if room == "core" else 1.0
            mark = "" if tests >= wanted * source else f"   below {wanted}"
            table.append(f"  {room:10} {source:6} source {tests:6} tests "
                         f"{tests / max(1, source):5.2f}{mark}")
        print("lines by room:\n" + "\n".join(table), file=sys.stderr)
        source = lines_of(select(("src/",), (".cpp", ".hpp")))
        tests = lines_of(select(("tests/",), (".cpp", ".hpp", ".py")))
        self.assertGreaterEqual(tests, source, "\n" + "\n".join(table))


if __name__ == "__main__":
    unittest.main()
