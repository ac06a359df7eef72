#include "core/slot_tuner.hpp"

#include <cmath>

namespace weir::core {
namespace {

constexpr double seconds_min = 1e-4;  // as fleet has it: an attempt is taken to last at least this

}  // namespace

void slot_tuner::join(std::uint32_t worker, instant now, std::uint32_t running) {
  if (worker >= workers_.size()) workers_.resize(worker + 1);
  workers_[worker] = {adaptive_slots(now, running), 0, now};
}

slot_tuner::tuned& slot_tuner::advance(std::uint32_t worker, std::uint32_t running,
                                       instant now) noexcept {
  tuned& t = workers_[worker];
  t.area += running * base::to_seconds(now - t.at);
  t.at = now;
  return t;
}

void slot_tuner::began(std::uint32_t worker, std::uint32_t attempt, std::uint32_t running,
                       instant now) {
  if (attempt >= area_began_.size()) area_began_.resize(attempt + 1);
  area_began_[attempt] = advance(worker, running, now).area;
}

void slot_tuner::ended(std::uint32_t worker, std::uint32_t running, instant now) {
  advance(worker, running, now);
}

running_mean& slot_tuner::anchor(std::uint32_t route) {
  if (route >= anchors_.size()) anchors_.resize(route + 1);
  return anchors_[route];
}

// A route that comes late is anchored as if its first batches were as crowded as the worker's
// others were.
bool slot_tuner::finished(const finish& f, const cost_estimate& cost, std::uint32_t ceiling,
                          instant now) {
  if (f.attempt >= area_began_.size()) return false;  // it began before anybody looked
  tuned& t = advance(f.worker, f.running, now);
  const double seconds = base::to_seconds(now - f.started);
  slot_sample s;
  s.began = f.started;
  s.beside = seconds > 0 ? (t.area - area_began_[f.attempt]) / seconds : f.running;
  if (cost.has_units) {
    running_mean& fixed = anchor(f.route);
    const double log_per_unit = std::log(std::max(seconds, seconds_min)) - cost.log_units;
    if (fixed.count() < running_mean::window) {
      fixed.add(log_per_unit - t.slots.recent());
    } else {
      s.sized = true;
      s.log_time = log_per_unit - fixed.value();
    }
  }
  return t.slots.finished(s, how_, ceiling, now);
}

bool slot_tuner::busy(std::uint32_t worker, instant started, std::uint32_t ceiling, instant now) {
  return workers_[worker].slots.busy(started, how_, ceiling, now);
}

}  // namespace weir::core
