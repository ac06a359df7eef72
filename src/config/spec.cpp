#include "config/spec.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "config/json_text.hpp"
#include "config/units.hpp"

namespace weir::config {
namespace {

std::string number_between(const shape& type, std::string_view what) {
  return fmt::format("{} from {} to {}", what, format_number(type.min), format_number(type.max));
}

std::string size_between(const shape& type) {
  return fmt::format("a size from {} to {}, such as 64KiB or 1GiB",
                     format_size(static_cast<std::uint64_t>(type.min)),
                     format_size(static_cast<std::uint64_t>(type.max)));
}

std::string duration_between(const shape& type) {
  return fmt::format("a duration from {} to {}, such as 250ms, 5s, 2m or 1h",
                     format_duration(base::from_seconds(type.min)),
                     format_duration(base::from_seconds(type.max)));
}

std::string expects_kind(const shape& type) {
  switch (type.what) {
    case kind::boolean:
      return "true or false";
    case kind::count:
      return number_between(type, "a whole number");
    case kind::number:
      return number_between(type, "a number");
    case kind::size:
      return size_between(type);
    case kind::time_span:
      return duration_between(type);
    case kind::share:
      return fmt::format("a share from {} to {}", format_share(type.min), format_share(type.max));
    case kind::choice:
      return fmt::format("one of {}", fmt::join(type.choices, ", "));
    case kind::address:
      return "ADDRESS:PORT, [IPV6]:PORT (in quotes) or unix:/PATH";
    case kind::worker_url:
      return "http://HOST:PORT, https://HOST:PORT or unix:/PATH";
    case kind::hook_url:
      return "an http:// or https:// url";
    case kind::text:
      return "a text";
    case kind::name:
      return "a name of letters, digits, '-', '_' and '.', at most 64";
    case kind::path:
      return "a path";
    case kind::http_path:
      return "an absolute path such as /load, without query";
    case kind::host:
      return "a host name or address";
    case kind::host_pattern:
      return "a host name, or *.NAME";
    case kind::method:
      return "an HTTP method";
    case kind::field_name:
      return "a header field name";
    case kind::field_value:
      return "a header field value";
    case kind::cidr:
      return "an address range such as 10.0.0.0/8";
    case kind::pem_file:
      return "the path of a PEM file";
    case kind::token_file:
      return "the path of a file with a token";
    case kind::signing_file:
      return "the path of a file with whsec_ and a base64 key";
  }
  return {};
}

std::string text_of(const shape& type, std::uint64_t n) {
  if (type.what == kind::choice) return std::string(type.choices.at(n));
  if (n == 0 && !type.zero_word.empty()) return std::string(type.zero_word);
  return type.what == kind::size ? format_size(n) : fmt::format("{}", n);
}

std::string text_of(const shape& type, bool v) {
  if (type.what == kind::choice) return std::string(type.choices.at(v));
  return v ? "true" : "false";
}

std::string text_of(const shape& type, double v) {
  return type.what == kind::share ? format_share(v) : format_number(v);
}

std::string text_of(const shape&, duration v) {
  return format_duration(v);
}
std::string text_of(const shape&, const std::string& v) {
  return v;
}
std::string text_of(const shape&, const secret& v) {
  return v.file;
}
std::string text_of(const shape&, const address& v) {
  return to_string(v);
}
std::string text_of(const shape&, const url& v) {
  return to_string(v);
}

template <class T>
std::string text_of(const shape& type, const std::vector<T>& items) {
  std::vector<std::string> texts;
  for (const auto& item : items) texts.push_back(text_of(type, item));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

std::string text_of(const shape&, const std::map<std::string, std::string>& entries) {
  std::vector<std::string> texts;
  for (const auto& [name, text] : entries) texts.push_back(fmt::format("{}: {}", name, text));
  return fmt::format("{{{}}}", fmt::join(texts, ", "));
}

bool is_bare(const shape& type, const value& v) {
  if (type.what == kind::choice) return false;
  if (std::holds_alternative<bool>(v) || type.what == kind::number) return true;
  return type.what == kind::count && !(std::holds_alternative<std::uint64_t>(v) &&
                                       std::get<std::uint64_t>(v) == 0 && !type.zero_word.empty());
}

template <class T>
std::string json_list(const shape& type, const std::vector<T>& items) {
  std::vector<std::string> texts;
  for (const auto& item : items) texts.push_back(to_json(type, value(item)));
  return fmt::format("[{}]", fmt::join(texts, ", "));
}

void collect(const section& s, std::vector<const section*>& out) {
  if (std::find(out.begin(), out.end(), &s) != out.end()) return;
  out.push_back(&s);
  for (const auto& k : s.keys)
    if (k.inside) collect(*k.inside, out);
}

}  // namespace

const key* section::find(std::string_view name) const noexcept {
  const auto at = std::find_if(keys.begin(), keys.end(), [&](auto& k) { return k.name == name; });
  return at == keys.end() ? nullptr : &*at;
}

std::vector<const section*> sections_of(const section& root) {
  std::vector<const section*> out;
  collect(root, out);
  return out;
}

std::vector<const section*> all_sections() {
  return sections_of(root_section());
}

std::string expects_one(const shape& type) {
  const auto text = expects_kind(type);
  return type.zero_word.empty() ? text : fmt::format("{} or {}", type.zero_word, text);
}

std::string expects(const shape& type) {
  const auto one = expects_one(type);
  switch (type.how) {
    case many::one:
      return one;
    case many::list:
      return fmt::format("a list, each {}", one);
    case many::one_or_list:
      return fmt::format("{}, or a list of them", one);
    case many::map:
      return "header field names with their values";
  }
  return one;
}

std::string to_text(const shape& type, const value& v) {
  return std::visit([&](const auto& held) { return text_of(type, held); }, v);
}

std::string to_json(const shape& type, const value& v) {
  if (const auto* texts = std::get_if<std::vector<std::string>>(&v)) return json_list(type, *texts);
  if (const auto* ns = std::get_if<std::vector<std::uint64_t>>(&v)) return json_list(type, *ns);
  if (const auto* entries = std::get_if<std::map<std::string, std::string>>(&v)) {
    std::vector<std::string> texts;
    for (const auto& [name, text] : *entries)
      texts.push_back(fmt::format("{}: {}", json_string(name), json_string(text)));
    return fmt::format("{{{}}}", fmt::join(texts, ", "));
  }
  return is_bare(type, v) ? to_text(type, v) : json_string(to_text(type, v));
}

}  // namespace weir::config
