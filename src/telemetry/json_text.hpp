// JSON string contents (RFC 8259 §7) from any bytes, for the logs and the admin API: quotes,
// backslashes and control characters are escaped (DEL and C1 too, which RFC 8259 lets pass and
// terminals obey), bytes that are not UTF-8 (RFC 3629) become U+FFFD. No allocation, any thread.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace weir::telemetry {

// Writes `in` escaped, without quotes, and stops before `end`, at the border of a character.
// Returns the end of what was written.
char* escape_json(std::string_view in, char* out, char* end) noexcept;

// How many bytes the UTF-8 character at the front takes; 0 when it is none. `in` is not empty.
std::size_t utf8_length(std::string_view in) noexcept;

// Appends the whole of `in` with quotes around it.
void append_json_string(std::string& out, std::string_view in);

}  // namespace weir::telemetry
