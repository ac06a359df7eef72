// What ended batches may stay for, and the sums that are kept of them.
#include <catch2/catch.hpp>

#include "store/books.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::batch_of;
using test::id_of;

struct kit {
  std::unique_ptr<books> b = std::move(*books::open(":memory:", 0));
  spool_numbers files;

  // Number n ends at `at` with an answer of `bytes`; `spool`: the numbers of both bodies' files.
  void ended(unsigned n, batch_state how, unix_ms at, std::size_t bytes = 0,
             std::pair<std::uint64_t, std::uint64_t> spool = {0, 0}) {
    batch made = batch_of(n, std::string(100, 'b'));
    made.body.spool = spool.first;
    REQUIRE(b->batches.add(made).has_value());
    if (how == batch_state::cancelled) {
      REQUIRE(b->batches.cancel(made.id, at).has_value());
      return;
    }
    REQUIRE(b->batches.open_attempt(made.id, "w1", 1).has_value());
    response r{200, "w1", "", test::inline_body(std::string(bytes, 'a'))};
    r.body.spool = spool.second;
    REQUIRE(b->batches.end_attempt({made.id, {1, "w1", 1, at, "ended", ""}, how, 1, 0, r})
                .has_value());
  }
  swept sweep(retention keep, unix_ms now, std::size_t most = 1000) {
    const auto gone = b->sweep(keep, now, most, files);
    REQUIRE(gone.has_value());
    return *gone;
  }
  bool there(unsigned n) { return b->batches.find(id_of(n), false).has_value(); }
};

constexpr auto good = batch_state::succeeded;
constexpr auto bad = batch_state::failed;
constexpr auto cancelled = batch_state::cancelled;

}  // namespace

TEST_CASE("each kind of ended batch goes by its own age, open ones never") {
  struct row {
    retention keep;
    bool good, cancelled, bad;   // whether each is there afterwards
  };
  const row rows[] = {
      {{0, 0, 0, 0}, true, true, true},
      {{500, 0, 0, 0}, false, false, true},
      {{0, 0, 500, 0}, true, true, false},
      {{500, 0, 500, 0}, false, false, false},
      {{901, 0, 901, 0}, true, true, true},
      {{900, 0, 900, 0}, true, true, true},     // not older than that
      {{899, 0, 900, 0}, false, false, true},
      {{0, 1, 0, 0}, false, false, true},       // a dead letter has its own age alone
  };
  for (const row& r : rows) {
    kit k;
    INFO(r.keep.results << " " << r.keep.results_bytes << " " << r.keep.dead_letters);
    k.ended(1, good, 100);
    k.ended(2, cancelled, 100);
    k.ended(3, bad, 100);
    REQUIRE(k.b->batches.add(batch_of(4)).has_value());
    REQUIRE(k.b->batches.add(batch_of(5)).has_value());
    REQUIRE(k.b->batches.open_attempt(id_of(5), "w1", 1).has_value());
    const auto gone = k.sweep(r.keep, 1000);
    CHECK(k.there(1) == r.good);
    CHECK(k.there(2) == r.cancelled);
    CHECK(k.there(3) == r.bad);
    CHECK((k.there(4) && k.there(5)));
    CHECK(gone.batches == 3u - r.good - r.cancelled - r.bad);
  }
}

TEST_CASE("a sweep does a bounded share of the work, oldest first, and goes on the next time") {
  kit k;
  for (unsigned n = 0; n < 10; ++n) k.ended(n, n % 2 ? good : cancelled, 100 + (n * 7) % 10);
  std::vector<unsigned> order(10);
  for (unsigned n = 0; n < 10; ++n) order[(n * 7) % 10] = n;
  CHECK(k.sweep({1, 0, 0, 0}, 1000, 4).batches == 4);
  for (unsigned i = 0; i < 10; ++i) CHECK(k.there(order[i]) == (i >= 4));
  CHECK(k.sweep({1, 0, 0, 0}, 1000, 4).batches == 4);
  CHECK(k.sweep({1, 0, 0, 0}, 1000, 4).batches == 2);
  CHECK(k.sweep({1, 0, 0, 0}, 1000, 4).batches == 0);
}

