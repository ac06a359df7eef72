#include <atomic>
#include <catch2/catch.hpp>
#include <map>
#include <sstream>
#include <thread>

#include "base/random.hpp"
#include "telemetry/metrics.hpp"

using namespace weir;
using namespace weir::telemetry;
using namespace std::chrono_literals;

namespace {

constexpr metric_name things{"things_total", "Things."};
constexpr metric_name waits{"waits_seconds", "Waits."};

bool has(const std::string& text, const std::string& line) {
  return text.find("\n" + line + "\n") != std::string::npos;
}

// Lines of the exposition that are samples, by what stands before the last blank.
std::map<std::string, double> samples(const std::string& text) {
  std::map<std::string, double> out;
  std::istringstream in(text);
  for (std::string line; std::getline(in, line);) {
    if (line.empty() || line[0] == '#') continue;
    const auto blank = line.rfind(' ');
    const bool fresh = out.emplace(line.substr(0, blank), std::stod(line.substr(blank))).second;
    INFO(line);
    CHECK(fresh);
  }
  return out;
}

const std::string own_hits = R"(weir_limit_hits_total{limit="metric_series"})";

}  // namespace

TEST_CASE("the same name and labels give the same series, in any order of labels") {
  registry r(1);
  const auto a = r.counter(things, {{"pool", "p"}, {"route", "r"}});
  CHECK(a == r.counter(things, {{"route", "r"}, {"pool", "p"}}));
  CHECK(a != r.counter(things, {{"pool", "p"}, {"route", "other"}}));
  CHECK(a != r.counter(things, {{"pool", "p"}}));
  CHECK(r.series() == 3);
  CHECK(r.histogram(waits) == r.histogram(waits));
}

TEST_CASE("counters and histograms appear in the Prometheus text format") {
  registry r(2);
  r.counter(things, {{"pool", "a\"b\\c\nd"}})->add(1, 7);
  const auto h = r.histogram(waits, {{"pool", "p"}});
  h->observe(0, 2ms);
  h->observe(1, 30min);
  h->observe(1, 3h);
  const auto text = r.text();
  INFO(text);
  CHECK(has("\n" + text, "# HELP things_total Things."));
  CHECK(has(text, "# TYPE things_total counter"));
  CHECK(has(text, R"(things_total{pool="a\"b\\c\nd"} 7)"));
  CHECK(has(text, "# TYPE waits_seconds histogram"));
  CHECK(has(text, R"(waits_seconds_bucket{pool="p",le="0.001"} 0)"));
  CHECK(has(text, R"(waits_seconds_bucket{pool="p",le="0.0025"} 1)"));
  CHECK(has(text, R"(waits_seconds_bucket{pool="p",le="1000"} 1)"));
  CHECK(has(text, R"(waits_seconds_bucket{pool="p",le="1800"} 2)"));
  CHECK(has(text, R"(waits_seconds_bucket{pool="p",le="+Inf"} 3)"));
  CHECK(has(text, R"(waits_seconds_count{pool="p"} 3)"));
  CHECK(samples(text).at(R"(waits_seconds_sum{pool="p"})") == Approx(12600.002));
}

TEST_CASE("retiring drops every series that carries all the labels, and only those") {
  registry r(1);
  const auto gone = r.counter(things, {{"pool", "p"}, {"worker", "w1"}, {"outcome", "ok"}});
  r.counter(things, {{"pool", "p"}, {"worker", "w1"}, {"outcome", "failed"}});
  r.counter(things, {{"pool", "p"}, {"worker", "w2"}, {"outcome", "ok"}});
  r.counter(things, {{"pool", "q"}, {"worker", "w1"}, {"outcome", "ok"}});
  r.histogram(waits, {{"worker", "w1"}, {"pool", "p"}});
  CHECK(r.retire({{"worker", "w1"}, {"pool", "p"}}) == 3);
  CHECK(r.series() == 2);
  CHECK(r.retire({{"worker", "w1"}, {"pool", "p"}}) == 0);

  gone->add(0, 5);   // a loop may still hold it
  auto now = samples(r.text());
  CHECK(now.count(R"(things_total{outcome="ok",pool="p",worker="w1"})") == 0);
  CHECK(now.count(R"(things_total{outcome="ok",pool="q",worker="w1"})") == 1);
  CHECK(r.text().find("waits_seconds") == std::string::npos);

  r.counter(things, {{"pool", "p"}, {"worker", "w1"}, {"outcome", "ok"}})->add(0);
  now = samples(r.text());
  CHECK(now.at(R"(things_total{outcome="ok",pool="p",worker="w1"})") == 1);
}

TEST_CASE("retiring without labels drops nothing") {
  registry r(1);
  r.counter(things);
  CHECK(r.retire({}) == 0);
  CHECK(r.series() == 1);
}

TEST_CASE("beyond series_max a series works, is not exported, and is counted as a limit hit") {
  registry r(1, 2);
  r.counter(things, {{"n", "1"}});
  r.histogram(waits, {{"n", "2"}});
  CHECK(samples(r.text()).at(own_hits) == 0);
  const auto extra = r.counter(things, {{"n", "3"}});
  extra->add(0, 4);
  CHECK(extra->total() == 4);
  CHECK(r.series() == 2);
  const auto now = samples(r.text());
  CHECK(now.count(R"(things_total{n="3"})") == 0);
  CHECK(now.at(own_hits) == 1);
  // One that goes makes room.
  CHECK(r.retire({{"n", "1"}}) == 1);
  r.counter(things, {{"n", "3"}})->add(0, 9);
  CHECK(samples(r.text()).at(R"(things_total{n="3"})") == 9);
}

