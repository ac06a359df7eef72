#include "sim/peer_scalers.hpp"

#include <algorithm>
#include <cmath>

namespace weir::sim {
namespace {

constexpr double target_utilization = 0.7;  // Knative's and HPA's here

std::uint32_t whole(double workers) noexcept {
  return workers <= 0 ? 0 : static_cast<std::uint32_t>(std::min(std::ceil(workers - 1e-9), 1e6));
}

namespace kpa {
constexpr double stable_seconds = 60, panic_seconds = 6, panic_threshold = 2;
constexpr double up_rate_max = 1000, down_rate_max = 2;
}  // namespace kpa

namespace hpa {
constexpr double tolerance = 0.1, window_seconds = 15;
constexpr std::uint32_t pods_per_period = 4;
constexpr std::uint32_t replicas_min = 1;   // none at all have no utilization to go by

// At most 4 or 100 % more than there are: the larger, as the default behaviour selects.
std::uint32_t slowed(std::uint32_t wanted, std::uint32_t have) noexcept {
  return std::min(wanted, have + std::max(have, pods_per_period));
}
}  // namespace hpa

namespace keda {
constexpr double polling_seconds = 30, cooldown_seconds = 300, length_per_worker = 5;
}  // namespace keda

}  // namespace

std::string_view name(scaling_policy policy) noexcept {
  switch (policy) {
    case scaling_policy::weir:
      return "weir";
    case scaling_policy::knative:
      return "knative";
    case scaling_policy::hpa:
      return "hpa";
    case scaling_policy::keda:
      return "keda";
  }
  return "unknown";
}

std::unique_ptr<scaler> make_scaler(scaling_policy policy) {
  switch (policy) {
    case scaling_policy::weir:
      return nullptr;
    case scaling_policy::knative:
      return std::make_unique<knative_scaler>();
    case scaling_policy::hpa:
      return std::make_unique<hpa_scaler>();
    case scaling_policy::keda:
      return std::make_unique<keda_scaler>();
  }
  return nullptr;
}

// --- memory -------------------------------------------------------------------------------------

void fleet_memory::add(const fleet_facts& facts) {
  seen_.push_back(facts);
  while (seen_.size() > 2 && seen_[1].now <= facts.now - seconds_) seen_.pop_front();
}

const fleet_facts& fleet_memory::since(double seconds) const {
  const double from = seen_.back().now - seconds;
  auto at = seen_.end() - 1;
  while (at != seen_.begin() && at->now > from) --at;
  return *at;
}

double fleet_memory::demand(double seconds) const {
  if (seen_.empty()) return 0;
  const fleet_facts& a = since(seconds);
  const fleet_facts& b = seen_.back();
  return b.now > a.now ? (b.demand_seconds - a.demand_seconds) / (b.now - a.now) : 0;
}

double fleet_memory::utilization(double seconds) const {
  if (seen_.empty()) return 0;
  const fleet_facts& a = since(seconds);
  const fleet_facts& b = seen_.back();
  const double slots = (b.ready_seconds - a.ready_seconds) * b.slots;
  return slots > 0 ? (b.busy_seconds - a.busy_seconds) / slots : 0;
}

std::uint32_t largest_of_late::add(double now, std::uint32_t recommended) {
  while (!late_.empty() && late_.back().workers <= recommended) late_.pop_back();
  late_.push_back({now, recommended});
  while (late_.front().at < now - seconds_) late_.pop_front();
  return late_.front().workers;
}

// --- the peers ----------------------------------------------------------------------------------

std::uint32_t knative_scaler::desired(const fleet_facts& facts) {
  memory_.add(facts);
  const double ready = std::max(1u, facts.ready), target = target_utilization * facts.slots;
  const auto limited = [&](double demand) {
    const double wanted = std::ceil(demand / target - 1e-9);
    return whole(std::clamp(wanted, std::floor(ready / kpa::down_rate_max),
                            std::ceil(ready * kpa::up_rate_max)));
  };
  const double lately = memory_.demand(kpa::panic_seconds);
  const std::uint32_t stable = limited(memory_.demand(kpa::stable_seconds));
  const std::uint32_t panic = limited(lately);
  const bool over = std::ceil(lately / target - 1e-9) / ready >= kpa::panic_threshold;
  if (over) panics_since_ = facts.now;
  if (panics_since_ >= 0 && facts.now - panics_since_ > kpa::stable_seconds)
    panics_since_ = -1, panic_most_ = 0;
  if (panics_since_ < 0) return stable;
  panic_most_ = std::max({panic_most_, stable, panic, facts.ready});
  return panic_most_;
}

std::uint32_t hpa_scaler::desired(const fleet_facts& facts) {
  memory_.add(facts);
  const std::uint32_t have = facts.ready + facts.starting;
  const double ratio = memory_.utilization(hpa::window_seconds) / target_utilization;
  // Those that start have no metric: idle when it would go out, left out when it would go in.
  const double counted = ratio > 1 ? ratio * facts.ready / std::max(1u, have) : ratio;
  const bool turned = ratio > 1 && counted < 1;
  std::uint32_t wanted = have;
  if (std::abs(counted - 1) > hpa::tolerance && !turned)
    wanted = whole(counted * (ratio > 1 ? have : facts.ready));
  return std::max(hpa::replicas_min, in_.add(facts.now, hpa::slowed(wanted, have)));
}

std::uint32_t keda_scaler::desired(const fleet_facts& facts) {
  if (facts.now - polled_at_ >= keda::polling_seconds) {
    polled_at_ = facts.now;
    length_ = facts.waiting;
    if (length_ > 0) active_at_ = facts.now;
  }
  const std::uint32_t have = facts.ready + facts.starting;
  const double wanted_exactly = static_cast<double>(length_) / keda::length_per_worker;
  const double ratio = wanted_exactly / std::max(1u, have);
  std::uint32_t wanted = std::abs(ratio - 1) > hpa::tolerance ? whole(wanted_exactly) : have;
  if (facts.now - active_at_ < keda::cooldown_seconds) wanted = std::max(wanted, 1u);
  return in_.add(facts.now, hpa::slowed(wanted, have));
}

}  // namespace weir::sim
