#include "config/document.hpp"

#include <fmt/format.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/mark.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <array>
#include <map>
#include <optional>
#include <sstream>

namespace weir::config {
namespace {

mark to_mark(const YAML::Mark& m) {
  if (m.is_null()) return {};
  return {static_cast<unsigned>(m.line) + 1, static_cast<unsigned>(m.column) + 1};
}

// Ends the parse from within a callback; caught in parse_document and nowhere else.
struct refused {
  diagnostic why;
};

[[noreturn]] void refuse(mark at, std::string message) {
  throw refused{{at, std::move(message)}};
}

// Builds the tree from the library's events.
class builder final : public YAML::EventHandler {
 public:
  builder(const std::string& text, const environment& env, std::vector<diagnostic>& mistakes)
      : text_(text), env_(env), mistakes_(mistakes) {}

  node_ptr root() const { return root_; }
  // Where the innermost list or map begins that has not ended; nothing outside of all.
  std::optional<mark> innermost() const {
    return open_.empty() ? std::nullopt : std::optional(open_.back().into->at);
  }

  void OnDocumentStart(const YAML::Mark& m) override {
    if (root_) refuse(to_mark(m), "a second document, expected one document a file");
  }
  void OnDocumentEnd() override {}

  void OnNull(const YAML::Mark& m, YAML::anchor_t anchor) override {
    if (expects_key()) refuse_key(to_mark(m));
    auto n = make(node::kind::nothing, m);
    if (!open_.empty() && open_.back().into->what == node::kind::map) n->at = open_.back().key_at;
    finish(n, anchor);
  }

  void OnAlias(const YAML::Mark& m, YAML::anchor_t anchor) override {
    if (expects_key()) refuse_key(to_mark(m));
    const auto target = anchors_.find(anchor);
    if (target == anchors_.end())
      refuse(to_mark(m), "an alias inside its own anchor, expected the value written out");
    attach(target->second, to_mark(m));
  }

  void OnScalar(const YAML::Mark& m, const std::string& tag, YAML::anchor_t anchor,
                const std::string& value) override {
    check_tag(m, tag);
    if (expects_key()) {
      open_.back().key = value;
      open_.back().key_at = to_mark(m);
      open_.back().has_key = true;
      return;
    }
    auto n = make(node::kind::scalar, m);
    n->quoted = tag == "!";
    n->written = value;
    put_in_variables(*n, m);
    finish(n, anchor);
  }

  void OnSequenceStart(const YAML::Mark& m, const std::string& tag, YAML::anchor_t anchor,
                       YAML::EmitterStyle::value) override {
    open(node::kind::list, m, tag, anchor);
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& m, const std::string& tag, YAML::anchor_t anchor,
                  YAML::EmitterStyle::value) override {
    open(node::kind::map, m, tag, anchor);
  }
  void OnMapEnd() override { close(); }

 private:
  struct frame {
    std::shared_ptr<node> into;
    YAML::anchor_t anchor;
    std::string key{};
    mark key_at{};
    bool has_key = false;
  };

  static std::shared_ptr<node> make(node::kind what, const YAML::Mark& m) {
    auto n = std::make_shared<node>();
    n->what = what;
    n->at = to_mark(m);
    return n;
  }

  [[noreturn]] static void refuse_key(mark at) {
    refuse(at, "a key that is not plain text, expected a name and a colon");
  }

  // "?" is a plain scalar or collection without a tag, "!" a quoted scalar.
  static void check_tag(const YAML::Mark& m, const std::string& tag) {
    if (!tag.empty() && tag != "?" && tag != "!")
      refuse(to_mark(m), "a YAML tag, expected a value without one");
  }

  bool expects_key() const {
    return !open_.empty() && open_.back().into->what == node::kind::map && !open_.back().has_key;
  }

  void open(node::kind what, const YAML::Mark& m, const std::string& tag, YAML::anchor_t anchor) {
    check_tag(m, tag);
    if (expects_key())
      refuse(
          to_mark(m),
          "a bracket that is not closed, or is no name, expected its end, or a name and a colon");
    if (open_.size() >= document_depth_max)
      refuse(to_mark(m),
             fmt::format("nested too deeply, expected at most {} levels", document_depth_max));
    open_.push_back({make(what, m), anchor});
  }

