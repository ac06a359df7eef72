#include "net/loop.hpp"

#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <catch2/catch.hpp>
#include <string>
#include <thread>
#include <vector>

#include "loop_fixture.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using net::wake;

struct counted {
  int calls = 0;
  static void call(void* context) { ++static_cast<counted*>(context)->calls; }
};

void say(int fd, std::string_view what) {
  REQUIRE(::write(fd, what.data(), what.size()) == static_cast<ssize_t>(what.size()));
}

}  // namespace

TEST_CASE("posts from other threads all run, on the loop's thread, each thread's in order") {
  net::loop loop(0);
  constexpr int threads = 4, each = 500;
  std::vector<std::vector<int>> seen(threads);
  std::atomic<bool> elsewhere{false};
  std::atomic<int> left{threads};
  const auto own = std::this_thread::get_id();
  std::vector<std::thread> posters;
  for (int t = 0; t < threads; ++t)
    posters.emplace_back([&, t] {
      for (int i = 0; i < each; ++i)
        loop.post([&, t, i] {
          if (std::this_thread::get_id() != own) elsewhere = true;
          seen[static_cast<std::size_t>(t)].push_back(i);
        });
      if (left.fetch_sub(1) == 1) loop.stop();
    });
  loop.run();
  for (auto& p : posters) p.join();
  CHECK_FALSE(elsewhere);
  for (const auto& s : seen) {
    CHECK(s.size() == each);
    CHECK(std::is_sorted(s.begin(), s.end()));
  }
}

TEST_CASE("what was posted before stop runs, also when it posts or defers in turn") {
  net::loop loop(0);
  std::vector<std::string> log;
  loop.post([&] { log.push_back("first"); });
  loop.post([&] { log.push_back("second"); });
  loop.stop();
  loop.run();
  CHECK(log == std::vector<std::string>{"first", "second"});
}

TEST_CASE("a coroutine that was deferred before the stop is resumed before run returns") {
  test::loop_fixture f;
  bool resumed = false;
  net::spawn([](net::loop& l, bool& done) -> net::task<void> {
    co_await net::yield{l};
    co_await net::yield{l};
    done = true;
  }(f.loop, resumed));
  f.loop.stop();
  f.loop.run();
  CHECK(resumed);
}

TEST_CASE("current is the loop that the thread runs, and none outside of run") {
  test::loop_fixture f;
  CHECK(net::loop::current() == nullptr);
  f.run(test::as_task([&] { CHECK(net::loop::current() == nullptr); }));
  CHECK(net::loop::current() == nullptr);
  net::loop other(3);
  net::loop* seen = nullptr;
  other.post([&] { seen = net::loop::current(); });
  other.stop();
  other.run();
  CHECK(seen == &other);
  CHECK(other.index() == 3);
}

TEST_CASE("yield lets every other coroutine have its turn") {
  test::loop_fixture f;
  std::string order;
  const auto worker = [](net::loop& l, std::string& o, char name) -> net::task<void> {
    for (int i = 0; i < 3; ++i) {
      o += name;
      co_await net::yield{l};
    }
  };
  f.run([](net::loop& l, std::string& o, auto w) -> net::task<void> {
    net::spawn(w(l, o, 'a'));
    net::spawn(w(l, o, 'b'));
    co_await test::turn_until(l, [&] { return o.size() == 6; });
  }(f.loop, order, worker));
  CHECK(order == "ababab");
}

TEST_CASE("time stands still within a turn and goes on between turns") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    const auto before = l.now();
    while (net::loop::read_clock() == before) {}
    CHECK(l.now() == before);
    co_await net::yield{l};
    CHECK(l.now() > before);
  }(f.loop));
}

TEST_CASE(
    "a timer of the wheel and the tick are called when they are due, in a loop that has nothing "
    "else") {
  test::loop_fixture f;
  counted fired;
  net::timer t(&counted::call, &fired);
  int ticks = 0;
  base::instant next = f.loop.now();
  f.loop.set_tick({[&] { return next; },
                   [&](base::instant now) {
                     CHECK(now >= next);
                     next = ++ticks < 3 ? now + 1ms : base::never;
                   }});
  f.loop.timers().arm(t, f.loop.now() + 20ms);
  net::timer end([](void* l) { static_cast<net::loop*>(l)->stop(); }, &f.loop);
  f.loop.timers().arm(end, f.loop.now() + 60ms);
  f.loop.run();
  CHECK(fired.calls == 1);
  CHECK(ticks == 3);
}

