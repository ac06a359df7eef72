// A worker in a made-up time that shares what it can do among all that runs on it (processor
// sharing), behind a pool with adaptive slots and a backlog that never ends: what limit does the
// pool find, and how much of the worker does it use? Times are seconds since the start.
#pragma once

#include <algorithm>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {

enum class sizes { same, exponential, pareto };

struct slots_case {
  sizes how = sizes::same;
  std::uint32_t declared = 16;
  double sigma = 0.3;         // what was declared is off by e^N(0, sigma)
  bool units = true;          // whether sizes are declared at all
  double busy_above = 1e9;    // with so many running one more is refused with 429
  std::uint64_t seed = 1;
};

class slots_world {
 public:
  slots_world(const slots_case& c, double capacity)
      : case_(c), capacity_(capacity), random_(c.seed), p_(settings(), c.seed, at(0)) {
    worker_ = p_.add_worker(worker_named("w", c.declared), at(0));
    route_ = p_.route("load");
  }

  void capacity(double c) noexcept { capacity_ = c; }
  void run(double seconds) {
    const double until = now_ + seconds;
    begin_measure();
    while (step(until)) continue;
  }

  // Of the last run().
  double mean_limit() const { return limit_area_ / (now_ - began_); }
  double share_within(double low, double high) const {
    double inside = 0;
    for (std::size_t i = 0; i < seconds_at_.size(); ++i)
      if (static_cast<double>(i) >= low && static_cast<double>(i) <= high) inside += seconds_at_[i];
    return inside / (now_ - began_);
  }
  double used() const { return done_ / possible_; }  // of what the worker could have done
  std::uint32_t limit() { return view().slots_lasting; }
  std::uint32_t changes() const noexcept { return changes_; }
  std::uint64_t refused() const noexcept { return refused_; }
  worker_view view() { return p_.workers(at(now_)).front(); }
  pool& core() noexcept { return p_; }

 private:
  struct job {
    batch_id id;
    double left = 0;
  };

  static pool_settings settings() {
    pool_settings s = plain_settings();
    s.adaptive_slots.emplace();
    s.queue.wait_max = 24h;
    s.ejection.consecutive_failures = 0;
    return s;
  }
  double size() {
    switch (case_.how) {
      case sizes::same:
        return 1;
      case sizes::exponential:
        return -std::log(1 - random_.unit());
      case sizes::pareto:  // bounded, 0.2 to 60 s, mean about 1
        return std::min(60.0, 0.2 / std::pow(1 - random_.unit(), 1 / 1.1));
    }
    return 1;
  }
  double normal() {
    const double radius = std::sqrt(-2 * std::log(1 - random_.unit()));
    return radius * std::cos(6.283185307179586 * random_.unit());
  }
  void begin_measure() {
    began_ = now_;
    limit_area_ = done_ = possible_ = 0;
    changes_ = 0;
    seconds_at_.assign(case_.declared + 1, 0.0);
  }
  void feed() {
    while (p_.waiting() < 4) {
      batch_facts f;
      f.route = route_;
      const double work = size();
      f.owner = works_.size();
      f.units = case_.units ? work * 1000 * std::exp(case_.sigma * normal()) : 0;
      works_.push_back(work);
      const admission a = p_.admit(f, at(now_));
      if (a.what == admission::kind::granted) start(a.grant);
    }
  }
  void start(const grant& g) { running_.push_back({g.batch, works_[g.owner]}); }
  void take_grants() {
    std::vector<grant> all;
    all.swap(p_.pending().grants);
    for (const grant& g : all) start(g);
    p_.pending().clear();
  }
  void end(std::size_t i, attempt_end how) {
    const job j = running_[i];
    running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
    attempt_report r;
    r.end = how;
    r.may_retry = true;
    const verdict v = p_.finish(j.id, r, at(now_));
    limit_ = limit();
    if (v.what == verdict::kind::granted) start(v.grant);
  }
  // Whoever came last when there was no room is turned away.
  void refuse() {
    while (static_cast<double>(running_.size()) > case_.busy_above) {
      ++refused_;
      end(running_.size() - 1, attempt_end::busy);
      take_grants();
    }
  }
  double rate() const {
    return std::min(1.0, capacity_ / std::max<double>(1, static_cast<double>(running_.size())));
  }
  double next_end() const {
    double least = std::numeric_limits<double>::infinity();
    for (const job& j : running_) least = std::min(least, j.left);
    return now_ + least / rate();
  }
  bool step(double until) {
    feed();
    take_grants();
    refuse();
    const double due = base::to_seconds(p_.next_deadline() - at(0)) + 1e-6;  // past rounding
    const double next = std::max(now_, std::min({next_end(), due, until}));
    pass(next);
    const auto done = std::ranges::find_if(running_, [](const job& j) { return j.left < 1e-6; });
    if (done != running_.end())
      end(static_cast<std::size_t>(done - running_.begin()), attempt_end::succeeded);
    else if (next >= due)
      p_.expire(at(now_));
    return now_ < until;
  }
  void pass(double next) {
    const double passed = next - now_;
    for (job& j : running_) j.left -= passed * rate();
    done_ += passed * rate() * static_cast<double>(running_.size());
    possible_ += passed * std::min<double>(capacity_, case_.declared);
    changes_ += limit_ != last_limit_;
    last_limit_ = limit_;
    limit_area_ += passed * limit_;
    seconds_at_[limit_] += passed;
    now_ = next;
  }

  slots_case case_;
  double capacity_, now_ = 0, began_ = 0;
  base::random random_;
  pool p_;
  worker_id worker_;
  std::uint32_t route_ = 0, changes_ = 0, limit_ = 1, last_limit_ = 1;
  std::uint64_t refused_ = 0;
  std::vector<double> works_;
  std::vector<job> running_;
  double limit_area_ = 0, done_ = 0, possible_ = 0;
  std::vector<double> seconds_at_;
};

}  // namespace weir::core::test
