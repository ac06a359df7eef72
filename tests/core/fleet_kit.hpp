// A fleet in a made-up time, alone: what a pool would do to it, the tests do. Times are seconds
// since the start.
#pragma once

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>
#include <vector>

#include "core/fleet.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {

struct fleet_bench {
  explicit fleet_bench(pool_settings s = plain_settings())
      : settings(std::move(s)), f(settings, out, 5, at(0)) {}

  worker_id add(std::string name, std::uint32_t slots = 1, double when = 0, bool backup = false) {
    worker_settings w = worker_named(std::move(name), slots);
    w.backup = backup;
    return f.add(w, at(when));
  }
  attempt_id start(worker_id w, double when, std::uint32_t batch = 1, double est = 1) {
    cost_estimate e;
    e.seconds = est;
    e.log_seconds = std::log(est);
    e.has_units = true;
    return f.start(w, {batch, 1}, e, e.seconds, at(when));
  }
  worker_id pick(std::vector<worker_id> excluded = {}) { return f.pick(0, excluded); }
  void run_until(double until) {
    while (f.next_deadline() <= at(until)) f.expire(f.next_deadline());
  }
  worker_state state(worker_id w, double when = 0) { return f.view(w, at(when)).state; }
  std::size_t events(event::kind what) {
    return static_cast<std::size_t>(std::ranges::count(out.events, what, &event::what));
  }

  pool_settings settings;
  effects out;
  fleet f;
};

inline pool_settings probed_settings() {
  pool_settings s = plain_settings();
  s.health.kind = probe_kind::http;
  return s;
}

}  // namespace weir::core::test
