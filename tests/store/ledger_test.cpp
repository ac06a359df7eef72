#include "store/books.hpp"

#include <catch2/catch.hpp>

#include "scratch.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::batch_of;
using test::id_of;

// A ledger whose changes count at once.
struct book {
  weir::test::scratch_folder folder;
  std::unique_ptr<books> b = open();

  std::unique_ptr<books> open(unix_ms now = 0) {
    auto opened = books::open(folder.path("batches.db"), now);
    if (!opened) FAIL(opened.error().detail);
    return std::move(*opened);
  }
  void reopen(unix_ms now = 0) {
    b.reset();
    b = open(now);
  }
  void raw(const char* sql) {
    b.reset();
    {
      auto db = database::open(folder.path("batches.db"));
      REQUIRE(db.has_value());
      REQUIRE(db->run(sql).has_value());
    }
    b = open();
  }
  ledger& l() { return b->batches; }
  std::uint32_t lane(const char* tenant) {
    const auto all = l().lanes();
    REQUIRE(all.has_value());
    for (const lane_state& s : *all)
      if (s.tenant == tenant) return s.lane;
    return 0;
  }
};

finished_attempt ended(const batch_id& id, attempt_note note, batch_state next,
                       unix_ms not_before = 0, std::optional<response> answer = {}) {
  return {id, std::move(note), next, 0, not_before, std::move(answer)};
}

attempt_note note_of(std::uint32_t number, unix_ms ended, std::string outcome = "failed") {
  return {number, "w1", ended - 100, ended, std::move(outcome), "it answered 500"};
}

void check_equal(const batch& a, const batch& b) {
  CHECK(a.id == b.id);
  CHECK((a.pool == b.pool && a.route == b.route && a.tenant == b.tenant && a.key == b.key));
  CHECK((a.method == b.method && a.target == b.target && a.fields == b.fields));
  CHECK((a.cost == b.cost && a.urgency == b.urgency && a.callback == b.callback));
  CHECK((a.deadline == b.deadline && a.created == b.created && a.changed == b.changed));
  CHECK((a.state == b.state && a.attempts == b.attempts && a.not_before == b.not_before));
  CHECK((a.body.size == b.body.size && a.body.crc == b.body.crc && a.body.spool == b.body.spool));
}

batch_state state_of(book& k, unsigned n) {
  const auto b = k.l().find(id_of(n), false);
  REQUIRE(b.has_value());
  return b->state;
}

}  // namespace

TEST_CASE("what was added comes back as it was, also after the file was closed") {
  book k;
  const std::string bytes("\0\xff\r\n", 4);
  batch first = batch_of(1, bytes), empty = batch_of(2, ""), plain = batch_of(3);
  plain.deadline.reset();
  for (const batch* b : {&first, &empty, &plain}) REQUIRE(k.l().add(*b).has_value());
  for (int round = 0; round < 2; ++round) {
    for (const batch* b : {&first, &empty, &plain}) {
      const auto got = k.l().find(b->id, true);
      REQUIRE(got.has_value());
      check_equal(*got, *b);
      CHECK(got->body.bytes == b->body.bytes);
    }
    CHECK(k.l().find(first.id, false)->body.bytes.empty());
    k.reopen();
  }
  CHECK(k.l().find(id_of(9), true).error().what == trouble::not_found);
}

TEST_CASE("an id is taken once") {
  book k;
  REQUIRE(k.l().add(batch_of(1)).has_value());
  CHECK(k.l().add(batch_of(1)).error().what == trouble::conflict);
}

TEST_CASE("what was not committed never was") {
  book k;
  REQUIRE(k.b->begin().has_value());
  REQUIRE(k.l().add(batch_of(1)).has_value());
  k.b->roll_back();
  CHECK_FALSE(k.l().find(id_of(1), false).has_value());
  REQUIRE(k.b->begin().has_value());
  REQUIRE(k.l().add(batch_of(2)).has_value());
  REQUIRE(k.b->commit().has_value());
  k.reopen();
  CHECK(k.l().find(id_of(2), false).has_value());
}

