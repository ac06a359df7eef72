#include "core/health.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace weir;
using namespace weir::core;
using change = health::change;

namespace {

constexpr instant start{100s};

health_settings plain() {
  health_settings s;
  s.jitter = 0;
  return s;
}

// A machine with its settings, a clock that moves when told, and probes answered by a script.
struct bench {
  health_settings settings = plain();
  base::random random{7};
  instant now = start;
  health machine{settings, start};

  explicit bench(health_settings s = plain()) : settings(s), machine(s, start) {}

  // Waits for the next probe and answers it at once.
  change probe(bool good) {
    now = machine.next_deadline();
    REQUIRE(machine.expire(settings, now));
    return machine.probed(good, settings, now, random);
  }
  // One probe a letter: '+' good, '-' failed. The changes as letters: 'U', 'D', '.'.
  std::string run(std::string_view script) {
    std::string out;
    for (char c : script) out += letter(probe(c == '+'));
    return out;
  }
  duration wait() const { return machine.next_deadline() - now; }

 private:
  static char letter(change c) {
    return c == change::came_up ? 'U' : c == change::went_down ? 'D' : '.';
  }
};

}  // namespace

TEST_CASE("a new worker is checking and its first probe is due at once") {
  bench b;
  CHECK(b.machine.state() == health_state::checking);
  CHECK(b.machine.next_deadline() == start);
  CHECK_FALSE(b.machine.in_flight());
  CHECK_FALSE(b.machine.proven());
}

TEST_CASE("runs of probes move the state") {
  struct row {
    const char* probes;
    const char* changes;
    health_state end;
    std::uint32_t streak;
  };
  // fall 3, rise 2
  const std::vector<row> rows{
      {"+", "U", health_state::up, 0},
      {"-", ".", health_state::checking, 1},
      {"--", "..", health_state::checking, 2},
      {"---", "..D", health_state::down, 0},
      {"--+", "..U", health_state::up, 0},
      {"---+", "..DU", health_state::up, 0},        // never proven: one is enough
      {"+--", "U..", health_state::up, 2},
      {"+--+", "U...", health_state::up, 0},
      {"+--+--", "U.....", health_state::up, 2},    // a good one starts the count anew
      {"+---", "U..D", health_state::down, 0},
      {"+---+", "U..D.", health_state::down, 1},    // proven before: rise good ones
      {"+---++", "U..D.U", health_state::up, 0},
      {"+---+-+", "U..D...", health_state::down, 1},
      {"+---+-++", "U..D...U", health_state::up, 0},
      {"+----", "U..D.", health_state::down, 0},
      {"+---++---++", "U..D.U..D.U", health_state::up, 0},
  };
  for (const row& r : rows) {
    INFO(r.probes);
    bench b;
    CHECK(b.run(r.probes) == r.changes);
    CHECK(b.machine.state() == r.end);
    CHECK(b.machine.streak() == r.streak);
  }
}

TEST_CASE("every state meets every event") {
  struct row {
    const char* reach;      // probes that lead to the state
    bool good;
    change what;
    health_state to;
  };
  const std::vector<row> rows{
      {"", true, change::came_up, health_state::up},
      {"", false, change::none, health_state::checking},
      {"--", false, change::went_down, health_state::down},
      {"+", true, change::none, health_state::up},
      {"+", false, change::none, health_state::up},
      {"+--", false, change::went_down, health_state::down},
      {"+---", true, change::none, health_state::down},
      {"+---", false, change::none, health_state::down},
      {"+---+", true, change::came_up, health_state::up},
      {"+---+", false, change::none, health_state::down},
  };
  for (const row& r : rows) {
    INFO(r.reach << (r.good ? " then good" : " then failed"));
    bench b;
    b.run(r.reach);
    CHECK(b.probe(r.good) == r.what);
    CHECK(b.machine.state() == r.to);
  }
}

TEST_CASE("a result that nobody waits for changes nothing in any state") {
  for (const char* reach : {"", "-", "+", "+-", "+---", "+---+"}) {
    for (bool good : {true, false}) {
      INFO(reach << (good ? " then good" : " then failed"));
      bench b;
      b.run(reach);
      const health_state before = b.machine.state();
      const std::uint32_t streak = b.machine.streak();
      const instant deadline = b.machine.next_deadline();
      CHECK(b.machine.probed(good, b.settings, b.now, b.random) == change::none);
      CHECK(b.machine.state() == before);
      CHECK(b.machine.streak() == streak);
      CHECK(b.machine.next_deadline() == deadline);
    }
  }
}

