// The right to a state_dir: one process at a time has it, and a crash gives it back. Taken by
// whoever opens or restores a store, before anything in the folder is read.
#pragma once

#include <string>

#include "store/file.hpp"
#include "store/records.hpp"

namespace weir::store {

class folder_lock {
 public:
  static constexpr const char* name = "lock";   // of the file

  folder_lock() = default;
  // Makes the folder if it is missing. conflict, "… is locked …": another weir has it.
  static outcome<folder_lock> take(const std::string& folder);

 private:
  explicit folder_lock(file held) : held_(std::move(held)) {}
  file held_;
};

outcome<void> make_folder(const std::string& path);   // with those above it

}  // namespace weir::store
