// Ejection when the fault is shared, and its invariants under random events.
#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "base/random.hpp"
#include "ejection_kit.hpp"

using namespace weir;
using namespace weir::core;

namespace {

constexpr instant start = test::ejection_start;

struct bench : test::ejection_bench {
  using ejection_bench::ejection_bench;
  // Everybody fails once, in turns.
  void fail_all(int times) {
    for (int i = 0; i < times; ++i)
      for (std::uint32_t w = 0; w < size; ++w) machine.failed(w, now);
  }
  std::uint32_t ejected() const {
    std::uint32_t n = 0;
    for (std::uint32_t w = 0; w < size; ++w) n += machine.ejected(w);
    return n;
  }
};

}  // namespace

TEST_CASE("more than the share of the pool failing at once is an outage") {
  struct row {
    std::uint32_t workers;
    double share;
    std::uint32_t failing;   // that many make it, one fewer does not
  };
  const std::vector<row> rows{
      {1, .5, 1}, {2, .5, 2}, {3, .5, 2}, {4, .5, 3}, {5, .5, 3}, {10, .5, 6},
      {4, .25, 2}, {10, .1, 2}, {3, .1, 2}, {1, 0, 1}, {5, 0, 2}, {100, .5, 51},
  };
  for (const row& r : rows) {
    INFO(r.workers << " workers, share " << r.share);
    ejection_settings s;
    s.outage_share = r.share;
    bench b(r.workers, s);
    for (std::uint32_t w = 0; w + 1 < r.failing; ++w) b.fail(w, 3);
    CHECK_FALSE(b.machine.outage());
    b.fail(r.failing - 1, 2);
    CHECK_FALSE(b.machine.outage());
    CHECK(b.machine.failed(r.failing - 1, b.now));
    CHECK(b.machine.outage());
  }
}

TEST_CASE("a share of one is never an outage") {
  ejection_settings s;
  s.outage_share = 1;
  bench b(4, s);
  b.fail_all(20);
  CHECK_FALSE(b.machine.outage());
}

TEST_CASE("a worker fails from half of the failures that eject it") {
  struct row {
    std::uint32_t consecutive;
    int failing;
  };
  for (const row& r : std::vector<row>{{5, 3}, {4, 2}, {1, 1}, {2, 1}, {9, 5}, {0, 3}}) {
    INFO(r.consecutive);
    ejection_settings s;
    s.consecutive_failures = r.consecutive;
    bench b(1, s);
    b.fail(0, r.failing - 1);
    CHECK_FALSE(b.machine.outage());
    b.fail(0, 1);
    CHECK(b.machine.outage());
  }
}

TEST_CASE("when everybody fails nobody is ejected") {
  for (std::uint32_t workers : {1u, 2u, 3u, 4u, 7u, 50u}) {
    bench b(workers);
    b.fail_all(100);
    INFO(workers << " workers");
    CHECK(b.machine.outage());
    CHECK(b.ejected() == 0);
  }
}

TEST_CASE("an outage lifts the ejections that it made and they do not count") {
  bench b(4);
  b.fail(0, 5);
  b.fail(1, 5);
  REQUIRE(b.ejected() == 2);
  b.machine.clear_changed();
  b.fail(2, 3);
  CHECK(b.machine.outage());
  CHECK(b.ejected() == 0);
  CHECK(b.machine.changed().size() == 2);

  for (std::uint32_t w = 0; w < 4; ++w) b.machine.succeeded(w, b.now);
  REQUIRE_FALSE(b.machine.outage());
  b.wait(1s);
  b.fail(0, 5);
  CHECK(b.machine.ejected_until(0) == b.now + 30s);   // as if it were the first
}

TEST_CASE("in an outage only successes that leave no more than the share failing end it") {
  bench b(4);
  b.fail_all(3);
  REQUIRE(b.machine.outage());
  CHECK_FALSE(b.machine.succeeded(0, b.now));
  CHECK(b.machine.outage());
  CHECK(b.machine.succeeded(1, b.now));
  CHECK_FALSE(b.machine.outage());
}

TEST_CASE("time alone does not end an outage") {
  bench b(4);
  b.fail_all(3);
  b.wait(24h);
  CHECK(b.machine.outage());
  CHECK(b.machine.next_deadline() == base::never);
}

TEST_CASE("after a first success failures that are long ago no longer count") {
  bench b(10);
  b.fail_all(3);
  b.wait(10s);
  b.machine.failed(9, b.now);
  b.machine.succeeded(0, b.now);          // the only worker that gets anything
  REQUIRE(b.machine.outage());
  REQUIRE(b.machine.next_deadline() < base::never);
  b.wait(10s);
  CHECK(b.machine.outage());
  b.wait(10s);                            // 30 s after the others' last failures
  CHECK_FALSE(b.machine.outage());
}

