// The active-check machine of one worker: no traffic until a first proof, then up and down by runs
// of good and failed probes, and when to send the next probe. Lives in core::pool beside its worker
// and is called under the gate's lock; the pool's settings are handed in, so a reload needs no
// copy. Invariants: at most one probe in flight; a result that nobody waits for changes nothing; a
// worker whose checks are switched off (kind none) is up and has no deadline.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/random.hpp"
#include "core/settings.hpp"

namespace weir::core {

enum class health_state : std::uint8_t {
  checking,  // no proof yet: gets no traffic
  up,
  down,  // `fall` probes in a row failed, proven before or not
};
std::string_view name(health_state) noexcept;

class health {
 public:
  enum class change : std::uint8_t { none, came_up, went_down };

  // Checking, with the first probe due at once; up and silent when the kind is none.
  health(const health_settings& settings, instant now) noexcept;

  // The settings changed: kind none brings the worker up, other kinds keep its state. The next
  // probe comes no later than the new settings would have it.
  change configure(const health_settings& settings, instant now, base::random& random) noexcept;

  // When expire() has something to do; `never` when checks are off.
  instant next_deadline() const noexcept { return deadline_; }

  // True: a probe is due. It counts as in flight from now on; send it and answer with probed().
  // A probe that got no answer in twice the timeout and a second was lost by the sender, not by the
  // worker: it is forgotten, and another takes its place.
  bool expire(const health_settings& settings, instant now) noexcept;

  // The probe in flight ended. Ignored when none is, or when it is past its time (see expire).
  change probed(bool good, const health_settings& settings, instant now,
                base::random& random) noexcept;

  // A connection was refused, a worker registered anew: probe as soon as fast_interval after the
  // last probe's start allows, after the one in flight if there is one.
  void probe_now(const health_settings& settings, instant now) noexcept;

  health_state state() const noexcept { return state_; }
  bool in_flight() const noexcept { return in_flight_; }
  bool proven() const noexcept { return proven_; }  // was up at least once
  // Results in a row against the present state: falls while checking or up, rises while down.
  std::uint32_t streak() const noexcept { return streak_; }

 private:
  change set_state(health_state to) noexcept;
  change count_good(const health_settings& settings) noexcept;
  change count_failed(const health_settings& settings) noexcept;
  duration pause(const health_settings& settings) const noexcept;
  instant soonest(const health_settings& settings, instant now) const noexcept;

  instant deadline_{};  // of the next probe, or of giving up the one in flight
  instant started_{};   // the last probe
  std::uint32_t streak_ = 0;
  std::uint32_t backoff_ = 0;  // doublings of a down worker's interval so far
  health_state state_ = health_state::checking;
  bool in_flight_ = false;
  bool again_ = false;  // probe_now() came while one was in flight
  bool proven_ = false;
  bool started_once_ = false;
};

}  // namespace weir::core
