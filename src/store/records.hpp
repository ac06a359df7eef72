// What the store keeps, as plain data: batches that were accepted for later, their results, the
// notes of their attempts, idempotency keys. Used by every file of this room and by its callers;
// no thread owns it. Times are Unix milliseconds: they outlive the process and its clock.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.hpp"

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
  std::int64_t seq = 0;             // order of arrival, given by the store
  std::uint32_t lane = 0;           // of its pool, route and tenant, given by the store
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
  std::uint32_t tries = 0;          // of those, the ones that count against the route's limit
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
  bool malformed = false;   // damaged: not a record but the database around it
  bool untouched = false;   // it was refused before anything was done: others go on
};

// The disk is full or fails now: asked again later, it may be done.
inline bool may_pass(const failure& f) noexcept {
  return f.what == trouble::full || f.what == trouble::io;
}

template <class T>
using outcome = base::result<T, failure>;

// One line of a list.
struct batch_line {
  std::int64_t seq = 0;                // where the next page goes on
  batch_id id{};
  std::string pool, route, tenant;
  batch_state state = batch_state::queued;
  std::uint32_t attempts = 0;
  unix_ms created = 0, changed = 0;
  std::uint64_t body_bytes = 0;
};

// Which ones; empty members ask for all.
struct batch_query {
  std::optional<batch_state> state;
  std::string pool, tenant;
  std::int64_t after = 0;              // seq of the last line that was seen
  unsigned limit = 100;
};

// What became of an attempt, and where that leaves its batch.
struct finished_attempt {
  batch_id id{};
  attempt_note note;
  batch_state next = batch_state::queued;
  std::uint32_t tries = 0;            // the batch's from now on
  unix_ms not_before = 0;
  std::optional<response> answer;
  bool tells = false;                 // at its end a message "callback/<id in hex>" is left
};

// A batch whose attempt may go out now.
struct opened_attempt {
  std::uint32_t number = 0;           // Weir-Attempt
  batch what;                         // with its inline body
};

// Where a batch was put. `known`: its key had one already, that batch's id is `id`; nothing was
// added, and its spool file (if any) is the caller's to remove.
struct added {
  std::int64_t seq = 0;
  std::uint32_t lane = 0;
  batch_id id{};
  bool known = false;
};

// A client's Idempotency-Key: what it belongs to, and what it was sent with.
using digest = std::array<unsigned char, 32>;
struct key_claim {
  digest scope{};                     // of tenant, route and key
  digest fingerprint{};               // of method, target and body
};

// What is known of a key.
struct key_record {
  enum class kind : std::uint8_t {
    fresh,       // claimed by this call
    running,     // claimed by another, not settled yet
    finished,    // settled with `answer`
    batch,       // of the asynchronous batch `id`
  };
  kind what = kind::fresh;
  digest fingerprint{};               // of finished and batch: what it was sent with
  response answer;                    // finished
  batch_id id{};                      // batch
};

// Open batches of one pool, route and tenant.
struct lane_state {
  std::uint32_t lane = 0;
  std::string pool, route, tenant;
  std::uint64_t batches = 0, bytes = 0;
  double cost = 0;
  unix_ms oldest = 0;                 // `created` of the first
};

// What has to be told to somebody outside, and was not yet: one line a name, the newest stands.
struct message {
  std::string name;                   // e.g. "scale/loaders/0", "callback/<batch id>"
  std::string text;                   // the sender's own
  unix_ms due = 0;                    // when it was left, or is to be tried again
  bool operator==(const message&) const = default;
};

// Messages of one kind. Those that are not what was written are dropped as they are met.
struct message_page {
  std::vector<message> list;          // those that are due first come first
  std::size_t damaged = 0;            // dropped
};

// What ended batches and keys may stay for; zero: not limited.
struct retention {
  unix_ms results = 0;                // milliseconds after a batch ended well or was cancelled
  std::uint64_t results_bytes = 0;    // bodies of ended batches and their answers, oldest go first
  unix_ms dead_letters = 0;           // milliseconds after it failed
  unix_ms keys = 0;
  std::uint64_t keys_bytes = 0;       // of all keys and their answers, oldest go as others come
};
struct swept { std::uint64_t batches = 0, keys = 0; };

struct store_counts {
  std::uint64_t queued = 0, running = 0, succeeded = 0, failed = 0, cancelled = 0, damaged = 0;
  std::uint64_t bytes = 0;            // of the database and the spool
};

}  // namespace weir::store
