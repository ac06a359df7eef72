#include "sim/scaling_plot.hpp"

#include <catch2/catch.hpp>

#include "sim/scaling_loads.hpp"

using namespace weir::sim;

namespace {

std::size_t count(const std::string& text, const std::string& word) {
  std::size_t n = 0;
  for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) ++n;
  return n;
}

scaling_report one_line() {
  scaling_report r;
  r.trial.workload = "a <load> & more";
  r.seconds = 3600;
  r.oracle = {{0, 1}, {3600, 0}};
  r.verdicts.resize(1);
  r.verdicts[0].who.name = "weir";
  r.verdicts[0].over_oracle = {1.5, 1.5, 1.5};
  r.verdicts[0].fleet = {{0, 2}, {1800, 4}, {3600, 0}};
  return r;
}

}  // namespace

TEST_CASE("a plot has a stepped line for each contender and an area for the oracle") {
  weir::core::autoscale_settings s;
  s.max = 200;
  scaling_trial t;
  t.workload = "step";
  t.seconds = step_seconds;
  const std::string svg = svg_of(compare_scaling(step_load, t, with_peers(s)));
  CHECK(svg.starts_with("<svg "));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "<polyline ") == 4);
  CHECK(count(svg, "<polygon ") == 1);
  for (const char* word :
       {"Workers: step", ">weir (", ">knative (", ">hpa (", ">keda (", ">oracle<"})
    CHECK(count(svg, word) == 1);
}

TEST_CASE("lines go up and down where the fleet changes") {
  const std::string svg = svg_of(one_line());
  // From 60 to 750 across an hour; from 430 up to 56 for the 4 workers at most.
  CHECK(count(svg, "60.0,430.0 60.0,243.0 405.0,243.0 405.0,56.0 750.0,56.0 750.0,430.0 ") == 1);
  CHECK(count(svg, "60.0,430.0 60.0,336.5 750.0,336.5 750.0,430.0 ") == 1);   // the oracle
}

TEST_CASE("names are text, whatever they hold") {
  const std::string svg = svg_of(one_line());
  CHECK(count(svg, "a &lt;load&gt; &amp; more") == 1);
  CHECK(count(svg, "<load>") == 0);
}

TEST_CASE("axes have at most a dozen marks, whatever they span") {
  for (const double seconds : {1.0, 7200.0, 86400.0, 1e7})
    for (const std::uint32_t workers : {0u, 1u, 3u, 11u, 200u, 4096u}) {
      scaling_report r = one_line();
      r.seconds = seconds;
      r.oracle = {{0, workers}, {seconds, 0}};
      r.verdicts[0].fleet = r.oracle;
      const std::string svg = svg_of(r);
      CHECK(count(svg, " h</text>") >= 2);
      CHECK(count(svg, " h</text>") <= 12);
      CHECK(count(svg, "<line ") >= 1);
      CHECK(count(svg, "<line ") <= 12);
    }
}

TEST_CASE("an empty report is an empty plot") {
  const std::string svg = svg_of(scaling_report{});
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "nan") == 0);
  CHECK(count(svg, "inf") == 0);
}
