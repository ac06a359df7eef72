#include "core/batch_groups.hpp"

namespace weir::core {

std::uint32_t batch_groups::number(const full_name& name) {
  const auto [at, made] = numbers_.try_emplace(name, 0);
  if (!made) return at->second;
  if (free_.empty()) {
    free_.push_back(static_cast<std::uint32_t>(groups_.size()));
    groups_.emplace_back();
  }
  at->second = free_.back();
  free_.pop_back();
  groups_[at->second] = {.name = name};
  return at->second;
}

void batch_groups::insert(std::uint32_t id, std::uint32_t account, std::uint64_t name,
                          double seconds, std::uint64_t sequence, bool ready) {
  if (id >= of_.size()) of_.resize(id + 1, none);
  of_[id] = number({account, name});
  group& g = groups_[of_[id]];
  g.newest = std::max(g.newest, sequence);
  tree_.insert(g.root, id, {seconds, sequence}, {ready ? sequence : nobody, seconds});
}

void batch_groups::remove(std::uint32_t id) {
  if (!has(id)) return;
  const std::uint32_t g = of_[id];
  of_[id] = none;
  tree_.erase(groups_[g].root, id);
  if (groups_[g].root != none) return;
  numbers_.erase(groups_[g].name);
  free_.push_back(g);
}

void batch_groups::set_ready(std::uint32_t id, bool ready) {
  if (!has(id)) return;
  const by_size& key = tree_.key(id);
  tree_.update(id, {ready ? key.sequence : nobody, key.seconds});
}

std::uint32_t batch_groups::critical(std::uint32_t head, double speed) noexcept {
  if (speed <= 0 || !has(head)) return head;
  group& g = groups_[of_[head]];
  if (const std::uint64_t turn = tree_.key(head).sequence; g.turn != turn)
    g.turn = turn, g.there_at_its_turn = g.newest;
  const auto was_there = [&g](const load& l) { return l.oldest <= g.there_at_its_turn; };
  const std::uint32_t largest = tree_.first_that(g.root, was_there);
  if (largest == none) return head;
  const double drain = tree_.total(g.root).seconds / speed;
  return tree_.own(largest).seconds >= critical_share_ * drain ? largest : head;
}

}  // namespace weir::core
