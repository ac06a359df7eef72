#include "store/folder_lock.hpp"

#include <catch2/catch.hpp>

#include <filesystem>

#include "scratch.hpp"
#include "store_kit.hpp"

using namespace weir::store;

TEST_CASE("a folder is held by one, until it is let go") {
  weir::test::scratch_folder folder;
  const std::string path = folder.path("made/on/the/way");
  {
    const auto held = folder_lock::take(path);
    REQUIRE(held.has_value());
    CHECK(std::filesystem::is_directory(path));
    const auto second = folder_lock::take(path);
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().what == trouble::conflict);
    CHECK_THAT(second.error().detail, Catch::Contains("locked"));
  }
  CHECK(folder_lock::take(path).has_value());
}

TEST_CASE("a lock that moves is held all the while") {
  weir::test::scratch_folder folder;
  folder_lock held;
  {
    auto taken = folder_lock::take(folder.path("a"));
    held = std::move(*taken);
  }
  CHECK_FALSE(folder_lock::take(folder.path("a")).has_value());
  held = folder_lock();
  CHECK(folder_lock::take(folder.path("a")).has_value());
}

TEST_CASE("a folder that cannot be made, or a disk without room, is told as what it is") {
  weir::test::scratch_folder folder;
  folder.write("file", "x");
  CHECK(folder_lock::take(folder.path("file/below")).error().what == trouble::io);
  test::failing_files full(1, ENOSPC);
  CHECK(folder_lock::take(folder.path("b")).error().what == trouble::full);
}
