// Dictionaries of RFC 8941: members as written, and where a mistake ends them.
#include "http/dictionary.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace weir::http {

namespace {

// "key=value" of each member, kinds as b, n or o before the value; "!" at the end after a mistake.
std::string walk(std::string_view text) {
  dictionary members(text);
  std::string out;
  member m;
  while (members.next(m)) {
    const char* const kinds = "bno";
    out += std::string(m.key) + "=" + kinds[static_cast<int>(m.what)] + std::string(m.value) + "|";
  }
  return out + (members.ok() ? "" : "!");
}

}  // namespace

TEST_CASE("members come in order with their values' text") {
  CHECK(walk("") == "");
  CHECK(walk("   ") == "");
  CHECK(walk("a") == "a=b?1|");
  CHECK(walk("a=?0") == "a=b?0|");
  CHECK(walk("a=1,b=-2.5 ,\tc=\"x, \\\"y\\\"\"") == "a=n1|b=n-2.5|c=o\"x, \\\"y\\\"\"|");
  CHECK(walk("a=tok/en:1;p=2;q, b") == "a=otok/en:1|b=b?1|");
  CHECK(walk("a=(1 \"b c\" d;e=?0);f") == "a=o(1 \"b c\" d;e=?0)|");
  CHECK(walk("a=()") == "a=o()|");
  CHECK(walk("a=( 1  2 )") == "a=o( 1  2 )|");
  CHECK(walk("a=:aGVsbG8=:") == "a=o:aGVsbG8=:|");
  CHECK(walk("*a.b-c_d*=1") == "*a.b-c_d*=n1|");
  CHECK(walk("a=*x") == "a=o*x|");
  CHECK(walk("a; b=1") == "a=b?1|");
}

TEST_CASE("a mistake ends the walk and is remembered") {
  for (const std::string_view text : {"a,",
                                      "a,,b",
                                      "a b",
                                      "A",
                                      "1",
                                      "a=",
                                      "a=,b",
                                      "a=?",
                                      "a=?2",
                                      "a=\"",
                                      "a=\"\\a\"",
                                      "a=(",
                                      "a=(1",
                                      "a=(1\"2\")",
                                      "a=(1,2)",
                                      "a=:",
                                      "a=:?:",
                                      "a=1.",
                                      "a=.1",
                                      "a=--1",
                                      "a=1.1234",
                                      "a=1234567890123.1",
                                      "a=1234567890123456",
                                      "a=@1",
                                      "a;",
                                      "a;=1",
                                      "a;b=",
                                      "a=1;B",
                                      "a=\x7f"}) {
    INFO(text);
    CHECK(walk(text).ends_with("!"));
  }
  dictionary members("a, ,b");
  member m;
  CHECK(members.next(m));
  CHECK_FALSE(members.next(m));
  CHECK_FALSE(members.next(m));
  CHECK_FALSE(members.ok());
}

}  // namespace weir::http
