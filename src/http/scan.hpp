// The loops that parsing a head spends its time in: how far a run of name, value or target bytes
// goes. Sixteen bytes at once where SSE2 is (all of x86-64), else word- or bytewise with the same
// answers. Called by the parsers of this room only. Nothing here reads outside [at, end).
#pragma once

#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include <bit>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "http/chars.hpp"

namespace weir::http {

// Eight bytes at once, in memory order.
inline std::uint64_t load8(const char* at) noexcept {
  std::uint64_t word;
  std::memcpy(&word, at, sizeof word);
  return word;
}

// The first byte that is not of that class, or end. Four at a time, for the sake of the bound.
inline const char* skip(const char* at, const char* end, std::uint8_t bits) noexcept {
  for (; end - at >= 4; at += 4) {
    if (!is(at[0], bits)) return at;
    if (!is(at[1], bits)) return at + 1;
    if (!is(at[2], bits)) return at + 2;
    if (!is(at[3], bits)) return at + 3;
  }
  while (at != end && is(*at, bits)) ++at;
  return at;
}

#if defined(__SSE2__)

inline __m128i load16(const char* at) noexcept {
  return _mm_loadu_si128(reinterpret_cast<const __m128i*>(at));
}
// All ones in each byte that is low <= byte <= high, unsigned.
inline __m128i within(__m128i bytes, char low, char high) noexcept {
  const __m128i raised = _mm_max_epu8(bytes, _mm_set1_epi8(low));
  return _mm_cmpeq_epi8(_mm_min_epu8(raised, _mm_set1_epi8(high)), bytes);
}
// How many of the first bytes are set in a mask; 16 when all are.
inline int leading_ones(__m128i mask) noexcept {
  return std::countr_one(static_cast<unsigned>(_mm_movemask_epi8(mask)));
}

// The first byte that is not a letter, a digit or '-', or some byte before it near the end.
inline const char* skip_common_name(const char* at, const char* end) noexcept {
  while (end - at >= 16) {
    const __m128i bytes = load16(at);
    const __m128i letters = within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i others = _mm_or_si128(within(bytes, '0', '9'), within(bytes, '-', '-'));
    const int run = leading_ones(_mm_or_si128(letters, others));
    at += run;
    if (run < 16) break;
  }
  return at;
}

// The first byte that cannot be part of a field value, or some byte before it near the end.
inline const char* skip_common_value(const char* at, const char* end) noexcept {
  while (end - at >= 16) {
    const __m128i bytes = load16(at);
    const __m128i text = _mm_or_si128(within(bytes, 0x20, 0x7e), within(bytes, '\t', '\t'));
    const int run = leading_ones(_mm_or_si128(text, within(bytes, '\x80', '\xff')));
    at += run;
    if (run < 16) break;
  }
  return at;
}

#else

inline const char* skip_common_name(const char* at, const char*) noexcept {
  return at;
}

// Word-wise: "has a byte less than n" has no false hits below the first true one.
inline const char* skip_common_value(const char* at, const char* end) noexcept {
  constexpr std::uint64_t ones = 0x0101010101010101ull, high = ones * 0x80;
  for (; end - at >= 8; at += 8) {
    const std::uint64_t word = load8(at), del = word ^ (ones * 0x7f);
    if (((((word - ones * 0x20) & ~word) | ((del - ones) & ~del)) & high) != 0) break;
  }
  return at;
}

#endif

// The first byte that is not a tchar other than '_', or end.
inline const char* skip_name(const char* at, const char* end) noexcept {
  at = skip_common_name(at, end);
  return at != end && *at == ':' ? at : skip(at, end, char_class::plain);
}

// The first byte that cannot be part of a field value (a control character but HTAB), or end.
inline const char* skip_value(const char* at, const char* end) noexcept {
  at = skip_common_value(at, end);
  return at != end && *at == '\r' ? at : skip(at, end, char_class::value);
}

}  // namespace weir::http
