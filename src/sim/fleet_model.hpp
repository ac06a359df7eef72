// The workers of a simulation and what befalls them: their speed and state over time as a list of
// changes, drawn from a seed before the run begins, so that every policy and the lower bound meet
// the same fleet. Times are seconds from the start; shares are of the run's length.
// Troubles: antagonists (other tenants of the machine take most of it for a while), a brownout, a
// black hole (fails each attempt at once), flapping (down for a while, again and again), a late
// join.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/random.hpp"

namespace weir::sim {

enum class trouble : std::uint8_t { antagonists, brownout, black_hole, flapping };

struct affliction {
  trouble what = trouble::antagonists;
  double from = 0, to = 1;          // shares of the run; antagonists: all of it and beyond
  double factor = 0.35;             // of its speed: antagonists, brownout
  double slow_mean = 15, fast_mean = 30;    // antagonists: exponential phases, in seconds
  double down = 5, period = 20;             // flapping, in seconds
  bool operator==(const affliction&) const = default;
};

struct worker_group {
  std::string name = "w";
  bool numbered = true;             // w1, w2, ... over all groups; false: its name as it is
  std::uint32_t count = 16;
  std::uint32_t slots = 2;
  double speed = 1;
  double joins = 0;                 // a share of the run
  double weight = 1;                // as weir is told
  bool backup = false;              // of weir's; peers leave it out
  std::vector<affliction> afflictions;
  bool operator==(const worker_group&) const = default;
};

struct change {
  enum class kind : std::uint8_t { joins, speed, down, up, fails, works };
  double at = 0;
  std::uint32_t worker = 0;
  kind what = kind::joins;
  double speed = 0;                 // when speed
};

struct fleet_worker {
  std::string name;
  std::uint32_t slots = 1;
  double speed = 1;
  double weight = 1;
  bool backup = false;
};

struct fleet_plan {
  std::vector<fleet_worker> workers;
  std::vector<change> changes;      // by time; every worker's first is that it joins
  double overhead = 0;              // seconds that every attempt takes beside its work
};

// Seconds of work a second by all but backups, all having joined; antagonists at the mean speed.
double capacity_of(const std::vector<worker_group>& groups) noexcept;

fleet_plan plan_fleet(const std::vector<worker_group>& groups, double length, std::uint64_t seed);

}  // namespace weir::sim
