#include "store/local_engine.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <thread>

#include "scratch.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::answer;
using test::batch_of;
using test::id_of;

struct kit {
  weir::test::scratch_folder folder;
  std::unique_ptr<local_engine> engine;

  kit() { open(); }
  void open() {
    engine.reset();
    local_settings s;
    s.folder = folder.path("state");
    auto made = local_engine::open(s);
    if (!made) FAIL(made.error().detail);
    engine = std::move(*made);
  }
  std::vector<batch> loaded() { return test::queued(*engine); }
  outcome<added> add(batch b, std::optional<key_claim> key = {}) {
    return answer<added>([&](auto t) { engine->add(b, key, t); });
  }
  outcome<opened_attempt> start(unsigned n, unix_ms now = 5) {
    return answer<opened_attempt>([&](auto t) { engine->open_attempt(id_of(n), "w1", now, t); });
  }
};

}  // namespace

TEST_CASE("what was answered is there after the store was closed and opened") {
  kit k;
  REQUIRE(k.add(batch_of(1)).has_value());
  REQUIRE(k.add(batch_of(2)).has_value());
  CHECK(k.start(1)->number == 1);
  k.open();
  const auto all = k.loaded();
  REQUIRE(all.size() == 2);
  CHECK(all[0].id == id_of(1));
  CHECK(all[0].attempts == 1);
  CHECK(all[1].id == id_of(2));
  CHECK(answer<batch>([&](auto t) { k.engine->find(id_of(2), true, t); })->body.bytes == "row,1\n");
}

TEST_CASE("a batch's whole life through the engine") {
  kit k;
  const auto id = id_of(1);
  REQUIRE(k.add(batch_of(1)).has_value());
  REQUIRE(k.start(1)->what.body.bytes == "row,1\n");
  finished_attempt how;
  how.id = id;
  how.note = {1, "w1", 5, 9, "succeeded", ""};
  how.next = batch_state::succeeded;
  how.answer = response{200, "w1", "X: y\r\n", test::inline_body("done")};
  REQUIRE(answer<void>([&](auto t) { k.engine->end_attempt(how, t); }).has_value());
  CHECK(answer<response>([&](auto t) { k.engine->response_of(id, t); })->body.bytes == "done");
  CHECK(answer<std::vector<attempt_note>>([&](auto t) { k.engine->attempts_of(id, t); })->size() ==
        1);
  CHECK(answer<std::vector<batch_line>>([&](auto t) { k.engine->list({}, t); })->size() == 1);
  CHECK(answer<void>([&](auto t) { k.engine->cancel(id, 10, t); }).error().what ==
        trouble::conflict);
  CHECK(answer<batch>([&](auto t) { k.engine->requeue(id, 10, t); }).error().what ==
        trouble::conflict);
  REQUIRE(answer<void>([&](auto t) { k.engine->drop(id, t); }).has_value());
  CHECK(answer<batch>([&](auto t) { k.engine->find(id, false, t); }).error().what ==
        trouble::not_found);
}

TEST_CASE("a dropped batch's spool file goes with it, one that nobody names is swept") {
  kit k;
  std::vector<payload> bodies;
  for (int i = 0; i < 2; ++i) {
    auto w = k.engine->bodies().create();
    REQUIRE(w->write("a long body").has_value());
    bodies.push_back(*w->finish());
  }
  batch b = batch_of(1);
  b.body = bodies[0];
  REQUIRE(k.add(b).has_value());
  k.open();
  CHECK(k.engine->bodies().verify(bodies[0]).has_value());
  CHECK_FALSE(k.engine->bodies().verify(bodies[1]).has_value());
  auto next = k.engine->bodies().create();
  REQUIRE(next->write("x").has_value());
  CHECK(next->finish()->spool == 2);   // above all that are named
  REQUIRE(answer<void>([&](auto t) { k.engine->cancel(b.id, 5, t); }).has_value());
  REQUIRE(answer<void>([&](auto t) { k.engine->drop(b.id, t); }).has_value());
  CHECK_FALSE(k.engine->bodies().verify(bodies[0]).has_value());
}

