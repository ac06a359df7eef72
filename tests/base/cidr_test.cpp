#include "base/cidr.hpp"

#include <catch2/catch.hpp>
#include <vector>

using namespace weir::base;

namespace {
bool holds(std::string_view range, std::string_view address) {
  return cidr::parse(range).value().contains(parse_ip(address).value());
}
}  // namespace

TEST_CASE("an ip address is read whole or not at all, and written back") {
  const std::vector<std::pair<std::string_view, std::string_view>> good{
      {"192.0.2.7", "192.0.2.7"},       {"0.0.0.0", "0.0.0.0"},
      {"2001:DB8:0::1", "2001:db8::1"}, {"::", "::"},
      {"::ffff:10.1.2.3", "10.1.2.3"},
  };
  for (const auto& [text, canonical] : good) {
    INFO(text);
    REQUIRE(parse_ip(text));
    CHECK(to_string(*parse_ip(text)) == canonical);
  }
  const std::vector<std::string_view> bad{"",
                                          "10.0.0",
                                          "10.0.0.256",
                                          "010.0.0.1",
                                          "10.0.0.1 ",
                                          "[::1]",
                                          "::1%lo",
                                          "localhost",
                                          ":",
                                          "1:2:3:4:5:6:7:8:9",
                                          std::string_view("10.0.0.1\0", 9),
                                          "0000:0000:0000:0000:0000:ffff:255.255.255.255000"};
  for (const auto text : bad) {
    INFO(text);
    CHECK_FALSE(parse_ip(text));
  }
}

TEST_CASE("loopback is 127.0.0.0/8, ::1 and the mapped form, and nothing else") {
  for (const auto text : {"127.0.0.1", "127.255.0.9", "::1", "::ffff:127.0.0.1"})
    CHECK(is_loopback(parse_ip(text).value()));
  for (const auto text : {"128.0.0.1", "0.0.0.0", "::", "::2", "1::1"})
    CHECK_FALSE(is_loopback(parse_ip(text).value()));
}

TEST_CASE("a range holds the addresses whose prefix is its own") {
  struct row {
    std::string_view range, address;
    bool inside;
  };
  const std::vector<row> rows{
      {"10.0.0.0/8", "10.255.1.2", true},
      {"10.0.0.0/8", "11.0.0.0", false},
      {"10.1.2.128/25", "10.1.2.255", true},
      {"10.1.2.128/25", "10.1.2.127", false},
      {"10.1.2.3", "10.1.2.3", true},
      {"10.1.2.3", "10.1.2.2", false},
      {"0.0.0.0/0", "255.255.255.255", true},
      {"0.0.0.0/0", "::1", false},
      {"::/0", "2001:db8::1", true},
      {"::/0", "10.0.0.1", false},
      {"fd00::/8", "fdff::1", true},
      {"fd00::/8", "fe80::1", false},
      {"::1/128", "::1", true},
      {"10.0.0.0/8", "::ffff:10.9.9.9", true},
      {"::ffff:10.0.0.0/104", "10.9.9.9", true},
  };
  for (const auto& r : rows) {
    INFO(r.range << " holds " << r.address);
    CHECK(holds(r.range, r.address) == r.inside);
  }
}

TEST_CASE("a mapped address handed in as IPv6 counts as IPv4") {
  ip_address mapped{{0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff, 10, 0, 0, 1}, true};
  CHECK(cidr::parse("10.0.0.0/8")->contains(mapped));
  CHECK_FALSE(cidr::parse("::/0")->contains(mapped));
}

TEST_CASE("ranges that are no ranges are refused") {
  for (const auto text : {"", "/8", "10.0.0.0/", "10.0.0.0/33", "::/129", "10.0.0.0/-1",
                          "10.0.0.0/08", "10.0.0.0/8/8", "10.0.0.0/ 8", "10/8", "any"}) {
    INFO(text);
    CHECK_FALSE(cidr::parse(text));
    CHECK_FALSE(cidr::parse_masked(text));
  }
}

TEST_CASE("bits beyond the prefix are refused, and parse_masked says what was meant") {
  for (const auto& [text, meant] : std::vector<std::pair<std::string_view, std::string_view>>{
           {"10.0.0.1/8", "10.0.0.0/8"}, {"fd00::1/8", "fd00::/8"}, {"1.2.3.4/0", "0.0.0.0/0"}}) {
    INFO(text);
    CHECK_FALSE(cidr::parse(text));
    REQUIRE(cidr::parse_masked(text));
    CHECK(to_string(*cidr::parse_masked(text)) == meant);
  }
}

TEST_CASE("a range is written with its prefix") {
  CHECK(to_string(*cidr::parse("10.0.0.0/8")) == "10.0.0.0/8");
  CHECK(to_string(*cidr::parse("::1")) == "::1/128");
  CHECK(cidr::parse("::ffff:10.0.0.0/104")->prefix() == 8);
}
