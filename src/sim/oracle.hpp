// A scaler that knows what will come: the least that anybody could pay who serves each batch within
// max(objective, its size). What policies pay is shown as a multiple of it. Pure functions.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "sim/workload.hpp"

namespace weir::sim {

// How many workers were there from `at` seconds on.
struct fleet_change {
  double at = 0;
  std::uint32_t workers = 0;
};

// Spreads each batch's work evenly over max(objective, its size) from its arrival, rounds up to
// whole workers, at least 1, without start-up, up to `seconds` or to the last batch's end, where
// nobody is left. In order of time; nothing when that is no time at all.
std::vector<fleet_change> oracle_fleet(const workload& load, double objective_seconds,
                                       std::uint32_t slots, double seconds = 0);

// What a fleet costs up to its last change.
double worker_seconds(std::span<const fleet_change> fleet) noexcept;

}  // namespace weir::sim
