#include "sim/scaling_loads.hpp"

#include <algorithm>

#include "sim/random.hpp"

namespace weir::sim {
namespace {

struct sizes {
  double alpha, low, high;
  double draw(random& chance) const { return chance.bounded_pareto(alpha, low, high); }
};

void add(workload& out, double at, double work) {
  out.arrivals.push_back({.at = at, .work = work, .units = work, .tenant = 0, .route = 0});
}

// Poisson arrivals at `rate` a second between two times.
void poisson(workload& out, double rate, double from, double to, const sizes& s, random& chance) {
  for (double t = from + chance.exponential(1 / rate); t < to; t += chance.exponential(1 / rate))
    add(out, t, s.draw(chance));
}

// `count` batches, uniform over `within` seconds.
void burst(workload& out, int count, double from, double within, const sizes& s, random& chance) {
  for (int i = 0; i < count; ++i) {
    const double t = from + chance.uniform(0, within);
    add(out, t, s.draw(chance));
  }
}

workload in_order(workload w) {
  std::ranges::stable_sort(w.arrivals, {}, &arrival::at);
  return w;
}

}  // namespace

workload step_load(std::uint64_t seed) {
  constexpr sizes all{1.3, 1, 120};
  workload out;
  random chance(seed);
  poisson(out, 1, 0, step_seconds, all, chance);
  poisson(out, 7, 1800, 4500, all, chance);  // beside the one that goes on
  return in_order(std::move(out));
}

workload cron_load(std::uint64_t seed) {
  workload out;
  random chance(seed);
  poisson(out, 0.5, 0, cron_seconds, {1.1, 0.2, 300}, chance);
  for (double hour = 0; hour < cron_seconds; hour += 3600)
    burst(out, 400, hour + 600, 20, {1.1, 1, 300}, chance);
  for (double quarter = 0; quarter < cron_seconds; quarter += 900)
    burst(out, 60, quarter + 300, 10, {1.1, 0.5, 120}, chance);
  return in_order(std::move(out));
}

trace_format facebook_format() {
  constexpr double bytes_a_second = 100e6;
  trace_format f;
  f.separator = '\t';
  f.header = false;
  f.time = "2";
  for (const char* column : {"4", "5", "6"}) {
    f.work.push_back({column, 1 / bytes_a_second});
    f.units.push_back({column, 1});
  }
  f.work_min = 0.01;
  f.work_max = 600;
  return f;
}

trace_format azure_format() {
  trace_format f;
  f.time = "TIMESTAMP";
  f.work = {{"ContextTokens", 0.25e-3}, {"GeneratedTokens", 10e-3}};
  f.units = {{"ContextTokens", 1}, {"GeneratedTokens", 1}};
  return f;
}

}  // namespace weir::sim