TEST_CASE("many callers share a commit, and each is answered for its own change") {
  kit k;
  constexpr unsigned threads = 8, each = 200;
  std::atomic<unsigned> good{0}, conflicts{0};
  std::vector<std::thread> callers;
  for (unsigned t = 0; t < threads; ++t) {
    callers.emplace_back([&, t] {
      for (unsigned i = 0; i < each; ++i) {
        // Two of the callers add the same batches.
        const unsigned n = (t < 2 ? 0 : t) * each + i;
        k.engine->add(batch_of(n), {}, [&](outcome<added> got) {
          if (got) ++good;
          else if (got.error().what == trouble::conflict) ++conflicts;
        });
      }
    });
  }
  for (auto& c : callers) c.join();
  // Asked last, answered last.
  (void)answer<std::vector<batch_line>>([&](auto t) { k.engine->list({}, t); });
  CHECK(good == (threads - 1) * each);
  CHECK(conflicts == each);
  CHECK(k.engine->commits() < threads * each);
  k.open();
  CHECK(k.loaded().size() == (threads - 1) * each);
}

TEST_CASE("what was asked before the end is done and answered") {
  kit k;
  std::atomic<unsigned> good{0};
  for (unsigned n = 0; n < 500; ++n)
    k.engine->add(batch_of(n), {}, [&](outcome<added> got) { good += got.has_value(); });
  k.engine.reset();
  CHECK(good == 500);
}

TEST_CASE("two stores on one folder: the second is refused") {
  kit k;
  local_settings s;
  s.folder = k.folder.path("state");
  REQUIRE(k.add(batch_of(1)).has_value());
  const auto second = local_engine::open(s);
  REQUIRE_FALSE(second.has_value());
  CHECK_THAT(second.error().detail, Catch::Contains("locked"));
}

TEST_CASE("a damaged record is set aside at the start, and the others are taken up") {
  kit k;
  for (unsigned n = 0; n < 3; ++n)
    REQUIRE(k.add(batch_of(n)).has_value());
  k.engine.reset();
  {
    auto db = database::open(k.folder.path("state/batches.db"));
    REQUIRE(db->run("UPDATE batches SET target = '/elsewhere' WHERE seq = 2").has_value());
  }
  k.open();
  CHECK(k.loaded().size() == 2);
  CHECK(k.engine->damaged() == 1);
  k.open();
  CHECK(k.loaded().size() == 2);
  CHECK(k.engine->damaged() == 0);   // it is told once
}

TEST_CASE("a batch that was running when weir was killed waits again, its attempt interrupted") {
  kit k;
  for (unsigned n = 0; n < 3; ++n) REQUIRE(k.add(batch_of(n)).has_value());
  REQUIRE(k.start(1, 50).has_value());
  k.engine.reset();
  local_settings s;
  s.folder = k.folder.path("state");
  s.now = 777;
  k.engine = std::move(*local_engine::open(s));
  const auto all = k.loaded();
  REQUIRE(all.size() == 3);
  CHECK((all[1].state == batch_state::queued && all[1].attempts == 1));
  const auto notes =
      answer<std::vector<attempt_note>>([&](auto t) { k.engine->attempts_of(id_of(1), t); });
  REQUIRE(notes->size() == 1);
  CHECK((notes->at(0).outcome == "interrupted" && notes->at(0).ended == 777));
  CHECK(k.start(1, 800)->number == 2);
}

TEST_CASE("lanes add up what is open, by pool, route and tenant, and outlive a restart") {
  kit k;
  for (unsigned n = 0; n < 5; ++n) REQUIRE(k.add(batch_of(n, "12345")).has_value());
  REQUIRE(answer<void>([&](auto t) { k.engine->cancel(id_of(0), 5, t); }).has_value());
  REQUIRE(k.start(2).has_value());
  std::uint32_t even = 0;
  for (int round = 0; round < 2; ++round) {
    const auto lanes = answer<std::vector<lane_state>>([&](auto t) { k.engine->lanes(t); });
    REQUIRE(lanes->size() == 2);
    const lane_state& l = lanes->at(lanes->at(0).tenant == "even" ? 0 : 1);
    CHECK((l.pool == "loaders" && l.route == "orders"));
    CHECK((l.batches == 2 && l.bytes == 10 && l.cost == 25 && l.oldest == 1'000'002));
    if (round == 1) CHECK(l.lane == even);
    even = l.lane;
    k.open();
  }
  for (unsigned n : {1u, 3u})
    REQUIRE(answer<void>([&](auto t) { k.engine->cancel(id_of(n), 5, t); }).has_value());
  for (unsigned n : {1u, 3u})
    REQUIRE(answer<void>([&](auto t) { k.engine->drop(id_of(n), t); }).has_value());
  CHECK(answer<std::vector<lane_state>>([&](auto t) { k.engine->lanes(t); })->size() == 1);
}

