#include "sim/generators.hpp"

#include <algorithm>
#include <cmath>

namespace weir::sim {
namespace {

std::uint32_t number_of(std::vector<std::string>& names, const std::string& name) {
  const auto found = std::find(names.begin(), names.end(), name);
  const auto number = static_cast<std::uint32_t>(found - names.begin());
  if (found == names.end()) names.push_back(name);
  return number;
}

// Batches of each source, so that its expected work is its share; a small one has one at least.
std::vector<std::uint64_t> counts_of(const demand& d) {
  double all = 0;
  for (const source& s : d.sources) all += s.share / s.sizes.mean();
  std::vector<std::uint64_t> counts;
  for (const source& s : d.sources) {
    const double mine = s.share / s.sizes.mean() / all * static_cast<double>(d.batches);
    counts.push_back(std::max<std::uint64_t>(1, static_cast<std::uint64_t>(std::llround(mine))));
  }
  return counts;
}

// Shares of the run in which unit-rate time `u` (0..1) has passed, the rate being `factor` times as
// high between from and to.
double step_time(const source& s, double u) noexcept {
  const double high = (s.to - s.from) * s.factor, all = 1 - (s.to - s.from) + high;
  const double passed = u * all;
  if (passed <= s.from) return passed;
  if (passed <= s.from + high) return s.from + (passed - s.from) / s.factor;
  return s.to + (passed - s.from - high);
}

// n arrivals of a Poisson process, the last one at 1.
std::vector<double> poisson_times(std::uint64_t n, random& r) {
  std::vector<double> times(n);
  double now = 0;
  for (double& t : times) t = now += r.exponential(1);
  for (double& t : times) t /= now;
  return times;
}

std::vector<double> cron_times(const source& s, std::uint64_t n, double length, random& r) {
  const double room = std::max(0.0, length - s.offset);
  const auto spikes = static_cast<std::uint64_t>(room / s.period) + 1;
  std::vector<double> times(n);
  for (double& t : times) {
    const double spike = static_cast<double>(r.below(spikes));
    t = std::min(1.0, (s.offset + spike * s.period + r.uniform() * s.spread) / length);
  }
  std::sort(times.begin(), times.end());
  return times;
}

// In shares of the run, in order.
std::vector<double> times_of(const source& s, std::uint64_t n, double length, random& r) {
  switch (s.arrivals) {
    case pattern::dump:
      return std::vector<double>(n, s.from);
    case pattern::cron:
      return cron_times(s, n, length, r);
    case pattern::poisson:
    case pattern::step:
      break;
  }
  std::vector<double> times = poisson_times(n, r);
  if (s.arrivals == pattern::step)
    for (double& t : times) t = step_time(s, t);
  return times;
}

}  // namespace

double sizes::draw(random& r) const noexcept {
  if (!(low < high)) return low;
  switch (what) {
    case kind::pareto:
      return r.bounded_pareto(alpha, low, high);
    case kind::uniform:
      return r.uniform(low, high);
    case kind::fixed:
      break;
  }
  return low;
}

double sizes::mean() const noexcept {
  if (!(low < high)) return low;   // the Pareto's would be 0/0
  switch (what) {
    case kind::pareto: {
      const double tail = 1 - std::pow(low / high, alpha);
      if (alpha == 1) return low * std::log(high / low) / tail;
      return alpha / (alpha - 1) * (low - std::pow(low / high, alpha) * high) / tail;
    }
    case kind::uniform:
      return (low + high) / 2;
    case kind::fixed:
      break;
  }
  return low;
}

workload generate(const demand& d, double capacity, std::uint64_t seed) {
  workload out;
  out.tenants.clear(), out.routes.clear();
  double work = 0;
  const std::vector<std::uint64_t> counts = counts_of(d);
  for (std::size_t i = 0; i < counts.size(); ++i) {
    const source& s = d.sources[i];
    random r = stream_of(seed, stream::sizes, i);
    arrival a;
    a.tenant = number_of(out.tenants, s.tenant);
    a.route = number_of(out.routes, s.route);
    a.group = number_of(out.groups, s.group);
    for (std::uint64_t n = 0; n < counts[i]; ++n) {
      a.units = a.work = s.sizes.draw(r);
      work += a.work;
      out.arrivals.push_back(a);
    }
  }
  const double length = work / (d.load * capacity);
  std::size_t first = 0;
  for (std::size_t i = 0; i < counts.size(); first += counts[i++]) {
    random r = stream_of(seed, stream::times, i);
    const std::vector<double> times = times_of(d.sources[i], counts[i], length, r);
    for (std::size_t n = 0; n < times.size(); ++n) out.arrivals[first + n].at = times[n] * length;
  }
  std::stable_sort(out.arrivals.begin(), out.arrivals.end(),
                   [](const arrival& a, const arrival& b) { return a.at < b.at; });
  blur(out, d.estimates, seed);
  return out;
}

workload redraw(const workload& recorded, std::uint64_t batches, double load, double capacity,
                std::uint64_t seed) {
  workload out = recorded;
  if (recorded.arrivals.empty()) return out;
  out.arrivals.resize(batches);
  random sizes = stream_of(seed, stream::sizes), times = stream_of(seed, stream::times);
  const std::vector<double> shares = poisson_times(batches, times);
  for (std::uint64_t i = 0; i < batches; ++i) {
    out.arrivals[i] = recorded.arrivals[sizes.below(recorded.arrivals.size())];
    out.arrivals[i].at = shares[i];
  }
  stretch(out, load, capacity);
  return out;
}

void stretch(workload& w, double load, double capacity) noexcept {
  double work = 0;
  for (const arrival& a : w.arrivals) work += a.work;
  const double was = length_of(w);
  if (!(was > 0)) return;
  const double factor = work / (load * capacity) / was;
  for (arrival& a : w.arrivals) a.at *= factor;
}

void blur(workload& w, const estimates& e, std::uint64_t seed) noexcept {
  random r = stream_of(seed, stream::estimates);
  for (arrival& a : w.arrivals) a.units *= e.known ? std::exp(e.sigma * r.normal()) : 0;
}

double length_of(const workload& w) noexcept {
  return w.arrivals.empty() ? 0 : w.arrivals.back().at;
}

}  // namespace weir::sim
