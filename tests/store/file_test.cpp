#include "store/file.hpp"

#include <catch2/catch.hpp>

#include <array>

#include "scratch.hpp"
#include "store_kit.hpp"

using namespace weir::store;

TEST_CASE("a file is made once, and its errors are the system's") {
  weir::test::scratch_folder folder;
  const std::string path = folder.path("a");
  {
    auto f = file::open(path, file::mode::create);
    REQUIRE(f.has_value());
    CHECK_FALSE(f->write("some bytes"));
    CHECK_FALSE(f->sync());
  }
  CHECK(file::open(path, file::mode::create).error() == boost::system::errc::file_exists);
  CHECK(file::open(folder.path("b"), file::mode::read).error() ==
        boost::system::errc::no_such_file_or_directory);
  CHECK_FALSE(rename_file(path, folder.path("c")));
  CHECK_FALSE(sync_folder(folder.path("")));
  CHECK(sync_folder(folder.path("none")) == boost::system::errc::no_such_file_or_directory);
  CHECK(rename_file(path, folder.path("d")) == boost::system::errc::no_such_file_or_directory);
  CHECK_FALSE(remove_file(folder.path("c")));
  CHECK_FALSE(remove_file(folder.path("c")));   // gone is gone
}

TEST_CASE("a read gives what there is from its place on") {
  weir::test::scratch_folder folder;
  const auto f = file::open(folder.write("a", "0123456789"), file::mode::read);
  REQUIRE(f.has_value());
  std::array<char, 6> piece;
  CHECK(*f->read(2, piece) == 6);
  CHECK(std::string(piece.data(), 6) == "234567");
  CHECK(*f->read(8, piece) == 2);
  CHECK(*f->read(10, piece) == 0);
  CHECK(*f->read(99, piece) == 0);
}

TEST_CASE("moved files are closed once") {
  weir::test::scratch_folder folder;
  auto a = std::move(*file::open(folder.path("a"), file::mode::create));
  file b = std::move(a);
  CHECK_FALSE(static_cast<bool>(a));
  CHECK(static_cast<bool>(b));
  b = file();
  CHECK_FALSE(static_cast<bool>(b));
}