TEST_CASE("results go by size, oldest first, until the rest is no more than it may be") {
  kit k;
  for (unsigned n = 0; n < 5; ++n) k.ended(n, good, 100 + n, 100);   // 200 bytes each
  CHECK(k.sweep({0, 1000, 0, 0}, 500).batches == 0);
  CHECK(k.sweep({0, 999, 0, 0}, 500).batches == 1);
  CHECK_FALSE(k.there(0));
  CHECK(k.sweep({0, 401, 0, 0}, 500).batches == 2);
  CHECK((k.there(3) && k.there(4)));
  k.ended(7, good, 200, 250);   // the sum is carried on
  CHECK(k.sweep({0, 750, 0, 0}, 500).batches == 0);
  CHECK(k.sweep({0, 749, 0, 0}, 500, 1).batches == 1);
  CHECK_FALSE(k.there(3));
}

TEST_CASE("the files of what goes are told, and nothing of it stays") {
  kit k;
  k.ended(1, good, 100, 10, {7, 8});
  k.ended(2, bad, 100, 10, {9, 0});
  k.ended(3, good, 100, 10);
  CHECK(*k.b->batches.names_spool(7));
  CHECK(*k.b->batches.names_spool(8));
  CHECK(*k.b->batches.highest_spool() == 9);
  CHECK(k.sweep({1, 0, 0, 0}, 1000).batches == 2);
  std::sort(k.files.begin(), k.files.end());
  CHECK(k.files == spool_numbers{7, 8});
  CHECK_FALSE(*k.b->batches.names_spool(7));
  CHECK(k.b->batches.attempts_of(id_of(1))->empty());
  CHECK(k.b->batches.response_of(id_of(1)).error().what == trouble::not_found);
  CHECK(k.sweep({1, 0, 1, 0}, 1000).batches == 1);
  CHECK(k.files == spool_numbers{9});
}

TEST_CASE("what was set aside as damaged goes with the dead letters") {
  kit k;
  REQUIRE(k.b->batches.add(batch_of(1)).has_value());
  REQUIRE(k.b->batches.set_aside(id_of(1), "a test", 100).has_value());
  CHECK(k.sweep({1, 1, 0, 0}, 1000).batches == 0);
  CHECK(k.sweep({0, 0, 900, 0}, 1000).batches == 0);
  CHECK(k.sweep({0, 0, 899, 0}, 1000).batches == 1);
}

TEST_CASE("the counts that are carried on are those of a fresh count") {
  kit k;
  std::uint32_t seed = 20261;
  INFO("seed " << seed);
  const auto random = [&](unsigned below) {
    seed = seed * 1664525u + 1013904223u;
    return (seed >> 8) % below;
  };
  const auto check = [&] {
    const auto carried = *k.b->batches.counts();
    REQUIRE(k.b->batches.rolled_back().has_value());   // forgets the sums
    const auto fresh = *k.b->batches.counts();
    CHECK((carried.queued == fresh.queued && carried.running == fresh.running));
    CHECK((carried.succeeded == fresh.succeeded && carried.failed == fresh.failed));
    CHECK((carried.cancelled == fresh.cancelled && carried.damaged == fresh.damaged));
    CHECK(carried.bytes == fresh.bytes);
  };
  for (unsigned step = 0; step < 600; ++step) {
    const unsigned n = random(60);
    batch b = batch_of(n, std::string(random(50) + 1, 'x'));
    if (random(3) == 0) b.body.spool = step + 1;
    switch (random(6)) {
      case 0: (void)k.b->batches.add(b); break;
      case 1: (void)k.b->batches.open_attempt(id_of(n), "w", 5); break;
      case 2: {
        response r{200, "w", "", b.body};
        const auto now = k.b->batches.find(id_of(n), false);
        const std::uint32_t number = now ? now->attempts : 1;
        (void)k.b->batches.end_attempt({id_of(n), {number, "w", 5, 9, "x", ""},
                                        random(2) ? good : bad, 1, 0, r});
        break;
      }
      case 3: (void)k.b->batches.cancel(id_of(n), 9); break;
      case 4: (void)k.b->batches.requeue(id_of(n), 9); break;
      case 5: (void)k.b->batches.drop(id_of(n)); break;
    }
    if (step % 20 == 0) check();
  }
  check();
}
