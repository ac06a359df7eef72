#include "sim/scaling_world.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "sim/scaling_loads.hpp"

using namespace weir;
using namespace weir::sim;
using namespace std::chrono_literals;

namespace {

workload batches(const std::vector<std::pair<double, double>>& at_and_work) {
  workload w;
  for (const auto& [at, work] : at_and_work)
    w.arrivals.push_back({.at = at, .work = work, .units = 0, .tenant = 0, .route = 0});
  return w;
}

// A batch each `gap` seconds, of that work.
workload steady(double gap, double work, double until) {
  workload w;
  for (double t = 0; t < until; t += gap)
    w.arrivals.push_back({.at = t, .work = work, .units = work, .tenant = 0, .route = 0});
  return w;
}

scaling_options plain(scaling_policy policy = scaling_policy::weir) {
  scaling_options o;
  o.autoscale.max = 200;
  o.policy = policy;
  return o;
}

constexpr scaling_policy all[] = {scaling_policy::weir, scaling_policy::knative,
                                  scaling_policy::hpa, scaling_policy::keda};

}  // namespace

// --- what is measured ---------------------------------------------------------------------------

TEST_CASE("batches wait for a slot, in order, and no longer") {
  scaling_options o = plain();
  o.workers = 1;
  o.slots = 1;
  o.autoscale.max = 1;
  const scaling_result r = run_scaling(batches({{0, 10}, {1, 10}, {2, 5}}), o);
  CHECK(r.batches == 3);
  CHECK(r.seconds == Approx(25));
  CHECK(r.wait_max == Approx(18));             // 20 - 2
  CHECK(r.wait_mean == Approx((0 + 9 + 18) / 3.0));
  CHECK(r.worker_seconds == Approx(25));
  CHECK(r.utilization == Approx(1));
  CHECK(r.workers_most == 1);
  CHECK(r.launches == 0);
}

TEST_CASE("seconds count while the oldest waits beyond the objective, however many wait") {
  struct row {
    double objective, late;
  };
  // One slot: they wait from 0 to 100, from 1 to 200 and from 2 to 300.
  const workload load = batches({{0, 100}, {0, 100}, {1, 100}, {2, 1}});
  const std::vector<row> rows{{30, 70 + 100 + 100}, {98, 2 + 100 + 100}, {150, 49 + 100},
                              {250, 300 - 252}, {298, 0}, {1000, 0}};
  for (const row& r : rows) {
    INFO("objective " << r.objective);
    scaling_options o = plain();
    o.workers = 1;
    o.slots = 1;
    o.autoscale.max = 1;
    o.autoscale.objective = base::from_seconds(r.objective);
    CHECK(run_scaling(load, o).seconds_late == Approx(r.late));
  }
}

TEST_CASE("a run lasts as long as it is told, and everybody is billed for it") {
  scaling_options o = plain();
  o.autoscale.max = o.autoscale.min = o.workers = 3;
  o.seconds = 1000;
  const scaling_result r = run_scaling(batches({{10, 1}}), o);
  CHECK(r.seconds == Approx(1000));
  CHECK(r.worker_seconds == Approx(3000));
  CHECK(r.decisions == 0);
}

TEST_CASE("nothing to do is a run too") {
  for (scaling_policy p : all) {
    scaling_options o = plain(p);
    CHECK(run_scaling({}, o).batches == 0);
    o.seconds = 3600;
    const scaling_result r = run_scaling({}, o);
    CHECK(r.seconds == Approx(3600));
    CHECK(r.worker_seconds >= 3600);           // one is kept
    CHECK(r.worker_seconds < 2 * 3600);
    CHECK(r.fleet.back().workers == 0);        // all are stopped at the end
  }
}

TEST_CASE("a change the other way within ten minutes is a reversal") {
  // 40 slots of work for 5 minutes, then none: out and, when the window has passed, in again.
  workload load = steady(0.25, 10, 300);
  scaling_options o = plain();
  o.seconds = 7200;
  const scaling_result r = run_scaling(load, o);
  CHECK(r.workers_most > 5);
  CHECK(r.reversals == 1);
  CHECK(r.reversals_a_day() == Approx(12));
  o.autoscale.scale_in_window = 20min;
  CHECK(run_scaling(load, o).reversals == 0);
}

// --- machines -----------------------------------------------------------------------------------

