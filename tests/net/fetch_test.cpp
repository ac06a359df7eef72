#include "net/fetch.hpp"

#include <sys/resource.h>

#include <boost/asio/io_context.hpp>
#include <boost/asio/post.hpp>
#include <catch2/catch.hpp>
#include <optional>

#include "net/loopback_server.hpp"
#include "net/test_certificates.hpp"
#include "net/tls_client_context.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using net::fetch_failure;
using test::closed_port;
using test::loopback_server;
using test::response;
using test::run_until;
using test::seen_request;

net::fetch_peer plain(const net::socket_address& where) {
  return {{where}, nullptr, {}};
}

// Fetches and waits for the end; the loop must have nothing left that this fetch began.
struct errand {
  boost::asio::io_context context;
  net::fetch_stop stop;
  net::fetch_limits limits{30s, 64 * 1024, 16 * 1024};

  net::fetch_result run(net::fetch_peer peer, net::fetch_request request) {
    std::optional<net::fetch_result> out;
    net::fetch_then(context, std::move(peer), std::move(request), limits, stop,
                    [&](net::fetch_result r) { out = std::move(r); });
    REQUIRE(run_until(context, [&] { return out.has_value(); }));
    return std::move(*out);
  }
  net::fetch_result connect(net::fetch_peer peer) {
    std::optional<net::fetch_result> out;
    net::try_connect_then(context, std::move(peer), limits.timeout, stop,
                          [&](net::fetch_result r) { out = std::move(r); });
    REQUIRE(run_until(context, [&] { return out.has_value(); }));
    return std::move(*out);
  }
  // Answers every request with these bytes and fetches "/" once.
  net::fetch_result against(const std::string& raw, const std::string& method = "GET") {
    loopback_server server(context, [&](const seen_request&) { return raw; });
    net::fetch_request request;
    request.method = method;
    request.host = "worker.test";
    return run(plain(server.address()), request);
  }
};

// Takes connections and never says a word.
struct silent_server : loopback_server {
  explicit silent_server(boost::asio::io_context& context)
      : loopback_server(context, [](const seen_request&) { return std::nullopt; }) {}
};

}  // namespace

TEST_CASE("a fetch sends one request as asked and brings the answer back") {
  errand e;
  loopback_server server(e.context, [](const seen_request&) {
    return response(201, "made", "X-One: 1\r\nX-One: 2\r\n");
  });
  const net::fetch_request request{"POST",
                                   "/a?b=c",
                                   "scaler.test:8080",
                                   {{"Content-Type", "application/json"}, {"webhook-id", "m1"}},
                                   "{\"x\":1}"};
  const auto out = e.run(plain(server.address()), request);
  CHECK(out.failure == fetch_failure::none);
  CHECK(out.error.empty());
  CHECK(out.status == 201);
  CHECK(out.body == "made");
  CHECK(out.field("x-one") == "1");
  CHECK(out.field("x-absent").empty());
  CHECK(out.fields.size() == 3);
  REQUIRE(server.seen().size() == 1);
  const seen_request& seen = server.seen().front();
  CHECK(seen.method == "POST");
  CHECK(seen.target == "/a?b=c");
  CHECK(seen.body == "{\"x\":1}");
  const std::map<std::string, std::string> wanted{{"host", "scaler.test:8080"},
                                                  {"connection", "close"},
                                                  {"user-agent", "weir/" WEIR_VERSION},
                                                  {"content-type", "application/json"},
                                                  {"webhook-id", "m1"},
                                                  {"content-length", "7"}};
  CHECK(seen.fields == wanted);
}

TEST_CASE("a GET carries no content length, and the caller's fields win") {
  errand e;
  loopback_server server(e.context, [](const seen_request&) { return response(200); });
  net::fetch_request request;
  request.host = "w";
  request.fields = {{"User-Agent", "mine"}};
  e.run(plain(server.address()), request);
  REQUIRE(server.seen().size() == 1);
  CHECK(server.seen().front().fields.count("content-length") == 0);
  CHECK(server.seen().front().fields.at("user-agent") == "mine");
}

TEST_CASE("answers of every framing are read") {
  struct row {
    std::string raw, method, body;
    unsigned status;
  };
  const row rows[] = {
      {"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi", "GET", "hi", 200},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nh\r\n1\r\ni\r\n0\r\n\r\n", "GET",
       "hi", 200},
      {"HTTP/1.0 200 OK\r\n\r\nuntil the end", "GET", "until the end", 200},
      {"HTTP/1.1 204 No Content\r\n\r\n", "GET", "", 204},
      {"HTTP/1.1 304 Not Modified\r\nContent-Length: 9\r\n\r\n", "GET", "", 304},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\n", "HEAD", "", 200},
      {"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
       "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi",
       "GET", "hi", 200},
      {"HTTP/1.1 301 Moved\r\nLocation: /x\r\nContent-Length: 0\r\n\r\n", "GET", "", 301},
      {"HTTP/1.1 503 Busy\r\nRetry-After: 7\r\nContent-Length: 0\r\n\r\n", "GET", "", 503},
  };
  for (const row& r : rows) {
    CAPTURE(r.raw);
    errand e;
    const auto out = e.against(r.raw, r.method);
    CHECK(out.error.empty());
    CHECK(out.status == r.status);
    CHECK(out.body == r.body);
  }
}

