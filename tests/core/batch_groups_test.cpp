#include "core/batch_groups.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <vector>

#include "base/random.hpp"

namespace weir::core::test {
namespace {

const double share = queue_settings{}.critical_share;

struct bench {
  batch_groups g{1};
  std::uint64_t sequence = 0;
  instant now{1000s};
  std::map<std::uint32_t, std::uint32_t> group_of;

  void add(std::uint32_t id, double seconds, std::uint64_t name = 7, std::uint32_t account = 0,
           bool ready = true) {
    group_of[id] = g.enter(account, name);
    g.insert(id, group_of[id], seconds, ++sequence, ready);
  }
  // It was sent, and is expected to take so long.
  void send(std::uint32_t id, double seconds) {
    g.remove(id);
    g.runs(group_of[id], now + base::from_seconds(seconds));
  }
  void drop(std::uint32_t id) {
    g.remove(id);
    g.leave(group_of[id]);
  }
  std::uint32_t critical(std::uint32_t head, double speed) { return g.critical(head, speed, now); }
};

}  // namespace

TEST_CASE("the largest of a group goes first when it takes 0.7 of what the group needs") {
  struct row {
    std::vector<double> sizes;   // ids 0, 1, ...; 0 is the head
    double speed;
    std::uint32_t goes;
  };
  for (const row& r : std::vector<row>{
           {{1}, 1, 0},
           {{1, 5}, 1, 1},              // 5 of 6 s
           {{1, 1, 1, 5}, 1, 0},        // 5 of 8 s
           {{1, 1, 1, 5}, 2, 3},        // 5 of 4 s
           {{1, 1, 0.8, 6.5}, 1, 3},    // 6.5 of 9.3: just below 0.7
           {{1, 5}, 0, 0},              // no worker
           {{2, 2, 2}, 4, 0},           // equal sizes: in order of arrival
           {{1, 5, 5}, 4, 1}}) {
    bench b;
    for (std::uint32_t id = 0; id < r.sizes.size(); ++id) b.add(id, r.sizes[id]);
    double all = 0;
    for (double s : r.sizes) all += s;
    const double largest = *std::ranges::max_element(r.sizes);
    CAPTURE(r.sizes, r.speed);
    const std::uint32_t goes = r.speed > 0 && largest >= share * all / r.speed
                                   ? r.goes : 0;
    CHECK(b.critical(0, r.speed) == goes);
  }
}

TEST_CASE("groups of other tenants and names, and batches without a group, are apart") {
  bench b;
  b.add(0, 1, 7, 1), b.add(1, 50, 7, 2), b.add(2, 50, 8, 1);
  CHECK(b.g.size() == 3);
  CHECK(b.critical(0, 4) == 0);
  CHECK(b.critical(9, 4) == 9);
  b.g.remove(9), b.g.set_ready(9, true);
}

TEST_CASE("one that is held counts as work, but is not sent") {
  bench b;
  b.add(0, 1), b.add(1, 9), b.add(2, 8);
  CHECK(b.critical(0, 4) == 1);
  b.g.set_ready(1, false);
  CHECK(b.critical(0, 4) == 2);
  CHECK(b.critical(0, 1) == 0);   // 8 of 18 s
  b.g.set_ready(2, false), b.g.set_ready(0, false);
  CHECK(b.critical(0, 4) == 0);
  b.g.set_ready(1, true);
  CHECK(b.critical(0, 4) == 1);
}

TEST_CASE("what would end before those that run already need not go first") {
  struct row {
    const char* what;
    double runs;   // seconds still to go
    std::uint32_t goes;
  };
  for (const row& r : {row{"nothing runs", -1, 1}, {"it ended", 0, 1},
                       {"the rest takes 3 s, then it 5: later", 7.9, 1},
                       {"sooner", 8.1, 0}, {"much sooner", 1000, 0}}) {
    INFO(r.what);
    bench b;
    b.add(0, 1), b.add(1, 5), b.add(2, 30);
    if (r.runs >= 0) b.send(2, r.runs);
    else b.drop(2);
    CHECK(b.critical(0, 2) == r.goes);   // 6 s of work at 2 a second
    b.now += base::from_seconds(r.runs + 1);
    CHECK(b.critical(0, 2) == 1);        // it took longer than was expected
  }
}

TEST_CASE("a group lasts as long as one of its batches is there, waiting or not") {
  bench b;
  b.add(0, 1);
  b.send(0, 100);
  CHECK(b.g.size() == 1);
  b.add(1, 1), b.add(2, 5);
  CHECK(b.critical(1, 2) == 1);
  b.drop(0);
  CHECK(b.g.size() == 1);
  b.drop(1), b.drop(2);
  CHECK(b.g.size() == 0);
  b.add(1, 1), b.add(2, 5);   // the same name, another group
  CHECK(b.critical(1, 2) == 2);
}

TEST_CASE("in a group that goes on for ever the small ones get their turn too") {
  bench b;
  b.add(0, 1), b.add(1, 5);
  std::uint32_t passed = 0;
  for (std::uint32_t next = 2; next < 200; ++next) {
    const std::uint32_t goes = b.critical(0, 8);
    if (goes == 0) break;
    ++passed;
    b.drop(goes);
    b.add(next, 5);   // a larger one is always there
  }
  CHECK(passed == 1);   // the one that waited when its turn came
  b.drop(0);
  CHECK(b.critical(2, 8) == 2);
  b.add(300, 9);
  CHECK(b.critical(2, 8) == 2);   // its turn has begun
  b.add(301, 1);
  CHECK(b.critical(301, 8) == 300);
}

TEST_CASE("a group is gone with its last batch, and its place is used again") {
  bench b;
  for (std::uint32_t round = 0; round < 100; ++round) {
    b.add(0, 1, round + 1), b.add(1, 5, round + 1);
    CHECK(b.g.size() == 1);
    b.drop(1);
    CHECK(b.critical(0, 4) == 0);
    b.drop(0);
    CHECK(b.g.size() == 0);
  }
}

TEST_CASE("the rule holds whatever came and went") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    CAPTURE(seed);
    base::random draw(seed);
    bench b;
    struct member {
      double seconds = 0;
      std::uint64_t name = 0;
      bool ready = false, in = false;
      std::uint64_t sequence = 0;
    };
    std::vector<member> all(64);
    struct { std::uint64_t of = 0, there = 0; } turns[4];   // by group
    for (int step = 0; step < 2000; ++step) {
      const std::uint32_t id = draw.below(64);
      member& m = all[id];
      if (!m.in) {
        m = {1 + draw.unit() * 9, 1 + draw.below(3), draw.below(2) == 0, true, 0};
        b.add(id, m.seconds, m.name, 0, m.ready);
        m.sequence = b.sequence;
      } else if (draw.below(2) == 0) {
        b.drop(id);
        m.in = false;
      } else {
        m.ready = !m.ready;
        b.g.set_ready(id, m.ready);
      }
      const std::uint32_t head = draw.below(64);
      const double speed = 1 + draw.below(40);
      double work = 0, largest = 0;
      auto& turn = turns[all[head].in ? all[head].name : 0];
      if (turn.of != all[head].sequence) turn = {all[head].sequence, b.sequence};
      for (const member& o : all)
        if (all[head].in && o.in && o.name == all[head].name) {
          work += o.seconds;
          if (o.ready && o.sequence <= turn.there) largest = std::max(largest, o.seconds);
        }
      const std::uint32_t goes = b.critical(head, speed);
      if (largest == 0 || largest < share * work / speed * (1 - 1e-9)) {
        CHECK(goes == head);
      } else if (largest > share * work / speed * (1 + 1e-9)) {
        CHECK(all[goes].seconds == largest);
      }
    }
  }
}

TEST_CASE("how large the largest has to be is the pool's to say") {
  bench b;
  b.add(0, 1), b.add(1, 3);   // 3 of 4 s with one slot
  CHECK(b.critical(0, 1) == 1);
  b.g.configure(0.8);
  CHECK(b.critical(0, 1) == 0);
  b.g.configure(0.7);
  CHECK(b.critical(0, 1) == 1);
}

}  // namespace weir::core::test
