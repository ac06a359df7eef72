#include "core/attempts.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "base/random.hpp"

namespace weir::core::test {
namespace {

instant at(double seconds) {
  return instant{} + base::from_seconds(seconds);
}
attempt started(double when, double expected, std::uint32_t batch = 1, double est = 1) {
  attempt a;
  a.batch = {batch, 1};
  a.started = at(when);
  a.expected_seconds = expected;
  a.est_seconds = est;
  return a;
}

}  // namespace

TEST_CASE("an empty list has nothing overdue and finishes now") {
  attempts t;
  attempt_list list;
  CHECK(t.overdue(list, at(100)) == 1);
  CHECK(t.finish_seconds(list, at(100)) == 0);
  CHECK_FALSE(t.abandoned(list, {1, 1}));
}

TEST_CASE("a list loses any of its attempts, wherever it stands") {
  for (int gone = 0; gone < 3; ++gone) {
    attempts t;
    attempt_list list;
    std::vector<attempt_id> ids;
    for (int i = 0; i < 3; ++i) ids.push_back(t.open(list, started(i, 1)));
    t.close(list, ids[static_cast<std::size_t>(gone)]);
    CHECK(list.size == 2);
    CHECK(list.est_seconds == Approx(2));
    std::vector<attempt_id> left;
    for (attempt_id id = list.oldest; id; id = t.find(id)->newer) left.push_back(id);
    ids.erase(ids.begin() + gone);
    CHECK(left == ids);
    CHECK(list.newest == ids.back());
  }
}

TEST_CASE("the most overdue attempt sets the factor") {
  attempts t;
  attempt_list list;
  t.open(list, started(0, 10));       // 20 s: fine
  t.open(list, started(10, 1));       // 10 s for 1: 0.4
  t.open(list, started(19.5, 0.01));  // within its first second
  CHECK(t.overdue(list, at(20)) == Approx(0.4));
}

TEST_CASE("a batch that declared nothing is never overdue") {
  attempts t;
  attempt_list list;
  attempt unsized = started(0, 0.05);
  unsized.sized = false;
  t.open(list, unsized);
  CHECK(t.overdue(list, at(60)) == 1);
  t.open(list, started(10, 1));  // one that did, on the same worker
  CHECK(t.overdue(list, at(20)) == Approx(0.4));
}

TEST_CASE("an abandoned attempt is overdue for nobody, and is found by its batch") {
  attempts t;
  attempt_list list;
  const auto id = t.open(list, started(0, 1, 7));
  t.open(list, started(0, 100, 8));
  CHECK_FALSE(t.abandoned(list, {7, 1}));
  t.find(id)->abandoned = true;
  CHECK(t.abandoned(list, {7, 1}) == id);
  CHECK_FALSE(t.abandoned(list, {7, 2}));  // a later batch with the same index
  CHECK(t.overdue(list, at(50)) == 1);
}

TEST_CASE("a worker finishes when its last attempt is predicted to") {
  attempts t;
  attempt_list list;
  t.open(list, started(0, 10));
  t.open(list, started(2, 3));
  CHECK(t.finish_seconds(list, at(4)) == Approx(6));
  CHECK(t.finish_seconds(list, at(40)) == 0);
}

TEST_CASE("sums do not drift: an empty list sums to exactly nothing") {
  attempts t;
  attempt_list list;
  base::random r(3);
  std::vector<attempt_id> open;
  for (int i = 0; i < 2000; ++i) {
    if (open.empty() || r.below(2) == 0) {
      open.push_back(t.open(list, started(i, 1, 1, 1e6 * r.unit())));
    } else {
      std::swap(open[r.below(static_cast<std::uint32_t>(open.size()))], open.back());
      t.close(list, open.back());
      open.pop_back();
    }
    REQUIRE(list.size == open.size());
  }
  for (attempt_id id : open) t.close(list, id);
  CHECK(list.est_seconds == 0);
  CHECK_FALSE(list.oldest);
  CHECK_FALSE(list.newest);
}

TEST_CASE("running attempts tell the soonest free slot, and by how much they are late") {
  struct row {
    double expected, elapsed, soonest;
    std::uint32_t late;
    double log_late;
  };
  const row rows[] = {{10, 0, 10, 0, 0}, {10, 4, 6, 0, 0}, {10, 10, 0, 0, 0},
                      {1, 3, 2, 1, std::log(3)}, {2, 20, 18, 1, std::log(10)}};
  for (const row& r : rows) {
    INFO(r.elapsed << " s of " << r.expected);
    attempts all;
    attempt_list list;
    attempt a;
    a.expected_seconds = r.expected;
    const attempt_id id = all.open(list, a);
    outlook o;
    all.look(list, instant{} + base::from_seconds(r.elapsed), o);
    CHECK(o.soonest == Approx(r.soonest).margin(1e-9));
    CHECK(o.late == r.late);
    CHECK(o.log_late == Approx(r.log_late).margin(1e-9));
    all.find(id)->abandoned = true;
    outlook abandoned;  // how long it takes is no longer known
    all.look(list, instant{} + base::from_seconds(r.elapsed), abandoned);
    CHECK(abandoned.late == 0);
  }
  outlook none;
  attempts().look({}, instant{}, none);
  CHECK(std::isinf(none.soonest));
}

TEST_CASE("what is overdue and what is stuck is the pool's to say, and a second is neither") {
  learning_settings s;
  s.overdue = 2, s.stuck = 3;
  attempts t;
  t.configure(s);
  attempt_list list;
  t.open(list, started(0, 4));
  CHECK(t.overdue(list, at(8)) == 1);
  CHECK(t.overdue(list, at(10)) == Approx(0.8));
  CHECK(t.take_stuck(list, at(12)) == 0);
  CHECK(t.take_stuck(list, at(12.1)) == 1);
  CHECK(t.take_stuck(list, at(20)) == 0);
  t.open(list, started(20, 0.001));
  CHECK(t.take_stuck(list, at(21)) == 0);
  CHECK(t.take_stuck(list, at(21.1)) == 1);
}

}  // namespace weir::core::test
