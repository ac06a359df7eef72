// The ejection machine alone, with workers that are up and a clock that moves when told.
#pragma once

#include <vector>

#include "core/ejection.hpp"

namespace weir::core::test {

inline constexpr instant ejection_start{1000s};

struct ejection_bench {
  ejection machine;
  std::uint32_t size;
  instant now = ejection_start;

  explicit ejection_bench(std::uint32_t workers, ejection_settings s = {})
      : machine(s), size(workers) {
    for (std::uint32_t w = 0; w < workers; ++w) machine.enter(w, health_state::up);
  }
  bool fail(std::uint32_t worker, int times = 1) {
    bool news = false;
    for (int i = 0; i < times; ++i) news |= machine.failed(worker, now);
    return news;
  }
  bool succeed(std::uint32_t worker) { return machine.succeeded(worker, now); }
  bool wait(duration d) {
    now += d;
    return machine.expire(now);
  }
};

}  // namespace weir::core::test
