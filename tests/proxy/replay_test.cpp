#include "proxy/replay.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <future>
#include <memory>
#include <string>

#include "../net/loop_fixture.hpp"
#include "file_faults.hpp"
#include "net/file.hpp"
#include "proxy/hall.hpp"
#include "scratch.hpp"

namespace {

using namespace weir;
using test::file_faults;
using test::turn_until;

constexpr std::uint64_t mib = 1 << 20;

// A loop's hall, threads for files, and a plan with these limits. Without room on disk: none goes
// there.
struct copy_kit {
  copy_kit(std::uint64_t batch_max, std::uint64_t total_max, std::uint64_t disk_max = 0) {
    p.replay = std::make_shared<proxy::replay_budget>();
    p.replay->batch_max = batch_max;
    p.replay->total_max = total_max;
    p.replay->disk_max = disk_max;
    if (disk_max) p.replay_folder = folder.path("");
    for (auto* c : {&p.hits.replay_batch, &p.hits.replay_total, &p.hits.replay_disk,
                    &p.hits.replay_folder})
      *c = std::make_shared<telemetry::counter>(1);
  }
  std::uint64_t used() const { return p.replay->used; }
  std::uint64_t on_disk() const { return p.replay->on_disk; }
  net::task<void> gone() {
    return turn_until(f.loop, [this] { return on_disk() == 0; });
  }
  // The file's bytes, as an attempt would send them.
  static std::string read(const proxy::replay_copy& copy) {
    const auto part = copy.file();
    std::string text(part.left, '\0');
    REQUIRE(net::read_at(part.fd, part.offset, text) == static_cast<std::int64_t>(part.left));
    return text;
  }
  // Keeps as the relay does: waiting when there is no room.
  net::task<void> keep(proxy::replay_copy& copy, std::string_view bytes, std::size_t step) {
    while (!bytes.empty()) {
      while (net::signal* const room = copy.full()) co_await *room;
      copy.keep(bytes.substr(0, step));
      bytes.remove_prefix(std::min(step, bytes.size()));
    }
  }
  // Holds the threads until let go: what is written meanwhile waits.
  void hold_threads() {
    for (int i = 0; i < 2; ++i) threads.post([go = held] { go.wait(); });
  }

  std::promise<void> go_on;
  std::shared_future<void> held = go_on.get_future().share();
  test::scratch_folder folder;
  proxy::plan p;
  test::loop_fixture f;
  net::offload threads{2};
  proxy::hall in{f.loop, nullptr, 1, {64 * 1024, 0, &threads}};
};

std::string patterned(std::size_t n) {
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>('a' + (i + i / 251) % 26);
  return s;
}

}  // namespace

// --- in memory ----------------------------------------------------------------------------------

TEST_CASE("a copy holds what passed, in order, and counts it against the budget of all") {
  copy_kit k(100, 1000);
  proxy::replay_copy copy(k.in);
  copy.start(k.p, 0);
  copy.keep("abc");
  copy.keep("");
  copy.keep("defg");
  CHECK(copy.keeping());
  CHECK(copy.settled());
  CHECK(copy.full() == nullptr);
  CHECK(copy.bytes() == "abcdefg");
  CHECK(copy.file().left == 0);
  CHECK(k.used() == 7);
  CHECK(k.p.hits.replay_batch->total() == 0);
}

TEST_CASE("nothing is kept before the start or after the stop, which gives the memory back") {
  copy_kit k(100, 1000);
  proxy::replay_copy copy(k.in);
  copy.keep("before");
  CHECK_FALSE(copy.keeping());
  CHECK(copy.bytes().empty());
  copy.start(k.p, 0);
  copy.keep("during");
  copy.stop();
  CHECK(k.used() == 0);
  CHECK(copy.bytes().empty());
  copy.keep("after");
  copy.stop();
  CHECK(k.used() == 0);
  CHECK_FALSE(copy.keeping());
}

