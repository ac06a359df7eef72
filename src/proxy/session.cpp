#include "proxy/session.hpp"

#include <openssl/ssl.h>

#include <algorithm>

#include "net/tls_server_context.hpp"

namespace weir::proxy {
namespace {

constexpr base::duration fresh_grace = std::chrono::seconds(1);
constexpr unsigned requests_per_turn = 8;   // of one connection, before others get theirs

bool trusts(const listener_plan& l, const std::string& peer) {
  if (l.trusted.empty()) return false;
  const auto address = base::parse_ip(peer);
  if (!address) return false;
  return std::ranges::any_of(l.trusted, [&](const base::cidr& c) { return c.contains(*address); });
}

}  // namespace

session::session(hall& h, listener_ptr listener, int fd, const net::socket_address& peer)
    : in_(h), listener_(std::move(listener)), timer_(&session::plain_timer_fired, this),
      peer_(net::address_text(peer)), accepted_(h.loop.now()) {
  client_.open(h.loop, fd);
  trusted_ = trusts(*listener_, peer_);
  listener_->connections->fetch_add(1, std::memory_order_relaxed);
}

session::~session() {
  listener_->connections->fetch_sub(1, std::memory_order_relaxed);
  if (!link) return;
  *link = next;
  if (next) next->link = link;
}

void session::plain_timer_fired(void* context) {
  static_cast<session*>(context)->client_.interrupt();
}

void session::arm_plain(base::duration limit) {
  timer_.set_action(&session::plain_timer_fired, this);
  in_.loop.timers().arm(timer_, base::after(in_.loop.now(), limit));
}

void session::drain() noexcept {
  if (!idle_) return;
  if (requests_ > 0) client_.interrupt();
  else arm_plain(fresh_grace);   // its first request may be under way
}

void session::abort() {
  if (carrying_) carrying_->stop(fault::closing);
  else client_.interrupt();
}

net::task<void> session::run() {
  if (listener_->tls) {
    const bool secured = co_await shake_hands();
    if (!secured) co_return;
  }
  for (;;) {
    if (!may_idle()) break;
    const net::wake woken = co_await client_.readable();
    idle_ = false;
    if (woken == net::wake::interrupted) break;
    std::unique_ptr<exchange> x = in_.take_exchange();
    carrying_ = x.get();
    const after then = co_await serve_while_bytes(*x);
    carrying_ = nullptr;
    in_.give_back(std::move(x));
    if (then == after::close) break;
  }
  timer_.disarm();
}

net::task<bool> session::shake_hands() {
  ssl_st* s = net::accept_session(listener_->tls, client_.fd());
  if (!s) co_return false;
  client_.secure(s);
  arm_plain(listener_->settings.head_timeout);
  for (;;) {
    const net::io step = client_.try_handshake(false);
    if (step.what == net::io::kind::done) co_return true;
    if (step.what != net::io::kind::blocked) co_return false;
    net::wake woken;
    if (client_.handshake_writes()) woken = co_await client_.writable();
    else woken = co_await client_.readable();
    if (woken == net::wake::interrupted) co_return false;
  }
}

// Idle: no buffer is held, only the frame of run().
bool session::may_idle() {
  if (in_.draining && requests_ > 0) return false;
  arm_plain(listener_->settings.idle_timeout);
  return idle_ = true;
}

net::task<session::after> session::serve_while_bytes(exchange& x) {
  for (unsigned served = 1;; ++served) {
    // Pipelined requests must not keep the loop from everybody else.
    if (served % requests_per_turn == 0) co_await net::yield{in_.loop};
    x.begin(*this, in_.loop.now());
    if (requests_ == 0) x.began = accepted_;   // what the handshake took is the request's too
    const head_outcome got = co_await read_head(x);
    if (got == head_outcome::nothing) co_return after::idle;
    if (got == head_outcome::failed) co_return after::close;
    x.reused_connection = requests_++ > 0;
    co_await carry(x);
    record(x);
    client_.on_departure(nullptr, nullptr);
    if (!x.keep_alive) {
      co_await linger(x);
      co_return after::close;
    }
    client_.clear_interrupts();
    x.input.reset(in_.heads, x.upload.buffered);
    if (x.input.empty()) co_return after::idle;
    if (in_.draining) co_return after::close;
  }
}

// A head that came in one piece needs no waiting. Nothing may have come at all: under TLS a record
// without data, after a full read no more.
net::task<session::head_outcome> session::read_head(exchange& x) {
  using outcome = net::task<head_outcome>;
  if (x.input.empty()) {
    const fill_outcome filled = fill_now(x);
    if (filled == fill_outcome::blocked) return outcome::ready(head_outcome::nothing);
    if (filled == fill_outcome::closed) return outcome::ready(head_outcome::failed);
  }
  std::size_t scanned = 0;
  const auto o = http::parse_request(x.input.view(), x.plan->head_limits, scanned, x.head);
  if (o.what != http::parse_outcome::kind::complete) return read_head_on(x, scanned);
  x.head_read = in_.loop.now();
  x.input.consume(o.consumed);
  return outcome::ready(head_outcome::complete);
}

net::task<session::head_outcome> session::read_head_on(exchange& x, std::size_t scanned) {
  arm_plain(listener_->settings.head_timeout);
  for (;;) {
    const auto o = http::parse_request(x.input.view(), x.plan->head_limits, scanned, x.head);
    if (o.what == http::parse_outcome::kind::complete) {
      x.head_read = in_.loop.now();
      x.input.consume(o.consumed);
      co_return head_outcome::complete;
    }
    if (o.what == http::parse_outcome::kind::bad) {
      co_await refuse_head(x, fault_of_status(o.status), std::string(o.reason));
      co_return head_outcome::failed;
    }
    const fill_outcome filled = co_await fill(x);
    if (filled == fill_outcome::more) continue;
    if (filled == fill_outcome::late)
      co_await refuse_head(x, fault::head_timeout,
                           "the request's head did not arrive within listeners[].head_timeout");
    co_return head_outcome::failed;
  }
}

net::task<session::fill_outcome> session::fill(exchange& x) {
  for (;;) {
    const net::wake woken = co_await client_.readable();
    if (woken == net::wake::interrupted) co_return fill_outcome::late;
    const fill_outcome filled = fill_now(x);
    if (filled != fill_outcome::blocked) co_return filled;
  }
}

session::fill_outcome session::fill_now(exchange& x) {
  // One byte beyond the limit tells the parser that the head is too large.
  const auto room = x.input.room(in_.heads, x.plan->limits.head_bytes_max + 1);
  if (room.empty()) return fill_outcome::closed;
  const net::io r = client_.try_read(room);
  if (r.what == net::io::kind::blocked) return fill_outcome::blocked;
  if (r.what != net::io::kind::done) return fill_outcome::closed;
  x.input.filled(r.bytes);
  return fill_outcome::more;
}

net::task<void> session::refuse_head(exchange& x, fault why, std::string detail) {
  x.keep_alive = false;
  x.upload.kind = http::body_kind::until_close;   // whatever else comes is discarded
  co_await answer(x, why, std::move(detail), base::duration{});
  record(x);
  co_await linger(x);
}

}  // namespace weir::proxy
