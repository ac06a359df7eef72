// Which durable batches are in memory: room, lanes, turns, load_orders, and what is counted.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <vector>

#include "base/random.hpp"
#include "core/depot.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

constexpr std::uint32_t window = 64;

// Arrivals as pool makes them: into the pool when there is room, else on disk.
struct bench {
  bool arrive(std::uint32_t lane, std::int64_t place) {
    const std::uint32_t slot = d.open(lane, 0, place);
    if (!d.admits(slot, place, window)) {
      d.keep(slot, place, 10, 2, at(static_cast<double>(place)));
      return false;
    }
    d.enter(slot, place);
    d.waits(slot, 10, 1);
    return true;
  }
  bool arrive(std::uint32_t lane) { return arrive(lane, ++places); }
  void fill(std::uint32_t lane, int count) {
    for (int i = 0; i < count; ++i) arrive(lane);
  }
  std::vector<load_order> orders(bool idle = false, double now = 0) {
    std::vector<load_order> out;
    d.order(window, idle, at(now), out);
    return out;
  }
  void restore(std::uint32_t lane, std::uint64_t batches, duration oldest = {}) {
    const lane_facts f{.lane = lane, .batches = batches, .bytes = 10 * batches, .oldest = oldest};
    d.restore(d.open(lane, 0, 1), f, at(100));
  }
  // One that waits is granted and done.
  void serve(std::uint32_t lane, int count = 1) {
    for (int i = 0; i < count; ++i) {
      d.waits(d.find(lane), 10, -1);
      d.leave(d.find(lane));
    }
  }
  // The answer to an order: as many as it asked for and the lane has.
  void answer(const load_order& o) {
    const std::uint32_t slot = d.find(o.lane);
    const auto got = std::min<std::uint64_t>(o.limit, d.at(slot).stored);
    for (std::uint64_t i = 0; i < got; ++i) {
      d.take(slot, 10, 2);
      d.enter(slot, o.after + 1 + static_cast<std::int64_t>(i));
      d.waits(slot, 10, 1);
    }
    if (d.loaded(slot, got, o.after + static_cast<std::int64_t>(got))) d.forget_stored(slot);
    d.close(slot);
  }
  const depot::lane& lane(std::uint32_t number) { return d.at(d.find(number)); }

  depot d;
  std::int64_t places = 0;
};

}  // namespace

TEST_CASE("room is given for as many batches and bytes as the limits say, and comes back") {
  const durable_settings s{.batches_max = 3, .bytes_max = 100, .window = window};
  depot d;
  CHECK(d.reserve(101, s) == refusal::queue_bytes_full);
  CHECK(d.reserve(100, s) == refusal::none);
  CHECK(d.reserve(1, s) == refusal::queue_bytes_full);
  CHECK(d.reserve(0, s) == refusal::none);
  CHECK(d.reserve(0, s) == refusal::none);
  CHECK(d.reserve(0, s) == refusal::queue_full);
  CHECK(d.refused() == 3);
  CHECK(d.open_batches() == 3);
  CHECK(d.open_bytes() == 100);
  d.release(100);
  CHECK(d.reserve(60, s) == refusal::none);
  CHECK(d.open_bytes() == 60);
  for (int i = 0; i < 9; ++i) d.release(60);
  CHECK(d.open_batches() == 0);
  CHECK(d.open_bytes() == 0);
}

TEST_CASE("limits that are below what is there refuse, and do not wrap") {
  const durable_settings s{.batches_max = 5, .bytes_max = 10, .window = window};
  depot d;
  d.count(3, 1000);
  CHECK(d.reserve(0, s) == refusal::queue_bytes_full);
  CHECK(d.reserve(~0ull, s) == refusal::queue_bytes_full);
}

TEST_CASE("a lane goes into the pool until the window is full, then it stays on disk in order") {
  bench b;
  int in = 0;
  while (b.arrive(1)) ++in;
  CHECK(in == static_cast<int>(window));
  b.serve(1);
  CHECK_FALSE(b.arrive(1));   // there is room, but one that came before is on disk
  CHECK(b.d.stored() == 2);
  CHECK(b.d.stored_bytes() == 20);
  CHECK(b.lane(1).units == 4);
  CHECK(b.d.waiting() == window - 1);
  CHECK(b.d.oldest() == at(window + 1));
}

TEST_CASE("a full window still has a place for a lane that has next to nothing in it") {
  bench b;
  b.fill(1, 1000);
  int in = 0;
  while (b.arrive(2)) ++in;
  CHECK(in == static_cast<int>(window / 8));
  for (std::uint32_t lane = 3; lane < 200; ++lane) b.arrive(lane);
  CHECK(b.d.waiting() == 2 * window);   // but not for any number of them
}

