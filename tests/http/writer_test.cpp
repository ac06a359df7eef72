// The writer appends whatever was expected, and field_run copies lines alone or many at once.
#include "http/writer.hpp"

#include <vector>

#include "http/field_run.hpp"
#include "http/support.hpp"

namespace weir::http {

TEST_CASE("a writer appends and cuts the string to what was written") {
  for (const std::size_t expected :
       {std::size_t{0}, std::size_t{1}, std::size_t{7}, std::size_t{1000}}) {
    std::string out = "before ";
    {
      writer to(out, expected);
      to.text("literal ").text(std::string_view("view ")).text(std::string_view{}).number(0);
      to.text(" ").number(UINT64_MAX).line(" Name", "value");
    }
    CHECK(out == "before literal view 0 18446744073709551615 Name: value\r\n");
  }
}

TEST_CASE("a writer grows as often as it must") {
  std::string out, expected;
  {
    writer to(out, 3);
    for (int i = 0; i < 2000; ++i) {
      to.number(static_cast<std::uint64_t>(i)).text(",");
      expected += std::to_string(i) + ",";
    }
  }
  CHECK(out == expected);
}

TEST_CASE("a writer that wrote nothing leaves the string as it was") {
  std::string out = "kept";
  { writer to(out, 500); }
  CHECK(out == "kept");
}

TEST_CASE("any choice of lines is copied in order, normalised") {
  const std::string text =
      "GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB:2\r\nC:  3\r\nD: 4 \r\nE: \r\nF:\r\nG: 7\r\n\r\n";
  const request_head head = request_of(text);
  const std::vector<std::string> lines = {"Host: a\r\n", "A: 1\r\n", "B: 2\r\n", "C: 3\r\n",
                                          "D: 4\r\n",    "E: \r\n",  "F: \r\n",  "G: 7\r\n"};
  REQUIRE(head.fields.size() == lines.size());
  for (unsigned chosen = 0; chosen < 256; ++chosen) {
    std::string out, expected;
    {
      writer to(out, 0);
      field_run run(to);
      for (unsigned i = 0; i < 8; ++i) {
        if (!(chosen >> i & 1u)) continue;
        run.keep(head.fields[i]);
        expected += lines[i];
      }
    }
    CHECK(out == expected);
  }
}

}  // namespace weir::http