TEST_CASE("exactly the limit is kept, one byte more ends a copy that no disk takes") {
  struct row {
    const char* what;
    std::uint64_t batch_max, total_max, by_others, kept;
    bool keeps;
  };
  const row rows[] = {
      {"the batch's limit, filled", 10, 1000, 0, 10, true},
      {"the batch's limit, passed", 10, 1000, 0, 11, false},
      {"the limit of all, filled", 100, 50, 40, 10, true},
      {"the limit of all, passed", 100, 50, 40, 11, false},
  };
  for (const row& r : rows) {
    for (const bool at_once : {true, false}) {
      INFO(r.what << (at_once ? ", at once" : ", byte by byte"));
      copy_kit k(r.batch_max, r.total_max);
      k.p.replay->used = r.by_others;
      proxy::replay_copy copy(k.in);
      copy.start(k.p, 0);
      if (at_once) copy.keep(std::string(r.kept, 'x'));
      else for (std::uint64_t i = 0; i < r.kept; ++i) copy.keep("x");
      CHECK(copy.keeping() == r.keeps);
      CHECK(k.used() == r.by_others + (r.keeps ? r.kept : 0));
      const bool of_one = r.batch_max < r.total_max;
      CHECK(k.p.hits.replay_batch->total() == (!r.keeps && of_one ? 1 : 0));
      CHECK(k.p.hits.replay_total->total() == (!r.keeps && !of_one ? 1 : 0));
      CHECK(k.p.hits.replay_folder->total() == (r.keeps ? 0 : 1));
      if (!r.keeps) CHECK(copy.bytes().empty());
    }
  }
}

TEST_CASE("many copies share one budget, each gives back exactly what it took") {
  copy_kit k(100, 250);
  {
    proxy::replay_copy one(k.in), two(k.in), three(k.in);
    for (auto* c : {&one, &two, &three}) c->start(k.p, 0);
    one.keep(std::string(100, 'a'));
    two.keep(std::string(100, 'b'));
    three.keep(std::string(60, 'c'));   // over the 250 of all
    CHECK_FALSE(three.keeping());
    CHECK(k.used() == 200);
    one.stop();
    three.start(k.p, 0);
    three.keep(std::string(60, 'c'));
    CHECK(three.keeping());
    CHECK(k.used() == 160);
  }
  CHECK(k.used() == 0);
  CHECK(k.p.hits.replay_total->total() == 1);
}

TEST_CASE("a copy counts against the plan that it began with, though another is published") {
  copy_kit before(100, 1000), after(100, 1000);
  proxy::replay_copy copy(before.in);
  copy.start(before.p, 0);
  copy.keep("12345");
  copy.start(after.p, 0);
  CHECK(before.used() == 0);
  copy.keep("123");
  CHECK(after.used() == 3);
  auto budget = after.p.replay;
  after.p.replay.reset();   // the plan went, the exchange goes on
  copy.stop();
  CHECK(budget->used == 0);
}

TEST_CASE("a copy that ceased keeps no more, and what a relay sends again of it stays") {
  copy_kit k(100, 1000);
  proxy::replay_copy copy(k.in);
  copy.start(k.p, 0);
  copy.keep("some");
  copy.cease();
  copy.keep(" more");
  CHECK_FALSE(copy.keeping());
  CHECK(copy.bytes() == "some");
  CHECK(k.used() == 4);
  copy.stop();
  CHECK(k.used() == 0);
}

// --- on disk ------------------------------------------------------------------------------------

