#include "core/order_forest.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <vector>

namespace weir::core::test {
namespace {

struct sum {
  std::uint64_t count = 0, marked = 0;
  std::uint64_t weight = 0;
  friend sum operator+(const sum& a, const sum& b) {
    return {a.count + b.count, a.marked + b.marked, a.weight + b.weight};
  }
  bool operator==(const sum&) const = default;
};
using forest = order_forest<int, sum>;
constexpr std::uint32_t none = forest::none;
const auto marked = [](const sum& s) { return s.marked > 0; };
const auto count = [](const sum& s) { return s.count; };

// The same thing, done the slow and obvious way.
struct plain {
  struct item {
    int key;
    std::uint32_t id;
    sum own;
  };
  std::vector<item> items;
  void insert(std::uint32_t id, int key, sum own) {
    const auto at = std::upper_bound(items.begin(), items.end(), key,
                                     [](int k, const item& i) { return k < i.key; });
    items.insert(at, {key, id, own});
  }
  std::size_t index(std::uint32_t id) const {
    return static_cast<std::size_t>(std::ranges::find(items, id, &item::id) - items.begin());
  }
  sum before(std::size_t end) const {
    sum s;
    for (std::size_t i = 0; i < end; ++i) s = s + items[i].own;
    return s;
  }
  std::uint32_t first_marked() const {
    const auto at = std::ranges::find_if(items, [](const item& i) { return i.own.marked > 0; });
    return at == items.end() ? none : at->id;
  }
};

void compare(const forest& f, std::uint32_t root, const plain& p) {
  REQUIRE(f.total(root) == p.before(p.items.size()));
  REQUIRE(f.first_that(root, marked) == p.first_marked());
  std::uint32_t walk = f.first(root);
  for (std::size_t i = 0; i < p.items.size(); ++i) {
    REQUIRE(walk == p.items[i].id);
    REQUIRE(f.before(walk) == p.before(i));
    REQUIRE(f.nth(root, i, count) == walk);
    walk = f.next(walk);
  }
  REQUIRE(walk == none);
  REQUIRE(f.nth(root, p.items.size(), count) == none);
}

}  // namespace

TEST_CASE("an empty tree sums to nothing and holds no first") {
  forest f(1);
  CHECK(f.total(none) == sum{});
  CHECK(f.first(none) == none);
  CHECK(f.first_that(none, marked) == none);
  CHECK(f.nth(none, 0, count) == none);
  CHECK(f.up_to(none, 5) == sum{});
}

TEST_CASE("equal keys stand in the order in which they came") {
  forest f(1);
  std::uint32_t root = none;
  for (std::uint32_t id = 0; id < 20; ++id) f.insert(root, id, 7, {1, 0, 1});
  std::uint32_t walk = f.first(root);
  for (std::uint32_t id = 0; id < 20; ++id, walk = f.next(walk)) CHECK(walk == id);
}

TEST_CASE("up_to takes in equal keys and nothing above") {
  forest f(1);
  std::uint32_t root = none;
  for (std::uint32_t id = 0; id < 10; ++id)
    f.insert(root, id, static_cast<int>(id / 2), {1, 0, id});
  CHECK(f.up_to(root, -1).count == 0);
  CHECK(f.up_to(root, 0).count == 2);
  CHECK(f.up_to(root, 3).count == 8);
  CHECK(f.up_to(root, 9).count == 10);
}

TEST_CASE("trees over one table do not touch each other") {
  forest f(1);
  std::uint32_t a = none, b = none;
  for (std::uint32_t id = 0; id < 40; ++id)
    f.insert(id % 2 ? a : b, id, static_cast<int>(id), {1, 0, 1});
  for (std::uint32_t id = 1; id < 40; id += 2) f.erase(a, id);
  CHECK(a == none);
  CHECK(f.total(b).count == 20);
}

TEST_CASE("a tree of any history agrees with a sorted list in every answer") {
  for (std::uint64_t seed = 1; seed <= 30; ++seed) {
    INFO("seed " << seed);
    base::random r(seed);
    forest f(seed);
    plain p;
    std::uint32_t root = none;
    for (int i = 0; i < 200; ++i) {
      const std::uint32_t id = r.below(50);
      const std::size_t at = p.index(id);
      if (at == p.items.size()) {
        const sum own{1, r.below(2), r.below(100)};
        const int key = static_cast<int>(r.below(20));
        f.insert(root, id, key, own);
        p.insert(id, key, own);
      } else if (r.below(2) == 0) {
        const sum own{1, r.below(2), r.below(100)};
        f.update(id, own);
        p.items[at].own = own;
      } else {
        f.erase(root, id);
        p.items.erase(p.items.begin() + static_cast<std::ptrdiff_t>(at));
      }
      compare(f, root, p);
    }
  }
}

TEST_CASE("a tree of keys in sorted order stays shallow") {
  // 100,000 ascending keys would make a plain tree a list: this would then take minutes.
  forest f(1);
  std::uint32_t root = none;
  for (std::uint32_t id = 0; id < 100000; ++id) f.insert(root, id, static_cast<int>(id), {1, 0, 1});
  CHECK(f.before(99999).count == 99999);
  CHECK(f.nth(root, 50000, count) == 50000);
  for (std::uint32_t id = 0; id < 100000; ++id) f.erase(root, id);
  CHECK(root == none);
}

}  // namespace weir::core::test
