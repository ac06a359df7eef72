// Which durable batches are in a pool's memory and which wait on disk. The store has them in lanes,
// one a route and tenant, in order of `place`; a window of them is in the pool, the rest is stored
// and asked for by load_orders: when the window is half empty, a free slot finds nothing ready, or
// a lane has next to nothing in the pool, so that one tenant's million never shuts out another's
// ten. Owned by pool, under the gate's lock; all but leave() and waits() in the store's order.
// Invariants: a lane's batches after `cursor` are stored, those up to it are or have been in the
// pool, or are both (the store's reader passes over them); a lane has one order at a time; no more
// than 2 x window wait in the pool by its doing.
#pragma once

#include <cstdint>
#include <vector>

#include "base/ids.hpp"
#include "core/cost_model.hpp"
#include "core/indexed_heap.hpp"
#include "core/settings.hpp"
#include "core/types.hpp"

namespace weir::core {

class depot {
 public:
  static constexpr std::uint32_t none = indexed_heap<instant>::none;
  static constexpr std::uint32_t orders_max = 64;          // under way at once
  static constexpr std::uint32_t order_min = 16, order_max = 1000;  // batches an order

  struct lane {
    std::uint32_t number = 0, route = 0;
    std::uint64_t stored = 0, bytes = 0;  // on disk only
    double units = 0;                     // of those
    cost_estimate each;                   // of one of them; kept by the owner
    std::int64_t cursor = 0, newest = 0;  // places
    std::int64_t put_back = 0;            // the first that was kept while loading; 0: none
    std::uint32_t in_pool = 0;            // waiting or running there
    std::uint32_t waiting = 0;            // there
    std::uint32_t limit = 0;              // of its order
    std::uint32_t expected = 0;           // by it
    bool loading = false;
  };

  // --- room for records, before they are written ----------------------------------------------
  refusal reserve(std::uint64_t bytes, const durable_settings& s) noexcept;
  // One is not, or no longer, open.
  void release(std::uint64_t bytes) noexcept;
  void count(std::uint64_t batches, std::uint64_t bytes) noexcept {
    batches_ += batches, bytes_ += bytes;
  }

  // --- lanes -------------------------------------------------------------------------------------
  // The slot of a lane, where it is kept until close(). A new one begins before `place`: what was
  // before it in the lane is not waiting.
  std::uint32_t open(std::uint32_t number, std::uint32_t route, std::int64_t place);
  std::uint32_t find(std::uint32_t number) const noexcept {
    return number < slot_of_.size() ? slot_of_[number] : none;
  }
  const lane& at(std::uint32_t slot) const noexcept { return lanes_.at(slot); }
  void estimate(std::uint32_t slot, const cost_estimate& e) noexcept { lanes_.at(slot).each = e; }
  // Forgets it when nothing of it is left.
  void close(std::uint32_t slot) noexcept;
  std::uint32_t extent() const noexcept { return lanes_.extent(); }
  bool taken(std::uint32_t slot) const noexcept { return lanes_.taken(slot); }

  // --- batches -----------------------------------------------------------------------------------
  // May one that has just been recorded go into the pool?
  bool admits(std::uint32_t slot, std::int64_t place, std::uint32_t window) const noexcept;
  void keep(std::uint32_t slot, std::int64_t place, std::uint64_t bytes, double units,
            instant arrived);
  // As many, none of which was in the pool.
  void restore(std::uint32_t slot, const lane_facts& facts, instant now);
  // One is on disk only no longer: loaded, cancelled or set aside.
  void take(std::uint32_t slot, std::uint64_t bytes, double units) noexcept;
  void enter(std::uint32_t slot, std::int64_t place) noexcept;
  void leave(std::uint32_t slot) noexcept;
  // One in the pool began (1) or ceased (-1) to wait.
  void waits(std::uint32_t slot, std::uint64_t bytes, int sign);

  // --- loading -----------------------------------------------------------------------------------
  // `idle`: a slot is free and nothing is ready.
  bool hungry(std::uint32_t window, bool idle, instant now) const noexcept;
  void order(std::uint32_t window, bool idle, instant now, std::vector<load_order>& out);
  // The answer: `got` batches up to `last`. True: that was all, whatever was counted.
  bool loaded(std::uint32_t slot, std::size_t got, std::int64_t last);
  void forget_stored(std::uint32_t slot) noexcept;
  // So too, and what will be restored of it may be from any place.
  void begin_anew(std::uint32_t slot) noexcept;
  // The store could not: nothing is ordered for a while.
  void load_failed(std::uint32_t slot, instant now);
  // The oldest that is stored is at most that old.
  void aged(std::uint32_t slot, instant arrived);
  instant next_deadline() const noexcept { return stored_ > 0 ? resume_ : base::never; }
  void expire(instant now) noexcept {
    if (resume_ <= now) resume_ = base::never;
  }

  // --- what holds now ----------------------------------------------------------------------------
  std::uint64_t stored() const noexcept { return stored_; }
  std::uint64_t stored_bytes() const noexcept { return stored_bytes_; }
  std::uint32_t stored_lanes() const noexcept {
    return static_cast<std::uint32_t>(oldest_.size());
  }
  // Durable ones that wait in the pool.
  std::uint64_t waiting() const noexcept { return waiting_; }
  std::uint64_t waiting_bytes() const noexcept { return waiting_bytes_; }
  std::uint64_t open_batches() const noexcept { return batches_; }
  std::uint64_t open_bytes() const noexcept { return bytes_; }
  std::uint64_t refused() const noexcept { return refused_; }
  instant oldest() const noexcept { return oldest_.empty() ? base::never : oldest_.top_key(); }

 private:
  struct rank {  // whose turn it is to be loaded
    std::uint32_t waiting = 0;
    std::uint64_t turn = 0;
    bool operator<(const rank& o) const noexcept {
      return waiting != o.waiting ? waiting < o.waiting : turn < o.turn;
    }
  };
  std::uint64_t level() const noexcept { return waiting_ + expected_; }
  void add(std::uint32_t slot, std::uint64_t batches, std::uint64_t bytes, double units,
           instant oldest);
  void line_up(std::uint32_t slot);
  std::uint64_t limit_now(std::uint32_t window, bool idle) const noexcept;
  void settle_order(lane& l) noexcept;

  base::slab<lane, struct lane_tag> lanes_;
  std::vector<std::uint32_t> slot_of_;   // by the store's number
  indexed_heap<rank> turns_;             // lanes with stored ones and no order
  indexed_heap<instant> oldest_;         // lanes with stored ones
  std::vector<std::uint64_t> turn_of_;   // by slot
  std::uint64_t orders_ = 0;
  std::uint64_t stored_ = 0, stored_bytes_ = 0, waiting_ = 0, waiting_bytes_ = 0, expected_ = 0;
  std::uint64_t batches_ = 0, bytes_ = 0, refused_ = 0;
  std::uint32_t loading_ = 0;
  instant resume_ = base::never;         // after a load that failed
};

}  // namespace weir::core
