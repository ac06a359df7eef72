// One value of the configuration: from a YAML scalar to the typed value that a key's shape asks
// for, files named by `*_file` keys and certificates included. Called by the reader.
#pragma once

#include <optional>

#include "config/reading.hpp"
#include "config/spec.hpp"

namespace weir::config {

// Reads a scalar by `type.what` (never a list), or reports at `n` and returns nothing.
std::optional<value> read_scalar(const shape& type, const node& n, reading& r);

}  // namespace weir::config
