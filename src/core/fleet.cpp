#include "core/fleet.hpp"

#include <algorithm>
#include <utility>

namespace weir::core {
namespace {

constexpr int load_steps = 10;   // looks at a report's age while it fades by e
constexpr duration connect_rest_max = std::chrono::seconds(5);

std::string_view failure_text(attempt_end how) noexcept {
  if (how == attempt_end::connect_failed) return "no connection";
  if (how == attempt_end::response_timeout) return "no response in time";
  return "a failing status or a broken response";
}

}  // namespace

worker_state combine(const worker_condition& c) noexcept {
  if (c.removed) return worker_state::removed;
  if (c.draining) return worker_state::draining;
  if (c.health == health_state::down) return worker_state::down;
  if (c.health == health_state::checking) return worker_state::checking;
  if (c.ejected) return worker_state::ejected;
  return c.full ? worker_state::saturated : worker_state::up;
}

fleet::fleet(const pool_settings& settings, effects& out, std::uint64_t seed, instant now)
    : settings_(settings),
      out_(out),
      random_(seed),
      rates_(now, settings.learning),
      ejection_(settings.ejection) {
  attempts_.configure(settings.learning);
  configure_tuner(now);
  rebuild_pickers(now);
}

// --- membership ----------------------------------------------------------------------------------

worker_id fleet::add(const worker_settings& settings, instant now, seat place) {
  const auto same = find(settings.name);
  if (same && !workers_.find(*same)->removing) return {};
  if (place == seat::limited && workers_.size() >= settings_.workers_max) {
    ++refused_workers_;
    return {};
  }
  const worker_id id = workers_.insert(settings, settings_.health, now);
  worker& w = workers_.at(id.index);
  by_name_.emplace(settings.name, id);
  w.counted_backup = settings.backup;
  rates_.join(id.index);
  if (tuner_) tuner_->join(id.index, now);
  ++staying_;
  tell(event::kind::worker_added, id, w, now);
  if (w.checks.state() == health_state::up) begin_service(w, now);
  sync(id.index, now);
  expire_worker(id.index, now);
  return id;
}

void fleet::update(worker_id id, const worker_settings& settings, instant now) {
  worker* w = workers_.find(id);
  if (!w) return;
  std::string name = std::move(w->settings.name);
  w->settings = settings;
  w->settings.name = std::move(name);
  sync(id.index, now);
}

void fleet::drain(worker_id id, drain_order by, std::string_view reason, instant now) {
  worker* w = workers_.find(id);
  if (!w) return;
  w->drained(by) = true;
  w->reason = reason;
  sync(id.index, now);
}

void fleet::undrain(worker_id id, drain_order by, instant now) {
  worker* w = workers_.find(id);
  if (!w) return;
  w->drained(by) = false;
  if (!w->draining()) w->reason.clear();
  if (by == drain_order::by_operator) w->resting = false;   // whoever says so knows better
  sync(id.index, now);
}

void fleet::remove(worker_id id, std::string_view reason, instant now) {
  worker* w = workers_.find(id);
  if (!w || w->removing) return;
  w->removing = true;
  w->reason = reason;
  --staying_;
  sync(id.index, now);
  forget_if_empty(id.index, now);
}

void fleet::forget_if_empty(std::uint32_t index, instant now) {
  worker& w = workers_.at(index);
  if (!w.removing || w.running.size > 0) return;
  const worker_id id = workers_.id_at(index);
  tell(event::kind::worker_removed, id, w, now);
  out_.events.back().to = worker_state::removed;
  timers_.erase(index);
  const auto [first, last] = by_name_.equal_range(w.settings.name);
  by_name_.erase(std::find_if(first, last, [&](const auto& named) { return named.second == id; }));
  workers_.erase(id);
}

std::optional<worker_id> fleet::find(std::string_view name) const {
  std::optional<worker_id> found;
  const auto [first, last] = by_name_.equal_range(name);
  for (auto named = first; named != last; ++named)
    if (!found || !workers_.find(named->second)->removing) found = named->second;
  return found;
}

void fleet::reconfigured(bool new_policy, instant now) {
  ejection_.configure(settings_.ejection);
  rates_.configure(settings_.learning, now);
  attempts_.configure(settings_.learning);
  configure_tuner(now);
  for (std::uint32_t i = 0; i < workers_.extent(); ++i) {
    if (!workers_.taken(i)) continue;
    worker& w = workers_.at(i);
    health_became(i, w, w.checks.configure(settings_.health, now, random_), now);
  }
  take_ejections(now);
  if (new_policy) rebuild_pickers(now);
}

void fleet::rebuild_pickers(instant now) {
  for (auto& p : pickers_) p = make_picker(settings_);
  for (std::uint32_t i = 0; i < workers_.extent(); ++i)
    if (workers_.taken(i)) offer(i, workers_.at(i), now);
}

// --- state --------------------------------------------------------------------------------------

// Everything that follows from a worker's parts, after one of them changed.
void fleet::sync(std::uint32_t index, instant now) {
  worker& w = workers_.at(index);
  sync_membership(index, w, now);
  sync_state(index, w, now);
  sync_slots(index, w, now);
  sync_favour(w, now);
  sync_timer(index, w, now);
  offer(index, w, now);
}

void fleet::sync_membership(std::uint32_t index, worker& w, instant now) {
  if (w.entered == !w.draining()) return;
  w.entered = !w.draining();
  if (w.entered) {
    ejection_.enter(index, w.checks.state());
  } else {
    ejection_.leave(index, now);
    take_ejections(now);
  }
}

void fleet::sync_state(std::uint32_t index, worker& w, instant now) {
  const worker_state is = combine(
      {.draining = w.draining(), .health = w.checks.state(), .ejected = ejection_.ejected(index)});
  if (is != w.shown) {
    const worker_state was = std::exchange(w.shown, is);
    w.state_since = now;
    tell(event::kind::worker_state_changed, workers_.id_at(index), w, now);
    out_.events.back().from = was;
  }
  if (w.serving && w.counted_backup != w.settings.backup) {
    count_serving(w, false);
    pickers_[w.counted_backup]->drop(index);
  }
  w.counted_backup = w.settings.backup;
  if (w.serving != (is == worker_state::up)) count_serving(w, is == worker_state::up);
}

void fleet::count_serving(worker& w, bool serving) noexcept {
  w.serving = serving;
  serving ? ++serving_[w.counted_backup] : --serving_[w.counted_backup];
}

void fleet::sync_slots(std::uint32_t index, worker& w, instant now) noexcept {
  const duration age = now - w.ramp_began;
  if (w.ramping && age >= settings_.slow_start) w.ramping = false;
  const std::uint32_t declared = w.settings.slots, most = slots_most(w);
  w.slots_lasting = tuner_ ? tuner_->limit(index, most) : most;
  w.slots_open = tuner_ ? tuner_->open(index, most) : most;
  if (w.ramping)
    w.slots_open = std::min(
        w.slots_open, open_slots(declared, age, slow_start()) + w.slots_earned);
  count_speed(w);
}

void fleet::sync_favour(worker& w, instant now) noexcept {
  const double reported = reported_share(w.load, now - w.load_at, settings_.learning);
  w.favour = std::max(w.settings.weight * w.share_asked, weight_min) * reported;
}

double fleet::speed() const noexcept {
  return serving() == 0 ? 0 : std::max(speed_, 0.0);
}

void fleet::sync_timer(std::uint32_t index, const worker& w, instant now) {
  instant due = w.checks.next_deadline();
  if (w.resting) due = std::min(due, w.rest_until);
  if (w.ramping) {
    const duration step = next_slot_age(w.settings.slots, now - w.ramp_began, slow_start());
    due = std::min(due, base::after(w.ramp_began, step));
  }
  const learning_settings& l = settings_.learning;
  if (w.load > l.load_free && now - w.load_at < load_forgotten(l))
    due = std::min(due, base::after(now, l.load_memory / load_steps));
  due == base::never ? timers_.erase(index) : timers_.set(index, due);
}

// It came up, or its ejection ended: it starts with few slots. Not when the pool itself has only
// just begun: then no worker is any warmer than another.
void fleet::begin_service(worker& w, instant now) noexcept {
  const bool first = !std::exchange(w.joined_once, true);
  if (ramps_from_ == base::never) ramps_from_ = base::after(now, settings_.slow_start);
  if (settings_.slow_start <= duration::zero() || (first && now < ramps_from_)) return;
  w.ramping = true;
  w.ramp_began = now;
  w.slots_earned = 0;
}

// Slow start is to spare a cold worker, not to let batches wait for one that is proven: while no
// worker has a free slot, each success opens one more, as in TCP's slow start (RFC 5681, 3.1);
// a failure shuts those again.
void fleet::earn_slot(std::uint32_t index, worker& w, instant now) {
  if (w.slots_open >= w.slots_lasting) return;
  ++w.slots_earned;
  sync(index, now);
}

void fleet::lose_slots(std::uint32_t index, worker& w, instant now) {
  w.slots_earned = 0;
  if (w.ramping) sync(index, now);
}

void fleet::tell(event::kind what, worker_id id, const worker& w, instant now) {
  out_.events.push_back({what, id, w.settings.name, w.shown, w.shown, w.reason, now});
}

// --- health and passive verdicts ----------------------------------------------------------------

void fleet::probed(worker_id id, bool good, std::string_view detail, instant now) {
  worker* w = workers_.find(id);
  if (!w) return;
  if (good) wake_up(*w);
  const auto change = w->checks.probed(good, settings_.health, now, random_);
  if (change != health::change::none && !w->draining()) w->reason = detail;
  health_became(id.index, *w, change, now);
}

void fleet::health_became(std::uint32_t index, worker& w, health::change change, instant now) {
  if (change == health::change::came_up) {
    forget_word(w);
    begin_service(w, now);
  }
  const bool news =
      change != health::change::none && ejection_.health_changed(index, w.checks.state(), now);
  sync(index, now);
  if (news) take_ejections(now);
}

// A good probe is proof that connections are accepted again.
void fleet::wake_up(worker& w) noexcept {
  if (std::exchange(w.refusals, 0) > 0) w.resting = false;
}

void fleet::rest(worker_id id, duration d, instant now) {
  worker* w = workers_.find(id);
  if (!w) return;
  const duration longest = std::max(settings_.busy_rest_min, settings_.busy_rest_max);
  rests_cut_ += d > longest;
  const instant until = base::after(now, std::clamp(d, settings_.busy_rest_min, longest));
  w->rest_until = w->resting ? std::max(w->rest_until, until) : until;
  w->resting = true;
  sync(id.index, now);
}

void fleet::refused_connection(worker_id id, instant now) {
  worker* w = workers_.find(id);
  if (!w) return;
  const std::uint32_t doublings = std::min(w->refusals++, 20u);
  w->checks.probe_now(settings_.health, now);
  rest(id, std::min<duration>(settings_.busy_rest_min * (1u << doublings), connect_rest_max), now);
}

void fleet::failed(worker_id id, instant now, attempt_end how, bool too_fast) {
  worker* w = workers_.find(id);
  if (!w) return;
  ++w->failures;
  w->last_failure = how;
  if (w->slots_earned > 0) lose_slots(id.index, *w, now);
  const bool news = ejection_.failed(id.index, now, too_fast);
  if (ejection_.failures_in_row(id.index) <= 1) w->streak_began = now;
  if (news) take_ejections(now);
}

void fleet::refund(worker_id id, std::uint32_t count, instant failed, instant now) {
  const worker* w = workers_.find(id);
  if (!w) return;
  if (ejection_.refund(id.index, count, failed >= w->streak_began, now)) take_ejections(now);
}

// Brings the workers whose ejection began or ended, and the outage, to everybody's knowledge.
void fleet::take_ejections(instant now) {
  for (std::size_t i = 0; i < ejection_.changed().size(); ++i) {
    const std::uint32_t index = ejection_.changed()[i];
    if (workers_.taken(index)) ejection_changed(index, workers_.at(index), now);
  }
  ejection_.clear_changed();
  if (outage_ == ejection_.outage()) return;
  outage_ = ejection_.outage();
  event e;
  e.what = outage_ ? event::kind::outage_began : event::kind::outage_ended;
  e.when = now;
  e.reason = outage_ ? "most workers fail at once: none is ejected for it"
                     : name(ejection_.recovered_by());
  out_.events.push_back(std::move(e));
}

std::string fleet::why_ejected(std::uint32_t index, const worker& w) const {
  const std::string last = ", the last: " + std::string(failure_text(w.last_failure));
  if (!ejection_.by_share(index))
    return std::to_string(ejection_.failures_in_row(index)) + " failures in a row" + last;
  const recent_attempts& r = ejection_.recent(index);
  std::string why = std::to_string(r.failures()) + " of the last " + std::to_string(r.count()) +
                    " attempts failed or hang";
  if (const std::uint32_t fast = r.fast_failures())
    why += ", " + std::to_string(fast) + " of them far too fast";
  return w.failures > 0 ? why + last : why;
}

void fleet::ejection_changed(std::uint32_t index, worker& w, instant now) {
  const bool ejected = ejection_.ejected(index);
  // Why it is down or drains matters more than an ejection that ends meanwhile.
  if (ejected)
    w.reason = why_ejected(index, w);
  else if (!w.draining() && w.checks.state() != health_state::down)
    w.reason = "ejection ended";
  // What a shared outage lifted was not the worker's fault: it does not start small.
  if (!ejected && !w.draining() && !ejection_.outage()) begin_service(w, now);
  sync(index, now);
}

}  // namespace weir::core
