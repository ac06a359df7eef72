#include "http/chunked.hpp"

#include <algorithm>
#include <charconv>

#include "http/chars.hpp"

namespace weir::http {

namespace {

constexpr unsigned size_digits_max = 16;

int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  const char lower = static_cast<char>(c | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

}  // namespace

chunk_decoder::step chunk_decoder::next(std::string_view input) {
  std::size_t at = 0;
  while (at < input.size() && state_ != state::data && state_ != state::done) {
    if (const std::string_view reason = take(input[at]); !reason.empty()) return fail(at, reason);
    ++at;
  }
  if (state_ == state::done) return {step::kind::done, at, {}, {}};
  if (state_ == state::bad) return fail(at, "The chunked body was bad already.");
  if (at == input.size()) return {step::kind::need_more, at, {}, {}};
  const std::size_t size = std::min<std::uint64_t>(left_, input.size() - at);
  left_ -= size;
  if (left_ == 0) state_ = state::data_cr;
  return {step::kind::data, at + size, input.substr(at, size), {}};
}

chunk_decoder::step chunk_decoder::fail(std::size_t at, std::string_view reason) noexcept {
  state_ = state::bad;
  return {step::kind::bad, at, {}, reason};
}

// One byte of anything but data. Empty: fine; else why it is not.
std::string_view chunk_decoder::take(char c) {
  switch (state_) {
    case state::size:
      return take_size(c);
    case state::extension:
      return take_extension(c);
    case state::size_lf:
      return take_size_end(c);
    case state::data_cr:
      return expect(c, '\r', state::data_lf, "A chunk is longer than its size; CR LF is expected.");
    case state::data_lf:
      return expect(c, '\n', state::size, "A CR without LF stands after a chunk's data.");
    case state::trailer_start:
    case state::trailer:
      return take_trailer(c);
    case state::trailer_lf:
      return expect(c, '\n', state::trailer_start, "A CR without LF stands in the trailers.");
    case state::end_lf:
      return expect(c, '\n', state::done, "A CR without LF stands at the end of the chunks.");
    default:
      return "The chunked body was bad already.";
  }
}

std::string_view chunk_decoder::expect(char c, char wanted, state then, std::string_view reason) {
  if (c != wanted) return reason;
  state_ = then;
  if (then == state::size) line_bytes_ = digits_ = 0;
  return {};
}

// 1*HEXDIG, at most 16 of them and below 2^63. RFC 9112 §7.1.1 allows blanks before an extension's
// ';', but nobody sends them and parsers disagree on them: they are refused.
std::string_view chunk_decoder::take_size(char c) {
  ++line_bytes_;
  const int value = hex_value(c);
  if (value >= 0) {
    if (++digits_ > size_digits_max || (left_ >> 59) != 0)
      return "A chunk size is too large; below 2^63 in at most 16 digits is expected.";
    left_ = left_ * 16 + static_cast<unsigned>(value);
    return {};
  }
  if (digits_ == 0) return "A chunk does not start with its size in hexadecimal digits.";
  if (c != '\r' && c != ';') return "A chunk size is followed by something else than CR LF or ';'.";
  state_ = c == '\r' ? state::size_lf : state::extension;
  return {};
}

std::string_view chunk_decoder::take_extension(char c) {
  if (++line_bytes_ > limits_.line_bytes_max) {
    hit_ = chunk_limit::line;
    return "A chunk's extensions are longer than the limit.";
  }
  if (c == '\r') {
    state_ = state::size_lf;
    return {};
  }
  return is(c, char_class::value) ? std::string_view{}
                                  : "A chunk's extensions hold a control character.";
}

std::string_view chunk_decoder::take_size_end(char c) {
  return expect(c, '\n', left_ == 0 ? state::trailer_start : state::data,
                "A CR without LF stands after a chunk size.");
}

std::string_view chunk_decoder::take_trailer(char c) {
  if (++trailer_bytes_ > limits_.trailer_bytes_max) {
    hit_ = chunk_limit::trailer;
    return "The trailers are longer than the limit.";
  }
  if (state_ == state::trailer_start && c == '\r') {
    state_ = state::end_lf;
    return {};
  }
  if (state_ == state::trailer_start) in_name_ = true;
  state_ = state::trailer;
  if (in_name_) return take_trailer_name(c);
  if (c == '\r') state_ = state::trailer_lf;
  return c == '\r' || is(c, char_class::value) ? std::string_view{}
                                               : "The trailers hold a control character.";
}

std::string_view chunk_decoder::take_trailer_name(char c) {
  const bool first = trailer_name_bytes_ == 0;
  trailer_name_bytes_ = c == ':' ? 0 : trailer_name_bytes_ + 1;
  in_name_ = c != ':';
  const bool fits = c == ':' ? !first : is(c, char_class::token);
  return fits ? std::string_view{} : "The trailers hold a line that is no field.";
}

chunk_head make_chunk_head(std::uint64_t n) noexcept {
  chunk_head head{};
  char* const end = std::to_chars(head.text.data(), head.text.data() + 16, n, 16).ptr;
  end[0] = '\r';
  end[1] = '\n';
  head.size = static_cast<std::size_t>(end - head.text.data()) + 2;
  return head;
}

}  // namespace weir::http
