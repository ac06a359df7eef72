#include "core/recent_attempts.hpp"

#include <algorithm>
#include <cmath>

namespace weir::core {

double wilson_lower(std::uint32_t failures, std::uint32_t attempts) noexcept {
  if (attempts == 0 || failures == 0) return 0;
  constexpr double z = 1.96;
  const double n = attempts;
  const double p = std::min(1.0, failures / n);
  const double middle = p + z * z / (2 * n);
  const double reach = z * std::sqrt(p * (1 - p) / n + z * z / (4 * n * n));
  return std::max(0.0, (middle - reach) / (1 + z * z / n));
}

// Takes the last failure's bits out, and moves the older ones up behind them.
void recent_attempts::forgive(std::uint32_t count) noexcept {
  for (; count > 0 && failures() > 0; --count) {
    const std::uint64_t failed = ends_ & (fast - 1);
    const std::uint64_t newer = ((failed & (~failed + 1)) - 1) * (failure | fast);
    ends_ = (((ends_ >> 1) & ~newer) | (ends_ & newer)) & all;
    --count_;
  }
}

}  // namespace weir::core
