// Time as weir hands it around: nanoseconds on a clock that nobody here can read. The shell reads
// the real monotonic clock once and passes the instant on; tests and the simulator make it up.
#pragma once

#include <chrono>
#include <cstdint>

namespace weir::base {

struct monotonic {
  using duration = std::chrono::nanoseconds;
  using rep = duration::rep;
  using period = duration::period;
  using time_point = std::chrono::time_point<monotonic>;
  static constexpr bool is_steady = true;
};

using duration = monotonic::duration;
using instant = monotonic::time_point;

inline constexpr instant never = instant::max();
inline constexpr duration forever = duration::max();

constexpr double to_seconds(duration d) noexcept { return static_cast<double>(d.count()) * 1e-9; }

// Saturates at plus and minus about 292 years; NaN gives zero.
constexpr duration from_seconds(double s) noexcept {
  if (!(s == s)) return duration::zero();
  if (s >= 9.2e9) return duration::max();
  if (s <= -9.2e9) return duration::min();
  return duration{static_cast<std::int64_t>(s * 1e9)};
}

// t + d without overflow: stays at `never`.
constexpr instant after(instant t, duration d) noexcept {
  if (t == never || d == forever) return never;
  if (d.count() > 0 && t.time_since_epoch().count() > duration::max().count() - d.count())
    return never;
  return t + d;
}

}  // namespace weir::base