  void close() {
    auto done = std::move(open_.back());
    open_.pop_back();
    finish(done.into, done.anchor);
  }

  void finish(const std::shared_ptr<node>& n, YAML::anchor_t anchor) {
    if (anchor) anchors_[anchor] = n;
    attach(n, n->at);
  }

  void attach(const node_ptr& n, mark at) {
    if (open_.empty()) {
      root_ = n;
      return;
    }
    auto& top = open_.back();
    top.into->size += n->size;
    if (top.into->size > document_nodes_max)
      refuse(at, fmt::format("too many values, aliases followed, expected at most {}",
                             document_nodes_max));
    if (top.into->what == node::kind::list) {
      top.into->items.push_back(n);
      return;
    }
    top.into->entries.push_back({std::move(top.key), top.key_at, n});
    top.has_key = false;
  }

  void put_in_variables(node& n, const YAML::Mark& m) {
    auto filled = expand(n.written, env_);
    n.text = std::move(filled.text);
    n.from_environment = filled.used;
    n.faulty = !filled.faults.empty();
    for (auto& fault : filled.faults)
      mistakes_.push_back({place_of_dollar(n, m, fault.offset), std::move(fault.message)});
  }

  // Where the dollar of a written scalar stands in the text: the same count of dollars after the
  // scalar's start, which also holds in quoted and folded scalars.
  mark place_of_dollar(const node& n, const YAML::Mark& m, std::size_t offset) const {
    const auto before = std::count(n.written.begin(), n.written.begin() + offset, '$');
    auto at = m.pos < 0 ? text_.npos : text_.find('$', static_cast<std::size_t>(m.pos));
    for (auto i = before; i > 0 && at != text_.npos; --i) at = text_.find('$', at + 1);
    if (at == text_.npos) return n.at;
    const auto line_start = text_.rfind('\n', at) + 1;  // npos + 1 is 0: the first line
    const auto line = std::count(text_.begin(), text_.begin() + static_cast<long>(at), '\n') + 1;
    return {static_cast<unsigned>(line), static_cast<unsigned>(at - line_start) + 1};
  }

