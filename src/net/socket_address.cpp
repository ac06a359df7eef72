#include "net/socket_address.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <sys/un.h>

#include <cstddef>
#include <cstring>

namespace weir::net {
namespace {

base::error_code error(boost::system::errc::errc_t e) {
  return boost::system::errc::make_error_code(e);
}

const sockaddr_in& v4(const socket_address& e) {
  return reinterpret_cast<const sockaddr_in&>(e.storage);
}
const sockaddr_in6& v6(const socket_address& e) {
  return reinterpret_cast<const sockaddr_in6&>(e.storage);
}

bool is_any(const socket_address& e) {
  if (e.family() == AF_INET) return v4(e).sin_addr.s_addr == htonl(INADDR_ANY);
  return e.family() == AF_INET6 && IN6_IS_ADDR_UNSPECIFIED(&v6(e).sin6_addr);
}

}  // namespace

bool socket_address::operator==(const socket_address& other) const noexcept {
  return size == other.size && std::memcmp(&storage, &other.storage, size) == 0;
}

base::result<socket_address> socket_address::ip(std::string_view address, std::uint16_t port) {
  const std::string text(address);
  socket_address e;
  auto& four = reinterpret_cast<sockaddr_in&>(e.storage);
  auto& six = reinterpret_cast<sockaddr_in6&>(e.storage);
  if (inet_pton(AF_INET, text.c_str(), &four.sin_addr) == 1) {
    four.sin_family = AF_INET;
    four.sin_port = htons(port);
    e.size = sizeof four;
    return e;
  }
  if (inet_pton(AF_INET6, text.c_str(), &six.sin6_addr) == 1) {
    six.sin6_family = AF_INET6;
    six.sin6_port = htons(port);
    e.size = sizeof six;
    return e;
  }
  return error(boost::system::errc::invalid_argument);
}

base::result<socket_address> socket_address::unix_path(std::string_view path) {
  socket_address e;
  auto& un = reinterpret_cast<sockaddr_un&>(e.storage);
  if (path.empty() || path.size() >= sizeof un.sun_path)
    return error(boost::system::errc::filename_too_long);
  un.sun_family = AF_UNIX;
  std::memcpy(un.sun_path, path.data(), path.size());
  e.size = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + path.size() + 1);
  return e;
}

std::string address_text(const socket_address& e) {
  char text[INET6_ADDRSTRLEN] = "unix";
  if (e.family() == AF_INET) inet_ntop(AF_INET, &v4(e).sin_addr, text, sizeof text);
  if (e.family() == AF_INET6) inet_ntop(AF_INET6, &v6(e).sin6_addr, text, sizeof text);
  return text;
}

std::uint16_t port_of(const socket_address& e) noexcept {
  if (e.family() == AF_INET) return ntohs(v4(e).sin_port);
  return e.family() == AF_INET6 ? ntohs(v6(e).sin6_port) : 0;
}

bool overlap(const socket_address& a, const socket_address& b) noexcept {
  if (a == b) return true;
  const bool ports_differ = port_of(a) != port_of(b) || port_of(a) == 0;
  return !ports_differ && (is_any(a) || is_any(b));
}

std::string to_string(const socket_address& e) {
  if (e.family() == AF_INET) return address_text(e) + ":" + std::to_string(port_of(e));
  if (e.family() == AF_INET6) return "[" + address_text(e) + "]:" + std::to_string(port_of(e));
  return std::string("unix:") + reinterpret_cast<const sockaddr_un&>(e.storage).sun_path;
}

}  // namespace weir::net
