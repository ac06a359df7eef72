// Fields as they are kept and forwarded: "Name: value\r\n" lines, written by weir itself. For who
// needs one of them again without reading the whole head anew. Pure.
#pragma once

#include <string_view>

namespace weir::http {

// The first line of that name (any case), its end included; empty when there is none.
std::string_view line_of(std::string_view lines, std::string_view name) noexcept;

// What such a line says, without blanks around it.
std::string_view value_of(std::string_view line) noexcept;

}  // namespace weir::http
