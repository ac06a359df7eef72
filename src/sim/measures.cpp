#include "sim/measures.hpp"

#include <algorithm>
#include <cmath>
#include <numeric>

namespace weir::sim {
namespace {

double at_share(const std::vector<double>& sorted, double share) noexcept {
  return sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
}

template <class T>
T middle(std::vector<T> values) {
  std::sort(values.begin(), values.end());
  return values[(values.size() - 1) / 2];
}

template <class T, class Field>
auto median_field(const std::vector<T>& runs, Field field) {
  std::vector<std::decay_t<decltype(field(runs.front()))>> values;
  for (const T& r : runs) values.push_back(field(r));
  return middle(std::move(values));
}

template <class T>
spread median_spread(const std::vector<T>& runs, spread T::*of) {
  return {median_field(runs, [&](const T& r) { return (r.*of).mean; }),
          median_field(runs, [&](const T& r) { return (r.*of).p50; }),
          median_field(runs, [&](const T& r) { return (r.*of).p99; }),
          median_field(runs, [&](const T& r) { return (r.*of).max; })};
}

// A recorded batch of no work has no slowdown; one nanosecond's is a number.
constexpr double work_least = 1e-9;

struct books {
  std::vector<double> sojourns, slowdowns;
  double slowdown_mean() const noexcept {
    const double sum = std::accumulate(slowdowns.begin(), slowdowns.end(), 0.0);
    return slowdowns.empty() ? 0 : sum / static_cast<double>(slowdowns.size());
  }
};

void measure_tenants(const workload& load, std::vector<books>& by_tenant, measures& m) {
  std::vector<double> slowdowns;
  for (std::size_t t = 0; t < by_tenant.size(); ++t) {
    books& b = by_tenant[t];
    const double slowdown = b.slowdown_mean();
    if (!b.sojourns.empty()) slowdowns.push_back(slowdown);
    m.tenants.push_back(
        {load.tenants[t], b.sojourns.size(), spread_of(b.sojourns), slowdown});
  }
  m.fairness = jain_index(slowdowns);
}

void measure_groups(const workload& load, const result& run, measures& m) {
  for (std::uint32_t g = 1; g < load.groups.size(); ++g) {
    group_measures of{load.groups[g], 0, 0};
    double first = 0, last = 0;
    for (std::size_t i = 0; i < load.arrivals.size(); ++i) {
      if (load.arrivals[i].group != g || run.sojourns[i] == result::lost) continue;
      if (of.batches++ == 0) first = load.arrivals[i].at;
      last = std::max(last, load.arrivals[i].at + run.sojourns[i]);
    }
    of.makespan = last - first;
    m.groups.push_back(of);
  }
}

}  // namespace

double curve_share(std::size_t point) noexcept {
  return 1 - std::pow(10, -static_cast<double>(point) / 10);
}

spread spread_of(std::vector<double>& values) {
  if (values.empty()) return {};
  const double sum = std::accumulate(values.begin(), values.end(), 0.0);
  std::sort(values.begin(), values.end());
  return {sum / static_cast<double>(values.size()), at_share(values, 0.5), at_share(values, 0.99),
          values.back()};
}

double jain_index(const std::vector<double>& values) noexcept {
  double sum = 0, squares = 0;
  for (const double v : values) sum += v, squares += v * v;
  return squares > 0 ? sum * sum / (static_cast<double>(values.size()) * squares) : 1;
}

measures measure(const workload& load, const result& run, double bound, double fastest_slot) {
  measures m;
  std::vector<books> by_tenant(load.tenants.size());
  books all;
  std::vector<double> waits;
  for (std::size_t i = 0; i < load.arrivals.size(); ++i) {
    const double sojourn = run.sojourns[i];
    if (sojourn == result::lost) continue;
    const arrival& a = load.arrivals[i];
    const double slowdown = sojourn * fastest_slot / std::max(a.work, work_least);
    waits.push_back(run.waits[i]);
    all.sojourns.push_back(sojourn);
    all.slowdowns.push_back(slowdown);
    by_tenant[a.tenant].sojourns.push_back(sojourn);
    by_tenant[a.tenant].slowdowns.push_back(slowdown);
  }
  m.batches = load.arrivals.size();
  m.lost = run.lost_batches;
  m.attempts = run.attempts;
  m.failed_attempts = run.failed_attempts;
  m.retries = run.retries;
  m.bound = bound;
  m.wait = spread_of(waits);
  m.sojourn = spread_of(all.sojourns);
  m.slowdown = spread_of(all.slowdowns);
  for (std::size_t i = 0; i < curve_points && !all.sojourns.empty(); ++i)
    m.curve.push_back(at_share(all.sojourns, curve_share(i)));
  m.ratio = bound > 0 ? m.sojourn.mean / bound : 0;
  m.utilisation = run.open_seconds > 0 ? run.busy_seconds / run.open_seconds : 0;
  m.length = run.end;
  measure_tenants(load, by_tenant, m);
  measure_groups(load, run, m);
  return m;
}

measures median_of(const std::vector<measures>& runs) {
  if (runs.empty()) return {};
  measures m = runs.front();
  const auto of = [&](auto field) {
    return median_field(runs, [&](const measures& r) { return r.*field; });
  };
  for (auto field : {&measures::batches, &measures::lost, &measures::attempts,
                     &measures::failed_attempts, &measures::retries, &measures::ejections})
    m.*field = of(field);
  for (auto field : {&measures::bound, &measures::ratio, &measures::fairness,
                     &measures::utilisation, &measures::length})
    m.*field = of(field);
  for (auto field : {&measures::wait, &measures::sojourn, &measures::slowdown})
    m.*field = median_spread(runs, field);
  for (std::size_t i = 0; i < m.curve.size(); ++i)
    m.curve[i] = median_field(runs, [&](const measures& r) {
      return i < r.curve.size() ? r.curve[i] : 0;
    });
  for (std::size_t t = 0; t < m.tenants.size(); ++t) {
    std::vector<tenant_measures> same;
    for (const measures& r : runs)
      if (t < r.tenants.size() && r.tenants[t].batches > 0) same.push_back(r.tenants[t]);
    if (same.empty()) continue;
    m.tenants[t].sojourn = median_spread(same, &tenant_measures::sojourn);
    m.tenants[t].slowdown_mean =
        median_field(same, [](const tenant_measures& r) { return r.slowdown_mean; });
  }
  for (std::size_t g = 0; g < m.groups.size(); ++g)
    m.groups[g].makespan =
        median_field(runs, [g](const measures& r) { return r.groups[g].makespan; });
  return m;
}

}  // namespace weir::sim
