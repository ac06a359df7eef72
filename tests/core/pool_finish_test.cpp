// What becomes of a batch whose attempt ended: the whole grid of ends, then each rule alone.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

constexpr attempt_end ends[] = {attempt_end::succeeded,        attempt_end::connect_failed,
                                attempt_end::stale_connection, attempt_end::busy,
                                attempt_end::failed,           attempt_end::response_timeout,
                                attempt_end::client_gone,      attempt_end::client_fault};
using vk = verdict::kind;

attempt_report report(attempt_end end, bool may_retry = true, bool has_response = false) {
  attempt_report r;
  r.end = end;
  r.may_retry = may_retry;
  r.has_response = has_response;
  return r;
}

// What the contract says of a first attempt with a second worker free.
vk expected(attempt_end end, bool may_retry, bool has_response, bool on_timeout) {
  const vk given_up = has_response ? vk::done : vk::failed;
  switch (end) {
    case attempt_end::connect_failed:
      return vk::granted;
    case attempt_end::stale_connection:
      return may_retry ? vk::granted : given_up;
    case attempt_end::busy:
      return may_retry ? vk::granted : vk::done;
    case attempt_end::failed:
      return may_retry ? vk::waiting : given_up;
    case attempt_end::response_timeout:
      return may_retry && on_timeout ? vk::waiting : given_up;
    default:
      return vk::done;
  }
}

}  // namespace

TEST_CASE("the whole grid: how it ended, may it be tried again, is there an answer, on_timeout") {
  for (attempt_end end : ends)
    for (bool may_retry : {false, true})
      for (bool has_response : {false, true})
        for (bool on_timeout : {false, true}) {
          INFO(name(end) << " may_retry " << may_retry << " response " << has_response
                         << " on_timeout " << on_timeout);
          pool_kit k;
          k.add("w1");
          k.add("w2");
          batch_facts f;
          f.retry.on_timeout = on_timeout;
          const auto a = k.admit(0, f);
          const verdict v = k.p.finish(a.batch, report(end, may_retry, has_response), at(1));
          const vk want = expected(end, may_retry, has_response, on_timeout);
          CHECK(v.what == want);
          CHECK((v.what == vk::failed) == (v.why == refusal::retries_exhausted));
          const bool stays = want == vk::granted || want == vk::waiting;
          CHECK(k.p.cancel(a.batch, at(2)) == stays);
          CHECK(k.p.running() + k.p.waiting() == 0);
          if (want != vk::granted) continue;
          CHECK(v.grant.attempt == 2);
          CHECK(v.grant.owner == 1);
          CHECK((v.grant.worker == a.grant.worker) == (end == attempt_end::stale_connection));
        }
}

TEST_CASE("the attempt number rises with every attempt, those that sent nothing included") {
  pool_kit k;
  k.add("w1");
  k.add("w2");
  auto a = k.admit(0);
  std::uint32_t attempt = 1;
  double now = 0;
  for (attempt_end end : {attempt_end::connect_failed, attempt_end::busy,
                          attempt_end::stale_connection, attempt_end::failed, attempt_end::busy}) {
    verdict v = k.p.finish(a.batch, report(end), at(now));
    if (v.what == vk::waiting) {
      k.run_until(now += 6);
      const auto grants = k.grants();
      REQUIRE(grants.size() == 1);
      v.grant = grants[0];
    }
    CHECK(v.grant.attempt == ++attempt);
  }
}

TEST_CASE("only ends that are the worker's fault count against it") {
  for (attempt_end end : ends) {
    INFO(name(end));
    pool_kit k;
    const auto w = k.add("w1");
    const auto a = k.admit(0);
    k.p.finish(a.batch, report(end, false), at(1));
    const bool fault = end == attempt_end::failed || end == attempt_end::response_timeout ||
                       end == attempt_end::connect_failed;
    CHECK(k.worker(w, 1).consecutive_failures == (fault ? 1u : 0u));
    CHECK(k.worker(w, 1).failures == (fault ? 1u : 0u));
    CHECK(k.worker(w, 1).successes == (end == attempt_end::succeeded ? 1u : 0u));
  }
}

