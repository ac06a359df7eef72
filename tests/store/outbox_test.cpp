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

TEST_CASE("messages are kept by name, the newest stands, those due first come first") {
  kit k;
  REQUIRE(k.box.keep({"callback/2", "two", 20}).has_value());
  REQUIRE(k.box.keep({"callback/1", "one", 10}).has_value());
  REQUIRE(k.box.keep({"scale/loaders/0", "want 3", 15}).has_value());
  REQUIRE(k.box.keep({"scale/loaders/0", "want 5", 30}).has_value());
  const std::vector<message> callbacks{{"callback/1", "one", 10}, {"callback/2", "two", 20}};
  CHECK(k.box.all("callback/")->list == callbacks);
  CHECK(k.box.due("callback/", 10)->list == callbacks);
  CHECK(k.box.all("scale/")->list == std::vector<message>{{"scale/loaders/0", "want 5", 30}});
  CHECK(k.box.all("scale/load")->list.size() == 1);
  CHECK(k.box.all("scale/loaders/1")->list.empty());
}

TEST_CASE("of many only those due first are read, whatever else is due") {
  kit k;
  for (int i = 0; i < 50; ++i)
    REQUIRE(k.box.keep({"callback/" + std::to_string(i), "", 1000 - i}).has_value());
  REQUIRE(k.box.keep({"scale/p/0", "", 1}).has_value());
  const auto first = k.box.due("callback/", 3);
  REQUIRE(first->list.size() == 3);
  CHECK(first->list[0].name == "callback/49");
  CHECK(first->list[2].name == "callback/47");
  REQUIRE(k.box.keep({"callback/49", "1", 5000}).has_value());   // put off
  CHECK(k.box.due("callback/", 3)->list[0].name == "callback/48");
}

TEST_CASE("a forgotten message is gone, and may be forgotten again") {
  kit k;
  const message m{"a", "x", 1};
  REQUIRE(k.box.keep(m).has_value());
  CHECK(k.box.forget(m).has_value());
  CHECK(k.box.forget(m).has_value());
  CHECK(k.box.all("a")->list.empty());
}

TEST_CASE("a message that took the name of a forgotten one stays") {
  for (const message& newer : {message{"a", "x", 2}, message{"a", "y", 1}}) {
    kit k;
    REQUIRE(k.box.keep({"a", "x", 1}).has_value());
    REQUIRE(k.box.keep(newer).has_value());
    CHECK(k.box.forget({"a", "x", 1}).has_value());
    CHECK(k.box.all("a")->list == std::vector<message>{newer});
  }
}

TEST_CASE("a message that is not what was written is counted and dropped") {
  for (const char* hit : {"UPDATE messages SET text = 'other' WHERE name = 'm/a'",
                          "UPDATE messages SET due = 7 WHERE name = 'm/a'",
                          "UPDATE messages SET name = 'm/c' WHERE name = 'm/a'"}) {
    for (const bool by_due : {false, true}) {
      kit k;
      REQUIRE(k.box.keep({"m/a", "x", 1}).has_value());
      REQUIRE(k.box.keep({"m/b", "y", 2}).has_value());
      REQUIRE(k.db.run(hit).has_value());
      const auto read = [&] { return by_due ? k.box.due("m/", 9) : k.box.all("m/"); };
      const auto first = read(), second = read();
      CHECK((first->damaged == 1 && first->list == std::vector<message>{{"m/b", "y", 2}}));
      CHECK((second->damaged == 0 && second->list.size() == 1));
    }
  }
}
