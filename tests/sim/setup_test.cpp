#include "sim/setup.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <map>

#include "sim/generators.hpp"

namespace weir::sim {
namespace {

// A folder of its own for each test, gone at its end.
class folder {
 public:
  folder() {
    std::string name = (std::filesystem::temp_directory_path() / "weir-setup-XXXXXX").string();
    REQUIRE(mkdtemp(name.data()));
    path_ = name;
  }
  ~folder() { std::filesystem::remove_all(path_); }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path_ / name) << text;
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

std::string configuration(const std::string& pool_keys, const std::string& route_keys = "") {
  return "listeners: [{name: front, bind: \"127.0.0.1:0\"}]\n"
         "routes:\n  - {name: all, pool: loaders" + route_keys + "}\n"
         "pools:\n  loaders:\n" + pool_keys +
         "    workers:\n"
         "      - {id: a, url: \"http://127.0.0.1:9001\", slots: 4}\n"
         "      - {id: b, url: \"http://127.0.0.1:9002\", slots: 2, weight: 3}\n"
         "    backup_workers:\n"
         "      - {id: c, url: \"http://127.0.0.1:9003\", slots: 8}\n";
}

setup good(const request& asked) {
  setup s = prepare(asked);
  INFO(s.mistakes);
  REQUIRE(s.ok());
  return s;
}

double work_of(const workload& w) {
  double sum = 0;
  for (const arrival& a : w.arrivals) sum += a.work;
  return sum;
}

std::vector<std::string> names(const setup& s) {
  std::vector<std::string> all;
  for (const contender& c : s.run.contenders) all.push_back(c.name);
  return all;
}

using list = std::vector<std::string>;

}  // namespace

TEST_CASE("nothing given: sixteen workers, load 75 %, sizes of a heavy tail") {
  const setup s = good({});
  CHECK(names(s) == list{"weir", "first-come"});
  CHECK(s.run.seeds == 3);
  CHECK(s.facts ==
        "16 workers, 32 slots, load 75 %, 200000 batches, sizes known, 3 seeds");
  CHECK(s.run.contenders[0].weir.pool.queue.wait_max == base::forever);
}

TEST_CASE("options of the command line stand over the scenario's") {
  const folder here;
  request r;
  r.scenario = here.write("s.yaml",
                          "load: 50%\nbatches: 300\nseeds: 5\nworkers: [{count: 4, slots: 2}]\n");
  setup s = good(r);
  CHECK(s.title == "s");
  CHECK(s.facts == "4 workers, 8 slots, load 50 %, 300 batches, sizes known, 5 seeds");
  const workload w = s.run.load(1);
  CHECK(w.arrivals.size() == 300);
  CHECK(work_of(w) / (length_of(w) * 8) == Approx(0.5));
  r.load = 0.9, r.seeds = 2, r.batches = 70, r.sigma = 1, r.policies = {"weir-fifo", "two-choices"};
  s = good(r);
  CHECK(s.facts == "4 workers, 8 slots, load 90 %, 70 batches, sizes known to e^(1 N(0,1)), "
                   "2 seeds");
  CHECK(names(s) == list{"weir-fifo", "two-choices"});
  r.unknown_sizes = true;
  CHECK(good(r).run.load(1).arrivals[0].units == 0);
}

TEST_CASE("a configuration brings its settings, its route's and its workers") {
  const folder here;
  request r;
  r.config = here.write("weir.yaml", configuration("    queue: {max_batches: 77, order: fifo}\n"
                                                   "    slow_start: 5s\n"
                                                   "    autoscale: {min: 1, max: 9}\n",
                                                   ", retry: {attempts: 5}, timeout: {queue: 9s}"));
  const setup s = good(r);
  const contender& c = s.run.contenders[0];
  CHECK(c.weir.pool.queue.batches_max == 77);
  CHECK(c.weir.pool.queue.order == core::queue_order::fifo);
  CHECK(c.weir.pool.slow_start == std::chrono::seconds(5));
  CHECK_FALSE(c.weir.pool.autoscale);
  CHECK(c.weir.retry.attempts == 5);
  CHECK(c.weir.wait_max == std::chrono::seconds(9));
  REQUIRE(c.workers.size() == 3);
  CHECK((c.workers[0].name == "a" && c.workers[0].slots == 4 && !c.workers[0].numbered));
  CHECK((c.workers[1].weight == 3 && c.workers[2].backup));
  const workload w = s.run.load(1);
  CHECK(work_of(w) / (length_of(w) * 6) == Approx(0.75));  // backups offer nothing
}

TEST_CASE("a scenario's workers stand over the configuration's, its settings stay") {
  const folder here;
  here.write("weir.yaml", configuration("    queue: {max_batches: 77}\n"));
  request r;
  r.scenario = here.write("s.yaml", "config: weir.yaml\npool: loaders\nworkers: [{count: 5}]\n");
  const setup s = good(r);
  CHECK(s.run.contenders[0].weir.pool.queue.batches_max == 77);
  REQUIRE(s.run.contenders[0].workers.size() == 1);
  CHECK(s.run.contenders[0].workers[0].count == 5);
}

TEST_CASE("two configurations stand side by side, right behind each other") {
  const folder here;
  request r;
  r.config = here.write("now.yaml", configuration(""));
  r.against = here.write("next.yaml", configuration("    queue: {max_batches: 9}\n"));
  setup s = good(r);
  CHECK(names(s) == list{"now.yaml", "next.yaml", "first-come"});
  CHECK(s.run.contenders[0].weir.pool.queue.batches_max == 5000);
  CHECK(s.run.contenders[1].weir.pool.queue.batches_max == 9);
  r.against = r.config;
  CHECK(names(good(r)) == list{"now.yaml", "now.yaml (2)", "first-come"});
  r.policies = {"first-come"};
  CHECK(names(good(r)) == list{"first-come", "now.yaml"});
}

TEST_CASE("a recorded trace keeps its times, or is stretched to a load, or redrawn") {
  const folder here;
  here.write("t.csv", "at,seconds\n10,2\n11,4\n20,6\n");
  const std::string scenario =
      "workers: [{count: 2, slots: 2}]\n"
      "traces: [{file: t.csv, time: at, from_first: true, work: [{column: seconds}], "
      "units: [{column: seconds}]}]\n";
  request r;
  r.scenario = here.write("s.yaml", scenario);
  setup s = good(r);
  CHECK(s.facts == "2 workers, 4 slots, load as recorded, 3 batches, sizes known, 3 seeds");
  workload w = s.run.load(1);
  REQUIRE(w.arrivals.size() == 3);
  CHECK((w.arrivals[1].at == 1 && length_of(w) == 10 && w.arrivals[2].units == 6));
  CHECK(s.run.overhead == 0);
  r.load = 0.5;
  w = good(r).run.load(1);
  CHECK(length_of(w) == Approx(12 / (0.5 * 4)));
  CHECK(w.arrivals[1].at == Approx(length_of(w) / 10));
  r.scenario = here.write("p.yaml",
                          scenario + "times: poisson\nbatches: 500\noverhead: 20ms\n");
  s = good(r);
  CHECK(s.run.overhead == Approx(0.02));
  w = s.run.load(1);
  CHECK(w.arrivals.size() == 500);
  CHECK(work_of(w) / (length_of(w) * 4) == Approx(0.5));
}

TEST_CASE("an access log is played with what its batches declared") {
  const folder here;
  const std::string rest =
      R"(","outcome":"ok","worker":"w","attempt_ms":10.0,"time":"2026-01-31T23:59:58Z"})";
  const std::string declared =
      R"({"cost":3,"outcome":"ok","worker":"w","attempt_ms":10.0,"time":"2026-01-31T23:59:59Z"})";
  here.write("a.log", R"({"pool":"a)" + rest + "\n" + R"({"outcome":"refused","pool":"a"})" + "\n");
  here.write("b.log", declared + "\n");
  const auto facts = [&](const std::string& trace) {
    request r;
    r.seeds = 1;
    r.scenario = here.write("s.yaml", "workers: [{}]\ntraces: [" + trace + "]\n");
    return prepare(r);
  };
  CHECK(facts("{file: a.log, type: access_log}").facts ==
        "16 workers, 32 slots, load as recorded, 1 batches, 1 lines of other ends left out, "
        "sizes unknown, 1 seed");
  CHECK(facts("{file: b.log, type: access_log}").facts ==
        "16 workers, 32 slots, load as recorded, 1 batches, sizes known, 1 seed");
  CHECK(facts("{file: a.log, type: access_log, pool: loaders}").mistakes.find(
            "a.log: no finished batch of pool `loaders`, expected one of a\n") !=
        std::string::npos);
}

