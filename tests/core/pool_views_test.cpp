// What a pool shows of itself adds up, in rest and in work.
#include <catch2/catch.hpp>
#include <cmath>
#include <set>

#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {

TEST_CASE("an empty pool's view is all zeros but its name") {
  pool_kit k;
  const pool_view v = k.p.view(at(5));
  CHECK(v.name == "loaders");
  CHECK(v.waiting + v.running + v.delayed + v.workers + v.slots + v.tenants == 0);
  CHECK(v.waiting_cost == 0);
  CHECK(v.oldest_seconds == 0);
  CHECK(v.drain_seconds == 0);
  CHECK_FALSE(v.paused);
  CHECK_FALSE(v.closed);
  CHECK_FALSE(v.outage);
  CHECK_FALSE(v.desired);
  CHECK(k.p.workers(at(5)).empty());
  CHECK(k.p.queue(0, 10, at(5)).items.empty());
}

TEST_CASE("slots, workers and what waits are counted") {
  pool_kit k;
  k.add("w1", 2);
  const auto w2 = k.add("w2", 3);
  k.p.drain(w2, "", at(0));
  for (int i = 0; i < 5; ++i)
    k.admit(i, {.tenant_hash = 1u + (i % 2u), .tenant = i % 2 ? "odd" : "even"});
  const pool_view v = k.p.view(at(10));
  CHECK(v.workers == 2);
  CHECK(v.workers_up == 1);
  CHECK(v.slots == 5);
  CHECK(v.slots_busy == 2);
  CHECK(v.running == 2);
  CHECK(v.waiting == 3);
  CHECK(v.waiting_cost == Approx(3));
  CHECK(v.tenants == 2);
  CHECK(v.oldest_seconds == Approx(8));
  CHECK(v.drain_seconds == Approx(3 * 9.5 / 2).epsilon(0.01));  // a second each? They run for 9.5
  CHECK(k.p.waiting() == 3);
  CHECK(k.p.running() == 2);
}

TEST_CASE("the oldest is the one that has waited longest, whatever its key") {
  pool_kit k;
  k.add("w1");
  k.admit(0);
  const auto first = k.admit(1, {.urgency = 7});
  k.admit(5, {.urgency = 0});
  CHECK(k.p.view(at(10)).oldest_seconds == Approx(9));
  k.p.cancel(first.batch, at(10));
  CHECK(k.p.view(at(10)).oldest_seconds == Approx(5));
}

TEST_CASE("a long attempt that failed does not count as waiting") {
  pool_kit k;
  k.add("w1");
  const auto a = k.admit(0);
  k.finish(a.batch, attempt_end::failed, 1000);
  CHECK(k.p.view(at(1000)).oldest_seconds == Approx(0).margin(1e-9));
  CHECK(k.p.queue(0, 1, at(1000)).items.at(0).waited_seconds == Approx(0).margin(1e-9));
  CHECK(k.p.queue(0, 1, at(1000)).items.at(0).attempt == 1);
}

TEST_CASE("with no worker up nothing drains, and a place's time is bounded by its wait") {
  pool_settings s = plain_settings();
  s.health.kind = probe_kind::http;
  pool_kit k(s);
  k.add("w1");
  const auto a = k.admit(0);
  CHECK(std::isinf(k.p.view(at(1)).drain_seconds));
  const auto place = k.p.place(a.batch, at(1));
  REQUIRE(place);
  CHECK(place->eta_seconds >= 0);
  CHECK(place->eta_seconds <= 300);
  CHECK_FALSE(place->in_time);
}

TEST_CASE("each item of a page has the place that its batch has") {
  pool_kit k;
  k.add("w1");
  k.admit(0);
  std::vector<batch_id> waiting;
  for (int i = 0; i < 20; ++i)
    waiting.push_back(
        k.admit(i, {.tenant_hash = 1u + i % 3u, .tenant = i % 3 ? "a" : "b"}).batch);
  const queue_page page = k.p.queue(0, 50, at(30));
  std::multiset<std::pair<std::uint64_t, double>> shown, asked;
  for (const queue_item& i : page.items) shown.emplace(i.place.position, i.place.eta_seconds);
  for (const batch_id id : waiting) {
    const auto p = k.p.place(id, at(30));
    REQUIRE(p);
    asked.emplace(p->position, p->eta_seconds);
  }
  CHECK(shown == asked);
  CHECK_FALSE(page.items.at(0).place.exact);
}

