#include "config/secrets.hpp"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <string_view>

namespace weir::config {
namespace {

constexpr std::string_view blanks = " \t\r\n";
constexpr std::size_t key_bytes_min = 24, key_bytes_max = 64;

std::string_view trimmed(std::string_view text) {
  const auto first = text.find_first_not_of(blanks);
  if (first == text.npos) return {};
  return text.substr(first, text.find_last_not_of(blanks) - first + 1);
}

secret_text load(const std::string& path, const file_loader& files) {
  auto content = files(path);
  if (!content) return {{}, "cannot be read (" + content.error().message() + ")"};
  return {std::move(*content), {}};
}

int base64_digit(char c) noexcept {
  if (c >= 'A' && c <= 'Z') return c - 'A';
  if (c >= 'a' && c <= 'z') return c - 'a' + 26;
  if (c >= '0' && c <= '9') return c - '0' + 52;
  return c == '+' ? 62 : c == '/' ? 63 : -1;
}

// RFC 4648 §4, padding required, no blanks.
std::optional<std::string> decode_base64(std::string_view text) {
  if (text.empty() || text.size() % 4 != 0) return {};
  const std::size_t padding = text.ends_with("==") ? 2 : text.ends_with("=") ? 1 : 0;
  text.remove_suffix(padding);
  std::string out;
  std::uint32_t bits = 0;
  unsigned held = 0;
  for (const char c : text) {
    const int digit = base64_digit(c);
    if (digit < 0) return {};
    bits = (bits << 6) | static_cast<std::uint32_t>(digit);
    held += 6;
    if (held < 8) continue;
    held -= 8;
    out += static_cast<char>(bits >> held & 0xff);
  }
  return out;
}

}  // namespace

secret_text read_token(const std::string& path, const file_loader& files) {
  auto loaded = load(path, files);
  if (!loaded.fault.empty()) return loaded;
  const auto token = trimmed(loaded.text);
  if (token.empty()) return {{}, "is an empty file"};
  const bool visible =
      std::all_of(token.begin(), token.end(), [](char c) { return c > 0x20 && c < 0x7f; });
  if (!visible) return {{}, "does not hold one line of visible ASCII"};
  return {std::string(token), {}};
}

secret_text read_signing_key(const std::string& path, const file_loader& files) {
  constexpr std::string_view prefix = "whsec_";
  auto loaded = load(path, files);
  if (!loaded.fault.empty()) return loaded;
  auto text = trimmed(loaded.text);
  if (!text.starts_with(prefix)) return {{}, "does not begin with whsec_"};
  auto key = decode_base64(text.substr(prefix.size()));
  if (!key) return {{}, "holds no base64 after whsec_"};
  if (key->size() < key_bytes_min || key->size() > key_bytes_max)
    return {{}, "does not hold a key of 24 to 64 bytes"};
  return {std::move(*key), {}};
}

bool looks_secret(const std::string& path) {
  constexpr std::size_t secret_size_min = 16;
  if (path.starts_with("whsec_") || path.starts_with("-----BEGIN")) return true;
  return path.size() >= secret_size_min && path.find_first_of("/.") == path.npos;
}

secret_text read_pem(const std::string& path, const file_loader& files) {
  auto loaded = load(path, files);
  if (!loaded.fault.empty()) return loaded;
  if (loaded.text.find("-----BEGIN ") == std::string::npos) return {{}, "is not a PEM file"};
  return {};
}

}  // namespace weir::config
