// An undelivered decision as text, so that it outlives the process: with its id and its body, so
// that the receiver gets the same after a restart. And the name that a hook goes by there. Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "config/config.hpp"
#include "scale/message.hpp"

namespace weir::scale {

std::string to_record(const message& m, std::string_view pool);
// Nothing: it is no record, or not whole. Of the decision it holds what is needed to go on: way,
// numbers, how many workers, and the names.
std::optional<message> parse_record(std::string_view text);

// The same for the same url or command, whatever else is set: 16 hexadecimal digits (a url may hold
// a secret). Of hooks that look the same the second has "-2" behind it, and so on.
std::string hook_key(const std::vector<config::hook>& hooks, std::size_t which);

}  // namespace weir::scale
