#include "sim/peer_scalers.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace weir::sim;

namespace {

// Keeps a fleet as a test sets it, and its sums as time passes.
struct fleet {
  fleet_facts facts;
  double busy = 0;

  explicit fleet(std::uint32_t ready) { facts.ready = ready, facts.slots = 4; }
  void pass(double seconds) {
    facts.now += seconds;
    facts.busy_seconds += busy * seconds;
    facts.demand_seconds += (busy + static_cast<double>(facts.waiting)) * seconds;
    facts.ready_seconds += facts.ready * seconds;
  }
  // Looks at every interval for that long; the last answer.
  std::uint32_t watch(scaler& s, double seconds) {
    std::uint32_t answer = 0;
    for (double t = 0; t < seconds; t += s.interval()) {
      pass(s.interval());
      answer = s.desired(facts);
    }
    return answer;
  }
};

}  // namespace

TEST_CASE("every policy has a name, and weir's own is no scaler") {
  CHECK(name(scaling_policy::weir) == "weir");
  CHECK(name(scaling_policy::knative) == "knative");
  CHECK(name(scaling_policy::hpa) == "hpa");
  CHECK(name(scaling_policy::keda) == "keda");
  CHECK(make_scaler(scaling_policy::weir) == nullptr);
  for (auto p : {scaling_policy::knative, scaling_policy::hpa, scaling_policy::keda})
    CHECK(make_scaler(p) != nullptr);
}

// --- what they are made of ----------------------------------------------------------------------

TEST_CASE("averages are over the last while, or over what there is") {
  fleet_memory memory(60);
  CHECK(memory.demand(60) == 0);
  CHECK(memory.utilization(60) == 0);
  fleet f(2);
  for (int i = 0; i <= 100; ++i) {
    f.busy = i <= 50 ? 4 : 8;              // busy during the second before
    f.facts.waiting = i <= 50 ? 0 : 2;
    if (i > 0) f.pass(1);
    memory.add(f.facts);
  }
  CHECK(memory.demand(10) == Approx(10));
  CHECK(memory.demand(60) == Approx((10 * 4 + 50 * 10) / 60.0));
  CHECK(memory.demand(1000) == Approx(memory.demand(60)));
  CHECK(memory.utilization(50) == Approx(1));
  CHECK(memory.utilization(60) == Approx((10 * 0.5 + 50) / 60));
}

TEST_CASE("the largest recommendation of late holds until it is old") {
  largest_of_late late(300);
  struct row {
    double at;
    std::uint32_t recommended, holds;
  };
  for (const row& r : std::vector<row>{{0, 5, 5}, {100, 9, 9}, {200, 3, 9}, {300, 4, 9},
                                       {400, 1, 9}, {401, 1, 4}, {601, 1, 1}, {602, 7, 7}}) {
    INFO("at " << r.at);
    CHECK(late.add(r.at, r.recommended) == r.holds);
  }
}

// --- Knative ------------------------------------------------------------------------------------

TEST_CASE("Knative wants 70 percent of the slots taken over a minute") {
  struct row {
    double busy;
    std::uint32_t waiting, desired;     // (busy + waiting) / 2.8
  };
  for (const row& r : std::vector<row>{{8, 0, 3}, {8.4, 0, 3}, {8.5, 0, 4}, {12, 2, 5}}) {
    fleet f(4);
    f.busy = r.busy;
    f.facts.waiting = r.waiting;
    knative_scaler k;
    CHECK(f.watch(k, 120) == r.desired);
  }
}

TEST_CASE("Knative panics when six seconds ask for twice what is ready") {
  fleet f(2);
  knative_scaler k;
  f.busy = 5;
  REQUIRE(f.watch(k, 120) == 2);
  f.busy = 8, f.facts.waiting = 20;     // 10 workers, over 6 s
  CHECK(f.watch(k, 6) == 10);           // at once, although the minute still asks for fewer
}

