// A real pool_gate with one worker whose slots the test fills and empties, and the mail that it
// sends to loops, which the test delivers when it likes. Single-threaded; time is made up.
#pragma once

#include <deque>
#include <string>
#include <vector>

#include "proxy/pool_gate.hpp"
#include "proxy/waiting_room.hpp"

namespace weir::test {

using namespace std::chrono_literals;

inline base::instant at(double seconds) {
  return base::instant{} + base::from_seconds(1000 + seconds);
}

// Probes and slow start off: workers are up as soon as they are added.
inline core::pool_settings plain_pool() {
  core::pool_settings s;
  s.name = "loaders";
  s.health.kind = core::probe_kind::none;
  s.slow_start = 0s;
  return s;
}

struct gate_kit {
  explicit gate_kit(core::pool_settings s = plain_pool(), std::uint32_t slots = 1)
      : gate(std::move(s), 7, at(0),
             {[this](std::span<const proxy::settlement> all) {
                for (const auto& one : all)
                  mail[proxy::waiting_room::owner_loop(one.owner)].push_back(one);
              },
              [this](core::effects&& e) {
                for (auto& one : e.events) events.push_back(std::move(one));
              }}) {
    core::worker_settings w;
    w.name = "w1";
    w.slots = slots;
    worker =
        gate.with(at(0), [&](core::pool& p, base::instant now) { return p.add_worker(w, now); });
  }

  core::admission admit(std::uint64_t owner, double when) {
    core::batch_facts f;
    f.owner = owner;
    f.wait_max = 60s;
    return gate.admit(f, at(when));
  }
  core::verdict finish(core::batch_id b, double when) {
    core::attempt_report r;
    r.end = core::attempt_end::succeeded;
    return gate.finish(b, r, at(when));
  }
  std::size_t running() {
    return gate.with(at(0), [](core::pool& p, base::instant) { return p.running(); });
  }
  std::size_t busy() {   // slots, those of abandoned attempts too
    return gate.with(at(0), [](core::pool& p, base::instant t) { return p.view(t).slots_busy; });
  }
  std::size_t waiting() {
    return gate.with(at(0), [](core::pool& p, base::instant) { return p.waiting(); });
  }

  std::deque<proxy::settlement> mail[2];   // by loop
  std::vector<core::event> events;
  proxy::pool_gate gate;
  core::worker_id worker;
};

}  // namespace weir::test
