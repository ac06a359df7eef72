// next_deadline(): what a pool waits for, one cause a case, and that nothing else wakes it.
#include <catch2/catch.hpp>

#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

// Without what runs: no refresh of rates in the way.
struct quiet {
  explicit quiet(pool_settings s = plain_settings()) : k(std::move(s)) {}
  double next() { return base::to_seconds(k.p.next_deadline() - at(0)); }
  bool never() { return k.p.next_deadline() == base::never; }
  pool_kit k;
};

pool_settings probing() {
  pool_settings s = plain_settings();
  s.health.kind = probe_kind::http;
  s.health.jitter = 0;
  return s;
}

}  // namespace

TEST_CASE("a pool with nothing in it waits for nothing") {
  quiet q;
  CHECK(q.never());
  q.k.add("w1");
  CHECK(q.never());
}

TEST_CASE("a batch that waits: its wait limit or its client's deadline, whichever is first") {
  for (double deadline : {7.0, 99.0}) {
    quiet q(probing());
    q.k.add("w1");
    q.k.probes();
    q.k.p.drain(*q.k.p.find_worker("w1"), "", at(0));
    batch_facts f;
    f.wait_max = 9s;
    f.client_deadline = at(deadline);
    const auto a = q.k.admit(1, f);
    const double end = std::min(deadline, 10.0);
    q.k.run_until(end - 0.001);
    CHECK(q.k.evictions().empty());
    q.k.run_until(end);
    CHECK(q.k.evictions().size() == 1);
    CHECK_FALSE(q.k.p.cancel(a.batch, at(end)));
  }
}

TEST_CASE("the deadline of a batch goes with it") {
  pool_settings s = plain_settings();
  quiet q(s);
  q.k.add("w1");
  q.k.p.pause(at(0));
  const auto a = q.k.admit(0, {.wait_max = 10s}), b = q.k.admit(0, {.wait_max = 20s});
  CHECK(q.next() == Approx(10));
  q.k.p.cancel(a.batch, at(1));
  CHECK(q.next() == Approx(20));
  q.k.p.cancel(b.batch, at(1));
  CHECK(q.never());
}

TEST_CASE("an attempt that runs: a refresh of the rates every 100 ms") {
  quiet q;
  q.k.add("w1");
  const auto a = q.k.admit(3);
  CHECK(q.next() == Approx(3.1));
  q.k.finish(a.batch, attempt_end::succeeded, 3.05);
  q.k.p.expire(at(3.1));
  CHECK(q.never());
}

TEST_CASE("a backoff: within its bounds, and then the batch is granted") {
  quiet q;
  q.k.add("w1");
  batch_facts f;
  f.retry.backoff_base = 2s;
  const auto a = q.k.admit(0, f);
  q.k.finish(a.batch, attempt_end::failed, 0);
  q.k.run_until(2);
  CHECK(q.k.grants().size() == 1);
}

TEST_CASE("a worker that rests, an abandoned slot, an ejection: each ends in its time") {
  pool_settings s = plain_settings();
  s.ejection.outage_share = 1;
  quiet q(s);
  const auto w = q.k.add("w1", 8);
  for (const char* n : {"a", "b", "c"}) q.k.add(n, 8);
  while (q.k.worker(w, 0).state != worker_state::ejected) {
    const auto a = q.k.admit(0);
    const bool hit = a.grant.worker == w;
    q.k.finish(a.batch, hit ? attempt_end::failed : attempt_end::client_gone, 0, false);
  }
  q.k.run_until(1);
  attempt_report gone;
  gone.end = attempt_end::client_gone;
  gone.slot_abandoned = true;
  q.k.p.finish(q.k.admit(1).batch, gone, at(1));
  q.k.run_until(29.99);
  CHECK(q.k.worker(w, 29.99).state == worker_state::ejected);
  q.k.run_until(30);
  CHECK(q.k.worker(w, 30).state == worker_state::up);
  CHECK(q.k.p.view(at(30)).slots_busy == 1);
  q.k.run_until(31);
  CHECK(q.k.p.view(at(31)).slots_busy == 0);
  q.k.run_until(32);
  CHECK(q.never());
}

TEST_CASE("probes: at once, then by their interval") {
  quiet q(probing());
  const auto w = q.k.add("w1");
  REQUIRE(q.k.probes().size() == 1);
  q.k.p.probed(w, true, "", at(0));
  CHECK(q.next() <= 5.001);
  q.k.run_until(5.01);
  CHECK(q.k.probes().size() == 1);
}

TEST_CASE("slow start: a step for each slot, then quiet") {
  pool_settings s = plain_settings();
  s.slow_start = 10s;
  s.ejection.outage_share = 1;
  s.ejection.base_time = 1s;
  quiet q(s);
  const auto w = q.k.add("w1", 10);
  for (const char* n : {"a", "b"}) q.k.add(n, 10);
  while (q.k.worker(w, 0).state != worker_state::ejected) {
    const auto a = q.k.admit(0);
    q.k.finish(a.batch, a.grant.worker == w ? attempt_end::failed : attempt_end::client_gone, 0,
               false);
  }
  q.k.run_until(1);  // back, with 3 of 10
  CHECK(q.k.worker(w, 1).slots_open == 3);
  int steps = 0;
  std::uint32_t open = 3;
  while (!q.never()) {
    const instant due = q.k.p.next_deadline();
    q.k.p.expire(due);
    const auto now_open = q.k.worker(w, base::to_seconds(due - at(0))).slots_open;
    CHECK(now_open >= open);
    open = now_open;
    REQUIRE(++steps < 20);
  }
  CHECK(open == 10);
}

TEST_CASE("autoscaling: a tick every 5 s, until the pool is closed") {
  pool_settings s = plain_settings();
  s.autoscale = autoscale_settings{};
  quiet q(s);
  CHECK(q.next() == Approx(5));
  q.k.p.expire(at(5));
  CHECK(q.next() == Approx(10));
  q.k.p.close(at(6));
  CHECK(q.never());
}

TEST_CASE("calling expire() early or twice does no harm") {
  quiet q;
  q.k.add("w1");
  q.k.admit(0);
  q.k.admit(0, {.wait_max = 10s});
  for (double t : {0.0, 0.0, 1.0, 1.0, 9.9}) q.k.p.expire(at(t));
  CHECK(q.k.evictions().empty());
  q.k.p.expire(at(10));
  q.k.p.expire(at(10));
  CHECK(q.k.evictions().size() == 1);
}

TEST_CASE("a late tick does all that was due at once") {
  quiet q;
  q.k.add("w1");
  q.k.admit(0);
  for (int i = 1; i <= 20; ++i) q.k.admit(0, {.wait_max = std::chrono::seconds(i)});
  q.k.p.expire(at(100));
  CHECK(q.k.evictions().size() == 20);
  CHECK(q.k.p.waiting() == 0);
}

}  // namespace weir::core::test
