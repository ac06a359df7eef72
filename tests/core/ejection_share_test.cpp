// Ejection by the share of the last 20 attempts that failed.
#include <catch2/catch.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "ejection_kit.hpp"
#include "fleet_kit.hpp"

using namespace weir;
using namespace weir::core;

namespace {

struct bench : test::ejection_bench {
  using ejection_bench::ejection_bench;
  // '+' succeeds, '-' fails, '!' at once, 'h' hangs; up to the first that ejects. How many were
  // taken.
  std::size_t play(std::uint32_t worker, std::string_view ends) {
    std::size_t taken = 0;
    for (char c : ends) {
      if (machine.ejected(worker)) break;
      ++taken;
      if (c == '+') machine.succeeded(worker, now);
      if (c == '-') machine.failed(worker, now);
      if (c == '!') machine.failed(worker, now, true);
      if (c == 'h') machine.stuck(worker, now);
    }
    return taken;
  }
};

std::string times(std::string_view pattern, int n) {
  std::string out;
  for (int i = 0; i < n; ++i) out += pattern;
  return out;
}

}  // namespace

TEST_CASE("a worker that surely fails more than the share is ejected, successes or not") {
  struct row {
    std::string history;
    std::size_t ejected_after;   // 0: not at all
  };
  for (const row& r : std::vector<row>{
           {times("+-", 50), 0},                       // 10 of 20: surely above 29.9 %
           {times("-+-", 10), 7},                      // 5 of 7
           {times("--+", 10), 7},
           {"----+-", 6},                              // 5 of 6
           {times("+", 20) + times("--+", 10), 20 + 16},   // 11 of the last 20
           {times("-++", 50), 0},
           {times("-+++", 50), 0},
           {times("----", 1), 0},                      // fewer than consecutive_failures
           {times("h", 4), 0},
           {times("h+", 4) + "hh", 10},
           {times("h", 9), 5},
           {times("+", 20) + times("!+", 10), 20 + 15},     // 8 at once beside 12
           {times("+-+-+", 20), 0},                         // 8 of 20 that took their time
           {times("+", 20) + times("++!", 10), 0},          // 7 at once beside 13: 27.9 %
           {times("!", 4) + "++++", 0}}) {
    CAPTURE(r.history);
    bench b(4);
    const std::size_t taken = b.play(0, r.history);
    CHECK(b.machine.ejected(0) == (r.ejected_after > 0));
    if (r.ejected_after > 0) CHECK(taken == r.ejected_after);
  }
}

TEST_CASE("the share that is tolerated is a setting") {
  struct row {
    double share;
    std::uint32_t consecutive;
    bool ejected;
  };
  for (const row& r : {row{0.3, 5, true}, row{0.6, 5, false}, row{1, 5, false}, row{0.3, 0, false},
                       row{0.3, 20, false}, row{0, 5, true}}) {
    CAPTURE(r.share, r.consecutive);
    ejection_settings s;
    s.failure_share = r.share, s.consecutive_failures = r.consecutive;
    bench b(4, s);
    b.play(0, times("-+-", 40));
    CHECK(b.machine.ejected(0) == r.ejected);
    if (r.ejected) CHECK(b.machine.by_share(0));
  }
}

TEST_CASE("nobody is ejected for what happens to all workers alike") {
  bench b(8);
  for (int i = 0; i < 40; ++i)
    for (std::uint32_t w = 0; w < 8; ++w) b.play(w, "-+-");
  for (std::uint32_t w = 0; w < 8; ++w) CHECK_FALSE(b.machine.ejected(w));
}

TEST_CASE("nobody is ejected for what fails at once on all workers alike") {
  bench b(8);
  for (int i = 0; i < 40; ++i)
    for (std::uint32_t w = 0; w < 8; ++w) b.play(w, "!+!");
  for (std::uint32_t w = 0; w < 8; ++w) CHECK_FALSE(b.machine.ejected(w));
}