TEST_CASE("answers that are broken say how") {
  struct row {
    std::string raw, holds;
    unsigned status = 0;
  };
  const row rows[] = {
      {"", "connection closed before its end"},
      {"HTTP/1.1 200 OK\r\nContent-Le", "connection closed before its end"},
      {"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhi", "connection closed before its end", 200},
      {"SSH-2.0-OpenSSH\r\n\r\n", "bad version"},
      {"HTTP/1.1 abc\r\n\r\n", "bad status"},
      {"HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "bad field"},
      {"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", "bad chunk", 200},
      {"HTTP/1.1 200 OK\r\nX: " + std::string(20000, 'a') + "\r\n\r\n", "header limit"},
  };
  for (const row& r : rows) {
    CAPTURE(r.raw.substr(0, 80));
    errand e;
    const auto out = e.against(r.raw);
    CAPTURE(out.error);
    CHECK(out.failure == fetch_failure::broken);
    CHECK(out.status == r.status);
    CHECK(out.error.starts_with("answer of 127.0.0.1:"));
    CHECK(out.error.find(r.holds) != out.error.npos);
  }
}

TEST_CASE("interim responses without end are refused") {
  std::string raw;
  for (int i = 0; i < 20; ++i) raw += "HTTP/1.1 103 Early Hints\r\n\r\n";
  errand e;
  const auto out = e.against(raw + response(200));
  CHECK(out.failure == fetch_failure::broken);
  CHECK(out.error.find("too many interim responses") != out.error.npos);
}

TEST_CASE("a body beyond the limit is too large, but its head is told") {
  for (const bool chunked : {false, true}) {
    errand e;
    e.limits.body_max = 10;
    const std::string framing =
        chunked ? "Transfer-Encoding: chunked\r\n" : "Content-Length: 11\r\n";
    const std::string body = chunked ? "b\r\nhello world\r\n0\r\n\r\n" : "hello world";
    const auto out = e.against("HTTP/1.1 200 OK\r\nX: y\r\n" + framing + "\r\n" + body);
    CHECK(out.failure == fetch_failure::too_large);
    CHECK(out.status == 200);
    CHECK(out.field("x") == "y");
    CHECK(out.body.size() <= 10);
  }
}

TEST_CASE("a refused connection says who refused") {
  errand e;
  const closed_port nobody(e.context);
  const auto out = e.run(plain(nobody.address()), {});
  CHECK(out.failure == fetch_failure::connect);
  CHECK(out.status == 0);
  CHECK(out.error ==
        "connecting to 127.0.0.1:" + std::to_string(nobody.port()) + ": Connection refused");
}

TEST_CASE("a connection that weir has no descriptor for says nothing of the peer") {
  errand e;
  loopback_server server(e.context, [](const seen_request&) { return response(200, ""); });
  rlimit before{};
  REQUIRE(::getrlimit(RLIMIT_NOFILE, &before) == 0);
  // UBSan looks at an object's type through a pipe: it has to know all of them by then.
  REQUIRE(e.run(plain(server.address()), {}).error.empty());
  const rlimit none{0, before.rlim_max};
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &none) == 0);
  const auto out = e.run(plain(server.address()), {});
  const auto tried = e.connect(plain(server.address()));
  REQUIRE(::setrlimit(RLIMIT_NOFILE, &before) == 0);
  CHECK(out.failure == fetch_failure::exhausted);
  CHECK(tried.failure == fetch_failure::exhausted);
  CHECK_THAT(out.error, Catch::Contains("Too many open files"));
}

TEST_CASE("a peer without addresses fails at once") {
  errand e;
  const auto out = e.run({}, {});
  CHECK(out.failure == fetch_failure::connect);
  CHECK(out.error == "connecting: no address");
}

TEST_CASE("the next address is tried when one refuses") {
  errand e;
  const closed_port nobody(e.context);
  loopback_server server(e.context, [](const seen_request&) { return response(200, "second"); });
  const auto out = e.run({{nobody.address(), server.address()}, nullptr, {}}, {});
  CHECK(out.error.empty());
  CHECK(out.body == "second");
  CHECK(server.connections() == 1);
}

