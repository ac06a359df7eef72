// The operational log over spdlog, which makes lines atomic.
#include "telemetry/log.hpp"

#include <fmt/format.h>
#include <spdlog/sinks/base_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cmath>
#include <ctime>
#include <memory>
#include <mutex>

#include "telemetry/json_text.hpp"
#include "telemetry/line_outlet.hpp"
#include "telemetry/repeat_limiter.hpp"

namespace weir::telemetry {
namespace {

spdlog::level::level_enum to_spdlog(level l) noexcept {
  switch (l) {
    case level::debug: return spdlog::level::debug;
    case level::info: return spdlog::level::info;
    case level::warning: return spdlog::level::warn;
    case level::error: return spdlog::level::err;
  }
  return spdlog::level::err;
}

// A sink that hands lines to a function.
class function_sink final : public spdlog::sinks::base_sink<std::mutex> {
 public:
  explicit function_sink(std::function<void(std::string_view)> f) : f_(std::move(f)) {}

 protected:
  void sink_it_(const spdlog::details::log_msg& m) override {
    f_({m.payload.data(), m.payload.size()});
  }
  void flush_() override {}

 private:
  std::function<void(std::string_view)> f_;
};

line_outlet& standard_error() {
  static line_outlet outlet(STDERR_FILENO);
  return outlet;
}

void to_standard_error(std::string_view line) { standard_error().put(line); }

std::shared_ptr<spdlog::logger> make_logger(const log_options& o) {
  auto sink = std::make_shared<function_sink>(o.output ? o.output : to_standard_error);
  auto logger = std::make_shared<spdlog::logger>("weir", std::move(sink));
  logger->set_pattern("%v");
  logger->set_level(to_spdlog(o.least));
  return logger;
}

struct shared {
  log_options options;
  std::shared_ptr<spdlog::logger> logger = make_logger({});
  repeat_limiter limiter;
  std::atomic<std::uint64_t> suppressed{0};
};

std::unique_ptr<shared>& slot() {
  static auto instance = std::make_unique<shared>();
  return instance;
}

base::instant monotonic_now() {
  return base::instant(std::chrono::steady_clock::now().time_since_epoch());
}

std::string now_text() {
  const auto now = std::chrono::system_clock::now();
  const auto ms = std::chrono::duration_cast<std::chrono::milliseconds>(now.time_since_epoch());
  const std::time_t seconds = ms.count() / 1000;
  std::tm utc{};
  ::gmtime_r(&seconds, &utc);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", utc.tm_year + 1900,
                     utc.tm_mon + 1, utc.tm_mday, utc.tm_hour, utc.tm_min, utc.tm_sec,
                     ms.count() % 1000);
}

std::string json_line(level l, std::string_view message, std::initializer_list<field> fields,
                      std::uint64_t left_out) {
  std::string line = fmt::format(R"({{"time":"{}","level":"{}","message":)", now_text(), name(l));
  append_json_string(line, message);
  for (const field& f : fields) {
    if (f.empty()) continue;
    line += ',';
    append_json_string(line, f.key());
    line += ':';
    f.append_json(line);
  }
  if (left_out > 0) line += fmt::format(R"(,"left_out":{})", left_out);
  return line += '}';
}

std::string plain_line(level l, std::string_view message, std::initializer_list<field> fields,
                       std::uint64_t left_out) {
  std::string line = fmt::format("{} {:<7} {}", now_text(), name(l), message);
  for (const field& f : fields) {
    if (f.empty()) continue;
    line.append(" ").append(f.key()).append("=");
    f.append_plain(line);
  }
  if (left_out > 0) line += fmt::format(" left_out={}", left_out);
  return line;
}

// Text that can stand unquoted in a plain line.
bool is_bare(std::string_view text) noexcept {
  for (const char c : text)
    if (static_cast<unsigned char>(c) <= ' ' || c == '"' || c == '\\' || c == '=' || c == 0x7f ||
        static_cast<unsigned char>(c) >= 0x80)
      return false;
  return !text.empty();
}

}  // namespace

std::string_view name(level l) noexcept {
  switch (l) {
    case level::debug: return "debug";
    case level::info: return "info";
    case level::warning: return "warning";
    case level::error: return "error";
  }
  return "unknown";
}

void field::append_json(std::string& out) const {
  switch (kind_) {
    case kind::text: return append_json_string(out, text_);
    case kind::integer: out += std::to_string(integer_); return;
    case kind::boolean: out += integer_ != 0 ? "true" : "false"; return;
    // JSON has no infinities and no NaN.
    case kind::number:
      out += std::isfinite(number_) ? fmt::format("{:.12g}", number_) : "null";
      return;
  }
}

void field::append_plain(std::string& out) const {
  if (kind_ != kind::text) return append_json(out);
  if (is_bare(text_)) {
    out += text_;
    return;
  }
  append_json_string(out, text_);
}

void configure_log(log_options options) {
  auto fresh = std::make_unique<shared>();
  fresh->logger = make_logger(options);
  fresh->options = std::move(options);
  slot() = std::move(fresh);
}

void log(level l, std::string_view message, std::initializer_list<field> fields) {
  shared& s = *slot();
  if (l < s.options.least) return;
  const auto ruling = s.limiter.rule(message, s.options.burst, monotonic_now());
  if (!ruling.pass) {
    ++s.suppressed;
    return;
  }
  const auto write = s.options.json ? json_line : plain_line;
  s.logger->log(to_spdlog(l), spdlog::string_view_t(write(l, message, fields, ruling.left_out)));
}

std::uint64_t log_suppressed() noexcept { return slot()->suppressed; }

std::uint64_t log_dropped() noexcept { return standard_error().dropped(); }

bool flush_log(std::chrono::milliseconds patience) { return standard_error().flush(patience); }

}  // namespace weir::telemetry
