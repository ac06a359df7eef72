// The records of batches in the database: what may happen to one, and what is known of it. Every
// change is part of the transaction between begin() and commit(); nothing counts before commit()
// returned. Only the store's thread calls it. A record whose checksum is wrong is answered with
// `damaged` and never acted upon; set_aside() takes it out of the way.
//
//   queued -> running -> queued (again) | succeeded | failed | cancelled
//   failed -> queued (requeue);   whatever is not open may be dropped
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "store/sqlite.hpp"

namespace weir::store {

// What became of an attempt, and where that leaves its batch.
struct attempt_end {
  attempt_note note;
  batch_state next = batch_state::queued;
  unix_ms not_before = 0;              // of the next attempt
  const response* answer = nullptr;    // the worker's final one, when there is one to keep
};

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

class ledger {
 public:
  // Makes the tables, or takes them over from an older version.
  static outcome<ledger> open(const std::string& path, const char* vfs = nullptr);

  outcome<void> begin();
  outcome<void> commit();
  void roll_back();

  // --- changes -----------------------------------------------------------------------------------
  outcome<void> add(const batch& b);                            // conflict: the id is known
  outcome<std::uint32_t> start_attempt(const batch_id& id, std::string_view worker, unix_ms now);
  outcome<void> end_attempt(const batch_id& id, const attempt_end& how);
  outcome<void> cancel(const batch_id& id, unix_ms now);        // an open one
  outcome<void> requeue(const batch_id& id, unix_ms now);       // a dead letter
  outcome<std::vector<std::uint64_t>> drop(const batch_id& id); // not open; its spool files
  outcome<void> set_aside(std::int64_t seq, std::string_view what, unix_ms now);

  // --- reads -------------------------------------------------------------------------------------
  outcome<batch> find(const batch_id& id, bool with_body);
  outcome<response> response_of(const batch_id& id);
  outcome<std::vector<attempt_note>> attempts_of(const batch_id& id);
  outcome<std::vector<batch_line>> list(const batch_query& q);
  // Open batches in order of arrival, without bodies; those that are damaged are told apart.
  struct open_page {
    std::vector<batch> batches;
    std::vector<std::pair<std::int64_t, failure>> damaged;   // seq, why
    std::int64_t last = 0;                                    // seq to go on after; 0: that was all
  };
  outcome<open_page> load_open(std::int64_t after, unsigned limit);
  outcome<std::vector<std::uint64_t>> spool_files();          // that records name
  outcome<std::uint64_t> highest_spool();

 private:
  struct place;
  explicit ledger(database db) : db_(std::move(db)) {}
  outcome<statement*> ready(statement& s, const char* sql);
  outcome<place> locate(const batch_id& id);
  outcome<void> move(const place& p, batch_state to, std::uint32_t attempts, unix_ms not_before,
                     unix_ms now);
  outcome<void> note(std::int64_t seq, const attempt_note& n);
  outcome<void> keep(std::int64_t seq, const response& r);

  database db_;
  statement insert_, insert_body_, locate_, move_, note_, keep_, find_, find_body_, load_;
};

}  // namespace weir::store