TEST_CASE("what failed in an outage was nobody's fault") {
  bench b(4);
  b.fail_all(4);
  b.machine.succeeded(0, b.now);
  b.machine.succeeded(1, b.now);
  REQUIRE_FALSE(b.machine.outage());
  CHECK(b.machine.failures_in_row(2) == 0);
  b.fail(2, 4);
  CHECK_FALSE(b.machine.ejected(2));
  b.fail(2, 1);
  CHECK(b.machine.ejected(2));
}

TEST_CASE("outside of an outage failures in a row count however far apart they are") {
  bench b(6);
  b.fail_all(3);
  for (std::uint32_t w = 0; w < 6; ++w) b.machine.succeeded(w, b.now);
  REQUIRE_FALSE(b.machine.outage());
  b.fail(2, 4);
  b.fail(0, 5);
  b.wait(10min);          // the other's ejection ends meanwhile
  REQUIRE(b.ejected() == 0);
  b.fail(2, 1);
  CHECK(b.machine.ejected(2));
}

TEST_CASE("a worker that failed long ago does not make another's failure an outage") {
  bench b(2);
  b.fail(0, 3);
  b.wait(31s);
  b.fail(1, 4);
  CHECK_FALSE(b.machine.outage());
  b.fail(1, 1);
  CHECK(b.machine.ejected(1));
}

TEST_CASE("an ejected worker counts as failing as long as it is ejected") {
  bench b(2);
  b.fail(0, 5);
  b.wait(29s);
  b.fail(1, 3);
  CHECK(b.machine.outage());
  CHECK(b.ejected() == 0);
}

TEST_CASE("an outage ends when nobody who fails is left") {
  SECTION("they left") {
    bench b(3);
    b.fail(0, 3);
    b.fail(1, 3);
    REQUIRE(b.machine.outage());
    b.machine.leave(0, b.now);
    CHECK(b.machine.outage());
    CHECK(b.machine.leave(1, b.now));
    CHECK_FALSE(b.machine.outage());
    CHECK(b.machine.recovered_by() == recovery::departures);
  }
  SECTION("their failures were refunded") {
    bench b(2);
    b.fail_all(3);
    REQUIRE(b.machine.outage());
    b.machine.refund(0, 3, true, b.now);
    CHECK(b.machine.outage());
    CHECK(b.machine.refund(1, 1, true, b.now));
    CHECK_FALSE(b.machine.outage());
    CHECK(b.machine.recovered_by() == recovery::refunds);
  }
}

TEST_CASE("workers that go down in an outage do not end it: probes or attempts that succeed do") {
  struct row {
    std::uint32_t workers, failing, down, proven, succeeded;
    bool ends;
  };
  const std::vector<row> rows{
      {1, 1, 1, 0, 0, false}, {1, 1, 1, 1, 0, true},  {2, 2, 2, 0, 0, false},
      {2, 2, 2, 1, 0, true},  {4, 4, 4, 1, 0, false}, {4, 4, 4, 2, 0, true},
      {3, 2, 2, 0, 0, false}, {3, 2, 2, 1, 0, true},  {4, 4, 3, 0, 1, false},
      {4, 4, 2, 0, 2, true},  {4, 3, 4, 1, 0, false}, {10, 6, 6, 0, 4, false},
      {10, 6, 6, 1, 0, true},
  };
  for (const row& r : rows) {
    INFO(r.failing << " of " << r.workers << " fail, " << r.down << " go down, " << r.proven
                   << " are proven, attempts on " << r.succeeded << " succeed");
    bench b(r.workers);
    for (std::uint32_t w = 0; w < r.failing; ++w) b.fail(w, 3);
    REQUIRE(b.machine.outage());
    for (std::uint32_t w = 0; w < r.down; ++w)
      b.machine.health_changed(w, health_state::down, b.now);
    CHECK(b.machine.outage());
    b.wait(10s);
    for (std::uint32_t w = 0; w < r.proven; ++w)
      b.machine.health_changed(w, health_state::up, b.now);
    for (std::uint32_t w = 0; w < r.succeeded; ++w)
      b.machine.succeeded(r.workers - 1 - w, b.now);
    CHECK(b.machine.outage() == !r.ends);
    CHECK(b.machine.impaired() == !r.ends);
    if (r.ends)
      CHECK(b.machine.recovered_by() ==
            (r.proven > 0 ? recovery::probes : recovery::attempts));
  }
}

TEST_CASE("what was down before an outage does not keep it from ending") {
  bench b(10);
  for (std::uint32_t w = 2; w < 10; ++w) b.machine.health_changed(w, health_state::down, b.now);
  b.fail(0, 3);
  b.fail(1, 3);
  REQUIRE(b.machine.outage());
  b.machine.succeeded(0, b.now);
  CHECK_FALSE(b.machine.outage());
  CHECK(b.machine.impaired());
}

