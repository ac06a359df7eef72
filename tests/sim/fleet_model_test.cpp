#include "sim/fleet_model.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

namespace weir::sim {
namespace {

worker_group group(std::uint32_t count, std::vector<affliction> troubles = {}) {
  worker_group g;
  g.count = count;
  g.afflictions = std::move(troubles);
  return g;
}

affliction of(trouble what, double from = 0.25, double to = 0.6, double factor = 0.05) {
  affliction a;
  a.what = what;
  a.from = from, a.to = to, a.factor = factor;
  return a;
}

std::vector<change> of_worker(const fleet_plan& p, std::uint32_t worker) {
  std::vector<change> out;
  std::copy_if(p.changes.begin(), p.changes.end(), std::back_inserter(out),
               [&](const change& c) { return c.worker == worker; });
  return out;
}

using kind = change::kind;

}  // namespace

TEST_CASE("workers are numbered over all groups, and join at the start") {
  worker_group slow = group(2), fast = group(1);
  slow.name = "slow", slow.speed = 0.4, slow.slots = 3;
  fast.name = "fast", fast.weight = 2, fast.backup = true;
  const fleet_plan p = plan_fleet({slow, fast}, 100, 1);
  REQUIRE(p.workers.size() == 3);
  CHECK(p.workers[0].name == "slow1");
  CHECK(p.workers[1].speed == 0.4);
  CHECK(p.workers[1].slots == 3);
  CHECK(p.workers[2].name == "fast3");
  CHECK(p.workers[2].weight == 2);
  CHECK(p.workers[2].backup);
  REQUIRE(p.changes.size() == 3);
  for (const change& c : p.changes) {
    CHECK(c.what == kind::joins);
    CHECK(c.at == 0);
  }
}

TEST_CASE("a name without a number stays as it is") {
  worker_group g = group(1);
  g.name = "loader-a", g.numbered = false;
  CHECK(plan_fleet({g}, 100, 1).workers[0].name == "loader-a");
}

TEST_CASE("capacity counts slots by speed, antagonists by the mean, and no backups") {
  worker_group slow = group(8), fast = group(8), spare = group(5);
  slow.speed = 0.4, fast.speed = 1.6, spare.backup = true;
  CHECK(capacity_of({slow, fast}) == Approx(32));
  CHECK(capacity_of({slow, fast, spare}) == Approx(32));
  CHECK(capacity_of({group(16, {affliction{}})}) == Approx(32 * (15 * 0.35 + 30) / 45));
  CHECK(capacity_of({group(16, {of(trouble::brownout)})}) == Approx(32));
}

TEST_CASE("a late worker joins at its share of the run") {
  worker_group late = group(2);
  late.joins = 0.25;
  const fleet_plan p = plan_fleet({late, group(1)}, 400, 1);
  CHECK(of_worker(p, 0)[0].at == 100);
  CHECK(of_worker(p, 1)[0].at == 100);
  CHECK(of_worker(p, 2)[0].at == 0);
}

TEST_CASE("brownout and black hole begin and end at their shares of the run") {
  worker_group g = group(1, {of(trouble::brownout)});
  g.speed = 2;
  const auto slow = of_worker(plan_fleet({g}, 1000, 1), 0);
  REQUIRE(slow.size() == 3);
  CHECK((slow[1].at == 250 && slow[1].what == kind::speed && slow[1].speed == Approx(0.1)));
  CHECK((slow[2].at == 600 && slow[2].what == kind::speed && slow[2].speed == 2));
  const auto broken = of_worker(plan_fleet({group(1, {of(trouble::black_hole)})}, 1000, 1), 0);
  REQUIRE(broken.size() == 3);
  CHECK((broken[1].at == 250 && broken[1].what == kind::fails));
  CHECK((broken[2].at == 600 && broken[2].what == kind::works));
}

TEST_CASE("a flapping worker is down at the end of each period") {
  const auto all = of_worker(plan_fleet({group(1, {of(trouble::flapping, 0, 1)})}, 100, 1), 0);
  REQUIRE(all.size() == 11);
  for (std::size_t i = 1; i < all.size(); i += 2) {
    CHECK(all[i].what == kind::down);
    CHECK(all[i].at == Approx(15 + 20 * static_cast<double>((i - 1) / 2)));
    CHECK(all[i + 1].what == kind::up);
    CHECK(all[i + 1].at == Approx(all[i].at + 5));
  }
}

TEST_CASE("antagonists change each worker's speed by exponential phases of its own") {
  const fleet_plan p = plan_fleet({group(40, {affliction{}})}, 4500, 3);
  double slow_time = 0, all_time = 0, slow_phases = 0;
  for (std::uint32_t w = 0; w < 40; ++w) {
    const auto phases = of_worker(p, w);
    for (std::size_t i = 1; i + 1 < phases.size(); ++i) {
      REQUIRE(phases[i].what == kind::speed);
      const bool slow = phases[i].speed == 0.35;
      REQUIRE((slow || phases[i].speed == 1));
      if (i + 2 < phases.size()) REQUIRE(phases[i].speed != phases[i + 1].speed);
      const double lasts = phases[i + 1].at - phases[i].at;
      all_time += lasts;
      if (slow) slow_time += lasts, ++slow_phases;
    }
  }
  CHECK(slow_time / all_time == Approx(1.0 / 3).epsilon(0.05));
  CHECK(slow_time / slow_phases == Approx(15).epsilon(0.05));
  CHECK(of_worker(p, 0)[2].at != of_worker(p, 1)[2].at);
}

TEST_CASE("antagonists go on after the run, and leave a normal speed at the very end") {
  const fleet_plan p = plan_fleet({group(1, {affliction{}})}, 100, 3);
  CHECK(p.changes.back().at == 400);
  CHECK(p.changes.back().speed == 1);
}

TEST_CASE("changes are in order of time, the same for the same seed") {
  const std::vector<worker_group> groups{group(5, {affliction{}}),
                                         group(2, {of(trouble::flapping, 0, 1)})};
  const fleet_plan a = plan_fleet(groups, 500, 9), b = plan_fleet(groups, 500, 9),
                   c = plan_fleet(groups, 500, 10);
  const auto earlier = [](const change& x, const change& y) { return x.at < y.at; };
  CHECK(std::is_sorted(a.changes.begin(), a.changes.end(), earlier));
  REQUIRE(a.changes.size() == b.changes.size());
  for (std::size_t i = 0; i < a.changes.size(); ++i) REQUIRE(a.changes[i].at == b.changes[i].at);
  CHECK(a.changes.size() != c.changes.size());
}

}  // namespace weir::sim
