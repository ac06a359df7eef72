// The workloads on which scaling is judged: two generated ones, a step and a day of cron jobs, and
// the formulas that turn the real traces (tests/traces/README.md) into work. Used by the scaling
// scenarios and their tests; the same seed gives the same arrivals on every machine.
#pragma once

#include <cstdint>

#include "sim/trace.hpp"
#include "sim/workload.hpp"

namespace weir::sim {

inline constexpr double step_seconds = 2 * 3600, cron_seconds = 12 * 3600;

// 2 h, Poisson: one batch a second, eight from 1,800 s to 4,500 s; bounded Pareto(1.3, 1..120 s).
workload step_load(std::uint64_t seed);

// 12 h: Poisson, one per 2 s of Pareto(1.1, 0.2..300 s); each hour at +600 s 400 batches within 20
// s of Pareto(1.1, 1..300 s); each quarter at +300 s 60 within 10 s of Pareto(1.1, 0.5..120 s).
workload cron_load(std::uint64_t seed);

// SWIM's samples: (input + shuffle + output bytes) / 100 MB/s, clipped to 10 ms .. 600 s; declares
// the bytes.
trace_format facebook_format();
// Azure's LLM inference: 0.25 ms a context token, 10 ms a generated one; declares the tokens.
trace_format azure_format();

}  // namespace weir::sim
