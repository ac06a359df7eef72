// The pool's record of one batch, from admit to its end. Plain data and the few questions about it;
// pool makes all moves. Invariant: exactly one of queued (ready, held back or backing off) and
// running, as `stage` says.
#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <span>
#include <string_view>

#include "core/attempts.hpp"
#include "core/cost_model.hpp"
#include "core/depot.hpp"
#include "core/poison.hpp"
#include "core/retry.hpp"
#include "core/types.hpp"
#include "core/waiting_queue.hpp"

namespace weir::core {

enum class batch_stage : std::uint8_t {
  ready,      // in the queue
  kept_back,  // in the queue, held: the workers that are free have failed it
  delayed,    // in the queue, held: backing off before a retry
  running,    // granted
};

// The last four workers on which a batch failed.
class failed_on {
 public:
  void add(worker_id worker) noexcept {
    for (worker_id w : all())
      if (w == worker) return;
    workers_[next_++ % workers_.size()] = worker;
  }
  std::span<const worker_id> all() const noexcept {
    return {workers_.data(), next_ < workers_.size() ? next_ : workers_.size()};
  }

 private:
  std::array<worker_id, 4> workers_;
  std::uint32_t next_ = 0;
};

// A label of at most 32 characters; longer ones are cut.
class short_label {
 public:
  void assign(std::string_view s) noexcept {
    size_ = static_cast<std::uint8_t>(s.size() < text_.size() ? s.size() : text_.size());
    if (size_ == text_.size()) {
      std::memcpy(text_.data(), s.data(), text_.size());  // a batch id: a fixed size is two moves
    } else {
      s.copy(text_.data(), size_);
    }
  }
  std::string_view view() const noexcept { return {text_.data(), size_}; }

 private:
  std::array<char, 32> text_;
  std::uint8_t size_ = 0;
};

// What durable batches have beside, and those that failed: few, so that the others stay small.
struct batch_extra {
  static constexpr std::uint32_t none = ~0u;
  failure_record failures;
  batch_id batch;
  instant entered{};                  // the pool
  std::uint32_t lane = depot::none;   // slot in the depot; none: not durable
  std::uint32_t backoffs = 0;
  bool outlasts = false;              // backs off because of an outage
  std::uint64_t stored_bytes = 0;
  bool durable() const noexcept { return lane != depot::none; }
};

struct batch {
  batch() noexcept {}  // not `= default`: that would have value-initialisation zero it first

  std::uint64_t owner = 0;
  std::uint64_t affinity = 0;
  std::uint32_t group = batch_groups::none;
  std::uint64_t held_bytes = 0;
  std::uint32_t route = 0;
  std::uint32_t account = 0;  // of its tenant
  cost_estimate cost;         // fixed at arrival
  order_key key;              // its place in the order, once has_key; the sequence always
  retry_settings retry;
  retry_record record;
  instant arrived{};
  instant since{};          // in this stage
  instant since_waiting{};  // its present wait; runs on through attempts not executed
  instant client_deadline = base::never;
  duration wait_left{};       // of its wait limit, at since_waiting
  instant delayed_until{};    // when delayed
  attempt_id running;         // when running
  std::uint32_t attempt = 0;  // Weir-Attempt of the last grant
  batch_stage stage = batch_stage::ready;
  std::uint8_t urgency = 3;
  bool has_key = false;
  bool charged = false;   // the last grant was charged to its tenant
  worker_id last_worker;  // of the last attempt that ended
  attempt_end last_end{};
  std::uint32_t extra = batch_extra::none;  // in the pool's table, when it needs one
  duration last_ran{};
  failed_on avoid;
  short_label label;

  bool waits() const noexcept { return stage != batch_stage::running; }
  // When its wait ends, unless it is granted before.
  instant wait_end() const noexcept {
    const instant limit = base::after(since_waiting, wait_left);
    return limit < client_deadline ? limit : client_deadline;
  }
};

}  // namespace weir::core
