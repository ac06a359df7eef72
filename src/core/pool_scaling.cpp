// pool, continued: the facts of an autoscaling tick and what is done about its answer.
#include <algorithm>
#include <string>
#include <utility>

#include "core/pool_state.hpp"

namespace weir::core {
namespace {

// "8 to 7 workers: why; may be stopped: w3". Those named are there until somebody stops them.
std::string decision_text(const scale_decision& d) {
  const std::size_t there = d.current + d.remove.size();
  std::string text = there == d.desired ? "stays at " : std::to_string(there) + " to ";
  text += std::to_string(d.desired) + (d.desired == 1 ? " worker: " : " workers: ") + d.reason;
  for (const std::string& w : d.remove)
    text += (&w == &d.remove.front() ? "; may be stopped: " : ", ") + w;
  return text;
}

}  // namespace

void pool::state::configure_scaling(instant now) {
  if (settings.autoscale) capped = capped_seconds(*settings.autoscale);
  recount_demand();
  if (!settings.autoscale) {
    if (scaling) give_back_drains(now);
    scaling.reset();
    return;
  }
  if (scaling) {
    scaling->configure(*settings.autoscale, now);
  } else {
    scaling.emplace(*settings.autoscale, now);
    scaling->number_above(told_episode, told_sequence);
  }
}

// Without autoscaling nobody would take them back.
void pool::state::give_back_drains(instant now) {
  std::vector<worker_id> drained_ones;
  fleet.each([&](worker_id id, const worker& w) {
    if (w.drained_by_scaling && scaling->undrain(id)) drained_ones.push_back(id);
  });
  for (worker_id id : drained_ones) fleet.undrain(id, drain_order::by_scaling, now);
}

// Only when T or the tenants' caps may have changed: each estimate is fixed, so the sums are kept
// as batches come and go.
void pool::state::recount_demand() {
  demand_cost = demand_share = 0;
  capped_demand.clear();
  for (std::uint32_t i = 0; i < batches.extent(); ++i) {
    if (!batches.taken(i)) continue;
    const batch& b = batches.at(i);
    if (b.waits() && b.stage != batch_stage::delayed) count_demand(b, 1);
  }
  recount_stored();
}

void pool::state::scale(instant now) {
  scale_facts facts;
  gather(facts, now);
  carry_out(scaling->step(facts, now), now);
}

void pool::state::gather(scale_facts& facts, instant now) {
  scale_workers.clear();
  fleet.each([&](worker_id id, const worker& w) {
    if (w.settings.backup) return;
    scale_worker s;
    s.id = id;
    s.name = w.settings.name;
    using enum scale_worker::standing;
    s.stands = w.removing ? leaving : w.draining() ? drained : serving;
    s.managed = w.settings.managed;
    s.ready = w.serving;
    s.empty = w.running.size == 0;
    s.slots = w.slots_lasting;
    s.finish_seconds = fleet.finish_seconds(w, now);
    facts.busy_slots += w.running.size;
    scale_workers.push_back(s);
  });
  facts.running = running;
  revalue_lanes();
  facts.waiting = queue.size() - delayed + depot.stored();
  facts.waiting_cost = demand_cost + stored_cost;
  facts.waiting_share = demand_share + stored_share;
  facts.waiting_bytes = backlog_bytes();
  facts.oldest_seconds = oldest_seconds(now);
  const forecast seen = look(now);
  facts.drain_seconds = seen.drain();
  facts.times_low = std::max(1.0, seen.value * seen.too_low);
  leave_out_capped(facts);
  facts.paused = paused || winding_down || closed;
  facts.outage = fleet.ejections().impaired();
  facts.workers = scale_workers;
}

// More workers would not help what waits for its own tenant's cap: of such a tenant no more counts
// than it may still run.
void pool::state::leave_out_capped(scale_facts& facts) const noexcept {
  for (std::uint32_t account = 0; account < capped_demand.size(); ++account) {
    const demand& d = capped_demand[account];
    const double may_run = queue.tenants().slots_left(account);
    const double share = d.share * facts.times_low;
    if (d.batches == 0 || share <= may_run) continue;
    const double left_out = 1 - may_run / share;
    facts.waiting_share -= left_out * d.share;
    facts.waiting_cost = std::max(0.0, facts.waiting_cost - left_out * d.cost);
    facts.waiting -= static_cast<std::uint64_t>(left_out * static_cast<double>(d.batches));
  }
  facts.waiting_share = std::max(0.0, facts.waiting_share);
}

// What makes gather() say `paused` or `outage`, in words.
std::string pool::state::scaling_holds() const {
  const ejection& e = fleet.ejections();
  if (!scaling) return {};
  if (winding_down || closed) return "weir is shutting down";
  if (paused) return "the pool is paused";
  if (!e.impaired()) return {};
  const std::string share = std::to_string(e.troubled()) + " of " + std::to_string(e.size());
  return e.outage() ? "shared outage, " + share + " workers fail or are down"
                    : share + " workers are down or fail: more of them would not help";
}

void pool::state::carry_out(const scale_step& step, instant now) {
  for (const worker_id id : step.undrain) fleet.undrain(id, drain_order::by_scaling, now);
  for (const worker_id id : step.drain) fleet.drain(id, drain_order::by_scaling, "scale-in", now);
  if (step.decision) {
    const scale_decision& d = *step.decision;
    if (!d.resent) tell(event::kind::scale_decided, decision_text(d), now);
    out.decisions.push_back(d);
    told_episode = d.episode;
    told_sequence = d.sequence;
  }
  if (step.never_came > 0)
    tell(event::kind::worker_never_came,
         std::to_string(step.never_came) + " workers asked for have not come", now);
  settle(now);
}

void pool::state::tell(event::kind what, std::string reason, instant now) {
  event e;
  e.what = what;
  e.reason = std::move(reason);
  e.when = now;
  out.events.push_back(std::move(e));
}

}  // namespace weir::core
