// pool, continued: durable batches. What differs from others: their way in, past no limit but their
// own; no wait limit; what waits may be on disk; and a failed attempt is followed by another one.
#include <algorithm>
#include <limits>

#include "base/check.hpp"
#include "core/pool_state.hpp"

namespace weir::core {
namespace {

// Lanes whose stored ones are valued anew in a scaling tick.
constexpr std::uint32_t revalued_max = 1024;

bool failed_there(attempt_end end) noexcept {
  return end == attempt_end::failed || end == attempt_end::response_timeout;
}
// Ends that spend_attempt() was told of.
bool was_spent(attempt_end end) noexcept {
  return failed_there(end) || end == attempt_end::client_gone || end == attempt_end::client_fault;
}

}  // namespace

// --- the pool's calls ---------------------------------------------------------------------------

refusal pool::reserve_durable(std::uint64_t bytes, instant now, instant deadline) {
  state& s = *s_;
  if (deadline <= now) return refusal::deadline;
  if (s.closed || s.winding_down) return refusal::closing;
  return s.depot.reserve(bytes, s.settings.durable);
}

void pool::release_durable(std::uint64_t bytes) {
  s_->depot.release(bytes);
}

void pool::restore_lane(const lane_facts& facts, instant now) {
  state& s = *s_;
  const std::uint32_t lane = s.depot.open(facts.lane, facts.route, 1);
  s.count_stored(lane, -1);
  s.depot.restore(lane, facts, now);
  if (!s.depot.taken(lane)) return;
  s.count_stored(lane, 1);
  if (s.scaling) s.scaling->wake(now);
  s.settle(now);
}

void pool::loaded(std::uint32_t number, std::size_t got, std::int64_t last_place, instant now) {
  state& s = *s_;
  const std::uint32_t lane = s.depot.find(number);
  if (lane == depot::none) return;
  if (s.depot.loaded(lane, got, last_place)) {
    s.count_stored(lane, -1);
    s.depot.forget_stored(lane);
    s.count_stored(lane, 1);
  }
  s.depot.close(lane);
  s.settle(now);
}

void pool::forget_lane(std::uint32_t number, instant now) {
  state& s = *s_;
  const std::uint32_t lane = s.depot.find(number);
  if (lane == depot::none) return;
  s.count_stored(lane, -1);
  s.depot.begin_anew(lane);
  s.count_stored(lane, 1);
  s.depot.close(lane);
  s.settle(now);
}

void pool::load_failed(std::uint32_t number, instant now) {
  const std::uint32_t lane = s_->depot.find(number);
  if (lane == depot::none) return;
  s_->depot.load_failed(lane, now);
  s_->depot.close(lane);
}

void pool::unstored(std::uint32_t number, std::uint64_t bytes, double units, instant now) {
  state& s = *s_;
  const std::uint32_t lane = s.depot.find(number);
  if (lane == depot::none || s.depot.at(lane).stored == 0) return;
  s.take_from_disk(lane, bytes, units);
  s.depot.release(bytes);
  s.depot.close(lane);
  s.settle(now);
}

// Those of its lane that came before it are ahead; of other tenants about as much as they are
// served meanwhile, but no more than they have.
std::optional<queue_place> pool::stored_place(std::uint32_t number, std::int64_t place,
                                              instant now) const {
  const state& s = *s_;
  const std::uint32_t slot = s.depot.find(number);
  if (slot == depot::none) return std::nullopt;
  const depot::lane& l = s.depot.at(slot);
  if (l.stored == 0 || place <= l.cursor) return std::nullopt;
  const auto span = static_cast<double>(std::max(l.newest, place) - l.cursor);
  const double share = static_cast<double>(place - l.cursor) / span;
  const double stored_ahead = share * static_cast<double>(l.stored - 1);
  const double own = stored_ahead + l.waiting;
  const auto all = static_cast<double>(s.queue.size() + s.depot.stored());
  const double others = std::max(0.0, all - static_cast<double>(l.stored + l.waiting));
  const double tenants = std::max(s.queue.tenants_waiting(), s.depot.stored_lanes());
  const double ahead = own + std::min(others, std::max(0.0, tenants - 1) * (own + 0.5));
  const state::forecast f = s.look(now);
  queue_place p;
  p.position = static_cast<std::uint64_t>(ahead);
  p.cost_ahead = all > 0 ? f.work * ahead / all : 0;
  p.eta_seconds = s.granting() ? f.soonest + drain_seconds(p.cost_ahead, f.rate)
                               : std::numeric_limits<double>::infinity();
  p.in_time = p.eta_seconds < std::numeric_limits<double>::infinity();
  return p;
}

// --- in -----------------------------------------------------------------------------------------

void pool::state::admit_durable(const batch_facts& facts, admission& a, instant now) {
  const std::uint32_t lane = depot.open(facts.lane, facts.route, facts.place);
  if (facts.loaded) {
    take_from_disk(lane, facts.stored_bytes, facts.units);
    if (facts.age > duration::zero()) depot.aged(lane, now - facts.age);
  } else if (!facts.reserved) {
    depot.count(1, facts.stored_bytes);
  }
  if (const refusal why = turn_away_durable(facts, now); why != refusal::none) {
    depot.release(facts.stored_bytes);
    depot.close(lane);
    refuse(a, why, come_back(why, now));
  } else if (facts.loaded || depot.admits(lane, facts.place, settings.durable.window)) {
    enter_durable(facts, lane, a, now);
  } else {
    a.what = admission::kind::stored;
    wait_on_disk(facts, lane, now);
  }
}

void pool::state::enter_durable(const batch_facts& facts, std::uint32_t lane, admission& a,
                                instant now) {
  depot.enter(lane, facts.place);
  const batch_id id = enter(facts, now);
  batch& b = batches.at(id.index);
  batch_extra& e = extra_of(id, b);
  e.lane = lane;
  e.entered = now;
  e.stored_bytes = facts.stored_bytes;
  e.backoffs = facts.tries;
  b.held_bytes = 0;
  b.wait_left = base::forever;
  b.arrived = b.since_waiting = now - facts.age;
  b.record.attempts = facts.tries;
  a.batch = id;
  budget.admitted(now);
  const bool later = facts.delay > duration::zero();
  if (const worker_id free = later ? worker_id{} : pick_at_once(b)) {
    a.what = admission::kind::granted;
    a.grant = start(id, b, free, b.cost.seconds, now);
    return;
  }
  a.what = admission::kind::queued;
  b.delayed_until = base::after(now, facts.delay);
  enqueue(id, b, later ? batch_stage::delayed : batch_stage::ready, now);
  settle(now);
}

void pool::state::wait_on_disk(const batch_facts& facts, std::uint32_t lane, instant now) {
  count_stored(lane, -1);
  depot.keep(lane, facts.place, facts.stored_bytes, facts.units, now - facts.age);
  count_stored(lane, 1);
  if (scaling) scaling->wake(now);
  settle(now);
}

// They stay in the store.
void pool::state::evict_durable(instant now) {
  for (std::uint32_t i = 0; i < batches.extent(); ++i)
    if (batches.taken(i) && batches.at(i).waits() && is_durable(batches.at(i)))
      evict(batches.id_at(i), batches.at(i), refusal::closing, now);
}

// --- on disk ------------------------------------------------------------------------------------

void pool::state::order_loads(instant now) {
  if (closed || winding_down) return;
  const bool idle = granting() && !queue.any_eligible() && fleet.any_free() &&
                    !fleet.ejections().outage();
  depot.order(settings.durable.window, idle, now, out.loads);
}

void pool::state::count_waiting(const batch& b, int sign) {
  const batch_extra& e = extras.at(b.extra);
  if (!e.durable()) return;
  depot.waits(e.lane, e.stored_bytes, sign);
  queue.tenants().durable_waits(b.account, sign);
}

void pool::state::count_stored(std::uint32_t slot, int sign) noexcept {
  const depot::lane& l = depot.at(slot);
  if (l.stored == 0) {
    if (depot.stored() == 0) stored_cost = stored_share = 0;
    return;
  }
  const auto n = static_cast<double>(l.stored);
  if (sign > 0) depot.estimate(slot, costs.estimate(l.route, l.units / n));
  costs.waits(l.route, l.each, sign * static_cast<std::int64_t>(l.stored));
  stored_cost = std::max(0.0, stored_cost + sign * n * l.each.seconds);
  stored_share = std::max(0.0, stored_share + sign * n * slot_share(l.each.seconds, capped));
}

void pool::state::take_from_disk(std::uint32_t lane, std::uint64_t bytes, double units) noexcept {
  count_stored(lane, -1);
  depot.take(lane, bytes, units);
  count_stored(lane, 1);
}

// What is learned of a route is worth knowing of the many that wait; a few lanes at a time.
void pool::state::revalue_lanes() noexcept {
  const std::uint32_t count = std::min(depot.extent(), revalued_max);
  for (std::uint32_t i = 0; i < count; ++i) {
    revalued = revalued + 1 < depot.extent() ? revalued + 1 : 0;
    if (!depot.taken(revalued)) continue;
    count_stored(revalued, -1);
    count_stored(revalued, 1);
  }
}

void pool::state::recount_stored() noexcept {
  stored_share = 0;
  for (std::uint32_t i = 0; i < depot.extent(); ++i) {
    if (!depot.taken(i)) continue;
    const depot::lane& l = depot.at(i);
    stored_share += static_cast<double>(l.stored) * slot_share(l.each.seconds, capped);
  }
}

// --- an attempt's end ---------------------------------------------------------------------------

verdict pool::state::conclude_durable(batch_id id, batch& b, const attempt_report& report,
                                      worker_id on, fault whose, instant now) {
  const bool counted = whose == fault::worker || whose == fault::batch;
  if (was_spent(report.end) && !counted) --b.record.attempts;
  const std::uint32_t tries = b.record.attempts;
  verdict v;
  if (report.end == attempt_end::client_gone ||
      (report.end == attempt_end::client_fault && !report.may_retry)) {
    leave(id, refusal::none, now);
  } else if (const refusal over = over_for(b, report, whose); over != refusal::none) {
    leave(id, over, now);
    v = failed(over, now);
  } else {
    v = go_on(id, b, report, on, whose, now);
  }
  v.counted = counted;
  v.tries = tries;
  return v;
}

// Why it is not tried again; none when it is.
refusal pool::state::over_for(const batch& b, const attempt_report& report,
                              fault whose) const noexcept {
  if (whose == fault::batch) return refusal::poisoned;
  if (closed || winding_down) return refusal::closing;
  const bool last = whose == fault::worker && b.record.attempts >= b.retry.attempts;
  const bool never = failed_there(report.end) && !report.may_retry && !report.nothing_sent;
  return last || never ? refusal::retries_exhausted : refusal::none;
}

verdict pool::state::go_on(batch_id id, batch& b, const attempt_report& report, worker_id on,
                           fault whose, instant now) {
  const duration delay = pause_before(b, report, whose, now);
  b.delayed_until = base::after(now, delay);
  if (b.delayed_until >= b.wait_end()) {
    leave(id, refusal::deadline, now);
    return failed(refusal::deadline, now);
  }
  if (failed_there(report.end) || report.end == attempt_end::connect_failed) b.avoid.add(on);
  extras.at(b.extra).outlasts = whose == fault::outage;
  if (b.charged) queue.tenants().refund(b.account, b.cost.seconds);
  enqueue(id, b, delay > duration::zero() ? batch_stage::delayed : batch_stage::ready, now);
  verdict v = waiting_on();
  v.delay = delay;
  return v;
}

// Exponential by its own failures. What was not executed goes on at once, up to bounces_max times.
// Without budget a retry waits for about as long as any may.
duration pool::state::pause_before(batch& b, const attempt_report& report, fault whose,
                                   instant now) {
  batch_extra& e = extras.at(b.extra);
  bounces += report.end == attempt_end::busy ? 1 : 0;
  if (report.end == attempt_end::connect_failed) return {};   // that worker rests
  const bool moves = report.end == attempt_end::busy || report.end == attempt_end::stale_connection;
  if (moves && ++b.record.moves <= b.retry.bounces_max) return {};
  const duration delay = backoff(b.retry, ++e.backoffs, random);
  if (whose != fault::worker || budget.take(now)) return delay;
  const duration longest = std::max(b.retry.backoff_max, b.retry.backoff_base);
  return std::max(delay, longest / 2 + backoff(b.retry, e.backoffs, random) / 2);
}

}  // namespace weir::core
