// Which batch has an id. Ids are random: to put each where it belongs in a table would rewrite one
// page of it a batch. So the newest are in memory only (the batches' own rows have them too), and
// go to the table in sorted runs, a piece with each transaction. Only the store's thread calls it.
#pragma once

#include <optional>
#include <unordered_map>
#include <utility>
#include <vector>

#include "store/sqlite.hpp"

namespace weir::store {

class id_book {
 public:
  explicit id_book(database& db, std::size_t run = 65536) : db_(db), run_(run) {}

  outcome<void> read();          // when a database was opened: those that are not filed in it
  outcome<std::optional<std::int64_t>> seq_of(const batch_id& id);   // the batch may be gone
  void add(const batch_id& id, std::int64_t seq);
  outcome<void> remove(const batch_id& id);
  outcome<void> file_some();     // the last thing in a transaction that added some
  void committed();
  void rolled_back();

 private:
  using entry = std::pair<batch_id, std::int64_t>;
  struct hash {
    std::size_t operator()(const batch_id& id) const noexcept;
  };
  void begin_run();
  outcome<void> file(const entry& e);
  outcome<void> end_run();

  database& db_;
  const std::size_t run_;                       // as many are filed together
  std::unordered_map<batch_id, std::int64_t, hash> fresh_;
  std::vector<entry> filing_;                   // sorted; all of it is in fresh_ too
  std::size_t filed_ = 0;                       // of those
  bool ended_ = false;                          // in this transaction
  std::vector<batch_id> added_, removed_;       // since the last commit
};

}  // namespace weir::store
