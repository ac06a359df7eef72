// Two ends of a TLS connection on one loop, with certificates made for the test.
#pragma once

#include <openssl/ssl.h>
#include <signal.h>

#include <catch2/catch.hpp>
#include <memory>

#include "loop_fixture.hpp"
#include "net/socket.hpp"
#include "net/tls_client_context.hpp"
#include "net/tls_server_context.hpp"
#include "test_certificates.hpp"

namespace weir::test {

inline const bool no_pipe_signals = [] { return ::signal(SIGPIPE, SIG_IGN) != SIG_ERR; }();

struct tls_pair {
  explicit tls_pair(net::loop& l, bool client_trusts = true, int buffer_bytes = 0)
      : pair(buffer_bytes) {
    const auto who = make_identity({"DNS:worker.test"});
    const auto stranger = make_identity({"DNS:worker.test"});
    const auto pem = folder.write("cert.pem", who.certificate_pem());
    server = *net::make_tls_server({pem, folder.write("key.pem", who.key_pem()), {}});
    const auto ca = client_trusts ? pem : folder.write("other.pem", stranger.certificate_pem());
    client = *net::tls_client_context::make({ca, {}, {}, true});
    near.open(l, pair.near), far.open(l, pair.far);
    SSL* s = SSL_new(client->handle());
    REQUIRE(net::prepare_client_ssl(s, "worker.test"));
    SSL_set_fd(s, pair.near);
    near.secure(s);
    far.secure(net::accept_session(server, pair.far));
  }
  scratch_folder folder;
  socket_pair pair;
  net::tls_context server;
  std::shared_ptr<const net::tls_client_context> client;
  net::socket near, far;   // near is the client
};

inline net::task<void> shake(net::socket& s, bool as_client, net::io& last, bool& ended) {
  for (;;) {
    last = s.try_handshake(as_client);
    if (last.what != net::io::kind::blocked) break;
    if (s.handshake_writes()) (void)co_await s.writable();
    else (void)co_await s.readable();
  }
  ended = true;
}

inline net::task<void> shake_both(net::loop& l, tls_pair& t, net::io& near, net::io& far) {
  bool near_ended = false, far_ended = false;
  net::spawn(shake(t.near, true, near, near_ended));
  net::spawn(shake(t.far, false, far, far_ended));
  co_await turn_until(l, [&] { return near_ended && far_ended; });
}

}  // namespace weir::test
