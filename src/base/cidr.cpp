#include "base/cidr.hpp"

#include <arpa/inet.h>

#include <algorithm>
#include <charconv>
#include <cstring>

namespace weir::base {
namespace {

constexpr std::array<std::uint8_t, 12> mapped_prefix{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

unsigned width(const ip_address& a) noexcept {
  return a.v6 ? 128 : 32;
}

bool is_mapped(const ip_address& a) noexcept {
  return a.v6 && std::equal(mapped_prefix.begin(), mapped_prefix.end(), a.bytes.begin());
}

ip_address unmapped(const ip_address& a) noexcept {
  ip_address v4;
  std::copy_n(a.bytes.begin() + mapped_prefix.size(), 4, v4.bytes.begin());
  return v4;
}

ip_address masked(ip_address a, unsigned prefix) noexcept {
  for (unsigned bit = prefix; bit < 128; ++bit)
    a.bytes[bit / 8] &= static_cast<std::uint8_t>(~(0x80u >> (bit % 8)));
  return a;
}

// inet_pton wants a terminated string.
bool read_address(int family, std::string_view text, void* out) noexcept {
  std::array<char, INET6_ADDRSTRLEN + 1> buffer{};
  if (text.size() >= buffer.size() || text.find('\0') != text.npos) return false;
  std::memcpy(buffer.data(), text.data(), text.size());
  return inet_pton(family, buffer.data(), out) == 1;
}

// The address as written: a mapped one stays IPv6, so that a prefix can be counted over it.
std::optional<ip_address> parse_raw(std::string_view text) noexcept {
  ip_address a;
  a.v6 = text.find(':') != text.npos;
  if (!read_address(a.v6 ? AF_INET6 : AF_INET, text, a.bytes.data())) return {};
  return a;
}

std::optional<unsigned> parse_prefix(std::string_view text, unsigned most) noexcept {
  unsigned bits = 0;
  const auto [end, fault] = std::from_chars(text.data(), text.data() + text.size(), bits);
  const bool padded = text.size() > 1 && text.front() == '0';
  if (fault != std::errc{} || end != text.data() + text.size() || bits > most || padded) return {};
  return bits;
}

}  // namespace

std::optional<ip_address> parse_ip(std::string_view text) noexcept {
  const auto a = parse_raw(text);
  return a && is_mapped(*a) ? unmapped(*a) : a;
}

std::string to_string(const ip_address& address) {
  std::array<char, INET6_ADDRSTRLEN> buffer{};
  inet_ntop(address.v6 ? AF_INET6 : AF_INET, address.bytes.data(), buffer.data(), buffer.size());
  return buffer.data();
}

bool is_loopback(const ip_address& address) noexcept {
  if (!address.v6) return address.bytes[0] == 127;
  ip_address one{{}, true};
  one.bytes[15] = 1;
  return address == one;
}

std::optional<cidr> cidr::parse_masked(std::string_view text) noexcept {
  const auto slash = text.find('/');
  const auto address = parse_raw(text.substr(0, slash));
  if (!address) return {};
  std::optional<unsigned> prefix = width(*address);
  if (slash != text.npos) prefix = parse_prefix(text.substr(slash + 1), width(*address));
  if (!prefix) return {};
  cidr range;
  range.first_ = masked(*address, *prefix);
  range.prefix_ = *prefix;
  if (is_mapped(*address) && *prefix >= 96) {
    range.first_ = unmapped(range.first_);
    range.prefix_ = *prefix - 96;
  }
  return range;
}

std::optional<cidr> cidr::parse(std::string_view text) noexcept {
  const auto range = parse_masked(text);
  const auto address = parse_ip(text.substr(0, text.find('/')));
  if (!range || !address || range->first_ != *address) return {};
  return range;
}

bool cidr::contains(const ip_address& address) const noexcept {
  const ip_address plain = is_mapped(address) ? unmapped(address) : address;
  return plain.v6 == first_.v6 && masked(plain, prefix_) == first_;
}

std::string to_string(const cidr& range) {
  return to_string(range.first_) + "/" + std::to_string(range.prefix_);
}

}  // namespace weir::base
