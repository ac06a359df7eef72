// One run of the reader: where it stands, what it may load, and the mistakes found so far. Made by
// config::read, handed down to whatever reads or checks a part. A node with a mistake is
// remembered, so that rules over several keys do not judge values that never arrived.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "config/document.hpp"
#include "config/files.hpp"

namespace weir::config {

struct section;

class reading {
 public:
  // `root`: the section of the whole text.
  reading(const section& root, const file_loader& files) : root_(root), files_(files) {}

  // `message` gets the path in front: "pools.loaders.queue.max_wait: message".
  void error(const node& at, std::string_view message);
  // At a key, or anywhere that has no node of its own, without the path.
  void error_at(mark at, std::string message);
  // Likely a mistake, but a configuration that works.
  void warn(const node& at, std::string_view message);

  // The value of a key of `map` that was given and read without a mistake; else nullptr.
  const node* sound(const node& map, std::string_view key) const;
  bool has_mistake(const node& n) const { return bad_.contains(&n); }

  const section& root() const noexcept { return root_; }
  const file_loader& files() const noexcept { return files_; }
  const std::string& path() const noexcept { return path_; }

  // Extends the path for as long as it lives: ".key" or "[3]".
  class step {
   public:
    step(reading& r, std::string_view key);
    step(reading& r, std::size_t index);
    ~step() { r_.path_.resize(length_); }
    step(const step&) = delete;
    step& operator=(const step&) = delete;

   private:
    reading& r_;
    std::size_t length_;
  };

  // Sorted by position, each once.
  std::vector<diagnostic> take_errors() { return sorted(std::move(errors_)); }
  std::vector<diagnostic> take_warnings() { return sorted(std::move(warnings_)); }

 private:
  static std::vector<diagnostic> sorted(std::vector<diagnostic> found);
  std::string with_path(std::string_view message) const;

  const section& root_;
  const file_loader& files_;
  std::string path_;
  std::vector<diagnostic> errors_, warnings_;
  std::set<const node*> bad_;
};

// `text` cut at 60 bytes, control characters shown as blanks: a message is one line of some length.
std::string shortened(std::string_view text);
// The same in back quotes.
std::string quoted(std::string_view text);
// What a node is, for "X, expected Y": "nothing", "a list", "keys and values" or its quoted text as
// written, never what a variable held.
std::string describe(const node& n);

}  // namespace weir::config
