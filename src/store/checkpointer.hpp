// A second thread with a connection of its own that copies the log's pages into the database while
// commits go on, so that no commit waits for all of them. The store's thread asks; what was written
// during the pass is left to it.
#pragma once

#include <atomic>
#include <condition_variable>
#include <mutex>
#include <thread>

#include "store/sqlite.hpp"

namespace weir::store {

class checkpointer {
 public:
  static outcome<std::unique_ptr<checkpointer>> start(const std::string& path, const char* vfs);
  ~checkpointer();                                     // ends the pass that runs
  void ask();                                          // for one pass
  bool idle() const noexcept { return !busy_.load(std::memory_order_acquire); }

 private:
  explicit checkpointer(database db) : db_(std::move(db)) {}
  void run();

  database db_;
  std::atomic<bool> busy_{false};
  std::mutex mutex_;
  std::condition_variable wake_;
  bool asked_ = false, closing_ = false;
  std::thread thread_;
};

}  // namespace weir::store
