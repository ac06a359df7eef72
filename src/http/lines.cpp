#include "http/lines.hpp"

#include <algorithm>

#include "http/head.hpp"

namespace weir::http {

std::string_view line_of(std::string_view lines, std::string_view name) noexcept {
  while (!lines.empty()) {
    const std::size_t end = lines.find("\r\n");
    const std::string_view line =
        end == std::string_view::npos ? lines : lines.substr(0, end + 2);
    lines.remove_prefix(line.size());
    if (line.size() > name.size() && line[name.size()] == ':' &&
        iequals(line.substr(0, name.size()), name))
      return line;
  }
  return {};
}

std::string_view value_of(std::string_view line) noexcept {
  constexpr std::string_view blank = " \t\r\n";
  line.remove_prefix(std::min(line.find(':') + 1, line.size()));
  line.remove_prefix(std::min(line.find_first_not_of(blank), line.size()));
  line.remove_suffix(line.size() - (line.find_last_not_of(blank) + 1));
  return line;
}

}  // namespace weir::http
