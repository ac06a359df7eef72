// Request targets and authorities (RFC 9112 §3.2, RFC 3986 §3.2): which form a target has, and
// whether an authority is one that weir lets through. Pure functions of the head parser.
#pragma once

#include <string_view>

namespace weir::http {

// host [":" port]: a name or IPv4 address of letters, digits and "-._~", or an IPv6 address in
// brackets; port empty or up to 65535. Stricter than RFC 3986: no percent-encoding, no sub-delims
// (a comma would hide two Host fields merged into one), no userinfo, no IPvFuture, no zone.
bool valid_authority(std::string_view authority) noexcept;

struct target_parts {
  bool valid = false;
  std::string_view authority;    // of absolute-form
  std::string_view path, query;  // see request_head; path may be empty in absolute-form
};

// Origin-form, absolute-form with http or https, and asterisk-form. Authority-form is not valid.
// `target` holds visible ASCII without '#' and is not empty.
target_parts split_target(std::string_view target) noexcept;

}  // namespace weir::http
