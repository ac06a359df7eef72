#include "core/cost_model.hpp"

#include <algorithm>
#include <cmath>

namespace weir::core {

std::uint32_t cost_model::route(std::string_view name) {
  for (std::uint32_t i = 0; i < routes_.size(); ++i)
    if (routes_[i].name == name) return i;
  routes_.push_back({std::string(name), {}, {}});
  return static_cast<std::uint32_t>(routes_.size() - 1);
}

std::string_view cost_model::route_name(std::uint32_t route) const noexcept {
  return route < routes_.size() ? std::string_view(routes_[route].name) : std::string_view();
}

cost_estimate cost_model::estimate(std::uint32_t route, double units) const noexcept {
  cost_estimate e;
  e.has_units = units > 0 && std::isfinite(units);
  if (e.has_units) e.log_units = units == 1 ? 0 : std::log(units);
  e.log_seconds = std::clamp(predict(route, e), log_min, log_max);
  e.seconds = std::exp(e.log_seconds);
  return e;
}

double cost_model::predict(std::uint32_t route, const cost_estimate& e) const noexcept {
  if (route >= routes_.size()) return pool_.value();
  const route_model& r = routes_[route];
  if (e.has_units && r.log_k.count() > 0) return r.log_k.value() + e.log_units;
  return r.log_seconds.count() > 0 ? r.log_seconds.value() : pool_.value();
}

void cost_model::learn(std::uint32_t route, const cost_estimate& e, double log_seconds) noexcept {
  log_seconds = std::clamp(log_seconds, log_min, log_max);
  pool_.add(log_seconds);
  if (route >= routes_.size()) return;
  route_model& r = routes_[route];
  r.log_seconds.add(log_seconds);
  if (e.has_units) r.log_k.add(log_seconds - e.log_units);
}

}  // namespace weir::core
