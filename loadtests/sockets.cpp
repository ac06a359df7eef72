#include "sockets.hpp"

#include <fcntl.h>
#include <netinet/tcp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>

namespace weir::load {

nanos monotonic_now() {
  timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return t.tv_sec * second + t.tv_nsec;
}

void die(const std::string& what) {
  std::fprintf(stderr, "%s: %s\n", what.c_str(), std::strerror(errno));
  std::exit(2);
}

const char* shared_block() {
  static const char* const block = [] {
    constexpr int kind = MAP_PRIVATE | MAP_ANONYMOUS;
    void* at = mmap(nullptr, block_bytes, PROT_READ | PROT_WRITE, kind, -1, 0);
    if (at == MAP_FAILED) die("mmap");
    return static_cast<const char*>(std::memset(at, 'w', block_bytes));
  }();
  return block;
}

void raise_descriptor_limit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) die("getrlimit");
  limit.rlim_cur = limit.rlim_max;
  if (setrlimit(RLIMIT_NOFILE, &limit) != 0) die("setrlimit");
}

void descriptor::reset() {
  if (number_ >= 0) close(number_);
  number_ = -1;
}

sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in at{};
  at.sin_family = AF_INET;
  at.sin_port = htons(port);
  at.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return at;
}

static descriptor tcp_socket() {
  descriptor fd(socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (!fd) die("socket");
  return fd;
}

static void set_option(int fd, int level, int name, int value) {
  if (setsockopt(fd, level, name, &value, sizeof value) != 0) die("setsockopt");
}

descriptor listen_on(const sockaddr_in& at) {
  descriptor fd = tcp_socket();
  set_option(fd.number(), SOL_SOCKET, SO_REUSEADDR, 1);
  set_option(fd.number(), IPPROTO_TCP, TCP_NODELAY, 1);  // the accepted ones inherit it
  if (bind(fd.number(), reinterpret_cast<const sockaddr*>(&at), sizeof at) != 0) die("bind");
  if (listen(fd.number(), 4096) != 0) die("listen");
  return fd;
}

std::uint16_t port_of(int socket) {
  sockaddr_in at{};
  socklen_t size = sizeof at;
  if (getsockname(socket, reinterpret_cast<sockaddr*>(&at), &size) != 0) die("getsockname");
  return ntohs(at.sin_port);
}

static void bind_source(int fd, unsigned source) {
  sockaddr_in from = loopback(0);
  from.sin_addr.s_addr = htonl((127u << 24) | (1u << 8) | source);
  set_option(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, 1);
  if (bind(fd, reinterpret_cast<const sockaddr*>(&from), sizeof from) != 0) die("bind");
}

descriptor begin_connect(const sockaddr_in& to, unsigned source) {
  descriptor fd = tcp_socket();
  set_option(fd.number(), IPPROTO_TCP, TCP_NODELAY, 1);
  if (source != 0) bind_source(fd.number(), source);
  const int rc = connect(fd.number(), reinterpret_cast<const sockaddr*>(&to), sizeof to);
  if (rc != 0 && errno != EINPROGRESS) return descriptor();
  return fd;
}

int socket_error(int socket) {
  int error = 0;
  socklen_t size = sizeof error;
  if (getsockopt(socket, SOL_SOCKET, SO_ERROR, &error, &size) != 0) return errno;
  return error;
}

ssize_t forget_bytes(int socket, std::size_t most) {
  // Bare: with MSG_TRUNC the kernel writes to no buffer (tcp(7)), which sanitizers do not know.
  return syscall(SYS_recvfrom, socket, nullptr, most, MSG_TRUNC, nullptr, nullptr);
}

void close_hard(int socket) {
  const linger now{1, 0};
  setsockopt(socket, SOL_SOCKET, SO_LINGER, &now, sizeof now);
}

poller::poller() : set_(epoll_create1(EPOLL_CLOEXEC)) {
  if (!set_) die("epoll_create1");
  prctl(PR_SET_TIMERSLACK, 1);  // arrivals are due to the microsecond; the default slack is 50
}

bool poller::add(int fd, std::uint32_t events, std::uint64_t token) {
  epoll_event event{};
  event.events = events;
  event.data.u64 = token;
  return epoll_ctl(set_.number(), EPOLL_CTL_ADD, fd, &event) == 0;
}

void poller::watch(int fd, std::uint64_t token) {
  if (!add(fd, EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET, token)) die("epoll_ctl");
}

bool poller::watch_readable(int fd, std::uint64_t token) { return add(fd, EPOLLIN, token); }

std::span<epoll_event> poller::wait(nanos patience) {
  patience = std::max<nanos>(patience, 0);
  const timespec timeout{patience / second, patience % second};
  const int count = epoll_pwait2(set_.number(), events_, std::size(events_), &timeout, nullptr);
  if (count < 0 && errno != EINTR) die("epoll_pwait2");
  return {events_, static_cast<std::size_t>(std::max(count, 0))};
}

}  // namespace weir::load
