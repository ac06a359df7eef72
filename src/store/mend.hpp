// Makes a database whose pages are not what was written (a failing disk) into a sound one: every
// row that can still be read goes into a new file, which takes the old one's place; the old one
// stays beside it under another name (save its first page, when that had to be renewed). Run on the
// store's thread, with no connection open.
#pragma once

#include <string>

#include "store/sqlite.hpp"

namespace weir::store {

struct mended {
  std::uint64_t batches = 0;   // that were read
  std::uint64_t gaps = 0;      // places where something could not be
};

inline constexpr const char* damaged_suffix = ".damaged";   // the old file's

// Rows are taken as they are: their checksums are looked at when they are used.
outcome<mended> mend(const std::string& path, unix_ms now);

}  // namespace weir::store
