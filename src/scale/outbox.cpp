#include "scale/outbox.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"

namespace weir::scale {
namespace {

using state = outbox::state;

constexpr bool legal(state from, state to) noexcept {
  //                              to: idle   waiting sending stopped
  constexpr bool table[4][4] = {/* idle    */ {false, true, false, false},
                                /* waiting */ {false, true, true, false},
                                /* sending */ {true, true, false, true},
                                /* stopped */ {false, false, false, false}};
  return table[static_cast<int>(from)][static_cast<int>(to)];
}

}  // namespace

outbox::outbox(outbox_settings settings, std::uint64_t seed) noexcept
    : settings_(settings), random_(seed) {}

void outbox::set_state(state to) {
  WEIR_CHECK(legal(state_, to));
  state_ = to;
}

void outbox::wait_for(message_ptr m, instant at) {
  set_state(state::waiting);
  current_ = std::move(m);
  attempts_ = 0;
  next_try_ = std::max(at, hold_until_);
}

outbox::message_ptr outbox::submit(message_ptr m, instant now) {
  if (state_ == state::stopped) return m;
  if (state_ == state::sending) return std::exchange(newer_, std::move(m));
  const bool keep_time = state_ == state::waiting && m->decision.resent;
  const instant at = keep_time ? next_try_ : now;
  message_ptr superseded = std::move(current_);
  wait_for(std::move(m), at);
  return superseded;
}

instant outbox::next_try() const noexcept {
  return state_ == state::waiting ? next_try_ : base::never;
}

outbox::message_ptr outbox::begin(instant now) {
  if (now < next_try()) return nullptr;
  set_state(state::sending);
  ++attempts_;
  return current_;
}

outbox::message_ptr outbox::finish(const attempt_result& how, instant now) {
  WEIR_CHECK(state_ == state::sending);
  if (how.what == attempt_result::kind::failed) return failed(how, now);
  failures_ = 0;
  if (how.what == attempt_result::kind::delivered) {
    next(now);
    return nullptr;
  }
  set_state(state::stopped);
  current_ = nullptr;
  return std::move(newer_);
}

void outbox::withdraw(instant now) {
  WEIR_CHECK(state_ == state::sending);
  next(now);
}

// The current one is settled.
void outbox::next(instant now) {
  current_ = nullptr;
  if (newer_) return wait_for(std::move(newer_), now);
  set_state(state::idle);
}

outbox::message_ptr outbox::failed(const attempt_result& how, instant now) {
  ++failures_;
  hold_until_ =
      base::after(now, std::clamp(how.retry_after, duration::zero(), settings_.retry_after_max));
  const instant later = base::after(now, backoff(settings_, failures_, random_));
  if (newer_) {
    message_ptr superseded = std::move(current_);
    const bool changed = !newer_->decision.resent;
    wait_for(std::move(newer_), changed ? now : later);
    return superseded;
  }
  set_state(state::waiting);
  next_try_ = std::max(later, hold_until_);
  return nullptr;
}

// Half of the doubled delay is fixed, half is drawn: many proxies must not come back in step, and
// none at once.
duration backoff(const outbox_settings& settings, unsigned failures,
                 base::random& jitter) noexcept {
  const unsigned doublings = std::min(failures - 1, 30u);
  const double grown =
      base::to_seconds(settings.backoff_base) * static_cast<double>(1u << doublings);
  const double whole = std::min(grown, base::to_seconds(settings.backoff_max));
  return base::from_seconds(whole / 2 + whole / 2 * jitter.unit());
}

}  // namespace weir::scale
