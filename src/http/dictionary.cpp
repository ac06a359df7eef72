#include "http/dictionary.hpp"

#include "http/chars.hpp"

namespace weir::http {

namespace {

constexpr bool is_lower(char c) noexcept {
  return c >= 'a' && c <= 'z';
}
constexpr bool is_alpha(char c) noexcept {
  return is_lower(static_cast<char>(c | 0x20));
}
constexpr bool is_digit(char c) noexcept {
  return is(c, char_class::digit);
}
constexpr bool is_base64(char c) noexcept {
  return is_alpha(c) || is_digit(c) || c == '+' || c == '/' || c == '=';
}

}  // namespace

dictionary::dictionary(std::string_view text) noexcept : rest_(text) {
  skip_blanks(" ");
  while (rest_.ends_with(' ')) rest_.remove_suffix(1);
}

bool dictionary::eat(char c) noexcept {
  if (!at(c)) return false;
  rest_.remove_prefix(1);
  return true;
}

void dictionary::skip_blanks(std::string_view blanks) noexcept {
  while (!rest_.empty() && blanks.find(rest_.front()) != std::string_view::npos)
    rest_.remove_prefix(1);
}

bool dictionary::next(member& out) noexcept {
  if (!ok_ || (first_ && rest_.empty())) return false;
  if (!first_) {
    skip_blanks(" \t");
    if (rest_.empty()) return false;
    if (!eat(',')) return fail();
    skip_blanks(" \t");
  }
  first_ = false;
  return take_key(out.key) && take_value(out) && skip_parameters();
}

bool dictionary::take_key(std::string_view& key) noexcept {
  if (rest_.empty() || !(is_lower(rest_.front()) || rest_.front() == '*')) return fail();
  std::size_t size = 1;
  const auto fits = [](char c) {
    return is_lower(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == '*';
  };
  while (size < rest_.size() && fits(rest_[size])) ++size;
  key = rest_.substr(0, size);
  rest_.remove_prefix(size);
  return true;
}

bool dictionary::take_value(member& out) noexcept {
  out.what = member::kind::boolean;
  out.value = "?1";
  if (!eat('=')) return true;
  const std::string_view from = rest_;
  if (from.empty()) return fail();
  const char c = from.front();
  out.what = c == '?'                  ? member::kind::boolean
             : c == '-' || is_digit(c) ? member::kind::number
                                       : member::kind::other;
  if (!(c == '(' ? skip_inner_list() : skip_bare_item())) return false;
  out.value = from.substr(0, from.size() - rest_.size());
  return true;
}

bool dictionary::skip_item() noexcept {
  return skip_bare_item() && skip_parameters();
}

bool dictionary::skip_bare_item() noexcept {
  if (rest_.empty()) return fail();
  const char c = rest_.front();
  if (c == '-' || is_digit(c)) return skip_number();
  if (c == '"') return skip_string();
  if (c == '*' || is_alpha(c)) return skip_token();
  if (c == ':') return skip_bytes();
  return c == '?' ? skip_boolean() : fail();
}

bool dictionary::skip_inner_list() noexcept {
  eat('(');
  for (;;) {
    skip_blanks(" ");
    if (eat(')')) return true;
    if (!skip_item()) return false;
    if (!at(' ') && !at(')')) return fail();
  }
}

bool dictionary::skip_parameters() noexcept {
  std::string_view key;
  while (eat(';')) {
    skip_blanks(" ");
    if (!take_key(key)) return false;
    if (eat('=') && !skip_bare_item()) return false;
  }
  return true;
}

// §4.2.4: up to 15 digits, or up to 12 before and 3 after a point.
bool dictionary::skip_number() noexcept {
  eat('-');
  std::size_t whole = 0, fraction = 0;
  for (; !rest_.empty() && is_digit(rest_.front()); ++whole) rest_.remove_prefix(1);
  if (whole == 0 || whole > 15) return fail();
  if (!eat('.')) return true;
  for (; !rest_.empty() && is_digit(rest_.front()); ++fraction) rest_.remove_prefix(1);
  return whole <= 12 && fraction >= 1 && fraction <= 3 ? true : fail();
}

bool dictionary::skip_string() noexcept {
  for (eat('"'); !eat('"');) {
    const bool escaped = eat('\\');
    if (rest_.empty() || rest_.front() < 0x20 || rest_.front() >= 0x7f) return fail();
    if (escaped && !at('"') && !at('\\')) return fail();
    rest_.remove_prefix(1);
  }
  return true;
}

bool dictionary::skip_token() noexcept {
  const auto fits = [](char c) { return is(c, char_class::token) || c == ':' || c == '/'; };
  while (!rest_.empty() && fits(rest_.front())) rest_.remove_prefix(1);
  return true;
}

bool dictionary::skip_bytes() noexcept {
  for (eat(':'); !eat(':');) {
    if (rest_.empty() || !is_base64(rest_.front())) return fail();
    rest_.remove_prefix(1);
  }
  return true;
}

bool dictionary::skip_boolean() noexcept {
  eat('?');
  return eat('0') || eat('1') || fail();
}

}  // namespace weir::http
