#include "front_kit.hpp"

#include <openssl/ssl.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstring>
#include <future>

#include "gate_kit.hpp"
#include "http/chunked.hpp"
#include "http/head.hpp"
#include "net/listener.hpp"

namespace weir::test {
namespace {

constexpr int patience_ms = 60'000;

int blocking_socket(int family) { return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0); }

std::vector<proxy::counter_ptr> counters(std::size_t n, unsigned shards) {
  std::vector<proxy::counter_ptr> all;
  for (std::size_t i = 0; i < n; ++i) all.push_back(std::make_shared<telemetry::counter>(shards));
  return all;
}

}  // namespace

bool eventually(const std::function<bool()>& holds) {
  const auto limit = net::loop::read_clock() + std::chrono::milliseconds(patience_ms);
  while (net::loop::read_clock() < limit) {
    if (holds()) return true;
    std::this_thread::yield();
  }
  return false;
}

// --- messages
// -------------------------------------------------------------------------------------

std::string http_message::first_line() const { return head.substr(0, head.find('\r')); }

unsigned http_message::status() const {
  return head.size() > 12 ? static_cast<unsigned>(std::atoi(head.c_str() + 9)) : 0;
}

std::string http_message::field(std::string_view name) const {
  std::size_t at = head.find("\r\n");
  while (at != std::string::npos && at + 2 < head.size()) {
    const std::size_t end = head.find("\r\n", at + 2);
    const std::string_view line = std::string_view(head).substr(at + 2, end - at - 2);
    const std::size_t colon = line.find(':');
    if (colon != std::string_view::npos && http::iequals(line.substr(0, colon), name)) {
      const auto value = line.substr(colon + 1);
      return std::string(value.substr(std::min(value.find_first_not_of(' '), value.size())));
    }
    at = end;
  }
  return {};
}

// --- the wire
// -------------------------------------------------------------------------------------

wire::wire(int fd) : fd_(fd) {}

wire::wire(wire&& other) noexcept
    : fd_(std::exchange(other.fd_, -1)), tls_(std::exchange(other.tls_, nullptr)),
      buffered_(std::move(other.buffered_)) {}

wire::~wire() { close(); }

void wire::secure() {
  SSL_CTX* context = SSL_CTX_new(TLS_client_method());
  tls_ = SSL_new(context);
  SSL_CTX_free(context);   // the session keeps it
  SSL_set_fd(tls_, fd_);
  REQUIRE(SSL_connect(tls_) == 1);
}

void wire::close() {
  if (tls_) SSL_free(std::exchange(tls_, nullptr));
  if (fd_ >= 0) ::close(std::exchange(fd_, -1));
}

void wire::finish_sending() { ::shutdown(fd_, SHUT_WR); }

void wire::reset() {
  const linger now{1, 0};
  setsockopt(fd_, SOL_SOCKET, SO_LINGER, &now, sizeof now);
  close();
}

