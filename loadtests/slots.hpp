// A worker of the fleet: runs at most `slots` batches at once, the others wait first come first
// served. Work is counted at speed 1 and goes on at the worker's speed, which may change while
// batches run. No clock and no socket: the fleet's one thread hands in the time, which never runs
// backwards. An owner has one batch at a time.
#pragma once

#include <algorithm>
#include <deque>
#include <optional>
#include <vector>

#include "sockets.hpp"

namespace weir::load {

class slots {
 public:
  static constexpr nanos never = INT64_MAX;

  slots(std::size_t count, double speed) : count_(count), speed_(speed) {}

  void take(std::uint64_t owner, nanos work, nanos now) {
    waiting_.push_back({owner, static_cast<double>(work), now});
    begin_some(now);
    waited_ += !waiting_.empty();
  }

  /// Who is done by now, one for each call.
  std::optional<std::uint64_t> done(nanos now) {
    const auto first = std::min_element(running_.begin(), running_.end(), sooner);
    if (first == running_.end() || first->ends > now) return {};
    const std::uint64_t owner = first->owner;
    running_.erase(first);
    served_++;
    begin_some(now);
    return owner;
  }

  void change_speed(double speed, nanos now) {
    for (batch& b : running_) {
      b.left = std::max(0.0, b.left - speed_ * static_cast<double>(now - b.since));
      b.since = now;
    }
    speed_ = speed;
    for (batch& b : running_) b.ends = end_of(b);
  }

  /// Its connection is gone.
  void forget(std::uint64_t owner, nanos now) {
    const auto its = [&](const batch& b) { return b.owner == owner; };
    std::erase_if(waiting_, its);
    std::erase_if(running_, its);
    begin_some(now);
  }

  nanos next_end() const {
    const auto first = std::min_element(running_.begin(), running_.end(), sooner);
    return first == running_.end() ? never : first->ends;
  }

  std::uint64_t served() const { return served_; }
  /// Batches that found no slot free.
  std::uint64_t waited() const { return waited_; }
  std::size_t running_most() const { return running_most_; }

 private:
  struct batch {
    std::uint64_t owner = 0;
    double left = 0;  // of its work, as of `since`
    nanos since = 0;
    nanos ends = 0;
  };

  static bool sooner(const batch& a, const batch& b) { return a.ends < b.ends; }
  nanos end_of(const batch& b) const { return b.since + static_cast<nanos>(b.left / speed_); }

  void begin_some(nanos now) {
    while (running_.size() < count_ && !waiting_.empty()) {
      batch b = waiting_.front();
      waiting_.pop_front();
      b.since = now;
      b.ends = end_of(b);
      running_.push_back(b);
    }
    running_most_ = std::max(running_most_, running_.size());
  }

  std::size_t count_;
  double speed_;
  std::deque<batch> waiting_;
  std::vector<batch> running_;
  std::uint64_t served_ = 0;
  std::uint64_t waited_ = 0;
  std::size_t running_most_ = 0;
};

}  // namespace weir::load
