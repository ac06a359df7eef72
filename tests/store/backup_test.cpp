#include "store/backup.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

#include "scratch.hpp"
#include "store/body_book.hpp"
#include "store/local_engine.hpp"
#include "store/restore.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::answer;
using test::batch_of;
using test::id_of;
namespace fs = std::filesystem;

std::string body_of(unsigned n) {
  return "body " + std::to_string(n) + std::string(n == 1 ? 2 * body_book::logged_min : 0, 'x');
}

struct kit {
  weir::test::scratch_folder folder;
  std::unique_ptr<local_engine> engine = open("state");

  std::unique_ptr<local_engine> open(const char* name) {
    local_settings s;
    s.folder = folder.path(name);
    s.segment_bytes = 64 << 10;
    auto made = local_engine::open(s);
    if (!made) FAIL(made.error().detail);
    return std::move(*made);
  }
  void add(batch b) {
    REQUIRE(answer<added>([&](auto t) { engine->add(b, {}, t); }).has_value());
  }
  payload spooled(const std::string& text) {
    auto w = engine->bodies().create();
    REQUIRE(w->write(text).has_value());
    return *w->finish();
  }
  // Three inline (one of them in the body log), one spooled, one cancelled.
  void fill() {
    for (unsigned n = 0; n < 3; ++n) add(batch_of(n, body_of(n)));
    batch large = batch_of(3);
    large.body = spooled("a long body");
    add(large);
    REQUIRE(answer<void>([&](auto t) { engine->cancel(id_of(2), 5, t); }).has_value());
  }
  outcome<void> back_up(const std::string& to) {
    return answer<void>([&](auto t) { engine->back_up(to, t); });
  }
  std::string copy() {
    fill();
    REQUIRE(back_up(folder.path("copy")).has_value());
    return folder.path("copy");
  }
};

void flip(const std::string& path, std::size_t at) {
  std::string bytes(fs::file_size(path), '\0');
  auto f = file::open(path, file::mode::read);
  REQUIRE(*f->read(0, bytes) == bytes.size());
  bytes[at % bytes.size()] = static_cast<char>(bytes[at % bytes.size()] ^ 1);
  fs::remove(path);
  auto w = file::open(path, file::mode::create);
  REQUIRE_FALSE(w->write(bytes));
}

}  // namespace

TEST_CASE("a copy becomes a store again, with all that was in it") {
  kit k;
  const std::string copy = k.copy();
  k.add(batch_of(9));   // later than the copy
  const auto r = restore(copy, k.folder.path("again"));
  REQUIRE(r.has_value());
  CHECK((r->counts.queued == 3 && r->counts.cancelled == 1 && r->counts.running == 0));
  CHECK(r->spool_files == 1);
  CHECK(r->taken_at > 1'600'000'000'000);
  k.engine = k.open("again");
  const auto all = test::queued(*k.engine);
  REQUIRE(all.size() == 3);
  for (unsigned i : {0u, 1u}) {
    const auto b = answer<batch>([&](auto t) { k.engine->find(id_of(i), true, t); });
    CHECK(b->body.bytes == body_of(i));
  }
  CHECK(k.engine->bodies().verify(all[2].body).has_value());
  const auto cancelled = answer<batch>([&](auto t) { k.engine->find(id_of(2), false, t); });
  CHECK(cancelled->state == batch_state::cancelled);
}

TEST_CASE("a copy is only made into an empty folder, and only of what is on a disk") {
  kit k;
  k.fill();
  fs::create_directory(k.folder.path("taken"));
  k.folder.write("taken/notes.txt", "x");
  CHECK(k.back_up(k.folder.path("taken")).error().what == trouble::conflict);
  fs::create_directory(k.folder.path("empty"));
  CHECK(k.back_up(k.folder.path("empty")).has_value());
  CHECK(k.back_up(k.folder.path("empty")).error().what == trouble::conflict);
  local_settings in_memory;
  auto none = std::move(*local_engine::open(in_memory));
  CHECK(answer<void>([&](auto t) { none->back_up(k.folder.path("x"), t); }).error().what ==
        trouble::conflict);
}

TEST_CASE("a copy that fails leaves nothing behind, and the next one is made") {
  kit k;
  k.fill();
  const bool there = GENERATE(false, true);
  if (there) fs::create_directory(k.folder.path("copy"));
  {
    const test::failing_files faults(4, ENOSPC);
    CHECK(k.back_up(k.folder.path("copy")).error().what == trouble::full);
  }
  CHECK(fs::exists(k.folder.path("copy")) == there);
  if (there) CHECK(fs::is_empty(k.folder.path("copy")));
  CHECK(k.back_up(k.folder.path("copy")).has_value());
}

TEST_CASE("a copy has a place of its own") {
  kit k;
  k.folder.write("file", "x");
  for (const char* to : {"", "state", "state/spool/x", "file"}) {
    INFO(to);
    const auto path = *to ? k.folder.path(to) : std::string();
    CHECK(k.back_up(path).error().what == trouble::conflict);
  }
}