TEST_CASE("one that is surely worse than the others is ejected, though they fail too") {
  bench b(8);
  for (int i = 0; i < 20; ++i)
    for (std::uint32_t w = 0; w < 8; ++w) b.play(w, w == 3 ? "---+" : "-+");
  for (std::uint32_t w = 0; w < 8; ++w) CHECK(b.machine.ejected(w) == (w == 3));
}

TEST_CASE("what is refunded no longer counts in the share, in a row or not") {
  bench b(4);
  b.play(0, "-+-+-+-+");
  b.machine.refund(0, 4, false, b.now);
  CHECK(b.machine.recent(0).failures() == 0);
  CHECK(b.machine.recent(0).count() == 4);

  b.play(1, "----+-");
  REQUIRE(b.machine.ejected(1));
  CHECK(b.machine.refund(1, 1, false, b.now));
  CHECK_FALSE(b.machine.ejected(1));
}

TEST_CASE("after an ejection or an outage the last attempts start anew") {
  bench b(4);
  b.play(0, "----+-");
  REQUIRE(b.machine.ejected(0));
  b.now += 30s;
  b.machine.expire(b.now);
  CHECK_FALSE(b.machine.ejected(0));
  CHECK(b.machine.recent(0).count() == 0);
  CHECK(b.play(0, "----+-") == 6);
  CHECK(b.machine.ejected_until(0) == b.now + 60s);

  for (std::uint32_t w = 1; w < 4; ++w) b.play(w, "---");
  REQUIRE(b.machine.outage());
  CHECK_FALSE(b.machine.ejected(0));   // lifted
  for (std::uint32_t w = 0; w < 4; ++w) b.machine.succeeded(w, b.now);
  REQUIRE_FALSE(b.machine.outage());
  for (std::uint32_t w = 0; w < 4; ++w) CHECK(b.machine.recent(w).failures() == 0);
}

TEST_CASE("unknown workers have no last attempts") {
  bench b(2);
  CHECK_FALSE(b.machine.stuck(7, b.now));
  CHECK_FALSE(b.machine.succeeded(7, b.now));
  CHECK(b.machine.recent(7).count() == 0);
  CHECK_FALSE(b.machine.by_share(7));
}

TEST_CASE("attempts that hang far beyond what was expected eject their worker, and say so") {
  test::fleet_bench b;
  const auto hung = b.add("hung", 8), fine = b.add("fine", 8);
  for (int i = 0; i < 5; ++i) b.start(hung, 0, 1, 1);
  for (double now = 0; now < 15.5; now += 0.5) {
    CAPTURE(now);
    CHECK(b.state(hung, now) == worker_state::up);
    b.f.end(b.start(fine, now, 1, 1), test::at(now));
    b.run_until(now + 0.5);
  }
  b.run_until(17);
  CHECK(b.state(hung, 17) == worker_state::ejected);
  CHECK(b.f.view(hung, test::at(17)).reason == "5 of the last 5 attempts failed or hang");
}

TEST_CASE("a worker that fails two of five at once is ejected, one that takes its time is not") {
  for (const double takes : {0.01, 1.0}) {
    CAPTURE(takes);
    test::pool_kit k;
    const auto bad = k.add("bad"), good = k.add("good");
    double now = 0;
    for (int i = 0; i < 200; ++i) {
      const auto a = k.admit(now, {.units = 1});
      REQUIRE(a.what == admission::kind::granted);
      const bool fails = a.grant.worker == bad && i > 20 && i % 5 < 2;
      const double after = fails ? takes : 1;
      k.finish(a.batch, fails ? attempt_end::failed : attempt_end::succeeded, now + after, false);
      now += 1;
      if (k.worker(bad, now).state == worker_state::ejected) break;
    }
    CHECK((k.worker(bad, now).state == worker_state::ejected) == (takes < 0.25));
    CHECK(k.worker(good, now).state == worker_state::up);
    const std::string why = k.worker(bad, now).reason;
    if (takes < 0.25) CHECK(why.find("of them far too fast") != std::string::npos);
  }
}
