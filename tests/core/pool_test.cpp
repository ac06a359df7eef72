// pool's public calls, one rule a case: admission, refusals, waiting, workers, shutdown.
#include "core/pool.hpp"

#include <catch2/catch.hpp>
#include <set>

#include "base/random.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {

using kind = admission::kind;

TEST_CASE("a free slot is granted at once, with attempt 1 and the batch's owner") {
  pool_kit k;
  const worker_id w = k.add("w1");
  const admission a = k.admit(0);
  REQUIRE(a.what == kind::granted);
  CHECK(a.grant.worker == w);
  CHECK(a.grant.attempt == 1);
  CHECK(a.grant.owner == 1);
  CHECK(a.grant.batch == a.batch);
  CHECK(a.grant.expected_seconds == Approx(1));
  CHECK(k.p.running() == 1);
}

TEST_CASE("a batch that finds every slot taken waits, and gets the slot that frees up") {
  pool_kit k;
  const worker_id w = k.add("w1");
  const admission first = k.admit(0);
  const admission second = k.admit(0.1);
  REQUIRE(second.what == kind::queued);
  CHECK(k.p.waiting() == 1);
  CHECK(k.finish(first.batch, attempt_end::succeeded, 1).what == verdict::kind::done);
  const auto grants = k.grants();
  REQUIRE(grants.size() == 1);
  CHECK(grants[0].batch == second.batch);
  CHECK(grants[0].owner == 2);
  CHECK(grants[0].worker == w);
  CHECK(k.p.waiting() == 0);
}

TEST_CASE("what a pool can still become decides between waiting and a refusal") {
  struct row {
    const char* what;
    bool worker, probed_up, drained, removed, scales;
    kind expected;
    refusal why;
  };
  const row rows[] = {
      {"no worker and none can come", false, false, false, false, false, kind::refused,
       refusal::no_worker},
      {"no worker, but scaling can bring one", false, false, false, false, true, kind::queued,
       refusal::none},
      {"its only worker is still being checked", true, false, false, false, false, kind::queued,
       refusal::none},
      {"its only worker is drained by an operator", true, true, true, false, false, kind::queued,
       refusal::none},
      {"its only worker is being removed", true, true, false, true, false, kind::refused,
       refusal::no_worker},
      {"its worker is up", true, true, false, false, false, kind::granted, refusal::none},
  };
  for (const row& r : rows) {
    INFO(r.what);
    pool_settings s = plain_settings();
    s.health.kind = probe_kind::http;
    if (r.scales) s.autoscale = autoscale_settings{.min = 0, .max = 3};
    pool_kit k(s);
    if (r.worker) {
      const auto w = k.add("w1");
      if (r.probed_up) k.p.probed(w, true, "", at(0));
      if (r.drained) k.p.drain(w, "maintenance", at(0));
      if (r.removed) k.p.remove_worker(w, "reload", at(0));
    }
    const admission a = k.admit(1);
    CHECK(a.what == r.expected);
    CHECK(a.why == r.why);
    if (a.what == kind::refused) CHECK(a.retry_after >= 1s);
  }
}

TEST_CASE("the queue is bounded in batches and in bytes that weir holds") {
  pool_settings s = plain_settings();
  s.queue.batches_max = 3;
  s.queue.bytes_max = 100;
  pool_kit k(s);
  k.add("w1");
  k.admit(0);
  CHECK(k.admit(0, {.held_bytes = 60}).what == kind::queued);
  const admission over = k.admit(0, {.held_bytes = 50});
  CHECK(over.why == refusal::queue_bytes_full);
  CHECK(k.admit(0, {.held_bytes = 40}).what == kind::queued);
  CHECK(k.admit(0).what == kind::queued);  // holds nothing: bytes do not matter
  CHECK(k.admit(0).why == refusal::queue_full);
  const pool_view v = k.p.view(at(0));
  CHECK(v.refused_batches == 1);
  CHECK(v.refused_bytes == 1);
  CHECK(v.waiting == 3);
  CHECK(v.waiting_bytes == 100);
}

