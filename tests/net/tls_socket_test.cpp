// net::socket under TLS, both ends on one loop, with certificates made for the test.
#include <unistd.h>

#include <array>
#include <catch2/catch.hpp>
#include <string>

#include "tls_fixture.hpp"

namespace {

using namespace weir;
using net::io;
using net::wake;
using test::shake_both;
using test::shake;
using test::tls_pair;

io write(net::socket& s, std::string_view text) {
  const iovec v{const_cast<char*>(text.data()), text.size()};
  return s.try_write({&v, 1});
}

net::task<void> send_all(net::socket& s, std::string text, bool& ended) {
  std::string_view left = text;
  while (!left.empty()) {
    const io w = write(s, left);
    if (w.what == io::kind::failed) break;
    if (w.what == io::kind::done) left.remove_prefix(w.bytes);
    else (void)co_await s.writable();
  }
  ended = left.empty();
}

net::task<void> receive(net::socket& s, std::size_t bytes, std::string& into, bool& ended) {
  std::array<char, 5000> room;
  while (into.size() < bytes) {
    (void)co_await s.readable();
    const io r = s.try_read(room);
    if (r.what == io::kind::done) into.append(room.data(), r.bytes);
    if (r.what == io::kind::end || r.what == io::kind::failed) break;
  }
  ended = true;
}

}  // namespace

TEST_CASE("a TLS handshake, data both ways, and a close_notify that reads as the end") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    tls_pair t(l);
    io near, far;
    co_await shake_both(l, t, near, far);
    REQUIRE(near.what == io::kind::done);
    REQUIRE(far.what == io::kind::done);
    CHECK(std::string(SSL_get_version(t.near.tls())).starts_with("TLSv1."));
    std::string at_far, at_near;
    bool done[4] = {};
    net::spawn(send_all(t.near, "question", done[0]));
    net::spawn(receive(t.far, 8, at_far, done[1]));
    co_await test::turn_until(l, [&] { return done[0] && done[1]; });
    net::spawn(send_all(t.far, "answer", done[2]));
    net::spawn(receive(t.near, 6, at_near, done[3]));
    co_await test::turn_until(l, [&] { return done[2] && done[3]; });
    CHECK(at_far == "question");
    CHECK(at_near == "answer");
    t.near.shutdown_send();
    std::array<char, 16> room;
    io r;
    co_await test::turn_until(l, [&] {
      r = t.far.try_read(room);
      return r.what != io::kind::blocked;
    });
    CHECK(r.what == io::kind::end);
  }(f.loop));
}

TEST_CASE("a TLS stream that is cut without close_notify is a failure, not an end") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    tls_pair t(l);
    io near, far;
    co_await shake_both(l, t, near, far);
    t.near.reset_on_close();
    t.near.close();
    std::array<char, 16> room;
    (void)co_await t.far.readable();
    CHECK(t.far.try_read(room).what == io::kind::failed);
  }(f.loop));
}

TEST_CASE("megabytes both ways at once over TLS with small kernel buffers arrive as sent") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    tls_pair t(l, true, 4096);
    io near, far;
    co_await shake_both(l, t, near, far);
    std::string one(1'000'000, '\0'), two(700'000, '\0');
    for (std::size_t i = 0; i < one.size(); ++i) one[i] = static_cast<char>(i * 7);
    for (std::size_t i = 0; i < two.size(); ++i) two[i] = static_cast<char>(i * 13 + 1);
    std::string got_one, got_two;
    bool done[4] = {};
    net::spawn(send_all(t.near, one, done[0]));
    net::spawn(send_all(t.far, two, done[1]));
    net::spawn(receive(t.far, one.size(), got_one, done[2]));
    net::spawn(receive(t.near, two.size(), got_two, done[3]));
    co_await test::turn_until(l, [&] { return done[0] && done[1] && done[2] && done[3]; });
    CHECK((got_one == one));
    CHECK((got_two == two));
  }(f.loop));
}

TEST_CASE("a client that does not trust the certificate fails the handshake and says why") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    tls_pair t(l, false);
    io near, far;
    co_await shake_both(l, t, near, far);
    CHECK(near.what == io::kind::failed);
    CHECK(far.what == io::kind::failed);
    CHECK_FALSE(net::verify_failure(t.near.tls()).empty());
  }(f.loop));
}

TEST_CASE("a peer that speaks no TLS fails the handshake, one that closes does too") {
  for (const std::string said : {"GET / HTTP/1.1\r\n\r\n", ""}) {
    INFO("said '" << said << "'");
    test::loop_fixture f;
    f.run([](net::loop& l, std::string text) -> net::task<void> {
      tls_pair t(l);
      REQUIRE(::write(t.pair.near, text.data(), text.size()) == static_cast<ssize_t>(text.size()));
      ::shutdown(t.pair.near, SHUT_WR);
      io last;
      bool ended = false;
      net::spawn(shake(t.far, false, last, ended));
      co_await test::turn_until(l, [&] { return ended; });
      CHECK(last.what != io::kind::done);
      CHECK(last.what != io::kind::blocked);
    }(f.loop, said));
  }
}

TEST_CASE("a TLS write that needs input first is resumed by input: the waits are crossed") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    tls_pair t(l);
    co_await test::turn_until(l, [&] { return t.far.writable().await_ready(); });
    CHECK(write(t.far, "too early").what == io::kind::blocked);   // the hello has to come first
    CHECK_FALSE(t.far.writable().await_ready());
    bool woken = false;
    net::spawn([](net::socket& s, bool& done) -> net::task<void> {
      (void)co_await s.writable();
      done = true;
    }(t.far, woken));
    for (int i = 0; i < 3; ++i) co_await net::yield{l};
    CHECK_FALSE(woken);
    CHECK(t.near.try_handshake(true).what == io::kind::blocked);   // sends its hello
    co_await test::turn_until(l, [&] { return woken; });
    CHECK(woken);
  }(f.loop));
}

TEST_CASE("a TLS peer may send tickets at any time: an idle connection with input is alive") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    tls_pair t(l);
    io near, far;
    co_await shake_both(l, t, near, far);
    CHECK(t.near.alive(true));   // the server's TLS 1.3 tickets are unread
    t.far.close();
    co_await test::turn_until(l, [&] { return t.near.peer_closed() || t.near.broken(); });
    CHECK_FALSE(t.near.alive(true));
  }(f.loop));
}

TEST_CASE("an idle TLS connection is alive after tickets, and dead once data came unasked") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    for (const bool in_one_record : {true, false}) {
      INFO((in_one_record ? "behind the answer, in its record" : "in a record of its own"));
      tls_pair t(l);
      io near, far;
      co_await shake_both(l, t, near, far);
      std::string at_near;
      bool sent = false, received = false;
      net::spawn(send_all(t.far, in_one_record ? "answerPOISON" : "answer", sent));
      std::array<char, 6> room;   // what the answer needs, and no more
      co_await test::turn_until(l, [&] {
        const io r = t.near.try_read(room);
        received = r.what == io::kind::done;
        return received;
      });
      CHECK(sent);
      CHECK(t.near.alive(true) == !in_one_record);
      if (in_one_record) continue;
      CHECK(t.near.alive(false));
      bool more = false;
      net::spawn(send_all(t.far, "POISON", more));
      REQUIRE(more);
      CHECK_FALSE(t.near.alive(true));
    }
  }(f.loop));
}
