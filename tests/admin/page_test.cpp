#include "admin/page.hpp"

#include <openssl/evp.h>
#include <openssl/sha.h>

#include <catch2/catch.hpp>

using namespace weir::admin;

namespace {

std::string between(std::string_view text, std::string_view from, std::string_view to) {
  const auto start = text.find(from);
  REQUIRE(start != text.npos);
  const auto end = text.find(to, start);
  REQUIRE(end != text.npos);
  return std::string(text.substr(start + from.size(), end - start - from.size()));
}

std::string sha256_base64(const std::string& text) {
  unsigned char digest[32], out[45];
  ::SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), digest);
  ::EVP_EncodeBlock(out, digest, 32);
  return reinterpret_cast<char*>(out);
}

bool contains(std::string_view text, std::string_view what) {
  return text.find(what) != text.npos;
}

}  // namespace

TEST_CASE("the policy allows this page's own style and script and nothing from elsewhere") {
  const auto& policy = page_policy();
  const auto style = between(page(), "<style>", "</style>");
  const auto script = between(page(), "<script>", "</script>");
  CHECK(contains(policy, "default-src 'none'"));
  CHECK(contains(policy, "style-src 'sha256-" + sha256_base64(style) + "'"));
  CHECK(contains(policy, "script-src 'sha256-" + sha256_base64(script) + "'"));
  CHECK(contains(policy, "connect-src 'self'"));
  CHECK(contains(policy, "frame-ancestors 'none'"));
  CHECK_FALSE(contains(policy, "unsafe"));
}

TEST_CASE("the page takes nothing from elsewhere and writes no HTML from data") {
  for (const char* banned : {"http://", "https://", "<link rel=\"stylesheet\"", "src=",
                             "innerHTML", "document.write", "eval(", " style=\"", "onclick="}) {
    CAPTURE(banned);
    CHECK_FALSE(contains(page(), banned));
  }
}

TEST_CASE("the page says its language, scales, and follows light and dark") {
  for (const char* wanted : {"<!doctype html>", "<html lang=\"en\">", "name=\"viewport\"",
                             "color-scheme: light dark", "prefers-color-scheme: dark",
                             "aria-live=\"polite\"", "<label for=\"token\">", "<noscript>"}) {
    CAPTURE(wanted);
    CHECK(contains(page(), wanted));
  }
}

TEST_CASE("the page asks only paths that the API has") {
  for (const char* path : {"/v1/status", "/v1/workers", "/v1/events?limit=500&since=",
                           "/v1/queue?limit="}) {
    CAPTURE(path);
    CHECK(contains(page(), path));
  }
}
