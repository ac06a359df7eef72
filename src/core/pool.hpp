// A pool: workers that do the same job and the batches that run on or wait for them. Joins the
// small machines of this room (queue, fleet, picker, health, ejection, retry budget, scaling) into
// the one object that the proxy shares between its loops, behind the gate's lock.
// Pure: every call gets `now`, which never runs backwards; randomness comes from the seed. A call
// returns what concerns its caller and leaves the rest in pending().
// Invariants (checked by the simulator): every admitted batch ends exactly once; no eligible slot
// idles while an eligible batch waits; slots are never exceeded; nothing is granted to a checking,
// down, ejected, draining or resting worker; retries within budget; queue within bounds.
#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/types.hpp"
#include "core/views.hpp"

namespace weir::core {

class pool {
 public:
  pool(pool_settings settings, std::uint64_t seed, instant now);
  pool(const pool&) = delete;
  pool& operator=(const pool&) = delete;
  ~pool();

  // --- batches -------------------------------------------------------------------------------
  // The number of a route's cost model; the same name gets the same number for the pool's life.
  std::uint32_t route(std::string_view name);

  admission admit(const batch_facts& facts, instant now);
  // The attempt that was granted to `batch` ended. A stale or unknown id is a caller's bug: CHECK.
  verdict finish(batch_id batch, const attempt_report& report, instant now);
  // The client left (or an operator cancelled), waiting or granted but not yet started: the batch
  // leaves the pool and its slot, if any, is free again. False: no such batch, nothing done.
  bool cancel(batch_id batch, instant now);
  // A slot given up by finish(slot_abandoned) is free: the worker closed the connection.
  void release_slot(worker_id worker, batch_id batch, instant now);
  // The bytes that weir holds of a waiting batch changed.
  void held_bytes(batch_id batch, std::uint64_t bytes);
  std::optional<queue_place> place(batch_id batch, instant now) const;

  // --- durable batches (depot.hpp) --------------------------------------------------------------
  // A batch's way: reserve_durable, its record is written, admit with facts.reserved. From then on
  // the pool counts it until it leaves: refused, done, failed, cancelled, evicted or unstored.
  // admit, loaded, load_failed and unstored are called on one thread, in the store's order.
  refusal reserve_durable(std::uint64_t bytes, instant now, instant deadline = base::never);
  void release_durable(std::uint64_t bytes);   // its record was not written after all
  // At the start, before anything is admitted.
  void restore_lane(const lane_facts& lane, instant now);
  // `got` batches of a load_order were read, the last at `last_place`, and admitted with
  // facts.loaded. Fewer than its limit: that was all.
  void loaded(std::uint32_t lane, std::size_t got, std::int64_t last_place, instant now);
  void load_failed(std::uint32_t lane, instant now);   // it is ordered again later
  // Its route is not this pool's any more: what is on disk of it counts here no longer.
  void forget_lane(std::uint32_t lane, instant now);
  // One that was on disk only was cancelled or set aside.
  void unstored(std::uint32_t lane, std::uint64_t bytes, double units, instant now);
  // Of one on disk only, about.
  std::optional<queue_place> stored_place(std::uint32_t lane, std::int64_t place,
                                          instant now) const;

  // --- workers -------------------------------------------------------------------------------
  // Null id: workers_max reached (with a limited seat), or the name is taken by a worker that is
  // not leaving.
  worker_id add_worker(const worker_settings& settings, instant now, seat place = seat::limited);
  void update_worker(worker_id worker, const worker_settings& settings, instant now);
  void drain(worker_id worker, std::string_view reason, instant now);
  // False: its name went out with a scale-in already, or it is being removed.
  bool undrain(worker_id worker, instant now);
  // Drains, and is gone (event worker_removed) when its last attempt ended.
  void remove_worker(worker_id worker, std::string_view reason, instant now);
  void probed(worker_id worker, bool good, std::string_view detail, instant now);
  // What it said of itself in the reply to a probe, after probed().
  void told(worker_id worker, const worker_word& word, instant now);
  std::optional<worker_id> find_worker(std::string_view name) const;

  // --- the pool itself -----------------------------------------------------------------------
  void configure(const pool_settings& settings, instant now);  // keeps all state
  void pause(instant now);  // hold the backlog: admit and queue, grant nothing
  void resume(instant now);
  // Shutting down: batches are admitted and served on, but nobody is scaled out any more. What
  // waits where no worker can serve is evicted soon, unless one comes up first.
  void wind_down(instant now);
  void close(instant now);  // its end: evicts what waits, admits nothing more
  // Everything whose time has come: wait limits, backoffs, ejection ends, slow start, abandoned
  // slots, probes, scaling ticks. Call when now >= next_deadline().
  void expire(instant now);
  instant next_deadline() const noexcept;
  // Delivery of a scale-in naming workers is about to begin: their drains cannot be taken back any
  // more. False: one of them was taken back meanwhile, a newer decision is on its way, and this one
  // must not be sent.
  bool removal_sent(std::span<const std::string> names, instant now);

  // The numbers of its scale decisions go on above these: an autoscaler does not follow lower ones.
  // After a start, with what was told before it.
  void scaled_before(std::uint64_t episode, std::uint64_t sequence) noexcept;

  // What calls left for the shell; it swaps the vectors out or clears them.
  effects& pending() noexcept;

  // --- views ---------------------------------------------------------------------------------
  pool_view view(instant now) const;
  std::vector<worker_view> workers(instant now) const;
  // At most `limit` waiting batches in order of dispatch within each tenant, from `offset`.
  queue_page queue(std::size_t offset, std::size_t limit, instant now) const;
  std::string explain(std::string_view label, instant now) const;
  const pool_settings& settings() const noexcept;
  std::size_t running() const noexcept;
  std::size_t waiting() const noexcept;
  bool can_serve() const noexcept;  // a worker is up, or min: 0 with scaling can bring one
  bool paused() const noexcept;
  // Why nobody serves, for an answer: "1 down, 2 draining; 3 more were asked for".
  std::string absence() const;

 private:
  struct state;
  std::unique_ptr<state> s_;
};

}  // namespace weir::core
