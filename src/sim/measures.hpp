// What a run came to, in numbers: from the world's books of one run, or the medians of several.
// Percentiles are of batches that ended well; those that were lost are counted beside them.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/workload.hpp"
#include "sim/world.hpp"

namespace weir::sim {

struct spread {
  double mean = 0, p50 = 0, p99 = 0, max = 0;
};

struct tenant_measures {
  std::string name;
  std::uint64_t batches = 0;  // that ended well
  spread sojourn;
  double slowdown_mean = 0;
};

struct group_measures {
  std::string name;
  std::uint64_t batches = 0;  // that ended well
  double makespan = 0;        // from the first arrival to the last good end, in seconds
};

struct measures {
  std::uint64_t batches = 0, lost = 0;
  std::uint64_t attempts = 0, failed_attempts = 0, retries = 0, ejections = 0;
  double bound = 0;          // lower bound of the mean sojourn, in seconds
  double ratio = 0;          // mean sojourn over it
  spread wait, sojourn;      // seconds
  spread slowdown;           // sojourn over the batch's time alone on the fastest slot
  std::vector<tenant_measures> tenants;
  std::vector<group_measures> groups;
  double fairness = 1;       // Jain's index of the tenants' mean slowdowns (Jain, Chiu, Hawe 1984)
  double utilisation = 0;    // of the slots that were there
  double length = 0;         // seconds until the last batch left
  std::vector<double> curve; // sojourns at curve_share(0), curve_share(1), ..., for plots
};

// 0, 20.6 %, ... 90 % (at 10), 99 % (at 20), ... 99.99 % (at 40): evenly spaced in log(1 - share).
inline constexpr std::size_t curve_points = 41;
double curve_share(std::size_t point) noexcept;

// `values` is sorted by it. Share 0.5 of {1, 2, 3} is 2; nothing gives zeros.
spread spread_of(std::vector<double>& values);

// (sum x)^2 / (n sum x^2): 1 when all are alike, 1/n when one has everything.
double jain_index(const std::vector<double>& values) noexcept;

measures measure(const workload& load, const result& run, double bound, double fastest_slot);

// Field by field, tenants by their place; of runs of the same scenario.
measures median_of(const std::vector<measures>& runs);

}  // namespace weir::sim
