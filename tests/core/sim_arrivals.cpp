#include "core/sim_arrivals.hpp"

#include <algorithm>
#include <cmath>
#include <map>
#include <queue>
#include <string>

#include "base/random.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test::policy {
namespace {

struct job {
  double left = 0, came = 0;
  bool operator>(const job& o) const { return left > o.left; }
};
using shortest_first = std::priority_queue<job, std::vector<job>, std::greater<>>;

// Serves the shortest remaining job until `end`; returns the sojourns of those that finished.
double serve(shortest_first& jobs, double& now, double end, double speed) {
  double sum = 0;
  while (!jobs.empty() && now < end) {
    job j = jobs.top();
    jobs.pop();
    const double done = now + j.left / speed;
    if (done <= end) {
      sum += done - j.came;
    } else {
      jobs.push({j.left - (end - now) * speed, j.came});
    }
    now = std::min(done, end);
  }
  return sum;
}

double srpt_mean(const std::vector<arrival>& all, double speed) {
  shortest_first jobs;
  double now = 0, sum = 0;
  for (const arrival& a : all) {
    sum += serve(jobs, now, a.when, speed);
    now = a.when;
    jobs.push({a.size, a.when});
  }
  return (sum + serve(jobs, now, HUGE_VAL, speed)) / static_cast<double>(all.size());
}

// The shell, the clients and the workers of one run.
class world {
 public:
  world(const std::vector<arrival>& all, const scenario& how)
      : all_(all),
        how_(how),
        pool_(settings(how), 1, at(0)),
        route_(pool_.route("r")),
        ids_(all.size()) {
    out_.sojourns.assign(all.size(), -1);
    out_.by_worker.assign(how.speeds.size(), 0);
    for (std::size_t w = 0; w < how.speeds.size(); ++w) {
      const double when = how.joins ? how.joins(w) : 0;
      if (when <= 0) join(w, 0);
      if (when > 0) joins_.emplace(when, w);
    }
  }

  outcome run() {
    for (std::size_t i = 0; i < all_.size() || !ends_.empty() || pool_.waiting() > 0;) {
      const double arrives = i < all_.size() ? all_[i].when : HUGE_VAL;
      const double ends = ends_.empty() ? HUGE_VAL : ends_.top().first;
      const double joins = joins_.empty() ? HUGE_VAL : joins_.begin()->first;
      const double next = std::min({arrives, ends, joins});
      if (pool_.next_deadline() != base::never &&
          pool_.next_deadline() <= at(std::min(next, 1e6))) {
        expire();
      } else if (next == joins) {
        join(joins_.begin()->second, next);
        joins_.erase(joins_.begin());
      } else if (next == arrives) {
        arrive(i++);
      } else {
        finish();
      }
    }
    double sum = 0;
    for (double s : out_.sojourns) sum += s;
    out_.mean_sojourn = sum / static_cast<double>(all_.size());
    return std::move(out_);
  }

 private:
  static pool_settings settings(const scenario& how) {
    pool_settings s = plain_settings();
    s.queue.order = how.order;
    s.balance = how.policy;
    s.queue.batches_max = 1u << 30;
    s.queue.wait_max = base::forever;
    s.slow_start = how.joins ? duration(60s) : duration(0s);
    if (!how.ejects) s.ejection.consecutive_failures = 0;
    return s;
  }

  void join(std::size_t w, double now) {
    const auto id = pool_.add_worker(
        worker_named("w" + std::to_string(w), static_cast<std::uint32_t>(how_.slots)), at(now));
    number_[id.index] = w;
    take(now);
  }

  void expire() {
    const instant due = pool_.next_deadline();
    pool_.expire(due);
    take(base::to_seconds(due - at(0)));
  }

