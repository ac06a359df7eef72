#include "app/hook_log.hpp"

#include <algorithm>

namespace weir::app {

void hook_log::move(entry& e, state to, base::instant now) {
  if (e.last.now != to) e.since = now;
  e.last.now = to;
}

void hook_log::keep(std::span<const config::hook> hooks, base::instant now) {
  std::vector<entry> before = std::exchange(entries_, {});
  for (const config::hook& h : hooks) {
    const std::string label = scale::label(h);
    const auto known = std::ranges::find(before, label, [](const entry& e) { return e.last.hook; });
    entry e;
    e.last.hook = label, e.since = now;
    if (known != before.end()) {
      if (known->last.now != state::stopped) e = *known;
      before.erase(known);   // hooks that look the same are told apart by their order
    }
    entries_.push_back(std::move(e));
  }
}

bool hook_log::add(const scale::hook_report& r, base::instant now) {
  const bool again = r.resent || r.attempts > 1;
  if (r.what == scale::hook_outcome::superseded) return !again || r.taken_back;
  const bool failed = r.what == scale::hook_outcome::failed;
  const state to = r.stopped ? state::stopped : failed ? state::failing : state::delivering;
  if (r.place >= entries_.size()) return !again;   // of a hook that a reload removed
  entry& e = entries_[r.place];
  const bool news = e.last.now != to || e.last.detail != r.detail;
  move(e, to, now);
  e.last.failures = failed ? e.last.failures + 1 : 0;
  e.last.detail = r.detail;
  return news || !again;
}

std::vector<admin::hook_status> hook_log::view(base::instant now) const {
  std::vector<admin::hook_status> all;
  for (const entry& e : entries_) {
    all.push_back(e.last);
    all.back().seconds = base::to_seconds(now - e.since);
  }
  return all;
}

}  // namespace weir::app