TEST_CASE("expire before the deadline sends nothing") {
  bench b;
  b.run("+");
  CHECK_FALSE(b.machine.expire(b.settings, b.machine.next_deadline() - 1ns));
  CHECK_FALSE(b.machine.in_flight());
  CHECK(b.machine.expire(b.settings, b.machine.next_deadline()));
  CHECK(b.machine.in_flight());
}

TEST_CASE("one probe is in flight at a time and a lost one is replaced") {
  bench b;
  REQUIRE(b.machine.expire(b.settings, start));
  const instant lost = start + 2 * b.settings.timeout + 1s;
  CHECK(b.machine.next_deadline() == lost);
  CHECK_FALSE(b.machine.expire(b.settings, lost - 1ns));

  SECTION("an answer just in time counts") {
    CHECK(b.machine.probed(true, b.settings, lost - 1ns, b.random) == change::came_up);
  }
  SECTION("an answer past its time does not") {
    CHECK(b.machine.probed(true, b.settings, lost, b.random) == change::none);
    CHECK(b.machine.state() == health_state::checking);
  }
  SECTION("another takes its place and the loss is not a failure") {
    CHECK(b.machine.expire(b.settings, lost));
    CHECK(b.machine.streak() == 0);
    CHECK(b.machine.probed(true, b.settings, lost + 1s, b.random) == change::came_up);
  }
}

TEST_CASE("the pause after a probe depends on what is being found out") {
  struct row {
    const char* probes;
    duration pause;
  };
  // interval 5 s, fast 1 s, down at most 60 s
  const std::vector<row> rows{
      {"-", 1s},             // checking
      {"--", 1s},
      {"---", 5s},           // down: interval, then doubling
      {"----", 10s},
      {"-----", 20s},
      {"------", 40s},
      {"-------", 60s},
      {"--------------------------------------------------------------------------------", 60s},
      {"+", 5s},             // settled and up
      {"++", 5s},
      {"+-", 1s},            // in transition
      {"+--", 1s},
      {"+-+", 5s},
      {"+---", 5s},
      {"+----+", 1s},        // coming back
      {"+----+-", 20s},      // and not: the back-off goes on
      {"+----++", 5s},
      {"+----++---", 5s},    // a new fall starts it anew
  };
  for (const row& r : rows) {
    INFO(r.probes);
    bench b;
    b.run(r.probes);
    CHECK(b.wait() == r.pause);
  }
}

TEST_CASE("a fast interval longer than the interval is not used") {
  health_settings s = plain();
  s.fast_interval = 30s;
  bench b(s);
  b.run("-");
  CHECK(b.wait() == s.interval);
}

TEST_CASE("a back-off limit below the interval holds") {
  health_settings s = plain();
  s.down_interval_max = 2s;
  bench b(s);
  b.run("+----");
  CHECK(b.wait() == 2s);
}

TEST_CASE("jitter spreads each pause evenly around its length") {
  const std::uint64_t seed = 20240607;
  INFO("seed " << seed);
  health_settings s = plain();
  s.jitter = 0.2;
  bench b(s);
  b.random = base::random{seed};
  double sum = 0;
  duration least = base::forever, most{};
  for (int i = 0; i < 4000; ++i) {
    b.run("+");
    least = std::min(least, b.wait());
    most = std::max(most, b.wait());
    sum += base::to_seconds(b.wait());
  }
  CHECK(least >= 4s);
  CHECK(least < 4050ms);
  CHECK(most <= 6s);
  CHECK(most > 5950ms);
  CHECK(sum / 4000 == Approx(5).margin(0.05));
}

TEST_CASE("a request for a probe now is granted within the fast interval") {
  bench b;
  b.run("+");
  SECTION("at once when the last one is long ago") {
    const instant later = b.now + 3s;
    b.machine.probe_now(b.settings, later);
    CHECK(b.machine.next_deadline() == later);
  }
  SECTION("not sooner than the fast interval after the last one") {
    b.machine.probe_now(b.settings, b.now + 10ms);
    CHECK(b.wait() == 1s);
    b.machine.probe_now(b.settings, b.now + 20ms);
    CHECK(b.wait() == 1s);
  }
  SECTION("it never puts a probe off") {
    const instant due = b.machine.next_deadline();
    b.machine.probe_now(b.settings, due + 1s);
    CHECK(b.machine.next_deadline() == due);
  }
}

