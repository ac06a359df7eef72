// What the admin API needs of a running weir: the app implements it, the server calls it, tests
// fake it. Every call comes on the control thread and must not block it; the ones that may take
// long get a callback, called exactly once on the control thread (at once or later).
// Invariant: nothing that comes back through here holds a secret, save the lease a worker is given.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.hpp"
#include "config/config.hpp"
#include "core/views.hpp"

namespace weir::admin {

// Why a call was not carried out.
struct failure {
  enum class kind : std::uint8_t {
    not_found,    // 404: no such pool, worker or batch
    invalid,      // 422: understood, and wrong (a configuration with mistakes)
    conflict,     // 409: not in this state (the worker's removal was sent, the name is taken)
    forbidden,    // 403: a lease's secret or an address that is not allowed
    unavailable,  // 503: shutting down, or a limit is reached
    bad_gateway,  // 502: somebody whom weir called did not take it
  };
  kind what = kind::not_found;
  std::string detail;               // one sentence for people
  std::vector<std::string> lines;   // further lines, such as FILE:LINE:COL diagnostics
};
template <class T>
using answer = base::result<T, failure>;
template <class T>
using done = std::function<void(answer<T>)>;

struct readiness {
  bool ok = false;
  std::string reason;               // when not: what is missing
};

struct listener_status {
  std::string name, address;        // address as bound, the kernel's port filled in
  bool tls = false;
  std::uint64_t connections = 0;
};

struct process_status {
  std::string version;
  std::int64_t started_unix_ms = 0;
  double uptime_seconds = 0;
  unsigned threads = 0;
  bool draining = false;            // shutting down
  std::string config_file;
  std::uint64_t config_generation = 0;         // 1 at start, one more with each reload taken
  std::optional<bool> last_reload_ok;          // nothing: none yet
  std::int64_t last_reload_unix_ms = 0;
  std::string last_reload_error;
  std::vector<listener_status> listeners;
};

struct worker_status {
  core::worker_view view;
  std::string url;                  // as configured or registered
  bool registered = false;          // it came by itself and lives on a lease
  double lease_seconds = 0;         // left, when registered
};

// How the deliveries to one scale hook went lately.
struct hook_status {
  enum class state : std::uint8_t {
    unused,      // nothing was sent yet
    delivering,  // the last one was taken
    failing,     // the last one was not; it is tried again
    stopped,     // it answered 410: nothing is sent until a reload
  };
  std::string hook;                 // "webhook https://scaler.example", "exec /bin/scale"
  state now = state::unused;
  double seconds = 0;               // for how long it is so
  std::uint64_t failures = 0;       // attempts that failed since the last delivery
  std::string detail;               // of the last attempt
};
std::string_view name(hook_status::state) noexcept;

// What an autoscaler polls (KEDA's metrics-api scaler reads `desired`); flat on purpose.
struct scale_view {
  std::string pool;
  bool enabled = false;             // autoscale is configured
  std::uint32_t desired = 0;        // the standing decision; the workers there are when none stands
  std::uint32_t current = 0, ready = 0, asked_for = 0, never_came = 0;
  std::uint32_t min = 0, max = 0;
  std::uint64_t backlog_batches = 0, backlog_bytes = 0;
  double backlog_cost = 0;
  double oldest_seconds = 0, drain_seconds = 0;
  std::string direction, reason;    // of the last decision; empty when there was none
  std::uint64_t episode = 0, sequence = 0;
  std::vector<hook_status> hooks;   // in the configuration's order
};

struct event_entry {
  std::uint64_t sequence = 0;       // rises by one with every event
  std::int64_t unix_ms = 0;
  std::string pool, kind, worker, text;
};
struct event_page {
  std::vector<event_entry> items;   // oldest first
  std::uint64_t next = 0;           // ask for events since this one next
};

struct change_report {
  std::string summary;              // one sentence
  std::vector<std::string> lines;   // what changed or would, worker by worker
};

struct plan_request {
  std::optional<std::string> yaml;  // nothing: the configuration's file as it is now
  std::string file;                 // what messages call the text; empty: as that file
};

// Asynchronous batches; empty members stand for all.
struct batch_filter {
  std::string state, pool, tenant;
  std::int64_t after = 0;           // the `next` of the page before
  std::uint64_t limit = 100;
};
enum class batch_change : std::uint8_t {
  cancel,    // one that waits or runs
  requeue,   // a dead letter waits again, with all its attempts
  drop,      // one that has ended is forgotten, its result too
};
std::string_view name(batch_change) noexcept;

struct register_request {
  std::string pool, id;
  config::url url;                  // already checked by the server when its host is an address; a
                                    // name's addresses are the backend's to check, see guard.hpp
  std::uint32_t slots = 1;
  double weight = 1;
  base::duration ttl{};             // within the surface's ttl_max
  std::string secret;               // of the lease that it had before, when it moved; else empty
  std::string peer;                 // the caller's address, "unix" for a unix socket
  bool through_registration = false;   // else through the admin API
};
struct lease {
  std::string secret;               // for renewals; said once, at registration
  base::duration ttl{};
};

class backend {
 public:
  virtual ~backend() = default;

