// A stream on one loop: a non-blocking descriptor, plain or under TLS. try_* never wait and say
// what happened; the wait_* awaitables resume when it is worth trying again. Closing is immediate.
// Not movable: coroutines hold references to its watch. Used by one loop's thread only.
#pragma once

#include <sys/uio.h>

#include <cstddef>
#include <cstdint>
#include <span>

#include "base/result.hpp"
#include "net/loop.hpp"
#include "net/pipe.hpp"
#include "net/socket_address.hpp"
#include "net/task.hpp"

struct ssl_st;

namespace weir::net {

struct io {
  enum class kind : std::uint8_t { done, blocked, end, failed };
  kind what = kind::done;
  std::size_t bytes = 0;      // done: more than 0
  base::error_code error;     // failed
};

class socket {
 public:
  socket() = default;
  socket(const socket&) = delete;
  socket& operator=(const socket&) = delete;
  ~socket() { close(); }

  // Takes a connected (or connecting) non-blocking descriptor.
  void open(loop& l, int fd);
  // Takes the session object too; the handshake is still to come.
  void secure(ssl_st* session) noexcept { tls_ = session; }
  bool is_open() const noexcept { return watch_ != nullptr; }
  bool is_tls() const noexcept { return tls_ != nullptr; }
  int fd() const noexcept { return watch_->fd; }
  ssl_st* tls() const noexcept { return tls_; }

  io try_read(std::span<char> into);
  io try_write(std::span<const iovec> from);
  // Moves bytes between a plain socket and a pipe without copying them: at most `max` into it, or
  // all that it holds out of it.
  io try_splice_in(pipe& to, std::size_t max);
  io try_splice_out(pipe& from);
  // Sends at most `max` bytes of a file that start at `offset` to a plain socket, without copying
  // them. end: the file ends there, or cannot be read.
  io try_send_file(int file, std::uint64_t offset, std::size_t max);
  // One step of the TLS handshake: done (bytes is 0) when it is complete. A blocked one says in
  // `handshake_writes` which side to wait for.
  io try_handshake(bool as_client);
  bool handshake_writes() const noexcept { return handshake_writes_; }

  wait_readable readable() noexcept { return {*watch_}; }
  wait_writable writable() noexcept { return {*watch_}; }
  void interrupt() noexcept;              // both sides
  // One that nobody has used up yet: for who waits for something else than this socket.
  bool interrupted() const noexcept { return watch_->interrupt_reader || watch_->interrupt_writer; }
  void clear_interrupts() noexcept { watch_->interrupt_reader = watch_->interrupt_writer = false; }

  // True when nothing is readable right now and the peer has not closed: a pooled connection that
  // can still carry a request. Asks the kernel when `ask`.
  bool alive(bool ask) noexcept;
  bool peer_closed() const noexcept { return watch_->peer_closed; }
  bool broken() const noexcept { return watch_->broken; }
  base::error_code pending_error() const noexcept;   // SO_ERROR
  void on_departure(watch::departed_action action, void* context) noexcept;

  void shutdown_send() noexcept;          // TLS: close_notify first
  void reset_on_close() noexcept;  // the peer sees a reset: a broken answer must not look whole
  void close() noexcept;

 private:
  io spliced(ssize_t n, bool& ready);
  io read_plain(std::span<char> into);
  io read_tls(std::span<char> into);
  io write_tls(std::span<const iovec> from);
  bool tls_silent() noexcept;
  io tls_outcome(int returned, bool reading);

  loop* loop_ = nullptr;
  watch* watch_ = nullptr;
  ssl_st* tls_ = nullptr;
  bool handshake_writes_ = false;
  bool tls_failed_ = false;
};

// A seam for tests: asked before each of the kernel calls below, it can make one fail with an errno
// or move few bytes. Null: off, which is always so outside of tests; set before loops run.
enum class kernel_call : std::uint8_t { receive, send, connect };
inline constexpr std::size_t unlimited = ~std::size_t{0};
struct call_plan {
  int error = 0;                    // not 0: the call fails with this
  std::size_t bytes_max = unlimited;
};
using call_hook = call_plan (*)(kernel_call) noexcept;
extern call_hook before_kernel_call;

// Starts a connection; the socket is open and connecting afterwards. Then await writable() and look
// at pending_error().
base::error_code start_connect(loop& l, socket& s, const socket_address& to);

// Keepalive and TCP_USER_TIMEOUT find dead peers; TCP_NODELAY. No-op on unix sockets.
void tune(int fd, int family) noexcept;

}  // namespace weir::net
