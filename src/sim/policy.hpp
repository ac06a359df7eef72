// How batches find workers, as the world asks it: told what happens, it answers with orders. weir
// itself (weir_policy) and the peers it is compared with (peers) are policies; the world, its
// workers and the batches are the same for all of them.
// A batch is its number in the workload, a worker its number in the fleet's plan. Time never runs
// backwards. The world carries the orders out after each call and clears them.
#pragma once

#include <cstdint>
#include <memory>
#include <vector>

#include "base/time.hpp"
#include "sim/fleet_model.hpp"
#include "sim/workload.hpp"

namespace weir::sim {

using base::duration;
using base::instant;

// When a world begins: far enough from zero for a policy to look back.
inline constexpr instant world_begin{std::chrono::hours(1)};

// What an attempt came to.
enum class ending : std::uint8_t {
  good,
  failed,   // after the worker had it
  refused,  // nothing was sent: the worker is down
};

struct orders {
  struct start {
    std::uint32_t batch = 0, worker = 0;
    bool again = false;  // not its first attempt
  };
  std::vector<start> starts;
  std::vector<std::uint32_t> probes;  // of these workers
  std::vector<std::uint32_t> lost;    // batches given up on
  void clear() noexcept { starts.clear(), probes.clear(), lost.clear(); }
};

class policy {
 public:
  virtual ~policy() = default;
  virtual void joined(std::uint32_t worker, const fleet_worker& facts, instant now) = 0;
  virtual void arrived(std::uint32_t batch, const arrival& facts, instant now) = 0;
  // An attempt that was ordered to start came to its end.
  virtual void ended(std::uint32_t batch, std::uint32_t worker, ending how, instant now) = 0;
  virtual void probed(std::uint32_t worker, bool good, instant now) = 0;
  virtual instant next_deadline() const noexcept = 0;
  virtual void expire(instant now) = 0;

  orders out;
};

}  // namespace weir::sim
