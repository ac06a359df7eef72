// Who may talk to the admin surfaces, and which addresses a worker may register: tokens, Host and
// Origin (against DNS rebinding), CIDR lists, and the addresses that no worker may have. Pure
// functions over text; used by the server and by the app when it resolves a registered name.
#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"

namespace weir::admin {

// Compares in a time that depends on the lengths alone. An empty `expected` equals nothing.
bool equal_secret(std::string_view given, std::string_view expected) noexcept;

// 32 random bytes in base64url: for leases.
std::string new_secret();

// The literal address, without brackets, is loopback; "localhost" and "unix" are too.
bool is_loopback(std::string_view host) noexcept;

// True for addresses that no worker may have: unspecified, link-local, multicast, broadcast, and the
// metadata services of clouds (169.254.0.0/16, fe80::/10, fd00:ec2::254, 100.100.100.200), IPv4
// inside IPv6 included. Text that is no address is not refused here.
bool is_refused_address(std::string_view address) noexcept;

// The Host field (or Origin's authority) of a request is one this server goes by: a loopback name
// when it was reached over loopback, or the address it is bound to; any literal address when bound
// to all. A name that is none of these can only be someone else's page (DNS rebinding).
bool is_own_host(std::string_view host_field, std::string_view bound_host);

// Origin, when there is one, names the same host and port as Host.
bool is_same_origin(std::string_view origin, std::string_view host_field);

class address_guard {
 public:
  // Error: a CIDR that is none. `allow` empty: any peer may come, and registers itself alone (its
  // worker's address is the one it comes from).
  static base::result<address_guard> make(const std::vector<std::string>& allow);
  address_guard(address_guard&&) noexcept;
  address_guard& operator=(address_guard&&) noexcept;
  ~address_guard();

  // "unix" is a peer like loopback.
  bool permits_peer(std::string_view peer) const;
  // For a worker's literal or resolved address, registered by `peer`.
  bool permits_worker(std::string_view address, std::string_view peer) const;

 private:
  struct state;
  explicit address_guard(std::unique_ptr<state>);
  std::unique_ptr<state> s_;
};

}  // namespace weir::admin
