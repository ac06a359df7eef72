#include "core/sim_world.hpp"

#include <algorithm>
#include <cmath>

namespace weir::core::test {
namespace {

pool_settings settings_of(std::uint64_t seed, const sim_options& o) {
  base::random r(seed ^ 0x5eed);
  pool_settings s;
  s.name = "sim";
  s.balance = static_cast<balance>(r.below(3) == 0 ? r.below(6) : 0);
  s.queue.order = r.below(4) == 0 ? queue_order::fifo : queue_order::cost_aware;
  s.queue.batches_max = 5 + r.below(40);
  s.queue.bytes_max = 2000;
  s.queue.wait_max = std::chrono::seconds(1 + r.below(60));
  s.queue.tenants_max = o.tenant_caps ? 100 : 1 + r.below(4);
  if (o.tenant_caps) {
    s.queue.tenant_defaults = {{}, 0.5 + r.unit(), r.below(4), r.below(6)};
    s.queue.tenants = {{"tenant2", 4, r.below(3), r.below(3)}, {"tenant1", 0.1, 1, 1}};
  }
  s.health.kind = o.probes ? probe_kind::http : probe_kind::none;
  s.ejection.consecutive_failures = r.below(6);
  s.ejection.base_time = 5s;
  s.durable.window = 1 + r.below(12);
  s.slow_start = std::chrono::seconds(r.below(3) * 10);
  s.abandoned_hold = 5s;
  if (o.scaling) {
    s.autoscale.emplace();
    s.autoscale->min = r.below(2);
    s.autoscale->max = 6;
    s.autoscale->objective = 30s;
    s.autoscale->sustain = 2s;
    s.autoscale->startup_time = 5s;
    s.autoscale->scale_in_window = 20s;
  }
  return s;
}

}  // namespace

sim_options options_of(std::uint64_t seed) {
  base::random r(seed * 7919 + 1);
  sim_options o;
  o.seconds = r.below(5) == 0 ? 20 + r.below(20) : 4 + r.below(8);
  o.workers = r.below(6);
  o.arrivals_per_second = 1 + 9 * r.unit();
  o.mean_work = 0.05 + r.unit();
  o.fault_share = r.below(3) == 0 ? 0 : 0.4 * r.unit();
  o.operator_per_second = r.below(3) == 0 ? 0 : 0.5 * r.unit();
  o.cancel_share = 0.1 * r.unit();
  o.probes = r.below(4) != 0;
  o.scaling = r.below(3) == 0;
  o.closes = r.below(5) == 0;
  o.durable_share = r.below(2) == 0 ? 0 : r.unit();
  o.tenant_caps = r.below(2) == 0;
  return o;
}

sim_world::sim_world(std::uint64_t seed, const sim_options& options)
    : options_(options),
      random_(seed),
      settings_(settings_of(seed, options)),
      now_(instant{} + std::chrono::hours(1)),
      pool_(settings_, seed, now_) {
  for (std::uint32_t i = 0; i < options.workers; ++i) add_worker(chance(0.3));
  for (int i = 0; i < 3; ++i) pool_.route("route" + std::to_string(i));
  schedule(now_, what::arrival);
  if (options.operator_per_second > 0) schedule(now_, what::operator_acts);
}

void sim_world::run() {
  const instant end = now_ + base::from_seconds(options_.seconds);
  while (broken_.empty() && now_ < end) step();
  end_of_arrivals();
  // Everything ends: waits have limits, attempts have ends, drained or not.
  const instant last = now_ + std::chrono::minutes(10);
  while (broken_.empty() && !batches_.empty() && now_ < last) step();
  leave_to_store();
  expect(batches_.empty(), "every admitted batch ends exactly once");
}

void sim_world::end_of_arrivals() {
  arriving_ = false;
  if (paused_) pool_.resume(now_);
  paused_ = false;
  take_effects();
  check();
  if (options_.closes) {
    closed_ = true;
    pool_.close(now_);
  }
  take_effects();
  check();
}

// --- what happens -------------------------------------------------------------------------------

void sim_world::schedule(instant when, what kind, std::uint64_t a, std::uint64_t b) {
  agenda_.push({when, ++order_, kind, a, b});
}

duration sim_world::exponential(double mean_seconds) {
  return base::from_seconds(-std::log(1 - random_.unit()) * mean_seconds);
}

void sim_world::step() {
  const instant due = pool_.next_deadline();
  if (agenda_.empty() && due == base::never) {
    now_ += 1s;
    return;
  }
  if (agenda_.empty() || due <= agenda_.top().when) {
    // The shell's tick is coarse: it comes a little late.
    now_ = std::max(now_, due) + std::chrono::microseconds(random_.below(5000));
    expire();
  } else {
    const happening h = agenda_.top();
    agenda_.pop();
    now_ = std::max(now_, h.when);
    happen(h);
  }
  take_effects();
  check();
}

void sim_world::expire() {
  std::erase_if(held_, [&](const held_slot& h) {
    if (h.until > now_) return false;
    --workers_[h.worker].abandoned;
    return true;
  });
  pool_.expire(now_);
  expect(pool_.next_deadline() > now_, "after expire() nothing is due any more");
}

void sim_world::happen(const happening& h) {
  switch (h.kind) {
    case what::arrival:
      return arrive();
    case what::attempt_ends:
      return attempt_ends(h.a, static_cast<std::uint32_t>(h.b));
    case what::client_leaves:
      return client_leaves(h.a);
    case what::probe_answer:
      return answer_probe(worker_id::unpack(h.a));
    case what::slot_released:
      return release_slot(worker_id::unpack(h.a), batch_id::unpack(h.b));
    case what::operator_acts:
      return operator_acts();
    case what::worker_starts:
      return add_worker(true);
    case what::store_answers:
      return store_answers();
  }
}

void sim_world::arrive() {
  if (!arriving_) return;
  schedule(now_ + exponential(1 / options_.arrivals_per_second), what::arrival);
  client_batch b;
  b.arrived = now_;
  b.work = options_.mean_work * 2 * random_.unit() * (chance(0.1) ? 10 : 1);
  b.retry.attempts = 1 + random_.below(4);
  b.retry.on_timeout = chance(0.5);
  b.retry.bounces_max = random_.below(8);
  b.limit = chance(0.2) ? std::chrono::milliseconds(random_.below(3000)) : base::forever;
  b.deadline = chance(0.1) ? now_ + exponential(5) : base::never;
  const std::uint32_t tenant = random_.below(6);
  const std::string name = tenant == 0 ? "" : "tenant" + std::to_string(tenant);
  batch_facts f;
  b.tenant = name;
  f.owner = ++owners_;
  f.route = random_.below(4);  // 3 is a route that the pool does not know
  f.tenant_hash = tenant * 0x9e3779b9ull;
  f.tenant = name;
  f.label = name;
  f.units = chance(0.7) ? b.work * 100 : 0;
  f.affinity = random_.below(5);
  f.held_bytes = random_.below(200);
  f.urgency = static_cast<std::uint8_t>(random_.below(9));
  f.wait_max = b.limit;
  f.client_deadline = b.deadline;
  f.retry = b.retry;
  if (chance(options_.durable_share)) return submit(b, f);
  b.limit = std::min(b.limit, settings_.queue.wait_max);
  const admission a = pool_.admit(f, now_);
  if (a.what == admission::kind::refused) {
    ++counts_.refused;
    counts_.tenant_full += a.why == refusal::tenant_full;
    expect(a.why != refusal::none && a.retry_after >= 1s,
           "a refusal has a reason and a Retry-After");
    return;
  }
  ++counts_.admitted;
  admitted_at_.push_back(now_);
  b.id = a.batch;
  b.facts.held_bytes = f.held_bytes;
  batches_[f.owner] = b;
  if (chance(options_.cancel_share)) schedule(now_ + exponential(1), what::client_leaves, f.owner);
  if (a.what == admission::kind::granted) return on_grant(a.grant);
  std::uint64_t waiting = 0, bytes = 0;
  for (const auto& [owner, c] : batches_)
    if (c.is == life::waiting && !c.durable) ++waiting, bytes += c.facts.held_bytes;
  expect(waiting <= settings_.queue.batches_max, "queue within bounds: batches");
  const std::uint64_t most = tenant_of(b).batches_max;
  expect(most == 0 || of_its_tenant(b, life::waiting) <= most, "queue within bounds: its tenant");
  expect(f.held_bytes == 0 || bytes <= settings_.queue.bytes_max, "queue within bounds: bytes");
}

void sim_world::attempt_ends(std::uint64_t owner, std::uint32_t attempt) {
  const auto at = batches_.find(owner);
  if (at == batches_.end() || at->second.is != life::granted || at->second.attempt != attempt)
    return;
  const attempt_report r = report_for(at->second, workers_[at->second.on]);
  const verdict v = pool_.finish(at->second.id, r, now_);
  account(owner, r, v);
}

attempt_report sim_world::report_for(const client_batch& b, const fake_worker& w) {
  attempt_report r;
  r.end = attempt_end::succeeded;
  r.may_retry = chance(0.8);
  r.has_response = chance(0.3);
  const double draw = random_.unit();
  if (draw < w.refuses || !w.healthy)
    r.end = attempt_end::connect_failed;
  else if (draw < w.refuses + w.busy)
    r.end = attempt_end::busy;
  else if (draw < w.refuses + w.busy + w.fails)
    r.end = chance(0.7) ? attempt_end::failed : attempt_end::response_timeout;
  else if (chance(options_.fault_share / 4))
    r.end = static_cast<attempt_end>(random_.below(8));
  if (r.end == attempt_end::busy && chance(0.5)) r.retry_after = exponential(0.5);
  const bool at_worker =
      r.end == attempt_end::response_timeout || r.end == attempt_end::client_gone;
  r.slot_abandoned = at_worker && chance(0.6);
  (void)b;
  return r;
}

// The books after finish(): the slot, then the batch.
void sim_world::account(std::uint64_t owner, const attempt_report& r, const verdict& v) {
  client_batch& b = batches_[owner];
  fake_worker& w = workers_[b.on];
  --w.running;
  if (r.slot_abandoned) {
    ++w.abandoned;
    ++counts_.abandoned;
    held_.push_back({b.on, b.id, now_ + settings_.abandoned_hold});
    if (chance(0.5))
      schedule(now_ + exponential(2), what::slot_released, b.on.packed(), b.id.packed());
  }
  const bool goes_on = v.what == verdict::kind::waiting || v.what == verdict::kind::granted;
  if (b.durable) account_durable(b, r, v);
  if (goes_on) note_retry(b, r);
  counts_.done += v.what == verdict::kind::done;
  counts_.poisoned += v.why == refusal::poisoned;
  counts_.failed += v.what == verdict::kind::failed;
  expect(v.what != verdict::kind::failed || v.why != refusal::none, "a failed batch has a reason");
  expect(!goes_on || !closed_, "a closed pool takes nothing back");
  if (!goes_on) return end(owner);
  b.is = life::waiting;
  if (v.what == verdict::kind::granted) on_grant(v.grant);
}

void sim_world::note_retry(const client_batch& given, const attempt_report& r) {
  client_batch& b = const_cast<client_batch&>(given);
  const bool executed = r.end == attempt_end::failed || r.end == attempt_end::response_timeout;
  expect(executed || b.durable || r.end == attempt_end::busy ||
             r.end == attempt_end::connect_failed || r.end == attempt_end::stale_connection,
         "only what may be tried again is tried again");
  expect(r.may_retry || b.durable || r.end == attempt_end::connect_failed,
         "a retry needs may_retry");
  if (executed && !b.durable) {
    ++counts_.retries;
    retried_at_.push_back(now_);
    expect(++b.executed < b.retry.attempts, "retries within the route's attempts");
  }
  counts_.bounces += r.end == attempt_end::busy;
  counts_.refusals += r.end == attempt_end::connect_failed;
  counts_.stale += r.end == attempt_end::stale_connection;
  if (r.end == attempt_end::busy && !b.durable)
    expect(++b.moves <= b.retry.bounces_max, "bounces are capped");
  const bool known = std::ranges::count(b.failed_on, b.on) > 0;
  if (known || (!executed && r.end != attempt_end::connect_failed)) return;
  b.failed_on.push_back(b.on);
  if (b.failed_on.size() > 4) b.failed_on.erase(b.failed_on.begin());
}

void sim_world::client_leaves(std::uint64_t owner) {
  const auto at = batches_.find(owner);
  if (at == batches_.end()) return;
  if (at->second.is == life::written || at->second.is == life::stored)
    return ask_store({.what = store_call::kind::cancel, .owner = owner});
  expect(pool_.cancel(at->second.id, now_), "a batch that is in the pool can be cancelled");
  expect(!pool_.cancel(at->second.id, now_), "a batch is cancelled once");
  if (at->second.is == life::granted) --workers_[at->second.on].running;
  ++counts_.cancelled;
  end(owner);
}

void sim_world::answer_probe(worker_id id) {
  const auto at = workers_.find(id);
  if (at != workers_.end()) pool_.probed(id, at->second.healthy, "probe", now_);
}

void sim_world::release_slot(worker_id worker, batch_id batch) {
  const auto at = std::ranges::find_if(
      held_, [&](const held_slot& h) { return h.worker == worker && h.batch == batch; });
  if (at != held_.end()) {
    --workers_[worker].abandoned;
    held_.erase(at);
  }
  pool_.release_slot(worker, batch, now_);
}

// --- operators, workers and the scaler ----------------------------------------------------------

void sim_world::operator_acts() {
  if (!arriving_) return;
  schedule(now_ + exponential(1 / options_.operator_per_second), what::operator_acts);
  const worker_id id = any_worker();
  switch (random_.below(9)) {
    case 0:
      return drain_or_undrain(id);
    case 1:
      return remove(id);
    case 2:
      return add_worker(chance(0.5));
    case 3:
      return reload();
    case 4:
      paused_ ? pool_.resume(now_) : pool_.pause(now_);
      paused_ = !paused_;
      ++counts_.pauses;
      return;
    default:
      if (id) sicken(workers_[id]);
  }
}

// Also heals.
void sim_world::sicken(fake_worker& w) {
  w.healthy = chance(0.7);
  w.fails = chance(0.5) ? 0 : options_.fault_share * 2 * random_.unit();
  w.refuses = chance(0.7) ? 0 : options_.fault_share * random_.unit();
  w.busy = chance(0.7) ? 0 : options_.fault_share * random_.unit();
  w.speed = 0.3 + 1.7 * random_.unit();
}

void sim_world::drain_or_undrain(worker_id id) {
  if (!id) return;
  ++counts_.drains;
  if (chance(0.5)) {
    pool_.drain(id, "an operator's drain", now_);
  } else {
    pool_.undrain(id, now_);
  }
}

void sim_world::remove(worker_id id) {
  if (!id) return;
  ++counts_.removals;
  workers_[id].leaving = true;
  pool_.remove_worker(id, "removed", now_);
}

void sim_world::add_worker(bool managed) {
  fake_worker w;
  w.settings.name = "w" + std::to_string(++names_);
  w.settings.slots = 1 + random_.below(4);
  w.settings.weight = chance(0.2) ? 0.5 : 1;
  w.settings.backup = chance(0.15);
  w.settings.managed = managed;
  sicken(w);
  w.healthy = w.healthy || chance(0.5);
  const worker_id id = pool_.add_worker(w.settings, now_);
  expect(bool(id), "a worker with a new name is taken");
  expect(!pool_.add_worker(w.settings, now_), "a name is taken once");
  workers_[id] = w;
}

void sim_world::reload() {
  ++counts_.reloads;
  pool_settings s = settings_of(random_.next(), options_);
  s.health.kind = settings_.health.kind;
  s.abandoned_hold = settings_.abandoned_hold;
  s.queue.wait_max = settings_.queue.wait_max;
  settings_ = s;
  pool_.configure(s, now_);
  take_effects();
  check();
  const worker_id id = any_worker();
  if (!id) return;
  workers_[id].settings.slots = 1 + random_.below(4);
  workers_[id].settings.backup = chance(0.15);
  pool_.update_worker(id, workers_[id].settings, now_);
}

worker_id sim_world::any_worker() {
  std::vector<worker_id> ids;
  for (const auto& [id, w] : workers_)
    if (!w.leaving) ids.push_back(id);
  return ids.empty() ? worker_id{} : ids[random_.below(static_cast<std::uint32_t>(ids.size()))];
}

}  // namespace weir::core::test
