#include "core/fair_share.hpp"

#include <algorithm>

namespace weir::core {

fair_share::fair_share(std::uint32_t tenants_max) : tenants_max_(tenants_max) {
  accounts_.emplace_back();
  accounts_.front().live = true;
  slots_left_.push_back(unlimited);
  apply_settings(shared);
  table_.assign(16, none);
}

void fair_share::configure(const queue_settings& settings) {
  tenants_max_ = settings.tenants_max;
  defaults_ = settings.tenant_defaults;
  named_ = settings.tenants;
  std::ranges::sort(named_, {}, &tenant_settings::name);
  for (std::uint32_t a = shared; a < extent(); ++a)
    if (accounts_[a].live) apply_settings(a);
}

const tenant_settings& fair_share::settings_of(const tenant& acc) const noexcept {
  const auto at = std::ranges::lower_bound(named_, acc.name, {}, &tenant_settings::name);
  return at != named_.end() && at->name == acc.name ? *at : defaults_;
}

// What runs beyond a cap that was lowered runs on: nothing is left until it ended.
void fair_share::apply_settings(std::uint32_t a) noexcept {
  constexpr std::uint64_t all = std::numeric_limits<std::uint64_t>::max();
  tenant& acc = accounts_[a];
  const tenant_settings& given = a == shared ? defaults_ : settings_of(acc);
  const std::uint32_t most = a == shared ? 0 : given.running_max;
  const std::int32_t before = acc.running_max;
  acc.weight = given.weight;
  acc.batches_max = a == shared || given.batches_max == 0 ? all : given.batches_max;
  const bool capped = most > 0 && most < std::uint32_t{unlimited};
  acc.running_max = capped ? static_cast<std::int32_t>(most) : unlimited;
  slots_left_[a] += acc.running_max - before;
}

std::uint32_t fair_share::account_of(std::uint64_t hash, std::string_view name) {
  std::uint32_t a = find(hash, name);
  if (a == none) a = open(hash, name);
  if (a != shared && accounts_[a].batches == 0) step_out(a);
  return a;
}

void fair_share::emptied(std::uint32_t a) noexcept {
  line_up(a);
  sweep();
}

void fair_share::ready(std::uint32_t a) {
  if (turn_.contains(a)) return;
  tenant& acc = accounts_[a];
  acc.tag = std::max(acc.tag, virtual_time_);
  turn_.set(a, {acc.tag, ++readied_});
}

void fair_share::idle(std::uint32_t a) noexcept {
  turn_.erase(a);
}

void fair_share::charge(std::uint32_t a, double cost) {
  tenant& acc = accounts_[a];
  virtual_time_ = std::max(virtual_time_, acc.tag);
  acc.tag += cost / acc.weight;
  largest_tag_ = std::max(largest_tag_, acc.tag);
  if (turn_.contains(a)) turn_.set(a, {acc.tag, ++readied_});
  sweep();
}

void fair_share::owe(std::uint32_t a, double cost) {
  tenant& acc = accounts_[a];
  acc.tag += cost / acc.weight;
  largest_tag_ = std::max(largest_tag_, acc.tag);
  if (turn_.contains(a)) turn_.set(a, {acc.tag, ++readied_});
}

void fair_share::refund(std::uint32_t a, double cost) {
  tenant& acc = accounts_[a];
  acc.tag = std::max(virtual_time_, acc.tag - cost / acc.weight);
  if (turn_.contains(a)) turn_.set(a, {acc.tag, ++readied_});
}

void fair_share::forgive() noexcept {
  virtual_time_ = std::max(virtual_time_, largest_tag_);
}

std::uint32_t fair_share::find(std::uint64_t hash, std::string_view name) const noexcept {
  for (std::size_t i = home(hash); table_[i] != none; i = (i + 1) & (table_.size() - 1)) {
    const tenant& acc = accounts_[table_[i]];
    if (acc.hash == hash && acc.name == name) return table_[i];
  }
  return none;
}

std::uint32_t fair_share::open(std::uint64_t hash, std::string_view name) {
  sweep();
  if (live_ >= tenants_max_) {
    ++folded_;
    return shared;
  }
  if (2 * (live_ + 1) > table_.size()) grow_table();
  const std::uint32_t a = new_account();
  tenant& acc = accounts_[a];
  acc.name.assign(name);
  acc.hash = hash;
  acc.tag = virtual_time_;
  acc.live = true;
  ++live_;
  apply_settings(a);
  put_in_table(a);
  line_up(a);  // enter() takes it out at once
  return a;
}

std::uint32_t fair_share::new_account() {
  if (free_.empty()) {
    accounts_.emplace_back();
    slots_left_.push_back(unlimited);
    return extent() - 1;
  }
  const std::uint32_t a = free_.back();
  free_.pop_back();
  return a;
}

void fair_share::put_in_table(std::uint32_t a) noexcept {
  std::size_t i = home(accounts_[a].hash);
  while (table_[i] != none) i = (i + 1) & (table_.size() - 1);
  table_[i] = a;
}

// Backward-shift deletion (Knuth, TAOCP 3, 6.4, algorithm R): no tombstones to clean up later.
void fair_share::take_from_table(std::uint32_t a) noexcept {
  const std::size_t mask = table_.size() - 1;
  std::size_t hole = home(accounts_[a].hash);
  while (table_[hole] != a) hole = (hole + 1) & mask;
  for (std::size_t i = (hole + 1) & mask; table_[i] != none; i = (i + 1) & mask) {
    const std::size_t from_home = (i - home(accounts_[table_[i]].hash)) & mask;
    if (from_home < ((i - hole) & mask)) continue;
    table_[hole] = table_[i];
    hole = i;
  }
  table_[hole] = none;
}

void fair_share::grow_table() {
  table_.assign(table_.size() * 2, none);
  for (std::uint32_t a = shared + 1; a < extent(); ++a)
    if (accounts_[a].live) put_in_table(a);
}

void fair_share::line_up(std::uint32_t a) noexcept {
  accounts_[a].before = newest_;
  accounts_[a].after = none;
  (newest_ == none ? oldest_ : accounts_[newest_].after) = a;
  newest_ = a;
}

void fair_share::step_out(std::uint32_t a) noexcept {
  tenant& acc = accounts_[a];
  (acc.before == none ? oldest_ : accounts_[acc.before].after) = acc.after;
  (acc.after == none ? newest_ : accounts_[acc.after].before) = acc.before;
  acc.before = acc.after = none;
}

// Looks at the two that left first: enough to keep up, as each call follows at most one leaving.
void fair_share::sweep() noexcept {
  for (int i = 0; i < 2 && oldest_ != none; ++i) {
    const std::uint32_t a = oldest_;
    step_out(a);
    if (accounts_[a].tag <= virtual_time_) {
      drop(a);
    } else {
      line_up(a);
    }
  }
}

void fair_share::drop(std::uint32_t a) noexcept {
  take_from_table(a);
  accounts_[a].live = false;
  accounts_[a].name.clear();
  free_.push_back(a);
  --live_;
}

}  // namespace weir::core
