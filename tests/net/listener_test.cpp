#include "net/listener.hpp"

#include <fcntl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <filesystem>
#include <string>
#include <vector>

#include "net/socket_address.hpp"
#include "test_certificates.hpp"

namespace {

using namespace weir;
using net::socket_address;

const socket_address loopback = socket_address::ip("127.0.0.1", 0).value();

int connect_to(const socket_address& at) {
  const int fd = ::socket(at.family(), SOCK_STREAM | SOCK_CLOEXEC, 0);
  if (::connect(fd, at.data(), at.size) == 0) return fd;
  ::close(fd);
  return -1;
}

}  // namespace

TEST_CASE("the kernel picks a port for port 0, and other loops join it once it is shared") {
  const auto first = net::open_listener(loopback, false);
  REQUIRE(first);
  net::share(*first);
  const auto bound = net::local_address(*first);
  CHECK(port_of(bound) != 0);
  const auto second = net::open_listener(bound, true);
  REQUIRE(second);
  CHECK(net::local_address(*second) == bound);
  ::close(*first), ::close(*second);
}

TEST_CASE("connections to a shared port are spread over all that joined") {
  std::vector<int> listeners{*net::open_listener(loopback, false)}, clients;
  net::share(listeners[0]);
  const auto at = net::local_address(listeners[0]);
  for (int i = 0; i < 3; ++i) listeners.push_back(*net::open_listener(at, true));
  for (int i = 0; i < 200; ++i) clients.push_back(connect_to(at));
  for (const int listener : listeners) {
    int got = 0;
    for (int fd; (fd = net::accept_one(listener).fd) >= 0; ++got) ::close(fd);
    CHECK(got > 0);
    ::close(listener);
  }
  for (const int fd : clients) ::close(fd);
}

TEST_CASE("a shared port is refused to whoever does not join, a second process of the same user") {
  const int first = *net::open_listener(loopback, false);
  net::share(first);
  const auto at = net::local_address(first);
  const int joined = *net::open_listener(at, true);
  const auto second = net::open_listener(at, false);
  REQUIRE_FALSE(second);
  CHECK_THAT(second.error(), Catch::Contains(to_string(at)) &&
                                 Catch::Contains("another process listens there"));
  ::close(joined), ::close(first);
}

TEST_CASE("a port in use is refused, and the error names the address") {
  const auto first = net::open_listener(loopback, false);
  REQUIRE(first);
  const auto bound = net::local_address(*first);
  const auto second = net::open_listener(bound, false);
  REQUIRE_FALSE(second);
  CHECK_THAT(second.error(), Catch::Contains("cannot bind " + to_string(bound)));
  CHECK_THAT(second.error(), Catch::Contains("in use"));
  ::close(*first);
}

TEST_CASE("accepting gives the peer's address, and nothing when none waits") {
  const int listener = *net::open_listener(loopback, false);
  const auto none = net::accept_one(listener);
  CHECK(none.fd == -1);
  CHECK_FALSE(none.exhausted);
  const int client = connect_to(net::local_address(listener));
  REQUIRE(client >= 0);
  const auto got = net::accept_one(listener);
  REQUIRE(got.fd >= 0);
  CHECK(address_text(got.peer) == "127.0.0.1");
  CHECK(got.peer == net::local_address(client));
  CHECK((::fcntl(got.fd, F_GETFL) & O_NONBLOCK) != 0);
  CHECK((::fcntl(got.fd, F_GETFD) & FD_CLOEXEC) != 0);
  ::close(got.fd), ::close(client), ::close(listener);
}

TEST_CASE("a unix socket file that nobody answers on is replaced") {
  test::scratch_folder folder;
  const auto at = socket_address::unix_path(folder.path("weir.sock")).value();
  const int old = *net::open_listener(at, false);
  ::close(old);   // the file stays, as after a crash
  REQUIRE(std::filesystem::exists(folder.path("weir.sock")));
  const auto anew = net::open_listener(at, false);
  REQUIRE(anew);
  const int client = connect_to(at);
  CHECK(client >= 0);
  ::close(client), ::close(*anew);
}

TEST_CASE("a unix socket that answers is in use, and stays the other's") {
  test::scratch_folder folder;
  const auto at = socket_address::unix_path(folder.path("weir.sock")).value();
  const int live = *net::open_listener(at, false);
  const auto second = net::open_listener(at, false);
  REQUIRE_FALSE(second);
  CHECK_THAT(second.error(), Catch::Contains("unix:" + folder.path("weir.sock")));
  const int client = connect_to(at);
  CHECK(client >= 0);
  ::close(client), ::close(live);
}

TEST_CASE("a unix socket's file is removed by who made it, unless the path is another's by now") {
  const test::scratch_folder folder;
  const auto at = socket_address::unix_path(folder.path("weir.sock")).value();
  const auto there = [&] { return std::filesystem::exists(folder.path("weir.sock")); };
  const auto first = net::open_listener(at, false);
  REQUIRE(first);
  const net::socket_file file(net::local_address(*first));
  ::close(*first);
  const auto second = net::open_listener(at, false);   // nobody answered there
  REQUIRE(second);
  file.remove();
  CHECK(there());
  const net::socket_file own(at);
  ::close(*second);
  own.remove();
  CHECK_FALSE(there());
  own.remove();                                        // again: nothing
  net::socket_file(loopback).remove();
}

TEST_CASE("a file that is no socket is never removed") {
  test::scratch_folder folder;
  const auto path = folder.write("weir.sock", "precious");
  CHECK_FALSE(net::open_listener(socket_address::unix_path(path).value(), false));
  CHECK(std::filesystem::file_size(path) == 8);
}

TEST_CASE("a folder that is not there is an error that names the path") {
  const auto made =
      net::open_listener(socket_address::unix_path("/nonexistent/w.sock").value(), false);
  REQUIRE_FALSE(made);
  CHECK_THAT(made.error(), Catch::Contains("/nonexistent/w.sock"));
}
