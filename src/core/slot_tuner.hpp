// The adaptive slots of a pool's workers: works out for each attempt how many others ran beside it
// and what its time was for its size, and feeds the worker's adaptive_slots. Owned by fleet, there
// only while the pool's settings ask for it; grows with workers, attempts and routes.
// What the cost model learns is no measure here: it adapts to a crowded worker within some twenty
// batches. A route's anchor is fixed instead, after its first ones.
#pragma once

#include <cstdint>
#include <vector>

#include "core/adaptive_slots.hpp"
#include "core/cost_model.hpp"

namespace weir::core {

class slot_tuner {
 public:
  explicit slot_tuner(const adaptive_slots_settings& how) : how_(how) {}
  void configure(const adaptive_slots_settings& how) { how_ = how; }

  // Worker and attempt numbers are dense; a number starts (again) as one that nothing is known of
  // but how many attempts it runs.
  void join(std::uint32_t worker, instant now, std::uint32_t running = 0);
  // `running`: on the worker until now.
  void began(std::uint32_t worker, std::uint32_t attempt, std::uint32_t running, instant now);
  void ended(std::uint32_t worker, std::uint32_t running, instant now);
  // An attempt succeeded and is about to end. True: open() of the worker changed.
  struct finish {
    std::uint32_t worker = 0, attempt = 0, running = 0, route = 0;
    instant started{};
  };
  bool finished(const finish& f, const cost_estimate& cost, std::uint32_t ceiling, instant now);
  bool busy(std::uint32_t worker, instant started, std::uint32_t ceiling, instant now);

  std::uint32_t open(std::uint32_t worker, std::uint32_t ceiling) const noexcept {
    return workers_[worker].slots.open(how_, ceiling);
  }
  std::uint32_t limit(std::uint32_t worker, std::uint32_t ceiling) const noexcept {
    return workers_[worker].slots.limit(how_, ceiling);
  }

 private:
  struct tuned {
    adaptive_slots slots;
    double area = 0;  // running attempts x seconds, since it joined
    instant at{};
  };
  tuned& advance(std::uint32_t worker, std::uint32_t running, instant now) noexcept;
  running_mean& anchor(std::uint32_t route);

  adaptive_slots_settings how_;
  std::vector<tuned> workers_;
  std::vector<double> area_began_;     // by attempt: its worker's area at its start
  std::vector<running_mean> anchors_;  // by route: log of seconds a unit
};

}  // namespace weir::core