TEST_CASE("a removed watch's event that was under way does not reach the one that took its place") {
  test::loop_fixture f;
  test::socket_pair one, two, fresh;
  struct place {
    net::watch* w;
    int fd;
  };
  f.run([](net::loop& l, test::socket_pair& a, test::socket_pair& b,
           test::socket_pair& c) -> net::task<void> {
    place both[] = {{&l.add(a.near), a.near}, {&l.add(b.near), b.near}};
    int woken = 0;
    net::watch* replaced = nullptr;
    std::coroutine_handle<> orphan;   // who waited on the removed watch
    const auto reader = [](net::loop& lp, place& mine, place& other, int fd, int& n,
                           net::watch*& r, std::coroutine_handle<>& left) -> net::task<void> {
      (void)co_await net::wait_readable{*mine.w};
      if (n++) co_return;
      left = other.w->reader;
      lp.remove(*other.w);   // its event came in the same batch
      ::close(other.fd);
      r = &lp.add(fd);
      CHECK(r == other.w);
    };
    net::spawn(reader(l, both[0], both[1], c.near, woken, replaced, orphan));
    net::spawn(reader(l, both[1], both[0], c.near, woken, replaced, orphan));
    say(a.far, "x");
    say(b.far, "x");
    co_await test::turn_until(l, [&] { return replaced && replaced->writable; });
    CHECK(woken == 1);
    orphan.resume();   // its frame ends here
    CHECK_FALSE(replaced->readable);   // the old descriptor's byte is not the new one's
    if (both[0].w != replaced) std::swap(both[0], both[1]);
    l.remove(*replaced);
    l.remove(*both[1].w);
    ::close(both[1].fd);
  }(f.loop, one, two, fresh));
  for (const int fd : {one.far, two.far, fresh.near, fresh.far}) ::close(fd);
}

TEST_CASE("an interrupt wakes who waits, waits for who comes next, and is used up by one wait") {
  test::loop_fixture f;
  test::socket_pair pair;
  f.run([](net::loop& l, int fd) -> net::task<void> {
    net::watch& w = l.add(fd);
    net::interrupt_reader(l, w);
    const wake before = co_await net::wait_readable{w};
    CHECK(before == wake::interrupted);
    CHECK_FALSE(w.interrupt_reader);

    wake during = wake::ready;
    bool ended = false;
    net::spawn([](net::watch& ww, wake& got, bool& done) -> net::task<void> {
      got = co_await net::wait_readable{ww};
      done = true;
    }(w, during, ended));
    co_await net::yield{l};
    CHECK_FALSE(ended);
    net::interrupt_reader(l, w);
    CHECK_FALSE(ended);   // not from within the interrupter
    co_await test::turn_until(l, [&] { return ended; });
    CHECK(during == wake::interrupted);

    net::interrupt_writer(l, w);
    CHECK_FALSE(w.interrupt_reader);
    const wake writer = co_await net::wait_writable{w};
    CHECK(writer == wake::interrupted);
    const wake again = co_await net::wait_writable{w};
    CHECK(again == wake::ready);
    l.remove(w);
  }(f.loop, pair.near));
  ::close(pair.near), ::close(pair.far);
}

TEST_CASE("an interrupt wins over readiness, so that a stop is never overlooked") {
  test::loop_fixture f;
  test::socket_pair pair;
  f.run([](net::loop& l, test::socket_pair& p) -> net::task<void> {
    net::watch& w = l.add(p.near);
    say(p.far, "x");
    co_await test::turn_until(l, [&] { return w.readable; });
    net::interrupt_reader(l, w);
    const wake got = co_await net::wait_readable{w};
    CHECK(got == wake::interrupted);
    const wake then = co_await net::wait_readable{w};
    CHECK(then == wake::ready);
    l.remove(w);
  }(f.loop, pair));
  ::close(pair.near), ::close(pair.far);
}

TEST_CASE("a departed callback comes with the FIN, once, and again with the reset") {
  test::loop_fixture f;
  test::tcp_pair pair;
  f.run([](net::loop& l, test::tcp_pair& p) -> net::task<void> {
    net::watch& w = l.add(p.near);
    counted told;
    w.departed = &counted::call, w.context = &told;
    ::shutdown(p.far, SHUT_WR);
    co_await test::turn_until(l, [&] { return told.calls > 0; });
    CHECK(told.calls == 1);
    CHECK(w.peer_closed);
    CHECK_FALSE(w.broken);
    CHECK(w.readable);   // a read finds the end
    for (int i = 0; i < 5; ++i) co_await net::yield{l};
    CHECK(told.calls == 1);
    test::reset(p.far);
    co_await test::turn_until(l, [&] { return told.calls > 1; });
    CHECK(told.calls == 2);
    CHECK(w.broken);
    l.remove(w);
  }(f.loop, pair));
  ::close(pair.near);
}

