#include "net/tls_server_context.hpp"

#include <openssl/ssl.h>

#include <catch2/catch.hpp>
#include <string>

#include "test_certificates.hpp"

namespace {

using namespace weir;
using net::client_certificates;

struct files {
  test::scratch_folder folder;
  test::identity who = test::make_identity({"DNS:front.test"});
  test::identity other = test::make_identity({"DNS:other.test"});
  std::string certificate = folder.write("server.pem", who.certificate_pem());
  std::string key = folder.write("server.key", who.key_pem());
  std::string other_key = folder.write("other.key", other.key_pem());
  std::string locked = folder.write("locked.key", who.key_pem("secret"));
  std::string garbage = folder.write("garbage.pem", "not a certificate\n");
  std::string absent = folder.path("absent.pem");
};

}  // namespace

TEST_CASE("a listener's TLS is made of a certificate and its key") {
  files f;
  const auto made = net::make_tls_server({f.certificate, f.key, {}});
  REQUIRE(made);
  CHECK(SSL_CTX_get_min_proto_version(made->get()) == TLS1_2_VERSION);
  CHECK(SSL_CTX_get_verify_mode(made->get()) == SSL_VERIFY_NONE);
  CHECK((SSL_CTX_get_mode(made->get()) & SSL_MODE_RELEASE_BUFFERS) != 0);
}

TEST_CASE("clients' certificates are asked for or demanded, as the options say") {
  files f;
  const auto asked =
      net::make_tls_server({f.certificate, f.key, f.certificate, client_certificates::request});
  REQUIRE(asked);
  CHECK(SSL_CTX_get_verify_mode(asked->get()) == SSL_VERIFY_PEER);
  const auto must =
      net::make_tls_server({f.certificate, f.key, f.certificate, client_certificates::require});
  REQUIRE(must);
  CHECK(SSL_CTX_get_verify_mode(must->get()) ==
        (SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT));
}

TEST_CASE("every error names the setting and the file that is wrong") {
  files f;
  struct row {
    const char* what;
    net::tls_server_options options;
    std::string names, file;
  };
  const row rows[] = {
      {"no certificate", {f.absent, f.key, {}}, "certificate", f.absent},
      {"garbage for a certificate", {f.garbage, f.key, {}}, "certificate", f.garbage},
      {"no key", {f.certificate, f.absent, {}}, "private_key", f.absent},
      {"garbage for a key", {f.certificate, f.garbage, {}}, "private_key", f.garbage},
      {"another's key", {f.certificate, f.other_key, {}}, "private_key", f.other_key},
      {"a locked key", {f.certificate, f.locked, {}}, "private_key", f.locked},
      {"no client_ca",
       {f.certificate, f.key, f.absent, client_certificates::require},
       "client_ca",
       f.absent},
      {"garbage for client_ca",
       {f.certificate, f.key, f.garbage, client_certificates::request},
       "client_ca",
       f.garbage},
  };
  for (const row& r : rows) {
    INFO(r.what);
    const auto made = net::make_tls_server(r.options);
    REQUIRE_FALSE(made);
    CHECK_THAT(made.error(), Catch::Contains(r.names));
    CHECK_THAT(made.error(), Catch::Contains(r.file));
    CHECK_THAT(made.error(), Catch::Contains(": "));
  }
}

TEST_CASE("a session keeps its context after a reload dropped it") {
  files f;
  auto made = *net::make_tls_server({f.certificate, f.key, {}});
  ssl_st* session = net::accept_session(made, 0);
  REQUIRE(session);
  made.reset();
  CHECK(SSL_get_SSL_CTX(session) != nullptr);
  CHECK(SSL_get_certificate(session) != nullptr);
  SSL_free(session);
}
