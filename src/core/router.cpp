#include "core/router.hpp"

#include <algorithm>

namespace weir::core {
namespace {

char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
}
char upper(char c) noexcept {
  return c >= 'a' && c <= 'z' ? static_cast<char>(c - 32) : c;
}

bool iequals(std::string_view a, std::string_view b) noexcept {
  return std::ranges::equal(a, b, {}, lower, lower);
}

int hex(char c) noexcept {
  if (c >= '0' && c <= '9') return c - '0';
  c = lower(c);
  return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

// RFC 3986 section 2.3.
bool unreserved(int c) noexcept {
  return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || c == '-' ||
         c == '.' || c == '_' || c == '~';
}

// The octet of a triplet at `at`, or -1 when it is none.
int triplet(std::string_view s, std::size_t at) noexcept {
  if (s[at] != '%' || at + 2 >= s.size()) return -1;
  const int high = hex(s[at + 1]), low = hex(s[at + 2]);
  return high < 0 || low < 0 ? -1 : high * 16 + low;
}

// Appends a segment with its triplets in normal form.
void append_decoded(std::string_view segment, std::string& out) {
  for (std::size_t i = 0; i < segment.size(); ++i) {
    const int octet = triplet(segment, i);
    if (octet < 0) {
      out += segment[i];
      continue;
    }
    if (unreserved(octet))
      out += static_cast<char>(octet);
    else
      (out += '%') += {upper(segment[i + 1]), upper(segment[i + 2])};
    i += 2;
  }
}

// Puts "/segment" behind `out`, or takes the last one off for "..". False: above the root.
bool append_segment(std::string_view segment, std::string& out) {
  const std::size_t before = out.size();
  out += '/';
  append_decoded(segment, out);
  const std::string_view last = std::string_view{out}.substr(before + 1);
  if (last == "..") {
    if (before == 0) return false;
    out.resize(out.rfind('/', before - 1));
  } else if (last.empty() || last == ".") {
    out.resize(before);
  }
  return true;
}

// A path that has no triplet, no empty segment and no segment that starts with a dot is normal.
bool is_normal(std::string_view path) noexcept {
  char before = 0;
  for (const char c : path) {
    if (c == '%' || (before == '/' && (c == '/' || c == '.'))) return false;
    before = c;
  }
  return true;
}

bool normalise(std::string_view path, std::string& out) {
  out.clear();
  bool added = false;  // the last segment; an empty or a dot one leaves a slash at the end
  for (std::size_t at = 1; at <= path.size();) {
    const std::size_t end = std::min(path.find('/', at), path.size()), before = out.size();
    if (!append_segment(path.substr(at, end - at), out)) return false;
    added = out.size() > before;
    at = end + 1;
  }
  if (!added) out += '/';
  return true;
}

// "[::1]:80" -> "[::1]", "Host.:80" -> "Host".
std::string_view bare_host(std::string_view host) noexcept {
  const std::size_t from = host.starts_with('[') ? host.find(']') : 0;
  if (from == host.npos) return host;
  host = host.substr(0, host.find(':', from));
  return host.ends_with('.') ? host.substr(0, host.size() - 1) : host;
}

template <class List, class Match>
bool none_or_any(const List& list, Match&& match) {
  return list.empty() || std::ranges::any_of(list, match);
}

bool header_matches(const std::pair<std::string, std::string>& wanted,
                    const header_source& headers) {
  for (std::size_t nth = 0;; ++nth) {
    const header_source::value value = headers(wanted.first, nth);
    if (!value) return false;
    if (wanted.second == "*" || *value == wanted.second) return true;
  }
}

bool path_matches(std::string_view path, std::string_view prefix) noexcept {
  return path == "*" ? prefix.empty() : path_within(path, prefix);
}

bool matches(const route_match& route, const route_request& request, std::string_view path) {
  return path_matches(path, route.path) &&
         none_or_any(route.methods, [&](const auto& m) { return m == request.method; }) &&
         none_or_any(route.hosts, [&](const auto& h) { return host_matches(request.host, h); }) &&
         std::ranges::all_of(route.headers,
                             [&](const auto& h) { return header_matches(h, request.headers); });
}

}  // namespace

router::router(std::vector<route_match> routes) : routes_(std::move(routes)) {
  std::string scratch;
  for (route_match& route : routes_) {
    std::string path{normal_path(route.path, scratch).value_or(route.path)};
    while (path.ends_with('/')) path.pop_back();
    route.path = std::move(path);
  }
}

std::optional<std::size_t> router::find(const route_request& request, std::string& scratch) const {
  const auto path = normal_path(request.target, scratch);
  if (!path) return std::nullopt;
  const auto found = std::ranges::find_if(
      routes_, [&](const route_match& route) { return matches(route, request, *path); });
  if (found == routes_.end()) return std::nullopt;
  return static_cast<std::size_t>(found - routes_.begin());
}

std::optional<std::string_view> normal_path(std::string_view target, std::string& scratch) {
  const std::string_view path = target.substr(0, target.find_first_of("?#"));
  if (path == "*") return path;
  if (!path.starts_with('/')) return std::nullopt;
  if (is_normal(path)) return path;
  if (!normalise(path, scratch)) return std::nullopt;
  return scratch;
}

bool path_within(std::string_view path, std::string_view prefix) noexcept {
  return path.starts_with(prefix) && (path.size() == prefix.size() || path[prefix.size()] == '/');
}

bool host_matches(std::string_view host, std::string_view pattern) noexcept {
  host = bare_host(host);
  if (!pattern.starts_with("*.")) return iequals(host, pattern);
  const std::size_t dot = host.find('.');
  return dot != host.npos && dot > 0 && iequals(host.substr(dot), pattern.substr(1));
}

}  // namespace weir::core
