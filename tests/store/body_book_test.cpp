#include "store/body_book.hpp"

#include <catch2/catch.hpp>

#include <map>
#include <random>

#include "scratch.hpp"
#include "store/schema.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::inline_body;

constexpr std::uint64_t small = 16 * log_block;

struct kit {
  weir::test::scratch_folder folder;
  std::optional<database> db;
  std::unique_ptr<body_log> log;
  std::optional<body_book> book;

  kit() { open(); }
  void open() {
    book.reset(), db.reset();
    auto opened = database::open(folder.path("batches.db"));
    REQUIRE(opened.has_value());
    db.emplace(std::move(*opened));
    REQUIRE(prepare_schema(*db).has_value());
    log = std::make_unique<body_log>(folder.path("bodies"), small);
    REQUIRE(log->open().has_value());
    book.emplace(*db, log.get());
    REQUIRE(book->read().has_value());
  }
  template <class Change>
  void transaction(Change change) {
    REQUIRE(db->run("BEGIN").has_value());
    change();
    REQUIRE(book->before_commit().has_value());
    REQUIRE(db->run("COMMIT").has_value());
    book->committed();
  }
  void add(std::int64_t seq, const std::string& body) {
    transaction([&] { REQUIRE(book->insert(seq, inline_body(body)).has_value()); });
  }
  void remove(std::int64_t seq) {
    transaction([&] { REQUIRE(book->remove(seq).has_value()); });
  }
  std::int64_t count(const char* table) {
    return *db->number((std::string("SELECT count(*) FROM ") + table).c_str());
  }
};

std::string body_of(std::int64_t seq) {
  return std::string(9000 + static_cast<std::size_t>(seq % 7) * 1000,
                     static_cast<char>('a' + seq % 26));
}

}  // namespace

TEST_CASE("short bodies are in the database, longer ones in the log, spooled ones in neither") {
  kit k;
  const std::string shorter(body_book::logged_min - 1, 's'), longer(body_book::logged_min, 'l');
  k.add(1, shorter);
  k.add(2, longer);
  payload spooled;
  spooled.size = 100'000, spooled.spool = 7;
  k.transaction([&] { REQUIRE(k.book->insert(3, spooled).has_value()); });
  k.add(4, "");
  CHECK((k.count("bodies") == 1 && k.count("logged") == 1));
  for (int round = 0; round < 2; ++round) {
    CHECK(*k.book->of(1) == shorter);
    CHECK(*k.book->of(2) == longer);
    CHECK(k.book->of(3)->empty());
    CHECK(k.book->of(4)->empty());
    k.open();
  }
  k.remove(1), k.remove(2), k.remove(3);
  CHECK((k.count("bodies") == 0 && k.count("logged") == 0));
}

TEST_CASE("without a log all are in the database") {
  kit k;
  body_book plain(*k.db, nullptr);
  REQUIRE(plain.insert(1, inline_body(body_of(1))).has_value());
  CHECK(*plain.of(1) == body_of(1));
  CHECK(k.count("bodies") == 1);
  CHECK(*plain.move_some() == 0);
}

TEST_CASE("whatever comes and goes, what is there is whole, and the log does not grow for ever") {
  kit k;
  std::mt19937 random(GENERATE(1u, 2u, 3u));
  std::map<std::int64_t, std::string> there;
  std::int64_t next = 1;
  for (int round = 0; round < 600; ++round) {
    if (random() % 100 < 2) k.open();
    k.add(next, body_of(next));
    there[next] = body_of(next);
    ++next;
    // Most go soon; one of ten stays for long.
    for (auto it = there.begin(); it != there.end();) {
      const bool goes = it->first % 10 != 0 ? next - it->first > 12 : next - it->first > 200;
      if (goes) k.remove(it->first);
      it = goes ? there.erase(it) : std::next(it);
    }
    k.transaction([&] { REQUIRE(k.book->move_some().has_value()); });
  }
  for (const auto& [seq, body] : there) CHECK(*k.book->of(seq) == body);
  // About 32 bodies of at most 4 blocks are there: 8 segments. Half of it may be waste.
  CHECK(k.log->bytes() <= (2 * 8 + body_log::spare_max + 2) * small);
  while (*[&] {
    std::size_t moved = 0;
    k.transaction([&] { moved = *k.book->move_some(); });
    return std::optional(moved);
  }() > 0) {}
  CHECK_FALSE(k.log->wasteful());
}

TEST_CASE("a body that cannot be read keeps its segment, and those before it are moved") {
  kit k;
  for (std::int64_t seq = 1; seq <= 24; ++seq) k.add(seq, body_of(7));   // three blocks each
  k.add(25, body_of(7));
  for (std::int64_t seq = 1; seq <= 24; ++seq)
    if (seq % 5 > 1) k.remove(seq);
  REQUIRE(k.log->wasteful());
  const auto bad = *k.log->wasteful();
  std::filesystem::remove(segment_path(k.folder.path("bodies"), bad));
  k.transaction([&] { CHECK(*k.book->move_some() == 0); });
  CHECK(k.log->wasteful() != bad);
}
