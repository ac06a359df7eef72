// Aligned columns of text for terminals. Pure. Control characters become '?', so that nothing that
// a client or a worker named can steer the terminal.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace weir::admin {

struct column {
  std::string_view head;
  bool number = false;   // aligned to the right
};

// Two blanks between columns, none at a line's end, one line a row; the head alone for no rows.
std::string format_table(const std::vector<column>&, std::vector<std::vector<std::string>> rows);

// Bytes that are not UTF-8 become '?' too.
std::string printable(std::string_view);
// The same for a text of several lines: line breaks stay.
std::string printable_lines(std::string_view);

// "850 ms", "1.2 s", "95 s", "12 min", "3.4 h".
std::string format_span(double seconds);

}  // namespace weir::admin