TEST_CASE("Knative in panic goes out only, for a minute after the last cause") {
  fleet f(2);
  knative_scaler k;
  f.busy = 5;
  f.watch(k, 120);
  f.facts.waiting = 23;
  REQUIRE(f.watch(k, 6) == 10);
  f.facts.waiting = 0, f.busy = 0, f.facts.ready = 10;
  CHECK(f.watch(k, 56) == 10);
  CHECK(f.watch(k, 20) < 10);
}

TEST_CASE("Knative goes in by half of what is ready at most") {
  fleet f(20);
  knative_scaler k;
  f.busy = 0;
  CHECK(f.watch(k, 120) == 10);
}

// --- HPA ----------------------------------------------------------------------------------------

TEST_CASE("HPA goes by the ratio of utilization to its target, beyond its tolerance") {
  struct row {
    std::uint32_t ready;
    double busy;
    std::uint32_t desired;
  };
  const std::vector<row> rows{
      {10, 28, 10},      // 70 %
      {10, 30.7, 10},    // within 10 %
      {10, 31, 12},      // 77.5 %: 11.07 workers
      {10, 40, 15},      // full
      {10, 25.3, 10},    // 63.25 %: within
      {2, 8, 3},
  };
  for (const row& r : rows) {
    INFO(r.busy << " busy on " << r.ready);
    fleet f(r.ready);
    f.busy = r.busy;
    hpa_scaler h;
    CHECK(f.watch(h, 45) == r.desired);
  }
}

TEST_CASE("HPA counts workers that start as idle when it would go out") {
  fleet f(10);
  f.busy = 40;
  f.facts.starting = 5;
  hpa_scaler h;
  CHECK(f.watch(h, 45) == 15);          // 95 % of 15: within the tolerance
  f.facts.starting = 2;
  CHECK(f.watch(h, 600) == 15);         // 119 % of 12
}

TEST_CASE("HPA goes in only to the largest recommendation of five minutes") {
  fleet f(10);
  f.busy = 28;
  hpa_scaler h;
  REQUIRE(f.watch(h, 60) == 10);
  f.busy = 7;
  CHECK(f.watch(h, 300) == 10);
  CHECK(f.watch(h, 45) == 3);
}

TEST_CASE("HPA keeps one worker: none at all have no utilization") {
  fleet f(1);
  f.busy = 0;
  hpa_scaler h;
  CHECK(f.watch(h, 600) == 1);
}

TEST_CASE("an HPA goes out by four workers or as many as there are in a step") {
  struct row {
    std::uint32_t ready, desired;
  };
  for (const row& r : std::vector<row>{{1, 5}, {3, 7}, {10, 20}}) {
    fleet f(r.ready);
    f.facts.waiting = 1000;
    keda_scaler k;
    CHECK(f.watch(k, 15) == r.desired);
  }
}

// --- KEDA ---------------------------------------------------------------------------------------

TEST_CASE("KEDA wants a worker for every five that wait") {
  struct row {
    std::uint64_t waiting;
    std::uint32_t desired;
  };
  for (const row& r : std::vector<row>{{50, 10}, {54, 10}, {56, 12}, {75, 15}, {100, 20}}) {
    INFO(r.waiting << " wait");
    fleet f(10);
    f.facts.waiting = r.waiting;
    keda_scaler k;
    CHECK(f.watch(k, 60) == r.desired);
  }
}

TEST_CASE("KEDA sees the queue every half a minute") {
  fleet f(10);
  keda_scaler k;
  f.pass(30);
  f.facts.waiting = 100;
  REQUIRE(k.desired(f.facts) == 20);
  f.facts.waiting = 0;
  f.pass(15);
  CHECK(k.desired(f.facts) == 20);      // still what was polled
  f.facts.ready = 20;
  CHECK(f.watch(k, 300) == 20);         // and the largest of five minutes
  CHECK(f.watch(k, 60) <= 1);
}

TEST_CASE("KEDA keeps one worker for five minutes after the last batch waited") {
  fleet f(1);
  keda_scaler k;
  f.facts.waiting = 1;
  REQUIRE(f.watch(k, 30) == 1);
  f.facts.waiting = 0;
  CHECK(f.watch(k, 270) == 1);
  CHECK(f.watch(k, 900) == 0);
}
