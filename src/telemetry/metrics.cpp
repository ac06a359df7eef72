#include "telemetry/metrics.hpp"

#include <array>
#include <bit>

namespace weir::telemetry {
namespace {

using namespace std::chrono_literals;

constexpr std::array<base::duration, histogram::buckets> upper_bounds{
    1ms, 2500us, 5ms, 10ms, 25ms, 50ms, 100ms, 250ms, 500ms, 1s, 2500ms,
    5s,  10s,    25s, 50s,  100s, 250s, 500s,  1000s, 1800s, 3600s};

// For every bit width of a count of nanoseconds, the first bucket that such a count can fall in: a
// width spans one doubling, so that at most two bounds are left to compare with.
constexpr std::array<std::uint8_t, 65> first_bucket_by_width() {
  std::array<std::uint8_t, 65> first{};
  for (unsigned width = 1; width < first.size(); ++width) {
    const std::uint64_t least = std::uint64_t{1} << (width - 1);
    while (first[width] < histogram::buckets &&
           static_cast<std::uint64_t>(upper_bounds[first[width]].count()) < least)
      ++first[width];
  }
  return first;
}
constexpr auto first_bucket = first_bucket_by_width();

void bump(std::atomic<std::uint64_t>& cell, std::uint64_t n) noexcept {
  cell.store(cell.load(std::memory_order_relaxed) + n, std::memory_order_relaxed);
}

std::uint64_t at_least_zero(base::duration d) noexcept {
  return d.count() > 0 ? static_cast<std::uint64_t>(d.count()) : 0;
}

}  // namespace

std::uint64_t counter::total() const noexcept {
  std::uint64_t sum = 0;
  for (unsigned i = 0; i < shards_; ++i) sum += cells_[i].value.load(std::memory_order_relaxed);
  return sum;
}

std::span<const base::duration> histogram::bounds() noexcept { return upper_bounds; }

std::size_t histogram::bucket_of(base::duration d) noexcept {
  const std::uint64_t ns = at_least_zero(d);
  std::size_t i = first_bucket[static_cast<unsigned>(std::bit_width(ns))];
  while (i < buckets && static_cast<std::uint64_t>(upper_bounds[i].count()) < ns) ++i;
  return i;
}

void histogram::observe(unsigned shard, base::duration d) noexcept {
  cell& mine = cells_[shard];
  bump(mine.counts[bucket_of(d)], 1);
  bump(mine.sum_ns, at_least_zero(d));
}

histogram::totals histogram::total() const noexcept {
  totals t;
  for (unsigned shard = 0; shard < shards_; ++shard) {
    const cell& c = cells_[shard];
    for (std::size_t i = 0; i <= buckets; ++i)
      t.counts[i] += c.counts[i].load(std::memory_order_relaxed);
    t.sum_seconds += static_cast<double>(c.sum_ns.load(std::memory_order_relaxed)) * 1e-9;
  }
  // The sum of what was read above, so that the +Inf bucket and _count agree in every scrape.
  for (const std::uint64_t n : t.counts) t.count += n;
  return t;
}

}  // namespace weir::telemetry
