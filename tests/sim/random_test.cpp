#include "sim/random.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <vector>

namespace weir::sim {
namespace {

constexpr int draws = 200000;

template <class F>
double mean_of(F draw) {
  double sum = 0;
  for (int i = 0; i < draws; ++i) sum += draw();
  return sum / draws;
}

}  // namespace

TEST_CASE("the same seed and stream give the same numbers, another of either gives others") {
  random a(7, 1), b(7, 1), c(7, 2), d(8, 1);
  for (int i = 0; i < 1000; ++i) {
    const std::uint64_t x = a.next();
    REQUIRE(x == b.next());
    REQUIRE(x != c.next());
    REQUIRE(x != d.next());
  }
}

TEST_CASE("the first numbers of a seed are these, on every machine") {
  random r(1);
  const std::vector<std::uint64_t> first{r.next(), r.next(), r.next()};
  random again(1);
  for (std::uint64_t x : first) CHECK(x == again.next());
  INFO(first[0] << " " << first[1] << " " << first[2]);
  CHECK(first ==
        std::vector<std::uint64_t>{7424325031666622691u, 2155999586940230350u,
                                   16488875487912662716u});
}

TEST_CASE("seeds near to each other begin far apart") {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 1000; ++seed)
    for (std::uint64_t stream = 0; stream < 10; ++stream)
      seen.insert(random(seed, stream).next() >> 20);
  CHECK(seen.size() > 9995);
}

TEST_CASE("uniform numbers lie in their bounds and fill them evenly") {
  random r(3);
  double low = 1, high = 0;
  int buckets[10] = {};
  for (int i = 0; i < draws; ++i) {
    const double u = r.uniform();
    low = std::min(low, u);
    high = std::max(high, u);
    ++buckets[static_cast<int>(u * 10)];
  }
  CHECK(low >= 0);
  CHECK(high < 1);
  for (int count : buckets) CHECK(count == Approx(draws / 10).epsilon(0.03));
  CHECK(mean_of([&] { return r.uniform(5, 20); }) == Approx(12.5).epsilon(0.01));
}

TEST_CASE("exponential and normal numbers have their moments") {
  random r(4);
  CHECK(mean_of([&] { return r.exponential(15); }) == Approx(15).epsilon(0.01));
  CHECK(mean_of([&] { return r.exponential(15) > 30; }) == Approx(std::exp(-2)).epsilon(0.02));
  CHECK(std::abs(mean_of([&] { return r.normal(); })) < 0.01);
  CHECK(mean_of([&] { const double x = r.normal(); return x * x; }) == Approx(1).epsilon(0.02));
  CHECK(mean_of([&] { return r.normal() > 1.96; }) == Approx(0.025).epsilon(0.1));
}

TEST_CASE("bounded Pareto numbers stay in their bounds and follow their tail") {
  struct row { double alpha, low, high; };
  for (const row& t : {row{1.1, 0.02, 120}, row{1.3, 1, 120}, row{1.3, 0.03, 5}}) {
    random r(5);
    const double middle = 4 * t.low;
    double beyond = 0;
    for (int i = 0; i < draws; ++i) {
      const double x = r.bounded_pareto(t.alpha, t.low, t.high);
      REQUIRE(x >= t.low);
      REQUIRE(x <= t.high * (1 + 1e-9));
      beyond += x > middle;
    }
    const auto power = [&](double x) { return std::pow(x, -t.alpha); };
    const double expected =
        (power(middle) - power(t.high)) / (power(t.low) - power(t.high));
    CHECK(beyond / draws == Approx(expected).epsilon(0.02));
  }
}

TEST_CASE("below(n) reaches each of 0 .. n - 1 alike") {
  random r(6);
  int count[7] = {};
  for (int i = 0; i < draws; ++i) ++count[r.below(7)];
  for (int c : count) CHECK(c == Approx(draws / 7).epsilon(0.03));
  CHECK(r.below(1) == 0);
}

}  // namespace weir::sim
