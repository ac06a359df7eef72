#include "net/buffers.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <utility>
#include <vector>

using weir::net::buffer;
using weir::net::buffer_pool;

TEST_CASE("a buffer has the pool's size while it is held and none after") {
  buffer_pool pool(4096, 2);
  buffer b;
  CHECK_FALSE(b);
  CHECK(b.size() == 0);
  b = pool.take();
  CHECK(b);
  CHECK(b.size() == 4096);
  CHECK(b.span().size() == 4096);
  CHECK(pool.taken() == 1);
  b.release();
  CHECK_FALSE(b);
  CHECK(pool.taken() == 0);
  b.release();
  CHECK(pool.taken() == 0);
}

TEST_CASE("a released buffer is the next one taken") {
  buffer_pool pool(64, 4);
  buffer b = pool.take();
  const char* place = b.data();
  b.release();
  CHECK(pool.take().data() == place);
}

TEST_CASE("moving hands the buffer over, and what was held before goes back") {
  buffer_pool pool(64, 4);
  buffer one = pool.take();
  const char* place = one.data();
  buffer two = std::move(one);
  CHECK(two.data() == place);
  CHECK_FALSE(one);   // NOLINT: moved-from is empty by contract
  CHECK(pool.taken() == 1);
  two = pool.take();
  CHECK(pool.taken() == 1);
  buffer& same = two;
  two = std::move(same);
  CHECK(two);
  CHECK(pool.taken() == 1);
}

TEST_CASE("no more than `kept` free buffers are kept, whatever was taken at once") {
  buffer_pool pool(64, 3);
  std::vector<buffer> many;
  for (int i = 0; i < 10; ++i) many.push_back(pool.take());
  CHECK(pool.taken() == 10);
  std::set<const char*> places;
  for (const buffer& b : many) places.insert(b.data());
  CHECK(places.size() == 10);
  many.clear();
  CHECK(pool.taken() == 0);
  std::vector<buffer> again;
  int kept = 0;
  for (int i = 0; i < 3; ++i) {
    again.push_back(pool.take());
    kept += static_cast<int>(places.count(again.back().data()));
  }
  CHECK(kept == 3);
}

TEST_CASE("a trim lets go of buffers that stayed free since the one before") {
  buffer_pool pool(64, 10);
  { const buffer a = pool.take(), b = pool.take(); }
  CHECK(pool.trim() == 0);
  CHECK(pool.trim() == 128);
  CHECK(pool.take());
}
