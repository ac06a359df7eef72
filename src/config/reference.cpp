#include "config/reference.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "config/spec.hpp"
#include "config/units.hpp"

namespace weir::config {
namespace {

std::string between(std::string_view what, const std::string& min, const std::string& max) {
  return fmt::format("{}, {} to {}", what, min, max);
}

std::string choices(const shape& type) {
  std::vector<std::string> words;
  for (const auto word : type.choices) words.push_back(fmt::format("`{}`", word));
  return fmt::format("{}", fmt::join(words, ", "));
}

std::string one_type(const shape& type) {
  const auto bytes = [](double n) { return format_size(static_cast<std::uint64_t>(n)); };
  const auto time = [](double s) { return format_duration(base::from_seconds(s)); };
  switch (type.what) {
    case kind::boolean:
      return "`true`, `false`";
    case kind::choice:
      return choices(type);
    case kind::count:
      return between("whole number", format_number(type.min), format_number(type.max));
    case kind::number:
      return between("number", format_number(type.min), format_number(type.max));
    case kind::size:
      return between("size in bytes", bytes(type.min), bytes(type.max));
    case kind::time_span:
      return between("duration", time(type.min), time(type.max));
    case kind::share:
      return between("share", format_share(type.min), format_share(type.max));
    case kind::address:
      return "address";
    case kind::worker_url:
      return "worker url";
    case kind::hook_url:
      return "http or https url";
    case kind::text:
      return "text";
    case kind::name:
      return "name";
    case kind::path:
      return "path";
    case kind::http_path:
      return "url path";
    case kind::host:
      return "host name";
    case kind::host_pattern:
      return "host name or `*.NAME`";
    case kind::method:
      return "HTTP method";
    case kind::field_name:
      return "header field name";
    case kind::field_value:
      return "header field value";
    case kind::cidr:
      return "address range";
    case kind::pem_file:
      return "path of a PEM file";
    case kind::token_file:
      return "path of a token file";
    case kind::signing_file:
      return "path of a key file";
  }
  return {};
}

std::string type_of(const key& k) {
  if (k.what == key::form::section) return "keys below";
  if (k.what == key::form::list)
    return fmt::format("list of keys below, {} to {}", k.type.items_min, k.type.items_max);
  if (k.what == key::form::map)
    return fmt::format("names with keys below, {} to {}", k.type.items_min, k.type.items_max);
  const auto one = one_type(k.type);
  const auto word = k.type.zero_word.empty() ? "" : fmt::format("`{}` or ", k.type.zero_word);
  switch (k.type.how) {
    case many::one:
      return word + one;
    case many::list:
      return fmt::format("list of {} to {}: {}", k.type.items_min, k.type.items_max, one);
    case many::one_or_list:
      return fmt::format("{}, or a list of up to {}", one, k.type.items_max);
    case many::map:
      return fmt::format("up to {} header fields with values", k.type.items_max);
  }
  return one;
}

std::string default_of(const key& k) {
  if (k.required) return "required";
  if (k.what == key::form::section) return k.optional ? "absent" : "as below";
  if (k.what == key::form::list || k.what == key::form::map) return "none";
  const auto text = to_text(k.type, k.fallback);
  if (text.empty() || text == "[]" || text == "{}") return "none";
  return fmt::format("`{}`", text);
}

std::string meaning(const key& k) {
  std::string out(k.doc);
  if (k.restart && !k.inside) out += " A change needs a restart.";
  if (k.restart && k.inside) out += " To add or remove it needs a restart.";
  return out;
}

std::string row(const key& k) {
  return fmt::format("| `{}` | {} | {} | {} | {} |\n", k.name, type_of(k), default_of(k),
                     meaning(k), k.at_limit.empty() ? "–" : k.at_limit);
}

std::string table(const section& s) {
  std::string out = s.path.empty() ? "### The top level\n\n" : fmt::format("### `{}`\n\n", s.path);
  out += fmt::format("{}\n\n", s.doc);
  out += "| key | type, unit, range | default | meaning | at its limit |\n|---|---|---|---|---|\n";
  for (const auto& k : s.keys) out += row(k);
  return out;
}

}  // namespace

std::string reference_markdown() {
  return reference_markdown(root_section());
}

std::string reference_markdown(const section& root) {
  std::vector<std::string> tables;
  for (const auto* s : sections_of(root)) tables.push_back(table(*s));
  return fmt::format("{}", fmt::join(tables, "\n"));
}

}  // namespace weir::config
