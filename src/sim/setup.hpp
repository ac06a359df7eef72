// From what a user asks `weir simulate` for to a contest that can be run: reads the scenario, the
// configurations and the traces, and puts the options of the command line over them. Main thread,
// blocks on files. Whatever is wrong is text for standard error, nothing is thrown.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "sim/contest.hpp"
#include "sim/scaling_report.hpp"
#include "sim/scenario.hpp"

namespace weir::sim {

struct request {
  std::string scenario, config, pool, against;  // files and a pool's name; empty: not given
  std::vector<std::string> policies;            // empty: the scenario's
  std::optional<std::uint32_t> seeds;
  std::optional<std::uint64_t> batches;
  std::optional<double> load, sigma;
  bool unknown_sizes = false;
  bool scaling = false;                         // how many workers, instead of who serves what
};

// A pool whose workers come and go, under its own autoscaling and its peers'.
struct scaling_run {
  scaling_trial trial;
  std::vector<scaling_contender> contenders;
};

struct setup {
  std::string title;   // for the report: the scenario's name
  std::string facts;   // one line: workers, slots, load, batches, estimates, seeds
  contest run;
  std::optional<scaling_run> scaling;  // when that was asked for: to be run with run.load
  std::string mistakes;  // not empty: nothing else is to be used
  bool ok() const noexcept { return mistakes.empty(); }
};

// Without a scenario: Poisson arrivals, sizes of a heavy tail, load 75 %, on the configuration's
// workers; without either, on 16 workers with 2 slots.
setup prepare(const request& asked);

}  // namespace weir::sim
