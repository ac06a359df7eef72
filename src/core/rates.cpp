#include "core/rates.hpp"

#include <algorithm>
#include <cmath>

namespace weir::core {
namespace {

constexpr double count_min = 1e-30;  // below it the pool's old mean is kept as it is
constexpr duration step_margin = std::chrono::milliseconds(1);
constexpr duration rebase_after = std::chrono::minutes(10);

double bounded_age(duration age, duration slow_start) noexcept {
  return std::clamp(base::to_seconds(age) / base::to_seconds(slow_start), 0.0, 1.0);
}

}  // namespace

double overdue_factor(double elapsed_seconds, double expected_seconds) noexcept {
  if (elapsed_seconds <= overdue_seconds_min) return 1;
  return std::min(1.0, overdue_factor_limit * expected_seconds / elapsed_seconds);
}

double reported_share(double load, duration age) noexcept {
  if (load <= load_free || age >= load_forgotten) return 1;
  const double over = std::min(1.0, (load - load_free) / (1 - load_free));
  return 1 - (1 - load_full_share) * over * std::exp(-base::to_seconds(age) / load_fade_seconds);
}

double probation_share(duration age, duration slow_start) noexcept {
  if (slow_start <= duration::zero()) return 1;
  return probation_start + (1 - probation_start) * bounded_age(age, slow_start);
}

std::uint32_t open_slots(std::uint32_t slots, duration age, duration slow_start) noexcept {
  const double open = std::ceil(slots * probation_share(age, slow_start) - 1e-9);
  return std::min(slots, static_cast<std::uint32_t>(open));
}

duration next_slot_age(std::uint32_t slots, duration age, duration slow_start) noexcept {
  const std::uint32_t open = open_slots(slots, age, slow_start);
  if (open >= slots) return std::max(age, slow_start);
  const double share =
      (static_cast<double>(open) / slots - probation_start) / (1 - probation_start);
  // A little past the point, so that rounding cannot leave the slot shut at its own time.
  const duration at = base::from_seconds(share * base::to_seconds(slow_start)) + step_margin;
  return std::max(at, age + step_margin);
}

void rates::join(std::uint32_t worker) {
  if (worker >= workers_.size()) workers_.resize(worker + 1);
  workers_[worker] = {};
}

void rates::advance(instant now) noexcept {
  if (now == now_) return;
  now_ = now;
  if (now - landmark_ > rebase_after) rebase(now);
  shrink_ = std::exp(-base::to_seconds(now - landmark_) / rate_decay_seconds);
}

void rates::rebase(instant now) noexcept {
  const double factor = std::exp(-base::to_seconds(now - landmark_) / rate_decay_seconds);
  landmark_ = now;
  for (decayed& d : workers_) d = {d.sum * factor, d.count * factor};
  pool_ = {pool_.sum * factor, pool_.count * factor};
  if (pool_.count < count_min) pool_ = {pool_mean_ * count_min, count_min};
}

double rates::samples(std::uint32_t worker) const noexcept {
  return workers_[worker].count * shrink_;
}

}  // namespace weir::core
