#include "scale/child.hpp"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>

#include "scale/scale_bench.hpp"

namespace {

using namespace weir;
using scale::child;
using scale::unique_fd;

child::started spawn(const std::string& script, const std::string& input = {}) {
  auto made = child::spawn({"/bin/sh", "-c", script}, input);
  REQUIRE(made.has_value());
  return std::move(*made);
}

void await_readable(const unique_fd& fd) {
  pollfd p{fd.value(), POLLIN, 0};
  REQUIRE(::poll(&p, 1, 60000) == 1);
}

// All that it writes until it and its children are done.
std::string output(const child::started& s) {
  std::string text;
  char chunk[512];
  for (;;) {
    await_readable(s.output);
    const ssize_t n = ::read(s.output.value(), chunk, sizeof chunk);
    if (n == 0) return text;
    if (n > 0) text.append(chunk, static_cast<std::size_t>(n));
  }
}

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

}  // namespace

TEST_CASE("a descriptor is closed once, by whoever has it last") {
  int raw = -1;
  {
    unique_fd first(::dup(2));
    raw = first.value();
    unique_fd second(std::move(first));
    CHECK(!first);
    CHECK(second.value() == raw);
    unique_fd third;
    third = std::move(second);
    CHECK(is_open(raw));
  }
  CHECK(!is_open(raw));
  unique_fd kept(::dup(2));
  raw = kept.release();
  CHECK(!kept);
  CHECK(is_open(raw));
  ::close(raw);
}

TEST_CASE("a child has its input, one pipe for both outputs, and a descriptor that tells its end") {
  auto s = spawn("cat; echo two >&2; exit 7", "one ");
  CHECK(output(s) == "one two\n");
  await_readable(s.ended);
  CHECK(s.process.ended());
  CHECK(s.process.reap() == "exit status 7");
  CHECK(!s.process.owned());
}

TEST_CASE("a child that runs has not ended, and its group takes signals") {
  auto s = spawn("echo ready; exec tail -f /dev/null");
  await_readable(s.output);
  CHECK(s.process.owned());
  CHECK(!s.process.ended());
  s.process.signal_group(SIGUSR1);
  await_readable(s.ended);
  CHECK(s.process.ended());
  CHECK(s.process.ended());  // asking changes nothing
  CHECK(s.process.reap() == "killed by signal " + std::to_string(SIGUSR1));
  s.process.signal_group(SIGKILL);  // to nobody: the number may be somebody else's now
}

TEST_CASE("a child leads a group of its own") {
  auto s = spawn("cut -d' ' -f5 /proc/$$/stat; echo $$");
  const std::string said = output(s);
  CHECK(std::stol(said) == std::stol(said.substr(said.find('\n'))));
  CHECK(std::stol(said) != static_cast<long>(::getpgrp()));
  s.process.reap();
}

TEST_CASE("a child that is dropped is killed with its group and reaped, also by assignment") {
  auto s = spawn("tail -f /dev/null & echo $! $$; wait");
  await_readable(s.output);
  char text[64] = {};
  REQUIRE(::read(s.output.value(), text, sizeof text - 1) > 0);
  const std::string said = text;
  const long grandchild = std::stol(said), leader = std::stol(said.substr(said.find(' ')));
  {
    child moved(std::move(s.process));
    CHECK(!s.process.owned());
    CHECK(test::runs(leader));
    moved = child();
  }
  CHECK(!std::filesystem::exists("/proc/" + std::to_string(leader)));
  boost::asio::io_context context;
  CHECK(test::run_until(context, [&] { return !test::runs(grandchild); }));
}

TEST_CASE("a child that somebody else reaped is not taken for a success") {
  auto s = spawn("exit 0");
  REQUIRE(::waitpid(-1, nullptr, 0) > 0);
  CHECK(s.process.ended());
  CHECK(s.process.reap() == "ended unseen");
  CHECK(!s.process.owned());
}

TEST_CASE("what cannot be started says why, and leaves nothing to reap") {
  const std::pair<std::vector<std::string>, std::string> rows[] = {
      {{}, "no command"},
      {{"/nonexistent"}, "cannot start it: No such file or directory"},
      {{"/tmp"}, "cannot start it: Permission denied"},
      {{"sh", "-c", "exit 0"}, "cannot start it: No such file or directory"},  // no PATH search
  };
  for (const auto& [argv, why] : rows) {
    const auto made = child::spawn(argv, "");
    REQUIRE(made.has_error());
    CHECK(made.error() == why);
  }
  CHECK(::waitpid(-1, nullptr, WNOHANG) == -1);  // no child at all
}
