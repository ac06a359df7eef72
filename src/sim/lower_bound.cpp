#include "sim/lower_bound.hpp"

#include <algorithm>
#include <cmath>
#include <queue>
#include <vector>

namespace weir::sim {
namespace {

constexpr double speed_min = 1e-9;

// The fleet's whole speed over time. A worker that fails its attempts still ends those that it had
// begun: it counts, which only lowers the bound.
class whole_speed {
 public:
  explicit whole_speed(const fleet_plan& fleet) : fleet_(fleet) {
    for (const fleet_worker& w : fleet.workers) members_.push_back({w.speed, w.slots});
  }
  double now() const noexcept { return sum_; }
  double next_change() const noexcept {
    return next_ < fleet_.changes.size() ? fleet_.changes[next_].at : HUGE_VAL;
  }
  void advance() {
    const change& c = fleet_.changes[next_++];
    member& m = members_[c.worker];
    sum_ -= m.offers();
    if (c.what == change::kind::joins) m.joined = true;
    if (c.what == change::kind::speed) m.speed = c.speed;
    if (c.what == change::kind::down) m.down = true;
    if (c.what == change::kind::up) m.down = false;
    sum_ += m.offers();
  }

 private:
  struct member {
    double speed = 1;
    std::uint32_t slots = 1;
    bool joined = false, down = false;
    double offers() const noexcept { return joined && !down ? speed * slots : 0; }
  };
  const fleet_plan& fleet_;
  std::vector<member> members_;
  std::size_t next_ = 0;
  double sum_ = 0;
};

struct job {
  double left = 0, came = 0;
  bool operator>(const job& o) const { return left > o.left; }
};

class shortest_first {
 public:
  explicit shortest_first(const fleet_plan& fleet) : speed_(fleet) {}

  void arrive(const arrival& a) {
    serve_until(a.at);
    jobs_.push({a.work, a.at});
  }
  double finish() {
    while (!jobs_.empty() && (speed_.now() > speed_min || speed_.next_change() < HUGE_VAL))
      serve_until(HUGE_VAL);
    return sum_;
  }

 private:
  void serve_until(double end) {
    while (now_ < end) {
      const double stop = std::min(end, speed_.next_change());
      serve_at_one_speed(stop);
      if (stop == HUGE_VAL) return;
      now_ = stop;
      if (stop == speed_.next_change()) speed_.advance();
      if (jobs_.empty() && end == HUGE_VAL) return;
    }
  }

  void serve_at_one_speed(double end) {
    while (!jobs_.empty() && now_ < end && speed_.now() > speed_min) {
      job j = jobs_.top();
      const double done = now_ + j.left / speed_.now();
      jobs_.pop();
      if (done <= end) {
        sum_ += done - j.came;
      } else {
        j.left -= (end - now_) * speed_.now();
        jobs_.push(j);
      }
      now_ = std::min(done, end);
    }
  }

  whole_speed speed_;
  std::priority_queue<job, std::vector<job>, std::greater<>> jobs_;
  double now_ = 0, sum_ = 0;
};

}  // namespace

double fastest_slot(const fleet_plan& fleet) noexcept {
  double fastest = speed_min;
  for (const fleet_worker& w : fleet.workers) fastest = std::max(fastest, w.speed);
  for (const change& c : fleet.changes)
    if (c.what == change::kind::speed) fastest = std::max(fastest, c.speed);
  return fastest;
}

double lower_bound(const workload& load, const fleet_plan& fleet) {
  if (load.arrivals.empty()) return 0;
  double alone = 0;
  shortest_first srpt(fleet);
  const double fastest = fastest_slot(fleet);
  for (const arrival& a : load.arrivals) {
    alone += a.work / fastest;
    srpt.arrive(a);
  }
  return std::max(alone, srpt.finish()) / static_cast<double>(load.arrivals.size());
}

}  // namespace weir::sim