TEST_CASE("the counts are of all states, and of the bytes on disk") {
  kit k;
  for (unsigned n = 0; n < 4; ++n) REQUIRE(k.add(batch_of(n)).has_value());
  const auto count = [&] {
    return *answer<store_counts>([&](auto t) { k.engine->count(t); });
  };
  CHECK(count().queued == 4);
  REQUIRE(k.start(0).has_value());
  REQUIRE(answer<void>([&](auto t) { k.engine->cancel(id_of(1), 5, t); }).has_value());
  const store_counts n = count();
  CHECK((n.queued == 2 && n.running == 1 && n.cancelled == 1));
  CHECK(n.bytes > 16384);
  batch large = batch_of(9);
  auto w = k.engine->bodies().create();
  REQUIRE(w->write(std::string(1'000'000, 'x')).has_value());
  large.body = *w->finish();
  REQUIRE(k.add(large).has_value());
  CHECK(count().bytes >= n.bytes + 1'000'000);
}

TEST_CASE("a sweep removes the spool files of what went, after it went") {
  kit k;
  auto w = k.engine->bodies().create();
  REQUIRE(w->write("a long body").has_value());
  batch b = batch_of(1);
  b.body = *w->finish();
  REQUIRE(k.add(b).has_value());
  REQUIRE(answer<void>([&](auto t) { k.engine->cancel(b.id, 100, t); }).has_value());
  const auto sweep = [&](unix_ms now) {
    return *answer<swept>([&](auto t) { k.engine->sweep({10, 0, 0, 0}, now, t); });
  };
  CHECK(sweep(110).batches == 0);
  CHECK(k.engine->bodies().verify(b.body).has_value());
  CHECK(sweep(111).batches == 1);
  CHECK_FALSE(k.engine->bodies().verify(b.body).has_value());
}

TEST_CASE("an answer that nobody takes leaves no file behind") {
  kit k;
  REQUIRE(k.add(batch_of(1)).has_value());
  REQUIRE(k.start(1).has_value());
  REQUIRE(answer<void>([&](auto t) { k.engine->cancel(id_of(1), 9, t); }).has_value());
  auto w = k.engine->bodies().create();
  REQUIRE(w->write("a long answer").has_value());
  const payload body = *w->finish();
  const finished_attempt late{id_of(1), {1, "w1", 5, 9, "succeeded", ""}, batch_state::succeeded,
                              1, 0, response{200, "w1", "", body}};
  REQUIRE(answer<void>([&](auto t) { k.engine->end_attempt(late, t); }).has_value());
  CHECK_FALSE(k.engine->bodies().verify(body).has_value());
}

TEST_CASE("a batch whose body is damaged is set aside when its attempt is opened") {
  kit k;
  for (unsigned n = 0; n < 2; ++n) REQUIRE(k.add(batch_of(n)).has_value());
  k.engine.reset();
  {
    auto db = database::open(k.folder.path("state/batches.db"));
    REQUIRE(db->run("UPDATE bodies SET bytes = x'00' WHERE seq = 1").has_value());
  }
  k.open();
  CHECK(k.start(0).error().what == trouble::damaged);
  CHECK(k.engine->damaged() == 1);
  CHECK(k.loaded().size() == 1);
  CHECK(k.start(1).has_value());
  const auto aside = answer<std::vector<batch_line>>(
      [&](auto t) { k.engine->list({batch_state::damaged, "", ""}, t); });
  REQUIRE(aside->size() == 1);
  CHECK(aside->at(0).id == id_of(0));
}

TEST_CASE("keys and messages through the engine, also of one that is in memory alone") {
  kit on_disk;
  auto in_memory = std::move(*local_engine::open({}));
  for (local_engine* e : {on_disk.engine.get(), in_memory.get()}) {
    const key_claim key{test::digest_of(1), test::digest_of(2)};
    const auto claim = [&] {
      return answer<key_record>([&](auto t) { e->claim_key(key.scope, 5, t); })->what;
    };
    CHECK(claim() == key_record::kind::fresh);
    CHECK(claim() == key_record::kind::running);
    e->release_key(key.scope);
    CHECK(claim() == key_record::kind::fresh);
    const response r{200, "w1", "", test::inline_body("x")};
    REQUIRE(answer<void>([&](auto t) { e->settle_key(key, r, 9, t); }).has_value());
    CHECK(claim() == key_record::kind::finished);
    CHECK(answer<swept>([&](auto t) { e->sweep({0, 0, 0, 10}, 20, t); })->keys == 1);
    CHECK(claim() == key_record::kind::fresh);
    REQUIRE(answer<void>([&](auto t) { e->keep_message({"a", "b", 1}, t); }).has_value());
    CHECK(answer<message_page>([&](auto t) { e->messages("a", t); })->list.size() == 1);
    REQUIRE(answer<void>([&](auto t) { e->forget_message({"a", "b", 1}, t); }).has_value());
    CHECK(answer<message_page>([&](auto t) { e->messages("a", t); })->list.empty());
  }
}

