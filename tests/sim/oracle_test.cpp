#include "sim/oracle.hpp"

#include <catch2/catch.hpp>
#include <utility>

#include "sim/scaling_loads.hpp"

using namespace weir::sim;

namespace {

workload batches(const std::vector<std::pair<double, double>>& at_and_work) {
  workload w;
  for (const auto& [at, work] : at_and_work)
    w.arrivals.push_back({.at = at, .work = work, .units = 0, .tenant = 0, .route = 0});
  return w;
}

using changes = std::vector<std::pair<double, std::uint32_t>>;
changes oracle(const std::vector<std::pair<double, double>>& load, double seconds = 0) {
  changes out;
  for (const fleet_change& c : oracle_fleet(batches(load), 100, 4, seconds))
    out.emplace_back(c.at, c.workers);
  return out;
}

}  // namespace

TEST_CASE("the oracle spreads work over the objective, in whole workers, at least one") {
  struct row {
    std::vector<std::pair<double, double>> load;
    double seconds;
    changes fleet;
  };
  const std::pair<double, double> full{0, 100}, tall{0, 400};  // a slot each while they last
  const std::vector<row> rows{
      {{}, 0, {}},
      {{}, 1000, {{0, 1}, {1000, 0}}},
      {{{0, 10}}, 0, {{0, 1}, {100, 0}}},
      {{{0, 10}}, 1000, {{0, 1}, {1000, 0}}},
      {{{500, 10}}, 0, {{0, 1}, {600, 0}}},
      {{tall, tall, tall}, 0, {{0, 1}, {400, 0}}},
      {{full, full, full, full}, 0, {{0, 1}, {100, 0}}},
      {{full, full, full, full, full}, 0, {{0, 2}, {100, 0}}},
      {{full, full, full, full, {50, 100}}, 0, {{0, 1}, {50, 2}, {100, 1}, {150, 0}}},
      {{full, full, full, full, {50, 100}}, 60, {{0, 1}, {50, 2}, {100, 1}, {150, 0}}},
      {{tall, tall, tall, tall, {10, 1}}, 0, {{0, 1}, {10, 2}, {110, 1}, {400, 0}}},
  };
  for (const row& r : rows) {
    INFO(r.load.size() << " batches, " << r.seconds << " s");
    CHECK(oracle(r.load, r.seconds) == r.fleet);
  }
}

TEST_CASE("a fleet costs its workers' time up to its last change") {
  const std::vector<fleet_change> fleet{{0, 2}, {10, 5}, {20, 1}, {120, 0}};
  CHECK(worker_seconds(fleet) == Approx(20 + 50 + 100));
  CHECK(worker_seconds({}) == 0);
  CHECK(worker_seconds(std::vector<fleet_change>{{7, 3}}) == 0);
}

TEST_CASE("rounding of sums is not paid for") {
  std::vector<std::pair<double, double>> load;
  for (int i = 0; i < 40; ++i) load.emplace_back(0, 10);  // 40 tenths: 4 slots, one worker
  CHECK(oracle(load) == changes{{0, 1}, {100, 0}});
}

TEST_CASE("the oracle pays for the work at least") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    const workload load = step_load(seed);
    double work = 0;
    for (const arrival& a : load.arrivals) work += a.work;
    for (const double objective : {60.0, 120.0, 300.0}) {
      const double paid = worker_seconds(oracle_fleet(load, objective, 4));
      CHECK(paid * 4 >= work);
      CHECK(paid * 4 < 1.3 * work);
    }
  }
}
