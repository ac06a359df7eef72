// What a pool is made of, and the moves between its parts. Private to pool*.cpp: pool.cpp has the
// public calls, pool_batches.cpp what becomes of batches, pool_durable.cpp what durable ones need
// beside, pool_blame.cpp whose fault failures are, pool_scaling.cpp the autoscaling tick,
// pool_views.cpp the copies for readers. Every public call that changes something ends in settle().
// Invariant after settle(): nothing that is ready and whose tenant is below its cap waits while a
// worker that it may use has a free slot, unless the pool is paused or closed.
#pragma once

#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

#include "core/batch.hpp"
#include "core/cost_model.hpp"
#include "core/depot.hpp"
#include "core/drain_rate.hpp"
#include "core/fleet.hpp"
#include "core/history.hpp"
#include "core/pool.hpp"
#include "core/retry.hpp"
#include "core/scaling.hpp"
#include "core/waiting_queue.hpp"

namespace weir::core {

struct pool::state {
  state(pool_settings given, std::uint64_t seed, instant now);

  enum class fault : std::uint8_t {
    none,    // nobody's: no failure, or not executed
    worker,  // counts
    outage,  // what all workers need is down: a durable batch is not charged with it
    batch,   // it fails wherever it runs
  };

  // --- a batch's way (pool_batches.cpp) ----------------------------------------------------------
  // refusal::none when the pool would take it.
  refusal turn_away(const batch_facts& facts, instant now) const noexcept {
    if (closed) return refusal::closing;
    if (facts.client_deadline <= now) return refusal::deadline;
    const bool somebody = fleet.staying() > 0 || scaling_can_bring();
    return somebody ? refusal::none : refusal::no_worker;
  }
  batch_id enter(const batch_facts& facts, instant now);
  // May it wait? Only asked when it cannot be granted at once.
  refusal room_for(batch& b, instant now);
  void leave(batch_id id, refusal why, instant now);
  void forget(batch_id id) {
    const batch& b = batches.at(id.index);
    if (b.extra != batch_extra::none) drop_extra(b);
    if (b.group != batch_groups::none) queue.groups().leave(b.group);
    queue.tenants().leave(b.account);
    batches.erase_at(id.index);
  }
  static void refuse(admission& a, refusal why, duration retry_after) noexcept;

  bool granting() const noexcept { return !paused && !closed; }
  // The worker for a batch that has just arrived; null id when it has to wait.
  worker_id pick_at_once(const batch& b) {
    const bool first = !queue.any_eligible() && queue.tenants().may_run(b.account);
    return first && granting() ? fleet.pick(b.affinity) : worker_id{};
  }
  // `seconds`: what it would take at rate 1 by what is known now.
  core::grant start(batch_id id, batch& b, worker_id worker, double seconds, instant now) {
    b.running = fleet.start(worker, id, b.cost, seconds, now);
    b.stage = batch_stage::running;
    b.since = now;
    ++b.attempt;
    ++running;
    queue.take_slot(b.account);
    const core::grant g = grant_of(id, b);
    if (b.group != batch_groups::none)
      queue.groups().runs(b.group, base::after(now, base::from_seconds(g.expected_seconds)));
    return g;
  }
  core::grant start(batch_id id, batch& b, worker_id worker, instant now) {
    return start(id, b, worker, costs.seconds_now(b.route, b.cost), now);
  }
  core::grant grant_of(batch_id id, const batch& b) const noexcept {
    const attempt& a = fleet.at(b.running);
    return {id, b.owner, a.worker, b.attempt, a.expected_seconds};
  }

  void enqueue(batch_id id, batch& b, batch_stage stage, instant now);
  void take_key(batch& b);
  void dequeue(batch_id id, batch& b, bool served);
  void set_stage(batch_id id, batch& b, batch_stage stage, instant now);
  void count_demand(const batch& b, int sign);
  void count_demand_of(const batch& b, double share, int sign);
  void keep_back(batch_id id, batch& b, instant now);
  void release_kept_back(instant now);
  void evict(batch_id id, batch& b, refusal why, instant now);
  void evict_all(refusal why, instant now);
  void expire_waits(instant now);
  // Winding down: from then on what waits is not expected to be served any more; or `never`.
  instant hopeless_from() const noexcept;
  void watch_service(instant now) noexcept;
  void dispatch(instant now);
  void settle(instant now) {
    if (outage_seen && !fleet.ejections().outage()) end_outage(now);
    if (queue.size() > 0) dispatch(now);
    if (winding_down) watch_service(now);
    if (depot.stored() > 0) order_loads(now);
    drained.backlogged(queue.any_eligible() && granting() && fleet.serving() > 0, now);
  }