  void arrive(std::size_t i) {
    const arrival& a = all_[i];
    const double gauss =
        std::sqrt(-2 * std::log(1 - noise_.unit())) * std::cos(6.283185307 * noise_.unit());
    const std::string name = a.tenant == 0 ? "" : "tenant" + std::to_string(a.tenant);
    batch_facts f;
    f.owner = i;
    f.route = route_;
    f.tenant = name;
    f.tenant_hash = a.tenant;
    f.units = how_.sized ? a.size * std::exp(how_.error * gauss) : 0;
    const admission got = pool_.admit(f, at(a.when));
    if (got.what == admission::kind::granted) begin(got.grant, a.when);
    take(a.when);
  }

  void begin(const grant& g, double now) {
    const std::size_t w = number_[g.worker.index];
    const bool fails = how_.black_hole && how_.black_hole(w, now);
    const double speed = how_.speeds[w] * (how_.factor ? how_.factor(w, now) : 1);
    ids_[g.owner] = {g.batch, w, fails};
    ends_.emplace(now + (fails ? 0.001 : all_[g.owner].size / speed), g.owner);
  }

  void finish() {
    const auto [now, owner] = ends_.top();
    ends_.pop();
    const running was = ids_[owner];
    attempt_report r;
    r.end = was.fails ? attempt_end::failed : attempt_end::succeeded;
    r.may_retry = true;
    const verdict v = pool_.finish(was.batch, r, at(now));
    out_.failed_attempts += was.fails;
    if (!was.fails) ++out_.by_worker[was.worker];
    if (v.what == verdict::kind::granted) begin(v.grant, now);
    if (v.what == verdict::kind::done) out_.sojourns[owner] = now - all_[owner].when;
    out_.lost += v.what == verdict::kind::failed;
    take(now);
  }

  void take(double now) {
    for (const grant& g : pool_.pending().grants) begin(g, now);
    for (const event& e : pool_.pending().events) {
      out_.outages += e.what == event::kind::outage_began;
      out_.ejections +=
          e.what == event::kind::worker_state_changed && e.to == worker_state::ejected;
    }
    pool_.pending().clear();
  }

  struct running {
    batch_id batch;
    std::size_t worker = 0;
    bool fails = false;
  };
  using ending = std::pair<double, std::uint64_t>;  // when, owner

  const std::vector<arrival>& all_;
  const scenario& how_;
  pool pool_;
  std::uint32_t route_;
  base::random noise_{99};
  std::vector<running> ids_;
  std::map<std::uint32_t, std::size_t> number_;
  std::multimap<double, std::size_t> joins_;
  std::priority_queue<ending, std::vector<ending>, std::greater<>> ends_;
  outcome out_;
};

}  // namespace

double pareto::draw(double u) const {
  const double l = std::pow(low, alpha), h = std::pow(high, alpha);
  return std::pow(-(u * h - u * l - h) / (h * l), -1 / alpha);
}

std::vector<arrival> poisson(std::size_t n, double load, double speed, std::uint64_t seed,
                             pareto sizes) {
  base::random r(seed);
  std::vector<arrival> all(n);
  double now = 0, work = 0;
  for (arrival& a : all) {
    now += -std::log(1 - r.unit());
    a.when = now;
    a.size = sizes.draw(r.unit());
    work += a.size;
  }
  for (arrival& a : all) a.when *= work / (load * speed) / now;
  return all;
}

double lower_bound(const std::vector<arrival>& all, const std::vector<double>& speeds, int slots) {
  double alone = 0, total = 0;
  for (const arrival& a : all) alone += a.size / *std::ranges::max_element(speeds);
  for (double s : speeds) total += slots * s;
  return std::max(alone / static_cast<double>(all.size()), srpt_mean(all, total));
}

outcome run(const std::vector<arrival>& all, const scenario& how) {
  return world(all, how).run();
}

double percentile(std::vector<double> values, double share) {
  std::ranges::sort(values);
  return values[static_cast<std::size_t>(share * static_cast<double>(values.size() - 1))];
}

}  // namespace weir::core::test::policy
