// Bodies on their way into the store: short ones stay in memory, long ones go to a file as they
// come, and whatever fails, no file is left that nobody names.
#include "proxy/body_gatherer.hpp"

#include <catch2/catch.hpp>
#include <filesystem>
#include <future>
#include <memory>
#include <optional>
#include <string>

#include "../net/loop_fixture.hpp"
#include "../store/store_kit.hpp"
#include "scratch.hpp"

namespace {

using namespace weir;
using proxy::body_gatherer;
using test::turn_until;

constexpr std::size_t block = 256 * 1024;

std::string patterned(std::size_t n) {
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>('a' + (i + i / 251) % 26);
  return s;
}

struct gather_kit {
  // As the relay does: waiting where there is no room.
  static net::task<void> keep(body_gatherer& g, std::string_view bytes, std::size_t step) {
    while (!bytes.empty() && g.keeping()) {
      while (net::signal* const room = g.full()) co_await *room;
      g.keep(bytes.substr(0, step));
      bytes.remove_prefix(std::min(step, bytes.size()));
    }
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(std::filesystem::directory_iterator(folder.path("")), {}));
  }
  net::task<void> files_become(std::size_t n) {
    return turn_until(f.loop, [this, n] { return files() == n; });
  }
  // A part that nobody finished goes; a whole one may stay for the sweep at the next start.
  net::task<void> no_parts() {
    return turn_until(f.loop, [this] {
      for (const auto& e : std::filesystem::directory_iterator(folder.path("")))
        if (e.path().extension() == ".part") return false;
      return true;
    });
  }
  net::task<void> gives_up(const body_gatherer& g) {
    return turn_until(f.loop, [&g] { return !g.keeping(); });
  }
  std::string read(const store::payload& p) {
    std::string text(p.size, '\0');
    const auto from = spool.open(p);
    REQUIRE(from.has_value());
    const auto n = spool.read(*from, p, 0, text);
    REQUIRE(n.has_value());
    CHECK(*n == p.size);
    return text;
  }
  // Nothing is written until let go.
  void hold_threads() {
    for (int i = 0; i < 2; ++i) threads.post([go = held] { go.wait(); });
  }

  std::promise<void> go_on;
  std::shared_future<void> held = go_on.get_future().share();
  test::scratch_folder folder;
  store::spool spool{folder.path(""), 1};
  test::loop_fixture f;
  net::offload threads{2};
};

std::uint32_t sum_of(std::string_view text) { return store::checksum().bytes(text).value(); }

}  // namespace

TEST_CASE("a body up to the limit is kept inline, one byte more lies in a durable file") {
  struct row {
    std::size_t size, inline_max, step;
    bool in_file;
  };
  const row rows[] = {
      {0, 0, 1, false},           {0, 100, 1, false},          {1, 0, 1, true},
      {100, 100, 7, false},       {101, 100, 7, true},         {101, 100, 1000, true},
      {block, 100, 65536, true},  {block + 1, 100, 1000, true}, {block - 1, block, 999, false},
      {block, block, 999, false}, {block + 1, block, 999, true}, {5 * block, 100, 65536, true},
      {3 * block + 17, 1000, 3 * block + 17, true},
  };
  gather_kit k;
  const auto play = [&]() -> net::task<void> {
    body_gatherer g(k.f.loop, k.threads);
    for (const row& r : rows) {
      INFO(r.size << " of " << r.inline_max << " inline, " << r.step << " a step");
      const std::string body = patterned(r.size);
      g.begin(k.spool, {r.inline_max, ~std::uint64_t{0}});
      co_await k.keep(g, body, r.step);
      const auto got = co_await g.finish();
      REQUIRE(got.has_value());
      CHECK(got->size == r.size);
      CHECK(got->crc == sum_of(body));
      CHECK((got->spool != 0) == r.in_file);
      CHECK(got->bytes == (r.in_file ? "" : body));
      if (!r.in_file) continue;
      CHECK(k.spool.verify(*got).has_value());
      CHECK((k.read(*got) == body));
      CHECK(std::filesystem::exists(k.spool.path(got->spool)));
      CHECK(k.spool.remove(got->spool).has_value());
    }
    CHECK(k.files() == 0);
  };
  k.f.run(play());
}

