#include "core/waiting_queue.hpp"

#include <algorithm>

namespace weir::core {
namespace {

// An estimate off by orders of magnitude must not push a batch behind all of next month's.
constexpr double shift_seconds_max = 30 * 86400.0;

}  // namespace

order_key make_key(const queue_settings& settings, instant arrival, double est_seconds,
                   std::uint8_t urgency, std::uint64_t sequence,
                   duration overtaken_max) noexcept {
  const std::int64_t arrived = arrival.time_since_epoch().count();
  if (settings.order == queue_order::fifo) return {arrived, sequence};
  const int steps = std::min<int>(urgency, 7) - 3;
  const double longest = std::min(shift_seconds_max, base::to_seconds(overtaken_max));
  const double shift =
      std::min(settings.cost_weight * est_seconds, longest) +
      std::min(base::to_seconds(settings.priority_step), shift_seconds_max) * steps;
  return {arrived + base::from_seconds(shift).count(), sequence};
}

double unsized_order::seconds(std::uint32_t route, instant arrival, double est_seconds,
                              double cost_weight) {
  if (route >= last_.size()) last_.resize(route + 1);
  turn& last = last_[route];
  // One that failed takes its key late: it came first, and goes first.
  if (arrival < last.arrival) return est_seconds;
  if (cost_weight > 0) {
    const double passed = base::to_seconds(arrival - last.arrival) / cost_weight;
    est_seconds = std::max(est_seconds, last.seconds - passed);
  }
  last = {arrival, est_seconds};
  return est_seconds;
}

void waiting_queue::configure(const queue_settings& settings) {
  shares_.configure(settings);
  groups_.configure(settings.critical_share);
  weights_ = 0;
  for (std::uint32_t account = 0; account < roots_.size(); ++account) {
    if (roots_[account] == none) continue;
    weights_ += shares_.weight(account);
    sync_turn(account);
  }
}

// Sums of doubles drift; an empty queue is the moment to start anew.
void waiting_queue::count_occupied(std::uint32_t account, int sign) noexcept {
  occupied_ += static_cast<std::uint32_t>(sign);
  weights_ = occupied_ == 0 ? 0 : weights_ + sign * shares_.weight(account);
}

void waiting_queue::insert(std::uint32_t id, std::uint32_t account, order_key key, double cost,
                           bool held, std::uint32_t group) {
  if (id >= account_of_.size()) account_of_.resize(id + 1, none);
  if (account >= roots_.size()) roots_.resize(account + 1, none);
  account_of_[id] = account;
  if (roots_[account] == none) count_occupied(account, 1);
  tree_.insert(roots_[account], id, key, {1, held ? 0u : 1u, cost});
  if (group != batch_groups::none) groups_.insert(id, group, cost, key.sequence, !held);
  ++size_;
  ready_ += held ? 0 : 1;
  cost_ += cost;
  sync_turn(account);
}

void waiting_queue::remove(std::uint32_t id) {
  const std::uint32_t account = account_of_[id];
  take_out(id);
  sync_turn(account);
  if (size_ == 0) shares_.forgive();
}

void waiting_queue::serve(std::uint32_t id) {
  const std::uint32_t account = account_of_[id];
  const double cost = tree_.own(id).cost;
  take_out(id);
  shares_.charge(account, cost);
  sync_turn(account);
  if (size_ == 0) shares_.forgive();
}

void waiting_queue::take_out(std::uint32_t id) {
  const std::uint32_t account = account_of_[id];
  const load own = tree_.own(id);
  tree_.erase(roots_[account], id);
  groups_.remove(id);
  account_of_[id] = none;
  if (roots_[account] == none) count_occupied(account, -1);
  --size_;
  ready_ -= own.ready;
  // Sums of doubles drift; an empty queue is the moment to start anew.
  cost_ = size_ == 0 ? 0 : std::max(0.0, cost_ - own.cost);
}

void waiting_queue::set_ready(std::uint32_t id, bool ready) {
  load own = tree_.own(id);
  if ((own.ready == 1) == ready) return;
  own.ready = ready ? 1 : 0;
  ready ? ++ready_ : --ready_;
  tree_.update(id, own);
  groups_.set_ready(id, ready);
  sync_turn(account_of_[id]);
}

void waiting_queue::sync_turn(std::uint32_t account) {
  if (shares_.may_run(account) && tree_.total(root(account)).ready > 0) {
    shares_.ready(account);
  } else {
    shares_.idle(account);
  }
}

std::uint32_t waiting_queue::head(double speed, instant now) noexcept {
  const std::uint32_t account = shares_.next();
  if (account == fair_share::none) return none;
  const std::uint32_t first =
      tree_.first_that(roots_[account], [](const load& l) { return l.ready > 0; });
  return groups_.size() == 0 ? first : groups_.critical(first, speed, now);
}

waiting_queue::standing waiting_queue::place(std::uint32_t id) const noexcept {
  return among_all(account_of_[id], tree_.before(id));
}

waiting_queue::standing waiting_queue::place_of(std::uint32_t account,
                                                const order_key& key) const noexcept {
  return among_all(account, tree_.up_to(root(account), key));
}

// Until the batch's turn comes, each other tenant is served about as much as its own one by their
// weights, and half a batch for the one it is in the middle of; but no more than it has.
waiting_queue::standing waiting_queue::among_all(std::uint32_t account,
                                                 const load& own_ahead) const noexcept {
  const load own = tree_.total(root(account));
  const auto others = static_cast<double>(size_ - own.count);
  if (others == 0) return {own_ahead.count, own_ahead.cost, own_ahead.cost, true};
  const double others_cost = std::max(0.0, cost_ - own.cost);
  const double tenants = occupied_ - (own.count > 0 ? 1 : 0);
  const double weight = shares_.weight(account);
  const double others_weight = std::max(0.0, weights_ - (own.count > 0 ? weight : 0));
  const double mean = others_cost / others;
  const double turns = others_weight / weight * own_ahead.cost + tenants * mean / 2;
  const double ahead = std::min(others_cost, turns);
  const double batches = mean > 0 ? ahead / mean : others;
  return {own_ahead.count + static_cast<std::uint64_t>(batches), own_ahead.cost + ahead,
          own_ahead.cost, false};
}

void waiting_queue::page(std::size_t offset, std::size_t limit,
                         std::vector<std::uint32_t>& out) const {
  for (std::uint32_t account = 0; account < roots_.size() && limit > 0; ++account) {
    const std::size_t count = tree_.total(roots_[account]).count;
    if (offset >= count) {
      offset -= count;
      continue;
    }
    auto id = tree_.nth(roots_[account], offset, [](const load& l) { return l.count; });
    for (; id != none && limit > 0; id = tree_.next(id), --limit) out.push_back(id);
    offset = 0;
  }
}

}  // namespace weir::core
