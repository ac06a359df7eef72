#include "proxy/hall.hpp"

#include <catch2/catch.hpp>

#include <set>
#include <string>

using namespace weir;

TEST_CASE("batch ids are hex digits in lower case, any at any place, and never come twice") {
  net::loop loop(0);
  proxy::hall in(loop, nullptr, 1, {});
  std::array<std::set<char>, 32> digits;
  std::set<std::string> ids;
  for (int i = 0; i < 2000; ++i) {
    const auto id = in.random_id();
    for (std::size_t at = 0; at < id.size(); ++at) digits[at].insert(id[at]);
    ids.insert({id.data(), id.size()});
  }
  CHECK(ids.size() == 2000);
  const std::string hex = "0123456789abcdef";
  for (const auto& seen : digits) CHECK(std::string(seen.begin(), seen.end()) == hex);
}
