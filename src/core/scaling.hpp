// When a pool should have more or fewer workers: `drain-cap`. Every `tick` it compares what the
// pool does with what it could, and says which workers to drain, which drains to take back, and
// what to tell the hooks. One per pool with autoscale settings, called by core::pool under the
// gate's lock: wake() and joined() cost nothing, step() walks the workers once every 5 s.
// Invariants: desired within min and max as far as workers that are not its own allow; only managed
// workers are drained, and named (`remove`) once they are empty; no decision while paused or in an
// outage; a name that was sent is never taken back; sequence always rises.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"

namespace weir::core {

// T, in seconds: a waiting batch of est seconds asks for min(1, est / T) slots, because it can use
// one at most. T = max(10 s, objective - startup_time - sustain). Always of the *configured*
// start-up time, so that it is a constant of the settings: the pool keeps
// scale_facts::waiting_share incrementally (est is fixed at arrival) and sums anew only when
// configure() changes T.
double capped_seconds(const autoscale_settings& settings) noexcept;
inline double slot_share(double est_seconds, double capped) noexcept {
  return est_seconds < capped ? est_seconds / capped : 1.0;
}

// One worker of the pool, removed ones and backup workers left out.
struct scale_worker {
  enum class standing : std::uint8_t {
    serving,  // gets batches, or will once it is proven, back up, no longer ejected or resting
    drained,  // drains, by an operator or by this machine's order
    leaving,  // is being removed: drains and will be gone (a reload, a lost lease, DELETE)
  };
  worker_id id;
  std::string_view name;  // valid during the call
  standing stands = standing::serving;
  bool managed = false;
  bool ready = false;  // serving, and up: neither checking, down nor ejected
  bool empty = true;   // no attempt on it, abandoned ones included
  std::uint32_t slots = 1;
  double finish_seconds = 0;  // until its last attempt is predicted to end; 0 when empty
};

// The pool at the moment of a tick. Batches that back off before a retry are not waiting.
struct scale_facts {
  std::uint32_t busy_slots = 0;
  std::uint64_t running = 0;
  std::uint64_t waiting = 0;
  double waiting_cost = 0;   // sum of est, seconds of work at rate 1
  double waiting_share = 0;  // sum of slot_share(est, capped_seconds(settings))
  double times_low = 1;      // both are too low by this factor, as far as is known by now
  std::uint64_t waiting_bytes = 0;
  double oldest_seconds = 0;
  double drain_seconds = 0;
  bool paused = false;
  bool outage = false;  // ejection::impaired()
  std::span<const scale_worker> workers;
};

// What to do after a tick, in this order.
struct scale_step {
  std::vector<worker_id> undrain;          // took these drains back
  std::vector<worker_id> drain;            // drain these, for good unless taken back
  std::optional<scale_decision> decision;  // for the hooks
  std::uint32_t never_came = 0;            // workers given up on in this tick
};

//   busy = EWMA over 30 s of busy slots;  back = sum over waiting batches of min(1, est / T)
//   base = workers for busy / target_utilization slots
//          (taken times what is known by now that estimates are too low, at most `waiting`)
//   want = max(min, min(workers for busy / target_utilization + back slots,
//                       max(workers for running + waiting slots, base))), at most max
//   out  : to base at once when four fifths of the headroom that target_utilization leaves are
//          taken too, or a batch has waited T / 2, or T is at its least; else to what the lower of
//          busy and its EWMA over scale_in_window asks for;
//          to want when waiting work / ready slots > max(5 s, T / 2) has held for `sustain`
//   in   : to the largest want of scale_in_window, only when <= 0.9 x current
class scaling {
 public:
  static constexpr duration tick = 5s;

  // The first tick is due one `tick` after `now`; nothing is decided before `sustain` has passed,
  // so that workers can register again after a restart, save for a batch that waits with no worker.
  scaling(const autoscale_settings& settings, instant now);

  // Decisions are numbered above these, which an earlier one of the pool has told.
  void number_above(std::uint64_t episode, std::uint64_t sequence) noexcept {
    first_episode_ = episode, first_sequence_ = sequence;
  }

  // Keeps all state. New limits hold from the next tick on.
  void configure(const autoscale_settings& settings, instant now) noexcept;

  // A batch began to wait. Makes the next tick due at once when the pool had no worker at the last
  // one and expects none. Cheap: call it for each.
  void wake(instant now) noexcept {
    if (alone_) deadline_ = std::min(deadline_, now), alone_ = false;
  }
  // A worker came (backups left out): one fewer is expected, and the start-up time is learned.
  void joined(instant now) noexcept;

  instant next_deadline() const noexcept { return deadline_; }
  // Call when now >= next_deadline(). Earlier calls do no harm.
  scale_step step(const scale_facts& facts, instant now);

  // Delivery of a decision that names this worker is about to begin. False: it was taken back
  // meanwhile (a newer decision is on its way) and must not be sent.
  bool removal_sent(worker_id worker) noexcept;
  // An operator wants it back. False: its name was sent. Otherwise it is the scale-in's no more.
  bool undrain(worker_id worker) noexcept;

  // --- views ----------------------------------------------------------------------------------
  // The standing decision; before the first one the workers that are `there`, at least min: an
  // autoscaler that reads it must not stop what has just come.
  std::uint32_t desired(std::uint32_t there) const noexcept;
  // It was told to the hooks that this worker may be stopped: it counts no more.
  bool named(worker_id worker) const noexcept;
  std::uint32_t asked_for() const noexcept;  // expected, and not yet come
  std::uint64_t never_came() const noexcept { return never_came_; }
  double startup_seconds() const noexcept;  // learned; the configured one until then
  std::uint64_t episode() const noexcept { return episode_; }
  std::uint64_t sequence() const noexcept { return sequence_; }

