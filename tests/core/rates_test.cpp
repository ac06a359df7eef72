#include "core/rates.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "base/random.hpp"

namespace weir::core::test {
namespace {

using namespace std::chrono_literals;
instant at(double seconds) {
  return instant{} + base::from_seconds(seconds);
}

}  // namespace

TEST_CASE("a report lowers the share from 0.8 on, to a quarter, and fades") {
  struct row {
    double load, age, expected;
  };
  const row rows[] = {{0, 0, 1},     {0.5, 0, 1},   {0.8, 0, 1},     {0.9, 0, 0.625},
                      {1, 0, 0.25},  {9, 0, 0.25},  {1, 10, 1 - 0.75 * std::exp(-1)},
                      {1, 60, 1},    {1, 1e6, 1},   {0.9, 20, 1 - 0.375 * std::exp(-2)}};
  for (const row& r : rows) {
    CAPTURE(r.load, r.age);
    CHECK(reported_share(r.load, base::from_seconds(r.age), {}) == Approx(r.expected));
  }
}

TEST_CASE("shrinkage: eight pseudo-samples hold a worker to the pool's mean") {
  struct row {
    double sum, count, pool, expected;
  };
  const row rows[] = {{0, 0, 0, 0},           {0, 0, -2, -2},  {8, 8, 0, 0.5},
                      {80, 80, 0, 80.0 / 88}, {-24, 8, 1, -1}, {1e9, 1e9, 0, 1}};
  for (const row& r : rows) CHECK(shrunk_mean(r.sum, r.count, r.pool, 8) == Approx(r.expected));
}

TEST_CASE("overdue: only past four times the expectation and past one second") {
  struct row {
    double elapsed, expected, factor;
  };
  const row rows[] = {{0.5, 0.001, 1},     {1, 0.001, 1}, {2, 0.1, 0.2}, {2, 0.5, 1},
                      {2.1, 0.5, 2 / 2.1}, {40, 10, 1},   {80, 10, 0.5}, {3600, 1, 4.0 / 3600}};
  for (const row& r : rows) {
    INFO(r.elapsed << " s of " << r.expected);
    CHECK(overdue_factor(r.elapsed, r.expected, 4) == Approx(r.factor));
  }
}

TEST_CASE("probation: a share of 0.3 that grows to 1 over slow_start") {
  struct row {
    duration age, slow_start;
    double share;
  };
  const row rows[] = {{0s, 60s, 0.3},  {30s, 60s, 0.65}, {60s, 60s, 1},  {2h, 60s, 1},
                      {-5s, 60s, 0.3}, {0s, 0s, 1},      {5s, 10s, 0.65}};
  for (const row& r : rows) CHECK(probation_share(r.age, {r.slow_start}) == Approx(r.share));
}

TEST_CASE("slow start opens slots one by one, and always at least one") {
  struct row {
    std::uint32_t slots;
    duration age;
    std::uint32_t open;
  };
  const row rows[] = {{1, 0s, 1},  {2, 0s, 1},    {2, 18s, 2},   {4, 0s, 2},
                      {4, 17s, 2}, {4, 18s, 3},   {4, 60s, 4},   {10, 0s, 3},
                      {10, 9s, 5}, {10, 59s, 10}, {100, 0s, 30}, {0, 0s, 0}};
  for (const row& r : rows) {
    INFO(r.slots << " slots at " << r.age.count());
    CHECK(open_slots(r.slots, r.age, {60s}) == r.open);
  }
}

TEST_CASE("following the step times opens every slot exactly once and ends at slow_start") {
  for (std::uint32_t slots : {1u, 2u, 3u, 7u, 16u, 100u})
    for (duration slow_start : {duration(1s), duration(60s), duration(1h)}) {
      INFO(slots << " slots over " << slow_start.count());
      duration age = 0s;
      std::uint32_t open = open_slots(slots, age, {slow_start});
      int steps = 0;
      while (open < slots) {
        const duration next = next_slot_age(slots, age, {slow_start});
        REQUIRE(next > age);
        CHECK(open_slots(slots, next - 4ms, {slow_start}) <= open);
        age = next;
        REQUIRE(open_slots(slots, age, {slow_start}) > open);
        open = open_slots(slots, age, {slow_start});
        REQUIRE(++steps <= 100);
      }
      CHECK(age <= slow_start + 2ms);
      CHECK(next_slot_age(slots, age, {slow_start}) >= slow_start);
    }
}

TEST_CASE("a worker that nobody has seen work is an average one") {
  rates r(at(0));
  r.join(0);
  r.join(1);
  for (int i = 0; i < 100; ++i) r.observe(0, -1);
  CHECK(r.pool_mean() == Approx(-1));
  CHECK(r.mean(1) == Approx(-1));
  CHECK(r.samples(1) == 0);
}

TEST_CASE("a slow worker and a fast one are told apart") {
  rates r(at(0));
  r.join(0);
  r.join(1);
  for (int i = 0; i < 100; ++i) {
    r.observe(0, std::log(0.4));
    r.observe(1, std::log(1.6));
  }
  const double slow = std::exp(r.mean(0) - r.pool_mean());
  const double fast = std::exp(r.mean(1) - r.pool_mean());
  CHECK(fast / slow == Approx(4).epsilon(0.15));
  CHECK(fast * slow == Approx(1).epsilon(0.05));
}

TEST_CASE("samples lose weight by 1/e in 30 s") {
  rates r(at(0));
  r.join(0);
  for (int i = 0; i < 16; ++i) r.observe(0, 1);
  CHECK(r.samples(0) == Approx(16));
  r.advance(at(30));
  CHECK(r.samples(0) == Approx(16 * std::exp(-1)));
  r.advance(at(90));
  CHECK(r.samples(0) == Approx(16 * std::exp(-3)));
}

TEST_CASE("what a worker showed long ago is forgotten, what the pool showed is not") {
  rates r(at(0));
  r.join(0);
  r.join(1);
  for (int i = 0; i < 50; ++i) {
    r.observe(0, -2);
    r.observe(1, 0);
  }
  const double pool = r.pool_mean();
  r.advance(at(86400));
  CHECK(r.mean(0) == Approx(pool));
  CHECK(r.pool_mean() == Approx(pool));
  r.observe(0, 3);
  CHECK(r.pool_mean() == Approx(3).epsilon(0.01));  // new samples outweigh what is a day old
}

TEST_CASE("forward decay equals decaying each sample, across any pattern of pauses") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    base::random random(seed);
    rates r(at(0));
    r.join(0);
    std::vector<std::pair<double, double>> samples;
    double now = 0;
    for (int i = 0; i < 200; ++i) {
      now += random.below(20) == 0 ? 700 * random.unit() : random.unit();
      r.advance(at(now));
      const double x = 4 * random.unit() - 2;
      r.observe(0, x);
      samples.emplace_back(now, x);
      double sum = 0, count = 0;
      for (const auto& [t, v] : samples) {
        const double dec = std::exp(-(now - t) / 30);
        sum += dec * v;
        count += dec;
      }
      REQUIRE(r.samples(0) == Approx(count).epsilon(1e-6));
      REQUIRE(r.pool_mean() == Approx(sum / count).margin(1e-6));
    }
  }
}

