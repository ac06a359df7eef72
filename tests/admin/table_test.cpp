#include "admin/table.hpp"

#include <catch2/catch.hpp>

using namespace weir::admin;

TEST_CASE("columns are as wide as their widest cell, numbers stand right") {
  const std::vector<column> columns{{"NAME"}, {"N", true}, {"NOTE"}};
  CHECK(format_table(columns, {{"a", "1", ""}, {"longer", "1000", "x"}}) ==
        "NAME       N  NOTE\n"
        "a          1\n"
        "longer  1000  x\n");
}

TEST_CASE("a table without rows is its head") {
  CHECK(format_table({{"A"}, {"B"}}, {}) == "A  B\n");
}

TEST_CASE("width counts characters, not bytes") {
  CHECK(format_table({{"A"}, {"B"}}, {{"gr\xc3\xbc\xc3\x9f", "x"}, {"abcde", "y"}}) ==
        "A      B\n"
        "gr\xc3\xbc\xc3\x9f   x\n"
        "abcde  y\n");
}

TEST_CASE("nothing that was named by others can steer the terminal") {
  CHECK(printable("a\x1b[31mb\x07\x7f\n") == "a?[31mb???");
  CHECK(printable("\xc2\x9b" "31m\xc2\xa0") == "?31m\xc2\xa0");
  CHECK(printable("\x9b" "31m\xff\xc2") == "?31m??");   // a C1 of eight bits, and cut UTF-8
  CHECK(printable_lines("a\r\nb\x1b\n\xff") == "a?\nb?\n?");
  CHECK(printable("plain gr\xc3\xbc\xc3\x9f") == "plain gr\xc3\xbc\xc3\x9f");
  CHECK(format_table({{"A"}}, {{"\x1b[2J"}}) == "A\n?[2J\n");
}

TEST_CASE("spans of time are short to read") {
  struct row {
    double seconds;
    const char* text;
  };
  const row rows[] = {
      {-1, "0 ms"},     {0, "0 ms"},       {0.0004, "0 ms"},   {0.85, "850 ms"}, {1, "1.0 s"},
      {9.94, "9.9 s"},  {42.4, "42 s"},    {119, "119 s"},     {121, "2 min"},   {3600, "60 min"},
      {7200, "2.0 h"},  {36000, "10.0 h"},
  };
  for (const auto& r : rows) CHECK(format_span(r.seconds) == r.text);
}
