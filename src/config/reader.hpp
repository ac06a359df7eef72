// From the text of a configuration file to typed settings, strictly: every mistake in the file is
// found in one run and told with its line and column, what was expected, and the nearest known
// name. Called at start, by `weir check` and by reloads, on a thread that may block on small files.
// Never throws, whatever the text.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "config/config.hpp"
#include "config/document.hpp"
#include "config/files.hpp"

namespace weir::config {

struct section;

struct outcome {
  config::settings settings;         // to be used only when ok()
  std::vector<diagnostic> mistakes;  // by position
  std::vector<diagnostic> warnings;  // works, but is most likely not what was meant
  std::string file_name;

  bool ok() const noexcept { return mistakes.empty(); }
  // "FILE:LINE:COL: message" and "FILE:LINE:COL: warning: message", a line each.
  std::string text() const;
  std::string warning_text() const;
};

// Reads `text`; `file_name` only stands in messages. Variables come from `env`, the files that
// `*_file` and certificate keys name from `files`.
outcome read(const std::string& text, std::string file_name, const environment& env,
             const file_loader& files);

// Loads the file and reads it with the process's environment. A file that cannot be loaded is one
// mistake at 1:1.
outcome read_file(const std::string& file_name);

// Other files that are described by tables of keys (spec.hpp) are read as strictly: fills `object`,
// which is what the rows of `root` store to, and returns the mistakes by position. Sections and
// keys are documented as there.
std::vector<diagnostic> read_object(const section& root, void* object, const std::string& text,
                                    const environment& env, const file_loader& files);
// A line each: "FILE:LINE:COL: message".
std::string text_of(const std::vector<diagnostic>& mistakes, const std::string& file_name);

}  // namespace weir::config