TEST_CASE("a start is expected once what is ahead has drained, later when it backs off") {
  pool_kit k;
  k.add("w1");
  k.admit(0);
  for (int i = 0; i < 3; ++i) k.admit(0);
  const queue_page page = k.p.queue(0, 9, at(0));
  for (std::size_t i = 0; i < 3; ++i) {
    const queue_place& p = page.items.at(i).place;
    CHECK(p.position == i);
    CHECK(p.exact);
    CHECK(p.in_time);
    CHECK(p.eta_seconds == Approx(1.0 + static_cast<double>(i)).epsilon(0.2));
  }
  k.p.pause(at(0));
  CHECK_FALSE(k.p.queue(0, 1, at(0)).items.at(0).place.in_time);
  CHECK(k.p.queue(0, 1, at(0)).items.at(0).place.eta_seconds == Approx(300));
}

TEST_CASE("an eta is never beyond the wait that is left") {
  pool_kit k;
  k.add("w1");
  for (int i = 0; i < 50; ++i) k.admit(0);
  const auto a = k.admit(0, {.wait_max = 10s});
  CHECK(k.p.place(a.batch, at(4))->eta_seconds == Approx(6));
}

TEST_CASE("outstanding cost is what runs on a worker, abandoned attempts included") {
  pool_kit k;
  const auto w = k.add("w1", 3);
  const auto a = k.admit(0), b = k.admit(0);
  CHECK(k.worker(w, 0).outstanding_cost == Approx(2));
  attempt_report r;
  r.end = attempt_end::client_gone;
  r.slot_abandoned = true;
  k.p.finish(a.batch, r, at(1));
  CHECK(k.worker(w, 1).outstanding_cost == Approx(2));
  k.p.release_slot(w, a.batch, at(2));
  k.finish(b.batch, attempt_end::succeeded, 3);
  CHECK(k.worker(w, 3).outstanding_cost == 0);
}

TEST_CASE("a worker's counters: attempts, successes, failures") {
  pool_kit k;
  const auto w = k.add("w1");
  for (attempt_end end : {attempt_end::succeeded, attempt_end::failed, attempt_end::busy,
                          attempt_end::succeeded, attempt_end::client_gone}) {
    const auto a = k.admit(0);
    REQUIRE(a.what == admission::kind::granted);
    k.finish(a.batch, end, 0, false);
    k.run_until(0.1);
  }
  const worker_view v = k.worker(w, 1);
  CHECK(v.attempts == 5);
  CHECK(v.successes == 2);
  CHECK(v.failures == 1);
}

TEST_CASE("pages walk any number of tenants, each batch once") {
  pool_kit k;
  k.add("w1");
  k.admit(0);
  for (std::uint64_t i = 0; i < 25; ++i) {
    const std::string label = "b" + std::to_string(i), tenant = "t" + std::to_string(i % 4);
    k.admit(0, {.tenant_hash = 1 + i % 4, .tenant = tenant, .label = label});
  }
  std::set<std::string> seen;
  std::size_t items = 0;
  for (std::size_t offset = 0;; offset += 4) {
    const queue_page page = k.p.queue(offset, 4, at(1));
    CHECK(page.total == 25);
    for (const queue_item& i : page.items) seen.insert(i.label), ++items;
    if (page.items.size() < 4) break;
  }
  CHECK(seen.size() == 25);
  CHECK(items == 25);
}

TEST_CASE("the settings are those last given") {
  pool_kit k;
  pool_settings s = plain_settings();
  s.workers_max = 7;
  k.p.configure(s, at(0));
  CHECK(k.p.settings().workers_max == 7);
  CHECK(k.p.settings().name == "loaders");
}

TEST_CASE("effects are empty until something concerns the shell, and once taken") {
  pool_kit k;
  CHECK(k.p.pending().empty());
  k.add("w1");
  CHECK_FALSE(k.p.pending().empty());  // worker_added
  k.p.pending().clear();
  const auto a = k.admit(0);
  k.finish(a.batch, attempt_end::succeeded, 1);
  CHECK(k.p.pending().empty());  // the caller got its answers
}

}  // namespace weir::core::test
