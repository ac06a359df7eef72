// Does the default policy do what algorithms.md measured, on the same generators, cut short to
// 20,000 batches? Policies are compared on the same arrivals, as the excess over the lower bound.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <numeric>

#include "base/random.hpp"

#include "core/sim_arrivals.hpp"

namespace weir::core::test::policy {
namespace {

constexpr std::size_t batches = 20000;

double excess(const outcome& o, double bound) {
  return o.mean_sojourn / bound - 1;
}
scenario fifo(scenario s = {}) {
  s.order = queue_order::fifo;
  return s;
}

}  // namespace

TEST_CASE("offered load is exact, sizes stay within their bounds") {
  const auto all = poisson(batches, 0.9, 32, 5);
  const double work = std::accumulate(all.begin(), all.end(), 0.0,
                                      [](double s, const arrival& a) { return s + a.size; });
  CHECK(work / all.back().when == Approx(0.9 * 32));
  for (const arrival& a : all) REQUIRE((a.size >= 0.0199 && a.size <= 120.1));
}

TEST_CASE("homogeneous, load .9: near the bound, and far below first come first served") {
  const auto all = poisson(batches, 0.9, 32, 2);
  const double bound = lower_bound(all, scenario{}.speeds, 2);
  const double weir = excess(run(all, {}), bound), served = excess(run(all, fifo()), bound);
  INFO("over the bound by: weir " << weir << ", fifo " << served);
  CHECK(weir > 0);  // nothing beats the bound
  CHECK(weir < 0.2);
  CHECK(weir < 0.25 * served);
}

TEST_CASE("estimates may be off by e^N(0,1) without losing the gain") {
  const auto all = poisson(batches, 0.9, 32, 6);
  const double bound = lower_bound(all, scenario{}.speeds, 2);
  const double rough = excess(run(all, {.error = 1}), bound),
               served = excess(run(all, fifo()), bound);
  INFO("over the bound by: rough " << rough << ", fifo " << served);
  CHECK(rough < 0.25 * served);
}

TEST_CASE("unequal speeds, load .9: learned rates and sizes against a random choice and fifo") {
  scenario s;
  std::fill(s.speeds.begin(), s.speeds.begin() + 8, 0.4);
  std::fill(s.speeds.begin() + 8, s.speeds.end(), 1.6);
  const auto all = poisson(batches, 0.9, 32, 3);
  const double bound = lower_bound(all, s.speeds, 2);
  scenario blind = s;
  blind.policy = balance::random;
  const double weir = excess(run(all, s), bound);
  INFO("over the bound by: weir " << weir);
  CHECK(weir < 1);
  CHECK(weir < 0.5 * excess(run(all, fifo(s)), bound));
  CHECK(weir < excess(run(all, blind), bound));
}

TEST_CASE("the fast half of an unequal fleet gets most of the work when there is a choice") {
  scenario s;
  std::fill(s.speeds.begin(), s.speeds.begin() + 8, 0.4);
  std::fill(s.speeds.begin() + 8, s.speeds.end(), 1.6);
  const outcome o = run(poisson(batches, 0.4, 32, 3), s);
  const auto slow = std::accumulate(o.by_worker.begin(), o.by_worker.begin() + 8, std::uint64_t{0});
  CHECK(slow < batches / 10);
}

TEST_CASE("antagonists: workers that slow down for a while are noticed in time") {
  // Each worker at 0.35 of its speed for 15 s of every 45 s, each in its own phase.
  scenario s;
  s.factor = [](std::size_t w, double now) {
    return std::fmod(now + 2.8 * static_cast<double>(w), 45) < 15 ? 0.35 : 1.0;
  };
  const auto all = poisson(batches, 0.75 * (1 - 0.65 / 3), 32, 2);
  const double bound = lower_bound(all, scenario{}.speeds, 2);
  scenario blind = s;
  blind.policy = balance::round_robin;
  const double weir = excess(run(all, s), bound), turns = excess(run(all, blind), bound);
  INFO("over the bound by: weir " << weir << ", round robin " << turns);
  CHECK(weir < turns);
  CHECK(weir < excess(run(all, fifo(s)), bound));
  CHECK(weir < 1.2);
}

TEST_CASE("a brownout of one worker costs next to nothing") {
  scenario healthy, s;
  const auto all = poisson(batches, 0.75, 32, 2);
  const double end = all.back().when;
  s.factor = [end](std::size_t w, double now) {
    return w == 0 && now > 0.25 * end && now < 0.6 * end ? 0.05 : 1.0;
  };
  const double with = run(all, s).mean_sojourn, without = run(all, healthy).mean_sojourn;
  CHECK(with < 1.25 * without);
}

TEST_CASE("a black hole is ejected: few failed attempts, no batch lost") {
  const auto all = poisson(batches, 0.75, 32, 2);
  const double end = all.back().when;
  scenario s;
  s.black_hole = [end](std::size_t w, double now) {
    return w == 3 && now > 0.25 * end && now < 0.6 * end;
  };
  const outcome with = run(all, s);
  CHECK(with.lost == 0);
  CHECK(with.ejections > 0);
  CHECK(with.failed_attempts < 100);
  s.ejects = false;
  const outcome without = run(all, s);
  CHECK(without.failed_attempts > 10 * with.failed_attempts);
}

TEST_CASE("two black holes of sixteen are two ejections, not an outage") {
  const auto all = poisson(batches, 0.6, 32, 4);
  scenario s;
  s.black_hole = [](std::size_t w, double) { return w == 3 || w == 9; };
  const outcome o = run(all, s);
  CHECK(o.outages == 0);
  CHECK(o.ejections >= 2);
  CHECK(o.failed_attempts < 200);
  CHECK(o.lost < 10);  // those of the first moments, for which the retry budget was too young
}

TEST_CASE("a tenant that dumps a bulk of work does not make the others wait") {
  // Tenant 1 steady, 45 % of the capacity; tenant 2 dumps 5..20 s batches, 30 %, at a quarter.
  auto all = poisson(3 * batches, 0.45, 32, 7, {.alpha = 1.3, .low = 0.03, .high = 5});
  for (arrival& a : all) a.tenant = 1;
  const double end = all.back().when;
  base::random r(1);
  for (double work = 0; work < 0.3 * 32 * end;) {
    all.push_back({0.25 * end, 5 + 15 * r.unit(), 2});
    work += all.back().size;
  }
  std::ranges::stable_sort(all, {}, &arrival::when);
  const auto small_p99 = [&](const outcome& o) {
    std::vector<double> small;
    for (std::size_t i = 0; i < all.size(); ++i)
      if (all[i].tenant == 1) small.push_back(o.sojourns[i]);
    return percentile(small, 0.99);
  };
  const double fair = small_p99(run(all, {}));
  auto one = all;
  for (arrival& a : one) a.tenant = 0;
  const double herd = small_p99(run(one, fifo()));
  INFO("p99 of the small tenant: fair " << fair << " s, one queue by arrival " << herd << " s");
  CHECK(fair < 5);
  CHECK(herd > 10 * fair);
}

TEST_CASE("workers that join later are used, and start small") {
  const auto all = poisson(batches, 0.45, 32, 2);
  const double quarter = all.back().when / 4;
  scenario s;
  s.joins = [quarter](std::size_t w) { return w < 8 ? 0 : quarter; };
  const outcome o = run(all, s);
  CHECK(o.lost == 0);
  for (std::size_t w = 8; w < 16; ++w) CHECK(o.by_worker[w] > batches / 200);
}

TEST_CASE("a small fleet gains most") {
  scenario s;
  s.speeds.assign(3, 1.0);
  const auto all = poisson(batches, 0.75, 6, 2);
  const double bound = lower_bound(all, s.speeds, 2);
  const double weir = excess(run(all, s), bound), served = excess(run(all, fifo(s)), bound);
  INFO("over the bound by: weir " << weir << ", fifo " << served);
  CHECK(weir < 1);
  CHECK(weir < 0.4 * served);
}

TEST_CASE("with unknown sizes the order is first come first served, to the batch") {
  const auto all = poisson(batches, 0.9, 32, 2);
  scenario s = fifo();
  s.sized = false;
  CHECK(run(all, {.sized = false}).sojourns == run(all, s).sojourns);
}

TEST_CASE("the same arrivals and seed give the same sojourns") {
  const auto all = poisson(3000, 0.9, 32, 2);
  CHECK(run(all, {}).sojourns == run(all, {}).sojourns);
}

}  // namespace weir::core::test::policy
