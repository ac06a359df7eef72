// Workloads made from a seed: where batches come from (Poisson, steps, cron spikes, one dump), how
// large they are, and what they declare of it. Called once per run, before its world begins.
// Offered load is exact: sizes are drawn first, then the run is made as long as its work over load
// and capacity, and arrivals are spread over that time. Every source and purpose has a stream of
// its own, so a source's sizes do not depend on the others.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "sim/random.hpp"
#include "sim/workload.hpp"

namespace weir::sim {

// Seconds of work on a slot of speed 1.
struct sizes {
  enum class kind : std::uint8_t { pareto, uniform, fixed };
  kind what = kind::pareto;
  double alpha = 1.1;
  double low = 0.02, high = 120;  // fixed: low

  double draw(random& r) const noexcept;
  double mean() const noexcept;
};

// What a batch tells of its size.
struct estimates {
  bool known = true;  // false: nothing
  double sigma = 0;   // units = work x e^(sigma N(0,1))
};

enum class pattern : std::uint8_t {
  poisson,
  step,   // Poisson, its rate multiplied by `factor` between two shares of the run
  cron,   // spikes of `spread` seconds every `period` seconds, from `offset` on
  dump,   // all at once, at the share `from` of the run
};

struct source {
  std::string tenant, route = "batches";
  std::string group;         // Weir-Group of all its batches; empty: none
  double share = 1;  // of the whole work, relative to the other sources'
  sim::sizes sizes;
  pattern arrivals = pattern::poisson;
  double from = 0.25, to = 0.6;  // shares of the run: step's high stretch, dump's moment
  double factor = 4;
  double period = 3600, offset = 600, spread = 20;  // cron, in seconds
};

struct demand {
  std::uint64_t batches = 200'000;
  double load = 0.75;
  std::vector<source> sources{source{}};
  sim::estimates estimates;
};

// Streams of a run's seed; a source's are those plus `source_streams` times its number.
enum class stream : std::uint64_t { sizes = 1, times, estimates, speeds, policy };
inline constexpr std::uint64_t source_streams = 16;
inline random stream_of(std::uint64_t seed, stream s, std::uint64_t source = 0) noexcept {
  return random(seed, static_cast<std::uint64_t>(s) + source_streams * source);
}

// `capacity`: seconds of work that the fleet can do in a second. At least one source.
workload generate(const demand& d, double capacity, std::uint64_t seed);

// Of recorded arrivals: as many drawn at random (with what they declare) at the times of a Poisson
// process of that load.
workload redraw(const workload& recorded, std::uint64_t batches, double load, double capacity,
                std::uint64_t seed);
// Makes the time between arrivals longer or shorter, all alike, until they offer that load.
void stretch(workload& w, double load, double capacity) noexcept;
// Puts the error of estimates on what was declared, or takes it away.
void blur(workload& w, const estimates& e, std::uint64_t seed) noexcept;

// When the last batch arrives; what "a quarter of the run" is measured by.
double length_of(const workload& w) noexcept;

}  // namespace weir::sim
