// How fast the backlog drains, in seconds of work at rate 1 a second, and what Retry-After to
// answer with. Measured while something waits (only then does what finishes show what the fleet
// can do), over 30 s; with few batches finished the fleet's learned speed stands in. Used by pool
// for ETAs, client deadlines and refusals. Invariant: no worker, no rate; every Retry-After is at
// least 1 s and at most 1 h.
#pragma once

#include "base/time.hpp"

namespace weir::core {

using base::duration;
using base::instant;

class drain_rate {
 public:
  static constexpr double window_seconds = 30;
  static constexpr double few = 8;  // finished batches at which measured and learned weigh alike

  // Something began to wait, or nothing does any more.
  void backlogged(bool is, instant now) noexcept {
    if (is != backlogged_) turn(is, now);
  }
  // Does what finishes count? While something waits.
  bool measures() const noexcept { return backlogged_; }
  // A batch of that many seconds at rate 1 finished.
  void finished(double seconds, instant now) noexcept;
  // `learned`: the fleet's speed; the answer when nothing was measured, 0 when it is 0.
  double per_second(double learned) const noexcept;

 private:
  void turn(bool backlogged, instant now) noexcept;
  void advance(instant now) noexcept;

  double cost_ = 0, batches_ = 0, seconds_ = 0;  // decayed
  instant since_{};
  bool backlogged_ = false;
};

// Seconds until `cost` has drained at that rate; infinity when nothing drains.
double drain_seconds(double cost, double per_second) noexcept;

// Hands out times to come back: successive refusals are spread evenly over the time that the
// backlog takes, by the golden ratio's sequence, so that clients do not come back as a herd.
class retry_after {
 public:
  static constexpr duration least = std::chrono::seconds(1);
  static constexpr duration most = std::chrono::hours(1);

  // Nobody need come back before the soonest slot frees.
  duration next(double soonest_seconds, double drain_seconds) noexcept;

 private:
  double phase_ = 0;  // in [0, 1)
};

}  // namespace weir::core