TEST_CASE("a failed batch is tried again on another worker, within the route's attempts") {
  pool_kit k;
  for (const char* n : {"w1", "w2", "w3"}) k.add(n);
  batch_facts f;
  f.retry.attempts = 3;
  const auto a = k.admit(0, f);
  std::vector<worker_id> used{a.grant.worker};
  double now = 0;
  for (int i = 0; i < 2; ++i) {
    REQUIRE(k.finish(a.batch, attempt_end::failed, now).what == vk::waiting);
    CHECK(k.p.place(a.batch, at(now))->delayed);
    CHECK(k.p.view(at(now)).delayed == 1);
    k.run_until(now += 6);
    const auto grants = k.grants();
    REQUIRE(grants.size() == 1);
    used.push_back(grants[0].worker);
  }
  CHECK(used[1] != used[0]);
  CHECK((used[2] != used[0] && used[2] != used[1]));
  const verdict v = k.finish(a.batch, attempt_end::failed, now);
  CHECK(v.what == vk::failed);
  CHECK(v.why == refusal::retries_exhausted);
  CHECK(v.retry_after >= 1s);
}

TEST_CASE("a retry waits for another worker that is busy rather than go back") {
  pool_kit k;
  const auto w1 = k.add("w1");
  const auto a = k.admit(0);
  const auto w2 = k.add("w2");
  const auto b = k.admit(0);
  CHECK(b.grant.worker == w2);
  k.finish(a.batch, attempt_end::failed, 1);
  k.run_until(2);
  CHECK(k.grants().empty());             // w1 is free, w2 is not
  CHECK(k.admit(2).grant.worker == w1);  // others may use it
  k.finish(b.batch, attempt_end::succeeded, 3);
  CHECK(k.grants().at(0).batch == a.batch);
}

TEST_CASE("a retry goes back to the worker that failed it when no other one serves") {
  pool_kit k;
  const auto w1 = k.add("w1");
  const auto a = k.admit(0);
  k.finish(a.batch, attempt_end::failed, 1);
  k.run_until(2);
  const auto grants = k.grants();
  REQUIRE(grants.size() == 1);
  CHECK(grants[0].worker == w1);
}

TEST_CASE("the pool's budget bounds retries, and denials are counted") {
  pool_settings s = plain_settings();
  s.retry_budget = {.ratio = 0, .min = 2};
  s.ejection.consecutive_failures = 0;
  pool_kit k(s);
  k.add("w1", 10);
  k.add("w2", 10);
  int retried = 0;
  for (int i = 0; i < 6; ++i) {
    const auto a = k.admit(0);
    retried += k.finish(a.batch, attempt_end::failed, 0.001 * i).what == vk::waiting;
  }
  CHECK(retried == 2);
  CHECK(k.p.view(at(1)).retries_denied == 4);
}

TEST_CASE("neither refused, stale nor busy attempts take from the budget or the attempts") {
  pool_settings s = plain_settings();
  s.retry_budget = {.ratio = 0, .min = 0};
  for (attempt_end end :
       {attempt_end::connect_failed, attempt_end::stale_connection, attempt_end::busy}) {
    INFO(name(end));
    pool_kit k(s);
    k.add("w1");
    k.add("w2");
    batch_facts f;
    f.retry.attempts = 1;
    const auto a = k.admit(0, f);
    CHECK(k.p.finish(a.batch, report(end), at(1)).what == vk::granted);
  }
}

