#include "store/checkpointer.hpp"

#include <catch2/catch.hpp>

#include <chrono>
#include <filesystem>

#include "scratch.hpp"
#include "store/books.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::batch_of;

struct kit {
  weir::test::scratch_folder folder;
  std::string path = folder.path("batches.db");
  std::unique_ptr<books> b = std::move(*books::open(path, 0));
  std::unique_ptr<checkpointer> passes = std::move(*checkpointer::start(path, nullptr));

  void add(unsigned from, unsigned to) {
    REQUIRE(b->begin().has_value());
    for (unsigned n = from; n < to; ++n) REQUIRE(b->batches.add(batch_of(n)).has_value());
    REQUIRE(b->commit().has_value());
  }
  void pass() {
    passes->ask();
    const auto limit = std::chrono::steady_clock::now() + std::chrono::seconds(30);
    while (!passes->idle() && std::chrono::steady_clock::now() < limit) std::this_thread::yield();
    REQUIRE(passes->idle());
  }
};

}  // namespace

TEST_CASE("a pass moves the log into the database, and the next commit begins the log anew") {
  kit k;
  for (unsigned n = 0; n < 20; ++n) k.add(n * 10, n * 10 + 10);
  const auto before = k.b->log_pages();
  const auto size = std::filesystem::file_size(k.path);
  CHECK(before > 20);
  k.pass();
  CHECK(std::filesystem::file_size(k.path) > size);
  k.add(1000, 1001);
  CHECK(k.b->log_pages() < before / 2);   // not one more than before
}

TEST_CASE("what came during a pass is moved by the store's thread") {
  kit k;
  k.add(0, 50);
  k.pass();
  k.add(50, 100);
  REQUIRE(k.b->check_point().has_value());
  const auto before = k.b->log_pages();
  k.add(100, 101);
  CHECK(k.b->log_pages() <= before);
}

TEST_CASE("a reader of what is older holds the log, and breaks nothing") {
  kit k;
  k.add(0, 10);
  auto reader = database::open(k.path);
  REQUIRE(reader->run("BEGIN").has_value());
  REQUIRE(*reader->number("SELECT count(*) FROM batches") == 10);
  const auto before = k.b->log_pages();
  k.add(10, 200);
  k.pass();
  REQUIRE(k.b->check_point().has_value());
  k.add(200, 201);
  CHECK(k.b->log_pages() > before);
  CHECK(*reader->number("SELECT count(*) FROM batches") == 10);
  REQUIRE(reader->run("COMMIT").has_value());
  k.pass();
  k.add(201, 202);
  CHECK(k.b->log_pages() < 20);
}

TEST_CASE("it ends while a pass may run") {
  kit k;
  k.add(0, 300);
  k.passes->ask();
  k.passes.reset();
  CHECK(k.b->batches.find(test::id_of(299), true).has_value());
}
