#include "telemetry/json_text.hpp"

#include <catch2/catch.hpp>

#include "base/random.hpp"
#include "parse_json.hpp"

using namespace weir;
using namespace weir::telemetry;

namespace {

std::string escaped(std::string_view in, std::size_t room = 4096) {
  std::string out(room, '#');
  out.resize(static_cast<std::size_t>(escape_json(in, out.data(), out.data() + room) - out.data()));
  return out;
}

}  // namespace

TEST_CASE("JSON text escapes what RFC 8259 says, what steers terminals, and nothing else") {
  struct row {
    std::string_view in, out;
  };
  using namespace std::string_view_literals;
  const row rows[] = {
      {"", ""},
      {"plain text, longer than eight bytes", "plain text, longer than eight bytes"},
      {"1234567\"", "1234567\\\""},
      {"12345678\"", "12345678\\\""},
      {"\\", "\\\\"},
      {"a\nb\rc\td", "a\\nb\\rc\\td"},
      {"\0\x01\x1f"sv, "\\u0000\\u0001\\u001f"},
      {"\x20\x7e\x7f", "\x20\x7e\\u007f"},
      {"1234567\x7f" "12345678\x7f", "1234567\\u007f12345678\\u007f"},
      {"\xc2\x80\xc2\x9b" "31m\xc2\x9f\xc2\xa0", "\\u0080\\u009b31m\\u009f\xc2\xa0"},
      {"gr\xc3\xbc\xc3\x9f", "gr\xc3\xbc\xc3\x9f"},
      {"\xe2\x82\xac\xf0\x9f\x8c\x8a", "\xe2\x82\xac\xf0\x9f\x8c\x8a"},
      {"\x80", "\\ufffd"},
      {"\xc0\xaf", "\\ufffd\\ufffd"},                  // overlong '/'
      {"\xe0\x80\xaf", "\\ufffd\\ufffd\\ufffd"},       // overlong too
      {"\xed\xa0\x80", "\\ufffd\\ufffd\\ufffd"},       // a surrogate
      {"\xf4\x90\x80\x80", "\\ufffd\\ufffd\\ufffd\\ufffd"},   // above U+10FFFF
      {"\xf5", "\\ufffd"},
      {"\xe2\x82", "\\ufffd\\ufffd"},                  // cut
      {"\xe2\x82x", "\\ufffd\\ufffdx"},
  };
  for (const auto& r : rows) {
    CAPTURE(r.in, r.out);
    CHECK(escaped(r.in) == r.out);
  }
}

TEST_CASE("what needs an escape is found at any place of a text of any size") {
  const std::string letters = "abcdefghijklmnopqrstuvwxyz0123456789";
  for (std::size_t size = 0; size <= 20; ++size) {
    const std::string plain = letters.substr(0, size);
    CHECK(escaped(plain) == plain);
    CHECK(escaped(plain, size) == plain);   // no byte more than it needs
    for (std::size_t at = 0; at < size; ++at) {
      std::string text = plain, want = plain;
      text[at] = '"';
      want.replace(at, 1, "\\\"");
      CHECK(escaped(text) == want);
    }
  }
}

TEST_CASE("the length of a UTF-8 character follows its table") {
  struct row {
    std::string_view in;
    std::size_t length;
  };
  const row rows[] = {
      {"a", 1},        {"\x7f", 1},          {"\x80", 0},         {"\xbf", 0},
      {"\xc1\x80", 0}, {"\xc2\x80", 2},      {"\xdf\xbf", 2},     {"\xdf\xc0", 0},
      {"\xe0\x9f\xbf", 0}, {"\xe0\xa0\x80", 3}, {"\xed\x9f\xbf", 3}, {"\xed\xa0\x80", 0},
      {"\xee\x80\x80", 3}, {"\xef\xbf\xbf", 3}, {"\xef\xbf", 0},
      {"\xf0\x8f\xbf\xbf", 0}, {"\xf0\x90\x80\x80", 4}, {"\xf4\x8f\xbf\xbf", 4},
      {"\xf4\x90\x80\x80", 0}, {"\xf0\x90\x80", 0}, {"\xf0\x90\x80\x20", 0}, {"\xff", 0},
  };
  for (const auto& r : rows) {
    CAPTURE(r.in);
    CHECK(utf8_length(r.in) == r.length);
  }
}

TEST_CASE("escaping stops before the end of its room and never inside a character") {
  const std::string_view in = "ab\"\xe2\x82\xac\x01zz";
  const std::string whole = escaped(in);
  CHECK(whole == "ab\\\"\xe2\x82\xac\\u0001zz");
  const std::size_t borders[] = {0, 1, 2, 2, 4, 4, 4, 7, 7, 7, 7, 7, 7, 13, 14, 15};
  for (std::size_t room = 0; room < std::size(borders); ++room) {
    CAPTURE(room);
    CHECK(escaped(in, room) == whole.substr(0, borders[room]));
  }
}

TEST_CASE("any bytes become JSON that parses, and valid text comes back as it was") {
  base::random random(20261123);
  for (int round = 0; round < 3000; ++round) {
    std::string in;
    bool valid = true;
    for (std::uint32_t i = random.below(40); i > 0; --i) {
      const std::uint32_t pick = random.below(10);
      if (pick < 6) in += static_cast<char>(random.below(0x80));
      if (pick == 6) in += "\xc3\xa9";
      if (pick == 7) in += "\xf0\x9f\x8c\x8a";
      if (pick == 8) in += "12345678";
      if (pick == 9) in += static_cast<char>(0x80 + random.below(0x80)), valid = false;
    }
    CAPTURE(round, in);
    std::string json = "{\"k\":";
    append_json_string(json, in);
    json += '}';
    const auto back = parse_flat_json(json);
    if (valid && back.at("k") != in) FAIL("changed");
  }
  SUCCEED();
}
