#include "telemetry/metrics.hpp"

#include <catch2/catch.hpp>
#include <thread>

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

TEST_CASE("metric names are the ones that users were promised") {
  struct row {
    metric_name name;
    const char* promised;
  };
  const row rows[] = {
      {names::batches, "weir_batches_total"},
      {names::batch_duration, "weir_batch_duration_seconds"},
      {names::queue_wait, "weir_queue_wait_seconds"},
      {names::queue_batches, "weir_queue_batches"},
      {names::queue_cost, "weir_queue_cost"},
      {names::queue_oldest, "weir_queue_oldest_seconds"},
      {names::queue_drain, "weir_queue_drain_seconds"},
      {names::worker_state, "weir_worker_state"},
      {names::worker_slots, "weir_worker_slots"},
      {names::worker_in_flight, "weir_worker_in_flight"},
      {names::worker_outstanding_cost, "weir_worker_outstanding_cost"},
      {names::worker_rate, "weir_worker_rate"},
      {names::attempts, "weir_attempts_total"},
      {names::retries, "weir_retries_total"},
      {names::ejections, "weir_ejections_total"},
      {names::probes, "weir_probes_total"},
      {names::autoscale_desired, "weir_autoscale_desired"},
      {names::autoscale_hooks, "weir_autoscale_hooks_total"},
      {names::reload_successful, "weir_config_last_reload_successful"},
      {names::reload_success_time, "weir_config_last_reload_success_timestamp_seconds"},
      {names::connections, "weir_connections"},
      {names::limit_hits, "weir_limit_hits_total"},
  };
  for (const auto& r : rows) {
    CHECK(r.name.name == r.promised);
    CHECK_FALSE(r.name.help.empty());
  }
}
