#include "sim/event_queue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "sim/random.hpp"

namespace weir::sim {

TEST_CASE("events come by time, whatever the order they were put in") {
  event_queue<int> q;
  for (int at : {5, 3, 9, 1, 7, 2, 8, 4, 6, 0}) q.push(at, at * 10);
  for (int at = 0; at < 10; ++at) {
    REQUIRE(q.top().at == at);
    REQUIRE(q.top().what == at * 10);
    q.pop();
  }
  CHECK(q.empty());
}

TEST_CASE("events of the same time come in the order they were put in") {
  event_queue<int> q;
  for (int i = 0; i < 100; ++i) q.push(i % 3, i);
  int last_time = -1, last = -1;
  while (!q.empty()) {
    const auto e = q.top();
    q.pop();
    if (e.at == last_time) REQUIRE(e.what > last);
    REQUIRE(e.at >= last_time);
    last_time = static_cast<int>(e.at);
    last = e.what;
  }
}

TEST_CASE("a queue of one, and an empty one again") {
  event_queue<char> q;
  CHECK(q.empty());
  q.push(-5, 'a');
  CHECK(q.size() == 1);
  CHECK(q.top().at == -5);
  q.pop();
  CHECK(q.empty());
  q.push(7, 'b');
  CHECK(q.top().what == 'b');
}

TEST_CASE("pushes and pops in any mixture agree with a sorted map") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    random r(seed);
    event_queue<std::uint64_t> q;
    q.reserve(8);
    std::multimap<std::int64_t, std::uint64_t> model;  // equal keys keep their order
    for (std::uint64_t i = 0; i < 5000; ++i) {
      if (model.empty() || r.uniform() < 0.52) {
        const auto at = static_cast<std::int64_t>(r.below(200));
        q.push(at, i);
        model.emplace(at, i);
        continue;
      }
      INFO("seed " << seed << ", step " << i);
      REQUIRE(q.top().at == model.begin()->first);
      REQUIRE(q.top().what == model.begin()->second);
      q.pop();
      model.erase(model.begin());
      REQUIRE(q.size() == model.size());
    }
  }
}

}  // namespace weir::sim
