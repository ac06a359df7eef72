// Address ranges in CIDR notation (RFC 4632, RFC 4291 §2.3), for lists of trusted or allowed peers.
// Plain values, any thread; parsing allocates nothing. An IPv4 address that arrives mapped into
// IPv6 (::ffff:a.b.c.d, RFC 4291 §2.5.5.2), as a dual-stack socket shows it, counts as IPv4; a
// range of one family never holds an address of the other.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace weir::base {

// An address without port; IPv4 stands in the first four bytes, the rest zero.
struct ip_address {
  std::array<std::uint8_t, 16> bytes{};
  bool v6 = false;
  bool operator==(const ip_address&) const = default;
};

// "192.0.2.7" or "2001:db8::1", without brackets, blanks or zone. Mapped addresses become IPv4.
std::optional<ip_address> parse_ip(std::string_view text) noexcept;
std::string to_string(const ip_address& address);

// 127.0.0.0/8 or ::1.
bool is_loopback(const ip_address& address) noexcept;

class cidr {
 public:
  // "10.0.0.0/8", or an address alone, which is a range of one. Nothing when the text is not one of
  // them, or when bits beyond the prefix are set ("10.0.0.1/8" is more likely a slip than a wish).
  static std::optional<cidr> parse(std::string_view text) noexcept;
  // As parse, but clears the bits beyond the prefix: what "10.0.0.1/8" most likely meant.
  static std::optional<cidr> parse_masked(std::string_view text) noexcept;

  bool contains(const ip_address& address) const noexcept;
  unsigned prefix() const noexcept { return prefix_; }
  bool operator==(const cidr&) const = default;
  friend std::string to_string(const cidr& range);

 private:
  ip_address first_;
  unsigned prefix_ = 0;
};
std::string to_string(const cidr& range);

}  // namespace weir::base
