#include "sim/scaling_report.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "sim/scaling_loads.hpp"

using namespace weir::sim;
using namespace std::chrono_literals;

namespace {

weir::core::autoscale_settings limits() {
  weir::core::autoscale_settings s;
  s.max = 200;
  return s;
}

scaling_report small_report() {
  scaling_trial t;
  t.workload = "step";
  t.seconds = step_seconds;
  t.seeds = 2;
  return compare_scaling(step_load, t, with_peers(limits()));
}

}  // namespace

TEST_CASE("a spread is the median and both ends") {
  struct row {
    std::vector<double> values;
    double median, low, high;
  };
  for (const row& r : std::vector<row>{{{}, 0, 0, 0}, {{7}, 7, 7, 7}, {{3, 1}, 2, 1, 3},
                                       {{9, 1, 5}, 5, 1, 9}, {{4, 1, 3, 2}, 2.5, 1, 4}}) {
    const seed_spread s = over_seeds(r.values);
    CHECK(s.median == r.median);
    CHECK(s.low == r.low);
    CHECK(s.high == r.high);
  }
}

TEST_CASE("weir and its peers are compared within the same limits") {
  const auto all = with_peers(limits(), weir::core::queue_order::cost_aware);
  REQUIRE(all.size() == 4);
  CHECK(all[0].name == "weir");
  CHECK(all[0].policy == scaling_policy::weir);
  CHECK(all[3].policy == scaling_policy::keda);
  for (const scaling_contender& c : all) {
    CHECK(c.autoscale.max == 200);
    CHECK(c.order == weir::core::queue_order::cost_aware);
  }
}

TEST_CASE("a report holds what the runs of its seeds measured") {
  const scaling_report r = small_report();
  REQUIRE(r.verdicts.size() == 4);
  CHECK(r.batches == step_load(1).arrivals.size());
  CHECK(r.seconds >= step_seconds);
  scaling_options o;
  o.autoscale = limits();
  o.seconds = step_seconds;
  std::vector<double> hours, over;
  for (o.seed = 1; o.seed <= 2; ++o.seed) {
    const workload load = step_load(o.seed);
    hours.push_back(run_scaling(load, o).worker_seconds / 3600);
    over.push_back(hours.back() * 3600 / worker_seconds(oracle_fleet(load, 120, 4, step_seconds)));
  }
  CHECK(r.verdicts[0].worker_hours.median == Approx((hours[0] + hours[1]) / 2));
  CHECK(r.verdicts[0].over_oracle.low == Approx(std::min(over[0], over[1])));
  CHECK(r.verdicts[0].over_oracle.high == Approx(std::max(over[0], over[1])));
  CHECK(r.verdicts[0].seconds_late.high == 0);
}

TEST_CASE("contenders meet the same arrivals, and each its own objective") {
  scaling_trial t;
  t.seconds = step_seconds;
  std::vector<std::uint64_t> asked;
  const workload_source source = [&](std::uint64_t seed) {
    asked.push_back(seed);
    return step_load(seed);
  };
  std::vector<scaling_contender> two(2);
  two[0] = {"loose", scaling_policy::weir, limits(), weir::core::queue_order::fifo};
  two[1] = {"tight", scaling_policy::weir, limits(), weir::core::queue_order::fifo};
  two[0].autoscale.objective = 10min;
  t.seed = 5, t.seeds = 3;
  const scaling_report r = compare_scaling(source, t, two);
  CHECK(asked == std::vector<std::uint64_t>{5, 6, 7});
  CHECK(r.verdicts[0].worker_hours.median < r.verdicts[1].worker_hours.median);
  CHECK(r.verdicts[0].wait_max.median > r.verdicts[1].wait_max.median);
}

TEST_CASE("the table has a line for each contender") {
  const std::string text = table_of(small_report());
  std::size_t lines = 0;
  for (char c : text) lines += c == '\n';
  CHECK(lines == 3 + 4 + 1);
  CHECK(text.ends_with("\n\n"));
  CHECK(text.starts_with("step: "));
  CHECK(text.find("2 seeds, medians") != std::string::npos);
  for (const char* word : {"\nweir ", "\nknative ", "\nhpa ", "\nkeda ", " 60/120 ", ".."})
    CHECK(text.find(word) != std::string::npos);
  for (std::size_t at = 0; at < text.size(); at = text.find('\n', at) + 1)
    CHECK(text.find('\n', at) - at <= 120);
}

TEST_CASE("a measure without a spread is one number") {
  scaling_report r;
  r.trial.workload = "none";
  r.verdicts.resize(1);
  r.verdicts[0].who.name = "weir";
  r.verdicts[0].over_oracle = {1.5, 1.5, 1.5};
  const std::string same = table_of(r);
  CHECK(same.find("1.50") != std::string::npos);
  CHECK(same.find("(1.50") == std::string::npos);
  CHECK(same.find("1 seed\n") != std::string::npos);
  r.verdicts[0].over_oracle = {1.5, 1.25, 2};
  CHECK(table_of(r).find("1.50 (1.25..2.00)") != std::string::npos);
}

TEST_CASE("the JSON holds every measure and reads back") {
  const scaling_report r = small_report();
  const std::string text = json_of(r);
  const boost::json::value v = boost::json::parse(text);
  CHECK(v.at("workload").as_string() == "step");
  CHECK(v.at("batches").as_int64() == static_cast<std::int64_t>(r.batches));
  CHECK(v.at("seeds").as_int64() == 2);
  REQUIRE(v.at("contenders").as_array().size() == 4);
  const boost::json::value& weir = v.at("contenders").as_array()[0];
  CHECK(weir.at("policy").as_string() == "weir");
  CHECK(weir.at("objective_seconds").as_double() == 120);
  for (const char* key :
       {"seconds_late", "worker_hours", "worker_hours_over_oracle", "wait_p99_seconds",
        "wait_max_seconds", "decisions_a_day", "reversals_a_day", "workers_most", "utilization"}) {
    INFO(key);
    const boost::json::value& m = weir.at(key);
    CHECK(m.at("low").as_double() <= m.at("median").as_double());
    CHECK(m.at("median").as_double() <= m.at("high").as_double());
  }
  CHECK(weir.at("worker_hours").at("median").as_double() ==
        Approx(r.verdicts[0].worker_hours.median).epsilon(0.001));
}

TEST_CASE("the same report is the same bytes") {
  CHECK(json_of(small_report()) == json_of(small_report()));
  CHECK(table_of(small_report()) == table_of(small_report()));
}
