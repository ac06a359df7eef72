#include "core/lease.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace weir;
using namespace weir::core;

namespace {
constexpr instant start{1000s};
constexpr duration most = 5min;
}  // namespace

TEST_CASE("a lease is granted within its bounds") {
  struct row {
    duration wished, ttl_max, granted;
  };
  const std::vector<row> rows{
      {30s, 5min, 30s}, {1s, 5min, 1s},    {5min, 5min, 5min},          {6min, 5min, 5min},
      {0s, 5min, 1s},   {-5s, 5min, 1s},   {999ms, 5min, 1s},           {30s, 0s, 1s},
      {30s, 10ms, 1s},  {base::forever, 5min, 5min}, {base::forever, base::forever, base::forever},
  };
  for (const row& r : rows) {
    INFO(r.wished.count() << " of at most " << r.ttl_max.count());
    CHECK(lease::bounded(r.wished, r.ttl_max) == r.granted);
    CHECK(lease(r.wished, r.ttl_max, start).ttl() == r.granted);
  }
}

TEST_CASE("a new lease is held until its time has passed") {
  const lease l(30s, most, start);
  CHECK(l.state() == lease_state::held);
  CHECK(l.next_deadline() == start + 30s);
  CHECK_FALSE(l.expired(start));
  CHECK_FALSE(l.expired(start + 30s - 1ns));
  CHECK(l.expired(start + 30s));
}

TEST_CASE("a held lease meets every event") {
  lease l(30s, most, start);
  SECTION("renewed in time it lives another ttl from then on") {
    CHECK(l.renew(start + 29s));
    CHECK(l.next_deadline() == start + 59s);
  }
  SECTION("renewed with another ttl it takes that") {
    CHECK(l.renew(10s, most, start + 5s));
    CHECK(l.ttl() == 10s);
    CHECK(l.next_deadline() == start + 15s);
  }
  SECTION("a ttl of nothing keeps the old one") {
    CHECK(l.renew(0s, most, start + 5s));
    CHECK(l.ttl() == 30s);
    CHECK(l.next_deadline() == start + 35s);
  }
  SECTION("a new ttl is bounded too") {
    CHECK(l.renew(1h, most, start));
    CHECK(l.ttl() == most);
  }
  SECTION("expire before its time does nothing") {
    CHECK_FALSE(l.expire(start + 29s));
    CHECK(l.state() == lease_state::held);
  }
  SECTION("expire past its time loses it and says so once") {
    CHECK(l.expire(start + 30s));
    CHECK(l.state() == lease_state::lost);
    CHECK_FALSE(l.expire(start + 31s));
  }
  SECTION("renewed too late it is not renewed and still expires once") {
    CHECK_FALSE(l.renew(start + 30s));
    CHECK_FALSE(l.renew(1min, most, start + 30s));
    CHECK(l.expire(start + 30s));
  }
  SECTION("given back it is lost") {
    l.release();
    CHECK(l.state() == lease_state::lost);
    CHECK(l.expired(start));
  }
}

TEST_CASE("a lost lease meets every event and stays lost") {
  for (bool released : {false, true}) {
    lease l(30s, most, start);
    if (released)
      l.release();
    else
      REQUIRE(l.expire(start + 1min));
    CHECK_FALSE(l.renew(start));
    CHECK_FALSE(l.renew(1min, most, start));
    CHECK_FALSE(l.expire(start + 2min));
    l.release();
    CHECK(l.state() == lease_state::lost);
    CHECK(l.expired(start));
    CHECK(l.next_deadline() == base::never);
  }
}

TEST_CASE("a renewal never shortens the time that the same ttl gave") {
  lease l(30s, most, start);
  REQUIRE(l.renew(start + 20s));
  CHECK(l.renew(start + 10s));   // a message overtaken on its way
  CHECK(l.next_deadline() == start + 50s);
}

TEST_CASE("a lease without end never expires") {
  lease l(base::forever, base::forever, start);
  CHECK(l.next_deadline() == base::never);
  CHECK_FALSE(l.expire(start + 100000h));
  CHECK(l.renew(start + 100000h));
}
