#include "net/timer.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "base/random.hpp"

namespace {

using namespace std::chrono_literals;
using weir::base::instant;
using weir::net::timer;
using weir::net::timer_wheel;

struct probe {
  explicit probe(std::vector<int>& log, int number) : fired(log), id(number) {}
  std::vector<int>& fired;
  int id;
  timer t{[](void* p) { static_cast<probe*>(p)->fired.push_back(static_cast<probe*>(p)->id); },
          this};
};

constexpr instant at(std::chrono::nanoseconds t) { return instant{t}; }

}  // namespace

TEST_CASE("a timer fires once, never early and at most one slot late") {
  for (const auto due : {0ns, 1ns, 5'000'000ns, 16'000'000ns, 17'000'000ns, 1'000'000'000ns}) {
    timer_wheel wheel(at(0s));
    std::vector<int> fired;
    probe p(fired, 1);
    wheel.arm(p.t, at(due));
    INFO("due " << due.count());
    if (due > 0ns) {
      wheel.advance(at(due - 1ns));
      CHECK(fired.empty());
    }
    wheel.advance(at(due + timer_wheel::slot));
    CHECK(fired.size() == 1);
    wheel.advance(at(due + 100s));
    CHECK(fired.size() == 1);
  }
}

TEST_CASE(
    "moving a timer later does not fire at the old time, moving it earlier fires at the new") {
  timer_wheel wheel(at(0s));
  std::vector<int> fired;
  probe p(fired, 1);
  wheel.arm(p.t, at(1s));
  wheel.arm(p.t, at(3s));
  wheel.advance(at(2s));
  CHECK(fired.empty());
  wheel.advance(at(3s + timer_wheel::slot));
  CHECK(fired.size() == 1);
  wheel.arm(p.t, at(100s));
  wheel.arm(p.t, at(5s));
  wheel.advance(at(5s + timer_wheel::slot));
  CHECK(fired.size() == 2);
}

TEST_CASE("a disarmed or destroyed timer does not fire") {
  timer_wheel wheel(at(0s));
  std::vector<int> fired;
  probe kept(fired, 1);
  wheel.arm(kept.t, at(1s));
  {
    probe gone(fired, 2);
    wheel.arm(gone.t, at(1s));
  }
  kept.t.disarm();
  wheel.advance(at(10s));
  CHECK(fired.empty());
}

TEST_CASE("timers beyond one turn of the wheel fire at their time") {
  timer_wheel wheel(at(0s));
  std::vector<int> fired;
  probe p(fired, 1);
  wheel.arm(p.t, at(3600s));
  for (auto now = 0s; now < 3600s; now += 10s) wheel.advance(at(now));
  CHECK(fired.empty());
  wheel.advance(at(3600s + timer_wheel::slot));
  CHECK(fired.size() == 1);
}

TEST_CASE("next says never without timers and a time not after the first one due") {
  timer_wheel wheel(at(7s));
  CHECK(wheel.next() == weir::base::never);
  std::vector<int> fired;
  probe p(fired, 1);
  wheel.arm(p.t, at(9s));
  CHECK(wheel.next() >= at(9s));
  CHECK(wheel.next() <= at(9s + timer_wheel::slot));
}

TEST_CASE("an action may arm its own timer again or destroy another that is due") {
  struct pair {
    timer_wheel wheel{at(0s)};
    int fired = 0;
    std::unique_ptr<timer> other;
    timer self{[](void* p) {
                 auto& x = *static_cast<pair*>(p);
                 x.other.reset();
                 if (++x.fired == 1) x.wheel.arm(x.self, at(2s));
               },
               this};
  } x;
  bool other_fired = false;
  x.other = std::make_unique<timer>([](void* p) { *static_cast<bool*>(p) = true; }, &other_fired);
  x.wheel.arm(*x.other, at(1s));
  x.wheel.arm(x.self, at(1s));   // linked in front: fires first
  x.wheel.advance(at(1s + timer_wheel::slot));
  CHECK(x.fired == 1);
  CHECK_FALSE(other_fired);
  x.wheel.advance(at(2s + timer_wheel::slot));
  CHECK(x.fired == 2);
}

TEST_CASE("random timers fire exactly when a sorted list says so") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    weir::base::random random(seed);
    timer_wheel wheel(at(0s));
    std::vector<int> fired;
    std::vector<std::unique_ptr<probe>> all;
    std::vector<std::chrono::nanoseconds> due;
    for (int i = 0; i < 200; ++i) {
      all.push_back(std::make_unique<probe>(fired, i));
      due.push_back(std::chrono::milliseconds(random.below(90'000)));
      wheel.arm(all.back()->t, at(due.back()));
    }
    for (auto now = 0ms; now < 91'000ms; now += std::chrono::milliseconds(random.below(3000) + 1)) {
      wheel.advance(at(now));
      std::vector<int> times(200);
      for (const int i : fired) ++times[static_cast<std::size_t>(i)];
      int wrong = 0;
      for (std::size_t i = 0; i < times.size(); ++i) {
        const bool early = times[i] > 0 && due[i] > now;
        const bool late = times[i] == 0 && due[i] <= now - timer_wheel::slot;
        wrong += early || late || times[i] > 1;
      }
      REQUIRE(wrong == 0);
    }
  }
}
