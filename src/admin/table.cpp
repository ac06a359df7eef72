#include "admin/table.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "telemetry/json_text.hpp"

namespace weir::admin {
namespace {

// Characters, not bytes: UTF-8's continuation bytes take no column.
std::size_t width(std::string_view text) {
  const auto starts = [](char c) { return (static_cast<unsigned char>(c) & 0xc0) != 0x80; };
  return static_cast<std::size_t>(std::count_if(text.begin(), text.end(), starts));
}

void append_cell(std::string& line, std::string_view text, std::size_t column_width, bool right) {
  const std::string gap(column_width - width(text), ' ');
  if (!line.empty()) line += "  ";
  if (right) line += gap;
  line += text;
  if (!right) line += gap;
}

// A character of a terminal's own: C0, DEL, and C1 (U+0080..U+009F) as UTF-8.
bool steers(std::string_view character) {
  const auto first = static_cast<unsigned char>(character[0]);
  if (character.size() == 1) return first < 0x20 || first == 0x7f;
  return first == 0xc2 && static_cast<unsigned char>(character[1]) < 0xa0;
}

std::string cleaned(std::string_view text, bool keep_lines) {
  std::string out;
  while (!text.empty()) {
    const std::size_t length = telemetry::utf8_length(text);
    const std::string_view one = text.substr(0, std::max<std::size_t>(length, 1));
    const bool line_break = keep_lines && one == "\n";
    out += !line_break && (length == 0 || steers(one)) ? "?" : one;
    text.remove_prefix(one.size());
  }
  return out;
}

}  // namespace

std::string format_table(const std::vector<column>& columns,
                         std::vector<std::vector<std::string>> rows) {
  std::vector<std::string> heads;
  for (const auto& c : columns) heads.emplace_back(c.head);
  rows.insert(rows.begin(), std::move(heads));
  std::vector<std::size_t> widths(columns.size());
  for (auto& row : rows)
    for (std::size_t i = 0; i < columns.size(); ++i)
      widths[i] = std::max(widths[i], width(row[i] = printable(row[i])));
  std::string out;
  for (const auto& row : rows) {
    std::string line;
    for (std::size_t i = 0; i < columns.size(); ++i)
      append_cell(line, row[i], widths[i], columns[i].number);
    line.erase(line.find_last_not_of(' ') + 1);
    out += line + "\n";
  }
  return out;
}

std::string printable(std::string_view text) { return cleaned(text, false); }

std::string printable_lines(std::string_view text) { return cleaned(text, true); }

std::string format_span(double seconds) {
  if (seconds < 1) return fmt::format("{:.0f} ms", std::max(seconds, 0.0) * 1000);
  if (seconds < 10) return fmt::format("{:.1f} s", seconds);
  if (seconds < 120) return fmt::format("{:.0f} s", seconds);
  if (seconds < 7200) return fmt::format("{:.0f} min", seconds / 60);
  return fmt::format("{:.1f} h", seconds / 3600);
}

}  // namespace weir::admin