TEST_CASE("a machine is ready after its start-up time, a fifth more or less") {
  scaling_options o = plain();
  o.workers = 0;
  o.autoscale.min = 0;
  o.autoscale.startup_time = 100s;
  double least = 1e9, most = 0;
  for (o.seed = 1; o.seed <= 40; ++o.seed) {
    const scaling_result r = run_scaling(batches({{7, 1}}), o);
    REQUIRE(r.launches == 1);
    const double startup = r.wait_max;         // asked for at once
    CHECK(startup >= 80);
    CHECK(startup <= 120);
    least = std::min(least, startup), most = std::max(most, startup);
  }
  CHECK(least < 90);
  CHECK(most > 110);
}

TEST_CASE("the fleet's changes tell who was billed") {
  for (scaling_policy p : all) {
    scaling_options o = plain(p);
    o.seconds = 7200;
    const scaling_result r = run_scaling(step_load(3), o);
    double sum = 0;
    for (std::size_t i = 0; i + 1 < r.fleet.size(); ++i) {
      CHECK(r.fleet[i].at <= r.fleet[i + 1].at);
      sum += r.fleet[i].workers * (r.fleet[i + 1].at - r.fleet[i].at);
    }
    CHECK(r.fleet.front().workers == 2);
    CHECK(r.fleet.back().workers == 0);
    CHECK(sum == Approx(r.worker_seconds));
  }
}

TEST_CASE("limits hold for everybody") {
  for (scaling_policy p : all) {
    INFO(name(p));
    scaling_options o = plain(p);
    o.autoscale.min = 3, o.autoscale.max = 5;
    o.seconds = 7200;
    const scaling_result r = run_scaling(step_load(1), o);
    CHECK(r.batches == step_load(1).arrivals.size());
    CHECK(r.workers_most <= 5 + 2);            // those that leave finish what they have
    std::uint32_t least = 100;
    for (const fleet_change& c : r.fleet)
      if (c.at > 600 && c.at < 7200) least = std::min(least, c.workers);
    CHECK(least >= 3);
  }
}

TEST_CASE("every batch is served, by everybody, and the machines did the work") {
  for (scaling_policy p : all) {
    INFO(name(p));
    const workload load = step_load(2);
    double work = 0;
    for (const arrival& a : load.arrivals) work += a.work;
    const scaling_result r = run_scaling(load, plain(p));
    CHECK(r.batches == load.arrivals.size());
    CHECK(r.worker_seconds * 4 >= work);
    CHECK(r.utilization == Approx(work / (r.worker_seconds * 4)));
    CHECK(r.wait_mean <= r.wait_p99);
    CHECK(r.wait_p99 <= r.wait_max);
  }
}

TEST_CASE("the same seed gives the same run, another one another") {
  for (scaling_policy p : all) {
    scaling_options o = plain(p);
    const workload load = step_load(1);
    const scaling_result a = run_scaling(load, o), b = run_scaling(load, o);
    CHECK(a.worker_seconds == b.worker_seconds);
    CHECK(a.decisions == b.decisions);
    CHECK(a.wait_mean == b.wait_mean);
    o.seed = 2;
    CHECK(run_scaling(load, o).wait_mean != a.wait_mean);
  }
}

TEST_CASE("the order of the queue is the pool's") {
  scaling_options o = plain();
  o.workers = 1;
  o.slots = 1;
  o.autoscale.max = 1;
  // The first tells what declared work is worth. Behind the second wait a long and a short one.
  const workload load = batches({{0, 1}, {2, 10}, {3, 50}, {4, 1}});
  CHECK(run_scaling(load, o).wait_max == Approx(58));
  o.order = core::queue_order::cost_aware;
  CHECK(run_scaling(load, o).wait_max == Approx(10));
}

TEST_CASE("without estimates a batch declares what the workload says") {
  workload load = batches({{0, 1}, {2, 10}, {3, 50}, {4, 1}});
  scaling_options o = plain();
  o.workers = 1;
  o.slots = 1;
  o.autoscale.max = 1;
  o.order = core::queue_order::cost_aware;
  o.estimates = false;
  CHECK(run_scaling(load, o).wait_max == Approx(58));   // all are alike then
  for (arrival& a : load.arrivals) a.units = a.work * 1000;
  CHECK(run_scaling(load, o).wait_max == Approx(10));
}

TEST_CASE("nobody who meets the objective is below the oracle") {
  for (std::uint64_t seed = 1; seed <= 3; ++seed) {
    const workload load = step_load(seed);
    for (scaling_policy p : all) {
      scaling_options o = plain(p);
      o.seed = seed;
      o.seconds = step_seconds;
      const scaling_result r = run_scaling(load, o);
      CHECK(r.worker_seconds > worker_seconds(oracle_fleet(load, 120, 4, step_seconds)));
    }
  }
}
