#include "core/waiting_queue.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

namespace weir::core::test {
namespace {

constexpr std::uint32_t none = waiting_queue::none;
instant at(double seconds) {
  return instant{} + base::from_seconds(seconds);
}
order_key key(std::int64_t k) {
  return {k, static_cast<std::uint64_t>(k)};
}

std::vector<std::uint32_t> drain(waiting_queue& q) {
  std::vector<std::uint32_t> order;
  while (q.head() != none) {
    order.push_back(q.head());
    q.serve(q.head());
  }
  return order;
}

std::uint32_t tenant(waiting_queue& q, int number) {
  return q.tenants().enter(static_cast<std::uint64_t>(number), "t" + std::to_string(number));
}

}  // namespace

TEST_CASE("a key is arrival, plus beta times the size, minus what urgency takes off") {
  struct row {
    const char* what;
    queue_order order;
    double arrival, est;
    std::uint8_t urgency;
    double expected;
  };
  using enum queue_order;
  const row rows[] = {
      {"nothing known but the arrival", cost_aware, 100, 0, 3, 100},
      {"five times its size later", cost_aware, 100, 2, 3, 110},
      {"most urgent: three steps earlier", cost_aware, 100, 0, 0, 70},
      {"least urgent: four steps later", cost_aware, 100, 0, 7, 140},
      {"an urgency off the scale counts as the last", cost_aware, 100, 0, 200, 140},
      {"both", cost_aware, 100, 1, 2, 95},
      {"a monstrous size is bounded", cost_aware, 0, 1e15, 3, 30 * 86400.0},
      {"fifo: the arrival alone", fifo, 100, 50, 0, 100},
  };
  for (const row& r : rows) {
    INFO(r.what);
    queue_settings s;
    s.order = r.order;
    const order_key k = make_key(s, at(r.arrival), r.est, r.urgency, 9);
    CHECK(base::to_seconds(duration(k.at)) == Approx(r.expected));
    CHECK(k.sequence == 9);
  }
}

TEST_CASE("a batch is overtaken only by those that arrive within beta times its size") {
  queue_settings s;
  const order_key large = make_key(s, at(0), 10, 3, 1);
  CHECK(make_key(s, at(49), 0.1, 3, 2) < large);
  CHECK(large < make_key(s, at(51), 0, 3, 3));
}

TEST_CASE("batches of unknown size do not overtake each other when their route's mean moves") {
  struct row {
    const char* what;
    std::uint32_t route;
    double arrival, mean, taken_for;
  };
  unsized_order order;
  for (const row& r : {row{"the first", 0, 100, 10, 10},
                       {"the mean fell: as much as brings it right behind", 0, 101, 1, 9.8},
                       {"another route goes by its own", 1, 101, 1, 1},
                       {"at once", 0, 101, 1, 9.8},
                       {"the mean rose", 0, 102, 20, 20},
                       {"one that came before and failed", 0, 90, 1, 1},
                       {"which changes nothing for the rest", 0, 112, 5, 18},
                       {"long after", 0, 1000, 5, 5}}) {
    INFO(r.what);
    CHECK(order.seconds(r.route, at(r.arrival), r.mean, 5) == Approx(r.taken_for));
  }
  CHECK(order.seconds(0, at(1000), 1, 0) == 1);   // sizes do not count
}

TEST_CASE("how long a batch may be overtaken has a limit where there is an objective") {
  struct row {
    double est;
    duration most;
    double expected;
  };
  queue_settings s;
  for (const row& r : std::vector<row>{{10, 60s, 50}, {12, 60s, 60}, {100, 60s, 60},
                                       {100, base::forever, 500}, {100, 0s, 0}}) {
    const order_key k = make_key(s, at(0), r.est, 3, 1, r.most);
    CHECK(base::to_seconds(duration(k.at)) == Approx(r.expected));
  }
  // Urgency counts beside it.
  CHECK(make_key(s, at(0), 100, 0, 1, 60s).at == make_key(s, at(30), 0, 3, 1).at);
  s.order = queue_order::fifo;
  CHECK(make_key(s, at(7), 100, 3, 1, 60s).at == at(7).time_since_epoch().count());
}

TEST_CASE("equal keys go by arrival") {
  CHECK(order_key{5, 1} < order_key{5, 2});
  CHECK(order_key{4, 9} < order_key{5, 2});
}

TEST_CASE("one tenant's batches leave by key") {
  waiting_queue q(1, 10);
  for (std::uint32_t id : {4u, 2u, 0u, 3u, 1u}) q.insert(id, 0, key(id), 1, false);
  CHECK(drain(q) == std::vector<std::uint32_t>{0, 1, 2, 3, 4});
  CHECK(q.size() == 0);
}

TEST_CASE("two tenants share by cost: a dump of big batches does not shut out a small one's") {
  waiting_queue q(1, 10);
  const auto bulk = tenant(q, 1), steady = tenant(q, 2);
  for (std::uint32_t id = 0; id < 50; ++id) q.insert(id, bulk, key(id), 10, false);
  for (std::uint32_t id = 50; id < 60; ++id) q.insert(id, steady, key(id), 1, false);
  const auto order = drain(q);
  // All ten small ones (10 s of work) go while the bulk gets two of its 10 s batches.
  const auto last = std::find(order.begin(), order.end(), 59u) - order.begin();
  CHECK(last <= 12);
}

TEST_CASE("a held batch keeps its place but is passed over") {
  waiting_queue q(1, 10);
  for (std::uint32_t id = 0; id < 3; ++id) q.insert(id, 0, key(id), 1, id == 0);
  CHECK(q.size() == 3);
  CHECK(q.ready() == 2);
  CHECK(q.head() == 1);
  q.hold(1);
  q.hold(1);
  CHECK(q.head() == 2);
  CHECK(q.place(2).ahead == 2);
  q.hold(2);
  CHECK(q.head() == none);
  q.release(0);
  q.release(0);
  CHECK(q.head() == 0);
  CHECK(q.ready() == 1);
}

TEST_CASE("a tenant with held batches only gives its turn to the others") {
  waiting_queue q(1, 10);
  const auto a = tenant(q, 1), b = tenant(q, 2);
  q.insert(0, a, key(0), 1, false);
  q.insert(1, b, key(1), 1, false);
  q.hold(0);
  CHECK(q.head() == 1);
  q.remove(1);
  CHECK(q.head() == none);
  q.release(0);
  CHECK(q.head() == 0);
}

TEST_CASE("removing charges nobody, serving does") {
  waiting_queue q(1, 10);
  const auto a = tenant(q, 1), b = tenant(q, 2);
  for (std::uint32_t id = 0; id < 4; ++id) q.insert(id, id < 2 ? a : b, key(id), 10, false);
  q.remove(0);
  CHECK(q.tenants().tag(a) == 0);
  q.serve(1);
  CHECK(q.tenants().tag(a) == 10);
  CHECK(q.cost() == Approx(20));
}

TEST_CASE("with one tenant the place is exact: batches and cost ahead, by key") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    base::random r(seed);
    waiting_queue q(seed, 10);
    std::vector<std::pair<order_key, double>> model(60);
    for (std::uint32_t id = 0; id < 60; ++id) {
      model[id] = {{static_cast<std::int64_t>(r.below(30)), id}, 1.0 + r.below(5)};
      q.insert(id, 0, model[id].first, model[id].second, r.below(4) == 0);
    }
    for (std::uint32_t id = 0; id < 60; ++id) {
      std::uint64_t ahead = 0;
      double cost = 0;
      for (const auto& [k, c] : model)
        if (k < model[id].first) ++ahead, cost += c;
      const auto place = q.place(id);
      REQUIRE(place.ahead == ahead);
      REQUIRE(place.cost_ahead == Approx(cost));
      REQUIRE(place.exact);
      const auto would = q.place_of(0, {model[id].first.at, model[id].first.sequence});
      REQUIRE(would.ahead == ahead + 1);  // itself is in it
    }
  }
}