  // --- reads ---------------------------------------------------------------------------------
  virtual readiness ready() = 0;
  virtual std::string metrics() = 0;                    // Prometheus text
  virtual process_status status() = 0;
  virtual std::vector<core::pool_view> pools() = 0;
  virtual answer<std::vector<worker_status>> workers(std::string_view pool) = 0;
  virtual answer<core::queue_page> queue(std::string_view pool, std::size_t offset,
                                         std::size_t limit) = 0;
  virtual answer<std::string> explain(std::string_view batch) = 0;   // in whichever pool it is
  virtual answer<scale_view> scale(std::string_view pool) = 0;
  virtual std::string config_json() = 0;                // in force, secrets left out
  virtual event_page events(std::uint64_t since, std::size_t limit) = 0;   // sequence > since

  // --- configuration -------------------------------------------------------------------------
  virtual void reload(done<change_report>) = 0;
  // What taking this would change. Changes nothing.
  virtual void plan(plan_request, done<change_report>) = 0;

  // --- asynchronous batches --------------------------------------------------------------------
  // Lines of JSON: {"batches":[…],"next":N or null}, and one batch with its history.
  virtual void batches(batch_filter, done<std::string>) = 0;
  virtual void batch(std::string id, done<std::string>) = 0;
  virtual void change_batch(batch_change, std::string id, done<change_report>) = 0;
  // All that match, whose state must be one that the change is for.
  virtual void change_batches(batch_change, batch_filter, done<change_report>) = 0;
  // A consistent copy of the state into a folder of weir's machine, while it runs.
  virtual void back_up(std::string folder, done<change_report>) = 0;

  // --- workers and pools ---------------------------------------------------------------------
  virtual answer<lease> register_worker(const register_request&) = 0;
  virtual answer<lease> renew_lease(std::string_view pool, std::string_view worker,
                                    std::string_view secret) = 0;
  // A registered worker says goodbye: it drains and is removed.
  virtual answer<void> end_lease(std::string_view pool, std::string_view worker,
                                 std::string_view secret) = 0;
  virtual answer<void> drain(std::string_view pool, std::string_view worker) = 0;
  virtual answer<void> undrain(std::string_view pool, std::string_view worker) = 0;
  virtual answer<void> remove_worker(std::string_view pool, std::string_view worker) = 0;
  virtual answer<void> pause(std::string_view pool) = 0;
  virtual answer<void> resume(std::string_view pool) = 0;
  // Sends every hook of the pool a delivery marked as a test; answers with one line a hook, as
  // bad_gateway when one of them did not take it.
  virtual void test_scale(std::string_view pool, done<change_report>) = 0;
};

}  // namespace weir::admin
