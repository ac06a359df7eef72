// When a batch may be tried again, how long to wait first, and how many retries a pool affords.
// may_repeat() is for the shell, which knows the request; retry_rule(), backoff() and retry_budget
// are for core::pool under the gate's lock. No allocation; randomness is handed in.
// Invariant of the budget: in any 10 s at most max(min, ratio x batches admitted in 11 s) retries.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "base/random.hpp"
#include "core/types.hpp"

namespace weir::core {

// What the shell knows of a request whose attempt ended.
struct request_traits {
  bool idempotent_method = false;  // RFC 9110 section 9.2.2: GET HEAD OPTIONS TRACE PUT DELETE
  bool has_key = false;            // Idempotency-Key
  bool replayable = false;         // the body can be sent again from its first byte, or is empty
  bool response_begun = false;     // the client got a byte (of more than 1xx)
};

// attempt_report::may_retry: could this request be sent again after this end? A refused connection
// sent nothing and a busy status means "not executed": for these no idempotence is asked for, and
// after a refused connection no replayable body either, since none of it was read.
bool may_repeat(const request_traits& request, attempt_end end,
                const retry_settings& settings) noexcept;

enum class retry_way : std::uint8_t {
  no,        // the batch ends with this attempt
  free,      // costs no attempt, no budget: connect_failed (elsewhere), stale_connection (anywhere)
  bounce,    // busy: back into the queue with its old place; the worker rests
  budgeted,  // another attempt elsewhere, after backoff(), if retry_budget::take() allows
};
std::string_view name(retry_way) noexcept;

// How far a batch has come.
struct retry_record {
  std::uint32_t attempts = 0;  // that count, this one too: not the refused, stale, bounced ones
  std::uint32_t moves = 0;     // free ones and bounces before this; bounces_max bounds their sum
};

// The contract's rule. After `busy` a `no` means: relay the worker's answer.
retry_way retry_rule(const attempt_report& report, const retry_record& record,
                     const retry_settings& settings) noexcept;

// Before retry number n = 1, 2, ...: uniform in [0, min(backoff_max, backoff_base x 2^(n-1))).
// Full jitter: M. Brooker, "Exponential backoff and jitter", AWS architecture blog, 2015.
duration backoff(const retry_settings& settings, std::uint32_t n, base::random& random) noexcept;

// A pool's budget: retries as a share of what was admitted lately, so that a sick fleet does not
// get its load multiplied. Counts in buckets of a second.
class retry_budget {
 public:
  explicit retry_budget(const retry_budget_settings& settings) noexcept : settings_(settings) {}

  void configure(const retry_budget_settings& settings) noexcept { settings_ = settings; }
  void admitted(instant now) noexcept {  // once a batch, not per attempt
    ++current(now).admitted;
    ++admitted_;
  }
  bool take(instant now) noexcept;      // true: one retry is allowed and was counted
  std::uint64_t denied() const noexcept { return denied_; }

 private:
  static constexpr std::size_t buckets = 11;  // ten whole seconds and the one that runs
  struct bucket {
    std::uint32_t admitted = 0, retried = 0;
  };
  bucket& current(instant now) noexcept {
    if (now >= next_second_) turn(now);
    return ring_[newest_];
  }
  void turn(instant now) noexcept;

  retry_budget_settings settings_;
  std::array<bucket, buckets> ring_{};
  std::int64_t second_ = 0;  // of the newest bucket
  instant next_second_{};    // when it ends
  std::size_t newest_ = 0;
  std::uint64_t admitted_ = 0, retried_ = 0;  // sums over the ring
  std::uint64_t denied_ = 0;
};

}  // namespace weir::core
