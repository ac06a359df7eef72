// A loop's part of the front door: its listening sockets, its sessions, its plan. The control
// thread makes one per loop and speaks to it by posts; everything here runs on the loop's thread,
// save the constructor, and the destructor after the loop has ended.
#pragma once

#include <functional>
#include <list>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "net/listener.hpp"
#include "proxy/dispatcher.hpp"
#include "proxy/hall.hpp"
#include "proxy/session.hpp"

namespace weir::proxy {

// Over all doors: open client connections against limits.connections_max.
using connection_count = std::shared_ptr<std::atomic<std::uint64_t>>;

class door {
 public:
  door(net::loop& l, telemetry::access_log* access, std::uint64_t tenant_seed,
       const relay_sizes& relays, connection_count connections);
  ~door();
  door(const door&) = delete;
  door& operator=(const door&) = delete;

  // Who gets an accepted connection, when not this door: for listeners that only one loop accepts
  // on.
  using hand_over = std::function<void(int fd, const net::socket_address& peer, listener_ptr)>;

  void publish(plan_ptr p);
  // Takes the descriptor. `spread` may be empty.
  void listen(int fd, listener_ptr settings, hand_over spread);
  // For connections from now on; the settings may hold a new name.
  void update_listener(std::string_view name, listener_ptr settings);
  // Accepts what the kernel has queued, then closes: a closed queue would be reset.
  void close_listener(std::string_view name);
  void close_listeners();
  // Calls back when none of those that were told to close accepts any more (at once if none does).
  void when_closed(std::function<void()> told);
  void host(int fd, const net::socket_address& peer, listener_ptr settings);

  void drain();  // idle connections go, others after their batch
  void abort_sessions();                             // drain_timeout passed
  // Calls back when no session and no attempt is left (at once if there is none).
  void when_empty(std::function<void()> told);
  void settle(const settlement& s) { hall_.waiting.deliver(s); }
  dispatcher& durable() noexcept { return dispatcher_; }

  hall& in() noexcept { return hall_; }
  net::loop& loop() noexcept { return hall_.loop; }

 private:
  struct acceptor {
    acceptor(int descriptor, net::watch& w, listener_ptr l, hand_over s);
    int fd;
    net::socket_file file;
    net::watch* watch;
    listener_ptr settings;
    hand_over spread;
    bool closing = false;
    net::timer pause;
  };
  net::task<void> accept_forever(std::list<acceptor>::iterator a);
  void accept_pending(acceptor& a);
  bool full() const noexcept;
  net::task<void> serve(std::unique_ptr<session> s);
  instant due() const;
  void tick(instant now);
  static void trim(void* context);
  void close(acceptor& a);
  bool closing() const noexcept;

  hall hall_;
  dispatcher dispatcher_{hall_};
  connection_count connections_;
  std::list<acceptor> acceptors_;
  std::vector<std::function<void()>> closed_;   // who waits for the listeners that are closing
  session* sessions_ = nullptr;
  std::function<void()> emptied_;
  net::timer trim_;   // each second
};

}  // namespace weir::proxy
