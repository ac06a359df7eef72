// One client connection: TLS handshake, then requests one after another (pipelined ones wait their
// turn in the kernel or the input), each carried by an exchange. An idle session holds no buffer.
// Lives on one loop from accept to close; its coroutine owns it.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

#include "net/socket.hpp"
#include "net/task.hpp"
#include "proxy/exchange.hpp"

namespace weir::proxy {

class session {
 public:
  session(hall& h, listener_ptr listener, int fd, const net::socket_address& peer);
  ~session();
  session(const session&) = delete;
  session& operator=(const session&) = delete;

  // Serves the connection to its end.
  net::task<void> run();
  // Draining: closed now when idle, else after the request under way.
  void drain() noexcept;
  // The time for draining is over: the batch under way is answered 503, the connection closed.
  void abort();

  net::socket& client() noexcept { return client_; }
  net::timer& timer() noexcept { return timer_; }
  hall& in() noexcept { return in_; }
  const listener_plan& listener() const noexcept { return *listener_; }
  const std::string& peer() const noexcept { return peer_; }
  bool peer_trusted() const noexcept { return trusted_; }

  // Of the door's list of sessions.
  session* next = nullptr;
  session** link = nullptr;

 private:
  enum class after : std::uint8_t { idle, close };
  enum class head_outcome : std::uint8_t { complete, nothing, failed };
  net::task<bool> shake_hands();
  bool may_idle();
  net::task<after> serve_while_bytes(exchange& x);
  net::task<head_outcome> read_head(exchange& x);
  net::task<head_outcome> read_head_on(exchange& x, std::size_t scanned);
  enum class fill_outcome : std::uint8_t { more, blocked, closed, late };
  fill_outcome fill_now(exchange& x);
  net::task<fill_outcome> fill(exchange& x);
  net::task<void> refuse_head(exchange& x, fault why, std::string detail);
  void arm_plain(base::duration limit);
  static void plain_timer_fired(void* context);

  hall& in_;
  listener_ptr listener_;
  net::socket client_;
  net::timer timer_;
  std::string peer_;
  std::uint32_t requests_ = 0;
  const instant accepted_;
  exchange* carrying_ = nullptr;
  bool trusted_ = false, idle_ = false;
};

// --- the parts of serving one exchange, each in a file of its own -----------------------------

// Routes, admits, waits, attempts, answers: the whole way of a batch (carry.cpp).
net::task<void> carry(exchange& x);
// One of weir's own answers; sets whether the connection can be kept (respond.cpp).
net::task<void> answer(exchange& x, fault what, std::string detail, base::duration retry_after);
// After an early final answer: the client's unread body is discarded within limits (respond.cpp).
net::task<void> linger(exchange& x);
// Counts a limit that broke a chunked body, if one did (respond.cpp).
void count_chunk_limit(exchange& x, const http::chunk_decoder& chunks);
// Counts the batch and writes its line (record.cpp).
void record(exchange& x);

}  // namespace weir::proxy
