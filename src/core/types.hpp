// What core and the shell say to each other about a batch: ids, facts at arrival, grants, attempt
// reports, verdicts and the effects that a call on a Pool leaves behind. Plain data.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/ids.hpp"
#include "base/time.hpp"
#include "core/settings.hpp"

namespace weir::core {

using batch_id = base::id<struct batch_tag>;
using worker_id = base::id<struct worker_tag>;

enum class refusal : std::uint8_t {
  none,
  queue_full,        // batches_max reached: contended, 429
  queue_bytes_full,  // bytes_max reached: contended, 429
  tenant_full,       // its tenant's batches_max reached, others are not affected: 429
  deadline,          // the client's deadline cannot be met, or passed while waiting: 429
  wait_expired,      // waited as long as pool and route allow: 503 without a worker, else 429
  no_worker,         // no worker and none can come: 503
  no_worker_up,      // workers, or hooks to ask for them, but none came up in time: 503
  retries_exhausted, // the worker's fault, no attempt left: 502
  retry_budget,      // the worker's fault, another attempt was due and the budget denied it: 502
  cancelled,         // by an operator or the client
  closing,           // weir is shutting down: 503; a durable batch stays in the store
  poisoned,          // it fails wherever it runs: 502; a durable batch is a dead letter
};

// What the shell knows of a batch when it arrives.
struct batch_facts {
  std::uint64_t owner = 0;        // opaque: handed back with grants and evictions
  std::uint32_t route = 0;        // from pool::route(name): selects the cost model
  std::uint64_t tenant_hash = 0;  // 0 with an empty name: the anonymous tenant
  std::string_view tenant{};      // copied when the tenant is new
  std::string_view label{};  // weir's public batch id, for admin pages; copied, 32 chars at most
  double units = 0;               // declared work; 0: not known
  std::uint64_t affinity = 0;     // for balance::hash
  std::uint64_t group = 0;        // a hash of Weir-Group, within the tenant; 0: none
  std::uint64_t held_bytes = 0;   // body bytes that weir itself holds while it waits
  std::uint8_t urgency = 3;       // RFC 9218: 0 most urgent .. 7
  duration wait_max = base::forever;      // the route's queue timeout
  instant client_deadline = base::never;  // Weir-Deadline
  retry_settings retry{};

