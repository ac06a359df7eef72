#include "proxy/waiting_room.hpp"

#include <catch2/catch.hpp>
#include <map>
#include <memory>
#include <set>
#include <vector>

#include "base/random.hpp"

namespace {

using namespace weir;
using proxy::settlement;
using proxy::verdict_cell;
using proxy::waiting_room;
using state = verdict_cell::state;

settlement granted_to(std::uint64_t owner) {
  settlement s;
  s.owner = owner;
  s.granted = true;
  s.grant.owner = owner;
  s.grant.attempt = 3;
  return s;
}

settlement evicted_from(std::uint64_t owner) {
  settlement s;
  s.owner = owner;
  s.why = core::refusal::wait_expired;
  s.retry_after = std::chrono::seconds(4);
  return s;
}

}  // namespace

TEST_CASE("a number says which loop it belongs to") {
  for (const unsigned index : {0u, 1u, 7u, 255u}) {
    net::loop l(index);
    waiting_room room(index);
    verdict_cell cell(l);
    CHECK(waiting_room::owner_loop(room.enter(cell)) == index);
  }
}

TEST_CASE("a grant reaches its cell and rings, an eviction brings its reason") {
  net::loop l(0);
  waiting_room room(0);
  verdict_cell one(l), two(l);
  const auto first = room.enter(one), second = room.enter(two);
  CHECK(first != second);
  CHECK(room.deliver(granted_to(first)));
  CHECK(one.now == state::granted);
  CHECK(one.grant.attempt == 3);
  CHECK(one.settled.rung());
  CHECK_FALSE(two.settled.rung());
  CHECK(room.deliver(evicted_from(second)));
  CHECK(two.now == state::evicted);
  CHECK(two.why == core::refusal::wait_expired);
  CHECK(two.retry_after == std::chrono::seconds(4));
}

TEST_CASE("the first verdict stands, whatever comes second") {
  net::loop l(0);
  for (const state before : {state::granted, state::evicted, state::interrupted}) {
    INFO("was " << static_cast<int>(before));
    for (const bool grant : {true, false}) {
      waiting_room room(0);
      verdict_cell cell(l);
      const auto number = room.enter(cell);
      cell.now = before;
      CHECK_FALSE(room.deliver(grant ? granted_to(number) : evicted_from(number)));
      CHECK(cell.now == before);
      CHECK_FALSE(cell.settled.rung());
    }
  }
}

TEST_CASE("nobody is found under a number that was left, or that was never given") {
  net::loop l(0);
  waiting_room room(0);
  CHECK_FALSE(room.deliver(granted_to(0)));
  CHECK_FALSE(room.deliver(granted_to(12345)));
  verdict_cell cell(l);
  const auto number = room.enter(cell);
  room.leave(number);
  CHECK_FALSE(room.deliver(granted_to(number)));
  CHECK(room.size() == 0);
  room.leave(number);   // twice: nothing
  CHECK(room.size() == 0);
}

TEST_CASE("a place that was used again has a new number: a late message misses the newcomer") {
  net::loop l(0);
  waiting_room room(0);
  std::set<std::uint64_t> given;
  for (int i = 0; i < 1000; ++i) {
    verdict_cell cell(l);
    const auto number = room.enter(cell);
    CHECK(given.insert(number).second);
    for (const auto old : {*given.begin(), *given.rbegin()})
      if (old != number) CHECK_FALSE(room.deliver(granted_to(old)));
    CHECK(cell.now == state::waiting);
    room.leave(number);
  }
}

TEST_CASE("random comings and goings: exactly those who wait are found") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    base::random random(seed);
    net::loop l(2);
    waiting_room room(2);
    std::map<std::uint64_t, std::unique_ptr<verdict_cell>> here;
    std::vector<std::uint64_t> gone;
    for (int i = 0; i < 2000; ++i) {
      if (random.below(2) || here.empty()) {
        auto cell = std::make_unique<verdict_cell>(l);
        const auto number = room.enter(*cell);
        here[number] = std::move(cell);
      } else {
        auto who = std::next(here.begin(), random.below(static_cast<std::uint32_t>(here.size())));
        if (random.below(2)) {
          const bool first = who->second->now == state::waiting;
          REQUIRE(room.deliver(granted_to(who->first)) == first);
        } else {
          room.leave(who->first);
          gone.push_back(who->first);
          here.erase(who);
        }
      }
      REQUIRE(room.size() == here.size());
      if (!gone.empty())
        REQUIRE_FALSE(
            room.deliver(granted_to(gone[random.below(static_cast<std::uint32_t>(gone.size()))])));
    }
  }
}
