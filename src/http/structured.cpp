#include "http/structured.hpp"

#include <charconv>

#include "http/chars.hpp"
#include "http/dictionary.hpp"
#include "http/head.hpp"

namespace weir::http {

namespace {

// 1*DIGIT; more than 32 bits can hold is their largest value (RFC 9111 §1.2.2 says so of seconds).
std::optional<std::uint32_t> parse_seconds(std::string_view text) noexcept {
  if (text.empty() || !all(text, char_class::digit)) return std::nullopt;
  std::uint32_t value = UINT32_MAX;
  std::from_chars(text.data(), text.data() + text.size(), value);
  return value;
}

// "name=value", blanks around '=' allowed (RFC 7240 §2: BWS), value maybe quoted, without escapes.
struct pair {
  std::string_view name, value;
};
pair split_pair(std::string_view text) noexcept {
  const std::size_t equals = text.find('=');
  if (equals == std::string_view::npos) return {trimmed(text), {}};
  pair p{trimmed(text.substr(0, equals)), trimmed(text.substr(equals + 1))};
  if (p.value.size() >= 2 && p.value.front() == '"' && p.value.back() == '"')
    p.value = p.value.substr(1, p.value.size() - 2);
  return p;
}

// Like next_element, but commas in quoted strings do not end an element.
std::string_view next_quoted_element(std::string_view& list) noexcept {
  bool quoted = false;
  std::size_t at = 0;
  for (; at < list.size() && (quoted || list[at] != ','); ++at) {
    if (list[at] == '"') quoted = !quoted;
    if (quoted && list[at] == '\\' && at + 1 < list.size()) ++at;
  }
  const std::string_view element = trimmed(list.substr(0, at));
  list = at < list.size() ? list.substr(at + 1) : std::string_view{};
  return element;
}

base::duration until(std::int64_t unix_ms, std::int64_t unix_now_ms) noexcept {
  if (unix_ms <= unix_now_ms) return base::duration::zero();
  return base::from_seconds(static_cast<double>(unix_ms - unix_now_ms) / 1000.0);
}

constexpr bool is_lower_hex(char c) noexcept {
  return is(c, char_class::digit) || (c >= 'a' && c <= 'f');
}
bool is_id(std::string_view text) noexcept {  // lower-case hex, not all zeros
  bool any = false;
  for (const char c : text) {
    if (!is_lower_hex(c)) return false;
    any |= c != '0';
  }
  return any;
}

// The inside of an RFC 8941 string (§3.3.3): ASCII, with `"` and `\` escaped. Escapes stay as they
// are: two keys are the same when they are written the same.
bool fits_quoted_key(std::string_view key) noexcept {
  bool escaped = false;
  for (const char c : key) {
    if (c < 0x20 || c >= 0x7f) return false;
    if (escaped && c != '"' && c != '\\') return false;
    if (!escaped && c == '"') return false;
    escaped = !escaped && c == '\\';
  }
  return !escaped;
}

// Visible ASCII without what would make it a list, a parameter or half a string.
bool fits_bare_key(std::string_view key) noexcept {
  for (const char c : key)
    if (c <= 0x20 || c >= 0x7f || std::string_view("\"\\,;").find(c) != std::string_view::npos)
      return false;
  return true;
}

std::uint8_t urgency_of(const member& m) noexcept {
  std::string_view digits = m.value;
  while (digits.size() > 1 && digits.front() == '0') digits.remove_prefix(1);
  const bool in_range = m.what == member::kind::number && digits.size() == 1 && digits[0] <= '7';
  return in_range ? static_cast<std::uint8_t>(digits[0] - '0') : priority{}.urgency;
}

}  // namespace

std::optional<priority> parse_priority(std::string_view text) {
  priority p;
  dictionary members(text);
  member m;
  while (members.next(m)) {
    // RFC 8941 §3.2: the last one counts; RFC 9218 §4: a wrong type or range means the default.
    if (m.key == "u") p.urgency = urgency_of(m);
    if (m.key == "i") p.incremental = m.what == member::kind::boolean && m.value == "?1";
  }
  if (!members.ok()) return std::nullopt;
  return p;
}

prefer parse_prefer(std::string_view list) {
  prefer p;
  bool waits = false;
  while (list.data() != nullptr) {
    const std::string_view element = next_quoted_element(list);
    const pair preference = split_pair(element.substr(0, element.find(';')));
    if (iequals(preference.name, "respond-async") && preference.value.empty())
      p.respond_async = true;
    if (!iequals(preference.name, "wait") || waits) continue;
    waits = true;  // §2: only the first one counts
    p.wait_seconds = parse_seconds(preference.value);
  }
  return p;
}

std::optional<std::string_view> parse_idempotency_key(std::string_view text) {
  text = trimmed(text);
  const bool quoted = text.size() >= 2 && text.front() == '"' && text.back() == '"';
  const std::string_view key = quoted ? text.substr(1, text.size() - 2) : text;
  constexpr std::size_t size_max = 255;
  if (key.empty() || key.size() > size_max) return std::nullopt;
  if (!(quoted ? fits_quoted_key(key) : fits_bare_key(key))) return std::nullopt;
  return key;
}

std::optional<base::duration> parse_deadline(std::string_view text, std::int64_t unix_now_ms) {
  if (const auto seconds = parse_number(text)) return base::from_seconds(*seconds);
  if (const auto date = parse_http_date_ms(text)) return until(*date, unix_now_ms);
  if (const auto date = parse_rfc3339_ms(text)) return until(*date, unix_now_ms);
  return std::nullopt;
}

std::optional<base::duration> parse_retry_after(std::string_view text, std::int64_t unix_now_ms) {
  if (const auto seconds = parse_seconds(text)) return std::chrono::seconds{*seconds};
  if (const auto date = parse_http_date_ms(text)) return until(*date, unix_now_ms);
  return std::nullopt;
}

std::optional<std::uint32_t> parse_keep_alive_timeout(std::string_view list) {
  while (list.data() != nullptr) {
    const pair parameter = split_pair(next_element(list));
    if (iequals(parameter.name, "timeout")) return parse_seconds(parameter.value);
  }
  return std::nullopt;
}

// W3C Trace Context §3.2: version "-" trace-id "-" parent-id "-" flags; later versions may go on.
bool valid_traceparent(std::string_view text) noexcept {
  constexpr std::size_t size = 55;
  if (text.size() < size || text[2] != '-' || text[35] != '-' || text[52] != '-') return false;
  const std::string_view version = text.substr(0, 2);
  const bool hex = is_lower_hex(text[0]) && is_lower_hex(text[1]) && is_lower_hex(text[53]) &&
                   is_lower_hex(text[54]);
  if (!hex || version == "ff" || !is_id(text.substr(3, 32)) || !is_id(text.substr(36, 16)))
    return false;
  return text.size() == size || (version != "00" && text[size] == '-');
}

std::optional<double> parse_number(std::string_view text) noexcept {
  const std::size_t point = text.find('.');
  const std::string_view whole = text.substr(0, point);
  if (whole.empty() || !all(whole, char_class::digit)) return std::nullopt;
  if (point != std::string_view::npos) {
    const std::string_view fraction = text.substr(point + 1);
    if (fraction.empty() || !all(fraction, char_class::digit)) return std::nullopt;
  }
  double value = 0;
  const char* const end = text.data() + text.size();
  const auto [stopped, error] = std::from_chars(text.data(), end, value, std::chars_format::fixed);
  if (error != std::errc{} || stopped != end) return std::nullopt;
  return value;
}

bool list_contains(std::string_view list, std::string_view token) noexcept {
  while (list.data() != nullptr)
    if (iequals(next_element(list), token)) return true;
  return false;
}

}  // namespace weir::http
