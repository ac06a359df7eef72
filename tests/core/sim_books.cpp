// sim_world, continued: its own books of what the pool says, and the invariants that it checks.
#include <algorithm>
#include <cmath>

#include "core/sim_world.hpp"

namespace weir::core::test {
namespace {

void forget_before(std::vector<instant>& times, instant t) {
  times.erase(times.begin(), std::lower_bound(times.begin(), times.end(), t));
}

}  // namespace

// --- effects ------------------------------------------------------------------------------------

void sim_world::take_effects() {
  // What is done about a decision has effects of its own.
  while (!pool_.pending().empty()) take_one_round();
}

void sim_world::take_one_round() {
  effects e;
  std::swap(e, pool_.pending());
  for (const event& x : e.events) on_event(x);
  for (const grant& g : e.grants) on_grant(g);
  for (const eviction& x : e.evictions) on_eviction(x);
  for (const probe_order& p : e.probes)
    if (!chance(0.02)) schedule(now_ + exponential(0.05), what::probe_answer, p.worker.packed());
  for (const scale_decision& d : e.decisions) on_decision(d);
  for (const load_order& o : e.loads) ask_store({.what = store_call::kind::load, .order = o});
}

void sim_world::on_grant(const grant& g) {
  const auto at = batches_.find(g.owner);
  expect(at != batches_.end() && at->second.id == g.batch, "a grant is for a batch that waits",
         g.owner);
  if (at == batches_.end()) return;
  client_batch& b = at->second;
  expect(b.is == life::waiting, "a batch has one grant at a time", g.owner);
  expect(g.attempt == b.attempt + 1, "Weir-Attempt rises by one", g.owner);
  expect(!paused_ && !closed_, "a paused or closed pool grants nothing");
  ++counts_.grants;
  expect(!at_cap(b), "a tenant runs no more than its cap", g.owner);
  b.is = life::granted;
  b.attempt = g.attempt;
  b.on = g.worker;
  fake_worker& w = workers_[g.worker];
  ++w.running;
  counts_.backups_used += w.settings.backup;
  fresh_grants_.push_back(g);
  schedule(now_ + base::from_seconds(seconds_on(b, w)), what::attempt_ends, g.owner, g.attempt);
}

double sim_world::seconds_on(const client_batch& b, const fake_worker& w) {
  if (!w.healthy) return 0.001;
  return b.work / w.speed * (0.5 + random_.unit());
}

void sim_world::on_eviction(const eviction& e) {
  const auto at = batches_.find(e.owner);
  expect(at != batches_.end() && at->second.is == life::waiting, "only what waits is evicted",
         e.owner);
  if (at == batches_.end()) return;
  const client_batch& b = at->second;
  ++counts_.evicted;
  expect(e.retry_after >= 1s, "an eviction has a Retry-After");
  if (e.why == refusal::closing) {
    expect(closed_, "closing is for a closed pool");
  } else if (e.why == refusal::deadline) {
    expect(now_ >= b.deadline, "a deadline evicts when it has passed", e.owner);
  } else {
    expect(!b.durable, "a durable batch waits as long as it takes", e.owner);
    expect(now_ >= b.arrived + b.limit, "nothing is evicted before its wait limit", e.owner);
  }
  end(e.owner);
}

void sim_world::on_decision(const scale_decision& d) {
  ++counts_.decisions;
  expect(d.desired >= settings_.autoscale->min || !settings_.autoscale, "desired is at least min");
  if (!d.remove.empty() && pool_.removal_sent(d.remove, now_))
    for (const std::string& name : d.remove)
      if (const auto id = pool_.find_worker(name)) {
        expect(workers_[*id].settings.managed, "scale-in names managed workers only");
        expect(workers_[*id].running == 0, "scale-in names empty workers only");
        remove(*id);
      }
  for (std::uint32_t i = d.current; i < d.desired && !d.resent; ++i)
    if (chance(0.9)) schedule(now_ + exponential(5), what::worker_starts);
}

void sim_world::on_event(const event& e) {
  counts_.outages += e.what == event::kind::outage_began;
  if (e.what == event::kind::worker_removed) {
    const fake_worker& w = workers_[e.worker];
    expect(w.leaving && w.running + w.abandoned == 0, "a worker goes when its last attempt ended");
    workers_.erase(e.worker);
  }
  if (e.what != event::kind::worker_state_changed) return;
  expect(e.from != e.to, "a state event tells of a change");
  expect(e.to != worker_state::saturated, "busy is no event");
  counts_.ejections += e.to == worker_state::ejected;
  counts_.downs += e.to == worker_state::down;
}

void sim_world::end(std::uint64_t owner) {
  expect(!pool_.place(batches_[owner].id, now_), "what has ended has no place");
  batches_.erase(owner);
}

void sim_counts::add(const sim_counts& o) {
  static_assert(sizeof(sim_counts) % sizeof(std::uint64_t) == 0);
  auto* mine = reinterpret_cast<std::uint64_t*>(this);
  const auto* theirs = reinterpret_cast<const std::uint64_t*>(&o);
  for (std::size_t i = 0; i < sizeof(sim_counts) / sizeof(std::uint64_t); ++i) mine[i] += theirs[i];
}

// --- invariants ---------------------------------------------------------------------------------

void sim_world::expect(bool holds, const char* invariant, std::uint64_t about) {
  if (holds || !broken_.empty()) return;
  broken_ = std::string(invariant) + " (at " +
            std::to_string(base::to_seconds(now_.time_since_epoch()) - 3600) + " s";
  if (about != 0) broken_ += ", batch " + std::to_string(about);
  broken_ += ")";
}

void sim_world::check() {
  if (!broken_.empty()) return;
  std::size_t waiting = 0;
  for (const auto& [owner, b] : batches_) waiting += b.is == life::waiting;
  expect(pool_.waiting() == waiting, "the pool knows exactly what waits");
  std::size_t running = 0;
  for (const auto& [owner, b] : batches_) running += b.is == life::granted;
  expect(pool_.running() == running, "the pool knows exactly what runs");
  check_durable();
  const std::vector<worker_view> views = pool_.workers(now_);
  check_workers(views);
  check_grants(views);
  check_no_idle_slot(views);
  check_retry_budget();
  fresh_grants_.clear();
}

void sim_world::check_workers(const std::vector<worker_view>& views) {
  expect(views.size() == workers_.size(), "every worker is known until it is gone");
  for (const worker_view& v : views) {
    const fake_worker& w = workers_[v.id];
    expect(v.in_flight == w.running + w.abandoned, "in_flight is what runs and what was abandoned");
    expect(v.slots_open <= v.slots && v.slots_open >= 1, "open slots are a share of the slots");
    expect(v.rate > 0 && std::isfinite(v.rate), "rates are positive and finite");
  }
}

void sim_world::check_grants(const std::vector<worker_view>& views) {
  const bool primary_serves = std::ranges::any_of(views, [](const worker_view& v) {
    return !v.backup && (v.state == worker_state::up || v.state == worker_state::saturated);
  });
  for (const grant& g : fresh_grants_)
    for (const worker_view& v : views) {
      if (v.id != g.worker) continue;
      const bool serves = v.state == worker_state::up || v.state == worker_state::saturated;
      expect(serves && !v.resting, "granted only to workers that serve", g.owner);
      expect(v.in_flight <= v.slots_open, "slots are never exceeded", g.owner);
      expect(!v.backup || !primary_serves, "backups only when no other worker is left", g.owner);
      const auto at = batches_.find(g.owner);
      expect(at == batches_.end() || !failed_it(at->second, v) || !has_other(at->second, v, views),
             "a retry goes elsewhere while another worker serves", g.owner);
    }
}

void sim_world::check_no_idle_slot(const std::vector<worker_view>& views) {
  const bool free = std::ranges::any_of(views, [](const worker_view& v) {
    return v.state == worker_state::up && !v.resting && v.in_flight < v.slots_open;
  });
  if (paused_ || closed_ || !free) return;
  for (const auto& [owner, b] : batches_) {
    if (b.is != life::waiting) continue;
    ++counts_.kept_waiting;
    const auto place = pool_.place(b.id, now_);
    expect(place.has_value(), "what waits has a place", owner);
    if (!place || place->delayed) continue;
    if (at_cap(b)) {
      ++counts_.capped;
      continue;
    }
    for (const worker_view& v : views)
      expect(!may_use(b, v, views), "no eligible slot idles while an eligible batch waits", owner);
  }
}

// Durable ones have numbers, which no tenant of the settings is named by.
tenant_settings sim_world::tenant_of(const client_batch& b) const {
  if (b.tenant.empty()) return {};
  const auto& named = settings_.queue.tenants;
  const auto at = std::ranges::find(named, b.tenant, &tenant_settings::name);
  return at == named.end() ? settings_.queue.tenant_defaults : *at;
}

std::uint64_t sim_world::of_its_tenant(const client_batch& b, life is) const {
  return static_cast<std::uint64_t>(std::ranges::count_if(batches_, [&](const auto& other) {
    const client_batch& o = other.second;
    return o.is == is && o.tenant == b.tenant && o.durable == b.durable;
  }));
}

bool sim_world::at_cap(const client_batch& b) const {
  const std::uint32_t most = tenant_of(b).running_max;
  return most != 0 && of_its_tenant(b, life::granted) >= most;
}

bool sim_world::may_use(const client_batch& b, const worker_view& w,
                        const std::vector<worker_view>& all) const {
  if (w.state != worker_state::up || w.resting || w.in_flight >= w.slots_open) return false;
  const auto serves = [](const worker_view& v) {
    return v.state == worker_state::up || v.state == worker_state::saturated;
  };
  const bool primaries =
      std::ranges::any_of(all, [&](const worker_view& v) { return !v.backup && serves(v); });
  if (w.backup && primaries) return false;
  return !failed_it(b, w) || !has_other(b, w, all);
}

bool sim_world::failed_it(const client_batch& b, const worker_view& w) const {
  return std::ranges::count(b.failed_on, w.id) > 0;
}

// A worker of the same tier that serves and has not failed the batch.
bool sim_world::has_other(const client_batch& b, const worker_view& w,
                          const std::vector<worker_view>& all) const {
  return std::ranges::any_of(all, [&](const worker_view& v) {
    const bool serves = v.state == worker_state::up || v.state == worker_state::saturated;
    return serves && v.backup == w.backup && !failed_it(b, v);
  });
}

// As retry.hpp states it: 10 s of retries against 11 s of admissions.
void sim_world::check_retry_budget() {
  forget_before(retried_at_, now_ - 10s);
  forget_before(admitted_at_, now_ - 11s);
  const double allowed = std::max<double>(settings_.retry_budget.min,
                                          settings_.retry_budget.ratio * admitted_at_.size());
  if (!retried_at_.empty() && retried_at_.back() == now_)
    expect(static_cast<double>(retried_at_.size()) <= allowed + 1e-9, "retries within the budget");
}

}  // namespace weir::core::test
