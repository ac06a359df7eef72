#include "core/rates.hpp"

#include <algorithm>
#include <cmath>

namespace weir::core {
namespace {

constexpr double count_min = 1e-30;  // below it the pool's old mean is kept as it is
constexpr duration step_margin = std::chrono::milliseconds(1);
constexpr duration rebase_after = std::chrono::minutes(10);

double bounded_age(duration age, duration lasts) noexcept {
  return std::clamp(base::to_seconds(age) / base::to_seconds(lasts), 0.0, 1.0);
}

}  // namespace

double overdue_factor(double elapsed_seconds, double expected_seconds, double overdue) noexcept {
  if (elapsed_seconds <= overdue_seconds_min) return 1;
  return std::min(1.0, overdue * expected_seconds / elapsed_seconds);
}

double reported_share(double load, duration age, const learning_settings& s) noexcept {
  if (load <= s.load_free || age >= load_forgotten(s)) return 1;
  const double over = std::min(1.0, (load - s.load_free) / (1 - s.load_free));
  const double weight = std::exp(-base::to_seconds(age) / base::to_seconds(s.load_memory));
  return 1 - (1 - s.load_full_share) * over * weight;
}

double probation_share(duration age, ramp r) noexcept {
  if (r.lasts <= duration::zero()) return 1;
  return r.begins + (1 - r.begins) * bounded_age(age, r.lasts);
}

std::uint32_t open_slots(std::uint32_t slots, duration age, ramp r) noexcept {
  const double open = std::ceil(slots * probation_share(age, r) - 1e-9);
  return std::min(slots, std::max(1u, static_cast<std::uint32_t>(open)));
}

duration next_slot_age(std::uint32_t slots, duration age, ramp r) noexcept {
  const std::uint32_t open = open_slots(slots, age, r);
  if (open >= slots) return std::max(age, r.lasts);
  const double share = (static_cast<double>(open) / slots - r.begins) / (1 - r.begins);
  // A little past the point, so that rounding cannot leave the slot shut at its own time.
  const duration at = base::from_seconds(share * base::to_seconds(r.lasts)) + step_margin;
  return std::max(at, age + step_margin);
}

// Samples that are there keep the age that they had.
void rates::configure(const learning_settings& s, instant now) noexcept {
  prior_ = s.prior_attempts;
  const double memory = base::to_seconds(s.memory);
  if (memory == memory_) return;
  if (memory_ > 0) rebase(now);
  memory_ = memory;
  shrink_ = 1;
  now_ = now;
}

void rates::join(std::uint32_t worker) {
  if (worker >= workers_.size()) workers_.resize(worker + 1);
  workers_[worker] = {};
}

void rates::advance(instant now) noexcept {
  if (now == now_) return;
  now_ = now;
  if (now - landmark_ > rebase_after) rebase(now);
  shrink_ = std::exp(-base::to_seconds(now - landmark_) / memory_);
}

void rates::rebase(instant now) noexcept {
  const double factor = std::exp(-base::to_seconds(now - landmark_) / memory_);
  landmark_ = now;
  for (decayed& d : workers_) d = {d.sum * factor, d.count * factor};
  pool_ = {pool_.sum * factor, pool_.count * factor};
  if (pool_.count < count_min) pool_ = {pool_mean_ * count_min, count_min};
}

double rates::samples(std::uint32_t worker) const noexcept {
  return workers_[worker].count * shrink_;
}

}  // namespace weir::core
