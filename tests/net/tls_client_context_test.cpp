#include "net/tls_client_context.hpp"

#include <openssl/err.h>
#include <openssl/ssl.h>

#include <catch2/catch.hpp>

#include "net/test_certificates.hpp"

namespace {

using namespace weir;
using net::tls_client_context;
using test::identity;
using test::make_identity;

struct session_deleter {
  void operator()(SSL* s) const { SSL_free(s); }
};
using session = std::unique_ptr<SSL, session_deleter>;

// A whole handshake in memory; empty when the client is content, else why it is not.
std::string shake_hands(const tls_client_context& client, const identity& server_identity,
                        const std::string& server_name) {
  const auto server_side = test::server_context(server_identity);
  const session c(SSL_new(client.handle())), s(SSL_new(server_side->native_handle()));
  if (!net::prepare_client_ssl(c.get(), server_name)) return "not prepared";
  BIO *a = nullptr, *b = nullptr;
  BIO_new_bio_pair(&a, 0, &b, 0);
  SSL_set_bio(c.get(), a, a);
  SSL_set_bio(s.get(), b, b);
  SSL_set_connect_state(c.get());
  SSL_set_accept_state(s.get());
  for (int turn = 0; turn < 10 && !SSL_is_init_finished(c.get()); ++turn) {
    SSL_do_handshake(c.get());
    SSL_do_handshake(s.get());
  }
  ERR_clear_error();
  if (SSL_is_init_finished(c.get())) return {};
  const std::string why = net::verify_failure(c.get());
  return why.empty() ? "no handshake" : why;
}

std::string error_of(const net::tls_client_options& options) {
  const auto made = tls_client_context::make(options);
  return made ? std::string() : made.error();
}

}  // namespace

TEST_CASE("the client context speaks TLS 1.2 at least and has the modes of non-blocking writers") {
  const auto made = tls_client_context::make({});
  REQUIRE(made);
  SSL_CTX* ctx = (*made)->handle();
  CHECK(SSL_CTX_get_min_proto_version(ctx) == TLS1_2_VERSION);
  const long wanted = SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                      SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER;
  CHECK((SSL_CTX_get_mode(ctx) & wanted) == wanted);
  CHECK(SSL_CTX_get_verify_mode(ctx) == SSL_VERIFY_PEER);
}

TEST_CASE("a session made from the context outlives the context object") {
  auto made = tls_client_context::make({});
  REQUIRE(made);
  const session s(SSL_new((*made)->handle()));
  made->reset();
  CHECK(net::prepare_client_ssl(s.get(), "worker.test"));
}

TEST_CASE("errors of the client context name the file and the reason") {
  const test::scratch_folder folder;
  const identity one = make_identity({}), other = make_identity({});
  const auto certificate = folder.write("one.pem", one.certificate_pem());
  const auto key = folder.write("one.key", one.key_pem());
  const auto other_key = folder.write("other.key", other.key_pem());
  const auto locked_key = folder.write("locked.key", one.key_pem("secret"));
  const auto rubbish = folder.write("rubbish.pem", "not a certificate\n");
  const auto absent = folder.path("absent.pem");
  struct row {
    net::tls_client_options options;
    std::string starts, holds;
  };
  const row rows[] = {
      {{absent, {}, {}, true}, "cannot use CA file " + absent, "No such file"},
      {{rubbish, {}, {}, true}, "cannot use CA file " + rubbish, "no certificate"},
      {{{}, absent, key, true}, "cannot use certificate " + absent, "No such file"},
      {{{}, certificate, absent, true}, "cannot use private key " + absent, "No such file"},
      {{{}, certificate, other_key, true}, "cannot use private key " + other_key, "mismatch"},
      {{{}, certificate, locked_key, true}, "cannot use private key " + locked_key, ""},
      {{{}, rubbish, key, true}, "cannot use certificate " + rubbish, "no start line"},
      {{{}, certificate, {}, true}, "certificate " + certificate + " has no private key", ""},
      {{{}, {}, key, true}, "private key " + key + " has no certificate", ""},
  };
  for (const row& r : rows) {
    const std::string error = error_of(r.options);
    CAPTURE(error);
    CHECK(error.starts_with(r.starts));
    CHECK(error.find(r.holds) != error.npos);
    CHECK(ERR_peek_error() == 0);  // nothing left for the next caller to trip over
  }
  CHECK(error_of({{}, certificate, key, true}).empty());
}