TEST_CASE("one from behind the cursor goes into the pool while it has room, else it is read") {
  bench b;
  b.fill(1, 100);
  CHECK(b.arrive(1, 5));
  CHECK_FALSE(b.arrive(1, 101));
  while (b.d.waiting() < 2 * window) b.arrive(1, 9);
  CHECK(b.d.waiting() == 2 * window);
  CHECK_FALSE(b.arrive(1, 7));
  CHECK_FALSE(b.arrive(1, 30));
  b.serve(1, 2 * window);
  const auto orders = b.orders();
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].after == 6);
}

TEST_CASE("one that is put back while its lane is read is read by the next order") {
  bench b;
  b.fill(1, 300);
  b.serve(1, window);
  const auto first = b.orders();
  REQUIRE(first.size() == 1);
  for (std::int64_t n = 0; n < 3 * window; ++n) b.arrive(1, n % 60 + 1);   // some are kept on disk
  const std::uint32_t slot = b.d.find(1);
  const auto there = b.d.at(slot).stored;
  CHECK(there > 200);
  CHECK_FALSE(b.d.loaded(slot, 3, first[0].after + 3));   // few: but that was not all
  CHECK(b.d.at(slot).stored == there);
  b.serve(1, static_cast<int>(b.d.waiting()));
  const auto next = b.orders();
  REQUIRE(next.size() == 1);
  CHECK(next[0].after < 60);
}

TEST_CASE("loads begin when the window is half empty, after the last one that was in the pool") {
  bench b;
  b.fill(1, 1000);
  CHECK(b.orders().empty());
  b.serve(1, window / 2);
  CHECK(b.orders().empty());
  b.serve(1);
  const auto orders = b.orders();
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].lane == 1);
  CHECK(orders[0].after == window);
  CHECK(orders[0].limit == window / 2 + 1);
  b.serve(1, 5);
  CHECK(b.orders().empty());   // one order a lane at a time
  b.answer(orders[0]);
  CHECK(b.lane(1).cursor == window + window / 2 + 1);
  CHECK(b.d.waiting() == window - 5);
}

TEST_CASE("what arrives while its lane is loaded stays on disk, even when none of it is there") {
  bench b;
  b.fill(1, window + 1);
  b.serve(1, window);
  const auto orders = b.orders();
  REQUIRE(orders.size() == 1);
  b.d.take(b.d.find(1), 10, 2);   // cancelled
  CHECK(b.d.stored() == 0);
  CHECK_FALSE(b.arrive(1));
  b.answer(orders[0]);
  CHECK(b.d.stored() == 0);
  CHECK(b.arrive(1));
}

TEST_CASE("fewer than the limit means that was all, whatever was counted") {
  struct row {
    std::size_t got;
    bool all;
  };
  for (const row& r : std::vector<row>{{0, true}, {10, true}, {31, true}, {32, false}}) {
    INFO(r.got);
    bench b;
    b.fill(1, 200);
    b.d.count(200, 2000);
    b.serve(1, window / 2);
    b.d.waits(b.d.find(1), 10, -1);
    const auto orders = b.orders();
    REQUIRE(orders.size() == 1);
    REQUIRE(orders[0].limit == 33);
    CHECK(b.d.loaded(b.d.find(1), r.got + 1, 150) == (r.got + 1 < 33));
    CHECK_FALSE(b.d.loaded(b.d.find(1), 0, 0));   // no order: nothing is known
    b.d.forget_stored(b.d.find(1));
    CHECK(b.d.stored() == 0);
    CHECK(b.d.stored_bytes() == 0);
    CHECK(b.d.open_batches() == 200 - 136);
    CHECK(b.d.oldest() == base::never);
  }
}

TEST_CASE("lanes are loaded in turns, those with the fewest in the pool first") {
  bench b;
  b.fill(1, 1000);
  for (std::uint32_t lane : {2u, 3u, 4u}) b.fill(lane, 100);
  // Each has its eight in the pool; now lane 3 has none, lane 2 and 4 have two left.
  b.serve(3, 8);
  b.serve(2, 6);
  b.serve(4, 6);
  b.serve(1, 40);
  const auto orders = b.orders();
  REQUIRE(orders.size() >= 3);
  CHECK(orders[0].lane == 3);
  CHECK(std::set<std::uint32_t>{orders[1].lane, orders[2].lane} == std::set<std::uint32_t>{2, 4});
}

