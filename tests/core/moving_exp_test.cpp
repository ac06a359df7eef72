#include "core/moving_exp.hpp"

#include <catch2/catch.hpp>
#include <cmath>
#include <limits>

#include "base/random.hpp"

namespace weir::core::test {

TEST_CASE("the exponential of a value that moves is right to six digits, wherever it goes") {
  base::random draw(5);
  moving_exp e;
  double x = 0;
  for (int i = 0; i < 100'000; ++i) {
    x += (draw.unit() - 0.5) * (i % 50 == 0 ? 40 : 0.2);
    if (std::abs(x) > 600) x = 0;
    REQUIRE(std::abs(e.at(x) / std::exp(x) - 1) < 1e-6);
  }
}

TEST_CASE("the exponential of what is no number or too large is what std::exp says") {
  moving_exp e;
  CHECK(std::isnan(e.at(std::numeric_limits<double>::quiet_NaN())));
  CHECK(e.at(1) == Approx(std::exp(1)));
  CHECK(std::isinf(e.at(1e6)));
  CHECK(e.at(-1e6) == 0);
  CHECK(e.at(0) == 1);
}

}  // namespace weir::core::test