TEST_CASE("bytes that change while a batch waits are counted, and go with it") {
  pool_kit k;
  k.add("w1");
  const auto running = k.admit(0), waiting = k.admit(0, {.held_bytes = 10});
  k.p.held_bytes(waiting.batch, 70);
  CHECK(k.p.view(at(0)).waiting_bytes == 70);
  k.p.held_bytes(waiting.batch, 5);
  k.p.held_bytes(running.batch, 999);  // runs: not the queue's
  CHECK(k.p.view(at(0)).waiting_bytes == 5);
  k.finish(running.batch, attempt_end::succeeded, 1);
  CHECK(k.p.view(at(1)).waiting_bytes == 0);
}

TEST_CASE("the smaller of the pool's and the route's wait limit evicts") {
  struct row {
    duration pool, route;
    double expected;
  };
  for (const row& r : {row{10s, 30s, 10}, {30s, 10s, 10}, {10s, base::forever, 10}}) {
    pool_settings s = plain_settings();
    s.queue.wait_max = r.pool;
    pool_kit k(s);
    k.add("w1");
    k.admit(0);
    const auto a = k.admit(1, {.wait_max = r.route});
    k.run_until(1 + r.expected - 0.001);
    CHECK(k.evictions().empty());
    k.run_until(1 + r.expected);
    const auto gone = k.evictions();
    REQUIRE(gone.size() == 1);
    CHECK(gone[0].batch == a.batch);
    CHECK(gone[0].owner == 2);
    CHECK(gone[0].why == refusal::wait_expired);
    CHECK(gone[0].retry_after >= 1s);
    CHECK_FALSE(k.p.cancel(a.batch, at(20)));
  }
}

TEST_CASE("a wait limit of nothing never queues") {
  pool_kit k;
  k.add("w1");
  CHECK(k.admit(0, {.wait_max = 0s}).what == kind::granted);
  CHECK(k.admit(0, {.wait_max = 0s}).why == refusal::wait_expired);
  CHECK(k.p.waiting() == 0);
}

TEST_CASE("a wait that runs out with no worker in service says so") {
  pool_settings s = plain_settings();
  s.health.kind = probe_kind::http;
  pool_kit k(s);
  k.add("w1");
  k.admit(0, {.wait_max = 5s});
  k.run_until(5);
  const auto gone = k.evictions();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].why == refusal::no_worker_up);
  CHECK(k.p.absence() == "1 checking");
}

TEST_CASE("a client's deadline refuses when it has passed, evicts when it passes") {
  pool_kit k;
  k.add("w1");
  CHECK(k.admit(5, {.client_deadline = at(5)}).why == refusal::deadline);
  k.admit(5);
  CHECK(k.admit(5, {.client_deadline = at(8)}).what == kind::queued);
  k.run_until(8);
  const auto gone = k.evictions();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].why == refusal::deadline);
}

TEST_CASE("no guess is held against a client's deadline before anything was learned") {
  pool_kit k;
  k.add("w1");
  for (int i = 0; i < 20; ++i) k.admit(0);
  CHECK(k.admit(0, {.client_deadline = at(1)}).what == kind::queued);
}

TEST_CASE("a deadline that the backlog cannot meet is refused at once") {
  pool_kit k;
  k.add("w1");
  double now = 0;
  for (int i = 0; i < 30; ++i) {
    const auto a = k.admit(now);
    k.finish(a.batch, attempt_end::succeeded, now += 2);
  }
  for (int i = 0; i < 11; ++i) k.admit(now);  // about 20 s of work ahead
  CHECK(k.admit(now, {.client_deadline = at(now + 5)}).why == refusal::deadline);
  CHECK(k.admit(now, {.client_deadline = at(now + 100)}).what == kind::queued);
  // One that is urgent enough to overtake them all can be met.
  CHECK(k.admit(now, {.urgency = 0, .client_deadline = at(now + 5)}).what == kind::queued);
}

