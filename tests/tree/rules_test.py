"""Shows that each rule of rules.py passes what is good and fails what is not."""

import unittest

import cpp
import rules

HEADER = "// What it is.\n// Who calls it.\n#pragma once\n"


class CppTest(unittest.TestCase):
    def names(self, text):
        return [(name, lines) for name, _, lines in cpp.functions(text)]

    def test_finds_functions_at_namespace_and_class_scope(self):
        text = ("namespace a {\nstruct s : b {\n  int f() const { return 1; }\n"
                "  s(int x) noexcept\n      : a_{x}, b_(2) {\n    go();\n  }\n  int a_{0};\n};\n\n"
                "void g(int a,\n       int b) {\n  for (;;) {\n  }\n}\n}  // namespace a\n")
        self.assertEqual(self.names(text), [("f", 1), ("s", 4), ("g", 5)])

    def test_lambdas_and_initialisers_are_no_functions_of_their_own(self):
        text = ("const table rows = {{1, f(2)}, {2, 3}};\nint v{f(1)};\n"
                "void g() {\n  auto f = [](int x) {\n    return x;\n  };\n  f({1, 2});\n}\n"
                "enum class e : int { a, b };\n")
        self.assertEqual(self.names(text), [("g", 6)])

    def test_templates_operators_test_cases_and_out_of_class_members(self):
        text = ("template <class T>\nrequires ok<T>\nvoid a::b(T t) {\n}\n"
                "bool operator==(const x& a, const x& b) {\n  return true;\n}\n"
                'TEST_CASE("x { y") {\n  int b = 0;\n}\n'
                "struct t {\n  t() = default;\n  struct { int x = f(1); } in;\n"
                "  explicit operator bool() const { return true; }\n};\n")
        self.assertEqual([lines for _, lines in self.names(text)], [4, 3, 3, 1])

    def test_braces_in_comments_strings_chars_and_macros_do_not_count(self):
        text = ("void f() {\n  // {{{\n  /* { */ g(\"{\", '{', R\"(\"{)\");\n  n = 1'000'000;\n}\n"
                "#define OPEN(x) \\\n  void x() {\nvoid h() {\n}\n")
        self.assertEqual(self.names(text), [("f", 5), ("h", 2)])

    def test_function_first_line_is_its_declarator(self):
        text = "int x;\n\n// What f does.\nvoid\nf() {\n}\n"
        self.assertEqual(cpp.functions(text), [("f", 4, 3)])

    def test_code_only_keeps_lines(self):
        text = 'a; // b\n/* c\n d */ e("f\\"g");\n'
        code = cpp.code_only(text)
        self.assertEqual(code.count("\n"), text.count("\n"))
        for gone in "bcdfg":
            self.assertNotIn(gone, code)
        self.assertIn('"f\\"g"', cpp.code_only(text, keep_strings=True))

    def test_includes_with_their_lines(self):
        text = '#include "core/pool.hpp"\n\n#  include <mutex>\n// #include "x.hpp"\n'
        self.assertEqual(cpp.quoted_includes(text), [(1, "core/pool.hpp")])
        self.assertEqual(cpp.system_includes(text), [(3, "mutex")])


