// What a pool shows of itself: copies made under the gate's lock for the admin API, metrics, and
// readiness. Plain data; seconds are doubles.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "core/types.hpp"

namespace weir::core {

// Where a batch stands. `exact` when one tenant waits; else position and wait are estimates from
// the tenant's share.
struct queue_place {
  std::uint64_t position = 0;    // batches ahead of it
  double cost_ahead = 0;
  double eta_seconds = 0;        // about, until its grant, from how fast the backlog drains; no
                                 // longer than it may wait
  bool in_time = false;          // a grant is expected before its wait ends
  bool exact = false;
  bool delayed = false;          // backing off before a retry
};

struct worker_view {
  worker_id id;
  std::string name;
  worker_state state{};
  std::string reason;            // of the state: last probe's detail, ejection, who drained it
  std::uint32_t slots = 0;
  std::uint32_t slots_open = 0;  // of slots_lasting, after slow start
  std::uint32_t slots_lasting = 0;  // that it asked for, or that adaptive_slots found it can use
  std::uint32_t in_flight = 0;   // abandoned ones included
  double outstanding_cost = 0;
  double rate = 1;
  double reported_load = 0;      // by its own word, in the last minute; 0: none
  double weight = 1;
  std::uint32_t consecutive_failures = 0;
  std::uint32_t ejections = 0;
  std::uint64_t attempts = 0, successes = 0, failures = 0;
  double seconds_in_state = 0;
  bool managed = false, backup = false, removing = false;
  bool resting = false;          // busy, or refused a connection: gets nothing for a moment
};

struct queue_item {
  std::string label, tenant, route;
  std::uint32_t attempt = 0;
  double waited_seconds = 0;
  double cost = 0;
  std::uint8_t urgency = 3;
  queue_place place{};
};

struct queue_page {
  std::vector<queue_item> items;
  std::uint64_t total = 0;
};

// Ended batches that a pool remembers for explain().
inline constexpr std::size_t ended_kept = 256;

struct pool_view {
  std::string name;
  std::uint64_t waiting = 0, running = 0;  // waiting: those on disk included
  std::uint64_t delayed = 0;     // of those waiting: backing off before a retry
  double waiting_cost = 0;
  std::uint64_t waiting_bytes = 0;  // of bodies, in memory or on disk
  double oldest_seconds = 0;
  double drain_seconds = 0;      // waiting cost over the rate at which work finishes; infinite
                                 // when something waits and no worker is up
  std::uint32_t workers = 0, workers_up = 0;
  std::uint32_t slots = 0, slots_busy = 0;
  std::uint32_t tenants = 0;
  bool paused = false, closed = false, outage = false;
  std::string scaling_holds;     // why scaling decides nothing now; empty: it does, or is off
  // Workers as scaling counts them, in `desired` and in what hooks are told: without backups, those
  // being removed, and those that the hooks were told to stop. Drained ones count until then.
  std::uint32_t scaled = 0;
  std::optional<std::uint32_t> desired;   // the standing scale decision
  std::uint32_t asked_for = 0;            // workers asked for that have not come
  std::uint32_t never_came = 0;           // given up on
  double startup_seconds = 0;             // as learned
  std::uint64_t refused_batches = 0;      // by batches_max
  std::uint64_t refused_bytes = 0;        // by bytes_max
  std::uint64_t refused_workers = 0;      // by workers_max
  std::uint64_t rests_cut = 0;            // of busy workers, by busy_rest_max
  std::uint64_t tenants_folded = 0;       // by tenants_max
  std::uint64_t refused_tenants = 0;      // batches, by their tenant's max_batches
  std::uint64_t held_tenants = 0;         // batches that had to wait for their tenant's max_running
  std::uint64_t retries_denied = 0;       // by the budget
  std::uint64_t bounces = 0;
  // Durable batches.
  std::uint64_t stored = 0;               // of those waiting: on disk only
  double stored_cost = 0;
  std::uint64_t stored_bytes = 0;
  std::uint64_t durable_batches = 0, durable_bytes = 0;   // all that are open
  std::uint64_t refused_durable = 0;      // by durable.batches_max or durable.bytes_max
  std::uint64_t poisoned = 0;             // batches that failed wherever they ran
};

}  // namespace weir::core
