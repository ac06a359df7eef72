#include "store/body_log.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

#include "scratch.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::failing_files;
namespace fs = std::filesystem;

constexpr std::uint64_t small = 16 * log_block;   // a segment holds four bodies of four blocks

struct kit {
  weir::test::scratch_folder folder;
  std::unique_ptr<body_log> log;

  kit() { open(); }
  void open() {
    log = std::make_unique<body_log>(folder.path("bodies"), small);
    REQUIRE(log->open().has_value());
    log->release();
  }
  log_place add(const std::string& body) {
    const auto at = log->append(body);
    REQUIRE(at.has_value());
    return *at;
  }
  void commit() {
    REQUIRE(log->sync().has_value());
    log->committed();
  }
  // One transaction each.
  log_place kept(char letter, std::size_t size = 4 * log_block) {
    const log_place at = add(std::string(size, letter));
    commit();
    return at;
  }
  void drop(const log_place& at) {
    log->drop(at);
    commit();
  }
  std::size_t files() const {
    return static_cast<std::size_t>(
        std::distance(fs::directory_iterator(folder.path("bodies")), fs::directory_iterator()));
  }
  void check(const log_place& at, char letter) {
    CHECK(*log->read(at) == std::string(at.size, letter));
  }
};

}  // namespace

TEST_CASE("a body of any size comes back byte for byte, from whole blocks") {
  kit k;
  std::vector<log_place> all;
  for (const std::size_t size : {1u, 4095u, 4096u, 4097u, 8192u, 10000u, 30000u, 65536u}) {
    all.push_back(k.kept(static_cast<char>('a' + all.size()), size));
    CHECK(all.back().at % log_block == 0);
    CHECK(all.back().at + size <= small);
  }
  for (std::size_t i = 0; i < all.size(); ++i) k.check(all[i], static_cast<char>('a' + i));
}

TEST_CASE("short writes are carried on") {
  kit k;
  before_file_call = [](file_call) { return file_plan{0, 1000}; };
  const log_place at = k.kept('s', 9999);
  before_file_call = nullptr;
  k.check(at, 's');
}

TEST_CASE("a segment is written anew once all its bodies have gone, never before") {
  kit k;
  std::vector<log_place> first;
  for (const char c : {'a', 'b', 'c', 'd'}) first.push_back(k.kept(c));
  const log_place next = k.kept('e');
  CHECK(next.segment != first[0].segment);
  for (int i = 0; i < 3; ++i) k.drop(first[static_cast<std::size_t>(i)]);
  for (const char c : {'f', 'g', 'h'}) (void)k.kept(c);   // fills the second
  CHECK(k.kept('i').segment == 3);
  k.drop(first[3]);
  for (const char c : {'j', 'k', 'l'}) (void)k.kept(c);   // fills the third
  CHECK(k.kept('m').segment == first[0].segment);
  k.check(next, 'e');
  CHECK(k.files() == 3);
}

TEST_CASE("what was rolled back is written over, and what it dropped stays") {
  kit k;
  const log_place kept = k.kept('a');
  const log_place lost = k.add(std::string(5000, 'b'));
  k.log->drop(kept);
  k.log->rolled_back();
  const log_place again = k.kept('c', 5000);
  CHECK((again.segment == lost.segment && again.at == lost.at));
  for (const char c : {'d', 'e', 'f', 'g', 'h', 'i'}) (void)k.kept(c);
  k.check(kept, 'a');
  k.check(again, 'c');
}

TEST_CASE("one transaction over many segments takes none of them twice") {
  kit k;
  std::vector<log_place> all;
  for (char c = 'a'; c < 'a' + 12; ++c) all.push_back(k.add(std::string(4 * log_block, c)));
  k.commit();
  for (std::size_t i = 0; i < all.size(); ++i) k.check(all[i], static_cast<char>('a' + i));
  CHECK(k.files() == 3);
}

TEST_CASE("after a start writing goes on behind what the records name, where there is much room") {
  kit k;
  const log_place a = k.kept('a');
  k.open();
  k.log->found(a.segment, 4 * log_block, 4 * log_block);
  const log_place b = k.kept('b');
  CHECK((b.segment == a.segment && b.at == 4 * log_block));
  (void)k.kept('c');
  k.open();
  k.log->found(a.segment, 12 * log_block, 12 * log_block);   // more than half of it
  CHECK(k.kept('d').segment == a.segment + 1);
  k.check(a, 'a');
  k.check(b, 'b');
}

