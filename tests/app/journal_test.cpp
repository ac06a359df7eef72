#include "app/journal.hpp"

#include <catch2/catch.hpp>
#include <string>

namespace {

using namespace weir;
using core::worker_state;
using kind = core::event::kind;

core::event change(worker_state from, worker_state to, std::string reason = {}) {
  core::event e;
  e.what = kind::worker_state_changed;
  e.worker_name = "w1";
  e.from = from;
  e.to = to;
  e.reason = std::move(reason);
  return e;
}

}  // namespace

TEST_CASE("every event has a fixed word, its pool, its worker and a sentence") {
  struct row {
    kind what;
    const char* word;
  };
  const row rows[] = {
      {kind::worker_added, "worker_added"},       {kind::worker_removed, "worker_removed"},
      {kind::outage_began, "outage_began"},       {kind::outage_ended, "outage_ended"},
      {kind::scale_decided, "scale_decided"},     {kind::worker_never_came, "worker_never_came"},
      {kind::pool_paused, "pool_paused"},         {kind::pool_resumed, "pool_resumed"},
  };
  app::journal j;
  for (const row& r : rows) {
    core::event e;
    e.what = r.what;
    e.worker_name = "w1";
    e.reason = "because";
    j.add("loaders", e);
    const auto page = j.since(0, 100);
    REQUIRE_FALSE(page.items.empty());
    CHECK(page.items.back().kind == r.word);
    CHECK(page.items.back().pool == "loaders");
    CHECK(page.items.back().worker == "w1");
    CHECK(page.items.back().text == "because");
    CHECK(page.items.back().unix_ms > 1'600'000'000'000);
  }
}

TEST_CASE("a change of state says from what to what, and why") {
  app::journal j;
  j.add("loaders", change(worker_state::up, worker_state::down, "3 probes failed"));
  j.add("loaders", change(worker_state::down, worker_state::up));
  const auto page = j.since(0, 10);
  REQUIRE(page.items.size() == 2);
  CHECK(page.items[0].kind == "worker_state_changed");
  CHECK(page.items[0].text == "up -> down: 3 probes failed");
  CHECK(page.items[1].text == "down -> up");
}

TEST_CASE("a worker that fills up and empties all day is not worth a line, other changes are") {
  struct row {
    worker_state from, to;
    bool told;
  };
  const row rows[] = {
      {worker_state::up, worker_state::saturated, false},
      {worker_state::saturated, worker_state::up, false},
      {worker_state::saturated, worker_state::down, true},
      {worker_state::saturated, worker_state::ejected, true},
      {worker_state::checking, worker_state::up, true},
      {worker_state::draining, worker_state::saturated, true},
  };
  for (const row& r : rows) {
    INFO(core::name(r.from) << " -> " << core::name(r.to));
    app::journal j;
    j.add("loaders", change(r.from, r.to));
    CHECK(j.since(0, 10).items.size() == (r.told ? 1u : 0u));
  }
}

TEST_CASE("pages go on where the last one ended, without gaps or repeats") {
  app::journal j;
  for (int i = 0; i < 25; ++i)
    j.add(telemetry::level::debug, "p", "kind", {}, std::to_string(i));
  std::uint64_t since = 0;
  std::string all;
  for (int pages = 0; pages < 5; ++pages) {
    const auto page = j.since(since, 10);
    CHECK(page.items.size() == (pages < 2 ? 10u : pages == 2 ? 5u : 0u));
    for (const auto& e : page.items) all += e.text + " ";
    CHECK(page.next >= since);
    since = page.next;
  }
  std::string expected;
  for (int i = 0; i < 25; ++i) expected += std::to_string(i) + " ";
  CHECK(all == expected);
}

TEST_CASE("the latest thousand are kept, numbers never start again") {
  app::journal j;
  for (std::size_t i = 0; i < app::journal::kept + 7; ++i)
    j.add(telemetry::level::debug, "p", "kind", {}, "x");
  const auto page = j.since(0, 5000);
  CHECK(page.items.size() == app::journal::kept);
  CHECK(page.items.front().sequence == 8);
  CHECK(page.items.back().sequence == app::journal::kept + 7);
  CHECK(page.next == app::journal::kept + 7);
  CHECK(j.since(page.next, 10).items.empty());
  CHECK(j.since(page.next, 10).next == page.next);
}