TEST_CASE("one absurd sample is cut before it counts") {
  rates r(at(0));
  r.join(0);
  r.observe(0, 1e300);
  CHECK(std::isfinite(r.mean(0)));
  CHECK(r.pool_mean() <= log_ratio_max);
}

TEST_CASE("a number that is used again starts as an average worker") {
  rates r(at(0));
  r.join(0);
  r.join(1);
  for (int i = 0; i < 50; ++i) r.observe(0, -3), r.observe(1, 1);
  r.join(0);
  CHECK(r.mean(0) == Approx(r.pool_mean()));
}

TEST_CASE("each parameter of learning does what it says") {
  learning_settings s;
  s.load_free = 0.5, s.load_full_share = 0.5, s.load_memory = 5s;
  CHECK(reported_share(0.5, 0s, s) == 1);
  CHECK(reported_share(0.75, 0s, s) == Approx(0.75));
  CHECK(reported_share(1, 5s, s) == Approx(1 - 0.5 * std::exp(-1)));
  CHECK(reported_share(1, 30s, s) == 1);
  CHECK(overdue_factor(40, 10, 2) == Approx(0.5));
  CHECK(probation_share(30s, {60s, 0.5}) == Approx(0.75));
  CHECK(probation_share(0s, {60s, 1}) == 1);
  CHECK(open_slots(10, 0s, {60s, 0}) == 1);
  CHECK(next_slot_age(10, 0s, {60s, 0}) == 6s + 1ms);
  CHECK(open_slots(10, 60s, {60s, 0}) == 10);

  s.memory = 60s, s.prior_attempts = 2;
  rates r(at(0), s);
  r.join(0), r.join(1);
  for (int i = 0; i < 2; ++i) r.observe(0, 1), r.observe(1, -1);
  CHECK(r.mean(0) == Approx(0.5));
  r.advance(at(60));
  CHECK(r.samples(0) == Approx(2 * std::exp(-1)));
}

TEST_CASE("with another memory samples keep the age that they had, and age by it from then on") {
  rates r(at(0));
  r.join(0);
  for (int i = 0; i < 10; ++i) r.observe(0, 1);
  r.advance(at(30));
  learning_settings s;
  s.memory = 300s;
  r.configure(s, at(30));
  CHECK(r.samples(0) == Approx(10 * std::exp(-1)));
  r.observe(0, 1);
  CHECK(r.samples(0) == Approx(10 * std::exp(-1) + 1));
  r.advance(at(330));
  CHECK(r.samples(0) == Approx((10 * std::exp(-1) + 1) * std::exp(-1)));
  r.configure(s, at(400));   // nothing changed
  CHECK(r.samples(0) == Approx((10 * std::exp(-1) + 1) * std::exp(-1)));
  CHECK(r.pool_mean() == Approx(1));
}

}  // namespace weir::core::test
