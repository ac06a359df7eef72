// A histogram of durations in the manner of HdrHistogram: 128 buckets for every power of two, so a
// quantile is off by less than 1 %. Fixed memory, one increment a value.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

namespace weir::load {

class histogram {
 public:
  void add(std::int64_t value) {
    const auto v = static_cast<std::uint64_t>(std::max<std::int64_t>(value, 0));
    counts_[bucket_of(v)]++;
    count_++;
    sum_ += static_cast<double>(v);
    most_ = std::max(most_, v);
  }

  std::uint64_t count() const { return count_; }
  std::uint64_t most() const { return most_; }
  /// Exact, unlike a quantile; 0 when there is none.
  double mean() const { return count_ > 0 ? sum_ / static_cast<double>(count_) : 0; }

  /// The value that a share `q` of all values does not exceed; 0 when there is none.
  std::uint64_t quantile(double q) const {
    const auto wanted = static_cast<std::uint64_t>(q * static_cast<double>(count_) + 0.5);
    std::uint64_t seen = 0;
    for (std::size_t b = 0; b < counts_.size(); b++) {
      seen += counts_[b];
      if (seen > 0 && seen >= wanted) return std::min(middle_of(b), most_);
    }
    return most_;
  }

 private:
  static constexpr unsigned bits = 7;
  static constexpr std::uint64_t parts = 1 << bits;

  // Values below 256 have a bucket each; above, the eight leading bits choose it.
  static std::size_t bucket_of(std::uint64_t v) {
    const int shift = std::max(static_cast<int>(std::bit_width(v)) - static_cast<int>(bits) - 1, 0);
    return static_cast<std::size_t>(shift) * parts + (v >> shift);
  }

  static std::uint64_t middle_of(std::size_t bucket) {
    if (bucket < 2 * parts) return bucket;
    const std::uint64_t shift = bucket / parts - 1;
    return ((bucket - shift * parts) << shift) + ((1ull << shift) >> 1);
  }

  std::array<std::uint64_t, (64 - bits + 1) * parts> counts_{};
  std::uint64_t count_ = 0;
  double sum_ = 0;
  std::uint64_t most_ = 0;
};

}  // namespace weir::load
