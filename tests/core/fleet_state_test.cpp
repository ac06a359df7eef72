// What fleet shows and tells of a worker's state: since when, why, and in which events.
#include <catch2/catch.hpp>
#include <vector>

#include "core/fleet_kit.hpp"

namespace weir::core::test {

using bench = fleet_bench;

TEST_CASE("a saturated worker shows since when it is, not since when it is up") {
  bench b;
  const auto w = b.add("w1", 2);
  const auto first = b.start(w, 10, 1);
  CHECK(b.f.view(w, at(12)).seconds_in_state == Approx(12));
  b.start(w, 20, 2);
  CHECK(b.f.view(w, at(22)).state == worker_state::saturated);
  CHECK(b.f.view(w, at(22)).seconds_in_state == Approx(2));
  b.f.end(first, at(30));
  const auto third = b.start(w, 30, 3);  // the slot was filled as it freed
  CHECK(b.f.view(w, at(35)).seconds_in_state == Approx(15));
  b.f.end(third, at(40));
  CHECK(b.f.view(w, at(41)).state == worker_state::up);
  CHECK(b.f.view(w, at(41)).seconds_in_state == Approx(41));
  b.start(w, 50, 4);
  CHECK(b.f.view(w, at(51)).seconds_in_state == Approx(1));
}

TEST_CASE("an ejection tells the last failure, and its end does not hide why a worker is down") {
  struct row {
    attempt_end how;
    const char* reason;
  };
  for (const row& r : std::vector<row>{
           {attempt_end::connect_failed, "5 failures in a row, the last: no connection"},
           {attempt_end::response_timeout, "5 failures in a row, the last: no response in time"}}) {
    pool_settings s = probed_settings();
    s.health.fall = 1;
    bench b(s);
    const auto bad = b.add("bad"), good = b.add("good");
    const auto probe = [&](worker_id w, bool passes, double when) {
      b.run_until(when);
      b.f.probed(w, passes, passes ? "" : "connection refused", at(when));
    };
    probe(bad, true, 0), probe(good, true, 0);
    for (int i = 0; i < 5; ++i) b.f.failed(bad, at(0.1), r.how);
    REQUIRE(b.state(bad, 0.1) == worker_state::ejected);
    CHECK(b.f.view(bad, at(0.1)).reason == r.reason);
    double when = 1;
    for (; b.state(bad, when) == worker_state::ejected && when < 29; when += 1)
      probe(bad, false, when), probe(good, true, when);
    REQUIRE(b.state(bad, when) == worker_state::down);
    b.run_until(60);
    CHECK(b.f.view(bad, at(60)).reason == "connection refused");
  }
}

TEST_CASE("failures in a row eject a worker for a time, told in two events") {
  pool_settings s = plain_settings();
  s.ejection.outage_share = 0.9;
  bench b(s);
  const auto bad = b.add("bad");
  for (const char* n : {"a", "b", "c"}) b.add(n);
  b.out.events.clear();
  for (int i = 0; i < 5; ++i) b.f.failed(bad, at(i));
  CHECK(b.state(bad, 5) == worker_state::ejected);
  CHECK(b.f.view(bad, at(5)).reason ==
        "5 failures in a row, the last: a failing status or a broken response");
  for (int i = 0; i < 8; ++i) CHECK(b.pick() != bad);
  b.run_until(34.1);
  CHECK(b.state(bad, 35) == worker_state::up);
  CHECK(b.events(event::kind::worker_state_changed) == 2);
  CHECK(b.f.view(bad, at(35)).failures == 5);
}

TEST_CASE("when most workers fail at once nobody is ejected and the outage is told") {
  bench b;
  std::vector<worker_id> all;
  for (const char* n : {"a", "b", "c", "d"}) all.push_back(b.add(n));
  for (int i = 0; i < 6; ++i)
    for (worker_id w : all) b.f.failed(w, at(i));
  for (worker_id w : all) CHECK(b.state(w, 6) == worker_state::up);
  CHECK(b.events(event::kind::outage_began) == 1);
  for (int i = 0; i < 3; ++i)
    for (worker_id w : all) b.f.succeeded(w, at(7));
  CHECK(b.events(event::kind::outage_ended) == 1);
}

// --- failures that were a batch's fault ------------------------------------------------------

TEST_CASE("a worker is proven by its last success, and by none when it has left") {
  fleet_bench b;
  const auto w = b.add("w1");
  CHECK(b.f.proven(w) == instant::min());
  b.f.succeeded(w, at(3));
  b.f.failed(w, at(4));
  CHECK(b.f.proven(w) == at(3));
  b.f.remove(w, "", at(5));
  CHECK(b.f.proven(w) == instant::min());
}

TEST_CASE("refunded are failures that still count, and no others") {
  struct row {
    const char* history;   // f: fails, s: succeeds; a second each
    int failed;            // when the batch's own failure was, the last
    std::uint32_t left;
  };
  for (const row& r : std::vector<row>{{"f", 0, 0},
                                       {"ff", 0, 1},
                                       {"ff", 1, 1},
                                       {"fs", 0, 0},
                                       {"fsf", 0, 1},
                                       {"fsf", 2, 0},
                                       {"fsfff", 0, 3},
                                       {"sfff", 1, 2},
                                       {"ffffff", 2, 5}}) {
    INFO(r.history << ' ' << r.failed);
    pool_settings s = plain_settings();
    s.ejection.consecutive_failures = 5;
    fleet_bench b(s);
    const auto w = b.add("w1");
    for (const char* name : {"w2", "w3", "w4"}) b.add(name);
    double now = 0;
    for (const char* c = r.history; *c != 0; ++c, ++now)
      *c == 'f' ? b.f.failed(w, at(now)) : b.f.succeeded(w, at(now));
    b.f.refund(w, 1, at(r.failed), at(now));
    CHECK(b.f.view(w, at(now)).consecutive_failures == r.left);
  }
}

TEST_CASE("a refund lifts the ejection that the failure made, and tells of it") {
  pool_settings s = plain_settings();
  s.ejection.consecutive_failures = 3;
  fleet_bench b(s);
  const auto w = b.add("w1");
  for (const char* name : {"w2", "w3", "w4"}) b.add(name);
  for (int i = 0; i < 3; ++i) b.f.failed(w, at(i));
  REQUIRE(b.state(w, 3) == worker_state::ejected);
  b.out.clear();
  b.f.refund(w, 1, at(1), at(3));
  CHECK(b.state(w, 3) == worker_state::up);
  CHECK(b.events(event::kind::worker_state_changed) == 1);
  b.f.remove(w, "", at(4));
  b.f.refund(w, 1, at(4), at(5));   // gone
}

}  // namespace weir::core::test
