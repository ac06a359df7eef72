// Whose fault failures are, in the pool: a bad worker, a poison batch, an outage of what all
// workers need, and the small pools in which they are hard to tell apart.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/blame_world.hpp"
#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

using vk = verdict::kind;

pool_settings generous() {
  pool_settings s = plain_settings();
  s.retry_budget = {.ratio = 1, .min = 1000};
  s.queue.batches_max = 100'000;
  s.durable.window = 200;
  return s;
}

}  // namespace

// --- step by step -----------------------------------------------------------------------------

TEST_CASE("a batch that fails on two workers where others succeed is poison, and they are not to "
          "blame") {
  pool_kit k(generous());
  const auto w1 = k.add("w1", 2), w2 = k.add("w2", 2);
  const auto x = k.admit(0);
  REQUIRE(x.grant.worker == w1);
  REQUIRE(k.finish(x.batch, attempt_end::failed, 1).what == vk::waiting);
  const auto a = k.admit(1), b = k.admit(1);
  k.run_until(2);
  const auto again = k.grants();
  REQUIRE(again.size() == 1);
  REQUIRE(again[0].worker == w2);
  for (const auto& other : {a, b}) k.finish(other.batch, attempt_end::succeeded, 3);
  const verdict v = k.finish(x.batch, attempt_end::failed, 4);
  CHECK(v.what == vk::failed);
  CHECK(v.why == refusal::poisoned);
  CHECK(v.retry_after >= 1s);
  CHECK(k.p.running() + k.p.waiting() == 0);
  CHECK(k.worker(w1, 4).consecutive_failures == 0);
  CHECK(k.worker(w2, 4).consecutive_failures == 0);
  CHECK(k.p.view(at(4)).poisoned == 1);
}

TEST_CASE("the verdict on poison stands whether or not there is an answer to relay") {
  for (const bool has_response : {false, true}) {
    pool_kit k(generous());
    k.add("w1", 2), k.add("w2", 2);
    const auto x = k.admit(0);
    k.finish(x.batch, attempt_end::failed, 1);
    const auto a = k.admit(1), b = k.admit(1);
    k.run_until(2);
    for (const auto& other : {a, b}) k.finish(other.batch, attempt_end::succeeded, 3);
    attempt_report r;
    r.may_retry = true, r.has_response = has_response;
    CHECK(k.p.finish(x.batch, r, at(4)).why == refusal::poisoned);
  }
}

TEST_CASE("only failures of attempts that were executed are charged") {
  struct row {
    attempt_end first, second;
    bool poison;
  };
  using enum attempt_end;
  for (const row& r : std::vector<row>{{failed, failed, true},
                                       {failed, response_timeout, true},
                                       {response_timeout, failed, true},
                                       {connect_failed, failed, false},
                                       {failed, connect_failed, false},
                                       {busy, failed, false},
                                       {failed, busy, false},
                                       {failed, stale_connection, false}}) {
    INFO(name(r.first) << " then " << name(r.second));
    pool_kit k(generous());
    const auto w1 = k.add("w1", 3);
    batch_facts f;
    f.retry.on_timeout = true;
    const auto x = k.admit(0, f);
    const auto w2 = k.add("w2", 3);
    auto v = k.finish(x.batch, r.first, 1);
    std::vector<batch_id> others;
    for (int i = 0; i < 4; ++i) others.push_back(k.admit(1).batch);
    k.run_until(1.5);
    const auto grants = k.grants();
    if (v.what != vk::granted) {
      REQUIRE(grants.size() == 1);
      v.grant = grants[0];
    }
    REQUIRE(v.grant.worker == w2);
    for (const auto b : others) k.finish(b, succeeded, 3);
    v = k.finish(x.batch, r.second, 4);
    CHECK((v.why == refusal::poisoned) == r.poison);
    CHECK(k.p.view(at(4)).poisoned == (r.poison ? 1u : 0u));
    CHECK(k.p.find_worker("w1") == w1);
  }
}

