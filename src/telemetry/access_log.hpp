// The access log: one JSON line a batch. A loop formats its record straight into its shard's
// bounded byte ring; one writer thread drains all rings every 50 ms in large writes. offer() takes
// no lock, allocates nothing, makes no system call and wakes nobody; a full ring drops the record
// and counts it. reopen() is for the control thread; the destructor writes what is left (for at
// most 2 s when the reader of a pipe stalls). What could not be written stays in the rings and is
// tried again.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "base/result.hpp"
#include "base/time.hpp"

namespace weir::telemetry {

class sink;

enum class outcome : std::uint8_t {
  ok,           // the worker's answer was relayed whole, whatever its status
  bad_request,  // the client's fault: 4xx of ours
  refused,      // overload, draining, or no worker: 429 or 503 of ours
  timed_out,    // 504, or the wait limit
  failed,       // the worker's fault: 502
  client_gone,  // the client left before the answer's last byte
  cancelled,    // by an operator
  accepted,     // an asynchronous batch is in the store: 202; its end gets a line of its own
};
std::string_view name(outcome) noexcept;

// One batch, as it ended. Views need to live only as long as the call; empty text, zero attempts
// and negative times are left out of the line. Text is cut at 512 bytes, the target at 4096, as
// escaped.
struct access_record {
  std::int64_t unix_ms = 0;               // when the head's first byte came
  // Names and words (listener, route, pool, worker, batch, retried, reason) are copied as they are:
  // whoever made them, the configuration or weir itself, saw to it that they need no escape.
  std::string_view listener, client;      // client: address without port, or "unix"
  std::string_view method, host, target;  // target as sent, with its query
  unsigned status = 0;                    // sent to the client; 0: none was
  std::uint64_t request_body_bytes = 0, response_body_bytes = 0;
  std::string_view route, pool, tenant, worker, batch;
  std::string_view group;                 // Weir-Group, as sent
  double cost = 0;                        // declared, by the route's `cost`; 0: nothing was
  std::string_view trace;                 // the trace id of traceparent
  std::uint32_t attempts = 0;
  std::string_view retried;               // why the last retry happened
  telemetry::outcome outcome = outcome::ok;
  std::string_view reason;                // a fixed word for what went wrong, such as "queue_full"
  base::duration accept{-1};              // to the head's last byte: from the connection's accept
                                          // for its first request, else from the head's first byte
  base::duration queue{-1};               // admitted to granted, all waits of the batch
  base::duration connect{-1};             // of the last attempt; 0 when a connection was reused
  base::duration first_byte{-1};          // of the last attempt: request sent to response head
  base::duration attempt{-1};             // the last one: from its slot to the answer's last byte
  base::duration total{-1};               // from where `accept` begins to the answer's last byte
  bool tls = false;
  bool reused = false;                    // the client's connection had carried a request before
};

struct access_log_options {
  std::string file = "-";          // "-": standard output
  unsigned shards = 1;             // threads that offer
  std::uint32_t buffer_records = 8192;   // per shard, counted as 512 bytes each
};

class access_log {
 public:
  // An error when the file cannot be opened for appending.
  static base::result<std::unique_ptr<access_log>> open(const access_log_options&);
  access_log(const access_log&) = delete;
  access_log& operator=(const access_log&) = delete;
  ~access_log();

  // Only by the thread that owns `shard`. False: the ring was full and the record is lost.
  bool offer(unsigned shard, const access_record&) noexcept;

  // Opens the file anew before the next write (after a rotation). Any thread. When that fails, the
  // old file stays in use and the failure is counted.
  void reopen() noexcept;
  // Waits until everything offered before the call was written or failed to be. Any thread but the
  // loops'.
  void flush();

  std::uint64_t dropped() const noexcept;        // records lost to a full ring
  std::uint64_t write_errors() const noexcept;   // failed writes and openings
  void collect(sink&) const;                     // both, as metrics

 private:
  struct state;
  explicit access_log(std::unique_ptr<state>);
  std::unique_ptr<state> s_;
};

// One line with its newline, at most access_line_bytes_max; returns the end. `now_cache` keeps the
// formatted second between calls of one thread.
struct second_cache {
  std::int64_t second = -1;
  char text[20] = {};   // "2026-01-31T23:59:59."
};
inline constexpr std::size_t access_line_bytes_max = 16 * 1024;
char* format_access_line(const access_record&, second_cache&, char* out) noexcept;

}  // namespace weir::telemetry
