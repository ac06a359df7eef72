#include "app/simulate.hpp"

#include <catch2/catch.hpp>
#include <fstream>
#include <sstream>

#include "cli_kit.hpp"

namespace {

using namespace weir;
using test::good_config;
using test::run;
using test::weir_with;

constexpr const char* small_scenario =
    "name: small\nload: 90%\nbatches: 3000\nseeds: 2\nworkers: [{count: 4, slots: 2}]\n";

std::string written(const test::scratch_folder& folder, const char* name, const std::string& text) {
  std::ofstream(folder.path(name)) << text;
  return folder.path(name);
}

std::string content(const std::string& file) {
  std::ostringstream all;
  all << std::ifstream(file).rdbuf();
  return all.str();
}

}  // namespace

TEST_CASE("simulate plays a scenario and prints a line for each policy, the same every time") {
  test::scratch_folder folder;
  const std::string file = written(folder, "small.yaml", small_scenario);
  const run a = weir_with({"simulate", "--scenario", file});
  INFO(a.err);
  CHECK(a.status == 0);
  CHECK(a.out.starts_with("small: 4 workers, 8 slots, load 90 %, 3000 batches, sizes known, "
                          "2 seeds\n"));
  CHECK(a.out.find("\nweir ") != std::string::npos);
  CHECK(a.out.find("\nfirst-come ") != std::string::npos);
  CHECK(weir_with({"simulate", "--scenario", file}).out == a.out);
}

TEST_CASE("simulate takes load, seeds, sizes and policies from the command line") {
  test::scratch_folder folder;
  const std::string file = written(folder, "small.yaml", small_scenario);
  const run r = weir_with({"simulate", "-s", file, "--load", "50", "--seeds", "1", "--sigma", "1",
                           "--batches", "500", "--policy", "weir,two-choices,round-robin"});
  INFO(r.err);
  CHECK(r.out.starts_with("small: 4 workers, 8 slots, load 50 %, 500 batches, sizes known to "
                          "e^(1 N(0,1)), 1 seed\n"));
  CHECK(r.out.find("\nround-robin ") != std::string::npos);
  CHECK(weir_with({"simulate", "-s", file, "--unknown"}).out.find("sizes unknown") !=
        std::string::npos);
}

TEST_CASE("numbers out of range, or none, are refused with what was expected") {
  struct row {
    const char *option, *value, *told;
  };
  for (const row& r : {row{"--load", "nan", "nan is no number from 1 to 1000"},
                       row{"--load", "0.5", "0.5 is no number from 1 to 1000"},
                       row{"--load", "much", "much is no number from 1 to 1000"},
                       row{"--sigma", "nan", "nan is no number from 0 to 10"},
                       row{"--sigma", "-1", "-1 is no number from 0 to 10"}}) {
    const run given = weir_with({"simulate", r.option, r.value});
    INFO(given.err);
    CHECK(given.status != 0);
    CHECK(given.err.find(r.told) != std::string::npos);
  }
  CHECK(weir_with({"simulate", "--load", "90 %", "--batches", "100"}).out.find("load 90 %") !=
        std::string::npos);
  CHECK(weir_with({"simulate", "--load", "90%", "--batches", "100"}).out.find("load 90 %") !=
        std::string::npos);
}

TEST_CASE("simulate prints JSON and writes a plot") {
  test::scratch_folder folder;
  const std::string file = written(folder, "small.yaml", small_scenario);
  const run r = weir_with({"simulate", "-s", file, "--json", "--plot", folder.path("plot.svg")});
  CHECK(r.status == 0);
  CHECK(r.out.starts_with("{\"title\":\"small\""));
  CHECK(content(folder.path("plot.svg")).starts_with("<svg "));
  const run other = weir_with({"simulate", "-s", file, "--plot", folder.path("plot.png")});
  CHECK(other.status != 0);
  CHECK(other.err.find("expected a name that ends in .svg") != std::string::npos);
  const run unwritable = weir_with({"simulate", "-s", file, "--plot", folder.path("no/plot.svg")});
  CHECK(unwritable.status == 1);
  CHECK(unwritable.err.find("cannot be written: No such file") != std::string::npos);
}

TEST_CASE("simulate compares two configurations on the same arrivals") {
  test::scratch_folder folder;
  const std::string now = written(folder, "now.yaml", good_config);
  const std::string next = written(folder, "next.yaml", good_config);
  const run r = weir_with({"simulate", "--config", now, "--against", next, "--batches", "2000",
                           "--seeds", "1"});
  INFO(r.err);
  CHECK(r.status == 0);
  CHECK(r.out.find("\nnow.yaml ") != std::string::npos);
  CHECK(r.out.find("\nnext.yaml ") != std::string::npos);
}

TEST_CASE("simulate says what is wrong, with 1 for files and 2 for wrong usage") {
  test::scratch_folder folder;
  const std::string bad = written(folder, "bad.yaml", "workers: [{cout: 3}]\n");
  const run r = weir_with({"simulate", "--scenario", bad});
  CHECK(r.status == 1);
  CHECK(r.out.empty());
  CHECK(r.err.find("bad.yaml:1:12: unknown key `cout`") != std::string::npos);
  CHECK(weir_with({"simulate", "--policy", "wier"}).status == 1);
  for (const auto& wrong : std::vector<std::vector<std::string>>{
           {"simulate", "--seeds", "0"}, {"simulate", "--load", "many"},
           {"simulate", "--load", "0"}, {"simulate", "--sigma", "-1"}, {"simulate", "extra"}})
    CHECK(weir_with(wrong).status == 2);
}

TEST_CASE("simulate judges a pool's autoscale beside its peers'") {
  test::scratch_folder folder;
  std::string text = good_config;
  const run none = weir_with({"simulate", "--scaling"});
  CHECK(none.status == 1);
  CHECK_THAT(none.err, Catch::Contains("expected a configuration"));
  const auto pools = text.find("    workers:");
  REQUIRE(pools != std::string::npos);
  text.insert(pools, "    autoscale: {min: 1, max: 9, hooks: [{exec: {command: [/bin/true]}}]}\n");
  const std::string file = written(folder, "scales.yaml", text);
  const std::string plot = folder.path("plot.svg");
  for (const bool json : {false, true}) {
    std::vector<std::string> asked{"simulate", "--scaling", "-c", file, "--batches", "500",
                                   "--seeds", "1", "--plot", plot};
    if (json) asked.push_back("--json");
    const run r = weir_with(asked);
    INFO(r.err);
    CHECK(r.status == 0);
    CHECK_THAT(r.out, Catch::Contains("knative"));
    CHECK(r.out.starts_with(json ? "{" : "usual"));
    CHECK(content(plot).starts_with("<svg "));
  }
}
