#include "sim/scenario.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "config/reference.hpp"
#include "sim/spec_scenario.hpp"

namespace weir::sim {
namespace {

scenario good(const std::string& text, const std::string& file = "here/some.yaml") {
  const scenario_outcome out = read_scenario(text, file);
  INFO(out.text());
  REQUIRE(out.ok());
  return out.what;
}

const std::string readme_path = WEIR_SOURCE "/loadtests/scenarios/README.md";

std::string readme() {
  std::ostringstream all;
  all << std::ifstream(readme_path).rdbuf();
  return all.str();
}

// What people write stands before the tables.
std::string before_reference() {
  const std::string mark = "<!-- The tables are written by weir_sim_tests. -->\n\n";
  const std::string text = readme();
  const std::size_t at = text.find(mark);
  return at == text.npos ? "" : text.substr(0, at + mark.size());
}

std::string reference_of_all() {
  return config::reference_markdown(scenario_section());
}

const std::string one_worker = "workers: [{count: 1}]\n";

}  // namespace

TEST_CASE("a scenario needs workers, all else has a default") {
  const scenario s = good(one_worker);
  CHECK(s.name == "some");
  CHECK(s.load == 0.75);
  CHECK_FALSE(s.load_given);
  CHECK(s.batches == 0);
  CHECK(s.sources.empty());
  CHECK(s.estimates.known);
  CHECK((s.overhead == 0 && s.attempts == 3));
  CHECK(s.seeds == 3);
  CHECK(s.policies == std::vector<std::string>{"weir", "first-come"});
  REQUIRE(s.workers.size() == 1);
  CHECK(s.workers[0].slots == 2);
  CHECK(s.workers[0].speed == 1);
}

TEST_CASE("every key reaches its place") {
  const scenario s = good(R"(
name: all of it
load: 90%
batches: 5000
estimates: {known: true, sigma: 0.5}
overhead: 400000ns
attempts: 2
seeds: 7
policies: [weir, weir-fifo]
sources:
  - {tenant: a, route: r, share: 60%, sizes: {type: pareto, alpha: 1.3, low: 30ms, high: 5s}}
  - {arrivals: step, from: 10%, to: 20%, factor: 8, sizes: {type: fixed, low: 2s}}
  - {arrivals: cron, period: 1h, offset: 5m, spread: 20s}
workers:
  - name: slow
    count: 8
    slots: 3
    speed: 0.4
    weight: 2
    joins: 25%
    troubles:
      - {type: antagonists, factor: 0.35, slow: 15s, fast: 30s}
      - {type: flapping, from: 10%, to: 90%, down: 5s, period: 20s}
)");
  CHECK(s.name == "all of it");
  CHECK(s.load == Approx(0.9));
  CHECK(s.load_given);
  CHECK(s.batches == 5000);
  CHECK(s.estimates.sigma == 0.5);
  CHECK(s.overhead == Approx(0.0004));
  CHECK((s.attempts == 2 && s.seeds == 7 && s.policies.size() == 2));
  REQUIRE(s.sources.size() == 3);
  CHECK((s.sources[0].tenant == "a" && s.sources[0].route == "r"));
  CHECK(s.sources[0].share == Approx(0.6));
  CHECK((s.sources[0].sizes.alpha == 1.3 && s.sources[0].sizes.high == 5));
  CHECK(s.sources[0].sizes.low == Approx(0.03));
  CHECK((s.sources[1].arrivals == pattern::step && s.sources[1].factor == 8));
  CHECK(s.sources[1].from == Approx(0.1));
  CHECK((s.sources[1].sizes.what == sizes::kind::fixed && s.sources[1].sizes.low == 2));
  CHECK((s.sources[2].period == 3600 && s.sources[2].offset == 300 && s.sources[2].spread == 20));
  const worker_group& g = s.workers.at(0);
  CHECK((g.name == "slow" && g.count == 8 && g.slots == 3 && g.speed == 0.4 && g.weight == 2));
  CHECK(g.joins == 0.25);
  REQUIRE(g.afflictions.size() == 2);
  CHECK((g.afflictions[0].slow_mean == 15 && g.afflictions[0].fast_mean == 30));
  CHECK((g.afflictions[1].what == trouble::flapping && g.afflictions[1].to == 0.9));
}

TEST_CASE("a trace's format is read, its file found beside the scenario") {
  const scenario s = good(one_worker + R"(
times: poisson
traces:
  - file: ../traces/a.tsv
    separator: tab
    header: false
    time: "2"
    work: [{column: "4", factor: 0.01}, {column: "5"}]
    work_constant: 5ms
    work_min: 10ms
    work_max: 10m
    units: [{column: "4"}]
    tenant: "1"
  - {file: /var/log/access.log, type: access_log, pool: loaders}
)");
  CHECK(s.times == trace_times::poisson);
  REQUIRE(s.traces.size() == 2);
  const trace_source& t = s.traces[0];
  CHECK(t.file == "traces/a.tsv");
  CHECK((t.format.separator == '\t' && !t.format.header && t.format.time == "2"));
  REQUIRE(t.format.work.size() == 2);
  CHECK((t.format.work[0].column == "4" && t.format.work[0].factor == 0.01));
  CHECK(t.format.work[1].factor == 1);
  CHECK(t.format.work_constant == Approx(0.005));
  CHECK((t.format.work_min == Approx(0.01) && t.format.work_max == 600));
  CHECK((t.format.units.size() == 1 && t.format.tenant == "1"));
  CHECK(s.traces[1].kind == trace_kind::access_log);
  CHECK((s.traces[1].file == "/var/log/access.log" && s.traces[1].pool == "loaders"));
}

TEST_CASE("a configuration beside it may bring the workers") {
  const scenario s = good("config: weir.yaml\npool: loaders\n", "folder/x.yaml");
  CHECK(s.config == "folder/weir.yaml");
  CHECK(s.pool == "loaders");
}

TEST_CASE("every mistake is told with its line and column") {
  struct row { const char* text; const char* told; };
  for (const row& t : {
           row{"", "x.yaml:1:1: an empty file, expected at least keys and values"},
           row{"load: 90%\n", "x.yaml:1:1: no workers, expected `workers`, or a `config`"},
           row{"workers: [{cout: 3}]\n", "x.yaml:1:12: unknown key `cout` in workers[0], expected"},
           row{"workers: [{count: 0}]\n", "x.yaml:1:19: workers[0].count: `0` is out of range"},
           row{"workers: []\n", "x.yaml:1:10: workers: 0 entries, expected 1 to 1000"},
           row{"workers: [{troubles: [{from: 5%}]}]\n",
               "missing key `type` in workers[0].troubles[0]"},
           row{"workers: [{troubles: [{type: blackhole}]}]\n", "did you mean black_hole"},
           row{"workers: [{troubles: [{type: brownout, from: 60%, to: 5%}]}]\n",
               "x.yaml:1:55: workers[0].troubles[0]: below `from`, expected at least as much"},
           row{"workers: [{troubles: [{type: flapping, down: 9s, period: 5s}]}]\n",
               "below `down`, expected at least as much"},
           row{"workers: [{}]\nload: 2\n", "x.yaml:2:7: load: `2`, expected a share from"},
           row{"workers: [{}]\nload: 2\n", "did you mean 2%"},
           row{"workers: [{}]\nload: 75%\nload: 80%\n", "x.yaml:3:1: repeated key `load`"},
           row{"workers: [{}]\npolicies: [weir, wier]\n",
               "x.yaml:2:18: policies: `wier`, expected one of weir, weir-fifo"},
           row{"workers: [{}]\npolicies: least\n", "x.yaml:2:11: policies: `least`, expected"},
           row{"workers: [{}]\nsources: [{sizes: {low: 5s, high: 1s}}]\n",
               "x.yaml:2:35: sources[0].sizes: below `low`, expected at least as much"},
           row{"workers: [{}]\nsources: [{arrivals: step, from: 50%, to: 20%}]\n",
               "below `from`, expected"},
           row{"workers: [{}]\nsources: [{sizes: {low: 5}}]\n", "did you mean 5s"},
           row{"workers: [{}]\nsources: [{}]\ntraces: [{file: a}]\n",
               "traces and sources, expected only one of them"},
           row{"workers: [{}]\ntraces: [{file: a, time: t}]\n",
               "x.yaml:2:10: traces[0]: no work, expected the columns of `work` or a"},
           row{"workers: [{}]\ntraces: [{file: a, work_constant: 1s}]\n",
               "x.yaml:2:10: traces[0]: missing key `time`, expected the column of a batch's"},
           row{"workers: [{}]\ntraces: [{file: a, type: access_log, work_min: 9s, work_max: 1s}]\n",
               "below `work_min`, expected at least as much"},
           row{"workers: [{}]\ntraces: [{time: a}]\n", "missing key `file` in traces[0]"},
           row{"config: a.yaml\n", "missing key `pool`, expected the name of a pool of `config`"},
           row{"workers: [{}]\nsizes: {}\n", "unknown key `sizes` (it belongs in sources)"},
           row{"workers: [\n", "x.yaml:2:1: "},
       }) {
    const scenario_outcome out = read_scenario(t.text, "x.yaml");
    INFO(t.text << "gave\n" << out.text());
    CHECK_FALSE(out.ok());
    CHECK(out.text().find(t.told) != std::string::npos);
  }
}

TEST_CASE("several mistakes are told at once, by position") {
  const std::string text =
      read_scenario("workers: [{cout: 3}]\npolicies: [wier]\nload: 2\n", "x.yaml").text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 3);
  CHECK(text.find(":1:12:") < text.find(":2:12:"));
  CHECK(text.find(":2:12:") < text.find(":3:7:"));
}

