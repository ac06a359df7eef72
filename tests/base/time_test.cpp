#include "base/time.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <vector>

namespace {

using namespace weir::base;
using namespace std::chrono_literals;

TEST_CASE("seconds convert to durations and back") {
  struct row {
    double seconds;
    duration expected;
  };
  const std::vector<row> rows = {{0, 0ns},       {1, 1s},          {0.25, 250ms},
                                 {-2.5, -2500ms}, {3600, 1h},       {1e-9, 1ns},
                                 {0.4e-9, 0ns},   {86400.0, 24h}};
  for (const row& r : rows) {
    CAPTURE(r.seconds);
    CHECK(from_seconds(r.seconds) == r.expected);
    CHECK(to_seconds(r.expected) == Approx(r.seconds).margin(1e-9));
  }
}

TEST_CASE("seconds beyond 292 years saturate instead of overflowing") {
  const double infinity = std::numeric_limits<double>::infinity();
  for (const double s : {9.3e9, 1e300, infinity}) {
    CHECK(from_seconds(s) == duration::max());
    CHECK(from_seconds(-s) == duration::min());
  }
  CHECK(from_seconds(9.1e9) < duration::max());
  CHECK(from_seconds(-9.1e9) > duration::min());
}

TEST_CASE("seconds that are no number are none") {
  CHECK(from_seconds(std::numeric_limits<double>::quiet_NaN()) == duration::zero());
}

TEST_CASE("an instant after a duration is the sum, and never stays never") {
  const instant t{10s};
  CHECK(after(t, 5s) == instant{15s});
  CHECK(after(t, -5s) == instant{5s});
  CHECK(after(t, 0s) == t);
  CHECK(after(never, -1h) == never);
  CHECK(after(never, 1h) == never);
  CHECK(after(t, forever) == never);
}

TEST_CASE("an instant plus more than is left saturates at never") {
  const instant late = never - 1s;
  CHECK(after(late, 1s) == never);
  CHECK(after(late, 2s) == never);
  CHECK(after(late, 999ms) < never);
  CHECK(after(instant{duration::min()}, duration::max() - 1ns) < instant{0s});
}

TEST_CASE("all of it can be computed at compile time") {
  static_assert(from_seconds(1.5) == 1500ms);
  static_assert(after(instant{1s}, 1s) == instant{2s});
  static_assert(to_seconds(2s) == 2.0);
  static_assert(monotonic::is_steady);
  SUCCEED();
}

}  // namespace
