// Does the default policy do what algorithms.md measured? 16 workers of 2 slots, Poisson arrivals,
// sizes bounded Pareto (alpha 1.1, 20 ms to 120 s), offered load exact. The bound holds for any
// policy: the larger of every batch alone on a slot, and SRPT on one server of the whole speed.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <queue>
#include <vector>

#include "base/random.hpp"
#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

constexpr int slots = 32;

struct arrival {
  double when, size;
};

std::vector<arrival> poisson_pareto(std::size_t n, double load, double speed, std::uint64_t seed) {
  base::random r(seed);
  const double alpha = 1.1, low = std::pow(0.02, alpha), high = std::pow(120.0, alpha);
  std::vector<arrival> all(n);
  double now = 0, work = 0;
  for (arrival& a : all) {
    now += -std::log(1 - r.unit());
    const double u = r.unit();
    a = {now, std::pow(-(u * high - u * low - high) / (high * low), -1 / alpha)};
    work += a.size;
  }
  const double scale = work / (load * speed) / now;
  for (arrival& a : all) a.when *= scale;
  return all;
}

// Mean sojourn of shortest remaining processing time on one server of that speed.
double srpt_mean(const std::vector<arrival>& all, double speed) {
  struct job {
    double left, came;
    bool operator>(const job& o) const { return left > o.left; }
  };
  std::priority_queue<job, std::vector<job>, std::greater<>> jobs;
  double now = 0, sum = 0;
  const auto serve_until = [&](double end) {
    while (!jobs.empty() && now < end) {
      job j = jobs.top();
      jobs.pop();
      const double done = now + j.left / speed;
      if (done <= end) sum += done - j.came;
      if (done > end) jobs.push({j.left - (end - now) * speed, j.came});
      now = std::min(done, end);
    }
    now = std::max(now, end == HUGE_VAL ? now : end);
  };
  for (const arrival& a : all) {
    serve_until(a.when);
    jobs.push({a.size, a.when});
  }
  serve_until(HUGE_VAL);
  return sum / static_cast<double>(all.size());
}

double lower_bound(const std::vector<arrival>& all, const std::vector<double>& speeds) {
  double alone = 0, total = 0;
  for (const arrival& a : all) alone += a.size / *std::ranges::max_element(speeds);
  for (double s : speeds) total += 2 * s;
  return std::max(alone / static_cast<double>(all.size()), srpt_mean(all, total));
}

struct run {
  queue_order order = queue_order::cost_aware;
  balance policy = balance::least_loaded;
  std::vector<double> speeds = std::vector<double>(16, 1.0);
  double error = 0;  // sigma of the log of declared over true size
  bool sized = true;
};

// Mean sojourn of the real pool on these arrivals.
double mean_sojourn(const std::vector<arrival>& all, const run& how) {
  pool_settings s = plain_settings();
  s.queue.order = how.order;
  s.balance = how.policy;
  s.queue.batches_max = 1u << 30;
  s.queue.wait_max = base::forever;
  pool p(s, 1, at(0));
  std::vector<double> speed;
  for (double v : how.speeds) {
    p.add_worker(worker_named("w" + std::to_string(speed.size()), 2), at(0));
    speed.push_back(v);
  }
  const std::uint32_t route = p.route("r");
  base::random noise(99);
  using ending = std::pair<double, std::uint64_t>;  // when, owner
  std::priority_queue<ending, std::vector<ending>, std::greater<>> ends;
  std::vector<batch_id> ids(all.size());
  double sum = 0;
  const auto begin = [&](const grant& g, double now) {
    ids[g.owner] = g.batch;
    ends.emplace(now + all[g.owner].size / speed[g.worker.index], g.owner);
  };
  const auto take_grants = [&](double now) {
    for (const grant& g : p.pending().grants) begin(g, now);
    p.pending().clear();
  };
  for (std::size_t i = 0; i < all.size() || !ends.empty();) {
    const bool arrives = i < all.size() && (ends.empty() || all[i].when <= ends.top().first);
    const double now = arrives ? all[i].when : ends.top().first;
    while (p.next_deadline() <= at(now)) {
      const instant due = p.next_deadline();
      p.expire(due);
      take_grants(base::to_seconds(due - at(0)));
    }
    if (arrives) {
      const double gauss =
          std::sqrt(-2 * std::log(1 - noise.unit())) * std::cos(6.283185307 * noise.unit());
      batch_facts f;
      f.owner = i;
      f.route = route;
      f.units = how.sized ? all[i].size * std::exp(how.error * gauss) : 0;
      const admission a = p.admit(f, at(now));
      if (a.what == admission::kind::granted) begin(a.grant, now);
      ++i;
    } else {
      const std::uint64_t owner = ends.top().second;
      ends.pop();
      attempt_report r;
      r.end = attempt_end::succeeded;
      p.finish(ids[owner], r, at(now));
      sum += now - all[owner].when;
    }
    take_grants(now);
  }
  return sum / static_cast<double>(all.size());
}

// How far above the bound, which is 1, a policy stays.
double excess(double mean, double bound) {
  return mean / bound - 1;
}

}  // namespace

TEST_CASE("homogeneous, load .9: near the bound, and far below first come first served") {
  const auto all = poisson_pareto(20000, 0.9, slots, 2);
  const double bound = lower_bound(all, run{}.speeds);
  const double weir = excess(mean_sojourn(all, {}), bound);
  const double fifo = excess(mean_sojourn(all, {.order = queue_order::fifo}), bound);
  INFO("over the bound by: weir " << weir << ", fifo " << fifo);
  CHECK(weir > 0);
  CHECK(weir < 0.2);
  CHECK(weir < 0.25 * fifo);
}

TEST_CASE("estimates may be off by e^N(0,1) without losing the gain") {
  const auto all = poisson_pareto(20000, 0.9, slots, 6);
  const double bound = lower_bound(all, run{}.speeds);
  const double rough = excess(mean_sojourn(all, {.error = 1}), bound);
  const double fifo = excess(mean_sojourn(all, {.order = queue_order::fifo}), bound);
  INFO("over the bound by: rough " << rough << ", fifo " << fifo);
  CHECK(rough < 0.25 * fifo);
}

TEST_CASE("unequal speeds, load .9: learned rates and sizes against a random choice") {
  std::vector<double> speeds(16, 0.4);
  std::fill(speeds.begin() + 8, speeds.end(), 1.6);
  const auto all = poisson_pareto(20000, 0.9, slots, 3);
  const double bound = lower_bound(all, speeds);
  const double weir = excess(mean_sojourn(all, {.speeds = speeds}), bound);
  const double blind =
      excess(mean_sojourn(all, {.policy = balance::random, .speeds = speeds}), bound);
  const double fifo =
      excess(mean_sojourn(all, {.order = queue_order::fifo, .speeds = speeds}), bound);
  INFO("over the bound by: weir " << weir << ", random worker " << blind << ", fifo " << fifo);
  CHECK(weir < 1);
  CHECK(weir < 0.5 * fifo);
  CHECK(weir < blind);
}

TEST_CASE("unknown sizes degrade to first come first served, never worse") {
  const auto all = poisson_pareto(20000, 0.9, slots, 2);
  const double unknown = mean_sojourn(all, {.sized = false});
  const double fifo = mean_sojourn(all, {.order = queue_order::fifo, .sized = false});
  INFO("unknown " << unknown << " fifo " << fifo);
  CHECK(unknown < 1.02 * fifo);
}

}  // namespace weir::core::test
