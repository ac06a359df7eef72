#include "sim/fleet_model.hpp"

#include <algorithm>
#include <cmath>

#include "sim/generators.hpp"

namespace weir::sim {
namespace {

// Backlogs outlive the run: its troubles go on for this many times its length.
constexpr double lengths_planned = 4;

double mean_factor(const affliction& a) noexcept {
  if (a.what != trouble::antagonists) return 1;
  return (a.slow_mean * a.factor + a.fast_mean) / (a.slow_mean + a.fast_mean);
}

class planner {
 public:
  planner(fleet_plan& plan, double length, std::uint64_t seed)
      : plan_(plan), length_(length), seed_(seed) {}

  void add(const worker_group& g) {
    for (std::uint32_t i = 0; i < g.count; ++i) {
      worker_ = static_cast<std::uint32_t>(plan_.workers.size());
      fleet_worker& w = plan_.workers.emplace_back();
      w = {g.name, g.slots, g.speed, g.weight, g.backup};
      if (g.numbered) w.name += std::to_string(worker_ + 1);
      put(g.joins * length_, change::kind::joins);
      for (const affliction& a : g.afflictions) afflict(a, g.speed);
    }
  }

 private:
  void put(double at, change::kind what, double speed = 0) {
    plan_.changes.push_back({at, worker_, what, speed});
  }

  void afflict(const affliction& a, double speed) {
    const double from = a.from * length_, to = a.to * length_;
    switch (a.what) {
      case trouble::antagonists:
        return antagonize(a, speed);
      case trouble::brownout:
        put(from, change::kind::speed, speed * a.factor);
        return put(to, change::kind::speed, speed);
      case trouble::black_hole:
        put(from, change::kind::fails);
        return put(to, change::kind::works);
      case trouble::flapping:
        for (double t = from + a.period - a.down; t < to; t += a.period) {
          put(t, change::kind::down);
          put(t + a.down, change::kind::up);
        }
    }
  }

  // Begins in a phase drawn by how long each lasts: the process is in its steady state.
  void antagonize(const affliction& a, double speed) {
    random r = stream_of(seed_, stream::speeds, worker_);
    bool slow = r.uniform() < a.slow_mean / (a.slow_mean + a.fast_mean);
    const double end = lengths_planned * length_;
    for (double t = 0; t < end; slow = !slow) {
      put(t, change::kind::speed, slow ? speed * a.factor : speed);
      t += r.exponential(slow ? a.slow_mean : a.fast_mean);
    }
    put(end, change::kind::speed, speed);
  }

  fleet_plan& plan_;
  double length_;
  std::uint64_t seed_;
  std::uint32_t worker_ = 0;
};

}  // namespace

double capacity_of(const std::vector<worker_group>& groups) noexcept {
  double all = 0;
  for (const worker_group& g : groups) {
    if (g.backup) continue;
    double speed = g.speed;
    for (const affliction& a : g.afflictions) speed *= mean_factor(a);
    all += g.count * g.slots * speed;
  }
  return all;
}

fleet_plan plan_fleet(const std::vector<worker_group>& groups, double length, std::uint64_t seed) {
  fleet_plan plan;
  planner p(plan, length, seed);
  for (const worker_group& g : groups) p.add(g);
  std::stable_sort(plan.changes.begin(), plan.changes.end(),
                   [](const change& a, const change& b) { return a.at < b.at; });
  return plan;
}

}  // namespace weir::sim
