#include "telemetry/line_outlet.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <optional>
#include <string>
#include <thread>
#include <utility>
#include <vector>

using namespace weir;
using telemetry::line_outlet;
using namespace std::chrono_literals;

namespace {

// Two ends, the reading one not blocking, so that a test sees what is there now.
struct ends {
  enum class kind { pipe, socket };
  explicit ends(kind k = kind::pipe) {
    ::signal(SIGPIPE, SIG_IGN);
    int fds[2];
    if (k == kind::pipe) REQUIRE(::pipe2(fds, O_CLOEXEC) == 0);
    else REQUIRE(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) == 0);
    read_end = fds[0], write_end = fds[1];
    ::fcntl(read_end, F_SETFL, O_NONBLOCK);
    if (k == kind::pipe) ::fcntl(write_end, F_SETPIPE_SZ, 4096);
  }
  ~ends() {
    close_reader();
    close_writer();
  }
  void close_writer() {
    if (write_end >= 0) ::close(std::exchange(write_end, -1));
  }
  void close_reader() {
    if (read_end >= 0) ::close(std::exchange(read_end, -1));
  }
  std::string read_all() {
    std::string all;
    char part[65536];
    for (ssize_t n; (n = ::read(read_end, part, sizeof part)) > 0;)
      all.append(part, static_cast<std::size_t>(n));
    return all;
  }
  int read_end = -1, write_end = -1;
};

std::string line_of(int n) { return "line " + std::to_string(n) + std::string(100, '.'); }

}  // namespace

TEST_CASE("lines come out at once, each with its newline, where they are taken") {
  for (const auto k : {ends::kind::pipe, ends::kind::socket}) {
    ends e(k);
    line_outlet out(e.write_end);
    out.put("one");
    out.put("");
    out.put("three");
    CHECK(e.read_all() == "one\n\nthree\n");
    CHECK(out.flush());
    CHECK(out.dropped() == 0);
  }
}

TEST_CASE("who is not read waits for nobody: lines are kept up to the limit, then dropped") {
  for (const auto k : {ends::kind::pipe, ends::kind::socket}) {
    ends e(k);
    line_outlet out(e.write_end, 8192);
    int put = 0;
    while (out.dropped() == 0) {
      out.put(line_of(put++));
      REQUIRE(put < 100'000);
    }
    CHECK_FALSE(out.flush());
    CHECK_FALSE(out.flush(1ms));
    // Everything but the dropped one comes out whole and in order, as it is read.
    std::string all = e.read_all();
    while (!out.flush()) all += e.read_all();
    all += e.read_all();
    std::string expected;
    for (int i = 0; i + 1 < put; ++i) expected += line_of(i) + "\n";
    CHECK(all == expected);
    CHECK(out.dropped() == 1);
  }
}

TEST_CASE("a line that is longer than the pipe goes out in parts, and those after it behind it") {
  ends e;
  line_outlet out(e.write_end);
  const std::string longest(50'000, 'x');
  out.put(longest);
  out.put("next");
  std::string all;
  while (!out.flush()) all += e.read_all();
  all += e.read_all();
  CHECK(all == longest + "\nnext\n");
}

TEST_CASE("the flags of a descriptor that others share stay as they are") {
  ends e;
  const int before = ::fcntl(e.write_end, F_GETFL);
  line_outlet out(e.write_end);
  for (int i = 0; i < 100; ++i) out.put(line_of(i));
  CHECK(::fcntl(e.write_end, F_GETFL) == before);
}

TEST_CASE("lines for a reader that is gone are dropped, and nothing piles up") {
  for (const auto k : {ends::kind::pipe, ends::kind::socket}) {
    ends e(k);
    line_outlet out(e.write_end);
    e.close_reader();
    for (int i = 0; i < 10; ++i) out.put("nobody reads this");
    CHECK(out.flush());
    CHECK(out.dropped() == 10);
  }
}

TEST_CASE("flush waits as long as it is told for who reads late") {
  ends e;
  std::optional<line_outlet> out(e.write_end);
  while (out->flush()) out->put(line_of(0));
  ::fcntl(e.read_end, F_SETFL, 0);
  std::thread reader([&] {
    char part[4096];
    while (::read(e.read_end, part, sizeof part) > 0) {}
  });
  CHECK(out->flush(60s));
  out.reset();
  e.close_writer();
  reader.join();
}

TEST_CASE("a file takes everything at once") {
  char name[] = "/tmp/weir-outlet-XXXXXX";
  const int fd = ::mkstemp(name);
  REQUIRE(fd >= 0);
  line_outlet out(fd, 10);
  out.put("a line");
  out.put("another");
  std::string text(100, '\0');
  text.resize(static_cast<std::size_t>(::pread(fd, text.data(), text.size(), 0)));
  CHECK(text == "a line\nanother\n");
  out.put("longer than the limit");
  CHECK(out.dropped() == 1);
  ::close(fd);
  ::unlink(name);
}

TEST_CASE("threads that put lines at once each get whole lines") {
  ends e;
  line_outlet out(e.write_end, 1 << 20);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t)
    threads.emplace_back([&, t] {
      for (int i = 0; i < 100; ++i) out.put(std::string(20, static_cast<char>('a' + t)));
    });
  for (auto& t : threads) t.join();
  std::string all = e.read_all();
  while (!out.flush()) all += e.read_all();
  all += e.read_all();
  REQUIRE(all.size() == 400 * 21);
  for (std::size_t at = 0; at < all.size(); at += 21) {
    CHECK(all[at + 20] == '\n');
    CHECK(all.substr(at, 20) == std::string(20, all[at]));
  }
}
