#include "sim/scaling_report.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <iterator>
#include <string_view>
#include <utility>

#include "config/json_text.hpp"

namespace weir::sim {
namespace {

constexpr double day_seconds = 86400, hour_seconds = 3600;

// Collects each measure of a contender's runs.
struct samples {
  std::vector<double> late, hours, over, p99, most_wait, decisions, reversals, most, utilization;

  void add(const scaling_result& r, double oracle_seconds) {
    late.push_back(r.seconds_late);
    hours.push_back(r.worker_seconds / hour_seconds);
    over.push_back(oracle_seconds > 0 ? r.worker_seconds / oracle_seconds : 0);
    p99.push_back(r.wait_p99);
    most_wait.push_back(r.wait_max);
    const double days = r.seconds / day_seconds;
    decisions.push_back(days > 0 ? static_cast<double>(r.decisions) / days : 0);
    reversals.push_back(r.reversals_a_day());
    most.push_back(r.workers_most);
    utilization.push_back(r.utilization);
  }
};

scaling_verdict verdict_of(const scaling_contender& who, const samples& s) {
  scaling_verdict v;
  v.who = who;
  v.seconds_late = over_seeds(s.late);
  v.worker_hours = over_seeds(s.hours);
  v.over_oracle = over_seeds(s.over);
  v.wait_p99 = over_seeds(s.p99);
  v.wait_max = over_seeds(s.most_wait);
  v.decisions = over_seeds(s.decisions);
  v.reversals = over_seeds(s.reversals);
  v.workers_most = over_seeds(s.most);
  v.utilization = over_seeds(s.utilization);
  return v;
}

scaling_options options_of(const scaling_contender& who, const scaling_trial& trial,
                           std::uint64_t seed) {
  scaling_options o;
  o.autoscale = who.autoscale;
  o.policy = who.policy;
  o.order = who.order;
  o.slots = trial.slots;
  o.workers = trial.workers;
  o.estimates = trial.estimates;
  o.seconds = trial.seconds;
  o.seed = seed;
  return o;
}

using column = std::pair<std::string_view, seed_spread scaling_verdict::*>;
constexpr std::array<column, 9> columns{{
    {"seconds_late", &scaling_verdict::seconds_late},
    {"worker_hours", &scaling_verdict::worker_hours},
    {"worker_hours_over_oracle", &scaling_verdict::over_oracle},
    {"wait_p99_seconds", &scaling_verdict::wait_p99},
    {"wait_max_seconds", &scaling_verdict::wait_max},
    {"decisions_a_day", &scaling_verdict::decisions},
    {"reversals_a_day", &scaling_verdict::reversals},
    {"workers_most", &scaling_verdict::workers_most},
    {"utilization", &scaling_verdict::utilization},
}};

std::string number(double value) {
  return fmt::format("{:.3f}", value);
}

std::string plain(double value, int decimals) {
  return fmt::format("{:.{}f}", value, decimals);
}

// "1.83 (1.80..1.91)", or without the spread when there is none.
std::string with_spread(const seed_spread& s, int decimals) {
  std::string text = plain(s.median, decimals);
  if (s.low != s.high) text += " (" + plain(s.low, decimals) + ".." + plain(s.high, decimals) + ")";
  return text;
}

void write(config::json_text& out, const scaling_verdict& v) {
  out.open('{');
  out.text_member("name", v.who.name);
  out.text_member("policy", name(v.who.policy));
  const core::autoscale_settings& a = v.who.autoscale;
  out.member("startup_seconds", number(base::to_seconds(a.startup_time)));
  out.member("objective_seconds", number(base::to_seconds(a.objective)));
  out.member("scale_in_window_seconds", number(base::to_seconds(a.scale_in_window)));
  for (const auto& [key, measure] : columns) {
    out.name(key);
    out.open('{');
    out.member("median", number((v.*measure).median));
    out.member("low", number((v.*measure).low));
    out.member("high", number((v.*measure).high));
    out.close('}');
  }
  out.close('}');
}

}  // namespace

seed_spread over_seeds(std::vector<double> values) {
  if (values.empty()) return {};
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  const bool even = values.size() % 2 == 0;
  const double median = even ? (values[half - 1] + values[half]) / 2 : values[half];
  return {median, values.front(), values.back()};
}

std::vector<scaling_contender> with_peers(const core::autoscale_settings& settings,
                                          core::queue_order order) {
  std::vector<scaling_contender> all;
  using enum scaling_policy;
  for (const scaling_policy p : {scaling_policy::weir, knative, hpa, keda})
    all.push_back({std::string(name(p)), p, settings, order});
  return all;
}

scaling_report compare_scaling(const workload_source& load, const scaling_trial& trial,
                               std::span<const scaling_contender> contenders) {
  scaling_report out;
  out.trial = trial;
  std::vector<samples> measured(contenders.size());
  std::vector<std::vector<fleet_change>> fleets(contenders.size());
  for (std::uint64_t seed = trial.seed; seed < trial.seed + trial.seeds; ++seed) {
    const workload arrivals = load(seed);  // the same for all
    const bool first = seed == trial.seed;
    if (first) out.batches = arrivals.arrivals.size();
    for (std::size_t i = 0; i < contenders.size(); ++i) {
      const scaling_contender& who = contenders[i];
      const double objective = base::to_seconds(who.autoscale.objective);
      const auto oracle = oracle_fleet(arrivals, objective, trial.slots, trial.seconds);
      const scaling_result r = run_scaling(arrivals, options_of(who, trial, seed));
      measured[i].add(r, worker_seconds(oracle));
      if (!first) continue;
      fleets[i] = r.fleet;
      if (i == 0) out.oracle = oracle, out.seconds = r.seconds;
    }
  }
  for (std::size_t i = 0; i < contenders.size(); ++i) {
    out.verdicts.push_back(verdict_of(contenders[i], measured[i]));
    out.verdicts.back().fleet = std::move(fleets[i]);
  }
  return out;
}

std::string table_of(const scaling_report& report) {
  const scaling_trial& t = report.trial;
  std::string out = fmt::format("{}: {} batches in {:.0f} s, {} slots a worker, {} {}\n",
                                t.workload, report.batches, report.seconds, t.slots, t.seeds,
                                t.seeds == 1 ? "seed" : "seeds, medians (lowest..highest)");
  constexpr std::string_view line = "{:<16}{:>9}{:>18}{:>10}{:>22}{:>12}{:>22}{:>8}\n";
  out += fmt::format(line, "", "start-up", "seconds beyond", "worker-", "over the oracle",
                     "longest", "reversals a day", "most");
  out += fmt::format(line, "", "/ goal", "the objective", "hours", "", "wait, s", "", "workers");
  for (const scaling_verdict& v : report.verdicts) {
    const std::string goal =
        fmt::format("{:.0f}/{:.0f}", base::to_seconds(v.who.autoscale.startup_time),
                    base::to_seconds(v.who.autoscale.objective));
    out += fmt::format(line, v.who.name, goal, with_spread(v.seconds_late, 0),
                       plain(v.worker_hours.median, 1), with_spread(v.over_oracle, 2),
                       plain(v.wait_max.median, 0), with_spread(v.reversals, 0),
                       plain(v.workers_most.median, 0));
  }
  return out + "\n";
}

std::string json_of(const scaling_report& report) {
  config::json_text out;
  out.open('{');
  out.text_member("workload", report.trial.workload);
  out.member("batches", std::to_string(report.batches));
  out.member("seconds", number(report.seconds));
  out.member("slots", std::to_string(report.trial.slots));
  out.member("first_seed", std::to_string(report.trial.seed));
  out.member("seeds", std::to_string(report.trial.seeds));
  out.name("contenders");
  out.open('[');
  for (const scaling_verdict& v : report.verdicts) write(out, v);
  out.close(']');
  out.close('}');
  return out.take();
}

}  // namespace weir::sim
