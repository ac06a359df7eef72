// Who decides how many workers there are in a scaling world, beside weir itself: an autoscaler that
// looks at the fleet every `interval` and names an absolute number. Deterministic; times are
// seconds since the start.
#pragma once

#include <cstdint>
#include <memory>
#include <string_view>

namespace weir::sim {

// The fleet at a look. The sums grow from the start on: what a metrics pipeline averages over a
// while is their difference over that while.
struct fleet_facts {
  double now = 0;
  std::uint32_t ready = 0;     // serving workers
  std::uint32_t starting = 0;  // launched, not yet ready
  std::uint32_t slots = 1;     // a worker's
  std::uint64_t waiting = 0;   // batches
  double busy_seconds = 0;     // sum over time of busy slots
  double demand_seconds = 0;   // of busy slots and waiting batches
  double ready_seconds = 0;    // of ready workers
};

class scaler {
 public:
  virtual ~scaler() = default;
  virtual double interval() const noexcept = 0;
  // How many workers there should be. The world keeps the answer within its limits.
  virtual std::uint32_t desired(const fleet_facts& facts) = 0;
};

enum class scaling_policy : std::uint8_t { weir, knative, hpa, keda };
std::string_view name(scaling_policy policy) noexcept;

}  // namespace weir::sim
