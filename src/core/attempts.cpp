#include "core/attempts.hpp"

#include <algorithm>
#include <cmath>

namespace weir::core {

attempt_id attempts::abandoned(const attempt_list& list, batch_id batch) const noexcept {
  for (attempt_id id = list.oldest; id; id = table_.at(id.index).newer)
    if (table_.at(id.index).abandoned && table_.at(id.index).batch == batch) return id;
  return {};
}

std::uint32_t attempts::take_stuck(const attempt_list& list, instant now) noexcept {
  std::uint32_t taken = 0;
  for (attempt_id id = list.oldest; id; id = table_.at(id.index).newer) {
    attempt& a = table_.at(id.index);
    const double elapsed = base::to_seconds(now - a.started);
    const bool long_ago = elapsed > std::max(overdue_seconds_min, stuck_ * a.expected_seconds);
    if (a.abandoned || !a.sized || a.stuck || !long_ago) continue;
    a.stuck = true;
    ++taken;
  }
  return taken;
}

double attempts::finish_seconds(const attempt_list& list, instant now) const noexcept {
  double last = 0;
  for (attempt_id id = list.oldest; id; id = table_.at(id.index).newer) {
    const attempt& a = table_.at(id.index);
    last = std::max(last, a.expected_seconds - base::to_seconds(now - a.started));
  }
  return last;
}

void attempts::look(const attempt_list& list, instant now, outlook& out) const noexcept {
  for (attempt_id id = list.oldest; id; id = table_.at(id.index).newer) {
    const attempt& a = table_.at(id.index);
    const double elapsed = base::to_seconds(now - a.started);
    out.soonest = std::min(out.soonest, std::abs(a.expected_seconds - elapsed));
    if (a.abandoned || elapsed <= a.expected_seconds) continue;
    ++out.late;
    out.log_late += std::log(elapsed / a.expected_seconds);
  }
}

}  // namespace weir::core