TEST_CASE("a busy worker rests, and the batch keeps its old place") {
  pool_kit k;
  const auto w = k.add("w1");
  const auto first = k.admit(0), later = k.admit(1);
  attempt_report r = report(attempt_end::busy);
  r.retry_after = 3s;
  CHECK(k.p.finish(first.batch, r, at(2)).what == vk::waiting);
  CHECK(k.worker(w, 2).resting);
  CHECK(k.p.place(first.batch, at(2))->position == 0);
  CHECK(k.p.place(later.batch, at(2))->position == 1);
  k.run_until(4.9);
  CHECK(k.grants().empty());
  k.run_until(5);
  const auto grants = k.grants();
  REQUIRE(grants.size() == 1);
  CHECK(grants[0].batch == first.batch);
  CHECK(k.p.view(at(5)).bounces == 1);
}

TEST_CASE("after bounces_max a busy answer is relayed") {
  pool_kit k;
  k.add("w1");
  batch_facts f;
  f.retry.bounces_max = 2;
  const auto a = k.admit(0, f);
  for (int i = 0; i < 2; ++i) {
    REQUIRE(k.finish(a.batch, attempt_end::busy, i).what == vk::waiting);
    k.run_until(i + 0.5);
    REQUIRE(k.grants().size() == 1);
  }
  CHECK(k.finish(a.batch, attempt_end::busy, 3).what == vk::done);
}

TEST_CASE("a busy batch whose body is gone is relayed at once, and the worker rests all the same") {
  pool_kit k;
  const auto w = k.add("w1");
  const auto a = k.admit(0);
  CHECK(k.finish(a.batch, attempt_end::busy, 1, false).what == vk::done);
  CHECK(k.worker(w, 1).resting);
}

TEST_CASE("time bounced about counts as waiting, time on a worker does not") {
  pool_settings s = plain_settings();
  s.queue.wait_max = 10s;
  for (bool executed : {false, true}) {
    INFO(executed);
    pool_kit k(s);
    k.add("w1");
    const auto a = k.admit(0);
    const auto end = executed ? attempt_end::failed : attempt_end::busy;
    const verdict v = k.finish(a.batch, end, 30);
    // After 30 s on a worker a failed batch still has its 10 s to wait; a bounced one has none.
    CHECK(v.what == (executed ? vk::waiting : vk::done));
  }
}

TEST_CASE("refused connections are retried until the wait limit, never in a tight loop") {
  pool_settings s = plain_settings();
  s.queue.wait_max = 20s;
  s.ejection.consecutive_failures = 0;
  pool_kit k(s);
  k.add("w1");
  const auto a = k.admit(0);
  double now = 0;
  int attempts = 1;
  verdict v = k.finish(a.batch, attempt_end::connect_failed, now);
  while (v.what == vk::waiting && attempts < 1000) {
    const auto due = k.p.next_deadline();
    k.p.expire(due);
    now = base::to_seconds(due - at(0));
    if (!k.evictions().empty()) break;
    if (k.grants().empty()) continue;
    ++attempts;
    v = k.finish(a.batch, attempt_end::connect_failed, now);
  }
  CHECK(now == Approx(20).margin(0.2));
  CHECK(attempts < 15);
  CHECK(k.p.running() + k.p.waiting() == 0);
}

TEST_CASE("a refused connection orders a probe at once") {
  pool_settings s = plain_settings();
  s.health.kind = probe_kind::http;
  pool_kit k(s);
  const auto w = k.add("w1");
  k.p.probed(w, true, "", at(0));
  k.probes();
  const auto a = k.admit(2);
  k.finish(a.batch, attempt_end::connect_failed, 2);
  k.run_until(2);
  const auto probes = k.probes();
  REQUIRE(probes.size() == 1);
  CHECK(probes[0].worker == w);
}

TEST_CASE(
    "a stale connection is tried again at once on the same worker, ahead of those that wait") {
  pool_kit k;
  const auto w = k.add("w1");
  const auto a = k.admit(0);
  k.admit(0);
  const verdict v = k.finish(a.batch, attempt_end::stale_connection, 1);
  CHECK(v.what == vk::granted);
  CHECK(v.grant.worker == w);
  CHECK(k.grants().empty());
}

