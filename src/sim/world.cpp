#include "sim/world.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::sim {
namespace {

using namespace std::chrono_literals;

// How soon a broken worker fails an attempt, and how soon a probe is answered.
constexpr duration fails_after = 1ms, answers_after = 1ms;

instant at(instant begin, double seconds) noexcept {
  return base::after(begin, base::from_seconds(seconds));
}

// A pool that nobody serves ends after so many seconds, whatever still waits in it: a hundred times
// what the arrivals and the work take, and never before the longest batch could end anywhere.
double patience(const workload& load, const fleet_plan& fleet) noexcept {
  constexpr double times = 100, least = 3600;
  if (load.arrivals.empty()) return least;
  double work = static_cast<double>(load.arrivals.size()) * fleet.overhead;
  double longest = 0, capacity = 0, slowest = HUGE_VAL;
  for (const arrival& a : load.arrivals) work += a.work, longest = std::max(longest, a.work);
  for (const fleet_worker& w : fleet.workers) {
    capacity += w.speed * w.slots;
    slowest = std::min(slowest, w.speed);
  }
  for (const change& c : fleet.changes)
    if (c.what == change::kind::speed && c.speed > 0) slowest = std::min(slowest, c.speed);
  const double serving = capacity > 0 ? work / capacity * times + longest / slowest : 0;
  return load.arrivals.back().at * times + serving + least;
}

}  // namespace

world::world(const workload& load, const fleet_plan& fleet, policy& decides)
    : load_(load),
      fleet_(fleet),
      policy_(decides),
      begin_(world_begin),
      now_(begin_),
      left_(load.arrivals.size()) {
  std::size_t slots = 0;
  for (const fleet_worker& f : fleet.workers) {
    worker& w = workers_.emplace_back();
    w.speed = f.speed;
    w.slots = f.slots;
    w.running.reserve(f.slots);
    slots += f.slots;
  }
  attempts_.reserve(slots);
  free_attempts_.reserve(slots);
  events_.reserve(4 * slots + workers_.size());
  out_.waits.assign(load.arrivals.size(), 0);
  out_.sojourns.assign(load.arrivals.size(), result::lost);
}

result world::run() {
  const instant last = at(begin_, patience(load_, fleet_));
  while (left_ > 0 && now_ < last) step();
  out_.lost_batches += left_;
  out_.end = seconds(now_);
  for (worker& w : workers_) shut(w);
  return std::move(out_);
}

// At equal times the fleet changes first, then attempts end, then batches arrive, then deadlines.
void world::step() {
  const auto& changes = fleet_.changes;
  const instant change = next_change_ < changes.size()
                             ? at(begin_, changes[next_change_].at) : base::never;
  const instant event = events_.empty() ? base::never : instant(duration(events_.top().at));
  const instant arrival = next_arrival_ < load_.arrivals.size()
                              ? at(begin_, load_.arrivals[next_arrival_].at) : base::never;
  const instant deadline = policy_.next_deadline();
  now_ = std::max(now_, std::min({change, event, arrival, deadline}));
  if (change <= now_) {
    change_fleet();
  } else if (event <= now_) {
    happen();
  } else if (arrival <= now_) {
    arrive();
  } else {
    policy_.expire(now_);
  }
  carry_out();
}

void world::arrive() {
  const auto batch = static_cast<std::uint32_t>(next_arrival_++);
  policy_.arrived(batch, load_.arrivals[batch], now_);
}

void world::change_fleet() {
  const change& c = fleet_.changes[next_change_++];
  worker& w = workers_[c.worker];
  if (c.what == change::kind::joins) {
    w.joined = true;
    open(w);
    policy_.joined(c.worker, fleet_.workers[c.worker], now_);
  } else {
    apply(c, w);
  }
}

