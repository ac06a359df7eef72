#include <catch2/catch.hpp>

#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

using Catch::Matchers::Contains;

}  // namespace

TEST_CASE("nothing is explained of a batch that nobody knows") {
  pool_kit k;
  CHECK(k.p.explain("nobody", at(0)).empty());
}

TEST_CASE("a batch that runs: where, since when, against what was expected") {
  pool_kit k;
  k.add("w1", 2);
  k.admit(0, {.label = "b-1"});
  const std::string text = k.p.explain("b-1", at(3));
  for (const char* part : {"Attempt 1", "w1", "3.00 s", "1.00 s were expected", "1 of its 2"})
    CHECK_THAT(text, Contains(part));
}

TEST_CASE("a batch that waits says behind how much, and why") {
  struct row {
    const char *reason, *start;
    void (*prepare)(pool_kit&, worker_id);
  };
  const row rows[] = {
      {"Every open slot is taken", "Its start is expected in about ", [](pool_kit&, worker_id) {}},
      {"The pool is paused", "No start is expected before its wait ends, in 298 s.",
       [](pool_kit& k, worker_id) { k.p.pause(at(1)); }},
      {"No worker serves now: w1 is draining", "No start is expected before its wait ends",
       [](pool_kit& k, worker_id w) { k.p.drain(w, "", at(1)); }},
  };
  for (const row& r : rows) {
    pool_kit k;
    const auto w = k.add("w1");
    k.admit(0);
    k.admit(0);
    k.admit(0.1, {.label = "b-3"});
    r.prepare(k, w);
    const std::string text = k.p.explain("b-3", at(2.1));
    CHECK_THAT(text, Contains(r.reason));
    CHECK_THAT(text, Contains("behind 1 batch with 1.00 s of work"));
    CHECK_THAT(text, Contains("for 2.00 s"));
    CHECK_THAT(text, Contains(r.start));
  }
}

TEST_CASE("a retry says that it backs off, or from whom it is kept") {
  pool_kit k;
  k.add("w1");
  const auto a = k.admit(0, {.label = "b-1"});
  k.add("w2");
  k.admit(0);
  k.finish(a.batch, attempt_end::failed, 1);
  CHECK_THAT(k.p.explain("b-1", at(1)), Contains("backs off") && Contains("1 attempt so far"));
  k.run_until(7);
  CHECK_THAT(k.p.explain("b-1", at(7)), Contains("kept from the workers that failed it: w1."));
}

TEST_CASE("a batch that has left says where it ran and how that ended") {
  pool_kit k;
  k.add("w1");
  const auto a = k.admit(0, {.label = "b-1"});
  k.admit(0, {.label = "b-2", .wait_max = 5s});
  const auto c = k.admit(0, {.label = "b-3"});
  k.run_until(5);
  k.p.cancel(c.batch, at(6));
  k.finish(a.batch, attempt_end::succeeded, 9);
  CHECK_THAT(k.p.explain("b-1", at(20)),
             Contains("9.00 s after it came") && Contains("w1") && Contains("succeeded"));
  CHECK_THAT(k.p.explain("b-2", at(20)), Contains("wait_expired") && Contains("never ran"));
  CHECK_THAT(k.p.explain("b-3", at(20)), Contains("cancelled"));
}

TEST_CASE("a batch that the retry budget ended says so, with and without an answer to relay") {
  for (const bool has_response : {false, true}) {
    pool_settings s = plain_settings();
    s.retry_budget = {.ratio = 0, .min = 0};
    pool_kit k(s);
    k.add("w1"), k.add("w2");
    const auto a = k.admit(0, {.label = "b-1"});
    attempt_report r;
    r.may_retry = true;
    r.has_response = has_response;
    const verdict v = k.p.finish(a.batch, r, at(1));
    CHECK((v.what == verdict::kind::done) == has_response);
    if (!has_response) CHECK(v.why == refusal::retry_budget);
    CHECK_THAT(k.p.explain("b-1", at(2)), Contains("the pool's retry_budget was used up"));
  }
}

TEST_CASE("with several tenants the place is said to be about, and in which order the list is") {
  pool_kit k;
  k.add("w1");
  k.admit(0);
  k.admit(0, {.tenant_hash = 1, .tenant = "a", .label = "b-1"});
  CHECK_THAT(k.p.explain("b-1", at(1)), !Contains("Tenants take turns"));
  k.admit(0, {.tenant_hash = 2, .tenant = "b", .label = "b-2"});
  for (const char* label : {"b-1", "b-2"})
    CHECK_THAT(k.p.explain(label, at(1)),
               Contains("behind about") && Contains("Tenants take turns; the queue's listing"));
}

TEST_CASE("why nobody serves is told in numbers, with what scaling does about it") {
  pool_settings s = plain_settings();
  s.health.kind = probe_kind::tcp;
  pool_kit k(s);
  CHECK(k.p.absence() == "there is none");
  k.add("a"), k.add("b");
  k.p.drain(k.add("c"), "", at(0));
  CHECK(k.p.absence() == "2 checking, 1 draining");
  s.autoscale = autoscale_settings{.min = 0, .max = 3};
  pool_kit empty(s);
  empty.admit(0);
  empty.run_until(5);
  CHECK(empty.p.absence() == "there is none; 1 more was asked for");
  pool_kit up;
  up.add("w1");
  CHECK(up.p.absence() == "all are up by now");
}

TEST_CASE("every end has its words, and every enumerator a name of its own") {
  for (int e = 0; e < 8; ++e) {
    pool_kit k;
    const auto w = k.add("w1");
    const auto a = k.admit(0, {.label = "b"});
    attempt_report r;
    r.end = static_cast<attempt_end>(e);
    if (r.end == attempt_end::connect_failed) k.p.close(at(0.5));
    k.p.finish(a.batch, r, at(1));
    k.p.remove_worker(w, "", at(2));
    CHECK_THAT(k.p.explain("b", at(3)),
               Contains("a worker that has left") && !Contains("and ended."));
    CHECK(name(r.end) != "unknown");
  }
  for (int s = 0; s < 7; ++s) CHECK(name(static_cast<worker_state>(s)) != "unknown");
  for (int r = 0; r < 11; ++r) CHECK(name(static_cast<refusal>(r)) != "unknown");
  CHECK(name(static_cast<refusal>(99)) == "unknown");
}

}  // namespace weir::core::test
