// Durable batches that wait on disk only: when they are loaded, where they stand, and how the views
// and scaling count them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

#include "core/durable_kit.hpp"
#include "core/pool.hpp"

namespace weir::core::test {
namespace {

using ak = admission::kind;

pool_settings windowed(std::uint32_t window) {
  pool_settings s = plain_settings();
  s.durable.window = window;
  return s;
}

}  // namespace

TEST_CASE("beyond the window they stay on disk, and are loaded as the window runs empty") {
  durable_kit k(windowed(8));
  k.add("w1");
  const auto first = k.submit(0);
  for (int i = 0; i < 8; ++i) CHECK(k.submit(0).what == ak::queued);
  for (int i = 0; i < 20; ++i) CHECK(k.submit(0).what == ak::stored);
  CHECK(k.p.waiting() == 8);
  CHECK(k.view(0).stored == 20);
  CHECK(k.view(0).stored_bytes == 2000);
  CHECK(k.view(0).waiting == 28);
  CHECK(k.view(0).durable_batches == 29);
  CHECK(k.load(0) == 0);
  batch_id runs = first.batch;
  std::vector<std::int64_t> order{k.ids[runs]};
  for (double now = 1; now < 40; ++now) {
    k.finish(runs, attempt_end::succeeded, now);
    k.load_all(now);
    CHECK(k.p.waiting() <= 16);
    const auto grants = k.grants();
    if (grants.empty()) break;
    REQUIRE(grants.size() == 1);
    runs = grants[0].batch;
    order.push_back(k.ids[runs]);
  }
  CHECK(order.size() == 29);
  CHECK(std::ranges::is_sorted(order));
  CHECK(k.view(100).durable_batches == 0);
  CHECK(k.view(100).stored == 0);
  CHECK(k.view(100).waiting_cost == 0);
}

TEST_CASE("lanes that were there at the start are loaded at once, and counted from then on") {
  durable_kit k(windowed(100));
  const auto route = k.p.route("r");
  REQUIRE(route == 0);
  k.restore(0, 1, 1000, 2);
  k.restore(0, 2, 10, 2);
  const pool_view v = k.view(0);
  CHECK(v.stored == 1010);
  CHECK(v.waiting == 1010);
  CHECK(v.durable_batches == 1010);
  CHECK(v.durable_bytes == 101000);
  CHECK(v.stored_cost == Approx(v.waiting_cost));
  k.load_all(0);
  CHECK(k.p.waiting() >= 50);
  CHECK(k.p.waiting() <= 200);
  CHECK(k.view(0).waiting == 1010);
  CHECK(k.view(0).waiting_cost == Approx(v.waiting_cost));
  for (const auto& [place, r] : k.records[2]) CHECK_FALSE(r.queued);
}

TEST_CASE("a lane that is forgotten counts no more, and may be restored") {
  durable_kit k(windowed(100));
  REQUIRE(k.p.route("r") == 0);
  k.restore(0, 1, 1000, 2);
  k.load_all(0);
  const auto in_pool = k.p.waiting();
  k.p.forget_lane(1, at(1));
  CHECK(k.view(1).stored == 0);
  CHECK(k.view(1).waiting == in_pool);
  CHECK(k.view(1).durable_batches == in_pool);
  k.p.forget_lane(99, at(1));   // nobody knows it
  k.p.restore_lane({.lane = 1, .route = 0, .tenant = "tenant-1", .tenant_hash = 1001,
                    .batches = 1000 - in_pool, .bytes = 100, .units = 2, .oldest = 0s},
                   at(2));
  CHECK(k.view(2).waiting == 1000);
  k.load_all(2);
  CHECK(k.view(2).stored < 1000 - in_pool + 1);
}

TEST_CASE("a loaded batch that finds a free slot is granted it at once") {
  durable_kit k(windowed(4));
  k.restore(0, 1, 3);
  k.add("w1", 2);
  k.load_all(1);
  CHECK(k.at_once.size() == 2);
  CHECK(k.p.waiting() == 1);
}

TEST_CASE("a store that cannot read is asked again") {
  durable_kit k(windowed(4));
  k.restore(0, 1, 3);
  k.take(k.p.pending().loads);
  k.p.load_failed(1, at(0));
  CHECK(k.load(0.5) == 0);
  k.run_until(1);
  CHECK(k.load(1) == 1);
  CHECK(k.view(1).stored == 0);
  k.p.load_failed(77, at(1));
  k.p.loaded(77, 1, 1, at(1));
}

TEST_CASE("what the store has fewer of than was counted is counted no more") {
  durable_kit k(windowed(4));
  k.restore(0, 1, 50);
  for (auto& [place, r] : k.records[1]) r.queued = place <= 2;
  k.load_all(0);
  CHECK(k.p.waiting() == 2);
  CHECK(k.view(0).stored == 0);
  CHECK(k.view(0).durable_batches == 2);
  CHECK(k.view(0).durable_bytes == 200);
}

TEST_CASE("the place of one on disk is told from its place in its lane and the others' turns") {
  durable_kit k(windowed(16));
  k.add("w1");
  for (int i = 0; i < 117; ++i) k.submit(0);
  REQUIRE(k.view(0).stored == 100);
  const auto first = k.p.stored_place(1, 18, at(0)), last = k.p.stored_place(1, 117, at(0));
  REQUIRE((first && last));
  CHECK_FALSE(first->exact);
  CHECK(first->position == Approx(16).margin(2));
  CHECK(last->position == Approx(115).margin(2));
  CHECK(last->in_time);
  CHECK(last->eta_seconds > first->eta_seconds);
  CHECK_FALSE(k.p.stored_place(1, 17, at(0)));   // in the pool
  CHECK_FALSE(k.p.stored_place(5, 18, at(0)));   // no such lane
  // Ten of another tenant take their turns before it, but no more than ten.
  k.restore(0, 2, 10);
  CHECK(k.p.stored_place(1, 117, at(0))->position == Approx(125).margin(2));
  CHECK(k.p.stored_place(1, 18, at(0))->position == Approx(26).margin(2));
  k.p.pause(at(0));
  CHECK_FALSE(k.p.stored_place(1, 117, at(0))->in_time);
}

TEST_CASE("what is on disk asks for workers as what is in memory does") {
  pool_settings s = windowed(10);
  s.autoscale.emplace();
  s.autoscale->max = 50;
  s.autoscale->sustain = 0s;
  s.autoscale->objective = 90s;
  s.autoscale->startup_time = 30s;
  std::uint32_t desired[2] = {0, 0};
  for (const bool on_disk : {false, true}) {
    s.durable.window = on_disk ? 10 : 10'000;
    durable_kit k(s);
    k.add("w1");
    for (int i = 0; i < 600; ++i) k.submit(0);
    k.run_until(11);
    const pool_view v = k.view(11);
    CHECK(v.waiting == 599);
    CHECK(v.stored == (on_disk ? 589u : 0u));
    CHECK(v.waiting_cost == Approx(599));
    CHECK(v.waiting_bytes == 59900);
    CHECK(v.oldest_seconds == Approx(11));
    const auto decisions = k.take(k.p.pending().decisions);
    REQUIRE_FALSE(decisions.empty());
    CHECK(decisions.back().backlog_batches == 599);
    CHECK(decisions.back().backlog_cost == Approx(599));
    desired[on_disk] = decisions.back().desired;
  }
  CHECK(desired[0] > 5);
  CHECK(desired[1] == desired[0]);
}

TEST_CASE("what is learned of a route values anew what waits on disk") {
  pool_settings s = windowed(4);
  s.autoscale.emplace();
  durable_kit k(s);
  k.add("w1");
  k.restore(0, 1, 1000, 5);
  CHECK(k.view(0).stored_cost == Approx(1000));   // a second each, for want of anything better
  k.load_all(0);
  REQUIRE(k.at_once.size() == 1);
  batch_id runs = k.at_once[0].batch;
  double now = 0;
  for (int i = 0; i < 30; ++i) {
    k.finish(runs, attempt_end::succeeded, now += 0.01);
    k.load_all(now);
    runs = k.grants().at(0).batch;
  }
  CHECK(k.view(now).waiting_cost == Approx(9.7).epsilon(0.1));
  CHECK(k.view(now).stored_cost == Approx(9.7).epsilon(0.1));
  k.run_until(6);   // a tick of scaling
  CHECK(k.view(6).stored_cost == Approx(9.7).epsilon(0.1));
}

TEST_CASE("a tenant's million waits beside another's ten without keeping them") {
  durable_kit k(windowed(64));
  k.add("w1");
  const auto runs = k.submit(0, 1);
  for (int i = 0; i < 3000; ++i) k.submit(0, 1);
  std::vector<batch_id> ten;
  for (int i = 0; i < 10; ++i) k.submit(1, 2);
  batch_id now_runs = runs.batch;
  int served = 0, turns = 0;
  for (double now = 2; served < 10 && turns < 100; ++now, ++turns) {
    k.finish(now_runs, attempt_end::succeeded, now);
    k.load_all(now);
    now_runs = k.grants().at(0).batch;
    const std::int64_t place = k.ids[now_runs];
    served += place > 3001;
  }
  CHECK(served == 10);
  CHECK(turns <= 25);   // every other turn is theirs
}

}  // namespace weir::core::test
