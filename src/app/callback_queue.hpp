// Which undelivered callbacks are in memory, and when the store is asked for more: however many
// there are, only those that are due first are read, and few of them at once. Pure: the time is
// handed in (Unix milliseconds, as the store has it), `callbacks` performs.
// Invariants: no message is under way twice; at most at_once are; the store is asked by one call at
// a time; what somebody else left there is found within `poll`, and at once after look().
#pragma once

#include <deque>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "store/records.hpp"

namespace weir::app {

struct callback_limits {
  unsigned at_once = 8;         // deliveries
  unsigned held = 64;           // read ahead
  store::unix_ms poll = 60'000;
  store::unix_ms pause = 5'000;   // after the store failed
  store::unix_ms wait_max = 7'200'000;   // a longer wait is a clock that was set back
};

class callback_queue {
 public:
  explicit callback_queue(callback_limits limits = {}) : limits_(limits) {}

  // The store may have new ones.
  void look() noexcept { look_ = true; }
  // How many to ask the store for, those due first; 0: none now. Otherwise loaded() or
  // store_failed() has to follow.
  unsigned load(store::unix_ms now);
  void loaded(std::vector<store::message> first, store::unix_ms now);
  // It could not be read, or written. Nothing is asked of it for a while.
  void store_failed(store::unix_ms now);

  // The next to deliver, which is under way from then on. Nothing: none is at hand, or enough are.
  std::optional<store::message> begin();
  // The store knows what became of it.
  void ended(const std::string& name);

  // When load() may want something, unless look() is called before.
  store::unix_ms next_load() const noexcept;

 private:
  bool due(const store::message& m, store::unix_ms now) const noexcept {
    return m.due <= now || m.due > now + limits_.wait_max;
  }

  const callback_limits limits_;
  std::deque<store::message> ready_;
  std::set<std::string> under_way_;
  bool look_ = true, loading_ = false;
  unsigned asked_ = 0;
  store::unix_ms next_ = 0;          // the first that is not due yet, or time to look anyway
  store::unix_ms paused_until_ = 0;
};

}  // namespace weir::app
