#include "store/outbox.hpp"

#include <catch2/catch.hpp>

#include "store/schema.hpp"

namespace {

using namespace weir::store;

struct kit {
  database db = std::move(*database::open(":memory:"));
  outbox box{db};
  kit() { REQUIRE(prepare_schema(db).has_value()); }
};

}  // namespace

TEST_CASE("messages are kept by name, the newest stands, the oldest comes first") {
  kit k;
  REQUIRE(k.box.keep({"callback/2", "two", 20}).has_value());
  REQUIRE(k.box.keep({"callback/1", "one", 10}).has_value());
  REQUIRE(k.box.keep({"scale/loaders/0", "want 3", 15}).has_value());
  REQUIRE(k.box.keep({"scale/loaders/0", "want 5", 30}).has_value());
  const auto all = k.box.all();
  REQUIRE(all->size() == 3);
  CHECK((all->at(0).name == "callback/1" && all->at(0).text == "one" && all->at(0).created == 10));
  CHECK(all->at(1).name == "callback/2");
  CHECK((all->at(2).name == "scale/loaders/0" && all->at(2).text == "want 5"));
}

TEST_CASE("a forgotten message is gone, and may be forgotten again") {
  kit k;
  REQUIRE(k.box.keep({"a", "x", 1}).has_value());
  CHECK(k.box.forget("a").has_value());
  CHECK(k.box.forget("a").has_value());
  CHECK(k.box.all()->empty());
}

TEST_CASE("a message that is not what was written is left out") {
  for (const char* hit : {"UPDATE messages SET text = 'other' WHERE name = 'a'",
                          "UPDATE messages SET created = 7 WHERE name = 'a'",
                          "UPDATE messages SET name = 'c' WHERE name = 'a'"}) {
    kit k;
    REQUIRE(k.box.keep({"a", "x", 1}).has_value());
    REQUIRE(k.box.keep({"b", "y", 2}).has_value());
    REQUIRE(k.db.run(hit).has_value());
    const auto all = k.box.all();
    REQUIRE(all->size() == 1);
    CHECK(all->at(0).name == "b");
  }
}
