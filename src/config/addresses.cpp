#include "config/addresses.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "base/cidr.hpp"
#include "config/units.hpp"

namespace weir::config {
namespace {

constexpr std::string_view unix_scheme = "unix:";
constexpr std::size_t unix_path_max = 107;  // sun_path, less its final zero (unix(7))
constexpr std::size_t host_max = 253;       // RFC 1035 §2.3.4, in text form
constexpr std::size_t name_max = 64;

bool is_alnum(char c) noexcept {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}
bool is_visible(char c) noexcept {
  return c > 0x20 && c < 0x7f;
}

template <class Check>
bool every(std::string_view text, Check&& check) noexcept {
  return std::all_of(text.begin(), text.end(), check);
}

bool one_of(char c, std::string_view set) noexcept {
  return set.find(c) != set.npos;
}

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

std::optional<std::string> parse_unix(std::string_view text) {
  if (!text.starts_with(unix_scheme)) return {};
  const auto path = text.substr(unix_scheme.size());
  const bool sound = path.size() > 1 && path.size() <= unix_path_max && path.front() == '/' &&
                     path.back() != '/' && path.find('\0') == path.npos;
  return sound ? std::optional(std::string(path)) : std::nullopt;
}

std::optional<std::uint16_t> parse_port(std::string_view text) noexcept {
  const auto n = parse_count(text);
  if (!n || *n > 65535 || text.size() > 5) return {};
  return static_cast<std::uint16_t>(*n);
}

struct authority {
  std::string_view host, port;
  bool bracketed = false, has_port = false;
};

// host[:port] or [v6][:port], taken apart but not yet judged.
std::optional<authority> split_authority(std::string_view text) noexcept {
  authority a;
  std::size_t end = text.find(':');
  if (text.starts_with('[')) {
    const auto close = text.find(']');
    if (close == text.npos) return {};
    a.bracketed = true;
    a.host = text.substr(1, close - 1);
    end = close + 1 == text.size() ? text.npos : close + 1;
    if (end != text.npos && text[end] != ':') return {};
  } else {
    a.host = text.substr(0, end);
  }
  a.has_port = end != text.npos;
  if (a.has_port) a.port = text.substr(end + 1);
  return a;
}

bool valid_authority_host(const authority& a) noexcept {
  if (!a.bracketed) return valid_host(a.host);
  return a.host.find(':') != a.host.npos && base::parse_ip(a.host).has_value();
}

std::string bracketed(const std::string& host) {
  return host.find(':') == host.npos ? host : "[" + host + "]";
}

// Takes "http://" or "https://" off; 0 when there is neither.
unsigned take_scheme(std::string_view& text) noexcept {
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!text.starts_with(scheme)) continue;
    text.remove_prefix(scheme.size());
    return scheme.size() == 7 ? 80 : 443;
  }
  return 0;
}

std::optional<url> parse_http_authority(std::string_view text, unsigned default_port) {
  const auto a = split_authority(text);
  if (!a || !valid_authority_host(*a)) return {};
  const auto port = a->has_port ? parse_port(a->port) : static_cast<std::uint16_t>(default_port);
  if (!port || *port == 0) return {};
  return url{default_port == 443, lower(a->host), *port, {}};
}

}  // namespace

std::string to_string(const address& a) {
  if (!a.unix_path.empty()) return std::string(unix_scheme) + a.unix_path;
  return fmt::format("{}:{}", bracketed(a.host), a.port);
}

std::string to_string(const url& u) {
  if (!u.unix_path.empty()) return std::string(unix_scheme) + u.unix_path;
  return fmt::format("{}://{}:{}", u.tls ? "https" : "http", bracketed(u.host), u.port);
}

std::optional<address> parse_address(std::string_view text) {
  if (auto path = parse_unix(text)) return address{{}, 0, std::move(*path)};
  const auto a = split_authority(text);
  if (!a || !a->has_port) return {};
  const auto ip = base::parse_ip(a->host);
  const auto port = parse_port(a->port);
  const bool looks_v6 = a->host.find(':') != a->host.npos;
  if (!ip || !port || looks_v6 != a->bracketed) return {};
  return address{base::to_string(*ip), *port, {}};
}

