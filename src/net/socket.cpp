#include "net/socket.hpp"

#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <sys/sendfile.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>

#include "net/file.hpp"

namespace weir::net {

call_hook before_kernel_call = nullptr;

namespace {

constexpr std::size_t flattened_bytes_max = 2048;

call_plan plan_of(kernel_call c) noexcept {
  return before_kernel_call ? before_kernel_call(c) : call_plan{};
}

// A connection that failed once has failed for good.
ssize_t break_off(int fd, int error) noexcept {
  ::shutdown(fd, SHUT_RDWR);
  errno = error;
  return -1;
}

// recv(2) and send(2) past the C library, which takes two atomic steps at each call so that threads
// can be cancelled there; nobody does. The sanitizers follow the bytes through the library's.
#if defined(WEIR_SANITIZED)
ssize_t receive(int fd, void* into, std::size_t n) noexcept { return ::recv(fd, into, n, 0); }
ssize_t send(int fd, const void* from, std::size_t n) noexcept {
  return ::send(fd, from, n, MSG_NOSIGNAL);
}
#else
ssize_t receive(int fd, void* into, std::size_t n) noexcept {
  return ::syscall(SYS_recvfrom, fd, into, n, 0, nullptr, nullptr);
}
ssize_t send(int fd, const void* from, std::size_t n) noexcept {
  return ::syscall(SYS_sendto, fd, from, n, MSG_NOSIGNAL, nullptr, 0);
}
#endif

// Copied behind one another; 0: they do not fit.
std::size_t flatten(std::span<const iovec> from, std::span<char> into) noexcept {
  std::size_t n = 0;
  for (const iovec& v : from) n += v.iov_len;
  if (n > into.size()) return 0;
  n = 0;
  for (const iovec& v : from) {
    std::memcpy(into.data() + n, v.iov_base, v.iov_len);
    n += v.iov_len;
  }
  return n;
}

// A head and a short body: one buffer costs the kernel less than a vector, the copy included.
ssize_t send(int fd, std::span<const iovec> from) noexcept {
  const call_plan plan = plan_of(kernel_call::send);
  if (plan.error) return break_off(fd, plan.error);
  if (from.size() == 1 || plan.bytes_max != unlimited)
    return send(fd, from[0].iov_base, std::min(from[0].iov_len, plan.bytes_max));
  std::array<char, flattened_bytes_max> flat;
  if (const std::size_t n = flatten(from, flat)) return send(fd, flat.data(), n);
  msghdr m{};
  m.msg_iov = const_cast<iovec*>(from.data());
  m.msg_iovlen = from.size();
  return ::sendmsg(fd, &m, MSG_NOSIGNAL);
}

int connect(int fd, const socket_address& to) noexcept {
  const call_plan plan = plan_of(kernel_call::connect);
  if (plan.error) return static_cast<int>(break_off(fd, plan.error));
  return ::connect(fd, to.data(), to.size);
}

base::error_code last_error() { return {errno, boost::system::system_category()}; }

io failed(base::error_code e) { return {io::kind::failed, 0, e}; }

// Which of the two a failed sendfile(2) blames: these say nothing of a socket.
bool blames_file(int error) noexcept {
  return error == EIO || error == EINVAL || error == EBADF || error == EOVERFLOW ||
         error == ESPIPE;
}

void set(int fd, int level, int option, int value) {
  setsockopt(fd, level, option, &value, sizeof value);
}

}  // namespace

void socket::open(loop& l, int fd) {
  loop_ = &l;
  watch_ = &l.add(fd);
}

io socket::try_read(std::span<char> into) { return tls_ ? read_tls(into) : read_plain(into); }

io socket::read_plain(std::span<char> into) {
  const call_plan plan = plan_of(kernel_call::receive);
  into = into.first(std::min(into.size(), plan.bytes_max));
  const int fd = watch_->fd;
  const ssize_t n =
      plan.error ? break_off(fd, plan.error) : receive(fd, into.data(), into.size());
  if (n > 0) {
    // A short read emptied the kernel's buffer, unless a FIN waits behind it.
    if (static_cast<std::size_t>(n) < into.size() && !watch_->peer_closed && !watch_->broken)
      watch_->readable = false;
    return {io::kind::done, static_cast<std::size_t>(n), {}};
  }
  if (n == 0) return {io::kind::end, 0, {}};
  if (errno == EINTR) return read_plain(into);
  if (errno != EAGAIN) return failed(last_error());
  watch_->readable = false;
  return {io::kind::blocked, 0, {}};
}

io socket::try_write(std::span<const iovec> from) {
  if (tls_) return write_tls(from);
  const ssize_t n = send(watch_->fd, from);
  if (n >= 0) return {io::kind::done, static_cast<std::size_t>(n), {}};
  if (errno == EINTR) return try_write(from);
  if (errno != EAGAIN) return failed(last_error());
  watch_->writable = false;
  return {io::kind::blocked, 0, {}};
}

// What splice(2) said; `ready` is the side of the socket that it used.
io socket::spliced(ssize_t n, bool& ready) {
  if (n > 0) return {io::kind::done, static_cast<std::size_t>(n), {}};
  if (n == 0) return {io::kind::end, 0, {}};
  if (errno != EAGAIN && errno != EINTR) return failed(last_error());
  ready = errno == EINTR;
  return {io::kind::blocked, 0, {}};
}

io socket::try_splice_in(pipe& to, std::size_t max) {
  const call_plan plan = plan_of(kernel_call::receive);
  const std::size_t room = std::min({max, to.capacity() - to.held, plan.bytes_max});
  const ssize_t n = plan.error ? break_off(watch_->fd, plan.error)
                               : ::splice(watch_->fd, nullptr, to.write_end(), nullptr, room,
                                          SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  const io r = spliced(n, watch_->readable);
  to.held += r.bytes;
  return r;
}

io socket::try_splice_out(pipe& from) {
  const call_plan plan = plan_of(kernel_call::send);
  const std::size_t bytes = std::min(from.held, plan.bytes_max);
  const ssize_t n = plan.error ? break_off(watch_->fd, plan.error)
                               : ::splice(from.read_end(), nullptr, watch_->fd, nullptr, bytes,
                                          SPLICE_F_MOVE | SPLICE_F_NONBLOCK);
  const io r = spliced(n, watch_->writable);
  from.held -= r.bytes;
  return r;
}

io socket::try_send_file(int file, std::uint64_t offset, std::size_t max) {
  const call_plan plan = plan_of(kernel_call::send);
  const file_call_plan reading = plan_of(file_call::read);
  if (reading.error) return {io::kind::end, 0, {}};
  const std::size_t bytes = std::min({max, plan.bytes_max, reading.bytes_max});
  auto at = static_cast<off_t>(offset);
  const ssize_t n = plan.error ? break_off(watch_->fd, plan.error)
                               : ::sendfile(watch_->fd, file, &at, bytes);
  if (n < 0 && blames_file(errno)) return {io::kind::end, 0, {}};
  return spliced(n, watch_->writable);
}

io socket::read_tls(std::span<char> into) {
  ERR_clear_error();
  const int n =
      SSL_read(tls_, into.data(), static_cast<int>(std::min(into.size(), std::size_t{1} << 30)));
  if (n > 0) return {io::kind::done, static_cast<std::size_t>(n), {}};
  return tls_outcome(n, true);
}

io socket::write_tls(std::span<const iovec> from) {
  // A record holds at most 16 KiB: larger runs are written as they are, small ones are gathered so
  // that a head and its body share a record and a segment.
  char gathered[16 * 1024];
  std::size_t size = 0;
  for (const iovec& v : from) {
    const std::size_t n = std::min(v.iov_len, sizeof gathered - size);
    std::copy_n(static_cast<const char*>(v.iov_base), n, gathered + size);
    size += n;
    if (size == sizeof gathered) break;
  }
  if (size == 0) return {};
  ERR_clear_error();
  const int n = SSL_write(tls_, gathered, static_cast<int>(size));
  if (n > 0) return {io::kind::done, static_cast<std::size_t>(n), {}};
  return tls_outcome(n, false);
}

io socket::tls_outcome(int returned, bool reading) {
  const int saved = errno;
  switch (SSL_get_error(tls_, returned)) {
    case SSL_ERROR_WANT_READ:
      watch_->readable = false;
      handshake_writes_ = false;
      if (!reading) {
        watch_->writable = false;
        watch_->crossed = true;
      }
      return {io::kind::blocked, 0, {}};
    case SSL_ERROR_WANT_WRITE:
      watch_->writable = false;
      handshake_writes_ = true;
      if (reading) {
        watch_->readable = false;
        watch_->crossed = true;
      }
      return {io::kind::blocked, 0, {}};
    case SSL_ERROR_ZERO_RETURN:
      return {io::kind::end, 0, {}};
    case SSL_ERROR_SYSCALL:
      tls_failed_ = true;
      if (saved) return failed({saved, boost::system::system_category()});
      return failed(make_error_code(boost::system::errc::connection_reset));
    default:
      tls_failed_ = true;
      return failed(make_error_code(boost::system::errc::protocol_error));
  }
}

io socket::try_handshake(bool as_client) {
  ERR_clear_error();
  const int n = as_client ? SSL_connect(tls_) : SSL_accept(tls_);
  if (n == 1) {
    watch_->readable = true;   // application data may already be behind the handshake
    return {};
  }
  return tls_outcome(n, true);
}

void socket::interrupt() noexcept {
  if (!watch_) return;
  interrupt_reader(*loop_, *watch_);
  interrupt_writer(*loop_, *watch_);
}

// Bytes that nobody asked for would be taken for the next answer.
bool socket::alive(bool ask) noexcept {
  if (watch_->peer_closed || watch_->broken) return false;
  if (tls_ && SSL_pending(tls_) > 0) return false;
  if (!ask && !watch_->readable) return true;
  if (tls_) return tls_silent();
  char byte;
  const ssize_t n = ::recv(watch_->fd, &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return n < 0 && errno == EAGAIN;
}

// Tickets may come at any time and are taken in here; data may not.
bool socket::tls_silent() noexcept {
  ERR_clear_error();
  char byte;
  const int n = SSL_peek(tls_, &byte, 1);
  return n <= 0 && tls_outcome(n, true).what == io::kind::blocked;
}

base::error_code socket::pending_error() const noexcept {
  int error = 0;
  socklen_t size = sizeof error;
  getsockopt(watch_->fd, SOL_SOCKET, SO_ERROR, &error, &size);
  return {error, boost::system::system_category()};
}

void socket::on_departure(watch::departed_action action, void* context) noexcept {
  watch_->departed = action;
  watch_->context = context;
}

void socket::shutdown_send() noexcept {
  if (!watch_) return;
  if (tls_ && !tls_failed_ && SSL_is_init_finished(tls_)) SSL_shutdown(tls_);
  ::shutdown(watch_->fd, SHUT_WR);
}

void socket::reset_on_close() noexcept {
  if (!watch_) return;
  const linger now{1, 0};
  setsockopt(watch_->fd, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  tls_failed_ = true;   // no close_notify either
}

void socket::close() noexcept {
  if (!watch_) return;
  const int fd = watch_->fd;
  if (tls_) {
    if (!tls_failed_ && SSL_is_init_finished(tls_)) SSL_shutdown(tls_);
    SSL_free(tls_);
    ERR_clear_error();
    tls_ = nullptr;
  }
  tls_failed_ = handshake_writes_ = false;
  loop_->remove(*watch_);
  watch_ = nullptr;
  ::close(fd);
}

base::error_code start_connect(loop& l, socket& s, const socket_address& to) {
  const int fd = ::socket(to.family(), SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
  if (fd < 0) return last_error();
  tune(fd, to.family());
  if (connect(fd, to) != 0 && errno != EINPROGRESS) {
    // A unix socket with a full backlog says EAGAIN: as good as refused, another worker may serve.
    const auto error = last_error();
    ::close(fd);
    return error;
  }
  s.open(l, fd);
  return {};
}

void tune(int fd, int family) noexcept {
  if (family != AF_INET && family != AF_INET6) return;
  set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
  set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
  set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 30);
  set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 10);
  set(fd, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 60'000);
}

}  // namespace weir::net
