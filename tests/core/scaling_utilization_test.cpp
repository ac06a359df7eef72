// What utilization alone asks for: how far and how long the target has to be passed.
#include <algorithm>
#include <catch2/catch.hpp>

#include "scaling_bench.hpp"

using namespace weir;
using namespace weir::core;
using bench = test::scaling_bench;
using test::plain_scaling;
using test::settled;
using way = scale_decision::direction;

TEST_CASE("slots that are nearly all busy ask for the base at once") {
  struct row {
    std::uint32_t workers, busy, desired;   // 4 slots a worker at 80 %: 3.2 busy each
  };
  const std::vector<row> rows{{1, 4, 2}, {2, 8, 3}, {3, 12, 4}, {5, 20, 7}, {9, 36, 10}};
  for (const row& r : rows) {
    INFO(r.busy << " busy on " << r.workers);
    bench b = settled(static_cast<int>(r.workers));
    b.busy(r.busy);
    const auto told = b.run(200s);      // the mean over 30 s has come close by then
    REQUIRE_FALSE(told.empty());
    CHECK(told.back().way == way::out);
    CHECK(told.back().desired == r.desired);
    CHECK(b.machine.desired(0) == r.desired);
  }
}

TEST_CASE("busy slots within the target utilization ask for nothing") {
  for (std::uint32_t workers : {1u, 2u, 5u}) {
    bench b = settled(static_cast<int>(workers));
    b.busy(workers * 16 / 5);
    CHECK(b.run(1000s).empty());
  }
}

TEST_CASE("busy slots count as their mean over half a minute") {
  bench b = settled(2);
  b.busy(8);
  CHECK_FALSE(b.tick().decision);      // 8 x (1 - e^(-5/30)) = 1.2 of them so far
  CHECK(b.run(80s).empty());           // 7.5 busy: two workers do
  CHECK_FALSE(b.run(20s).empty());     // 7.68 are passed after 97 s
}

TEST_CASE("a target that is crossed without need has to be crossed for long") {
  bench b = settled(2);
  b.busy(7);                           // over 6.4, below 7.68
  CHECK(b.run(600s).empty());
  const auto told = b.run(200s);       // the mean over 5 minutes passes 6.4 after 737 s
  REQUIRE_FALSE(told.empty());
  CHECK(told.front().desired == 3);
  CHECK(told.size() == 1);
}

TEST_CASE("a load about the target asks for nothing") {
  bench b = settled(2);
  for (int round = 0; round < 60; ++round) {
    b.busy(round % 2 == 0 ? 7 : 5);    // means of 30 s cross 6.4 each time
    CHECK(b.run(120s).empty());
  }
}

TEST_CASE("a load that has gone asks for nothing, however long it was there") {
  bench b = settled(3);
  b.busy(11);
  REQUIRE_FALSE(b.run(2000s).empty());
  b.busy(2);
  for (const scale_decision& d : b.run(1000s)) CHECK(d.way == way::in);
}

TEST_CASE("who waits for half of T shows that slots lack") {
  struct row {
    std::uint64_t waiting;
    double oldest;
    bool asks;
  };
  for (const row& r : std::vector<row>{{1, 24.9, false}, {1, 25, true}, {0, 25, false}}) {
    INFO(r.waiting << " wait, the oldest " << r.oldest << " s");
    bench b = settled(2);
    b.busy(7);
    b.waiting(r.waiting, 0.01);        // no pressure
    b.facts.oldest_seconds = r.oldest;
    CHECK(b.run(70s).empty());         // up to here two workers would do
    CHECK(b.run(20s).empty() != r.asks);
  }
}

TEST_CASE("where no worker would come in time the target is the mark") {
  struct row {
    duration objective, startup;
    bool asks;
  };
  for (const row& r : std::vector<row>{{120s, 60s, false}, {80s, 60s, false}, {79s, 60s, true},
                                       {60s, 60s, true}, {60s, 10min, true}}) {
    autoscale_settings s = plain_scaling();
    s.objective = r.objective, s.startup_time = r.startup;
    bench b = settled(2, s);
    b.busy(7);                         // over 6.4, below 7.68
    CHECK(b.run(200s).empty() != r.asks);
  }
}

TEST_CASE("the headroom that may be taken at no need is a share of what the target leaves") {
  struct row {
    double target;
    std::uint32_t busy;                // of 40 slots
    bool asks;
  };
  const std::vector<row> rows{{0.8, 38, false}, {0.8, 39, true}, {0.5, 35, false}, {0.5, 37, true},
                              {0.95, 39, false}, {0.95, 40, true}, {1, 40, false}};
  for (const row& r : rows) {
    INFO(r.busy << " busy, target " << r.target);
    autoscale_settings s = plain_scaling();
    s.max = 100;
    s.target_utilization = r.target;
    bench b = settled(10, s);
    b.busy(r.busy);
    CHECK(b.run(200s).empty() != r.asks);
  }
}
