#include "core/scaling.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "scaling_bench.hpp"

using namespace weir;
using namespace weir::core;
using bench = test::scaling_bench;
using test::plain_scaling;
using test::settled;
using way = scale_decision::direction;
using names = std::vector<std::string>;
using standing = scale_worker::standing;

// --- the formulas --------------------------------------------------------------------------------

TEST_CASE("capped seconds are what start-up and sustain leave of the objective") {
  struct row {
    duration objective, startup, sustain;
    double seconds;
  };
  const std::vector<row> rows{
      {120s, 60s, 10s, 50}, {60s, 15s, 10s, 35},  {300s, 180s, 10s, 110},
      {60s, 60s, 10s, 10},  {80s, 60s, 10s, 10},  {81s, 60s, 10s, 11},
      {10min, 0s, 0s, 600}, {1s, 1h, 1h, 10},
  };
  for (const row& r : rows) {
    autoscale_settings s;
    s.objective = r.objective, s.startup_time = r.startup, s.sustain = r.sustain;
    CHECK(capped_seconds(s) == Approx(r.seconds));
  }
}

TEST_CASE("a waiting batch asks for one slot at most") {
  CHECK(slot_share(25, 50) == Approx(0.5));
  CHECK(slot_share(50, 50) == Approx(1));
  CHECK(slot_share(5000, 50) == Approx(1));
  CHECK(slot_share(0, 50) == Approx(0));
}

TEST_CASE("sustained backlog asks for what drains it in time") {
  struct row {
    std::uint64_t batches;
    double each;
    std::uint32_t desired;
  };
  // One worker of 4 slots, all busy: 5 slots for what runs, T = 50 s.
  const std::vector<row> rows{
      {100, 5, 4},      // 10 slots of backlog
      {1000, 5, 10},    // 100: the maximum
      {10, 25, 3},      // 5
      {5, 600, 3},      // long ones: one slot each, 5 + 5
      {20, 600, 6},     // 24 batches in all: 6 workers, although 5 + 20 slots are more
  };
  for (const row& r : rows) {
    INFO(r.batches << " of " << r.each << " s");
    bench b(plain_scaling());
    b.add(1);
    b.busy(4);
    REQUIRE_FALSE(b.run(15s).size() > 1);
    b.now += 100s;                       // the mean of busy slots settles
    b.waiting(r.batches, r.each);
    const auto told = b.run(20s);
    REQUIRE_FALSE(told.empty());
    CHECK(told.back().desired == r.desired);
  }
}

TEST_CASE("estimates that are known to be too low count for more, up to a slot a batch") {
  struct row {
    double times_low;
    std::uint32_t desired;
  };
  // One worker of 4 slots, all busy, and 20 batches of 5 s: 2 slots by their estimates.
  for (const row& r : std::vector<row>{{1, 2}, {2, 3}, {5, 4}, {10, 6}, {1e9, 6}}) {
    INFO("times " << r.times_low);
    bench b(plain_scaling());
    b.add(1);
    b.busy(4);
    b.run(15s);
    b.now += 100s;
    b.waiting(20, 5);
    b.facts.times_low = r.times_low;
    b.facts.oldest_seconds = 1;
    const auto told = b.run(20s);
    CHECK((told.empty() ? 1 : told.back().desired) == r.desired);
  }
}

TEST_CASE("backlog has to last before more than the base is asked for") {
  bench b = settled(4);
  b.waiting(1000, 10);
  CHECK_FALSE(b.tick().decision);
  CHECK_FALSE(b.tick().decision);
  const auto told = b.tick().decision;   // 10 s after it was first seen
  REQUIRE(told);
  CHECK(told->desired == 10);
  CHECK(told->current == 4);
  CHECK(told->way == way::out);
}

TEST_CASE("backlog that goes in between starts the wait anew") {
  bench b = settled(4);
  for (int i = 0; i < 20; ++i) {
    b.waiting(1000, 10);
    CHECK_FALSE(b.tick().decision);
    CHECK_FALSE(b.tick().decision);
    b.waiting(0, 0);
    CHECK_FALSE(b.tick().decision);
  }
}

TEST_CASE("pressure is more waiting work than the ready slots do in half of T or in five seconds") {
  struct row {
    duration objective;
    double work;
    bool ready, pressure;
  };
  const std::vector<row> rows{{120s, 100, true, false}, {120s, 100.1, true, true},   // T = 50 s
                              {120s, 0.1, false, true},
                              {65s, 20, true, false}, {65s, 20.1, true, true}};      // T = 10 s
  for (const row& r : rows) {
    INFO(r.work << " s wait, objective " << base::to_seconds(r.objective) << " s");
    autoscale_settings s = plain_scaling();
    s.objective = r.objective;
    bench b = settled(1, s);
    b.workers[0].ready = r.ready;
    b.busy(4);
    b.waiting(50, r.work / 50);
    b.facts.waiting_share = 20;
    const auto told = b.run(15s);
    CHECK((!told.empty() && told.back().desired > 2) == r.pressure);
  }
}

