#include "app/front.hpp"

#include <openssl/rand.h>
#include <pthread.h>
#include <signal.h>
#include <unistd.h>

#include <algorithm>

#include "base/check.hpp"
#include "net/listener.hpp"

namespace weir::app {
namespace {

std::uint64_t random_seed() {
  std::uint64_t seed = 0;
  WEIR_CHECK(RAND_bytes(reinterpret_cast<unsigned char*>(&seed), sizeof seed) == 1);
  return seed;
}

// Signals are the control thread's.
void block_signals() {
  sigset_t all;
  sigfillset(&all);
  pthread_sigmask(SIG_BLOCK, &all, nullptr);
}

}  // namespace

front::front(unsigned threads, telemetry::access_log* access, const proxy::relay_sizes& relays)
    : seed_(random_seed()), links_(threads) {
  const auto connections = std::make_shared<std::atomic<std::uint64_t>>(0);
  for (unsigned i = 0; i < threads; ++i) {
    loops_.push_back(std::make_unique<net::loop>(i));
    doors_.push_back(std::make_unique<proxy::door>(*loops_[i], access, seed_, relays,
                                                  connections));
  }
}

front::~front() { join(); }

void front::start() {
  for (auto& l : loops_)
    threads_.emplace_back([loop = l.get()] {
      block_signals();
      loop->run();
    });
}

void front::each(std::function<void(proxy::door&)> what, std::function<void()> done) {
  const auto left = std::make_shared<std::atomic<std::size_t>>(loops_.size());
  for (std::size_t i = 0; i < loops_.size(); ++i)
    loops_[i]->post([d = doors_[i].get(), what, done, left] {
      what(*d);
      if (left->fetch_sub(1) == 1 && done) done();
    });
}

void front::post(unsigned loop, std::function<void(proxy::door&)> what) {
  loops_[loop]->post([d = doors_[loop].get(), what = std::move(what)] { what(*d); });
}

void front::settle(std::span<const proxy::settlement> all) {
  for (const proxy::settlement& s : all) {
    if (proxy::backroom::owns(s.owner)) {
      room_->settle(s);
      continue;
    }
    const unsigned i = proxy::waiting_room::owner_loop(s.owner);
    proxy::door* d = doors_[i].get();
    if (net::loop::current() == loops_[i].get()) d->settle(s);
    else loops_[i]->post([d, s] { d->settle(s); });
  }
}

std::shared_ptr<proxy::links> front::links_of(unsigned loop, const std::string& pool) {
  auto& slot = links_[loop][pool];
  if (!slot) slot = std::make_shared<proxy::links>(*loops_[loop]);
  return slot;
}

void front::each_links(const std::string& pool, std::function<void(proxy::links&)> what,
                       std::function<void()> done) {
  const auto left = std::make_shared<std::atomic<std::size_t>>(loops_.size());
  for (unsigned i = 0; i < threads(); ++i)
    loops_[i]->post([own = links_of(i, pool), what, done, left] {
      what(*own);
      if (left->fetch_sub(1) == 1 && done) done();
    });
}

void front::retire_links(const std::string& pool) {
  for (unsigned i = 0; i < threads(); ++i) {
    auto gone = links_[i].extract(pool);
    if (gone) loops_[i]->post([own = std::move(gone.mapped())] { proxy::links::retire(own); });
  }
}

base::result<net::socket_address, std::string> to_socket_address(const config::address& at) {
  const auto made = at.unix_path.empty() ? net::socket_address::ip(at.host, at.port)
                                         : net::socket_address::unix_path(at.unix_path);
  if (made) return *made;
  return "cannot bind " + config::to_string(at) + ": expected a numeric address or unix:/path";
}

void front::binding::discard() {
  if (descriptors.empty()) return;   // the file there is somebody else's
  for (const int fd : descriptors) ::close(fd);
  descriptors.clear();
  net::socket_file(at).remove();
}

base::result<front::binding, std::string> front::bind(
    const config::address& at, std::span<const net::socket_address> ours) const {
  auto where = to_socket_address(at);
  if (!where) return where.error();
  binding b{{}, *where};
  const bool tcp = at.unix_path.empty();
  const auto same = [&](const net::socket_address& o) { return net::overlap(o, *where); };
  bool joins = tcp && std::ranges::any_of(ours, same);
  for (std::size_t i = 0; i < (tcp ? loops_.size() : 1); ++i) {
    const auto fd = net::open_listener(b.at, joins);
    if (!fd) {
      b.discard();
      return fd.error();
    }
    b.descriptors.push_back(*fd);
    b.at = net::local_address(*fd);   // the other loops join the port that the kernel picked
    if (tcp) net::share(*fd), joins = true;
  }
  return b;
}

void front::serve(binding b, proxy::listener_ptr settings) {
  if (b.descriptors.size() == loops_.size() && b.at.family() != AF_UNIX) {
    for (std::size_t i = 0; i < loops_.size(); ++i)
      loops_[i]->post([d = doors_[i].get(), fd = b.descriptors[i], settings] {
        d->listen(fd, settings, {});
      });
    return;
  }
  auto spread = [this, next = next_](int fd, const net::socket_address& peer,
                                     proxy::listener_ptr to) {
    const unsigned i = next->fetch_add(1, std::memory_order_relaxed) % threads();
    loops_[i]->post([d = doors_[i].get(), fd, peer, to] { d->host(fd, peer, to); });
  };
  loops_[0]->post([d = doors_[0].get(), fd = b.descriptors[0], settings, spread] {
    d->listen(fd, settings, spread);
  });
}

void front::stop() {
  for (auto& l : loops_) l->stop();
}

void front::join() {
  for (std::thread& t : threads_)
    if (t.joinable()) t.join();
}

}  // namespace weir::app
