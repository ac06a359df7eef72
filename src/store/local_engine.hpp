// The engine in a folder of this machine: "batches.db" and "spool/". One thread does all its work:
// what waits when it is free is one transaction with one sync, however many callers wait for it
// (group commit), so that a busy store costs each batch a share of a sync. When such a group fails
// (a full disk), its changes are tried one by one, and each caller hears of its own.
#pragma once

#include <memory>

#include "store/engine.hpp"
#include "store/spool.hpp"

namespace weir::store {

struct local_settings {
  std::string folder;            // state_dir; made if it is missing
  unsigned group_max = 4096;     // changes in one transaction
  const char* vfs = nullptr;     // SQLite's; tests name one that fails
};

class local_engine final : public engine {
 public:
  // Opens or makes the store and removes what a crash left in the spool. `io`, "database is
  // locked": another weir has it.
  static outcome<std::unique_ptr<local_engine>> open(const local_settings& settings);
  ~local_engine() override;      // does what was asked so far, then ends

  void add(batch b, done<void> told) override;
  void start_attempt(batch_id id, std::string worker, unix_ms now,
                     done<std::uint32_t> told) override;
  void end_attempt(finished_attempt how, done<void> told) override;
  void cancel(batch_id id, unix_ms now, done<void> told) override;
  void requeue(batch_id id, unix_ms now, done<void> told) override;
  void drop(batch_id id, done<void> told) override;
  void find(batch_id id, bool with_body, done<batch> told) override;
  void response_of(batch_id id, done<response> told) override;
  void attempts_of(batch_id id, done<std::vector<attempt_note>> told) override;
  void list(batch_query q, done<std::vector<batch_line>> told) override;

  // At the start, before others use it: every open batch in order of arrival, without bodies.
  // Damaged ones are set aside instead; damaged() counts them.
  outcome<void> each_open(unix_ms now, const std::function<void(batch)>& take);
  std::size_t damaged() const noexcept;
  spool& bodies() noexcept;
  std::uint64_t commits() const noexcept;   // transactions so far

 private:
  struct state;
  explicit local_engine(std::unique_ptr<state> made);
  std::unique_ptr<state> state_;
};

}  // namespace weir::store
