// edits: which names a route's rewriting touches, and which it may not.
#include <algorithm>

#include "http/forward.hpp"
#include "http/names.hpp"

namespace weir::http {

bool edits::touches(std::string_view name) const noexcept {
  const auto is_it = [name](std::string_view other) { return iequals(name, other); };
  for (const auto& [set_name, value] : set)
    if (is_it(set_name)) return true;
  return std::any_of(remove.begin(), remove.end(), is_it);
}

bool edits::valid() const noexcept {
  const auto fine = [](std::string_view name) {
    return valid_field_name(name) && may_edit(classify(name));
  };
  for (const auto& [name, value] : set)
    if (!fine(name) || !valid_field_value(value)) return false;
  return std::all_of(remove.begin(), remove.end(), fine);
}

}  // namespace weir::http