  // What an attempt's end says about its worker, and what becomes of the batch.
  void judge(const batch& b, const attempt_report& report, instant now);
  [[gnu::always_inline]] void learn(const batch& b, instant now) {
    costs.learn(b.route, b.cost, fleet.learn(b.running, now));
    if (fleet.tunes()) fleet.tune(b.running, b.route, b.cost, now);
    if (drained.measures()) drained.finished(costs.seconds_now(b.route, b.cost), now);
  }
  retry_way way_on(const batch& b, const attempt_report& report) const noexcept;
  void free_slot(batch& b, const attempt_report& report, instant now) {
    --running;
    queue.give_slot(b.account);
    b.last_worker = fleet.at(b.running).worker;
    b.last_end = report.end;
    b.last_ran = now - b.since;
    report.slot_abandoned ? fleet.abandon(b.running, now) : fleet.end(b.running, now);
  }
  // It used the worker: that was no waiting, and the tenant had its turn.
  void spend_attempt(batch& b, instant now) {
    ++b.record.attempts;
    if (std::exchange(b.charged, false)) settle_account(b, now);
    if (b.wait_left != base::forever) b.wait_left -= b.since - b.since_waiting;
    b.since_waiting = now;
  }
  void settle_account(const batch& b, instant now);
  void succeed(batch_id id, batch& b, const attempt_report& report, instant now);
  // Any other end.
  verdict conclude(batch_id id, batch& b, const attempt_report& report, instant now);
  verdict move_on(batch_id id, batch& b, const attempt_report& report, worker_id on, instant now);
  verdict try_later(batch_id id, batch& b, const attempt_report& report, worker_id on, instant now);
  verdict end(batch_id id, const attempt_report& report, refusal why, instant now);
  static verdict granted(const core::grant& g) noexcept;
  static verdict waiting_on() noexcept;
  verdict failed(refusal why, instant now) noexcept;

  // --- durable batches (pool_durable.cpp) ------------------------------------------------------
  refusal turn_away_durable(const batch_facts& facts, instant now) const noexcept {
    if (closed || winding_down) return refusal::closing;
    return facts.client_deadline <= now ? refusal::deadline : refusal::none;
  }
  void admit_durable(const batch_facts& facts, admission& a, instant now);
  void enter_durable(const batch_facts& facts, std::uint32_t lane, admission& a, instant now);
  void wait_on_disk(const batch_facts& facts, std::uint32_t lane, instant now);
  bool is_durable(const batch& b) const noexcept {
    return b.extra != batch_extra::none && extras.at(b.extra).durable();
  }
  void evict_durable(instant now);
  void order_loads(instant now);
  void count_waiting(const batch& b, int sign);
  // Takes a lane's stored ones out of the sums (-1), and puts them back (1) valued anew.
  void count_stored(std::uint32_t lane, int sign) noexcept;
  void take_from_disk(std::uint32_t lane, std::uint64_t bytes, double units) noexcept;
  void revalue_lanes() noexcept;
  void recount_stored() noexcept;
  // Of bodies that wait, in memory or on disk.
  std::uint64_t backlog_bytes() const noexcept {
    return waiting_bytes + depot.waiting_bytes() + depot.stored_bytes();
  }
  // What becomes of one whose attempt did not succeed.
  verdict conclude_durable(batch_id id, batch& b, const attempt_report& report, worker_id on,
                           fault whose, instant now);
  refusal over_for(const batch& b, const attempt_report& report, fault whose) const noexcept;
  verdict go_on(batch_id id, batch& b, const attempt_report& report, worker_id on, fault whose,
                instant now);
  duration pause_before(batch& b, const attempt_report& report, fault whose, instant now);

  // --- whose fault it is (pool_blame.cpp) ------------------------------------------------------
  fault blame(batch_id id, batch& b, const attempt_report& report, worker_id on, instant began,
              instant now);
  void forgive_outage();
  void end_outage(instant now);
  bool others_fail(const batch_extra& e) const noexcept;
  void condemn(const failure_record& charged, instant now);
  batch_extra& extra_of(batch_id id, batch& b);
  void drop_extra(const batch& b) noexcept;
  refusal wait_over(const batch& b, instant now) const noexcept;

