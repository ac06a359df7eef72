#include "scale/signature.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>

#include <array>

#include "base/check.hpp"

namespace weir::scale {
namespace {

using digest = std::array<unsigned char, 32>;

const unsigned char* bytes(std::string_view text) {
  return reinterpret_cast<const unsigned char*>(text.data());
}

digest hmac_sha256(std::string_view key, std::string_view text) {
  digest out{};
  unsigned size = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), bytes(text),
                          text.size(), out.data(), &size);
  WEIR_CHECK(done && size == out.size());
  return out;
}

std::string base64(const digest& d) {
  std::array<unsigned char, 45> out{};  // 4 characters per 3 bytes begun, and a zero
  const int size = EVP_EncodeBlock(out.data(), d.data(), static_cast<int>(d.size()));
  return std::string(reinterpret_cast<const char*>(out.data()), static_cast<std::size_t>(size));
}

}  // namespace

std::string sign(std::string_view secret, std::string_view id, std::int64_t unix_seconds,
                 std::string_view body) {
  std::string content(id);
  content += "." + std::to_string(unix_seconds) + ".";
  content += body;
  return "v1," + base64(hmac_sha256(secret, content));
}

}  // namespace weir::scale
