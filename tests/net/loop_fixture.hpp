// A loop that the test's own thread runs until what it waits for has happened, and connected pairs
// of sockets to put on it. One run() a fixture: a stopped loop stays stopped.
#pragma once

#include <fcntl.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <functional>
#include <string>

#include "net/loop.hpp"
#include "net/socket.hpp"
#include "net/task.hpp"

namespace weir::test {

struct loop_fixture {
  net::loop loop{0};

  // Runs the loop until `body` has ended.
  void run(net::task<void> body) {
    net::spawn(until_stopped(std::move(body)));
    loop.run();
  }

 private:
  net::task<void> until_stopped(net::task<void> body) {
    co_await std::move(body);
    loop.stop();
  }
};

// Turns the loop until the condition holds; fails the test after a minute.
inline net::task<void> turn_until(net::loop& l, std::function<bool()> holds) {
  const auto limit = net::loop::read_clock() + std::chrono::minutes(1);
  while (!holds()) {
    REQUIRE(net::loop::read_clock() < limit);
    co_await net::yield{l};
  }
}

// A task made of a plain call, for tests that only need to be on the loop.
inline net::task<void> as_task(std::function<void()> what) {
  what();
  co_return;
}

// Two ends of a stream; `near` and `far` are non-blocking.
struct socket_pair {
  explicit socket_pair(int buffer_bytes = 0) {
    std::array<int, 2> fds;
    REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds.data()) == 0);
    near = fds[0], far = fds[1];
    for (const int fd : fds)
      if (buffer_bytes) {
        setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &buffer_bytes, sizeof buffer_bytes);
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &buffer_bytes, sizeof buffer_bytes);
      }
  }
  int near, far;
};

// The same over TCP on the loopback, where a peer can be reset.
struct tcp_pair {
  tcp_pair() {
    const int listener = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    sockaddr_in at{};
    at.sin_family = AF_INET;
    at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    socklen_t size = sizeof at;
    auto* address = reinterpret_cast<sockaddr*>(&at);
    REQUIRE(::bind(listener, address, size) == 0);
    REQUIRE(::listen(listener, 1) == 0);
    REQUIRE(::getsockname(listener, address, &size) == 0);
    near = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    REQUIRE(::connect(near, address, size) == 0);
    far = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
    REQUIRE(far >= 0);
    REQUIRE(::fcntl(near, F_SETFL, O_NONBLOCK) == 0);
    ::close(listener);
  }
  int near, far;
};

// Closes so that the peer sees a reset.
inline void reset(int fd) {
  const linger now{1, 0};
  setsockopt(fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  ::close(fd);
}

}  // namespace weir::test
