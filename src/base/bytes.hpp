// Eight bytes as one number, for loops that look at a word of text at a time: those of the access
// log and of batch ids. Pure functions; any thread.
#pragma once

#include <cstdint>

namespace weir::base {

// That byte in each of the eight.
constexpr std::uint64_t each_byte(std::uint8_t byte) noexcept {
  return 0x0101010101010101ull * byte;
}

}  // namespace weir::base
