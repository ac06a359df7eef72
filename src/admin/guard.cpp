#include "admin/guard.hpp"

#include <openssl/crypto.h>
#include <openssl/rand.h>
#include <openssl/sha.h>

#include <algorithm>
#include <array>
#include <optional>

#include "base/check.hpp"

namespace weir::admin {
namespace {

using base::ip_address;

template <std::size_t N>
bool in_any(const std::array<std::string_view, N>& ranges, const ip_address& a) {
  return std::any_of(ranges.begin(), ranges.end(), [&](std::string_view text) {
    const auto range = base::cidr::parse(text);
    return range && range->contains(a);
  });
}

// RFC 6890's special addresses that are no host's, and the clouds' metadata services outside them.
bool is_refused(const ip_address& a) {
  static constexpr std::array<std::string_view, 9> refused{
      "0.0.0.0/8",       "169.254.0.0/16", "224.0.0.0/3",  // multicast, reserved, broadcast
      "100.100.100.200", "192.0.0.192",                    // metadata: Alibaba, Oracle
      "::",              "fe80::/10",      "ff00::/8",     "fd00:ec2::254"};
  return in_any(refused, a);
}

ip_address v4_at(const ip_address& a, std::size_t offset) {
  ip_address v4;
  std::copy_n(a.bytes.begin() + static_cast<std::ptrdiff_t>(offset), 4, v4.bytes.begin());
  return v4;
}

// The IPv4 address that an IPv6 one leads to: compatible (RFC 4291 §2.5.5.1), NAT64 (RFC 6052),
// 6to4 (RFC 3056). Mapped ones are IPv4 already.
std::optional<ip_address> embedded_v4(const ip_address& a) {
  if (!a.v6) return {};
  static constexpr std::array<std::string_view, 2> in_last_bytes{"::/96", "64:ff9b::/96"};
  static constexpr std::array<std::string_view, 1> in_first_bytes{"2002::/16"};
  if (in_any(in_first_bytes, a)) return v4_at(a, 2);
  if (in_any(in_last_bytes, a) && !base::is_loopback(a)) return v4_at(a, 12);
  return {};
}

bool iequals(std::string_view a, std::string_view b) {
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), [](char x, char y) {
    return (x >= 'A' && x <= 'Z' ? x + 32 : x) == (y >= 'A' && y <= 'Z' ? y + 32 : y);
  });
}

// host of host[:port], brackets taken off.
std::string_view host_of(std::string_view authority) {
  if (authority.starts_with('[')) {
    const auto close = authority.find(']');
    return authority.substr(1, close == authority.npos ? 0 : close - 1);
  }
  return authority.substr(0, authority.find(':'));
}

}  // namespace

bool equal_secret(std::string_view given, std::string_view expected) noexcept {
  // Digests have one length, so that the comparison takes the same time wherever they differ.
  unsigned char a[SHA256_DIGEST_LENGTH], b[SHA256_DIGEST_LENGTH];
  ::SHA256(reinterpret_cast<const unsigned char*>(given.data()), given.size(), a);
  ::SHA256(reinterpret_cast<const unsigned char*>(expected.data()), expected.size(), b);
  return ::CRYPTO_memcmp(a, b, sizeof a) == 0 && !expected.empty();
}

std::string new_secret() {
  static constexpr char letters[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
  unsigned char bytes[43];
  WEIR_CHECK(::RAND_bytes(bytes, sizeof bytes) == 1);
  std::string out;
  for (const unsigned char b : bytes) out += letters[b & 63];   // 43 x 6 bits = 258
  return out;
}

bool is_loopback(std::string_view host) noexcept {
  if (host == "unix" || iequals(host, "localhost")) return true;
  const auto ip = base::parse_ip(host);
  return ip && base::is_loopback(*ip);
}

bool is_refused_address(std::string_view address) noexcept {
  const auto ip = base::parse_ip(address);
  if (!ip) return false;
  const auto inner = embedded_v4(*ip);
  return is_refused(*ip) || (inner && is_refused(*inner));
}

bool is_own_host(std::string_view host_field, std::string_view bound_host) {
  const std::string_view host = host_of(host_field);
  const auto named = base::parse_ip(host), bound = base::parse_ip(bound_host);
  if (is_loopback(host) && host != "unix") return true;
  if (!named || !bound) return false;
  const bool bound_to_all = bound->bytes == ip_address{}.bytes;
  return bound_to_all || *named == *bound;
}

bool is_same_origin(std::string_view origin, std::string_view host_field) {
  for (const std::string_view scheme : {"http://", "https://"})
    if (origin.starts_with(scheme)) return iequals(origin.substr(scheme.size()), host_field);
  return false;   // "null" of sandboxed pages included
}

base::result<address_guard> address_guard::make(const std::vector<std::string>& allow) {
  address_guard guard;
  for (const auto& text : allow) {
    const auto range = base::cidr::parse_masked(text);
    if (!range) return make_error_code(boost::system::errc::invalid_argument);
    guard.allow_.push_back(*range);
  }
  return guard;
}

bool address_guard::allowed(const ip_address& a) const {
  return std::any_of(allow_.begin(), allow_.end(), [&](const auto& c) { return c.contains(a); });
}

bool address_guard::permits_peer(std::string_view peer) const {
  if (allow_.empty() || peer == "unix") return true;
  const auto ip = base::parse_ip(peer);
  return ip && allowed(*ip);
}

bool address_guard::permits_worker(std::string_view address, std::string_view peer) const {
  const auto ip = base::parse_ip(address);
  if (!ip || is_refused_address(address)) return false;
  if (!allow_.empty()) return allowed(*ip);
  if (base::is_loopback(*ip)) return is_loopback(peer);
  const auto from = base::parse_ip(peer);
  return from && *from == *ip;
}

}  // namespace weir::admin
