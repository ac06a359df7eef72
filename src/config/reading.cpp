#include "config/reading.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "config/addresses.hpp"

namespace weir::config {

void reading::error(const node& at, std::string_view message) {
  bad_.insert(&at);
  errors_.push_back({at.at, with_path(message)});
}

void reading::error_at(mark at, std::string message) {
  errors_.push_back({at, std::move(message)});
}

void reading::warn(const node& at, std::string_view message) {
  warnings_.push_back({at.at, with_path(message)});
}

const node* reading::sound(const node& map, std::string_view key) const {
  const node* found = map.find(key);
  return found && !found->faulty && !has_mistake(*found) ? found : nullptr;
}

std::string reading::with_path(std::string_view message) const {
  return path_.empty() ? std::string(message) : fmt::format("{}: {}", path_, message);
}

std::vector<diagnostic> reading::sorted(std::vector<diagnostic> found) {
  std::stable_sort(found.begin(), found.end(),
                   [](const auto& a, const auto& b) { return a.at < b.at; });
  found.erase(std::unique(found.begin(), found.end()), found.end());
  return found;
}

reading::step::step(reading& r, std::string_view key) : r_(r), length_(r.path_.size()) {
  if (!r.path_.empty()) r.path_ += '.';
  r.path_ += shortened(key);
}

reading::step::step(reading& r, std::size_t index) : r_(r), length_(r.path_.size()) {
  r.path_ += fmt::format("[{}]", index);
}

std::string shortened(std::string_view text) {
  constexpr std::size_t most = 60;
  auto cut = std::min(text.size(), most);
  while (cut < text.size() && cut > 0 && (text[cut] & 0xc0) == 0x80) --cut;  // whole UTF-8 only
  std::string shown(text.substr(0, cut));
  for (char& c : shown)
    if (static_cast<unsigned char>(c) < 0x20 || c == 0x7f) c = ' ';
  return cut < text.size() ? shown + "..." : shown;
}

std::string quoted(std::string_view text) {
  return "`" + shortened(text) + "`";
}

std::string describe(const node& n) {
  switch (n.what) {
    case node::kind::nothing:
      return "nothing";
    case node::kind::list:
      return "a list";
    case node::kind::map:
      return "keys and values";
    case node::kind::scalar:
      break;
  }
  const std::string shown = shown_text(n.written);
  if (shown.empty() && !n.written.empty()) return "a url (not shown)";
  return quoted(shown) + (n.from_environment ? " (from the environment)" : "");
}

}  // namespace weir::config
