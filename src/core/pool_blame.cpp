// pool, continued: whose fault a failed attempt is, the worker's, an outage's or the batch's own.
#include <algorithm>
#include <utility>

#include "core/pool_state.hpp"

namespace weir::core {
namespace {

// After an outage those that waited for its end come back within this.
constexpr double spread_seconds = 5;

bool is_fault(attempt_end end) noexcept {
  return end == attempt_end::failed || end == attempt_end::response_timeout;
}

}  // namespace

batch_extra& pool::state::extra_of(batch_id id, batch& b) {
  if (b.extra == batch_extra::none) {
    b.extra = extras.insert().index;
    extras.at(b.extra).batch = id;
  }
  return extras.at(b.extra);
}

void pool::state::drop_extra(const batch& b) noexcept {
  const batch_extra& e = extras.at(b.extra);
  if (e.durable()) {
    depot.release(e.stored_bytes);
    depot.leave(e.lane);
  }
  extras.erase(extras.id_at(b.extra));
}

// Called after judge(), while the attempt is still open. A failure that seems to complete an outage
// may be one more of a batch that is found out by it: that is asked first.
pool::state::fault pool::state::blame(batch_id id, batch& b, const attempt_report& report,
                                      worker_id on, instant began, instant now) {
  const bool refused = report.end == attempt_end::connect_failed;
  if (!is_fault(report.end) && !refused) return fault::none;
  failures.failed(id, on, now);
  const bool outage = fleet.ejections().outage();
  const bool known = std::exchange(outage_seen, outage) && outage;
  if (refused) {
    if (outage && !known) forgive_outage();
    return fault::none;
  }
  batch_extra& e = extra_of(id, b);
  const auto proven = [this](worker_id w) { return fleet.proven(w); };
  failure_record charged = e.failures;
  charged.add(on, began, now, proven);
  if (!known && !closed && charged.condemned(proven)) {
    condemn(charged, now);
    return fault::batch;
  }
  if (outage && !known) forgive_outage();
  if (outage) return others_fail(e) ? fault::outage : fault::worker;
  e.failures = charged;
  return fault::worker;
}

// A batch that fails all alone is no outage's victim: without this one that breaks the pool's only
// worker every time would be tried for ever.
bool pool::state::others_fail(const batch_extra& e) const noexcept {
  return failures.others_fail(e.batch, e.entered, [this](worker_id w) { return fleet.proven(w); });
}

// What failed on the way into an outage, before it was recognised, was its doing too.
void pool::state::forgive_outage() {
  const auto proven = [this](worker_id w) { return fleet.proven(w); };
  for (std::uint32_t i = 0; i < extras.extent(); ++i) {
    if (!extras.taken(i)) continue;
    batch_extra& e = extras.at(i);
    if (e.durable() && !others_fail(e)) continue;
    const std::uint32_t forgiven = e.failures.forgive(proven);
    if (!e.durable() || forgiven == 0) continue;
    std::uint32_t& tries = batches.at(e.batch.index).record.attempts;
    tries -= std::min(tries, forgiven);
    e.outlasts = true;
  }
}

// What all workers need is back: those that backed off from it need not sit out the rest.
void pool::state::end_outage(instant now) {
  outage_seen = false;
  for (std::uint32_t i = 0; i < extras.extent(); ++i) {
    if (!extras.taken(i) || !extras.at(i).outlasts) continue;
    batch_extra& e = extras.at(i);
    batch& b = batches.at(e.batch.index);
    e.outlasts = false;
    e.backoffs = b.record.attempts;
    if (b.stage != batch_stage::delayed) continue;
    const instant soon = base::after(now, base::from_seconds(random.unit() * spread_seconds));
    b.delayed_until = std::min(b.delayed_until, soon);
    wait_ends.set(e.batch.index, std::min(b.delayed_until, b.wait_end()));
  }
}

void pool::state::condemn(const failure_record& charged, instant now) {
  ++poisoned;
  outage_seen = false;   // if one holds all the same, the next failure is its first
  for (const charge& c : charged.all()) fleet.refund(c.worker, c.count, c.failed, now);
}

}  // namespace weir::core
