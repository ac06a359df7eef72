// Idempotency keys: who claimed one, and what it came to. A claim of a request that still runs is
// in memory only, so that a crash frees it; what it came to, and a durable batch's key, are rows of
// the transaction that the caller has begun. Only the store's thread calls it.
#pragma once

#include <optional>
#include <unordered_set>
#include <utility>
#include <vector>

#include "store/sqlite.hpp"

namespace weir::store {

class key_book {
 public:
  explicit key_book(database& db) : db_(db) {}

  outcome<void> read();   // when a database was opened: how much there is
  // What they may take together, 0: not limited. Beyond it the oldest are forgotten as others come.
  void limit(std::uint64_t bytes_max) noexcept { bytes_max_ = bytes_max; }
  std::uint64_t bytes() const noexcept { return bytes_; }
  std::uint64_t forgotten() const noexcept { return forgotten_; }   // so, since it was opened

  void committed();
  void rolled_back();   // what was claimed, settled or released since the last commit never was

  // Fresh: it is the caller's until settle() or release(). A damaged record is set aside.
  outcome<key_record> claim(const digest& scope, unix_ms now);
  outcome<void> settle(const key_claim& key, const response& answer, unix_ms now);
  void release(const digest& scope);
  // Of a durable batch: the one that has the key already, or none. conflict: the key was sent with
  // something else, or is a synchronous request's.
  outcome<std::optional<batch_id>> batch_of(const key_claim& key, unix_ms now);
  outcome<void> bind(const key_claim& key, const batch_id& id, unix_ms now);
  // At most `most` that were made before `before`, the oldest first; how many went.
  outcome<std::size_t> sweep(unix_ms before, std::size_t most);

 private:
  struct hash {
    std::size_t operator()(const digest& d) const noexcept;
  };
  outcome<key_record> find(const digest& scope, unix_ms now);
  outcome<void> insert(const key_claim& key, unix_ms now, const batch_id* id,
                       const response& answer);
  outcome<void> set_aside(std::int64_t number, unix_ms now);
  outcome<std::size_t> remove(statement::use& u);
  outcome<void> make_room(std::uint64_t bytes);
  void mark(const digest& scope, bool runs);

  database& db_;
  std::unordered_set<digest, hash> running_;
  std::vector<std::pair<digest, bool>> undo_;   // what was before, last change last
  std::uint64_t bytes_max_ = 0;
  std::uint64_t bytes_ = 0, committed_bytes_ = 0;
  std::uint64_t forgotten_ = 0, committed_forgotten_ = 0;
};

}  // namespace weir::store
