// weir as a policy of the simulator: the same core::pool that the proxy shares between its loops,
// in virtual time. Batches are admitted as they arrive, granted attempts start, probes are asked
// for and answered, and what fails is retried as the route's settings say.
#pragma once

#include <cstdint>
#include <vector>

#include "core/pool.hpp"
#include "sim/policy.hpp"

namespace weir::sim {

struct weir_settings {
  core::pool_settings pool;
  core::retry_settings retry;         // of every route
  duration wait_max = base::forever;  // a route's queue timeout
};

// The defaults, without limits on the queue: no batch is turned away.
weir_settings unlimited_weir();

class weir_policy final : public policy {
 public:
  weir_policy(const weir_settings& settings, const workload& load, std::uint64_t seed);

  void joined(std::uint32_t worker, const fleet_worker& facts, instant now) override;
  void arrived(std::uint32_t batch, const arrival& facts, instant now) override;
  void ended(std::uint32_t batch, std::uint32_t worker, ending how, instant now) override;
  void probed(std::uint32_t worker, bool good, instant now) override;
  instant next_deadline() const noexcept override { return pool_.next_deadline(); }
  void expire(instant now) override;

  std::uint64_t ejections() const noexcept { return ejections_; }

 private:
  void start(const core::grant& g);
  void take_effects();

  const workload& load_;
  const weir_settings settings_;
  core::pool pool_;
  std::vector<std::uint32_t> routes_;          // the pool's numbers of the workload's routes
  std::vector<core::batch_id> batches_;        // by number
  std::vector<core::worker_id> workers_;       // by number
  std::vector<std::uint32_t> number_of_;       // by the index of the pool's id
  std::uint64_t ejections_ = 0;
};

}  // namespace weir::sim