TEST_CASE("several traces are merged by time") {
  const folder here;
  here.write("a.csv", "at,seconds\n0,1\n9,1\n");
  here.write("b.csv", "at,seconds\n5,2\n");
  request r;
  r.scenario = here.write("s.yaml",
                          "workers: [{}]\ntraces:\n"
                          "  - {file: a.csv, time: at, work: [{column: seconds}]}\n"
                          "  - {file: b.csv, time: at, work: [{column: seconds}]}\n");
  const workload w = good(r).run.load(1);
  REQUIRE(w.arrivals.size() == 3);
  CHECK((w.arrivals[0].at == 0 && w.arrivals[1].at == 5 && w.arrivals[2].at == 9));
}

TEST_CASE("what is wrong is told, with the file it is in") {
  const folder here;
  const std::string config = here.write("weir.yaml", configuration(""));
  const std::string bad = here.write("bad.yaml", "pools: 5\n");
  const std::string trace = here.write("trace.yaml",
                                       "workers: [{}]\ntraces: [{file: none.csv, time: a, "
                                       "work: [{column: b}]}]\n");
  here.write("short.csv", "at,seconds\n1,x\n");
  const std::string rows = here.write("rows.yaml",
                                      "workers: [{}]\ntraces: [{file: short.csv, time: at, "
                                      "work: [{column: seconds}]}]\n");
  struct row { request asked; const char* told; };
  const auto with = [](auto member, std::string value) {
    request r;
    r.*member = std::move(value);
    return r;
  };
  request other_pool = with(&request::config, config);
  other_pool.pool = "loader";
  request policy;
  policy.policies = {"wier"};
  request alone;
  alone.against = config;
  for (const row& t : {row{with(&request::scenario, "none.yaml"), "none.yaml:1:1: cannot be read"},
                       row{with(&request::config, bad), "bad.yaml:1:"},
                       row{with(&request::config, "gone.yaml"), "gone.yaml:1:1: cannot be read"},
                       row{other_pool, "no pool `loader`, expected one of loaders; did you mean"},
                       row{alone, "expected --config for the first"},
                       row{policy, "unknown policy `wier`, expected some of weir, weir-fifo"},
                       row{with(&request::scenario, trace), "none.csv: "},
                       row{with(&request::scenario, rows), "short.csv:2: "}}) {
    const setup s = prepare(t.asked);
    INFO(s.mistakes);
    CHECK_FALSE(s.ok());
    CHECK(s.mistakes.find(t.told) != std::string::npos);
  }
}

