// A small writer of JSON text (RFC 8259), two blanks a level, for the schema, the dump and the
// diff. Single-threaded; the caller keeps opens and closes in pairs.
#pragma once

#include <string>
#include <string_view>

namespace weir::config {

// In quotes, with escapes. The text is UTF-8.
std::string json_string(std::string_view text);

class json_text {
 public:
  void open(char bracket);  // '{' or '['
  void close(char bracket);
  void name(std::string_view name);  // of the member whose value comes next
  void raw(std::string_view json);   // JSON as it is, such as "5" or "[1, 2]"
  void text(std::string_view plain) { raw(json_string(plain)); }

  void member(std::string_view key, std::string_view json) { name(key), raw(json); }
  void text_member(std::string_view key, std::string_view plain) { name(key), text(plain); }

  // The whole text, with a final newline.
  std::string take();

 private:
  void begin_value();
  void new_line();
  std::string out_;
  unsigned depth_ = 0;
  bool first_ = true;  // nothing yet at this level
  bool after_name_ = false;
};

}  // namespace weir::config
