// The receiver's side of Standard Webhooks for tests: HMAC and base64 written out here from FIPS
// 198 and RFC 4648 over OpenSSL's bare SHA-256, so that they share nothing with what they check.
#pragma once

#include <openssl/sha.h>

#include <cstdint>
#include <string>

#include "net/loopback_server.hpp"

namespace weir::test {

inline std::string sha256(const std::string& text) {
  unsigned char out[SHA256_DIGEST_LENGTH];
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), out);
  return std::string(reinterpret_cast<const char*>(out), sizeof out);
}

inline std::string hmac(std::string key, const std::string& text) {
  constexpr std::size_t block = 64;
  if (key.size() > block) key = sha256(key);
  key.resize(block, '\0');
  std::string inner = key, outer = key;
  for (char& c : inner) c = static_cast<char>(c ^ 0x36);
  for (char& c : outer) c = static_cast<char>(c ^ 0x5c);
  return sha256(outer + sha256(inner + text));
}

inline const std::string& base64_digits() {
  static const std::string digits =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  return digits;
}

inline std::string base64(const std::string& bytes) {
  std::string out;
  for (std::size_t i = 0; i < bytes.size(); i += 3) {
    std::uint32_t group = 0;
    for (std::size_t k = 0; k < 3; ++k) {
      const bool there = i + k < bytes.size();
      group = group << 8 | (there ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (std::size_t k = 0; k < 4; ++k) {
      const bool there = i + k <= bytes.size();
      out += there ? base64_digits()[group >> (18 - 6 * k) & 63] : '=';
    }
  }
  return out;
}

inline std::string from_base64(const std::string& text) {
  std::string out;
  std::uint32_t bits = 0;
  int held = 0;
  for (const char c : text) {
    const auto digit = base64_digits().find(c);
    if (digit == std::string::npos) break;
    bits = bits << 6 | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xff);
  }
  return out;
}

// What a receiver does with a request: true when the signature is the sender's.
inline bool verified(const seen_request& r, const std::string& secret) {
  const auto id = r.fields.find("webhook-id"), at = r.fields.find("webhook-timestamp"),
             signature = r.fields.find("webhook-signature");
  if (id == r.fields.end() || at == r.fields.end() || signature == r.fields.end()) return false;
  return signature->second ==
         "v1," + base64(hmac(secret, id->second + "." + at->second + "." + r.body));
}

}  // namespace weir::test
