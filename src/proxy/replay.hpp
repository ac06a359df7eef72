// A copy of a request's body for a later attempt, as far as it was read, within the limits of one
// batch and of all. Over a limit the copy is given up and the body streams on without the promise.
// Used by one exchange; the budget is shared between loops.
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "net/relay.hpp"
#include "proxy/plan.hpp"

namespace weir::proxy {

class replay_copy final : public net::body_keeper {
 public:
  ~replay_copy() { stop(); }

  void start(const plan& p);
  void stop() noexcept;               // gives the memory back

  void keep(std::string_view bytes) override;
  bool keeping() const noexcept { return keeping_; }
  std::string_view bytes() const noexcept { return bytes_; }
  // Which limit ended it; null when none did.
  const telemetry::counter* limit_hit() const noexcept { return limit_hit_; }

 private:
  void give_up(const counter_ptr& limit) noexcept;

  std::shared_ptr<replay_budget> budget_;
  const limit_counters* hits_ = nullptr;
  const telemetry::counter* limit_hit_ = nullptr;
  std::string bytes_;
  bool keeping_ = false;
};

}  // namespace weir::proxy
