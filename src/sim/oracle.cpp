#include "sim/oracle.hpp"

#include <algorithm>
#include <cmath>

namespace weir::sim {
namespace {

struct edge {
  double at = 0, slots = 0;  // from then on so many more are taken
};

std::vector<edge> edges_of(const workload& load, double objective_seconds) {
  std::vector<edge> edges;
  edges.reserve(load.arrivals.size() * 2);
  for (const arrival& a : load.arrivals) {
    const double over = std::max(objective_seconds, a.work);
    edges.push_back({a.at, a.work / over});
    edges.push_back({a.at + over, -a.work / over});
  }
  std::ranges::stable_sort(edges, {}, &edge::at);
  return edges;
}

void change_to(std::vector<fleet_change>& fleet, double at, std::uint32_t workers) {
  if (!fleet.empty() && fleet.back().workers == workers) return;
  if (!fleet.empty() && fleet.back().at == at)
    fleet.back().workers = workers;
  else
    fleet.push_back({at, workers});
}

}  // namespace

std::vector<fleet_change> oracle_fleet(const workload& load, double objective_seconds,
                                       std::uint32_t slots, double seconds) {
  const std::vector<edge> edges = edges_of(load, objective_seconds);
  const double end = std::max(seconds, edges.empty() ? 0 : edges.back().at);
  if (end <= 0) return {};
  std::vector<fleet_change> fleet{{0, 1}};
  double taken = 0;
  for (const edge& e : edges) {
    taken += e.slots;
    const double workers = std::max(1.0, std::ceil(taken / slots - 1e-9));  // sums of doubles
    change_to(fleet, e.at, static_cast<std::uint32_t>(workers));
  }
  change_to(fleet, end, 0);
  return fleet;
}

double worker_seconds(std::span<const fleet_change> fleet) noexcept {
  double sum = 0;
  for (std::size_t i = 0; i + 1 < fleet.size(); ++i)
    sum += fleet[i].workers * (fleet[i + 1].at - fleet[i].at);
  return sum;
}

}  // namespace weir::sim
