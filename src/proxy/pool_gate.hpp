// The one short-held lock around a core::Pool that all loops share. Each call is one call on the
// pool under the lock; what it leaves (grants and evictions for batches that wait elsewhere, probe
// orders, events, scale decisions) is handed on after unlocking. `now` is clamped, so that it never
// runs backwards between loops. Any thread; never two gates' locks at once.
#pragma once

#include <atomic>
#include <functional>
#include <mutex>
#include <span>
#include <utility>

#include "core/pool.hpp"
#include "proxy/waiting_room.hpp"

namespace weir::proxy {

using base::instant;

// Takes what a gate lets out. Called without the lock, on whatever thread called the gate.
struct gate_outlet {
  // To the loop of each settlement's owner; on the owner's own thread it may act at once.
  std::function<void(std::span<const settlement>)> settle;
  // Everything that is the control thread's: probes, events, decisions.
  std::function<void(core::effects&&)> control;
};

class pool_gate {
 public:
  pool_gate(core::pool_settings settings, std::uint64_t seed, instant now, gate_outlet outlet);
  pool_gate(const pool_gate&) = delete;
  pool_gate& operator=(const pool_gate&) = delete;

  core::admission admit(const core::batch_facts& facts, instant now);
  core::verdict finish(core::batch_id batch, const core::attempt_report& report, instant now);
  bool cancel(core::batch_id batch, instant now);
  void release_slot(core::worker_id worker, core::batch_id batch, instant now);

  // Cheap and without the lock: compare with `now` on each turn, then call expire.
  instant next_deadline() const noexcept {
    return instant{base::duration{next_.load(std::memory_order_relaxed)}};
  }
  void expire(instant now);

  // For the control thread: `use` runs under the lock, so it must be short and must not call out.
  template <class Use>
  auto with(instant now, Use use) {
    entry in(*this, now);
    return use(pool_, latest_);
  }

  const std::string& name() const noexcept { return name_; }

 private:
  // Holds the lock; on leaving publishes the next deadline, unlocks, and hands on what was left.
  class entry {
   public:
    entry(pool_gate& gate, instant now);
    ~entry();

   private:
    pool_gate& gate_;
  };
  void hand_on();

  const std::string name_;
  gate_outlet outlet_;
  std::mutex lock_;
  core::pool pool_;
  instant latest_;
  std::atomic<std::int64_t> next_;
};

// A slot that was granted: gives it back when it is dropped unfinished. Move-only.
class ticket {
 public:
  ticket() = default;
  ticket(pool_gate& gate, const core::grant& grant) noexcept : gate_(&gate), grant_(grant) {}
  ticket(ticket&& other) noexcept
      : gate_(std::exchange(other.gate_, nullptr)), grant_(other.grant_) {}
  ticket& operator=(ticket&& other) noexcept;
  ~ticket();

  explicit operator bool() const noexcept { return gate_ != nullptr; }
  const core::grant& grant() const noexcept { return grant_; }
  core::verdict finish(const core::attempt_report& report, instant now);

 private:
  pool_gate* gate_ = nullptr;
  core::grant grant_;
};

}  // namespace weir::proxy
