#include "admin/client.hpp"

#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <thread>

#include "live_server.hpp"
#include "net/listener.hpp"

using namespace weir;
using namespace weir::admin;
using namespace std::chrono_literals;

namespace {

client_request to(const std::string& address, std::string target = "/v1/status") {
  client_request r;
  r.admin = address.starts_with("unix:") ? address : "http://" + address;
  r.target = std::move(target);
  return r;
}

}  // namespace

TEST_CASE("the client gets what the API says") {
  const live_server live(on_loopback());
  const auto got = send(to(live.address(), "/v1/config"));
  REQUIRE(got.has_value());
  CHECK(got->status == 200);
  CHECK(got->content_type == "application/json");
  CHECK(got->body == "{\"threads\":\"auto\"}\n");
}

TEST_CASE("the client takes a name, and slashes at the end of its address") {
  const live_server live(on_loopback());
  auto r = to(live.address(), "/livez");
  const std::string port = live.address().substr(live.address().rfind(':'));
  r.admin = "http://localhost" + port + "/";
  const auto got = send(r);
  if (!got) FAIL(got.error());
  CHECK(got->body == "ok\n");
}

TEST_CASE("the client changes things with its token and says JSON") {
  live_server live(on_loopback("t0ken"));
  auto r = to(live.address(), "/v1/pools/loaders/pause");
  r.method = "POST";
  CHECK(send(r)->status == 401);
  r.token = "t0ken";
  CHECK(send(r)->status == 200);
  r.target = "/v1/plan", r.body = R"({"yaml": "x"})";
  CHECK(send(r)->status == 200);
  live.stop();
  CHECK(live.back.changes == std::vector<std::string>{"pause loaders", "plan x"});
}

TEST_CASE("the client speaks over a unix socket") {
  std::string folder = std::filesystem::temp_directory_path() / "weir-client-XXXXXX";
  REQUIRE(::mkdtemp(folder.data()) != nullptr);
  auto o = on_loopback();
  o.bind = {"", 0, folder + "/admin.sock"};
  {
    const live_server live(o);
    const auto got = send(to(live.address(), "/livez"));
    REQUIRE(got.has_value());
    CHECK(got->status == 200);
  }
  const auto gone = send(to("unix:" + folder + "/admin.sock"));
  CHECK_FALSE(gone.has_value());
  std::filesystem::remove_all(folder);
}

TEST_CASE("the client takes answers far larger than a probe's") {
  live_server live(on_loopback());
  live.back.pool_views.resize(2000, live.back.pool_views[0]);
  const auto got = send(to(live.address(), "/v1/pools"));
  REQUIRE(got.has_value());
  CHECK(got->body.size() > 500000);
  CHECK(got->body.ends_with("]}\n"));
}

TEST_CASE("the client says which address did not work, and why") {
  std::string refused;
  {
    const live_server live(on_loopback());
    refused = live.address();
  }
  const auto got = send(to(refused));
  REQUIRE_FALSE(got.has_value());
  CHECK(got.error() == "no connection to http://" + refused +
                           " (Connection refused): is weir running? --admin URL names another "
                           "address");
}

TEST_CASE("an address that is none is refused before anything is sent") {
  for (const char* bad : {"", "127.0.0.1:9900", "https://127.0.0.1:9900", "ftp://127.0.0.1",
                          "http://127.0.0.1:9900/v1", "unix:relative"}) {
    client_request r;
    r.admin = bad;
    const auto got = send(r);
    CAPTURE(bad);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().find("expected http://HOST:PORT or unix:/PATH") != std::string::npos);
  }
}

TEST_CASE("a server that never answers ends the client's patience") {
  const auto fd = net::open_listener(*net::socket_address::ip("127.0.0.1", 0), false);
  REQUIRE(fd.has_value());
  auto r = to(net::to_string(net::local_address(*fd)));
  r.timeout = 50ms;
  CHECK_FALSE(send(r).has_value());
  ::close(*fd);
}

TEST_CASE("components of a url are encoded to survive it") {
  struct row {
    const char *in, *out;
  };
  const row rows[] = {
      {"", ""},           {"abc-XYZ_0.9~", "abc-XYZ_0.9~"}, {"a b", "a%20b"},
      {"a/b", "a%2Fb"},   {"?&=#%", "%3F%26%3D%23%25"},     {"\xc3\xa9", "%C3%A9"},
      {"\x01", "%01"},
  };
  for (const auto& r : rows) CHECK(encode_component(r.in) == r.out);
}

TEST_CASE("what is no HTTP is an error that names the address") {
  for (const char* answer : {"", "SSH-2.0-OpenSSH\r\n", "HTTP/1.1 abc\r\n\r\n",
                             "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nx"}) {
    const auto fd = net::open_listener(*net::socket_address::ip("127.0.0.1", 0), false);
    REQUIRE(fd.has_value());
    const std::string address = net::to_string(net::local_address(*fd));
    std::thread odd([&] {
      pollfd waiting{*fd, POLLIN, 0};
      ::poll(&waiting, 1, 30000);
      const auto peer = net::accept_one(*fd);
      ::send(peer.fd, answer, std::strlen(answer), MSG_NOSIGNAL);
      ::shutdown(peer.fd, SHUT_WR);
      char rest[4096];
      pollfd open{peer.fd, POLLIN, 0};
      while (::poll(&open, 1, 30000) > 0 && ::recv(peer.fd, rest, sizeof rest, 0) > 0) {
      }
      ::close(peer.fd);
    });
    const auto got = send(to(address));
    odd.join();
    ::close(*fd);
    CAPTURE(answer);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().find("http://" + address) == 0);
  }
}
