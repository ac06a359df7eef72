#include "sim/contest.hpp"

#include <algorithm>
#include <memory>

#include "base/check.hpp"
#include "sim/generators.hpp"
#include "sim/lower_bound.hpp"

namespace weir::sim {
namespace {

std::optional<peer> peer_named(std::string_view name) {
  if (name == "first-come") return peer::first_come;
  if (name == "least-connections") return peer::least_connections;
  if (name == "two-choices") return peer::two_choices;
  if (name == "round-robin") return peer::round_robin;
  return {};
}

measures play(const contender& c, const workload& load, const fleet_plan& fleet, double bound,
              std::uint64_t seed) {
  const double fastest = fastest_slot(fleet);
  if (c.peer) {
    peer_policy decides(*c.peer, load.arrivals.size(), c.weir.retry.attempts, seed);
    return measure(load, world(load, fleet, decides).run(), bound, fastest);
  }
  weir_policy decides(c.weir, load, seed);
  measures m = measure(load, world(load, fleet, decides).run(), bound, fastest);
  m.ejections = decides.ejections();
  return m;
}

double middle_of(std::vector<double>& sorted) {
  std::sort(sorted.begin(), sorted.end());
  return sorted[(sorted.size() - 1) / 2];
}

void judge(standing& s, const standing& first) {
  s.median = median_of(s.runs);
  std::vector<double> ratios, against;
  for (std::size_t i = 0; i < s.runs.size(); ++i) {
    const double mine = s.runs[i].sojourn.mean, its = first.runs[i].sojourn.mean;
    ratios.push_back(s.runs[i].ratio);
    against.push_back(its > 0 ? mine / its : 1);
  }
  const auto [low, high] = std::minmax_element(ratios.begin(), ratios.end());
  s.ratio_low = *low, s.ratio_high = *high;
  s.against_first = middle_of(against);
  s.against_low = against.front(), s.against_high = against.back();
}

}  // namespace

const std::vector<std::string_view>& policy_names() {
  static const std::vector<std::string_view> names{
      "weir", "weir-fifo", "first-come", "least-connections", "two-choices", "round-robin"};
  return names;
}

contender contender_named(std::string_view name, const weir_settings& weir,
                          const std::vector<worker_group>& workers) {
  const auto& known = policy_names();
  WEIR_CHECK(std::find(known.begin(), known.end(), name) != known.end());
  contender c{std::string(name), peer_named(name), weir, workers};
  if (name == "weir-fifo") c.weir.pool.queue.order = core::queue_order::fifo;
  return c;
}

std::vector<standing> compete(const contest& c) {
  std::vector<standing> all;
  for (const contender& one : c.contenders) all.push_back({one.name, {}, {}});
  for (std::uint64_t seed = 1; seed <= c.seeds; ++seed) {
    const workload load = c.load(seed);
    fleet_plan fleet;
    double bound = 0;
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i == 0 || c.contenders[i].workers != c.contenders[i - 1].workers) {
        fleet = plan_fleet(c.contenders[i].workers, length_of(load), seed);
        fleet.overhead = c.overhead;
        bound = lower_bound(load, fleet);
      }
      all[i].runs.push_back(play(c.contenders[i], load, fleet, bound, seed));
    }
  }
  for (standing& s : all) judge(s, all.front());
  return all;
}

}  // namespace weir::sim
