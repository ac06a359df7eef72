#include "proxy/door.hpp"

#include <unistd.h>

#include <algorithm>
#include <utility>

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;

constexpr base::duration pause_when_full = 50ms;   // before accepting is tried again
constexpr base::duration pause_between_trims = 1s;
constexpr int accepts_per_turn = 64;

void wake_acceptor(void* context) {
  auto& w = *static_cast<net::watch*>(context);
  w.readable = true;
  if (auto h = std::exchange(w.reader, nullptr)) h.resume();
}

}  // namespace

door::door(net::loop& l, telemetry::access_log* access, std::uint64_t tenant_seed,
           const relay_sizes& relays, connection_count connections)
    : hall_(l, access, tenant_seed, relays), connections_(std::move(connections)),
      trim_(&door::trim, this) {
  l.timers().arm(trim_, base::after(l.now(), pause_between_trims));
  l.set_tick({[this] { return due(); }, [this](instant now) { tick(now); }});
}

door::~door() = default;

void door::publish(plan_ptr p) { hall_.plan = std::move(p); }

// --- pools' clocks ------------------------------------------------------------------------------

instant door::due() const {
  instant first = base::never;
  if (!hall_.plan) return first;
  for (const pool_plan& p : hall_.plan->pools) first = std::min(first, p.gate->next_deadline());
  return first;
}

void door::tick(instant now) {
  const plan_ptr held = hall_.plan;
  for (const pool_plan& p : held->pools)
    if (p.gate->next_deadline() <= now) p.gate->expire(now);
}

void door::trim(void* context) {
  door& d = *static_cast<door*>(context);
  d.hall_.trim();
  d.loop().timers().arm(d.trim_, base::after(d.loop().now(), pause_between_trims));
}

// --- listeners ----------------------------------------------------------------------------------

door::acceptor::acceptor(int descriptor, net::watch& w, listener_ptr l, hand_over s)
    : fd(descriptor), file(net::local_address(fd)), watch(&w), settings(std::move(l)),
      spread(std::move(s)), pause(wake_acceptor, &w) {}

void door::listen(int fd, listener_ptr settings, hand_over spread) {
  net::watch& w = loop().add(fd);
  acceptors_.emplace_back(fd, w, std::move(settings), std::move(spread));
  net::spawn(accept_forever(std::prev(acceptors_.end())));
}

net::task<void> door::accept_forever(std::list<acceptor>::iterator a) {
  for (;;) {
    const net::wake woken = co_await net::wait_readable{*a->watch};
    accept_pending(*a);
    if (woken == net::wake::interrupted && a->closing) break;
    if (a->watch->readable) co_await net::yield{loop()};
  }
  loop().remove(*a->watch);
  a->file.remove();
  ::close(a->fd);
  acceptors_.erase(a);
  if (closing()) co_return;
  for (const auto& told : std::exchange(closed_, {})) told();
}

bool door::full() const noexcept {
  return connections_->load(std::memory_order_relaxed) >= hall_.plan->limits.connections_max;
}

// A closing listener takes all that the kernel has queued for it, whatever the limits say.
void door::accept_pending(acceptor& a) {
  for (int n = 0; a.closing || n < accepts_per_turn; ++n) {
    const bool at_limit = !a.closing && full();
    if (at_limit) hall_.plan->hits.connections->add(hall_.shard);
    const net::accepted got = at_limit ? net::accepted{-1, {}, true} : net::accept_one(a.fd);
    if (got.fd < 0) {
      a.watch->readable = false;
      if (got.exhausted && !a.closing) loop().timers().arm(a.pause, loop().now() + pause_when_full);
      return;
    }
    if (a.spread) a.spread(got.fd, got.peer, a.settings);
    else host(got.fd, got.peer, a.settings);
  }
}

void door::update_listener(std::string_view name, listener_ptr settings) {
  for (acceptor& a : acceptors_)
    if (!a.closing && a.settings->settings.name == name) a.settings = settings;
}

void door::close(acceptor& a) {
  a.closing = true;
  net::interrupt_reader(loop(), *a.watch);
}

void door::close_listener(std::string_view name) {
  for (acceptor& a : acceptors_)
    if (a.settings->settings.name == name) close(a);
}

void door::close_listeners() {
  for (acceptor& a : acceptors_) close(a);
}

bool door::closing() const noexcept {
  return std::ranges::any_of(acceptors_, &acceptor::closing);
}

void door::when_closed(std::function<void()> told) {
  if (!closing()) return told();
  closed_.push_back(std::move(told));
}

// --- sessions -----------------------------------------------------------------------------------

void door::host(int fd, const net::socket_address& peer, listener_ptr settings) {
  connections_->fetch_add(1, std::memory_order_relaxed);
  auto s = std::make_unique<session>(hall_, std::move(settings), fd, peer);
  s->next = sessions_;
  if (s->next) s->next->link = &s->next;
  s->link = &sessions_;
  sessions_ = s.get();
  net::spawn(serve(std::move(s)));
}

net::task<void> door::serve(std::unique_ptr<session> s) {
  co_await s->run();
  s.reset();
  connections_->fetch_sub(1, std::memory_order_relaxed);
  if (!sessions_ && emptied_) std::exchange(emptied_, nullptr)();
}

void door::drain() {
  hall_.draining = true;
  for (session* s = sessions_; s; s = s->next) s->drain();
}

void door::abort_sessions() {
  for (session* s = sessions_; s; s = s->next) s->abort();
  dispatcher_.abort();
}

void door::when_empty(std::function<void()> told) {
  emptied_ = nullptr;
  if (!told) return;
  auto then = [this, told = std::move(told)] { dispatcher_.when_empty(told); };
  if (!sessions_) return then();
  emptied_ = std::move(then);
}

}  // namespace weir::proxy
