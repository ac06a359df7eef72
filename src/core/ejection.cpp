#include "core/ejection.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::core {

std::string_view name(recovery r) noexcept {
  switch (r) {
    case recovery::attempts:
      return "attempts succeed again";
    case recovery::probes:
      return "workers that went down in it pass their probes again";
    case recovery::refunds:
      return "the failures were those of single batches";
    case recovery::departures:
      return "the workers that failed have left or drain";
  }
  return "";
}

ejection::record* ejection::find(std::uint32_t worker) noexcept {
  return worker < records_.size() && records_[worker].present ? &records_[worker] : nullptr;
}

const ejection::record* ejection::find(std::uint32_t worker) const noexcept {
  return const_cast<ejection*>(this)->find(worker);
}

// --- counting: a record is taken out of the sums, changed, and put back -----------------------

void ejection::tally(const record& r, std::uint32_t by) noexcept {
  const bool up = r.health == health_state::up;
  const bool down = r.health == health_state::down;
  present_ += by;
  usable_ += up && !r.ejected ? by : 0;
  written_off_ += down && !r.fell ? by : 0;
  ejected_ += r.ejected ? by : 0;
  streaks_ += r.streak > 0 ? by : 0;
  failing_ += r.fell || (!down && failing(r)) ? by : 0;
}

template <class Change>
void ejection::change(record& r, Change&& apply) noexcept {
  tally(r, minus_one);
  apply(r);
  tally(r, 1);
}

std::uint32_t ejection::failing_streak() const noexcept {
  const std::uint32_t limit = settings_.consecutive_failures;
  return limit == 0 ? 3 : limit / 2 + limit % 2;
}

bool ejection::failing(const record& r) const noexcept {
  return r.ejected || r.streak >= failing_streak();
}

bool ejection::too_many(std::uint32_t bad, std::uint32_t of) const noexcept {
  return bad >= std::min(2u, of) && bad > 0 && bad > settings_.outage_share * of;
}

// Workers that fail now: one that failed long ago and got nothing since proves nothing either way.
std::uint32_t ejection::failing_lately(instant now) const noexcept {
  return static_cast<std::uint32_t>(std::ranges::count_if(records_, [&](const record& r) {
    return r.present && r.health != health_state::down && failing(r) && !stale(r, now);
  }));
}

bool ejection::stale(const record& r, instant now) const noexcept {
  return !r.ejected && base::after(r.last_failure, settings_.base_time) <= now;
}

// --- who is in the pool ------------------------------------------------------------------------

void ejection::configure(const ejection_settings& settings) noexcept {
  settings_ = settings;
  present_ = usable_ = written_off_ = ejected_ = failing_ = streaks_ = 0;
  for (const record& r : records_)
    if (r.present) tally(r, 1);
}

void ejection::enter(std::uint32_t worker, health_state health) {
  if (worker >= records_.size()) {
    records_.resize(worker + 1);
    changed_.reserve(records_.capacity());
  }
  record& r = records_[worker];
  if (r.present) return;
  r = {.recent = {}, .health = health, .present = true, .noted = r.noted};
  tally(r, 1);
}

bool ejection::leave(std::uint32_t worker, instant now) noexcept {
  record* r = find(worker);
  if (!r) return false;
  if (r->ejected) end_ejection(worker, *r, now);
  tally(*r, minus_one);
  r->present = false;
  reschedule(now);
  return conclude(recovery::departures, now);
}

bool ejection::health_changed(std::uint32_t worker, health_state health, instant now) noexcept {
  record* r = find(worker);
  if (!r) return false;
  const bool proven = r->health == health_state::down && health == health_state::up;
  const bool rose = proven && r->fell;
  change(*r, [&](record& to) {
    to.health = health;
    if (proven) to.streak = 0, to.fell = false;
    if (outage_ && health == health_state::down) to.fell = true;
  });
  if (rose) success(recovery::probes, now);
  return conclude(recovery::probes, now);
}

// --- what its attempts did -----------------------------------------------------------------------

bool ejection::recovered(std::uint32_t worker, instant now) noexcept {
  record* r = find(worker);
  if (!r) return false;
  if (r->streak > 0) change(*r, [](record& to) { to.streak = 0; });
  if (!outage_) return false;
  success(recovery::attempts, now);
  return conclude(recovery::attempts, now);
}