TEST_CASE("collectors are asked at every scrape and merge with what is there") {
  registry r(1);
  r.counter(things, {{"pool", "a"}})->add(0);
  double level = 1.5;
  r.add_collector([&](sink& to) {
    to.gauge({"level", "Level."}, {{"pool", "a"}}, level);
    to.counter(things, {{"pool", "b"}}, 3);
  });
  r.add_collector([](sink& to) { to.gauge({"level", "Level."}, {{"pool", "b"}}, -2); });
  auto now = samples(r.text());
  CHECK(now.at(R"(level{pool="a"})") == 1.5);
  CHECK(now.at(R"(level{pool="b"})") == -2);
  CHECK(now.at(R"(things_total{pool="a"})") == 1);
  CHECK(now.at(R"(things_total{pool="b"})") == 3);
  level = 2;
  CHECK(samples(r.text()).at(R"(level{pool="a"})") == 2);
  CHECK(has(r.text(), "# TYPE level gauge"));
}

TEST_CASE("a collector may use the registry") {
  registry r(1);
  r.add_collector([&](sink&) { r.counter(things)->add(0); });
  r.text();
  CHECK(samples(r.text()).at("things_total") == 1);
}

TEST_CASE("a collector's series of another kind, or too many, are left out and counted") {
  registry r(1, 3);
  r.counter(things)->add(0);
  r.add_collector([](sink& to) {
    to.gauge(things, {{"wrong", "kind"}}, 1);
    for (int i = 0; i < 5; ++i) to.gauge({"level", "Level."}, {{"n", std::to_string(i)}}, i);
  });
  const auto first = samples(r.text());
  CHECK(first.count(R"(things_total{wrong="kind"})") == 0);
  CHECK(first.count(R"(level{n="2"})") == 1);
  CHECK(first.count(R"(level{n="3"})") == 0);
  CHECK(samples(r.text()).at(own_hits) == 3);   // as of the scrape before
}


TEST_CASE("the whole exposition is exactly this") {
  registry r(1);
  r.counter({"b_total", "Bees."}, {{"kind", "x"}})->add(0, 2);
  r.counter({"b_total", "Bees."}, {{"kind", "y"}});
  r.add_collector([](sink& to) { to.gauge({"a_level", "Level of water."}, {}, 0.25); });
  CHECK(r.text() ==
        "# HELP a_level Level of water.\n"
        "# TYPE a_level gauge\n"
        "a_level 0.25\n"
        "# HELP b_total Bees.\n"
        "# TYPE b_total counter\n"
        "b_total{kind=\"x\"} 2\n"
        "b_total{kind=\"y\"} 0\n"
        "# HELP weir_limit_hits_total Times that a configured limit was reached.\n"
        "# TYPE weir_limit_hits_total counter\n"
        "weir_limit_hits_total{limit=\"metric_series\"} 0\n");
}

TEST_CASE("the limit that others hit stands beside the registry's own") {
  registry r(2);
  r.counter(names::limit_hits, {{"limit", "limits.head_bytes"}})->add(1, 3);
  const auto now = samples(r.text());
  CHECK(now.at(R"(weir_limit_hits_total{limit="limits.head_bytes"})") == 3);
  CHECK(now.at(own_hits) == 0);
}

TEST_CASE("a registry agrees with a plain map over random finds and retirements") {
  for (std::uint64_t seed = 1; seed <= 10; ++seed) {
    CAPTURE(seed);
    base::random random(seed);
    registry r(1, 20);
    std::map<std::pair<unsigned, unsigned>, std::uint64_t> model;   // pool, worker: value
    for (int i = 0; i < 500; ++i) {
      const unsigned pool = random.below(4), worker = random.below(8);
      const labels l{{"pool", std::to_string(pool)}, {"worker", std::to_string(worker)}};
      if (random.below(5) == 0) {
        const std::size_t gone = r.retire(l);
        if (gone != model.erase({pool, worker})) FAIL("retired " << gone);
      } else {
        r.counter(things, l)->add(0);
        if (model.size() < 20 || model.count({pool, worker})) ++model[{pool, worker}];
      }
      if (r.series() != model.size()) FAIL("series " << r.series());
    }
    const auto now = samples(r.text());
    for (const auto& [key, value] : model)
      CHECK(now.at("things_total{pool=\"" + std::to_string(key.first) + "\",worker=\"" +
                   std::to_string(key.second) + "\"}") == static_cast<double>(value));
    CHECK(now.size() == model.size() + 1);
  }
}

TEST_CASE("scrapes, reloads and hot paths go on at once") {
  constexpr unsigned shards = 2;
  registry r(shards);
  const auto kept = r.counter(things, {{"worker", "kept"}});
  std::atomic<bool> stop{false};
  std::vector<std::thread> threads;
  for (unsigned shard = 0; shard < shards; ++shard)
    threads.emplace_back([&, shard] {
      for (int i = 0; i < 20000; ++i) kept->add(shard);
    });
  threads.emplace_back([&] {
    while (!stop) {
      r.counter(things, {{"worker", "comes and goes"}});
      r.histogram(waits, {{"worker", "comes and goes"}});
      r.retire({{"worker", "comes and goes"}});
    }
  });
  double last = 0;
  bool fell = false;
  for (int i = 0; i < 50; ++i) {
    const double now = samples(r.text()).at(R"(things_total{worker="kept"})");
    fell = fell || now < last;
    last = now;
  }
  stop = true;
  for (auto& t : threads) t.join();
  CHECK_FALSE(fell);
  CHECK(samples(r.text()).at(R"(things_total{worker="kept"})") == 40000);
}
