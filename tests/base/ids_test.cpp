#include "base/ids.hpp"

#include <catch2/catch.hpp>
#include <cstdint>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "base/random.hpp"

namespace {

using namespace weir::base;
using number_id = id<struct number_tag>;
using numbers = slab<int, struct number_tag>;

TEST_CASE("an id made of nothing is null, and one from a slab is not") {
  CHECK_FALSE(number_id{});
  numbers s;
  CHECK(s.insert(1));
}

TEST_CASE("packing an id keeps index and generation, the extremes too") {
  const std::vector<number_id> ids = {
      {}, {0, 0}, {0, 1}, {1, 0}, {7, 0xffffffffu}, {0xfffffffeu, 0x80000000u}};
  std::set<std::uint64_t> packed;
  for (const number_id i : ids) {
    CHECK(number_id::unpack(i.packed()) == i);
    packed.insert(i.packed());
  }
  CHECK(packed.size() == ids.size());
}

TEST_CASE("ids order by index, then generation") {
  CHECK(number_id{1, 9} < number_id{2, 0});
  CHECK(number_id{1, 1} < number_id{1, 2});
  CHECK(number_id{1, 1} == number_id{1, 1});
}

TEST_CASE("a slab finds what was inserted until it is erased") {
  numbers s;
  const auto a = s.insert(1), b = s.insert(2);
  REQUIRE(s.find(a));
  REQUIRE(s.find(b));
  CHECK(*s.find(a) == 1);
  CHECK(*std::as_const(s).find(b) == 2);
  CHECK(s.size() == 2);
  CHECK(s.erase(a));
  CHECK_FALSE(s.find(a));
  CHECK(*s.find(b) == 2);
  CHECK(s.size() == 1);
}

TEST_CASE("an entry that is known to be there goes by its index, and its id with it") {
  slab<int, struct number_tag_of_index> s;
  const auto a = s.insert(1), b = s.insert(2);
  s.erase_at(a.index);
  CHECK(s.find(a) == nullptr);
  CHECK(s.at(b.index) == 2);
  CHECK(s.size() == 1);
  const auto again = s.insert(3);
  CHECK(again.index == a.index);
  CHECK(again != a);
}

TEST_CASE("a null id and one of another slab's extent find nothing and erase nothing") {
  numbers s;
  s.insert(1);
  CHECK_FALSE(s.find(number_id{}));
  CHECK_FALSE(s.find({1, 1}));
  CHECK_FALSE(s.erase(number_id{}));
  CHECK_FALSE(s.erase({1, 1}));
  CHECK(s.size() == 1);
}

TEST_CASE("an id does not outlive its entry when the place is taken again") {
  numbers s;
  const auto old = s.insert(1);
  REQUIRE(s.erase(old));
  const auto young = s.insert(2);
  CHECK(young.index == old.index);
  CHECK(young.generation != old.generation);
  CHECK_FALSE(s.find(old));
  CHECK_FALSE(s.erase(old));
  CHECK(*s.find(young) == 2);
}

TEST_CASE("freed places are taken again before the table grows") {
  numbers s;
  std::vector<number_id> ids;
  for (int i = 0; i < 10; ++i) ids.push_back(s.insert(i));
  for (const auto i : ids) REQUIRE(s.erase(i));
  for (int i = 0; i < 10; ++i) s.insert(i);
  CHECK(s.extent() == 10);
  CHECK(s.size() == 10);
}

TEST_CASE("a walk by index sees exactly the entries that are there") {
  numbers s;
  const auto a = s.insert(10);
  const auto b = s.insert(11);
  const auto c = s.insert(12);
  REQUIRE(s.erase(b));
  std::vector<int> seen;
  for (std::uint32_t i = 0; i < s.extent(); ++i)
    if (s.taken(i)) seen.push_back(s.at(i));
  CHECK(seen == std::vector<int>{10, 12});
  CHECK(s.id_at(a.index) == a);
  CHECK(std::as_const(s).at(c.index) == 12);
  CHECK_FALSE(s.taken(s.extent()));
}

TEST_CASE("erasing destroys the entry at once") {
  slab<std::shared_ptr<int>, struct pointer_tag> s;
  const auto p = std::make_shared<int>(1);
  const auto i = s.insert(p);
  CHECK(p.use_count() == 2);
  s.erase(i);
  CHECK(p.use_count() == 1);
}

TEST_CASE("entries are built in place from the arguments and may be move-only") {
  slab<std::unique_ptr<std::string>, struct text_tag> s;
  const auto i = s.insert(std::make_unique<std::string>("x"));
  CHECK(**s.find(i) == "x");
  slab<std::pair<int, std::string>, struct pair_tag> pairs;
  CHECK(pairs.find(pairs.insert(1, "one"))->second == "one");
}

TEST_CASE("a slab reserved for n entries does not move them while they come") {
  numbers s;
  s.reserve(100);
  const auto first = s.insert(0);
  const int* where = s.find(first);
  for (int i = 1; i < 100; ++i) s.insert(i);
  CHECK(s.find(first) == where);
}

// The slab against a plain list of what must be in it, over a long random run.
TEST_CASE("inserts and erases in any order keep every live id and no dead one") {
  const std::uint64_t seed = GENERATE(1u, 2u, 3u, 4u);
  CAPTURE(seed);
  weir::base::random rng(seed);
  numbers s;
  std::vector<std::pair<number_id, int>> live;
  std::vector<number_id> dead;
  for (int step = 0; step < 2000; ++step) {
    if (live.empty() || rng.below(5) < 3) {
      live.emplace_back(s.insert(step), step);
      continue;
    }
    const std::uint32_t at = rng.below(static_cast<std::uint32_t>(live.size()));
    REQUIRE(s.erase(live[at].first));
    dead.push_back(live[at].first);
    live[at] = live.back();
    live.pop_back();
  }
  REQUIRE(s.size() == live.size());
  for (const auto& [i, value] : live) REQUIRE(*s.find(i) == value);
  for (const auto i : dead) REQUIRE_FALSE(s.find(i));
}

}  // namespace
