// The durable batches that are in a pool's memory: which batch of the store each is, on which loop
// its attempts run, and who is told of its end. Shared by all loops behind one short lock; the
// store has the batches themselves. Calls that speak of the store's order (arrived, loaded) come on
// the engine's thread alone, the others from any; gates and loops are called without the lock.
// Invariant: a batch has at most one attempt open, and its next begins only after the end of the
// one before it is durable.
#pragma once

#include <atomic>
#include <cstring>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "proxy/plan.hpp"
#include "store/engine.hpp"

namespace weir::proxy {

// An attempt that may begin, for the loop of its batch.
struct run_order {
  std::uint64_t owner = 0;
  store::batch_id id{};
  std::string pool, route;
  std::uint32_t tries = 0;
  std::shared_ptr<pool_gate> gate;
  core::grant grant;
};

// Batch ids are random already.
struct id_hash {
  std::size_t operator()(const store::batch_id& id) const noexcept {
    std::size_t h;
    std::memcpy(&h, id.data(), sizeof h);
    return h;
  }
};

class backroom {
 public:
  struct outlets {
    std::function<void(unsigned loop, run_order)> run;
    std::function<void(unsigned loop, std::uint64_t owner)> interrupt;   // it was cancelled
    std::function<void()> callback_due;   // a batch with a callback has ended; any thread
    store::unix_ms (*wall_ms)() = nullptr;   // what time it is; never null
  };
  // `tenant_seed`: of tenant hashes, the same as the loops'.
  backroom(store::engine& engine, unsigned loops, std::uint64_t tenant_seed, outlets out);

  // From now on these routes and pools serve. Lanes of the store that none served so far are taken
  // up, those whose route went, or went to another pool, leave theirs. The control thread, at the
  // start and after each reload.
  void publish(plan_ptr p);
  // What a failing disk kept from its end is ended now. The control thread, now and then.
  void tick();
  // What waited in the store at the start is known to the pools.
  bool restored() const noexcept { return restored_.load(std::memory_order_relaxed); }
  // No batch begins an attempt any more; those under way go on.
  void stop();

  // A new batch is in the store, and waits from now on.
  void arrived(const store::batch& b, const store::added& where);
  // What a pool decided of a batch that waits.
  void settle(const settlement& s);
  // A pool has room for stored batches.
  void load(const std::string& pool, const core::load_order& order);

  // The runner's: its attempt's end is durable, and the batch waits again, or has ended.
  void waits_again(const run_order& o);
  void ended(std::uint64_t owner, const store::batch_id& id);
  // The attempt could not begin: the batch goes back to the pool, to be tried after `delay`.
  void put_back(const run_order& o, base::duration delay);
  // Nor can it later, as far as is known: the batch leaves the pool, and stays as the store has it.
  void leave(const run_order& o);
  // It became a dead letter without (another) attempt; `tells`: it has a callback.
  void given_up(const store::batch_id& id, bool tells);
  // Those who watch it are told.
  void tell(const store::batch_id& id);

  // The store says that it is cancelled: it leaves the pool, or its attempt is broken off.
  void cancelled(const store::batch& b);
  // A dead letter is open again.
  void requeued(const store::batch& b);

  // Calls `told` once when the batch ends, on any thread; a second watch of a batch is fine.
  using watch = std::uint64_t;
  watch when_ended(const store::batch_id& id, std::function<void()> told);
  void forget(const store::batch_id& id, watch w);

  // Where it stands among those that wait, nothing when no route serves it.
  std::optional<core::queue_place> place(const store::batch& b) const;

  static bool owns(std::uint64_t owner) noexcept { return (owner & durable_owner) != 0; }
  static unsigned loop_of(std::uint64_t owner) noexcept {
    return static_cast<unsigned>(owner >> 56) & 0x7f;
  }

 private:
  // Owner numbers of this kind have the highest bit set, then the loop as all have it.
  static constexpr std::uint64_t durable_owner = 1ull << 63;

  struct entry {
    store::batch what;                 // without body and fields
    std::shared_ptr<pool_gate> gate;
    core::batch_id place;
    bool busy = false;                 // an attempt is open, or its end is not durable yet
    std::optional<core::grant> held;   // came meanwhile
  };
  struct watcher {
    watch number;
    std::function<void()> told;
  };

  // A lane of the store that a pool has in its books.
  struct lane {
    std::string pool, route;           // as the store has them
    std::shared_ptr<pool_gate> gate;
  };
  struct in_memory {
    std::uint64_t batches = 0, bytes = 0;
    double units = 0;
  };
  struct departure {                   // from a pool
    std::shared_ptr<pool_gate> gate;
    std::vector<std::uint32_t> lanes;
    std::vector<core::batch_id> waiting;
  };

  std::vector<departure> depart();
  std::unordered_map<std::uint32_t, in_memory> held() const;
  const route_plan* route_of(std::string_view pool, std::string_view route) const;
  std::uint64_t put(const store::batch& b, const std::shared_ptr<pool_gate>& gate);
  bool take_out(std::uint64_t owner);   // true: it has a callback
  enum class coming : std::uint8_t { reserved, loaded, again };
  void admit(store::batch b, coming how, base::duration delay);
  void settle_admission(const store::batch& b, std::uint64_t owner, pool_gate& gate,
                        const core::admission& a);
  void give_up(const store::batch_id& id, bool tells);
  core::batch_facts facts_of(const store::batch& b, const route_plan& r, instant t);
  base::duration age_of(const store::batch& b, instant t);
  void loaded(const std::string& pool, const core::load_order& order,
              store::outcome<std::vector<store::batch>> got);
  bool restore(const store::lane_state& lane, const in_memory& here);
  void move(const run_order& o, base::duration delay);
  void begin(std::uint64_t owner, entry& e, const core::grant& g);

  store::engine& engine_;
  const unsigned loops_;
  const std::uint64_t tenant_seed_;
  outlets out_;
  mutable std::mutex lock_;
  plan_ptr plan_;                                        // the first loop's: for routes and gates
  std::unordered_map<std::uint64_t, entry> entries_;     // by owner
  std::unordered_map<store::batch_id, std::uint64_t, id_hash> owners_;
  std::unordered_set<store::batch_id, id_hash> returning_;   // put back, and in no pool yet
  std::unordered_multimap<store::batch_id, watcher, id_hash> watchers_;
  std::unordered_map<std::uint32_t, lane> lanes_;
  unsigned restoring_ = 0;                               // publications whose lanes are being read
  std::vector<std::pair<store::batch_id, bool>> overdue_;   // to be given up; has a callback
  base::duration lead_{};                                // of the steady clock over the wall's
  std::uint64_t next_ = 1;
  bool stopped_ = false;
  std::atomic<bool> restored_{false};
};

}  // namespace weir::proxy
