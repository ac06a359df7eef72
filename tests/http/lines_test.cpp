#include "http/lines.hpp"

#include <catch2/catch.hpp>
#include <string_view>

using namespace weir::http;

TEST_CASE("a field is found among kept lines by its whole name, in any case") {
  struct row {
    std::string_view lines, name, line, value;
  };
  const row rows[] = {
      {"", "A", "", ""},
      {"A: 1\r\n", "A", "A: 1\r\n", "1"},
      {"A: 1\r\nb: 2\r\n", "B", "b: 2\r\n", "2"},
      {"B: 1\r\nB: 2\r\n", "B", "B: 1\r\n", "1"},
      {"AB: 1\r\n", "A", "", ""},
      {"A: 1\r\n", "AB", "", ""},
      {"X: B: 2\r\n", "B", "", ""},
      {"A:\t padded \t\r\n", "A", "A:\t padded \t\r\n", "padded"},
      {"A:\r\n", "A", "A:\r\n", ""},
      {"A: no end", "a", "A: no end", "no end"},
      {"A", "A", "", ""},
  };
  for (const row& r : rows) {
    CAPTURE(r.lines, r.name);
    CHECK(line_of(r.lines, r.name) == r.line);
    CHECK(value_of(line_of(r.lines, r.name)) == r.value);
  }
  CHECK(value_of("").empty());
  CHECK(value_of("no colon") == "no colon");
}