TEST_CASE("a file that is not there is a mistake") {
  const scenario_outcome out = read_scenario_file("no/such.yaml");
  CHECK_FALSE(out.ok());
  CHECK(out.text().starts_with("no/such.yaml:1:1: cannot be read ("));
}

TEST_CASE("every key has a meaning, and a default that its shape allows") {
  for (const config::section* s : config::sections_of(scenario_section()))
    for (const config::key& k : s->keys) {
      INFO(s->path << " " << k.name);
      CHECK_FALSE(k.doc.empty());
      if (k.what == config::key::form::leaf && !k.required)
        CHECK_NOTHROW(config::to_text(k.type, k.fallback));
    }
}

// Not a test: writes what the one below compares with. Run by hand after a change of the tables.
TEST_CASE("regenerate the scenarios' reference", "[.regenerate]") {
  const std::string before = before_reference();
  REQUIRE_FALSE(before.empty());
  std::ofstream(readme_path) << before << reference_of_all();
}

TEST_CASE("the reference in loadtests/scenarios/README.md is the one that the tables give") {
  const std::string before = before_reference();
  REQUIRE_FALSE(before.empty());
  CHECK(readme().substr(before.size()) == reference_of_all());
}

TEST_CASE("the scenarios that ship are good") {
  const std::filesystem::path folder = std::filesystem::path(WEIR_SOURCE) / "loadtests/scenarios";
  std::size_t found = 0;
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    if (entry.path().extension() != ".yaml") continue;
    const scenario_outcome out = read_scenario_file(entry.path().string());
    INFO(out.text());
    CHECK(out.ok());
    CHECK(out.what.name == entry.path().stem());
    for (const trace_source& t : out.what.traces) CHECK(std::filesystem::exists(t.file));
    ++found;
  }
  CHECK(found >= 11);
}

}  // namespace weir::sim
