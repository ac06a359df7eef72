// pool, continued: copies for readers. A page, a worker list or a sentence; nothing is kept.
#include <algorithm>
#include <limits>

#include "core/pool_state.hpp"

namespace weir::core {
std::optional<queue_place> pool::place(batch_id id, instant now) const {
  const state& s = *s_;
  const batch* b = s.batches.find(id);
  if (!b || !b->waits()) return std::nullopt;
  return s.place(id.index, s.look(now), now);
}

// O(log n), so that a page of them is cheap under the lock.
queue_place pool::state::place(std::uint32_t index, const forecast& f, instant now) const noexcept {
  const batch& b = batches.at(index);
  const waiting_queue::standing at = queue.place(index);
  queue_place p;
  p.position = at.ahead;
  p.cost_ahead = at.cost_ahead * f.value;
  p.exact = at.exact;
  p.delayed = b.stage == batch_stage::delayed;
  double eta = granting() ? grant_seconds(b.account, at, f)
                          : std::numeric_limits<double>::infinity();
  if (p.delayed) eta = std::max(eta, base::to_seconds(b.delayed_until - now));
  const double left = b.wait_end() == base::never ? std::numeric_limits<double>::infinity()
                                                  : base::to_seconds(b.wait_end() - now);
  p.in_time = eta < left;
  p.eta_seconds = std::max(std::min(eta, left), 0.0);
  return p;
}

pool_view pool::view(instant now) const {
  const state& s = *s_;
  pool_view v;
  v.name = s.settings.name;
  v.waiting = s.queue.size() + s.depot.stored();
  v.running = s.running;
  v.delayed = s.delayed;
  const state::forecast f = s.look(now);
  v.waiting_cost = f.work;
  v.waiting_bytes = s.backlog_bytes();
  v.oldest_seconds = s.oldest_seconds(now);
  v.drain_seconds = f.drain();
  s.fleet.each([&](worker_id id, const worker& w) {
    ++v.workers;
    v.workers_up += w.serving;
    v.slots += w.settings.slots;
    v.slots_busy += w.running.size;
    const bool named = s.scaling && s.scaling->named(id);
    v.scaled += !w.removing && !w.settings.backup && !named;
  });
  v.tenants = s.queue.tenants_waiting();
  v.paused = s.paused, v.closed = s.closed;
  v.outage = s.fleet.ejections().outage();
  v.scaling_holds = s.scaling_holds();
  if (s.scaling) {
    v.desired = s.scaling->desired(v.scaled);
    v.asked_for = s.scaling->asked_for();
    v.never_came = static_cast<std::uint32_t>(s.scaling->never_came());
    v.startup_seconds = s.scaling->startup_seconds();
  }
  v.refused_batches = s.refused_batches, v.refused_bytes = s.refused_bytes;
  v.refused_tenants = s.refused_tenants, v.held_tenants = s.held_tenants;
  v.refused_workers = s.fleet.refused_workers();
  v.tenants_folded = s.queue.tenants().folded();
  v.retries_denied = s.budget.denied();
  v.bounces = s.bounces;
  v.rests_cut = s.fleet.rests_cut();
  v.stored = s.depot.stored(), v.stored_bytes = s.depot.stored_bytes();
  v.stored_cost = s.stored_cost * f.value;
  v.durable_batches = s.depot.open_batches(), v.durable_bytes = s.depot.open_bytes();
  v.refused_durable = s.depot.refused();
  v.poisoned = s.poisoned;
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
  const state::forecast f = s.look(now);
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
    item.place = s.place(id, f, now);
    page.items.push_back(std::move(item));
  }
  return page;
}

}  // namespace weir::core
