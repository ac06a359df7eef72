// Who may talk to the admin surfaces, and which addresses a worker may register: tokens, Host and
// Origin (against DNS rebinding), CIDR lists, and the addresses that no worker may have. Pure
// functions over text; used by the server and by the app when it resolves a registered name.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/cidr.hpp"
#include "base/result.hpp"

namespace weir::admin {

// Compares in a time that depends on the lengths alone. An empty `expected` equals nothing.
bool equal_secret(std::string_view given, std::string_view expected) noexcept;

// 32 random bytes in base64url: for leases.
std::string new_secret();

// A literal loopback address without brackets; "localhost" and "unix" are loopback too.
bool is_loopback(std::string_view host) noexcept;

// True for addresses that no worker may have: unspecified, link-local, multicast, broadcast, and
// the metadata services of clouds (169.254.0.0/16, fe80::/10, fd00:ec2::254, 100.100.100.200), IPv4
// inside IPv6 included. Text that is no address is not refused here.
bool is_refused_address(std::string_view address) noexcept;

// The Host field of a request is one that a server bound to that literal address goes by: the
// address itself, a loopback name, or any literal address when it is bound to all. A page of
// another site that had its name resolve to this server (DNS rebinding) sends that name.
bool is_own_host(std::string_view host_field, std::string_view bound_host);

// Origin, when there is one, names the same host and port as Host.
bool is_same_origin(std::string_view origin, std::string_view host_field);

class address_guard {
 public:
  // Error: a CIDR that is none. `allow` empty: any peer may come, and registers itself alone (its
  // worker's address is the one it comes from, or both are loopback).
  static base::result<address_guard> make(const std::vector<std::string>& allow);

  // "unix" may always come: who reaches the socket was let in by its file's permissions.
  bool permits_peer(std::string_view peer) const;
  // For a worker's literal or resolved address, registered by `peer`. Never a refused address.
  bool permits_worker(std::string_view address, std::string_view peer) const;

 private:
  bool allowed(const base::ip_address&) const;
  std::vector<base::cidr> allow_;
};

}  // namespace weir::admin