bool wire::say(std::string_view bytes) {
  while (!bytes.empty()) {
    pollfd p{fd_, POLLOUT, 0};
    if (::poll(&p, 1, patience_ms) <= 0) return false;
    const ssize_t n = tls_ ? SSL_write(tls_, bytes.data(), static_cast<int>(bytes.size()))
                           : ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (n <= 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

bool wire::fill() {
  pollfd p{fd_, POLLIN, 0};
  if (fd_ < 0) return false;
  hung_ = !(tls_ && SSL_pending(tls_)) && ::poll(&p, 1, patience_ms) <= 0;
  if (hung_) return false;
  char room[16384];
  const ssize_t n = tls_ ? SSL_read(tls_, room, sizeof room) : ::recv(fd_, room, sizeof room, 0);
  if (n <= 0) return false;
  buffered_.append(room, static_cast<std::size_t>(n));
  return true;
}

std::string wire::take_chunked(bool& whole) {
  http::chunk_decoder d;
  std::string body;
  for (;;) {
    const auto step = d.next(buffered_);
    if (step.what == http::chunk_decoder::step::kind::data) body += step.data;
    buffered_.erase(0, step.consumed);
    whole = step.what == http::chunk_decoder::step::kind::done;
    if (whole || step.what == http::chunk_decoder::step::kind::bad) return body;
    if (step.what == http::chunk_decoder::step::kind::need_more && !fill()) return body;
  }
}

http_message wire::read(bool to_head) {
  http_message m;
  std::size_t end;
  while ((end = buffered_.find("\r\n\r\n")) == std::string::npos)
    if (!fill()) return m;
  m.head = buffered_.substr(0, end + 4);
  buffered_.erase(0, end + 4);
  const bool answer = m.head.starts_with("HTTP/");
  const bool bodiless =
      to_head || (answer && (m.status() < 200 || m.status() == 204 || m.status() == 304));
  const std::string length = m.field("Content-Length");
  if (bodiless) {
    m.whole = true;
  } else if (m.field("Transfer-Encoding") == "chunked") {
    m.body = take_chunked(m.whole);
  } else if (!length.empty()) {
    const std::size_t n = std::stoul(length);
    while (buffered_.size() < n && fill()) {}
    m.whole = buffered_.size() >= n;
    m.body = buffered_.substr(0, n);
    buffered_.erase(0, n);
  } else if (answer) {
    m.body = read_all();
    m.whole = true;
  } else {
    m.whole = true;
  }
  return m;
}

bool wire::wait_for(std::string_view bytes) {
  while (buffered_.find(bytes) == std::string::npos)
    if (!fill()) return false;
  return true;
}

std::string wire::read_all() {
  while (fill()) {}
  return std::exchange(buffered_, {});
}

bool wire::closed() {
  pollfd p{fd_, POLLIN, 0};
  char byte;
  return buffered_.empty() && ::poll(&p, 1, patience_ms) > 0 && ::recv(fd_, &byte, 1, 0) <= 0;
}

// --- workers
// --------------------------------------------------------------------------------------

fake_worker::fake_worker(script s) : script_(std::move(s)) {
  listener_ = blocking_socket(AF_INET);
  at_ = net::socket_address::ip("127.0.0.1", 0).value();
  REQUIRE(::bind(listener_, at_.data(), at_.size) == 0);
  REQUIRE(::listen(listener_, 64) == 0);
  at_ = net::local_address(listener_);
  acceptor_ = std::thread([this] { accept(); });
}

fake_worker::~fake_worker() { stop(); }

void fake_worker::accept() {
  for (;;) {
    const int fd = ::accept4(listener_, nullptr, nullptr, SOCK_CLOEXEC);
    if (fd < 0) return;
    std::lock_guard guard(lock_);
    if (stopping_) {
      ::close(fd);
      return;
    }
    ++connections_;
    const int kept = ::fcntl(fd, F_DUPFD_CLOEXEC, 0);   // stop() ends reads on it at any time
    open_.push_back(kept);
    threads_.emplace_back([this, fd, kept] {
      wire w(fd);
      script_(w);
      w.close();
      std::lock_guard inner(lock_);
      std::erase(open_, kept);
      ::close(kept);
    });
  }
}

void fake_worker::stop() {
  if (stopping_.exchange(true)) return;
  ::shutdown(listener_, SHUT_RDWR);
  acceptor_.join();
  ::close(listener_);
  {
    std::lock_guard guard(lock_);
    for (const int fd : open_) ::shutdown(fd, SHUT_RDWR);
  }
  for (std::thread& t : threads_) t.join();
}

fake_worker::script answering(std::function<std::string(const http_message&)> answer) {
  return [answer](wire& w) {
    while (const http_message request = w.read())
      if (!w.say(answer(request))) return;
  };
}

std::string get(std::string_view path, std::string_view fields) {
  return "GET " + std::string(path) + " HTTP/1.1\r\nHost: front.test\r\n" + std::string(fields) +
         "\r\n";
}

std::string post(std::string_view path, std::string_view body, std::string_view fields) {
  return "POST " + std::string(path) + " HTTP/1.1\r\nHost: front.test\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string response(unsigned status, std::string_view body, std::string_view fields) {
  return "HTTP/1.1 " + std::to_string(status) + " Test\r\nContent-Length: " +
         std::to_string(body.size()) + "\r\n" + std::string(fields) + "\r\n" + std::string(body);
}

std::string echo(const http_message& request) {
  return response(200, request.first_line() + "\n" + request.body);
}

// --- the front
// ------------------------------------------------------------------------------------

void front_kit::make_store() {
  engine_ = std::make_unique<staged_engine>(folder_.path("state"));
  proxy::backroom::outlets out;
  out.wall_ms = [] {
    const auto now = std::chrono::system_clock::now().time_since_epoch();
    return store::unix_ms{std::chrono::duration_cast<std::chrono::milliseconds>(now).count()};
  };
  out.run = [this](unsigned loop, proxy::run_order o) {
    lanes_[loop]->loop.post([d = lanes_[loop]->door.get(), o] { d->durable().begin(o); });
  };
  out.interrupt = [this](unsigned loop, std::uint64_t owner) {
    lanes_[loop]->loop.post([d = lanes_[loop]->door.get(), owner] {
      d->durable().interrupt(owner);
    });
  };
  room_ = std::make_unique<proxy::backroom>(*engine_, static_cast<unsigned>(lanes_.size()), 5,
                                            std::move(out));
  tools_.emplace(proxy::durable_tools{*engine_, &engine_->bodies(), threads_, *room_});
}

void front_kit::make_gate(core::pool_settings s) {
  proxy::gate_outlet outlet;
  outlet.settle = [this](std::span<const proxy::settlement> all) {
    for (const proxy::settlement& one : all) {
      if (proxy::backroom::owns(one.owner)) {
        room_->settle(one);
        continue;
      }
      lane& l = *lanes_[proxy::waiting_room::owner_loop(one.owner)];
      if (net::loop::current() == &l.loop) l.door->settle(one);
      else l.loop.post([d = l.door.get(), one] { d->settle(one); });
    }
  };
  outlet.control = [this](core::effects&& out) {
    for (const core::load_order& o : out.loads) room_->load(gate->name(), o);
  };
  gate = std::make_shared<proxy::pool_gate>(std::move(s), 11, net::loop::read_clock(),
                                            std::move(outlet));
}

std::shared_ptr<proxy::plan> front_kit::make_plan(const wishes& w, lane& l) {
  const auto shards = static_cast<unsigned>(lanes_.size());
  const auto counter = [&] { return std::make_shared<telemetry::counter>(shards); };
  auto p = std::make_shared<proxy::plan>();
  proxy::pool_plan pool;
  pool.name = gate->name();
  pool.gate = gate;
  pool.links = l.links;
  pool.abandoned_hold = 30s;
  pool.duration = std::make_shared<telemetry::histogram>(shards);
  for (auto& h : pool.queue_wait) h = std::make_shared<telemetry::histogram>(shards);
  std::copy(retries_.begin(), retries_.end(), pool.retries.begin());
  p->pools.push_back(std::move(pool));
  proxy::route_plan r;
  r.settings.name = "orders";
  r.settings.path = "/load";
  r.settings.pool = "loaders";
  r.settings.retry.backoff_base = 1ms;
  r.settings.retry.backoff_max = 2ms;
  r.settings.half_close = config::half_close_action::wait;
  r.settings.async = config::async_mode::allow;
  r.settings.async_retry.backoff_base = 1ms;
  r.settings.async_retry.backoff_max = 2ms;
  if (w.route) w.route(r.settings);
  r.pool = &p->pools[0];
  r.core_route = gate->with(net::loop::read_clock(),
                            [](core::pool& c, base::instant) { return c.route("orders"); });
  for (const auto s : r.settings.busy_statuses) r.busy.set(s);
  for (const auto s : r.settings.failure_statuses) r.failure.set(s);
  std::copy(batches_.begin(), batches_.end(), r.batches.begin());
  p->router = core::router({{r.settings.hosts, r.settings.path, r.settings.methods, {}}});
  p->routes.push_back(std::move(r));
  p->limits.linger_timeout = 100ms;
  if (w.limits) w.limits(p->limits);
  p->head_limits = {p->limits.head_bytes_max, p->limits.fields_max, p->limits.target_bytes_max};
  replay_->batch_max = p->limits.replay_batch_bytes_max;
  replay_->total_max = p->limits.replay_total_bytes_max;
  replay_->disk_max = p->limits.replay_disk_bytes_max;
  p->replay_folder = folder_.path("");
  p->replay = replay_;
  p->durable = tools_ ? &*tools_ : nullptr;
  p->keys = engine_.get();
  p->hits = {counter(), counter(), counter(), counter(),
             counter(), counter(), counter(), counter(),
             counter(), counter(), counter(), counter(),
             counter(), counter()};
  p->unrouted = counter();
  return p;
}

front_kit::front_kit(wishes w) {
  w.relays.offload = &threads_;
  for (unsigned i = 0; i < w.loops; ++i) lanes_.push_back(std::make_unique<lane>(i));
  if (w.durable) make_store();
  batches_ = counters(proxy::outcomes, w.loops);
  retries_ = counters(proxy::attempt_ends, w.loops);
  core::pool_settings s = plain_pool();
  s.retry_budget.min = 100;
  if (w.pool) w.pool(s);
  make_gate(std::move(s));
  listener = std::make_shared<proxy::listener_plan>();
  listener->settings.name = "front";
  if (w.listener) w.listener(listener->settings);
  listener->tls = w.tls;
  listener->connections = std::make_shared<std::atomic<std::uint64_t>>(0);
  const auto count = std::make_shared<std::atomic<std::uint64_t>>(0);
  at_ = net::socket_address::ip("127.0.0.1", 0).value();
  for (auto& l : lanes_) {
    l->links = std::make_shared<proxy::links>(l->loop);
    l->door = std::make_unique<proxy::door>(l->loop, nullptr, 5, w.relays, count);
    l->plan = make_plan(w, *l);
    l->door->publish(l->plan);
    const int fd = *net::open_listener(at_, w.loops > 1);
    at_ = net::local_address(fd);
    l->loop.post([d = l->door.get(), fd, this] { d->listen(fd, listener, {}); });
  }
  plan = lanes_[0]->plan;
  if (room_) room_->publish(plan);
  for (auto& l : lanes_) l->thread = std::thread([loop = &l->loop] { loop->run(); });
}

core::worker_id front_kit::add(const std::string& name, std::vector<net::socket_address> where,
                               std::uint32_t slots,
                               std::function<void(proxy::worker_target&)> edit) {
  proxy::worker_target t;
  t.pool = gate->name();
  t.name = name;
  t.host = "worker.test";
  t.addresses = std::move(where);
  t.idle_max = 60s;
  if (edit) edit(t);
  const auto target = std::make_shared<const proxy::worker_target>(std::move(t));
  core::worker_settings w;
  w.name = name;
  w.slots = slots;
  // The loops hear of the target before a grant can name the worker, as with app::crew.
  core::worker_id id;
  gate->with(net::loop::read_clock(), [&](core::pool& p, base::instant now) {
    p.pause(now);
    id = p.add_worker(w, now);
    return 0;
  });
  on_loops([&](proxy::door& d) { lanes_[d.loop().index()]->links->set_target(id, target); });
  gate->with(net::loop::read_clock(), [](core::pool& p, base::instant now) { p.resume(now); });
  return id;
}

wire front_kit::connect() const {
  const int fd = blocking_socket(AF_INET);
  REQUIRE(::connect(fd, at_.data(), at_.size) == 0);
  return wire(fd);
}

http_message front_kit::ask(std::string_view request) const {
  wire w = connect();
  w.say(request);
  return w.read(request.starts_with("HEAD"));
}

std::size_t front_kit::running() {
  return gate->with(net::loop::read_clock(),
                    [](core::pool& p, base::instant) { return p.running(); });
}

// Taken slots: those of abandoned attempts too.
std::size_t front_kit::busy() {
  return gate->with(net::loop::read_clock(),
                    [](core::pool& p, base::instant t) { return p.view(t).slots_busy; });
}

std::size_t front_kit::waiting() {
  return gate->with(net::loop::read_clock(),
                    [](core::pool& p, base::instant) { return p.waiting(); });
}

std::uint64_t front_kit::batches(telemetry::outcome how) const {
  return batches_[static_cast<std::size_t>(how)]->total();
}

std::uint64_t front_kit::retries(core::attempt_end why) const {
  return retries_[static_cast<std::size_t>(why)]->total();
}

void front_kit::on_loops(const std::function<void(proxy::door&)>& what) {
  for (auto& l : lanes_) {
    std::promise<void> ran;
    l->loop.post([&, d = l->door.get()] {
      what(*d);
      ran.set_value();
    });
    ran.get_future().wait();
  }
}

std::size_t front_kit::idle_links() {
  std::size_t n = 0;
  on_loops([&](proxy::door& d) { n += lanes_[d.loop().index()]->links->idle(); });
  return n;
}

std::size_t front_kit::heads_taken() {
  std::size_t n = 0;
  on_loops([&](proxy::door& d) { n += d.in().heads.taken(); });
  return n;
}

void front_kit::end() {
  if (std::exchange(ended_, true)) return;
  if (room_) room_->stop();
  if (engine_) engine_->release_all();
  on_loops([](proxy::door& d) { d.close_listeners(); });
  on_loops([](proxy::door& d) {
    d.drain();
    d.abort_sessions();
  });
  std::atomic<int> full{static_cast<int>(lanes_.size())};
  on_loops([&](proxy::door& d) { d.when_empty([&] { --full; }); });
  CHECK(eventually([&] { return full == 0; }));
  on_loops([this](proxy::door& d) {
    lanes_[d.loop().index()]->links->close_all();
    CHECK(d.in().waiting.size() == 0);
    CHECK(d.in().heads.taken() == 0);
    CHECK(d.in().relays.buffers.taken() == 0);
    CHECK(d.in().relays.pipes.taken() == 0);
  });
  CHECK(eventually([&] { return idle(); }));
  CHECK(replay_->used == 0);
  CHECK(eventually([&] { return replay_->on_disk == 0; }));
  for (auto& l : lanes_) l->loop.stop();
  for (auto& l : lanes_) l->thread.join();
}

}  // namespace weir::test
