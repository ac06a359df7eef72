// What a batch will cost, in seconds of work at rate 1, from what its route declared: est =
// k_route x units with k_route = exp(EWMA of log(seconds / units)); without units the route's mean
// of log(seconds); for a new route the pool's. Logs, because sizes span five decades and one giant
// must not drown the rest. An estimate is fixed at arrival, for the order; forecasts value anew
// what it knew of the batch. Called by pool at admit and finish; everything is O(1) save
// waiting_seconds(), and stays finite whatever a client declares.
#pragma once

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "core/moving_exp.hpp"

namespace weir::core {

// A mean that starts as the plain average and becomes an EWMA with weight 1/20 once it has seen 20.
class running_mean {
 public:
  static constexpr std::uint32_t window = 20;
  void add(double value) noexcept {
    if (count_ < window) ++count_;
    mean_ += (value - mean_) / count_;
  }
  // A value beyond mean +- `reach` counts as one at that distance, once there is a mean to speak
  // of: one absurd value must not move it far (winsorising: Dixon 1960).
  void add_within(double value, double reach) noexcept {
    const bool knows = count_ >= window / 4;
    add(knows ? std::clamp(value, mean_ - reach, mean_ + reach) : value);
  }
  double value() const noexcept { return mean_; }
  std::uint32_t count() const noexcept { return count_; }  // stops at `window`

 private:
  double mean_ = 0;
  std::uint32_t count_ = 0;
};

struct cost_estimate {
  double seconds = 1;  // of work at rate 1; within [seconds_min, seconds_max]
  double log_seconds = 0;
  double units = 0, log_units = 0;  // meaningful when units were given
  bool has_units = false;
};

class cost_model {
 public:
  static constexpr double seconds_min = 1e-4, seconds_max = 1e6;
  static constexpr double log_min = -9.2103403719761836;  // their logarithms
  static constexpr double log_max = 13.815510557964274;

  // The number of a route; the same name gets the same number. Numbers count up from 0.
  std::uint32_t route(std::string_view name);

  // An unknown route number is treated as a new route. Units that are no positive finite number
  // count as none.
  cost_estimate estimate(std::uint32_t route, double units) const noexcept;

  // What `e` would be by what is known now.
  double seconds_now(std::uint32_t route, const cost_estimate& e) const noexcept;

  // Keeps count of what waits: `n` batches of that estimate began, or ceased (-n), to wait.
  void waits(std::uint32_t route, const cost_estimate& e, std::int64_t n) noexcept;
  // The sum of seconds_now() over what waits. O(routes).
  double waiting_seconds() const noexcept;

  // A batch of `route` took exp(log_seconds) seconds at rate 1.
  void learn(std::uint32_t route, const cost_estimate& e, double log_seconds) noexcept {
    log_seconds = std::clamp(log_seconds, log_min, log_max);
    pool_.add(log_seconds);
    if (route >= routes_.size()) return;
    route_model& r = routes_[route];
    r.log_seconds.add(log_seconds);
    if (!e.has_units) return;
    r.log_k.add_within(log_seconds - e.log_units, log_k_reach);
    r.k = r.exp_log_k.at(r.log_k.value());
  }

  std::string_view route_name(std::uint32_t route) const noexcept;
  // Batches learned from, up to running_mean::window: 0 means that estimates are only a default.
  std::uint32_t samples() const noexcept { return pool_.count(); }

 private:
  struct backlog {
    double units = 0;
    std::int64_t with_units = 0, without = 0;  // batches
  };
  struct route_model {
    std::string name;
    running_mean log_k{};  // of log(seconds / units)
    moving_exp exp_log_k{};
    double k = 1;          // exp(log_k)
    running_mean log_seconds{};
    backlog waiting{};
  };
  const route_model* find(std::uint32_t route) const noexcept {
    return route < routes_.size() ? &routes_[route] : nullptr;
  }
  static bool by_units(const route_model* r, const cost_estimate& e) noexcept {
    return r && e.has_units && r->log_k.count() > 0;
  }
  double mean_log_seconds(const route_model* r) const noexcept {
    return r && r->log_seconds.count() > 0 ? r->log_seconds.value() : pool_.value();
  }

  // A declaration that is off by more than e^3 = 20 times tells of its client, not of the route.
  static constexpr double log_k_reach = 3;

  std::vector<route_model> routes_;
  running_mean pool_;
  std::int64_t waiting_unrouted_ = 0;
};

}  // namespace weir::core