TEST_CASE("over a limit of memory the whole copy goes on in a file, and comes back byte for byte") {
  struct row {
    const char* what;
    std::uint64_t batch_max, total_max;
    std::size_t bytes, step;
  };
  for (const row& r : {row{"one byte over the batch's limit", 1000, 10'000, 1001, 1001},
                       row{"over the limit of all", 1000, 500, 600, 7},
                       row{"nothing in memory at all", 0, 0, 5000, 1},
                       row{"less than a block", 1000, 10'000, 100'000, 64 * 1024},
                       row{"a whole block", 4096, 10'000, 256 * 1024, 4096},
                       row{"many blocks", 1 * mib, 2 * mib, 9 * mib + 3, 65'521}}) {
    INFO(r.what);
    copy_kit k(r.batch_max, r.total_max, 100 * mib);
    k.f.run([](copy_kit& kit, const row& how) -> net::task<void> {
      proxy::replay_copy copy(kit.in);
      const std::string body = patterned(how.bytes);
      copy.start(kit.p, how.bytes);
      co_await kit.keep(copy, body, how.step);
      CHECK(copy.on_disk());
      CHECK(kit.on_disk() == how.bytes);
      co_await copy.settle();
      REQUIRE(copy.settled());
      CHECK(copy.keeping());
      CHECK(copy.bytes().empty());
      CHECK(kit.used() == 0);
      CHECK((copy_kit::read(copy) == body));
      CHECK(kit.p.hits.replay_batch->total() + kit.p.hits.replay_total->total() == 1);
      CHECK(kit.p.hits.replay_disk->total() + kit.p.hits.replay_folder->total() == 0);
      copy.stop();
      co_await kit.gone();
    }(k, r));
  }
}

TEST_CASE("a copy that was sent again goes on being kept behind what is in the file") {
  copy_kit k(10, 100, 10 * mib);
  k.f.run([](copy_kit& kit) -> net::task<void> {
    proxy::replay_copy copy(kit.in);
    copy.start(kit.p, 0);
    const std::string body = patterned(1 * mib);
    for (std::size_t at = 0; at < body.size(); at += 300'000) {
      const auto part = std::string_view(body).substr(at, 300'000);
      co_await kit.keep(copy, part, 5000);
      co_await copy.settle();
      CHECK((copy_kit::read(copy) == body.substr(0, at + part.size())));
    }
    copy.stop();
    co_await kit.gone();
  }(k));
}

TEST_CASE("a disk that is slow makes the relay wait: two blocks at most are in memory") {
  copy_kit k(0, 0, 100 * mib);
  k.f.run([](copy_kit& kit) -> net::task<void> {
    kit.hold_threads();
    proxy::replay_copy copy(kit.in);
    copy.start(kit.p, 0);
    const std::string piece(64 * 1024, 'x');
    std::size_t kept = 0;
    for (; !copy.full() && kept < 100; ++kept) copy.keep(piece);
    CHECK(kept == 8);   // 256 KiB at the disk, as much behind it
    CHECK(copy.waits());
    CHECK_FALSE(copy.settled());
    kit.go_on.set_value();
    while (net::signal* const room = copy.full()) co_await *room;
    co_await copy.settle();
    CHECK(copy.file().left == kept * piece.size());
    copy.stop();
    co_await kit.gone();
  }(k));
}

TEST_CASE("over the budget on disk the copy is given up, and the budget is as it was before") {
  struct row {
    const char* what;
    std::uint64_t by_others, expected;
    std::size_t bytes;
    bool keeps;
  };
  for (const row& r : {row{"filled", 600, 0, 400, true}, row{"one byte over", 600, 0, 401, false},
                       row{"nothing left", 1000, 0, 11, false},
                       row{"known to be too long", 0, 1001, 11, false},
                       row{"known to fit", 0, 1000, 11, true}}) {
    INFO(r.what);
    copy_kit k(10, 100, 1000);
    k.f.run([](copy_kit& kit, const row& how) -> net::task<void> {
      kit.p.replay->on_disk = how.by_others;
      proxy::replay_copy copy(kit.in);
      copy.start(kit.p, how.expected);
      for (std::size_t i = 0; i < how.bytes; ++i) copy.keep("x");
      CHECK(copy.keeping() == how.keeps);
      CHECK(copy.full() == nullptr);
      CHECK(kit.p.hits.replay_disk->total() == (how.keeps ? 0 : 1));
      CHECK(kit.used() == (how.keeps ? 10 : 0));
      if (how.keeps) CHECK(kit.on_disk() == how.by_others + how.bytes);
      copy.stop();
      co_await turn_until(kit.f.loop, [&] { return kit.on_disk() == how.by_others; });
      CHECK(kit.used() == 0);
    }(k, r));
  }
}

TEST_CASE("whichever call on the file fails, the copy is given up, all is given back, it is told") {
  for (const auto call : {net::file_call::open, net::file_call::write})
    for (const int error : {ENOSPC, EIO, EMFILE})
      for (int nth = 1; nth <= (call == net::file_call::open ? 1 : 4); ++nth) {
        INFO("call " << int(call) << " number " << nth << " fails with " << error);
        copy_kit k(1000, 10'000, 100 * mib);
        const file_faults faults(call, nth, error);
        k.f.run([](copy_kit& kit) -> net::task<void> {
          proxy::replay_copy copy(kit.in);
          copy.start(kit.p, 0);
          const std::string body = patterned(1 * mib);
          co_await kit.keep(copy, body, 65'536);
          co_await copy.settle();
          CHECK_FALSE(copy.keeping());
          CHECK(copy.settled());
          CHECK(copy.full() == nullptr);
          CHECK(copy.file().left == 0);
          CHECK(kit.p.hits.replay_folder->total() == 1);
          CHECK(kit.p.hits.replay_disk->total() == 0);
          CHECK(kit.used() == 0);
          co_await kit.gone();
          copy.start(kit.p, 0);   // the next exchange's
          copy.keep("small");
          CHECK(copy.keeping());
          copy.stop();
        }(k));
        CHECK(k.used() == 0);
        CHECK(k.on_disk() == 0);
      }
}

TEST_CASE("short writes are gone on with") {
  copy_kit k(0, 0, 10 * mib);
  const file_faults few({}, 0, 0, 1000);
  k.f.run([](copy_kit& kit) -> net::task<void> {
    proxy::replay_copy copy(kit.in);
    copy.start(kit.p, 0);
    const std::string body = patterned(600'000);
    co_await kit.keep(copy, body, 10'000);
    co_await copy.settle();
    CHECK((copy_kit::read(copy) == body));
    copy.stop();
    co_await kit.gone();
  }(k));
}

TEST_CASE("a copy may end while its block is being written, and its owner begin another or go") {
  for (const bool begins_another : {true, false}) {
    INFO((begins_another ? "another" : "goes"));
    copy_kit k(0, 0, 10 * mib);
    k.f.run([](copy_kit& kit, bool another) -> net::task<void> {
      kit.hold_threads();
      auto copy = std::make_unique<proxy::replay_copy>(kit.in);
      copy->start(kit.p, 0);
      copy->keep(std::string(300'000, 'o'));
      CHECK_FALSE(copy->settled());
      copy->stop();
      CHECK(copy->settled());
      CHECK(kit.on_disk() == 300'000);   // it is there until the write has ended
      if (another) {
        copy->start(kit.p, 0);
        copy->keep("new");
      } else {
        copy.reset();
      }
      kit.go_on.set_value();
      if (another) {
        co_await copy->settle();
        CHECK(copy_kit::read(*copy) == "new");
        co_await turn_until(kit.f.loop, [&] { return kit.on_disk() == 3; });
        copy.reset();
      }
      co_await kit.gone();
    }(k, begins_another));
  }
}

TEST_CASE("a disk that takes too long costs the copy, and who waits for it goes on") {
  copy_kit k(0, 0, 10 * mib);
  k.f.run([](copy_kit& kit) -> net::task<void> {
    kit.hold_threads();
    proxy::replay_copy copy(kit.in);
    copy.start(kit.p, 0);
    copy.keep("some");
    CHECK_FALSE(copy.waits());
    kit.f.loop.post([&] {
      CHECK(copy.waits());
      copy.wake();   // looks around, and waits on
    });
    kit.f.loop.post([&] {
      CHECK(copy.waits());
      copy.give_up_disk();
    });
    co_await copy.settle();
    CHECK_FALSE(copy.keeping());
    CHECK_FALSE(copy.waits());
    CHECK(kit.p.hits.replay_folder->total() == 1);
    kit.go_on.set_value();
    co_await kit.gone();
  }(k));
}

TEST_CASE("what the loop was to be told of when it ended is not, and its file goes all the same") {
  auto k = std::make_unique<copy_kit>(0, 0, 10 * mib);
  const auto budget = k->p.replay;
  auto copy = std::make_unique<proxy::replay_copy>(k->in);
  copy->start(k->p, 0);
  copy->keep(std::string(300'000, 'x'));
  k->f.run(turn_until(k->f.loop, [] { return true; }));   // the loop has stopped; a post may wait
  copy.reset();
  k.reset();
  CHECK(budget->on_disk == 0);
}
