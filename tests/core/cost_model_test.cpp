#include "core/cost_model.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

namespace weir::core::test {
namespace {

void take(cost_model& m, std::uint32_t route, double units, double seconds) {
  m.learn(route, m.estimate(route, units), std::log(seconds));
}

}  // namespace

TEST_CASE("a route's name has one number for good") {
  cost_model m;
  const auto a = m.route("a"), b = m.route("b");
  CHECK(a != b);
  CHECK(m.route("a") == a);
  CHECK(m.route_name(b) == "b");
  CHECK(m.route_name(77) == "");
}

TEST_CASE("with nothing learned a batch is taken for a second of work") {
  cost_model m;
  CHECK(m.estimate(m.route("a"), 500).seconds == Approx(1));
  CHECK(m.estimate(99, 0).seconds == Approx(1));
  CHECK(m.samples() == 0);
}

TEST_CASE("seconds follow units by what the route's batches took") {
  cost_model m;
  const auto r = m.route("a");
  for (int i = 1; i <= 50; ++i) take(m, r, i * 10, i * 10 * 0.02);
  for (double units : {1.0, 50.0, 1e4}) CHECK(m.estimate(r, units).seconds == Approx(units * 0.02));
}

TEST_CASE("one absurd declaration moves what a route learned by no more than a sixth") {
  for (const double absurd : {1e-300, 1e-9, 1e300}) {
    INFO("declared " << absurd);
    cost_model m;
    const auto r = m.route("a");
    for (int i = 0; i < 200; ++i) take(m, r, 1000, 0.01);
    take(m, r, absurd, 0.01);
    CHECK(m.estimate(r, 1000).seconds == Approx(0.01).epsilon(0.17));
    for (int i = 0; i < 20; ++i) take(m, r, absurd, 0.01);   // a client that goes on so
    CHECK(m.estimate(r, 1000).seconds < 1);
    CHECK(m.estimate(r, 1000).seconds > 0.0001);
  }
}

TEST_CASE("a route that really became slower is learned within two dozen batches") {
  cost_model m;
  const auto r = m.route("a");
  for (int i = 0; i < 200; ++i) take(m, r, 1000, 0.01);
  for (int i = 0; i < 60; ++i) take(m, r, 1000, 1);   // a hundred times
  CHECK(m.estimate(r, 1000).seconds == Approx(1).epsilon(0.3));
}

TEST_CASE("the learned factor is the mean of logs: doublings and halvings cancel out") {
  cost_model m;
  const auto r = m.route("a");
  take(m, r, 100, 2);
  take(m, r, 100, 0.5);
  CHECK(m.estimate(r, 100).seconds == Approx(1));
}

TEST_CASE("an estimate falls back from units to the route's mean to the pool's") {
  struct row {
    const char* what;
    std::uint32_t route;
    double units, expected;
  };
  cost_model m;
  const auto sized = m.route("sized"), unsized = m.route("unsized"), fresh = m.route("fresh");
  for (int i = 0; i < 40; ++i) take(m, sized, 10, 5);
  for (int i = 0; i < 40; ++i) take(m, unsized, 0, 20);
  const row rows[] = {
      {"units of a route that learned them", sized, 20, 10},
      {"no units: the route's mean", sized, 0, 5},
      {"units of a route that never saw any: its mean", unsized, 1000, 20},
      {"a new route: the pool's mean", fresh, 1000, 0},
      {"an unknown route: the pool's mean", 12345, 0, 0},
  };
  const double pool = m.estimate(fresh, 0).seconds;
  CHECK(pool > 5);
  CHECK(pool < 20.001);
  for (const row& r : rows) {
    INFO(r.what);
    CHECK(m.estimate(r.route, r.units).seconds == Approx(r.expected == 0 ? pool : r.expected));
  }
}

TEST_CASE("what a client declares cannot make an estimate absurd") {
  cost_model m;
  const auto r = m.route("a");
  for (int i = 0; i < 20; ++i) take(m, r, 1, 1);
  const double inf = std::numeric_limits<double>::infinity();
  struct row {
    double units;
    bool counts;
  };
  const row rows[] = {{0, false},    {-5, false},    {inf, false}, {std::nan(""), false},
                      {1e300, true}, {1e-300, true}, {1, true}};
  for (const row& x : rows) {
    INFO(x.units);
    const cost_estimate e = m.estimate(r, x.units);
    CHECK(e.has_units == x.counts);
    CHECK(e.seconds >= 0.99e-4);
    CHECK(e.seconds <= 1.01e6);
    CHECK(e.log_seconds == Approx(std::log(e.seconds)));
  }
}

TEST_CASE("what waits is valued by what is known now, not when it came") {
  cost_model m;
  const auto sized = m.route("sized"), plain = m.route("plain");
  const cost_estimate a = m.estimate(sized, 10), b = m.estimate(sized, 30);
  const cost_estimate c = m.estimate(plain, 0), d = m.estimate(777, 0);
  CHECK(m.waiting_seconds() == 0);
  m.waits(sized, a, 1), m.waits(sized, b, 1), m.waits(plain, c, 1), m.waits(777, d, 1);
  CHECK(m.waiting_seconds() == Approx(4));
  for (int i = 0; i < 40; ++i) take(m, sized, 5, 10);
  CHECK(m.seconds_now(sized, a) == Approx(20));
  CHECK(m.seconds_now(sized, b) == Approx(60));
  CHECK(m.waiting_seconds() == Approx(80 + 2 * 10));  // the two unknown ones: as the pool's mean
  for (int i = 0; i < 400; ++i) take(m, plain, 0, 3);
  CHECK(m.waiting_seconds() == Approx(80 + 2 * 3));
  m.waits(sized, b, -1), m.waits(777, d, -1), m.waits(plain, c, -1);
  CHECK(m.waiting_seconds() == Approx(20));
  m.waits(sized, a, -1);
  CHECK(m.waiting_seconds() == 0);
}

TEST_CASE("many that wait alike are worth as much as if they had come one by one") {
  for (const double units : {0.0, 7.0}) {
    cost_model one_by_one, at_once;
    for (cost_model* m : {&one_by_one, &at_once}) {
      const auto r = m->route("r");
      for (int i = 0; i < 20; ++i) take(*m, r, 7, 3);
    }
    const cost_estimate e = at_once.estimate(0, units);
    for (int i = 0; i < 1000; ++i) one_by_one.waits(0, e, 1), one_by_one.waits(99, e, 1);
    at_once.waits(0, e, 1000), at_once.waits(99, e, 1000);
    CHECK(at_once.waiting_seconds() == Approx(one_by_one.waiting_seconds()));
    at_once.waits(0, e, -999), at_once.waits(99, e, -1000);
    CHECK(at_once.waiting_seconds() == Approx(3));
    at_once.waits(0, e, -1);
    CHECK(at_once.waiting_seconds() == 0);
  }
}

TEST_CASE("an absurd declaration does not spoil the sum over the others") {
  cost_model m;
  const auto r = m.route("a");
  for (int i = 0; i < 20; ++i) take(m, r, 1, 1);
  const cost_estimate huge = m.estimate(r, 1e300), usual = m.estimate(r, 100);
  m.waits(r, usual, 1), m.waits(r, huge, 1);
  CHECK(m.waiting_seconds() <= 2.01e6);
  m.waits(r, huge, -1);
  CHECK(m.waiting_seconds() == Approx(100).epsilon(0.01));
}

TEST_CASE("the mean starts as an average and then forgets with weight 1 in 20") {
  running_mean m;
  for (double v : {1.0, 2.0, 6.0}) m.add(v);
  CHECK(m.value() == Approx(3));
  running_mean old;
  for (int i = 0; i < 1000; ++i) old.add(0);
  old.add(20);
  CHECK(old.value() == Approx(1));
  CHECK(old.count() == running_mean::window);
}

TEST_CASE("a route whose batches became slower is believed within some tens of batches") {
  cost_model m;
  const auto r = m.route("a");
  for (int i = 0; i < 500; ++i) take(m, r, 10, 1);
  for (int i = 0; i < 60; ++i) take(m, r, 10, 8);
  CHECK(m.estimate(r, 10).seconds > 6.5);
}

}  // namespace weir::core::test
