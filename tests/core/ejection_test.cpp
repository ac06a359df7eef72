#include "ejection_kit.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "base/random.hpp"

using namespace weir;
using namespace weir::core;

namespace {

constexpr instant start = test::ejection_start;

struct bench : test::ejection_bench {
  using ejection_bench::ejection_bench;
  // Ejects a worker and waits until that is over; how long it took.
  duration serve(std::uint32_t worker) {
    fail(worker, 5);
    REQUIRE(machine.ejected(worker));
    const duration served = machine.ejected_until(worker) - now;
    wait(served);
    REQUIRE_FALSE(machine.ejected(worker));
    return served;
  }
  std::vector<std::uint32_t> ejected(std::uint32_t workers) const {
    std::vector<std::uint32_t> out;
    for (std::uint32_t w = 0; w < workers; ++w)
      if (machine.ejected(w)) out.push_back(w);
    return out;
  }
  std::vector<std::uint32_t> changed() {
    std::vector<std::uint32_t> out(machine.changed().begin(), machine.changed().end());
    machine.clear_changed();
    return out;
  }
};

using workers = std::vector<std::uint32_t>;

}  // namespace

TEST_CASE("failures in a row eject a worker and a success starts the count anew") {
  ejection_settings s;
  s.failure_share = 1;   // judged apart, in ejection_share_test
  bench b(4, s);
  CHECK_FALSE(b.fail(0, 4));
  CHECK(b.machine.failures_in_row(0) == 4);
  CHECK_FALSE(b.succeed(0));
  CHECK(b.machine.failures_in_row(0) == 0);
  CHECK_FALSE(b.fail(0, 4));
  CHECK_FALSE(b.machine.ejected(0));
  CHECK(b.fail(0));
  CHECK(b.machine.ejected(0));
  CHECK(b.machine.ejections(0) == 1);
  CHECK(b.machine.ejected_until(0) == b.now + 30s);
  CHECK(b.machine.next_deadline() == b.now + 30s);
  CHECK(b.changed() == workers{0});
}

TEST_CASE("failures of one worker do not count for another") {
  bench b(4);
  b.fail(0, 4);
  b.fail(1, 4);
  CHECK(b.ejected(4).empty());
}

TEST_CASE("an ejection ends in its time and says so once") {
  bench b(4);
  b.fail(2, 5);
  b.machine.clear_changed();
  CHECK_FALSE(b.wait(30s - 1ns));
  CHECK(b.machine.ejected(2));
  CHECK(b.wait(1ns));
  CHECK_FALSE(b.machine.ejected(2));
  CHECK(b.machine.ejected_until(2) == base::never);
  CHECK(b.machine.failures_in_row(2) == 0);
  CHECK(b.changed() == workers{2});
  CHECK(b.machine.next_deadline() == base::never);
  CHECK_FALSE(b.wait(1h));
}

TEST_CASE("each next ejection is longer up to a limit") {
  bench b(4);
  for (int n = 1; n <= 14; ++n) CHECK(b.serve(0) == std::min<duration>(n * 30s, 5min));
  CHECK(b.machine.ejections(0) == 14);
}

TEST_CASE("good behaviour takes the length back a step for each base time") {
  struct row {
    duration good;
    duration next;
  };
  // after three ejections the fourth lasts 120 s
  const std::vector<row> rows{{0s, 120s},  {29s, 120s}, {30s, 90s}, {59s, 90s},
                              {60s, 60s},  {90s, 30s},  {1h, 30s}};
  for (const row& r : rows) {
    INFO(base::to_seconds(r.good) << " s");
    bench b(4);
    for (int i = 0; i < 3; ++i) b.serve(0);
    b.wait(r.good);
    CHECK(b.serve(0) == r.next);
  }
}

