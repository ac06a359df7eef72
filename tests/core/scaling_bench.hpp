// A pool seen by the scaling machine, for its tests: workers whose facts a test sets by hand, a
// clock that moves from tick to tick, and drains carried out as core::pool does. One thread, no
// real time.
#pragma once

#include <algorithm>
#include <deque>
#include <string>
#include <vector>

#include "core/scaling.hpp"

namespace weir::core::test {

// min 1, max 10, objective 2 min, sustain 10 s, start-up 60 s, 80 %, window 5 min, resend off.
inline autoscale_settings plain_scaling() {
  autoscale_settings s;
  s.max = 10;
  s.resend = 0s;
  return s;
}

struct scaling_bench {
  autoscale_settings settings;
  instant now{10000s};
  scaling machine;
  scale_facts facts;
  std::deque<std::string> names;
  std::vector<scale_worker> workers;

  explicit scaling_bench(const autoscale_settings& s) : settings(s), machine(s, now) {}

  // A worker that serves, is up and idle.
  worker_id add(bool managed = true, std::uint32_t slots = 4) {
    machine.joined(now);
    const worker_id id{static_cast<std::uint32_t>(names.size()), 1};
    names.push_back("w" + std::to_string(names.size()));
    workers.push_back({.id = id, .name = names.back(), .managed = managed, .ready = true,
                       .slots = slots});
    return id;
  }
  void add(int count) {
    for (int i = 0; i < count; ++i) add();
  }
  scale_worker& at(worker_id id) {
    return *std::find_if(workers.begin(), workers.end(), [&](auto& w) { return w.id == id; });
  }
  void remove(worker_id id) {
    std::erase_if(workers, [&](const scale_worker& w) { return w.id == id; });
  }
  // Slots busy on the workers, the first ones first, each done `seconds` from now.
  void busy(std::uint32_t slots, double seconds = 10) {
    facts.busy_slots = slots;
    facts.running = slots;
    for (scale_worker& w : workers) {
      w.empty = slots == 0;
      w.finish_seconds = w.empty ? 0 : seconds;
      slots -= std::min(slots, w.slots);
    }
  }
  void waiting(std::uint64_t batches, double est_each) {
    facts.waiting = batches;
    facts.waiting_cost = static_cast<double>(batches) * est_each;
    facts.waiting_share = static_cast<double>(batches) *
                          slot_share(est_each, capped_seconds(settings));
  }
  // Waits for the next tick and carries out what it says.
  scale_step tick() {
    now = std::max(now, machine.next_deadline());
    std::vector<scale_worker> seen = workers;
    for (scale_worker& w : seen) w.ready = w.ready && w.stands == scale_worker::standing::serving;
    facts.workers = seen;
    scale_step step = machine.step(facts, now);
    for (worker_id id : step.undrain) at(id).stands = scale_worker::standing::serving;
    for (worker_id id : step.drain) at(id).stands = scale_worker::standing::drained;
    return step;
  }
  // Ticks for that long; the decisions on the way.
  std::vector<scale_decision> run(duration d) {
    std::vector<scale_decision> out;
    for (const instant end = now + d; machine.next_deadline() <= end;) {
      scale_step step = tick();
      if (step.decision) out.push_back(std::move(*step.decision));
    }
    return out;
  }
  // Ticks until workers are drained, at most that long; an empty step when none are.
  scale_step until_drain(duration most = 500s) {
    for (const instant end = now + most; now < end;)
      if (scale_step step = tick(); !step.drain.empty()) return step;
    return {};
  }
  std::uint32_t serving() const {
    std::uint32_t n = 0;
    for (const scale_worker& w : workers) n += w.stands == scale_worker::standing::serving;
    return n;
  }
};

// `count` idle workers, past the time in which nothing is decided.
inline scaling_bench settled(int count, const autoscale_settings& s = plain_scaling()) {
  scaling_bench b(s);
  b.add(count);
  b.run(20s);
  return b;
}

}  // namespace weir::core::test
