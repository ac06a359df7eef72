// Policies side by side on the same arrivals and fleets, seed by seed: what `weir simulate` runs. A
// contender is weir with some settings, or one of its peers; usually all serve the same fleet, but
// two configurations may list different workers.
#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "sim/fleet_model.hpp"
#include "sim/measures.hpp"
#include "sim/peers.hpp"
#include "sim/weir_policy.hpp"
#include "sim/workload.hpp"

namespace weir::sim {

struct contender {
  std::string name;
  std::optional<sim::peer> peer;  // none: weir
  weir_settings weir = unlimited_weir();
  std::vector<worker_group> workers;
};

// The words that `policies:` and --policy take; `weir-fifo` is weir with queue.order: fifo.
const std::vector<std::string_view>& policy_names();
// One of those names (anything else is a bug of the caller), serving `workers`.
contender contender_named(std::string_view name, const weir_settings& weir,
                          const std::vector<worker_group>& workers);

struct contest {
  // The workload of a seed.
  std::function<workload(std::uint64_t seed)> load;
  std::vector<contender> contenders;
  std::uint32_t seeds = 3;  // 1, 2, ...
  double overhead = 0;      // of every attempt, whoever decides: fleet_plan
};

struct standing {
  std::string name;
  std::vector<measures> runs;  // by seed
  measures median;
  double ratio_low = 0, ratio_high = 0;  // of mean sojourn over the lower bound
  // Mean sojourn over that of the first contender, seed by seed: median and extremes.
  double against_first = 1, against_low = 1, against_high = 1;
};

std::vector<standing> compete(const contest& c);

}  // namespace weir::sim
