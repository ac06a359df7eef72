#include "core/pool.hpp"

#include <algorithm>
#include <utility>

#include "base/check.hpp"
#include "core/pool_state.hpp"

namespace weir::core {

pool::state::state(pool_settings given, std::uint64_t seed, instant now)
    : settings(std::move(given)),
      random(seed),
      queue(random.next(), settings.queue.tenants_max),
      fleet(settings, out, random.next(), now),
      budget(settings.retry_budget) {
  queue.configure(settings.queue);
  configure_scaling(now);
}

pool::pool(pool_settings settings, std::uint64_t seed, instant now)
    : s_(std::make_unique<state>(std::move(settings), seed, now)) {}
pool::~pool() = default;

// --- batches -----------------------------------------------------------------------------------

std::uint32_t pool::route(std::string_view name) {
  return s_->costs.route(name);
}

admission pool::admit(const batch_facts& facts, instant now) {
  state& s = *s_;
  admission a;
  if (facts.durable) {
    s.admit_durable(facts, a, now);
    return a;
  }
  if (const refusal why = s.turn_away(facts, now); why != refusal::none) {
    s.refuse(a, why, s.come_back(why, now));
    return a;
  }
  const batch_id id = s.enter(facts, now);
  batch& b = s.batches.at(id.index);
  a.batch = id;
  if (const worker_id free = s.pick_at_once(b)) {
    a.what = admission::kind::granted;
    a.grant = s.start(id, b, free, b.cost.seconds, now);  // nothing was learned since
  } else if (const refusal why = s.room_for(b, now); why != refusal::none) {
    s.refuse(a, why, s.come_back(why, b, now));
    s.forget(id);
    return a;
  } else {
    a.what = admission::kind::queued;
    s.held_tenants += s.queue.tenants().may_run(b.account) ? 0 : 1;
    s.enqueue(id, b, batch_stage::ready, now);
    s.settle(now);
  }
  s.budget.admitted(now);
  return a;
}

verdict pool::finish(batch_id id, const attempt_report& report, instant now) {
  state& s = *s_;
  batch* b = s.batches.find(id);
  WEIR_CHECK(b != nullptr && b->stage == batch_stage::running);
  s.finishing = id;
  if (report.reported_load > 0)
    s.fleet.reported(s.fleet.at(b->running).worker, report.reported_load, now);
  verdict v;
  if (report.end == attempt_end::succeeded)
    s.succeed(id, *b, report, now);  // it is done, and gone
  else
    v = s.conclude(id, *b, report, now);
  s.settle(now);
  s.finishing = {};
  if (v.what == verdict::kind::waiting && b->stage == batch_stage::running)
    v.what = verdict::kind::granted, v.grant = s.grant_of(id, *b);
  return v;
}

bool pool::cancel(batch_id id, instant now) {
  state& s = *s_;
  batch* b = s.batches.find(id);
  if (!b) return false;
  if (b->waits()) {
    s.dequeue(id, *b, false);
  } else {
    s.free_slot(*b, {.end = attempt_end::client_gone}, now);
  }
  s.leave(id, refusal::cancelled, now);
  s.settle(now);
  return true;
}

void pool::release_slot(worker_id worker, batch_id batch, instant now) {
  s_->fleet.release(worker, batch, now);
  s_->settle(now);
}

void pool::held_bytes(batch_id id, std::uint64_t bytes) {
  batch* b = s_->batches.find(id);
  if (!b || s_->is_durable(*b)) return;
  if (b->waits()) s_->waiting_bytes += bytes - b->held_bytes;
  b->held_bytes = bytes;
}

// --- workers -----------------------------------------------------------------------------------

worker_id pool::add_worker(const worker_settings& settings, instant now, seat place) {
  const worker_id id = s_->fleet.add(settings, now, place);
  if (id && s_->scaling && !settings.backup) s_->scaling->joined(now);
  s_->settle(now);
  return id;
}

void pool::update_worker(worker_id worker, const worker_settings& settings, instant now) {
  s_->fleet.update(worker, settings, now);
  s_->settle(now);
}

void pool::drain(worker_id worker, std::string_view reason, instant now) {
  s_->fleet.drain(worker, drain_order::by_operator, reason, now);
  s_->settle(now);
}

bool pool::undrain(worker_id id, instant now) {
  state& s = *s_;
  const worker* w = s.fleet.find(id);
  if (!w || w->removing) return false;
  if (s.scaling && !s.scaling->undrain(id)) return false;
  s.fleet.undrain(id, drain_order::by_operator, now);
  s.fleet.undrain(id, drain_order::by_scaling, now);
  s.fleet.undrain(id, drain_order::by_worker, now);
  s.settle(now);
  return true;
}

void pool::remove_worker(worker_id worker, std::string_view reason, instant now) {
  s_->fleet.remove(worker, reason, now);
  s_->settle(now);
}

void pool::probed(worker_id worker, bool good, std::string_view detail, instant now) {
  s_->fleet.probed(worker, good, detail, now);
  s_->settle(now);
}

void pool::told(worker_id worker, const worker_word& word, instant now) {
  s_->fleet.told(worker, word, now);
  s_->settle(now);
}

std::optional<worker_id> pool::find_worker(std::string_view name) const {
  return s_->fleet.find(name);
}

// --- the pool itself ---------------------------------------------------------------------------

void pool::configure(const pool_settings& settings, instant now) {
  state& s = *s_;
  const bool new_policy = settings.balance != s.settings.balance ||
                          settings.hash_balance_factor != s.settings.hash_balance_factor ||
                          settings.learning.equal_within != s.settings.learning.equal_within;
  s.settings = settings;
  s.queue.configure(settings.queue);
  s.budget.configure(settings.retry_budget);
  s.fleet.reconfigured(new_policy, now);
  s.configure_scaling(now);
  s.settle(now);
}

void pool::pause(instant now) {
  if (std::exchange(s_->paused, true)) return;
  s_->tell(event::kind::pool_paused, "the backlog is held", now);
  s_->settle(now);
}

void pool::resume(instant now) {
  if (!std::exchange(s_->paused, false)) return;
  s_->tell(event::kind::pool_resumed, "", now);
  s_->settle(now);
}

void pool::wind_down(instant now) {
  s_->winding_down = true;
  s_->evict_durable(now);
  s_->settle(now);
}

void pool::close(instant now) {
  s_->closed = true;
  s_->evict_all(refusal::closing, now);
  s_->settle(now);
}

void pool::expire(instant now) {
  state& s = *s_;
  s.fleet.expire(now);
  s.depot.expire(now);
  s.expire_waits(now);
  if (s.hopeless_from() <= now) s.evict_all(refusal::closing, now);
  s.settle(now);
  if (s.scaling && s.scaling->next_deadline() <= now) s.scale(now);
}

instant pool::next_deadline() const noexcept {
  const state& s = *s_;
  instant due = std::min(s.fleet.next_deadline(), s.depot.next_deadline());
  if (!s.wait_ends.empty()) due = std::min(due, std::min(s.wait_ends.top_key(), s.hopeless_from()));
  if (s.scaling && !s.closed) due = std::min(due, s.scaling->next_deadline());
  return due;
}

bool pool::removal_sent(std::span<const std::string> names, instant) {
  bool all = true;
  for (const std::string& name : names) {
    const auto id = s_->fleet.find(name);
    if (id && s_->scaling) all = s_->scaling->removal_sent(*id) && all;
  }
  return all;
}

void pool::scaled_before(std::uint64_t episode, std::uint64_t sequence) noexcept {
  s_->told_episode = std::max(s_->told_episode, episode);
  s_->told_sequence = std::max(s_->told_sequence, sequence);
  if (s_->scaling) s_->scaling->number_above(s_->told_episode, s_->told_sequence);
}

effects& pool::pending() noexcept {
  return s_->out;
}
const pool_settings& pool::settings() const noexcept {
  return s_->settings;
}
std::size_t pool::running() const noexcept {
  return s_->running;
}
std::size_t pool::waiting() const noexcept {
  return s_->queue.size();
}

bool pool::paused() const noexcept {
  return s_->paused;
}

bool pool::can_serve() const noexcept {
  const auto& scale = s_->settings.autoscale;
  return s_->fleet.serving() > 0 || (scale && scale->min == 0 && scale->max > 0);
}

}  // namespace weir::core