TEST_CASE("a server is accepted when its certificate is trusted and carries the name") {
  const test::scratch_folder folder;
  test::certificate_wish authority_wish;
  authority_wish.is_authority = true;
  const identity authority = make_identity(authority_wish),
                 stranger = make_identity(authority_wish);
  const auto ca = folder.write("ca.pem", authority.certificate_pem());
  struct row {
    std::string alternatives, asked_for, outcome;
    const identity* signer;
    long from = -3600, to = 3600;
  };
  const row rows[] = {
      {"DNS:worker.test", "worker.test", "", &authority},
      {"DNS:worker.test", "WORKER.test.", "", &authority},
      {"DNS:*.fleet.test", "w1.fleet.test", "", &authority},
      {"DNS:w*.fleet.test", "w1.fleet.test", "hostname mismatch", &authority},
      {"DNS:*.fleet.test", "a.b.fleet.test", "hostname mismatch", &authority},
      {"DNS:other.test", "worker.test", "hostname mismatch", &authority},
      {"IP:127.0.0.1", "127.0.0.1", "", &authority},
      {"IP:::1", "::1", "", &authority},
      {"DNS:127.0.0.1", "127.0.0.1", "IP address mismatch", &authority},
      {"IP:127.0.0.2", "127.0.0.1", "IP address mismatch", &authority},
      {"DNS:worker.test", "worker.test", "unable to get local issuer certificate", &stranger},
      {"DNS:worker.test", "worker.test", "self-signed certificate", nullptr},
      {"DNS:worker.test", "worker.test", "certificate has expired", &authority, -7200, -3600},
      {"DNS:worker.test", "worker.test", "certificate is not yet valid", &authority, 3600, 7200},
  };
  const auto client = *tls_client_context::make({ca, {}, {}, true});
  const auto careless = *tls_client_context::make({ca, {}, {}, false});
  for (const row& r : rows) {
    CAPTURE(r.alternatives, r.asked_for, r.outcome);
    const identity server = make_identity({r.alternatives, r.from, r.to, r.signer, false});
    CHECK(shake_hands(*client, server, r.asked_for) == r.outcome);
    CHECK(shake_hands(*careless, server, r.asked_for).empty());
  }
}

TEST_CASE("SNI is sent for names and not for addresses") {
  struct row {
    std::string name;
    const char* sni;
  };
  const row rows[] = {{"worker.test", "worker.test"},
                      {"worker.test.", "worker.test"},
                      {"127.0.0.1", nullptr},
                      {"2001:db8::1", nullptr}};
  const auto client = *tls_client_context::make({});
  for (const row& r : rows) {
    CAPTURE(r.name);
    const session s(SSL_new(client->handle()));
    REQUIRE(net::prepare_client_ssl(s.get(), r.name));
    const char* sent = SSL_get_servername(s.get(), TLSEXT_NAMETYPE_host_name);
    CHECK(std::string(sent ? sent : "-") == (r.sni ? r.sni : "-"));
  }
}

TEST_CASE("a name that no certificate can carry is refused") {
  const auto client = *tls_client_context::make({});
  for (const std::string& name :
       {std::string(), std::string("."), std::string("a\0b", 3), std::string(300, 'a')}) {
    const session s(SSL_new(client->handle()));
    CHECK(!net::prepare_client_ssl(s.get(), name));
  }
}

TEST_CASE("an empty OpenSSL error queue still gives a text") {
  ERR_clear_error();
  CHECK(net::take_tls_error() == "unknown error");
}
