// What the store keeps, as plain data: batches that were accepted for later, their results, the
// notes of their attempts, idempotency keys. Used by every file of this room and by its callers;
// no thread owns it. Times are Unix milliseconds: they outlive the process and its clock.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace weir::store {

using unix_ms = std::int64_t;
using batch_id = std::array<unsigned char, 16>;   // random; its hex form is what clients know

// Where a batch stands. Only queued and running ones are open: they will be tried (again). A failed
// one is a dead letter; a damaged one's record is not what was written.
enum class batch_state : std::uint8_t { queued, running, succeeded, failed, cancelled, damaged };
constexpr bool is_open(batch_state s) noexcept { return s <= batch_state::running; }

// A body, of a request or a response: short ones are in `bytes`, long ones in a spool file.
struct payload {
  std::uint64_t size = 0;
  std::uint32_t crc = 0;      // CRC-32 (ISO 3309) of all bytes
  std::string bytes;          // all of it, unless it is spooled
  std::uint64_t spool = 0;    // number of the spool file; 0: none
};

struct batch {
  batch_id id{};
  std::string pool, route, tenant;
  std::string key;                  // Idempotency-Key of every attempt
  std::string method, target;
  std::string fields;               // "Name: value\r\n" lines, as they are forwarded
  double cost = 1;                  // in the route's unit
  std::uint8_t urgency = 3;         // RFC 9218
  std::string callback;             // URL to tell of its end; empty: none
  std::optional<unix_ms> deadline;
  payload body;
  unix_ms created = 0;
  batch_state state = batch_state::queued;
  std::uint32_t attempts = 0;       // opened so far; the next one's number is one more
  unix_ms not_before = 0;           // backoff: not tried sooner
  unix_ms changed = 0;              // when the state was reached
};

// One try, as a dead letter shows it.
struct attempt_note {
  std::uint32_t number = 0;         // Weir-Attempt
  std::string worker;
  unix_ms began = 0, ended = 0;     // ended 0: open, or cut off by a crash
  std::string outcome, detail;      // a word of the metrics, and a sentence
};

// A worker's final answer.
struct response {
  std::uint16_t status = 0;
  std::string worker;
  std::string fields;               // as the client gets them
  payload body;
};

// Why something could not be done. `full`: no room on the disk. `io`: it failed otherwise.
// `damaged`: what was read is not what was written. `conflict`: not in this state. `closed`: the
// store is shutting down.
enum class trouble : std::uint8_t { full, io, damaged, not_found, conflict, closed };
struct failure {
  trouble what = trouble::io;
  std::string detail;
};

}  // namespace weir::store
