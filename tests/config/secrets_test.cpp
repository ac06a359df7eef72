#include "config/secrets.hpp"

#include <catch2/catch.hpp>
#include <cerrno>
#include <map>
#include <vector>

using namespace weir;
using namespace weir::config;

namespace {

file_loader holding(std::string content) {
  return [content](const std::string&) -> base::result<std::string> { return content; };
}

base::result<std::string> forbidden(const std::string&) {
  return base::error_code(EACCES, boost::system::system_category());
}

}  // namespace

TEST_CASE("a token is the one line of its file without the blanks around it") {
  for (const auto text : {"token-1", "token-1\n", " token-1\r\n", "\n\n\ttoken-1\n"}) {
    const auto got = read_token("t", holding(text));
    CHECK(got.text == "token-1");
    CHECK(got.fault.empty());
  }
}

TEST_CASE("a file without a token, or with more than one line, is a fault") {
  for (const auto text : {"", "\n", " \t\r\n"})
    CHECK(read_token("t", holding(text)).fault == "is an empty file");
  for (const auto text : {"a b", "a\nb", "a\tb", "caf\xc3\xa9", "a\x7f"})
    CHECK(read_token("t", holding(text)).fault == "does not hold one line of visible ASCII");
  CHECK(read_token("t", holding(std::string("a\0b", 3))).fault ==
        "does not hold one line of visible ASCII");
}

TEST_CASE("a file that cannot be read is a fault with the system's reason") {
  for (const auto read : {read_token, read_signing_key, read_pem})
    CHECK(read("t", forbidden).fault == "cannot be read (Permission denied)");
}

TEST_CASE("a signing key is decoded from base64") {
  struct row {
    std::string text, key;
  };
  const std::vector<row> rows{
      {"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "012345678901234567890123"},
      {"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNA==\n", "0123456789012345678901234"},
      {"  whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIzNDU=", "01234567890123456789012345"},
      {"whsec_////++++AAAA////++++AAAA////++++",
       std::string(
           "\xff\xff\xff\xfb\xef\xbe\0\0\0\xff\xff\xff\xfb\xef\xbe\0\0\0\xff\xff\xff\xfb\xef\xbe",
           24)},
  };
  for (const auto& r : rows) {
    const auto got = read_signing_key("k", holding(r.text));
    CHECK(got.fault.empty());
    CHECK(got.text == r.key);
  }
}

TEST_CASE("a key that is not whsec_ and base64 of 24 to 64 bytes is a fault, and is not shown") {
  const std::string long_key = "whsec_" + std::string(88, 'A');  // 66 bytes
  const std::vector<std::pair<std::string, std::string>> rows{
      {"", "does not begin with whsec_"},
      {"MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "does not begin with whsec_"},
      {"WHSEC_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz", "does not begin with whsec_"},
      {"whsec_", "holds no base64 after whsec_"},
      {"whsec_MDEy!!!!", "holds no base64 after whsec_"},
      {"whsec_MDEyM", "holds no base64 after whsec_"},
      {"whsec_MDE=MDEy", "holds no base64 after whsec_"},
      {"whsec_MDEy\nMDEy", "holds no base64 after whsec_"},
      {"whsec_MDE_", "holds no base64 after whsec_"},
      {"whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI=", "does not hold a key of 24 to 64 bytes"},
      {long_key, "does not hold a key of 24 to 64 bytes"},
  };
  for (const auto& [text, fault] : rows) {
    INFO(text);
    const auto got = read_signing_key("k", holding(text));
    CHECK(got.fault == fault);
    CHECK(got.text.empty());
  }
}

TEST_CASE("a key of exactly 64 bytes is fine") {
  const auto got = read_signing_key("k", holding("whsec_" + std::string(84, 'A') + "AA=="));
  CHECK(got.fault.empty());
  CHECK(got.text.size() == 64);
}

TEST_CASE("a PEM file is known by its armour, and its text is dropped") {
  const auto got = read_pem("p", holding("# chain\n-----BEGIN CERTIFICATE-----\nAA==\n"));
  CHECK(got.fault.empty());
  CHECK(got.text.empty());
  CHECK(read_pem("p", holding("hello")).fault == "is not a PEM file");
}

TEST_CASE("a text that is more likely a secret than a path is known as one") {
  for (const auto text : {"whsec_abc", "-----BEGIN PRIVATE KEY-----", "0123456789abcdef",
                          "correct-horse-battery-staple"}) {
    INFO(text);
    CHECK(looks_secret(text));
  }
  for (const auto text :
       {"", "token", "/etc/weir/token", "secrets/0123456789abcdef", "a-long-name.token"}) {
    INFO(text);
    CHECK_FALSE(looks_secret(text));
  }
}
