#include "net/socket_address.hpp"

#include <catch2/catch.hpp>
#include <string>

using weir::net::socket_address;

TEST_CASE("numeric addresses are taken as they are and written as people write them") {
  struct row {
    const char *address, *text, *whole;
    std::uint16_t port;
    int family;
  };
  const row rows[] = {
      {"127.0.0.1", "127.0.0.1", "127.0.0.1:80", 80, AF_INET},
      {"0.0.0.0", "0.0.0.0", "0.0.0.0:0", 0, AF_INET},
      {"192.0.2.7", "192.0.2.7", "192.0.2.7:65535", 65535, AF_INET},
      {"::1", "::1", "[::1]:8080", 8080, AF_INET6},
      {"2001:DB8:0:0::1", "2001:db8::1", "[2001:db8::1]:443", 443, AF_INET6},
      {"::ffff:192.0.2.1", "::ffff:192.0.2.1", "[::ffff:192.0.2.1]:1", 1, AF_INET6},
  };
  for (const row& r : rows) {
    INFO(r.address);
    const auto made = socket_address::ip(r.address, r.port);
    REQUIRE(made.has_value());
    CHECK(made->family() == r.family);
    CHECK(address_text(*made) == r.text);
    CHECK(to_string(*made) == r.whole);
    CHECK(port_of(*made) == r.port);
    CHECK(*made == *socket_address::ip(r.address, r.port));
  }
}

TEST_CASE("what is not a numeric address is refused") {
  for (const char* text : {"", "localhost", "[::1]", "127.0.0.1:80", "127.0.0", "1.2.3.4.5",
                           "256.0.0.1", "::g", " 127.0.0.1", "fe80::1%eth0"}) {
    INFO("'" << text << "'");
    CHECK_FALSE(socket_address::ip(text, 80).has_value());
  }
}

TEST_CASE("a unix path up to the kernel's limit is taken, a longer or empty one refused") {
  const auto made = socket_address::unix_path("/run/weir.sock");
  REQUIRE(made.has_value());
  CHECK(made->family() == AF_UNIX);
  CHECK(to_string(*made) == "unix:/run/weir.sock");
  CHECK(address_text(*made) == "unix");
  CHECK(port_of(*made) == 0);
  CHECK(socket_address::unix_path(std::string(107, 'x')).has_value());
  CHECK_FALSE(socket_address::unix_path(std::string(108, 'x')).has_value());
  CHECK_FALSE(socket_address::unix_path("").has_value());
}

TEST_CASE("addresses are equal when family, address and port are") {
  const auto one = *socket_address::ip("127.0.0.1", 80);
  CHECK_FALSE(one == *socket_address::ip("127.0.0.1", 81));
  CHECK_FALSE(one == *socket_address::ip("127.0.0.2", 80));
  CHECK_FALSE(one == *socket_address::ip("::ffff:127.0.0.1", 80));
  CHECK_FALSE(*socket_address::unix_path("/a") == *socket_address::unix_path("/b"));
  CHECK(*socket_address::unix_path("/a") == *socket_address::unix_path("/a"));
}

TEST_CASE("addresses overlap when a listener on one takes the other's connections") {
  const auto at = [](const char* address, std::uint16_t port) {
    return *socket_address::ip(address, port);
  };
  struct row {
    socket_address a, b;
    bool overlaps;
  };
  const row rows[] = {
      {at("127.0.0.1", 80), at("127.0.0.1", 80), true},
      {at("127.0.0.1", 80), at("127.0.0.1", 81), false},
      {at("127.0.0.1", 80), at("127.0.0.2", 80), false},
      {at("0.0.0.0", 80), at("127.0.0.1", 80), true},
      {at("0.0.0.0", 80), at("127.0.0.1", 81), false},
      {at("::", 80), at("127.0.0.1", 80), true},
      {at("::1", 80), at("127.0.0.1", 80), false},
      {*socket_address::unix_path("/a"), *socket_address::unix_path("/a"), true},
      {*socket_address::unix_path("/a"), *socket_address::unix_path("/b"), false},
      {*socket_address::unix_path("/a"), at("0.0.0.0", 80), false},
  };
  for (const row& r : rows) {
    INFO(to_string(r.a) << " " << to_string(r.b));
    CHECK(overlap(r.a, r.b) == r.overlaps);
    CHECK(overlap(r.b, r.a) == r.overlaps);
  }
}