TEST_CASE("no more than the share of the pool is ejected and at least one may be") {
  struct row {
    std::uint32_t workers;
    double share;
    std::size_t ejected;
  };
  const std::vector<row> rows{
      {2, .5, 1},  {3, .5, 1},  {4, .5, 2}, {5, .5, 2}, {10, .5, 5}, {10, .2, 2},
      {10, .1, 1}, {10, .3, 3}, {4, .1, 1}, {4, 0, 0},  {2, 1, 1},   {6, 1, 5},
  };
  for (const row& r : rows) {
    INFO(r.workers << " workers, at most " << r.share);
    ejection_settings s;
    s.ejected_max = r.share;
    s.outage_share = 1;   // none, for what is to be seen here
    bench b(r.workers, s);
    for (std::uint32_t w = 0; w < r.workers - 1; ++w) b.fail(w, 6);
    CHECK(b.ejected(r.workers).size() == r.ejected);
  }
}

TEST_CASE("a worker over the share is ejected by its next failure once there is room") {
  ejection_settings s;
  s.ejected_max = 0.25;
  s.outage_share = 1;
  bench b(4, s);
  b.fail(0, 5);
  b.fail(1, 7);
  CHECK_FALSE(b.machine.ejected(1));
  b.wait(30s);
  CHECK_FALSE(b.machine.ejected(1));
  b.fail(1);
  CHECK(b.machine.ejected(1));
}

TEST_CASE("the last worker that is up is never ejected") {
  for (health_state others : {health_state::checking, health_state::down}) {
    ejection_settings s;
    s.outage_share = 1;
    ejection e(s);
    e.enter(0, health_state::up);
    for (std::uint32_t w = 1; w < 6; ++w) e.enter(w, others);
    for (int i = 0; i < 20; ++i) e.failed(0, start);
    CHECK_FALSE(e.ejected(0));
    e.health_changed(3, health_state::up, start);
    e.failed(0, start);
    CHECK(e.ejected(0));
  }
}

TEST_CASE("a worker that is not up is not ejected") {
  for (health_state h : {health_state::checking, health_state::down}) {
    bench b(4);
    b.machine.health_changed(0, h, b.now);
    b.fail(0, 10);
    CHECK_FALSE(b.machine.ejected(0));
  }
}

TEST_CASE("coming back up from down starts the count anew") {
  bench b(4);
  b.fail(0, 4);
  b.machine.health_changed(0, health_state::down, b.now);
  CHECK(b.machine.failures_in_row(0) == 4);
  b.machine.health_changed(0, health_state::up, b.now);
  CHECK(b.machine.failures_in_row(0) == 0);
}

TEST_CASE("zero failures means never") {
  ejection_settings s;
  s.consecutive_failures = 0;
  bench b(4, s);
  b.fail(0, 1000);
  CHECK_FALSE(b.machine.ejected(0));
}

TEST_CASE("an ejection meets every other event") {
  bench b(6);
  b.fail(0, 5);
  b.machine.clear_changed();
  SECTION("failures of attempts that still ran change nothing") {
    CHECK_FALSE(b.fail(0, 10));
    CHECK(b.machine.ejected_until(0) == b.now + 30s);
    CHECK(b.machine.ejections(0) == 1);
  }
  SECTION("nor do their successes") {
    CHECK_FALSE(b.succeed(0));
    CHECK(b.machine.ejected(0));
  }
  SECTION("nor its health") {
    for (health_state h : {health_state::down, health_state::up, health_state::checking})
      CHECK_FALSE(b.machine.health_changed(0, h, b.now));
    CHECK(b.machine.ejected(0));
  }
  SECTION("leaving ends it and is told") {
    CHECK(b.machine.leave(0, b.now));
    CHECK_FALSE(b.machine.ejected(0));
    CHECK(b.changed() == workers{0});
    CHECK(b.machine.next_deadline() == base::never);
  }
  SECTION("entering again while there changes nothing") {
    b.machine.enter(0, health_state::up);
    CHECK(b.machine.ejected(0));
  }
  SECTION("a refund of too little changes nothing") {
    b.fail(0, 2);
    CHECK_FALSE(b.machine.refund(0, 2, true, b.now));
    CHECK(b.machine.ejected(0));
  }
  SECTION("a refund of what made it lifts it") {
    CHECK(b.machine.refund(0, 1, true, b.now));
    CHECK_FALSE(b.machine.ejected(0));
    CHECK(b.changed() == workers{0});
    CHECK(b.machine.next_deadline() == base::never);
  }
}

