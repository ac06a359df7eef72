// backroom, continued: which pool has the batches of which route, as reloads change it.
#include <algorithm>
#include <utility>

#include "proxy/backroom.hpp"
#include "proxy/tenants.hpp"
#include "telemetry/log.hpp"

namespace weir::proxy {
namespace {

instant now() noexcept { return net::loop::read_clock(); }

}  // namespace

void backroom::publish(plan_ptr p) {
  std::vector<departure> gone;
  {
    const std::lock_guard held(lock_);
    plan_ = std::move(p);
    ++restoring_;
    gone = depart();
  }
  for (const departure& d : gone) {
    for (const core::batch_id place : d.waiting) d.gate->cancel(place, now());
    d.gate->with(now(), [&](core::pool& of, instant t) {
      for (const std::uint32_t number : d.lanes) of.forget_lane(number, t);
    });
  }
  engine_.lanes([this](store::outcome<std::vector<store::lane_state>> lanes) {
    std::unordered_map<std::uint32_t, in_memory> here;
    {
      const std::lock_guard held(lock_);
      here = this->held();
    }
    const store::lane_state* lost = nullptr;
    std::uint64_t batches = 0;
    if (lanes)   // else: closing; a disk that cannot be read shows at the next batch
      for (const store::lane_state& l : *lanes)
        if (!restore(l, here[l.lane])) lost = &l, batches += l.batches;
    if (lost)
      telemetry::log(telemetry::level::warning, "batches wait for a route that is not configured",
                     {{"batches", std::to_string(batches)}, {"route", lost->route},
                      {"pool", lost->pool}});
    const std::lock_guard held(lock_);
    --restoring_;
    if (lanes) restored_.store(true, std::memory_order_relaxed);
  });
}

// Under the lock: what waits of lanes whose route is not their pool's any more. What runs goes on.
std::vector<backroom::departure> backroom::depart() {
  std::vector<departure> all;
  std::unordered_map<std::uint32_t, std::size_t> of_lane;
  for (auto l = lanes_.begin(); l != lanes_.end();) {
    const route_plan* const r = route_of(l->second.pool, l->second.route);
    if (r && r->pool->gate == l->second.gate) {
      ++l;
      continue;
    }
    auto d = std::ranges::find(all, l->second.gate, &departure::gate);
    if (d == all.end()) d = all.insert(d, {l->second.gate, {}, {}});
    d->lanes.push_back(l->first);
    of_lane[l->first] = static_cast<std::size_t>(d - all.begin());
    l = lanes_.erase(l);
  }
  for (auto e = entries_.begin(); !all.empty() && e != entries_.end();) {
    const auto gone = of_lane.find(e->second.what.lane);
    const bool leaves = gone != of_lane.end() && !e->second.busy;
    if (leaves) {
      all[gone->second].waiting.push_back(e->second.place);
      owners_.erase(e->second.what.id);
    }
    e = leaves ? entries_.erase(e) : std::next(e);
  }
  return all;
}

// Under the lock: what the pools have in memory, by lane.
std::unordered_map<std::uint32_t, backroom::in_memory> backroom::held() const {
  std::unordered_map<std::uint32_t, in_memory> all;
  for (const auto& [owner, e] : entries_) {
    in_memory& m = all[e.what.lane];
    ++m.batches, m.bytes += e.what.body.size, m.units += e.what.cost;
  }
  return all;
}

// Batches that are not yet in any pool: those of a route that is new, was gone, or has moved.
// False: no route serves them.
bool backroom::restore(const store::lane_state& l, const in_memory& here) {
  std::shared_ptr<pool_gate> gate;
  {
    const std::lock_guard held(lock_);
    if (stopped_ || lanes_.contains(l.lane)) return true;
    const route_plan* const r = route_of(l.pool, l.route);
    if (!r) return false;
    gate = r->pool->gate;
    lanes_.emplace(l.lane, lane{l.pool, l.route, gate});
  }
  gate->with(now(), [&](core::pool& p, instant t) {
    core::lane_facts f;
    f.lane = l.lane;
    f.route = p.route(l.route);
    f.tenant = l.tenant;
    f.tenant_hash = tenant_hash(l.tenant, tenant_seed_);
    f.batches = l.batches - std::min(l.batches, here.batches);
    f.bytes = l.bytes - std::min(l.bytes, here.bytes);
    f.units = std::max(0.0, l.cost - here.units);
    f.oldest = std::chrono::milliseconds(
        std::max<store::unix_ms>(0, out_.wall_ms() - l.oldest));
    p.restore_lane(f, t);
  });
  return true;
}

// The pool that a route is given to now takes over what was accepted for the one before.
const route_plan* backroom::route_of(std::string_view pool, std::string_view route) const {
  if (!plan_) return nullptr;
  const route_plan* elsewhere = nullptr;
  for (const route_plan& r : plan_->routes) {
    if (r.settings.name != route) continue;
    if (r.pool->name == pool) return &r;
    elsewhere = &r;
  }
  return elsewhere;
}

}  // namespace weir::proxy
