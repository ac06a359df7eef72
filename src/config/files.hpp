// What the reader needs of the world outside, as functions that tests replace: the environment and
// the reading of small files. The real ones are here too, for weir itself. Any thread that may
// block.
#pragma once

#include <cstddef>
#include <functional>
#include <optional>
#include <string>

#include "base/result.hpp"
#include "config/expand.hpp"

namespace weir::config {

// The whole content of a file, or why not.
using file_loader = std::function<base::result<std::string>(const std::string& path)>;

// The process's own environment.
std::optional<std::string> process_variable(const std::string& name);

inline constexpr std::size_t file_bytes_max = 1 << 20;
// Reads a file of at most file_bytes_max; errc::file_too_large beyond that. Only regular files, so
// that it never waits for a pipe's writer, nor reads a device without an end.
base::result<std::string> load_file(const std::string& path);

}  // namespace weir::config
