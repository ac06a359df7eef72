// Listening sockets. TCP ones are opened once per loop: the first takes the address for itself, so
// that a second process is refused, and is shared afterwards; the others join it by SO_REUSEPORT,
// and the kernel spreads connections. A unix socket is opened once. Options that accepted sockets
// inherit are set here.
#pragma once

#include <cstdint>
#include <string>

#include "base/result.hpp"
#include "net/socket_address.hpp"

namespace weir::net {

// A bound, listening, non-blocking descriptor. Error: what failed, naming the address.
// `joins`: it shares the address with sockets of this process that are shared already; else nobody
// may listen there.
base::result<int, std::string> open_listener(const socket_address& at, bool joins);

// Lets further sockets of this process join. Only now, not before listen(): any process of the same
// user could have joined in, and each would have got a part of the connections.
void share(int listener_fd);

// Where it really listens: the port that the kernel picked for port 0.
socket_address local_address(int fd);

// The file that binding a unix socket made; nothing for TCP. To be taken right after binding.
class socket_file {
 public:
  explicit socket_file(const socket_address& bound);
  // Unless another socket has taken the path meanwhile: a second weir, or this one anew.
  void remove() const;

 private:
  std::string path_;
  std::uint64_t device_ = 0, inode_ = 0;
  std::int64_t made_ns_ = 0;   // inodes are used again
};

struct accepted {
  int fd = -1;          // -1: none waits (or a passing error)
  socket_address peer;
  bool exhausted = false;   // out of descriptors or memory: try again later
};
accepted accept_one(int listener_fd);

}  // namespace weir::net