  // --- estimates ------------------------------------------------------------------------------
  // What is known of the time to come. Costs of estimates that were fixed earlier are multiplied by
  // `value` to be in seconds of now.
  struct forecast {
    double value = 1;
    double too_low = 1;   // and by this, because attempts run longer than expected
    double work = 0;      // of what waits: seconds at rate 1
    double rate = 0;      // of those a second; 0: nothing drains
    double soonest = 0;   // seconds until a slot frees
    double drain() const noexcept;                   // until the backlog is gone; may be infinite
    double grant(double cost_ahead) const noexcept;  // until its turn; may be infinite
  };
  forecast look(instant now) const noexcept;      // O(workers + running + routes)
  // Until the grant of a batch of that account which stands there; may be infinite.
  double grant_seconds(std::uint32_t account, const waiting_queue::standing& at,
                       const forecast& f) const noexcept;
  queue_place place(std::uint32_t index, const forecast& f, instant now) const noexcept;
  const forecast& lately(instant now) noexcept;   // at most `forecast_age` old: for each batch
  duration come_back(refusal why, instant now) noexcept;
  duration come_back(refusal why, batch& b, instant now);
  bool estimates_mean_something() const noexcept;
  double oldest_seconds(instant now) const noexcept;

  // --- the whole (pool_scaling.cpp) ------------------------------------------------------------
  bool scaling_can_bring() const noexcept {
    return settings.autoscale && settings.autoscale->max > 0;
  }
  // The objective is the longest that a batch should wait: while more workers can be had, nobody is
  // overtaken by those that come later than half of it. The other half is for those ahead.
  duration overtaken_max() const noexcept {
    const auto& scale = settings.autoscale;
    return scale && fleet.staying() < scale->max ? scale->objective / 2 : base::forever;
  }
  void configure_scaling(instant now);
  void give_back_drains(instant now);
  void recount_demand();
  void leave_out_capped(scale_facts& facts) const noexcept;
  void scale(instant now);
  void gather(scale_facts& facts, instant now);
  std::string scaling_holds() const;  // why; empty when it does not
  void carry_out(const scale_step& step, instant now);
  void tell(event::kind what, std::string reason, instant now);

  // --- words (pool_explain.cpp) --------------------------------------------------------------
  std::string explain_wait(batch_id id, const batch& b, instant now) const;
  static std::string when_it_starts(const batch& b, const queue_place& at, instant now);
  std::string why_it_waits(const batch& b, instant now) const;
  std::string explain_run(const batch& b, instant now) const;
  std::string explain_end(const ending& e) const;

  pool_settings settings;
  effects out;
  base::random random;
  cost_model costs;
  waiting_queue queue;
  unsized_order unsized;
  core::fleet fleet;
  retry_budget budget;
  std::optional<core::scaling> scaling;
  drain_rate drained;
  retry_after come_back_times;
  forecast last_forecast;
  instant forecast_until{};  // last_forecast may be used before
  base::slab<batch, batch_tag> batches;
  indexed_heap<instant> wait_ends;    // by batch: end of its wait or of its backoff
  indexed_heap<instant> waits_began;  // by batch: for the oldest
  std::vector<batch_id> kept_back;
  base::slab<batch_extra, struct extra_tag> extras;
  core::depot depot;
  failure_watch failures;
  history ended;
  std::vector<scale_worker> scale_workers;  // scratch of a scaling tick
  std::uint64_t told_episode = 0, told_sequence = 0;   // highest of its scale decisions
  std::uint64_t sequence = 0;               // of arrivals
  std::uint64_t waiting_bytes = 0;
  std::uint64_t running = 0, delayed = 0;
  struct demand {
    double share = 0, cost = 0;
    std::uint64_t batches = 0;
  };
  double demand_share = 0, demand_cost = 0;  // of what waits and does not back off
  std::vector<demand> capped_demand;         // of that, by account: of tenants with a max_running
  double stored_share = 0, stored_cost = 0;  // of what is on disk only, by each lane's average
  std::uint32_t revalued = 0;                // lanes up to here were valued anew lately
  double capped = 1;                         // T of the scale policy
  batch_id finishing;                        // its grant is the verdict, not an effect
  bool paused = false, winding_down = false, closed = false;
  instant unserved_since = base::never;  // while winding down: no worker can serve
  std::uint64_t refused_batches = 0, refused_bytes = 0, bounces = 0;
  std::uint64_t refused_tenants = 0, held_tenants = 0;  // by max_batches and max_running of theirs
  std::uint64_t poisoned = 0;
  bool outage_seen = false;              // the one that holds, and what led to it was taken back
};

}  // namespace weir::core
