#include "proxy/links.hpp"

#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "gate_kit.hpp"
#include "net/loop_fixture.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using proxy::link_ptr;

const core::worker_id w1{0, 1};

proxy::target_ptr target(base::duration idle = 60s, std::uint32_t max = 10) {
  proxy::worker_target t;
  t.name = "w1";
  t.idle_max = idle;
  t.idle_connections_max = max;
  return std::make_shared<const proxy::worker_target>(std::move(t));
}

// A connected link and the worker's end of it.
struct open_link {
  open_link(proxy::links& home, core::worker_id worker, proxy::target_ptr to)
      : l(home.make(worker, std::move(to))) {
    test::tcp_pair pair;
    l->socket.open(home.loop(), pair.near);
    far = pair.far;
  }
  ~open_link() {
    if (far >= 0) ::close(far);
  }
  void close() { ::close(std::exchange(far, -1)); }
  link_ptr l;
  int far;
};

void say(int fd, std::string_view text) {
  REQUIRE(::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
}

}  // namespace

TEST_CASE("idle connections are used again, the one used last first") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    const auto to = target();
    links.set_target(w1, to);
    CHECK(links.take_idle(w1, false) == nullptr);
    open_link a(links, w1, to), b(links, w1, to);
    const auto *first = a.l.get(), *second = b.l.get();
    links.give_back(std::move(a.l));
    links.give_back(std::move(b.l));
    CHECK(links.idle() == 2);
    const link_ptr again = links.take_idle(w1, false);
    CHECK(again.get() == second);
    CHECK(again->uses == 1);
    const link_ptr other = links.take_idle(w1, true);
    CHECK(other.get() == first);
    CHECK(links.idle() == 0);
    co_return;
  }(f.loop));
}

TEST_CASE("no more than idle_connections_max are kept for a worker") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    const auto to = target(60s, 2);
    links.set_target(w1, to);
    for (int i = 0; i < 4; ++i) {
      open_link o(links, w1, to);
      links.give_back(std::move(o.l));
      o.far = -1;   // stays open until the process's end is near enough
    }
    CHECK(links.idle() == 2);
    co_return;
  }(f.loop));
}

TEST_CASE(
    "an idle connection goes when its idle life is over, and at once when the worker closes it") {
  for (const bool expires : {true, false}) {
    INFO((expires ? "expires" : "closed"));
    test::loop_fixture f;
    f.run([](net::loop& l, bool by_time) -> net::task<void> {
      proxy::links links(l);
      const auto to = target(by_time ? base::duration(20ms) : base::duration(60s));
      links.set_target(w1, to);
      open_link a(links, w1, to);
      co_await net::yield{l};
      links.give_back(std::move(a.l));
      CHECK(links.idle() == 1);
      if (!by_time) a.close();
      co_await test::turn_until(l, [&] { return links.idle() == 0; });
      CHECK(links.take_idle(w1, false) == nullptr);
    }(f.loop, expires));
  }
}

TEST_CASE("a connection that was taken does not expire while it is in use") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    const auto to = target(20ms);
    links.set_target(w1, to);
    open_link a(links, w1, to);
    links.give_back(std::move(a.l));
    const link_ptr taken = links.take_idle(w1, false);
    REQUIRE(taken);
    const auto until = l.now() + 60ms;
    co_await test::turn_until(l, [&] { return l.now() > until; });
    CHECK(taken->socket.is_open());
    CHECK(taken->socket.alive(true));
  }(f.loop));
}

TEST_CASE("a proven connection is open and silent right now, the others are skipped and closed") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    const auto to = target();
    links.set_target(w1, to);
    open_link good(links, w1, to), talks(links, w1, to), closed(links, w1, to);
    const auto* sound = good.l.get();
    links.give_back(std::move(good.l));
    links.give_back(std::move(talks.l));
    links.give_back(std::move(closed.l));
    say(talks.far, "HTTP/1.1 408 Request Timeout\r\n\r\n");
    closed.close();
    const link_ptr got = links.take_idle(w1, true);   // before the loop heard of either
    CHECK(got.get() == sound);
    CHECK(links.idle() == 0);
    co_return;
  }(f.loop));
}

