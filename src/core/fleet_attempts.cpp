// fleet, continued: slots, the choice of a worker, learned rates, and what time brings.
#include <algorithm>
#include <cmath>

#include "base/check.hpp"
#include "core/fleet.hpp"

namespace weir::core {
namespace {

constexpr duration refresh_interval = std::chrono::milliseconds(100);
constexpr double seconds_min = 1e-4;  // an attempt is taken to last at least this

}  // namespace

// --- the choice --------------------------------------------------------------------------------

worker_id fleet::pick(std::uint64_t affinity, std::span<const worker_id> excluded) {
  if (excluded.empty()) return pick(affinity);
  const std::uint32_t other = pick_beside(affinity, excluded);
  if (other != picker::none || others_serve(excluded)) return chosen(other);
  return pick(affinity);
}

// The excluded ones step aside for the moment of the choice.
std::uint32_t fleet::pick_beside(std::uint64_t affinity, std::span<const worker_id> excluded) {
  for (const worker_id id : excluded)
    if (has_free_slot(id)) {
      const worker& w = workers_.at(id.index);
      tier().fill(id.index, {w.offered_rate, w.running.size, w.slots_open});
    }
  const std::uint32_t found = tier().pick(affinity, random_);
  for (const worker_id id : excluded)
    if (has_free_slot(id)) {
      const worker& w = workers_.at(id.index);
      tier().put(id.index, {w.offered_rate, w.running.size, w.slots_open});
    }
  return found;
}

// Of the tier in use.
bool fleet::has_free_slot(worker_id id) const noexcept {
  const worker* w = workers_.find(id);
  return w && w->serving && in_tier_in_use(*w) && !resting_or_full(*w);
}

bool fleet::others_serve(std::span<const worker_id> excluded) const noexcept {
  std::uint32_t others = serving_[serving_[0] == 0 ? 1 : 0];
  for (const worker_id id : excluded) {
    const worker* w = workers_.find(id);
    if (w && w->serving && in_tier_in_use(*w)) --others;
  }
  return others > 0;
}

bool fleet::could_take(std::span<const worker_id> excluded) const noexcept {
  if (!any_free()) return false;
  std::size_t free = tier().size();
  for (const worker_id id : excluded) free -= has_free_slot(id) ? 1 : 0;
  return free > 0 || !others_serve(excluded);
}

// --- attempts ------------------------------------------------------------------------------------

[[gnu::always_inline]]
inline void fleet::refresh_rate(std::uint32_t index, worker& w, instant now) noexcept {
  w.learned = w.exp_ahead.at(rates_.mean(index) - rates_.pool_mean());
  w.relative = w.learned * attempts_.overdue(w.running, now);
  count_speed(w);
}

attempt_id fleet::start(worker_id id, batch_id batch, const cost_estimate& cost, double seconds_now,
                        instant now) {
  worker& w = workers_.at(id.index);
  const attempt_id a = attempts_.open(
      w.running,
      {id, batch, now, cost.seconds, cost.log_seconds, seconds_now / w.relative, w.relative, false,
       false, cost.has_units, {}, {}});
  if (tuner_) tuner_->began(id.index, a.index, w.running.size - 1, now);
  ++w.attempts;
  ++in_flight_;
  // A slot that is filled as it frees leaves the worker saturated.
  if (w.running.size == w.slots_open && w.freed_at != now) w.full_since = now;
  if (next_refresh_ == base::never) wake_rates(now);
  offer(id.index, w, now);
  return a;
}

void fleet::end(attempt_id id, instant now) {
  const std::uint32_t on = at(id).worker.index;
  worker& w = workers_.at(on);
  if (at(id).abandoned) holds_.erase(id.index);
  if (w.running.size >= w.slots_open) w.freed_at = now;
  if (tuner_) tuner_->ended(on, w.running.size, now);
  attempts_.close(w.running, id);
  --in_flight_;
  refresh_rate(on, w, now);
  offer(on, w, now);
  if (w.removing) forget_if_empty(on, now);
}

void fleet::abandon(attempt_id id, instant now) {
  attempts_.at(id).abandoned = true;
  holds_.set(id.index, base::after(now, settings_.abandoned_hold));
}

void fleet::release(worker_id id, batch_id batch, instant now) {
  const worker* w = workers_.find(id);
  if (!w) return;
  if (const attempt_id a = attempts_.abandoned(w->running, batch)) end(a, now);
}

// Learned from the clean time on the worker: nothing queues there.
double fleet::learn(attempt_id id, instant now) {
  const attempt& a = at(id);
  const double log_seconds = std::log(std::max(base::to_seconds(now - a.started), seconds_min));
  const std::uint32_t on = a.worker.index;
  const double ahead = rates_.mean(on) - rates_.pool_mean();
  rates_.observe(on, a.log_est - log_seconds);
  return log_seconds + ahead;
}

// --- time ---------------------------------------------------------------------------------------

instant fleet::next_deadline() const noexcept {
  instant due = std::min(next_refresh_, ejection_.next_deadline());
  if (!timers_.empty()) due = std::min(due, timers_.top_key());
  if (!holds_.empty()) due = std::min(due, holds_.top_key());
  return due;
}

void fleet::expire(instant now) {
  if (ejection_.next_deadline() <= now && ejection_.expire(now)) take_ejections(now);
  while (!timers_.empty() && timers_.top_key() <= now) expire_worker(timers_.top(), now);
  while (!holds_.empty() && holds_.top_key() <= now) end(attempts_.id_at(holds_.top()), now);
  if (next_refresh_ <= now) refresh_rates(now);
}

void fleet::expire_worker(std::uint32_t index, instant now) {
  worker& w = workers_.at(index);
  if (w.resting && w.rest_until <= now) w.resting = false;
  if (w.checks.next_deadline() <= now && w.checks.expire(settings_.health, now))
    out_.probes.push_back({workers_.id_at(index)});
  sync(index, now);
}

// The first attempt after a pause.
void fleet::wake_rates(instant now) noexcept {
  rates_.advance(now);
  next_refresh_ = now + refresh_interval;
}

// Ages what was learned, and notices who is overdue, while something runs.
void fleet::refresh_rates(instant now) {
  rates_.advance(now);
  const double stuck_from = settings_.learning.overdue / settings_.learning.stuck;
  speed_ = 0;
  for (std::uint32_t i = 0; i < workers_.extent(); ++i) {
    if (!workers_.taken(i)) continue;
    worker& w = workers_.at(i);
    w.speed_counted = 0;
    refresh_rate(i, w, now);
    if (w.relative <= w.learned * stuck_from) notice_stuck(i, w, now);
    offer(i, w, now);
  }
  next_refresh_ = in_flight_ > 0 ? now + refresh_interval : base::never;
}

// A latency outlier: where others take their time, its attempts do not end.
void fleet::notice_stuck(std::uint32_t index, worker& w, instant now) {
  bool news = false;
  for (std::uint32_t n = attempts_.take_stuck(w.running, now); n > 0; --n)
    news = ejection_.stuck(index, now) || news;
  if (news) take_ejections(now);
}

outlook fleet::look(instant now) const noexcept {
  outlook all;
  each([&](worker_id, const worker& w) {
    outlook of_this;
    attempts_.look(w.running, now, of_this);
    all.late += of_this.late, all.log_late += of_this.log_late;
    if (!w.serving || !in_tier_in_use(w)) return;
    if (w.running.size < w.slots_open) of_this.soonest = 0;
    const double rest = w.resting ? base::to_seconds(w.rest_until - now) : 0;
    all.soonest = std::min(all.soonest, std::max(of_this.soonest, rest));
  });
  return all;
}

// --- views --------------------------------------------------------------------------------------

worker_view fleet::view(worker_id id, instant now) const {
  const worker& w = workers_.at(id.index);
  worker_view v;
  v.id = id;
  v.name = w.settings.name;
  const bool full = w.running.size >= w.slots_open;
  v.state = w.serving && full ? worker_state::saturated : w.shown;
  v.reason = w.reason;
  v.slots = w.settings.slots;
  v.slots_open = w.slots_open;
  v.in_flight = w.running.size;
  v.outstanding_cost = w.running.est_seconds;
  v.rate = rate(w, now);
  v.weight = w.settings.weight;
  v.consecutive_failures = ejection_.failures_in_row(id.index);
  v.ejections = ejection_.ejections(id.index);
  v.attempts = w.attempts, v.successes = w.successes, v.failures = w.failures;
  const bool saturated = v.state == worker_state::saturated;
  const instant since = saturated ? std::max(w.full_since, w.state_since) : w.state_since;
  v.seconds_in_state = base::to_seconds(now - since);
  v.managed = w.settings.managed, v.backup = w.settings.backup, v.removing = w.removing;
  v.resting = w.resting;
  v.slots_lasting = w.slots_lasting;
  v.reported_load = now - w.load_at < load_forgotten(settings_.learning) ? w.load : 0;
  return v;
}

}  // namespace weir::core
