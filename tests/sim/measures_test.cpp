#include "sim/measures.hpp"

#include <catch2/catch.hpp>

#include "sim/world_kit.hpp"

namespace weir::sim {
namespace {

using namespace test;

result ended(std::vector<double> waits, std::vector<double> sojourns) {
  result r;
  r.waits = std::move(waits);
  r.sojourns = std::move(sojourns);
  r.attempts = r.sojourns.size();
  return r;
}

measures with_ratio(double ratio, std::uint64_t lost) {
  measures m;
  m.ratio = ratio;
  m.lost = lost;
  m.sojourn.p99 = ratio * 10;
  m.tenants = {{"a", 5, {ratio, 0, 0, 0}, ratio * 2}};
  m.curve = {ratio, ratio + 1};
  return m;
}

}  // namespace

TEST_CASE("percentiles are taken from the sorted values") {
  struct row { std::vector<double> values; double mean, p50, p99, max; };
  std::vector<double> hundred;
  for (int i = 100; i >= 1; --i) hundred.push_back(i);
  for (row t : {row{{}, 0, 0, 0, 0}, row{{7}, 7, 7, 7, 7}, row{{3, 1, 2}, 2, 2, 2, 3},
                row{{4, 1, 3, 2}, 2.5, 2, 3, 4}, row{hundred, 50.5, 50, 99, 100}}) {
    const spread s = spread_of(t.values);
    CHECK(s.mean == Approx(t.mean));
    CHECK(s.p50 == t.p50);
    CHECK(s.p99 == t.p99);
    CHECK(s.max == t.max);
  }
}

TEST_CASE("Jain's index is 1 among equals and 1/n when one has everything") {
  CHECK(jain_index({}) == 1);
  CHECK(jain_index({0, 0}) == 1);
  CHECK(jain_index({3, 3, 3}) == Approx(1));
  CHECK(jain_index({5, 0, 0, 0}) == Approx(0.25));
  CHECK(jain_index({1, 2}) == Approx(0.9));
}

TEST_CASE("a run is measured over the bound, the fastest slot and its tenants") {
  const workload load = load_of({{0, 1}, {0, 2}, {0, 1, 1}, {0, 4, 1}});
  result r = ended({0, 1, 2, 3}, {1, 3, 6, 8});
  r.busy_seconds = 6, r.open_seconds = 8, r.end = 12;
  r.failed_attempts = 5, r.retries = 4;
  const measures m = measure(load, r, 3, 2);
  CHECK(m.batches == 4);
  CHECK(m.sojourn.mean == Approx(4.5));
  CHECK(m.ratio == Approx(1.5));
  CHECK(m.wait.max == 3);
  CHECK(m.slowdown.max == Approx(12));  // 6 s, and alone on the fastest half a second
  CHECK(m.slowdown.mean == Approx((2 + 3 + 12 + 4) / 4.0));
  CHECK(m.utilisation == Approx(0.75));
  CHECK(m.length == 12);
  CHECK((m.failed_attempts == 5 && m.retries == 4 && m.attempts == 4));
  REQUIRE(m.tenants.size() == 2);
  CHECK(m.tenants[0].sojourn.max == 3);
  CHECK(m.tenants[1].name == "other");
  CHECK(m.tenants[1].batches == 2);
  CHECK(m.tenants[1].slowdown_mean == Approx(8));
  CHECK(m.fairness == Approx(jain_index({2.5, 8})));
}

TEST_CASE("a group takes from its first arrival to the good end of its last batch") {
  workload load = load_of({{0, 1}, {2, 1}, {3, 1}, {4, 1}, {5, 1}});
  load.groups = {"", "nightly", "never"};
  for (const std::size_t i : {1, 2, 4}) load.arrivals[i].group = 1;
  const measures m = measure(load, ended({0, 0, 0, 0, 0}, {99, 8, 5, 99, result::lost}), 1, 1);
  REQUIRE(m.groups.size() == 2);
  CHECK(m.groups[0].name == "nightly");
  CHECK(m.groups[0].batches == 2);
  CHECK(m.groups[0].makespan == 8);   // from 2 to 10
  CHECK(m.groups[1].batches == 0);
  CHECK(m.groups[1].makespan == 0);
  measures other = m;
  other.groups[0].makespan = 20;
  CHECK(median_of({other, m, other}).groups[0].makespan == 20);
}

TEST_CASE("lost batches are counted, and in no percentile") {
  const workload load = load_of({{0, 1}, {0, 2}, {0, 1, 1}});
  result r = ended({0, 0, 0}, {1, result::lost, result::lost});
  r.lost_batches = 2;
  const measures m = measure(load, r, 1, 1);
  CHECK(m.lost == 2);
  CHECK(m.sojourn.max == 1);
  REQUIRE(m.tenants.size() == 2);
  CHECK(m.tenants[1].batches == 0);  // it has nothing to show
  CHECK(m.fairness == 1);
}

TEST_CASE("the curve goes from the shortest to nearly the longest") {
  CHECK(curve_share(0) == 0);
  CHECK(curve_share(10) == Approx(0.9));
  CHECK(curve_share(20) == Approx(0.99));
  CHECK(curve_share(curve_points - 1) == Approx(0.9999));
  workload load;
  result r;
  for (int i = 1; i <= 100001; ++i) {
    load.arrivals.push_back({0, 1, 0, 0, 0});
    r.sojourns.push_back(i), r.waits.push_back(0);
  }
  const measures m = measure(load, r, 1, 1);
  REQUIRE(m.curve.size() == curve_points);
  CHECK(m.curve[0] == 1);
  CHECK(m.curve[10] == Approx(90001).margin(1));
  CHECK(m.curve[40] == Approx(99991).margin(1));
}

TEST_CASE("nothing measured is zeros") {
  const measures m = measure({}, {}, 0, 1);
  CHECK(m.ratio == 0);
  CHECK(m.utilisation == 0);
  CHECK(m.curve.empty());
  CHECK(median_of({}).ratio == 0);
}

TEST_CASE("medians are taken field by field, the lower of two middle ones") {
  const measures m =
      median_of({with_ratio(3, 1), with_ratio(1, 9), with_ratio(2, 5), with_ratio(9, 7)});
  CHECK(m.ratio == 2);
  CHECK(m.lost == 5);
  CHECK(m.sojourn.p99 == 20);
  REQUIRE(m.tenants.size() == 1);
  CHECK(m.tenants[0].name == "a");
  CHECK(m.tenants[0].sojourn.mean == 2);
  CHECK(m.tenants[0].slowdown_mean == 4);
  CHECK(m.curve == std::vector<double>{2, 3});
}

TEST_CASE("a run whose tenant lost everything does not disturb the others' medians") {
  measures without = with_ratio(5, 0);
  without.tenants[0].batches = 0;
  const measures m = median_of({with_ratio(3, 1), without, with_ratio(1, 1)});
  CHECK(m.tenants[0].sojourn.mean == 1);
}

}  // namespace weir::sim
