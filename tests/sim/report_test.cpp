#include "sim/report.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>

namespace weir::sim {
namespace {

standing of(std::string name, double ratio, std::size_t tenants = 1) {
  measures m;
  m.batches = 1000, m.lost = 3, m.failed_attempts = 12, m.retries = 9, m.ejections = 2;
  m.bound = 0.5, m.ratio = ratio, m.fairness = 0.75, m.utilisation = 0.5;
  m.wait = {1, 0.5, 20, 30};
  m.sojourn = {ratio / 2, 1.5, 25, 2883.4};
  m.slowdown = {4, 1, 60, 90};
  for (std::size_t t = 0; t < tenants; ++t)
    m.tenants.push_back({t == 0 ? "" : "t" + std::to_string(t), 500, {1, 2, 3, 4}, 5});
  for (std::size_t i = 0; i < curve_points; ++i) m.curve.push_back(0.02 * (1.0 + i * i));
  standing s{std::move(name), {m, m}, m};
  s.ratio_low = ratio - 0.1, s.ratio_high = ratio + 0.1;
  s.against_first = 2.5, s.against_low = 2, s.against_high = 3;
  return s;
}

std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out{""};
  for (const char c : text) {
    if (c == '\n') out.emplace_back();
    else out.back() += c;
  }
  return out;
}

bool holds(const std::string& text, std::string_view part) {
  return text.find(part) != std::string::npos;
}

std::size_t count(const std::string& text, std::string_view part) {
  std::size_t n = 0;
  for (std::size_t at = text.find(part); at != text.npos; at = text.find(part, at + 1)) ++n;
  return n;
}

}  // namespace

TEST_CASE("numbers are short and never have an exponent") {
  struct row { double n; const char* text; };
  for (const row& t :
       {row{0, "0"}, row{0.00001, "0"}, row{0.0213, "0.0213"}, row{0.27, "0.270"}, row{1, "1.00"},
        row{4.186, "4.19"}, row{11.64, "11.6"}, row{99.94, "99.9"}, row{118.4, "118"},
        row{2882.758, "2883"}, row{1234567, "1234567"}, row{-2.5, "-2.50"},
        row{HUGE_VAL, "inf"}})
    CHECK(short_number(t.n) == t.text);
}

TEST_CASE("the table has a title, a head of two lines and a line for each policy") {
  const auto lines = lines_of(table_of("unequal", "16 workers", {of("weir", 1.43),
                                                                 of("first-come", 1.8)}));
  REQUIRE(lines.size() == 7);
  CHECK(lines[0] == "unequal: 16 workers");
  CHECK(holds(lines[1], "over bound"));
  CHECK(lines[2].starts_with("policy"));
  CHECK(lines[3].starts_with("weir "));
  CHECK(holds(lines[3], "1.33 .. 1.53"));
  CHECK(holds(lines[3], " 50.0% "));
  CHECK(holds(lines[3], "2883"));
  CHECK(lines[4].starts_with("first-come "));
  CHECK(lines[5].empty());
}

TEST_CASE("columns stand below their heads") {
  const auto lines = lines_of(table_of("t", "f", {of("weir", 1.43), of("round-robin", 2883)}));
  CHECK(lines[3].size() == lines[4].size());
  CHECK(lines[3].size() == lines[2].size());
  for (const std::string_view head : {"to first", "busy", "failed", "again", "lost"}) {
    const std::size_t end = lines[2].find(head) + head.size() - 1;
    INFO(head);
    CHECK(lines[3][end] != ' ');
    CHECK((end + 1 == lines[3].size() || lines[3][end + 1] == ' '));
  }
}

TEST_CASE("tenants are told of when there are several") {
  CHECK_FALSE(holds(table_of("t", "f", {of("weir", 1.4)}), "Jain"));
  const std::string two = table_of("t", "f", {of("weir", 1.4, 2), of("first-come", 1.4, 2)});
  CHECK(count(two, "Jain 0.750; (none) p50 2.00 p99 3.00 slowdown 5.00; t1 p50") == 2);
}

