#include "sim/generators.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <map>

namespace weir::sim {
namespace {

demand small(double load = 0.75) {
  demand d;
  d.batches = 20000;
  d.load = load;
  return d;
}

double work_of(const workload& w, std::uint32_t tenant = ~0u) {
  double sum = 0;
  for (const arrival& a : w.arrivals)
    if (tenant == ~0u || a.tenant == tenant) sum += a.work;
  return sum;
}

bool same(const arrival& a, const arrival& b) {
  return a.at == b.at && a.work == b.work && a.units == b.units && a.tenant == b.tenant &&
         a.route == b.route;
}

source of_pattern(pattern p) {
  source s;
  s.arrivals = p;
  s.sizes = {sizes::kind::fixed, 0, 0.1, 0};
  return s;
}

// Share of batches that arrive between two shares of the run.
double between(const workload& w, double from, double to) {
  const double length = length_of(w);
  const auto in = std::count_if(w.arrivals.begin(), w.arrivals.end(), [&](const arrival& a) {
    return a.at >= from * length && a.at < to * length;
  });
  return static_cast<double>(in) / static_cast<double>(w.arrivals.size());
}

}  // namespace

TEST_CASE("offered load is exact, arrivals are in order") {
  for (const double load : {0.3, 0.75, 0.9, 1.5}) {
    const workload w = generate(small(load), 32, 5);
    CHECK(w.arrivals.size() == 20000);
    CHECK(work_of(w) / (length_of(w) * 32) == Approx(load));
    CHECK(std::is_sorted(w.arrivals.begin(), w.arrivals.end(),
                         [](const arrival& a, const arrival& b) { return a.at < b.at; }));
  }
}

TEST_CASE("batches of a source carry its group, others none") {
  demand d;
  d.batches = 200;
  source grouped, free;
  grouped.group = "nightly", free.tenant = "free";
  d.sources = {grouped, free, grouped};
  const workload w = generate(d, 4, 1);
  CHECK(w.groups == std::vector<std::string>{"", "nightly"});
  std::size_t in = 0;
  for (const arrival& a : w.arrivals) {
    in += a.group;
    CHECK((a.group == 0) == (w.tenants[a.tenant] == "free"));
  }
  CHECK(in > 0);
}

TEST_CASE("the same seed gives the same arrivals, another one gives others") {
  const workload a = generate(small(), 32, 7), b = generate(small(), 32, 7),
                 c = generate(small(), 32, 8);
  for (std::size_t i = 0; i < a.arrivals.size(); ++i) REQUIRE(same(a.arrivals[i], b.arrivals[i]));
  CHECK(a.arrivals[0].work != c.arrivals[0].work);
  CHECK(a.arrivals[0].at != c.arrivals[0].at);
}

TEST_CASE("load and estimates change neither sizes nor the order of arrivals") {
  demand d = small(0.9);
  d.estimates.sigma = 1;
  const workload a = generate(small(), 32, 7), b = generate(d, 32, 7);
  for (std::size_t i = 0; i < a.arrivals.size(); ++i) {
    REQUIRE(a.arrivals[i].work == b.arrivals[i].work);
    REQUIRE(a.arrivals[i].at * 0.75 == Approx(b.arrivals[i].at * 0.9));
  }
}

TEST_CASE("gaps between Poisson arrivals are exponential") {
  const workload w = generate(small(), 32, 3);
  const double mean = length_of(w) / static_cast<double>(w.arrivals.size());
  int longer = 0;
  for (std::size_t i = 1; i < w.arrivals.size(); ++i)
    longer += w.arrivals[i].at - w.arrivals[i - 1].at > 2 * mean;
  CHECK(longer / 20000.0 == Approx(std::exp(-2)).epsilon(0.05));
}

TEST_CASE("sizes have the mean that they say, and stay within their bounds") {
  struct row { sim::sizes sizes; double mean; };
  for (const row& t : {row{{sizes::kind::pareto, 1.1, 0.02, 120}, 0.1278},
                       row{{sizes::kind::pareto, 1.3, 0.03, 5}, 0.1021},
                       row{{sizes::kind::pareto, 1, 1, std::exp(1)}, 1 / (1 - std::exp(-1))},
                       row{{sizes::kind::uniform, 0, 5, 20}, 12.5},
                       row{{sizes::kind::fixed, 0, 3, 0}, 3}}) {
    CHECK(t.sizes.mean() == Approx(t.mean).epsilon(0.002));
    random r(1);
    double sum = 0, least = HUGE_VAL, most = 0;
    for (int i = 0; i < 400000; ++i) {
      const double x = t.sizes.draw(r);
      least = std::min(least, x), most = std::max(most, x);
      sum += x;
    }
    CHECK(least >= t.sizes.low);
    CHECK((t.sizes.what == sizes::kind::fixed || most <= t.sizes.high * 1.000001));
    CHECK(sum / 400000 == Approx(t.mean).epsilon(0.15));  // heavy tails settle slowly
  }
}

TEST_CASE("declared units are the work, off by e to the sigma N, or missing") {
  demand d = small();
  for (const arrival& a : generate(d, 32, 1).arrivals) REQUIRE(a.units == a.work);
  d.estimates.sigma = 1;
  double sum = 0, squares = 0;
  for (const arrival& a : generate(d, 32, 1).arrivals) {
    const double off = std::log(a.units / a.work);
    sum += off, squares += off * off;
  }
  CHECK(std::abs(sum / 20000) < 0.03);
  CHECK(squares / 20000 == Approx(1).epsilon(0.05));
  d.estimates.known = false;
  for (const arrival& a : generate(d, 32, 1).arrivals) REQUIRE(a.units == 0);
}

TEST_CASE("sources share the work, not the batches") {
  demand d = small();
  source steady, bulk;
  steady.tenant = "steady", bulk.tenant = "bulk";
  steady.share = 0.6, bulk.share = 0.4;
  steady.sizes = {sizes::kind::pareto, 1.3, 0.03, 5};
  bulk.sizes = {sizes::kind::uniform, 0, 5, 20};
  bulk.arrivals = pattern::dump;
  d.sources = {steady, bulk};
  const workload w = generate(d, 32, 2);
  REQUIRE(w.tenants == std::vector<std::string>{"steady", "bulk"});
  CHECK(work_of(w, 1) / work_of(w) == Approx(0.4).epsilon(0.05));
  CHECK(work_of(w) / (length_of(w) * 32) == Approx(0.75));
  for (const arrival& a : w.arrivals)
    if (a.tenant == 1) REQUIRE(a.at == Approx(0.25 * length_of(w)));
}

TEST_CASE("a source too small for a batch still has one") {
  demand d = small();
  d.batches = 10;
  source small_one;
  small_one.share = 0.000001;
  small_one.tenant = "rare";
  d.sources = {source{}, small_one};
  const workload w = generate(d, 32, 2);
  CHECK(std::count_if(w.arrivals.begin(), w.arrivals.end(),
                      [](const arrival& a) { return a.tenant == 1; }) == 1);
}

TEST_CASE("tenants and routes of the same name are one") {
  demand d = small();
  source a, b, c;
  a.tenant = b.tenant = "x";
  c.route = "other";
  d.sources = {a, b, c};
  const workload w = generate(d, 32, 2);
  CHECK(w.tenants == std::vector<std::string>{"x", ""});
  CHECK(w.routes == std::vector<std::string>{"batches", "other"});
}

TEST_CASE("within a step the rate is its factor, outside it is even") {
  demand d = small();
  source s = of_pattern(pattern::step);
  s.from = 0.25, s.to = 0.5, s.factor = 8;
  d.sources = {s};
  const workload w = generate(d, 32, 4);
  const double all = 0.75 + 0.25 * 8;
  CHECK(between(w, 0, 0.25) == Approx(0.25 / all).epsilon(0.05));
  CHECK(between(w, 0.25, 0.5) == Approx(2 / all).epsilon(0.05));
  CHECK(between(w, 0.5, 0.75) == Approx(0.25 / all).epsilon(0.05));
}

TEST_CASE("cron spikes come every period from the offset on, each within its spread") {
  demand d = small();
  source s = of_pattern(pattern::cron);
  s.period = 20, s.offset = 5, s.spread = 2;
  d.sources = {s};
  const workload w = generate(d, 32, 4);
  std::map<int, int> spikes;
  for (const arrival& a : w.arrivals) {
    const double since = std::fmod(a.at - 5, 20);
    REQUIRE(a.at >= 5);
    REQUIRE(since <= 2.000001);
    ++spikes[static_cast<int>((a.at - 5) / 20)];
  }
  CHECK(spikes.size() >= 4);
  for (const auto& [spike, count] : spikes)
    CHECK(count > 20000 / static_cast<int>(spikes.size()) / 2);
}

TEST_CASE("stretching keeps the pattern and makes the load exact") {
  workload w;
  for (double at : {0.0, 1.0, 5.0, 10.0}) w.arrivals.push_back({at, 2, 0, 0, 0});
  stretch(w, 0.5, 4);
  CHECK(length_of(w) == Approx(8 / (0.5 * 4)));
  CHECK(w.arrivals[2].at == Approx(length_of(w) / 2));
  workload at_once;
  at_once.arrivals = {{0, 1, 0, 0, 0}, {0, 1, 0, 0, 0}};
  stretch(at_once, 0.5, 4);  // there is no time to stretch
  CHECK(at_once.arrivals[1].at == 0);
}

TEST_CASE("redrawn rows are recorded ones at new times, with the load asked for") {
  workload recorded;
  for (int i = 1; i <= 100; ++i)
    recorded.arrivals.push_back({i * 10.0, i * 0.01, i * 1000.0, 0, 0});
  const workload w = redraw(recorded, 5000, 0.9, 8, 3);
  REQUIRE(w.arrivals.size() == 5000);
  CHECK(work_of(w) / (length_of(w) * 8) == Approx(0.9));
  std::map<double, int> drawn;
  for (const arrival& a : w.arrivals) {
    REQUIRE(a.units == Approx(a.work * 1e5));
    ++drawn[a.work];
  }
  CHECK(drawn.size() == 100);
  CHECK(redraw(recorded, 5000, 0.9, 8, 4).arrivals[0].work != w.arrivals[0].work);
  CHECK(redraw({}, 5, 0.9, 8, 4).arrivals.empty());
}

TEST_CASE("sizes between two equal bounds are all alike, whatever their distribution") {
  random r(1);
  for (const auto what : {sizes::kind::pareto, sizes::kind::uniform, sizes::kind::fixed}) {
    const sizes s{what, 1.1, 3, 3};
    CHECK(s.mean() == 3);
    CHECK(s.draw(r) == 3);
  }
}

}  // namespace weir::sim
