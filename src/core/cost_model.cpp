#include "core/cost_model.hpp"

#include <algorithm>
#include <cmath>

namespace weir::core {
namespace {

// One absurd declaration must leave the sum over the others exact enough when it goes.
constexpr double units_max = 1e15, units_min = 1e-6;

double bounded_exp(double log_seconds) noexcept {
  return std::exp(std::clamp(log_seconds, cost_model::log_min, cost_model::log_max));
}

}  // namespace

std::uint32_t cost_model::route(std::string_view name) {
  for (std::uint32_t i = 0; i < routes_.size(); ++i)
    if (routes_[i].name == name) return i;
  routes_.push_back({.name = std::string(name)});
  return static_cast<std::uint32_t>(routes_.size() - 1);
}

std::string_view cost_model::route_name(std::uint32_t route) const noexcept {
  return route < routes_.size() ? std::string_view(routes_[route].name) : std::string_view();
}

cost_estimate cost_model::estimate(std::uint32_t route, double units) const noexcept {
  cost_estimate e;
  e.has_units = units > 0 && std::isfinite(units);
  if (e.has_units) e.units = std::clamp(units, units_min, units_max);
  if (e.has_units && e.units != 1) e.log_units = std::log(e.units);
  const route_model* r = find(route);
  if (by_units(r, e)) {
    e.log_seconds = std::clamp(r->log_k.value() + e.log_units, log_min, log_max);
    e.seconds = std::clamp(r->k * e.units, seconds_min, seconds_max);
  } else {
    e.log_seconds = std::clamp(mean_log_seconds(r), log_min, log_max);
    e.seconds = std::exp(e.log_seconds);
  }
  return e;
}

double cost_model::seconds_now(std::uint32_t route, const cost_estimate& e) const noexcept {
  const route_model* r = find(route);
  if (by_units(r, e)) return std::clamp(r->k * e.units, seconds_min, seconds_max);
  return bounded_exp(mean_log_seconds(r));
}

void cost_model::waits(std::uint32_t route, const cost_estimate& e, std::int64_t n) noexcept {
  if (route >= routes_.size()) {
    waiting_unrouted_ += n;
    return;
  }
  backlog& b = routes_[route].waiting;
  (e.has_units ? b.with_units : b.without) += n;
  // Sums of doubles drift; when nothing is left is the moment to start anew.
  const double units = b.units + static_cast<double>(n) * e.units;
  b.units = b.with_units == 0 ? 0 : std::max(0.0, units);
}

double cost_model::waiting_seconds() const noexcept {
  double sum = static_cast<double>(waiting_unrouted_) * bounded_exp(pool_.value());
  for (const route_model& r : routes_) {
    const backlog& b = r.waiting;
    const bool by_units = b.with_units > 0 && r.log_k.count() > 0;
    const auto n = static_cast<double>(b.with_units);
    if (by_units) sum += n * std::clamp(r.k * (b.units / n), seconds_min, seconds_max);
    const std::int64_t by_count = b.without + (by_units ? 0 : b.with_units);
    if (by_count > 0) sum += static_cast<double>(by_count) * bounded_exp(mean_log_seconds(&r));
  }
  return sum;
}

}  // namespace weir::core
