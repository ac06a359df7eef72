// A socket address as the kernel takes it: TCP over v4 or v6, or a unix path. Plain
// value, any thread; names are not looked up here.
#pragma once

#include <sys/socket.h>

#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.hpp"

namespace weir::net {

struct socket_address {
  sockaddr_storage storage{};
  socklen_t size = 0;

  int family() const noexcept { return storage.ss_family; }
  const sockaddr* data() const noexcept { return reinterpret_cast<const sockaddr*>(&storage); }
  sockaddr* data() noexcept { return reinterpret_cast<sockaddr*>(&storage); }
  bool operator==(const socket_address& other) const noexcept;

  // A numeric address without brackets ("127.0.0.1", "::1") and a port. Error: not numeric.
  static base::result<socket_address> ip(std::string_view address, std::uint16_t port);
  static base::result<socket_address> unix_path(std::string_view path);   // error: too long
};

std::string address_text(const socket_address&);   // "192.0.2.7", "2001:db8::1" or "unix"
std::string to_string(const socket_address&);      // "192.0.2.7:80", "[::1]:80" or "unix:/path"
std::uint16_t port_of(const socket_address&) noexcept;
// Whether listening on one takes the other's connections too: the same address and port, or one of
// them is all addresses ("0.0.0.0", "::").
bool overlap(const socket_address& a, const socket_address& b) noexcept;

}  // namespace weir::net