TEST_CASE("the number of a segment whose file is gone is not given again while records name it") {
  kit k;
  const log_place a = k.kept('a');
  for (const char c : {'b', 'c', 'd'}) (void)k.kept(c);
  const log_place lost = k.kept('e');
  fs::remove(segment_path(k.folder.path("bodies"), lost.segment));
  k.open();
  k.log->found(a.segment, small, small);
  k.log->found(lost.segment, 4 * log_block, 4 * log_block);
  std::vector<log_place> later;
  for (const char c : {'f', 'g', 'h', 'i', 'j'}) later.push_back(k.kept(c));
  for (const log_place& at : later) CHECK(at.segment > lost.segment);
  CHECK(k.log->read(lost).error().what == trouble::damaged);
  k.drop(lost);
  for (const char c : {'k', 'l', 'm', 'n'}) (void)k.kept(c);
  for (std::size_t i = 0; i < later.size(); ++i) k.check(later[i], static_cast<char>('f' + i));
}

TEST_CASE("what lies in the folder and is no segment is left alone") {
  kit k;
  fs::create_directory(k.folder.path("bodies/7"));
  k.folder.write("bodies/notes.txt", "x");
  k.open();
  for (char c = 'a'; c < 'a' + 9; ++c) k.check(k.kept(c), c);
  CHECK(fs::is_directory(k.folder.path("bodies/7")));
  CHECK(fs::exists(k.folder.path("bodies/notes.txt")));
}

TEST_CASE("a disk that is short of room gets all empty segments back") {
  kit k;
  std::vector<log_place> all;
  for (int n = 0; n < 24; ++n) all.push_back(k.kept('x'));
  for (std::size_t n = 4; n < all.size(); ++n) k.drop(all[n]);
  CHECK(k.files() == 6);
  k.log->give_back();
  CHECK(k.files() == 2);   // the first, and the one that is open
  k.check(all[0], 'x');
}

TEST_CASE("what a transaction has filled is not given back before it is committed") {
  kit k;
  std::vector<log_place> all;
  for (char c = 'a'; c < 'a' + 9; ++c) all.push_back(k.add(std::string(4 * log_block, c)));
  k.log->give_back();
  k.commit();
  for (std::size_t i = 0; i < all.size(); ++i) k.check(all[i], static_cast<char>('a' + i));
}

TEST_CASE("empty segments are kept for later, but not many") {
  kit k;
  std::vector<log_place> all;
  for (std::size_t n = 0; n < 4 * (body_log::spare_max + 10); ++n) all.push_back(k.kept('x'));
  const std::size_t before = k.files();
  for (const log_place& at : all) k.log->drop(at);
  SECTION("while a copy is made, all stay, and none is written to") {
    k.log->hold();
    k.commit();
    CHECK(k.files() == before);
    CHECK(k.kept('n').segment > all.back().segment);
    k.log->release();
  }
  k.commit();
  CHECK(k.files() <= body_log::spare_max + 2);
}

TEST_CASE("it is wasteful when half of four segments or more has gone: the emptiest goes first") {
  kit k;
  std::vector<log_place> all;
  for (int n = 0; n < 20; ++n) all.push_back(k.kept('x'));   // five, the last one open
  (void)k.kept('y');
  CHECK_FALSE(k.log->wasteful());
  const auto drop = [&](std::initializer_list<std::size_t> which) {
    for (const std::size_t n : which) k.drop(all[n]);
  };
  drop({0, 1, 4, 5, 6, 8, 9, 12});
  CHECK_FALSE(k.log->wasteful());
  drop({13, 16});
  REQUIRE(k.log->wasteful());
  CHECK(*k.log->wasteful() == all[4].segment);
  k.log->keep_as_it_is(all[4].segment);
  CHECK_FALSE(k.log->wasteful());   // the four others are fuller than half
}

TEST_CASE("a segment that is gone or torn is damaged, not an error of the disk") {
  kit k;
  const log_place at = k.kept('a');
  const std::string path = segment_path(k.folder.path("bodies"), at.segment);
  SECTION("gone") { fs::remove(path); }
  SECTION("torn") { fs::resize_file(path, 100); }
  CHECK(k.log->read(at).error().what == trouble::damaged);
}

TEST_CASE("whichever operation fails, the caller hears of it, and what was committed stays") {
  for (const int error : {EIO, ENOSPC}) {
    for (unsigned nth = 1;; ++nth) {
      INFO("operation " << nth << ", error " << error);
      kit k;
      const log_place before = k.kept('a');
      bool good = true, struck = false;
      std::vector<log_place> kept;
      {
        failing_files faults(nth, error);
        for (char c = 'b'; good && c < 'h'; ++c) {
          const auto at = k.log->append(std::string(4 * log_block - 7, c));
          good = at.has_value() && k.log->sync().has_value();
          good ? k.log->committed() : k.log->rolled_back();
          if (good) kept.push_back(*at);
        }
        struck = faults.struck();
      }
      const log_place after = k.kept('z');
      k.check(before, 'a');
      k.check(after, 'z');
      for (std::size_t i = 0; i < kept.size(); ++i) k.check(kept[i], static_cast<char>('b' + i));
      if (!struck) {
        CHECK(nth > 15);
        break;
      }
    }
  }
}
