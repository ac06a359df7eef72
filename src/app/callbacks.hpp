// Tells who asked for it (Weir-Callback) that an asynchronous batch has ended: a signed POST, tried
// until it is taken, across restarts. The store leaves a message as a batch ends; this reads those
// that are due, a few at a time, and has each forgotten once it is settled. One per weir with a
// state_dir, on the control thread. Invariants: a callback goes only to an origin that the batch's
// route allows now, and never to a link-local or metadata address; what is not settled stays in
// the store.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string_view>

#include "app/callback_pace.hpp"
#include "app/callback_queue.hpp"
#include "config/config.hpp"
#include "scale/attempt.hpp"
#include "store/engine.hpp"
#include "telemetry/metrics.hpp"

namespace weir::app {

// The values of weir_callbacks_total's label `outcome`: failed counts attempts, the others
// callbacks, each of which ends as one of them.
enum class callback_outcome : std::uint8_t { delivered, failed, gone, expired, refused };
std::string_view name(callback_outcome) noexcept;

struct callback_services {
  scale::attempt_tools tools;
  store::engine& engine;
  telemetry::registry& metrics;
  unsigned shard;
  std::function<store::unix_ms()> clock;
  callback_limits limits{};
  scale::outbox_settings backoff{};
  base::duration give_up = std::chrono::hours(24);   // after the batch's end
  std::uint64_t seed = 1;
};

class callbacks {
 public:
  explicit callbacks(callback_services services);
  callbacks(const callbacks&) = delete;
  callbacks& operator=(const callbacks&) = delete;
  ~callbacks();   // drops what is under way; the store has it

  // The routes' callbacks, at the start and after each reload.
  void configure(const config::settings& s);
  // A batch with a callback has ended.
  void look();

 private:
  struct state;
  struct delivery;
  std::shared_ptr<state> state_;
};

}  // namespace weir::app
