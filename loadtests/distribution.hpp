// A distribution of sizes or times, named on the command line: `fixed:1000`, `exp:1000` (the mean)
// or `pareto:1.2,100,1000000`: the bounded Pareto distribution by shape, least and most. Seeded, so
// that every proxy is asked the same.
#pragma once

#include <cstdint>
#include <optional>
#include <random>
#include <string_view>

namespace weir::load {

using generator = std::mt19937_64;

/// A number in (0, 1].
double unit(generator& from);
/// An exponential number with this mean: the gap between two arrivals of a Poisson process.
double exponential(generator& from, double mean);

class distribution {
 public:
  distribution() = default;
  /// Nothing when the text is no distribution. A bare number is a fixed one.
  static std::optional<distribution> parse(std::string_view text);

  std::uint64_t draw(generator& from) const;
  bool always_zero() const { return kind_ == kind::fixed && low_ == 0; }

 private:
  enum class kind { fixed, exponential, pareto };

  kind kind_ = kind::fixed;
  double shape_ = 0;
  double low_ = 0;  // the value, the mean or the least
  double high_ = 0;
};

}  // namespace weir::load
