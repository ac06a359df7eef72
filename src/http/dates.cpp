// IMF-fixdate (RFC 9110 §5.6.7) and RFC 3339 dates, both ways where weir needs it.
#include <algorithm>
#include <chrono>

#include "http/chars.hpp"
#include "http/structured.hpp"

namespace weir::http {

namespace {

constexpr std::string_view day_names = "SunMonTueWedThuFriSat";
constexpr std::string_view month_names = "JanFebMarAprMayJunJulAugSepOctNovDec";

// Reads fixed-width numbers and literals off the front; `ok` turns false at the first mismatch.
struct cursor {
  std::string_view rest;
  bool ok = true;

  std::string_view take(std::size_t n) noexcept {
    ok = ok && rest.size() >= n;
    if (!ok) return {};
    const std::string_view head = rest.substr(0, n);
    rest.remove_prefix(n);
    return head;
  }
  int number(std::size_t digits) noexcept {
    const std::string_view text = take(digits);
    ok = ok && all(text, char_class::digit);
    int value = 0;
    for (const char c : text) value = value * 10 + (c - '0');
    return value;
  }
  void literal(std::string_view text) noexcept {
    const std::string_view found = take(text.size());
    ok = ok && found == text;
  }
  // The index of a three-letter name.
  int name(std::string_view names) noexcept {
    const std::string_view text = take(3);
    const std::size_t at = ok ? names.find(text) : std::string_view::npos;
    ok = at != std::string_view::npos && at % 3 == 0;
    return static_cast<int>(at / 3);
  }
};

struct moment {
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
};

// A leap second counts as the first of the next minute.
std::optional<std::int64_t> to_ms(const moment& m) noexcept {
  namespace ch = std::chrono;
  const ch::year_month_day date{ch::year{m.year}, ch::month{static_cast<unsigned>(m.month)},
                                ch::day{static_cast<unsigned>(m.day)}};
  if (!date.ok() || m.year < 1970 || m.hour > 23 || m.minute > 59 || m.second > 60)
    return std::nullopt;
  const std::int64_t days = ch::sys_days{date}.time_since_epoch().count();
  return ((days * 24 + m.hour) * 60 + m.minute) * 60'000 + m.second * 1000;
}

void read_clock(cursor& c, moment& m) noexcept {
  m.hour = c.number(2);
  c.literal(":");
  m.minute = c.number(2);
  c.literal(":");
  m.second = c.number(2);
}

// ".123456" and any more digits; milliseconds.
int read_fraction(cursor& c) noexcept {
  if (!c.rest.starts_with('.')) return 0;
  c.literal(".");
  const auto end = std::find_if_not(c.rest.begin(), c.rest.end(),
                                    [](char x) { return is(x, char_class::digit); });
  const std::string_view digits = c.take(static_cast<std::size_t>(end - c.rest.begin()));
  c.ok = c.ok && !digits.empty();
  int ms = 0;
  for (std::size_t i = 0; i < 3; ++i) ms = ms * 10 + (i < digits.size() ? digits[i] - '0' : 0);
  return ms;
}

char* put(char* at, std::string_view text) noexcept {
  return std::copy(text.begin(), text.end(), at);
}

char* put(char* at, int value, int digits) noexcept {
  for (int i = digits - 1; i >= 0; --i, value /= 10) at[i] = static_cast<char>('0' + value % 10);
  return at + digits;
}

}  // namespace

std::optional<std::int64_t> parse_http_date_ms(std::string_view text) {
  cursor c{text};
  moment m;
  c.name(day_names);
  c.literal(", ");
  m.day = c.number(2);
  c.literal(" ");
  m.month = c.name(month_names) + 1;
  c.literal(" ");
  m.year = c.number(4);
  c.literal(" ");
  read_clock(c, m);
  c.literal(" GMT");
  return c.ok && c.rest.empty() ? to_ms(m) : std::nullopt;
}

std::optional<std::int64_t> parse_rfc3339_ms(std::string_view text) {
  cursor c{text};
  moment m;
  m.year = c.number(4);
  c.literal("-");
  m.month = c.number(2);
  c.literal("-");
  m.day = c.number(2);
  c.literal(c.rest.starts_with('t') ? "t" : "T");
  read_clock(c, m);
  const int ms = read_fraction(c);
  const bool utc = c.rest == "Z" || c.rest == "z" || c.rest == "+00:00" || c.rest == "-00:00";
  const auto whole = c.ok && utc ? to_ms(m) : std::nullopt;
  return whole ? std::optional{*whole + ms} : std::nullopt;
}

http_date make_http_date(std::int64_t unix_seconds) noexcept {
  namespace ch = std::chrono;
  constexpr std::int64_t last = 253'402'300'799;  // 9999-12-31T23:59:59Z
  const ch::sys_seconds at{ch::seconds{std::clamp<std::int64_t>(unix_seconds, 0, last)}};
  const auto midnight = ch::floor<ch::days>(at);
  const ch::year_month_day date{midnight};
  const ch::hh_mm_ss clock{at - midnight};
  const unsigned weekday = ch::weekday{midnight}.c_encoding();
  const unsigned month = static_cast<unsigned>(date.month()) - 1;
  http_date out;
  char* p = put(out.text.data(), day_names.substr(weekday * 3, 3));
  p = put(put(p, ", "), static_cast<int>(static_cast<unsigned>(date.day())), 2);
  p = put(put(put(p, " "), month_names.substr(month * 3, 3)), " ");
  p = put(put(p, static_cast<int>(date.year()), 4), " ");
  p = put(put(p, static_cast<int>(clock.hours().count()), 2), ":");
  p = put(put(p, static_cast<int>(clock.minutes().count()), 2), ":");
  put(put(p, static_cast<int>(clock.seconds().count()), 2), " GMT");
  return out;
}

}  // namespace weir::http
