// The lease of a worker that registered itself: it lives while it is renewed in time. Held by the
// shell's registration surface beside the worker, on one thread; a lost lease means drain and
// remove. Secrets are compared by the shell, not here. Invariants: ttl within [ttl_min, the
// surface's ttl_max]; once lost, never held again (the worker registers anew); expire() says so
// exactly once.
#pragma once

#include <cstdint>

#include "core/settings.hpp"

namespace weir::core {

enum class lease_state : std::uint8_t { held, lost };

class lease {
 public:
  static constexpr duration ttl_min = 1s;

  // What of a wished ttl is granted: at least ttl_min, at most ttl_max (itself at least ttl_min).
  static duration bounded(duration wished, duration ttl_max) noexcept;

  lease(duration wished, duration ttl_max, instant now) noexcept;

  // Held for another ttl from now on. False: lost, also when its time has passed unnoticed.
  bool renew(instant now) noexcept;
  // The same with another ttl; zero or less keeps the old one.
  bool renew(duration wished, duration ttl_max, instant now) noexcept;
  // True once: the time has passed and the lease is lost from now on.
  bool expire(instant now) noexcept;
  // The worker gave it back.
  void release() noexcept;

  bool expired(instant now) const noexcept { return state_ == lease_state::lost || now >= until_; }
  instant next_deadline() const noexcept;  // `never` when lost
  duration ttl() const noexcept { return ttl_; }
  lease_state state() const noexcept { return state_; }

 private:
  duration ttl_;
  instant until_;
  lease_state state_ = lease_state::held;
};

}  // namespace weir::core
