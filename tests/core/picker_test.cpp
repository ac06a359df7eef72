#include "core/picker.hpp"

#include <array>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <vector>

namespace weir::core::test {
namespace {

constexpr std::uint32_t none = picker::none;
constexpr std::array policies{balance::least_loaded, balance::power_of_two, balance::round_robin,
                              balance::random,       balance::hash,         balance::first};

std::unique_ptr<picker> made(balance policy, double hash_balance_factor = 1.25,
                             double equal_within = 0.1) {
  pool_settings s;
  s.balance = policy;
  s.hash_balance_factor = hash_balance_factor;
  s.learning.equal_within = equal_within;
  return make_picker(s);
}

struct bench {
  explicit bench(balance policy) : p(made(policy)), random(7) {}
  std::uint32_t pick(std::uint64_t affinity = 0) { return p->pick(affinity, random); }
  std::unique_ptr<picker> p;
  base::random random;
};

}  // namespace

TEST_CASE("every policy: nobody free, nobody picked") {
  for (balance policy : policies) {
    bench b(policy);
    CHECK(b.pick() == none);
    b.p->drop(5);
    b.p->put(3, {});
    CHECK(b.pick(17) == 3);
    b.p->drop(3);
    b.p->drop(3);
    CHECK(b.pick() == none);
    CHECK(b.p->empty());
  }
}

TEST_CASE("every policy: only free workers are picked, and the size is theirs") {
  for (balance policy : policies)
    for (std::uint64_t seed = 1; seed <= 10; ++seed) {
      INFO("policy " << static_cast<int>(policy) << " seed " << seed);
      bench b(policy);
      base::random r(seed);
      std::set<std::uint32_t> free;
      for (int i = 0; i < 500; ++i) {
        const std::uint32_t w = r.below(80);
        if (r.below(3) == 0) {
          b.p->drop(w);
          free.erase(w);
        } else {
          b.p->put(w, {0.1 + r.unit(), r.below(5), 8});
          free.insert(w);
        }
        REQUIRE(b.p->size() == free.size());
        const std::uint32_t got = b.pick(r.below(10));
        REQUIRE((got == none) == free.empty());
        if (got != none) REQUIRE(free.count(got) == 1);
      }
    }
}

TEST_CASE("least_loaded: the best rate, within a tenth of it the fewest running") {
  struct row {
    const char* what;
    std::vector<candidate> workers;
    std::uint32_t expected;
  };
  const row rows[] = {
      {"the faster one, busier as it is", {{1, 0, 4}, {2, 3, 4}}, 1},
      {"within the tenth: the idler one", {{1.0, 2, 4}, {0.95, 0, 4}}, 1},
      {"beyond the tenth: the faster one", {{1.0, 2, 4}, {0.85, 0, 4}}, 0},
      {"equal in all: the first to be free", {{1, 1, 4}, {1, 1, 4}, {1, 1, 4}}, 0},
      {"a crawling worker when there is no other", {{1e-9, 0, 4}}, 0},
      {"rates off the scale are still ordered by what runs", {{1e6, 2, 4}, {1e9, 1, 4}}, 1},
      {"a long list of equals", {{1, 9, 9}, {1, 8, 9}, {1, 7, 9}, {1, 3, 9}, {1, 4, 9}}, 3},
      {"more than 63 running count as 63", {{1, 70, 99}, {1, 64, 99}, {1, 62, 99}}, 2},
  };
  for (const row& r : rows) {
    INFO(r.what);
    bench b(balance::least_loaded);
    for (std::uint32_t w = 0; w < r.workers.size(); ++w) b.p->put(w, r.workers[w]);
    CHECK(b.pick() == r.expected);
  }
}

TEST_CASE("least_loaded: equals are taken in turn") {
  bench b(balance::least_loaded);
  for (std::uint32_t w = 0; w < 3; ++w) b.p->put(w, {1, 0, 4});
  for (int i = 0; i < 9; ++i) {
    const auto w = b.pick();
    CHECK(w == static_cast<std::uint32_t>(i % 3));
    b.p->put(w, {1, 0, 4});
  }
}

TEST_CASE("least_loaded agrees with a scan of all workers, to the width of a rate's rank") {
  for (std::uint64_t seed = 1; seed <= 40; ++seed) {
    INFO("seed " << seed);
    base::random r(seed);
    bench b(balance::least_loaded);
    std::map<std::uint32_t, candidate> free;
    for (int i = 0; i < 300; ++i) {
      const std::uint32_t w = r.below(30);
      if (r.below(4) == 0) {
        b.p->drop(w);
        free.erase(w);
      } else {
        const double rate = r.below(2) ? 0.9 + 0.2 * r.unit() : 0.05 + 4 * r.unit();
        b.p->put(w, free[w] = {rate, r.below(6), 8});
      }
      const auto got = b.pick();
      if (got == none) continue;
      double best = 0;
      for (const auto& [id, c] : free) best = std::max(best, c.rate);
      REQUIRE(free[got].rate >= best * 0.9 * (1 - 2.0 / 64));
      for (const auto& [id, c] : free)
        if (c.rate >= best * 0.9 * (1 + 2.0 / 64)) REQUIRE(free[got].running <= c.running);
    }
  }
}

TEST_CASE("round_robin: free workers in order of joining, around and around") {
  bench b(balance::round_robin);
  for (std::uint32_t w : {70u, 0u, 5u, 64u}) b.p->put(w, {});
  for (std::uint32_t expected : {0u, 5u, 64u, 70u, 0u, 5u}) CHECK(b.pick() == expected);
  b.p->drop(64);
  CHECK(b.pick() == 70);
}

TEST_CASE("first: always the one that joined first") {
  bench b(balance::first);
  for (std::uint32_t w : {9u, 3u, 100u}) b.p->put(w, {});
  CHECK(b.pick() == 3);
  CHECK(b.pick() == 3);
  b.p->drop(3);
  CHECK(b.pick() == 9);
  b.p->drop(9);
  CHECK(b.pick() == 100);
}

TEST_CASE("random: every free worker about as often") {
  bench b(balance::random);
  std::array<int, 5> hits{};
  for (std::uint32_t w = 0; w < 5; ++w) b.p->put(w, {});
  for (int i = 0; i < 5000; ++i) ++hits[b.pick()];
  for (int h : hits) CHECK(h == Approx(1000).margin(150));
}

TEST_CASE("power_of_two: never the busiest of many, and two at random otherwise") {
  bench b(balance::power_of_two);
  for (std::uint32_t w = 0; w < 10; ++w) b.p->put(w, {1, w, 10});
  std::array<int, 10> hits{};
  for (int i = 0; i < 4500; ++i) ++hits[b.pick()];
  CHECK(hits[9] == 0);
  CHECK(hits[0] == Approx(900).margin(150));  // 9 of 45 pairs
  CHECK(hits[8] == Approx(100).margin(60));   // only with the busiest
}

TEST_CASE("power_of_two: load is by slot, and rate breaks ties") {
  bench b(balance::power_of_two);
  b.p->put(0, {1, 2, 2});
  b.p->put(1, {1, 3, 8});
  CHECK(b.pick() == 1);
  b.p->put(0, {2, 1, 4});
  b.p->put(1, {1, 1, 4});
  CHECK(b.pick() == 0);
}

TEST_CASE("hash: the same affinity goes to the same worker while it has room") {
  bench b(balance::hash);
  for (std::uint32_t w = 0; w < 8; ++w) b.p->put(w, {1, 0, 8});
  std::set<std::uint32_t> used;
  for (std::uint64_t a = 1; a <= 200; ++a) {
    const auto w = b.pick(a);
    CHECK(b.pick(a) == w);
    used.insert(w);
  }
  CHECK(used.size() == 8);
}

TEST_CASE("hash: a worker that leaves moves its own affinities only") {
  bench b(balance::hash);
  for (std::uint32_t w = 0; w < 8; ++w) b.p->put(w, {1, 0, 8});
  std::map<std::uint64_t, std::uint32_t> before;
  for (std::uint64_t a = 1; a <= 300; ++a) before[a] = b.pick(a);
  b.p->drop(3);
  for (const auto& [a, w] : before) {
    if (w != 3) CHECK(b.pick(a) == w);
    if (w == 3) CHECK(b.pick(a) != 3);
  }
}

TEST_CASE("hash: bounded load sends the rest of a hot affinity to others") {
  bench b(balance::hash);
  std::array<std::uint32_t, 4> running{};
  for (std::uint32_t w = 0; w < 4; ++w) b.p->put(w, {1, 0, 100});
  for (int i = 0; i < 100; ++i) {
    const auto w = b.pick(42);
    b.p->put(w, {1, ++running[w], 100});
  }
  for (auto n : running) CHECK(n <= 33);  // ceil(1.25 x 101 / 4) at the most
}

TEST_CASE("hash: of those that serve one more or less moves about its own share of affinities") {
  constexpr std::uint32_t workers = 20, affinities = 4000;
  bench b(balance::hash);
  for (std::uint32_t w = 0; w < workers; ++w) b.p->put(w, {1, 0, 8});
  const auto homes = [&] {
    std::vector<std::uint32_t> all;
    for (std::uint64_t a = 1; a <= affinities; ++a) all.push_back(b.pick(a));
    return all;
  };
  const auto before = homes();
  b.p->put(workers, {1, 0, 8});
  const auto more = homes();
  double moved = 0;
  for (std::uint32_t i = 0; i < affinities; ++i) {
    if (more[i] != before[i]) CHECK(more[i] == workers);
    moved += more[i] != before[i];
  }
  CHECK(moved / affinities == Approx(1.0 / 21).margin(0.03));
  b.p->drop(workers);
  CHECK(homes() == before);
}

TEST_CASE("hash: the bound is a share of all that runs, by slots, and by the factor") {
  struct row {
    const char* what;
    double factor;
    std::vector<candidate> others;  // of the home of affinity 42; those full are not free
    candidate home;
    bool stays;
  };
  const row rows[] = {
      {"an idle one", 1.25, {{1, 0, 4}, {1, 0, 4}}, {1, 0, 4}, true},
      {"busier than the others", 1.25, {{1, 0, 4}, {1, 0, 4}}, {1, 2, 4}, false},
      {"what runs on full ones counts: 2 of 11 on 4", 1.25, {{1, 4, 4}, {1, 4, 4}, {1, 0, 4}},
       {1, 2, 4}, true},
      {"twice the slots, twice the share", 1.25, {{1, 3, 4}, {1, 3, 4}}, {1, 6, 8}, true},
      {"half the slots, half of it", 1.25, {{1, 3, 8}, {1, 3, 8}}, {1, 3, 4}, false},
      {"a large factor lets it stay", 10, {{1, 0, 4}, {1, 0, 4}}, {1, 2, 4}, true},
  };
  for (const row& r : rows) {
    INFO(r.what);
    const auto p = made(balance::hash, r.factor);
    base::random random(7);
    const auto count = static_cast<std::uint32_t>(r.others.size()) + 1;
    for (std::uint32_t w = 0; w < count; ++w) p->put(w, {1, 0, 4});
    const std::uint32_t home = p->pick(42, random);
    for (std::uint32_t w = 0, i = 0; w < count; ++w) {
      const candidate& c = w == home ? r.home : r.others[i++];
      c.running < c.slots ? p->put(w, c) : p->fill(w, c);
    }
    CHECK((p->pick(42, random) == home) == r.stays);
  }
}

TEST_CASE("every policy: a worker that is full is not picked until it is put again") {
  for (balance policy : policies) {
    bench b(policy);
    b.p->put(1, {1, 0, 2});
    b.p->put(2, {1, 0, 2});
    b.p->fill(1, {1, 2, 2});
    for (int i = 0; i < 10; ++i) CHECK(b.pick(i) == 2);
    b.p->fill(2, {1, 2, 2});
    CHECK(b.pick(1) == none);
    b.p->put(1, {1, 1, 2});
    CHECK(b.pick(1) == 1);
    CHECK(b.p->size() == 1);
  }
}

TEST_CASE("hash: without an affinity the load is spread") {
  bench b(balance::hash);
  for (std::uint32_t w = 0; w < 4; ++w) b.p->put(w, {1, 0, 100});
  std::set<std::uint32_t> used;
  for (int i = 0; i < 100; ++i) used.insert(b.pick(0));
  CHECK(used.size() == 4);
}

TEST_CASE("least_loaded: what counts as the same rate is the pool's to say") {
  struct row {
    double equal_within, slower;
    bool same;
  };
  for (const row& r : {row{0.1, 0.92, true}, {0.1, 0.85, false}, {0, 1, true}, {0, 0.97, false},
                       {0.4, 0.62, true}, {0.4, 0.57, false}}) {
    CAPTURE(r.equal_within, r.slower);
    const auto p = made(balance::least_loaded, 1.25, r.equal_within);
    base::random random(7);
    p->put(0, {1, 1, 4});
    p->put(1, {r.slower, 0, 4});
    CHECK((p->pick(0, random) == 1) == r.same);
  }
}

}  // namespace weir::core::test