TEST_CASE("a configuration without workers is not given any") {
  const folder here;
  request r;
  r.config = here.write("weir.yaml",
                        "listeners: [{name: front, bind: \"127.0.0.1:0\"}]\n"
                        "routes: [{name: all, pool: p}]\npools: {p: {}}\n");
  CHECK(prepare(r).mistakes.find("no worker, expected one at least") != std::string::npos);
}

TEST_CASE("a pool of backups alone, or without workers, cannot be played") {
  const folder here;
  request r;
  r.config = here.write("weir.yaml",
                        "listeners: [{name: front, bind: \"127.0.0.1:0\"}]\n"
                        "routes: [{name: all, pool: p}]\n"
                        "pools: {p: {backup_workers: [{id: c, url: \"http://127.0.0.1:1\"}]}}\n");
  CHECK(prepare(r).mistakes.find("no worker, expected one at least") != std::string::npos);
}

TEST_CASE("scaling is judged with the pool's own autoscale, beside its peers' and another's") {
  folder f;
  const std::string scale = "    autoscale: {min: 1, max: 20, objective: 90s, hooks: "
                            "[{webhook: {url: \"http://127.0.0.1:1/x\"}}]}\n";
  request asked;
  asked.scaling = true;
  asked.config = f.write("a.yaml", configuration(scale));
  asked.batches = 2000;
  asked.seeds = 2;
  SECTION("alone") {
    const setup s = prepare(asked);
    INFO(s.mistakes);
    REQUIRE((s.ok() && s.scaling));
    CHECK(s.scaling->contenders.size() == 4);
    CHECK(s.scaling->contenders[0].autoscale.objective == std::chrono::seconds(90));
    CHECK((s.scaling->trial.workers == 2 && s.scaling->trial.slots == 4));
    const auto judged = compare_scaling(s.run.load, s.scaling->trial, s.scaling->contenders);
    CHECK(judged.verdicts.size() == 4);
    CHECK(judged.batches == 2000);
  }
  SECTION("against another") {
    asked.against = f.write("b.yaml", configuration(scale));
    const setup s = prepare(asked);
    REQUIRE((s.ok() && s.scaling));
    CHECK(s.scaling->contenders.front().name == "a.yaml");
    CHECK(s.scaling->contenders.back().name == "b.yaml");
  }
  SECTION("a pool that does not scale") {
    asked.config = f.write("c.yaml", configuration(""));
    CHECK(prepare(asked).mistakes ==
          "nothing to scale, expected a configuration (--config) whose pool has `autoscale`\n");
  }
  SECTION("no configuration") {
    asked.config.clear();
    CHECK_FALSE(prepare(asked).ok());
  }
  SECTION("policies are of the other kind") {
    asked.policies = {"weir"};
    CHECK(prepare(asked).mistakes ==
          "--policy has no meaning with --scaling, expected one of them\n");
  }
}

}  // namespace weir::sim
