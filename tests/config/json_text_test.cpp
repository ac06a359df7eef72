#include "config/json_text.hpp"

#include <catch2/catch.hpp>

using namespace weir::config;

TEST_CASE("texts are quoted with the escapes of RFC 8259") {
  CHECK(json_string("") == "\"\"");
  CHECK(json_string("a\"b\\c") == "\"a\\\"b\\\\c\"");
  CHECK(json_string("a\nb\t") == "\"a\\u000ab\\u0009\"");
  CHECK(json_string(std::string_view("\0", 1)) == "\"\\u0000\"");
  CHECK(json_string("\xc3\xa9/") == "\"\xc3\xa9/\"");
}

TEST_CASE("objects and lists are laid out two blanks a level, empty ones in one piece") {
  json_text json;
  json.open('{');
  json.member("a", "1");
  json.name("b");
  json.open('[');
  json.raw("2");
  json.text("x");
  json.open('{');
  json.close('}');
  json.close(']');
  json.name("c");
  json.open('[');
  json.close(']');
  json.text_member("d", "y");
  json.close('}');
  CHECK(json.take() == R"({
  "a": 1,
  "b": [
    2,
    "x",
    {}
  ],
  "c": [],
  "d": "y"
}
)");
}

TEST_CASE("a text taken leaves the writer empty for the next") {
  json_text json;
  json.raw("1");
  CHECK(json.take() == "1\n");
  json.raw("2");
  CHECK(json.take() == "2\n");
}
