#include "store/books.hpp"

#include <catch2/catch.hpp>

#include "scratch.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using kind = key_record::kind;
using test::batch_of;
using test::digest_of;
using test::id_of;

key_claim key_of(unsigned n, unsigned sent = 1) { return {digest_of(n), digest_of(1000 + sent)}; }

struct kit {
  weir::test::scratch_folder folder;
  std::unique_ptr<books> b = open();

  std::unique_ptr<books> open() {
    auto opened = books::open(folder.path("batches.db"), 0);
    if (!opened) FAIL(opened.error().detail);
    return std::move(*opened);
  }
  void reopen() {
    b.reset();
    b = open();
  }
  kind claim(unsigned n) {
    const auto got = b->keys.claim(digest_of(n), 10);
    REQUIRE(got.has_value());
    return got->what;
  }
  void raw(const char* sql) {
    b.reset();
    REQUIRE(database::open(folder.path("batches.db"))->run(sql).has_value());
    b = open();
  }
};

response answer_of(std::string body) {
  return {201, "w1", "Content-Type: text/plain\r\n", test::inline_body(std::move(body))};
}

}  // namespace

TEST_CASE("a key is claimed once, until its request ends") {
  kit k;
  CHECK(k.claim(1) == kind::fresh);
  CHECK(k.claim(1) == kind::running);
  CHECK(k.claim(2) == kind::fresh);
  k.b->keys.release(digest_of(1));
  CHECK(k.claim(1) == kind::fresh);
  REQUIRE(k.b->keys.settle(key_of(1), answer_of("done"), 20).has_value());
  for (int round = 0; round < 2; ++round) {
    const auto got = k.b->keys.claim(digest_of(1), 30);
    REQUIRE(got.has_value());
    CHECK(got->what == kind::finished);
    CHECK(got->fingerprint == key_of(1).fingerprint);
    CHECK(got->answer.status == 201);
    CHECK(got->answer.worker == "w1");
    CHECK(got->answer.fields == "Content-Type: text/plain\r\n");
    CHECK(got->answer.body.bytes == "done");
    CHECK((got->answer.body.size == 4 && got->answer.body.crc == checksum().bytes("done").value()));
    k.reopen();
  }
}

TEST_CASE("a crash frees the claims of requests that were running") {
  kit k;
  CHECK(k.claim(1) == kind::fresh);
  REQUIRE(k.b->begin().has_value());
  REQUIRE(k.b->commit().has_value());
  k.reopen();
  CHECK(k.claim(1) == kind::fresh);
}

TEST_CASE("what a transaction that came to nothing claimed, settled or released never was") {
  kit k;
  CHECK(k.claim(1) == kind::fresh);
  CHECK(k.claim(2) == kind::fresh);
  k.b->keys.committed();
  REQUIRE(k.b->begin().has_value());
  REQUIRE(k.b->keys.settle(key_of(1), answer_of("x"), 20).has_value());
  CHECK(k.claim(1) == kind::finished);
  k.b->keys.release(digest_of(2));
  CHECK(k.claim(2) == kind::fresh);    // and again, in the same one
  k.b->keys.release(digest_of(2));
  CHECK(k.claim(3) == kind::fresh);
  k.b->roll_back();
  CHECK(k.claim(1) == kind::running);
  CHECK(k.claim(2) == kind::running);
  CHECK(k.claim(3) == kind::fresh);
}

TEST_CASE("a batch is added once under its key") {
  kit k;
  const auto first = k.b->add(batch_of(1), key_of(1));
  REQUIRE(first.has_value());
  CHECK_FALSE(first->known);
  const auto again = k.b->add(batch_of(2), key_of(1));
  REQUIRE(again.has_value());
  CHECK(again->known);
  CHECK((again->id == id_of(1) && again->seq == first->seq && again->lane == first->lane));
  CHECK(k.b->batches.find(id_of(2), false).error().what == trouble::not_found);
  const auto asked = k.b->keys.claim(digest_of(1), 30);
  CHECK(asked->what == kind::batch);
  CHECK(asked->id == id_of(1));
  CHECK(asked->fingerprint == key_of(1).fingerprint);
}

TEST_CASE("a key of something else is a conflict, and nothing is added") {
  kit k;
  REQUIRE(k.b->add(batch_of(1), key_of(1)).has_value());
  CHECK(k.claim(2) == kind::fresh);
  REQUIRE(k.b->keys.settle(key_of(3), answer_of("x"), 20).has_value());
  const key_claim others[] = {key_of(1, 2), key_of(2), key_of(3)};
  for (const key_claim& other : others) {
    CHECK(k.b->add(batch_of(5), other).error().what == trouble::conflict);
    CHECK(k.b->batches.find(id_of(5), false).error().what == trouble::not_found);
  }
}

