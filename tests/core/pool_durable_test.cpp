// Durable batches in the pool: their way in, what limits hold for them, how they are tried again,
// and what the views say of those on disk.
#include <algorithm>
#include <catch2/catch.hpp>

#include "core/durable_kit.hpp"
#include "core/pool.hpp"

namespace weir::core::test {
namespace {

using ak = admission::kind;
using vk = verdict::kind;

pool_settings windowed(std::uint32_t window) {
  pool_settings s = plain_settings();
  s.durable.window = window;
  return s;
}

}  // namespace

TEST_CASE("a durable batch is granted a free slot like any other") {
  durable_kit k;
  k.add("w1");
  const auto a = k.submit(0);
  REQUIRE(a.what == ak::granted);
  CHECK(k.view(0).durable_batches == 1);
  CHECK(k.view(0).durable_bytes == 100);
  CHECK(k.finish(a.batch, attempt_end::succeeded, 1).what == vk::done);
  CHECK(k.view(1).durable_batches == 0);
  CHECK(k.view(1).durable_bytes == 0);
}

TEST_CASE("durable batches wait without a worker, past the queue's limits and without a wait limit") {
  pool_settings s = plain_settings();
  s.queue.batches_max = 1;
  s.queue.bytes_max = 1;
  s.queue.wait_max = 1s;
  durable_kit k(s);
  for (int i = 0; i < 50; ++i) CHECK(k.submit(0).what == ak::queued);
  CHECK(k.admit(0).why == refusal::no_worker);
  k.run_until(100000);
  CHECK(k.evictions().empty());
  CHECK(k.p.waiting() == 50);
}

TEST_CASE("durable batches leave the queue's room to the others") {
  pool_settings s = plain_settings();
  s.queue.batches_max = 2;
  durable_kit k(s);
  k.add("w1");
  for (int i = 0; i < 10; ++i) k.submit(0);
  CHECK(k.admit(0).what == ak::queued);
  CHECK(k.admit(0).what == ak::queued);
  CHECK(k.admit(0).why == refusal::queue_full);
}

TEST_CASE("beyond the window they stay on disk, and are loaded as the window runs empty") {
  durable_kit k(windowed(8));
  k.add("w1");
  const auto first = k.submit(0);
  for (int i = 0; i < 8; ++i) CHECK(k.submit(0).what == ak::queued);
  for (int i = 0; i < 20; ++i) CHECK(k.submit(0).what == ak::stored);
  CHECK(k.p.waiting() == 8);
  CHECK(k.view(0).stored == 20);
  CHECK(k.view(0).stored_bytes == 2000);
  CHECK(k.view(0).waiting == 28);
  CHECK(k.view(0).durable_batches == 29);
  CHECK(k.load(0) == 0);
  batch_id runs = first.batch;
  std::vector<std::int64_t> order{k.ids[runs]};
  for (double now = 1; now < 40; ++now) {
    k.finish(runs, attempt_end::succeeded, now);
    k.load_all(now);
    CHECK(k.p.waiting() <= 16);
    const auto grants = k.grants();
    if (grants.empty()) break;
    REQUIRE(grants.size() == 1);
    runs = grants[0].batch;
    order.push_back(k.ids[runs]);
  }
  CHECK(order.size() == 29);
  CHECK(std::ranges::is_sorted(order));
  CHECK(k.view(100).durable_batches == 0);
  CHECK(k.view(100).stored == 0);
  CHECK(k.view(100).waiting_cost == 0);
}

}  // namespace weir::core::test