 private:
  enum class victim_state : std::uint8_t {
    draining,  // may still have attempts
    named,     // empty, and named in a decision that may not have been delivered
    sent,      // beyond recall
  };
  struct victim {
    worker_id id;
    victim_state state = victim_state::draining;
    bool ready = false;       // was up when its drain began: worth taking back
    std::uint32_t place = 0;  // in this tick's facts
    bool seen = false;        // in this tick's facts
  };
  struct ask {  // workers asked for at one time
    instant when{};
    std::uint32_t count = 0;  // still expected
    std::uint32_t late = 0;   // given up on; kept a while to learn from
  };
  // The workers of a tick by what they mean here.
  struct census {
    std::uint32_t serving = 0;
    std::uint32_t kept = 0;      // drained by an operator: machines that stay
    std::uint32_t draining = 0;  // victims that nobody was told of yet
    std::uint32_t slots = 0;     // of serving workers
    std::uint32_t ready_slots = 0;
  };
  // The largest want of the last while, in slices of it.
  struct window {
    static constexpr std::int64_t slices = 32;
    std::array<std::uint32_t, slices + 1> most{};  // one more: the newest is not whole yet
    std::int64_t newest = 0;                       // number of its slice since the clock's zero
    void put(std::uint32_t want, instant now, duration length) noexcept;
    std::uint32_t largest() const noexcept;
  };
  using way = scale_decision::direction;

  // What the facts say.
  census take(const scale_facts& facts);
  void match_victims(const scale_facts& facts);
  void count(const scale_worker& worker, census& c) const noexcept;
  victim* find(worker_id worker) noexcept;
  const victim* find(worker_id worker) const noexcept;
  void measure_busy(const scale_facts& facts, instant now) noexcept;

  // The formulas.
  double busy_target() const noexcept { return busy_ / settings_.target_utilization; }
  std::uint32_t workers_for(double slots, const census& c) const noexcept;
  std::uint32_t limited(std::uint32_t workers) const noexcept;
  std::uint32_t base(const census& c) const noexcept;
  std::uint32_t want(const scale_facts& facts, const census& c) const noexcept;
  bool pressed(const scale_facts& facts, const census& c, instant now) noexcept;
  bool crowded(const scale_facts& facts, const census& c) const noexcept;
  static double back(const scale_facts& facts) noexcept;
  std::uint32_t ahead(const scale_facts& facts, const census& c) const noexcept;
  std::uint32_t expected(const census& c) const noexcept { return c.serving + asked_for(); }
  std::uint32_t total(const census& c) const noexcept;
  static std::uint32_t there(const census& c) noexcept { return c.serving + c.kept + c.draining; }

  // The moves.
  void hold(instant now) noexcept;
  void decide(const scale_facts& facts, census& c, scale_step& out, instant now);
  std::uint32_t out_target(const scale_facts& facts, const census& c, instant now);
  void scale_out(std::uint32_t target, const scale_facts& facts, census& c, scale_step& out,
                 instant now);
  std::uint32_t take_back(std::uint32_t most, const scale_facts& facts, census& c, scale_step& out);
  void scale_in(const scale_facts& facts, census& c, scale_step& out, instant now);
  void pick_victims(std::uint32_t count, const scale_facts& facts, census& c, scale_step& out);
  std::uint32_t name_empty(const scale_facts& facts, census& c) noexcept;
  void tell(way direction, const scale_facts& facts, const census& c, scale_step& out, instant now);
  void tell_again(const scale_facts& facts, const census& c, scale_step& out, instant now);
  void keep(const census& c);
  void turn_out(const census& c);
  void fill(scale_decision& d, const scale_facts& facts, const census& c);

  // Workers asked for.
  void add_ask(std::uint32_t count, instant now) noexcept;
  std::uint32_t forget_asks(std::uint32_t most) noexcept;
  std::uint32_t give_up(instant now) noexcept;
  void drop_asks(duration memory, instant now) noexcept;
  void learn(duration startup) noexcept;

  autoscale_settings settings_;
  std::vector<victim> victims_;  // by id
  std::array<ask, 16> asks_{};   // oldest first; a 17th joins the newest
  std::size_t asks_size_ = 0;
  window wants_;
  way way_ = way::out;  // of the standing decision, as the next two
  std::uint64_t episode_ = 0, sequence_ = 0;               // of this one, from 1
  std::uint64_t first_episode_ = 0, first_sequence_ = 0;   // added to them
  std::string reason_;
  std::uint32_t desired_ = 0;
  std::uint32_t told_desired_ = 0;   // the number that was said last
  std::optional<double> learned_startup_;
  double busy_ = 0, busy_long_ = 0;
  std::uint32_t slots_per_worker_ = 1;  // of workers to come, as last known
  std::uint64_t never_came_ = 0;
  instant started_, deadline_;
  instant measured_ = base::never;  // busy_ was brought up to date; `never`: not yet
  instant complete_since_;          // wants_ holds everything from here on
  instant pressed_since_ = base::never;
  instant told_{};        // the standing decision, last
  bool alone_ = true;     // no worker, none expected, nothing waiting
  bool run_over_ = true;  // the standing decision's cause has ceased
};

}  // namespace weir::core