TEST_CASE("bodies of the log outlive a restart, and few that stay do not keep its disk space") {
  weir::test::scratch_folder folder;
  local_settings s;
  s.folder = folder.path("state"), s.segment_bytes = 64 << 10;
  auto e = std::move(*local_engine::open(s));
  const auto body = [](unsigned n) { return std::string(12000, static_cast<char>('a' + n % 26)); };
  const auto disk = [&] {
    return answer<store_counts>([&](auto t) { e->count(t); })->bytes;
  };
  for (unsigned n = 0; n < 400; ++n)
    REQUIRE(answer<added>([&](auto t) { e->add(batch_of(n, body(n)), {}, t); }).has_value());
  const auto full = disk();
  for (unsigned n = 0; n < 400; ++n) {
    if (n % 20 == 0) continue;
    (void)answer<void>([&](auto t) { e->cancel(id_of(n), 5, t); });
    REQUIRE(answer<void>([&](auto t) { e->drop(id_of(n), t); }).has_value());
  }
  e.reset();
  e = std::move(*local_engine::open(s));
  for (unsigned n = 1000; n < 1040; ++n)
    REQUIRE(answer<added>([&](auto t) { e->add(batch_of(n, body(n)), {}, t); }).has_value());
  CHECK(disk() < full / 2);
  for (unsigned n = 0; n < 1040; n += n < 400 ? 20 : 1)
    if (n < 400 || n >= 1000)
      CHECK(answer<batch>([&](auto t) { e->find(id_of(n), true, t); })->body.bytes == body(n));
}

namespace {

std::size_t disk_free = SIZE_MAX;   // as the store sees it

}  // namespace

TEST_CASE("new batches leave a reserve of the disk to those that are there") {
  weir::test::scratch_folder folder;
  local_settings s;
  s.folder = folder.path("state"), s.reserve_bytes = 1 << 20;
  auto e = std::move(*local_engine::open(s));
  const auto add = [&](unsigned n, std::optional<key_claim> key = {}) {
    return answer<added>([&](auto t) { e->add(batch_of(n), key, t); });
  };
  const key_claim key{test::digest_of(1), test::digest_of(2)};
  before_file_call = [](file_call c) {
    return file_plan{0, c == file_call::room ? disk_free : SIZE_MAX};
  };
  disk_free = 1 << 20;
  CHECK(add(1, key).has_value());
  disk_free = (1 << 20) - 1;
  CHECK(add(2).error().what == trouble::full);
  CHECK(add(3, key)->known);   // needs no room
  CHECK(e->short_of_room() == 1);
  CHECK(e->take_troubles().count == 0);   // a limit, no failure
  CHECK(answer<opened_attempt>([&](auto t) { e->open_attempt(id_of(1), "w", 5, t); }).has_value());
  disk_free = SIZE_MAX;
  CHECK(add(2).has_value());
  e.reset();
  before_file_call = nullptr;
}

TEST_CASE("a damaged body of the log is told when it is read: an attempt sets its batch aside") {
  kit k;
  REQUIRE(k.add(batch_of(1, std::string(20000, 'x'))).has_value());
  REQUIRE(k.add(batch_of(2, std::string(20000, 'y'))).has_value());
  k.engine.reset();
  {
    auto f = file::open(k.folder.path("state/bodies/1"), file::mode::update);
    REQUIRE_FALSE(f->write_at(15000, "!"));
  }
  k.open();
  CHECK(k.start(1).error().what == trouble::damaged);
  CHECK(k.engine->damaged() == 1);
  const auto why = answer<std::vector<attempt_note>>(
      [&](auto t) { k.engine->attempts_of(id_of(1), t); });
  REQUIRE(why->size() == 1);
  CHECK(why->front().outcome == "damaged");
  const auto told = answer<message_page>([&](auto t) { k.engine->messages("callback/", t); });
  CHECK(told->list.size() == 1);   // it has a callback
  CHECK(k.start(2)->what.body.bytes == std::string(20000, 'y'));
}
