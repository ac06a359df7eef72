#include "telemetry/metrics.hpp"

#include <catch2/catch.hpp>
#include <thread>

#include "base/random.hpp"

using namespace weir;
using namespace weir::telemetry;
using namespace std::chrono_literals;

TEST_CASE("a duration falls into the first bucket whose bound is not below it") {
  const auto bounds = histogram::bounds();
  REQUIRE(bounds.size() == histogram::buckets);
  REQUIRE(bounds.front() == base::duration(1ms));
  REQUIRE(bounds.back() == base::duration(1h));
  for (std::size_t i = 0; i < bounds.size(); ++i) {
    INFO("bound " << i << ", " << bounds[i].count() << " ns");
    CHECK(histogram::bucket_of(bounds[i]) == i);
    CHECK(histogram::bucket_of(bounds[i] - 1ns) == i);
    CHECK(histogram::bucket_of(bounds[i] + 1ns) == i + 1);
    if (i > 0) CHECK(bounds[i] > bounds[i - 1]);
  }
  CHECK(histogram::bucket_of(0ns) == 0);
  CHECK(histogram::bucket_of(-1h) == 0);
  CHECK(histogram::bucket_of(base::duration::min()) == 0);
  CHECK(histogram::bucket_of(base::duration::max()) == histogram::buckets);
}

TEST_CASE("the bucket agrees with a plain search over all magnitudes") {
  const auto bounds = histogram::bounds();
  for (std::int64_t ns = 1; ns < std::int64_t{1} << 46; ns += 1 + ns / 37) {
    std::size_t plain = 0;
    while (plain < bounds.size() && bounds[plain].count() < ns) ++plain;
    if (histogram::bucket_of(base::duration(ns)) != plain) FAIL("at " << ns << " ns");
  }
  SUCCEED();
}

TEST_CASE("a counter sums what its shards' threads added") {
  counter c(3);
  std::vector<std::thread> threads;
  for (unsigned shard = 0; shard < 3; ++shard)
    threads.emplace_back([&c, shard] {
      for (int i = 0; i < 10000; ++i) c.add(shard, shard + 1);
    });
  for (auto& t : threads) t.join();
  CHECK(c.total() == 60000);
}

TEST_CASE("a histogram counts each observation once and sums the time") {
  histogram h(2);
  h.observe(0, 1ms);
  h.observe(1, 1ms);
  h.observe(0, 2h);
  h.observe(1, -5s);
  const auto t = h.total();
  CHECK(t.count == 4);
  CHECK(t.counts[0] == 3);
  CHECK(t.counts[histogram::buckets] == 1);
  CHECK(t.sum_seconds == Approx(7200.002));
}

TEST_CASE("totals read while threads add never go back and stay consistent") {
  histogram h(2);
  counter c(2);
  std::vector<std::thread> threads;
  for (unsigned shard = 0; shard < 2; ++shard)
    threads.emplace_back([&, shard] {
      for (int i = 0; i < 20000; ++i) h.observe(shard, std::chrono::microseconds(i)), c.add(shard);
    });
  std::uint64_t counted = 0, observed = 0;
  bool back = false;
  while (counted < 40000) {
    const auto now = c.total();
    const auto t = h.total();
    back = back || now < counted || t.count < observed;
    counted = now, observed = t.count;
  }
  for (auto& t : threads) t.join();
  CHECK_FALSE(back);
  CHECK(h.total().count == 40000);
}


TEST_CASE("a histogram agrees with plain counting over random observations") {
  const std::uint64_t seed = 99;
  CAPTURE(seed);
  base::random random(seed);
  constexpr unsigned shards = 3;
  histogram h(shards);
  std::uint64_t plain[histogram::buckets + 1] = {};
  double sum = 0;
  for (int i = 0; i < 20000; ++i) {
    // Spread over all magnitudes up to about five hours.
    const base::duration d(static_cast<std::int64_t>(random.next() >> (20 + random.below(40))));
    std::size_t bucket = 0;
    while (bucket < histogram::buckets && histogram::bounds()[bucket] < d) ++bucket;
    ++plain[bucket];
    sum += base::to_seconds(d);
    h.observe(random.below(shards), d);
  }
  const auto t = h.total();
  for (std::size_t i = 0; i <= histogram::buckets; ++i) {
    CAPTURE(i);
    CHECK(t.counts[i] == plain[i]);
    CHECK(plain[i] > 0);
  }
  CHECK(t.count == 20000);
  CHECK(t.sum_seconds == Approx(sum));
}

TEST_CASE("a new counter and a new histogram are at zero") {
  CHECK(counter(4).total() == 0);
  const auto t = histogram(4).total();
  CHECK(t.count == 0);
  CHECK(t.sum_seconds == 0);
  for (const auto n : t.counts) CHECK(n == 0);
}

TEST_CASE("what a shard adds is all its own") {
  counter c(2);
  c.add(0, 5);
  c.add(1, 7);
  c.add(0);
  CHECK(c.total() == 13);
  c.add(1, 0);
  CHECK(c.total() == 13);
}
