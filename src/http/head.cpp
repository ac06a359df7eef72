#include "http/head.hpp"

#include "http/chars.hpp"

namespace weir::http {

namespace {

constexpr char lower(char c) noexcept {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c | 0x20) : c;
}

const field* find_known(const std::vector<field>& fields, field_name known) noexcept {
  for (const field& f : fields)
    if (f.known == known) return &f;
  return nullptr;
}

const field* find_name(const std::vector<field>& fields, std::string_view name) noexcept {
  for (const field& f : fields)
    if (iequals(f.name, name)) return &f;
  return nullptr;
}

}  // namespace

bool iequals(std::string_view a, std::string_view b) noexcept {
  if (a.size() != b.size()) return false;
  if (a == b) return true;
  for (std::size_t i = 0; i < a.size(); ++i)
    if (lower(a[i]) != lower(b[i])) return false;
  return true;
}

bool valid_field_name(std::string_view name) noexcept {
  return is_token(name);
}

bool valid_field_value(std::string_view value) noexcept {
  return all(value, char_class::value) && trimmed(value).size() == value.size();
}

const field* request_head::find(field_name known) const noexcept {
  return find_known(fields, known);
}
const field* request_head::find(std::string_view name) const noexcept {
  return find_name(fields, name);
}
const field* response_head::find(field_name known) const noexcept {
  return find_known(fields, known);
}
const field* response_head::find(std::string_view name) const noexcept {
  return find_name(fields, name);
}

}  // namespace weir::http
