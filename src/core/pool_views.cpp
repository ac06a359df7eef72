// pool, continued: copies for readers. A page, a worker list or a sentence; nothing is kept.
#include <algorithm>

#include "core/pool_state.hpp"

namespace weir::core {
std::optional<queue_place> pool::place(batch_id id, instant now) const {
  const state& s = *s_;
  const batch* b = s.batches.find(id);
  if (!b || !b->waits()) return std::nullopt;
  const waiting_queue::standing at = s.queue.place(id.index);
  queue_place p;
  const pool::state::forecast f = s.look(now);
  p.position = at.ahead;
  p.cost_ahead = at.cost_ahead * f.value;
  p.exact = at.exact;
  p.delayed = b->stage == batch_stage::delayed;
  // It will not wait longer than it may.
  const instant end = b->wait_end();
  p.eta_seconds = f.grant(at.cost_ahead);
  if (end != base::never) p.eta_seconds = std::min(p.eta_seconds, base::to_seconds(end - now));
  p.eta_seconds = std::max(p.eta_seconds, 0.0);
  return p;
}

pool_view pool::view(instant now) const {
  const state& s = *s_;
  pool_view v;
  v.name = s.settings.name;
  v.waiting = s.queue.size();
  v.running = s.running;
  v.delayed = s.delayed;
  const state::forecast f = s.look(now);
  v.waiting_cost = f.work;
  v.waiting_bytes = s.waiting_bytes;
  v.oldest_seconds = s.oldest_seconds(now);
  v.drain_seconds = f.drain();
  std::uint32_t scaled = 0;  // workers that scaling counts
  s.fleet.each([&](worker_id, const worker& w) {
    ++v.workers;
    v.workers_up += w.serving;
    v.slots += w.settings.slots;
    v.slots_busy += w.running.size;
    scaled += !w.removing && !w.settings.backup;
  });
  v.tenants = s.queue.tenants_waiting();
  v.paused = s.paused, v.closed = s.closed;
  v.outage = s.fleet.ejections().outage();
  v.scaling_holds = s.scaling_holds();
  if (s.scaling) {
    v.desired = s.scaling->desired(scaled);
    v.asked_for = s.scaling->asked_for();
    v.never_came = static_cast<std::uint32_t>(s.scaling->never_came());
    v.startup_seconds = s.scaling->startup_seconds();
  }
  v.refused_batches = s.refused_batches, v.refused_bytes = s.refused_bytes;
  v.refused_workers = s.fleet.refused_workers();
  v.tenants_folded = s.queue.tenants().folded();
  v.retries_denied = s.budget.denied();
  v.bounces = s.bounces;
  v.rests_cut = s.fleet.rests_cut();
  return v;
}

std::vector<worker_view> pool::workers(instant now) const {
  std::vector<worker_view> all;
  all.reserve(s_->fleet.size());
  s_->fleet.each([&](worker_id id, const worker&) { all.push_back(s_->fleet.view(id, now)); });
  return all;
}

queue_page pool::queue(std::size_t offset, std::size_t limit, instant now) const {
  const state& s = *s_;
  std::vector<std::uint32_t> ids;
  s.queue.page(offset, limit, ids);
  queue_page page;
  page.total = s.queue.size();
  for (const std::uint32_t id : ids) {
    const batch& b = s.batches.at(id);
    queue_item item;
    item.label = b.label.view();
    item.tenant = s.queue.tenants().name(b.account);
    item.route = s.costs.route_name(b.route);
    item.attempt = b.attempt;
    item.waited_seconds = base::to_seconds(now - b.since_waiting);
    item.cost = b.cost.seconds;
    item.urgency = b.urgency;
    page.items.push_back(std::move(item));
  }
  return page;
}

}  // namespace weir::core
