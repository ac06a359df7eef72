// Threads for what may block (files): a loop's coroutine awaits run(), which does the work on one
// of them and comes back to the loop. Made by the app, shared by all loops; ends after what it was
// given is done, and must outlive the loops' coroutines that await it.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <mutex>
#include <optional>
#include <thread>
#include <type_traits>
#include <utility>
#include <vector>

#include "net/loop.hpp"
#include "net/task.hpp"

namespace weir::net {

class offload {
 public:
  explicit offload(unsigned threads);
  offload(const offload&) = delete;
  offload& operator=(const offload&) = delete;
  ~offload();

  // From any thread. In order with one thread; with more, at once.
  void post(std::function<void()> work);

  // On the loop's thread: its result, once the work was done elsewhere. `work` must not touch what
  // the loop may change meanwhile.
  template <class Work>
  task<std::invoke_result_t<Work&>> run(loop& home, Work work) {
    std::optional<std::invoke_result_t<Work&>> result;
    signal done(home);
    // All of these are in this frame, which stays until the post below has rung.
    post([&] {
      result.emplace(work());
      home.post([&done] { done.ring(); });
    });
    co_await done;
    co_return std::move(*result);
  }

 private:
  void serve();

  std::mutex lock_;
  std::condition_variable wake_;
  std::deque<std::function<void()>> waiting_;   // under the lock, as the next
  bool closing_ = false;
  std::vector<std::thread> threads_;
};

}  // namespace weir::net