TEST_CASE("a reset alone is told once, and wakes a waiting writer") {
  test::loop_fixture f;
  test::tcp_pair pair;
  f.run([](net::loop& l, test::tcp_pair& p) -> net::task<void> {
    net::watch& w = l.add(p.near);
    counted told;
    w.departed = &counted::call, w.context = &told;
    co_await test::turn_until(l, [&] { return w.writable; });
    w.writable = false;   // as after a blocked write
    bool woken = false;
    net::spawn([](net::watch& ww, bool& done) -> net::task<void> {
      (void)co_await net::wait_writable{ww};
      done = true;
    }(w, woken));
    test::reset(p.far);
    co_await test::turn_until(l, [&] { return told.calls > 0 && woken; });
    CHECK(told.calls == 1);
    CHECK(w.broken);
    l.remove(w);
  }(f.loop, pair));
  ::close(pair.near);
}

TEST_CASE("a reader that drops its own watch when it wakes is not told of the departure any more") {
  test::loop_fixture f;
  test::tcp_pair pair;
  f.run([](net::loop& l, test::tcp_pair& p) -> net::task<void> {
    net::watch& w = l.add(p.near);
    counted told;
    w.departed = &counted::call, w.context = &told;
    bool gone = false;
    net::spawn([](net::loop& lp, net::watch& ww, bool& done) -> net::task<void> {
      (void)co_await net::wait_readable{ww};
      lp.remove(ww);
      done = true;
    }(l, w, gone));
    ::shutdown(p.far, SHUT_WR);
    co_await test::turn_until(l, [&] { return gone; });
    for (int i = 0; i < 3; ++i) co_await net::yield{l};
    CHECK(told.calls == 0);
  }(f.loop, pair));
  ::close(pair.near), ::close(pair.far);
}

TEST_CASE("a crossed watch wakes both sides whichever event comes") {
  test::loop_fixture f;
  test::socket_pair pair;
  f.run([](net::loop& l, test::socket_pair& p) -> net::task<void> {
    net::watch& w = l.add(p.near);
    co_await test::turn_until(l, [&] { return w.writable; });
    w.writable = false, w.crossed = true;   // a TLS write that needs input
    bool woken = false;
    net::spawn([](net::watch& ww, bool& done) -> net::task<void> {
      (void)co_await net::wait_writable{ww};
      done = true;
    }(w, woken));
    say(p.far, "x");
    co_await test::turn_until(l, [&] { return woken; });
    CHECK_FALSE(w.crossed);
    l.remove(w);
  }(f.loop, pair));
  ::close(pair.near), ::close(pair.far);
}

TEST_CASE("a signal counts whether it rings before the wait or during it, and once") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    net::signal s(l);
    s.ring();
    s.ring();
    CHECK(s.rung());
    co_await s;
    CHECK_FALSE(s.rung());
    int rounds = 0;
    net::spawn([](net::signal& sig, int& n) -> net::task<void> {
      co_await sig;
      ++n;
      co_await sig;
      ++n;
    }(s, rounds));
    s.ring();
    CHECK(rounds == 0);   // deferred, not nested
    co_await test::turn_until(l, [&] { return rounds == 1; });
    for (int i = 0; i < 3; ++i) co_await net::yield{l};
    CHECK(rounds == 1);
    s.ring();
    co_await test::turn_until(l, [&] { return rounds == 2; });
    s.ring();
    s.reset();
    CHECK_FALSE(s.rung());
  }(f.loop));
}

TEST_CASE("places of removed watches are used again, so that a long-lived loop does not grow") {
  test::loop_fixture f;
  std::vector<net::watch*> places;
  for (int i = 0; i < 50; ++i) {
    test::socket_pair pair;
    net::watch& w = f.loop.add(pair.near);
    places.push_back(&w);
    f.loop.remove(w);
    ::close(pair.near), ::close(pair.far);
  }
  CHECK(std::count(places.begin(), places.end(), places.front()) == 50);
}