TEST_CASE("each policy says when the last batch of a group ended") {
  standing s = of("weir", 1.4);
  CHECK_FALSE(holds(table_of("t", "f", {s}), "group"));
  s.median.groups.push_back({"nightly", 400, 123.6});
  CHECK(holds(table_of("t", "f", {s}), "group nightly: 124 s until its last batch ended\n"));
  const auto told = boost::json::parse(json_of("t", "f", {s}));
  const auto& group = told.at("policies").at(0).at("median").at("groups").at(0);
  CHECK(group.at("group").as_string() == "nightly");
  CHECK(group.at("batches").to_number<int>() == 400);
  CHECK(group.at("makespan").as_double() == 123.6);
}

TEST_CASE("the JSON holds medians and every run") {
  const auto told = boost::json::parse(json_of("unequal", "facts", {of("weir", 1.43, 2)}));
  CHECK(told.at("title").as_string() == "unequal");
  CHECK(told.at("facts").as_string() == "facts");
  const auto& weir = told.at("policies").at(0);
  CHECK(weir.at("policy").as_string() == "weir");
  CHECK(weir.at("median").at("ratio").as_double() == 1.43);
  CHECK(weir.at("median").at("sojourn").at("p99").as_double() == 25);
  CHECK(weir.at("median").at("tenants").at(1).at("tenant").as_string() == "t1");
  CHECK(weir.at("median").at("lost").to_number<int>() == 3);
  CHECK(weir.at("median").at("ejections").to_number<int>() == 2);
  CHECK(weir.at("runs").as_array().size() == 2);
  CHECK(weir.at("against_first").as_double() == 2.5);
}

TEST_CASE("the plot is one document with a line and a name for each policy") {
  const std::string svg = svg_of("un<equal>", "16 & more", {of("weir", 1.43), of("two", 20)});
  CHECK(svg.starts_with("<svg xmlns=\"http://www.w3.org/2000/svg\""));
  CHECK(svg.ends_with("</svg>\n"));
  CHECK(count(svg, "<polyline") == 2);
  CHECK(holds(svg, "un&lt;equal&gt;"));
  CHECK(holds(svg, "16 &amp; more"));
  CHECK(holds(svg, "weir (1.43)"));
  CHECK(holds(svg, ">99.9 %<"));
}

TEST_CASE("every point of the plot lies in its frame") {
  standing wild = of("wild", 2);
  wild.median.curve = std::vector<double>(curve_points, 0);
  wild.median.curve.back() = 1e7;
  const std::string svg = svg_of("t", "f", {wild});
  const std::size_t from = svg.find("points=\"") + 8;
  const std::string points = svg.substr(from, svg.find('"', from) - from);
  std::size_t seen = 0;
  for (std::size_t at = 0; at < points.size(); at = points.find(' ', at) + 1, ++seen) {
    const double x = std::stod(points.substr(at));
    const double y = std::stod(points.substr(points.find(',', at) + 1));
    REQUIRE((x >= 0 && x <= 860 && y >= 0 && y <= 480));
  }
  CHECK(seen == curve_points);
}

TEST_CASE("nothing to show is still a table, JSON and a plot") {
  CHECK(lines_of(table_of("t", "f", {})).size() == 5);
  CHECK(boost::json::parse(json_of("t", "f", {})).at("policies").as_array().empty());
  CHECK(svg_of("t", "f", {}).ends_with("</svg>\n"));
}

TEST_CASE("the same standings give the same bytes") {
  const std::vector<standing> all{of("weir", 1.43), of("first-come", 4)};
  CHECK(table_of("t", "f", all) == table_of("t", "f", all));
  CHECK(json_of("t", "f", all) == json_of("t", "f", all));
  CHECK(svg_of("t", "f", all) == svg_of("t", "f", all));
}

}  // namespace weir::sim
