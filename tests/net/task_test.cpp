#include "net/task.hpp"

#include <catch2/catch.hpp>
#include <coroutine>
#include <memory>
#include <set>
#include <string>
#include <vector>

namespace {

using namespace weir::net;

// Suspends whoever awaits it until open().
struct gate {
  std::coroutine_handle<> waiter;
  bool await_ready() const noexcept { return false; }
  void await_suspend(std::coroutine_handle<> h) noexcept { waiter = h; }
  void await_resume() const noexcept {}
  void open() { std::exchange(waiter, nullptr).resume(); }
};

task<int> value_now(int v) { co_return v; }

task<int> value_later(gate& g, int v) {
  co_await g;
  co_return v;
}

task<std::unique_ptr<std::string>> boxed(std::string text) {
  co_return std::make_unique<std::string>(std::move(text));
}

task<void> note(std::vector<std::string>& log, std::string what) {
  log.push_back(std::move(what));
  co_return;
}

struct mourner {
  int& deaths;
  ~mourner() { ++deaths; }
};

}  // namespace

TEST_CASE("a task that never waits ends within the await") {
  int got = 0;
  spawn([](int& out) -> task<void> { out = co_await value_now(7); }(got));
  CHECK(got == 7);
}

TEST_CASE("a task that is ready has its result without a frame") {
  int got = 0;
  spawn([](int& out) -> task<void> {
    co_await task<void>::ready();
    const auto text = co_await task<std::unique_ptr<int>>::ready(std::make_unique<int>(5));
    out = *text;
  }(got));
  CHECK(got == 5);
}

TEST_CASE("a task that waits resumes its awaiter when it ends") {
  gate g;
  int got = 0;
  spawn([](gate& gg, int& out) -> task<void> { out = co_await value_later(gg, 9); }(g, got));
  CHECK(got == 0);
  g.open();
  CHECK(got == 9);
}

TEST_CASE("values that can only be moved come through") {
  std::string got;
  spawn([](std::string& out) -> task<void> {
    auto box = co_await boxed("moved");
    out = *box;
  }(got));
  CHECK(got == "moved");
}

TEST_CASE(
    "a task does nothing until it is awaited, and one that never is runs no line of its body") {
  std::vector<std::string> log;
  {
    auto lazy = note(log, "ran");
    CHECK(log.empty());
  }
  CHECK(log.empty());
}

TEST_CASE("steps run in the order they are written, across tasks and waits") {
  std::vector<std::string> log;
  gate first, second;
  spawn([](std::vector<std::string>& l, gate& a, gate& b) -> task<void> {
    co_await note(l, "begin");
    const int x = co_await value_later(a, 1);
    co_await note(l, "after " + std::to_string(x));
    const int y = co_await value_later(b, 2);
    co_await note(l, "after " + std::to_string(y));
  }(log, first, second));
  log.push_back("outside");
  first.open();
  log.push_back("outside");
  second.open();
  CHECK(log == std::vector<std::string>{"begin", "outside", "after 1", "outside", "after 2"});
}

namespace {

task<int> nested(int depth, gate& bottom) {
  if (depth == 0) {
    co_await bottom;
    co_return 0;
  }
  const int below = co_await nested(depth - 1, bottom);
  co_return below + 1;
}

}  // namespace

TEST_CASE("a wait at the bottom of nested tasks unwinds through all of them") {
  for (const int depth : {0, 1, 2, 50}) {
    gate g;
    int got = -1;
    spawn([](int d, gate& gg, int& out) -> task<void> { out = co_await nested(d, gg); }(depth, g,
                                                                                        got));
    CHECK(got == -1);
    g.open();
    CHECK(got == depth);
  }
}

TEST_CASE("awaiting a great many tasks in a row does not grow the stack") {
  long sum = 0;
  spawn([](long& out) -> task<void> {
    for (int i = 0; i < 100'000; ++i) out += co_await value_now(1);
  }(sum));
  CHECK(sum == 100'000);
}

TEST_CASE(
    "what a task holds goes exactly once: when it ends, or when it is dropped before it began") {
  int deaths = 0;
  const auto holding = [](std::unique_ptr<mourner> m, gate& g) -> task<void> {
    co_await g;
    (void)m;
  };
  gate g;
  spawn(holding(std::unique_ptr<mourner>(new mourner{deaths}), g));
  CHECK(deaths == 0);
  g.open();
  CHECK(deaths == 1);
  { auto dropped = holding(std::unique_ptr<mourner>(new mourner{deaths}), g); }
  CHECK(deaths == 2);
}

TEST_CASE("a task that is awaited by name lives no longer than its scope") {
  int deaths = 0;
  bool seen_alive = false;
  spawn([](int& d, bool& alive) -> task<void> {
    {
      auto named = [](std::unique_ptr<mourner> m) -> task<void> {
        (void)m;
        co_return;
      }(std::unique_ptr<mourner>(new mourner{d}));
      co_await named;
      alive = true;
    }
    co_return;
  }(deaths, seen_alive));
  CHECK(seen_alive);
  CHECK(deaths == 1);
}

TEST_CASE("frames come from the free list again: the steady state allocates none") {
  std::set<const void*> places;
  const auto where = [](std::set<const void*>& s, gate& g) -> task<void> {
    char local = 0;          // lives across the wait, so it is in the frame
    s.insert(&local);
    co_await g;
    local = 1;
  };
  for (int i = 0; i < 100; ++i) {
    gate g;
    spawn(where(places, g));
    g.open();
  }
  CHECK(places.size() == 1);
}

TEST_CASE("free frames that nobody needed between two trims go") {
  (void)trim_frames();
  (void)trim_frames();   // whatever earlier tests left
  void* frames[] = {allocate_frame(100), allocate_frame(100), allocate_frame(3000)};
  release_frame(frames[0], 100), release_frame(frames[1], 100), release_frame(frames[2], 3000);
  CHECK(trim_frames() == 0);   // they came only now
  release_frame(allocate_frame(100), 100);
  CHECK(trim_frames() == 128 + 3008);   // in steps of 32 bytes; one of 100 was in use
  CHECK(trim_frames() == 128);
  CHECK(trim_frames() == 0);
}

TEST_CASE(
    "a released frame serves the next one of its size class, and large ones go back at once") {
  for (const std::size_t bytes : {1u, 64u, 128u, 129u, 1000u, 3900u}) {
    INFO(bytes << " bytes");
    void* first = allocate_frame(bytes);
    release_frame(first, bytes);
    void* second = allocate_frame(bytes);
    CHECK(second == first);
    release_frame(second, bytes);
  }
  void* large = allocate_frame(100'000);
  REQUIRE(large);
  release_frame(large, 100'000);
}
