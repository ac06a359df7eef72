#include "config/reader.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <map>

#include "config/addresses.hpp"
#include "config/nearest.hpp"
#include "config/reading.hpp"
#include "config/scalar.hpp"
#include "config/spec.hpp"

namespace weir::config {
namespace {

void read_section(const section& s, void* object, const node& n, reading& r);

std::string inside(const reading& r) {
  return r.path().empty() ? "" : " in " + r.path();
}

// Sections elsewhere that know a key of this name: it may only stand in the wrong place.
std::string other_places(const section& here, std::string_view name, const reading& r) {
  std::vector<std::string_view> places;
  for (const auto* s : sections_of(r.root()))
    if (s != &here && s->find(name)) places.push_back(s->path.empty() ? "the top level" : s->path);
  if (places.empty() || places.size() > 3) return {};
  return fmt::format(" (it belongs in {})", fmt::join(places, " or "));
}

void unknown_key(const section& s, const node::entry& e, reading& r) {
  std::vector<std::string_view> known;
  for (const auto& k : s.keys) known.push_back(k.name);
  const auto elsewhere = other_places(s, e.key, r);
  const auto close = elsewhere.empty() ? nearest(e.key, known) : "";
  r.error_at(e.at, fmt::format("unknown key {}{}{}, expected one of {}{}", quoted(e.key), inside(r),
                               elsewhere, fmt::join(known, ", "),
                               close.empty() ? "" : fmt::format(", did you mean {}", close)));
}

// False when the key stood there before, which is reported.
bool first_of_its_name(const node& map, const node::entry& e, reading& r) {
  const auto first = std::find_if(map.entries.begin(), map.entries.end(),
                                  [&](const auto& other) { return other.key == e.key; });
  if (&*first == &e) return true;
  r.error_at(e.at, fmt::format("repeated key {}{}, expected once (first at line {})", quoted(e.key),
                               inside(r), first->at.line));
  return false;
}

bool sized(const shape& type, const node& n, std::size_t size, reading& r) {
  if (size >= type.items_min && size <= type.items_max) return true;
  r.error(n, fmt::format("{} entries, expected {} to {}", size, type.items_min, type.items_max));
  return false;
}

bool is_list(const node& n, std::string_view expected, reading& r) {
  if (n.what == node::kind::list) return true;
  if (!n.faulty) r.error(n, fmt::format("{}, expected {}", describe(n), expected));
  return false;
}

bool is_map(const node& n, std::string_view expected, reading& r) {
  if (n.what == node::kind::map) return true;
  if (!n.faulty) r.error(n, fmt::format("{}, expected {}", describe(n), expected));
  return false;
}

value collected(const shape& type, std::vector<value> items) {
  if (type.what == kind::count) {
    std::vector<std::uint64_t> out;
    for (auto& v : items) out.push_back(std::get<std::uint64_t>(v));
    return out;
  }
  std::vector<std::string> out;
  for (auto& v : items) out.push_back(std::get<std::string>(std::move(v)));
  return out;
}

std::optional<value> read_items(const shape& type, const node& n, reading& r) {
  if (!is_list(n, expects(type), r) || !sized(type, n, n.items.size(), r)) return {};
  std::vector<value> items;
  for (std::size_t i = 0; i < n.items.size(); ++i) {
    const reading::step here(r, i);
    if (auto v = read_scalar(type, *n.items[i], r)) items.push_back(std::move(*v));
  }
  return collected(type, std::move(items));
}

bool same_field(std::string_view a, std::string_view b) {
  const auto low = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(),
                    [&](char x, char y) { return low(x) == low(y); });
}

// Header field names with values; names are case-insensitive (RFC 9110 §5.1).
std::optional<value> read_fields(const shape& type, const node& n, reading& r) {
  if (!is_map(n, expects(type), r) || !sized(type, n, n.entries.size(), r)) return {};
  std::map<std::string, std::string> out;
  for (const auto& e : n.entries) {
    const auto first = std::find_if(n.entries.begin(), n.entries.end(), [&](const auto& other) {
      return same_field(other.key, e.key);
    });
    if (&*first != &e)
      r.error_at(e.at, fmt::format("repeated field {}{}, expected once", quoted(e.key), inside(r)));
    if (!valid_token(e.key))
      r.error_at(e.at, fmt::format("{}{}, expected a header field name", quoted(e.key), inside(r)));
    const reading::step here(r, e.key);
    if (auto v = read_scalar(type, *e.value, r)) out[e.key] = std::get<std::string>(std::move(*v));
  }
  return value(std::move(out));
}

std::optional<value> read_one_or_list(const shape& type, const node& n, reading& r) {
  if (n.what == node::kind::list) return read_items(type, n, r);
  auto one = read_scalar(type, n, r);
  if (!one) return {};
  std::vector<value> items;
  items.push_back(std::move(*one));
  return collected(type, std::move(items));
}

std::optional<value> read_value(const shape& type, const node& n, reading& r) {
  switch (type.how) {
    case many::one:
      return read_scalar(type, n, r);
    case many::list:
      return read_items(type, n, r);
    case many::one_or_list:
      return read_one_or_list(type, n, r);
    case many::map:
      return read_fields(type, n, r);
  }
  return {};
}

void read_list(const key& k, void* owner, const node& n, reading& r) {
  if (!is_list(n, "a list", r) || !sized(k.type, n, n.items.size(), r)) return;
  for (std::size_t i = 0; i < n.items.size(); ++i) {
    const reading::step here(r, i);
    read_section(*k.inside, k.append(owner, {}), *n.items[i], r);
  }
}

bool fits(const shape& names, const std::string& text) {
  return names.what == kind::name ? valid_name(text) : !text.empty() && valid_field_value(text);
}

void read_map(const key& k, void* owner, const node& n, reading& r) {
  if (!is_map(n, "names with keys and values", r) || !sized(k.type, n, n.entries.size(), r)) return;
  for (const auto& e : n.entries) {
    if (!first_of_its_name(n, e, r)) continue;
    if (!fits(k.type, e.key))
      r.error_at(e.at,
                 fmt::format("{}{}, expected {}", quoted(e.key), inside(r), expects(k.type)));
    const reading::step here(r, e.key);
    read_section(*k.inside, k.append(owner, e.key), *e.value, r);
  }
}

void read_key(const key& k, void* owner, const node& n, reading& r) {
  const reading::step here(r, k.name);
  switch (k.what) {
    case key::form::leaf:
      if (auto v = read_value(k.type, n, r)) k.store(owner, std::move(*v));
      return;
    case key::form::section:
      if (is_map(n, "keys and values", r)) read_section(*k.inside, k.open(owner), n, r);
      return;
    case key::form::list:
      read_list(k, owner, n, r);
      return;
    case key::form::map:
      read_map(k, owner, n, r);
      return;
  }
}

// Keys that must be there, and how many of those that exclude each other.
void check_presence(const section& s, const node& n, reading& r) {
  std::vector<std::string_view> names;
  std::size_t given = 0;
  for (const auto& k : s.keys) {
    names.push_back(k.name);
    if (n.find(k.name)) ++given;
    if (k.required && !n.find(k.name))
      r.error_at(n.at,
                 fmt::format("missing key {}{}, expected {}", quoted(k.name), inside(r),
                             k.what == key::form::leaf ? expects(k.type) : "at least one entry"));
  }
  const auto choice = fmt::format("{}", fmt::join(names, ", "));
  if (s.keys_max && given > s.keys_max)
    r.error(n, fmt::format("{} keys, expected only one of {}", given, choice));
  if (given < s.keys_min) r.error(n, "no key, expected one of " + choice);
}

void read_section(const section& s, void* object, const node& n, reading& r) {
  if (!is_map(n, "keys and values", r)) return;
  for (const auto& e : n.entries) {
    const key* k = s.find(e.key);
    if (!k) {
      unknown_key(s, e, r);
    } else if (first_of_its_name(n, e, r)) {
      read_key(*k, object, *e.value, r);
    }
  }
  check_presence(s, n, r);
  if (s.check) s.check(object, n, r);
}

// What an empty file lacks: "listeners, routes and pools", or nothing in particular.
std::string least(const section& root) {
  std::vector<std::string_view> names;
  for (const auto& k : root.keys)
    if (k.required) names.push_back(k.name);
  if (names.empty()) return "keys and values";
  const std::string last(names.back());
  names.pop_back();
  return names.empty() ? last : fmt::format("{} and {}", fmt::join(names, ", "), last);
}

void read_text(void* object, const std::string& text, const environment& env, reading& r) {
  auto parsed = parse_document(text, env);
  for (auto& mistake : parsed.mistakes) r.error_at(mistake.at, std::move(mistake.message));
  if (parsed.root) {
    read_section(r.root(), object, *parsed.root, r);
  } else if (parsed.mistakes.empty()) {
    r.error_at({}, fmt::format("an empty file, expected at least {}", least(r.root())));
  }
}

std::string lines(const std::vector<diagnostic>& found, const std::string& file_name,
                  std::string_view mark) {
  std::string out;
  for (const auto& d : found)
    out += to_string({d.at, std::string(mark) + d.message}, file_name) + "\n";
  return out;
}

}  // namespace

std::string outcome::text() const {
  return lines(mistakes, file_name, "");
}
std::string outcome::warning_text() const {
  return lines(warnings, file_name, "warning: ");
}

outcome read(const std::string& text, std::string file_name, const environment& env,
             const file_loader& files) {
  outcome out;
  out.file_name = std::move(file_name);
  reading r(root_section(), files);
  read_text(&out.settings, text, env, r);
  out.mistakes = r.take_errors();
  out.warnings = r.take_warnings();
  return out;
}

std::vector<diagnostic> read_object(const section& root, void* object, const std::string& text,
                                    const environment& env, const file_loader& files) {
  reading r(root, files);
  read_text(object, text, env, r);
  return r.take_errors();
}

std::string text_of(const std::vector<diagnostic>& mistakes, const std::string& file_name) {
  return lines(mistakes, file_name, "");
}

outcome read_file(const std::string& file_name) {
  auto text = load_file(file_name);
  if (text) return read(*text, file_name, process_variable, load_file);
  outcome out;
  out.file_name = file_name;
  out.mistakes.push_back({{}, "cannot be read (" + text.error().message() + ")"});
  return out;
}

}  // namespace weir::config