TEST_CASE("workers to come are taken to have the slots that those known have") {
  struct row {
    std::uint32_t known, declared, desired;
  };
  for (const row& r : std::vector<row>{{8, 0, 3}, {2, 0, 9}, {2, 8, 3}}) {
    INFO(r.known << " slots, declared " << r.declared);
    autoscale_settings s = plain_scaling();
    s.slots_per_worker = r.declared;
    bench b(s);
    b.add(true, r.known);
    b.run(20s);
    b.waiting(18, 1000);            // 18 slots
    const auto told = b.run(15s);
    REQUIRE(told.size() == 1);
    CHECK(told[0].desired == r.desired);
  }
}

// --- limits --------------------------------------------------------------------------------------

TEST_CASE("a decision sent again asks for more when workers that it counts on have left") {
  autoscale_settings s = plain_scaling();
  s.resend = 60s;
  s.scale_in_window = 60s;
  bench b = settled(3, s);
  b.workers[0].stands = scale_worker::standing::drained;   // by an operator: it counts
  std::vector<scale_decision> told;
  while (told.empty()) told = b.run(60s);
  REQUIRE(told[0].way == way::in);
  REQUIRE(told[0].desired == 2);
  REQUIRE(told[0].remove.size() == 1);
  b.remove(b.workers[0].id);
  const auto again = b.run(60s);
  REQUIRE(again.size() == 1);
  CHECK_FALSE(again[0].resent);
  CHECK(again[0].desired == 2);
  CHECK(again[0].current == 1);
  CHECK(again[0].way == way::out);
  CHECK(again[0].reason == "1 of 2 wanted workers are there");
  CHECK(again[0].episode == told[0].episode + 1);
}

TEST_CASE("fewer than the minimum are made up for once workers had time to register") {
  autoscale_settings s = plain_scaling();
  s.min = 3;
  bench b(s);
  CHECK(b.run(9s).empty());
  b.add(1);
  const auto told = b.run(10s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].desired == 3);
  CHECK(told[0].current == 1);
  CHECK(b.machine.asked_for() == 2);
}

TEST_CASE("desired never passes the maximum, workers that an operator drains included") {
  autoscale_settings s = plain_scaling();
  s.max = 5;
  bench b = settled(5, s);
  b.workers[0].stands = standing::drained;
  b.busy(16);
  b.waiting(1000, 100);
  CHECK(b.run(100s).empty());
  b.workers[0].stands = standing::leaving;   // that one goes: its place is free
  const auto told = b.run(5s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].desired == 5);
  CHECK(told[0].current == 4);
}

TEST_CASE("with no worker the first waiting batch asks for one at once") {
  autoscale_settings s = plain_scaling();
  s.min = 0;
  bench b(s);
  CHECK(b.run(30s).empty());
  CHECK(b.machine.desired(0) == 0u);
  b.now += 1s;
  b.waiting(1, 3);
  b.machine.wake(b.now);
  CHECK(b.machine.next_deadline() == b.now);
  const auto told = b.tick().decision;
  REQUIRE(told);
  CHECK(told->desired == 1);
  CHECK(told->current == 0);
  b.machine.wake(b.now);
  CHECK(b.machine.next_deadline() == b.now + scaling::tick);   // one is expected: no hurry
}

TEST_CASE("with no worker and much waiting the rest is asked for when it lasts") {
  autoscale_settings s = plain_scaling();
  s.min = 0;
  s.slots_per_worker = 4;
  bench b(s);
  b.waiting(40, 1000);
  b.machine.wake(b.now);
  std::vector<std::uint32_t> desired;
  for (const scale_decision& d : b.run(20s)) desired.push_back(d.desired);
  CHECK(desired == std::vector<std::uint32_t>{1, 10});
}

TEST_CASE("a wake makes haste only when nobody is there or expected") {
  bench b = settled(1);
  const instant due = b.machine.next_deadline();
  b.machine.wake(b.now + 1s);
  CHECK(b.machine.next_deadline() == due);
}

TEST_CASE("with a minimum of nothing the last worker goes too") {
  autoscale_settings s = plain_scaling();
  s.min = 0;
  bench b = settled(1, s);
  b.until_drain();
  const auto told = b.tick().decision;
  REQUIRE(told);
  CHECK(told->way == way::in);
  CHECK(told->desired == 0);
  CHECK(told->remove == names{"w0"});
}

TEST_CASE("new limits hold from the next tick on") {
  bench b = settled(2);
  autoscale_settings s = plain_scaling();
  s.min = 4;
  b.machine.configure(s, b.now);
  const auto told = b.tick().decision;
  REQUIRE(told);
  CHECK(told->desired == 4);
}

