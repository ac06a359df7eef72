#include "base/check.hpp"

#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <csignal>
#include <cstdlib>
#include <string>

namespace {

struct death {
  int signal = 0;   // that ended the child; 0: it exited by itself
  std::string said; // on standard error
};

std::string read_all(int from) {
  std::string all;
  std::array<char, 512> part;
  for (ssize_t n = 0; (n = ::read(from, part.data(), part.size())) > 0;)
    all.append(part.data(), static_cast<std::size_t>(n));
  return all;
}

// Runs `body` in a child whose standard error is a pipe.
template <class Body>
death run_in_child(Body body) {
  int ends[2];
  REQUIRE(::pipe(ends) == 0);
  const pid_t child = ::fork();
  REQUIRE(child >= 0);
  if (child == 0) {
    ::dup2(ends[1], 2);
    std::signal(SIGABRT, SIG_DFL);
    body();
    ::_exit(0);
  }
  ::close(ends[1]);
  death d;
  d.said = read_all(ends[0]);
  ::close(ends[0]);
  int status = 0;
  REQUIRE(::waitpid(child, &status, 0) == child);
  d.signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0;
  return d;
}

TEST_CASE("a check that holds does nothing") {
  int evaluated = 0;
  WEIR_CHECK(++evaluated == 1);
  CHECK(evaluated == 1);
}

TEST_CASE("a check that fails aborts and says file, line and condition") {
  const death d = run_in_child([] {
    const int slots = -1;
    WEIR_CHECK(slots >= 0);
  });
  CHECK(d.signal == SIGABRT);
  CHECK(d.said.find("check_test.cpp:") != std::string::npos);
  CHECK(d.said.find("slots >= 0") != std::string::npos);
  CHECK(d.said.find("internal error") != std::string::npos);
}

TEST_CASE("a check takes anything that converts to bool explicitly") {
  const int value = 0;
  const int* present = &value;
  WEIR_CHECK(present);
  const death d = run_in_child([] {
    const int* absent = nullptr;
    WEIR_CHECK(absent);
  });
  CHECK(d.signal == SIGABRT);
}

}  // namespace
