#include "store/checksum.hpp"

#include <catch2/catch.hpp>

using weir::store::checksum;

TEST_CASE("bytes alone are CRC-32 as zlib, gzip and PNG have it") {
  CHECK(checksum().value() == 0);
  CHECK(checksum().bytes("123456789").value() == 0xcbf43926);
  CHECK(checksum().bytes("1234").bytes("56789").value() == 0xcbf43926);
}

TEST_CASE("no two records read alike: texts carry their size, numbers all their bytes") {
  CHECK(checksum().text("ab").text("c").value() != checksum().text("a").text("bc").value());
  CHECK(checksum().text("").text("a").value() != checksum().text("a").text("").value());
  CHECK(checksum().number(1).number(0).value() != checksum().number(0).number(1).value());
  CHECK(checksum().real(0.0).value() != checksum().real(-0.0).value());
  CHECK(checksum().number(1ull << 56).value() != checksum().number(1).value());
}

TEST_CASE("nothing more changes nothing, also when it is nowhere") {
  CHECK(checksum().bytes("123456789").bytes({}).value() == 0xcbf43926);
  CHECK(checksum().number(7).text({}).value() == checksum().number(7).text("").value());
  CHECK(checksum().number(7).text({}).value() != checksum().number(8).text({}).value());
}