bool is_local(const address& a) {
  if (!a.unix_path.empty()) return true;
  const auto ip = base::parse_ip(a.host);
  return ip && base::is_loopback(*ip);
}

std::optional<url> parse_worker_url(std::string_view text) {
  if (auto path = parse_unix(text)) return url{false, {}, 80, std::move(*path)};
  const unsigned port = take_scheme(text);
  if (port == 0) return {};
  if (text.ends_with('/')) text.remove_suffix(1);
  return parse_http_authority(text, port);
}

bool valid_hook_url(std::string_view text) noexcept {
  if (!every(text, is_visible) || text.find('#') != text.npos) return false;
  const unsigned port = take_scheme(text);
  const auto a = split_authority(text.substr(0, text.find_first_of("/?")));
  if (port == 0 || !a || !valid_authority_host(*a)) return false;
  return !a->has_port || parse_port(a->port).value_or(0) != 0;
}

bool holds_credentials(std::string_view text) noexcept {
  const std::string_view user = text.substr(0, std::min(text.rfind('@'), text.size()));
  const bool of_url = user.find(':') != user.npos || user.find("//") != user.npos;
  return user.size() < text.size() && of_url && !text.starts_with("unix:");
}

std::string shown_text(std::string_view text) {
  if (holds_credentials(text)) return {};
  const auto query = text.find("//") == text.npos ? text.npos : text.find_first_of("?#");
  return std::string(text.substr(0, query)) + (query == text.npos ? "" : "...");
}

std::string hook_origin(std::string_view url) {
  const auto start = url.find("://");
  return std::string(start == url.npos ? "" : url.substr(0, url.find_first_of("/?", start + 3)));
}

bool has_origin(std::string_view url, const std::vector<std::string>& origins) {
  const auto whole = [](std::string_view of) {
    std::string origin = hook_origin(of);
    for (char& c : origin) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
    const std::string_view usual = origin.starts_with("https:") ? ":443" : ":80";
    if (origin.ends_with(usual)) origin.resize(origin.size() - usual.size());
    return origin;
  };
  return valid_hook_url(url) &&
         std::ranges::any_of(origins, [at = whole(url), &whole](const std::string& one) {
           return whole(one) == at;
         });
}

bool valid_host(std::string_view text) noexcept {
  if (text.empty() || text.size() > host_max) return false;
  const auto in_label = [](char c) { return is_alnum(c) || c == '-' || c == '_' || c == '.'; };
  const bool numeric = every(text, [](char c) { return (c >= '0' && c <= '9') || c == '.'; });
  if (numeric) return base::parse_ip(text).has_value();
  return every(text, in_label) && text.front() != '.' && text.front() != '-' &&
         text.find("..") == text.npos;
}

bool valid_host_pattern(std::string_view text) noexcept {
  if (text.starts_with("*.")) text.remove_prefix(2);
  return valid_host(text);
}

bool valid_token(std::string_view text) noexcept {
  return !text.empty() &&
         every(text, [](char c) { return is_alnum(c) || one_of(c, "!#$%&'*+-.^_`|~"); });
}

bool valid_field_value(std::string_view text) noexcept {
  if (text.empty()) return true;
  const auto allowed = [](char c) {
    return c == ' ' || c == '\t' || (static_cast<unsigned char>(c) > 0x20 && c != 0x7f);
  };
  return every(text, allowed) && !one_of(text.front(), " \t") && !one_of(text.back(), " \t");
}

bool valid_path(std::string_view text) noexcept {
  return text.starts_with('/') && every(text, is_visible) && text.find_first_of("?#") == text.npos;
}

bool valid_name(std::string_view text) noexcept {
  const auto allowed = [](char c) { return is_alnum(c) || one_of(c, "-_."); };
  return !text.empty() && text.size() <= name_max && every(text, allowed) && is_alnum(text.front());
}

bool method_in_wrong_case(std::string_view text) {
  constexpr std::array<std::string_view, 9> known{"GET",     "HEAD",    "POST",  "PUT",  "DELETE",
                                                  "OPTIONS", "CONNECT", "TRACE", "PATCH"};
  return std::any_of(known.begin(), known.end(),
                     [&](auto method) { return method != text && lower(method) == lower(text); });
}

}  // namespace weir::config
