#include "sim/scaling_loads.hpp"

#include <algorithm>
#include <catch2/catch.hpp>

using namespace weir::sim;

namespace {

std::size_t between(const workload& w, double from, double to) {
  return static_cast<std::size_t>(std::ranges::count_if(
      w.arrivals, [&](const arrival& a) { return a.at >= from && a.at < to; }));
}

void check_plain(const workload& w, double seconds, double least, double most) {
  CHECK(std::ranges::is_sorted(w.arrivals, {}, &arrival::at));
  CHECK(w.arrivals.front().at >= 0);
  CHECK(w.arrivals.back().at < seconds + 20);
  for (const arrival& a : w.arrivals) {
    REQUIRE(a.work >= least);
    REQUIRE(a.work <= most);
    REQUIRE(a.units == a.work);
    REQUIRE((a.tenant == 0 && a.route == 0));
  }
}

}  // namespace

TEST_CASE("the step is one batch a second, and eight for a while") {
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    INFO("seed " << seed);
    const workload w = step_load(seed);
    check_plain(w, step_seconds, 1, 120);
    CHECK(static_cast<double>(between(w, 0, 1800)) == Approx(1800).epsilon(0.1));
    CHECK(static_cast<double>(between(w, 1800, 4500)) == Approx(8 * 2700).epsilon(0.05));
    CHECK(static_cast<double>(between(w, 4500, 7200)) == Approx(2700).epsilon(0.1));
    double work = 0;
    for (const arrival& a : w.arrivals) work += a.work;
    // Bounded Pareto(1.3, 1..120): its mean is 3.3 s.
    CHECK(work / static_cast<double>(w.arrivals.size()) == Approx(3.3).epsilon(0.1));
  }
}

TEST_CASE("cron jobs come each hour and each quarter, over a steady stream") {
  const workload w = cron_load(7);
  check_plain(w, cron_seconds, 0.2, 300);
  for (double hour = 0; hour < cron_seconds; hour += 3600) {
    INFO("hour at " << hour);
    const auto many = between(w, hour + 600, hour + 620);
    CHECK(many >= 400);
    CHECK(many <= 440);
  }
  for (double quarter = 0; quarter < cron_seconds; quarter += 900) {
    const auto some = between(w, quarter + 300, quarter + 310);
    CHECK(some >= 60);
    CHECK(some <= 80);
  }
  CHECK(static_cast<double>(w.arrivals.size()) == Approx(12 * 400 + 48 * 60 + 21600).epsilon(0.03));
}

TEST_CASE("a seed is a load") {
  const auto works = [](const workload& w) {
    std::vector<double> out;
    for (const arrival& a : w.arrivals) out.push_back(a.work);
    return out;
  };
  CHECK(works(step_load(1)) == works(step_load(1)));
  CHECK(works(step_load(1)) != works(step_load(2)));
  CHECK(works(cron_load(1)) == works(cron_load(1)));
  CHECK(works(cron_load(1)) != works(cron_load(2)));
}

TEST_CASE("facebook's work is its bytes at 100 MB a second, within 10 ms and 600 s") {
  const trace t = read_table("job0\t49\t49\t100000000\t50000000\t100000000\n"
                             "job1\t50\t1\t0\t0\t0\n"
                             "job2\t51\t1\t900000000000\t0\t0\n",
                             facebook_format());
  REQUIRE(t.good());
  REQUIRE(t.load.arrivals.size() == 3);
  CHECK(t.load.arrivals[0].at == 49);
  CHECK(t.load.arrivals[0].work == Approx(2.5));
  CHECK(t.load.arrivals[0].units == 250e6);
  CHECK(t.load.arrivals[1].work == Approx(0.01));
  CHECK(t.load.arrivals[2].work == 600);
}

TEST_CASE("azure's work is its tokens, a generated one forty times a read one") {
  const trace t = read_table("TIMESTAMP,ContextTokens,GeneratedTokens\n"
                             "2023-11-16 18:17:03.9799600,4808,10\n"
                             "2023-11-16 18:17:04.9799600,0,100\n",
                             azure_format());
  REQUIRE(t.good());
  CHECK(t.load.arrivals[0].at == 0);
  CHECK(t.load.arrivals[0].work == Approx(1.302));
  CHECK(t.load.arrivals[0].units == 4818);
  CHECK(t.load.arrivals[1].at == Approx(1));
  CHECK(t.load.arrivals[1].work == Approx(1));
}
