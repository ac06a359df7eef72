#include "proxy/backroom.hpp"

#include <time.h>

#include <algorithm>
#include <utility>

#include "http/lines.hpp"
#include "proxy/affinity.hpp"
#include "proxy/tenants.hpp"
#include "store/batch_ids.hpp"

namespace weir::proxy {
namespace {

using namespace std::chrono_literals;

instant now() noexcept { return net::loop::read_clock(); }

// What the steady clock is ahead of the wall clock.
base::duration steady_lead() noexcept {
  timespec t;
  clock_gettime(CLOCK_REALTIME, &t);
  return now().time_since_epoch() - std::chrono::seconds(t.tv_sec) -
         std::chrono::nanoseconds(t.tv_nsec);
}

const pool_plan* pool_of(const plan& p, std::string_view name) {
  const auto found = std::ranges::find(p.pools, name, &pool_plan::name);
  return found == p.pools.end() ? nullptr : &*found;
}

}  // namespace

backroom::backroom(store::engine& engine, unsigned loops, std::uint64_t tenant_seed, outlets out)
    : engine_(engine), loops_(loops), tenant_seed_(tenant_seed), out_(std::move(out)) {}

void backroom::stop() {
  std::vector<std::pair<std::shared_ptr<pool_gate>, core::batch_id>> waiting;
  {
    const std::lock_guard held(lock_);
    stopped_ = true;
    for (auto e = entries_.begin(); e != entries_.end();) {
      const bool waits = !e->second.busy;
      if (waits) {
        waiting.emplace_back(e->second.gate, e->second.place);
        owners_.erase(e->second.what.id);
      }
      e = waits ? entries_.erase(e) : std::next(e);
    }
  }
  for (const auto& [gate, place] : waiting) gate->cancel(place, now());
}

// --- into a pool --------------------------------------------------------------------------------

std::uint64_t backroom::put(const store::batch& b, const std::shared_ptr<pool_gate>& gate) {
  const std::uint64_t n = next_++;
  const std::uint64_t owner = durable_owner | (n % loops_) << 56 | (n & 0xffffffffffffff);
  entry& e = entries_[owner];
  e.what = b;
  e.what.fields.clear();
  e.what.body.bytes.clear();
  e.gate = gate;
  owners_[b.id] = owner;
  return owner;
}

bool backroom::take_out(std::uint64_t owner) {
  const std::lock_guard held(lock_);
  const auto e = entries_.find(owner);
  if (e == entries_.end()) return false;
  const bool tells = !e->second.what.callback.empty();
  owners_.erase(e->second.what.id);
  entries_.erase(e);
  return tells;
}

// One lead for all, so that what came one after the other stays so; a new one when a clock was set.
base::duration backroom::age_of(const store::batch& b, instant t) {
  constexpr base::duration set_by = 1s;
  const base::duration lead = steady_lead();
  if (lead - lead_ > set_by || lead_ - lead > set_by) lead_ = lead;
  const base::duration came = std::chrono::milliseconds(b.created) + lead_;
  return std::max(base::duration{}, t.time_since_epoch() - came);
}

core::batch_facts backroom::facts_of(const store::batch& b, const route_plan& r, instant t) {
  core::batch_facts f;
  f.route = r.core_route;
  f.tenant = b.tenant;
  f.tenant_hash = tenant_hash(b.tenant, tenant_seed_);
  f.affinity = affinity_of(r.settings.affinity, b, f.tenant_hash, tenant_seed_);
  f.group = tenant_hash(http::value_of(http::line_of(b.fields, group_field)), tenant_seed_);
  f.units = b.cost;
  f.urgency = b.urgency;
  f.retry = {.attempts = r.settings.async_retry.attempts,
             .unsafe = true,
             .on_timeout = true,
             .backoff_base = r.settings.async_retry.backoff_base,
             .backoff_max = r.settings.async_retry.backoff_max,
             .bounces_max = r.settings.retry.bounces_max};
  if (b.deadline) f.client_deadline = base::after(t, std::chrono::milliseconds(
                                                             *b.deadline - out_.wall_ms()));
  f.durable = true;
  f.lane = b.lane;
  f.place = b.seq;
  f.tries = b.tries;
  f.age = age_of(b, t);
  f.stored_bytes = b.body.size;
  return f;
}

// The route may be gone: the batch stays in the store until it comes back.
void backroom::admit(store::batch b, coming how, base::duration delay) {
  const instant t = now();
  core::batch_facts facts;
  std::shared_ptr<pool_gate> gate;
  {
    const std::lock_guard held(lock_);
    const route_plan* const r = route_of(b.pool, b.route);
    if (stopped_ || !r || owners_.contains(b.id)) return;
    gate = r->pool->gate;
    facts = facts_of(b, *r, t);
    facts.owner = put(b, gate);
    if (restoring_ == 0) lanes_.try_emplace(b.lane, lane{b.pool, b.route, gate});
  }
  const auto label = store::hex_of(b.id);
  facts.label = {label.data(), label.size()};
  facts.loaded = how == coming::loaded;
  facts.reserved = how == coming::reserved;
  facts.delay = std::max(delay, base::duration(std::chrono::milliseconds(
                                    std::max<store::unix_ms>(0, b.not_before - out_.wall_ms()))));
  settle_admission(b, facts.owner, *gate, gate->admit(facts, t));
}

void backroom::settle_admission(const store::batch& b, std::uint64_t owner, pool_gate& gate,
                                const core::admission& a) {
  std::unique_lock held(lock_);
  const auto e = entries_.find(owner);
  if (e == entries_.end()) {   // cancelled or stopped meanwhile: the pool may have it still
    held.unlock();
    gate.cancel(a.batch, now());
    return;
  }
  if (a.what == core::admission::kind::granted) {
    e->second.place = a.batch;
    return begin(owner, e->second, a.grant);
  }
  if (a.what == core::admission::kind::queued) {
    e->second.place = a.batch;
    return;
  }
  owners_.erase(b.id);
  entries_.erase(e);
  const bool late = a.what == core::admission::kind::refused && a.why == core::refusal::deadline;
  if (late) give_up(b.id, !b.callback.empty());
}

void backroom::arrived(const store::batch& b, const store::added& where) {
  store::batch known = b;
  known.seq = where.seq;
  known.lane = where.lane;
  admit(std::move(known), coming::reserved, {});
}

void backroom::requeued(const store::batch& b) { admit(b, coming::again, {}); }

void backroom::load(const std::string& pool, const core::load_order& order) {
  engine_.load(order.lane, order.after, order.limit,
               [this, pool, order](store::outcome<std::vector<store::batch>> got) {
                 loaded(pool, order, std::move(got));
               });
}

void backroom::loaded(const std::string& pool, const core::load_order& order,
                      store::outcome<std::vector<store::batch>> got) {
  std::shared_ptr<pool_gate> gate;
  {
    const std::lock_guard held(lock_);
    const pool_plan* const p = plan_ ? pool_of(*plan_, pool) : nullptr;
    if (!p || stopped_) return;
    gate = p->gate;
  }
  if (!got) {
    gate->with(now(), [&](core::pool& p, instant t) { p.load_failed(order.lane, t); });
    return;
  }
  const std::size_t count = got->size();
  const std::int64_t last = count ? got->back().seq : order.after;
  for (store::batch& b : *got) admit(std::move(b), coming::loaded, {});
  gate->with(now(), [&](core::pool& p, instant t) { p.loaded(order.lane, count, last, t); });
}

// --- attempts -----------------------------------------------------------------------------------

// Under the lock: a post to a loop takes no other lock of ours.
void backroom::begin(std::uint64_t owner, entry& e, const core::grant& g) {
  e.busy = true;
  out_.run(loop_of(owner),
           {owner, e.what.id, e.what.pool, e.what.route, e.what.tries, e.gate, g});
}

void backroom::settle(const settlement& s) {
  const std::lock_guard held(lock_);
  const auto found = entries_.find(s.owner);
  if (found == entries_.end()) return;
  entry& e = found->second;
  if (s.granted) {
    e.place = s.grant.batch;
    if (e.busy) e.held = s.grant;
    else begin(s.owner, e, s.grant);
    return;
  }
  const store::batch_id id = e.what.id;
  const bool tells = !e.what.callback.empty();
  owners_.erase(id);
  entries_.erase(found);
  if (s.why != core::refusal::deadline) return;   // weir is shutting down: it stays as it is
  give_up(id, tells);
}

// Under the lock or not: the engine answers on its own thread.
void backroom::give_up(const store::batch_id& id, bool tells) {
  engine_.give_up(id, "deadline", "its Weir-Deadline passed while it waited", out_.wall_ms(), tells,
                  [this, id, tells](store::outcome<void> done) {
                    if (done || !store::may_pass(done.error())) return given_up(id, tells);
                    const std::lock_guard held(lock_);
                    overdue_.emplace_back(id, tells);
                  });
}

void backroom::tick() {
  std::vector<std::pair<store::batch_id, bool>> again;
  {
    const std::lock_guard held(lock_);
    again.swap(overdue_);
  }
  for (const auto& [id, tells] : again) give_up(id, tells);
}

void backroom::waits_again(const run_order& o) {
  std::shared_ptr<pool_gate> gate;
  core::batch_id place;
  {
    const std::lock_guard held(lock_);
    const auto e = entries_.find(o.owner);
    if (e == entries_.end()) return;
    e->second.busy = false;
    e->second.what.tries = o.tries;
    const route_plan* const r = route_of(e->second.what.pool, e->second.what.route);
    const bool stays = r && r->pool->gate == e->second.gate;
    if (!stopped_ && stays) {
      if (e->second.held)
        begin(o.owner, e->second, *std::exchange(e->second.held, std::nullopt));
      return;
    }
    gate = e->second.gate;
    place = e->second.place;
    if (stopped_) {
      owners_.erase(e->second.what.id);
      entries_.erase(e);
    }
  }
  gate->cancel(place, now());
  move(o, {});   // its route was given to another pool meanwhile
}

void backroom::ended(std::uint64_t owner, const store::batch_id& id) {
  given_up(id, take_out(owner));
}

void backroom::given_up(const store::batch_id& id, bool tells) {
  if (tells && out_.callback_due) out_.callback_due();
  tell(id);
}

void backroom::put_back(const run_order& o, base::duration delay) {
  o.gate->cancel(o.grant.batch, now());
  move(o, delay);
}

// Out of the pool that it has left, and into that of its route as it is now.
void backroom::move(const run_order& o, base::duration delay) {
  store::batch again;
  {
    const std::lock_guard held(lock_);
    const auto e = entries_.find(o.owner);
    if (e == entries_.end()) return;
    again = std::move(e->second.what);
    again.tries = o.tries;
    owners_.erase(again.id);
    entries_.erase(e);
    returning_.insert(again.id);
  }
  // By way of the engine's thread, on which all admissions are; a store that fails knows less of
  // the batch than is known here.
  engine_.find(again.id, false, [this, again, delay](store::outcome<store::batch> b) {
    const bool gone = b ? !store::is_open(b->state)
                        : b.error().what == store::trouble::not_found ||
                              b.error().what == store::trouble::closed;
    {
      const std::lock_guard held(lock_);
      returning_.erase(again.id);
    }
    if (!gone) admit(b ? std::move(*b) : again, coming::again, delay);
  });
}

void backroom::leave(const run_order& o) {
  take_out(o.owner);
  o.gate->cancel(o.grant.batch, now());
  tell(o.id);
}

// --- the end of others --------------------------------------------------------------------------

void backroom::cancelled(const store::batch& b) {
  std::shared_ptr<pool_gate> gate;
  std::optional<core::batch_id> place;
  {
    const std::lock_guard held(lock_);
    const auto owner = owners_.find(b.id);
    if (owner == owners_.end()) {
      const route_plan* const r = route_of(b.pool, b.route);
      if (r && lanes_.contains(b.lane) && !returning_.contains(b.id)) gate = r->pool->gate;
    } else if (entry& e = entries_.at(owner->second); e.busy) {
      out_.interrupt(loop_of(owner->second), owner->second);
    } else {
      gate = e.gate;
      place = e.place;
      entries_.erase(owner->second);
      owners_.erase(owner);
    }
  }
  if (gate && place) gate->cancel(*place, now());
  else if (gate)
    gate->with(now(), [&](core::pool& p, instant t) {
      p.unstored(b.lane, b.body.size, b.cost, t);
    });
  tell(b.id);
}

void backroom::tell(const store::batch_id& id) {
  std::vector<std::function<void()>> all;
  {
    const std::lock_guard held(lock_);
    const auto [first, last] = watchers_.equal_range(id);
    for (auto w = first; w != last; ++w) all.push_back(std::move(w->second.told));
    watchers_.erase(first, last);
  }
  for (const auto& told : all) told();
}

backroom::watch backroom::when_ended(const store::batch_id& id, std::function<void()> told) {
  const std::lock_guard held(lock_);
  watchers_.emplace(id, watcher{next_, std::move(told)});
  return next_++;
}

void backroom::forget(const store::batch_id& id, watch w) {
  const std::lock_guard held(lock_);
  const auto [first, last] = watchers_.equal_range(id);
  const auto found = std::find_if(first, last, [&](const auto& x) { return x.second.number == w; });
  if (found != last) watchers_.erase(found);
}

// --- where it stands ----------------------------------------------------------------------------

std::optional<core::queue_place> backroom::place(const store::batch& b) const {
  std::shared_ptr<pool_gate> gate;
  std::optional<core::batch_id> at;
  {
    const std::lock_guard held(lock_);
    const auto owner = owners_.find(b.id);
    if (owner != owners_.end()) {
      gate = entries_.at(owner->second).gate;
      at = entries_.at(owner->second).place;
    } else if (const route_plan* const r = route_of(b.pool, b.route)) {
      gate = r->pool->gate;
    }
  }
  if (!gate) return std::nullopt;
  return gate->with(now(), [&](core::pool& p, instant t) {
    return at ? p.place(*at, t) : p.stored_place(b.lane, b.seq, t);
  });
}

}  // namespace weir::proxy
