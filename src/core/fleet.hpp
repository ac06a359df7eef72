// The workers of a pool: who exists, what state each is in (health, ejection, drains and slow start
// combined), how many of its slots are taken, how fast it is, and who has a free slot now. Joins
// attempts, rates, health, ejection and picker. Owned by pool; events and probe orders go into the
// pool's effects.
// Invariants: the picker of a tier holds exactly its workers that serve, do not rest, and have an
// open slot free; in_flight counts abandoned attempts; a removed worker is forgotten when its last
// attempt ended.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

#include "base/random.hpp"
#include "core/attempts.hpp"
#include "core/ejection.hpp"
#include "core/health.hpp"
#include "core/indexed_heap.hpp"
#include "core/moving_exp.hpp"
#include "core/picker.hpp"
#include "core/rates.hpp"
#include "core/slot_tuner.hpp"
#include "core/types.hpp"
#include "core/views.hpp"

namespace weir::core {

// Who ordered a drain: each is taken back on its own.
enum class drain_order : std::uint8_t { by_operator, by_scaling, by_worker };

// What a worker's state follows from, the strongest first.
struct worker_condition {
  bool removed = false;
  bool draining = false;  // by an operator, by scaling, or being removed
  health_state health = health_state::checking;
  bool ejected = false;
  bool full = false;  // every open slot taken
};
worker_state combine(const worker_condition& c) noexcept;

struct worker {
  worker(const worker_settings& s, const health_settings& h, instant now)
      : settings(s), checks(h, now), state_since(now) {}

  worker_settings settings;
  core::health checks;
  attempt_list running;
  moving_exp exp_ahead;
  double learned = 1;        // exp(m_w - m_pool): seconds at rate 1 done in a second
  double relative = 1;       // that x overdue
  double offered_rate = 1;   // as the picker knows it
  double speed_counted = 0;  // what of it is in fleet's sum
  double favour = 1;         // weight x what it asked for x what it reported
  double share_asked = 1;    // of its weight, by its own word
  double load = 0;           // it reported, at load_at; 0: nothing
  instant load_at{};
  std::uint32_t slots_asked = 0;     // by its own word, 0: none
  std::uint32_t slots_lasting = 0;   // declared, asked for and adapted: open but for passing causes
  std::uint32_t slots_open = 0;
  std::uint32_t slots_earned = 0;    // beyond those that its age opens, while `ramping`
  std::uint32_t refusals = 0;  // connections refused in a row
  instant ramp_began{};        // slow start, while `ramping`
  instant rest_until{};        // while `resting`
  instant state_since;
  instant proven = instant::min();   // a batch succeeded on it, last
  instant streak_began{};            // the failures in a row that ejection counts
  instant full_since{}, freed_at{};  // its open slots were all taken; one of them became free
  worker_state shown = worker_state::checking;  // last told of; never saturated
  bool ramping = false, resting = false;
  bool drained_by_operator = false, drained_by_scaling = false, drained_by_worker = false;
  bool removing = false;
  bool entered = false;  // ejection counts it
  bool serving = false;  // up, and not draining
  bool joined_once = false;
  bool counted_backup = false;  // the tier it was last offered to
  attempt_end last_failure = attempt_end::failed;
  std::string reason;
  std::uint64_t attempts = 0, successes = 0, failures = 0;

  bool draining() const noexcept {
    return drained_by_operator || drained_by_scaling || drained_by_worker || removing;
  }
  bool& drained(drain_order by) noexcept {
    if (by == drain_order::by_worker) return drained_by_worker;
    return by == drain_order::by_operator ? drained_by_operator : drained_by_scaling;
  }
};

class fleet {
 public:
  fleet(const pool_settings& settings, effects& out, std::uint64_t seed, instant now);

