#include "core/indexed_heap.hpp"

#include <catch2/catch.hpp>
#include <map>

#include "base/random.hpp"

namespace weir::core::test {

TEST_CASE("an empty heap holds nothing, and erasing from it does nothing") {
  indexed_heap<int> h;
  CHECK(h.empty());
  CHECK_FALSE(h.contains(3));
  h.erase(3);
  CHECK(h.size() == 0);
}

TEST_CASE("ids come out by key, whatever the order they went in") {
  indexed_heap<int> h;
  const int keys[] = {5, 1, 4, 2, 3, 0};
  for (std::uint32_t id = 0; id < 6; ++id) h.set(id, keys[id]);
  for (int expected = 0; expected < 6; ++expected) {
    CHECK(h.top_key() == expected);
    CHECK(keys[h.top()] == expected);
    h.erase(h.top());
  }
  CHECK(h.empty());
}

TEST_CASE("setting an id again moves it up or down") {
  indexed_heap<int> h;
  for (std::uint32_t id = 0; id < 10; ++id) h.set(id, static_cast<int>(id));
  h.set(9, -1);
  CHECK(h.top() == 9);
  h.set(9, 100);
  CHECK(h.top() == 0);
  CHECK(h.key(9) == 100);
  CHECK(h.size() == 10);
}

TEST_CASE("clear forgets every id") {
  indexed_heap<int> h;
  for (std::uint32_t id = 0; id < 10; ++id) h.set(id, 1);
  h.clear();
  CHECK(h.empty());
  CHECK_FALSE(h.contains(4));
  h.set(4, 2);
  CHECK(h.top() == 4);
}

TEST_CASE("after any run of sets and erases the heap agrees with a sorted map") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    base::random r(seed);
    indexed_heap<std::uint32_t> h;
    std::map<std::uint32_t, std::uint32_t> model;
    for (int i = 0; i < 400; ++i) {
      const std::uint32_t id = r.below(60);
      if (r.below(3) == 0) {
        h.erase(id);
        model.erase(id);
      } else {
        const std::uint32_t key = r.below(1000);
        h.set(id, key);
        model[id] = key;
      }
      REQUIRE(h.size() == model.size());
      REQUIRE(h.contains(id) == (model.count(id) == 1));
      std::uint32_t least = 5000;
      for (const auto& [k, v] : model) least = std::min(least, v);
      if (!model.empty()) REQUIRE(h.top_key() == least);
      if (!model.empty()) REQUIRE(model.at(h.top()) == least);
    }
  }
}

}  // namespace weir::core::test
