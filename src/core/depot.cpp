#include "core/depot.hpp"

#include <algorithm>
#include <utility>

namespace weir::core {
namespace {

constexpr duration rest_after_failure = std::chrono::seconds(1);

// What a lane is given beyond a full window.
std::uint32_t lane_share(std::uint32_t window) noexcept {
  return std::clamp(window / 8, 1u, depot::order_min);
}
std::uint64_t half(std::uint32_t window) noexcept {
  return std::max(1u, window / 2);
}
// Free slots may have more loaded when what is there backs off; what is left up to twice the window
// is for lanes that have next to nothing in the pool.
std::uint64_t idle_room(std::uint32_t window) noexcept {
  return std::uint64_t{window} + half(window);
}

}  // namespace

// --- room for records ---------------------------------------------------------------------------

refusal depot::reserve(std::uint64_t bytes, const durable_settings& s) noexcept {
  refusal why = refusal::none;
  if (bytes > s.bytes_max || bytes_ > s.bytes_max - bytes) why = refusal::queue_bytes_full;
  if (batches_ >= s.batches_max) why = refusal::queue_full;
  if (why == refusal::none) {
    count(1, bytes);
  } else {
    ++refused_;
  }
  return why;
}

void depot::release(std::uint64_t bytes) noexcept {
  batches_ -= std::min<std::uint64_t>(batches_, 1);
  bytes_ -= std::min(bytes_, bytes);
}

// --- lanes --------------------------------------------------------------------------------------

std::uint32_t depot::open(std::uint32_t number, std::uint32_t route, std::int64_t place) {
  if (const std::uint32_t known = find(number); known != none) return known;
  if (number >= slot_of_.size()) slot_of_.resize(number + 1, none);
  const std::uint32_t slot = lanes_.insert().index;
  if (slot >= turn_of_.size()) turn_of_.resize(slot + 1);
  turn_of_[slot] = orders_;
  slot_of_[number] = slot;
  lane& l = lanes_.at(slot);
  l.number = number;
  l.route = route;
  l.cursor = l.newest = place - 1;
  return slot;
}

void depot::close(std::uint32_t slot) noexcept {
  const lane& l = lanes_.at(slot);
  if (l.stored > 0 || l.in_pool > 0 || l.loading) return;
  slot_of_[l.number] = none;
  lanes_.erase(lanes_.id_at(slot));
}

// Stored ones take part in the turns, unless they are being loaded.
void depot::line_up(std::uint32_t slot) {
  const lane& l = lanes_.at(slot);
  if (l.stored > 0 && !l.loading) {
    turns_.set(slot, {l.waiting, turn_of_[slot]});
  } else {
    turns_.erase(slot);
  }
  if (l.stored == 0) oldest_.erase(slot);
}

// --- batches ------------------------------------------------------------------------------------

// One from behind the cursor was put back into the queue: keep() takes the cursor back to it, which
// has what is in the pool read once more, so that it enters while there is any room.
bool depot::admits(std::uint32_t slot, std::int64_t place, std::uint32_t window) const noexcept {
  const lane& l = lanes_.at(slot);
  if (place <= l.cursor) return level() < 2ull * window;
  if (l.stored > 0 || l.loading) return false;
  const std::uint64_t room = l.waiting < lane_share(window) ? 2ull * window : window;
  return level() < room;
}

void depot::add(std::uint32_t slot, std::uint64_t batches, std::uint64_t bytes, double units,
                instant oldest) {
  lane& l = lanes_.at(slot);
  l.stored += batches, stored_ += batches;
  l.bytes += bytes, stored_bytes_ += bytes;
  l.units += units;
  if (!oldest_.contains(slot)) oldest_.set(slot, oldest);
  line_up(slot);
}

void depot::keep(std::uint32_t slot, std::int64_t place, std::uint64_t bytes, double units,
                 instant arrived) {
  lane& l = lanes_.at(slot);
  l.newest = std::max(l.newest, place);
  l.cursor = std::min(l.cursor, place - 1);
  if (l.loading && (l.put_back == 0 || place < l.put_back)) l.put_back = place;
  add(slot, 1, bytes, units, arrived);
}

void depot::restore(std::uint32_t slot, const lane_facts& facts, instant now) {
  if (facts.batches == 0) return close(slot);
  count(facts.batches, facts.bytes);
  add(slot, facts.batches, facts.bytes, facts.units, now - facts.oldest);
}

void depot::take(std::uint32_t slot, std::uint64_t bytes, double units) noexcept {
  lane& l = lanes_.at(slot);
  if (l.stored == 0) return;
  const std::uint64_t gone = l.stored == 1 ? l.bytes : std::min(bytes, l.bytes);
  --l.stored, --stored_;
  l.bytes -= gone, stored_bytes_ -= gone;
  // Sums of doubles drift; when nothing is left is the moment to start anew.
  l.units = l.stored == 0 ? 0 : std::max(0.0, l.units - units);
  line_up(slot);
}

void depot::enter(std::uint32_t slot, std::int64_t place) noexcept {
  lane& l = lanes_.at(slot);
  ++l.in_pool;
  l.cursor = std::max(l.cursor, place);
  l.newest = std::max(l.newest, place);
}

void depot::leave(std::uint32_t slot) noexcept {
  --lanes_.at(slot).in_pool;
  close(slot);
}

void depot::waits(std::uint32_t slot, std::uint64_t bytes, int sign) {
  lane& l = lanes_.at(slot);
  l.waiting += sign, waiting_ += sign;
  waiting_bytes_ += sign > 0 ? bytes : 0 - bytes;
  if (turns_.contains(slot)) line_up(slot);
}

// --- loading ------------------------------------------------------------------------------------

bool depot::hungry(std::uint32_t window, bool idle, instant now) const noexcept {
  if (turns_.empty() || loading_ >= orders_max) return false;
  if (resume_ != base::never && now < resume_) return false;
  if (level() < half(window)) return true;
  const bool starves = turns_.top_key().waiting < std::max(1u, lane_share(window) / 2);
  if (starves && level() < 2ull * window) return true;
  return idle && expected_ == 0 && level() < idle_room(window);
}

std::uint64_t depot::limit_now(std::uint32_t window, bool idle) const noexcept {
  const bool filling = level() < half(window) || (idle && level() < idle_room(window));
  const std::uint64_t beyond = filling ? idle_room(window) : 2ull * window;
  const std::uint64_t want = (level() < window ? window : beyond) - level();
  const std::uint64_t share = (want + turns_.size() - 1) / turns_.size();
  const std::uint64_t most = filling ? order_max : lane_share(window);
  return std::min({want, std::max<std::uint64_t>(share, order_min), most});
}

// Each lane is asked for its share of what is missing, so that a round serves all of them.
void depot::order(std::uint32_t window, bool idle, instant now, std::vector<load_order>& out) {
  while (hungry(window, idle, now)) {
    const std::uint64_t limit = limit_now(window, idle);
    const std::uint32_t slot = turns_.top();
    lane& l = lanes_.at(slot);
    l.limit = static_cast<std::uint32_t>(limit);
    l.expected = static_cast<std::uint32_t>(std::min(limit, l.stored));
    expected_ += l.expected;
    l.loading = true;
    ++loading_;
    turn_of_[slot] = ++orders_;
    line_up(slot);
    out.push_back({l.number, l.cursor, l.limit});
  }
}

void depot::settle_order(lane& l) noexcept {
  if (!l.loading) return;
  l.loading = false;
  --loading_;
  expected_ -= l.expected;
  l.expected = 0;
}

bool depot::loaded(std::uint32_t slot, std::size_t got, std::int64_t last) {
  lane& l = lanes_.at(slot);
  const bool all = l.loading && got < l.limit && l.put_back == 0;
  settle_order(l);
  if (got > 0) l.cursor = std::max(l.cursor, last);
  if (l.put_back != 0) l.cursor = std::min(l.cursor, std::exchange(l.put_back, 0) - 1);
  line_up(slot);
  return all;
}

void depot::forget_stored(std::uint32_t slot) noexcept {
  lane& l = lanes_.at(slot);
  batches_ -= std::min(batches_, l.stored);
  bytes_ -= std::min(bytes_, l.bytes);
  stored_ -= l.stored, stored_bytes_ -= l.bytes;
  l.stored = l.bytes = 0;
  l.units = 0;
  line_up(slot);
}

void depot::begin_anew(std::uint32_t slot) noexcept {
  forget_stored(slot);
  lane& l = lanes_.at(slot);
  l.cursor = 0;
  l.put_back = l.loading ? 1 : 0;
}

void depot::load_failed(std::uint32_t slot, instant now) {
  settle_order(lanes_.at(slot));
  line_up(slot);
  resume_ = base::after(now, rest_after_failure);
}

void depot::aged(std::uint32_t slot, instant arrived) {
  if (oldest_.contains(slot) && oldest_.key(slot) < arrived) oldest_.set(slot, arrived);
}

}  // namespace weir::core