TEST_CASE("no more than two blocks are in memory: the source waits while both are taken") {
  gather_kit k;
  const auto play = [&]() -> net::task<void> {
    body_gatherer g(k.f.loop, k.threads);
    g.begin(k.spool, {100, ~std::uint64_t{0}});
    k.hold_threads();
    CHECK(g.full() == nullptr);
    g.keep(patterned(block - 1));
    CHECK(g.full() == nullptr);
    g.keep("x");                         // the first is being written
    CHECK(g.full() == nullptr);
    g.keep(patterned(block - 1));
    CHECK(g.full() == nullptr);
    g.keep("y");
    net::signal* const room = g.full();
    REQUIRE(room != nullptr);
    CHECK_FALSE(room->rung());
    k.go_on.set_value();
    co_await *room;
    CHECK(g.full() == nullptr);
    const auto got = co_await g.finish();
    REQUIRE(got.has_value());
    CHECK(got->size == 2 * block);
    CHECK((k.read(*got) == patterned(block - 1) + "x" + patterned(block - 1) + "y"));
  };
  k.f.run(play());
}

TEST_CASE("a body over its limit is forgotten, and its file goes") {
  gather_kit k;
  const auto play = [&]() -> net::task<void> {
    body_gatherer g(k.f.loop, k.threads);
    for (const std::size_t most : {std::size_t{50}, 3 * block}) {
      INFO(most);
      g.begin(k.spool, {100, most});
      co_await k.keep(g, patterned(most), 1000);
      CHECK(g.keeping());
      CHECK_FALSE(g.too_large());
      co_await k.keep(g, "x", 1);
      CHECK(g.too_large());
      CHECK_FALSE(g.keeping());
      CHECK(g.full() == nullptr);
      g.keep("ignored");
      const auto got = co_await g.finish();
      REQUIRE(got.has_value());
      CHECK(got->spool == 0);
      CHECK(got->bytes.empty());
      co_await k.files_become(0);
    }
  };
  k.f.run(play());
}

TEST_CASE("a gatherer that goes half-way, or begins anew, leaves no file") {
  gather_kit k;
  const auto play = [&]() -> net::task<void> {
    for (const bool while_writing : {false, true}) {
      for (const bool anew : {false, true}) {
        INFO(while_writing << " " << anew);
        {
          body_gatherer g(k.f.loop, k.threads);
          g.begin(k.spool, {100, ~std::uint64_t{0}});
          co_await k.keep(g, patterned(2 * block), 65536);
          if (!while_writing) co_await k.files_become(1);
          if (anew) {
            g.begin(k.spool, {100, ~std::uint64_t{0}});
            g.keep("short");
            const auto got = co_await g.finish();
            REQUIRE(got.has_value());
            CHECK(got->bytes == "short");
          }
        }
        co_await k.files_become(0);
      }
    }
  };
  k.f.run(play());
}

TEST_CASE("whichever file call fails, the first failure is told and no file is left") {
  const std::string body = patterned(3 * block + 10);
  for (const int error : {EIO, ENOSPC}) {
    for (unsigned nth = 1;; ++nth) {
      INFO("error " << error << " at call " << nth);
      gather_kit k;
      bool struck = false;
      const auto play = [&]() -> net::task<void> {
        {
          body_gatherer g(k.f.loop, k.threads);
          g.begin(k.spool, {100, ~std::uint64_t{0}});
          std::optional<store::test::failing_files> faults(std::in_place, nth, error);
          co_await k.keep(g, body, 65536);
          const auto got = co_await g.finish();
          struck = faults->struck();
          faults.reset();
          if (!struck) {
            REQUIRE(got.has_value());
            CHECK((k.read(*got) == body));
            co_return;
          }
          REQUIRE_FALSE(got.has_value());
          CHECK(got.error().what ==
                (error == ENOSPC ? store::trouble::full : store::trouble::io));
          CHECK_FALSE(got.error().detail.empty());
        }
        co_await k.no_parts();
      };
      k.f.run(play());
      if (!struck) {
        CHECK(nth > 5);   // open, three blocks, the rest, sync, rename, the folder
        break;
      }
    }
  }
}

TEST_CASE("after a failure the rest goes by, and the next body is kept again") {
  gather_kit k;
  const auto play = [&]() -> net::task<void> {
    body_gatherer g(k.f.loop, k.threads);
    {
      store::test::failing_files faults(1, ENOSPC);
      g.begin(k.spool, {100, ~std::uint64_t{0}});
      g.keep(patterned(block));
      co_await k.gives_up(g);
    }
    g.keep(patterned(block));
    CHECK(g.full() == nullptr);
    const auto failed = co_await g.finish();
    REQUIRE_FALSE(failed.has_value());
    CHECK(failed.error().what == store::trouble::full);
    g.begin(k.spool, {100, ~std::uint64_t{0}});
    CHECK(g.keeping());
    co_await k.keep(g, patterned(block + 1), 1000);
    const auto got = co_await g.finish();
    REQUIRE(got.has_value());
    CHECK((k.read(*got) == patterned(block + 1)));
  };
  k.f.run(play());
}