TEST_CASE("urgent batches overtake, large ones are overtaken, fifo does neither") {
  for (bool fifo : {false, true}) {
    pool_settings s = plain_settings();
    if (fifo) s.queue.order = queue_order::fifo;
    pool_kit k(s);
    k.add("w1");
    const auto running = k.admit(0);
    const auto plain = k.admit(0.1);
    const auto urgent = k.admit(0.2, {.urgency = 0});
    k.finish(running.batch, attempt_end::succeeded, 1);
    CHECK(k.grants().at(0).batch == (fifo ? plain.batch : urgent.batch));
  }
}

TEST_CASE("batches of unknown size go as they came, whatever their route's mean became meanwhile") {
  pool_kit k;
  k.add("w1");
  base::random draw(3);
  std::vector<batch_id> waiting;
  batch_id running = k.admit(0).batch;
  double now = 0;
  for (int i = 0; i < 400; ++i) {
    now += 0.01;
    waiting.push_back(k.admit(now).batch);
    if (draw.below(3) == 0) continue;
    now += draw.unit() * draw.unit() * 10;
    k.finish(running, attempt_end::succeeded, now);
    const std::vector<grant> g = k.grants();
    REQUIRE(g.size() == 1);
    CHECK(g[0].batch == waiting.front());
    running = g[0].batch;
    waiting.erase(waiting.begin());
  }
}

TEST_CASE("cancelling frees the slot or the place, once") {
  pool_kit k;
  k.add("w1");
  const auto a = k.admit(0), b = k.admit(0), c = k.admit(0);
  CHECK(k.p.cancel(b.batch, at(1)));
  CHECK(k.p.waiting() == 1);
  CHECK(k.p.cancel(a.batch, at(2)));
  CHECK(k.grants().at(0).batch == c.batch);
  CHECK_FALSE(k.p.cancel(a.batch, at(3)));
  CHECK_FALSE(k.p.cancel(b.batch, at(3)));
  CHECK(k.p.running() == 1);
}

TEST_CASE("a slot given up stays taken, and its release goes to who waits") {
  pool_kit k;
  const auto w = k.add("w1");
  const auto a = k.admit(0), b = k.admit(0);
  attempt_report r;
  r.end = attempt_end::client_gone;
  r.slot_abandoned = true;
  CHECK(k.p.finish(a.batch, r, at(1)).what == verdict::kind::done);
  CHECK(k.grants().empty());
  CHECK(k.p.running() == 0);
  CHECK(k.worker(w, 1).in_flight == 1);
  k.p.release_slot(w, a.batch, at(2));
  CHECK(k.grants().at(0).batch == b.batch);
}

TEST_CASE("a paused pool admits and holds, and goes on when resumed") {
  pool_kit k;
  k.add("w1");
  k.p.pause(at(0));
  k.p.pause(at(0));
  const auto a = k.admit(1);
  CHECK(a.what == kind::queued);
  CHECK(k.p.view(at(1)).paused);
  k.p.resume(at(2));
  k.p.resume(at(2));
  CHECK(k.grants().at(0).batch == a.batch);
  std::size_t told = 0;
  for (const event& e : k.events())
    told += e.what == event::kind::pool_paused || e.what == event::kind::pool_resumed;
  CHECK(told == 2);
}

TEST_CASE("a closed pool evicts what waits, admits nothing, and lets attempts end") {
  pool_kit k;
  k.add("w1");
  const auto a = k.admit(0), b = k.admit(0);
  k.p.close(at(1));
  const auto gone = k.evictions();
  REQUIRE(gone.size() == 1);
  CHECK(gone[0].batch == b.batch);
  CHECK(gone[0].why == refusal::closing);
  CHECK(k.admit(2).why == refusal::closing);
  const verdict v = k.finish(a.batch, attempt_end::failed, 3);
  CHECK(v.what == verdict::kind::failed);
  CHECK(v.why == refusal::closing);
  CHECK(k.p.running() == 0);
}

