// Carries out the probes that pools order: at most `limit` at a time, the rest waits in order. Runs
// on the control thread's io_context; the app hands core::probe_order on with the worker's target
// and the outcome back to core::pool::probed.
// Invariants: one probe a worker at a time, so no more than one a worker waits; every started probe
// is told once, save those cancelled, which are never told; tell() never runs inside start().
#pragma once

#include <compare>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>

#include "core/types.hpp"
#include "probe/check.hpp"

namespace boost::asio {
class io_context;
}

namespace weir::probe {

// A worker of a pool; the app numbers its pools.
struct subject {
  std::uint64_t pool = 0;
  core::worker_id worker;
  friend auto operator<=>(const subject&, const subject&) = default;
};

class runner {
 public:
  using finished = std::function<void(const subject&, const outcome&)>;
  static constexpr std::size_t limit_default = 64;

  // `limit` is at least 1. Must be gone before the io_context is.
  runner(boost::asio::io_context& context, std::size_t limit, finished tell);
  runner(const runner&) = delete;
  runner& operator=(const runner&) = delete;
  ~runner();

  // False: this worker is being probed already, or waits for it.
  bool start(const subject& who, target what);
  // The worker went away, or its target changed. Nothing to cancel is fine.
  void cancel(const subject& who);
  void cancel_pool(std::uint64_t pool);
  void cancel_all();

  std::size_t running() const noexcept;  // cancelled ones count until their connection is closed
  std::size_t waiting() const noexcept;
  std::uint64_t limit_hits() const noexcept;  // probes that had to wait: weir_limit_hits_total

 private:
  struct state;
  std::shared_ptr<state> state_;
};

}  // namespace weir::probe
