// A file layer for SQLite in front of its own, whose nth write, sync, truncation or read fails on
// command, as a disk would. One at a time, by name: local_settings.vfs.
#pragma once

#include <sqlite3.h>

#include <atomic>

namespace weir::store::test {

class failing_vfs {
 public:
  static constexpr const char* name = "failing";

  // From here on the nth operation gives `code` (SQLITE_FULL, SQLITE_IOERR_WRITE, ...), and with
  // `ever_after` each one after it too. 0: none does.
  failing_vfs(unsigned nth, int code, bool ever_after);
  ~failing_vfs();
  failing_vfs(const failing_vfs&) = delete;
  failing_vfs& operator=(const failing_vfs&) = delete;
  bool struck() const noexcept;
};

}  // namespace weir::store::test
