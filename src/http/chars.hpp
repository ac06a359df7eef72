// Character classes of RFC 9110 §5.6 and RFC 9112 §3 as one table, and small questions about text
// that build on it. Called by the parsers of this room only. Pure functions.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string_view>

namespace weir::http {

namespace char_class {
inline constexpr std::uint8_t token = 1;   // tchar
inline constexpr std::uint8_t target = 2;  // visible ASCII but '#'
inline constexpr std::uint8_t value = 4;   // HTAB, SP, visible ASCII, obs-text
inline constexpr std::uint8_t digit = 8;
inline constexpr std::uint8_t hex = 16;
inline constexpr std::uint8_t host = 32;   // of a name or IPv4 address in an authority
inline constexpr std::uint8_t plain = 64;  // tchar but '_'
}  // namespace char_class

constexpr std::array<std::uint8_t, 256> make_char_table() {
  std::array<std::uint8_t, 256> table{};
  const auto mark = [&table](std::string_view chars, std::uint8_t bits) {
    for (const char c : chars) table[static_cast<unsigned char>(c)] |= bits;
  };
  for (unsigned c = 0x20; c < 256; ++c) table[c] |= c == 0x7f ? 0 : char_class::value;
  for (unsigned c = 0x21; c < 0x7f; ++c) table[c] |= c == '#' ? 0 : char_class::target;
  mark("\t", char_class::value);
  constexpr std::string_view alphanumeric =
      "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789";
  mark("0123456789", char_class::digit);
  mark("0123456789abcdefABCDEF", char_class::hex);
  mark(alphanumeric, char_class::token | char_class::plain | char_class::host);
  mark("-.~", char_class::token | char_class::plain | char_class::host);
  mark("!#$%&'*+^`|", char_class::token | char_class::plain);
  mark("_", char_class::token | char_class::host);
  return table;
}
inline constexpr std::array<std::uint8_t, 256> char_table = make_char_table();

constexpr std::uint8_t class_of(char c) noexcept {
  return char_table[static_cast<unsigned char>(c)];
}
constexpr bool is(char c, std::uint8_t bits) noexcept {
  return (class_of(c) & bits) != 0;
}

// Every character is of that class; true for empty text.
constexpr bool all(std::string_view text, std::uint8_t bits) noexcept {
  for (const char c : text)
    if (!is(c, bits)) return false;
  return true;
}
constexpr bool is_token(std::string_view text) noexcept {
  return !text.empty() && all(text, char_class::token);
}
constexpr bool is_blank(char c) noexcept {
  return c == ' ' || c == '\t';
}

// Without blanks (SP, HTAB) at both ends.
constexpr std::string_view trimmed(std::string_view text) noexcept {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// Takes the next element off a comma-separated list (RFC 9110 §5.6.1), trimmed, maybe empty.
// Commas in quoted strings are not understood. The list's data() is null after the last element.
constexpr std::string_view next_element(std::string_view& list) noexcept {
  const std::size_t comma = list.find(',');
  const std::string_view element = trimmed(list.substr(0, comma));
  list = comma == std::string_view::npos ? std::string_view{} : list.substr(comma + 1);
  return element;
}

}  // namespace weir::http
