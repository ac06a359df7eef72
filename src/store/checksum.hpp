// CRC-32 (ISO 3309, zlib's) of what is stored: finds damage, not forgery. Numbers go in as eight
// little-endian bytes, texts with their size in front, so that no two records read alike.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::store {

class checksum {
 public:
  checksum& bytes(std::string_view raw) noexcept;     // as they are
  checksum& text(std::string_view s) noexcept;
  checksum& number(std::uint64_t n) noexcept;
  checksum& real(double d) noexcept;
  std::uint32_t value() const noexcept { return value_; }

 private:
  std::uint32_t value_ = 0;
};

}  // namespace weir::store
