#include "telemetry/json_text.hpp"

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "base/bytes.hpp"

namespace weir::telemetry {
namespace {

using base::each_byte;
constexpr std::uint64_t tops = each_byte(0x80);

// The top bit of some byte is set when one of eight bytes is a control character, a quote, a
// backslash, DEL or not ASCII (the "has less" and "has value" tricks of Bit Twiddling Hacks).
std::uint64_t special(std::uint64_t v) noexcept {
  const std::uint64_t quote = v ^ each_byte('"');
  const std::uint64_t backslash = v ^ each_byte('\\');
  const std::uint64_t del = v ^ each_byte(0x7f);
  constexpr std::uint64_t ones = each_byte(1);
  return ((v - each_byte(0x20)) | (quote - ones) | (backslash - ones) | (del - ones) | v) &
         tops;
}

bool is_special(char c) noexcept {
  const auto u = static_cast<unsigned char>(c);
  return u < 0x20 || u >= 0x7f || c == '"' || c == '\\';
}

// The last bytes of a plain text, by one word that overlaps what was copied before, or two halves
// of a short one; false: something in them needs an escape, or they are too few.
bool copy_tail(std::string_view in, char* out) noexcept {
  const std::size_t n = in.size();
  std::uint64_t eight;
  if (n >= 8) {
    std::memcpy(&eight, in.data() + n - 8, 8);
    if (special(eight) != 0) return false;
    std::memcpy(out + n - 8, &eight, 8);
    return true;
  }
  if (n < 4) return false;
  std::uint32_t first, last;
  std::memcpy(&first, in.data(), 4);
  std::memcpy(&last, in.data() + n - 4, 4);
  if (special(first | std::uint64_t{last} << 32) != 0) return false;
  std::memcpy(out, &first, 4);
  std::memcpy(out + n - 4, &last, 4);
  return true;
}

// Copies the plain run at the front of `in`, as far as `out` has room: by eights, then by one.
// Returns its size.
std::size_t copy_plain(std::string_view in, char* out, const char* end) noexcept {
  std::size_t n = 0;
  std::uint64_t eight;
  while (in.size() - n >= 8 && end - out - static_cast<std::ptrdiff_t>(n) >= 8) {
    std::memcpy(&eight, in.data() + n, 8);
    if (special(eight) != 0) break;
    std::memcpy(out + n, &eight, 8);
    n += 8;
  }
  const std::size_t until = std::min(in.size(), static_cast<std::size_t>(end - out));
  if (until - n < 8 && until == in.size() && copy_tail(in, out)) return in.size();
  for (; n < until && !is_special(in[n]); ++n) out[n] = in[n];
  return n;
}

struct piece {
  char text[6];
  std::uint8_t size;      // written
  std::uint8_t consumed;  // read
};

piece short_escape(char letter) noexcept { return {{'\\', letter}, 2, 1}; }

piece hex_escape(unsigned char c, std::uint8_t consumed) noexcept {
  static constexpr char hex[] = "0123456789abcdef";
  return {{'\\', 'u', '0', '0', hex[c >> 4], hex[c & 15]}, 6, consumed};
}

piece escape_ascii(unsigned char c) noexcept {
  switch (c) {
    case '"': return short_escape('"');
    case '\\': return short_escape('\\');
    case '\n': return short_escape('n');
    case '\r': return short_escape('r');
    case '\t': return short_escape('t');
    default: break;
  }
  if (c >= 0x20 && c != 0x7f) return {{static_cast<char>(c)}, 1, 1};
  return hex_escape(c, 1);
}

// The character at the front of `in`, escaped.
piece escape_one(std::string_view in) noexcept {
  const auto first = static_cast<unsigned char>(in.front());
  if (first < 0x80) return escape_ascii(first);
  const std::size_t n = utf8_length(in);
  if (n == 0) return {{'\\', 'u', 'f', 'f', 'f', 'd'}, 6, 1};
  const auto second = static_cast<unsigned char>(in[1]);
  if (first == 0xc2 && second < 0xa0) return hex_escape(second, 2);   // C1
  piece p{{}, static_cast<std::uint8_t>(n), static_cast<std::uint8_t>(n)};
  std::memcpy(p.text, in.data(), n);
  return p;
}

}  // namespace

// Table 3-7 of the Unicode standard: only the second byte's range depends on the first.
std::size_t utf8_length(std::string_view in) noexcept {
  const auto byte = [&](std::size_t i) { return static_cast<unsigned char>(in[i]); };
  const unsigned first = byte(0);
  if (first < 0x80) return 1;
  if (first < 0xc2 || first > 0xf4) return 0;
  const std::size_t n = first < 0xe0 ? 2 : first < 0xf0 ? 3 : 4;
  if (in.size() < n) return 0;
  const unsigned low = first == 0xe0 ? 0xa0 : first == 0xf0 ? 0x90 : 0x80;
  const unsigned high = first == 0xed ? 0x9f : first == 0xf4 ? 0x8f : 0xbf;
  if (byte(1) < low || byte(1) > high) return 0;
  for (std::size_t i = 2; i < n; ++i)
    if ((byte(i) & 0xc0) != 0x80) return 0;
  return n;
}

char* escape_json(std::string_view in, char* out, char* end) noexcept {
  while (!in.empty()) {
    const std::size_t plain = copy_plain(in, out, end);
    out += plain;
    in.remove_prefix(plain);
    if (in.empty()) break;
    const piece p = escape_one(in);
    if (end - out < p.size) break;
    for (unsigned i = 0; i < p.size; ++i) *out++ = p.text[i];
    in.remove_prefix(p.consumed);
  }
  return out;
}

void append_json_string(std::string& out, std::string_view in) {
  const std::size_t before = out.size();
  out.resize(before + 2 + 6 * in.size());
  char* at = out.data() + before;
  *at++ = '"';
  at = escape_json(in, at, at + 6 * in.size());
  *at++ = '"';
  out.resize(static_cast<std::size_t>(at - out.data()));
}

}  // namespace weir::telemetry
