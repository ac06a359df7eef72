// The configuration text as a tree of nodes with positions: what stands between YAML and the
// reader. parse_document is the only place that knows the YAML library. Called once per read, on
// the thread that reloads. Bounded before and while the library works: text size, nesting, and
// nodes after aliases are followed (an alias shares its anchor's node, so a "billion laughs" is
// counted, never built). Tags, more than one document and keys that are not plain text are refused.
#pragma once

#include <cstddef>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "config/expand.hpp"

namespace weir::config {

inline constexpr std::size_t document_bytes_max = 1 << 20;
inline constexpr std::size_t document_depth_max = 32;
inline constexpr std::size_t document_nodes_max = 100'000;

struct mark {
  unsigned line = 1, column = 1;  // both from 1; columns count bytes
  auto operator<=>(const mark&) const = default;
};

// What is wrong at a place, what was expected there and, when known, what was probably meant.
struct diagnostic {
  mark at;
  std::string message;
  bool operator==(const diagnostic&) const = default;
};
// "FILE:LINE:COL: message".
std::string to_string(const diagnostic& d, std::string_view file_name);

struct node;
using node_ptr = std::shared_ptr<const node>;

struct node {
  enum class kind : std::uint8_t { nothing, scalar, list, map };
  struct entry {
    std::string key;
    mark at;  // of the key
    node_ptr value;
  };

  kind what = kind::nothing;
  mark at;
  std::string text;     // of a scalar, variables put in
  std::string written;  // as it stands in the file: the only form that a message may show
  bool quoted = false;
  bool from_environment = false;
  bool faulty = false;  // a variable was missing: already reported, say no more
  std::vector<node_ptr> items;
  std::vector<entry> entries;
  std::size_t size = 1;  // this and all below it, aliases followed

  // The value of the first entry of that name; nullptr without one.
  const node* find(std::string_view key) const noexcept;
};

struct document {
  node_ptr root;  // null when the text is not YAML, or empty
  std::vector<diagnostic> mistakes;
};

document parse_document(const std::string& text, const environment& env);

}  // namespace weir::config
