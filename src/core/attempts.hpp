// The attempts that occupy slots: which batch on which worker since when, and what was expected of
// it. An abandoned one (its batch has moved on, but the worker may still be at it) stays until the
// worker lets go or its hold runs out. Each worker has them in a list, oldest first. Owned by
// fleet; allocates only while the number of attempts grows.
// Invariant: a worker's list has exactly its in_flight attempts.
#pragma once

#include <algorithm>
#include <cstdint>
#include <limits>

#include "base/check.hpp"
#include "base/ids.hpp"
#include "core/cost_model.hpp"
#include "core/rates.hpp"
#include "core/types.hpp"

namespace weir::core {

using attempt_id = base::id<struct attempt_tag>;

struct attempt {
  worker_id worker;
  batch_id batch;
  instant started{};
  double est_seconds = 0;  // at rate 1, fixed at the batch's arrival
  double log_est = 0;
  double expected_seconds = 0;  // on this worker, at its speed when the attempt began
  double speed = 1;             // that speed: seconds at rate 1 done in a second
  bool abandoned = false;
  bool stuck = false;  // was counted as such
  bool sized = true;  // units were declared: the expectation is of this batch, not its route's
  attempt_id older, newer;  // the worker's list
};

// One worker's list; part of its record.
struct attempt_list {
  attempt_id oldest, newest;
  std::uint32_t size = 0;
  double est_seconds = 0;  // sum over the list
};

// What running attempts say of the time to come.
struct outlook {
  double soonest = std::numeric_limits<double>::infinity();  // seconds until a slot frees
  double log_late = 0;     // sum of log(elapsed / expected) over the late ones
  std::uint32_t late = 0;  // that run longer than was expected
};

class attempts {
 public:
  void configure(const learning_settings& s) noexcept {
    overdue_ = s.overdue;
    stuck_ = s.stuck;
  }
  attempt_id open(attempt_list& list, const attempt& facts);
  void close(attempt_list& list, attempt_id id) noexcept;

  // Of one that is known to be open.
  attempt& at(attempt_id id) noexcept { return table_.at(id.index); }
  const attempt& at(attempt_id id) const noexcept { return table_.at(id.index); }
  attempt* find(attempt_id id) noexcept { return table_.find(id); }
  const attempt* find(attempt_id id) const noexcept { return table_.find(id); }
  attempt_id id_at(std::uint32_t index) const noexcept { return table_.id_at(index); }
  // The abandoned attempt of that batch in the list; null id when there is none.
  attempt_id abandoned(const attempt_list& list, batch_id batch) const noexcept;
  // The least overdue factor in the list (see rates.hpp): 1 when nothing is overdue. A batch that
  // declared nothing never is: where sizes are heavy-tailed most of the work is in batches that
  // take many times the mean, and the fastest worker would look slow for having one.
  double overdue(const attempt_list& list, instant now) const noexcept;
  // Those that became stuck since the last call.
  std::uint32_t take_stuck(const attempt_list& list, instant now) noexcept;
  // Until the last one is predicted to end; 0 for an empty list.
  double finish_seconds(const attempt_list& list, instant now) const noexcept;
  // Adds a list. One that is late by d is given d more: of work whose sizes are heavy-tailed, what
  // is left grows with its age (Harchol-Balter and Downey, SIGMETRICS 1996).
  void look(const attempt_list& list, instant now, outlook& out) const noexcept;

 private:
  base::slab<attempt, attempt_tag> table_;
  double overdue_ = learning_settings{}.overdue, stuck_ = learning_settings{}.stuck;
};

// Every admit and finish passes through these.
inline attempt_id attempts::open(attempt_list& list, const attempt& facts) {
  const attempt_id id = table_.insert(facts);
  attempt& a = table_.at(id.index);
  a.older = list.newest;
  a.newer = {};
  if (list.newest) {
    table_.at(list.newest.index).newer = id;
  } else {
    list.oldest = id;
  }
  list.newest = id;
  ++list.size;
  list.est_seconds += a.est_seconds;
  return id;
}

inline void attempts::close(attempt_list& list, attempt_id id) noexcept {
  const attempt* a = table_.find(id);
  WEIR_CHECK(a != nullptr);
  (a->older ? table_.at(a->older.index).newer : list.oldest) = a->newer;
  (a->newer ? table_.at(a->newer.index).older : list.newest) = a->older;
  --list.size;
  // Sums of doubles drift; an empty list is the moment to start anew.
  list.est_seconds = list.size == 0 ? 0 : std::max(0.0, list.est_seconds - a->est_seconds);
  table_.erase_at(id.index);
}

inline double attempts::overdue(const attempt_list& list, instant now) const noexcept {
  double least = 1;
  for (attempt_id id = list.oldest; id;) {
    const attempt& a = table_.at(id.index);
    const double elapsed = base::to_seconds(now - a.started);
    if (elapsed <= overdue_seconds_min) break;  // so are all that began later
    if (!a.abandoned && a.sized)
      least = std::min(least, overdue_factor(elapsed, a.expected_seconds, overdue_));
    id = a.newer;
  }
  return least;
}

}  // namespace weir::core
