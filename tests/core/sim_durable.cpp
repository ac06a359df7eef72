// sim_world, continued: durable batches and their store, which answers in order, each call a little
// later, and is asked for what waits on disk.
#include <algorithm>

#include "core/sim_world.hpp"

namespace weir::core::test {

void sim_world::submit(client_batch b, batch_facts f) {
  const refusal why = pool_.reserve_durable(f.held_bytes, now_);
  expect(why == (closed_ ? refusal::closing : refusal::none), "there is room for durable ones");
  if (why != refusal::none) return;
  if (chance(0.05)) return pool_.release_durable(f.held_bytes);   // a full disk
  ++counts_.durable;
  b.durable = true;
  if (f.tenant_hash != 0) b.tenant = std::to_string(f.tenant_hash);
  b.is = life::written;
  f.tenant = {}, f.label = {};   // they point to what will be gone
  f.durable = f.reserved = true;
  f.lane = f.route * 10 + static_cast<std::uint32_t>(f.tenant_hash % 7);
  f.stored_bytes = f.held_bytes;
  f.tries = random_.below(2);
  f.delay = chance(0.1) ? exponential(2) : duration{};
  f.age = chance(0.1) ? exponential(60) : duration{};
  b.facts = f;
  batches_[f.owner] = b;
  ask_store({.what = store_call::kind::add, .owner = f.owner});
  if (chance(options_.cancel_share)) schedule(now_ + exponential(1), what::client_leaves, f.owner);
}

void sim_world::ask_store(const store_call& call) {
  store_calls_.push_back(call);
  store_free_ = std::max(store_free_, now_) + exponential(0.01);
  schedule(store_free_, what::store_answers);
}

void sim_world::store_answers() {
  const store_call call = store_calls_.front();
  store_calls_.pop_front();
  switch (call.what) {
    case store_call::kind::add:
      return added(call.owner);
    case store_call::kind::load:
      return load(call.order);
    case store_call::kind::cancel:
      return cancelled_on_disk(call.owner);
  }
}

void sim_world::added(std::uint64_t owner) {
  batch_facts& f = batches_.at(owner).facts;
  f.place = ++places_;
  offer(owner);
}

void sim_world::offer(std::uint64_t owner) {
  client_batch& b = batches_.at(owner);
  const admission a = pool_.admit(b.facts, now_);
  b.id = a.batch;
  if (a.what == admission::kind::refused) {
    expect(closed_ || now_ >= b.deadline, "a durable one is refused by the end or its deadline");
    ++counts_.refused;
    batches_.erase(owner);
    return;
  }
  if (a.what == admission::kind::stored) {
    expect(!b.facts.loaded, "what was asked for is taken", owner);
    ++counts_.stored;
    b.is = life::stored;
    lanes_[b.facts.lane][b.facts.place] = owner;
    return;
  }
  ++counts_.admitted;
  admitted_at_.push_back(now_);
  b.is = life::waiting;
  if (a.what == admission::kind::granted) on_grant(a.grant);
}

void sim_world::load(const load_order& order) {
  if (chance(0.05)) return pool_.load_failed(order.lane, now_);
  auto& lane = lanes_[order.lane];
  std::vector<std::uint64_t> found;
  for (auto i = lane.upper_bound(order.after); i != lane.end() && found.size() < order.limit; ++i)
    found.push_back(i->second);
  expect(lane.empty() || lane.begin()->first > order.after, "no order passes one over");
  std::int64_t last = order.after;
  for (const std::uint64_t owner : found) {
    batch_facts& f = batches_.at(owner).facts;
    expect(batches_.at(owner).is == life::stored, "nothing is loaded twice", owner);
    last = f.place;
    lane.erase(last);
    f.loaded = true, f.reserved = false;
    ++counts_.loaded;
    offer(owner);
  }
  pool_.loaded(order.lane, found.size(), last, now_);
}

void sim_world::cancelled_on_disk(std::uint64_t owner) {
  const auto at = batches_.find(owner);
  if (at == batches_.end()) return;
  if (at->second.is != life::stored) return client_leaves(owner);
  const batch_facts& f = at->second.facts;
  ++counts_.unstored;
  lanes_[f.lane].erase(f.place);
  pool_.unstored(f.lane, f.stored_bytes, f.units, now_);
  batches_.erase(at);
}

void sim_world::account_durable(client_batch& b, const attempt_report& r, const verdict& v) {
  const bool failure = r.end == attempt_end::failed || r.end == attempt_end::response_timeout;
  expect(!v.counted || failure, "only failures count");
  expect(v.tries <= b.facts.tries + 1, "one attempt counts once");
  expect(v.counted || v.tries <= b.facts.tries, "one that does not count adds nothing");
  counts_.uncounted += failure && !v.counted && v.what != verdict::kind::done;
  b.facts.tries = v.tries;
  if (v.what != verdict::kind::failed) return;
  if (v.why == refusal::retries_exhausted)
    expect(v.tries >= b.retry.attempts || !r.may_retry, "a dead letter had all of its attempts");
}

// Nobody promised that all of them would be done by now.
void sim_world::leave_to_store() {
  if (closed_) {
    std::erase_if(batches_, [](const auto& b) { return b.second.is == life::stored; });
    return;
  }
  const bool all = std::ranges::all_of(batches_, [](const auto& b) { return b.second.durable; });
  expect(all, "what is not durable has ended");
  closed_ = true;
  pool_.close(now_);
  take_effects();
  while (broken_.empty() && (!agenda_.empty() || pool_.running() > 0) &&
         std::ranges::any_of(batches_, [](const auto& b) { return b.second.is != life::stored; }))
    step();
  std::erase_if(batches_, [](const auto& b) { return b.second.is == life::stored; });
}

void sim_world::check_durable() {
  const pool_view v = pool_.view(now_);
  std::uint64_t open = 0, bytes = 0, stored = 0, waiting = 0;
  for (const auto& [owner, b] : batches_) {
    if (!b.durable) continue;
    ++open, bytes += b.facts.stored_bytes;
    stored += b.is == life::stored;
    waiting += b.is == life::waiting;
  }
  expect(v.durable_batches == open && v.durable_bytes == bytes, "all open durable ones count");
  expect(v.stored == stored, "the pool knows exactly what is on disk");
  expect((v.stored_cost > 0) == (stored > 0), "what is on disk has a cost, and nothing has none");
  const bool asked = std::ranges::any_of(
      store_calls_, [](const store_call& c) { return c.what == store_call::kind::load; });
  if (stored > 0 && waiting == 0 && !asked && !closed_)
    expect(pool_.next_deadline() <= now_ + 1s, "what is on disk is asked for");
}

}  // namespace weir::core::test
