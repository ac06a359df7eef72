// Arrivals and worlds of algorithms.md for policy tests: Poisson arrivals whose offered load is
// exact, sizes bounded Pareto, workers whose speed may change or which fail at once, and the lower
// bound that no policy can beat. Runs the real pool in virtual time; one seed is one run.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "core/pool.hpp"

namespace weir::core::test::policy {

struct arrival {
  double when = 0, size = 0;  // seconds; size is work at speed 1
  std::uint32_t tenant = 0;   // 0: anonymous
};

struct pareto {
  double alpha = 1.1, low = 0.02, high = 120;
  double draw(double u) const;
};

// `n` arrivals that offer `load` times a capacity of `speed` seconds of work a second.
std::vector<arrival> poisson(std::size_t n, double load, double speed, std::uint64_t seed,
                             pareto sizes = {});

// Mean sojourn that no policy beats: the larger of every batch alone on the fastest slot and SRPT
// on one server with the whole speed.
double lower_bound(const std::vector<arrival>& all, const std::vector<double>& speeds, int slots);

struct scenario {
  queue_order order = queue_order::cost_aware;
  balance policy = balance::least_loaded;
  std::vector<double> speeds = std::vector<double>(16, 1.0);
  int slots = 2;
  double error = 0;  // sigma of log(declared / true size)
  bool sized = true;
  bool ejects = true;
  // Speed factor of a worker at a time; an attempt keeps the one that it began with.
  std::function<double(std::size_t worker, double now)> factor{};
  // Does a worker fail every attempt at once at that time?
  std::function<bool(std::size_t worker, double now)> black_hole{};
  // When a worker joins; nothing: at once.
  std::function<double(std::size_t worker)> joins{};
};

struct outcome {
  double mean_sojourn = 0;
  std::vector<double> sojourns;  // by arrival
  std::uint64_t failed_attempts = 0, lost = 0, ejections = 0, outages = 0;
  std::vector<std::uint64_t> by_worker;
};
outcome run(const std::vector<arrival>& all, const scenario& how);

double percentile(std::vector<double> values, double share);

}  // namespace weir::core::test::policy
