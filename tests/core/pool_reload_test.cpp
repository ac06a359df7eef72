// configure(): each setting alone, what it changes from now on, and what it leaves as it was.
#include <catch2/catch.hpp>

#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

using kind = admission::kind;

pool_settings with(void (*change)(pool_settings&)) {
  pool_settings s = plain_settings();
  change(s);
  return s;
}

}  // namespace

TEST_CASE("a smaller queue refuses new batches and keeps those that wait") {
  pool_kit k;
  k.add("w1");
  for (int i = 0; i < 6; ++i) k.admit(0);
  k.p.configure(with([](pool_settings& s) { s.queue.batches_max = 2; }), at(1));
  CHECK(k.p.waiting() == 5);
  CHECK(k.admit(1).why == refusal::queue_full);
  k.p.configure(with([](pool_settings& s) { s.queue.batches_max = 6; }), at(2));
  CHECK(k.admit(2).what == kind::queued);
}

TEST_CASE("smaller byte bounds refuse new bytes only") {
  pool_kit k;
  k.add("w1");
  k.admit(0);
  k.admit(0, {.held_bytes = 500});
  k.p.configure(with([](pool_settings& s) { s.queue.bytes_max = 100; }), at(1));
  CHECK(k.admit(1, {.held_bytes = 1}).why == refusal::queue_bytes_full);
  CHECK(k.admit(1).what == kind::queued);
  CHECK(k.p.view(at(1)).waiting_bytes == 500);
}

TEST_CASE("a batch keeps the wait limit that it came with") {
  pool_kit k(with([](pool_settings& s) { s.queue.wait_max = 20s; }));
  k.add("w1");
  k.admit(0);
  k.admit(0);
  k.p.configure(with([](pool_settings& s) { s.queue.wait_max = 5s; }), at(1));
  k.admit(1);
  k.run_until(6);
  CHECK(k.evictions().size() == 1);  // the newer one
  k.run_until(20);
  CHECK(k.evictions().size() == 1);
}

TEST_CASE("a new order holds for batches to come, those that wait keep their keys") {
  pool_kit k(with([](pool_settings& s) { s.queue.order = queue_order::fifo; }));
  k.add("w1");
  const auto running = k.admit(0);
  const auto plain = k.admit(1), urgent_by_fifo = k.admit(2, {.urgency = 0});
  k.p.configure(plain_settings(), at(3));
  const auto urgent = k.admit(3, {.urgency = 0});
  std::vector<batch_id> order;
  batch_id now_running = running.batch;
  for (int i = 0; i < 3; ++i) {
    k.finish(now_running, attempt_end::succeeded, 4 + i);
    now_running = k.grants().at(0).batch;
    order.push_back(now_running);
  }
  CHECK(order == std::vector{urgent.batch, plain.batch, urgent_by_fifo.batch});
}

TEST_CASE("every balance can become every other without losing a worker or a grant") {
  for (int from = 0; from < 6; ++from)
    for (int to = 0; to < 6; ++to) {
      INFO(from << " to " << to);
      pool_settings s = plain_settings();
      s.balance = static_cast<balance>(from);
      pool_kit k(s);
      k.add("w1", 2);
      k.add("w2", 2);
      const auto a = k.admit(0);
      s.balance = static_cast<balance>(to);
      k.p.configure(s, at(1));
      for (int i = 0; i < 3; ++i) CHECK(k.admit(1).what == kind::granted);
      CHECK(k.admit(1).what == kind::queued);
      k.finish(a.batch, attempt_end::succeeded, 2);
      CHECK(k.grants().size() == 1);
    }
}

TEST_CASE("learned rates and costs outlive a reload") {
  pool_kit k;
  k.add("w1");
  const auto route = k.p.route("r");
  for (int i = 0; i < 20; ++i) {
    const auto a = k.admit(i * 10, {.route = route, .units = 10});
    k.finish(a.batch, attempt_end::succeeded, i * 10 + 5);
  }
  const double before = k.admit(200, {.route = route, .units = 10}).grant.expected_seconds;
  pool_settings s = plain_settings();
  s.balance = balance::first;
  s.slow_start = 10s;
  k.p.configure(s, at(201));
  k.add("w2", 1, 201);
  const auto a = k.admit(201, {.route = route, .units = 10});
  CHECK(a.grant.expected_seconds == Approx(before).epsilon(0.3));
  CHECK(k.p.route("r") == route);
}

