// The numbers that weir's default policy must reproduce, on shorter runs than loadtests/quality.sh
// plays: policies on the same arrivals, medians of a few seeds.
#include "sim/contest.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

#include "sim/generators.hpp"

namespace weir::sim {
namespace {

worker_group group(std::uint32_t count, double speed = 1) {
  worker_group g;
  g.count = count, g.speed = speed;
  return g;
}

std::vector<worker_group> unequal() {
  return {group(8, 0.4), group(8, 1.6)};
}

std::vector<worker_group> antagonists() {
  worker_group g = group(16);
  g.afflictions = {affliction{}};
  return {g};
}

std::vector<worker_group> one_with(trouble what, double factor = 0.05) {
  worker_group bad = group(1);
  affliction a;
  a.what = what, a.from = 0.25, a.to = 0.6, a.factor = factor;
  if (what == trouble::flapping) a.from = 0, a.to = 1;
  bad.afflictions = {a};
  return {bad, group(15)};
}

struct terms {
  double load = 0.75, sigma = 0;
  bool known = true;
  std::uint64_t batches = 30000;
  std::vector<source> sources{source{}};
  std::vector<std::string_view> policies{"weir", "first-come"};
  std::uint32_t seeds = 3;
};

std::vector<standing> play(const std::vector<worker_group>& workers, const terms& t) {
  demand d;
  d.batches = t.batches, d.load = t.load, d.sources = t.sources;
  d.estimates = {t.known, t.sigma};
  contest c;
  c.seeds = t.seeds;
  c.load = [d, capacity = capacity_of(workers)](std::uint64_t seed) {
    return generate(d, capacity, seed);
  };
  for (const std::string_view name : t.policies)
    c.contenders.push_back(contender_named(name, unlimited_weir(), workers));
  return compete(c);
}

}  // namespace

TEST_CASE("every policy has a name, and a name a policy") {
  for (const std::string_view name : policy_names()) {
    const contender c = contender_named(name, unlimited_weir(), {});
    CHECK(c.name == name);
    CHECK(c.peer.has_value() == !name.starts_with("weir"));
  }
  CHECK(contender_named("weir-fifo", unlimited_weir(), {}).weir.pool.queue.order ==
        core::queue_order::fifo);
  CHECK(contender_named("weir", unlimited_weir(), {}).weir.pool.queue.order ==
        core::queue_order::cost_aware);
}

TEST_CASE("weir stays near the bound where first come first served does not") {
  struct row {
    const char* what;
    std::vector<worker_group> workers;
    double load, sigma, most;
  };
  // The bars of whole runs with some room: short runs scatter.
  for (const row& t :
       {row{"homogeneous", {group(16)}, 0.75, 0, 1.03},
        row{"homogeneous", {group(16)}, 0.9, 0, 1.25},
        row{"homogeneous, rough", {group(16)}, 0.9, 1, 1.30},
        row{"unequal", unequal(), 0.75, 0, 1.50}, row{"unequal", unequal(), 0.9, 0, 2.0},
        row{"unequal, rough", unequal(), 0.9, 1, 2.1},
        row{"antagonists", antagonists(), 0.75, 0, 1.40},
        row{"antagonists", antagonists(), 0.9, 0, 1.75},
        row{"antagonists, rough", antagonists(), 0.9, 1, 1.85}}) {
    const auto all = play(t.workers, {.load = t.load, .sigma = t.sigma});
    INFO(t.what << " at " << t.load << ": weir " << all[0].median.ratio << ", first come "
                << all[1].median.ratio);
    CHECK(all[0].median.ratio < t.most);
    CHECK(all[0].ratio_low >= 1);  // nothing beats the bound
    CHECK(all[1].against_first > 1);
    CHECK(all[0].median.lost == 0);
  }
}

TEST_CASE("the others stand in the order of what they know") {
  const auto all = play({group(16)}, {.load = 0.9, .policies = policy_names()});
  REQUIRE(all.size() == 6);
  CHECK(all[0].median.ratio < all[2].median.ratio);
  for (std::size_t i = 3; i < all.size(); ++i) {
    INFO(all[i].name << " after " << all[i - 1].name);
    CHECK(all[i].median.ratio > all[i - 1].median.ratio);
  }
}

TEST_CASE("a brownout, a flapping worker and a black hole cost little and lose nothing") {
  struct row { trouble what; double most; };
  for (const row& t : {row{trouble::brownout, 1.15}, row{trouble::flapping, 1.15},
                       row{trouble::black_hole, 1.1}}) {
    const auto all = play(one_with(t.what), {.policies = {"weir", "weir-fifo"}});
    INFO(static_cast<int>(t.what) << ": " << all[0].median.ratio);
    CHECK(all[0].median.ratio < t.most);
    CHECK(all[0].median.lost <= 3);  // the retry budget is young at the start
    CHECK(all[1].against_first > 1);
  }
}

TEST_CASE("without ejection a black hole loses many batches, with it hardly one is tried there") {
  const auto all = play(one_with(trouble::black_hole), {});
  CHECK(all[0].median.ejections >= 1);
  CHECK(all[0].median.failed_attempts < 60);
  CHECK(all[1].median.failed_attempts > 1000);
  CHECK(all[1].median.lost > 30000 / 50);
}

TEST_CASE("the smaller the fleet, the more is gained") {
  worker_group three = group(3), single = group(8);
  single.slots = 1;
  for (const auto& fleet : {three, single}) {
    const auto all = play({fleet}, {});
    INFO(fleet.count << " workers: " << all[0].median.ratio << " and " << all[1].median.ratio);
    CHECK(all[0].median.ratio < 2.2);
    CHECK(all[1].against_first > 1.5);
  }
}

TEST_CASE("a tenant's bulk does not make the others wait") {
  source steady, bulk;
  steady.tenant = "steady", steady.share = 0.6;
  steady.sizes = {sizes::kind::pareto, 1.3, 0.03, 5};
  bulk.tenant = "bulk", bulk.share = 0.4, bulk.arrivals = pattern::dump;
  bulk.sizes = {sizes::kind::uniform, 0, 5, 20};
  const auto all = play({group(16)}, {.batches = 60000, .sources = {steady, bulk}});
  const auto steady_p99 = [](const standing& s) { return s.median.tenants[0].sojourn.p99; };
  INFO("p99: " << steady_p99(all[0]) << " s and " << steady_p99(all[1]) << " s");
  CHECK(steady_p99(all[0]) < 4);
  CHECK(steady_p99(all[1]) > 10 * steady_p99(all[0]));
  CHECK(all[0].median.fairness > all[1].median.fairness);
}

TEST_CASE("unknown sizes are served as well as first come first served") {
  for (const auto& workers : {std::vector{group(16)}, std::vector{group(3)}}) {
    const auto all = play(workers, {.load = 0.9, .known = false});
    CHECK(all[1].against_first > 0.98);
  }
}

TEST_CASE("workers that join late are used") {
  worker_group late = group(8);
  late.joins = 0.25;
  const auto all = play({group(8), late}, {.load = 0.45});
  CHECK(all[0].median.lost == 0);
  CHECK(all[0].median.ratio < 1.2);
}

TEST_CASE("policies are compared with the first one, seed by seed") {
  const auto all = play({group(16)}, {.load = 0.9, .policies = {"first-come", "weir"}, .seeds = 4});
  REQUIRE(all[1].runs.size() == 4);
  CHECK(all[0].against_first == 1);
  CHECK(all[1].against_low <= all[1].against_first);
  CHECK(all[1].against_high >= all[1].against_first);
  std::vector<double> ratios;
  for (std::size_t i = 0; i < 4; ++i)
    ratios.push_back(all[1].runs[i].sojourn.mean / all[0].runs[i].sojourn.mean);
  std::sort(ratios.begin(), ratios.end());
  CHECK(all[1].against_first == Approx(ratios[1]));
  CHECK(all[1].ratio_high == std::max({all[1].runs[0].ratio, all[1].runs[1].ratio,
                                       all[1].runs[2].ratio, all[1].runs[3].ratio}));
}

TEST_CASE("contenders may have fleets of their own, each with its own bound") {
  contest c;
  c.seeds = 1;
  c.load = [](std::uint64_t seed) {
    demand d;
    d.batches = 2000;
    return generate(d, 8, seed);
  };
  c.contenders = {contender_named("weir", unlimited_weir(), {group(4)}),
                  contender_named("weir", unlimited_weir(), {group(4, 2)})};
  const auto all = compete(c);
  CHECK(all[0].median.bound > 1.9 * all[1].median.bound);
  CHECK(all[1].against_first < 0.6);
}

TEST_CASE("an overhead is paid for every batch, by whoever serves it") {
  contest c;
  c.seeds = 1;
  c.load = [](std::uint64_t) {
    workload w;
    for (int i = 0; i < 10; ++i) w.arrivals.push_back({10.0 * (i + 1), 2, 2, 0, 0});
    return w;
  };
  for (const std::string_view name : policy_names())
    c.contenders.push_back(contender_named(name, unlimited_weir(), {group(4, 2)}));
  const auto without = compete(c);
  c.overhead = 0.25;
  const auto with = compete(c);
  for (std::size_t i = 0; i < with.size(); ++i) {
    INFO(with[i].name);
    CHECK(without[i].median.sojourn.mean == Approx(1));
    CHECK(with[i].median.sojourn.mean == Approx(1.25));
    CHECK(with[i].median.bound == Approx(without[i].median.bound));
  }
}

TEST_CASE("a contest without load has nothing to tell, and does not fail") {
  contest c;
  c.seeds = 1;
  c.load = [](std::uint64_t) { return workload{}; };
  c.contenders = {contender_named("weir", unlimited_weir(), {group(1)})};
  CHECK(compete(c)[0].median.batches == 0);
}

}  // namespace weir::sim
