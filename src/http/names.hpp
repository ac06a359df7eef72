// Field names: which of the names that weir looks at a name is, by a perfect hash over its length
// and its first and last character. Called once a field by the head parser, and by the writers for
// names that come from the configuration. Pure functions.
#pragma once

#include <string_view>

#include "http/head.hpp"

namespace weir::http {

// `name` must be a token (RFC 9110 §5.6.2); case is ignored.
field_name classify(std::string_view name) noexcept;

// The same after reading '_' as '-': what a worker behind CGI or WSGI rules would take it for.
field_name classify_as_cgi(std::string_view name) noexcept;

// Hop-by-hop whatever Connection says (RFC 9110 §7.6.1; Proxy-* by §11.7 and common practice).
bool is_hop_by_hop(field_name) noexcept;

// Fields that a Connection option of the sender cannot have removed: framing, identity and what
// weir writes itself.
bool is_end_to_end(field_name) noexcept;

// False for what a route's edits cannot change: framing, hop-by-hop fields, Expect and Weir-*.
bool may_edit(field_name) noexcept;

}  // namespace weir::http