  const std::string& text_;
  const environment& env_;
  std::vector<diagnostic>& mistakes_;
  std::vector<frame> open_;
  std::map<YAML::anchor_t, node_ptr> anchors_;
  node_ptr root_;
};

constexpr std::string_view tab_complaint = "illegal tab when looking for indentation";

// The library's commonest complaints with what to do about them.
std::string explain(std::string_view complaint) {
  using namespace std::string_view_literals;
  constexpr std::array<std::pair<std::string_view, std::string_view>, 9> known{{
      {"end of map not found"sv,
       "a line that fits no block, expected the indentation of its block"},
      {"end of sequence not found"sv, "a line that fits no list, expected the list's indentation"},
      {"end of map flow not found"sv,
       "a `{` without its `}`, expected `,` or `}`, and "
       "quotes around texts with brackets"},
      {"end of sequence flow not found"sv,
       "a `[` without its `]`, expected `,` or `]`, and "
       "quotes around texts with brackets"},
      {tab_complaint, "a tab in the indentation, expected blanks"},
      {"illegal map value"sv,
       "a colon where no value can begin, expected other indentation, or quotes around a text"},
      {"illegal block entry"sv, "a `-` where no list can begin, expected it on a line of its own"},
      {"illegal EOF in scalar"sv, "a text without its closing quote, expected the quote"},
      {"the referenced anchor is not defined"sv,
       "an alias without its anchor, expected `&name` before"},
  }};
  for (const auto& [theirs, ours] : known)
    if (complaint.starts_with(theirs)) return fmt::format("not YAML: {}", ours);
  return fmt::format("not YAML: {}, expected a YAML document", complaint);
}

// True when that line begins with blanks of which one is a tab: whatever the library makes of it.
bool tab_indented(std::string_view text, unsigned line) noexcept {
  while (--line > 0 && text.find('\n') != text.npos) text.remove_prefix(text.find('\n') + 1);
  return text.substr(0, text.find_first_not_of(" \t")).find('\t') != text.npos;
}

mark place_of_byte(const std::string& text, std::size_t at) {
  const auto line_start = at == 0 ? 0 : text.rfind('\n', at - 1) + 1;
  const auto line = std::count(text.begin(), text.begin() + static_cast<long>(at), '\n') + 1;
  return {static_cast<unsigned>(line), static_cast<unsigned>(at - line_start) + 1};
}

// Length of the UTF-8 sequence at `i`, 0 when it is none (RFC 3629; overlong forms and surrogates
// are caught by the second byte's range).
std::size_t utf8_length(std::string_view text, std::size_t i) noexcept {
  const auto byte = [&](std::size_t k) {
    return i + k < text.size() ? static_cast<unsigned char>(text[i + k]) : 0u;
  };
  const auto tail = [&](std::size_t k) { return (byte(k) & 0xc0) == 0x80; };
  const unsigned first = byte(0);
  if (first < 0x80) return first == '\t' || first == '\n' || first == '\r' || first >= 0x20 ? 1 : 0;
  if (first >= 0xc2 && first < 0xe0) return tail(1) ? 2 : 0;
  const bool overlong = (first == 0xe0 && byte(1) < 0xa0) || (first == 0xf0 && byte(1) < 0x90);
  const bool outside = (first == 0xed && byte(1) > 0x9f) || (first == 0xf4 && byte(1) > 0x8f);
  if (overlong || outside) return 0;
  if (first >= 0xe0 && first < 0xf0) return tail(1) && tail(2) ? 3 : 0;
  if (first >= 0xf0 && first < 0xf5) return tail(1) && tail(2) && tail(3) ? 4 : 0;
  return 0;
}

// The first byte that is not text, or the size. The library guesses at encodings; so only UTF-8
// without control characters reaches it.
std::size_t first_bad_byte(std::string_view text) noexcept {
  std::size_t i = 0;
  while (i < text.size()) {
    const auto length = utf8_length(text, i);
    if (length == 0) return i;
    i += length;
  }
  return i;
}

void run_parser(const std::string& text, builder& into) {
  std::istringstream in(text);
  YAML::Parser parser(in);
  while (parser.HandleNextDocument(into)) {
  }
}

}  // namespace

const node* node::find(std::string_view key) const noexcept {
  for (const auto& e : entries)
    if (e.key == key) return e.value.get();
  return nullptr;
}

std::string to_string(const diagnostic& d, std::string_view file_name) {
  return fmt::format("{}:{}:{}: {}", file_name, d.at.line, d.at.column, d.message);
}

document parse_document(const std::string& text, const environment& env) {
  document out;
  if (text.size() > document_bytes_max) {
    out.mistakes.push_back(
        {{},
         fmt::format("a file of {} bytes, expected at most {}", text.size(), document_bytes_max)});
    return out;
  }
  if (const auto bad = first_bad_byte(text); bad != text.size()) {
    out.mistakes.push_back(
        {place_of_byte(text, bad),
         fmt::format("byte 0x{:02x}, expected UTF-8 text without control characters",
                     static_cast<unsigned char>(text[bad]))});
    return out;
  }
  builder tree(text, env, out.mistakes);
  try {
    run_parser(text, tree);
    out.root = tree.root();
  } catch (const refused& r) {
    out.mistakes.push_back(r.why);
  } catch (const YAML::Exception& e) {
    const auto begins = tree.innermost().value_or(mark{});
    const auto at = std::max(to_mark(e.mark), begins);  // at the text's end the library's is off
    const bool bracket = e.msg.find("flow not found") != e.msg.npos;
    const auto where = bracket ? fmt::format(" (it opens at line {})", begins.line) : "";
    const bool tab = tab_indented(text, at.line);
    out.mistakes.push_back(
        {tab ? mark{at.line, 1} : at,
         explain(tab ? tab_complaint : std::string_view(e.msg)) + (tab ? "" : where)});
  } catch (const std::exception& e) {
    out.mistakes.push_back({{}, explain(e.what())});
  }
  return out;
}

}  // namespace weir::config
