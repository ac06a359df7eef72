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
// All ones in each byte that is low <= byte <= high, all three ASCII: one wrapping addition moves
// the range to the top of the signed numbers.
inline __m128i within(__m128i bytes, char low, char high) noexcept {
  const __m128i moved = _mm_add_epi8(bytes, _mm_set1_epi8(static_cast<char>(127 - high)));
  return _mm_cmpgt_epi8(moved, _mm_set1_epi8(static_cast<char>(126 - (high - low))));
}
inline unsigned bits_of(__m128i mask) noexcept {
  return static_cast<unsigned>(_mm_movemask_epi8(mask));
}

// The first byte that is not a letter, a digit or '-', or some byte before it near the end.
inline const char* skip_common_name(const char* at, const char* end) noexcept {
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = load16(at);
    const __m128i letters = within(_mm_or_si128(bytes, _mm_set1_epi8(0x20)), 'a', 'z');
    const __m128i others =
        _mm_or_si128(within(bytes, '0', '9'), _mm_cmpeq_epi8(bytes, _mm_set1_epi8('-')));
    const unsigned run = bits_of(_mm_or_si128(letters, others));
    if (run != 0xffff) return at + std::countr_one(run);
  }
  return at;
}

// The first control character, HTAB too, or some byte before it near the end.
inline const char* skip_common_value(const char* at, const char* end) noexcept {
  for (; end - at >= 16; at += 16) {
    const __m128i bytes = load16(at);
    const __m128i low = _mm_cmpeq_epi8(_mm_min_epu8(bytes, _mm_set1_epi8(0x1f)), bytes);
    const unsigned hits = bits_of(_mm_or_si128(low, _mm_cmpeq_epi8(bytes, _mm_set1_epi8(0x7f))));
    if (hits != 0) return at + std::countr_zero(hits);
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
