// A fleet and a workload written down by hand, and a policy that does what a test tells it.
#pragma once

#include <functional>
#include <vector>

#include "sim/world.hpp"

namespace weir::sim::test {

struct planned {
  double at = 0, work = 0;
  std::uint32_t tenant = 0;
};

inline workload load_of(const std::vector<planned>& all) {
  workload w;
  w.tenants = {"", "other"};
  for (const planned& p : all) w.arrivals.push_back({p.at, p.work, p.work, p.tenant, 0});
  return w;
}

inline fleet_plan fleet_of(const std::vector<fleet_worker>& workers,
                           const std::vector<change>& later = {}) {
  fleet_plan plan;
  plan.workers = workers;
  for (std::uint32_t i = 0; i < workers.size(); ++i)
    plan.changes.push_back({0, i, change::kind::joins, 0});
  plan.changes.insert(plan.changes.end(), later.begin(), later.end());
  return plan;
}

// Starts every batch at once on the worker that `choose` names, and again when it failed, up to
// `tries`; writes down what it is told.
class scripted final : public policy {
 public:
  struct told {
    char what;  // joined, arrived, good, failed, refused, probed (Good or Bad), expired
    std::uint32_t batch = 0, worker = 0;
    double at = 0;
  };
  std::function<std::uint32_t(std::uint32_t batch)> choose = [](std::uint32_t) { return 0; };
  std::uint32_t tries = 1;
  std::vector<double> deadlines;       // in order; it asks worker 0 for a probe at each
  std::vector<told> heard;
  bool gives_up = true;                // a batch without tries left is lost

  void joined(std::uint32_t worker, const fleet_worker&, instant now) override {
    note('j', 0, worker, now);
  }
  void arrived(std::uint32_t batch, const arrival&, instant now) override {
    note('a', batch, 0, now);
    out.starts.push_back({batch, choose(batch), false});
    if (tried_.size() <= batch) tried_.resize(batch + 1);
    tried_[batch] = 1;
  }
  void ended(std::uint32_t batch, std::uint32_t worker, ending how, instant now) override {
    note(how == ending::good ? 'g' : how == ending::failed ? 'f' : 'r', batch, worker, now);
    if (how == ending::good) return;
    if (tried_[batch]++ < tries) return out.starts.push_back({batch, choose(batch), true});
    if (gives_up) out.lost.push_back(batch);
  }
  void probed(std::uint32_t worker, bool good, instant now) override {
    note(good ? 'G' : 'B', 0, worker, now);
  }
  instant next_deadline() const noexcept override {
    return next_ < deadlines.size() ? world_begin + base::from_seconds(deadlines[next_])
                                    : base::never;
  }
  void expire(instant now) override {
    note('e', 0, 0, now);
    ++next_;
    out.probes.push_back(0);
  }

  std::string story() const {
    std::string all;
    for (const told& t : heard) all += t.what;
    return all;
  }

 private:
  void note(char what, std::uint32_t batch, std::uint32_t worker, instant now) {
    heard.push_back({what, batch, worker, base::to_seconds(now - world_begin)});
  }
  std::vector<std::uint32_t> tried_;
  std::size_t next_ = 0;
};

}  // namespace weir::sim::test
