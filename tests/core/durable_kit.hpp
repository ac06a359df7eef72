// A pool and a store of its durable batches in a made-up time: the store gives places, keeps what
// the pool does not take, and answers load_orders, all in order, as the engine's thread does.
#pragma once

#include <map>
#include <string>
#include <vector>

#include "core/pool_kit.hpp"

namespace weir::core::test {

struct durable_kit : pool_kit {
  explicit durable_kit(pool_settings settings = plain_settings()) : pool_kit(std::move(settings)) {}

  struct record {
    batch_facts facts;
    bool queued = true;  // in the store, and not in the pool
  };

  // Reserved, recorded and offered to the pool.
  admission submit(double when, std::uint32_t lane = 1, batch_facts f = {}) {
    f.durable = true;
    f.lane = lane;
    f.place = ++places;
    f.tenant = names[lane] = "tenant-" + std::to_string(lane);
    f.tenant_hash = 1000 + lane;
    f.stored_bytes = f.stored_bytes == 0 ? 100 : f.stored_bytes;
    REQUIRE(p.reserve_durable(f.stored_bytes, at(when)) == refusal::none);
    f.reserved = true;
    f.owner = ++owners;
    return offer(when, f);
  }
  admission offer(double when, batch_facts f) {
    const admission a = p.admit(f, at(when));
    ids[a.batch] = f.place;
    records[f.lane][f.place] = {f, a.what == admission::kind::stored};
    return a;
  }
  // Recorded before the pool began to close.
  admission submitted_late(double when) {
    return offer(when, {.durable = true, .lane = 1, .place = ++places, .reserved = true});
  }
  // A million of them need no record each.
  void restore(double when, std::uint32_t lane, std::uint32_t count, double units = 0) {
    batch_facts f;
    f.durable = true;
    f.lane = lane;
    f.tenant = names[lane] = "tenant-" + std::to_string(lane);
    f.tenant_hash = 1000 + lane;
    f.stored_bytes = 100;
    f.units = units;
    for (std::uint32_t i = 0; i < count; ++i) {
      f.place = ++places;
      f.owner = ++owners;
      records[lane][f.place] = {f, true};
    }
    p.restore_lane({.lane = lane, .route = 0, .tenant = f.tenant, .tenant_hash = f.tenant_hash,
                    .batches = count, .bytes = 100ull * count, .units = units * count,
                    .oldest = 0s},
                   at(when));
  }
  // Answers every load_order that is there; how many.
  std::size_t load(double when) {
    const auto orders = take(p.pending().loads);
    for (const load_order& o : orders) {
      seen.push_back(o);
      std::vector<record*> found;
      for (auto i = records[o.lane].upper_bound(o.after);
           i != records[o.lane].end() && found.size() < o.limit; ++i)
        if (i->second.queued) found.push_back(&i->second);
      for (record* r : found) {
        r->queued = false;
        r->facts.loaded = true, r->facts.reserved = false;
        const admission a = p.admit(r->facts, at(when));
        REQUIRE(a.what != admission::kind::stored);
        ids[a.batch] = r->facts.place;
        if (a.what == admission::kind::granted) at_once.push_back(a.grant);
      }
      p.loaded(o.lane, found.size(), found.empty() ? o.after : found.back()->facts.place, at(when));
    }
    return orders.size();
  }
  // Until nothing more is ordered.
  void load_all(double when) {
    while (load(when) > 0) {
    }
  }
  pool_view view(double when) { return p.view(at(when)); }

  std::map<std::uint32_t, std::map<std::int64_t, record>> records;  // by lane and place
  std::map<std::uint32_t, std::string> names;
  std::map<batch_id, std::int64_t> ids;
  std::vector<load_order> seen;
  std::vector<grant> at_once;  // to loaded ones
  std::int64_t places = 0;
};

}  // namespace weir::core::test
