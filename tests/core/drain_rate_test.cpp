#include "core/drain_rate.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

namespace weir::core::test {
namespace {

instant at(double seconds) {
  return instant{} + base::from_seconds(seconds);
}

}  // namespace

TEST_CASE("with nothing measured the fleet's learned speed is the rate") {
  drain_rate d;
  CHECK(d.per_second(8) == 8);
  CHECK(d.per_second(0) == 0);
  CHECK(d.per_second(-1) == 0);
}

TEST_CASE("what finishes while nothing waits measures the clients, not the fleet") {
  drain_rate d;
  for (int i = 0; i < 100; ++i) d.finished(1, at(i));
  CHECK(d.per_second(50) == 50);
}

TEST_CASE("many batches finished under backlog outweigh what was learned") {
  drain_rate d;
  d.backlogged(true, at(0));
  for (int i = 1; i <= 1000; ++i) d.finished(0.5, at(i * 0.1));  // 5 a second
  CHECK(d.per_second(50) == Approx(5).epsilon(0.35));
  CHECK(d.per_second(5) == Approx(5).epsilon(0.05));
}

TEST_CASE("one long batch in half a minute says little") {
  drain_rate d;
  d.backlogged(true, at(0));
  d.finished(3600, at(20));
  CHECK(d.per_second(8) == Approx(8).epsilon(0.15));
}

TEST_CASE("time without backlog does not count") {
  drain_rate d;
  d.backlogged(true, at(0));
  for (int i = 1; i <= 300; ++i) d.finished(1, at(i * 0.1));
  const double before = d.per_second(10);
  d.backlogged(false, at(30));
  d.backlogged(true, at(3000));
  CHECK(d.per_second(10) == Approx(before));
}

TEST_CASE("without a worker nothing drains, whatever was measured") {
  drain_rate d;
  d.backlogged(true, at(0));
  for (int i = 1; i <= 100; ++i) d.finished(1, at(i));
  CHECK(d.per_second(0) == 0);
}

TEST_CASE("drain seconds: cost over rate") {
  struct row {
    double cost, rate, seconds;
  };
  const row rows[] = {{0, 0, 0}, {-1, 5, 0}, {10, 5, 2}, {1, 1e-3, 1000}};
  for (const row& r : rows) CHECK(drain_seconds(r.cost, r.rate) == Approx(r.seconds));
  CHECK(std::isinf(drain_seconds(1, 0)));
}

TEST_CASE("Retry-After is never under a second nor over an hour") {
  retry_after r;
  for (double drain : {0.0, 0.5, -3.0, 1e12, HUGE_VAL}) {
    INFO(drain);
    for (double soonest : {0.0, 1e12, HUGE_VAL})
      for (int i = 0; i < 50; ++i) {
        const duration d = r.next(soonest, drain);
        CHECK(d >= retry_after::least);
        CHECK(d <= retry_after::most);
      }
  }
}

TEST_CASE("Retry-After lies between the soonest slot and the backlog's end, never all alike") {
  struct row {
    double soonest, drain, from, to;
  };
  const row rows[] = {
      {0, 0, 1, 1}, {0, 11, 1, 11}, {5, 20, 5, 20}, {5, 5, 5, 7.5}, {10, 2, 10, 15}};
  for (const row& x : rows) {
    INFO(x.soonest << " s, drained in " << x.drain << " s");
    retry_after r;
    double least = 1e9, most = 0;
    for (int i = 0; i < 100; ++i) {
      const double s = base::to_seconds(r.next(x.soonest, x.drain));
      least = std::min(least, s), most = std::max(most, s);
    }
    CHECK(least >= x.from);
    CHECK(most <= x.to);
    CHECK(most - least >= 0.9 * (x.to - x.from));
  }
}

TEST_CASE("successive refusals are spread evenly over the time that the backlog takes") {
  retry_after r;
  std::vector<double> times;
  for (int i = 0; i < 100; ++i) times.push_back(base::to_seconds(r.next(0, 61)));
  std::ranges::sort(times);
  CHECK(times.front() >= 1);
  CHECK(times.back() <= 61);
  // Never a herd: in any stretch of 6 s there come 10 of the 100, give or take a few.
  for (std::size_t i = 0; i + 15 < times.size(); ++i) CHECK(times[i + 15] - times[i] > 6);
  for (std::size_t i = 0; i + 1 < times.size(); ++i) CHECK(times[i + 1] - times[i] < 2);
}

}  // namespace weir::core::test
