// The records of batches in the database: what may happen to one, and what is known of it. Every
// change is part of the transaction that its caller has begun, and nothing counts before that is
// committed. Only the store's thread calls it. A record whose checksum is wrong is answered with
// `damaged` and never acted upon; set_aside() takes it out of the way.
//
//   queued -> running -> queued (again) | succeeded | failed | cancelled
//   failed -> queued (requeue);   whatever is not open may be dropped
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <tuple>
#include <unordered_map>
#include <vector>

#include "store/body_book.hpp"
#include "store/id_book.hpp"
#include "store/rows.hpp"

namespace weir::store {

using spool_numbers = std::vector<std::uint64_t>;   // files that no record names from then on

class ledger {
 public:
  // `log`: where bodies go that are not short; null: they are all in the database.
  explicit ledger(database& db, body_log* log = nullptr) : db_(db), ids_(db), bodies_(db, log) {}

  // At the start: takes a batch that was running when weir was killed back into the queue, and
  // forgets lanes without batches. Reads neither what waits nor what has ended.
  outcome<void> take_up(unix_ms now);
  outcome<void> read_anew();     // the database is another one, with the same batches or fewer
  outcome<void> before_commit();
  void committed() { ids_.committed(), bodies_.committed(); }
  outcome<void> rolled_back();   // what was done since the last commit never was

  // --- changes -----------------------------------------------------------------------------------
  outcome<added> add(const batch& b);                           // conflict: the id is known
  outcome<opened_attempt> open_attempt(const batch_id& id, std::string_view worker, unix_ms now);
  outcome<spool_numbers> end_attempt(const finished_attempt& how);
  outcome<void> give_up(const batch_id& id, std::string_view how, std::string_view detail,
                        unix_ms now);                           // an open one
  outcome<void> cancel(const batch_id& id, unix_ms now);        // an open one
  outcome<batch> requeue(const batch_id& id, unix_ms now);      // a dead letter
  outcome<spool_numbers> drop(const batch_id& id);              // one that is not open
  outcome<void> set_aside(std::int64_t seq, std::string_view why, unix_ms now);
  outcome<void> set_aside(const batch_id& id, std::string_view why, unix_ms now);
  outcome<std::size_t> move_bodies() { return bodies_.move_some(); }   // see body_book.hpp
  // At most `most` ended ones that `keep` does not keep, the oldest first; how many went.
  outcome<std::size_t> sweep(const retention& keep, unix_ms now, std::size_t most,
                             spool_numbers& files);

  // --- reads -------------------------------------------------------------------------------------
  outcome<added> where(const batch_id& id);
  outcome<bool> has_callback(std::int64_t seq);
  outcome<batch> find(const batch_id& id, bool with_body);
  outcome<response> response_of(const batch_id& id);
  outcome<std::vector<attempt_note>> attempts_of(const batch_id& id);
  outcome<std::vector<batch_line>> list(const batch_query& q);
  // Queued ones of a lane in order of arrival, without bodies; the damaged are told apart.
  struct page {
    std::vector<batch> batches;
    std::vector<std::pair<std::int64_t, failure>> damaged;   // seq, why
  };
  outcome<page> load(std::uint32_t lane, std::int64_t after, unsigned limit);
  outcome<std::vector<lane_state>> lanes();
  outcome<store_counts> counts();                             // `bytes`: of the spool alone
  outcome<bool> names_spool(std::uint64_t number);
  outcome<std::uint64_t> highest_spool();

 private:
  using lane_key = std::tuple<std::string, std::string, std::string>;   // pool, route, tenant
  struct place;
  struct totals {
    std::array<std::uint64_t, 6> by_state{};
    std::uint64_t results = 0, spooled = 0;   // bytes
  };
  outcome<std::int64_t> seq_of(const batch_id& id);
  outcome<place> locate(const batch_id& id);
  outcome<void> move(const place& p, const standing& to);
  outcome<void> note(std::int64_t seq, const attempt_note& n);
  outcome<spool_numbers> keep(std::int64_t seq, const response& r);
  outcome<void> insert(const batch& b, std::int64_t seq, std::uint32_t lane);
  outcome<void> remove(std::int64_t seq, spool_numbers& files);
  outcome<std::vector<std::int64_t>> overdue(const retention& keep, unix_ms now, std::size_t most);
  outcome<void> overdue_by_size(std::uint64_t bytes_max, std::size_t most,
                                std::vector<std::int64_t>& into);

  outcome<std::uint32_t> lane_of(const batch& b);
  outcome<void> read_lanes();
  outcome<void> forget_empty_lanes();
  outcome<void> interrupt_running(unix_ms now);
  void name(batch& b) const;                                  // its pool, route and tenant
  outcome<batch> row(const statement::use& u) const;
  outcome<totals*> sums();
  void count(batch_state s, int by, std::uint64_t kept);

  database& db_;
  id_book ids_;
  body_book bodies_;
  std::int64_t next_seq_ = 1;
  std::map<lane_key, std::uint32_t> lanes_;
  std::unordered_map<std::uint32_t, const lane_key*> names_;
  std::optional<totals> totals_;                              // none: not added up yet
};

}  // namespace weir::store