TEST_CASE("a lifted ejection does not lengthen the next one") {
  bench b(4);
  REQUIRE(b.serve(0) == 30s);
  b.fail(0, 5);
  REQUIRE(b.machine.refund(0, 5, true, b.now));
  CHECK(b.serve(0) == 60s);
}

TEST_CASE("refunds take failures off the count and never below nothing") {
  bench b(4);
  b.fail(0, 4);
  CHECK_FALSE(b.machine.refund(0, 1, true, b.now));
  CHECK(b.machine.failures_in_row(0) == 3);
  b.machine.refund(0, 100, true, b.now);
  CHECK(b.machine.failures_in_row(0) == 0);
  b.fail(0, 4);
  CHECK_FALSE(b.machine.ejected(0));
}

TEST_CASE("a worker that is not in the pool is ignored by every event") {
  bench b(2);
  b.machine.leave(1, b.now);
  for (std::uint32_t w : {1u, 2u, 77u}) {
    CHECK_FALSE(b.fail(w, 10));
    CHECK_FALSE(b.succeed(w));
    CHECK_FALSE(b.machine.refund(w, 1, true, b.now));
    CHECK_FALSE(b.machine.leave(w, b.now));
    CHECK_FALSE(b.machine.health_changed(w, health_state::up, b.now));
    CHECK_FALSE(b.machine.ejected(w));
    CHECK(b.machine.failures_in_row(w) == 0);
    CHECK(b.machine.ejections(w) == 0);
    CHECK(b.machine.ejected_until(w) == base::never);
  }
}

TEST_CASE("a worker that enters in another's place starts with nothing") {
  bench b(4);
  b.serve(0);
  b.fail(0, 4);
  b.machine.leave(0, b.now);
  b.machine.enter(0, health_state::up);
  CHECK(b.machine.failures_in_row(0) == 0);
  CHECK(b.machine.ejections(0) == 0);
  CHECK(b.serve(0) == 30s);
}

TEST_CASE("a worker is told once however often it changed") {
  bench b(4);
  b.fail(0, 5);
  b.machine.refund(0, 5, true, b.now);
  b.fail(0, 5);
  b.machine.leave(0, b.now);
  b.machine.enter(0, health_state::up);
  b.fail(0, 5);
  CHECK(b.changed() == workers{0});
  CHECK(b.changed().empty());
}

TEST_CASE("several ejections end each in its own time") {
  bench b(8);
  b.fail(3, 5);
  b.wait(10s);
  b.fail(5, 5);
  CHECK(b.machine.next_deadline() == start + 30s);
  b.wait(20s);
  CHECK(b.ejected(8) == workers{5});
  CHECK(b.machine.next_deadline() == start + 40s);
  b.wait(10s);
  CHECK(b.ejected(8).empty());
}

TEST_CASE("new settings hold from the next failure on") {
  bench b(4);
  b.fail(0, 3);
  ejection_settings s;
  s.consecutive_failures = 2;
  s.base_time = 7s;
  b.machine.configure(s);
  CHECK_FALSE(b.machine.ejected(0));
  b.fail(0);
  CHECK(b.machine.ejected_until(0) == b.now + 7s);
}

TEST_CASE("extreme times neither overflow nor divide by nothing") {
  ejection_settings s;
  s.base_time = 0s;
  bench zero(4, s);
  zero.fail(0, 5);
  CHECK(zero.machine.ejected_until(0) <= zero.now + 1ns);
  zero.wait(1ns);
  CHECK_FALSE(zero.machine.ejected(0));

  s.base_time = s.time_max = base::forever;
  bench endless(4, s);
  endless.fail(0, 5);
  CHECK(endless.machine.ejected_until(0) == base::never);
  endless.fail(1, 5);
  CHECK(endless.ejected(4).size() == 2);
}
