#include "config/schema.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <array>

#include "config/json_text.hpp"
#include "config/spec.hpp"
#include "config/units.hpp"

namespace weir::config {
namespace {

struct definition {
  kind what;
  std::string_view name, doc, pattern;
  std::string_view types = "\"string\"";
};

// Kinds of text that have a grammar of their own. YAML readers turn some plain texts into numbers
// or booleans, so those types are named where such a text is fine.
constexpr std::string_view any_plain = "[\"string\", \"number\", \"boolean\"]";
constexpr std::string_view or_integer = "[\"string\", \"integer\"]";
constexpr std::array<definition, 19> definitions{{
    {kind::time_span, "duration", "Whole numbers with units: 250ms, 5s, 2m, 1h, 7d, 1h30m.",
     "^([0-9]+(d|h|m|s|ms|ns))+$"},
    {kind::size, "size", "Bytes, or a whole number with a unit: 64KiB, 1GiB, 10MB.",
     "^[0-9]+(B|KB|MB|GB|TB|KiB|MiB|GiB|TiB)?$", or_integer},
    {kind::share, "share", "A percentage: 20%.", "^[0-9]+(\\\\.[0-9]+)?%$"},
    {kind::address, "address", "ADDRESS:PORT, [IPV6]:PORT or unix:/PATH.",
     "^(unix:/.+|([0-9.]+|\\\\[[0-9A-Fa-f:.]+\\\\]):[0-9]{1,5})$"},
    {kind::worker_url, "worker_url", "http://HOST:PORT, https://HOST:PORT or unix:/PATH.",
     "^(unix:/.+|https?://([A-Za-z0-9_.-]+|\\\\[[0-9A-Fa-f:.]+\\\\])(:[0-9]{1,5})?/?)$"},
    {kind::hook_url, "hook_url", "An http:// or https:// url without user or fragment.",
     "^https?://[^/?#@ ]+([/?][^# ]*)?$"},
    {kind::text, "text", "Any text.", "", any_plain},
    {kind::name, "name", "Letters, digits, '-', '_' and '.', at most 64.",
     "^[A-Za-z0-9][A-Za-z0-9_.-]{0,63}$", or_integer},
    {kind::path, "path", "A path in the file system, from weir's working directory.", "",
     or_integer},
    {kind::http_path, "http_path", "An absolute path of a url, or nothing.", "^(/[^?# ]*)?$"},
    {kind::host, "host", "A host name or IPv4 address without port, or nothing.",
     "^[A-Za-z0-9_.-]*$", any_plain},
    {kind::host_pattern, "host_pattern", "A host name without port, or *.NAME.",
     "^(\\\\*\\\\.)?[A-Za-z0-9_.-]+$", any_plain},
    {kind::method, "method", "An HTTP method; case counts.", "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$"},
    {kind::field_name, "field_name", "The name of a header field.", "^[A-Za-z0-9!#$%&'*+.^_`|~-]+$",
     any_plain},
    {kind::field_value, "field_value", "The value of a header field.", "", any_plain},
    {kind::cidr, "cidr", "An address range such as 10.0.0.0/8, or one address.",
     "^[0-9A-Fa-f.:]+(/[0-9]{1,3})?$"},
    {kind::pem_file, "pem_file", "Path of a PEM file.", "", or_integer},
    {kind::token_file, "token_file", "Path of a file that holds one line: a token.", "",
     or_integer},
    {kind::signing_file, "signing_file", "Path of a file that holds whsec_ and a base64 key.", "",
     or_integer},
}};

// "pools.NAME.health_check" -> "pools.health_check": no brackets or stand-ins in a reference.
std::string definition_name(const section& s) {
  std::string out(s.path);
  for (const std::string_view drop : {"[]", ".NAME"})
    for (auto at = out.find(drop); at != out.npos; at = out.find(drop)) out.erase(at, drop.size());
  return out;
}

std::string reference(std::string_view name) {
  return fmt::format("{{\"$ref\": \"#/$defs/{}\"}}", name);
}

std::string plain_number(const shape& type, std::string_view json_type) {
  return fmt::format("{{\"type\": \"{}\", \"minimum\": {}, \"maximum\": {}}}", json_type,
                     format_number(type.min), format_number(type.max));
}

std::string choices(const shape& type) {
  std::vector<std::string> words;
  for (const auto word : type.choices) words.push_back(json_string(word));
  return fmt::format("{{\"enum\": [{}]}}", fmt::join(words, ", "));
}

std::string scalar_schema(const shape& type) {
  for (const auto& d : definitions)
    if (d.what == type.what) return reference(d.name);
  const auto bare = type.what == kind::boolean  ? std::string("{\"type\": \"boolean\"}")
                    : type.what == kind::count  ? plain_number(type, "integer")
                    : type.what == kind::number ? plain_number(type, "number")
                                                : choices(type);
  const auto word = type.zero_word.empty()
                        ? std::string{}
                        : fmt::format("{{\"const\": {}}}, ", json_string(type.zero_word));
  return fmt::format("{{\"anyOf\": [{}{}, {}]}}", word, bare, reference("variable"));
}

std::string list_schema(const shape& type, const std::string& item) {
  return fmt::format("{{\"type\": \"array\", \"minItems\": {}, \"maxItems\": {}, \"items\": {}}}",
                     type.items_min, type.items_max, item);
}

std::string leaf_schema(const shape& type) {
  const auto one = scalar_schema(type);
  switch (type.how) {
    case many::one:
      return one;
    case many::list:
      return list_schema(type, one);
    case many::one_or_list:
      return fmt::format("{{\"anyOf\": [{}, {}]}}", one, list_schema(type, one));
    case many::map:
      return fmt::format(
          "{{\"type\": \"object\", \"maxProperties\": {}, \"propertyNames\": {}, "
          "\"additionalProperties\": {}}}",
          type.items_max, reference("field_name"), one);
  }
  return one;
}

std::string key_schema(const key& k) {
  if (k.what == key::form::leaf) return leaf_schema(k.type);
  const auto inside = reference(definition_name(*k.inside));
  if (k.what == key::form::section) return inside;
  if (k.what == key::form::list) return list_schema(k.type, inside);
  return fmt::format(
      "{{\"type\": \"object\", \"minProperties\": {}, \"maxProperties\": {}, "
      "\"propertyNames\": {}, \"additionalProperties\": {}}}",
      k.type.items_min, k.type.items_max,
      reference(k.type.what == kind::name ? "name" : "field_value"), inside);
}

// What the description adds to the bare schema: the range where JSON cannot say it, the limit.
std::string description(const key& k) {
  std::string out(k.doc);
  const bool ranged =
      k.type.what == kind::time_span || k.type.what == kind::size || k.type.what == kind::share;
  if (k.what == key::form::leaf && ranged) out += fmt::format(" Takes {}.", expects(k.type));
  if (!k.at_limit.empty()) out += fmt::format(" At the limit: {}", k.at_limit);
  if (k.restart && k.inside) out += " To add or remove it needs a restart.";
  if (k.restart && !k.inside) out += " A change needs a restart.";
  return out;
}

void write_key(const key& k, json_text& json) {
  json.name(k.name);
  json.open('{');
  json.text_member("description", description(k));
  if (k.what == key::form::leaf && !k.required) json.member("default", to_json(k.type, k.fallback));
  const auto schema = key_schema(k);
  json.raw(schema.substr(1, schema.size() - 2));  // its members, beside those above
  json.close('}');
}

void write_section(const section& s, json_text& json) {
  json.text_member("description", s.doc);
  json.text_member("type", "object");
  json.member("additionalProperties", "false");
  if (s.keys_min) json.member("minProperties", fmt::format("{}", s.keys_min));
  if (s.keys_max) json.member("maxProperties", fmt::format("{}", s.keys_max));
  std::vector<std::string> required;
  for (const auto& k : s.keys)
    if (k.required) required.push_back(json_string(k.name));
  if (!required.empty()) json.member("required", fmt::format("[{}]", fmt::join(required, ", ")));
  json.name("properties");
  json.open('{');
  for (const auto& k : s.keys) write_key(k, json);
  json.close('}');
}

void write_kinds(json_text& json) {
  json.member("variable",
              "{\"description\": \"A text with ${NAME} or ${NAME:-default} in it, from the "
              "environment.\", \"type\": \"string\", \"pattern\": \"\\\\$\\\\{\"}");
  for (const auto& d : definitions) {
    const auto pattern = d.pattern.empty() ? "" : fmt::format(", \"pattern\": \"{}\"", d.pattern);
    json.name(d.name);
    json.open('{');
    json.text_member("description", d.doc);
    json.member("anyOf",
                fmt::format("[{{\"type\": {}{}}}, {}]", d.types, pattern, reference("variable")));
    json.close('}');
  }
}

}  // namespace

std::string schema_json() {
  json_text json;
  json.open('{');
  json.text_member("$schema", "https://json-schema.org/draft/2020-12/schema");
  json.text_member("title", "weir configuration");
  write_section(root_section(), json);
  json.name("$defs");
  json.open('{');
  for (const auto* s : all_sections()) {
    if (s == &root_section()) continue;
    json.name(definition_name(*s));
    json.open('{');
    write_section(*s, json);
    json.close('}');
  }
  write_kinds(json);
  json.close('}');
  json.close('}');
  return json.take();
}

}  // namespace weir::config
