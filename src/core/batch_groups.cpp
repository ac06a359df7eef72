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
  groups_[at->second] = {name, none};
  return at->second;
}

void batch_groups::insert(std::uint32_t id, std::uint32_t account, std::uint64_t name,
                          double seconds, std::uint64_t sequence, bool ready) {
  if (id >= of_.size()) of_.resize(id + 1, none);
  of_[id] = number({account, name});
  tree_.insert(groups_[of_[id]].root, id, {seconds, sequence}, {ready ? 1u : 0u, seconds});
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
  if (has(id)) tree_.update(id, {ready ? 1u : 0u, tree_.own(id).seconds});
}

std::uint32_t batch_groups::critical(std::uint32_t head, double speed) const noexcept {
  if (speed <= 0 || !has(head)) return head;
  const std::uint32_t root = groups_[of_[head]].root;
  const std::uint32_t largest = tree_.first_that(root, [](const load& l) { return l.ready > 0; });
  if (largest == none) return head;
  const double drain = tree_.total(root).seconds / speed;
  return tree_.own(largest).seconds >= critical_share * drain ? largest : head;
}

}  // namespace weir::core
