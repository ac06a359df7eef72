// The scaling machine in a small world with virtual time: what its users are promised.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>

#include "scaling_model.hpp"

using namespace weir;
using namespace weir::core;
using test::arrival;
using test::scaling_model;
using test::scaling_model_options;
using test::scaling_model_result;
using way = scale_decision::direction;

namespace {

// Bounded Pareto by its inverse.
double pareto(double alpha, double low, double high, base::random& random) {
  const double l = std::pow(low, -alpha), h = std::pow(high, -alpha);
  return std::pow(l - random.unit() * (l - h), -1 / alpha);
}

// Poisson arrivals at `rate` between two times.
void poisson(double rate, double from, double to, double alpha, double low, double high,
             base::random& random, std::vector<arrival>& out) {
  for (double t = from;;) {
    t += -std::log(1 - random.unit()) / rate;
    if (t >= to) return;
    out.push_back({t, pareto(alpha, low, high, random)});
  }
}

void burst(std::size_t count, double from, double within, double high, double low,
           base::random& random, std::vector<arrival>& out) {
  for (std::size_t i = 0; i < count; ++i)
    out.push_back({from + within * random.unit(), pareto(1.1, low, high, random)});
}

std::vector<arrival> sorted(std::vector<arrival> all) {
  std::sort(all.begin(), all.end(), [](const arrival& a, const arrival& b) { return a.at < b.at; });
  return all;
}

// 2 h: one a second, eight a second from 1,800 s to 4,500 s.
std::vector<arrival> step_load(std::uint64_t seed) {
  base::random random{seed};
  std::vector<arrival> all;
  poisson(1, 0, 7200, 1.3, 1, 120, random, all);
  poisson(7, 1800, 4500, 1.3, 1, 120, random, all);
  return sorted(std::move(all));
}

// 12 h: one every 2 s; each hour 400 at once, each quarter 60.
std::vector<arrival> cron_load(std::uint64_t seed) {
  base::random random{seed};
  std::vector<arrival> all;
  poisson(0.5, 0, 12 * 3600, 1.1, 0.2, 300, random, all);
  for (int hour = 0; hour < 12; ++hour) burst(400, hour * 3600 + 600, 20, 300, 1, random, all);
  for (int q = 0; q < 48; ++q) burst(60, q * 900 + 300, 10, 120, 0.5, random, all);
  return sorted(std::move(all));
}

// Each batch's work spread evenly over max(objective, its size), in whole workers, at least one.
double oracle_seconds(const std::vector<arrival>& all, double objective, double until) {
  std::vector<double> rate(static_cast<std::size_t>(until) + 4000);
  for (const arrival& a : all) {
    const double over = std::max(objective, a.seconds);
    rate[static_cast<std::size_t>(a.at)] += a.seconds / over;
    rate[static_cast<std::size_t>(a.at + over)] -= a.seconds / over;
  }
  double sum = 0, slots = 0;
  for (std::size_t s = 0; s < static_cast<std::size_t>(until); ++s)
    sum += std::max(1.0, std::ceil((slots += rate[s]) / 4 - 1e-9));
  return sum;
}

scaling_model_options world(duration startup, duration objective, std::uint64_t seed) {
  scaling_model_options o;
  o.settings.max = 200;
  o.settings.startup_time = startup;
  o.settings.objective = objective;
  o.seed = seed;
  return o;
}

struct pair {
  duration startup, objective;
};
const std::vector<pair> pairs{{15s, 60s}, {60s, 120s}, {180s, 300s}};

// What holds in every run.
void check_sane(const scaling_model_result& r, const scaling_model_options& o) {
  CHECK(r.killed_busy == 0);
  std::uint64_t sequence = 0, episode = 0;
  way last = way::out;
  for (const scale_decision& d : r.decisions) {
    REQUIRE(d.sequence == ++sequence);
    REQUIRE(d.episode >= episode);
    REQUIRE((d.way == last || d.episode > episode));
    REQUIRE(d.desired >= o.settings.min);
    REQUIRE(d.desired <= o.settings.max);
    episode = d.episode, last = d.way;
  }
}

}  // namespace

TEST_CASE("a step of load is met without a second beyond the objective") {
  for (const pair& p : pairs) {
    for (std::uint64_t seed : {1u, 2u, 3u}) {
      const scaling_model_options o = world(p.startup, p.objective, seed);
      INFO("start-up " << base::to_seconds(p.startup) << " s, seed " << seed);
      const std::vector<arrival> load = step_load(seed);
      const scaling_model_result r = scaling_model(o).run(load, 7200);
      const double oracle = oracle_seconds(load, base::to_seconds(p.objective), 7200);
      INFO("workers over the oracle's: " << r.worker_seconds / oracle);
      CHECK(r.served == load.size());
      CHECK(r.seconds_late == 0);
      CHECK(r.worker_seconds < 1.85 * oracle);
      CHECK(r.desired_most > 6);       // 26 slots of work
      check_sane(r, o);
    }
  }
}