TEST_CASE("equal lanes are loaded one after the other, round and round") {
  bench b;
  for (std::uint32_t lane = 1; lane <= 5; ++lane)
    b.restore(lane, 1000);
  std::map<std::uint32_t, int> times;
  std::vector<std::uint32_t> sequence;
  for (int round = 0; round < 8; ++round)
    for (const load_order& o : b.orders()) {
      ++times[o.lane];
      sequence.push_back(o.lane);
      b.answer(o);
      b.serve(o.lane, static_cast<int>(b.lane(o.lane).waiting));
    }
  for (const auto& [lane, n] : times) CHECK(std::abs(n - times[1]) <= 1);
  CHECK(times.size() == 5);
}

TEST_CASE("a tenant's million does not keep another's ten from being loaded") {
  bench b;
  b.restore(1, 1'000'000);
  for (const load_order& o : b.orders()) b.answer(o);
  REQUIRE(b.d.waiting() >= window / 2);
  b.restore(2, 10);
  const auto orders = b.orders();
  REQUIRE(orders.size() == 1);
  CHECK(orders[0].lane == 2);
  CHECK(orders[0].limit <= window / 8);
}

TEST_CASE("a free slot that finds nothing ready has more loaded, up to one and a half windows") {
  bench b;
  b.fill(1, 1000);   // they back off, say
  CHECK(b.orders().empty());
  for (int round = 0; round < 20; ++round)
    for (const load_order& o : b.orders(true)) b.answer(o);
  CHECK(b.d.waiting() == window + window / 2);
  // The rest is for those that have nothing there.
  b.restore(2, 1000);
  for (int round = 0; round < 20; ++round)
    for (const load_order& o : b.orders(true)) b.answer(o);
  CHECK(b.lane(2).waiting > 0);
  CHECK(b.lane(2).waiting <= window / 8);
}

TEST_CASE("a load that failed is ordered again, a second later") {
  bench b;
  b.fill(1, 1000);
  b.serve(1, window);
  const auto orders = b.orders();
  REQUIRE(orders.size() == 1);
  b.d.load_failed(b.d.find(1), at(5));
  CHECK(b.orders(true, 5.9).empty());
  CHECK(b.d.next_deadline() == at(6));
  b.d.expire(at(6));
  CHECK(b.d.next_deadline() == base::never);
  const auto again = b.orders(false, 6);
  REQUIRE(again.size() == 1);
  CHECK(again[0].after == orders[0].after);
}

TEST_CASE("no more orders are under way than the store should have at once") {
  bench b;
  for (std::uint32_t lane = 1; lane <= 1000; ++lane)
    b.restore(lane, 1);
  std::vector<load_order> out;
  b.d.order(10000, false, at(0), out);
  CHECK(out.size() == depot::orders_max);
  b.answer(out[0]);
  out.clear();
  b.d.order(10000, false, at(0), out);
  CHECK(out.size() == 1);
}

TEST_CASE("a lane is forgotten when nothing of it is left, and begins anew where it goes on") {
  bench b;
  b.arrive(7);
  REQUIRE(b.d.find(7) != depot::none);
  b.serve(7);
  CHECK(b.d.find(7) == depot::none);
  b.places = 500;
  b.fill(1, window * 2);
  b.fill(2, window / 8);
  CHECK_FALSE([&] { b.fill(7, window / 8); return b.arrive(7); }());
  b.serve(7, static_cast<int>(window / 8));
  const auto orders = b.orders();
  REQUIRE_FALSE(orders.empty());
  CHECK(orders[0].lane == 7);
  CHECK(orders[0].after > 500);   // nothing from before is asked for
}

TEST_CASE("the oldest on disk is known, and grows younger as its lane is loaded") {
  bench b;
  b.restore(1, 5, 60s);
  b.restore(2, 5, 30s);
  CHECK(b.d.oldest() == at(40));
  b.d.aged(b.d.find(1), at(90));
  CHECK(b.d.oldest() == at(70));
  b.d.aged(b.d.find(2), at(10));
  CHECK(b.d.oldest() == at(70));
}

TEST_CASE("an empty lane needs no restoring") {
  bench b;
  b.d.restore(b.d.open(1, 0, 1), {.lane = 1}, at(0));
  CHECK(b.d.find(1) == depot::none);
  CHECK(b.d.stored_lanes() == 0);
}

// --- against a model ----------------------------------------------------------------------------

namespace {

// The store as it should be, and every batch's way: stored, then once in the pool, then gone.
struct model {
  explicit model(std::uint64_t seed) : random(seed) {}

