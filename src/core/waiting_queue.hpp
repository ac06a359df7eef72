// The backlog: which waiting batch goes next, and where each one stands. Between tenants by
// fair_share, inside a tenant by key = arrival + beta x est - urgency offset (or by arrival), so a
// batch is overtaken only by those that arrive within beta times its own size. Batches are ids of
// the pool's table. One that cannot go now (backing off, or kept from the workers that failed it)
// is *held*: it keeps its place but is passed over. insert, remove, head, place: O(log n).
// Invariants: held and ready batches together are `size`; an account's turn is known to fair_share
// exactly when one of its batches is ready and its tenant may run one more.
#pragma once

#include <compare>
#include <cstdint>
#include <vector>

#include "core/batch_groups.hpp"
#include "core/fair_share.hpp"
#include "core/order_forest.hpp"
#include "core/settings.hpp"

namespace weir::core {

// Earlier keys go first; the sequence number keeps equal ones in order of arrival.
struct order_key {
  std::int64_t at = 0;  // nanoseconds
  std::uint64_t sequence = 0;
  auto operator<=>(const order_key&) const = default;
};

// arrival + beta x est - (3 - urgency) x priority_step (RFC 9218); the arrival alone when fifo.
// beta x est is at most `overtaken_max`.
order_key make_key(const queue_settings& settings, instant arrival, double est_seconds,
                   std::uint8_t urgency, std::uint64_t sequence,
                   duration overtaken_max = base::forever) noexcept;

// The estimates that keys of batches of unknown size are made of. Each has its route's mean, and as
// that moves, a later one could overtake an earlier one; nothing speaks for that, and first come
// first served is best then (Wierman and Zwart, Oper. Res. 60, 2012). O(1).
class unsized_order {
 public:
  // `est_seconds`, raised so far that the batch comes behind the one before it on its route.
  double seconds(std::uint32_t route, instant arrival, double est_seconds, double cost_weight);

 private:
  struct turn {
    instant arrival{};
    double seconds = 0;
  };
  std::vector<turn> last_;  // by route
};

class waiting_queue {
 public:
  static constexpr std::uint32_t none = fair_share::none;

  waiting_queue(std::uint64_t seed, std::uint32_t tenants_max)
      : tree_(seed), groups_(seed), shares_(tenants_max) {}

  // Weights and caps of tenants hold at once; `tenants_max` for those to come.
  void configure(const queue_settings& settings);
  // Accounts are entered and left through it; turns are this class's business.
  fair_share& tenants() noexcept { return shares_; }
  const fair_share& tenants() const noexcept { return shares_; }
  // Entered and left, and told of those that run, through it.
  batch_groups& groups() noexcept { return groups_; }

  // `group`: one of groups(), or none.
  void insert(std::uint32_t id, std::uint32_t account, order_key key, double cost, bool held,
              std::uint32_t group = batch_groups::none);
  // It left without being served: gone, or held no longer of interest.
  void remove(std::uint32_t id);
  // It is dispatched: leaves, and its tenant is charged.
  void serve(std::uint32_t id);
  void hold(std::uint32_t id) { set_ready(id, false); }
  void release(std::uint32_t id) { set_ready(id, true); }

  // An attempt of the account's tenant began or ended.
  void take_slot(std::uint32_t account) noexcept {
    if (shares_.take_slot(account)) shares_.idle(account);
  }
  void give_slot(std::uint32_t account) {
    if (shares_.give_slot(account)) sync_turn(account);
  }

  // The next to be dispatched, or none when nothing is eligible: ready, and its tenant below its
  // cap. With the fleet's speed (seconds of work at rate 1 in a second) a group's largest takes the
  // turn of its first when it is critical.
  std::uint32_t head(double speed = 0, instant now = {}) noexcept;
  bool any_eligible() const noexcept { return !shares_.nobody(); }

  std::size_t size() const noexcept { return size_; }
  std::size_t ready() const noexcept { return ready_; }
  double cost() const noexcept { return cost_; }  // of all, held ones included
  std::uint32_t tenants_waiting() const noexcept { return occupied_; }
  std::uint32_t account(std::uint32_t id) const noexcept { return account_of_[id]; }
  std::uint32_t waiting_of(std::uint32_t account) const noexcept {
    return tree_.total(root(account)).count;
  }

  struct standing {
    std::uint64_t ahead = 0;  // batches
    double cost_ahead = 0;
    double own_cost_ahead = 0;  // of its tenant
    bool exact = false;  // when one tenant waits; else estimated from the tenants' shares
  };
  standing place(std::uint32_t id) const noexcept;
  // Where a batch with that key would stand.
  standing place_of(std::uint32_t account, const order_key& key) const noexcept;

  // The batches from `offset` on, tenant by tenant, at most `limit`, appended to `out`.
  void page(std::size_t offset, std::size_t limit, std::vector<std::uint32_t>& out) const;

 private:
  struct load {
    std::uint32_t count = 0, ready = 0;
    double cost = 0;
    friend load operator+(const load& a, const load& b) noexcept {
      return {a.count + b.count, a.ready + b.ready, a.cost + b.cost};
    }
  };
  void take_out(std::uint32_t id);
  void set_ready(std::uint32_t id, bool ready);
  void sync_turn(std::uint32_t account);
  void count_occupied(std::uint32_t account, int sign) noexcept;
  std::uint32_t root(std::uint32_t account) const noexcept {
    return account < roots_.size() ? roots_[account] : none;
  }
  standing among_all(std::uint32_t account, const load& own_ahead) const noexcept;

  order_forest<order_key, load> tree_;
  batch_groups groups_;
  fair_share shares_;
  std::vector<std::uint32_t> roots_;       // by account
  std::vector<std::uint32_t> account_of_;  // by batch
  std::size_t size_ = 0, ready_ = 0;
  double cost_ = 0;
  std::uint32_t occupied_ = 0;
  double weights_ = 0;                     // of the accounts with batches
};

}  // namespace weir::core