void ejection::success(recovery by, instant now) noexcept {
  recovered_by_ = by;
  if (std::exchange(success_seen_, true)) return;
  reschedule(now);
}

bool ejection::failed(std::uint32_t worker, instant now, bool too_fast) noexcept {
  record* r = find(worker);
  if (!r) return false;
  r->recent.failed(too_fast);
  change(*r, [&](record& to) {
    to.last_failure = now;
    ++(to.ejected ? to.charged : to.streak);
  });
  judge(recovery::attempts, now);
  eject_if_due(worker, *r, now);
  return done();
}

bool ejection::stuck(std::uint32_t worker, instant now) noexcept {
  record* r = find(worker);
  if (!r) return false;
  r->recent.failed();
  eject_if_due(worker, *r, now);
  return done();
}

bool ejection::refund(std::uint32_t worker, std::uint32_t count, bool in_row,
                      instant now) noexcept {
  record* r = find(worker);
  if (!r) return false;
  r->recent.forgive(count);
  if (in_row) change(*r, [&](record& to) {
    std::uint32_t& charged = to.ejected ? to.charged : to.streak;
    charged -= std::min(charged, count);
  });
  if (r->ejected && !(r->by_share ? fails_too_often(*r) : too_many_in_row(*r))) {
    forgive(*r);
    end_ejection(worker, *r, now);
    reschedule(now);
  }
  return conclude(recovery::refunds, now);
}

// --- ejections -------------------------------------------------------------------------------

bool ejection::too_many_in_row(const record& r) const noexcept {
  const std::uint32_t limit = settings_.consecutive_failures;
  return limit > 0 && (r.ejected ? r.charged : r.streak) >= limit;
}

// As many failures as would do in a row, and more of them than can be chance: above the share that
// is tolerated, and above that of the other workers, who would share a fault of the batches. By the
// rate at which it fails: those that fail too fast take no time in which others could succeed.
bool ejection::fails_too_often(const record& r) const noexcept {
  const std::uint32_t limit = settings_.consecutive_failures;
  const std::uint32_t failures = r.recent.failures();
  if (limit == 0 || failures < limit) return false;
  const double rate = static_cast<double>(r.recent.count()) / r.recent.timely();
  const double certain = wilson_lower(failures, r.recent.count()) * rate;
  return certain > settings_.failure_share && certain > share_of_others(r);
}

double ejection::share_of_others(const record& r) const noexcept {
  std::uint32_t failures = 0, attempts = 0;
  for (const record& other : records_) {
    if (!other.present || &other == &r) continue;
    failures += other.recent.failures();
    attempts += other.recent.timely();
  }
  return attempts == 0 ? 0 : static_cast<double>(failures) / attempts;
}

bool ejection::may_eject(const record& r) const noexcept {
  if (outage_ || r.ejected) return false;
  const double room = std::floor(settings_.ejected_max * present_ + 1e-9);
  const bool capped = settings_.ejected_max <= 0 || ejected_ + 1 > std::max(1.0, room);
  return !capped && r.health == health_state::up && usable_ >= 2;
}

void ejection::eject_if_due(std::uint32_t worker, record& r, instant now) noexcept {
  if (!may_eject(r)) return;
  const bool in_row = too_many_in_row(r);
  if (!in_row && !fails_too_often(r)) return;
  r.by_share = !in_row;
  eject(worker, r, now);
}

void ejection::eject(std::uint32_t worker, record& r, instant now) noexcept {
  const duration base = std::max(settings_.base_time, duration{1});
  if (r.total > 0) r.step -= std::min<std::int64_t>(r.step, (now - r.ended) / base);
  const auto n_max = std::max<std::int64_t>(1, settings_.time_max / base);
  ++r.step;
  ++r.total;
  r.until = r.step > n_max ? base::after(now, settings_.time_max)
                           : base::after(now, std::min(base * r.step, settings_.time_max));
  change(r, [](record& to) {
    to.ejected = true;
    to.charged = to.streak;
    to.streak = 0;
  });
  note(worker, r);
  reschedule(now);
}

void ejection::end_ejection(std::uint32_t worker, record& r, instant now) noexcept {
  change(r, [](record& to) { to.ejected = false; });
  r.recent.clear();
  r.ended = now;
  note(worker, r);
}

