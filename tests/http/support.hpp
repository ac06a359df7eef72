// What the tests of heads share: reading a head whole, byte by byte and at random splits, always
// from exactly sized heap copies, so that a sanitizer sees any read beyond what was fed.
#pragma once

#include <algorithm>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <memory>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "http/head.hpp"

namespace weir::http {

using outcome_kind = parse_outcome::kind;

// Text with what cannot be seen written as escapes, for INFO.
inline std::string shown(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const auto code = static_cast<unsigned char>(c);
    if (code >= 0x20 && code < 0x7f) {
      out += c;
      continue;
    }
    constexpr std::string_view hex = "0123456789abcdef";
    out += "\\x";
    out += hex[code >> 4];
    out += hex[code & 15];
  }
  return out.size() > 400 ? out.substr(0, 400) + "…" : out;
}

// A copy of exactly that size on the heap; `text` must not be empty.
class exact_copy {
 public:
  explicit exact_copy(std::string_view text) : size_(text.size()), bytes_(new char[size_]) {
    std::copy(text.begin(), text.end(), bytes_.get());
  }
  std::string_view view() const { return {bytes_.get(), size_}; }

 private:
  std::size_t size_;
  std::unique_ptr<char[]> bytes_;
};

// Reads as a session would: what came so far is parsed again after each piece. The head's views
// are gone afterwards; only its plain members may be looked at.
// `cut(fed)` says up to where the next piece goes.
template <class Head, class Parse, class Cut>
parse_outcome read_in_pieces(std::string_view text, Head& head, Parse parse, Cut cut) {
  std::size_t scanned = 0;
  parse_outcome outcome;
  for (std::size_t fed = 0; fed < text.size();) {
    fed = std::min(text.size(), cut(fed));
    const exact_copy input(text.substr(0, fed));
    outcome = parse(input.view(), scanned, head);
    if (outcome.what != outcome_kind::need_more) break;
    CHECK(scanned <= fed);
  }
  return outcome;
}

inline auto request_parser(const head_limits& limits) {
  return [&limits](std::string_view input, std::size_t& scanned, request_head& head) {
    return parse_request(input, limits, scanned, head);
  };
}
inline auto response_parser(const head_limits& limits, bool to_head) {
  return [&limits, to_head](std::string_view input, std::size_t& scanned, response_head& head) {
    return parse_response(input, limits, scanned, to_head, head);
  };
}
inline auto whole(std::string_view text) {
  return [text](std::size_t) { return text.size(); };
}
inline auto byte_by_byte() {
  return [](std::size_t fed) { return fed + 1; };
}
inline auto random_pieces(base::random& random) {
  return [&random](std::size_t fed) { return fed + 1 + random.below(40); };
}

inline bool same(const parse_outcome& a, const parse_outcome& b) {
  return a.what == b.what && a.consumed == b.consumed && a.status == b.status &&
         a.reason == b.reason;
}

// The seed of a property test: WEIR_SEED, else a fixed one; printed when a check fails.
inline std::uint64_t seed_of_test() {
  const char* const given = std::getenv("WEIR_SEED");
  return given ? std::strtoull(given, nullptr, 10) : 20240607;
}

// The head, which must be complete; its views lie in `text`.
inline request_head request_of(std::string_view text, const head_limits& limits = {}) {
  request_head head;
  std::size_t scanned = 0;
  const parse_outcome outcome = parse_request(text, limits, scanned, head);
  INFO(shown(text) << " -> " << outcome.reason);
  REQUIRE(outcome.what == outcome_kind::complete);
  return head;
}
inline response_head response_of(std::string_view text, bool to_head = false) {
  response_head head;
  std::size_t scanned = 0;
  const parse_outcome outcome = parse_response(text, head_limits{}, scanned, to_head, head);
  INFO(shown(text) << " -> " << outcome.reason);
  REQUIRE(outcome.what == outcome_kind::complete);
  return head;
}

}  // namespace weir::http