  // --- workers; calls for one that is gone do nothing ------------------------------------------
  // Null id: workers_max reached (counted; with a limited seat), or the name is taken by a worker
  // that is not leaving.
  worker_id add(const worker_settings& settings, instant now, seat place = seat::limited);
  void update(worker_id id, const worker_settings& settings, instant now);
  void drain(worker_id id, drain_order by, std::string_view reason, instant now);
  void undrain(worker_id id, drain_order by, instant now);
  void remove(worker_id id, std::string_view reason, instant now);
  void probed(worker_id id, bool good, std::string_view detail, instant now);
  // Its own word: kept until it says otherwise, or comes up anew (it may be another process).
  void told(worker_id id, const worker_word& word, instant now);
  void reported(worker_id id, double load, instant now);
  // A busy answer to an attempt that began then.
  void busy(worker_id id, instant began, instant now);
  // It gets nothing for that long.
  void rest(worker_id id, duration d, instant now);
  // It refused a connection: rests, longer each time in a row, and is probed at once.
  void refused_connection(worker_id id, instant now);
  // Passive verdicts on an attempt, for ejection and the counters.
  void succeeded(worker_id id, instant now) {
    worker* w = workers_.find(id);
    if (!w) return;
    ++w->successes;
    w->proven = now;
    w->refusals = 0;
    if (ejection_.succeeded(id.index, now)) take_ejections(now);
    if (w->ramping && !any_free()) earn_slot(id.index, *w, now);
  }
  void failed(worker_id id, instant now, attempt_end how = attempt_end::failed,
              bool too_fast = false);
  // `count` failures, the last one at `failed`, were a batch's fault. In the count of those in a
  // row, ones that a success wiped out since are not taken back.
  void refund(worker_id id, std::uint32_t count, instant failed, instant now);
  // A batch succeeded on it, last; instant::min() when none did or it has left.
  instant proven(worker_id id) const noexcept {
    const worker* w = workers_.find(id);
    return w ? w->proven : instant::min();
  }
  // The settings given to the constructor changed in place.
  void reconfigured(bool new_policy, instant now);

  // --- attempts --------------------------------------------------------------------------------
  // A worker of the tier in use has a free slot.
  bool any_free() const noexcept { return !tier().empty(); }
  // The worker for the next attempt of a batch that failed on `excluded`; null id when it has to
  // wait. It may go back to one of those only when no other worker of the tier serves.
  worker_id pick(std::uint64_t affinity, std::span<const worker_id> excluded);
  worker_id pick(std::uint64_t affinity) { return chosen(tier().pick(affinity, random_)); }
  bool could_take(std::span<const worker_id> excluded) const noexcept;
  bool has_free_slot(worker_id id) const noexcept;

  // `seconds_now`: what it would take at rate 1 by what is known now.
  attempt_id start(worker_id id, batch_id batch, const cost_estimate& cost, double seconds_now,
                   instant now);
  const attempt& at(attempt_id id) const noexcept { return attempts_.at(id); }
  // Its slot is free.
  void end(attempt_id id, instant now);
  // Its slot stays taken until release() or abandoned_hold.
  void abandon(attempt_id id, instant now);
  void release(worker_id id, batch_id batch, instant now);
  // It succeeded: learns the worker's rate; log of the seconds that it would have taken at rate 1.
  double learn(attempt_id id, instant now);
  // With adaptive slots, before end().
  bool tunes() const noexcept { return tuner_ != nullptr; }
  void tune(attempt_id id, std::uint32_t route, const cost_estimate& cost, instant now);

  // --- time --------------------------------------------------------------------------------------
  instant next_deadline() const noexcept;
  void expire(instant now);

  // --- views -------------------------------------------------------------------------------------
  const worker* find(worker_id id) const noexcept { return workers_.find(id); }
  std::optional<worker_id> find(std::string_view name) const;
  worker_view view(worker_id id, instant now) const;
  double rate(const worker& w, instant now) const noexcept {
    const double share = w.ramping ? probation_share(now - w.ramp_began, slow_start()) : 1;
    return w.favour * w.relative * share;
  }
  double finish_seconds(const worker& w, instant now) const noexcept {
    return attempts_.finish_seconds(w.running, now);
  }
  const ejection& ejections() const noexcept { return ejection_; }
  // Calls f(worker_id, const worker&) for each, in order of joining.
  template <class F>
  void each(F f) const {
    for (std::uint32_t i = 0; i < workers_.extent(); ++i)
      if (workers_.taken(i)) f(workers_.id_at(i), workers_.at(i));
  }
  std::size_t size() const noexcept { return workers_.size(); }
  std::uint32_t staying() const noexcept { return staying_; }  // not being removed
  std::uint32_t serving() const noexcept { return serving_[0] + serving_[1]; }
  std::uint32_t in_flight() const noexcept { return in_flight_; }  // abandoned ones included
  // Seconds of work at rate 1 that the serving workers can do in a second. Both estimates and
  // speed are in the seconds of the pool's average worker: what all estimates are off by together
  // (m_pool) is the cost model's to correct.
  double speed() const noexcept;
  std::uint64_t refused_workers() const noexcept { return refused_workers_; }
  std::uint64_t rests_cut() const noexcept { return rests_cut_; }   // by busy_rest_max
  // From all attempts; the soonest is 0 when a worker of the tier in use has a free slot.
  outlook look(instant now) const noexcept;