TEST_CASE("a worker that stays down after an outage does not make the next one") {
  bench b(4);
  b.fail_all(3);
  for (std::uint32_t w = 0; w < 2; ++w) b.machine.health_changed(w, health_state::down, b.now);
  b.machine.succeeded(2, b.now);
  b.machine.succeeded(3, b.now);
  REQUIRE_FALSE(b.machine.outage());
  b.fail(2, 3);
  CHECK_FALSE(b.machine.outage());
  b.fail(3, 3);
  CHECK(b.machine.outage());
}

TEST_CASE("workers that are down are not judged with the rest") {
  bench b(6);
  for (std::uint32_t w = 2; w < 6; ++w) b.machine.health_changed(w, health_state::down, b.now);
  b.fail(0, 5);
  CHECK_FALSE(b.machine.outage());    // one of two
  CHECK(b.machine.ejected(0));
  b.fail(1, 3);
  CHECK(b.machine.outage());          // both
}

TEST_CASE("a pool is impaired when most of it is down or failing") {
  struct row {
    std::uint32_t workers, down, failing;
    bool impaired;
  };
  const std::vector<row> rows{
      {0, 0, 0, false}, {1, 0, 0, false}, {1, 1, 0, true},  {1, 0, 1, true},  {2, 1, 0, false},
      {2, 2, 0, true},  {2, 1, 1, true},  {4, 2, 0, false}, {4, 3, 0, true},  {4, 1, 1, false},
      {4, 2, 1, true},  {10, 5, 0, false}, {10, 4, 2, true}, {10, 0, 5, false},
  };
  for (const row& r : rows) {
    INFO(r.workers << " workers, " << r.down << " down, " << r.failing << " failing");
    bench b(r.workers);
    for (std::uint32_t w = 0; w < r.down; ++w)
      b.machine.health_changed(w, health_state::down, b.now);
    for (std::uint32_t w = r.down; w < r.down + r.failing; ++w) b.fail(w, 3);
    CHECK(b.machine.impaired() == r.impaired);
  }
}

TEST_CASE("one that fails all it gets loses few attempts in an hour") {
  // A black hole among 16 workers, tried whenever it may be: algorithms call for some two dozen.
  bench b(16);
  int lost = 0;
  for (; b.now < start + 1h; b.wait(1s)) {
    if (!b.machine.ejected(7)) ++lost, b.machine.failed(7, b.now);
    b.machine.succeeded(3, b.now);
  }
  CHECK(lost < 100);
  CHECK(lost >= 50);
}

TEST_CASE("limits hold under random events") {
  int made = 0;
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    base::random random{seed};
    ejection_settings s;
    s.ejected_max = 0.1 * random.below(11);
    s.outage_share = 0.1 * random.below(11);
    s.consecutive_failures = random.below(6);
    ejection e(s);
    const std::uint32_t size = 1 + random.below(9);
    std::vector<bool> in(size), up(size), out(size);
    instant now = start;
    for (int i = 0; i < 3000; ++i) {
      const std::uint32_t w = random.below(size);
      const auto h = static_cast<health_state>(random.below(3));
      const bool outage = e.outage(), was = e.ejected(w);
      bool news = false;
      now += std::chrono::milliseconds(random.below(4000));
      switch (random.below(12)) {
        case 0: e.enter(w, h), up[w] = in[w] ? up[w] : h == health_state::up, in[w] = true; break;
        case 1: news = e.leave(w, now), in[w] = up[w] = false; break;
        case 2: news = e.health_changed(w, h, now), up[w] = in[w] && h == health_state::up; break;
        case 3: news = e.refund(w, random.below(4), true, now); break;
        case 4: news = e.expire(now); break;
        case 5: news = e.succeeded(w, now); break;
        default: news = e.failed(w, now); break;
      }
      // What changed is told, and only that.
      REQUIRE(news == (outage != e.outage() || !e.changed().empty()));
      for (std::uint32_t c : e.changed()) out[c] = !out[c];
      e.clear_changed();
      std::uint32_t ejected = 0, present = 0, usable = 0;
      for (std::uint32_t k = 0; k < size; ++k) {
        REQUIRE(out[k] == e.ejected(k));
        REQUIRE((in[k] || !e.ejected(k)));
        ejected += e.ejected(k), present += in[k], usable += up[k] && !e.ejected(k);
      }
      REQUIRE_FALSE((e.outage() && ejected > 0));
      REQUIRE((ejected > 0) <= (e.next_deadline() < base::never));
      // Whoever is newly ejected stays within the share and leaves somebody who is up.
      if (!was && e.ejected(w)) {
        REQUIRE(ejected <= std::max(1.0, std::floor(s.ejected_max * present + 1e-9)));
        REQUIRE(usable > 0);
        ++made;
      }
      REQUIRE((s.consecutive_failures > 0 || ejected == 0));
      REQUIRE((s.ejected_max > 0 || ejected == 0));
    }
  }
  CHECK(made > 100);
}
