// Scaling judged: several policies or settings on the same arrivals, over several seeds, against
// the clairvoyant oracle; as a table and as JSON. This is what `weir simulate` shows for a pool
// with autoscaling. Pure: the same input gives the same bytes.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <vector>

#include "sim/scaling_world.hpp"
#include "sim/workload.hpp"

namespace weir::sim {

// The arrivals of a seed. A trace gives the same ones each time: then only start-up times differ.
using workload_source = std::function<workload(std::uint64_t seed)>;

struct scaling_contender {
  std::string name;  // "weir", or whatever tells it from the others
  scaling_policy policy = scaling_policy::weir;
  core::autoscale_settings autoscale;
  core::queue_order order = core::queue_order::fifo;
};

// What holds for all contenders.
struct scaling_trial {
  std::string workload;       // its name
  std::uint32_t slots = 4;    // a worker's
  std::uint32_t workers = 2;  // at the start
  bool estimates = true;      // as in scaling_options
  double seconds = 0;
  std::uint64_t seed = 1;  // the first
  std::uint32_t seeds = 1;
};

// Of a measure over the seeds.
struct seed_spread {
  double median = 0, low = 0, high = 0;
};
seed_spread over_seeds(std::vector<double> values);

struct scaling_verdict {
  scaling_contender who;
  seed_spread seconds_late, worker_hours, over_oracle;  // worker-hours over the oracle's
  seed_spread wait_p99, wait_max;                       // seconds
  seed_spread decisions, reversals;                     // a day
  seed_spread workers_most, utilization;
  std::vector<fleet_change> fleet;  // in its first run
};

struct scaling_report {
  scaling_trial trial;
  std::uint64_t batches = 0;         // of the first seed
  double seconds = 0;                // so long did its first run last
  std::vector<fleet_change> oracle;  // of the first seed and the first contender's objective
  std::vector<scaling_verdict> verdicts;
};

// Weir with these settings, and the three peers within the same limits and objective.
std::vector<scaling_contender> with_peers(const core::autoscale_settings& settings,
                                          core::queue_order order = core::queue_order::fifo);

scaling_report compare_scaling(const workload_source& load, const scaling_trial& trial,
                               std::span<const scaling_contender> contenders);

// As those of a contest (report.hpp): the table ends with an empty line, the JSON with a newline.
std::string table_of(const scaling_report& report);
std::string json_of(const scaling_report& report);

}  // namespace weir::sim