TEST_CASE("every state takes the changes that it may, and refuses the others with a conflict") {
  enum change { start, end_well, cancel, requeue, drop };
  struct row {
    batch_state from;
    bool start, cancel, requeue, drop;
  };
  const row rows[] = {
      {batch_state::queued, true, true, false, false},
      {batch_state::running, true, true, false, false},   // a crash left it: tried again
      {batch_state::succeeded, false, false, false, true},
      {batch_state::failed, false, false, true, true},
      {batch_state::cancelled, false, false, false, true},
      {batch_state::damaged, false, false, false, true},
  };
  for (const row& r : rows) {
    for (const change what : {start, cancel, requeue, drop}) {
      book k;
      batch b = batch_of(1);
      b.state = r.from;
      REQUIRE(k.l().add(b).has_value());
      INFO(static_cast<int>(r.from) << " " << what);
      const auto told = [&]() -> outcome<void> {
        if (what == cancel) return k.l().cancel(b.id, 5);
        if (what == requeue)
          if (const auto again = k.l().requeue(b.id, 5); !again) return again.error();
        if (what == start)
          if (const auto n = k.l().open_attempt(b.id, "w1", 5); !n) return n.error();
        if (what == drop)
          if (const auto files = k.l().drop(b.id); !files) return files.error();
        return {};
      }();
      const bool may = what == start     ? r.start
                       : what == cancel  ? r.cancel
                       : what == requeue ? r.requeue
                                         : r.drop;
      CHECK(told.has_value() == may);
      if (!may) CHECK(told.error().what == trouble::conflict);
      if (!may) CHECK(state_of(k, 1) == r.from);
      if (may && what == cancel) CHECK(state_of(k, 1) == batch_state::cancelled);
      if (may && what == requeue) CHECK(state_of(k, 1) == batch_state::queued);
      if (may && what == start) CHECK(state_of(k, 1) == batch_state::running);
      if (may && what == drop)
        CHECK(k.l().find(b.id, false).error().what == trouble::not_found);
    }
  }
}

TEST_CASE("numbers of attempts only rise: after a failure, a crash and a requeue") {
  book k;
  const auto id = id_of(1);
  REQUIRE(k.l().add(batch_of(1)).has_value());
  CHECK(k.l().open_attempt(id, "w1", 10)->number == 1);
  REQUIRE(k.l().end_attempt(ended(id, note_of(1, 20), batch_state::queued, 500)).has_value());
  CHECK(k.l().find(id, false)->not_before == 500);
  CHECK(k.l().open_attempt(id, "w2", 600)->number == 2);
  k.reopen(650);
  CHECK(state_of(k, 1) == batch_state::queued);
  CHECK(k.l().open_attempt(id, "w1", 700)->number == 3);
  REQUIRE(k.l().end_attempt(ended(id, note_of(3, 800), batch_state::failed, 0)).has_value());
  REQUIRE(k.l().requeue(id, 900).has_value());
  CHECK(k.l().open_attempt(id, "w1", 1000)->number == 4);
  const auto notes = k.l().attempts_of(id);
  REQUIRE(notes->size() == 4);
  CHECK((*notes)[0].outcome == "failed");
  CHECK((*notes)[0].detail == "it answered 500");
  CHECK((*notes)[1].worker == "w2");
  CHECK((*notes)[1].outcome == "interrupted");   // the crash
  CHECK((*notes)[1].ended == 650);
  CHECK((*notes)[3].began == 1000);
}

TEST_CASE("a result is kept with its batch, and goes with it") {
  book k;
  const auto id = id_of(1);
  REQUIRE(k.l().add(batch_of(1)).has_value());
  CHECK(k.l().response_of(id).error().what == trouble::not_found);
  REQUIRE(k.l().open_attempt(id, "w1", 10).has_value());
  response r{201, "w1", "Content-Type: text/plain\r\n", test::inline_body("loaded 3 rows")};
  REQUIRE(k.l().end_attempt(ended(id, note_of(1, 20, "succeeded"), batch_state::succeeded, 0, r))
              .has_value());
  k.reopen();
  const auto got = k.l().response_of(id);
  REQUIRE(got.has_value());
  CHECK(got->status == 201);
  CHECK(got->worker == "w1");
  CHECK(got->fields == r.fields);
  CHECK(got->body.bytes == "loaded 3 rows");
  REQUIRE(k.l().drop(id).has_value());
  CHECK(k.l().response_of(id).error().what == trouble::not_found);
}

TEST_CASE("a cancel stands, whatever an attempt that was under way comes to") {
  book k;
  const auto id = id_of(1);
  REQUIRE(k.l().add(batch_of(1)).has_value());
  REQUIRE(k.l().open_attempt(id, "w1", 10).has_value());
  REQUIRE(k.l().cancel(id, 15).has_value());
  response r{200, "w1", "", {}};
  REQUIRE(k.l().end_attempt(ended(id, note_of(1, 20, "succeeded"), batch_state::succeeded, 0, r))
              .has_value());
  CHECK(state_of(k, 1) == batch_state::cancelled);
  CHECK(k.l().attempts_of(id)->at(0).outcome == "succeeded");   // it is told all the same
}

