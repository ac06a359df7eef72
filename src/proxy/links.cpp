#include "proxy/links.hpp"

#include <openssl/ssl.h>

#include <algorithm>
#include <array>
#include <utility>

#include "proxy/pool_gate.hpp"

namespace weir::proxy {

link::link(links& home_links, core::worker_id id, target_ptr to)
    : home(home_links), worker(id), target(std::move(to)), idle_max(target->idle_max),
      expiry(nullptr, this) {}

links::~links() = default;

void links::close_all() {
  for (worker_entry& w : workers_) w.idle.clear();
  for (link* l : abandoned_) l->socket.interrupt();
}

void links::retire(std::shared_ptr<links> all) {
  all->close_all();
  if (!all->abandoned_.empty()) net::spawn(outlive_abandoned(std::move(all)));
}

// They were interrupted, so that this takes a turn or two.
net::task<void> links::outlive_abandoned(std::shared_ptr<links> all) {
  while (!all->abandoned_.empty()) co_await net::yield{all->loop_};
}

std::size_t links::idle() const noexcept {
  std::size_t n = 0;
  for (const worker_entry& w : workers_) n += w.idle.size();
  return n;
}

links::worker_entry* links::find(core::worker_id worker) noexcept {
  if (worker.index >= workers_.size()) return nullptr;
  worker_entry& w = workers_[worker.index];
  return w.id == worker && w.target ? &w : nullptr;
}

void links::set_target(core::worker_id worker, target_ptr target) {
  if (worker.index >= workers_.size()) workers_.resize(worker.index + 1);
  worker_entry& w = workers_[worker.index];
  w.id = worker;
  w.target = std::move(target);
  w.idle.clear();   // they lead to the old address
}

void links::drop_target(core::worker_id worker) {
  if (worker_entry* w = find(worker)) {
    w->target.reset();
    w->idle.clear();
  }
}

target_ptr links::target(core::worker_id worker) const {
  const worker_entry* w = const_cast<links*>(this)->find(worker);
  return w ? w->target : nullptr;
}

link_ptr links::make(core::worker_id worker, target_ptr target) {
  return std::make_unique<link>(*this, worker, std::move(target));
}

link_ptr links::take_idle(core::worker_id worker, bool proven) {
  worker_entry* w = find(worker);
  while (w && !w->idle.empty()) {
    link_ptr l = std::move(w->idle.back());
    w->idle.pop_back();
    l->expiry.disarm();
    l->socket.on_departure(nullptr, nullptr);
    if (l->socket.alive(proven)) return l;
  }
  return nullptr;
}

void links::give_back(link_ptr l) {
  worker_entry* w = find(l->worker);
  if (!w || w->target != l->target || !l->socket.alive(false)) return;
  if (w->idle.size() >= w->target->idle_connections_max) return;
  ++l->uses;
  l->socket.clear_interrupts();
  l->socket.on_departure(&links::idle_departed, l.get());
  l->expiry.set_action(&links::idle_expired);
  loop_.timers().arm(l->expiry, loop_.now() + l->idle_max);
  w->idle.push_back(std::move(l));
}

void links::drop_idle(link& l) {
  worker_entry* w = find(l.worker);
  if (!w) return;
  std::erase_if(w->idle, [&](const link_ptr& p) { return p.get() == &l; });
}

void links::idle_departed(void* context) {
  link& l = *static_cast<link*>(context);
  l.home.drop_idle(l);
}

void links::idle_expired(void* context) { idle_departed(context); }

void links::abandon(link_ptr l, std::shared_ptr<pool_gate> gate, core::batch_id batch,
                    base::duration hold) {
  l->held_gate = std::move(gate);
  l->held_batch = batch;
  l->socket.clear_interrupts();
  l->socket.shutdown_send();
  l->expiry.set_action([](void* context) { static_cast<link*>(context)->socket.interrupt(); });
  loop_.timers().arm(l->expiry, loop_.now() + hold);
  abandoned_.push_back(l.get());
  net::spawn(drain_abandoned(std::move(l)));
}

net::task<void> links::drain_abandoned(link_ptr l) {
  std::array<char, 4096> discarded;
  for (;;) {
    const net::wake woken = co_await l->socket.readable();
    if (woken == net::wake::interrupted) break;
    const net::io r = l->socket.try_read(discarded);
    if (r.what == net::io::kind::end || r.what == net::io::kind::failed) break;
    if (r.what == net::io::kind::done) co_await net::yield{loop_};
  }
  std::erase(abandoned_, l.get());
  l->held_gate->release_slot(l->worker, l->held_batch, loop_.now());
}

namespace {

using kind = connect_outcome::kind;

kind kind_of(const base::error_code& e) {
  using namespace boost::system::errc;
  if (e == connection_refused || e == no_such_file_or_directory ||
      e == resource_unavailable_try_again)
    return kind::refused;
  if (e == too_many_files_open || e == too_many_files_open_in_system || e == no_buffer_space ||
      e == not_enough_memory || e == address_not_available)
    return kind::exhausted;
  return e == timed_out ? kind::timed_out : kind::unreachable;
}

net::task<connect_outcome> shake_hands(link& l) {
  SSL* s = SSL_new(l.target->tls->handle());
  if (!s || !net::prepare_client_ssl(s, l.target->server_name)) {
    SSL_free(s);
    co_return connect_outcome{kind::tls_failed, "no TLS session for " + l.target->server_name};
  }
  SSL_set_fd(s, l.socket.fd());
  l.socket.secure(s);
  for (;;) {
    const net::io step = l.socket.try_handshake(true);
    if (step.what == net::io::kind::done) co_return connect_outcome{};
    if (step.what != net::io::kind::blocked) break;
    net::wake woken;
    if (l.socket.handshake_writes()) woken = co_await l.socket.writable();
    else woken = co_await l.socket.readable();
    if (woken == net::wake::interrupted) co_return connect_outcome{kind::interrupted, {}};
  }
  const std::string why = net::verify_failure(s);
  co_return connect_outcome{kind::tls_failed, why.empty() ? net::take_tls_error() : why};
}

net::task<connect_outcome> connect_to(link& l, const net::socket_address& to) {
  base::error_code error = net::start_connect(l.home.loop(), l.socket, to);
  if (!error) {
    const net::wake woken = co_await l.socket.writable();
    if (woken == net::wake::interrupted) co_return connect_outcome{kind::interrupted, {}};
    error = l.socket.pending_error();
  }
  if (!error) co_return connect_outcome{};
  l.socket.close();
  co_return connect_outcome{kind_of(error), net::to_string(to) + ": " + error.message()};
}

}  // namespace

net::task<connect_outcome> connect(link& l) {
  connect_outcome last{kind::unresolved, "the name " + l.target->host + " has no address yet"};
  for (const net::socket_address& to : l.target->addresses) {
    connect_outcome now = co_await connect_to(l, to);
    if (now.what == kind::connected && l.target->tls) {
      connect_outcome secured = co_await shake_hands(l);
      if (secured.what == kind::tls_failed) l.socket.close();
      now = std::move(secured);
    }
    last = std::move(now);
    if (last.what == kind::connected || last.what == kind::interrupted ||
        last.what == kind::exhausted)
      break;
  }
  co_return last;
}

}  // namespace weir::proxy
