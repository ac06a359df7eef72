// Connections to workers, per loop: each worker's addresses and the idle kept-alive connections to
// it. A connection that the worker closes while idle is noticed at once (hang-up event) and
// dropped; idle life is short. Used by its loop's thread; targets are made by the control thread
// and posted.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "core/types.hpp"
#include "net/socket.hpp"
#include "net/tls_client_context.hpp"
#include "telemetry/metrics.hpp"

namespace weir::proxy {

class pool_gate;

// A worker as the data path sees it. Immutable: a change of address is a new target.
struct worker_target {
  std::string pool, name;
  std::string host;                                // Host when the route rewrites it
  std::vector<net::socket_address> addresses;      // tried in order; empty: not resolved yet
  std::shared_ptr<const net::tls_client_context> tls;   // null: plain
  std::string server_name;                         // SNI and name to verify
  base::duration idle_max = std::chrono::seconds(1);
  std::uint32_t idle_connections_max = 256;
  std::array<std::shared_ptr<telemetry::counter>, 8> attempts;   // by core::attempt_end
  std::shared_ptr<telemetry::counter> bad_load_reports;
};
using target_ptr = std::shared_ptr<const worker_target>;

class links;

// One connection to a worker.
struct link {
  link(links& home, core::worker_id worker, target_ptr target);

  net::socket socket;
  links& home;
  core::worker_id worker;
  target_ptr target;
  std::uint32_t uses = 0;            // requests it carried
  base::duration idle_max{};         // the worker's Keep-Alive: timeout may allow more
  net::timer expiry;
  // Set while an abandoned attempt holds its slot: see links::abandon.
  std::shared_ptr<pool_gate> held_gate;   // its pool may leave the configuration meanwhile
  core::batch_id held_batch;
};
using link_ptr = std::unique_ptr<link>;

class links {
 public:
  explicit links(net::loop& l) : loop_(l) {}
  ~links();

  void set_target(core::worker_id worker, target_ptr target);
  void drop_target(core::worker_id worker);
  // Null: unknown here (it was removed meanwhile).
  target_ptr target(core::worker_id worker) const;

  // An idle connection, most recently used first; null when there is none. With `proven`, one that
  // the kernel says is still open and silent right now.
  link_ptr take_idle(core::worker_id worker, bool proven);
  // A new, unconnected one.
  link_ptr make(core::worker_id worker, target_ptr target);
  void give_back(link_ptr l);
  // The attempt on it was given up: nothing more is sent, what comes is thrown away, and the slot
  // is released when the worker closes (or `hold` passes, when core frees it by itself).
  void abandon(link_ptr l, std::shared_ptr<pool_gate> gate, core::batch_id batch,
               base::duration hold);

  // Closes idle connections and ends the wait for abandoned ones.
  void close_all();
  // Closes them for good: these links live on until the last abandoned one has ended. On the loop.
  static void retire(std::shared_ptr<links> all);
  std::size_t idle() const noexcept;
  net::loop& loop() noexcept { return loop_; }

 private:
  struct worker_entry {
    core::worker_id id;
    target_ptr target;
    std::vector<link_ptr> idle;
  };
  worker_entry* find(core::worker_id worker) noexcept;
  void drop_idle(link& l);
  static void idle_departed(void* context);
  static void idle_expired(void* context);
  net::task<void> drain_abandoned(link_ptr l);
  static net::task<void> outlive_abandoned(std::shared_ptr<links> all);

  net::loop& loop_;
  std::vector<worker_entry> workers_;   // by worker_id.index
  std::vector<link*> abandoned_;
};

struct connect_outcome {
  enum class kind : std::uint8_t {
    connected,
    refused,
    timed_out,
    unreachable,
    tls_failed,
    unresolved,
    exhausted,   // weir itself has no descriptor, port or memory for it
    interrupted
  };
  kind what = kind::connected;
  std::string detail;
};

// Connects and, for an https worker, shakes hands; tries the target's addresses in turn. The caller
// bounds the time by interrupting l.socket.
net::task<connect_outcome> connect(link& l);

}  // namespace weir::proxy