TEST_CASE("lists go by page, state, pool and tenant") {
  book k;
  for (unsigned n = 0; n < 10; ++n) REQUIRE(k.l().add(batch_of(n)).has_value());
  REQUIRE(k.l().cancel(id_of(4), 5).has_value());
  batch_query q;
  q.limit = 4;
  std::vector<batch_id> seen;
  for (;;) {
    const auto page = k.l().list(q);
    REQUIRE(page.has_value());
    if (page->empty()) break;
    for (const batch_line& b : *page) seen.push_back(b.id);
    q.after = page->back().seq;
  }
  REQUIRE(seen.size() == 10);
  for (unsigned n = 0; n < 10; ++n) CHECK(seen[n] == id_of(n));
  CHECK(k.l().list({{}, "", "odd"})->size() == 5);
  CHECK(k.l().list({{}, "other", ""})->empty());
  const auto cancelled = k.l().list({batch_state::cancelled, "loaders", ""});
  REQUIRE(cancelled->size() == 1);
  CHECK(cancelled->at(0).id == id_of(4));
}

TEST_CASE("a lane's queued batches are loaded in order of arrival, page by page") {
  book k;
  for (unsigned n = 0; n < 14; ++n) REQUIRE(k.l().add(batch_of(n)).has_value());
  REQUIRE(k.l().open_attempt(id_of(2), "w1", 5).has_value());
  REQUIRE(k.l().cancel(id_of(4), 5).has_value());
  const auto lane = k.lane("even");
  std::vector<batch_id> seen;
  for (std::int64_t after = 0;;) {
    const auto page = k.l().load(lane, after, 2);
    REQUIRE(page.has_value());
    for (const batch& b : page->batches) {
      check_equal(b, *k.l().find(b.id, false));
      CHECK(b.body.bytes.empty());
      seen.push_back(b.id), after = b.seq;
    }
    if (page->batches.size() < 2) break;
  }
  CHECK(seen == std::vector{id_of(0), id_of(6), id_of(8), id_of(10), id_of(12)});
  CHECK(k.l().load(lane + 100, 0, 5)->batches.empty());
}

TEST_CASE("a record that is not what was written is told as damaged, and can be set aside") {
  const char* hits[] = {
      "UPDATE lanes SET pool = 'other'",     "UPDATE batches SET fields = fields || 'X: y'",
      "UPDATE batches SET cost = cost + 1",  "UPDATE batches SET deadline = NULL",
      "UPDATE batches SET attempts = 7",     "UPDATE batches SET not_before = 1",
      "UPDATE batches SET body_size = 3",    "UPDATE batches SET key = ''",
      "UPDATE batches SET tries = 1",        "UPDATE batches SET changed = changed + 1",
  };
  for (const char* hit : hits) {
    INFO(hit);
    book k;
    REQUIRE(k.l().add(batch_of(1)).has_value());
    const auto lane = k.lane("odd");
    k.raw(hit);
    CHECK(k.l().find(id_of(1), false).error().what == trouble::damaged);
    CHECK(k.l().open_attempt(id_of(1), "w1", 9).error().what == trouble::damaged);
    const auto page = k.l().load(lane, 0, 10);
    CHECK(page->batches.empty());
    REQUIRE(page->damaged.size() == 1);
    REQUIRE(k.l().set_aside(page->damaged[0].first, page->damaged[0].second.detail, 5).has_value());
    CHECK(k.l().load(lane, 0, 10)->damaged.empty());
    CHECK(k.l().list({batch_state::damaged, "", ""})->size() == 1);
    CHECK(k.l().drop(id_of(1)).has_value());
    CHECK(k.l().list({})->empty());
  }
}

TEST_CASE("a body's and a result's bytes are checked when they are read") {
  book k;
  REQUIRE(k.l().add(batch_of(1)).has_value());
  REQUIRE(k.l().open_attempt(id_of(1), "w1", 5).has_value());
  response r{200, "w1", "", test::inline_body("good")};
  REQUIRE(k.l().end_attempt(ended(id_of(1), note_of(1, 9), batch_state::succeeded, 0, r))
              .has_value());
  k.raw("UPDATE bodies SET bytes = 'row,2' || x'0a'; UPDATE responses SET bytes = 'evil'");
  CHECK(k.l().find(id_of(1), false).has_value());
  CHECK(k.l().find(id_of(1), true).error().what == trouble::damaged);
  CHECK(k.l().response_of(id_of(1)).error().what == trouble::damaged);
}

TEST_CASE("a database of a newer weir is left alone") {
  weir::test::scratch_folder folder;
  {
    auto db = database::open(folder.path("batches.db"));
    REQUIRE(db->run("PRAGMA user_version = 99; PRAGMA application_id = 2003134819").has_value());
  }
  const auto refused = books::open(folder.path("batches.db"), 0);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().what == trouble::conflict);
  CHECK_THAT(refused.error().detail, Catch::Contains("newer weir"));
}

TEST_CASE("a file that is no database is told as damaged") {
  weir::test::scratch_folder folder;
  folder.write("batches.db", std::string(5000, 'x'));
  const auto refused = books::open(folder.path("batches.db"), 0);
  REQUIRE_FALSE(refused.has_value());
  CHECK(refused.error().what == trouble::damaged);
}