TEST_CASE("ejections, drains and rests outlive a reload") {
  pool_settings s = plain_settings();
  s.ejection.outage_share = 1;
  pool_kit k(s);
  const auto bad = k.add("bad"), drained = k.add("drained");
  for (const char* n : {"a", "b"}) k.add(n);
  k.p.drain(drained, "mine", at(0));
  while (k.worker(bad, 0).state != worker_state::ejected) {
    const auto a = k.admit(0);
    k.finish(a.batch, a.grant.worker == bad ? attempt_end::failed : attempt_end::succeeded, 0,
             false);
  }
  s.slow_start = 5s;
  s.balance = balance::round_robin;
  k.p.configure(s, at(1));
  CHECK(k.worker(bad, 1).state == worker_state::ejected);
  CHECK(k.worker(drained, 1).state == worker_state::draining);
  CHECK(k.worker(drained, 1).reason == "mine");
}

TEST_CASE("probes switched off bring everybody up, switched on keep them up") {
  pool_settings probed = with([](pool_settings& s) { s.health.kind = probe_kind::tcp; });
  pool_kit k(probed);
  const auto w = k.add("w1");
  const auto a = k.admit(0);
  CHECK(a.what == kind::queued);
  k.p.configure(plain_settings(), at(1));
  CHECK(k.grants().at(0).batch == a.batch);
  k.p.configure(probed, at(2));
  CHECK(k.worker(w, 2).state == worker_state::saturated);
  k.probes();
  k.run_until(20);
  CHECK_FALSE(k.probes().empty());
}

TEST_CASE("a shorter abandoned_hold holds for slots abandoned from now on") {
  pool_kit k;
  const auto w = k.add("w1", 2);
  attempt_report r;
  r.end = attempt_end::client_gone;
  r.slot_abandoned = true;
  k.p.finish(k.admit(0).batch, r, at(0));
  k.p.configure(with([](pool_settings& s) { s.abandoned_hold = 2s; }), at(0));
  k.p.finish(k.admit(0).batch, r, at(0));
  k.run_until(2);
  CHECK(k.worker(w, 2).in_flight == 1);
  k.run_until(30);
  CHECK(k.worker(w, 30).in_flight == 0);
}

TEST_CASE("a longer busy_rest_min makes busy workers rest longer") {
  pool_kit k;
  const auto w = k.add("w1");
  k.p.configure(with([](pool_settings& s) { s.busy_rest_min = 3s; }), at(0));
  k.finish(k.admit(0).batch, attempt_end::busy, 0, false);
  k.run_until(2.9);
  CHECK(k.worker(w, 2.9).resting);
  k.run_until(3);
  CHECK_FALSE(k.worker(w, 3).resting);
}

TEST_CASE("fewer workers_max refuses more workers and keeps those there are") {
  pool_kit k;
  for (const char* n : {"a", "b", "c"}) k.add(n);
  k.p.configure(with([](pool_settings& s) { s.workers_max = 1; }), at(1));
  CHECK(k.p.workers(at(1)).size() == 3);
  CHECK_FALSE(k.add("d"));
  CHECK(k.p.view(at(1)).refused_workers == 1);
}

TEST_CASE("a new retry budget holds at once") {
  pool_kit k(with([](pool_settings& s) { s.retry_budget = {.ratio = 0, .min = 0}; }));
  k.add("w1");
  k.add("w2");
  CHECK(k.finish(k.admit(0).batch, attempt_end::failed, 0).what == verdict::kind::failed);
  k.p.configure(with([](pool_settings& s) { s.retry_budget = {.ratio = 0, .min = 1}; }), at(1));
  CHECK(k.finish(k.admit(1).batch, attempt_end::failed, 1).what == verdict::kind::waiting);
  CHECK(k.finish(k.admit(1).batch, attempt_end::failed, 1).what == verdict::kind::failed);
}

TEST_CASE("the demand that scaling sees is the same after its time limit moved there and back") {
  pool_settings s =
      with([](pool_settings& x) { x.autoscale = autoscale_settings{.min = 1, .max = 9}; });
  pool_kit a(s), b(s);
  for (pool_kit* k : {&a, &b}) {
    k->add("w1");
    for (int i = 0; i < 30; ++i) k->admit(0);
  }
  pool_settings moved = s;
  moved.autoscale->objective = 10min;
  b.p.configure(moved, at(0));
  b.p.configure(s, at(0));
  a.run_until(40);
  b.run_until(40);
  const auto da = a.take(a.p.pending().decisions), db = b.take(b.p.pending().decisions);
  REQUIRE(da.size() == db.size());
  for (std::size_t i = 0; i < da.size(); ++i) CHECK(da[i].desired == db[i].desired);
}

}  // namespace weir::core::test
