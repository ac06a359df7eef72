#include "core/retry.hpp"

#include <algorithm>
#include <cmath>

namespace weir::core {

std::string_view name(retry_way way) noexcept {
  constexpr std::array<std::string_view, 4> names{"no", "free", "bounce", "budgeted"};
  return names[static_cast<std::size_t>(way)];
}

bool may_repeat(const request_traits& request, attempt_end end,
                const retry_settings& settings) noexcept {
  if (request.response_begun) return false;
  if (end == attempt_end::connect_failed) return true;
  if (!request.replayable) return false;
  if (end == attempt_end::busy) return true;
  return request.idempotent_method || request.has_key || settings.unsafe;
}

retry_way retry_rule(const attempt_report& report, const retry_record& record,
                     const retry_settings& settings) noexcept {
  if (!report.may_retry) return retry_way::no;
  const bool may_move = record.moves < settings.bounces_max;
  const bool may_attempt = record.attempts < settings.attempts;
  switch (report.end) {
    case attempt_end::succeeded:
    case attempt_end::client_gone:
    case attempt_end::client_fault:
      return retry_way::no;
    case attempt_end::connect_failed:
    case attempt_end::stale_connection:
      return may_move ? retry_way::free : retry_way::no;
    case attempt_end::busy:
      return may_move ? retry_way::bounce : retry_way::no;
    case attempt_end::response_timeout:
      return may_attempt && settings.on_timeout ? retry_way::budgeted : retry_way::no;
    case attempt_end::failed:
      return may_attempt ? retry_way::budgeted : retry_way::no;
  }
  return retry_way::no;
}

duration backoff(const retry_settings& settings, std::uint32_t n, base::random& random) noexcept {
  const double doublings = n > 0 ? n - 1.0 : 0.0;
  const double ceiling = std::min(base::to_seconds(settings.backoff_max),
                                  base::to_seconds(settings.backoff_base) * std::exp2(doublings));
  return base::from_seconds(std::max(0.0, ceiling) * random.unit());
}

// To the bucket of that second; those in between had nothing.
void retry_budget::turn(instant now) noexcept {
  const auto whole = std::chrono::floor<std::chrono::seconds>(now.time_since_epoch());
  const std::int64_t second = whole.count();
  const std::int64_t passed =
      std::clamp<std::int64_t>(second - second_, 0, static_cast<std::int64_t>(buckets));
  for (std::int64_t i = 0; i < passed; ++i) {
    newest_ = (newest_ + 1) % buckets;
    admitted_ -= ring_[newest_].admitted;
    retried_ -= ring_[newest_].retried;
    ring_[newest_] = {};
  }
  second_ = std::max(second_, second);
  next_second_ = base::after(instant{whole}, std::chrono::seconds(1));
}

bool retry_budget::take(instant now) noexcept {
  bucket& b = current(now);
  const double by_ratio = settings_.ratio * static_cast<double>(admitted_);
  const double allowed = std::max(static_cast<double>(settings_.min), by_ratio);
  if (static_cast<double>(retried_ + 1) > allowed) {
    ++denied_;
    return false;
  }
  ++b.retried;
  ++retried_;
  return true;
}

}  // namespace weir::core
