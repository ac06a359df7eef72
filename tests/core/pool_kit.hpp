// A pool in a made-up time, with the few words that its tests are written in. Times are seconds
// since the start.
#pragma once

#include <string>
#include <vector>

#include "core/pool.hpp"

namespace weir::core::test {

inline instant at(double seconds) {
  return instant{} + base::from_seconds(1000 + seconds);
}

// Probes off, slow start off: workers are up as soon as they are added.
inline pool_settings plain_settings() {
  pool_settings s;
  s.name = "loaders";
  s.health.kind = probe_kind::none;
  s.slow_start = 0s;
  return s;
}

inline worker_settings worker_named(std::string name, std::uint32_t slots = 1) {
  worker_settings w;
  w.name = std::move(name);
  w.slots = slots;
  return w;
}

struct pool_kit {
  explicit pool_kit(pool_settings settings = plain_settings())
      : p(std::move(settings), 42, at(0)) {}

  worker_id add(std::string name, std::uint32_t slots = 1, double when = 0) {
    return p.add_worker(worker_named(std::move(name), slots), at(when));
  }
  admission admit(double when, batch_facts f = {}) {
    f.owner = ++owners;
    return p.admit(f, at(when));
  }
  verdict finish(batch_id b, attempt_end end, double when, bool may_retry = true) {
    attempt_report r;
    r.end = end;
    r.may_retry = may_retry;
    return p.finish(b, r, at(when));
  }
  std::vector<grant> grants() { return take(p.pending().grants); }
  std::vector<eviction> evictions() { return take(p.pending().evictions); }
  std::vector<event> events() { return take(p.pending().events); }
  std::vector<probe_order> probes() { return take(p.pending().probes); }
  worker_view worker(worker_id id, double when) {
    for (const worker_view& w : p.workers(at(when)))
      if (w.id == id) return w;
    return {};
  }
  // Calls expire() at each deadline up to `until`.
  void run_until(double until) {
    while (p.next_deadline() <= at(until)) p.expire(p.next_deadline());
  }

  template <class T>
  static std::vector<T> take(std::vector<T>& from) {
    std::vector<T> all = std::move(from);
    from.clear();
    return all;
  }

  pool p;
  std::uint64_t owners = 0;
};

}  // namespace weir::core::test