TEST_CASE("refusals by a full queue come back spread over the time that it takes to drain") {
  pool_settings s = plain_settings();
  s.queue.batches_max = 60;
  pool_kit k(s);
  k.add("w1");
  for (int i = 0; i < 61; ++i) k.admit(0);
  std::set<std::int64_t> seconds;
  for (int i = 0; i < 60; ++i) {
    const admission a = k.admit(0);
    REQUIRE(a.why == refusal::queue_full);
    REQUIRE(a.retry_after >= 1s);
    REQUIRE(a.retry_after <= 61s);
    seconds.insert(a.retry_after / 1s);
  }
  CHECK(seconds.size() > 40);
}

TEST_CASE(
    "the place in the queue is exact with one tenant, and its eta follows the fleet's speed") {
  pool_kit k;
  k.add("w1", 2);
  for (int i = 0; i < 2; ++i) k.admit(0);
  const auto first = k.admit(0), second = k.admit(0.001), third = k.admit(0.002);
  const auto place = k.p.place(third.batch, at(1));
  REQUIRE(place);
  CHECK(place->position == 2);
  CHECK(place->cost_ahead == Approx(2));
  CHECK(place->eta_seconds == Approx(1));
  CHECK(place->exact);
  CHECK_FALSE(place->delayed);
  CHECK(k.p.place(first.batch, at(1))->position == 0);
  CHECK_FALSE(k.p.place({12345, 1}, at(1)));
  k.admit(0, {.tenant_hash = 5, .tenant = "other"});
  CHECK_FALSE(k.p.place(second.batch, at(1))->exact);
}

TEST_CASE("tenants share by cost: one tenant's dump does not hold up another's batch") {
  pool_kit k;
  k.add("w1");
  auto running = k.admit(0).batch;
  for (int i = 0; i < 50; ++i) k.admit(0, {.tenant_hash = 1, .tenant = "bulk"});
  const auto small = k.admit(1, {.tenant_hash = 2, .tenant = "small"});
  int before = 0;
  for (;; ++before) {
    k.finish(running, attempt_end::succeeded, 2 + before);
    running = k.grants().at(0).batch;
    if (running == small.batch) break;
  }
  CHECK(before <= 1);
}

TEST_CASE("workers: names are unique, the view tells what an operator needs") {
  pool_kit k;
  const auto w = k.add("w1", 4);
  CHECK_FALSE(k.add("w1"));
  CHECK(k.p.find_worker("w1") == w);
  CHECK_FALSE(k.p.find_worker("w2"));
  k.admit(0);
  k.p.drain(w, "kernel update", at(5));
  const worker_view v = k.worker(w, 8);
  CHECK(v.state == worker_state::draining);
  CHECK(v.reason == "kernel update");
  CHECK(v.in_flight == 1);
  CHECK(v.slots == 4);
  CHECK(v.seconds_in_state == Approx(3));
  CHECK(k.p.undrain(w, at(9)));
  CHECK(k.worker(w, 9).state == worker_state::up);
  k.p.remove_worker(w, "reload", at(10));
  CHECK_FALSE(k.p.undrain(w, at(11)));
}

TEST_CASE("a drained worker's waiting batches go when it is taken back") {
  pool_kit k;
  const auto w = k.add("w1");
  k.p.drain(w, "", at(0));
  const auto a = k.admit(1);
  CHECK(a.what == kind::queued);
  k.p.undrain(w, at(2));
  CHECK(k.grants().at(0).batch == a.batch);
}

TEST_CASE("a new worker takes what waits") {
  pool_kit k;
  k.add("w1");
  k.admit(0);
  const auto a = k.admit(0);
  const auto w2 = k.add("w2", 1, 1);
  REQUIRE(k.grants().at(0).batch == a.batch);
  CHECK(k.worker(w2, 1).in_flight == 1);
}

