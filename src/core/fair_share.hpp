// Whose turn it is: start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) between tenants
// over est / weight. The one that waits with the least start tag goes next; being served moves its
// tag on by the cost; virtual time is the start tag served last, and a tenant that comes back
// starts there, so idling saves nothing up. Also how many more attempts each may run. One per
// waiting_queue. Invariants: at most `tenants_max` accounts beside the shared one (account 0, for
// those beyond it and the anonymous; no caps); an account whose tenant has nothing in the pool and
// whose tag is behind virtual time is dropped, which changes nothing: it would start there anyway.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>
#include <string>
#include <string_view>
#include <vector>

#include "core/indexed_heap.hpp"
#include "core/settings.hpp"

namespace weir::core {

class fair_share {
 public:
  static constexpr std::uint32_t shared = 0;
  static constexpr std::uint32_t none = indexed_heap<double>::none;

  explicit fair_share(std::uint32_t tenants_max);
  // Weights and caps hold at once, for costs charged from now on; a lower tenants_max for tenants
  // to come.
  void configure(const queue_settings& settings);

  // A batch of this tenant enters or leaves the pool: its account stays at least until the last
  // left. Hash 0 with an empty name is the anonymous tenant.
  std::uint32_t enter(std::uint64_t hash, std::string_view name) {
    const std::uint32_t a = hash == 0 && name.empty() ? shared : account_of(hash, name);
    ++accounts_[a].batches;
    return a;
  }
  void leave(std::uint32_t account) noexcept {
    if (--accounts_[account].batches == 0 && account != shared) emptied(account);
  }

  // An attempt of its began (true: the tenant may run no more) or ended (true: it may again).
  bool take_slot(std::uint32_t account) noexcept { return --slots_left_[account] == 0; }
  bool give_slot(std::uint32_t account) noexcept { return slots_left_[account]++ == 0; }
  bool may_run(std::uint32_t account) const noexcept { return slots_left_[account] > 0; }
  std::uint32_t slots_left(std::uint32_t account) const noexcept {
    return static_cast<std::uint32_t>(std::max(0, slots_left_[account]));
  }
  // Has the tenant, with `waiting` batches in the queue, as many as it may?
  bool full(std::uint32_t account, std::uint32_t waiting) const noexcept {
    const tenant& acc = accounts_[account];
    return waiting - acc.durable >= acc.batches_max;
  }
  // A durable batch of its began (1) or ceased (-1) to wait: it does not count for max_batches.
  void durable_waits(std::uint32_t account, int sign) noexcept {
    accounts_[account].durable += static_cast<std::uint32_t>(sign);
  }

  // Has the account something ready to be served? Both are idempotent.
  void ready(std::uint32_t account);
  void idle(std::uint32_t account) noexcept;

  // The ready account with the least start tag; none when nobody is ready.
  std::uint32_t next() const noexcept { return turn_.empty() ? none : turn_.top(); }
  bool nobody() const noexcept { return turn_.empty(); }
  // It is served `cost`: virtual time moves to its start tag, the tag on by cost / weight.
  void charge(std::uint32_t account, double cost);
  // It took `cost` more than it was charged for; less when negative. What is given back may leave
  // its tag behind virtual time: others had turns meanwhile that were its own.
  void owe(std::uint32_t account, double cost);
  // What it was charged for did not happen.
  void refund(std::uint32_t account, double cost);
  // Nothing waits any more: all debts are forgiven, as virtual time passes every tag.
  void forgive() noexcept;

  double virtual_time() const noexcept { return virtual_time_; }
  double tag(std::uint32_t account) const noexcept { return accounts_[account].tag; }
  std::string_view name(std::uint32_t account) const noexcept { return accounts_[account].name; }
  double weight(std::uint32_t account) const noexcept { return accounts_[account].weight; }
  static constexpr std::int32_t unlimited = std::numeric_limits<std::int32_t>::max();
  std::int32_t running_max(std::uint32_t account) const noexcept {
    return accounts_[account].running_max;
  }
  std::size_t ready_count() const noexcept { return turn_.size(); }
  std::size_t accounts() const noexcept { return live_; }    // beside the shared one
  std::uint64_t folded() const noexcept { return folded_; }  // batches that tenants_max sent to it
  std::uint32_t extent() const noexcept { return static_cast<std::uint32_t>(accounts_.size()); }

 private:
  struct tenant {
    std::string name;  // keeps its capacity when the account is dropped
    std::uint64_t hash = 0;
    double tag = 0;
    double weight = 1;
    std::uint64_t batches_max = 0;  // all ones: not limited
    std::int32_t running_max = unlimited;
    std::uint32_t batches = 0;                  // in the pool
    std::uint32_t durable = 0;                  // of those waiting
    std::uint32_t before = none, after = none;  // among those without batches, oldest first
    bool live = false;
  };
  // Equal tags go in the order in which they became ready.
  struct turn {
    double tag = 0;
    std::uint64_t since = 0;
    bool operator<(const turn& o) const noexcept {
      return tag != o.tag ? tag < o.tag : since < o.since;
    }
  };

  std::size_t home(std::uint64_t hash) const noexcept { return hash & (table_.size() - 1); }
  std::uint32_t account_of(std::uint64_t hash, std::string_view name);
  void emptied(std::uint32_t account) noexcept;
  std::uint32_t find(std::uint64_t hash, std::string_view name) const noexcept;
  std::uint32_t open(std::uint64_t hash, std::string_view name);
  std::uint32_t new_account();
  const tenant_settings& settings_of(const tenant& acc) const noexcept;
  void apply_settings(std::uint32_t account) noexcept;
  void put_in_table(std::uint32_t account) noexcept;
  void take_from_table(std::uint32_t account) noexcept;
  void grow_table();
  void line_up(std::uint32_t account) noexcept;
  void step_out(std::uint32_t account) noexcept;
  void sweep() noexcept;
  void drop(std::uint32_t account) noexcept;

  tenant_settings defaults_;
  std::vector<tenant_settings> named_;    // by name
  std::vector<tenant> accounts_;
  std::vector<std::int32_t> slots_left_;  // by account: running_max less what runs
  std::vector<std::uint32_t> free_;
  std::vector<std::uint32_t> table_;  // open addressing, linear probing; a power of two
  indexed_heap<turn> turn_;
  double virtual_time_ = 0, largest_tag_ = 0;
  std::uint64_t readied_ = 0, folded_ = 0;
  std::uint32_t tenants_max_;
  std::uint32_t live_ = 0;
  std::uint32_t oldest_ = none, newest_ = none;  // accounts without batches
};

}  // namespace weir::core