TEST_CASE("a silent peer is timed out, with the time and the step told") {
  errand e;
  e.limits.timeout = 30ms;
  silent_server server(e.context);
  const auto out = e.run(plain(server.address()), {});
  CHECK(out.failure == fetch_failure::timed_out);
  CHECK(out.error == "timed out after 0.03 s answer of 127.0.0.1:" + std::to_string(server.port()));
}

TEST_CASE("a peer that never takes the connection is timed out, and the next one is still tried") {
  errand e;
  e.limits.timeout = 100ms;
  // A listener whose queue is full drops further SYNs.
  boost::asio::ip::tcp::acceptor full(e.context);
  full.open(boost::asio::ip::tcp::v4());
  full.bind({boost::asio::ip::address_v4::loopback(), 0});
  full.listen(0);
  boost::asio::ip::tcp::socket first(e.context);
  first.connect(full.local_endpoint());
  const auto stuffed = *net::socket_address::ip("127.0.0.1", full.local_endpoint().port());
  SECTION("alone") {
    const auto out = e.connect(plain(stuffed));
    CHECK(out.failure == fetch_failure::timed_out);
    CHECK(out.error.starts_with("timed out after 0.1 s connecting to 127.0.0.1:"));
  }
  SECTION("with another behind it") {
    e.limits.timeout = 2s;  // half of which goes to the first
    loopback_server server(e.context, [](const seen_request&) { return response(200, "second"); });
    const auto out = e.run({{stuffed, server.address()}, nullptr, {}}, {});
    CHECK(out.body == "second");
  }
}

TEST_CASE("a stop ends a fetch at any step") {
  errand e;
  silent_server server(e.context);
  SECTION("before it began") {
    e.stop.stop();
    CHECK(e.run(plain(server.address()), {}).failure == fetch_failure::cancelled);
  }
  SECTION("while it waits for the answer") {
    std::optional<net::fetch_result> out;
    net::fetch_then(e.context, plain(server.address()), {}, e.limits, e.stop,
                    [&](net::fetch_result r) { out = std::move(r); });
    REQUIRE(run_until(e.context, [&] { return server.seen().size() == 1; }));
    e.stop.stop();
    REQUIRE(run_until(e.context, [&] { return out.has_value(); }));
    CHECK(out->failure == fetch_failure::cancelled);
    CHECK(out->error == "cancelled");
  }
  SECTION("after every single turn of the loop, up to its end") {
    loopback_server quick(e.context, [](const seen_request&) { return response(200); });
    bool whole = false;
    for (int turns = 0; !whole; ++turns) {
      REQUIRE(turns < 1000);
      net::fetch_stop stop;
      std::optional<net::fetch_result> out;
      net::fetch_then(e.context, {{quick.address(), quick.address()}, nullptr, {}}, {}, e.limits,
                      stop, [&](net::fetch_result r) { out = std::move(r); });
      e.context.restart();
      for (int i = 0; i < turns && !out; ++i) e.context.run_one_for(1s);
      whole = out.has_value();
      stop.stop();
      REQUIRE(run_until(e.context, [&] { return out.has_value(); }));
      const bool told = out->failure == fetch_failure::cancelled || out->status == 200;
      REQUIRE(told);
    }
  }
}

TEST_CASE("one stop ends all the fetches it was given to") {
  errand e;
  silent_server server(e.context);
  int cancelled = 0;
  for (int i = 0; i < 3; ++i) {
    net::fetch_then(
        e.context, plain(server.address()), {}, e.limits, e.stop,
        [&](net::fetch_result r) { cancelled += r.failure == fetch_failure::cancelled; });
  }
  REQUIRE(run_until(e.context, [&] { return server.seen().size() == 3; }));
  e.stop.stop();
  CHECK(run_until(e.context, [&] { return cancelled == 3; }));
}

TEST_CASE("dropping the loop with a fetch under way is clean") {
  auto context = std::make_unique<boost::asio::io_context>();
  net::fetch_stop stop;
  bool told = false;
  {
    silent_server server(*context);
    net::fetch_then(*context, plain(server.address()), {}, {}, stop,
                    [&](const net::fetch_result&) { told = true; });
    REQUIRE(run_until(*context, [&] { return server.seen().size() == 1; }));
  }
  context.reset();
  stop.stop();
  CHECK(!told);
}

TEST_CASE("a connection can be tried without a request") {
  errand e;
  silent_server server(e.context);
  const auto good = e.connect(plain(server.address()));
  CHECK(good.failure == fetch_failure::none);
  CHECK(good.status == 0);
  const closed_port nobody(e.context);
  CHECK(e.connect(plain(nobody.address())).failure == fetch_failure::connect);
}

