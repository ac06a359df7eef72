#include "config/nearest.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <tuple>

using namespace weir::config;

TEST_CASE("the distance counts insertions, deletions, changes and swaps of neighbours") {
  const std::vector<std::tuple<std::string_view, std::string_view, std::size_t>> rows{
      {"", "", 0},
      {"a", "", 1},
      {"", "abc", 3},
      {"abc", "abc", 0},
      {"abc", "abd", 1},
      {"abc", "ab", 1},
      {"abc", "abcd", 1},
      {"abc", "acb", 1},
      {"ab", "ba", 1},
      {"abcd", "badc", 2},
      {"kitten", "sitting", 3},
      {"intervall", "interval", 1},
      {"wieght", "weight", 1},
      {"ca", "abc", 3},
      {"threads", "Threads", 1},
  };
  for (const auto& [a, b, expected] : rows) {
    INFO(a << " / " << b);
    CHECK(edit_distance(a, b) == expected);
    CHECK(edit_distance(b, a) == expected);
  }
}

TEST_CASE("the nearest word is the one at the least distance, unless all are far") {
  const std::vector<std::string_view> known{"type",    "path",       "interval", "fast_interval",
                                            "timeout", "token_file", "fall"};
  const std::vector<std::pair<std::string_view, std::string_view>> rows{
      {"intervall", "interval"},
      {"interval", "interval"},
      {"fast_intervall", "fast_interval"},
      {"tipe", "type"},
      {"timout", "timeout"},
      {"tiemout", "timeout"},
      {"fal", "fall"},
      {"token", "token_file"},
      {"fast", "fall"},
      {"completely", ""},
      {"", ""},
      {"to", ""},
      {"x", ""},
  };
  for (const auto& [word, expected] : rows) {
    INFO(word);
    CHECK(nearest(word, known) == expected);
  }
}

TEST_CASE("very long words have no neighbour, and cost nothing") {
  CHECK(nearest(std::string(100'000, 'a'), {"a", "aa"}) == "");
}

TEST_CASE("nothing known, nothing near") {
  CHECK(nearest("word", {}) == "");
}

TEST_CASE("of two at the same distance the first is named") {
  CHECK(nearest("bat", {"cat", "hat"}) == "cat");
}
