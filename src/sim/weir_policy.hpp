// weir as a policy of the simulator: the same core::pool that the proxy shares between its loops,
// in virtual time. Batches are admitted as they arrive, granted attempts start, probes are asked
// for and answered, and what fails is retried as the route's settings say.
#pragma once

#include <cstdint>
#include <vector>

#include "core/pool.hpp"
#include "sim/policy.hpp"

namespace weir::sim {

// A pool without limits on its queue, for runs in which no batch may be turned away.
core::pool_settings unlimited_pool();

class weir_policy final : public policy {
 public:
  weir_policy(const core::pool_settings& settings, const core::retry_settings& retry,
              const workload& load, const std::vector<std::string>& worker_names,
              std::uint64_t seed);

  void joined(std::uint32_t worker, std::uint32_t slots, instant now) override;
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
  const std::vector<std::string>& names_;
  core::retry_settings retry_;
  core::pool pool_;
  std::vector<std::uint32_t> routes_;          // the pool's numbers of the workload's routes
  std::vector<core::batch_id> batches_;        // by number
  std::vector<core::worker_id> workers_;       // by number
  std::vector<std::uint32_t> number_of_;       // by the index of the pool's id
  std::uint64_t ejections_ = 0;
};

}  // namespace weir::sim
