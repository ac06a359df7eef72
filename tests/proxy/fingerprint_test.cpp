// What an Idempotency-Key is known by: nothing that differs may look the same.
#include "proxy/fingerprint.hpp"

#include <catch2/catch.hpp>
#include <set>
#include <string>

namespace {

using namespace weir;
using proxy::fingerprint;
using proxy::key_scope;

store::digest print_of(std::string_view method, std::string_view target, std::string_view body) {
  fingerprint f;
  f.part(method).part(target).bytes(body);
  return f.value();
}

std::string hex(const store::digest& d) {
  constexpr std::string_view digits = "0123456789abcdef";
  std::string text;
  for (const unsigned char c : d) text += digits[c >> 4], text += digits[c & 15];
  return text;
}

}  // namespace

TEST_CASE("a fingerprint is SHA-256, so that nobody can make two requests that share one") {
  fingerprint f;
  f.bytes("abc");   // FIPS 180-4's example
  CHECK(hex(f.value()) == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  CHECK(hex(fingerprint().value()) ==
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
}

TEST_CASE("the same request has the same fingerprint, however its body came in pieces") {
  const std::string body = "id,amount\n1,2\n3,4\n";
  const store::digest whole = print_of("POST", "/load", body);
  for (std::size_t step = 1; step <= body.size(); ++step) {
    fingerprint f;
    f.part("POST").part("/load");
    for (std::size_t at = 0; at < body.size(); at += step)
      f.bytes(std::string_view(body).substr(at, step));
    f.bytes("");
    CHECK(f.value() == whole);
  }
}

TEST_CASE("requests that differ in any part, or in where a part ends, differ") {
  const std::string zero(1, '\0');
  const std::set<store::digest> all{
      print_of("POST", "/load", ""),      print_of("PUT", "/load", ""),
      print_of("POST", "/loads", ""),     print_of("POST", "/load", "s"),
      print_of("POST", "/load?s", ""),    print_of("POST", "", "/load"),
      print_of("POST/load", "", ""),      print_of("", "POST/load", ""),
      print_of("POST", "/load", zero),    print_of("POST", "/load" + zero, ""),
      print_of("POST", "/load", zero + zero),
  };
  CHECK(all.size() == 11);
}

TEST_CASE("keys of different tenants and routes never meet, wherever one part ends") {
  const std::set<store::digest> all{
      key_scope("orders", "acme", "k1"),  key_scope("orders", "acme", "k2"),
      key_scope("orders", "acm", "ek1"),  key_scope("ordersacme", "", "k1"),
      key_scope("orders", "", "acmek1"),  key_scope("", "orders", "acmek1"),
      key_scope("order", "sacme", "k1"),  key_scope("acme", "orders", "k1"),
      key_scope("orders", "acmek1", ""),
  };
  CHECK(all.size() == 9);
  CHECK(key_scope("orders", "acme", "k1") == key_scope("orders", "acme", "k1"));
}