TEST_CASE("with more tenants the place is an estimate between its own queue and all") {
  waiting_queue q(1, 10);
  const auto a = tenant(q, 1), b = tenant(q, 2);
  for (std::uint32_t id = 0; id < 100; ++id) q.insert(id, a, key(id), 1, false);
  for (std::uint32_t id = 100; id < 110; ++id) q.insert(id, b, key(id), 1, false);
  const auto first = q.place(0), last = q.place(99), mine = q.place(109);
  CHECK_FALSE(first.exact);
  CHECK(first.cost_ahead <= 1);
  CHECK(last.ahead == 109);
  CHECK(last.cost_ahead == Approx(109));
  CHECK(mine.ahead >= 9);
  CHECK(mine.ahead <= 19);
}

TEST_CASE("the estimate with tenants is close to the order in which batches do leave") {
  waiting_queue q(1, 10);
  std::vector<std::uint64_t> guess(90);
  for (std::uint32_t id = 0; id < 90; ++id)
    q.insert(id, tenant(q, 1 + static_cast<int>(id % 3)), key(id), 1, false);
  for (std::uint32_t id = 0; id < 90; ++id) guess[id] = q.place(id).ahead;
  const auto order = drain(q);
  for (std::uint64_t i = 0; i < order.size(); ++i) {
    const double off = static_cast<double>(guess[order[i]]) - static_cast<double>(i);
    CHECK(std::abs(off) <= 3);
  }
}

