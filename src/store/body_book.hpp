// Where the bodies of batches are that no spool file holds: short ones in the database, longer ones
// in the body log, with their places in the database. A change counts when the transaction around
// it is committed. Only the store's thread calls it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "store/body_log.hpp"
#include "store/sqlite.hpp"

namespace weir::store {

class body_book {
 public:
  // From this size on bodies go to the log: shorter ones cost less beside their records.
  static constexpr std::size_t logged_min = 8192;

  body_book(database& db, body_log* log) : db_(db), log_(log) {}   // null: all in the database

  outcome<void> read();   // what the log holds, when a database was opened
  outcome<void> insert(std::int64_t seq, const payload& body);
  outcome<std::string> of(std::int64_t seq);   // empty: none; the caller checks its checksum
  outcome<void> remove(std::int64_t seq);
  // Some bodies of a wasteful segment go to the end of the log; how many.
  outcome<std::size_t> move_some();

  outcome<void> before_commit() { return log_ ? log_->sync() : outcome<void>(); }
  void committed() { if (log_) log_->committed(); }
  void rolled_back() { if (log_) log_->rolled_back(); }

 private:
  struct entry {
    std::int64_t seq = 0;
    log_place place;
  };
  outcome<std::vector<entry>> entries(const char* sql, std::int64_t of);
  outcome<void> move(const entry& e);

  database& db_;
  body_log* log_;
};

}  // namespace weir::store