TEST_CASE("a new target drops connections to the old address, also those given back later") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    const auto before = target(), after = target();
    links.set_target(w1, before);
    open_link idle(links, w1, before), busy(links, w1, before);
    links.give_back(std::move(idle.l));
    links.set_target(w1, after);
    CHECK(links.idle() == 0);
    links.give_back(std::move(busy.l));
    CHECK(links.idle() == 0);
    CHECK(links.target(w1) == after);
    co_return;
  }(f.loop));
}

TEST_CASE(
    "a worker that went is not found, nor is the one that takes its place found under its id") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    CHECK(links.target(w1) == nullptr);
    CHECK(links.take_idle({7, 1}, false) == nullptr);
    links.set_target(w1, target());
    links.drop_target(w1);
    CHECK(links.target(w1) == nullptr);
    const core::worker_id next{0, 2};
    const auto to = target();
    links.set_target(next, to);
    CHECK(links.target(w1) == nullptr);
    CHECK(links.target(next) == to);
    open_link late(links, w1, to);
    links.give_back(std::move(late.l));
    CHECK(links.idle() == 0);
    links.drop_target(w1);   // late: nothing
    CHECK(links.target(next) == to);
    co_return;
  }(f.loop));
}

TEST_CASE("a broken connection is not kept") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    const auto to = target();
    links.set_target(w1, to);
    open_link a(links, w1, to);
    test::reset(std::exchange(a.far, -1));
    co_await test::turn_until(l, [&] { return a.l->socket.broken(); });
    links.give_back(std::move(a.l));
    CHECK(links.idle() == 0);
  }(f.loop));
}

// --- attempts that were given up
// ------------------------------------------------------------------

namespace {

// A batch whose slot is abandoned, and the connection that it ran on.
struct abandoned {
  explicit abandoned(net::loop& l) : links(l), on(links, w1, target()) {
    batch = kit.admit(1, 0).batch;
    core::attempt_report r;
    r.end = core::attempt_end::client_gone;
    r.slot_abandoned = true;
    kit.gate.finish(batch, r, test::at(1));
  }
  void abandon(base::duration hold) { 
    const std::shared_ptr<proxy::pool_gate> gate(std::shared_ptr<void>(), &kit.gate);   // not owned
    links.abandon(std::move(on.l), gate, batch, hold);
  }
  bool released() { return kit.busy() == 0; }
  test::gate_kit kit;
  proxy::links links;
  open_link on;
  core::batch_id batch;
};

}  // namespace

TEST_CASE("an abandoned attempt's slot is released when the worker closes, not before") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    abandoned a(l);
    a.abandon(60s);
    char byte;
    while (::recv(a.on.far, &byte, 1, MSG_DONTWAIT) != 0) co_await net::yield{l};   // weir's FIN
    say(a.on.far, "HTTP/1.1 200 OK\r\n\r\nan answer that nobody wants");
    for (int i = 0; i < 10; ++i) co_await net::yield{l};
    CHECK_FALSE(a.released());
    a.on.close();
    co_await test::turn_until(l, [&] { return a.released(); });
  }(f.loop));
}

TEST_CASE("an abandoned attempt's slot is released when its hold passes, or when all is closed") {
  for (const bool by_time : {true, false}) {
    INFO((by_time ? "hold passes" : "closed"));
    test::loop_fixture f;
    f.run([](net::loop& l, bool timed) -> net::task<void> {
      abandoned a(l);
      a.abandon(timed ? base::duration(20ms) : base::duration(60s));
      if (!timed) a.links.close_all();
      co_await test::turn_until(l, [&] { return a.released(); });
    }(f.loop, by_time));
  }
}

TEST_CASE("links that are retired end the wait for abandoned ones, and live until those ended") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    auto all = std::make_shared<abandoned>(l);
    all->abandon(60s);
    const std::weak_ptr<abandoned> there = all;
    proxy::links::retire(std::shared_ptr<proxy::links>(all, &all->links));
    all.reset();
    CHECK_FALSE(there.expired());
    co_await test::turn_until(l, [&] { return there.expired(); });
  }(f.loop));
}
