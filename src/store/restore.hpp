// Makes a state_dir out of a copy that back_up() made, after all of it was checked. Run by a
// command while no weir uses the folder; blocks. What it refuses or cannot finish leaves nothing
// behind.
#pragma once

#include <string>

#include "store/records.hpp"

namespace weir::store {

struct restored {
  unix_ms taken_at = 0;
  store_counts counts;                 // running ones are queued again when weir starts
  std::uint64_t spool_files = 0;
};

// conflict: `state_dir` is not empty, another weir has it, or the copy is a newer weir's. damaged:
// the copy is not whole, or not what was written.
outcome<restored> restore(const std::string& from, const std::string& state_dir);

}  // namespace weir::store
