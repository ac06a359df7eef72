// The limit that a worker's own times lead to: alone, round by round, and in a pool whose worker
// shares what it can do among all that runs (slots_world.hpp).
#include "core/adaptive_slots.hpp"

#include <catch2/catch.hpp>
#include <cmath>

#include "core/slots_world.hpp"

namespace weir::core::test {
namespace {

// A worker that takes `slowness(n)` times as long with n at once; its slots are always full.
struct rounds {
  adaptive_slots slots{at(0)};
  adaptive_slots_settings how{};
  std::uint32_t ceiling = 16;
  double now = 1;

  std::uint32_t open() const { return slots.open(how, ceiling); }
  std::uint32_t limit() const { return slots.limit(how, ceiling); }
  bool finish(double log_time, bool sized = true) {
    now += 1;
    return slots.finished({log_time, sized, static_cast<double>(open()), at(now - 0.5)}, how,
                          ceiling, at(now));
  }
  template <class F>
  void run(int finishes, F slowness) {
    for (int i = 0; i < finishes; ++i) finish(std::log(slowness(open())));
  }
};

double same(double) {
  return 1;
}
auto shared_by(double capacity) {
  return [capacity](double n) { return std::max(1.0, n / capacity); };
}

}  // namespace

TEST_CASE("a limit begins at its minimum and doubles while batches take no longer") {
  rounds r;
  CHECK(r.limit() == 1);
  std::vector<std::uint32_t> seen;
  for (int i = 0; i < 100; ++i)
    if (r.finish(0) && !r.slots.probing()) seen.push_back(r.limit());
  CHECK(seen == std::vector<std::uint32_t>{2, 4, 8, 16});
  r.run(1000, same);
  CHECK(r.limit() == 16);
  CHECK(r.open() == 16);  // and is not looked into any more
}

TEST_CASE("a limit settles between what the worker can do and one and a half of it") {
  for (const double capacity : {2.0, 3.0, 4.0, 6.0, 8.0, 10.0}) {
    rounds r;
    r.run(3000, shared_by(capacity));
    CAPTURE(capacity, r.limit());
    CHECK(r.limit() >= capacity);
    CHECK(r.limit() <= 1.5 * capacity);
  }
}

TEST_CASE("a limit keeps within its minimum and what is declared") {
  rounds low;
  low.how.min = 4;
  low.run(2000, [](double n) { return n; });
  CHECK(low.limit() >= 4);
  CHECK(low.limit() <= 6);
  rounds few;
  few.ceiling = 3;
  few.run(500, same);
  CHECK(few.limit() == 3);
  few.ceiling = 2;
  CHECK(few.limit() == 2);
  few.how.min = 9;
  CHECK(few.limit() == 2);
}

TEST_CASE("all that takes longer everywhere is no crowd") {
  rounds r;
  r.run(2000, same);
  REQUIRE(r.limit() == 16);
  r.run(3000, [](double) { return 3.0; });
  CHECK(r.limit() == 16);
}

TEST_CASE("a busy answer cuts at once, and once for all attempts of that time") {
  rounds r;
  r.run(300, same);
  REQUIRE(r.limit() == 16);
  CHECK(r.slots.busy(at(r.now), r.how, r.ceiling, at(r.now + 1)));
  CHECK(r.limit() == 11);
  CHECK_FALSE(r.slots.busy(at(r.now), r.how, r.ceiling, at(r.now + 2)));  // it began before the cut
  CHECK(r.limit() == 11);
  CHECK(r.slots.busy(at(r.now + 3), r.how, r.ceiling, at(r.now + 4)));
  CHECK(r.limit() == 7);
  for (int i = 0; i < 9; ++i) r.slots.busy(at(r.now + 5 + i), r.how, r.ceiling, at(r.now + 6 + i));
  CHECK(r.limit() == 1);
}

TEST_CASE("attempts without a declared size open slots, and close none") {
  rounds r;
  for (int i = 0; i < 300; ++i) r.finish(std::log(100.0 * (i % 7 + 1)), false);
  CHECK(r.limit() == 16);
  CHECK(r.slots.crowding() == 0);
}

TEST_CASE("an attempt that ran with few beside it opens nothing") {
  rounds r;
  r.run(30, same);
  const std::uint32_t before = r.limit();
  REQUIRE(before > 2);
  REQUIRE_FALSE(r.slots.probing());
  for (int i = 0; i < 200; ++i)
    r.slots.finished({0, true, 1, at(r.now + i)}, r.how, r.ceiling, at(r.now + i + 1));
  CHECK(r.limit() == before);
}

TEST_CASE("in a pool the limit finds a worker's capacity, and follows it") {
  for (const sizes how : {sizes::same, sizes::exponential, sizes::pareto})
    for (const double capacity : {4.0, 8.0, 12.0})
      for (const std::uint64_t seed : {1, 2, 3}) {
        slots_world w({.how = how, .seed = seed}, capacity);
        w.run(400);
        CAPTURE(static_cast<int>(how), capacity, seed);
        CHECK(w.used() >= 0.85);  // from one slot on
        w.run(2000);
        CHECK(w.share_within(capacity, 1.5 * capacity) >= 0.85);
        CHECK(w.mean_limit() >= capacity);
        CHECK(w.mean_limit() <= 1.5 * capacity);
        CHECK(w.used() >= 0.93);
        w.capacity(capacity / 2);
        w.run(400);
        w.run(1000);
        CHECK(w.mean_limit() >= 0.5 * capacity);
        CHECK(w.mean_limit() <= 0.8 * capacity);
        w.capacity(capacity);
        w.run(400);
        w.run(1000);
        CHECK(w.mean_limit() >= capacity);
        CHECK(w.used() >= 0.93);
      }
}

TEST_CASE("in a pool a worker that never slows keeps all of its declared slots") {
  for (const sizes how : {sizes::same, sizes::exponential, sizes::pareto}) {
    slots_world w({.how = how, .seed = 4}, 16);
    w.run(400);
    w.run(2000);
    CHECK(w.share_within(16, 16) == Approx(1));
    CHECK(w.used() >= 0.99);
  }
}

TEST_CASE("in a pool sizes that nobody declares leave the limit to busy answers") {
  slots_world calm({.how = sizes::pareto, .units = false}, 8);
  calm.run(400);
  calm.run(1000);
  CHECK(calm.share_within(16, 16) == Approx(1));
  slots_world strict({.how = sizes::exponential, .units = false, .busy_above = 8}, 8);
  strict.run(400);
  strict.run(2000);
  CHECK(strict.mean_limit() >= 6.5);
  CHECK(strict.mean_limit() <= 9);
  CHECK(strict.used() >= 0.85);
  CHECK(strict.refused() < 400);  // of 15,000 batches and more
}

}  // namespace weir::core::test