TEST_CASE("an ejection that poison batches made is lifted as they are found out") {
  pool_settings s = generous();
  s.ejection.consecutive_failures = 2;
  pool_kit k(s);
  const auto w1 = k.add("w1", 4);
  const auto x = k.admit(0), y = k.admit(0), good = k.admit(0);
  const auto w2 = k.add("w2", 4);
  k.add("w3", 4);
  k.finish(x.batch, attempt_end::failed, 1);
  k.finish(y.batch, attempt_end::failed, 1);
  REQUIRE(k.worker(w1, 1).state == worker_state::ejected);
  k.finish(good.batch, attempt_end::succeeded, 2);   // it was there already
  std::vector<batch_id> others;
  for (int i = 0; i < 4; ++i) others.push_back(k.admit(2).batch);
  k.run_until(3);
  for (const batch_id b : others) k.finish(b, attempt_end::succeeded, 4);
  CHECK(k.finish(x.batch, attempt_end::failed, 5).why == refusal::poisoned);
  CHECK(k.worker(w1, 5).state == worker_state::up);
  CHECK(k.worker(w2, 5).state == worker_state::up);
}

TEST_CASE("failures that a success wiped out are not taken back from those that came after") {
  pool_settings s = generous();
  s.ejection.consecutive_failures = 5;
  pool_kit k(s);
  const auto w1 = k.add("w1", 9);
  const auto x = k.admit(0);
  std::vector<batch_id> on_w1;
  for (int i = 0; i < 4; ++i) on_w1.push_back(k.admit(0).batch);
  k.add("w2", 2);
  k.finish(x.batch, attempt_end::failed, 1);
  k.finish(on_w1[0], attempt_end::succeeded, 2);
  const auto b = k.admit(2);
  k.run_until(2.9);
  REQUIRE(k.grants().size() == 1);
  for (int i = 1; i < 4; ++i) k.finish(on_w1[i], attempt_end::failed, 3, false);
  REQUIRE(k.worker(w1, 3).consecutive_failures == 3);
  k.finish(b.batch, attempt_end::succeeded, 3);
  CHECK(k.finish(x.batch, attempt_end::failed, 4).why == refusal::poisoned);
  CHECK(k.worker(w1, 4).consecutive_failures == 3);
}

// --- in a world ---------------------------------------------------------------------------------

TEST_CASE("a bad worker among four is ejected, and no batch is condemned for it") {
  for (const bool durable : {false, true})
    for (std::uint64_t seed = 1; seed <= 5; ++seed) {
      INFO("seed " << seed << " durable " << durable);
      blame_world w(seed, generous());
      w.add_workers(4, 4);
      w.fails = [&](worker_id on, const auto&) { return on == w.workers[0] && w.now() > 5; };
      for (int i = 0; i < 3000; ++i) {
        w.arrive(durable);
        w.run_until(0.01 * i);
      }
      w.run_until(200);
      CHECK(w.open() == 0);
      CHECK(w.count(refusal::none) == 3000);
      CHECK(w.ejections > 0);
      CHECK(w.outages == 0);
    }
}

TEST_CASE("a poison batch among good ones is condemned after two workers, or three when it is "
          "unlucky, and nobody is ejected for it") {
  for (const bool durable : {false, true})
    for (std::uint64_t seed = 1; seed <= 20; ++seed) {
      INFO("seed " << seed << " durable " << durable);
      pool_settings s = generous();
      s.ejection.consecutive_failures = 2;
      blame_world w(seed, s);
      w.add_workers(4, 4);
      int poisoned_after = 0;
      w.on_end = [&](const auto& c, refusal why) {
        if (c.poison) poisoned_after = why == refusal::poisoned ? c.attempts : -1;
      };
      for (int i = 0; i < 1000; ++i) {
        w.arrive(durable, i == 300, 8);
        w.run_until(0.01 * i);
      }
      w.run_until(100);
      CHECK(poisoned_after >= 2);
      CHECK(poisoned_after <= 3);
      CHECK(w.count(refusal::none) == 999);
      CHECK(w.ejections == 0);
    }
}

TEST_CASE("many poison batches are condemned, and their workers stay") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    blame_world w(seed, generous());
    w.add_workers(4, 8);
    for (int i = 0; i < 2000; ++i) {
      w.arrive(true, i % 10 == 5, 8);
      w.run_until(0.01 * i);
    }
    w.run_until(500);
    CHECK(w.count(refusal::none) == 1800);
    // Where nothing else runs any more its attempts run out.
    CHECK(w.count(refusal::poisoned) >= 199);
    CHECK(w.count(refusal::poisoned) + w.count(refusal::retries_exhausted) == 200);
    for (const worker_id id : w.workers) CHECK(w.k.worker(id, 500).state == worker_state::up);
  }
}

