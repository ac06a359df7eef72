#include "sim/weir_policy.hpp"

namespace weir::sim {
namespace {

core::attempt_end end_of(ending how) noexcept {
  switch (how) {
    case ending::good:
      return core::attempt_end::succeeded;
    case ending::failed:
      return core::attempt_end::failed;
    case ending::refused:
      break;
  }
  return core::attempt_end::connect_failed;
}

}  // namespace

weir_settings unlimited_weir() {
  weir_settings s;
  s.pool.name = "simulated";
  s.pool.queue.batches_max = 1ull << 40;
  s.pool.queue.bytes_max = 1ull << 60;
  s.pool.queue.wait_max = base::forever;
  return s;
}

weir_policy::weir_policy(const weir_settings& settings, const workload& load, std::uint64_t seed)
    : load_(load),
      settings_(settings),
      pool_(settings.pool, seed, world_begin),
      batches_(load.arrivals.size()) {
  for (const std::string& r : load.routes) routes_.push_back(pool_.route(r));
}

void weir_policy::joined(std::uint32_t worker, const fleet_worker& facts, instant now) {
  core::worker_settings s;
  s.name = facts.name;
  s.slots = facts.slots;
  s.weight = facts.weight;
  s.backup = facts.backup;
  const core::worker_id id = pool_.add_worker(s, now, core::seat::reserved);
  if (workers_.size() <= worker) workers_.resize(worker + 1);
  workers_[worker] = id;
  if (number_of_.size() <= id.index) number_of_.resize(id.index + 1);
  number_of_[id.index] = worker;
  take_effects();
}

void weir_policy::arrived(std::uint32_t batch, const arrival& a, instant now) {
  core::batch_facts f;
  f.owner = batch;
  f.route = routes_[a.route];
  f.tenant = load_.tenants[a.tenant];
  f.tenant_hash = f.tenant.empty() ? 0 : a.tenant + 1;
  f.units = a.units;
  f.group = a.group;
  f.wait_max = settings_.wait_max;
  f.retry = settings_.retry;
  const core::admission got = pool_.admit(f, now);
  if (got.what == core::admission::kind::granted) start(got.grant);
  if (got.what == core::admission::kind::refused) out.lost.push_back(batch);
  take_effects();
}

void weir_policy::start(const core::grant& g) {
  const auto batch = static_cast<std::uint32_t>(g.owner);
  batches_[batch] = g.batch;
  out.starts.push_back({batch, number_of_[g.worker.index], g.attempt > 1});
}

void weir_policy::ended(std::uint32_t batch, std::uint32_t, ending how, instant now) {
  core::attempt_report r;
  r.end = end_of(how);
  r.may_retry = true;
  r.nothing_sent = how == ending::refused;
  const core::verdict v = pool_.finish(batches_[batch], r, now);
  if (v.what == core::verdict::kind::granted) start(v.grant);
  if (v.what == core::verdict::kind::failed) out.lost.push_back(batch);
  take_effects();
}

void weir_policy::probed(std::uint32_t worker, bool good, instant now) {
  pool_.probed(workers_[worker], good, good ? "" : "down", now);
  take_effects();
}

void weir_policy::expire(instant now) {
  pool_.expire(now);
  take_effects();
}

void weir_policy::take_effects() {
  core::effects& e = pool_.pending();
  for (const core::grant& g : e.grants) start(g);
  for (const core::eviction& gone : e.evictions)
    out.lost.push_back(static_cast<std::uint32_t>(gone.owner));
  for (const core::probe_order& p : e.probes) out.probes.push_back(number_of_[p.worker.index]);
  for (const core::event& happened : e.events)
    ejections_ += happened.what == core::event::kind::worker_state_changed &&
                  happened.to == core::worker_state::ejected;
  e.clear();
}

}  // namespace weir::sim
