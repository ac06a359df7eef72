// How tenants, and groups within a tenant, are told apart in core: by a number made of the name.
// For requests that wait and for durable batches alike, with the same seed. Pure.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::proxy {

inline constexpr std::string_view group_field = "Weir-Group";

// FNV-1a over a secret seed: tenants are spread over core's table, and strangers cannot aim. 0 for
// the anonymous one alone.
inline std::uint64_t tenant_hash(std::string_view name, std::uint64_t seed) noexcept {
  if (name.empty()) return 0;
  std::uint64_t h = 0xcbf29ce484222325ull ^ seed;
  for (const char c : name) h = (h ^ static_cast<unsigned char>(c)) * 0x100000001b3ull;
  h ^= h >> 32;
  return h ? h : 1;
}

}  // namespace weir::proxy
