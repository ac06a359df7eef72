// A front door in the test's own process: real loops in threads, real loopback sockets, a real
// pool, scripted workers. Blocking sockets on the test's side, each bounded by a minute, so that a
// hang fails instead of hanging.
#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "proxy/backroom.hpp"
#include "proxy/door.hpp"
#include "proxy/durable.hpp"
#include "scratch.hpp"
#include "staged_engine.hpp"

struct ssl_st;

namespace weir::test {

// Turns until the condition holds; false after a minute.
bool eventually(const std::function<bool()>& holds);

// --- a worker
// -------------------------------------------------------------------------------------

struct http_message {
  std::string head;    // with its empty line; empty: the peer closed first
  std::string body;    // decoded
  bool whole = false;  // it ended as its framing says
  explicit operator bool() const { return !head.empty(); }
  unsigned status() const;
  std::string first_line() const;
  std::string field(std::string_view name) const;   // empty: absent
};

// A blocking connection: bytes in and out, and messages read off it.
class wire {
 public:
  explicit wire(int fd);
  wire(wire&& other) noexcept;
  ~wire();
  bool say(std::string_view bytes);                 // false: the peer is gone
  http_message read(bool to_head = false);          // skips no 1xx
  bool wait_for(std::string_view bytes);            // until they came, within what is not yet read
  void secure();                                    // a TLS handshake; verifies nothing
  std::string read_all();                           // to the end
  bool closed();                                    // the peer ends it, by a FIN or a reset
  bool hung() const { return hung_; }               // a read waited for a minute in vain
  void finish_sending();
  void reset();
  void close();
  int fd() const { return fd_; }

 private:
  bool fill();
  std::string take_chunked(bool& whole);
  int fd_;
  ssl_st* tls_ = nullptr;
  bool hung_ = false;
  std::string buffered_;
};

class fake_worker {
 public:
  // `script` is run for every connection, in a thread of its own.
  using script = std::function<void(wire&)>;
  explicit fake_worker(script s);
  ~fake_worker();

  net::socket_address where() const { return at_; }
  int connections() const { return connections_; }
  // Ends what its threads wait for, and joins them.
  void stop();

 private:
  void accept();
  script script_;
  int listener_;
  net::socket_address at_;
  std::atomic<int> connections_{0};
  std::atomic<bool> stopping_{false};
  std::mutex lock_;
  std::vector<std::thread> threads_;
  std::vector<int> open_;
  std::thread acceptor_;
};

// Answers every request of a connection with `answer`'s text (a whole response).
fake_worker::script answering(std::function<std::string(const http_message&)> answer);
// Requests with a Host, and for post a Content-Length.
std::string get(std::string_view path, std::string_view fields = {});
std::string post(std::string_view path, std::string_view body, std::string_view fields = {});
std::string response(unsigned status, std::string_view body, std::string_view fields = {});
// A response that says what it was asked: first line, then body.
std::string echo(const http_message& request);

// --- the front
// ------------------------------------------------------------------------------------

struct wishes {
  unsigned loops = 1;
  std::function<void(config::route&)> route;
  std::function<void(core::pool_settings&)> pool;
  std::function<void(config::limits&)> limits;
  std::function<void(config::listener&)> listener;
  net::tls_context tls;
  proxy::relay_sizes relays{64 * 1024, 4};
  bool durable = false;   // with a store: asynchronous batches and idempotency keys
};

class front_kit {
 public:
  explicit front_kit(wishes w = {});
  ~front_kit() { end(); }   // everything must have ended: checked

  core::worker_id add(const std::string& name, std::vector<net::socket_address> where,
                      std::uint32_t slots = 1,
                      std::function<void(proxy::worker_target&)> edit = {});
  core::worker_id add(const std::string& name, const fake_worker& w, std::uint32_t slots = 1) {
    return add(name, {w.where()}, slots);
  }

  net::socket_address where() const { return at_; }
  wire connect() const;
  // One request on a connection of its own.
  http_message ask(std::string_view request) const;

  std::size_t running();
  std::size_t waiting();
  std::size_t busy();
  bool idle() { return running() + waiting() + busy() == 0; }
  std::uint64_t batches(telemetry::outcome how) const;
  std::uint64_t retries(core::attempt_end why) const;
  void on_loops(const std::function<void(proxy::door&)>& what);   // waits until all ran it
  std::size_t idle_links();
  std::size_t heads_taken();               // buffers of requests being read
  std::uint64_t replay_bytes() const { return replay_->used; }
  std::uint64_t replay_bytes_on_disk() const { return replay_->on_disk; }
  std::uint64_t connections() const { return *listener->connections; }
  // Drains, checks that no session, slot, cell or buffer is left, stops. Once.
  void end();

  // Where wishes.durable was said.
  staged_engine& store() { return *engine_; }
  proxy::backroom& room() { return *room_; }
  std::string state_path(const std::string& name) const { return folder_.path("state/" + name); }

  std::shared_ptr<proxy::pool_gate> gate;
  std::shared_ptr<proxy::plan> plan;       // of loop 0; not to be changed once published
  std::shared_ptr<proxy::listener_plan> listener;

 private:
  struct lane {
    explicit lane(unsigned index) : loop(index) {}
    net::loop loop;
    std::unique_ptr<proxy::door> door;
    std::shared_ptr<proxy::links> links;
    std::shared_ptr<proxy::plan> plan;
    std::thread thread;
  };
  void make_store();
  void make_gate(core::pool_settings s);
  std::shared_ptr<proxy::plan> make_plan(const wishes& w, lane& l);
  scratch_folder folder_;                  // of bodies' copies
  std::unique_ptr<proxy::backroom> room_;   // null, as the next: no store
  std::unique_ptr<staged_engine> engine_;
  std::optional<proxy::durable_tools> tools_;
  std::vector<std::unique_ptr<lane>> lanes_;
  net::offload threads_{2};                // ends first: its work posts to loops and uses the store
  net::socket_address at_;
  std::shared_ptr<proxy::replay_budget> replay_ = std::make_shared<proxy::replay_budget>();
  std::vector<proxy::counter_ptr> batches_, retries_;
  bool ended_ = false;
};

}  // namespace weir::test
