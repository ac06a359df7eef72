// Which route a request takes: the first whose host, path, method and header conditions all hold.
// Built from the configuration with each snapshot, immutable afterwards, so every loop reads the
// same one without a lock. A linear walk, meant for tens of routes; a lookup allocates nothing,
// save the caller's scratch string when a path is not in normal form. Nothing is rewritten here:
// what goes to the worker is the proxy's business.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace weir::core {

// A route's conditions; those left empty hold for every request.
struct route_match {
  std::vector<std::string> hosts;    // lower case, no port; "*.example.org": exactly one more label
  std::string path;                  // prefix on segment borders; a slash at its end means nothing
  std::vector<std::string> methods;  // case-sensitive (RFC 9110 section 9.1)
  std::vector<std::pair<std::string, std::string>> headers;  // exact value, or "*": present
};

// Asks a request for its header fields: a view of any callable
//   std::optional<std::string_view> (std::string_view name, std::size_t nth)
// that gives the nth (0, 1, ...) value of a field, named in any case, or nothing past the last. It
// is only referred to: it must outlive the call that takes it.
class header_source {
 public:
  using value = std::optional<std::string_view>;

  header_source() noexcept
      : ask_([](const void*, std::string_view, std::size_t) { return value{}; }) {}
  template <class Callable>
  header_source(const Callable& callable) noexcept
      : of_(&callable), ask_([](const void* of, std::string_view name, std::size_t nth) -> value {
          return (*static_cast<const Callable*>(of))(name, nth);
        }) {}

  value operator()(std::string_view name, std::size_t nth) const { return ask_(of_, name, nth); }

 private:
  const void* of_ = nullptr;
  value (*ask_)(const void*, std::string_view, std::size_t);
};

struct route_request {
  std::string_view host;    // as sent: any case, with or without a port; brackets around IPv6
  std::string_view target;  // origin form, query and all; or "*", which only a route without a path
                            // (or with "/") matches
  std::string_view method;
  header_source headers;
};

class router {
 public:
  explicit router(std::vector<route_match> routes);

  // The index of the first route that matches. `scratch` is the caller's, kept between calls.
  std::optional<std::size_t> find(const route_request& request, std::string& scratch) const;
  std::size_t size() const noexcept { return routes_.size(); }

 private:
  std::vector<route_match> routes_;
};

// Paths are compared in normal form (RFC 3986 section 6.2.2): percent-encoded unreserved characters
// are decoded, the hex digits of other triplets are upper-cased (an encoded slash stays encoded and
// is no segment border), empty segments are merged, dot segments are resolved. A path that climbs
// above the root is unmatched; a malformed triplet stands for itself. Query and fragment are not
// looked at.
// The normal form of a target's path: a view of `target` when it has it already, else of `scratch`.
// Nothing: neither a path nor "*", or it climbs above the root.
std::optional<std::string_view> normal_path(std::string_view target, std::string& scratch);

// Does `path` (in normal form) lie at or below `prefix` (in normal form, without a slash at its
// end)?
bool path_within(std::string_view path, std::string_view prefix) noexcept;

// `host` (as sent) against a pattern of route_match::hosts. A final dot and a port do not count.
bool host_matches(std::string_view host, std::string_view pattern) noexcept;

}  // namespace weir::core