TEST_CASE("a reload keeps the queue, its order and what runs") {
  pool_kit k;
  k.add("w1");
  const auto running = k.admit(0), waiting = k.admit(0);
  pool_settings s = plain_settings();
  s.balance = balance::round_robin;
  s.queue.batches_max = 0;
  s.autoscale = autoscale_settings{};
  k.p.configure(s, at(1));
  CHECK(k.p.waiting() == 1);
  CHECK(k.p.running() == 1);
  CHECK(k.admit(1).why == refusal::queue_full);
  k.finish(running.batch, attempt_end::succeeded, 2);
  CHECK(k.grants().at(0).batch == waiting.batch);
}

TEST_CASE("can_serve: a worker is up, or one can be brought from nothing") {
  struct row {
    std::optional<autoscale_settings> scale;
    bool worker, expected;
  };
  const row rows[] = {{std::nullopt, false, false},
                      {std::nullopt, true, true},
                      {autoscale_settings{.min = 0, .max = 2}, false, true},
                      {autoscale_settings{.min = 1, .max = 2}, false, false},
                      {autoscale_settings{.min = 0, .max = 0}, false, false}};
  for (const row& r : rows) {
    pool_settings s = plain_settings();
    s.autoscale = r.scale;
    pool_kit k(s);
    if (r.worker) k.add("w1");
    CHECK(k.p.can_serve() == r.expected);
  }
}

TEST_CASE("pages of the queue name tenant, route, label and size") {
  pool_kit k;
  k.add("w1");
  const auto route = k.p.route("orders");
  k.admit(0);
  k.admit(0, {.route = route, .tenant_hash = 3, .tenant = "acme", .label = "b-1", .urgency = 1});
  k.admit(0, {.route = route, .tenant_hash = 3, .tenant = "acme", .label = "b-2"});
  const queue_page page = k.p.queue(0, 1, at(2));
  CHECK(page.total == 2);
  REQUIRE(page.items.size() == 1);
  CHECK(page.items[0].label == "b-1");
  CHECK(page.items[0].tenant == "acme");
  CHECK(page.items[0].route == "orders");
  CHECK(page.items[0].urgency == 1);
  CHECK(page.items[0].waited_seconds == Approx(2));
  CHECK(page.items[0].cost == Approx(1));
  CHECK(k.p.queue(1, 10, at(2)).items.at(0).label == "b-2");
}

TEST_CASE("tenants beyond tenants_max share one account, and that is counted") {
  pool_settings s = plain_settings();
  s.queue.tenants_max = 1;
  pool_kit k(s);
  k.add("w1");
  k.admit(0);
  for (std::uint64_t t = 1; t <= 3; ++t)
    k.admit(0, {.tenant_hash = t, .tenant = "t" + std::to_string(t)});
  CHECK(k.p.view(at(0)).tenants == 2);
  CHECK(k.p.view(at(0)).tenants_folded == 2);
}

TEST_CASE("tenants that come and go do not use up tenants_max") {
  pool_settings s = plain_settings();
  s.queue.tenants_max = 2;
  pool_kit k(s);
  k.add("w1");
  for (std::uint64_t t = 1; t <= 200; ++t) {
    const auto a = k.admit(0, {.tenant_hash = t, .tenant = "t" + std::to_string(t)});
    t % 2 == 0 ? void(k.p.cancel(a.batch, at(0)))
               : void(k.finish(a.batch, attempt_end::succeeded, 0));
  }
  CHECK(k.p.view(at(0)).tenants_folded == 0);
}

TEST_CASE("an idle pool without probes has nothing to do, ever") {
  pool_kit k;
  k.add("w1");
  CHECK(k.p.next_deadline() == base::never);
}

}  // namespace weir::core::test
