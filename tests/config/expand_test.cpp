#include "config/expand.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <vector>

using namespace weir::config;

namespace {

std::optional<std::string> variable(const std::string& name) {
  const std::map<std::string, std::string> known{
      {"A", "aa"}, {"B_2", "b2"}, {"EMPTY", ""}, {"DOLLAR", "${A}"}, {"_", "under"}};
  const auto found = known.find(name);
  return found == known.end() ? std::nullopt : std::optional(found->second);
}

}  // namespace

TEST_CASE("variables, defaults and dollars are put in") {
  struct row {
    std::string_view text, expected;
    bool used;
  };
  const std::vector<row> rows{
      {"", "", false},
      {"plain", "plain", false},
      {"${A}", "aa", true},
      {"x${A}y${B_2}z", "xaayb2z", true},
      {"${_}", "under", true},
      {"${EMPTY}", "", true},
      {"${EMPTY:-d}", "d", true},
      {"${NOPE:-d}", "d", true},
      {"${NOPE:-}", "", true},
      {"${NOPE:-a b:-c}", "a b:-c", true},
      {"${A:-d}", "aa", true},
      {"$$", "$", false},
      {"$${A}", "${A}", false},
      {"$$${A}", "$aa", true},
      {"$A", "$A", false},
      {"5$", "5$", false},
      {"a$b$$c", "a$b$c", false},
      {"}{", "}{", false},
  };
  for (const auto& r : rows) {
    INFO(r.text);
    const auto got = expand(r.text, variable);
    CHECK(got.text == r.expected);
    CHECK(got.used == r.used);
    CHECK(got.faults.empty());
  }
}

TEST_CASE("what a variable holds is not expanded again") {
  CHECK(expand("${DOLLAR}", variable).text == "${A}");
}

TEST_CASE("every fault is told with the offset of its dollar") {
  struct row {
    std::string_view text;
    std::vector<std::size_t> offsets;
  };
  const std::vector<row> rows{
      {"${NOPE}", {0}}, {"ab${NOPE}", {2}}, {"${NOPE}${A}${NOR}", {0, 11}},
      {"${}", {0}},     {"${1A}", {0}},     {"${A B}", {0}},
      {"${A-b}", {0}},  {"${:-d}", {0}},    {"x${A", {1}},
      {"${A}${", {4}},  {"${A:=b}", {0}},   {"${\xc3\xa9}", {0}},
  };
  for (const auto& r : rows) {
    INFO(r.text);
    std::vector<std::size_t> offsets;
    for (const auto& fault : expand(r.text, variable).faults) offsets.push_back(fault.offset);
    CHECK(offsets == r.offsets);
  }
}

TEST_CASE("faults say what was expected, and name the variable") {
  CHECK(expand("${NOPE}", variable).faults.at(0).message ==
        "the environment variable NOPE is not set, expected it, or a default: ${NOPE:-default}");
  CHECK(
      expand("${}", variable).faults.at(0).message ==
      "`${` without a variable's name, expected ${NAME} or ${NAME:-default}, or `$$` for a dollar");
  CHECK(expand("${A", variable).faults.at(0).message ==
        "`${` without its `}`, expected ${NAME} or ${NAME:-default}, or `$$` for a dollar");
}

TEST_CASE("without an environment every variable is unset") {
  CHECK(expand("${A}", {}).faults.size() == 1);
  CHECK(expand("${A:-d}", {}).text == "d");
}
