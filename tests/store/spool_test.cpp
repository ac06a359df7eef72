#include "store/spool.hpp"

#include <catch2/catch.hpp>

#include <array>
#include <filesystem>

#include "scratch.hpp"
#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::failing_files;
namespace fs = std::filesystem;

outcome<bool> none(std::uint64_t) { return false; }

std::size_t files_in(const weir::test::scratch_folder& folder) {
  return static_cast<std::size_t>(
      std::distance(fs::directory_iterator(folder.path("")), fs::directory_iterator()));
}

const std::string text = [] {
  std::string s;
  for (int i = 0; i < 20000; ++i) s += "row " + std::to_string(i) + "\n";
  return s;
}();

outcome<payload> spooled(spool& to, std::string_view bytes = text) {
  auto w = to.create();
  if (!w) return w.error();
  for (std::size_t at = 0; at < bytes.size(); at += 7000)
    if (auto done = w->write(bytes.substr(at, 7000)); !done) return done.error();
  return w->finish();
}

std::string read_back(const spool& from, const payload& body) {
  const auto opened = from.open(body);
  REQUIRE(opened.has_value());
  std::array<char, 999> piece;
  std::string all;
  while (all.size() < body.size) {
    const auto n = from.read(*opened, body, all.size(), piece);
    REQUIRE(n.has_value());
    all.append(piece.data(), *n);
  }
  CHECK(*from.read(*opened, body, body.size, piece) == 0);
  return all;
}

}  // namespace

TEST_CASE("a spooled body comes back byte for byte, from any place") {
  weir::test::scratch_folder folder;
  spool s(folder.path(""), 1);
  const auto body = spooled(s);
  REQUIRE(body.has_value());
  CHECK(body->size == text.size());
  CHECK(body->spool == 1);
  CHECK(body->bytes.empty());
  CHECK(read_back(s, *body) == text);
  CHECK(s.verify(*body).has_value());
  CHECK(spooled(s)->spool == 2);
  REQUIRE(s.remove(1).has_value());
  CHECK(s.remove(1).has_value());   // gone already
  CHECK(s.open(*body).error().what == trouble::damaged);
}

TEST_CASE("a body that breaks off leaves nothing") {
  weir::test::scratch_folder folder;
  spool s(folder.path(""), 1);
  {
    auto w = s.create();
    REQUIRE(w.has_value());
    REQUIRE(w->write("half of it").has_value());
    CHECK(files_in(folder) == 1);
  }
  CHECK(files_in(folder) == 0);
}

TEST_CASE("a file that was changed, cut or removed is damaged") {
  weir::test::scratch_folder folder;
  spool s(folder.path(""), 1);
  const auto body = spooled(s);
  const std::string path = folder.path("1");
  SECTION("a flipped bit") {
    std::string bytes = text;
    bytes[text.size() / 2] ^= 1;
    folder.write("1", bytes);
  }
  SECTION("a torn tail") { fs::resize_file(path, text.size() - 1); }
  SECTION("nothing") { fs::remove(path); }
  CHECK(s.verify(*body).error().what == trouble::damaged);
}

TEST_CASE("whichever operation fails, the caller hears of it and no file stays but a whole one") {
  for (const int error : {EIO, ENOSPC}) {
    for (unsigned nth = 1;; ++nth) {
      INFO("operation " << nth << ", error " << error);
      weir::test::scratch_folder folder;
      spool s(folder.path(""), 1);
      bool struck = false;
      outcome<payload> body = failure{};
      {
        failing_files faults(nth, error);
        body = spooled(s);
        struck = faults.struck();
      }
      if (!struck) {
        CHECK(body.has_value());
        CHECK(nth > 20);
        break;
      }
      REQUIRE_FALSE(body.has_value());
      CHECK(body.error().what == (error == ENOSPC ? trouble::full : trouble::io));
      CHECK(s.sweep(none).has_value());   // what a failed sync left under its number
      CHECK(files_in(folder) == 0);
    }
  }
}

TEST_CASE("short writes and reads are carried on") {
  weir::test::scratch_folder folder;
  spool s(folder.path(""), 1);
  before_file_call = [](file_call) { return file_plan{0, 100}; };
  const auto body = spooled(s, std::string_view(text).substr(0, 5000));
  REQUIRE(body.has_value());
  CHECK(read_back(s, *body) == text.substr(0, 5000));
  before_file_call = nullptr;
}

TEST_CASE("a sweep removes what no record names, and nothing that is not the spool's") {
  weir::test::scratch_folder folder;
  for (const char* name : {"1", "2", "3.part", "17.part", "notes.txt", "1x", "part", ".part"})
    folder.write(name, "x");
  const spool s(folder.path(""), 20);
  CHECK(*s.sweep([](std::uint64_t n) { return outcome<bool>(n == 1); }) == 3);
  for (const char* name : {"1", "notes.txt", "1x", "part", ".part"})
    CHECK(fs::exists(folder.path(name)));
  CHECK(files_in(folder) == 5);
}
