#include "app/signals.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <utility>

using namespace weir;
using namespace std::chrono_literals;

namespace {

// A process of its own, in which `told` of every signal is written to a pipe, a byte each, and
// whose main thread is stuck for good.
class stuck_process {
 public:
  explicit stuck_process(std::chrono::milliseconds patience) {
    int ends[2];
    REQUIRE(::pipe(ends) == 0);
    from_ = ends[0];
    pid_ = ::fork();
    if (pid_ == 0) live(ends[1], patience);
    ::close(ends[1]);
    REQUIRE(heard() == '!');   // it listens
  }
  ~stuck_process() {
    ::close(from_);
    if (pid_ > 0) ::kill(pid_, SIGKILL), ended();
  }
  // What it was told next; 0 when it has ended.
  int heard() {
    char s = 0;
    return ::read(from_, &s, 1) == 1 ? s : 0;
  }
  void send(int signal) { ::kill(pid_, signal); }
  // How it ended, as by waitpid.
  int ended() {
    int how = 0;
    ::waitpid(std::exchange(pid_, -1), &how, 0);
    return how;
  }

 private:
  [[noreturn]] static void live(int to, std::chrono::milliseconds patience) {
    const auto write = [to](int s) {
      const char byte = static_cast<char>(s);
      if (::write(to, &byte, 1) != 1) ::_exit(9);
    };
    app::signals::block();
    const app::signals all(write, patience);
    write('!');
    for (;;) ::pause();
  }
  int from_ = -1;
  pid_t pid_ = -1;
};

}  // namespace

TEST_CASE("every signal is told, whatever the main thread waits for") {
  stuck_process p(1h);
  for (const int s : {SIGHUP, SIGUSR1, SIGTERM, SIGHUP, SIGINT}) {
    p.send(s);
    CHECK(p.heard() == s);
  }
}

TEST_CASE("a second TERM or INT ends a process whose threads are stuck") {
  for (const int first : {SIGTERM, SIGINT})
    for (const int second : {SIGTERM, SIGINT}) {
      stuck_process p(1ms);
      p.send(first);
      CHECK(p.heard() == first);
      p.send(second);
      CHECK(p.heard() == second);
      CHECK(p.heard() == 0);
      const int how = p.ended();
      CHECK(WIFEXITED(how));
      CHECK(WEXITSTATUS(how) == 1);
    }
}

TEST_CASE("reloads after the first TERM are no second one") {
  stuck_process p(1ms);
  for (const int s : {SIGTERM, SIGHUP, SIGUSR1, SIGHUP, SIGHUP}) {
    p.send(s);
    CHECK(p.heard() == s);
  }
  p.send(SIGKILL);
  const int how = p.ended();
  CHECK(WIFSIGNALED(how));
}

TEST_CASE("a thread that waits for signals ends with its owner, without telling of it") {
  int told = 0;
  sigset_t before;
  pthread_sigmask(SIG_SETMASK, nullptr, &before);
  app::signals::block();
  for (int i = 0; i < 20; ++i) {
    const app::signals all([&](int) { ++told; });
  }
  pthread_sigmask(SIG_SETMASK, &before, nullptr);
  CHECK(told == 0);
}
