#include "store/id_book.hpp"

#include <catch2/catch.hpp>

#include "scratch.hpp"
#include "store/schema.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::id_of;

// A book with short runs, beside rows of batches that hold nothing else.
struct kit {
  database db = std::move(*database::open(":memory:"));
  std::optional<id_book> ids;

  kit() {
    REQUIRE(prepare_schema(db).has_value());
    reopen();
  }
  void reopen() {
    ids.emplace(db, 300);
    REQUIRE(ids->read().has_value());
  }
  void add(unsigned n) {
    auto s = db.prepare("INSERT INTO batches VALUES(?,?,1,'','','','',1,3,'',NULL,0,0,0,0,0,1,0,0,"
                        "0,0,0,0,0)");
    REQUIRE(s.has_value());
    REQUIRE(s->begin().number(n).id(id_of(n)).run().has_value());
    ids->add(id_of(n), n);
  }
  void drop(unsigned n) {
    REQUIRE(db.run(("DELETE FROM batches WHERE seq = " + std::to_string(n)).c_str()).has_value());
    REQUIRE(ids->remove(id_of(n)).has_value());
  }
  // `commits`: else it is rolled back.
  template <class Change>
  void together(Change change, bool commits = true) {
    REQUIRE(db.run("BEGIN").has_value());
    change();
    REQUIRE(ids->file_some().has_value());
    REQUIRE(db.run(commits ? "COMMIT" : "ROLLBACK").has_value());
    commits ? ids->committed() : ids->rolled_back();
  }
  std::int64_t seq(unsigned n) {
    const auto got = ids->seq_of(id_of(n));
    REQUIRE(got.has_value());
    return got->value_or(0);
  }
  std::int64_t filed() { return *db.number("SELECT count(*) FROM ids"); }
};

}  // namespace

TEST_CASE("an id is known at once, while its run is filed, and after it") {
  kit k;
  unsigned next = 1;
  for (int round = 0; round < 40; ++round) {
    k.together([&] { for (int i = 0; i < 37; ++i) k.add(next++); });
    for (unsigned n = 1; n < next; n += 11) CHECK(k.seq(n) == n);
    CHECK(k.seq(next) == 0);
    if (round % 7 == 3) k.reopen();   // a crash, whatever was filed so far
  }
  CHECK(k.filed() > 1000);
  CHECK(*k.db.number("SELECT seq FROM filed") > 900);
}

TEST_CASE("a transaction files a piece of a run, not all of it") {
  kit k;
  k.together([&] { for (unsigned n = 1; n <= 299; ++n) k.add(n); });
  CHECK(k.filed() == 0);
  k.together([&] { k.add(300); });
  CHECK(k.filed() == 256);
  CHECK(*k.db.number("SELECT seq FROM filed") == 0);
  k.together([&] { k.add(301); });
  CHECK(k.filed() == 300);
  CHECK(*k.db.number("SELECT seq FROM filed") == 300);
}

TEST_CASE("what was rolled back is unknown, and the run is filed all the same") {
  kit k;
  k.together([&] { for (unsigned n = 1; n <= 300; ++n) k.add(n); });
  k.together([&] { k.add(301); }, false);
  CHECK(k.seq(301) == 0);
  k.together([&] { k.drop(5); }, false);
  CHECK(k.seq(5) == 5);
  k.together([&] { k.add(301); });
  k.together([&] { k.add(302); }, false);
  k.together([&] { k.add(302); });
  k.together([&] { k.add(303); });
  CHECK(*k.db.number("SELECT seq FROM filed") >= 300);
  for (unsigned n = 1; n <= 303; ++n) CHECK(k.seq(n) == n);
}

TEST_CASE("a dropped one is unknown, from memory and from the table, also after a crash") {
  kit k;
  k.together([&] { for (unsigned n = 1; n <= 10; ++n) k.add(n); });
  k.together([&] { k.drop(3); });
  CHECK(k.seq(3) == 0);
  k.reopen();
  CHECK(k.seq(3) == 0);
  CHECK(k.seq(4) == 4);
  for (unsigned n = 11; n <= 320; ++n) k.together([&] { k.add(n); });
  REQUIRE(*k.db.number("SELECT seq FROM filed") > 10);
  k.together([&] { k.drop(4); });
  CHECK(k.seq(4) == 0);
  k.reopen();
  CHECK(k.seq(4) == 0);
}
