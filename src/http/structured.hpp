// The small grammars that weir reads in fields: Priority (RFC 9218 over RFC 8941), Prefer
// (RFC 7240), Idempotency-Key (draft-ietf-httpapi-idempotency-key-header: a quoted string; bare
// tokens accepted), Weir-Deadline, Retry-After, Keep-Alive, traceparent (W3C Trace Context).
// Each returns nothing on bad input; callers decide what that means. No allocation.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

#include "base/time.hpp"

namespace weir::http {

struct priority {
  std::uint8_t urgency = 3;
  bool incremental = false;
};
std::optional<priority> parse_priority(std::string_view);

struct prefer {
  bool respond_async = false;
  std::optional<std::uint32_t> wait_seconds;
};
prefer parse_prefer(std::string_view);  // unknown preferences are ignored (RFC 7240 §2)

// The key without its quotes, 1..255 characters: visible ASCII, and spaces when quoted. Escapes in
// a quoted one are checked and left as they are.
std::optional<std::string_view> parse_idempotency_key(std::string_view);

// "30", "2.5" (seconds from now) or an absolute time: IMF-fixdate, or RFC 3339 in UTC.
// `unix_now_ms` is the wall clock. Returns the time left, zero when it passed already.
std::optional<base::duration> parse_deadline(std::string_view, std::int64_t unix_now_ms);

// delta-seconds or IMF-fixdate (RFC 9110 §10.2.3).
std::optional<base::duration> parse_retry_after(std::string_view, std::int64_t unix_now_ms);

// timeout=N of a Keep-Alive field.
std::optional<std::uint32_t> parse_keep_alive_timeout(std::string_view);

// IMF-fixdate (RFC 9110 §5.6.7) and RFC 3339 in UTC, years 1970..9999: milliseconds since 1970,
// rounded down.
std::optional<std::int64_t> parse_http_date_ms(std::string_view);
std::optional<std::int64_t> parse_rfc3339_ms(std::string_view);

// "Sun, 06 Nov 1994 08:49:37 GMT": for Date.
struct http_date {
  std::array<char, 29> text;
  std::string_view view() const noexcept { return {text.data(), text.size()}; }
};
http_date make_http_date(std::int64_t unix_seconds) noexcept;

bool valid_traceparent(std::string_view) noexcept;

// A non-negative decimal number without sign or exponent, such as a rows header.
std::optional<double> parse_number(std::string_view) noexcept;

// True when the comma-separated list holds that token, case-insensitively.
bool list_contains(std::string_view list, std::string_view token) noexcept;

}  // namespace weir::http
