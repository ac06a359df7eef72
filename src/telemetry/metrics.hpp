// Counters and histograms that the loops touch on every batch, and the registry that exports them
// as Prometheus text. Each loop owns a shard: one writer a cell, so adding is a plain load and
// store. The registry is used by the control thread (and at a reload): never by the hot path, which
// keeps the shared_ptr it was given; a retired series may still be added to and is just not
// exported.
// Invariants: totals never fall while a series lives; at most series_max series exist, whoever asks
// for more gets one that works and is not exported, and weir_limit_hits_total says so.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/time.hpp"
#include "telemetry/names.hpp"

namespace weir::telemetry {

// Name and value pairs. Order does not matter: the registry sorts them.
using labels = std::vector<std::pair<std::string, std::string>>;

class counter {
 public:
  explicit counter(unsigned shards) : cells_(std::make_unique<cell[]>(shards)), shards_(shards) {}

  // Only by the thread that owns `shard`.
  void add(unsigned shard, std::uint64_t n = 1) noexcept {
    auto& v = cells_[shard].value;
    v.store(v.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
  }
  std::uint64_t total() const noexcept;

 private:
  struct alignas(64) cell {
    std::atomic<std::uint64_t> value{0};
  };
  std::unique_ptr<cell[]> cells_;
  unsigned shards_;
};

class histogram {
 public:
  static constexpr std::size_t buckets = 21;   // with an upper bound; one more takes the rest
  explicit histogram(unsigned shards)
      : cells_(std::make_unique<cell[]>(shards)), shards_(shards) {}

  // Only by the thread that owns `shard`. Negative durations count as zero.
  void observe(unsigned shard, base::duration) noexcept;

  // Upper bounds, inclusive: 1, 2.5, 5, 10, 25 ms and so on to 1000 s, then 1800 s and 3600 s.
  static std::span<const base::duration> bounds() noexcept;
  // The bucket that a duration falls in, `buckets` when it is above every bound.
  static std::size_t bucket_of(base::duration) noexcept;

  struct totals {
    std::uint64_t counts[buckets + 1] = {};   // not cumulative
    std::uint64_t count = 0;
    double sum_seconds = 0;
  };
  totals total() const noexcept;

 private:
  struct alignas(64) cell {
    std::atomic<std::uint64_t> counts[buckets + 1] = {};
    std::atomic<std::uint64_t> sum_ns{0};
  };
  std::unique_ptr<cell[]> cells_;
  unsigned shards_;
};

// What a collector reports to, at a scrape.
class sink {
 public:
  virtual void gauge(metric_name, const labels&, double value) = 0;
  virtual void counter(metric_name, const labels&, double value) = 0;

 protected:
  ~sink() = default;
};

class registry {
 public:
  // `shards`: how many threads add; each has a number below that.
  explicit registry(unsigned shards, std::size_t series_max = 100000);
  registry(const registry&) = delete;
  registry& operator=(const registry&) = delete;
  ~registry();

  // The series of that name and those labels, made when there is none yet. A name keeps its kind
  // for good: asking for the other is a bug (CHECK).
  std::shared_ptr<telemetry::counter> counter(metric_name, labels = {});
  std::shared_ptr<telemetry::histogram> histogram(metric_name, labels = {});

  // Drops every series that carries all of these labels, such as {{"pool", p}, {"worker", w}}.
  // Returns how many.
  std::size_t retire(const labels& match);

  // Called at every text(), by its thread and without the registry's lock.
  void add_collector(std::function<void(sink&)>);

  // Everything in the Prometheus text format 0.0.4.
  std::string text() const;

  unsigned shards() const noexcept;
  std::size_t series() const;   // exported ones, collectors' left out

 private:
  struct state;
  std::unique_ptr<state> s_;
};

// CPU time, memory, descriptors and start time of this process under the names that Prometheus
// clients share; for add_collector.
void collect_process(sink&);

}  // namespace weir::telemetry
