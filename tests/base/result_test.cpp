#include "base/result.hpp"

#include <boost/system/errc.hpp>
#include <catch2/catch.hpp>
#include <memory>
#include <string>

namespace {

using namespace weir::base;

result<int> halve(int n) {
  if (n % 2 != 0) return make_error_code(boost::system::errc::invalid_argument);
  return n / 2;
}

TEST_CASE("a result is a value or an error, and says which") {
  CHECK(halve(4).has_value());
  CHECK(*halve(4) == 2);
  const result<int> odd = halve(3);
  REQUIRE(odd.has_error());
  CHECK(odd.error() == boost::system::errc::invalid_argument);
  CHECK_FALSE(odd);
}

TEST_CASE("a result carries move-only values and errors of another type") {
  result<std::unique_ptr<int>> r = std::make_unique<int>(5);
  const std::unique_ptr<int> taken = std::move(*r);
  CHECK(*taken == 5);
  const result<int, std::string> named = std::string("no such pool");
  CHECK(named.error() == "no such pool");
}

}  // namespace
