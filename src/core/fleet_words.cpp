// fleet, continued: how many slots a worker can use, and what it says of itself.
#include <algorithm>
#include <utility>

#include "core/fleet.hpp"

namespace weir::core {

// --- adaptive slots ------------------------------------------------------------------------------

void fleet::configure_tuner(instant now) {
  const auto& how = settings_.adaptive_slots;
  if (!how) return tuner_.reset();
  if (tuner_) return tuner_->configure(*how);
  tuner_ = std::make_unique<slot_tuner>(*how);
  for (std::uint32_t i = 0; i < workers_.extent(); ++i)
    tuner_->join(i, now, workers_.taken(i) ? workers_.at(i).running.size : 0);
}

void fleet::tune(attempt_id id, std::uint32_t route, const cost_estimate& cost, instant now) {
  const attempt& a = at(id);
  const std::uint32_t on = a.worker.index;
  const worker& w = workers_.at(on);
  if (tuner_->finished({on, id.index, w.running.size, route, a.started}, cost, slots_most(w), now))
    sync(on, now);
}

void fleet::busy(worker_id id, instant began, instant now) {
  const worker* w = workers_.find(id);
  if (w && tuner_ && tuner_->busy(id.index, began, slots_most(*w), now)) sync(id.index, now);
}

// --- its own word --------------------------------------------------------------------------------

void fleet::told(worker_id id, const worker_word& word, instant now) {
  worker* w = workers_.find(id);
  if (!w || !word.says_anything()) return;
  if (word.slots) w->slots_asked = *word.slots;
  if (word.share) w->share_asked = std::max(0.0, *word.share);
  if (word.load > 0) w->load = word.load, w->load_at = now;
  const bool drains = word.wish == worker_word::duty::drain;
  if (drains && !w->drained_by_worker) return drain(id, drain_order::by_worker, word.why, now);
  if (word.wish == worker_word::duty::ready && w->drained_by_worker)
    return undrain(id, drain_order::by_worker, now);
  sync(id.index, now);
}

void fleet::reported(worker_id id, double load, instant now) {
  worker* w = workers_.find(id);
  if (!w) return;
  w->load = load;
  w->load_at = now;
  sync(id.index, now);
}

void fleet::forget_word(worker& w) noexcept {
  w.slots_asked = 0;
  w.share_asked = 1;
  w.load = 0;
  if (std::exchange(w.drained_by_worker, false) && !w.draining()) w.reason.clear();
}

}  // namespace weir::core
