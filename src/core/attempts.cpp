#include "core/attempts.hpp"

#include <algorithm>

#include "base/check.hpp"
#include "core/rates.hpp"

namespace weir::core {

attempt_id attempts::open(attempt_list& list, const attempt& facts) {
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

void attempts::close(attempt_list& list, attempt_id id) noexcept {
  const attempt* a = table_.find(id);
  WEIR_CHECK(a != nullptr);
  (a->older ? table_.at(a->older.index).newer : list.oldest) = a->newer;
  (a->newer ? table_.at(a->newer.index).older : list.newest) = a->older;
  --list.size;
  // Sums of doubles drift; an empty list is the moment to start anew.
  list.est_seconds = list.size == 0 ? 0 : std::max(0.0, list.est_seconds - a->est_seconds);
  table_.erase(id);
}

attempt_id attempts::abandoned(const attempt_list& list, batch_id batch) const noexcept {
  for (attempt_id id = list.oldest; id; id = table_.at(id.index).newer)
    if (table_.at(id.index).abandoned && table_.at(id.index).batch == batch) return id;
  return {};
}

double attempts::overdue(const attempt_list& list, instant now) const noexcept {
  double least = 1;
  for (attempt_id id = list.oldest; id;) {
    const attempt& a = table_.at(id.index);
    const double elapsed = base::to_seconds(now - a.started);
    if (elapsed <= overdue_seconds_min) break;  // so are all that began later
    if (!a.abandoned) least = std::min(least, overdue_factor(elapsed, a.expected_seconds));
    id = a.newer;
  }
  return least;
}

double attempts::finish_seconds(const attempt_list& list, instant now) const noexcept {
  double last = 0;
  for (attempt_id id = list.oldest; id; id = table_.at(id.index).newer) {
    const attempt& a = table_.at(id.index);
    last = std::max(last, a.expected_seconds - base::to_seconds(now - a.started));
  }
  return last;
}

}  // namespace weir::core