// The ejection that holds was not deserved: the next one is no longer for it.
void ejection::forgive(record& r) noexcept {
  r.step -= std::min(r.step, 1u);
}

void ejection::note(std::uint32_t worker, record& r) noexcept {
  news_ = true;
  if (r.noted) return;
  r.noted = true;
  changed_.push_back(worker);
}

void ejection::clear_changed() noexcept {
  for (std::uint32_t worker : changed_) records_[worker].noted = false;
  changed_.clear();
}

// --- outages ---------------------------------------------------------------------------------

void ejection::judge(recovery by, instant now) noexcept {
  const std::uint32_t judged = present_ - written_off_;
  if (outage_) {
    if (failing_ == 0 || (success_seen_ && !too_many(failing_, judged))) end_outage(by, now);
  } else if (too_many(failing_, judged) && too_many(failing_lately(now), judged)) {
    begin_outage(now);
  }
}

void ejection::begin_outage(instant now) noexcept {
  outage_ = news_ = true;
  success_seen_ = false;
  for (std::uint32_t worker = 0; worker < records_.size(); ++worker)
    if (record& r = records_[worker]; r.present && r.ejected) suspend(worker, r, now);
  reschedule(now);
}

// Lifts an ejection in an outage; the worker goes on failing until it shows otherwise.
void ejection::suspend(std::uint32_t worker, record& r, instant now) noexcept {
  forgive(r);
  change(r, [&](record& to) { to.streak = std::max(to.charged, failing_streak()); });
  end_ejection(worker, r, now);
}

void ejection::end_outage(recovery by, instant now) noexcept {
  recovered_by_ = by;
  outage_ = false;
  news_ = true;
  for (record& r : records_)
    if (r.present)
      change(r, [](record& to) { to.streak = 0, to.fell = false, to.recent.clear(); });
  reschedule(now);
}

void ejection::forget_stale(instant now) noexcept {
  for (record& r : records_)
    if (r.present && stale(r, now)) change(r, [](record& to) { to.streak = 0; });
}

bool ejection::impaired() const noexcept {
  return outage_ || too_many(troubled(), present_);
}

// --- time --------------------------------------------------------------------------------------

bool ejection::expire(instant now) noexcept {
  if (now < deadline_) return false;
  for (std::uint32_t worker = 0; worker < records_.size(); ++worker)
    if (record& r = records_[worker]; r.present && r.ejected && r.until <= now)
      end_ejection(worker, r, now);
  if (outage_ && success_seen_) forget_stale(now);
  reschedule(now);
  return conclude(recovered_by_, now);
}

// The end of the first ejection; in an outage that fades, a look at stale failures four times in
// base_time, so that no attempt pays for it.
void ejection::reschedule(instant now) noexcept {
  deadline_ = base::never;
  if (outage_ && success_seen_)
    deadline_ = base::after(now, std::max<duration>(settings_.base_time / 4, 1ms));
  if (ejected_ == 0) return;
  for (const record& r : records_)
    if (r.present && r.ejected) deadline_ = std::min(deadline_, r.until);
}

bool ejection::conclude(recovery by, instant now) noexcept {
  judge(by, now);
  return done();
}

bool ejection::done() noexcept {
  return std::exchange(news_, false);
}

// --- views -------------------------------------------------------------------------------------

bool ejection::ejected(std::uint32_t worker) const noexcept {
  const record* r = find(worker);
  return r && r->ejected;
}

instant ejection::ejected_until(std::uint32_t worker) const noexcept {
  const record* r = find(worker);
  return r && r->ejected ? r->until : base::never;
}

std::uint32_t ejection::failures_in_row(std::uint32_t worker) const noexcept {
  const record* r = find(worker);
  if (!r) return 0;
  return r->ejected ? r->charged : r->streak;
}

const recent_attempts& ejection::recent(std::uint32_t worker) const noexcept {
  static constexpr recent_attempts nothing;
  const record* r = find(worker);
  return r ? r->recent : nothing;
}

bool ejection::by_share(std::uint32_t worker) const noexcept {
  const record* r = find(worker);
  return r && r->by_share;
}

std::uint32_t ejection::ejections(std::uint32_t worker) const noexcept {
  const record* r = find(worker);
  return r ? r->total : 0;
}

}  // namespace weir::core
