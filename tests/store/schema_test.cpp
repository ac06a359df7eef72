#include "store/schema.hpp"

#include <catch2/catch.hpp>

#include "scratch.hpp"

using namespace weir::store;

namespace {

database opened(const weir::test::scratch_folder& folder) {
  return std::move(*database::open(folder.path("batches.db")));
}

}  // namespace

TEST_CASE("a new database gets its tables, and opening it again changes nothing") {
  weir::test::scratch_folder folder;
  for (int round = 0; round < 2; ++round) {
    database db = opened(folder);
    REQUIRE(prepare_schema(db).has_value());
    CHECK(*db.number("PRAGMA user_version") == schema_version);
    CHECK(*db.number("SELECT count(*) FROM sqlite_master WHERE name = 'batches'") == 1);
    CHECK(*db.number("SELECT count(*) FROM batches") == 0);
  }
}

TEST_CASE("commits are synced in full, and the journal is a write-ahead log") {
  weir::test::scratch_folder folder;
  database db = opened(folder);
  REQUIRE(prepare_schema(db).has_value());
  CHECK(*db.number("PRAGMA synchronous") == 2);
  auto mode = db.prepare("PRAGMA journal_mode");
  auto use = mode->begin();
  REQUIRE(use.next().has_value());
  CHECK(use.text_at(0) == "wal");
}

TEST_CASE("tables that cannot all be made are not made at all") {
  weir::test::scratch_folder folder;
  database db = opened(folder);
  REQUIRE(db.run("CREATE TABLE attempts(x)").has_value());   // stands in the way
  CHECK_FALSE(prepare_schema(db).has_value());
  CHECK(*db.number("PRAGMA user_version") == 0);
  CHECK(*db.number("SELECT count(*) FROM sqlite_master WHERE name = 'batches'") == 0);
}
