#include "app/descriptors.hpp"

#include <sys/resource.h>

#include <catch2/catch.hpp>
#include <limits>

using namespace weir;

TEST_CASE("connections are no more than descriptors are enough for") {
  struct row {
    std::uint32_t wanted;
    std::uint64_t descriptors;
    std::uint32_t taken;
  };
  const row rows[] = {
      {100'000, 1'048'576, 100'000},
      {100'000, 200'512, 100'000},   // just enough
      {100'000, 200'511, 99'999},
      {100'000, 65'536, 32'512},
      {100'000, 1024, 256},
      {100'000, 300, 75},            // half is kept back
      {10, 300, 10},
      {100'000, 3, 1},
      {100'000, 0, 1},
      {10'000'000, std::numeric_limits<std::uint64_t>::max(), 10'000'000},   // RLIM_INFINITY
  };
  for (const row& r : rows) {
    CAPTURE(r.wanted, r.descriptors);
    CHECK(app::connections_within(r.wanted, r.descriptors) == r.taken);
  }
}

TEST_CASE("the soft limit is raised to the hard one") {
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  const rlimit low{before.rlim_cur / 2, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &low) == 0);
  CHECK(app::descriptor_limit() == low.rlim_cur);
  app::raise_descriptor_limit();
  CHECK(app::descriptor_limit() == before.rlim_max);
  ::setrlimit(RLIMIT_NOFILE, &before);
}
