#include "admin/guard.hpp"

#include <fmt/format.h>

#include <array>
#include <catch2/catch.hpp>
#include <set>

#include "base/random.hpp"

using namespace weir::admin;

TEST_CASE("secrets are equal only as a whole, and nothing equals an empty one") {
  struct row {
    const char *given, *expected;
    bool equal;
  };
  const row rows[] = {
      {"token", "token", true}, {"token", "tokeN", false}, {"token", "toke", false},
      {"toke", "token", false}, {"", "token", false},      {"token", "", false},
      {"", "", false},          {"tokentoken", "token", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.given, r.expected);
    CHECK(equal_secret(r.given, r.expected) == r.equal);
  }
}

TEST_CASE("new secrets are 43 url-safe letters and never the same") {
  std::set<std::string> seen;
  for (int i = 0; i < 100; ++i) {
    const auto secret = new_secret();
    CHECK(secret.size() == 43);
    CHECK(secret.find_first_not_of(
              "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_") == secret.npos);
    CHECK(seen.insert(secret).second);
  }
}

TEST_CASE("loopback is told by address or name") {
  for (const char* host : {"127.0.0.1", "127.8.9.1", "::1", "localhost", "LocalHost", "unix",
                           "::ffff:127.0.0.1"}) {
    CAPTURE(host);
    CHECK(is_loopback(host));
  }
  for (const char* host :
       {"10.0.0.1", "0.0.0.0", "::", "localhost.example", "example", "", "::2"}) {
    CAPTURE(host);
    CHECK_FALSE(is_loopback(host));
  }
}

TEST_CASE("no worker may have a special or metadata address, however it is written") {
  for (const char* address :
       {"0.0.0.0", "0.1.2.3", "169.254.169.254", "169.254.0.1", "224.0.0.1", "239.255.255.250",
        "240.0.0.1", "255.255.255.255", "100.100.100.200", "192.0.0.192", "::", "fe80::1",
        "febf::1", "ff02::1", "fd00:ec2::254", "::ffff:169.254.169.254", "::169.254.169.254",
        "64:ff9b::a9fe:a9fe", "2002:a9fe:a9fe::1", "::ffff:0.0.0.0"}) {
    CAPTURE(address);
    CHECK(is_refused_address(address));
  }
  for (const char* address :
       {"127.0.0.1", "10.0.0.1", "192.168.1.1", "100.100.100.201", "::1", "fd00::1", "2001:db8::1",
        "::ffff:10.0.0.1", "64:ff9b::a00:1", "2002:a00:1::1", "fec0::1", "223.255.255.255",
        "worker.example", ""}) {
    CAPTURE(address);
    CHECK_FALSE(is_refused_address(address));
  }
}

TEST_CASE("Host has to name the server, so that a rebound name is refused") {
  struct row {
    const char *host, *bound;
    bool own;
  };
  const row rows[] = {
      {"127.0.0.1:9900", "127.0.0.1", true},
      {"localhost:9900", "127.0.0.1", true},
      {"localhost", "127.0.0.1", true},
      {"[::1]:9900", "127.0.0.1", true},
      {"[::1]", "::1", true},
      {"evil.example:9900", "127.0.0.1", false},
      {"localhost.evil.example", "127.0.0.1", false},
      {"10.0.0.5:9900", "127.0.0.1", false},
      {"10.0.0.5:9900", "10.0.0.5", true},
      {"10.0.0.6:9900", "10.0.0.5", false},
      {"10.0.0.6:9900", "0.0.0.0", true},
      {"[2001:db8::1]:9900", "::", true},
      {"[2001:db8::1]:9900", "2001:db8::1", true},
      {"[2001:db8:0::1]", "2001:db8::1", true},
      {"evil.example", "0.0.0.0", false},
      {"unix", "127.0.0.1", false},
      {"", "127.0.0.1", false},
      {"[::1", "127.0.0.1", false},
  };
  for (const auto& r : rows) {
    CAPTURE(r.host, r.bound);
    CHECK(is_own_host(r.host, r.bound) == r.own);
  }
}

TEST_CASE("Origin has to be the same host and port as Host") {
  struct row {
    const char *origin, *host;
    bool same;
  };
  const row rows[] = {
      {"http://127.0.0.1:9900", "127.0.0.1:9900", true},
      {"https://weir.example", "weir.example", true},
      {"http://LOCALHOST:9900", "localhost:9900", true},
      {"http://127.0.0.1:9901", "127.0.0.1:9900", false},
      {"http://evil.example", "127.0.0.1:9900", false},
      {"http://127.0.0.1:9900.evil.example", "127.0.0.1:9900", false},
      {"null", "127.0.0.1:9900", false},
      {"null", "null", false},
      {"ftp://127.0.0.1:9900", "127.0.0.1:9900", false},
      {"http://", "", true},
  };
  for (const auto& r : rows) {
    CAPTURE(r.origin, r.host);
    CHECK(is_same_origin(r.origin, r.host) == r.same);
  }
}

