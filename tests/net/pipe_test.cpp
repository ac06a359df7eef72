#include "net/pipe.hpp"

#include <catch2/catch.hpp>
#include <unistd.h>

using namespace weir;

TEST_CASE("a pool gives as many pipes as it may, and those given back again") {
  net::pipe_pool pool(2);
  net::pipe a = pool.take(), b = pool.take();
  REQUIRE((a && b));
  CHECK(a.capacity() >= 4096);
  CHECK_FALSE(pool.take());
  CHECK(pool.taken() == 2);
  const int end = a.read_end();
  pool.give_back(std::move(a));
  CHECK_FALSE(a);
  CHECK(pool.take().read_end() == end);   // the same one, not a new one
}

TEST_CASE("a pipe that still holds bytes is closed, not lent again") {
  net::pipe_pool pool(1);
  net::pipe p = pool.take();
  const int keeps_open = ::dup(p.read_end());
  REQUIRE(::write(p.write_end(), "left", 4) == 4);
  p.held = 4;
  pool.give_back(std::move(p));
  char bytes[8];
  CHECK(::read(keeps_open, bytes, sizeof bytes) == 4);
  CHECK(::read(keeps_open, bytes, sizeof bytes) == 0);   // no writer is left
  ::close(keeps_open);
  net::pipe fresh = pool.take();
  REQUIRE(fresh);
  CHECK(::read(fresh.read_end(), bytes, sizeof bytes) < 0);   // empty
}

TEST_CASE("a pool of none has none, and what was taken comes back at the end of a scope") {
  net::pipe_pool none(0), one(1);
  CHECK_FALSE(net::taken_pipe(none));
  {
    net::taken_pipe lent(one);
    CHECK(lent);
    CHECK(one.taken() == 1);
    CHECK_FALSE(net::taken_pipe(one));
  }
  CHECK(one.taken() == 0);
}
