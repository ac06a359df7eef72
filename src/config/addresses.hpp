// The texts of the configuration that name something on the network: addresses to bind, worker and
// hook urls, and the checks of HTTP names, methods, hosts and paths. Pure functions, any thread;
// grammar of RFC 3986 and RFC 9110, no name is ever resolved here.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"

namespace weir::config {

// "127.0.0.1:8080", "[::]:8080" (an IP address, never a name) or "unix:/absolute/path".
std::optional<address> parse_address(std::string_view text);
// True for 127.0.0.0/8, ::1 and unix sockets: what only this machine can reach.
bool is_local(const address& a);

// "http://host[:port]", "https://host[:port]" or "unix:/absolute/path"; a final "/" is allowed. No
// user, path, query or fragment: a worker is a place, the path is the request's.
std::optional<url> parse_worker_url(std::string_view text);

// "http://…" or "https://…" with any path and query, for hooks. No user and no fragment.
bool valid_hook_url(std::string_view text) noexcept;
// It may be a url with user and password, well formed or not (a '/' in the password, a scheme
// mistyped): an '@' with a ':' or "//" before it. Such are never taken, and never to be shown.
bool holds_credentials(std::string_view text) noexcept;
// What a message may show of any text: a url ends before its query; empty: nothing of it.
std::string shown_text(std::string_view text);
// Whether a hook url has one of these origins; "https://A.example:443/b" has "https://a.example".
bool has_origin(std::string_view url, const std::vector<std::string>& origins);
// The part that can be shown: scheme and authority. Paths and queries of hooks hold keys.
std::string hook_origin(std::string_view url);

bool valid_host(std::string_view text) noexcept;          // a name or IPv4 address, no port
bool valid_host_pattern(std::string_view text) noexcept;  // or "*." and a name
bool valid_token(std::string_view text) noexcept;         // RFC 9110 §5.6.2
bool valid_field_value(std::string_view text) noexcept;   // RFC 9110 §5.5
bool valid_path(std::string_view text) noexcept;          // absolute, visible ASCII, no ? or #
// Names of routes, pools, listeners and workers: they stand in urls, labels and header fields.
bool valid_name(std::string_view text) noexcept;
// True for "get" and the like: methods are case-sensitive (RFC 9110 §9.1), so that is a slip.
bool method_in_wrong_case(std::string_view text);

}  // namespace weir::config
