// Winding down: what may still be served is served, what cannot be is answered soon.
#include <catch2/catch.hpp>

#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

// Probes that the test answers, one verdict each; a refused batch would wait for an hour.
struct shutdown_kit : pool_kit {
  static pool_settings settings() {
    pool_settings s = plain_settings();
    s.health = {.kind = probe_kind::tcp, .interval = 10ms, .fast_interval = 10ms,
                .down_interval_max = 10ms, .timeout = 100s, .fall = 1, .rise = 1, .jitter = 0};
    s.queue.wait_max = 1h;
    return s;
  }
  shutdown_kit() : pool_kit(settings()) {}
  void probe(worker_id w, bool good, double when) {
    run_until(when);
    p.probed(w, good, "", at(when));
  }
};

}  // namespace

TEST_CASE("winding down, what nobody can serve is answered within seconds, the rest is served") {
  enum class cause { serving, down, checking, draining, none, paused, down_then_up };
  struct row {
    cause why;
    bool evicted;
  };
  const row rows[] = {{cause::serving, false},  {cause::down, true}, {cause::checking, true},
                      {cause::draining, true},  {cause::none, true}, {cause::paused, true},
                      {cause::down_then_up, false}};
  for (const row& r : rows) {
    INFO(static_cast<int>(r.why));
    shutdown_kit k;
    const worker_id w = k.add("w1");
    if (r.why != cause::checking) k.probe(w, true, 0);
    const admission runs = k.admit(0);   // takes the slot, when there is one
    const admission waits = k.admit(0);
    REQUIRE(waits.what == admission::kind::queued);
    if (r.why == cause::down || r.why == cause::down_then_up) k.probe(w, false, 1);
    if (r.why == cause::draining) k.p.drain(w, "", at(1));
    if (r.why == cause::none) k.p.remove_worker(w, "", at(1));
    if (r.why == cause::paused) k.p.pause(at(1));
    k.run_until(20);
    CHECK(k.evictions().empty());        // not before weir winds down
    k.p.wind_down(at(20));
    k.run_until(24);
    CHECK(k.evictions().empty());
    if (r.why == cause::down_then_up) k.probe(w, true, 24);
    k.run_until(60);
    const auto gone = k.evictions();
    CHECK(gone.empty() == !r.evicted);
    for (const eviction& e : gone) CHECK(e.why == refusal::closing);
    if (r.evicted) continue;
    CHECK(k.finish(runs.batch, attempt_end::succeeded, 61).what == verdict::kind::done);
    const auto next = k.grants();
    REQUIRE(next.size() == 1);
    CHECK(next[0].batch == waits.batch);
    CHECK(k.finish(waits.batch, attempt_end::succeeded, 62).what == verdict::kind::done);
  }
}

TEST_CASE("winding down, a worker that goes down starts the patience anew each time") {
  shutdown_kit k;
  const worker_id w = k.add("w1");
  k.probe(w, true, 0);
  k.admit(0);
  k.admit(0);
  k.p.wind_down(at(1));
  k.probe(w, false, 2);
  k.probe(w, true, 5);
  k.probe(w, false, 6);
  k.run_until(10.9);
  CHECK(k.evictions().empty());
  k.run_until(11.1);
  CHECK(k.evictions().size() == 1);
  // Whoever comes back from a worker then is not kept waiting either.
  const admission late = k.admit(12);
  CHECK(late.what == admission::kind::queued);
  k.run_until(12.1);
  CHECK(k.evictions().size() == 1);
}

TEST_CASE("winding down, an ejected worker is waited for: it comes back by time alone") {
  pool_settings s = plain_settings();
  s.queue.wait_max = 1h;
  s.ejection.outage_share = 1;
  pool_kit k(s);
  const worker_id a = k.add("a"), b = k.add("b");
  for (int i = 0; i < 5; ++i) {
    const admission x = k.admit(i), y = k.admit(i);
    const batch_id on_a = x.grant.worker == a ? x.batch : y.batch;
    k.finish(on_a, attempt_end::failed, i + 0.1, false);
    k.finish(on_a == x.batch ? y.batch : x.batch, attempt_end::succeeded, i + 0.1);
  }
  REQUIRE(k.worker(a, 5).state == worker_state::ejected);
  k.p.drain(b, "", at(5));
  const admission waits = k.admit(5);
  k.p.wind_down(at(5));
  k.run_until(40);
  CHECK(k.evictions().empty());
  const auto next = k.grants();
  REQUIRE(next.size() == 1);
  CHECK(next[0].batch == waits.batch);
}

TEST_CASE("winding down asks for no workers") {
  pool_settings s = plain_settings();
  s.autoscale = autoscale_settings{.min = 0, .max = 9};
  pool_kit k(s);
  k.p.wind_down(at(0));
  k.admit(1);
  k.run_until(4);
  CHECK(k.p.pending().decisions.empty());
  CHECK(k.p.view(at(4)).scaling_holds == "weir is shutting down");
}

}  // namespace weir::core::test
