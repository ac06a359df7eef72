// The data path's threads: one loop and one door each. The control thread's handle on all of them:
// everything goes through posts, nothing here waits for a loop save join().
#pragma once

#include <functional>
#include <map>
#include <memory>
#include <span>
#include <string>
#include <thread>
#include <vector>

#include "base/result.hpp"
#include "proxy/door.hpp"

namespace weir::app {

struct bound_listener {
  std::string name, address;   // as bound, the kernel's port filled in
  bool tls = false;
  std::shared_ptr<std::atomic<std::uint64_t>> connections;
};

class front {
 public:
  // `threads` loops, not running yet.
  front(unsigned threads, telemetry::access_log* access, const proxy::relay_sizes& relays);
  ~front();   // joined before
  front(const front&) = delete;
  front& operator=(const front&) = delete;

  void start();
  // Settlements of durable batches go there. Before start().
  void serve_durable(proxy::backroom& room) { room_ = &room; }
  std::uint64_t tenant_seed() const noexcept { return seed_; }
  // On the door's loop.
  void post(unsigned loop, std::function<void(proxy::door&)> what);
  unsigned threads() const noexcept { return static_cast<unsigned>(loops_.size()); }

  // Runs `what` on every loop. `done` is called on the last loop to have run it.
  void each(std::function<void(proxy::door&)> what, std::function<void()> done = {});
  // To the loops of the batches' owners; at once when this thread is that loop's.
  void settle(std::span<const proxy::settlement> all);

  // A pool's connections to workers on one loop; made when first asked for. By the control thread
  // alone: a loop gets its own in what is posted to it.
  std::shared_ptr<proxy::links> links_of(unsigned loop, const std::string& pool);
  // Runs `what` on every loop with that loop's connections to the pool's workers; `done` as above.
  void each_links(const std::string& pool, std::function<void(proxy::links&)> what,
                  std::function<void()> done = {});
  // The pool is gone: its connections close, and are forgotten.
  void retire_links(const std::string& pool);

  // Binds without serving yet; nothing is open when it fails. `ours`: where this process listens
  // already, which may be joined (a listener with a new name, or one that moved from all addresses
  // to one); what another process has is refused.
  struct binding {
    std::vector<int> descriptors;   // one per loop, or one for a unix socket
    net::socket_address at;
    void discard();                 // closes what will not be served
  };
  base::result<binding, std::string> bind(const config::address& at,
                                          std::span<const net::socket_address> ours = {}) const;
  void serve(binding b, proxy::listener_ptr settings);

  void stop();   // loops end when what they have is done; then join
  void join();

 private:
  std::uint64_t seed_;
  proxy::backroom* room_ = nullptr;
  std::vector<std::unique_ptr<net::loop>> loops_;
  std::vector<std::unique_ptr<proxy::door>> doors_;
  std::vector<std::map<std::string, std::shared_ptr<proxy::links>>> links_;
  std::vector<std::thread> threads_;
  std::shared_ptr<std::atomic<unsigned>> next_ = std::make_shared<std::atomic<unsigned>>(0);
};

// The kernel's form of a configured address: numeric or unix. Error: what is wrong with it.
base::result<net::socket_address, std::string> to_socket_address(const config::address& at);

}  // namespace weir::app
