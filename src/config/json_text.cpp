#include "config/json_text.hpp"

#include <fmt/format.h>

#include <utility>

namespace weir::config {

std::string json_string(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
      out += c;
    } else if (static_cast<unsigned char>(c) < 0x20) {
      out += fmt::format("\\u{:04x}", static_cast<unsigned>(c));
    } else {
      out += c;
    }
  }
  return out + '"';
}

void json_text::new_line() {
  out_ += '\n';
  out_.append(2 * depth_, ' ');
}

void json_text::begin_value() {
  if (std::exchange(after_name_, false) || depth_ == 0) return;
  if (!std::exchange(first_, false)) out_ += ',';
  new_line();
}

void json_text::open(char bracket) {
  begin_value();
  out_ += bracket;
  ++depth_;
  first_ = true;
}

void json_text::close(char bracket) {
  --depth_;
  if (!first_) new_line();
  out_ += bracket;
  first_ = false;
}

void json_text::name(std::string_view name) {
  begin_value();
  out_ += json_string(name) + ": ";
  after_name_ = true;
}

void json_text::raw(std::string_view json) {
  begin_value();
  out_ += json;
}

std::string json_text::take() {
  return std::exchange(out_, {}) + "\n";
}

}  // namespace weir::config