  // Of a durable batch, whose record is in the store (depot.hpp).
  bool durable = false;
  std::uint32_t lane = 0;           // of its route and tenant, as the store numbers them
  std::int64_t place = 0;           // its sequence in the store
  std::uint32_t tries = 0;          // attempts that counted before
  duration delay{};                 // not granted sooner
  duration age{};                   // it arrived so long ago
  std::uint64_t stored_bytes = 0;
  bool reserved = false;            // by reserve_durable()
  bool loaded = false;              // asked for by a load_order
};

struct grant {
  batch_id batch{};
  std::uint64_t owner = 0;
  worker_id worker{};
  std::uint32_t attempt = 0;   // 1, 2, ...: Weir-Attempt, rises with every attempt
  double expected_seconds = 0; // the estimate on this worker
};

// A waiting batch that the pool gave up on: its wait ran out, or the pool was emptied.
struct eviction {
  batch_id batch{};              // already gone from the pool
  std::uint64_t owner = 0;
  refusal why = refusal::none;
  duration retry_after{};
};

struct admission {
  enum class kind : std::uint8_t {
    granted,
    queued,
    refused,
    stored,  // a durable one: it stays on disk for now, a load_order will ask for it
  };
  kind what = kind::refused;
  core::grant grant{};           // when granted
  batch_id batch{};              // when granted or queued
  refusal why = refusal::none; // when refused
  duration retry_after{};      // when refused
};

enum class attempt_end : std::uint8_t {
  succeeded,        // a response that was not the worker's failure was relayed whole
  connect_failed,   // nothing was sent: refused, unreachable, connect or TLS handshake timed out
  stale_connection, // a reused connection was closed before a byte of the response: no fault
  busy,             // a busy status that means "not executed"
  failed,           // after bytes were sent: reset, broken response, 5xx that counts as failure
  response_timeout, // no response head within timeout.response
  client_gone,      // cancelled because the client left; not charged to the worker
  client_fault,     // the upload broke framing, stalled or was too large, or weir itself was short
                    // of something; not charged
};

struct attempt_report {
  attempt_end end = attempt_end::failed;
  bool may_retry = false;       // replayable body, nothing of a response sent to the client, and an
                                // idempotent method, a key, or unsafe: true
  bool slot_abandoned = false;  // the worker may still be at it: keep the slot until release_slot
                                // or abandoned_hold
  duration retry_after{};       // the worker's, when busy
  bool has_response = false;    // a worker's answer is there to be relayed: a batch that is not
                                // tried again is then `done`, else `failed`
  bool nothing_sent = false;    // no byte of the request left: safe to repeat whatever may_retry
  double reported_load = 0;     // the worker's own word, 1: it can do no more; 0: it said nothing
};

// What becomes of a batch whose attempt ended.
struct verdict {
  enum class kind : std::uint8_t {
    done,     // the batch left the pool; relay or answer as the attempt ended
    granted,  // go on at once with `grant`
    waiting,  // in the queue again, or backing off: a grant or an eviction will come
    failed,   // the batch left the pool without a good attempt: answer `why`
  };
  kind what = kind::done;
  core::grant grant{};
  refusal why = refusal::none;
  duration retry_after{};
  // Of a durable batch: what its record has to say from now on.
  duration delay{};         // when waiting: no attempt before
  std::uint32_t tries = 0;  // attempts that count; earlier ones may have been taken back
  bool counted = false;     // this attempt is one of them
};

enum class worker_state : std::uint8_t {
  checking,   // no traffic until the first proof
  up,
  saturated,  // up with every slot taken: busy is not dead
  ejected,    // passive checks' verdict, for a time
  down,       // active probes' verdict
  draining,   // by an operator, a lost lease, a reload or a scale-in: finishes what it has
  removed,
};
std::string_view name(worker_state) noexcept;
std::string_view name(refusal) noexcept;
std::string_view name(attempt_end) noexcept;

// What a worker said of itself in the reply to a probe; what is not said stays as it was.
struct worker_word {
  enum class duty : std::uint8_t { unsaid, ready, drain };
  duty wish = duty::unsaid;
  std::string why{};                    // of a drain
  std::optional<std::uint32_t> slots{}; // it wants to have at most; 0: as many as declared
  std::optional<double> share{};        // of its weight
  double load = 0;                      // as attempt_report's reported_load
  bool says_anything() const noexcept {
    return wish != duty::unsaid || slots || share || load > 0;
  }
};

// Something an operator would want to know; for the log and GET /v1/events.
struct event {
  enum class kind : std::uint8_t {
    worker_state_changed, worker_added, worker_removed, outage_began, outage_ended,
    scale_decided, worker_never_came, pool_paused, pool_resumed,
  };
  kind what{};
  worker_id worker{};
  std::string worker_name{};
  worker_state from{}, to{};
  std::string reason{};
  instant when{};
};

// A decision for the hooks; see scaling.hpp. `desired` is absolute.
struct scale_decision {
  enum class direction : std::uint8_t { out, in };
  direction way = direction::out;
  std::uint64_t episode = 0;    // one per run of pressure in one direction
  std::uint64_t sequence = 0;   // rises with every decision, resent ones included
  std::uint32_t desired = 0;
  std::uint32_t current = 0;
  std::string reason{};
  std::uint64_t backlog_batches = 0;
  double backlog_cost = 0;          // seconds of work at rate 1
  std::uint64_t backlog_bytes = 0;
  double oldest_seconds = 0;
  double drain_seconds = 0;
  std::vector<std::string> remove{};  // drained and empty workers: may be stopped now
  bool resent = false;
};

// Probe this worker now; answer with pool::probed.
struct probe_order {
  worker_id worker{};
};

// Batches of a lane that the pool has room for: read at most `limit` queued ones that come after
// `after` from the store, admit each with facts.loaded, and answer with pool::loaded.
struct load_order {
  std::uint32_t lane = 0;
  std::int64_t after = 0;
  std::uint32_t limit = 0;
};

// Open batches of a lane that the store had when it was opened.
struct lane_facts {
  std::uint32_t lane = 0;
  std::uint32_t route = 0;        // from pool::route(name)
  std::string_view tenant{};      // as in batch_facts
  std::uint64_t tenant_hash = 0;
  std::uint64_t batches = 0, bytes = 0;
  double units = 0;               // of all of them; 0: not known
  duration oldest{};              // age of the first
};

// What calls on a pool leave for the shell to carry out, in order. The shell swaps it out under the
// lock and acts after unlocking; vectors keep their capacity, so the steady state allocates
// nothing.
struct effects {
  std::vector<grant> grants{};
  std::vector<eviction> evictions{};
  std::vector<probe_order> probes{};
  std::vector<event> events{};
  std::vector<scale_decision> decisions{};
  std::vector<load_order> loads{};
  bool empty() const noexcept {
    return grants.empty() && evictions.empty() && probes.empty() && events.empty() &&
           decisions.empty() && loads.empty();
  }
  void clear() noexcept {
    grants.clear(), evictions.clear(), probes.clear(), events.clear(), decisions.clear();
    loads.clear();
  }
};

}  // namespace weir::core
