#include "store/sqlite.hpp"

#include <catch2/catch.hpp>

#include "scratch.hpp"

using namespace weir::store;

namespace {

database memory() {
  database db = std::move(*database::open(":memory:"));
  REQUIRE(db.run("CREATE TABLE t(a INTEGER UNIQUE, b REAL, c TEXT, d BLOB)").has_value());
  return db;
}

}  // namespace

TEST_CASE("what is bound from left to right is read by column") {
  database db = memory();
  auto insert = db.prepare("INSERT INTO t VALUES(?,?,?,?)");
  REQUIRE(insert.has_value());
  const std::string bytes("\0x\xff", 3);
  REQUIRE(insert->begin().number(-7).real(0.5).text("t\xc3\xa4xt").blob(bytes).run().has_value());
  REQUIRE(insert->begin().null().real(1).text({}).blob({}).run().has_value());
  auto select = db.prepare("SELECT a, b, c, d FROM t ORDER BY rowid");
  auto use = select->begin();
  REQUIRE(*use.next() == step::row);
  CHECK(use.number_at(0) == -7);
  CHECK(use.real_at(1) == 0.5);
  CHECK(use.text_at(2) == "t\xc3\xa4xt");
  CHECK(use.blob_at(3) == bytes);
  REQUIRE(*use.next() == step::row);
  CHECK(use.null_at(0));
  CHECK(use.text_at(2).empty());
  CHECK_FALSE(use.null_at(2));
  CHECK(*use.next() == step::done);
}

TEST_CASE("an id is sixteen bytes, anything else reads as none") {
  database db = memory();
  batch_id id{};
  id[0] = 1, id[15] = 0xff;
  REQUIRE(db.prepare("INSERT INTO t(d) VALUES(?)")->begin().id(id).run().has_value());
  REQUIRE(db.run("INSERT INTO t(d) VALUES('short')").has_value());
  auto select = db.prepare("SELECT d FROM t ORDER BY rowid");
  auto use = select->begin();
  REQUIRE(use.next().has_value());
  CHECK(use.id_at(0) == id);
  REQUIRE(use.next().has_value());
  CHECK(use.id_at(0) == batch_id{});
}

TEST_CASE("mistakes are values that say whose they are") {
  database db = memory();
  CHECK(db.run("INSERT INTO t(a) VALUES(1)").has_value());
  CHECK(db.changes() == 1);
  CHECK(db.run("INSERT INTO t(a) VALUES(1)").error().what == trouble::conflict);
  CHECK(db.run("nonsense").error().what == trouble::io);
  CHECK(db.prepare("SELECT nothing").error().what == trouble::io);
  weir::test::scratch_folder folder;
  const auto none = database::open(folder.path("no/such/folder.db"));
  REQUIRE_FALSE(none.has_value());
  CHECK_THAT(none.error().detail, Catch::Contains("no/such/folder.db"));
}
