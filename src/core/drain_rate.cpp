#include "core/drain_rate.hpp"

#include <algorithm>
#include <cmath>
#include <limits>

namespace weir::core {
namespace {

// One hour-long batch that happens to end must not look like a fleet a hundred times as fast.
constexpr double lump_limit = 2;
// With little waiting, refusals are spread over this share of the soonest time all the same.
constexpr double spread_min = 0.5;

}  // namespace

void drain_rate::turn(bool backlogged, instant now) noexcept {
  if (backlogged_) advance(now);
  backlogged_ = backlogged;
  since_ = now;
}

void drain_rate::finished(double seconds, instant now) noexcept {
  if (!backlogged_) return;
  advance(now);
  cost_ += seconds;
  batches_ += 1;
}

void drain_rate::advance(instant now) noexcept {
  if (now <= since_) return;
  const double keep = std::exp(-base::to_seconds(now - since_) / window_seconds);
  since_ = now;
  cost_ *= keep;
  batches_ *= keep;
  seconds_ = seconds_ * keep + window_seconds * (1 - keep);
}

double drain_rate::per_second(double learned) const noexcept {
  if (learned <= 0 || seconds_ <= 0) return std::max(learned, 0.0);
  const double trust = batches_ / (batches_ + few);
  const double measured = std::min(cost_ / seconds_, lump_limit * learned);
  return trust * measured + (1 - trust) * learned;
}

double drain_seconds(double cost, double per_second) noexcept {
  if (cost <= 0) return 0;
  return per_second > 0 ? cost / per_second : std::numeric_limits<double>::infinity();
}

duration retry_after::next(double soonest_seconds, double drain_seconds) noexcept {
  constexpr double golden = 0.6180339887498949;
  phase_ += golden;
  if (phase_ >= 1) phase_ -= 1;
  const double longest = base::to_seconds(most), shortest = base::to_seconds(least);
  const double from = std::clamp(soonest_seconds, shortest, longest / (1 + spread_min));
  const double enough = soonest_seconds > shortest ? from * (1 + spread_min) : from;
  const double to = std::max(std::min(drain_seconds, longest), enough);
  return base::from_seconds(from + phase_ * (to - from));
}

}  // namespace weir::core
