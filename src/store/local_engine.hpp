// The engine in a folder of this machine: "batches.db", "bodies/" and "spool/". One thread does all
// its work: what waits when it is free is one transaction with one sync, however many callers wait
// for it (group commit), so that a busy store costs each batch a share of a sync. When such a group
// fails (a full disk), its changes are tried one by one, and each caller hears of its own. A second
// thread keeps the database's log short, a third makes a copy while one is wanted.
#pragma once

#include <memory>

#include "store/body_log.hpp"
#include "store/engine.hpp"
#include "store/spool.hpp"

namespace weir::store {

struct local_settings {
  std::string folder;              // state_dir; made if it is missing. Empty: all is in memory
  unix_ms now = 0;                 // when batches that a crash cut off are queued again
  std::uint64_t reserve_bytes = 0; // free on the disk that new batches leave; a tenth of it at most
  std::uint64_t keys_bytes = 0;    // until the first sweep() says; 0: not limited
  unsigned group_max = 4096;       // changes in one transaction
  unsigned sweep_max = 1000;       // batches and keys that one sweep() takes
  unsigned log_pages = 4096;       // of 16 KiB: from then on the log is copied into the database
  std::uint64_t segment_bytes = body_log::segment_size;   // a file of the body log
  const char* vfs = nullptr;       // SQLite's; tests name one that fails
};

class local_engine final : public engine {
 public:
  // Opens or makes the store and removes what a crash left in the spool. conflict: another weir
  // has it, or a newer one wrote it.
  static outcome<std::unique_ptr<local_engine>> open(const local_settings& settings);
  ~local_engine() override;        // does what was asked so far, then ends; a copy breaks off

  void add(batch b, std::optional<key_claim> key, done<added> told) override;
  void open_attempt(batch_id id, std::string worker, unix_ms now,
                    done<opened_attempt> told) override;
  void end_attempt(finished_attempt how, done<void> told) override;
  void give_up(batch_id id, std::string outcome, std::string detail, unix_ms now, bool tells,
               done<void> told) override;
  void cancel(batch_id id, unix_ms now, done<void> told) override;
  void requeue(batch_id id, unix_ms now, done<batch> told) override;
  void drop(batch_id id, done<void> told) override;
  void find(batch_id id, bool with_body, done<batch> told) override;
  void response_of(batch_id id, done<response> told) override;
  void attempts_of(batch_id id, done<std::vector<attempt_note>> told) override;
  void list(batch_query q, done<std::vector<batch_line>> told) override;
  void count(done<store_counts> told) override;
  void load(std::uint32_t lane, std::int64_t after, unsigned limit,
            done<std::vector<batch>> told) override;
  void lanes(done<std::vector<lane_state>> told) override;
  void claim_key(digest scope, unix_ms now, done<key_record> told) override;
  void settle_key(key_claim key, response answer, unix_ms now, done<void> told) override;
  void release_key(digest scope) override;
  void keep_message(message m, done<void> told) override;
  void forget_message(message m, done<void> told) override;
  void messages(std::string prefix, done<message_page> told) override;
  void due_messages(std::string prefix, unsigned limit, done<message_page> told) override;
  // At most settings.sweep_max batches and as many keys a call: when that many went, ask again.
  void sweep(retention keep, unix_ms now, done<swept> told) override;
  // One copy at a time (conflict). Its answer comes when it is whole, after later calls' answers.
  void back_up(std::string folder, done<void> told) override;

  spool& bodies() noexcept;                   // of bodies that are too long for the database
  std::uint64_t damaged() const noexcept;     // records that were set aside since it was opened
  std::uint64_t commits() const noexcept;     // transactions so far
  std::uint64_t keys_forgotten() const noexcept;   // for want of room (retention.keys_bytes)
  std::uint64_t short_of_room() const noexcept;    // batches refused for the reserve's sake
  // Of the disk or the database, since the last call: how often, and the last one's reason.
  struct troubles {
    std::uint64_t count = 0;
    std::string last;
  };
  troubles take_troubles();

 private:
  struct state;
  explicit local_engine(std::unique_ptr<state> made);
  std::unique_ptr<state> state_;
};

}  // namespace weir::store
