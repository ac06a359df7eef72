// The units of the configuration, between text and numbers: durations, sizes, shares, whole and
// decimal numbers. Pure functions, any thread. Parsing is strict: the whole text, no blanks, no
// sign, a unit where one belongs; nothing is returned otherwise. What format_* writes parse_* reads
// back.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/time.hpp"

namespace weir::config {

// "250ms", "5s", "2m", "1h", "7d", or several with falling units, each once: "1h30m". Whole numbers
// only. Nothing beyond about 292 years.
std::optional<base::duration> parse_duration(std::string_view text) noexcept;
// In the largest unit that divides it: "90s", "2m"; "5ns" for what is no whole millisecond.
std::string format_duration(base::duration d);

// The nearest double, from which base::from_seconds makes the same whole seconds again;
// base::to_seconds is quicker and may be off in its last bit.
constexpr double exact_seconds(base::duration d) noexcept {
  return std::chrono::duration<double>(d).count();
}

// Bytes: "4096", "512B", "64KiB" (1024), "10MB" (1000), up to TiB and TB.
std::optional<std::uint64_t> parse_size(std::string_view text) noexcept;
// In the largest unit that divides it, binary ones first: "1GiB", "10MB", "1001B".
std::string format_size(std::uint64_t bytes);

// "20%" or "12.5%" as a fraction of 1.
std::optional<double> parse_share(std::string_view text) noexcept;
std::string format_share(double share);

std::optional<std::uint64_t> parse_count(std::string_view text) noexcept;
// Digits with at most one point: "0.5", "2".
std::optional<double> parse_number(std::string_view text) noexcept;
std::string format_number(double n);

// What the writer of a refused text probably meant ("5" -> "5s", "64K" -> "64KiB", "0.2" -> "20%"),
// or nothing.
std::string duration_meant(std::string_view text);
std::string size_meant(std::string_view text);
std::string share_meant(std::string_view text);

}  // namespace weir::config
