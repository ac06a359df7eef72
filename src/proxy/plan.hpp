// What a loop works by: one immutable snapshot of routes, pools and limits, made by the control
// thread for each loop and swapped by a post. An exchange keeps the one it began with. Metric
// series and gates are looked up here once, so that a batch touches plain pointers only.
#pragma once

#include <array>
#include <atomic>
#include <bitset>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/cidr.hpp"
#include "config/config.hpp"
#include "core/router.hpp"
#include "http/forward.hpp"
#include "net/tls_server_context.hpp"
#include "proxy/links.hpp"
#include "proxy/pool_gate.hpp"
#include "store/engine.hpp"
#include "telemetry/access_log.hpp"
#include "telemetry/metrics.hpp"

namespace weir::proxy {

struct durable_tools;

using counter_ptr = std::shared_ptr<telemetry::counter>;
using histogram_ptr = std::shared_ptr<telemetry::histogram>;

inline constexpr std::size_t outcomes = 8;       // of telemetry::outcome
inline constexpr std::size_t attempt_ends = 8;   // of core::attempt_end
enum class wait_outcome : std::uint8_t { granted, refused, expired, client_gone };
inline constexpr std::size_t wait_outcomes = 4;
std::string_view name(wait_outcome) noexcept;

struct pool_plan {
  std::string name;
  std::shared_ptr<pool_gate> gate;
  std::shared_ptr<proxy::links> links;           // this loop's
  base::duration abandoned_hold{};
  histogram_ptr duration;
  std::array<histogram_ptr, wait_outcomes> queue_wait;
  std::array<counter_ptr, attempt_ends> retries;
};

using status_set = std::bitset<600>;

struct route_plan {
  config::route settings;
  const pool_plan* pool = nullptr;
  std::uint32_t core_route = 0;
  http::edits request_edits, response_edits;
  status_set busy, failure;
  std::array<counter_ptr, outcomes> batches;
};

// Bytes of bodies kept for a retry, over all loops; the limits change at a reload.
struct replay_budget {
  std::atomic<std::uint64_t> batch_max{0}, total_max{0}, disk_max{0};
  std::atomic<std::uint64_t> used{0}, on_disk{0};
};

struct limit_counters {
  counter_ptr head_bytes, fields, target_bytes, connections, replay_batch, replay_total, body,
      linger, pipes, interims, chunk_line, trailer, replay_disk, replay_folder;
};

struct plan {
  core::router router{{}};
  std::vector<pool_plan> pools;
  std::vector<route_plan> routes;                // in the router's order
  config::limits limits;
  http::head_limits head_limits;
  std::shared_ptr<replay_budget> replay;
  durable_tools* durable = nullptr;              // null: no state_dir
  store::engine* keys = nullptr;                 // of Idempotency-Key; in memory without state_dir
  std::string replay_folder;                     // of copies on disk; empty: none goes there
  limit_counters hits;
  counter_ptr unrouted;                          // batches without a route
};
using plan_ptr = std::shared_ptr<const plan>;

// One listener as sessions see it; replaced on reload, kept by the sessions that began with it.
struct listener_plan {
  config::listener settings;
  net::tls_context tls;                          // null: plain
  std::vector<base::cidr> trusted;
  std::shared_ptr<std::atomic<std::uint64_t>> connections;   // open now, over all loops
};
using listener_ptr = std::shared_ptr<const listener_plan>;

}  // namespace weir::proxy
