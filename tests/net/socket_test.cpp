#include "net/socket.hpp"

#include <signal.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

#include "loop_fixture.hpp"
#include "net/listener.hpp"

namespace {

using namespace weir;
using net::io;
using net::wake;

io write(net::socket& s, std::string_view text) {
  const iovec v{const_cast<char*>(text.data()), text.size()};
  return s.try_write({&v, 1});
}

struct ends {
  net::socket near, far;
  template <class Pair>
  ends(net::loop& l, const Pair& p) {
    near.open(l, p.near), far.open(l, p.far);
  }
};

}  // namespace

TEST_CASE("a read says done, blocked or end, and blocked takes the readiness away") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    ends e(l, test::socket_pair());
    std::array<char, 16> room;
    CHECK(e.near.try_read(room).what == io::kind::blocked);
    CHECK_FALSE(e.near.readable().await_ready());
    CHECK(write(e.far, "hello").bytes == 5);
    (void)co_await e.near.readable();
    const io r = e.near.try_read(room);
    CHECK(r.what == io::kind::done);
    CHECK(std::string(room.data(), r.bytes) == "hello");
    CHECK_FALSE(e.near.readable().await_ready());   // short: the kernel has no more
    e.far.shutdown_send();
    (void)co_await e.near.readable();
    CHECK(e.near.try_read(room).what == io::kind::end);
    CHECK(e.near.try_read(room).what == io::kind::end);
  }(f.loop));
}

TEST_CASE("a read that fills its room stays ready, one that came short with a FIN behind it too") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    ends e(l, test::socket_pair());
    CHECK(write(e.far, "12345678").bytes == 8);
    e.far.shutdown_send();
    co_await test::turn_until(l, [&] { return e.near.peer_closed(); });
    std::array<char, 4> four;
    CHECK(e.near.try_read(four).bytes == 4);
    CHECK(e.near.readable().await_ready());
    std::array<char, 16> room;
    CHECK(e.near.try_read(room).bytes == 4);
    CHECK(e.near.readable().await_ready());   // or the FIN would never be seen: no edge comes
    CHECK(e.near.try_read(room).what == io::kind::end);
  }(f.loop));
}

TEST_CASE("a write blocks when the kernel's buffer is full, and is resumed when the peer reads") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    ends e(l, test::socket_pair(4096));
    const std::string block(4096, 'x');
    std::size_t sent = 0;
    for (io w = write(e.near, block); w.what == io::kind::done; w = write(e.near, block))
      sent += w.bytes;
    CHECK(sent > 0);
    CHECK_FALSE(e.near.writable().await_ready());
    bool woken = false;
    net::spawn([](net::socket& s, bool& done) -> net::task<void> {
      (void)co_await s.writable();
      done = true;
    }(e.near, woken));
    for (int i = 0; i < 3; ++i) co_await net::yield{l};
    CHECK_FALSE(woken);
    std::string got(1 << 20, '\0');
    std::size_t received = 0;
    co_await test::turn_until(l, [&] {
      const io r = e.far.try_read(got);
      if (r.what == io::kind::done) received += r.bytes;
      return received == sent && woken;
    });
    CHECK(write(e.near, block).what == io::kind::done);
  }(f.loop));
}

TEST_CASE("several runs go out as one write, in order") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    ends e(l, test::socket_pair());
    std::string a = "one ", b = "two ", c = "three";
    const std::array<iovec, 3> runs{
        {{a.data(), a.size()}, {b.data(), b.size()}, {c.data(), c.size()}}};
    CHECK(e.near.try_write(runs).bytes == 13);
    std::array<char, 64> room;
    (void)co_await e.far.readable();
    const io r = e.far.try_read(room);
    CHECK(std::string(room.data(), r.bytes) == "one two three");
  }(f.loop));
}

TEST_CASE("a write to a peer that closed fails without a signal, a read after a reset fails") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    test::socket_pair pair;
    net::socket near;
    near.open(l, pair.near);
    ::close(pair.far);
    const io w = write(near, "x");
    CHECK(w.what == io::kind::failed);
    CHECK(w.error.value() == EPIPE);

    test::tcp_pair tcp;
    net::socket reading;
    reading.open(l, tcp.near);
    test::reset(tcp.far);
    co_await test::turn_until(l, [&] { return reading.broken(); });
    std::array<char, 8> room;
    const io r = reading.try_read(room);
    CHECK(r.what == io::kind::failed);
    CHECK(r.error.value() == ECONNRESET);
  }(f.loop));
}

TEST_CASE("alive: open and silent, by the events seen or by asking the kernel") {
  struct row {
    const char* what;
    void (*happened)(int far);
    bool alive;
  };
  const row rows[] = {
      {"nothing", [](int) {}, true},
      {"a FIN", [](int far) { ::shutdown(far, SHUT_WR); }, false},
      {"a reset", [](int far) { const linger now{1, 0};
                                setsockopt(far, SOL_SOCKET, SO_LINGER, &now, sizeof now);
                                const sockaddr none{AF_UNSPEC, {}};
                                ::connect(far, &none, sizeof none); }, false},
      {"bytes that nobody asked for", [](int far) { REQUIRE(::write(far, "x", 1) == 1); }, false},
  };
  for (const row& r : rows) {
    INFO(r.what);
    test::loop_fixture f;
    f.run([](net::loop& l, const row& rr) -> net::task<void> {
      test::tcp_pair pair;
      net::socket near;
      near.open(l, pair.near);
      co_await net::yield{l};
      CHECK(near.alive(false));
      rr.happened(pair.far);
      CHECK(near.alive(true) == rr.alive);   // before any event was seen
      ::close(pair.far);
      co_await test::turn_until(l, [&] { return near.peer_closed() || near.broken(); });
      CHECK_FALSE(near.alive(false));
    }(f.loop, r));
  }
}