TEST_CASE("a key outlives its batch: what it did is not done again") {
  kit k;
  REQUIRE(k.b->add(batch_of(1), key_of(1)).has_value());
  REQUIRE(k.b->batches.cancel(id_of(1), 5).has_value());
  REQUIRE(k.b->batches.drop(id_of(1)).has_value());
  const auto again = k.b->add(batch_of(2), key_of(1));
  CHECK(again->known);
  CHECK(again->id == id_of(1));
}

TEST_CASE("a key whose record is not what was written is set aside, and is free") {
  const char* hits[] = {"UPDATE keys SET status = 500",  "UPDATE keys SET body = 'evil'",
                        "UPDATE keys SET batch = NULL",  "UPDATE keys SET fingerprint = x'00'",
                        "UPDATE keys SET fields = 'X: '", "UPDATE keys SET created = 1"};
  for (const char* hit : hits) {
    INFO(hit);
    kit k;
    REQUIRE(k.b->keys.settle(key_of(1), answer_of("x"), 20).has_value());
    REQUIRE(k.b->add(batch_of(2), key_of(2)).has_value());
    k.raw(hit);
    const bool of_batch = std::string_view(hit).find("batch") != std::string_view::npos;
    CHECK(k.claim(of_batch ? 2 : 1) == kind::fresh);
    CHECK(k.claim(of_batch ? 2 : 1) == kind::running);
    k.b.reset();
    auto db = database::open(k.folder.path("batches.db"));
    CHECK(*db->number("SELECT count(*) FROM damaged") == 1);
  }
}

TEST_CASE("old keys go, the oldest first, no more than asked") {
  kit k;
  for (unsigned n = 0; n < 6; ++n)
    REQUIRE(k.b->keys.settle(key_of(n), answer_of("x"), 100 + n).has_value());
  CHECK(*k.b->keys.sweep(104, 3) == 3);
  CHECK(k.claim(2) == kind::fresh);
  CHECK(k.claim(3) == kind::finished);
  CHECK(*k.b->keys.sweep(104, 3) == 1);
  CHECK(*k.b->keys.sweep(104, 3) == 0);
  CHECK(k.claim(4) == kind::finished);
}

TEST_CASE("beyond the limit the oldest keys are forgotten, and what they took is added up") {
  kit k;
  const auto settle = [&](unsigned n, std::size_t body) {
    REQUIRE(k.claim(n) == kind::fresh);
    const std::string text(body, 'x');
    REQUIRE(k.b->keys.settle(key_of(n), answer_of(text), 100 + n).has_value());
    k.b->keys.committed();
  };
  k.b->keys.limit(20'000);
  for (unsigned n = 1; n <= 3; ++n) settle(n, 5'000);
  const std::uint64_t three = k.b->keys.bytes();
  CHECK((three > 15'000 && three < 20'000));
  CHECK(k.b->keys.forgotten() == 0);
  settle(4, 10'000);
  CHECK(k.b->keys.forgotten() == 2);
  CHECK(k.claim(1) == kind::fresh);
  CHECK(k.claim(3) == kind::finished);
  k.reopen();
  CHECK(k.b->keys.bytes() > 13'000);
  k.b->keys.limit(20'000);
  settle(5, 30'000);   // more than all: it has the place for itself
  CHECK((k.claim(3) == kind::fresh && k.claim(4) == kind::fresh && k.claim(5) == kind::finished));
  REQUIRE(*k.b->keys.sweep(1000, 10) == 1);
  CHECK(k.b->keys.bytes() == 0);
}

TEST_CASE("what a transaction that came to nothing took and forgot never was") {
  kit k;
  k.b->keys.limit(10'000);
  REQUIRE(k.b->begin().has_value());
  REQUIRE(k.b->keys.settle(key_of(1), answer_of(std::string(6'000, 'x')), 1).has_value());
  REQUIRE(k.b->commit().has_value());
  const std::uint64_t before = k.b->keys.bytes();
  REQUIRE(k.b->begin().has_value());
  REQUIRE(k.b->keys.settle(key_of(2), answer_of(std::string(6'000, 'y')), 2).has_value());
  CHECK(k.b->keys.forgotten() == 1);
  k.b->roll_back();
  CHECK((k.b->keys.forgotten() == 0 && k.b->keys.bytes() == before));
  CHECK(k.claim(1) == kind::finished);
}
