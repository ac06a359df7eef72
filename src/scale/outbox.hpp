// What one hook still has to be told, and when to try: the newest decision only, retried with
// exponential backoff until it is delivered or superseded. Pure: `now` is handed in, jitter comes
// from the seed; the courier performs the attempts. One per hook, so that hooks fail independently.
// Invariants: one attempt at a time; a decision that was superseded is never begun again; a
// receiver's Retry-After is kept even for newer decisions; `stopped` takes and sends nothing.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "base/random.hpp"
#include "base/time.hpp"
#include "scale/message.hpp"

namespace weir::scale {

using base::duration;
using base::instant;

struct outbox_settings {
  duration backoff_base = std::chrono::seconds(1);  // doubled with every failure in a row
  duration backoff_max = std::chrono::seconds(60);
  duration retry_after_max = std::chrono::hours(1);  // of what a receiver may ask for
};

// How an attempt ended.
struct attempt_result {
  enum class kind : std::uint8_t {
    delivered,
    failed,  // try again
    gone,    // the receiver wants no more: stop until the next reload
  };
  kind what = kind::failed;
  std::string detail;      // for the log
  duration retry_after{};  // what the receiver asked for, when it failed
  bool answered = false;   // it failed with an answer: somebody is there
};

// Until the next try after that many failures in a row, at least one.
duration backoff(const outbox_settings& settings, unsigned failures, base::random& jitter) noexcept;

class outbox {
 public:
  using message_ptr = std::shared_ptr<message>;
  enum class state : std::uint8_t {
    idle,     // nothing to tell
    waiting,  // until next_try()
    sending,
    stopped,
  };

  outbox(outbox_settings settings, std::uint64_t seed) noexcept;

  // Takes a new decision and returns the one that it supersedes, if that was not delivered. A
  // changed decision is tried at once, a resent one at the time that was set for the one before.
  // While an attempt is under way it waits for its end. Stopped: returns `m` itself.
  message_ptr submit(message_ptr m, instant now);

  // `never` unless waiting.
  instant next_try() const noexcept;
  // What to send now; null before next_try().
  message_ptr begin(instant now);
  // The attempt ended; a CHECK unless sending. Returns the decision that it leaves superseded:
  // the one that failed when a newer one waits, or that newer one when the receiver is gone.
  message_ptr finish(const attempt_result& how, instant now);
  // What begin() gave must not be sent after all, and was not: forgets it. A CHECK unless sending.
  void withdraw(instant now);

  state now_in() const noexcept { return state_; }
  const message_ptr& current() const noexcept { return current_; }  // waiting or being sent
  const message_ptr& newer() const noexcept { return newer_; }      // waits for the attempt's end
  unsigned attempts() const noexcept { return attempts_; }          // begun, of the current one
  unsigned failures() const noexcept { return failures_; }          // in a row, of all

 private:
  void set_state(state to);
  void wait_for(message_ptr m, instant at);
  void next(instant now);
  message_ptr failed(const attempt_result& how, instant now);

  outbox_settings settings_;
  base::random random_;
  state state_ = state::idle;
  message_ptr current_, newer_;
  instant next_try_{}, hold_until_{};
  unsigned attempts_ = 0, failures_ = 0;
};

}  // namespace weir::scale
