// Walks a structured-field dictionary (RFC 8941 §3.2, §4.2.2): each member's key and its value as
// text, checked against the grammar. Used by parse_priority. No allocation.
#pragma once

#include <cstdint>
#include <string_view>

namespace weir::http {

struct member {
  enum class kind : std::uint8_t { boolean, number, other };
  std::string_view key;
  kind what = kind::boolean;
  std::string_view value;  // "?1" for a key alone; parameters left out
};

class dictionary {
 public:
  explicit dictionary(std::string_view text) noexcept;
  // The next member; false at the end and after a mistake: see ok().
  bool next(member& out) noexcept;
  bool ok() const noexcept { return ok_; }

 private:
  bool fail() noexcept {
    ok_ = false;
    return false;
  }
  bool at(char c) const noexcept { return rest_.starts_with(c); }
  bool eat(char c) noexcept;
  void skip_blanks(std::string_view blanks) noexcept;
  bool take_key(std::string_view& key) noexcept;
  bool take_value(member& out) noexcept;
  bool skip_item() noexcept;
  bool skip_bare_item() noexcept;
  bool skip_inner_list() noexcept;
  bool skip_parameters() noexcept;
  bool skip_number() noexcept;
  bool skip_string() noexcept;
  bool skip_token() noexcept;
  bool skip_bytes() noexcept;
  bool skip_boolean() noexcept;

  std::string_view rest_;
  bool ok_ = true, first_ = true;
};

}  // namespace weir::http
