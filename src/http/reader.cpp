#include "http/reader.hpp"

#include <cstring>

#include "http/chars.hpp"
#include "http/names.hpp"
#include "http/scan.hpp"

namespace weir::http {

namespace {

// More would make naming fields in Connection a way to spend our time: fields times options.
constexpr unsigned connection_options_max = 64;

// 1*DIGIT below 2^63, so that every consumer may hold it signed.
bool parse_length(std::string_view digits, std::uint64_t& value) noexcept {
  if (digits.empty()) return false;
  value = 0;
  for (const char c : digits) {
    if (!is(c, char_class::digit) || value > INT64_MAX / 10) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
  }
  return value <= INT64_MAX;
}

}  // namespace

bool head_may_end(std::string_view input, std::size_t& scanned) noexcept {
  while (scanned < input.size()) {
    const char* const from = input.data() + scanned;
    const void* const hit = std::memchr(from, '\n', input.size() - scanned);
    if (hit == nullptr) break;
    const std::size_t i = static_cast<std::size_t>(static_cast<const char*>(hit) - input.data());
    if (i == 0 || input[i - 1] != '\r') return true;
    if (i >= 2 && input[i - 2] == '\n') return true;
    scanned = i + 1;
  }
  scanned = input.size();
  return false;
}

bool head_reader::fail(unsigned status, std::string_view reason) noexcept {
  outcome_.what = parse_outcome::kind::bad;
  outcome_.status = status;
  outcome_.reason = reason;
  return false;
}

void head_reader::complete() noexcept {
  outcome_.what = parse_outcome::kind::complete;
  outcome_.consumed = static_cast<std::size_t>(at_ - begin_);
}

bool head_reader::end_line_oddly() {
  if (at_end()) return need_more();
  if (*at_ == '\n')
    return fail(400, "A line ends in a bare LF; every line of a head ends in CR LF.");
  if (*at_ != '\r')
    return fail(400, "A control character stands in the head; only text is allowed.");
  if (left() < 2) return need_more();
  if (at_[1] != '\n') return fail(400, "A CR without LF stands in the head; lines end in CR LF.");
  return expect_line_end();
}

bool head_reader::read_fields() {
  for (;;) {
    if (at_end()) return need_more();
    if (*at_ == '\r') break;
    if (!read_field()) return false;
  }
  if (!expect_line_end()) return false;
  if (names_fields_) mark_named_by_connection();
  return true;
}

bool head_reader::read_field() {
  if (fields_.size() == limits_.fields_max)
    return fail(431, "The head has too many fields; the limit is fields_max.");
  field& f = fields_.emplace_back();
  if (!read_name(f) || !read_value(f)) return false;
  if (f.known == field_name::other) return true;
  f.hop_by_hop = is_hop_by_hop(f.known);
  return take(f);
}

bool head_reader::read_name(field& f) {
  const char* const first = at_;
  at_ = skip_name(at_, end_);
  if (at_ != end_ && *at_ == '_') {
    has_cgi_names_ = true;
    at_ = skip(at_, end_, char_class::token);
  }
  if (at_end()) return need_more();
  if (*at_ != ':' || at_ == first) return bad_name(*at_);
  f.name = {first, static_cast<std::size_t>(at_ - first)};
  f.known = classify(f.name);
  ++at_;
  return true;
}

// `found` ended the name; at_ is on it.
bool head_reader::bad_name(char found) {
  const bool at_start = at_ == begin_ || at_[-1] == '\n';
  if (at_start && is_blank(found))
    return fail(400, "A field line starts with a blank (obs-fold); a field must be on one line.");
  if (at_start && found == ':') return fail(400, "A field has an empty name; a name is expected.");
  if (is_blank(found))
    return fail(400, "A blank stands in or after a field name; the colon must follow the name.");
  if (found == '\r' || found == '\n')
    return fail(400, "A field line has no colon; \"name: value\" is expected.");
  return fail(400, "A field name holds a character that is not allowed; a token is expected.");
}

bool head_reader::read_value(field& f) {
  while (at_ != end_ && is_blank(*at_)) ++at_;
  const char* const first = at_;
  at_ = skip_value(at_, end_);
  const char* last = at_;
  if (!expect_line_end()) return false;
  while (last != first && is_blank(last[-1])) --last;
  f.value = {first, static_cast<std::size_t>(last - first)};
  return true;
}

bool head_reader::take(field& f) {
  switch (f.known) {
    case field_name::content_length:
      return take_length(f.value);
    case field_name::connection:
      return take_connection(f.value);
    case field_name::host:
      ++hosts_;
      host_ = f.value;
      return true;
    case field_name::transfer_encoding:
      has_coding_ = true;
      return true;
    case field_name::expect:
      take_expect(f.value);
      return true;
    default:
      return true;
  }
}

// RFC 9110 §8.6 lets a recipient take a repeated length, as lines or as a list, when all are the
// same; one is written when forwarding. Anything else is refused.
bool head_reader::take_length(std::string_view list) {
  do {
    std::uint64_t value = 0;
    if (!parse_length(next_element(list), value))
      return fail(400, "Content-Length is not a decimal number of bytes below 2^63.");
    if (has_length_ && value != length_)
      return fail(400, "Content-Length is repeated with differing values; one length is expected.");
    length_ = value;
    has_length_ = true;
  } while (list.data() != nullptr);
  return true;
}

bool head_reader::take_connection(std::string_view list) {
  while (list.data() != nullptr) {
    const std::string_view option = next_element(list);
    if (++options_ > connection_options_max)
      return fail(400, "Connection has too many options; at most 64 are expected.");
    const bool close = iequals(option, "close"), keep = iequals(option, "keep-alive");
    says_close_ |= close;
    says_keep_alive_ |= keep;
    names_fields_ |= !close && !keep && !option.empty();
  }
  return true;
}

void head_reader::take_expect(std::string_view value) noexcept {
  const bool known = iequals(value, "100-continue");
  expects_continue_ |= known;
  other_expectation_ |= !known;
}

bool head_reader::keeps_alive(unsigned version_minor) const noexcept {
  return !says_close_ && (version_minor >= 1 || says_keep_alive_);  // RFC 9112 §9.3
}

void head_reader::mark_named_by_connection() noexcept {
  for (const field& c : fields_) {
    if (c.known != field_name::connection) continue;
    for (std::string_view list = c.value; list.data() != nullptr;) {
      const std::string_view option = next_element(list);
      for (field& f : fields_)
        if (!is_end_to_end(f.known) && iequals(f.name, option)) f.hop_by_hop = true;
    }
  }
}

// Exactly `chunked` is understood. A list that is well-formed but names another coding is 501
// (RFC 9112 §6.1); one that is malformed, or has chunked twice or not last, is 400 (§6.3).
bool head_reader::judge_coding(unsigned version_minor) {
  if (version_minor == 0)
    return bad_coding("Transfer-Encoding stands in an HTTP/1.0 message, which cannot have one.");
  if (has_length_)
    return bad_coding("Transfer-Encoding and Content-Length are both given; only one may be.");
  bool unknown = false;
  for (const field& f : fields_) {
    if (f.known != field_name::transfer_encoding) continue;
    std::string_view list = f.value;
    do {
      const std::string_view coding = next_element(list);
      if (!is_token(coding))
        return bad_coding("Transfer-Encoding is malformed; exactly \"chunked\" is expected.");
      if (chunked_)
        return bad_coding("Transfer-Encoding has codings after chunked, which must be the last.");
      chunked_ = iequals(coding, "chunked");
      unknown |= !chunked_;
    } while (list.data() != nullptr);
  }
  if (!unknown) return true;
  return fail(501, "Transfer-Encoding names a coding that is not known here; only chunked is.");
}

}  // namespace weir::http