TEST_CASE("a stale connection on which nothing was sent is no matter of may_retry") {
  pool_kit k;
  k.add("w1");
  const auto a = k.admit(0);
  attempt_report r = report(attempt_end::stale_connection, false);
  r.nothing_sent = true;
  CHECK(k.p.finish(a.batch, r, at(1)).what == vk::granted);
}

TEST_CASE("a retry whose backoff would outlast its wait is given up at once") {
  pool_kit k;
  k.add("w1");
  batch_facts f;
  f.retry.backoff_base = 100s;
  f.retry.backoff_max = 100s;
  f.wait_max = 1ms;
  const auto a = k.admit(0, f);
  CHECK(k.p.finish(a.batch, report(attempt_end::failed, true, true), at(1)).what == vk::done);
}

TEST_CASE("a paused pool keeps what comes back") {
  pool_kit k;
  k.add("w1");
  const auto a = k.admit(0);
  k.p.pause(at(1));
  CHECK(k.finish(a.batch, attempt_end::stale_connection, 2).what == vk::waiting);
  k.p.resume(at(3));
  CHECK(k.grants().at(0).batch == a.batch);
}

TEST_CASE("an abandoned attempt that is retried elsewhere frees its slot by worker and batch") {
  pool_kit k;
  const auto w1 = k.add("w1");
  batch_facts f;
  f.retry.on_timeout = true;
  const auto a = k.admit(0, f);
  k.add("w2");
  attempt_report r = report(attempt_end::response_timeout);
  r.slot_abandoned = true;
  k.p.finish(a.batch, r, at(1));
  k.run_until(2);
  REQUIRE(k.grants().size() == 1);
  CHECK(k.worker(w1, 2).in_flight == 1);
  k.p.release_slot(w1, a.batch, at(3));
  CHECK(k.worker(w1, 3).in_flight == 0);
  CHECK(k.p.running() == 1);
}

TEST_CASE("what a worker took is learned from successes only") {
  for (attempt_end end : {attempt_end::succeeded, attempt_end::failed, attempt_end::client_gone}) {
    pool_kit k;
    k.add("w1");
    const auto route = k.p.route("r");
    for (int i = 0; i < 10; ++i) {
      const auto a = k.admit(i * 10, {.route = route, .units = 100});
      k.finish(a.batch, end, i * 10 + 5, false);
    }
    const auto a = k.admit(200, {.route = route, .units = 100});
    if (a.what == admission::kind::granted)
      CHECK(a.grant.expected_seconds == Approx(end == attempt_end::succeeded ? 5 : 1).epsilon(0.3));
  }
}

TEST_CASE("a tenant that declares too little, or too much, still gets its share of the worker") {
  // 1000 units are a second here, and every batch takes one.
  const double declared = GENERATE(0.0001, 10'000.0);
  pool_kit k;
  k.add("w1");
  const auto route = k.p.route("r");
  double now = 0;
  for (int i = 0; i < 20; ++i) {
    const auto a = k.admit(now, {.route = route, .units = 1000});
    k.finish(a.batch, attempt_end::succeeded, ++now);
  }
  batch_id runs = k.admit(now, {.route = route, .units = 1000}).batch;
  std::vector<batch_id> wrong;
  for (int i = 0; i < 40; ++i) {
    k.admit(now, {.route = route, .tenant_hash = 1, .tenant = "honest", .units = 1000});
    const batch_facts f{.route = route, .tenant_hash = 2, .tenant = "other", .units = declared};
    wrong.push_back(k.admit(now, f).batch);
  }
  int served = 0;
  for (int i = 0; i < 40; ++i) {
    k.finish(runs, attempt_end::succeeded, ++now);
    runs = k.grants().at(0).batch;
    served += std::ranges::find(wrong, runs) != wrong.end();
  }
  INFO(declared << " units: " << served << " of 40");
  CHECK(served >= 15);
  CHECK(served <= 25);
}

}  // namespace weir::core::test
