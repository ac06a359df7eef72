// pool, continued: a batch's way through the queue, to workers and back.
#include <algorithm>
#include <cmath>
#include <utility>

#include "base/check.hpp"
#include "core/pool_state.hpp"

namespace weir::core {
namespace {

// With no worker serving nobody can say when one will: clients are asked to look again within this.
constexpr double no_service_seconds = 10;
// Learned batches from which on an estimate may refuse a client's deadline.
constexpr std::uint32_t samples_min = 8;
// Winding down, a worker is given this long to come up for what waits: a probe or two.
constexpr duration last_hope = std::chrono::seconds(5);
constexpr duration forecast_age = std::chrono::milliseconds(100);

bool not_executed(attempt_end end) noexcept {
  return end == attempt_end::busy || end == attempt_end::connect_failed ||
         end == attempt_end::stale_connection;
}

// Ends with which a batch is over however they came about.
bool final_end(attempt_end end) noexcept {
  return end == attempt_end::succeeded || end == attempt_end::client_gone ||
         end == attempt_end::client_fault || end == attempt_end::busy;
}

}  // namespace

// --- in and out ---------------------------------------------------------------------------------

batch_id pool::state::enter(const batch_facts& facts, instant now) {
  const std::uint32_t account = queue.tenants().enter(facts.tenant_hash, facts.tenant);
  const cost_estimate cost = costs.estimate(facts.route, facts.units);
  const batch_id id = batches.insert();
  batch& b = batches.at(id.index);
  b.owner = facts.owner;
  b.affinity = facts.affinity;
  if (facts.group != 0) b.group = queue.groups().enter(account, facts.group);
  b.held_bytes = facts.held_bytes;
  b.route = facts.route;
  b.account = account;
  b.cost = cost;
  b.key.sequence = ++sequence;
  b.retry = facts.retry;
  b.arrived = b.since = b.since_waiting = now;
  b.client_deadline = facts.client_deadline;
  b.wait_left = std::min(facts.wait_max, settings.queue.wait_max);
  b.urgency = facts.urgency;
  b.label.assign(facts.label);
  return id;
}

void pool::state::leave(batch_id id, refusal why, instant now) {
  const batch& b = batches.at(id.index);
  if (!b.label.view().empty()) {
    ending& e = ended.next();
    e.label = b.label;
    e.worker = b.last_worker;
    e.attempts = b.attempt;
    e.how = b.last_end;
    e.why = why;
    e.total = now - b.arrived;
    e.last_ran = b.last_ran;
  }
  forget(id);
}

refusal pool::state::room_for(batch& b, instant now) {
  if (queue.size() - depot.waiting() >= settings.queue.batches_max) {
    ++refused_batches;
    return refusal::queue_full;
  }
  if (b.held_bytes > 0 && waiting_bytes + b.held_bytes > settings.queue.bytes_max) {
    ++refused_bytes;
    return refusal::queue_bytes_full;
  }
  if (queue.tenants().full(b.account, queue.waiting_of(b.account))) {
    ++refused_tenants;
    return refusal::tenant_full;
  }
  if (b.wait_left <= duration::zero()) return wait_over(b, now);
  if (b.client_deadline == base::never || !estimates_mean_something()) return refusal::none;
  take_key(b);
  const double eta = grant_seconds(b.account, queue.place_of(b.account, b.key), lately(now));
  return eta > base::to_seconds(b.client_deadline - now) ? refusal::deadline : refusal::none;
}

void pool::state::refuse(admission& a, refusal why, duration retry_after) noexcept {
  a = {.what = admission::kind::refused,
       .grant = {},
       .batch = {},
       .why = why,
       .retry_after = retry_after};
}

// --- grants -------------------------------------------------------------------------------------

void pool::state::dispatch(instant now) {
  if (!granting()) return;
  if (!kept_back.empty()) release_kept_back(now);
  while (queue.any_eligible() && fleet.any_free()) {
    const bool by_cost = settings.queue.order == queue_order::cost_aware;
    const std::uint32_t index = queue.head(by_cost ? fleet.speed() : 0, now);
    const batch_id id = batches.id_at(index);
    batch& b = batches.at(index);
    const worker_id worker = fleet.pick(b.affinity, b.avoid.all());
    if (!worker) {
      keep_back(id, b, now);
      continue;
    }
    dequeue(id, b, true);
    const core::grant g = start(id, b, worker, now);
    if (id != finishing) out.grants.push_back(g);
  }
}

// --- the queue ----------------------------------------------------------------------------------

void pool::state::enqueue(batch_id id, batch& b, batch_stage stage, instant now) {
  b.stage = stage;
  b.since = now;
  take_key(b);
  queue.insert(id.index, b.account, b.key, b.cost.seconds, stage != batch_stage::ready, b.group);
  costs.waits(b.route, b.cost, 1);
  waiting_bytes += b.held_bytes;
  if (b.extra != batch_extra::none) count_waiting(b, 1);
  waits_began.set(id.index, b.since_waiting);
  const bool backs_off = stage == batch_stage::delayed;
  wait_ends.set(id.index, backs_off ? std::min(b.delayed_until, b.wait_end()) : b.wait_end());
  backs_off ? void(++delayed) : count_demand(b, 1);
  if (scaling) scaling->wake(now);
}

// Fixed the first time that it has to wait.
void pool::state::take_key(batch& b) {
  if (std::exchange(b.has_key, true)) return;
  const double est =
      b.cost.has_units
          ? b.cost.seconds
          : unsized.seconds(b.route, b.arrived, b.cost.seconds, settings.queue.cost_weight);
  b.key = make_key(settings.queue, b.arrived, est, b.urgency, b.key.sequence, overtaken_max());
}

void pool::state::dequeue(batch_id id, batch& b, bool served) {
  if (b.stage == batch_stage::kept_back) std::erase(kept_back, id);
  b.stage == batch_stage::delayed ? void(--delayed) : count_demand(b, -1);
  served ? queue.serve(id.index) : queue.remove(id.index);
  costs.waits(b.route, b.cost, -1);
  b.charged = served;
  waiting_bytes -= b.held_bytes;
  if (b.extra != batch_extra::none) count_waiting(b, -1);
  waits_began.erase(id.index);
  wait_ends.erase(id.index);
  // Sums of doubles drift; when nothing is left is the moment to start anew.
  if (queue.size() == delayed) demand_cost = demand_share = 0;
}

// What scaling is asked to serve: the backlog without those that back off.
void pool::state::count_demand(const batch& b, int sign) {
  const double share = slot_share(b.cost.seconds, capped);
  demand_cost += sign * b.cost.seconds;
  demand_share += sign * share;
  if (queue.tenants().running_max(b.account) != fair_share::unlimited)
    count_demand_of(b, share, sign);
}

void pool::state::count_demand_of(const batch& b, double share, int sign) {
  if (b.account >= capped_demand.size()) capped_demand.resize(b.account + 1);
  demand& d = capped_demand[b.account];
  d.batches += static_cast<std::uint64_t>(sign);
  d.share += sign * share;
  d.cost += sign * b.cost.seconds;
  // Sums of doubles drift; when nothing is left is the moment to start anew.
  if (d.batches == 0) d = {};
}

void pool::state::keep_back(batch_id id, batch& b, instant now) {
  b.stage = batch_stage::kept_back;
  b.since = now;
  queue.hold(id.index);
  kept_back.push_back(id);
}

void pool::state::release_kept_back(instant now) {
  std::erase_if(kept_back, [&](batch_id id) {
    batch& b = batches.at(id.index);
    if (!fleet.could_take(b.avoid.all())) return false;
    b.stage = batch_stage::ready;
    b.since = now;
    queue.release(id.index);
    return true;
  });
}

void pool::state::evict(batch_id id, batch& b, refusal why, instant now) {
  dequeue(id, b, false);
  out.evictions.push_back({id, b.owner, why, come_back(why, now)});
  leave(id, why, now);
}

void pool::state::evict_all(refusal why, instant now) {
  for (std::uint32_t i = 0; i < batches.extent(); ++i)
    if (batches.taken(i) && batches.at(i).waits()) evict(batches.id_at(i), batches.at(i), why, now);
}

// An ejected worker comes back by time alone.
void pool::state::watch_service(instant now) noexcept {
  const bool serves = !paused && (fleet.serving() > 0 || fleet.ejections().ejected_now() > 0);
  if (serves)
    unserved_since = base::never;
  else if (unserved_since == base::never)
    unserved_since = now;
}

instant pool::state::hopeless_from() const noexcept {
  return unserved_since == base::never ? base::never : base::after(unserved_since, last_hope);
}

void pool::state::expire_waits(instant now) {
  while (!wait_ends.empty() && wait_ends.top_key() <= now) {
    const batch_id id = batches.id_at(wait_ends.top());
    batch& b = batches.at(id.index);
    if (b.wait_end() <= now) {
      evict(id, b, wait_over(b, now), now);
      continue;
    }
    b.stage = batch_stage::ready;
    b.since = now;
    --delayed;
    count_demand(b, 1);
    queue.release(id.index);
    wait_ends.set(id.index, b.wait_end());
  }
}

// --- an attempt's end ---------------------------------------------------------------------------

void pool::state::judge(const batch& b, const attempt_report& report, instant now) {
  const attempt& a = fleet.at(b.running);
  const worker_id on = a.worker;
  const double least = a.sized ? a.expected_seconds / settings.learning.overdue : 0;
  switch (report.end) {
    case attempt_end::failed:
    case attempt_end::response_timeout:
      fleet.failed(on, now, report.end, base::to_seconds(now - a.started) < least);
      break;
    case attempt_end::connect_failed:
      fleet.failed(on, now, report.end, true);
      fleet.refused_connection(on, now);
      break;
    case attempt_end::busy:
      fleet.rest(on, report.retry_after, now);
      break;
    case attempt_end::succeeded:
    case attempt_end::stale_connection:
    case attempt_end::client_gone:
    case attempt_end::client_fault:
      break;
  }
}

// A refused connection is bounded by the wait limit alone: the worker rests longer each time.
retry_way pool::state::way_on(const batch& b, const attempt_report& report) const noexcept {
  if (closed) return retry_way::no;
  if (report.end == attempt_end::connect_failed) return retry_way::free;
  attempt_report r = report;
  r.may_retry = r.may_retry || r.nothing_sent;
  return retry_rule(r, b.record, b.retry);
}

// Nearly every attempt: nothing is left to decide.
void pool::state::succeed(batch_id id, batch& b, const attempt_report& report, instant now) {
  learn(b, now);
  fleet.succeeded(fleet.at(b.running).worker, now);
  spend_attempt(b, now);
  free_slot(b, report, now);
  leave(id, refusal::none, now);
}

verdict pool::state::conclude(batch_id id, batch& b, const attempt_report& report, instant now) {
  const worker_id on = fleet.at(b.running).worker;
  const instant began = fleet.at(b.running).started;
  judge(b, report, now);
  if (report.end == attempt_end::busy) fleet.busy(on, began, now);
  const fault whose = blame(id, b, report, on, began, now);
  if (!not_executed(report.end)) spend_attempt(b, now);
  if (is_durable(b)) {
    free_slot(b, report, now);
    return conclude_durable(id, b, report, on, whose, now);
  }
  if (whose == fault::batch) {
    free_slot(b, report, now);
    leave(id, refusal::poisoned, now);
    return failed(refusal::poisoned, now);
  }
  const retry_way way = way_on(b, report);
  free_slot(b, report, now);
  switch (way) {
    case retry_way::free:
    case retry_way::bounce:
      return move_on(id, b, report, on, now);
    case retry_way::budgeted:
      return try_later(id, b, report, on, now);
    case retry_way::no:
      break;
  }
  return end(id, report, closed ? refusal::closing : refusal::retries_exhausted, now);
}

// What it took beyond its estimate its tenant owes too, and what it did not take is given back
// (retroactive charging: Mace et al., "2DFQ", SIGCOMM 2016). Else small declarations would buy
// turns: of rough ones the tenant with a bulk sends those first that were declared too small, and
// would be charged for less than it takes while the others pay for what they never took.
void pool::state::settle_account(const batch& b, instant now) {
  const attempt& a = fleet.at(b.running);
  const double beyond = base::to_seconds(now - a.started) * a.speed - b.cost.seconds;
  queue.tenants().owe(b.account, beyond);
}

// Nothing was executed: back to its old place, as if it had waited all along.
verdict pool::state::move_on(batch_id id, batch& b, const attempt_report& report, worker_id on,
                             instant now) {
  if (b.wait_end() <= now) return end(id, report, wait_over(b, now), now);
  ++b.record.moves;
  bounces += report.end == attempt_end::busy ? 1 : 0;
  if (report.end == attempt_end::connect_failed) b.avoid.add(on);
  const bool own_slot = report.end == attempt_end::stale_connection && fleet.has_free_slot(on);
  const bool goes = own_slot && queue.tenants().may_run(b.account);
  if (goes && granting()) return granted(start(id, b, on, now));
  if (b.charged) queue.tenants().refund(b.account, b.cost.seconds);
  enqueue(id, b, batch_stage::ready, now);
  return waiting_on();
}

verdict pool::state::try_later(batch_id id, batch& b, const attempt_report& report, worker_id on,
                               instant now) {
  b.delayed_until = base::after(now, backoff(b.retry, b.record.attempts, random));
  if (b.delayed_until >= b.wait_end()) return end(id, report, wait_over(b, now), now);
  if (!budget.take(now)) return end(id, report, refusal::retry_budget, now);
  b.avoid.add(on);
  enqueue(id, b, batch_stage::delayed, now);
  return waiting_on();
}

verdict pool::state::granted(const core::grant& g) noexcept {
  verdict v;
  v.what = verdict::kind::granted;
  v.grant = g;
  return v;
}

verdict pool::state::waiting_on() noexcept {
  verdict v;
  v.what = verdict::kind::waiting;
  return v;
}

verdict pool::state::failed(refusal why, instant now) noexcept {
  verdict v;
  v.what = verdict::kind::failed;
  v.why = why;
  v.retry_after = come_back(why, now);
  return v;
}

verdict pool::state::end(batch_id id, const attempt_report& report, refusal why, instant now) {
  const bool answered = final_end(report.end) || report.has_response;
  // Worth knowing of a relayed failure too: it was the last for want of budget.
  const bool known = answered && why != refusal::retry_budget;
  leave(id, known ? refusal::none : why, now);
  return answered ? verdict{} : failed(why, now);
}

// --- estimates ----------------------------------------------------------------------------------

refusal pool::state::wait_over(const batch& b, instant now) const noexcept {
  if (b.client_deadline <= now) return refusal::deadline;
  return fleet.serving() > 0 ? refusal::wait_expired : refusal::no_worker_up;
}

// Attempts that run longer than expected say that estimates are too low, the more so the fewer
// batches these were learned from: each counts as one more batch that took as long as it has run.
pool::state::forecast pool::state::look(instant now) const noexcept {
  const outlook running_now = fleet.look(now);
  const double known = running_now.late + costs.samples();
  const double too_low = known > 0 ? std::exp(running_now.log_late / known) : 1;
  forecast f;
  f.work = costs.waiting_seconds();
  const double estimated = queue.cost() + stored_cost;
  f.value = estimated > 0 ? f.work / estimated : 1;
  f.too_low = too_low;
  f.rate = drained.per_second(fleet.speed() / too_low);
  f.soonest = running_now.soonest;
  return f;
}

const pool::state::forecast& pool::state::lately(instant now) noexcept {
  if (now < forecast_until) return last_forecast;
  forecast_until = base::after(now, forecast_age);
  return last_forecast = look(now);
}

double pool::state::forecast::drain() const noexcept {
  return work <= 0 ? 0 : std::max(drain_seconds(work, rate), soonest);
}

// A tenant at its cap gets no more of the pool's speed than its slots' share, however idle others
// are.
double pool::state::grant_seconds(std::uint32_t account, const waiting_queue::standing& at,
                                  const forecast& f) const noexcept {
  const double eta = f.grant(at.cost_ahead);
  const std::int32_t most = queue.tenants().running_max(account);
  const double speed = fleet.speed();
  if (most == fair_share::unlimited || speed <= most) return eta;
  const double own = drain_seconds(at.own_cost_ahead * f.value, f.rate * most / speed);
  return std::max(eta, f.soonest + own);
}

double pool::state::forecast::grant(double cost_ahead) const noexcept {
  return soonest + drain_seconds(cost_ahead * value, rate);
}

duration pool::state::come_back(refusal why, instant now) noexcept {
  if (why == refusal::closing) return retry_after::least;
  if (why == refusal::no_worker || fleet.serving() == 0)
    return come_back_times.next(0, no_service_seconds);
  const forecast& f = lately(now);
  return come_back_times.next(f.soonest, f.drain());
}

// Whose tenant has too many waiting comes back while those drain, however soon others are served.
duration pool::state::come_back(refusal why, batch& b, instant now) {
  if (why != refusal::tenant_full || fleet.serving() == 0) return come_back(why, now);
  take_key(b);
  const forecast& f = lately(now);
  const auto standing = queue.place_of(b.account, b.key);
  return come_back_times.next(f.soonest, grant_seconds(b.account, standing, f));
}

bool pool::state::estimates_mean_something() const noexcept {
  return granting() && fleet.serving() > 0 && costs.samples() >= samples_min;
}

double pool::state::oldest_seconds(instant now) const noexcept {
  const instant in_memory = waits_began.empty() ? base::never : waits_began.top_key();
  const instant oldest = std::min(in_memory, depot.oldest());
  return oldest == base::never ? 0 : base::to_seconds(now - oldest);
}

}  // namespace weir::core
