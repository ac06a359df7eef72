// What an attempt's end means for the record of a durable batch. Pure; the proxy's dispatcher asks
// before it writes the end down.
#pragma once

#include "core/types.hpp"

namespace weir::core {

enum class durable_state : std::uint8_t {
  waits,      // it will be tried again, by this weir or the next
  succeeded,
  failed,     // a dead letter
};

// How an attempt of a durable batch ended, and what the pool made of it.
struct durable_end {
  attempt_end end = attempt_end::failed;
  unsigned status = 0;     // of the worker's answer; 0: none came
  core::verdict verdict;
  bool cut_off = false;    // weir itself ended it, to shut down
};

// A worker's answer says itself how the batch went: below 400 it is done, else it failed for good,
// since the pool does not try it again.
durable_state state_after(const durable_end& e) noexcept;

}  // namespace weir::core
