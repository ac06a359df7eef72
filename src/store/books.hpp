// The database and everything that has its records there, under one transaction at a time: the
// ledger of batches, the keys, the messages. Nothing counts before commit() returned. Only the
// store's thread uses it.
#pragma once

#include <memory>
#include <optional>
#include <string>

#include "store/key_book.hpp"
#include "store/ledger.hpp"
#include "store/outbox.hpp"

namespace weir::store {

class books {
  database db_;   // first, and what it names: the parts below use them
  std::unique_ptr<body_log> log_;   // none in memory

 public:
  // Makes the tables, or takes them over from an older version; `path` may be ":memory:". Batches
  // that were running when weir was killed are queued again as of `now`.
  static outcome<std::unique_ptr<books>> open(
      const std::string& path, unix_ms now, const char* vfs = nullptr,
      std::uint64_t segment_bytes = body_log::segment_size);

  outcome<void> begin();
  outcome<void> commit();
  void roll_back();

  // New batches leave so much of the disk free, or a tenth of it when that is less: what is there
  // needs room to come to its end. 0: no reserve.
  void reserve(std::uint64_t bytes) noexcept { reserve_ = bytes; }
  std::uint64_t short_of_room() const noexcept { return short_of_room_; }
  // With a key: `known` when it has a batch already, else both are added.
  outcome<added> add(const batch& b, const std::optional<key_claim>& key);
  // At most `most` batches and as many keys; `files`: of the batches that went.
  outcome<swept> sweep(const retention& keep, unix_ms now, std::size_t most, spool_numbers& files);
  outcome<store_counts> counts();
  // The attempt, or why there is none: one whose batch is damaged is set aside.
  struct tried {
    std::optional<opened_attempt> opened;
    failure why;
  };
  outcome<tried> open_attempt(const batch_id& id, std::string_view worker, unix_ms now);
  // The end of a batch leaves a message to whoever wants to be told.
  outcome<spool_numbers> end_attempt(const finished_attempt& how);
  outcome<void> give_up(const batch_id& id, std::string_view how, std::string_view detail,
                        unix_ms now, bool tells);
  // A page of a lane's batches; the damaged ones were set aside, and are counted.
  outcome<std::vector<batch>> load(std::uint32_t lane, std::int64_t after, unsigned limit,
                                   std::size_t& damaged);
  // Of the log that is not copied into place yet, after the last commit.
  std::uint64_t log_pages() const noexcept { return log_pages_; }
  outcome<void> check_point();   // copies it, as far as nobody reads what is older
  // After a failure that was the database's own (malformed): its pages are not what was written.
  // Saves what can still be read; outside of transactions, while no other connection is open. Adds
  // the places where something was lost to `gaps`.
  outcome<void> mend(std::uint64_t& gaps);

  body_log* log() noexcept { return log_.get(); }
  void saw(unix_ms now) noexcept { latest_ = now > latest_ ? now : latest_; }

  ledger batches;
  key_book keys;
  outbox messages;

 private:
  books(database db, std::unique_ptr<body_log> log);
  outcome<void> leave_message(const batch_id& id, unix_ms now);
  void watch_log();
  outcome<void> check_room();
  outcome<added> add_new(const batch& b);
  bool leaves_reserve() const;
  outcome<void> aside_with_message(const batch_id& id, std::string_view why, unix_ms now);
  std::string path_;
  const char* vfs_ = nullptr;
  std::uint64_t log_pages_ = 0;
  std::uint64_t reserve_ = 0, short_of_room_ = 0;
  std::optional<bool> has_room_;   // beyond the reserve; none: not looked at in this transaction
  unix_ms latest_ = 0;   // of all times that were handed in
};

}  // namespace weir::store
