// Weir-Group in the pool: when the last batch of a backfill is done.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>
#include <queue>
#include <vector>

#include "base/random.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

// Bounded Pareto, as of the traces: (alpha 1.1, 20 ms to 120 s).
std::vector<double> heavy_tailed(std::size_t n, std::uint64_t seed) {
  base::random draw(seed);
  std::vector<double> out;
  const double low = std::pow(0.02, -1.1), high = std::pow(120.0, -1.1);
  while (out.size() < n) out.push_back(std::pow(low - draw.unit() * (low - high), -1 / 1.1));
  return out;
}

struct fleet_of {
  std::uint32_t workers = 16, slots = 2;
  queue_order order = queue_order::cost_aware;
};

// Estimates are fixed at arrival: a route that has learned what a unit takes, one second.
void learn(pool_kit& k, std::uint32_t route) {
  for (int i = 0; i < 20; ++i) {
    batch_facts f;
    f.route = route, f.units = 1;
    const grant g = k.admit(i, f).grant;
    k.finish(g.batch, attempt_end::succeeded, i + 1);
  }
}

constexpr double begun = 100;   // after that

// All come at once, their sizes declared; how long until the last one ends.
double makespan(const std::vector<double>& sizes, std::uint64_t group, fleet_of f = {}) {
  pool_settings s = plain_settings();
  s.queue.batches_max = 100'000;
  s.queue.wait_max = base::forever;
  s.queue.order = f.order;
  pool_kit k(s);
  for (std::uint32_t w = 0; w < f.workers; ++w) k.add("w" + std::to_string(w), f.slots);
  const std::uint32_t route = k.p.route("backfill");
  learn(k, route);
  using ending = std::pair<double, std::uint64_t>;   // when, owner
  std::priority_queue<ending, std::vector<ending>, std::greater<>> running;
  std::map<std::uint64_t, batch_id> ids;
  double now = begun;
  std::map<std::uint64_t, double> size_of;
  const auto begin = [&](const grant& g) {
    ids[g.owner] = g.batch;
    running.push({now + size_of.at(g.owner), g.owner});
  };
  for (double size : sizes) {
    batch_facts facts;
    facts.route = route, facts.units = size, facts.group = group;
    size_of[k.owners + 1] = size;
    const admission a = k.admit(now, facts);
    if (a.what == admission::kind::granted) begin(a.grant);
  }
  while (!running.empty()) {
    const auto [when, owner] = running.top();
    running.pop();
    k.run_until(when);
    now = when;
    k.finish(ids[owner], attempt_end::succeeded, now);
    for (const grant& g : k.grants()) begin(g);
  }
  return now - begun;
}

double bound(const std::vector<double>& sizes, fleet_of f = {}) {
  double work = 0;
  for (double s : sizes) work += s;
  return std::max(work / (f.workers * f.slots), *std::ranges::max_element(sizes));
}

}  // namespace

TEST_CASE("a backfill that is a group takes hardly longer than any order could") {
  std::vector<double> grouped, alone;
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    const auto sizes = heavy_tailed(2000, seed);
    grouped.push_back(makespan(sizes, 5) / bound(sizes));
    alone.push_back(makespan(sizes, 0) / bound(sizes));
  }
  std::ranges::sort(grouped), std::ranges::sort(alone);
  CAPTURE(grouped, alone);
  CHECK(grouped[4] <= 1.01);
  CHECK(grouped.back() <= 1.05);
  CHECK(alone[4] >= 1.05);      // else there would be nothing to gain
  CHECK(alone.back() >= 1.3);
}

TEST_CASE("in order of arrival means that: a group changes nothing there") {
  const auto sizes = heavy_tailed(500, 3);
  const fleet_of f{.order = queue_order::fifo};
  CHECK(makespan(sizes, 5, f) == makespan(sizes, 0, f));
}

TEST_CASE("batches of unknown size go in order of arrival, in a group too") {
  pool_kit k;
  k.add("w1");
  std::vector<batch_id> order;
  batch_facts f;
  f.group = 9;
  order.push_back(k.admit(0, f).grant.batch);
  for (int i = 0; i < 5; ++i) order.push_back(k.admit(0.1 * i, f).batch);
  for (std::size_t i = 0; i + 1 < order.size(); ++i) {
    k.finish(order[i], attempt_end::succeeded, 1.0 + static_cast<double>(i));
    const auto granted = k.grants();
    REQUIRE(granted.size() == 1);
    CHECK(granted[0].batch == order[i + 1]);
  }
}

TEST_CASE("a group takes the turns of its own tenant only") {
  pool_kit k;
  k.add("w1");
  batch_facts a;
  a.route = k.p.route("r");
  learn(k, a.route);
  a.tenant = "a", a.tenant_hash = 11, a.units = 1;
  const batch_id first = k.admit(begun, a).grant.batch;
  batch_facts b = a;
  b.tenant = "b", b.tenant_hash = 12, b.group = 3;
  k.admit(begun, b);
  b.units = 50;
  const batch_id large = k.admit(begun, b).batch;
  a.group = 3;   // the same name, another tenant's
  const batch_id other = k.admit(begun, a).batch;
  k.finish(first, attempt_end::succeeded, begun + 1);
  CHECK(k.grants()[0].batch == large);
  k.finish(large, attempt_end::succeeded, begun + 51);
  CHECK(k.grants()[0].batch == other);
}

}  // namespace weir::core::test
