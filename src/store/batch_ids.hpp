// The public form of a durable batch's id: 32 hexadecimal digits, in addresses, fields and JSON.
// Pure; whoever speaks of batches to others uses it.
#pragma once

#include <array>
#include <optional>
#include <string_view>

#include "store/records.hpp"

namespace weir::store {

inline std::array<char, 32> hex_of(const batch_id& id) noexcept {
  constexpr std::string_view digits = "0123456789abcdef";
  std::array<char, 32> text;
  for (std::size_t i = 0; i < id.size(); ++i) {
    text[2 * i] = digits[id[i] >> 4];
    text[2 * i + 1] = digits[id[i] & 15];
  }
  return text;
}

inline int hex_value(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// Nothing unless it is exactly 32 lower-case digits: one address a batch.
inline std::optional<batch_id> parse_batch_id(std::string_view text) noexcept {
  batch_id id{};
  if (text.size() != 2 * id.size()) return std::nullopt;
  for (std::size_t i = 0; i < id.size(); ++i) {
    const int high = hex_value(text[2 * i]), low = hex_value(text[2 * i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    id[i] = static_cast<unsigned char>(high << 4 | low);
  }
  return id;
}

}  // namespace weir::store
