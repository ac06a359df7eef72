#include "http/target.hpp"

#include "http/chars.hpp"
#include "http/head.hpp"

namespace weir::http {

namespace {

bool valid_port(std::string_view port) noexcept {
  unsigned value = 0;
  for (const char c : port) {
    if (!is(c, char_class::digit)) return false;
    value = value * 10 + static_cast<unsigned>(c - '0');
    if (value > 65535) return false;
  }
  return true;
}

bool valid_ipv4(std::string_view text) noexcept {
  unsigned parts = 0;
  for (;;) {
    const std::size_t dot = text.find('.');
    const std::string_view part = text.substr(0, dot);
    if (part.empty() || part.size() > 3 || !all(part, char_class::digit)) return false;
    if (part.size() == 3 && part > "255") return false;
    ++parts;
    if (dot == std::string_view::npos) return parts == 4;
    text.remove_prefix(dot + 1);
  }
}

// RFC 4291 §2.2: up to eight groups of hex digits, one "::" for a run of zeros, maybe IPv4 last.
bool valid_ipv6(std::string_view text) noexcept {
  unsigned groups = 0;
  bool gap = false;
  if (text.starts_with("::")) {
    gap = true;
    text.remove_prefix(2);
    if (text.empty()) return true;
  }
  for (;;) {
    const std::size_t colon = text.find(':');
    const std::string_view group = text.substr(0, colon);
    if (colon == std::string_view::npos && group.find('.') != std::string_view::npos)
      return valid_ipv4(group) && (gap ? groups + 2 < 8 : groups + 2 == 8);
    if (group.empty() || group.size() > 4 || !all(group, char_class::hex)) return false;
    ++groups;
    if (colon == std::string_view::npos) return gap ? groups < 8 : groups == 8;
    text.remove_prefix(colon + 1);
    if (!text.starts_with(':')) continue;
    if (gap) return false;
    gap = true;
    text.remove_prefix(1);
    if (text.empty()) return groups < 8;
  }
}

bool valid_literal(std::string_view authority) noexcept {
  const std::size_t close = authority.find(']');
  if (close == std::string_view::npos || !valid_ipv6(authority.substr(1, close - 1))) return false;
  const std::string_view rest = authority.substr(close + 1);
  return rest.empty() || (rest.front() == ':' && valid_port(rest.substr(1)));
}

// What follows an authority, or all of an origin-form target.
void split_path(std::string_view text, target_parts& parts) noexcept {
  const std::size_t mark = text.find('?');
  parts.path = text.substr(0, mark);
  if (mark != std::string_view::npos) parts.query = text.substr(mark + 1);
}

std::size_t scheme_size(std::string_view target) noexcept {
  if (iequals(target.substr(0, 7), "http://")) return 7;
  return iequals(target.substr(0, 8), "https://") ? 8 : 0;
}

}  // namespace

bool valid_authority(std::string_view authority) noexcept {
  if (authority.starts_with('[')) return valid_literal(authority);
  const std::size_t colon = authority.find(':');
  const std::string_view host = authority.substr(0, colon);
  if (host.empty() || !all(host, char_class::host)) return false;
  return colon == std::string_view::npos || valid_port(authority.substr(colon + 1));
}

target_parts split_target(std::string_view target) noexcept {
  target_parts parts;
  if (target.front() == '/' || target == "*") {
    split_path(target, parts);
    parts.valid = true;
    return parts;
  }
  const std::size_t scheme = scheme_size(target);
  if (scheme == 0) return parts;
  target.remove_prefix(scheme);
  const std::size_t border = target.find_first_of("/?");
  parts.authority = target.substr(0, border);
  parts.valid = valid_authority(parts.authority);
  if (border != std::string_view::npos) split_path(target.substr(border), parts);
  return parts;
}

}  // namespace weir::http