TEST_CASE("a lower maximum drains what is above it after the window") {
  bench b = settled(6);
  b.busy(18);
  REQUIRE(b.run(400s).empty());
  autoscale_settings s = plain_scaling();
  s.max = 3;
  b.machine.configure(s, b.now);
  CHECK(b.until_drain().drain.size() == 3);
}

// --- workers asked for -----------------------------------------------------------------------

TEST_CASE("workers asked for are not asked for again while they start") {
  bench b = settled(1);
  b.busy(4);
  b.waiting(20, 600);
  const auto told = b.run(60s);
  REQUIRE_FALSE(told.empty());
  CHECK(told.back().desired == 6);
  CHECK(b.machine.asked_for() == 5);
  b.add(2);
  CHECK(b.machine.asked_for() == 3);
  b.facts.waiting_share = 8;
  CHECK(b.run(10s).empty());
}

TEST_CASE("the start-up time is learned from ask to joining") {
  bench b = settled(1);
  CHECK(b.machine.startup_seconds() == Approx(60));
  b.waiting(1000, 100);
  while (b.machine.asked_for() == 0) b.tick();
  REQUIRE(b.machine.asked_for() == 9);
  b.now += 40s;
  b.add();
  CHECK(b.machine.startup_seconds() == Approx(40));
  b.now += 10s;
  b.add();
  CHECK(b.machine.startup_seconds() == Approx(43));   // 40 + 0.3 x 10
}

TEST_CASE("a worker that joins unasked teaches nothing") {
  bench b = settled(1);
  b.add();
  CHECK(b.machine.startup_seconds() == Approx(60));
}

TEST_CASE("workers that have not come after twice the start-up time are not counted on") {
  bench b = settled(1);
  b.waiting(1000, 100);
  const instant asked = b.now + 15s;
  REQUIRE(b.run(20s).size() == 1);
  b.add(3);
  b.waiting(0, 0);                  // calm meanwhile
  autoscale_settings s = plain_scaling();   // and the learned time does not matter here
  while (b.now < asked + 2 * s.startup_time && b.machine.never_came() == 0) b.tick();
  CHECK(b.machine.never_came() == 6);
  CHECK(b.machine.asked_for() == 0);
}

TEST_CASE("given up workers are told once and asked for again while they are needed") {
  bench b = settled(1);
  b.waiting(1000, 100);
  const auto first = b.run(20s);
  REQUIRE(first.size() == 1);
  std::uint32_t given_up = 0;
  std::optional<scale_decision> again;
  for (int i = 0; i < 24 && !again; ++i) {
    scale_step step = b.tick();
    given_up += step.never_came;
    again = step.decision;
  }
  REQUIRE(again);
  CHECK(given_up == 9);
  CHECK(again->desired == first[0].desired);
  CHECK(again->episode == first[0].episode);      // the same run of pressure
  CHECK(again->sequence == first[0].sequence + 1);
  CHECK(b.machine.asked_for() == 9);
  CHECK(b.machine.never_came() == 9);
}

TEST_CASE("a worker that comes late is learned from and takes the place of its successor") {
  bench b = settled(1);
  b.waiting(1000, 100);
  REQUIRE(b.run(20s).size() == 1);
  const instant asked = b.now - 5s;
  b.run(130s);
  REQUIRE(b.machine.never_came() == 9);
  REQUIRE(b.machine.asked_for() == 9);
  b.now = asked + 180s;
  b.add();
  CHECK(b.machine.asked_for() == 8);
  CHECK(b.machine.startup_seconds() == Approx(180).margin(10));
}

TEST_CASE("many asks are kept in a bounded place and none is lost") {
  autoscale_settings s = plain_scaling();
  s.max = 100;
  s.startup_time = 1h;
  bench b = settled(1, s);
  std::uint32_t expected = 0;
  for (std::uint32_t need = 2; need < 60; ++need) {
    b.waiting(need * 4, 1e6);
    b.run(15s);
    expected = need - 1;
    CHECK(b.machine.asked_for() == expected);
  }
  for (std::uint32_t i = 0; i < expected; ++i) b.machine.joined(b.now);
  CHECK(b.machine.asked_for() == 0);
  b.machine.joined(b.now);
  CHECK(b.machine.asked_for() == 0);
}

TEST_CASE("a standing decision that counts workers who came unasked is a new one") {
  autoscale_settings s = plain_scaling();
  s.resend = 60s;
  bench b = settled(1, s);
  b.waiting(1000, 100);
  scale_step step;
  while (!step.decision) step = b.tick();
  const std::uint32_t asked = step.decision->desired;
  b.add(static_cast<int>(asked) + 2);   // one was there
  b.waiting(3, 1);
  for (const bool repeats : {false, true}) {
    do step = b.tick();
    while (!step.decision);
    CHECK(step.decision->desired == asked + 3);
    CHECK(step.decision->resent == repeats);
  }
}
