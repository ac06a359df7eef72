#include "sim/lower_bound.hpp"

#include <catch2/catch.hpp>

#include "sim/generators.hpp"

namespace weir::sim {
namespace {

workload of(std::vector<std::pair<double, double>> at_and_work) {
  workload w;
  for (const auto& [at, work] : at_and_work) w.arrivals.push_back({at, work, work, 0, 0});
  return w;
}

fleet_plan fleet(std::uint32_t workers, std::uint32_t slots = 1, double speed = 1) {
  worker_group g;
  g.count = workers, g.slots = slots, g.speed = speed;
  return plan_fleet({g}, 100, 1);
}

}  // namespace

TEST_CASE("one slot: the bound is the shortest remaining work first") {
  // Both at 0: 1 s ends at 1, 3 s at 4. A short one interrupts a long one.
  CHECK(lower_bound(of({{0, 3}, {0, 1}}), fleet(1)) == Approx((1 + 4) / 2.0));
  CHECK(lower_bound(of({{0, 10}, {2, 1}}), fleet(1)) == Approx((11 + 1) / 2.0));
  CHECK(lower_bound(of({{0, 1}, {5, 1}}), fleet(1)) == Approx(1));
}

TEST_CASE("many slots: no batch is faster than alone on the fastest one") {
  CHECK(lower_bound(of({{0, 3}, {0, 1}}), fleet(4)) == Approx(2));
  CHECK(lower_bound(of({{0, 3}, {0, 1}}), fleet(4, 1, 2)) == Approx(1));
}

TEST_CASE("slots count as often as there are of them") {
  const workload w = of({{0, 1}, {0, 1}, {0, 1}, {0, 1}});
  CHECK(lower_bound(w, fleet(2)) == Approx((0.5 + 1 + 1.5 + 2) / 4));
  CHECK(lower_bound(w, fleet(1, 2)) == Approx((0.5 + 1 + 1.5 + 2) / 4));
}

TEST_CASE("the whole speed changes as the fleet does") {
  fleet_plan p = fleet(1);
  p.changes.push_back({2, 0, change::kind::speed, 0.5});
  p.changes.push_back({10, 0, change::kind::speed, 1});
  // 2 s at 1, 8 s at a half, then 1 again.
  CHECK(lower_bound(of({{0, 7}}), p) == Approx(11));
  p.changes[1] = {2, 0, change::kind::down, 0};
  p.changes[2] = {10, 0, change::kind::up, 0};
  CHECK(lower_bound(of({{0, 7}}), p) == Approx(15));
}

TEST_CASE("a worker counts from when it joins") {
  fleet_plan p = fleet(2);
  p.changes[1].at = 4;
  CHECK(lower_bound(of({{0, 6}, {0, 6}}), p) == Approx((5 + 8) / 2.0));
}

TEST_CASE("the fastest slot is the fastest that any ever is") {
  fleet_plan p = fleet(2, 1, 0.5);
  CHECK(fastest_slot(p) == 0.5);
  p.changes.push_back({50, 1, change::kind::speed, 3});
  CHECK(fastest_slot(p) == 3);
}

TEST_CASE("nothing to do takes no time, and a fleet that is gone ends the count") {
  CHECK(lower_bound({}, fleet(1)) == 0);
  fleet_plan p = fleet(1);
  p.changes.push_back({1, 0, change::kind::down, 0});
  CHECK(lower_bound(of({{0, 5}}), p) == Approx(5));  // what it would take alone
}

TEST_CASE("a faster fleet or less work never raises the bound") {
  demand d;
  d.batches = 3000;
  const workload w = generate(d, 8, 1);
  workload half = w;
  for (arrival& a : half.arrivals) a.work /= 2;
  CHECK(lower_bound(w, fleet(8)) >= lower_bound(w, fleet(9)));
  CHECK(lower_bound(w, fleet(8)) >= lower_bound(w, fleet(8, 1, 1.1)));
  CHECK(lower_bound(w, fleet(8)) > lower_bound(half, fleet(8)));
}

}  // namespace weir::sim