 private:
  bool resting_or_full(const worker& w) const noexcept {
    return w.resting || w.running.size >= w.slots_open;
  }
  picker& tier() const noexcept { return *pickers_[serving_[0] == 0 ? 1 : 0]; }
  bool in_tier_in_use(const worker& w) const noexcept {
    return w.settings.backup == (serving_[0] == 0);
  }
  worker_id chosen(std::uint32_t index) const noexcept {
    return index == picker::none ? worker_id{} : workers_.id_at(index);
  }
  std::uint32_t pick_beside(std::uint64_t affinity, std::span<const worker_id> excluded);
  bool others_serve(std::span<const worker_id> excluded) const noexcept;

  void sync(std::uint32_t index, instant now);
  void sync_membership(std::uint32_t index, worker& w, instant now);
  void sync_state(std::uint32_t index, worker& w, instant now);
  void sync_slots(std::uint32_t index, worker& w, instant now) noexcept;
  void sync_favour(worker& w, instant now) noexcept;
  void forget_word(worker& w) noexcept;
  void configure_tuner(instant now);
  static std::uint32_t slots_most(const worker& w) noexcept {
    return w.slots_asked > 0 ? std::min(w.slots_asked, w.settings.slots) : w.settings.slots;
  }
  void sync_timer(std::uint32_t index, const worker& w, instant now);
  // Keeps the picker of its tier in the know.
  void offer(std::uint32_t index, worker& w, instant now) {
    picker& p = *pickers_[w.settings.backup];
    if (!w.serving) return p.drop(index);
    if (resting_or_full(w)) return p.fill(index, {w.offered_rate, w.running.size, w.slots_open});
    w.offered_rate = rate(w, now);
    p.put(index, {w.offered_rate, w.running.size, w.slots_open});
  }
  void count_serving(worker& w, bool serving) noexcept;
  void count_speed(worker& w) noexcept {
    const double counts = w.serving ? w.learned * w.slots_open : 0;
    speed_ += counts - w.speed_counted;
    w.speed_counted = counts;
  }
  ramp slow_start() const noexcept {
    return {settings_.slow_start, settings_.learning.joining_share};
  }
  void begin_service(worker& w, instant now) noexcept;
  void earn_slot(std::uint32_t index, worker& w, instant now);
  void lose_slots(std::uint32_t index, worker& w, instant now);
  void forget_if_empty(std::uint32_t index, instant now);
  void health_became(std::uint32_t index, worker& w, health::change change, instant now);
  void wake_up(worker& w) noexcept;
  inline void refresh_rate(std::uint32_t index, worker& w, instant now) noexcept;
  void refresh_rates(instant now);
  void wake_rates(instant now) noexcept;
  void take_ejections(instant now);
  void notice_stuck(std::uint32_t index, worker& w, instant now);
  std::string why_ejected(std::uint32_t index, const worker& w) const;
  void ejection_changed(std::uint32_t index, worker& w, instant now);
  void expire_worker(std::uint32_t index, instant now);
  void tell(event::kind what, worker_id id, const worker& w, instant now);
  void rebuild_pickers(instant now);

  static constexpr double weight_min = 1e-6;  // a rate must stay positive

  const pool_settings& settings_;
  effects& out_;
  base::random random_;
  base::slab<worker, worker_tag> workers_;
  // Those that leave included: a name may be of several, of which one at most stays.
  std::multimap<std::string, worker_id, std::less<>> by_name_;
  attempts attempts_;
  rates rates_;
  ejection ejection_;
  std::unique_ptr<slot_tuner> tuner_;               // while the settings ask for it
  std::array<std::unique_ptr<picker>, 2> pickers_;  // primary, backup
  std::array<std::uint32_t, 2> serving_{};          // by tier
  indexed_heap<instant> timers_;                    // by worker
  indexed_heap<instant> holds_;                     // by attempt: abandoned ones
  instant next_refresh_ = base::never;
  instant ramps_from_ = base::never;  // first joins before this instant are not ramped
  double speed_ = 0;        // of the serving workers' open slots
  std::uint32_t staying_ = 0, in_flight_ = 0;
  std::uint64_t refused_workers_ = 0, rests_cut_ = 0;
  bool outage_ = false;
};

}  // namespace weir::core
