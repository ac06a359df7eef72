#include <fcntl.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <filesystem>
#include <set>

#include "net/test_certificates.hpp"
#include "scale/attempt.hpp"
#include "scale/scale_bench.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using test::hook_bench;
using test::run_until;
using test::shell;
using kind = scale::attempt_result::kind;

// Runs until it is killed; a program that waits without a clock.
const std::string forever = "tail -f /dev/null";

std::size_t open_descriptors() {
  std::size_t n = 0;
  for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd"))
    ++n;
  return n;
}

std::string read_file(const std::string& path) {
  std::ifstream in(path);
  return std::string(std::istreambuf_iterator<char>(in), {});
}

}  // namespace

TEST_CASE("a program gets the decision on standard input, as often as it reads it anew") {
  hook_bench b;
  const test::scratch_folder folder;
  const auto m = test::some_message(5);
  const auto r =
      b.run(shell("cat > " + folder.path("one") + "; cat /dev/stdin > " + folder.path("two")), m);
  CHECK(r.what == kind::delivered);
  CHECK(r.detail == "exit status 0");
  CHECK(read_file(folder.path("one")) == m.body);
  CHECK(read_file(folder.path("two")) == m.body);
  CHECK(boost::json::parse(read_file(folder.path("one"))).at("data").at("sequence") == 5);
}

TEST_CASE("a decision larger than any pipe is read whole, or not at all, without harm") {
  hook_bench b;
  auto m = test::some_message();
  m.body.assign(3 << 20, 'x');
  CHECK(b.run(shell("wc -c"), m).detail == "exit status 0, wrote: 3145728");
  CHECK(b.run(shell("exit 0"), m).what == kind::delivered);
}

TEST_CASE("exit status 0 is delivered, everything else is tried again and says why") {
  hook_bench b;
  const std::pair<std::string, std::string> rows[] = {
      {"exit 3", "exit status 3"},
      {"echo no quota >&2; exit 1", "exit status 1, wrote: no quota"},
      {"echo one; echo two >&2; exit 1", "exit status 1, wrote: one two"},
      {"kill -9 $$", "killed by signal 9"},
      {"printf 'a\\033[1mb'; exit 1", "exit status 1, wrote: a?[1mb"},
  };
  for (const auto& [script, detail] : rows) {
    CAPTURE(script);
    const auto r = b.run(shell(script));
    CHECK(r.what == kind::failed);
    CHECK(r.detail == detail);
  }
  config::hook hook = shell("");
  hook.exec->command = {"/nonexistent/scale"};
  CHECK(b.run(hook).detail == "cannot start it: No such file or directory");
  hook.exec->command = {"/etc/passwd"};
  CHECK(b.run(hook).detail == "cannot start it: Permission denied");
  hook.exec->command = {};
  CHECK(b.run(hook).detail == "no command");
}

TEST_CASE("arguments reach the program as they are, through no shell") {
  hook_bench b;
  config::hook hook = shell("");
  hook.exec->command = {"/bin/echo", "$HOME", "a b", "*", ""};
  CHECK(b.run(hook).detail == "exit status 0, wrote: $HOME a b * ");
}

TEST_CASE("of what a program writes only the end is kept, and it never blocks on writing") {
  hook_bench b;
  const auto r = b.run(shell("head -c 3000000 /dev/zero | tr '\\0' x; echo the end; exit 1"));
  CHECK(r.detail.ends_with("xxxthe end"));
  CHECK(r.detail.size() < 1200);
}

TEST_CASE("a program inherits no descriptor but its own three") {
  hook_bench b;
  const test::scratch_folder folder;
  const int socket = ::socket(AF_INET, SOCK_STREAM, 0);  // no CLOEXEC, as Asio's
  const int high = ::dup2(socket, 200);
  const std::string list = folder.path("list");
  CHECK(b.run(shell("ls -l /proc/self/fd > " + list)).what == kind::delivered);
  ::close(socket);
  ::close(high);
  std::set<std::string> open;
  std::ifstream in(list);
  for (std::string line; std::getline(in, line);) {
    const auto arrow = line.find(" -> ");
    // `ls` itself has the folder open that it lists.
    if (arrow == line.npos || line.find("/proc/", arrow) != line.npos) continue;
    open.insert(
        line.substr(line.rfind(' ', arrow - 1) + 1, arrow - line.rfind(' ', arrow - 1) - 1));
  }
  CHECK(open == std::set<std::string>{"0", "1", "2"});
}

