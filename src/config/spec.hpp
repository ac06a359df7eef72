// The description of every key of the configuration, once: its name, type, range, default, meaning,
// what happens at its limit, and where its value lives in config::settings. The reader, the JSON
// Schema, the reference in config/README.md, the redacted dump and the diff all walk these tables,
// so that they cannot disagree. Built on first use, immutable afterwards, any thread.
// The tables stand in spec_root.cpp, spec_route.cpp and spec_pool.cpp; spec_bind.hpp ties a row to
// a member.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "config/config.hpp"

namespace weir::config {

class reading;
struct node;

// The path in a `*_file` key and what that file held. The text is never shown.
struct secret {
  std::string file, text;
  bool operator==(const secret&) const = default;
};

// What one key can hold. Choices are held as their index.
using value = std::variant<bool, std::uint64_t, double, duration, std::string, address, url, secret,
                           std::vector<std::string>, std::vector<std::uint64_t>,
                           std::map<std::string, std::string>>;

enum class kind : std::uint8_t {
  boolean,
  count,
  number,
  size,
  time_span,
  share,
  choice,
  address,
  worker_url,
  hook_url,
  text,
  name,
  path,
  http_path,
  host,
  host_pattern,
  method,
  field_name,
  field_value,
  cidr,
  pem_file,      // readable, PEM
  token_file,    // readable, one line of visible ASCII
  signing_file,  // readable, whsec_ and base64 (Standard Webhooks)
};

enum class many : std::uint8_t { one, list, one_or_list, map };

struct shape {
  kind what = kind::text;
  many how = many::one;
  double min = 0, max = 0;     // numbers as they are, sizes in bytes, durations in seconds,
                               // shares in fractions; of a list's or map's items
  std::string_view zero_word;  // how 0 is written when it has a name of its own: "auto"
  std::vector<std::string_view> choices;
  std::size_t items_min = 0, items_max = 0;  // of lists and maps
};

struct section;

struct key {
  enum class form : std::uint8_t { leaf, section, list, map };

  std::string_view name;
  form what = form::leaf;
  bool required = false;
  bool optional = false;      // a section that may be absent
  bool restart = false;       // a change takes effect at the next start only
  bool discreet = false;      // may hold a secret of its own: dumps and diffs show it in part
  std::string_view doc;       // what it is
  std::string_view at_limit;  // what happens when it is reached; empty: nothing to say

  // Leaves.
  shape type;
  value fallback;  // the default; meaningless when required
  std::function<void(void* owner, value)> store;
  std::function<value(const void* owner)> load;
  std::function<bool(const void* owner)> given;  // for keys that exclude each other; else empty

  // Sections, lists and maps of sections. open makes an optional one; peek gives null when absent.
  // append adds one (named, in a map) and items lists those there are.
  // A list's or map's bounds stand in type.items_min and items_max, and in type.what what a map's
  // names are made of; item_name tells that of an item.
  const config::section* inside = nullptr;
  std::function<void*(void* owner)> open;
  std::function<const void*(const void* owner)> peek;
  std::function<void*(void* owner, const std::string& name)> append;
  std::function<std::vector<const void*>(const void* owner)> items;
  std::function<const std::string&(const void* item)> item_name;
  std::string_view item_key;  // the key that names an item of a list; "" in a map
};

struct section {
  std::string_view path;  // "pools.NAME.health_check"; "" for the whole file
  std::string_view doc;
  std::vector<key> keys;
  // Rules over several keys; run after they were read. May be empty.
  std::function<void(void* object, const node& at, reading&)> check{};
  std::size_t keys_min = 0;  // how many of its keys must stand there, and may (0: all)
  std::size_t keys_max = 0;

  const key* find(std::string_view name) const noexcept;
};

// The whole file. Its objects are config::settings.
const section& root_section();
const section& listener_section();
const section& route_section();
const section& pool_section();
const section& worker_section();
key autoscale_key();   // of a pool

// Every section from `root` on, each once, the root first, parents before children.
std::vector<const section*> sections_of(const section& root);
// Those of the whole configuration.
std::vector<const section*> all_sections();

// "a whole number from 1 to 64", "one of cancel, finish": what a key takes, for people.
std::string expects(const shape& type);
// The same for one item of a list or map.
std::string expects_one(const shape& type);
// A value as it is written in the file, without quotes or escapes; "" for absent texts. A secret's
// is its path.
std::string to_text(const shape& type, const value& v);
// As JSON: numbers and booleans bare, lists and maps as such, everything else a string.
std::string to_json(const shape& type, const value& v);

}  // namespace weir::config
