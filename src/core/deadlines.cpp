#include "core/deadlines.hpp"

#include <algorithm>

namespace weir::core {

void deadlines::begin(const time_limits& limits, instant now) noexcept {
  limits_ = limits;
  at_.fill(base::never);
  upload_ = download_ = false;
  set(deadline::total, base::after(now, limits.total));
}

void deadlines::attempt_ended() noexcept {
  upload_ = download_ = false;
  set(deadline::connect, base::never);
  set(deadline::response, base::never);
}

std::array<instant, deadlines::kinds> deadlines::all(const moved& m) const noexcept {
  auto at = at_;
  at[static_cast<std::size_t>(deadline::none)] = base::never;
  at[static_cast<std::size_t>(deadline::upload)] =
      upload_ ? base::after(m.upload, limits_.progress) : base::never;
  at[static_cast<std::size_t>(deadline::download)] =
      download_ ? base::after(m.download, limits_.progress) : base::never;
  return at;
}

instant deadlines::next(const moved& m) const noexcept { return std::ranges::min(all(m)); }

deadline deadlines::expired(const moved& m, instant now) const noexcept {
  const auto at = all(m);
  const auto first = std::ranges::min_element(at);
  return *first <= now ? static_cast<deadline>(first - at.begin()) : deadline::none;
}

}  // namespace weir::core
