#include "app/callback_pace.hpp"

#include <algorithm>
#include <chrono>

namespace weir::app {
namespace {

using store::unix_ms;

unix_ms in_ms(base::duration d) {
  return std::chrono::duration_cast<std::chrono::milliseconds>(d).count();
}

}  // namespace

unix_ms callback_pace::backoff(unsigned failures) {
  return in_ms(scale::backoff(settings_, failures, random_));
}

std::optional<unix_ms> callback_pace::postponed(const std::string& origin, unix_ms batch_ended,
                                                unix_ms now) {
  const auto s = silent_.find(origin);
  if (s == silent_.end() || now >= s->second.until) return std::nullopt;
  // No clock that jumps may leave a receiver alone for longer than it could have asked for.
  s->second.until = std::min(s->second.until, now + in_ms(settings_.retry_after_max));
  const unix_ms longest = in_ms(settings_.retry_after_max);
  const auto spread = static_cast<double>(std::clamp<unix_ms>((now - batch_ended) / 8, 0, longest));
  return s->second.until + static_cast<unix_ms>(spread * random_.unit());
}

std::optional<unix_ms> callback_pace::failed(const std::string& origin, unsigned tries,
                                             unix_ms batch_ended,
                                             const scale::attempt_result& how, unix_ms now) {
  const unix_ms asked =
      in_ms(std::clamp(how.retry_after, base::duration::zero(), settings_.retry_after_max));
  if (!how.answered || asked > 0) {
    silence& s = silent_[origin];
    s.until = now + std::max(asked, backoff(++s.failures));
  } else {
    silent_.erase(origin);
  }
  const unix_ms again = now + std::max(asked, backoff(tries));
  if (again > batch_ended + in_ms(give_up_)) return std::nullopt;
  return again;
}

}  // namespace weir::app
