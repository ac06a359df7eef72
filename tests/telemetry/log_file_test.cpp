#include "telemetry/log_file.hpp"

#include <fcntl.h>
#include <limits.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>

using namespace weir::telemetry;
using namespace std::chrono_literals;
namespace fs = std::filesystem;

namespace {

class folder {
 public:
  folder() {
    std::string name = fs::temp_directory_path() / "weir-log-file-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~folder() {
    std::error_code ec;
    fs::remove_all(path_, ec);
  }
  std::string file(const char* name) const { return path_ / name; }

 private:
  fs::path path_;
};

// A named pipe and its reading end.
struct fifo {
  folder home;
  std::string path = home.file("pipe");
  int reader = -1;
  fifo() {
    REQUIRE(::mkfifo(path.c_str(), 0600) == 0);
    reader = ::open(path.c_str(), O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    REQUIRE(reader >= 0);
  }
  ~fifo() { close_reader(); }
  void close_reader() {
    if (reader >= 0) ::close(reader);
    reader = -1;
  }
  std::size_t read_all() {
    char piece[65536];
    std::size_t sum = 0;
    for (ssize_t n; (n = ::read(reader, piece, sizeof piece)) > 0;)
      sum += static_cast<std::size_t>(n);
    return sum;
  }
};

std::string contents(const std::string& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

log_file opened(const std::string& path) {
  auto file = log_file::open(path);
  REQUIRE(file.has_value());
  return std::move(*file);
}

using boost::system::errc::errc_t;

}  // namespace

TEST_CASE("both runs are written in order, at the end of what is there") {
  const folder f;
  std::ofstream(f.file("a")) << "before\n";
  auto file = opened(f.file("a"));
  const auto n = file.write({"one\n", "two\n"}, 0ms);
  REQUIRE(n.has_value());
  CHECK(*n == 8);
  CHECK(*file.write({"three\n", ""}, 0ms) == 6);
  CHECK(contents(f.file("a")) == "before\none\ntwo\nthree\n");
}

TEST_CASE("two writers of one file do not overwrite each other") {
  const folder f;
  auto one = opened(f.file("a")), two = opened(f.file("a"));
  CHECK(one.write({"1\n", ""}, 0ms).has_value());
  CHECK(two.write({"2\n", ""}, 0ms).has_value());
  CHECK(one.write({"3\n", ""}, 0ms).has_value());
  CHECK(contents(f.file("a")) == "1\n2\n3\n");
}

TEST_CASE("what cannot be opened says why") {
  struct row {
    const char* name;
    errc_t why;
  };
  const folder f;
  fs::create_directory(f.file("folder"));
  REQUIRE(::mkfifo(f.file("unread").c_str(), 0600) == 0);
  const row rows[] = {
      {"missing/a", boost::system::errc::no_such_file_or_directory},
      {"folder", boost::system::errc::is_a_directory},
      {"unread", boost::system::errc::no_such_device_or_address},   // nobody reads the pipe
  };
  for (const auto& r : rows) {
    const auto file = log_file::open(f.file(r.name));
    CAPTURE(r.name);
    REQUIRE_FALSE(file.has_value());
    CHECK(file.error() == r.why);
  }
}

TEST_CASE("a new file is its owner's to write, its group's to read, and nobody else's") {
  const folder f;
  const auto before = ::umask(0);
  opened(f.file("a"));
  ::umask(before);
  const auto allowed = fs::status(f.file("a")).permissions();
  CHECK(allowed == (fs::perms::owner_read | fs::perms::owner_write | fs::perms::group_read));
}

TEST_CASE("the descriptor is closed with its owner, and not inherited by children") {
  const folder f;
  int fd = ::open("/dev/null", O_RDONLY | O_CLOEXEC);
  ::close(fd);   // the number that the next one gets
  {
    auto first = opened(f.file("a"));
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
    log_file second(std::move(first));
    CHECK(second.write({"x", ""}, 0ms).has_value());
  }
  CHECK(::fcntl(fd, F_GETFD) == -1);
}

TEST_CASE("assigning another file closes the old one and goes on with the new") {
  const folder f;
  auto file = opened(f.file("a"));
  CHECK(file.write({"1", ""}, 0ms).has_value());
  file = opened(f.file("b"));
  CHECK(file.write({"2", ""}, 0ms).has_value());
  CHECK(contents(f.file("a")) == "1");
  CHECK(contents(f.file("b")) == "2");
}

TEST_CASE("standard output is never closed") {
  { const auto file = opened("-"); }
  CHECK(::fcntl(STDOUT_FILENO, F_GETFD) != -1);
}

TEST_CASE("a file takes all at once, a pipe no more than it is sure to take") {
  const folder f;
  const std::string big(300000, 'x');
  CHECK(*opened(f.file("a")).write({big, big}, 0ms) == 600000);
  fifo pipe;
  auto file = opened(pipe.path);
  const auto n = file.write({big, big}, 0ms);
  REQUIRE(n.has_value());
  CHECK(*n == PIPE_BUF);
  CHECK(pipe.read_all() == PIPE_BUF);
}

TEST_CASE("a full pipe is a timeout, and takes more once it was read") {
  fifo pipe;
  auto file = opened(pipe.path);
  const std::string piece(PIPE_BUF, 'x');
  std::size_t sent = 0;
  for (;;) {
    const auto n = file.write({piece, ""}, 0ms);
    if (!n) {
      CHECK(n.error() == boost::system::errc::timed_out);
      break;
    }
    sent += *n;
    REQUIRE(sent < (64u << 20));
  }
  CHECK(file.write({piece, ""}, 5ms).error() == boost::system::errc::timed_out);
  CHECK(pipe.read_all() == sent);
  CHECK(*file.write({piece, ""}, 0ms) == PIPE_BUF);
}

TEST_CASE("devices that take everything are not waited for") {
  auto file = opened("/dev/null");
  const std::string big(100000, 'x');
  CHECK(*file.write({big, ""}, 0ms) == 100000);
}

TEST_CASE("a full disk is an error, not a wait") {
  auto full = opened("/dev/full");
  CHECK(full.write({"x", ""}, 0ms).error() == boost::system::errc::no_space_on_device);
}
