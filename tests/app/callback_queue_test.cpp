#include "app/callback_queue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "base/random.hpp"

namespace {

using namespace weir;
using app::callback_limits;
using app::callback_queue;
using store::message;
using store::unix_ms;

std::vector<message> some(int count, unix_ms due = 0) {
  std::vector<message> all;
  for (int i = 0; i < count; ++i) all.push_back({"callback/" + std::to_string(i), "", due});
  return all;
}

// Loads what it asks for.
void give(callback_queue& q, std::vector<message> first, unix_ms now) {
  REQUIRE(q.load(now) > 0);
  q.loaded(std::move(first), now);
}

}  // namespace

TEST_CASE("the store is asked at the start, once at a time, and no more than is needed") {
  callback_queue q({.at_once = 2, .held = 3});
  CHECK(q.load(1000) == 3);
  CHECK(q.load(1000) == 0);        // not answered yet
  q.loaded(some(3), 1000);
  CHECK(q.load(1000) == 0);        // there is enough at hand
  CHECK(q.begin()->name == "callback/0");
  CHECK(q.begin()->name == "callback/1");
  CHECK_FALSE(q.begin());          // two are under way
  CHECK(q.load(1000) == 0);
  q.ended("callback/0");
  CHECK(q.begin()->name == "callback/2");
  q.ended("callback/1");
  CHECK(q.load(1000) == 4);        // one is under way, and in the store yet
}

TEST_CASE("what is under way is not begun again") {
  callback_queue q({.at_once = 2, .held = 3});
  give(q, some(2), 0);
  const auto first = q.begin(), second = q.begin();
  q.ended(second->name);
  give(q, some(2), 0);
  CHECK(q.begin()->name == second->name);
  CHECK_FALSE(q.begin());
  q.ended(first->name);
  give(q, some(2), 0);
  CHECK(q.begin()->name == first->name);
}

TEST_CASE("what is not due yet is looked for when it is, or when somebody says so") {
  callback_queue q;
  give(q, some(1, 5000), 1000);
  CHECK_FALSE(q.begin());
  CHECK(q.next_load() == 5000);
  CHECK(q.load(4999) == 0);
  q.look();
  CHECK(q.load(1001) > 0);
  q.loaded(some(1, 5000), 1001);
  CHECK(q.load(5000) > 0);
  q.loaded(some(1, 5000), 5000);
  CHECK(q.begin());
}

TEST_CASE("with nothing left it looks again after a while") {
  callback_queue q({.poll = 60'000});
  give(q, {}, 1000);
  CHECK(q.next_load() == 61'000);
  CHECK(q.load(60'999) == 0);
  CHECK(q.load(61'000) > 0);
}

TEST_CASE("news that comes while the store is read is not lost") {
  callback_queue q;
  REQUIRE(q.load(0) > 0);
  q.look();
  q.loaded({}, 0);
  CHECK(q.load(0) > 0);
}

TEST_CASE("a store that fails is left alone for a while") {
  callback_queue q({.pause = 5000});
  REQUIRE(q.load(1000) > 0);
  q.store_failed(1000);
  q.look();
  CHECK(q.load(5999) == 0);
  CHECK(q.next_load() == 6000);
  CHECK(q.load(6000) > 0);
}

TEST_CASE("a clock that was set back delays nothing for longer than it would have waited anyway") {
  constexpr unix_ms year = 31'536'000'000;
  callback_queue q({.poll = 60'000, .pause = 5000, .wait_max = 7'200'000});
  give(q, {}, year);
  CHECK(q.load(1000) == 0);
  CHECK(q.load(61'000) > 0);
  q.store_failed(year);
  CHECK(q.load(1000) == 0);
  CHECK(q.load(6000) > 0);
  q.loaded(some(1, year), 6000);
  CHECK(q.begin());
}

TEST_CASE("however many there are, each is delivered once, and few are held") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    INFO("seed " << seed);
    base::random random(seed);
    const callback_limits limits{.at_once = 4, .held = 16};
    callback_queue q(limits);
    std::map<std::string, unix_ms> in_store;   // name: due
    for (const message& m : some(1000)) in_store[m.name] = random.below(50'000);
    std::vector<std::string> under_way;
    std::size_t delivered = 0, largest = 0;
    unix_ms now = 0;
    for (int turns = 0; !in_store.empty() && turns < 100'000; ++turns) {
      while (auto m = q.begin()) under_way.push_back(m->name);
      CHECK(under_way.size() <= limits.at_once);
      if (const unsigned wanted = q.load(now)) {
        std::vector<message> first;
        for (const auto& [name, due] : in_store) first.push_back({name, "", due});
        std::ranges::sort(first, {}, &message::due);
        if (first.size() > wanted) first.resize(wanted);
        largest = std::max(largest, first.size());
        q.loaded(std::move(first), now);
      } else if (!under_way.empty()) {
        const std::size_t i = random.below(static_cast<std::uint32_t>(under_way.size()));
        const std::string name = under_way[i];
        under_way.erase(under_way.begin() + static_cast<std::ptrdiff_t>(i));
        if (random.below(4) == 0) {
          in_store[name] = now + 100;   // failed: put off
        } else {
          delivered += in_store.erase(name);
        }
        q.ended(name);
      } else {
        now = std::max(now + 1, q.next_load());
      }
    }
    CHECK(delivered == 1000);
    CHECK(largest <= limits.held + limits.at_once);
  }
}