class RulesTest(unittest.TestCase):
    def good(self, rule, path, text):
        self.assertEqual(rule(path, text), [], text)

    def bad(self, rule, path, text, says):
        found = rule(path, text)
        self.assertEqual(len(found), 1, (text, found))
        self.assertIn(says, found[0])

    def test_include_direction(self):
        rule = rules.include_direction
        self.good(rule, "src/core/pool.cpp", '#include "core/pool.hpp"\n#include "base/ids.hpp"\n')
        self.good(rule, "src/app/app.cpp", '#include "proxy/session.hpp"\n')
        self.good(rule, "src/main.cpp", '#include "app/app.hpp"\n')
        self.good(rule, "tests/net/x_test.cpp", '#include "http/head.hpp"\n#include "help.hpp"\n')
        self.bad(rule, "src/core/pool.cpp", '#include "config/config.hpp"\n', "src/core/pool.cpp:1")
        self.bad(rule, "src/proxy/a.cpp", '#include "probe/b.hpp"\n', "proxy must not include")
        self.bad(rule, "src/http/a.hpp", '\n#include "net/b.hpp"\n', ":2: http must not")
        self.bad(rule, "src/main.cpp", '#include "proxy/session.hpp"\n', "main must not")
        self.bad(rule, "src/net/a.cpp", '#include "stream.hpp"\n', "room/file.hpp")
        self.bad(rule, "src/net/a.cpp", '#include "../http/head.hpp"\n', "room/file.hpp")
        self.bad(rule, "src/attic/a.cpp", "", "no such room")
        self.bad(rule, "tests/core/a_test.cpp", '#include "proxy/gate.hpp"\n', "core must not")

    def test_the_table_of_rooms_has_no_cycle(self):
        for room, below in rules.ROOMS.items():
            for other in below - {room}:
                self.assertNotIn(room, rules.ROOMS[other], f"{room} and {other} include each other")

    def test_pure_core(self):
        rule, path = rules.pure_core, "src/core/queue.cpp"
        self.good(rule, path, "#include <chrono>\n#include <vector>\n"
                  "// no throw, no steady_clock\nint entry = 0;  // a socket\n"
                  'auto reason = "connect: throw";\nint mutexes_random = 1; runtime (0);\n')
        for header in ("mutex", "random", "fstream", "sys/socket.h", "boost/asio/io_context.hpp",
                       "boost/beast/http.hpp", "yaml-cpp/yaml.h", "prometheus/counter.h", "thread",
                       "stdexcept", "ctime", "unistd.h"):
            self.bad(rule, path, f"#include <{header}>\n", f"<{header}>")
        for line in ("auto t = std::chrono::steady_clock::now();", "throw x;", "try {",
                     "std::mutex m;", "std::atomic<int> n;", "std::random_device d;",
                     "std::mt19937 g;", "int r = rand();", "auto t = time(nullptr);",
                     "std::printf(x);", "std::cerr << 1;", "co_await x;", "getenv(x);"):
            self.bad(rule, path, line + "\n", "must not use")

    def test_sizes(self):
        self.good(rules.file_length, "a.cpp", "\n" * 500)
        self.bad(rules.file_length, "a.cpp", "\n" * 501, "501 lines")
        self.good(rules.columns, "a.cpp", "é" * 100)
        self.bad(rules.columns, "a.cpp", "x\n" + "y" * 101, "a.cpp:2: 101 columns")
        self.good(rules.function_length, "a.cpp", "void f() {\n" + "  g();\n" * 68 + "}\n")
        self.bad(rules.function_length, "a.cpp", "\nvoid f() {\n" + "  g();\n" * 69 + "}\n",
                 "a.cpp:2: f has 71 lines")
        self.bad(rules.function_length, "a.py", "def f():\n" + "  g()\n" * 70, "f has 71 lines")

    def test_opening_comment(self):
        self.good(rules.opening_comment, "a.hpp", HEADER)
        self.bad(rules.opening_comment, "a.hpp", "#pragma once\n// Late.\n// Too.\n", "with 0")
        self.bad(rules.opening_comment, "a.hpp", "// One.\n#pragma once\n", "opens with 1")
        self.bad(rules.opening_comment, "a.hpp", "// A.\n" * 9 + "#pragma once\n", "opens with 9")

    def test_pragma_once(self):
        self.good(rules.pragma_once, "a.hpp", HEADER)
        self.bad(rules.pragma_once, "a.hpp", "#ifndef A\n#define A\n#endif\n", "no #pragma once")

    def test_no_getters(self):
        self.good(rules.no_getters, "a.hpp", "x.get_executor(); p->get_id(); get_return_object();\n"
                  "std::get_if<int>(&v);\n"
                  "budget_left(); SSL_get_error(s, 1); // get_x()\n")
        self.bad(rules.no_getters, "a.hpp", "\nint get_size() const;\n", "a.hpp:2: `get_size`")

    def test_no_sleeps(self):
        rule = rules.no_sleeps
        self.good(rule, "a_test.cpp", "// sleep_for would be wrong\nasleep(1);\n")
        self.good(rule, "a_test.py", "await asyncio.sleep(0)\n")
        for path, line in (("a_test.cpp", "std::this_thread::sleep_for(1s);"),
                           ("a_test.cpp", "usleep(1);"), ("a_test.cpp", "sleep(1);"),
                           ("a_test.py", "time" + ".sleep(1)"), ("a_test.sh", "  sleep" + " 0.5"),
                           ("a_test.py", "await asyncio" + ".sleep(0.1)")):
            self.bad(rule, path, "\n" + line + "\n", f"{path}:2")

    def test_no_machine_paths(self):
        rule = rules.no_machine_paths
        self.good(rule, "a.md", "/etc/weir/hook.secret /run/weir.sock /usr/local/bin/scale\n"
                  "$HOME/work/x ../work/x https://example.org/home/x\n")
        for root in ("work", "home", "root"):
            self.bad(rule, "a.md", f"see \n/{root}/someone\n", "a.md:2")

    def test_test_names(self):
        rule = rules.test_names
        self.good(rule, "a_test.cpp", 'TEST_CASE("a name, with a comma (and these)") {}\n')
        for name in ("from [0", "a] b", "a; b", "a \\\\ b"):
            self.bad(rule, "a_test.cpp", f'\nTEST_CASE("{name}") {{}}\n', "a_test.cpp:2")
        self.bad(rule, "a_test.cpp", 'TEST_CASE("one "\n          "and [two") {}\n', "and [two")

    def test_dead_links(self):
        def rule(path, text):
            return rules.dead_links(path, text, {"src/README.md", "src/core"}.__contains__)
        self.good(rule, "src/README.md", "[a](README.md#b) [c](core/) [d](https://e.f/g) [h](#i)\n"
                  "[j](../src/core)\n")
        self.bad(rule, "README.md", "x\n[a](core)\n", "README.md:2")
        self.bad(rule, "src/README.md", "[a](../core/x.md)\n", "core/x.md")

    def test_unfinished(self):
        self.good(rules.unfinished, "a.cpp", "// the method of a mastodon\n")
        self.bad(rules.unfinished, "a.cpp", "\n// TO" + "DO: later\n", "a.cpp:2")


if __name__ == "__main__":
    unittest.main()