TEST_CASE("an allow-list holds peers and their workers to its ranges") {
  const auto guard = address_guard::make({"10.0.0.0/8", "2001:db8::/32", "192.0.2.7"});
  REQUIRE(guard.has_value());
  CHECK(guard->permits_peer("10.9.8.7"));
  CHECK(guard->permits_peer("::ffff:10.9.8.7"));
  CHECK(guard->permits_peer("192.0.2.7"));
  CHECK(guard->permits_peer("unix"));
  CHECK_FALSE(guard->permits_peer("192.0.2.8"));
  CHECK_FALSE(guard->permits_peer("127.0.0.1"));
  CHECK_FALSE(guard->permits_peer("nonsense"));
  CHECK(guard->permits_worker("10.1.1.1", "10.2.2.2"));
  CHECK(guard->permits_worker("2001:db8::5", "unix"));
  CHECK_FALSE(guard->permits_worker("172.16.0.1", "10.2.2.2"));
  CHECK_FALSE(guard->permits_worker("worker.example", "10.2.2.2"));
}

TEST_CASE("even an allow-list of everything lets no special address in") {
  const auto guard = address_guard::make({"0.0.0.0/0", "::/0"});
  REQUIRE(guard.has_value());
  CHECK(guard->permits_worker("8.8.8.8", "9.9.9.9"));
  CHECK_FALSE(guard->permits_worker("169.254.169.254", "9.9.9.9"));
  CHECK_FALSE(guard->permits_worker("::ffff:169.254.169.254", "9.9.9.9"));
}

TEST_CASE("without an allow-list a peer registers itself alone") {
  const auto guard = address_guard::make({});
  REQUIRE(guard.has_value());
  CHECK(guard->permits_peer("203.0.113.9"));
  CHECK(guard->permits_worker("203.0.113.9", "203.0.113.9"));
  CHECK(guard->permits_worker("::ffff:203.0.113.9", "203.0.113.9"));
  CHECK(guard->permits_worker("127.0.0.1", "127.0.0.5"));
  CHECK(guard->permits_worker("::1", "unix"));
  CHECK_FALSE(guard->permits_worker("203.0.113.10", "203.0.113.9"));
  CHECK_FALSE(guard->permits_worker("127.0.0.1", "203.0.113.9"));
  CHECK_FALSE(guard->permits_worker("10.0.0.1", "unix"));
}

TEST_CASE("a range that is none is an error, host bits are cleared") {
  CHECK_FALSE(address_guard::make({"10.0.0.0/8", "ten"}).has_value());
  CHECK_FALSE(address_guard::make({"10.0.0.0/33"}).has_value());
  const auto guard = address_guard::make({"10.1.2.3/8"});
  REQUIRE(guard.has_value());
  CHECK(guard->permits_peer("10.200.0.1"));
}

TEST_CASE("every refused IPv4 address is refused in each of its IPv6 disguises") {
  const std::array<unsigned, 4> refused[] = {{0, 0, 0, 0},         {169, 254, 169, 254},
                                             {100, 100, 100, 200}, {192, 0, 0, 192},
                                             {224, 0, 0, 251},     {255, 255, 255, 255}};
  for (const auto& [a, b, c, d] : refused) {
    const auto high = fmt::format("{:x}", a * 256 + b), low = fmt::format("{:x}", c * 256 + d);
    for (const auto& text :
         {fmt::format("{}.{}.{}.{}", a, b, c, d), fmt::format("::ffff:{}.{}.{}.{}", a, b, c, d),
          fmt::format("::ffff:{}:{}", high, low), fmt::format("64:ff9b::{}:{}", high, low),
          fmt::format("2002:{}:{}::1", high, low)}) {
      CAPTURE(text);
      CHECK(is_refused_address(text));
    }
  }
}

TEST_CASE("ordinary addresses are not refused, with or without a disguise") {
  weir::base::random random(31);
  for (int i = 0; i < 2000; ++i) {
    // 10/8, 172.16/12 and 192.168/16, where workers live.
    const unsigned kind = random.below(3);
    const unsigned a = kind == 0 ? 10 : kind == 1 ? 172 : 192;
    const unsigned b = kind == 0 ? random.below(256) : kind == 1 ? 16 + random.below(16) : 168;
    const auto text = fmt::format("{}.{}.{}.{}", a, b, random.below(256), random.below(256));
    if (is_refused_address(text) || is_refused_address("::ffff:" + text)) FAIL(text);
  }
  SUCCEED();
}
