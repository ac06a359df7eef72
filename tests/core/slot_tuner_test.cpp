// What slot_tuner makes of attempts: who ran beside whom, and times that routes make comparable.
#include "core/slot_tuner.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

cost_estimate units(double n) {
  cost_estimate c;
  c.has_units = n > 0;
  c.units = n, c.log_units = std::log(std::max(n, 1e-9));
  return c;
}

// Worker 0, filled to its limit over and over; every attempt of a wave begins and ends together.
struct waves {
  slot_tuner t{adaptive_slots_settings{}};
  double now = 0;
  waves() { t.join(0, at(0)); }

  void run(int n, std::uint32_t route, double size, double seconds, std::uint32_t ceiling = 16) {
    for (int wave = 0; wave < n; ++wave) {
      const std::uint32_t slots = t.open(0, ceiling);
      for (std::uint32_t i = 0; i < slots; ++i) t.began(0, i, i, at(now));
      const double began = now;
      now += seconds;
      for (std::uint32_t i = 0; i < slots; ++i) {
        t.finished({0, i, slots - i, route, at(began)}, units(size), ceiling, at(now));
        t.ended(0, slots - i, at(now));
      }
    }
  }
};

}  // namespace

TEST_CASE("routes whose units differ are compared with themselves") {
  waves w;
  w.run(60, 0, 1000, 1);  // rows
  w.run(60, 1, 1e9, 2);   // bytes
  for (int i = 0; i < 60; ++i) w.run(1, static_cast<std::uint32_t>(i % 2), i % 2 ? 1e9 : 1000, 1);
  CHECK(w.t.limit(0, 16) == 16);
}

TEST_CASE("a large batch that takes long is not slow") {
  waves w;
  for (int i = 0; i < 200; ++i) w.run(1, 0, 10 + i % 50, 0.1 * (10 + i % 50));
  CHECK(w.t.limit(0, 16) == 16);
}

TEST_CASE("a worker number that joins again starts anew") {
  waves w;
  w.run(60, 0, 10, 1);
  REQUIRE(w.t.limit(0, 16) == 16);
  w.t.join(0, at(w.now));
  CHECK(w.t.limit(0, 16) == 1);
}

TEST_CASE("an attempt that began before anybody looked tells nothing") {
  slot_tuner t{adaptive_slots_settings{}};
  t.join(0, at(5));
  for (std::uint32_t i = 0; i < 50; ++i)
    CHECK_FALSE(t.finished({0, 7, 1, 0, at(1)}, units(3), 16, at(6)));
  t.began(0, 7, 0, at(6));
  for (int i = 0; i < 50; ++i)
    CHECK_FALSE(t.finished({0, 7, 1, 0, at(1)}, units(3), 16, at(7)));
  CHECK(t.limit(0, 16) == 1);
}

TEST_CASE("new settings hold at once") {
  waves w;
  w.t.configure({.min = 5, .tolerance = 2});
  CHECK(w.t.limit(0, 16) == 5);
  CHECK(w.t.limit(0, 3) == 3);
}

}  // namespace weir::core::test
