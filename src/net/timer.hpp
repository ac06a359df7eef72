// Deadlines of connections: a table per loop, turned by the loop, without locks. A timer is a
// member of what it watches; arming it again to a later instant is one store (it moves when its old
// place comes up), so a deadline per request costs nothing. Fires late by one slot at most, never
// early.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "base/time.hpp"

namespace weir::net {

using base::instant;

class timer_wheel;

class timer {
 public:
  using action = void (*)(void* context);
  timer(action fire, void* context) noexcept : fire_(fire), context_(context) {}
  timer(const timer&) = delete;
  timer& operator=(const timer&) = delete;
  ~timer() { unlink(); }

  void set_action(action fire) noexcept { fire_ = fire; }
  void set_action(action fire, void* context) noexcept { fire_ = fire, context_ = context; }
  instant at() const noexcept { return at_; }
  void disarm() noexcept { at_ = base::never; }   // stays linked until its place comes up

 private:
  friend class timer_wheel;
  void unlink() noexcept;

  timer* next_ = nullptr;
  timer** link_ = nullptr;      // what points at this one; null: not in the wheel
  std::int64_t slot_time_ = 0;  // in slots since the epoch
  instant at_ = base::never;
  action fire_;
  void* context_;
};

class timer_wheel {
 public:
  explicit timer_wheel(instant now) noexcept;

  void arm(timer& t, instant at) noexcept;
  // Fires everything due. A fired timer is disarmed and may be armed or destroyed by its action.
  void advance(instant now) noexcept;
  // When advance has to be called next; `never` when nothing is armed.
  instant next() const noexcept;

  static constexpr base::duration slot = std::chrono::milliseconds(16);

 private:
  static constexpr std::size_t slots = 2048;
  void link(timer& t, std::int64_t slot_time) noexcept;
  void fire_slot(std::int64_t slot_time, instant now) noexcept;

  std::array<timer*, slots> heads_{};
  std::array<std::uint64_t, slots / 64> used_{};
  std::int64_t turned_;   // slots up to and including this one were fired
};

}  // namespace weir::net
