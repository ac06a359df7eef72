// What other balancers do, to compare weir with on the same arrivals. All but first_come push: a
// batch is given to a worker as it arrives and waits there, first come first served, `slots` at a
// time. All probe as HAProxy does by default (every 2 s, 3 falls, 2 rises), none ejects passively,
// and a failed attempt goes elsewhere at once until the attempts are used up.
#pragma once

#include <cstdint>
#include <deque>
#include <string_view>
#include <vector>

#include "sim/policy.hpp"
#include "sim/random.hpp"

namespace weir::sim {

enum class peer : std::uint8_t {
  round_robin,        // each worker in turn
  two_choices,        // the less loaded of two drawn at random: Envoy (Mitzenmacher, TPDS 2001)
  least_connections,  // the fewest outstanding, ties in turn: HAProxy's leastconn, nginx
  first_come,         // one queue, a free slot where least runs: HAProxy with maxconn = slots
};

class peer_policy final : public policy {
 public:
  peer_policy(peer how, std::size_t batches, std::uint32_t attempts_max, std::uint64_t seed);

  void joined(std::uint32_t worker, const fleet_worker& facts, instant now) override;
  void arrived(std::uint32_t batch, const arrival& facts, instant now) override;
  void ended(std::uint32_t batch, std::uint32_t worker, ending how, instant now) override;
  void probed(std::uint32_t worker, bool good, instant now) override;
  instant next_deadline() const noexcept override { return next_probe_; }
  void expire(instant now) override;

 private:
  struct member {
    std::uint32_t number = 0, slots = 1;
    std::uint32_t running = 0;
    std::deque<std::uint32_t> queue;  // batches
    bool up = true;
    std::uint32_t falls = 0, rises = 0;
    std::size_t outstanding() const noexcept { return running + queue.size(); }
  };

  void dispatch(std::uint32_t batch);
  void give(member& m, std::uint32_t batch);
  void serve(member& m);
  void serve_all();
  void run(member& m, std::uint32_t batch);
  void evacuate(member& m);
  bool usable(const member& m) const noexcept { return m.up || up_ == 0; }
  member* turn() noexcept;
  member* least(bool free_only) noexcept;
  member* less_of_two() noexcept;
  member* chosen() noexcept;

  const peer how_;
  const std::uint32_t attempts_max_;
  random random_;
  std::vector<member> members_;
  std::vector<std::uint32_t> member_of_;  // by worker
  std::vector<std::uint8_t> tries_;       // by batch
  std::deque<std::uint32_t> central_;     // first_come's queue; any peer's without a worker
  std::size_t next_ = 0;                  // whose turn it is
  std::size_t up_ = 0;
  instant next_probe_ = base::never;
};

}  // namespace weir::sim