TEST_CASE("a program gets signals as a fresh process does, though weir ignores or blocks some") {
  hook_bench b;
  const auto before = ::signal(SIGPIPE, SIG_IGN);
  sigset_t blocked, old;
  ::sigemptyset(&blocked);
  ::sigaddset(&blocked, SIGTERM);
  ::pthread_sigmask(SIG_BLOCK, &blocked, &old);
  const auto piped = b.run(shell("kill -PIPE $$; echo survived"));
  const auto ended = b.run(shell("kill -TERM $$; echo survived"));
  ::pthread_sigmask(SIG_SETMASK, &old, nullptr);
  ::signal(SIGPIPE, before);
  CHECK(piped.detail == "killed by signal 13");
  CHECK(ended.detail == "killed by signal 15");
}

TEST_CASE("a program that takes too long is ended with all its group") {
  hook_bench b;
  const test::scratch_folder folder;
  const std::string pid_file = folder.path("pid");
  const std::string ready = "echo $! > " + pid_file + ".new; mv " + pid_file + ".new " + pid_file;
  struct row {
    std::string script, detail;
  };
  const row rows[] = {
      {forever + " & " + ready + "; wait", "timed out, killed by signal 15"},
      {"trap '' TERM; " + forever + " & " + ready + "; " + forever,
       "timed out, killed by signal 9"},
      {"trap 'exit 0' TERM; (trap '' TERM; exec " + forever + ") & " + ready + "; wait",
       "timed out, ended"},
  };
  for (const row& r : rows) {
    CAPTURE(r.script);
    config::hook hook = shell(r.script);
    hook.exec->timeout = 300ms;
    const auto result = b.run(hook);
    CHECK(result.what == kind::failed);
    CHECK(result.detail == r.detail);
    const long grandchild = std::stol("0" + read_file(pid_file));
    if (grandchild == 0) continue;  // a machine so busy that the time ran out before it was begun
    CHECK(run_until(b.context, [&] { return !test::runs(grandchild); }));
    std::filesystem::remove(pid_file);
  }
}

TEST_CASE("a program that ends in time may leave others running") {
  hook_bench b;
  const auto r = b.run(shell(forever + " & echo $!"));
  CHECK(r.what == kind::delivered);
  const long left = std::stol(r.detail.substr(r.detail.rfind(' ')));
  CHECK(test::runs(left));
  ::kill(static_cast<pid_t>(left), SIGKILL);
}

TEST_CASE("an attempt that is dropped kills the group, reaps it and is never told") {
  hook_bench b;
  const test::scratch_folder folder;
  const std::string pid_file = folder.path("pid");
  auto under_way =
      scale::begin_attempt(b.tools,
                           shell(forever + " & echo $! $$ > " + pid_file + ".new; mv " + pid_file +
                                 ".new " + pid_file + "; wait"),
                           test::some_message(),
                           [](const scale::attempt_result&) { FAIL("told after it was dropped"); });
  REQUIRE(run_until(b.context, [&] { return std::filesystem::exists(pid_file); }));
  long grandchild = 0, leader = 0;
  std::ifstream(pid_file) >> grandchild >> leader;
  CHECK(test::runs(leader));
  under_way.reset();
  CHECK(!std::filesystem::exists("/proc/" + std::to_string(leader)));  // reaped
  CHECK(run_until(b.context, [&] { return !test::runs(grandchild); }));
  b.context.restart();
  b.context.poll();
}

TEST_CASE("programs leave no descriptor behind, however they end") {
  hook_bench b;
  b.run(shell("exit 0"));  // what the loop itself opens is open now
  const auto before = open_descriptors();
  config::hook slow = shell(forever), absent = shell("");
  slow.exec->timeout = 1ms;
  absent.exec->command = {"/nonexistent"};
  for (int i = 0; i < 5; ++i) {
    b.run(shell("exit 1"));
    b.run(slow);
    b.run(absent);
    scale::begin_attempt(b.tools, slow, test::some_message(), [](const auto&) {});
  }
  b.context.restart();
  b.context.poll();
  CHECK(open_descriptors() == before);
}

TEST_CASE("dropping the loop with a program under way is clean") {
  auto b = std::make_unique<hook_bench>();
  auto under_way = scale::begin_attempt(b->tools, shell(forever), test::some_message(),
                                        [](const auto&) { FAIL("told without a loop"); });
  b->context.poll();
  under_way.reset();
  b.reset();
}

TEST_CASE("a child works when weir itself was started without standard descriptors") {
  hook_bench b;
  const int saved = ::fcntl(0, F_DUPFD_CLOEXEC, 10);
  ::close(0);  // the next descriptor made is 0
  const auto r = b.run(shell("wc -c; echo done >&2"));
  ::dup2(saved, 0);
  ::close(saved);
  CHECK(r.detail ==
        "exit status 0, wrote: " + std::to_string(test::some_message().body.size()) + " done");
}
