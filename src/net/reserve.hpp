// Free objects kept for the next taker, so that the steady state allocates none. What nobody needed
// between two calls of trim() is let go, so that a burst's memory does not stay for good.
// Used by one loop's thread.
#pragma once

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace weir::net {

template <class T>
class reserve {
 public:
  // Keeps at most `kept_max`.
  explicit reserve(std::size_t kept_max) : kept_max_(kept_max) {}

  bool empty() const noexcept { return free_.empty(); }
  std::size_t size() const noexcept { return free_.size(); }
  // The one that came last; not to be called when empty.
  T take() {
    T t = std::move(free_.back());
    free_.pop_back();
    least_ = std::min(least_, free_.size());
    return t;
  }
  void give(T t) {
    if (free_.size() < kept_max_) free_.push_back(std::move(t));
  }
  // Returns how many went.
  std::size_t trim() {
    const std::size_t unused = std::exchange(least_, 0);
    free_.erase(free_.begin(), free_.begin() + static_cast<std::ptrdiff_t>(unused));
    least_ = free_.size();
    return unused;
  }

 private:
  std::vector<T> free_;
  std::size_t kept_max_;
  std::size_t least_ = 0;   // kept at any time since the last trim
};

}  // namespace weir::net
