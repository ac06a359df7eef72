// What the admin API asks of a pool: its workers, their leases, its scale decision, its gauges.
#include <algorithm>

#include "admin/guard.hpp"
#include "app/crew.hpp"

namespace weir::app {
namespace {

using admin::failure;

failure no_worker(std::string_view pool, std::string_view worker) {
  return {failure::kind::not_found,
          "pool '" + std::string(pool) + "' has no worker '" + std::string(worker) + "'", {}};
}

failure no_lease(std::string_view worker) {
  return {failure::kind::forbidden,
          "worker '" + std::string(worker) + "' has no lease with this secret; register again", {}};
}

// A worker on its way out whose name a new one has taken: one series a name.
bool replaced(const core::worker_view& w, const std::vector<core::worker_view>& all) {
  const auto heir = [&](const core::worker_view& o) { return !o.removing && o.name == w.name; };
  return w.removing && std::ranges::any_of(all, heir);
}

failure url_taken(std::string_view url, std::string_view pool, std::string_view worker) {
  return {failure::kind::conflict,
          "worker '" + std::string(worker) + "' of pool '" + std::string(pool) + "' has the url " +
              std::string(url) + " already: one url is one worker, or its slots would be filled "
              "twice. Use its id, or wait until it has left or its lease has ended",
          {}};
}

failure id_taken(std::string_view pool, std::string_view worker, std::string_view url) {
  return {failure::kind::conflict,
          "worker '" + std::string(worker) + "' of pool '" + std::string(pool) + "' is at " +
              std::string(url) + " and its lease is alive: to move it, send that lease's secret as "
              "`secret`. Use another id, or wait until the lease has ended",
          {}};
}

core::worker_settings settings_of(const admin::register_request& r) {
  core::worker_settings w;
  w.name = r.id;
  w.slots = r.slots;
  w.weight = r.weight;
  w.managed = true;   // scale-in may remove what came by itself
  return w;
}

}  // namespace

core::pool_view crew::view() const {
  return with([](core::pool& p, instant now) { return p.view(now); });
}

std::vector<admin::worker_status> crew::workers() const {
  const instant now = net::loop::read_clock();
  std::vector<admin::worker_status> all;
  for (core::worker_view& v : with([](core::pool& p, instant t) { return p.workers(t); })) {
    admin::worker_status s;
    s.view = std::move(v);
    if (const auto m = members_.find(s.view.id); m != members_.end()) {
      s.url = config::to_string(m->second.settings.url);
      s.registered = m->second.registered;
      if (m->second.lease)
        s.lease_seconds = base::to_seconds(m->second.lease->next_deadline() - now);
    }
    all.push_back(std::move(s));
  }
  return all;
}

admin::answer<admin::lease> crew::enroll(const admin::register_request& r,
                                         std::function<bool(std::string_view)> address_allowed,
                                         base::duration ttl_max) {
  if (retiring_)
    return failure{failure::kind::not_found, "pool '" + name() + "' was removed", {}};
  const auto known = find(r.id);
  if (known != members_.end() && !known->second.registered)
    return failure{failure::kind::conflict,
                   "worker '" + r.id + "' stands in the configuration; choose another id", {}};
  for (const auto& [id, m] : members_)
    if (!m.leaving && m.settings.url == r.url && m.settings.settings.name != r.id)
      return url_taken(config::to_string(r.url), name(), m.settings.settings.name);
  // A worker that comes back before its old lease ran out (it crashed) takes its own place. The
  // token is every worker's: it alone does not send one's batches to another.
  if (known != members_.end() && known->second.settings.url != r.url &&
      !admin::equal_secret(r.secret, known->second.secret))
    return id_taken(name(), r.id, config::to_string(known->second.settings.url));
  const bool returns = known != members_.end();
  if (returns) leave(known, "it registered anew");
  const core::worker_id id = add({settings_of(r), r.url},
                                 returns ? core::seat::reserved : core::seat::limited,
                                 std::move(address_allowed));
  if (!id)
    return failure{failure::kind::unavailable,
                   "pool '" + name() + "' has as many workers as it may have", {}};
  member& m = members_[id];
  m.registered = true;
  m.secret = admin::new_secret();
  m.lease.emplace(r.ttl, ttl_max, net::loop::read_clock());
  return admin::lease{m.secret, m.lease->ttl()};
}

admin::answer<admin::lease> crew::renew(std::string_view worker, std::string_view secret) {
  const auto m = find(worker);
  if (m == members_.end()) return no_worker(name(), worker);
  const bool held = m->second.lease && admin::equal_secret(secret, m->second.secret);
  if (!held || !m->second.lease->renew(net::loop::read_clock())) return no_lease(worker);
  return admin::lease{m->second.secret, m->second.lease->ttl()};
}

admin::answer<void> crew::end_lease(std::string_view worker, std::string_view secret) {
  const auto m = find(worker);
  if (m == members_.end()) return no_worker(name(), worker);
  if (!m->second.lease || !admin::equal_secret(secret, m->second.secret)) return no_lease(worker);
  leave(m, "it said goodbye");
  return {};
}

admin::answer<void> crew::drain(std::string_view worker, std::string_view why) {
  const auto m = find(worker);
  if (m == members_.end()) return no_worker(name(), worker);
  with([&](core::pool& p, instant now) { p.drain(m->first, why, now); });
  return {};
}

admin::answer<void> crew::undrain(std::string_view worker) {
  const auto m = find(worker);
  if (m == members_.end()) return no_worker(name(), worker);
  if (with([&](core::pool& p, instant now) { return p.undrain(m->first, now); })) return {};
  return failure{failure::kind::conflict,
                 "worker '" + std::string(worker) +
                     "' was named to the autoscaler for removal already, or is being removed",
                 {}};
}

admin::answer<void> crew::remove(std::string_view worker) {
  const auto m = find(worker);
  if (m == members_.end()) return no_worker(name(), worker);
  leave(m, "removed through the admin API");
  return {};
}

admin::scale_view crew::scale() const {
  const core::pool_view v = view();
  admin::scale_view s;
  s.pool = name();
  s.current = v.scaled;
  s.ready = v.workers_up;
  s.desired = v.desired.value_or(v.scaled);
  s.asked_for = v.asked_for;
  s.never_came = v.never_came;
  if (const auto& a = settings_.settings.autoscale) {
    s.enabled = true;
    s.min = a->min;
    s.max = a->max;
  }
  s.backlog_batches = v.waiting;
  s.backlog_bytes = v.waiting_bytes;
  s.backlog_cost = v.waiting_cost;
  s.oldest_seconds = v.oldest_seconds;
  s.drain_seconds = v.drain_seconds;
  s.hooks = hooks_.view(net::loop::read_clock());
  if (!last_decision_) return s;
  s.direction = last_decision_->way == core::scale_decision::direction::out ? "out" : "in";
  s.reason = last_decision_->reason;
  s.episode = last_decision_->episode;
  s.sequence = last_decision_->sequence;
  return s;
}

void crew::collect(telemetry::sink& out) const {
  using namespace telemetry::names;
  const core::pool_view v = view();
  const telemetry::labels pool{{"pool", name()}};
  out.gauge(queue_batches, pool, static_cast<double>(v.waiting));
  out.gauge(queue_cost, pool, v.waiting_cost);
  out.gauge(queue_oldest, pool, v.oldest_seconds);
  out.gauge(queue_drain, pool, v.drain_seconds);
  if (settings_.settings.autoscale)
    out.gauge(autoscale_desired, pool, v.desired.value_or(v.workers));
  const auto hits = [&](const char* limit, std::uint64_t n) {
    out.counter(limit_hits, {{"limit", "pools." + name() + "." + limit}}, static_cast<double>(n));
  };
  hits("queue.max_batches", v.refused_batches);
  hits("queue.max_bytes", v.refused_bytes);
  hits("queue.durable", v.refused_durable);
  hits("workers_max", v.refused_workers);
  hits("queue.max_tenants", v.tenants_folded);
  hits("queue.tenants.max_batches", v.refused_tenants);
  hits("queue.tenants.max_running", v.held_tenants);
  hits("retry_budget", v.retries_denied);
  hits("busy_rest_max", v.rests_cut);
  hits("autoscale.never_came", v.never_came);
  using state = core::worker_state;
  const auto all = with([](core::pool& p, instant t) { return p.workers(t); });
  for (const core::worker_view& w : all) {
    if (replaced(w, all)) continue;
    telemetry::labels worker{{"pool", name()}, {"worker", w.name}};
    out.gauge(worker_slots, worker, w.slots);
    out.gauge(worker_slots_open, worker, w.slots_open);
    out.gauge(worker_reported_load, worker, w.reported_load);
    out.gauge(worker_in_flight, worker, w.in_flight);
    out.gauge(worker_outstanding_cost, worker, w.outstanding_cost);
    out.gauge(worker_rate, worker, w.rate);
    worker.emplace_back("state", "");
    for (const state s : {state::checking, state::up, state::saturated, state::ejected, state::down,
                          state::draining, state::removed}) {
      worker.back().second = core::name(s);
      out.gauge(worker_state, worker, w.state == s ? 1 : 0);
    }
  }
}

}  // namespace weir::app