TEST_CASE("a unix socket is a peer like any other") {
  errand e;
  const test::scratch_folder folder;
  const std::string path = folder.path("worker.sock");
  const auto address = *net::socket_address::unix_path(path);
  const auto absent = e.connect(plain(address));
  CHECK(absent.error == "connecting to unix:" + path + ": No such file or directory");
  test::loopback_unix_server server(e.context, path,
                                    [](const seen_request&) { return response(200, "unix"); });
  CHECK(e.run(plain(address), {}).body == "unix");
}

TEST_CASE("TLS peers are verified, and a refusal says why") {
  errand e;
  const test::scratch_folder folder;
  const auto good =
      test::make_identity({"DNS:worker.test,IP:127.0.0.1", -3600, 3600, nullptr, true});
  const auto ca = folder.write("ca.pem", good.certificate_pem());
  const auto trusting = *net::tls_client_context::make({ca, {}, {}, true});
  const auto strange = *net::tls_client_context::make({});
  loopback_server server(
      e.context, [](const seen_request&) { return response(200, "safe"); },
      test::server_context(good));
  const auto ask = [&](const auto& context, const std::string& name) {
    return e.run({{server.address()}, context, name}, {});
  };
  SECTION("the right name") {
    CHECK(ask(trusting, "worker.test").body == "safe");
    CHECK(server.seen().back().server_name == "worker.test");
    CHECK(ask(trusting, "127.0.0.1").body == "safe");
    CHECK(server.seen().back().server_name.empty());
  }
  SECTION("a connection without a request shakes hands too") {
    CHECK(e.connect({{server.address()}, trusting, "worker.test"}).failure == fetch_failure::none);
    CHECK(e.connect({{server.address()}, trusting, "other.test"}).failure == fetch_failure::tls);
  }
  SECTION("refusals") {
    const auto at = "TLS handshake with 127.0.0.1:" + std::to_string(server.port()) + ": ";
    const auto wrong = ask(trusting, "other.test");
    CHECK(wrong.failure == fetch_failure::tls);
    CHECK(wrong.error == at + "certificate refused: hostname mismatch");
    CHECK(ask(strange, "worker.test").error == at + "certificate refused: self-signed certificate");
    CHECK(ask(trusting, "").error.find("cannot verify the name ''") != std::string::npos);
    CHECK(server.seen().empty());  // nothing is sent to a stranger
  }
}

TEST_CASE("a TLS client shows its own certificate to a server that demands one") {
  errand e;
  const test::scratch_folder folder;
  const auto server_id = test::make_identity({"DNS:worker.test", -3600, 3600, nullptr, true});
  const auto client_id = test::make_identity({"DNS:weir.test", -3600, 3600, nullptr, true});
  const auto ca = folder.write("server.pem", server_id.certificate_pem());
  const auto certificate = folder.write("client.pem", client_id.certificate_pem());
  const auto key = folder.write("client.key", client_id.key_pem());
  loopback_server server(
      e.context, [](const seen_request&) { return response(200, "known"); },
      test::server_context(server_id, certificate));
  const auto known = *net::tls_client_context::make({ca, certificate, key, true});
  const auto unknown = *net::tls_client_context::make({ca, {}, {}, true});
  CHECK(e.run({{server.address()}, known, "worker.test"}, {}).body == "known");
  CHECK(e.run({{server.address()}, unknown, "worker.test"}, {}).status == 0);
}

TEST_CASE("TLS to a plain server, and plain to a TLS server, fail with a text") {
  errand e;
  const auto id = test::make_identity({"DNS:worker.test"});
  const auto client = *net::tls_client_context::make({});
  loopback_server talkative(e.context, [](const seen_request&) { return response(200); });
  loopback_server safe(
      e.context, [](const seen_request&) { return response(200); }, test::server_context(id));
  e.limits.timeout = 300ms;  // a plain server may wait for more of what it takes for a request
  const auto one = e.run({{talkative.address()}, client, "worker.test"}, {});
  CHECK(one.status == 0);
  CHECK(!one.error.empty());
  const auto other = e.run(plain(safe.address()), {});
  CHECK(other.failure == fetch_failure::broken);
}

TEST_CASE("every failure has a name") {
  CHECK(name(fetch_failure::none) == "none");
  CHECK(name(fetch_failure::connect) == "connect");
  CHECK(name(fetch_failure::exhausted) == "exhausted");
  CHECK(name(fetch_failure::tls) == "tls");
  CHECK(name(fetch_failure::timed_out) == "timed_out");
  CHECK(name(fetch_failure::broken) == "broken");
  CHECK(name(fetch_failure::too_large) == "too_large");
  CHECK(name(fetch_failure::cancelled) == "cancelled");
}
