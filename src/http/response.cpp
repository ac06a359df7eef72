// parse_response: the status line and what a response's fields must say (RFC 9112 §4, §6.3).
// Whatever is wrong is the worker's fault: the outcome's status is 502.
#include <cstring>

#include "http/chars.hpp"
#include "http/reader.hpp"
#include "http/scan.hpp"

namespace weir::http {

namespace {

class response_reader : public head_reader {
 public:
  response_reader(std::string_view window, const head_limits& limits, bool to_head,
                  response_head& out) noexcept
      : head_reader(window, limits, out.fields), head_(out), to_head_(to_head) {}

  void read() {
    if (read_version() && read_status() && read_reason() && read_fields() && judge_body())
      complete();
  }

 private:
  bool read_version();
  bool read_other_version();
  bool read_status();
  bool read_reason();
  bool judge_body();
  bool judge_bodiless();
  bool bad(std::string_view reason) { return fail(502, reason); }

  response_head& head_;
  const bool to_head_;
};

bool response_reader::read_version() {
  constexpr std::string_view usual = "HTTP/1.1 ";
  if (left() < usual.size() || std::memcmp(at_, usual.data(), usual.size()) != 0)
    return read_other_version();
  head_.version_minor = 1;
  at_ += usual.size();
  return true;
}

// Byte by byte, so that a wrong one is known however the input was split.
bool response_reader::read_other_version() {
  constexpr std::string_view form = "HTTP/1.d ";
  for (const char expected : form) {
    if (at_end()) return need_more();
    const bool fits = expected == 'd' ? *at_ == '0' || *at_ == '1' : *at_ == expected;
    if (!fits) return bad("The answer does not start with HTTP/1.1 or HTTP/1.0 and a space.");
    ++at_;
  }
  head_.version_minor = static_cast<unsigned>(at_[-2] - '0');
  return true;
}

// Three digits of 100..599 (RFC 9110 §15); the space after them may be missing with the reason.
bool response_reader::read_status() {
  head_.status = 0;
  for (int i = 0; i < 3; ++i) {
    if (at_end()) return need_more();
    if (!is(*at_, char_class::digit)) return bad("The status code is not three digits.");
    head_.status = head_.status * 10 + static_cast<unsigned>(*at_++ - '0');
  }
  if (at_end()) return need_more();
  if (*at_ != ' ' && *at_ != '\r') return bad("The status code is not followed by a space.");
  if (head_.status < 100 || head_.status > 599) return bad("The status code is not in 100..599.");
  if (head_.status == 101)
    return bad("The worker switches protocols (101) without being asked to.");
  if (*at_ == ' ') ++at_;
  return true;
}

bool response_reader::read_reason() {
  const char* const first = at_;
  at_ = skip_value(at_, end_);
  head_.reason = {first, static_cast<std::size_t>(at_ - first)};
  return expect_line_end();
}

bool response_reader::judge_body() {
  if (has_coding_ && !judge_coding(head_.version_minor)) return false;
  head_.has_length = has_length_;
  head_.content_length = length_;
  head_.keep_alive = keeps_alive(head_.version_minor);
  if (to_head_ || head_.status == 304) {
    head_.body = body_kind::none;
    return true;
  }
  if (head_.status < 200 || head_.status == 204) return judge_bodiless();
  head_.body = has_coding_   ? body_kind::chunked
               : has_length_ ? body_kind::length
                             : body_kind::until_close;
  if (head_.body == body_kind::until_close) head_.keep_alive = false;
  return true;
}

// RFC 9112 §6.1 and RFC 9110 §8.6 forbid framing fields here. A length of 0 is common and harmless;
// anything else would leave bytes on the connection that look like the next answer.
bool response_reader::judge_bodiless() {
  head_.body = body_kind::none;
  if (has_coding_) return bad("A 1xx or 204 answer has Transfer-Encoding; it cannot have a body.");
  if (length_ > 0) return bad("A 1xx or 204 answer has a Content-Length; it cannot have a body.");
  return true;
}

}  // namespace

parse_outcome parse_response(std::string_view input, const head_limits& limits,
                             std::size_t& scanned, bool to_head, response_head& out) {
  const bool full = input.size() >= limits.head_bytes_max;
  if (!full && scanned > 0 && !head_may_end(input, scanned)) return {};
  out.fields.clear();
  response_reader reader(input.substr(0, limits.head_bytes_max), limits, to_head, out);
  reader.read();
  parse_outcome outcome = reader.outcome();
  const bool undecided = outcome.what == parse_outcome::kind::need_more;
  scanned = undecided && !full ? input.size() : 0;
  if (undecided && full) {
    outcome.what = parse_outcome::kind::bad;
    outcome.reason = "The worker's response head is larger than head_bytes_max.";
  }
  if (outcome.what == parse_outcome::kind::bad) outcome.status = 502;
  return outcome;
}

}  // namespace weir::http
