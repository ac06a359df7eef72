#include "base/random.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <cstdint>
#include <set>
#include <vector>

namespace {

using weir::base::random;

// Reference output of SplitMix64 for the seed 1234567, as published with the generator's C code.
TEST_CASE("the sequence is SplitMix64's own") {
  random rng(1234567);
  const std::vector<std::uint64_t> expected = {6457827717110365317ull, 3203168211198807973ull,
                                               9817491932198370423ull, 4593380528125082431ull,
                                               16408922859458223821ull};
  for (const std::uint64_t e : expected) CHECK(rng.next() == e);
}

TEST_CASE("the same seed gives the same run, another seed another") {
  random a(7), b(7), c(8);
  for (int i = 0; i < 100; ++i) {
    const std::uint64_t x = a.next();
    REQUIRE(x == b.next());
    REQUIRE(x != c.next());
  }
}

TEST_CASE("below stays below and reaches every value") {
  random rng(3);
  for (const std::uint32_t n : {1u, 2u, 3u, 7u, 10u, 64u}) {
    std::set<std::uint32_t> seen;
    for (int i = 0; i < 3000; ++i) {
      const std::uint32_t x = rng.below(n);
      REQUIRE(x < n);
      seen.insert(x);
    }
    CHECK(seen.size() == n);
  }
}

TEST_CASE("below covers the whole range evenly for the largest n too") {
  random rng(5);
  std::array<int, 4> quarter{};
  for (int i = 0; i < 40000; ++i) ++quarter[rng.below(0xffffffffu) >> 30];
  for (const int count : quarter) CHECK((count > 9500 && count < 10500));
}

TEST_CASE("unit is at least 0 and below 1, with mean a half and a twelfth of variance") {
  random rng(11);
  double sum = 0, squares = 0;
  constexpr int n = 100000;
  for (int i = 0; i < n; ++i) {
    const double x = rng.unit();
    REQUIRE((x >= 0 && x < 1));
    sum += x;
    squares += x * x;
  }
  const double mean = sum / n;
  CHECK(mean == Approx(0.5).margin(0.005));
  CHECK(squares / n - mean * mean == Approx(1.0 / 12).margin(0.003));
}

TEST_CASE("a draw can be made at compile time") {
  static_assert(random(0).next() == 0xe220a8397b1dcdafull);
  SUCCEED();
}

}  // namespace
