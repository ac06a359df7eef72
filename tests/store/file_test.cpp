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

TEST_CASE("a file that is updated is written anywhere, in pieces, and has room reserved") {
  weir::test::scratch_folder folder;
  auto f = file::open(folder.path("a"), file::mode::update);
  REQUIRE(f.has_value());
  CHECK_FALSE(f->reserve(100));
  before_file_call = [](file_call) { return file_plan{0, 3}; };
  CHECK_FALSE(f->write_at(90, "0123456789abc"));
  before_file_call = nullptr;
  std::array<char, 13> piece;
  CHECK(*f->read(90, piece) == 13);
  CHECK(std::string(piece.data(), 13) == "0123456789abc");
  before_file_call = [](file_call c) { return file_plan{c == file_call::reserve ? ENOSPC : 0}; };
  CHECK(f->reserve(1000) == boost::system::errc::no_space_on_device);
  before_file_call = nullptr;
  CHECK(*f->read(0, piece) == 0);   // what room it had went back
}