TEST_CASE("reset_on_close makes the peer see a reset instead of an end") {
  for (const bool resets : {false, true}) {
    INFO("resets " << resets);
    test::loop_fixture f;
    f.run([](net::loop& l, bool reset) -> net::task<void> {
      test::tcp_pair pair;
      net::socket near, far;
      near.open(l, pair.near), far.open(l, pair.far);
      if (reset) near.reset_on_close();
      near.close();
      CHECK_FALSE(near.is_open());
      std::array<char, 8> room;
      (void)co_await far.readable();
      const io r = far.try_read(room);
      CHECK(r.what == (reset ? io::kind::failed : io::kind::end));
    }(f.loop, resets));
  }
}

TEST_CASE("a socket that was closed can be opened again, without the old one's state") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    net::socket s;
    s.close();   // closed twice or never open: nothing
    s.interrupt();
    s.shutdown_send();
    s.reset_on_close();
    test::socket_pair first, second;
    s.open(l, first.near);
    s.interrupt();
    ::close(first.far);
    co_await test::turn_until(l, [&] { return s.peer_closed(); });
    s.close();
    s.open(l, second.near);
    CHECK_FALSE(s.peer_closed());
    const wake woken = co_await s.writable();
    CHECK(woken == wake::ready);
    CHECK(write(s, "x").bytes == 1);
    ::close(second.far);
  }(f.loop));
}

TEST_CASE("an interrupt reaches both sides, and clear_interrupts takes back what nobody used") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    ends e(l, test::socket_pair());
    e.near.interrupt();
    const wake reader = co_await e.near.readable();
    const wake writer = co_await e.near.writable();
    CHECK(reader == wake::interrupted);
    CHECK(writer == wake::interrupted);
    e.near.interrupt();
    e.near.clear_interrupts();
    const wake after = co_await e.near.writable();
    CHECK(after == wake::ready);
  }(f.loop));
}

TEST_CASE("connecting: to a listener, to nobody, and to a unix path that is not there") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    const auto at = net::socket_address::ip("127.0.0.1", 0).value();
    const int listener = *net::open_listener(at, false);
    const auto bound = net::local_address(listener);
    net::socket s;
    CHECK_FALSE(net::start_connect(l, s, bound));
    (void)co_await s.writable();
    CHECK_FALSE(s.pending_error());
    s.close();
    ::close(listener);

    const auto refused = net::start_connect(l, s, bound);
    if (!refused) {
      (void)co_await s.writable();
      CHECK(s.pending_error().value() == ECONNREFUSED);
    } else {
      CHECK(refused.value() == ECONNREFUSED);
    }
    s.close();
    const auto nowhere = net::socket_address::unix_path("/nonexistent/weir.sock").value();
    CHECK(net::start_connect(l, s, nowhere).value() == ENOENT);
    CHECK_FALSE(s.is_open());
  }(f.loop));
}

// --- calls made to fail
// ---------------------------------------------------------------------------

namespace {

struct failing {
  explicit failing(net::kernel_call which, net::call_plan how) {
    wanted = which, plan = how;
    net::before_kernel_call = [](net::kernel_call c) noexcept {
      return c == wanted ? plan : net::call_plan{};
    };
  }
  ~failing() { net::before_kernel_call = nullptr; }
  static inline net::kernel_call wanted{};
  static inline net::call_plan plan{};
};

}  // namespace

TEST_CASE("the seam for tests fails the call that it names, and breaks the connection for good") {
  for (const auto which : {net::kernel_call::receive, net::kernel_call::send}) {
    INFO("call " << static_cast<int>(which));
    test::loop_fixture f;
    f.run([](net::loop& l, net::kernel_call c) -> net::task<void> {
      ends e(l, test::socket_pair());
      const bool reads = c == net::kernel_call::receive;
      std::array<char, 8> room;
      {
        failing one(c, {ECONNRESET, net::unlimited});
        const io other = reads ? write(e.near, "x") : e.near.try_read(room);
        CHECK(other.what != io::kind::failed);
        const io r = reads ? e.near.try_read(room) : write(e.near, "x");
        CHECK(r.what == io::kind::failed);
        CHECK(r.error.value() == ECONNRESET);
      }
      co_await test::turn_until(l, [&] { return e.near.broken() && e.far.peer_closed(); });
      CHECK(write(e.near, "x").what == io::kind::failed);
    }(f.loop, which));
  }
}

TEST_CASE("the seam can refuse a connection") {
  net::loop l(0);
  net::socket s;
  const auto to = net::socket_address::ip("127.0.0.1", 9).value();
  failing connects(net::kernel_call::connect, {ECONNREFUSED, net::unlimited});
  CHECK(net::start_connect(l, s, to).value() == ECONNREFUSED);
  CHECK_FALSE(s.is_open());
}

TEST_CASE("the seam can make every read and write a short one, and nothing is lost by it") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    ends e(l, test::socket_pair());
    {
      failing shorter(net::kernel_call::send, {0, 3});
      CHECK(write(e.near, "abcdefgh").bytes == 3);
      CHECK(write(e.near, "defgh").bytes == 3);
      CHECK(write(e.near, "gh").bytes == 2);
    }
    failing shorter(net::kernel_call::receive, {0, 1});
    std::string got;
    std::array<char, 8> room;
    while (got.size() < 8) {
      (void)co_await e.far.readable();
      const io r = e.far.try_read(room);
      if (r.what == io::kind::done) CHECK(r.bytes == 1);
      got.append(room.data(), r.bytes);
    }
    CHECK(got == "abcdefgh");
  }(f.loop));
}
