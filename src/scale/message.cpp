#include "scale/message.hpp"

#include <fmt/format.h>
#include <openssl/rand.h>

#include <array>
#include <boost/json/serialize.hpp>
#include <boost/json/value.hpp>
#include <chrono>
#include <cmath>

#include "base/check.hpp"

namespace weir::scale {
namespace {

namespace json = boost::json;

// Boost.JSON writes every double with an exponent (1.25E1): right, but nothing to read in a log.
std::string number(double value) {
  if (!std::isfinite(value)) return "null";
  const bool large = std::abs(value) > 1e12;  // nothing to round, and 1000 times it would
  return fmt::format("{}", large ? value : std::round(value * 1000) / 1000 + 0.0);
}

std::string quoted(std::string_view text) {
  return json::serialize(json::string(text));
}

std::string list(const std::vector<std::string>& names) {
  std::string out = "[";
  for (const auto& n : names) out += (out.size() > 1 ? "," : "") + quoted(n);
  return out + "]";
}

std::string backlog(const core::scale_decision& d) {
  return fmt::format(
      R"({{"batches":{},"cost":{},"bytes":{},"oldest_seconds":{},"drain_seconds":{}}})",
      d.backlog_batches, number(d.backlog_cost), d.backlog_bytes, number(d.oldest_seconds),
      number(d.drain_seconds));
}

}  // namespace

std::string_view name(core::scale_decision::direction way) noexcept {
  return way == core::scale_decision::direction::out ? "out" : "in";
}

std::string rfc3339(std::int64_t unix_ms) {
  using namespace std::chrono;
  const sys_time<milliseconds> at{milliseconds(unix_ms)};
  const auto day = floor<days>(at);
  const year_month_day date(day);
  const hh_mm_ss<milliseconds> time(at - day);
  return fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}.{:03}Z", static_cast<int>(date.year()),
                     static_cast<unsigned>(date.month()), static_cast<unsigned>(date.day()),
                     time.hours().count(), time.minutes().count(), time.seconds().count(),
                     time.subseconds().count());
}

std::string make_body(std::string_view type, std::string_view pool, const core::scale_decision& d,
                      std::int64_t decided_unix_ms) {
  return fmt::format(
      R"({{"type":{},"timestamp":"{}","data":{{"pool":{},"episode":{},"sequence":{},)"
      R"("direction":"{}","desired":{},"current":{},"reason":{},"backlog":{},"remove":{}}}}})",
      quoted(type), rfc3339(decided_unix_ms), quoted(pool), d.episode, d.sequence, name(d.way),
      d.desired, d.current, quoted(d.reason), backlog(d), list(d.remove));
}

std::string new_message_id() {
  std::array<unsigned char, 16> random{};
  WEIR_CHECK(RAND_bytes(random.data(), static_cast<int>(random.size())) == 1);
  std::string id = "msg_";
  for (const unsigned byte : random) id += fmt::format("{:02x}", byte);
  return id;
}

}  // namespace weir::scale