TEST_CASE("commits go on while a copy is made, which is of one moment, and its files stay") {
  kit k;
  for (unsigned n = 0; n < 300; ++n) {
    batch b = batch_of(n, std::string(n % 5 == 1 ? 10000 : 3000, 'x'));
    if (n % 10 == 0) b.body = k.spooled(std::string(20000, 'y'));
    k.add(b);
  }
  std::promise<outcome<void>> copied;
  k.engine->back_up(k.folder.path("copy"), [&](auto r) { copied.set_value(std::move(r)); });
  for (unsigned n = 0; n < 300; ++n) {
    k.engine->cancel(id_of(n), 5, [](auto) {});
    k.engine->drop(id_of(n), [](auto) {});
    k.add(batch_of(1000 + n, std::string(n % 5 == 1 ? 10000 : 6, 'z')));
  }
  REQUIRE(copied.get_future().get().has_value());
  const auto r = restore(k.folder.path("copy"), k.folder.path("again"));
  REQUIRE(r.has_value());
  CHECK(r->counts.queued + r->counts.cancelled >= 299);   // between a drop and an add
  auto again = k.open("again");
  for (const batch& b : test::queued(*again))
    if (b.body.spool == 0)
      CHECK(answer<batch>([&](auto t) { again->find(b.id, true, t); }).has_value());
  CHECK(fs::is_empty(k.folder.path("state/spool")));   // what had to wait for the copy went
  CHECK(test::queued(*k.engine).size() == 300);
}

TEST_CASE("a copy without its note, with a wrong one or with other bytes is damaged") {
  kit k;
  const std::string copy = k.copy(), again = k.folder.path("again");
  std::string note = copy + "/" + note_file, data = copy + "/" + database_file;
  SECTION("no note") { fs::remove(note); }
  SECTION("no JSON") {
    fs::remove(note);
    k.folder.write("copy/backup.json", "{");
  }
  SECTION("a note of nothing") {
    fs::remove(note);
    k.folder.write("copy/backup.json", "{\"schema\": 1}");
  }
  SECTION("a flipped bit") { flip(data, fs::file_size(data) / 2); }
  SECTION("a torn database") { fs::resize_file(data, fs::file_size(data) - 4096); }
  SECTION("a missing body") { fs::remove(copy + "/spool/1"); }
  SECTION("a short body") {
    fs::remove(copy + "/spool/1");
    k.folder.write("copy/spool/1", "a long bod");
  }
  SECTION("another body") {
    fs::remove(copy + "/spool/1");
    k.folder.write("copy/spool/1", "a long bodx");
  }
  const auto r = restore(copy, again);
  REQUIRE_FALSE(r.has_value());
  CHECK(r.error().what == trouble::damaged);
  if (!fs::exists(again)) return;
  for (const auto& left : fs::directory_iterator(again)) CHECK(left.path().filename() == "lock");
}

TEST_CASE("a store is only restored where there is none, and not by an older weir") {
  kit k;
  const std::string copy = k.copy();
  CHECK(restore(copy, k.folder.path("state")).error().what == trouble::conflict);   // in use
  k.engine.reset();
  CHECK(restore(copy, k.folder.path("state")).error().what == trouble::conflict);   // not empty
  backup_note note;
  note.schema = 99;
  fs::remove(copy + "/" + note_file);
  k.folder.write("copy/backup.json", to_json(note));
  const auto newer = restore(copy, k.folder.path("again"));
  CHECK(newer.error().what == trouble::conflict);
  CHECK_THAT(newer.error().detail, Catch::Contains("newer weir"));
}

TEST_CASE("a note is read as it was written") {
  const backup_note n{1, 1'700'000'000'000, {1, 2, 3, 4, 5, 6, 1ull << 40}, 0xfedcba98, 7};
  const auto read = parse_backup_note(to_json(n));
  REQUIRE(read.has_value());
  CHECK((read->schema == 1 && read->taken_at == n.taken_at && read->spool_files == 7));
  CHECK((read->counts.queued == 1 && read->counts.damaged == 6));
  CHECK((read->counts.bytes == 1ull << 40 && read->database_crc == 0xfedcba98));
  for (const char* text : {"", "[]", "1", "{}", "null", "{\"schema\": -1}"})
    CHECK(parse_backup_note(text).error().what == trouble::damaged);
}

TEST_CASE("whichever file operation fails, no copy and no restored store is taken for whole") {
  for (const bool restoring : {false, true}) {
    for (unsigned nth = 1;; ++nth) {
      INFO("operation " << nth << (restoring ? " of restoring" : " of copying"));
      kit k;
      k.fill();
      const std::string copy = k.folder.path("copy"), again = k.folder.path("again");
      if (restoring) REQUIRE(k.back_up(copy).has_value());
      bool struck = false, good = false;
      {
        test::failing_files faults(nth, ENOSPC);
        good = restoring ? restore(copy, again).has_value() : k.back_up(copy).has_value();
        struck = faults.struck();
      }
      if (restoring && !good) CHECK_FALSE(fs::exists(again + "/" + database_file));
      if (restoring) CHECK(restore(copy, again).has_value() == !good);
      if (!restoring) CHECK(restore(copy, again).has_value() == good);
      if (!struck) {
        CHECK(good);
        CHECK(nth > 8);
        break;
      }
    }
  }
}

TEST_CASE("a store that closes breaks its copy off") {
  kit k;
  k.fill();
  std::optional<outcome<void>> told;
  k.engine->back_up(k.folder.path("copy"), [&](auto r) { told = std::move(r); });
  k.engine.reset();
  REQUIRE(told.has_value());
  if (!*told) CHECK(told->error().what == trouble::closed);
  CHECK(restore(k.folder.path("copy"), k.folder.path("again")).has_value() == told->has_value());
}
