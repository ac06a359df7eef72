#include "base/bytes.hpp"

#include <catch2/catch.hpp>

using weir::base::each_byte;

TEST_CASE("a byte stands in each of eight, whatever its top bit") {
  CHECK(each_byte(0) == 0);
  CHECK(each_byte(0x01) == 0x0101010101010101ull);
  CHECK(each_byte(0x80) == 0x8080808080808080ull);
  CHECK(each_byte(0xff) == ~0ull);
}
