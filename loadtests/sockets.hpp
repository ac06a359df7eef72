// What the load generator and the worker share of the kernel: the monotonic clock, descriptors,
// non-blocking loopback sockets and an edge-triggered epoll set. Everything runs on one thread.
// What cannot be gone on from (no sockets left, say) ends the program with exit code 2.
#pragma once

#include <netinet/in.h>
#include <sys/epoll.h>

#include <cstdint>
#include <span>
#include <string>
#include <utility>

namespace weir::load {

using nanos = std::int64_t;
inline constexpr nanos second = 1'000'000'000;
inline constexpr nanos millisecond = 1'000'000;
inline constexpr nanos microsecond = 1'000;
inline constexpr std::size_t block_bytes = 1 << 20;

/// CLOCK_MONOTONIC, in nanoseconds.
nanos monotonic_now();

/// Prints `what` with errno's meaning and exits with 2.
[[noreturn]] void die(const std::string& what);

/// One mapped block of `block_bytes` letters, from which every body is sent.
const char* shared_block();

/// As many descriptors as the machine allows this process.
void raise_descriptor_limit();

/// Owns a descriptor.
class descriptor {
 public:
  descriptor() = default;
  explicit descriptor(int number) : number_(number) {}
  descriptor(descriptor&& other) noexcept : number_(std::exchange(other.number_, -1)) {}
  descriptor& operator=(descriptor&& other) noexcept {
    std::swap(number_, other.number_);
    return *this;
  }
  ~descriptor() { reset(); }

  int number() const { return number_; }
  explicit operator bool() const { return number_ >= 0; }
  void reset();

 private:
  int number_ = -1;
};

/// 127.0.0.1:`port`, with the port 0 for one that the kernel picks.
sockaddr_in loopback(std::uint16_t port);
descriptor listen_on(const sockaddr_in& at);
std::uint16_t port_of(int socket);

/// Begins to connect. `source` is the last part of the client's address 127.0.1.x, so that many
/// short connections do not run out of ports; 0: the kernel's choice. Empty when refused at once.
descriptor begin_connect(const sockaddr_in& to, unsigned source);

/// The pending error of a socket; 0 when there is none.
int socket_error(int socket);

/// Reads and forgets up to `most` bytes of a TCP socket without copying them; as recv otherwise.
ssize_t forget_bytes(int socket, std::size_t most);

/// Makes the next close a reset.
void close_hard(int socket);

class poller {
 public:
  poller();
  /// Edge-triggered, for reading, writing and hang-up.
  void watch(int fd, std::uint64_t token);
  /// Level-triggered, for reading: listeners and standard input. False: always readable.
  bool watch_readable(int fd, std::uint64_t token);
  /// What happened within `patience` nanoseconds.
  std::span<epoll_event> wait(nanos patience);

 private:
  bool add(int fd, std::uint32_t events, std::uint64_t token);

  descriptor set_;
  epoll_event events_[256];
};

}  // namespace weir::load
