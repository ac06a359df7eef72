#include "core/batch_groups.hpp"

namespace weir::core {

std::uint32_t batch_groups::enter(std::uint32_t account, std::uint64_t name) {
  const full_name full{account, name};
  const auto [at, made] = numbers_.try_emplace(full, 0);
  if (made) {
    if (free_.empty()) {
      free_.push_back(static_cast<std::uint32_t>(groups_.size()));
      groups_.emplace_back();
    }
    at->second = free_.back();
    free_.pop_back();
    groups_[at->second] = {.name = full};
  }
  ++groups_[at->second].batches;
  return at->second;
}

void batch_groups::leave(std::uint32_t which) {
  if (--groups_[which].batches > 0) return;
  numbers_.erase(groups_[which].name);
  free_.push_back(which);
}

void batch_groups::insert(std::uint32_t id, std::uint32_t which, double seconds,
                          std::uint64_t sequence, bool ready) {
  if (id >= of_.size()) of_.resize(id + 1, none);
  of_[id] = which;
  group& g = groups_[which];
  g.newest = std::max(g.newest, sequence);
  tree_.insert(g.root, id, {seconds, sequence}, {ready ? sequence : nobody, seconds});
}

void batch_groups::remove(std::uint32_t id) {
  if (!has(id)) return;
  tree_.erase(groups_[of_[id]].root, id);
  of_[id] = none;
}

void batch_groups::set_ready(std::uint32_t id, bool ready) {
  if (!has(id)) return;
  const by_size& key = tree_.key(id);
  tree_.update(id, {ready ? key.sequence : nobody, key.seconds});
}

std::uint32_t batch_groups::critical(std::uint32_t head, double speed, instant now) noexcept {
  if (speed <= 0 || !has(head)) return head;
  group& g = groups_[of_[head]];
  if (const std::uint64_t turn = tree_.key(head).sequence; g.turn != turn)
    g.turn = turn, g.there_at_its_turn = g.newest;
  const auto was_there = [&g](const load& l) { return l.oldest <= g.there_at_its_turn; };
  const std::uint32_t largest = tree_.first_that(g.root, was_there);
  if (largest == none) return head;
  const double drain = tree_.total(g.root).seconds / speed, takes = tree_.own(largest).seconds;
  // Sent when the rest has drained it would still not be the last to end: no reason to fill slots
  // with long ones that others wait for.
  if (g.ends > now && drain + takes <= base::to_seconds(g.ends - now)) return head;
  return takes >= critical_share_ * drain ? largest : head;
}

}  // namespace weir::core
