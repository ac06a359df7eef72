// Flipped bits and torn files, anywhere: a store opens, what is damaged is told and out of the way,
// and all else is there as it was written.
#include "store/mend.hpp"

#include <catch2/catch.hpp>

#include <filesystem>
#include <map>

#include "scratch.hpp"
#include "store/local_engine.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::answer;
using test::batch_of;
using test::id_of;
namespace fs = std::filesystem;

constexpr unsigned batches = 200;
const std::string database_name = "state/batches.db";

// Some are long enough for the body log.
std::string body_of(unsigned n) {
  return "body " + std::to_string(n) + std::string(n % 40 == 7 ? 9000 : n * 3, 'x');
}

// A store that was filled and closed, to be damaged again and again.
struct kit {
  weir::test::scratch_folder folder;
  std::string whole;

  kit() {
    auto e = open();
    REQUIRE(e);
    std::promise<void> last;
    for (unsigned n = 0; n < batches; ++n) e->add(batch_of(n, body_of(n)), {}, [](auto) {});
    e->list({}, [&](auto) { last.set_value(); });
    last.get_future().wait();
    e.reset();
    whole = read(database_name);
  }
  std::unique_ptr<local_engine> open() {
    local_settings s;
    s.folder = folder.path("state");
    auto made = local_engine::open(s);
    if (!made) UNSCOPED_INFO(made.error().detail);
    return made ? std::move(*made) : nullptr;
  }
  std::string read(const std::string& name) {
    const auto f = file::open(folder.path(name), file::mode::read);
    std::string bytes(fs::file_size(folder.path(name)), '\0');
    REQUIRE(*f->read(0, bytes) == bytes.size());
    return bytes;
  }
  void put(const std::string& bytes) {
    for (const auto& entry : fs::directory_iterator(folder.path("state")))
      if (entry.path().filename() != body_log::folder_name) fs::remove_all(entry.path());
    auto f = file::open(folder.path(database_name), file::mode::create);
    REQUIRE_FALSE(f->write(bytes));
  }
};

// Those that are there, each checked against what was written.
unsigned good_ones(local_engine& e) {
  unsigned good = 0;
  for (const batch& b : test::queued(e)) {
    const auto n = static_cast<unsigned>(b.id[0]);
    CHECK(b.id == id_of(n));
    CHECK((b.target == batch_of(n).target && b.tenant == batch_of(n).tenant));
    const auto with_body = answer<batch>([&](auto t) { e.find(b.id, true, t); });
    if (!with_body) CHECK(with_body.error().what == trouble::damaged);
    else CHECK(with_body->body.bytes == body_of(n));
    good += with_body.has_value();
  }
  return good;
}

}  // namespace

TEST_CASE("wherever one bit of the database is another, the store opens and the rest is there") {
  kit k;
  std::uint32_t seed = 4711;
  INFO("seed " << seed);
  for (unsigned round = 0; round < 150; ++round) {
    seed = seed * 1664525u + 1013904223u;
    const std::size_t at = round < 30 ? round * 7 : (std::size_t{seed} * 64) % k.whole.size();
    INFO("bit " << (seed >> 29) << " of byte " << at);
    std::string bytes = k.whole;
    bytes[at] = static_cast<char>(bytes[at] ^ (1 << (seed >> 29)));
    k.put(bytes);
    auto e = k.open();
    REQUIRE(e);
    CHECK(good_ones(*e) >= batches - 80);   // one page's records at most
    REQUIRE(answer<added>([&](auto t) { e->add(batch_of(250), {}, t); }).has_value());
    CHECK(answer<batch>([&](auto t) { e->find(id_of(250), true, t); }).has_value());
  }
}

TEST_CASE("whichever page holds nothing but noise, the store opens and says so or has all") {
  kit k;
  constexpr std::size_t page = 16384;
  REQUIRE(k.whole.size() > 10 * page);
  unsigned most = 0;
  for (std::size_t at = 0; at < k.whole.size(); at += page) {
    INFO("page " << at / page);
    std::string bytes = k.whole;
    for (std::size_t i = 0; i < page; ++i) bytes[at + i] = static_cast<char>(i * 37 + at / page);
    k.put(bytes);
    auto e = k.open();
    REQUIRE(e);
    const unsigned good = good_ones(*e);
    most = std::max(most, good);
    const bool told = good == batches || e->damaged() > 0;
    CHECK(told);
    const auto more = answer<added>([&](auto t) { e->add(batch_of(250), {}, t); });
    INFO((more ? "" : more.error().detail));
    CHECK(more.has_value());
  }
  CHECK(most == batches);
}

TEST_CASE("a mended store keeps the old file beside it, and is whole from then on") {
  kit k;
  std::string bytes = k.whole;
  bytes.replace(0, 4096, 4096, '\x5a');   // the definitions of all tables
  k.put(bytes);
  {
    auto e = k.open();
    REQUIRE(e);
    CHECK(e->damaged() > 0);
    CHECK(good_ones(*e) == batches);
    CHECK(fs::exists(k.folder.path(database_name + damaged_suffix)));
  }
  auto again = k.open();
  CHECK(again->damaged() == 0);
  CHECK(good_ones(*again) == batches);
}

TEST_CASE("a log that was torn off loses no commit before the tear") {
  weir::test::scratch_folder folder;
  local_settings s;
  s.folder = folder.path("state");
  auto e = std::move(*local_engine::open(s));
  const std::string log = folder.path("state/batches.db-wal");
  std::map<unsigned, std::uintmax_t> ends;   // of the log, when a batch was answered
  for (unsigned n = 0; n < 12; ++n) {
    REQUIRE(answer<added>([&](auto t) { e->add(batch_of(n), {}, t); }).has_value());
    ends[n] = fs::file_size(log);
  }
  // What a killed weir would leave: files as they are, without a close.
  for (const int step : {0, 1, 100, 5000, 16000, 40000}) {
    const auto size = ends[7] + static_cast<std::uintmax_t>(step);
    const std::string copy = "torn" + std::to_string(step);
    fs::create_directory(folder.path(copy));
    fs::copy(folder.path("state/batches.db"), folder.path(copy + "/batches.db"));
    fs::copy(log, folder.path(copy + "/batches.db-wal"));
    if (size < fs::file_size(log)) fs::resize_file(folder.path(copy + "/batches.db-wal"), size);
    local_settings torn;
    torn.folder = folder.path(copy);
    auto opened = local_engine::open(torn);
    REQUIRE(opened.has_value());
    CHECK((*opened)->damaged() == 0);
    for (unsigned n = 0; n < 12; ++n)
      if (ends[n] <= size)
        CHECK(answer<batch>([&](auto t) { (*opened)->find(id_of(n), true, t); }).has_value());
  }
}