TEST_CASE("pages cover the backlog once, each tenant's batches in order of dispatch") {
  waiting_queue q(1, 10);
  for (std::uint32_t id = 0; id < 30; ++id)
    q.insert(id, tenant(q, 1 + static_cast<int>(id % 3)), key(100 - id), 1, false);
  std::vector<std::uint32_t> all;
  for (std::size_t offset = 0; offset < 40; offset += 7) q.page(offset, 7, all);
  REQUIRE(all.size() == 30);
  for (std::size_t i = 1; i < all.size(); ++i)
    if (q.account(all[i]) == q.account(all[i - 1])) CHECK(all[i] < all[i - 1]);
  std::ranges::sort(all);
  CHECK(std::ranges::adjacent_find(all) == all.end());
  std::vector<std::uint32_t> nothing;
  q.page(30, 10, nothing);
  q.page(0, 0, nothing);
  CHECK(nothing.empty());
}

TEST_CASE("sums agree with what is in the queue after any history") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    INFO("seed " << seed);
    base::random r(seed);
    waiting_queue q(seed, 3);
    std::vector<int> in(40, 0);  // 0 out, 1 ready, 2 held
    std::vector<double> cost(40);
    for (int i = 0; i < 600; ++i) {
      const std::uint32_t id = r.below(40);
      if (in[id] == 0) {
        cost[id] = 1 + r.unit();
        in[id] = 1 + static_cast<int>(r.below(2));
        q.insert(id, tenant(q, 1 + static_cast<int>(r.below(6))), key(r.below(100)), cost[id],
                 in[id] == 2);
      } else if (r.below(3) == 0) {
        in[id] == 1 ? q.hold(id) : q.release(id);
        in[id] = 3 - in[id];
      } else {
        const auto account = q.account(id);
        r.below(2) == 0 && in[id] == 1 ? q.serve(id) : q.remove(id);
        q.tenants().leave(account);
        in[id] = 0;
      }
      std::size_t size = 0, ready = 0;
      double sum = 0;
      for (std::size_t k = 0; k < in.size(); ++k) {
        size += in[k] != 0;
        ready += in[k] == 1;
        sum += in[k] != 0 ? cost[k] : 0;
      }
      REQUIRE(q.size() == size);
      REQUIRE(q.ready() == ready);
      REQUIRE(q.cost() == Approx(sum).margin(1e-9));
      REQUIRE((q.head() == none) == (ready == 0));
      if (ready > 0) REQUIRE(in[q.head()] == 1);
      REQUIRE(q.tenants_waiting() <= 4);
    }
  }
}

}  // namespace weir::core::test
