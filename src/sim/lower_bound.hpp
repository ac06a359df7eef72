// What no policy can beat, so that runs of different loads and fleets can be told as ratios: the
// larger of every batch alone on the fastest slot, and the shortest remaining work first on one
// server with the whole fleet's speed, as it changes (Schrage 1968: optimal on every sample path,
// also when the speed varies; a fleet of slower slots can do nothing that this server cannot).
#pragma once

#include "sim/fleet_model.hpp"
#include "sim/workload.hpp"

namespace weir::sim {

// Mean sojourn in seconds; 0 for no arrivals.
double lower_bound(const workload& load, const fleet_plan& fleet);

// The fastest that any slot of the fleet ever is, at least a tiny speed.
double fastest_slot(const fleet_plan& fleet) noexcept;

}  // namespace weir::sim