TEST_CASE("a request for a probe while one is in flight has another follow") {
  bench b;
  b.run("+");
  b.now = b.machine.next_deadline();
  REQUIRE(b.machine.expire(b.settings, b.now));
  b.machine.probe_now(b.settings, b.now + 100ms);
  CHECK(b.machine.in_flight());

  b.machine.probed(true, b.settings, b.now + 200ms, b.random);
  CHECK(b.wait() == 1s);
  b.run("+");
  CHECK(b.wait() == 5s);   // and only one
}

TEST_CASE("a request for a probe shortens a down worker's back-off") {
  bench b;
  b.run("+-------");
  REQUIRE(b.wait() == 60s);
  b.machine.probe_now(b.settings, b.now + 5s);
  CHECK(b.wait() == 5s);
}

TEST_CASE("with checks off a worker is up and silent") {
  health_settings s = plain();
  s.kind = probe_kind::none;
  bench b(s);
  CHECK(b.machine.state() == health_state::up);
  CHECK(b.machine.next_deadline() == base::never);
  CHECK_FALSE(b.machine.expire(s, start + 1h));
  b.machine.probe_now(s, start + 1h);
  CHECK(b.machine.next_deadline() == base::never);
  CHECK(b.machine.probed(false, s, start + 1h, b.random) == change::none);
  CHECK(b.machine.state() == health_state::up);
}

TEST_CASE("switching checks off brings a worker up from any state") {
  for (const char* reach : {"", "-", "+", "+-", "+---", "+---+"}) {
    for (bool in_flight : {false, true}) {
      INFO(reach << " in flight " << in_flight);
      bench b;
      b.run(reach);
      if (in_flight) REQUIRE(b.machine.expire(b.settings, b.machine.next_deadline()));
      const bool was_up = b.machine.state() == health_state::up;
      b.settings.kind = probe_kind::none;
      const change what = b.machine.configure(b.settings, b.now, b.random);
      CHECK(what == (was_up ? change::none : change::came_up));
      CHECK(b.machine.state() == health_state::up);
      CHECK(b.machine.next_deadline() == base::never);
      CHECK_FALSE(b.machine.in_flight());
    }
  }
}

TEST_CASE("switching checks on keeps a worker up and probes it within an interval") {
  health_settings s = plain();
  s.kind = probe_kind::none;
  bench b(s);
  s.kind = probe_kind::tcp;
  CHECK(b.machine.configure(s, start, b.random) == change::none);
  CHECK(b.machine.state() == health_state::up);
  CHECK(b.machine.next_deadline() == start + s.interval);
  b.settings = s;
  CHECK(b.run("---") == "..D");
}

TEST_CASE("new settings bring the next probe forward and never put it off") {
  bench b;
  b.run("+");
  health_settings s = b.settings;
  s.interval = 2s;
  b.machine.configure(s, b.now, b.random);
  CHECK(b.wait() == 2s);
  s.interval = 1h;
  b.machine.configure(s, b.now, b.random);
  CHECK(b.wait() == 2s);
}

TEST_CASE("new settings leave the probe in flight alone") {
  bench b;
  REQUIRE(b.machine.expire(b.settings, start));
  const instant deadline = b.machine.next_deadline();
  health_settings s = b.settings;
  s.interval = s.fast_interval = 1ms;
  b.machine.configure(s, start, b.random);
  CHECK(b.machine.in_flight());
  CHECK(b.machine.next_deadline() == deadline);
}

TEST_CASE("counts of zero act as one") {
  health_settings s = plain();
  s.fall = s.rise = 0;
  bench b(s);
  CHECK(b.run("+-+-") == "UDUD");
}

TEST_CASE("timeouts without end do not overflow") {
  health_settings s = plain();
  s.timeout = base::forever;
  s.interval = s.down_interval_max = base::forever;
  bench b(s);
  REQUIRE(b.machine.expire(s, start));
  CHECK(b.machine.next_deadline() == base::never);
  b.machine.probed(true, s, start, b.random);
  CHECK(b.machine.next_deadline() == base::never);
}

TEST_CASE("health states have names") {
  CHECK(name(health_state::checking) == "checking");
  CHECK(name(health_state::up) == "up");
  CHECK(name(health_state::down) == "down");
}
