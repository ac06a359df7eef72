// parse_request: the request line and what a request's fields must say (RFC 9112 §3, §6).
#include <algorithm>
#include <cstring>

#include "http/chars.hpp"
#include "http/names.hpp"
#include "http/reader.hpp"
#include "http/scan.hpp"
#include "http/target.hpp"

namespace weir::http {

namespace {

constexpr unsigned empty_lines_max = 4;  // before a request line (RFC 9112 §2.2)

bool is_idempotent(std::string_view method) noexcept {
  switch (method.size()) {
    case 3:
      return method == "GET" || method == "PUT";
    case 4:
      return method == "HEAD";
    case 5:
      return method == "TRACE";
    case 6:
      return method == "DELETE";
    case 7:
      return method == "OPTIONS";
    default:
      return false;
  }
}

class request_reader : public head_reader {
 public:
  request_reader(std::string_view window, const head_limits& limits, request_head& out) noexcept
      : head_reader(window, limits, out.fields), head_(out) {}

  void read() {
    if (skip_empty_lines() && read_method() && read_target() && read_version() && read_fields() &&
        judge_target() && judge_host() && judge_body() && judge_expectation())
      complete();
  }

 private:
  bool skip_empty_lines();
  bool read_method();
  bool read_target();
  bool read_version();
  bool read_other_version();
  bool judge_target();
  bool judge_host();
  bool judge_body();
  bool judge_expectation();
  void drop_cgi_names() noexcept;