  void step() {
    switch (random.below(6)) {
      case 0:
      case 1:
        arrive();
        break;
      case 2:
      case 3:
        serve();
        break;
      case 4:
        cancel();
        break;
      default:
        if (!pending.empty()) answer();
    }
    std::vector<load_order> out;
    d.order(window_, random.below(2) == 0, at(0), out);
    for (const load_order& o : out) {
      CHECK(std::ranges::none_of(pending, [&](const auto& p) { return p.lane == o.lane; }));
      pending.push_back(o);
    }
    check();
  }
  void arrive() {
    const std::uint32_t lane = random.below(5) == 0 ? random.below(8) : 1;
    const std::uint32_t slot = d.open(lane, 0, ++places);
    d.count(1, 7);
    if (d.admits(slot, places, window_)) {
      enter(slot, lane, places);
      CHECK(disk[lane].empty());   // a lane stays in order
    } else {
      d.keep(slot, places, 7, 1, at(0));
      disk[lane].insert(places);
    }
  }
  void enter(std::uint32_t slot, std::uint32_t lane, std::int64_t place) {
    d.enter(slot, place);
    d.waits(slot, 7, 1);
    CHECK(seen.insert(place).second);   // never twice in the pool
    pool.push_back({lane, place});
  }
  void serve() {
    if (pool.empty()) return;
    std::swap(pool[random.below(static_cast<std::uint32_t>(pool.size()))], pool.back());
    const std::uint32_t slot = d.find(pool.back().first);
    pool.pop_back();
    d.waits(slot, 7, -1);
    d.release(7);
    d.leave(slot);
  }
  void cancel() {
    const std::uint32_t lane = random.below(8);
    if (disk[lane].empty()) return;
    disk[lane].erase(disk[lane].begin());
    d.take(d.find(lane), 7, 1);
    d.release(7);
    d.close(d.find(lane));
  }
  void answer() {
    const load_order o = pending.front();
    pending.erase(pending.begin());
    const std::uint32_t slot = d.find(o.lane);
    REQUIRE(slot != depot::none);
    std::int64_t last = o.after;
    std::size_t got = 0;
    auto& lane = disk[o.lane];
    for (auto i = lane.upper_bound(o.after); i != lane.end() && got < o.limit; ++got) {
      last = *i;
      i = lane.erase(i);
      d.take(slot, 7, 1);
      enter(slot, o.lane, last);
    }
    if (d.loaded(slot, got, last)) d.forget_stored(slot);
    CHECK((got == o.limit || lane.empty()));   // no order misses what is there
    d.close(slot);
  }
  void check() {
    std::size_t on_disk = 0;
    for (const auto& [lane, places_there] : disk) on_disk += places_there.size();
    CHECK(d.stored() == on_disk);
    CHECK(d.stored_bytes() == 7 * on_disk);
    CHECK(d.waiting() == pool.size());
    CHECK(d.waiting_bytes() == 7 * pool.size());
    CHECK(d.open_batches() == on_disk + pool.size());
    CHECK(d.waiting() <= 2 * window_ + depot::order_min);
    // Nothing is forgotten: what is on disk is ordered before the pool runs empty.
    CHECK((!pool.empty() || on_disk == 0 || !pending.empty()));
  }

  static constexpr std::uint32_t window_ = 16;
  base::random random;
  depot d;
  std::int64_t places = 0;
  std::map<std::uint32_t, std::set<std::int64_t>> disk;
  std::vector<std::pair<std::uint32_t, std::int64_t>> pool;
  std::set<std::int64_t> seen;
  std::vector<load_order> pending;
};

}  // namespace

TEST_CASE("over many seeds no batch is lost, loaded twice, or out of its lane's order") {
  for (std::uint64_t seed = 1; seed <= 60; ++seed) {
    INFO("seed " << seed);
    model m(seed);
    for (int i = 0; i < 400; ++i) m.step();
    while (m.d.open_batches() > 0 && !(m.pending.empty() && m.pool.empty())) {
      while (!m.pending.empty()) m.answer();
      while (!m.pool.empty()) m.serve();
      std::vector<load_order> out;
      m.d.order(model::window_, true, at(0), out);
      m.pending.insert(m.pending.end(), out.begin(), out.end());
    }
    CHECK(m.d.open_batches() == 0);
    for (std::uint32_t lane = 0; lane < 8; ++lane) CHECK(m.d.find(lane) == depot::none);
  }
}

}  // namespace weir::core::test
