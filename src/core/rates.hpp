// How fast each worker is, learned from how long batches took against their estimates:
//   m_w    = (sum dec x log(est / t) + 8 x m_pool) / (n_w + 8), dec = exp(-age / 30 s)
//   rate_w = weight x exp(m_w - m_pool) x probation x overdue;   1 = the pool's average
// The sums are kept with forward decay (Cormode et al., ICDE 2009): weights grow from a landmark
// instead of old ones shrinking, so idle workers cost nothing. Called by fleet at each finish and
// every 100 ms while something runs; single-threaded; every value stays finite.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "base/time.hpp"
#include "core/settings.hpp"

namespace weir::core {

inline constexpr double overdue_seconds_min = 1;
inline constexpr double log_ratio_max = 12;  // one absurd sample must not outweigh many good ones

// What a worker says of its own load (ORCA) lowers its share of the choice, not what is learned:
// nothing up to `load_free`, where servers still answer at once (queueing: waits grow as
// u / (1 - u)); down to `load_full_share`, so that it still takes work when all are full; with the
// weight exp(-age / load_memory), for a batch or two. 1 for no report (load 0), or a forgotten one.
double reported_share(double load, duration age, const learning_settings& s) noexcept;
// exp(-6): nothing is left.
inline duration load_forgotten(const learning_settings& s) noexcept { return 6 * s.load_memory; }

// (sum + 8 m_pool) / (n + 8): a worker seen seldom is taken for an average one.
inline double shrunk_mean(double decayed_sum, double decayed_count, double pool_mean,
                          double prior_attempts) noexcept {
  return (decayed_sum + prior_attempts * pool_mean) / (decayed_count + prior_attempts);
}

// 1, or 4 x expected / elapsed for an attempt that takes more than 4 x its expectation and 1 s.
double overdue_factor(double elapsed_seconds, double expected_seconds, double overdue) noexcept;

// Slow start: how long, and the share with which it begins.
struct ramp {
  duration lasts{};
  double begins = learning_settings{}.joining_share;
};

// The share of its rate and of its slots that a worker gets `age` after (re)joining:
// 0.3 + 0.7 x min(1, age / slow_start); 1 when slow start is off.
double probation_share(duration age, ramp r) noexcept;

// Slots open at that age: the share rounded up, at least one of any.
std::uint32_t open_slots(std::uint32_t slots, duration age, ramp r) noexcept;

// The age at which one more slot opens than at `age`; slow_start when none will before.
duration next_slot_age(std::uint32_t slots, duration age, ramp r) noexcept;

class rates {
 public:
  explicit rates(instant now, const learning_settings& s = {}) noexcept : landmark_(now) {
    configure(s, now);
  }
  void configure(const learning_settings& s, instant now) noexcept;

  // Worker numbers are dense; a number starts (again) as an average worker.
  void join(std::uint32_t worker);
  // One batch: log(est / t). Its age counts from the last advance().
  void observe(std::uint32_t worker, double log_ratio) noexcept {
    const double weight = 1 / shrink_;
    const double sample = weight * std::clamp(log_ratio, -log_ratio_max, log_ratio_max);
    decayed& d = workers_[worker];
    d.sum += sample, d.count += weight;
    pool_.sum += sample, pool_.count += weight;
    pool_mean_ = pool_.sum / pool_.count;
  }
  // Brings the age of all samples to `now`. Every 100 ms is often enough for a decay over 30 s, and
  // keeps the exponential out of each finish.
  void advance(instant now) noexcept;

  double mean(std::uint32_t worker) const noexcept {  // m_w
    const decayed& d = workers_[worker];
    return shrunk_mean(d.sum * shrink_, d.count * shrink_, pool_mean_, prior_);
  }
  double pool_mean() const noexcept { return pool_mean_; }
  // Samples behind m_w, decayed: how much it is worth.
  double samples(std::uint32_t worker) const noexcept;

 private:
  struct decayed {
    double sum = 0, count = 0;  // in weights since the landmark
  };
  void rebase(instant now) noexcept;

  std::vector<decayed> workers_;
  decayed pool_;
  double pool_mean_ = 0;
  double shrink_ = 1;  // exp(-(now - landmark) / memory)
  double memory_ = 0;  // seconds
  double prior_ = 0;   // attempts
  instant landmark_, now_{};
};

}  // namespace weir::core
