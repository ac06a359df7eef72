// Durable batches in the pool: their way in, what limits hold for them, how they are tried again.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <functional>
#include <vector>

#include "core/durable_kit.hpp"
#include "core/pool.hpp"

namespace weir::core::test {
namespace {

using ak = admission::kind;
using vk = verdict::kind;

pool_settings windowed(std::uint32_t window) {
  pool_settings s = plain_settings();
  s.durable.window = window;
  return s;
}

}  // namespace

TEST_CASE("a durable batch is granted a free slot like any other") {
  durable_kit k;
  k.add("w1");
  const auto a = k.submit(0);
  REQUIRE(a.what == ak::granted);
  CHECK(k.view(0).durable_batches == 1);
  CHECK(k.view(0).durable_bytes == 100);
  CHECK(k.finish(a.batch, attempt_end::succeeded, 1).what == vk::done);
  CHECK(k.view(1).durable_batches == 0);
  CHECK(k.view(1).durable_bytes == 0);
}

TEST_CASE("durable ones wait without a worker, past the queue's limits and without a wait limit") {
  pool_settings s = plain_settings();
  s.queue.batches_max = 1;
  s.queue.bytes_max = 1;
  s.queue.wait_max = 1s;
  durable_kit k(s);
  for (int i = 0; i < 50; ++i) CHECK(k.submit(0).what == ak::queued);
  CHECK(k.admit(0).why == refusal::no_worker);
  k.run_until(100000);
  CHECK(k.evictions().empty());
  CHECK(k.p.waiting() == 50);
}

TEST_CASE("durable batches leave the queue's room to the others") {
  pool_settings s = plain_settings();
  s.queue.batches_max = 2;
  durable_kit k(s);
  k.add("w1");
  for (int i = 0; i < 10; ++i) k.submit(0);
  CHECK(k.admit(0).what == ak::queued);
  CHECK(k.admit(0).what == ak::queued);
  CHECK(k.admit(0).why == refusal::queue_full);
}

// --- reserving ----------------------------------------------------------------------------------

TEST_CASE("room is reserved before a record is written, and given back by whatever ends a batch") {
  pool_settings s = plain_settings();
  s.durable.batches_max = 1;
  struct row {
    const char* how;
    std::function<void(durable_kit&)> end;
  };
  const std::vector<row> rows{
      {"never written", [](durable_kit& k) {
         REQUIRE(k.p.reserve_durable(100, at(0)) == refusal::none);
         k.p.release_durable(100);
       }},
      {"done", [](durable_kit& k) {
         k.add("w1");
         k.finish(k.submit(0).batch, attempt_end::succeeded, 1);
       }},
      {"a dead letter", [](durable_kit& k) {
         k.add("w1");
         k.finish(k.submit(0, 1, {.retry = {.attempts = 1}}).batch, attempt_end::failed, 1);
       }},
      {"cancelled while it waits", [](durable_kit& k) {
         CHECK(k.p.cancel(k.submit(0).batch, at(1)));
       }},
      {"cancelled while it runs", [](durable_kit& k) {
         k.add("w1");
         CHECK(k.p.cancel(k.submit(0).batch, at(1)));
       }},
      {"its deadline passed", [](durable_kit& k) {
         k.submit(0, 1, {.client_deadline = at(1)});
         k.run_until(2);
         const auto gone = k.evictions();
         REQUIRE(gone.size() == 1);
         CHECK(gone[0].why == refusal::deadline);
       }},
      {"its deadline had passed", [](durable_kit& k) {
         CHECK(k.submit(5, 1, {.client_deadline = at(1)}).why == refusal::deadline);
       }},
  };
  for (const row& r : rows) {
    INFO(r.how);
    durable_kit k(s);
    r.end(k);
    CHECK(k.view(9).durable_batches == 0);
    CHECK(k.view(9).durable_bytes == 0);
    CHECK(k.p.reserve_durable(100, at(9)) == refusal::none);
    CHECK(k.p.reserve_durable(100, at(9)) == refusal::queue_full);
    CHECK(k.view(9).refused_durable == 1);
  }
}

TEST_CASE("no room is given to a batch whose deadline has passed") {
  durable_kit k;
  CHECK(k.p.reserve_durable(1, at(5), at(5)) == refusal::deadline);
  CHECK(k.p.reserve_durable(1, at(5), at(4)) == refusal::deadline);
  CHECK(k.view(5).durable_batches == 0);
  CHECK(k.p.reserve_durable(1, at(5), at(6)) == refusal::none);
}

TEST_CASE("one that was put back into the queue counts although nobody reserved room for it") {
  durable_kit k;
  const auto a = k.offer(0, {.durable = true, .lane = 3, .place = 7, .stored_bytes = 50});
  CHECK(a.what == ak::queued);
  CHECK(k.view(0).durable_bytes == 50);
}

TEST_CASE("an unstored one gives its room back, and is loaded no more") {
  durable_kit k(windowed(2));
  for (int i = 0; i < 5; ++i) k.submit(0, 1, {.units = 10});
  REQUIRE(k.view(0).stored == 3);
  k.p.unstored(1, 100, 10, at(1));
  CHECK(k.view(1).stored == 2);
  CHECK(k.view(1).stored_bytes == 200);
  CHECK(k.view(1).durable_batches == 4);
  for (int i = 0; i < 9; ++i) k.p.unstored(1, 100, 10, at(1));
  CHECK(k.view(1).stored == 0);
  CHECK(k.view(1).stored_cost == 0);
  CHECK(k.view(1).durable_batches == 2);
  k.p.unstored(99, 1, 1, at(1));   // a lane that nobody knows
}

// --- how an attempt ends ------------------------------------------------------------------------

TEST_CASE("the whole grid: how it ended, may it be tried again, is there an answer, and durable") {
  struct row {
    attempt_end end;
    vk again, never;     // with and without may_retry
    bool counted;
  };
  using enum attempt_end;
  const std::vector<row> rows{
      {succeeded, vk::done, vk::done, false},
      {connect_failed, vk::granted, vk::granted, false},
      {stale_connection, vk::granted, vk::granted, false},
      {busy, vk::granted, vk::granted, false},
      {failed, vk::waiting, vk::failed, true},
      {response_timeout, vk::waiting, vk::failed, true},
      {client_gone, vk::done, vk::done, false},
      {client_fault, vk::waiting, vk::done, false},
  };
  for (const row& r : rows)
    for (const bool may_retry : {false, true})
      for (const bool has_response : {false, true}) {
        INFO(name(r.end) << " may_retry " << may_retry << " has_response " << has_response);
        durable_kit k;
        k.add("w1");
        k.add("w2");
        const auto a = k.submit(0, 1, {.tries = 1});
        const verdict v = k.p.finish(
            a.batch, {.end = r.end, .may_retry = may_retry, .has_response = has_response}, at(1));
        const vk want = may_retry ? r.again : r.never;
        CHECK(v.what == want);
        CHECK(v.counted == r.counted);
        if (r.end != succeeded) CHECK(v.tries == (r.counted ? 2u : 1u));
        CHECK((v.what == vk::failed) == (v.why == refusal::retries_exhausted));
        CHECK((v.delay > 0s) == (v.what == vk::waiting));
        const bool stays = want == vk::granted || want == vk::waiting;
        CHECK(k.view(1).durable_batches == (stays ? 1u : 0u));
        CHECK(k.p.cancel(a.batch, at(2)) == stays);
      }
}

TEST_CASE("attempts are counted on from the record, and end in a dead letter with or without an "
          "answer") {
  for (const bool has_response : {false, true})
    for (std::uint32_t before : {0u, 1u, 2u}) {
      durable_kit k;
      k.add("w1");
      const auto a = k.submit(0, 1, {.retry = {.attempts = 3}, .tries = before});
      double now = 1;
      for (std::uint32_t tries = before + 1; tries <= 3; ++tries) {
        const verdict v =
            k.p.finish(a.batch, {.may_retry = true, .has_response = has_response}, at(now));
        CHECK(v.tries == tries);
        CHECK(v.counted);
        CHECK(v.what == (tries < 3 ? vk::waiting : vk::failed));
        if (tries == 3) CHECK(v.why == refusal::retries_exhausted);
        k.run_until(now += 10);
      }
    }
}

TEST_CASE("each failure doubles the longest backoff, up to the most, and the verdict says which") {
  pool_settings s = plain_settings();
  s.retry_budget.min = 1000;
  s.ejection.consecutive_failures = 0;
  std::vector<double> longest(12, 0);
  durable_kit k(s);
  k.add("w1");
  double now = 0;
  for (int run = 0; run < 100; ++run) {
    const retry_settings retry{.attempts = 100, .backoff_base = 1s, .backoff_max = 60s};
    const auto a = k.submit(now, 1, {.retry = retry});
    for (double& most : longest) {
      const verdict v = k.finish(a.batch, attempt_end::failed, now);
      REQUIRE(v.what == vk::waiting);
      most = std::max(most, base::to_seconds(v.delay));
      k.run_until(now + base::to_seconds(v.delay) - 1e-6);
      CHECK(k.grants().empty());
      k.run_until(now += base::to_seconds(v.delay) + 1e-6);
      REQUIRE(k.grants().size() == 1);
    }
    k.p.cancel(a.batch, at(now));
  }
  CHECK(k.view(now).retries_denied == 0);
  for (std::size_t i = 0; i < longest.size(); ++i) {
    INFO(i);
    const double ceiling = std::min(60.0, std::exp2(i));
    CHECK(longest[i] <= ceiling);
  }
  CHECK(longest[0] > 0.9);
  CHECK(longest[3] > 7);
  CHECK(longest[11] > 50);
}

TEST_CASE("without retry budget a durable batch waits longer, and goes on") {
  pool_settings s = plain_settings();
  s.retry_budget = {.ratio = 0, .min = 0};
  durable_kit k(s);
  k.add("w1");
  const retry_settings retry{.attempts = 5, .backoff_base = 1ms, .backoff_max = 40s};
  const auto a = k.submit(0, 1, {.retry = retry});
  const verdict v = k.finish(a.batch, attempt_end::failed, 1);
  CHECK(v.what == vk::waiting);
  CHECK(v.counted);
  CHECK(v.delay >= 20s);
  CHECK(v.delay <= 40s);
  CHECK(k.view(1).retries_denied == 1);
  k.run_until(42);
  CHECK(k.grants().size() == 1);
}

TEST_CASE("a busy fleet is waited for however often, with pauses once bounces_max is passed") {
  durable_kit k;
  k.add("w1");
  const auto a = k.submit(0, 1, {.retry = {.attempts = 1, .bounces_max = 3}});
  double now = 0;
  for (int i = 1; i <= 30; ++i) {
    const verdict v = k.finish(a.batch, attempt_end::busy, now);
    REQUIRE(v.what == vk::waiting);
    CHECK(v.tries == 0);
    CHECK((v.delay > 0s) == (i > 3));
    k.run_until(now += 10);
    REQUIRE(k.grants().size() == 1);
  }
}

TEST_CASE("a delayed one is not granted before its time") {
  for (const double delay : {0.0, 5.0}) {
    durable_kit k;
    k.add("w1");
    const auto a = k.submit(0, 1, {.delay = base::from_seconds(delay)});
    CHECK(a.what == (delay > 0 ? ak::queued : ak::granted));
    if (delay == 0) continue;
    CHECK(k.p.place(a.batch, at(1))->delayed);
    CHECK(k.view(1).delayed == 1);
    k.run_until(4.9);
    CHECK(k.grants().empty());
    k.run_until(5);
    CHECK(k.grants().size() == 1);
  }
}

TEST_CASE("a backoff beyond the client's deadline ends the batch at once") {
  durable_kit k;
  k.add("w1");
  const retry_settings slow{.attempts = 9, .backoff_base = 1h, .backoff_max = 1h};
  const auto a = k.submit(0, 1, {.client_deadline = at(2), .retry = slow});
  const verdict v = k.finish(a.batch, attempt_end::failed, 1);
  CHECK(v.what == vk::failed);
  CHECK(v.why == refusal::deadline);
  CHECK(v.tries == 1);
}

TEST_CASE("an older batch goes first, whenever it was loaded") {
  durable_kit k;
  k.add("w1");
  const auto runs = k.submit(0);
  const auto young = k.submit(1);
  const auto old = k.submit(2, 1, {.age = 100s});
  CHECK(k.view(2).oldest_seconds == Approx(100));
  k.finish(runs.batch, attempt_end::succeeded, 3);
  CHECK(k.grants().at(0).batch == old.batch);
  CHECK(k.p.place(young.batch, at(3))->position == 0);
}

// --- the pool's end ----------------------------------------------------------------------------

TEST_CASE("a pool that winds down or is closed leaves its durable batches to the store") {
  for (const bool closes : {false, true}) {
    INFO(closes);
    durable_kit k(windowed(3));
    k.add("w1");
    const auto runs = k.submit(0);
    for (int i = 0; i < 6; ++i) k.submit(0);
    const auto plain = k.admit(0);
    const auto delayed = k.submit(0, 9, {.delay = 50s});
    REQUIRE(delayed.what == ak::queued);
    closes ? k.p.close(at(1)) : k.p.wind_down(at(1));
    const auto gone = k.evictions();
    CHECK(gone.size() == (closes ? 5u : 4u));
    for (const eviction& e : gone) {
      CHECK(e.why == refusal::closing);
      CHECK((closes || e.batch != plain.batch));
    }
    CHECK(k.p.reserve_durable(1, at(2)) == refusal::closing);
    CHECK(k.submitted_late(2).why == refusal::closing);
    CHECK(k.load(2) == 0);
    const verdict v = k.finish(runs.batch, attempt_end::failed, 3);
    CHECK(v.what == vk::failed);
    CHECK(v.why == refusal::closing);
    CHECK(v.counted);
    CHECK(v.tries == 1);
  }
}

TEST_CASE("a busy answer to a pool that winds down is no result") {
  durable_kit k;
  k.add("w1");
  const auto a = k.submit(0);
  k.p.wind_down(at(1));
  const verdict v = k.p.finish(
      a.batch, {.end = attempt_end::busy, .may_retry = true, .has_response = true}, at(2));
  CHECK(v.what == vk::failed);
  CHECK(v.why == refusal::closing);
  CHECK(v.tries == 0);
}

TEST_CASE("a label and its end are remembered for durable ones, too") {
  durable_kit k;
  k.add("w1");
  const auto a = k.submit(0, 1, {.label = "abc", .retry = {.attempts = 1}});
  k.finish(a.batch, attempt_end::failed, 1);
  CHECK_THAT(k.p.explain("abc", at(2)), Catch::Matchers::Contains("retries_exhausted"));
}

}  // namespace weir::core::test
