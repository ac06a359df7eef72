// The whole configuration as plain typed data: what config/README.md documents key by key. Read by
// config::read, immutable afterwards, published to the threads as snapshots.
// Units: durations are base::duration, sizes bytes, shares fractions of 1. Secrets are held as text
// read from their *_file and never printed; `redacted` dumps leave them out.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/settings.hpp"

namespace weir::config {

using base::duration;
using namespace std::chrono_literals;

enum class client_auth : std::uint8_t { none, request, require };

struct tls_listener {
  std::string certificate, private_key;  // paths; read again on every reload
  std::string client_ca;
  config::client_auth client_auth = config::client_auth::none;
  bool operator==(const tls_listener&) const = default;
};

// "127.0.0.1:8080", "[::]:8080" or "unix:/path".
struct address {
  std::string host;        // empty for unix
  std::uint16_t port = 0;  // 0: the kernel picks (said in the start-up log)
  std::string unix_path;
  bool operator==(const address&) const = default;
};
std::string to_string(const address&);

struct listener {
  std::string name;
  address bind;
  std::optional<tls_listener> tls;
  duration head_timeout = 10s;       // from a request's first byte to the end of its head: 408
  duration idle_timeout = 75s;       // a kept-alive connection without a request is closed
  std::vector<std::string> trusted;  // CIDRs whose forwarding fields are believed
  bool operator==(const listener&) const = default;
};

struct admin {
  address bind{"127.0.0.1", 9900, {}};
  std::string token;       // from token_file; empty: none (loopback only)
  std::string token_file;  // where it came from
  bool operator==(const admin&) const = default;
};

// Where workers register themselves, and can do nothing else.
struct registration {
  address bind;
  std::string token;  // from token_file
  std::string token_file;
  std::vector<std::string> allow;  // CIDRs that may register, and that worker urls must be in
  duration ttl_max = 5min;
  bool operator==(const registration&) const = default;
};

struct access_log {
  std::string file = "-";               // "-": standard output; "": off
  std::uint32_t buffer_records = 8192;  // per thread; one more is dropped and counted
  bool operator==(const access_log&) const = default;
};

struct limits {
  std::uint64_t head_bytes_max = 16 * 1024;  // a request's or a response's head: 431 or 502
  std::uint32_t fields_max = 100;
  std::uint64_t target_bytes_max = 8 * 1024;       // 414
  std::uint32_t interim_responses_max = 32;        // 1xx before one answer
  std::uint32_t connections_max = 100000;          // clients; beyond it they wait in the kernel
  std::uint64_t replay_batch_bytes_max = 1 << 20;  // of one body kept in memory for a retry
  std::uint64_t replay_total_bytes_max = 256ull << 20;  // of all
  std::uint64_t replay_disk_bytes_max = 10ull << 30;    // of all that are more than that
  std::uint64_t chunk_line_bytes_max = 256;  // chunk size with its extensions, and a trailer line
  std::uint64_t trailer_bytes_max = 4 * 1024;
  std::uint64_t linger_bytes_max = 1 << 20;  // read and thrown away after an early final answer
  duration linger_timeout = 2s;
  std::uint64_t keys_memory_bytes_max = 256ull << 20;   // of keys, without state_dir
  std::uint64_t disk_reserve_bytes = 128ull << 20;      // free in state_dir, for what is there
  std::uint64_t inline_bytes_max = 128 * 1024;   // of a durable body without a file of its own
  std::uint64_t result_bytes_max = 1ull << 30;   // of a durable batch's answer
  std::uint64_t relay_buffer_bytes = 64 * 1024;  // per direction while a body moves
  std::uint32_t relay_pipes_max = 256;           // long bodies that are spliced at once
  bool operator==(const limits&) const = default;
};

enum class cost_kind : std::uint8_t { none, header, bytes, fixed };
struct cost_source {
  cost_kind kind = cost_kind::none;
  std::string header;
  double fixed = 1;
  bool operator==(const cost_source&) const = default;
};

// What makes batches go to the same worker of a pool with `balance: hash`.
enum class affinity_kind : std::uint8_t { tenant, header, path };
struct affinity_source {
  affinity_kind kind = affinity_kind::tenant;
  std::string header;
  bool operator==(const affinity_source&) const = default;
};

enum class gone_action : std::uint8_t { cancel, finish };
enum class half_close_action : std::uint8_t { abort, wait };
// What a request gets whose key belongs to one that runs.
enum class running_key_action : std::uint8_t { refuse, wait };
enum class async_mode : std::uint8_t { never, allow, always };

struct header_edits {
  std::map<std::string, std::string> set;
  std::vector<std::string> remove;
  bool operator==(const header_edits&) const = default;
};

// Of durable batches: nobody waits at the other end, so there is time for more attempts.
struct async_retry {
  std::uint32_t attempts = 8;
  duration backoff_base = 1s, backoff_max = 5min;
  bool operator==(const async_retry&) const = default;
};

struct route {
  std::string name;
  // Matches: every one given must hold; none given matches everything.
  std::string path;                // prefix on segment borders
  std::vector<std::string> hosts;  // lower case, no port; "*.example.org" for one more label
  std::vector<std::string> methods;
  std::map<std::string, std::string> headers;  // exact values; "*": present
  std::string pool;
  std::string tenant_header;  // empty: one anonymous tenant
  cost_source cost;
  affinity_source affinity;
  struct {
    duration queue = 5min, connect = 3s, progress = 60s, response = 1h, total = 2h;
    bool operator==(const auto& o) const {
      return queue == o.queue && connect == o.connect && progress == o.progress &&
             response == o.response && total == o.total;
    }
  } timeout;
  core::retry_settings retry;
  std::vector<std::uint16_t> busy_statuses{429, 503};
  std::vector<std::uint16_t> failure_statuses{500, 502, 503, 504};  // count against the worker
  gone_action on_client_gone = gone_action::cancel;
  half_close_action half_close = half_close_action::abort;
  std::uint64_t body_max = 10ull << 30;
  struct {
    std::string strip_prefix;
    bool preserve_host = true;
    header_edits request, response;
    bool operator==(const auto& o) const {
      return strip_prefix == o.strip_prefix && preserve_host == o.preserve_host &&
             request == o.request && response == o.response;
    }
  } rewrite;
  async_mode async = async_mode::never;
  config::async_retry async_retry;
  struct {
    running_key_action on_running = running_key_action::refuse;
    std::uint64_t answer_bytes_max = 1 << 20;  // of an answer kept for a key
    bool operator==(const auto& o) const {
      return on_running == o.on_running && answer_bytes_max == o.answer_bytes_max;
    }
  } idempotency;
  struct {
    std::vector<std::string> allow;  // origins that Weir-Callback may name; empty: none
    std::string secret, secret_file;
    bool operator==(const auto& o) const {
      return allow == o.allow && secret == o.secret && secret_file == o.secret_file;
    }
  } callback;
};

struct tls_client {
  std::string ca;                        // PEM path; empty: the system's
  std::string certificate, private_key;  // shown to workers that ask
  std::string server_name;               // SNI and name to verify; empty: the url's host
  bool verify = true;
  bool operator==(const tls_client&) const = default;
};

struct url {
  bool tls = false;
  std::string host;  // no brackets
  std::uint16_t port = 80;
  std::string unix_path;  // "unix:/path": plain HTTP over it
  bool operator==(const url&) const = default;
};
std::string to_string(const url&);

struct worker {
  core::worker_settings settings;
  config::url url;
};

struct webhook {
  std::string url;          // http or https
  std::string secret;       // the key itself, decoded from secret_file; empty: unsigned
  std::string secret_file;  // where it came from
  duration timeout = 10s;
  bool operator==(const webhook&) const = default;
};
struct exec_hook {
  std::vector<std::string> command;  // argv; the first an absolute path
  duration timeout = 30s;
  bool operator==(const exec_hook&) const = default;
};
struct hook {  // exactly one of the two
  std::optional<config::webhook> webhook;
  std::optional<exec_hook> exec;
  bool operator==(const hook&) const = default;
};

// How long what has ended is kept.
struct retention {
  duration results = 24h;
  std::uint64_t results_bytes = 10ull << 30;
  duration dead_letters = 30 * 24h;
  duration keys = 24h;
  std::uint64_t keys_bytes = 10ull << 30;
  bool operator==(const retention&) const = default;
};

// Copies of the state while weir runs.
struct backup {
  std::string dir;  // gets one folder a copy
  duration interval = 24h;
  std::uint32_t keep = 7;  // copies; older ones are removed
  bool operator==(const backup&) const = default;
};

struct pool {
  core::pool_settings settings;  // name, balance, queue, health, ejection, autoscale …
  std::vector<worker> workers;   // backup_workers too, with settings.backup set
  struct {
    std::string path = "/healthz";
    std::string host;                     // Host of the probe; empty: the worker's
    std::vector<std::uint16_t> statuses;  // that count as good; empty: 200..399
    bool operator==(const auto& o) const {
      return path == o.path && host == o.host && statuses == o.statuses;
    }
  } probe;
  struct {
    duration idle = 1s;
    std::uint32_t max = 256;  // idle connections a worker and thread
    bool operator==(const auto& o) const { return idle == o.idle && max == o.max; }
  } keepalive;
  tls_client tls;                   // for https:// workers
  std::vector<hook> hooks;          // autoscale.hooks
  duration resolve_interval = 30s;  // names are looked up again this often
};

struct settings {
  std::uint32_t threads = 0;  // 0: auto, one a core
  std::string state_dir;
  config::retention retention;
  std::optional<config::backup> backup;
  std::string replay_dir;     // empty: below state_dir, else the system's folder for such files
  duration drain_timeout = 60s;
  duration drain_delay = 0s;
  bool reload_watch = false;  // reload: watch
  config::access_log access_log;
  config::limits limits;
  std::vector<listener> listeners;
  config::admin admin;
  std::optional<config::registration> registration;
  std::vector<route> routes;
  std::vector<pool> pools;
};

}  // namespace weir::config