void world::apply(const change& c, worker& w) {
  switch (c.what) {
    case change::kind::speed:
      return set_speed(w, c.speed);
    case change::kind::down:
      shut(w);
      w.down = true;
      return break_attempts(w);
    case change::kind::up:
      w.down = false;
      return open(w);
    case change::kind::fails:
    case change::kind::works:
      w.fails = c.what == change::kind::fails;
      return;
    case change::kind::joins:
      return;
  }
}

void world::open(worker& w) {
  w.open_since = now_;
}

void world::shut(worker& w) {
  if (w.joined && !w.down) out_.open_seconds += w.slots * base::to_seconds(now_ - w.open_since);
}

void world::set_speed(worker& w, double speed) {
  for (const std::uint32_t a : w.running) {
    attempt& one = attempts_[a];
    if (one.how != ending::good) continue;
    if (one.since > now_) continue;  // on its way: no work is done yet
    one.work_left -= w.speed * base::to_seconds(now_ - one.since);
    one.since = now_;
  }
  w.speed = speed;
  for (const std::uint32_t a : w.running)
    if (attempts_[a].how == ending::good) schedule_end(a);
}

void world::break_attempts(worker& w) {
  while (!w.running.empty()) {
    const std::uint32_t a = w.running.back();
    ++attempts_[a].version;  // its end comes now, not as scheduled
    end(a, ending::failed);
  }
}

void world::happen() {
  const happening h = events_.top().what;
  events_.pop();
  if (h.what == kind::probe_answers)
    return policy_.probed(h.about, !workers_[h.about].down, now_);
  if (attempts_[h.about].version == h.version) end(h.about, attempts_[h.about].how);
}

void world::start(const orders::start& o) {
  std::uint32_t index = static_cast<std::uint32_t>(attempts_.size());
  if (free_attempts_.empty()) {
    attempts_.emplace_back();
  } else {
    index = free_attempts_.back();
    free_attempts_.pop_back();
  }
  worker& w = workers_[o.worker];
  attempt& a = attempts_[index];
  a.batch = o.batch;
  a.worker = o.worker;
  a.place = static_cast<std::uint32_t>(w.running.size());
  a.work_left = load_.arrivals[o.batch].work;
  a.began = now_;
  a.since = base::after(now_, base::from_seconds(fleet_.overhead));
  a.how = w.down ? ending::refused : w.fails ? ending::failed : ending::good;
  w.running.push_back(index);
  ++out_.attempts;
  out_.retries += o.again;
  schedule_end(index);
}

void world::schedule_end(std::uint32_t index) {
  attempt& a = attempts_[index];
  const double takes = std::max(0.0, a.work_left) / workers_[a.worker].speed;
  const duration d = a.how == ending::good ? base::from_seconds(takes) : fails_after;
  const instant ends = base::after(a.since, d);
  events_.push(ends.time_since_epoch().count(), {index, ++a.version, kind::attempt_ends});
}

void world::end(std::uint32_t index, ending how) {
  attempt& a = attempts_[index];
  worker& w = workers_[a.worker];
  attempts_[w.running.back()].place = a.place;
  w.running[a.place] = w.running.back();
  w.running.pop_back();
  free_attempts_.push_back(index);
  out_.busy_seconds += base::to_seconds(now_ - a.began);
  if (how == ending::good) {
    const double came = load_.arrivals[a.batch].at;
    out_.waits[a.batch] = std::max(0.0, seconds(a.began) - came);
    out_.sojourns[a.batch] = std::max(0.0, seconds(now_) - came);
    --left_;
  } else {
    ++out_.failed_attempts;
  }
  policy_.ended(a.batch, a.worker, how, now_);
}

// Orders can lead to no further ones before time goes on: nothing here calls the policy.
void world::carry_out() {
  std::swap(carried_, policy_.out);
  for (const orders::start& s : carried_.starts) start(s);
  for (const std::uint32_t w : carried_.probes)
    events_.push((now_ + answers_after).time_since_epoch().count(), {w, 0, kind::probe_answers});
  out_.lost_batches += carried_.lost.size();
  left_ -= carried_.lost.size();
  carried_.clear();
}

}  // namespace weir::sim
