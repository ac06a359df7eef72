// The part of reading a head that requests and responses share: the field section and what its
// fields say about framing and the connection, checked strictly while it is walked (RFC 9112 §5,
// §6). One reader reads one prefix of the input: what is bad stays bad and what is complete stays
// complete for every longer input. Used by request.cpp and response.cpp only; lives on the stack.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string_view>
#include <vector>

#include "http/head.hpp"

namespace weir::http {

// True when input may hold a whole head now, or a line end that makes it bad, which was not seen up
// to `scanned`; else moves `scanned` on. Linear over all calls for one head.
bool head_may_end(std::string_view input, std::size_t& scanned) noexcept;

class head_reader {
 public:
  head_reader(std::string_view window, const head_limits& limits,
              std::vector<field>& fields) noexcept
      : begin_(window.data()),
        at_(begin_),
        end_(begin_ + window.size()),
        limits_(limits),
        fields_(fields) {}

  const parse_outcome& outcome() const noexcept { return outcome_; }

 protected:
  // Each reading step returns true to go on; false when outcome_ is final or more input is needed.
  bool fail(unsigned status, std::string_view reason) noexcept;
  bool need_more() noexcept { return false; }
  bool at_end() const noexcept { return at_ == end_; }
  std::size_t left() const noexcept { return static_cast<std::size_t>(end_ - at_); }

  bool expect_line_end() {
    if (left() < 2 || at_[0] != '\r' || at_[1] != '\n') return end_line_oddly();
    at_ += 2;
    return true;
  }
  bool read_fields();
  bool judge_coding(unsigned version_minor);
  bool keeps_alive(unsigned version_minor) const noexcept;
  void mark_named_by_connection() noexcept;
  void complete() noexcept;

  const char* const begin_;
  const char* at_;
  const char* const end_;
  const head_limits& limits_;
  std::vector<field>& fields_;
  parse_outcome outcome_;

  // What the fields said.
  std::uint64_t length_ = 0;
  bool has_length_ = false, has_coding_ = false, chunked_ = false;
  bool says_close_ = false, says_keep_alive_ = false, names_fields_ = false;
  bool other_expectation_ = false, expects_continue_ = false;
  bool has_cgi_names_ = false;
  unsigned hosts_ = 0, options_ = 0;
  std::string_view host_;

 private:
  bool end_line_oddly();
  bool read_field();
  bool read_name(field& f);
  bool read_value(field& f);
  bool bad_name(char found);
  bool take(field& f);
  bool take_length(std::string_view value);
  bool take_connection(std::string_view value);
  void take_expect(std::string_view value) noexcept;
  bool bad_coding(std::string_view reason) { return fail(400, reason); }
};

}  // namespace weir::http
