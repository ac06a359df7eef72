// The process's signals, on a thread of their own, so that an end that was asked for comes whatever
// the other threads wait for. HUP, USR1 and the first TERM or INT are handed to `told` on that
// thread, which posts them on; a second TERM or INT too, and from then on the process has
// `last_patience` before it ends with code 1, whatever is left undone.
#pragma once

#include <atomic>
#include <chrono>
#include <functional>
#include <thread>

namespace weir::app {

class signals {
 public:
  // Blocks them in this thread, and in those that it makes from now on: before any is made.
  static void block();

  explicit signals(std::function<void(int)> told,
                   std::chrono::milliseconds last_patience = std::chrono::seconds(5));
  ~signals();   // no call of `told` after it
  signals(const signals&) = delete;
  signals& operator=(const signals&) = delete;

 private:
  void wait();

  std::function<void(int)> told_;
  const std::chrono::milliseconds last_patience_;
  std::atomic<bool> over_{false};
  std::thread thread_;
};

}  // namespace weir::app
