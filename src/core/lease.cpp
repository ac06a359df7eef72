#include "core/lease.hpp"

#include <algorithm>

namespace weir::core {

duration lease::bounded(duration wished, duration ttl_max) noexcept {
  return std::clamp(wished, ttl_min, std::max(ttl_min, ttl_max));
}

lease::lease(duration wished, duration ttl_max, instant now) noexcept
    : ttl_(bounded(wished, ttl_max)), until_(base::after(now, ttl_)) {}

bool lease::renew(instant now) noexcept {
  if (expired(now)) return false;
  until_ = std::max(until_, base::after(now, ttl_));
  return true;
}

bool lease::renew(duration wished, duration ttl_max, instant now) noexcept {
  if (expired(now)) return false;
  if (wished > duration::zero()) ttl_ = bounded(wished, ttl_max);
  until_ = base::after(now, ttl_);
  return true;
}

bool lease::expire(instant now) noexcept {
  if (state_ == lease_state::lost || now < until_) return false;
  state_ = lease_state::lost;
  return true;
}

void lease::release() noexcept {
  state_ = lease_state::lost;
}

instant lease::next_deadline() const noexcept {
  return state_ == lease_state::held ? until_ : base::never;
}

}  // namespace weir::core
