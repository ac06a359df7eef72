#include "config/units.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <limits>

namespace weir::config {
namespace {

struct unit {
  std::string_view name;
  std::uint64_t factor;  // of nanoseconds, or of bytes
};

constexpr std::array<unit, 6> duration_units{{{"d", 86'400'000'000'000},
                                              {"h", 3'600'000'000'000},
                                              {"m", 60'000'000'000},
                                              {"s", 1'000'000'000},
                                              {"ms", 1'000'000},
                                              {"ns", 1}}};
constexpr std::array<unit, 9> size_units{{{"TiB", 1ull << 40},
                                          {"GiB", 1ull << 30},
                                          {"MiB", 1ull << 20},
                                          {"KiB", 1ull << 10},
                                          {"TB", 1'000'000'000'000},
                                          {"GB", 1'000'000'000},
                                          {"MB", 1'000'000},
                                          {"KB", 1'000},
                                          {"B", 1}}};

template <std::size_t N>
const unit* find_unit(const std::array<unit, N>& units, std::string_view name) noexcept {
  const auto at = std::find_if(units.begin(), units.end(), [&](auto& u) { return u.name == name; });
  return at == units.end() ? nullptr : &*at;
}

bool is_digit(char c) noexcept {
  return c >= '0' && c <= '9';
}

std::string_view take_while(std::string_view& text, bool (*keep)(char)) noexcept {
  std::size_t n = 0;
  while (n < text.size() && keep(text[n])) ++n;
  const auto taken = text.substr(0, n);
  text.remove_prefix(n);
  return taken;
}

// a * b, or nothing on overflow past the signed 64 bits that durations have.
std::optional<std::uint64_t> times(std::uint64_t a, std::uint64_t b) noexcept {
  constexpr auto most = static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  if (a != 0 && b > most / a) return {};
  return a * b;
}

template <std::size_t N>
std::string in_largest_unit(std::uint64_t n, const std::array<unit, N>& units) {
  for (const auto& u : units)
    if (n != 0 && n % u.factor == 0) return fmt::format("{}{}", n / u.factor, u.name);
  return {};
}

std::string lower_letters(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

}  // namespace

std::optional<std::uint64_t> parse_count(std::string_view text) noexcept {
  std::uint64_t n = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (fault != std::errc{} || end != text.data() + text.size() || !is_digit(text.front()))
    return {};
  return n;
}

std::optional<double> parse_number(std::string_view text) noexcept {
  const bool plain =
      std::all_of(text.begin(), text.end(), [](char c) { return is_digit(c) || c == '.'; });
  if (text.empty() || !plain || !is_digit(text.front()) || !is_digit(text.back())) return {};
  double n = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), n);
  if (fault != std::errc{} || end != text.data() + text.size()) return {};
  return n;
}

std::string format_number(double n) {
  return fmt::format("{}", n);
}

std::optional<base::duration> parse_duration(std::string_view text) noexcept {
  if (text.empty()) return {};
  std::uint64_t sum = 0, last_factor = std::numeric_limits<std::uint64_t>::max();
  while (!text.empty()) {
    const auto n = parse_count(take_while(text, is_digit));
    const unit* u =
        find_unit(duration_units, take_while(text, [](char c) { return !is_digit(c); }));
    if (!n || !u || u->factor >= last_factor) return {};
    const auto part = times(*n, u->factor);
    if (!part || *part > base::duration::max().count() - sum) return {};
    sum += *part;
    last_factor = u->factor;
  }
  return base::duration{static_cast<std::int64_t>(sum)};
}

std::string format_duration(base::duration d) {
  const auto text = in_largest_unit(static_cast<std::uint64_t>(d.count()), duration_units);
  return text.empty() ? "0s" : text;
}

std::optional<std::uint64_t> parse_size(std::string_view text) noexcept {
  const auto n = parse_count(take_while(text, is_digit));
  if (!n || text.empty()) return n;
  const unit* u = find_unit(size_units, text);
  return u ? times(*n, u->factor) : std::nullopt;
}

std::string format_size(std::uint64_t bytes) {
  const auto text = in_largest_unit(bytes, size_units);
  return text.empty() ? "0B" : text;
}

std::optional<double> parse_share(std::string_view text) noexcept {
  if (text.empty() || text.back() != '%') return {};
  const auto percent = parse_number(text.substr(0, text.size() - 1));
  return percent ? std::optional(*percent / 100) : std::nullopt;
}

std::string format_share(double share) {
  return fmt::format("{:.12g}%", share * 100);
}

std::string duration_meant(std::string_view text) {
  const auto digits = take_while(text, is_digit);
  if (digits.empty()) return {};
  if (text.empty()) return std::string(digits) + "s";
  const auto word = lower_letters(text.front() == ' ' ? text.substr(1) : text);
  constexpr std::array<std::pair<std::string_view, std::string_view>, 14> words{{{"sec", "s"},
                                                                                 {"secs", "s"},
                                                                                 {"second", "s"},
                                                                                 {"seconds", "s"},
                                                                                 {"s", "s"},
                                                                                 {"min", "m"},
                                                                                 {"mins", "m"},
                                                                                 {"minute", "m"},
                                                                                 {"minutes", "m"},
                                                                                 {"hour", "h"},
                                                                                 {"hours", "h"},
                                                                                 {"day", "d"},
                                                                                 {"days", "d"},
                                                                                 {"msec", "ms"}}};
  for (const auto& [from, to] : words)
    if (word == from) return fmt::format("{}{}", digits, to);
  return {};
}

std::string size_meant(std::string_view text) {
  const auto digits = take_while(text, is_digit);
  if (digits.empty() || text.empty()) return {};
  const auto word = lower_letters(text.front() == ' ' ? text.substr(1) : text);
  for (const auto& u : size_units) {
    const auto name = lower_letters(u.name);
    const bool letter_alone = u.name.size() == 3 && word == name.substr(0, 1);
    if (word == name || letter_alone) return fmt::format("{}{}", digits, u.name);
  }
  return {};
}

std::string share_meant(std::string_view text) {
  const auto n = parse_number(text);
  if (!n) return {};
  return *n <= 1 && text.find('.') != text.npos ? format_share(*n) : format_number(*n) + "%";
}

}  // namespace weir::config
