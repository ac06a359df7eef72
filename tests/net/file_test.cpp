#include "net/file.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <atomic>
#include <catch2/catch.hpp>
#include <cerrno>
#include <filesystem>
#include <string>

#include "file_faults.hpp"
#include "scratch.hpp"

namespace {

using namespace weir;
using net::file_call;

}  // namespace

TEST_CASE("an unnamed file is written and read at any place, and leaves nothing in its folder") {
  test::scratch_folder folder;
  const int fd = net::open_unnamed(folder.path(""));
  REQUIRE(fd >= 0);
  CHECK(std::filesystem::is_empty(folder.path("")));
  CHECK(net::write_at(fd, 0, "hello, ") == 0);
  CHECK(net::write_at(fd, 7, "world") == 0);
  std::array<char, 64> room;
  CHECK(net::read_at(fd, 7, room) == 5);
  CHECK(std::string_view(room.data(), 5) == "world");
  CHECK(net::read_at(fd, 12, room) == 0);
  struct stat s{};
  REQUIRE(::fstat(fd, &s) == 0);
  CHECK(s.st_nlink == 0);
  CHECK((s.st_mode & 0777) == 0600);
  ::close(fd);
}

TEST_CASE("a folder that is not there gives no file and says why") {
  test::scratch_folder folder;
  CHECK(net::open_unnamed(folder.path("missing")) == -1);
  CHECK(errno == ENOENT);
}

TEST_CASE("calls that move few bytes are gone on with until all is there") {
  test::scratch_folder folder;
  const int fd = net::open_unnamed(folder.path(""));
  REQUIRE(fd >= 0);
  const std::string text(1000, 't');
  test::file_faults few({}, 0, 0, 7);
  CHECK(net::write_at(fd, 3, text) == 0);
  std::array<char, 2000> room;
  CHECK(net::read_at(fd, 3, room) == 1000);
  CHECK(std::string_view(room.data(), 1000) == text);
  ::close(fd);
}

TEST_CASE("a failing call is told by its errno") {
  test::scratch_folder folder;
  const int fd = net::open_unnamed(folder.path(""));
  REQUIRE(fd >= 0);
  std::array<char, 8> room;
  {
    test::file_faults full(file_call::write, 1, ENOSPC);
    CHECK(net::write_at(fd, 0, "some") == ENOSPC);
  }
  {
    test::file_faults broken(file_call::read, 1, EIO);
    CHECK(net::read_at(fd, 0, room) == -1);
    CHECK(errno == EIO);
  }
  {
    test::file_faults none_left(file_call::open, 1, EMFILE);
    CHECK(net::open_unnamed(folder.path("")) == -1);
    CHECK(errno == EMFILE);
  }
  ::close(fd);
  CHECK(net::write_at(-1, 0, "some") == EBADF);
  CHECK(net::read_at(-1, 0, room) == -1);
}
