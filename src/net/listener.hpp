// Listening sockets. TCP ones are opened once per loop with SO_REUSEPORT, so that the kernel
// spreads connections; a unix socket is opened once. Options that accepted sockets inherit are set
// here.
#pragma once

#include <string>

#include "base/result.hpp"
#include "net/socket_address.hpp"

namespace weir::net {

// A bound, listening, non-blocking descriptor. Error: what failed, naming the address.
base::result<int, std::string> open_listener(const socket_address& at, bool reuse_port);

// Where it really listens: the port that the kernel picked for port 0.
socket_address local_address(int fd);

struct accepted {
  int fd = -1;          // -1: none waits (or a passing error)
  socket_address peer;
  bool exhausted = false;   // out of descriptors or memory: try again later
};
accepted accept_one(int listener_fd);

}  // namespace weir::net
