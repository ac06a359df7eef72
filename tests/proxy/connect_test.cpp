// proxy::connect: a worker's addresses in turn, TLS with verification, and who is told what.
#include <openssl/ssl.h>
#include <signal.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <memory>
#include <string>

#include "net/listener.hpp"
#include "net/loop_fixture.hpp"
#include "net/test_certificates.hpp"
#include "net/tls_server_context.hpp"
#include "proxy/links.hpp"

namespace {

using namespace weir;
using kind = proxy::connect_outcome::kind;
using net::socket_address;

const bool no_pipe_signals = [] { return ::signal(SIGPIPE, SIG_IGN) != SIG_ERR; }();
const core::worker_id w1{0, 1};

struct listening {
  listening() : fd(*net::open_listener(socket_address::ip("127.0.0.1", 0).value(), false)) {}
  ~listening() { ::close(fd); }
  socket_address at() const { return net::local_address(fd); }
  int fd;
};

socket_address nobody() { return listening().at(); }

proxy::target_ptr target(std::vector<socket_address> where,
                         std::shared_ptr<const net::tls_client_context> tls = {}) {
  proxy::worker_target t;
  t.name = t.host = "w1";
  t.server_name = "worker.test";
  t.addresses = std::move(where);
  t.tls = std::move(tls);
  return std::make_shared<const proxy::worker_target>(std::move(t));
}

net::task<void> accept_tls(net::loop& l, int listener, net::tls_context context, net::socket& s,
                           bool& done) {
  net::accepted got = net::accept_one(listener);
  while (got.fd < 0) {
    co_await net::yield{l};
    got = net::accept_one(listener);
  }
  s.open(l, got.fd);
  s.secure(net::accept_session(context, got.fd));
  for (;;) {
    const net::io step = s.try_handshake(false);
    if (step.what != net::io::kind::blocked) break;
    if (s.handshake_writes()) (void)co_await s.writable();
    else (void)co_await s.readable();
  }
  done = true;
}

struct certificates {
  test::identity worker = test::make_identity({"DNS:worker.test"});
  test::identity other = test::make_identity({"DNS:other.test"});
  test::scratch_folder folder;
  std::string pem = folder.write("worker.pem", worker.certificate_pem());
  std::string other_pem = folder.write("other.pem", other.certificate_pem());

  net::tls_context server(const test::identity& who, const std::string& certificate) const {
    return *net::make_tls_server({certificate, folder.write("key.pem", who.key_pem()), {}});
  }
  std::shared_ptr<const net::tls_client_context> client(const std::string& ca,
                                                        bool verify = true) const {
    return *net::tls_client_context::make({ca, {}, {}, verify});
  }
};

}  // namespace

TEST_CASE("a worker that listens is connected to, one that does not is refused and named") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    listening worker;
    const auto up = links.make(w1, target({worker.at()}));
    const auto good = co_await proxy::connect(*up);
    CHECK(good.what == kind::connected);
    CHECK(up->socket.is_open());
    const auto at = nobody();
    const auto down = links.make(w1, target({at}));
    const auto bad = co_await proxy::connect(*down);
    CHECK(bad.what == kind::refused);
    CHECK_THAT(bad.detail, Catch::Contains(net::to_string(at)));
    CHECK_FALSE(down->socket.is_open());
  }(f.loop));
}

TEST_CASE("the next address is tried when one refuses, and the last one's failure is told") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    listening worker;
    const auto some = links.make(w1, target({nobody(), nobody(), worker.at()}));
    const auto good = co_await proxy::connect(*some);
    CHECK(good.what == kind::connected);
    const auto last = socket_address::unix_path("/nonexistent/worker.sock").value();
    const auto none = links.make(w1, target({nobody(), last}));
    const auto bad = co_await proxy::connect(*none);
    CHECK(bad.what == kind::refused);
    CHECK_THAT(bad.detail, Catch::Contains("/nonexistent/worker.sock"));
  }(f.loop));
}

TEST_CASE("a name that was not resolved yet is told as such") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    proxy::links links(l);
    const auto link = links.make(w1, target({}));
    const auto o = co_await proxy::connect(*link);
    CHECK(o.what == kind::unresolved);
    CHECK_THAT(o.detail, Catch::Contains("w1"));
  }(f.loop));
}

TEST_CASE("TLS: trusted and rightly named is connected, all else says what is wrong") {
  struct row {
    const char* what;
    bool worker_is_other, trusts_other, verify;
    kind outcome;
  };
  const row rows[] = {
      {"right", false, false, true, kind::connected},
      {"not trusted", true, false, true, kind::tls_failed},
      {"trusted, wrong name", true, true, true, kind::tls_failed},
      {"not verified at all", true, false, false, kind::connected},
  };
  for (const row& r : rows) {
    INFO(r.what);
    test::loop_fixture f;
    f.run([](net::loop& l, const row& rr) -> net::task<void> {
      certificates c;
      proxy::links links(l);
      listening worker;
      net::socket far;
      bool shaken = false;
      const auto server =
          rr.worker_is_other ? c.server(c.other, c.other_pem) : c.server(c.worker, c.pem);
      net::spawn(accept_tls(l, worker.fd, server, far, shaken));
      const auto link = links.make(
          w1, target({worker.at()}, c.client(rr.trusts_other ? c.other_pem : c.pem, rr.verify)));
      const auto o = co_await proxy::connect(*link);
      CHECK(o.what == rr.outcome);
      CHECK(o.detail.empty() == (rr.outcome == kind::connected));
      CHECK(link->socket.is_open() == (rr.outcome == kind::connected));
      co_await test::turn_until(l, [&] { return shaken; });
    }(f.loop, r));
  }
}

TEST_CASE(
    "a worker that speaks no TLS where TLS is expected fails, it is not spoken to in the clear") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    certificates c;
    proxy::links links(l);
    listening worker;
    net::spawn([](net::loop& lp, int listener) -> net::task<void> {
      net::accepted got = net::accept_one(listener);
      while (got.fd < 0) {
        co_await net::yield{lp};
        got = net::accept_one(listener);
      }
      const std::string plain = "HTTP/1.1 400 Bad Request\r\n\r\n";
      CHECK(::write(got.fd, plain.data(), plain.size()) > 0);
      ::close(got.fd);
    }(l, worker.fd));
    const auto link = links.make(w1, target({worker.at()}, c.client(c.pem)));
    const auto o = co_await proxy::connect(*link);
    CHECK(o.what == kind::tls_failed);
    CHECK_FALSE(o.detail.empty());
  }(f.loop));
}

TEST_CASE(
    "an interrupt ends the wait for a handshake that does not come, and no other address is "
    "tried") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    certificates c;
    proxy::links links(l);
    listening silent, other;
    const auto link = links.make(w1, target({silent.at(), other.at()}, c.client(c.pem)));
    net::spawn([](net::loop& lp, proxy::link& k) -> net::task<void> {
      co_await test::turn_until(lp, [&] { return k.socket.is_open() && k.socket.is_tls(); });
      k.socket.interrupt();
    }(l, *link));
    const auto o = co_await proxy::connect(*link);
    CHECK(o.what == kind::interrupted);
    CHECK(net::accept_one(other.fd).fd == -1);
  }(f.loop));
}
