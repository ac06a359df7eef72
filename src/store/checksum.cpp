#include "store/checksum.hpp"

#include <zlib.h>

#include <bit>

namespace weir::store {

checksum& checksum::bytes(std::string_view raw) noexcept {
  if (raw.empty()) return *this;   // zlib starts over when it is given no address
  const auto* const at = reinterpret_cast<const unsigned char*>(raw.data());
  value_ = static_cast<std::uint32_t>(::crc32_z(value_, at, raw.size()));
  return *this;
}

checksum& checksum::text(std::string_view s) noexcept { return number(s.size()).bytes(s); }

checksum& checksum::number(std::uint64_t n) noexcept {
  char little[8];
  for (char& c : little) c = static_cast<char>(n & 0xff), n >>= 8;
  return bytes({little, sizeof little});
}

checksum& checksum::real(double d) noexcept { return number(std::bit_cast<std::uint64_t>(d)); }

}  // namespace weir::store