  request_head& head_;
};

bool request_reader::skip_empty_lines() {
  for (unsigned lines = 0; !at_end() && *at_ == '\r'; ++lines) {
    if (lines == empty_lines_max)
      return fail(400, "More than 4 empty lines stand before the request line.");
    if (!expect_line_end()) return false;
  }
  return true;
}

bool request_reader::read_method() {
  const char* const first = at_;
  at_ = skip(at_, end_, char_class::token);
  if (at_end()) return need_more();
  if (*at_ == ' ' && at_ != first) {
    head_.method = {first, static_cast<std::size_t>(at_ - first)};
    ++at_;
    return true;
  }
  if (at_ == first && *at_ == 0x16) return fail(400, "A TLS handshake came to a plain HTTP port.");
  return fail(400, "The request line must start with a method, one space and a target.");
}

bool request_reader::read_target() {
  const char* const first = at_;
  const char* const limit = at_ + std::min(left(), limits_.target_bytes_max + 1);
  at_ = skip(at_, limit, char_class::target);
  head_.target = {first, static_cast<std::size_t>(at_ - first)};
  if (head_.target.size() > limits_.target_bytes_max)
    return fail(414, "The request target is longer than target_bytes_max.");
  if (at_end()) return need_more();
  if (*at_ == ' ' && at_ != first) {
    ++at_;
    return true;
  }
  if (at_ == first) return fail(400, "The request line has no target; one space must precede it.");
  if (*at_ == '\r' || *at_ == '\n')
    return fail(400, "The request line has no HTTP version; HTTP/1.1 is expected.");
  return fail(400, "The request target holds a character that is not allowed in a URI.");
}

bool request_reader::read_version() {
  constexpr std::string_view usual = "HTTP/1.1\r\n";
  if (left() < usual.size() || std::memcmp(at_, usual.data(), usual.size()) != 0)
    return read_other_version();
  head_.version_minor = 1;
  at_ += usual.size();
  return true;
}

// Byte by byte, so that a wrong one is known however the input was split.
bool request_reader::read_other_version() {
  constexpr std::string_view form = "HTTP/d.d";
  const char* const first = at_;
  for (const char expected : form) {
    if (at_end()) return need_more();
    const bool fits = expected == 'd' ? is(*at_, char_class::digit) : *at_ == expected;
    if (!fits) return fail(400, "The HTTP version is malformed; HTTP/1.1 is expected.");
    ++at_;
  }
  if (at_end()) return need_more();
  if (*at_ != '\r' && *at_ != '\n')
    return fail(400, "The request line goes on after the HTTP version; CR LF is expected.");
  if (!expect_line_end()) return false;
  const char major = first[5], minor = first[7];
  if (major != '1' || minor > '1')
    return fail(505, "The HTTP version is not supported; HTTP/1.1 or HTTP/1.0 is expected.");
  head_.version_minor = static_cast<unsigned>(minor - '0');
  return true;
}

bool request_reader::judge_target() {
  if (head_.method == "CONNECT") return fail(501, "CONNECT is not supported: weir is no tunnel.");
  const target_parts parts = split_target(head_.target);
  if (!parts.valid)
    return fail(400,
                "The request target is neither a path nor an http URI with a valid authority.");
  head_.path = parts.path;
  head_.query = parts.query;
  head_.authority = parts.authority;
  const bool options = head_.method == "OPTIONS";
  // RFC 9112 §3.2.4: OPTIONS for a URI without path and query means the server as a whole.
  if (head_.path.empty()) head_.path = options && head_.query.data() == nullptr ? "*" : "/";
  if (head_.path == "*" && !options)
    return fail(400, "The request target * is for OPTIONS only; a path is expected.");
  return true;
}

// RFC 9112 §3.2: one valid Host on HTTP/1.1; §3.2.2: the target's authority wins over it.
bool request_reader::judge_host() {
  if (hosts_ == 0 && head_.version_minor >= 1)
    return fail(400, "Host is missing; an HTTP/1.1 request must have exactly one.");
  if (hosts_ > 1) return fail(400, "Host is given more than once; exactly one is expected.");
  if (hosts_ == 1 && !valid_authority(host_))
    return fail(400, "Host is not a valid host name or address with an optional port.");
  if (head_.authority.empty()) head_.authority = host_;
  return true;
}

bool request_reader::judge_body() {
  if (has_coding_ && !judge_coding(head_.version_minor)) return false;
  head_.body = has_coding_ ? body_kind::chunked : has_length_ ? body_kind::length : body_kind::none;
  head_.content_length = length_;
  return true;
}

bool request_reader::judge_expectation() {
  const bool current = head_.version_minor >= 1;  // RFC 9110 §10.1.1: ignored from 1.0 clients
  if (other_expectation_ && current)
    return fail(417, "Expect holds something else than 100-continue, which cannot be met.");
  const bool body_due = has_coding_ || length_ > 0;
  head_.expect_continue = expects_continue_ && current && body_due;
  head_.keep_alive = keeps_alive(head_.version_minor);
  head_.idempotent = is_idempotent(head_.method);
  head_.is_head = head_.method == "HEAD";
  if (has_cgi_names_) drop_cgi_names();
  return true;
}

// Workers behind CGI or WSGI rules read X_Forwarded_For as X-Forwarded-For: such a name would get
// past what weir removes and replaces, so it is not forwarded.
void request_reader::drop_cgi_names() noexcept {
  for (field& f : head_.fields)
    if (f.known == field_name::other && classify_as_cgi(f.name) != field_name::other)
      f.hop_by_hop = true;
}

void clear(request_head& head) noexcept {
  head.fields.clear();
  head.method = head.target = head.path = head.query = head.authority = {};
}

// The head does not fit: its request line alone, or all of it.
parse_outcome too_large(std::string_view window) noexcept {
  parse_outcome outcome;
  outcome.what = parse_outcome::kind::bad;
  const std::size_t text = window.find_first_not_of("\r\n");
  const bool line_ends =
      text != std::string_view::npos && window.find('\n', text) != std::string_view::npos;
  outcome.status = line_ends ? 431 : 414;
  outcome.reason = line_ends ? "The request head is larger than head_bytes_max."
                             : "The request line is longer than head_bytes_max.";
  return outcome;
}

}  // namespace

parse_outcome parse_request(std::string_view input, const head_limits& limits, std::size_t& scanned,
                            request_head& out) {
  const bool full = input.size() >= limits.head_bytes_max;
  if (!full && scanned > 0 && !head_may_end(input, scanned)) return {};
  const std::string_view window = input.substr(0, limits.head_bytes_max);
  clear(out);
  request_reader reader(window, limits, out);
  reader.read();
  const bool undecided = reader.outcome().what == parse_outcome::kind::need_more;
  scanned = undecided && !full ? input.size() : 0;
  return undecided && full ? too_large(window) : reader.outcome();
}

}  // namespace weir::http