TEST_CASE("while all is down nobody is condemned, and every durable batch is done after it is "
          "back") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    blame_world w(seed, generous());
    w.add_workers(4, 4);
    const auto down = [&] { return w.now() > 5 && w.now() < 65; };
    w.fails = [&](worker_id, const auto&) { return down(); };
    for (int i = 0; i < 2000; ++i) {
      w.arrive(true, false, 3, 1 + i % 3);
      w.run_until(0.01 * i);
    }
    w.run_until(60);
    CHECK(w.outages >= 1);
    CHECK(w.open() > 500);
    for (const auto& [owner, c] : w.clients) CHECK(c.tries <= 3);
    w.run_until(400);
    CHECK(w.open() == 0);
    CHECK(w.count(refusal::none) == 2000);
    CHECK(w.ejections == 0);
  }
}

TEST_CASE("when an outage is over, those that backed off from it come back within seconds") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    blame_world w(seed, generous());
    w.retry.backoff_base = w.retry.backoff_max = 1h;
    w.add_workers(4, 4);
    bool down = true;
    w.fails = [&](worker_id, const auto&) { return down; };
    for (int i = 0; i < 100; ++i) w.arrive(true);
    w.run_until(30);
    CHECK(w.open() == 100);
    down = false;
    w.run_until(31);
    CHECK(w.open() == 100);   // an hour is long: nobody has noticed
    for (int i = 0; i < 8; ++i) w.arrive(true);
    w.run_until(45);
    CHECK(w.outages == 1);
    CHECK(w.open() == 0);
    CHECK(w.count(refusal::none) == 108);
  }
}

TEST_CASE("an outage in which batches fail at once, now and then, condemns none of them either") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    INFO("seed " << seed);
    int lost = 0;
    blame_world w(seed, generous());
    w.add_workers(3, 2);
    w.on_end = [&](const auto& c, refusal why) { lost += c.durable && why != refusal::none; };
    // Blinks: two seconds of every seven.
    w.fails = [&](worker_id, const auto&) { return std::fmod(w.now(), 7.0) > 5; };
    for (int i = 0; i < 3000; ++i) {
      w.arrive(i % 2 == 0, false, 8);
      w.run_until(0.02 * i);
    }
    w.run_until(400);
    CHECK(w.open() == 0);
    CHECK(w.count(refusal::poisoned) == 0);
    CHECK(lost == 0);
  }
}

TEST_CASE("a batch that fails all alone on a lone worker uses up its attempts, however dark it "
          "looks") {
  durable_kit k(generous());
  k.add("w1");
  batch_facts f;
  f.retry.attempts = 8;
  f.retry.backoff_max = 1s;
  const auto x = k.submit(0, 1, f);
  double now = 0;
  verdict v;
  for (std::uint32_t i = 1; i <= 8; ++i) {
    v = k.finish(x.batch, attempt_end::failed, now);
    CHECK(v.counted);
    CHECK(v.tries == i);
    k.run_until(now += 2);
    k.grants();
  }
  CHECK(k.view(now).outage);
  CHECK(v.why == refusal::retries_exhausted);
  // Nor does the one before it make an outage of the next.
  const auto y = k.submit(now, 1, f);
  REQUIRE(y.what == admission::kind::granted);
  CHECK(k.finish(y.batch, attempt_end::failed, now).counted);
}

TEST_CASE("what failed on the way into an outage is given back when it is recognised") {
  durable_kit k(generous());
  k.add("w1", 2), k.add("w2", 2);
  batch_facts f;
  f.retry.backoff_base = f.retry.backoff_max = 1ms;
  const auto x = k.submit(0, 1, f), y = k.submit(0, 1, f);
  REQUIRE(x.grant.worker != y.grant.worker);
  std::vector<std::pair<batch_id, verdict>> told;
  std::vector<grant> running{x.grant, y.grant};
  double now = 0;
  while (!k.view(now).outage && now < 1) {
    now += 0.01;
    for (const grant& g : running)
      told.emplace_back(g.batch, k.finish(g.batch, attempt_end::failed, now));
    k.run_until(now += 0.005);
    running = k.grants();
  }
  REQUIRE(k.view(now).outage);
  CHECK(told.front().second.counted);
  CHECK(told.front().second.tries == 1);
  for (const grant& g : running) {
    const verdict v = k.finish(g.batch, attempt_end::failed, now);
    CHECK_FALSE(v.counted);
    CHECK(v.tries == 0);
    CHECK(v.what == vk::waiting);
  }
}

}  // namespace weir::core::test
