#include "proxy/pool_gate.hpp"

#include <algorithm>
#include <vector>

#include "net/loop.hpp"

namespace weir::proxy {
namespace {

// Scratch of the calling thread: vectors keep their capacity from call to call.
thread_local core::effects taken;
thread_local std::vector<settlement> settled;

void swap_out(core::effects& from, core::effects& to) {
  from.grants.swap(to.grants);
  from.evictions.swap(to.evictions);
  from.probes.swap(to.probes);
  from.events.swap(to.events);
  from.decisions.swap(to.decisions);
  from.loads.swap(to.loads);
}

settlement of(const core::grant& g) { return {g.owner, true, g, core::refusal::none, {}}; }
settlement of(const core::eviction& e) { return {e.owner, false, {}, e.why, e.retry_after}; }

}  // namespace

pool_gate::pool_gate(core::pool_settings settings, std::uint64_t seed, instant now,
                     gate_outlet outlet)
    : name_(settings.name),
      outlet_(std::move(outlet)),
      pool_(std::move(settings), seed, now),
      latest_(now),
      next_(pool_.next_deadline().time_since_epoch().count()) {}

pool_gate::entry::entry(pool_gate& gate, instant now) : gate_(gate) {
  gate_.lock_.lock();
  gate_.latest_ = std::max(gate_.latest_, now);
}

pool_gate::entry::~entry() {
  core::pool& p = gate_.pool_;
  gate_.next_.store(p.next_deadline().time_since_epoch().count(), std::memory_order_relaxed);
  const bool left = !p.pending().empty();
  if (left) swap_out(p.pending(), taken);
  gate_.lock_.unlock();
  if (left) gate_.hand_on();
}

// The outlet may call a gate again, so the scratch is emptied before it is called.
void pool_gate::hand_on() {
  std::vector<settlement> batch;
  batch.swap(settled);
  for (const auto& g : taken.grants) batch.push_back(of(g));
  for (const auto& e : taken.evictions) batch.push_back(of(e));
  taken.grants.clear();
  taken.evictions.clear();
  core::effects rest;
  if (!taken.empty()) swap_out(taken, rest);
  if (!batch.empty()) outlet_.settle(batch);
  batch.clear();
  if (settled.capacity() < batch.capacity()) settled.swap(batch);
  if (!rest.empty()) outlet_.control(std::move(rest));
}

core::admission pool_gate::admit(const core::batch_facts& facts, instant now) {
  return with(now, [&](core::pool& p, instant t) { return p.admit(facts, t); });
}

core::verdict pool_gate::finish(core::batch_id batch, const core::attempt_report& report,
                                instant now) {
  return with(now, [&](core::pool& p, instant t) { return p.finish(batch, report, t); });
}

bool pool_gate::cancel(core::batch_id batch, instant now) {
  return with(now, [&](core::pool& p, instant t) { return p.cancel(batch, t); });
}

void pool_gate::release_slot(core::worker_id worker, core::batch_id batch, instant now) {
  with(now, [&](core::pool& p, instant t) { p.release_slot(worker, batch, t); });
}

void pool_gate::expire(instant now) {
  with(now, [&](core::pool& p, instant t) { p.expire(t); });
}

ticket& ticket::operator=(ticket&& other) noexcept {
  if (this == &other) return *this;
  if (gate_) gate_->cancel(grant_.batch, net::loop::read_clock());
  gate_ = std::exchange(other.gate_, nullptr);
  grant_ = other.grant_;
  return *this;
}

ticket::~ticket() {
  if (gate_) gate_->cancel(grant_.batch, net::loop::read_clock());
}

core::verdict ticket::finish(const core::attempt_report& report, instant now) {
  return std::exchange(gate_, nullptr)->finish(grant_.batch, report, now);
}

}  // namespace weir::proxy
