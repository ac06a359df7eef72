#include "net/reserve.hpp"

#include <catch2/catch.hpp>
#include <memory>

using weir::net::reserve;

TEST_CASE("what came last is taken first, and no more than the most is kept") {
  reserve<int> r(2);
  CHECK(r.empty());
  for (int i : {1, 2, 3}) r.give(i);
  CHECK(r.size() == 2);
  CHECK(r.take() == 2);
  CHECK(r.take() == 1);
  CHECK(r.empty());
}

TEST_CASE("a trim lets go of what was not needed since the one before, and of nothing else") {
  reserve<std::unique_ptr<int>> r(100);
  const auto give = [&](int n) {
    for (int i = 0; i < n; ++i) r.give(std::make_unique<int>(i));
  };
  give(10);
  CHECK(r.trim() == 0);    // they came only now
  for (int i = 0; i < 4; ++i) r.give(r.take());
  CHECK(r.trim() == 9);    // one at a time was in use
  CHECK(r.size() == 1);
  r.give(r.take());
  CHECK(r.trim() == 0);
  CHECK(r.trim() == 1);    // nobody came at all
  CHECK(r.empty());
  CHECK(r.trim() == 0);
}