TEST_CASE("bursts by the clock are met without a second beyond the objective") {
  for (const pair& p : pairs) {
    const scaling_model_options o = world(p.startup, p.objective, 1);
    INFO("start-up " << base::to_seconds(p.startup) << " s");
    const std::vector<arrival> load = cron_load(1);
    const scaling_model_result r = scaling_model(o).run(load, 12 * 3600);
    const double oracle = oracle_seconds(load, base::to_seconds(p.objective), 12 * 3600);
    INFO("workers over the oracle's: " << r.worker_seconds / oracle);
    CHECK(r.served == load.size());
    CHECK(r.seconds_late == 0);
    CHECK(r.worker_seconds < 2.15 * oracle);
    check_sane(r, o);
  }
}

TEST_CASE("calm scales in to what is needed and then is quiet") {
  scaling_model_options o = world(60s, 120s, 5);
  o.settings.resend = 0s;
  const scaling_model_result r = scaling_model(o).run(step_load(5), 7200);
  REQUIRE_FALSE(r.decisions.empty());
  CHECK(r.decisions.back().way == way::in);
  CHECK(r.decisions.back().desired <= 3);

  o.workers = 12;
  const scaling_model_result idle = scaling_model(o).run({}, 7200);
  CHECK(idle.decisions.back().desired == 1);
  CHECK(idle.worker_seconds < 7200 + 12 * 400);
  CHECK(idle.decisions.size() == 1);
}

TEST_CASE("steady load does not make the number of workers swing") {
  for (double each : {1.0, 2.0, 11.0, 40.0}) {
    INFO("batches of " << each << " s");
    std::vector<arrival> load;        // 13 slots of work
    for (double t = 0; t < 2 * 3600; t += each / 13) load.push_back({t, each});
    scaling_model_options o = world(60s, 120s, 1);
    o.settings.resend = 0s;
    const scaling_model_result r = scaling_model(o).run(load, 2 * 3600);
    CHECK(r.seconds_late == 0);
    REQUIRE_FALSE(r.told.empty());
    CHECK(r.told.back() < 1200);      // up, over the mark while it catches up, back, and quiet
    CHECK(r.decisions.back().desired == 5);
    check_sane(r, o);
  }
}

TEST_CASE("what is needed again within the window is kept") {
  std::vector<arrival> load;          // a minute of 20 slots of work every four minutes
  for (int round = 0; round < 45; ++round)
    for (int i = 0; i < 600; ++i) load.push_back({round * 240 + i * 0.1, 2});
  scaling_model_options o = world(60s, 120s, 1);
  o.settings.resend = 0s;
  const scaling_model_result r = scaling_model(o).run(load, 45 * 240);
  CHECK(r.seconds_late == 0);
  REQUIRE_FALSE(r.told.empty());
  CHECK(r.told.back() < 1200);
  CHECK(r.reversals <= 1);            // back from what catching up took
  check_sane(r, o);
}

TEST_CASE("from nothing and back to nothing") {
  scaling_model_options o = world(15s, 60s, 9);
  o.settings.min = 0;
  o.settings.slots_per_worker = 4;
  o.settings.resend = 0s;
  o.workers = 0;
  std::vector<arrival> load;
  for (int i = 0; i < 3; ++i) load.push_back({1000.5 + i, 2});
  const scaling_model_result r = scaling_model(o).run(load, 3600);
  CHECK(r.served == 3);
  REQUIRE(r.decisions.size() == 2);
  CHECK(r.decisions[0].way == way::out);
  CHECK(r.decisions[0].desired == 1);
  CHECK(r.decisions[1].way == way::in);
  CHECK(r.decisions[1].desired == 0);
  CHECK(r.last_finish < 1000.5 + 15 * 1.2 + 3);      // asked for at once
  CHECK(r.worker_seconds < 500);
  CHECK(r.killed_busy == 0);
}

TEST_CASE("when half of the machines never come the work is still done") {
  for (std::uint64_t seed : {1u, 2u, 3u}) {
    INFO("seed " << seed);
    scaling_model_options o = world(15s, 60s, seed);
    o.launches_that_fail = 0.5;
    const std::vector<arrival> load = step_load(seed);
    const scaling_model_result r = scaling_model(o).run(load, 7200);
    CHECK(r.served == load.size());
    CHECK(r.never_came > 0);
    CHECK(r.killed_busy == 0);
  }
}

TEST_CASE("hooks that take their time do no harm") {
  for (double delay : {1.0, 7.0, 20.0}) {
    INFO("delay " << delay);
    scaling_model_options o = world(60s, 120s, 11);
    o.hook_delay = delay;
    const std::vector<arrival> load = step_load(11);
    const scaling_model_result r = scaling_model(o).run(load, 7200);
    CHECK(r.served == load.size());
    CHECK(r.killed_busy == 0);
  }
}

TEST_CASE("the same seed gives the same decisions") {
  const scaling_model_options o = world(60s, 120s, 3);
  const scaling_model_result a = scaling_model(o).run(step_load(3), 7200);
  const scaling_model_result b = scaling_model(o).run(step_load(3), 7200);
  REQUIRE(a.decisions.size() == b.decisions.size());
  CHECK(a.worker_seconds == b.worker_seconds);
  for (std::size_t i = 0; i < a.decisions.size(); ++i)
    CHECK(a.decisions[i].desired == b.decisions[i].desired);
}
