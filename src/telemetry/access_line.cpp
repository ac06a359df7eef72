// format_access_line: one access record as one line of JSON, without allocation.
#include <charconv>
#include <chrono>
#include <cstring>

#include "telemetry/access_log.hpp"
#include "telemetry/json_text.hpp"

namespace weir::telemetry {
namespace {

constexpr std::size_t text_bytes_max = 512, target_bytes_max = 4096;
// Every text at its longest, and a kilobyte for keys and numbers, which is more than they take.
static_assert(access_line_bytes_max >= 14 * text_bytes_max + target_bytes_max + 1024);

char* put(char* out, std::string_view s) noexcept {
  std::memcpy(out, s.data(), s.size());
  return out + s.size();
}

char* put_digits(char* out, unsigned value, unsigned digits) noexcept {
  for (unsigned i = digits; i-- > 0; value /= 10) out[i] = static_cast<char>('0' + value % 10);
  return out + digits;
}

// "2026-01-31T23:59:59." (RFC 3339) by the calendar of <chrono>: gmtime_r takes a lock.
void format_second(std::int64_t unix_seconds, char* out) noexcept {
  const std::chrono::sys_seconds t{std::chrono::seconds{unix_seconds}};
  const auto day = std::chrono::floor<std::chrono::days>(t);
  const std::chrono::year_month_day date{day};
  const std::chrono::hh_mm_ss clock{t - day};
  out = put_digits(out, static_cast<unsigned>(static_cast<int>(date.year())), 4);
  *out++ = '-', out = put_digits(out, static_cast<unsigned>(date.month()), 2);
  *out++ = '-', out = put_digits(out, static_cast<unsigned>(date.day()), 2);
  *out++ = 'T', out = put_digits(out, static_cast<unsigned>(clock.hours().count()), 2);
  *out++ = ':', out = put_digits(out, static_cast<unsigned>(clock.minutes().count()), 2);
  *out++ = ':', out = put_digits(out, static_cast<unsigned>(clock.seconds().count()), 2);
  *out = '.';
}

// Writes members one after the other; each key comes with its comma, quotes and colon, as a literal
// so that it is copied in place.
class line_writer {
 public:
  explicit line_writer(char* out) noexcept : out_(out) {}

  template <std::size_t N>
  void raw(const char (&s)[N]) noexcept {
    std::memcpy(out_, s, N - 1);
    out_ += N - 1;
  }
  void time(std::int64_t unix_ms, second_cache& cache) noexcept {
    // Years 1970 to 9999, what RFC 3339 can write and a clock can say.
    const std::int64_t ms = unix_ms < 0 ? 0 : unix_ms > 253402300799999 ? 253402300799999 : unix_ms;
    if (cache.second != ms / 1000) format_second(cache.second = ms / 1000, cache.text);
    out_ = put(out_, {cache.text, sizeof cache.text});
    out_ = put_digits(out_, static_cast<unsigned>(ms % 1000), 3);
    *out_++ = 'Z';
  }
  template <std::size_t N>
  void text(const char (&key)[N], std::string_view value,
            std::size_t bytes_max = text_bytes_max) noexcept {
    if (value.empty()) return;
    raw(key);
    *out_++ = '"';
    out_ = escape_json(value, out_, out_ + bytes_max);
    *out_++ = '"';
  }
  // A text that needs no escape: a word of weir's own, or a name that the configuration checked.
  template <std::size_t N>
  void name(const char (&key)[N], std::string_view value) noexcept {
    if (value.empty()) return;
    raw(key);
    *out_++ = '"';
    out_ = put(out_, value.substr(0, text_bytes_max));
    *out_++ = '"';
  }
  // In the shortest form that reads back as the same; 0 is left out.
  template <std::size_t N>
  void amount(const char (&key)[N], double value) noexcept {
    constexpr std::size_t longest = 32;
    if (value == 0) return;
    raw(key);
    out_ = std::to_chars(out_, out_ + longest, value).ptr;
  }
  template <std::size_t N>
  void number(const char (&key)[N], std::uint64_t value) noexcept {
    raw(key);
    out_ = std::to_chars(out_, out_ + 20, value).ptr;
  }
  // Milliseconds with three decimals.
  template <std::size_t N>
  void ms(const char (&key)[N], base::duration d) noexcept {
    if (d.count() < 0) return;
    const auto us = static_cast<std::uint64_t>(d.count() / 1000);
    if (us < 1000) {   // most are
      raw(key);
      *out_++ = '0';
    } else {
      number(key, us / 1000);
    }
    *out_++ = '.';
    out_ = put_digits(out_, static_cast<unsigned>(us % 1000), 3);
  }
  char* end() const noexcept { return out_; }

 private:
  char* out_;
};

}  // namespace

std::string_view name(outcome o) noexcept {
  switch (o) {
    case outcome::ok: return "ok";
    case outcome::bad_request: return "bad_request";
    case outcome::refused: return "refused";
    case outcome::timed_out: return "timed_out";
    case outcome::failed: return "failed";
    case outcome::client_gone: return "client_gone";
    case outcome::cancelled: return "cancelled";
    case outcome::accepted: return "accepted";
  }
  return "unknown";
}

char* format_access_line(const access_record& r, second_cache& cache, char* out) noexcept {
  line_writer w(out);
  w.raw(R"({"time":")");
  w.time(r.unix_ms, cache);
  w.raw("\"");
  w.name(R"(,"outcome":)", name(r.outcome));
  w.name(R"(,"reason":)", r.reason);
  w.name(R"(,"listener":)", r.listener);
  w.text(R"(,"client":)", r.client);
  w.text(R"(,"method":)", r.method);
  w.text(R"(,"host":)", r.host);
  w.text(R"(,"target":)", r.target, target_bytes_max);
  if (r.status != 0) w.number(R"(,"status":)", r.status);
  w.number(R"(,"request_bytes":)", r.request_body_bytes);
  w.number(R"(,"response_bytes":)", r.response_body_bytes);
  w.name(R"(,"route":)", r.route);
  w.name(R"(,"pool":)", r.pool);
  w.text(R"(,"tenant":)", r.tenant);
  w.text(R"(,"group":)", r.group);
  w.amount(R"(,"cost":)", r.cost);
  w.name(R"(,"worker":)", r.worker);
  w.name(R"(,"batch":)", r.batch);
  w.text(R"(,"trace":)", r.trace);
  if (r.attempts != 0) w.number(R"(,"attempts":)", r.attempts);
  w.name(R"(,"retried":)", r.retried);
  w.ms(R"(,"accept_ms":)", r.accept);
  w.ms(R"(,"queue_ms":)", r.queue);
  w.ms(R"(,"connect_ms":)", r.connect);
  w.ms(R"(,"first_byte_ms":)", r.first_byte);
  w.ms(R"(,"attempt_ms":)", r.attempt);
  w.ms(R"(,"total_ms":)", r.total);
  if (r.tls) w.raw(R"(,"tls":true)");
  else w.raw(R"(,"tls":false)");
  if (r.reused) w.raw(",\"reused\":true}\n");
  else w.raw(",\"reused\":false}\n");
  return w.end();
}

}  // namespace weir::telemetry
