// A pool whose workers come and go, in virtual time: the product's own core::pool serves a
// workload, and either its own autoscaling or a peer's scaler says how many workers there are. A
// machine that is launched is ready after start-up x uniform(0.8, 1.2), is stopped when it was
// named (weir) or has finished its last batch (peers), and is billed from launch to then.
// One call, one run; the same seed gives the same result on every machine. Nothing fails here:
// what is judged is when there are how many workers.
#pragma once

#include <cstdint>
#include <vector>

#include "core/settings.hpp"
#include "sim/oracle.hpp"
#include "sim/scaler.hpp"
#include "sim/workload.hpp"

namespace weir::sim {

struct scaling_options {
  core::autoscale_settings autoscale;  // limits, objective and start-up time hold for peers too
  scaling_policy policy = scaling_policy::weir;
  core::queue_order order = core::queue_order::fifo;
  std::uint32_t slots = 4;    // a worker's
  std::uint32_t workers = 2;  // at the start, ready
  bool estimates = true;      // a batch declares its work; else what the workload says, or nothing
  double seconds = 0;         // the run lasts at least that long; 0: until the last batch's end
  std::uint64_t seed = 1;     // of start-up times and of the pool
};

struct scaling_result {
  std::uint64_t batches = 0;
  double seconds = 0;       // how long it lasted
  double seconds_late = 0;  // in which the oldest waiting batch waited beyond the objective
  double worker_seconds = 0;
  double wait_mean = 0, wait_p99 = 0, wait_max = 0;  // until a worker has it, seconds
  double utilization = 0;                            // work / (worker_seconds x slots)
  std::uint64_t decisions = 0;  // changes of the number of workers that is wanted
  std::uint64_t reversals = 0;  // of those: the other way than the last, within 10 minutes of it
  std::uint64_t launches = 0;
  std::uint32_t workers_most = 0;
  std::vector<fleet_change> fleet;  // those that were billed
  double reversals_a_day() const noexcept;
};

// The workload has to be in order of time, its work within what core::pool can serve.
scaling_result run_scaling(const workload& load, const scaling_options& options);

}  // namespace weir::sim
