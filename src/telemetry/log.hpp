// The operational log: state changes, reloads, errors; a line each on standard error, as JSON or as
// plain text. Any thread, never per batch: a call takes a lock and makes a system call. It does not
// wait for who reads: what standard error does not take stays in memory up to a limit, then lines
// are dropped and counted. A message that repeats is let through `burst` times in a window of 10 s;
// the first one after that says how many were left out. The words of a message are fixed, what
// varies goes into fields.
#pragma once

#include <chrono>
#include <concepts>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <string>
#include <string_view>

namespace weir::telemetry {

enum class level : std::uint8_t { debug, info, warning, error };
std::string_view name(level) noexcept;

// A key and what it holds; views need to live only as long as the call.
class field {
 public:
  field(std::string_view key, std::string_view v) : key_(key), text_(v), kind_(kind::text) {}
  field(std::string_view key, const char* v) : field(key, std::string_view(v)) {}
  field(std::string_view key, const std::string& v) : field(key, std::string_view(v)) {}
  field(std::string_view key, bool v) : key_(key), integer_(v), kind_(kind::boolean) {}
  field(std::string_view key, double v) : key_(key), number_(v), kind_(kind::number) {}
  template <std::integral T>
  field(std::string_view key, T v)
      : key_(key), integer_(static_cast<std::int64_t>(v)), kind_(kind::integer) {}

  std::string_view key() const noexcept { return key_; }
  bool empty() const noexcept { return kind_ == kind::text && text_.empty(); }   // not written
  void append_json(std::string& out) const;    // the value
  void append_plain(std::string& out) const;   // quoted only when it holds blanks or quotes

 private:
  enum class kind : std::uint8_t { text, integer, number, boolean };
  std::string_view key_, text_;
  std::int64_t integer_ = 0;
  double number_ = 0;
  kind kind_;
};

struct log_options {
  bool json = true;                 // else plain lines
  level least = level::info;
  std::uint32_t burst = 20;         // of one message in 10 s; 0: no limit
  // Where lines go (without newline); standard error when empty. Used by tests.
  std::function<void(std::string_view)> output;
};

// At start, before other threads log. Until then: JSON, info, standard error.
void configure_log(log_options);

void log(level, std::string_view message, std::initializer_list<field> fields = {});

// Lines that were left out so far because their message repeated.
std::uint64_t log_suppressed() noexcept;
// Lines that were lost so far because standard error did not take them.
std::uint64_t log_dropped() noexcept;
// Writes what standard error did not take before; for the control thread's tick, and for the end,
// which has some patience. True: nothing is left.
bool flush_log(std::chrono::milliseconds patience = {});

}  // namespace weir::telemetry
