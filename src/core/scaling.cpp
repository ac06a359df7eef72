#include "core/scaling.hpp"

#include <algorithm>
#include <cmath>
#include <utility>

namespace weir::core {
namespace {

constexpr double busy_window_seconds = 30;  // of the EWMA over busy slots
constexpr double pressure_seconds = 5;      // of waiting work a ready slot, and this share of T:
constexpr double pressure_share = 0.5;      // more than both is pressure
constexpr double waited_share = 0.5;        // of T: who has waited that long shows that slots lack
constexpr double headroom_share = 0.8;      // of what target_utilization leaves free; see crowded()
constexpr duration least_capped = 10s;      // T is never less
constexpr double in_share = 0.9;            // scale in only to at most this share of what is there
constexpr int patience_startups = 2;        // an asked-for worker is counted on this long
constexpr int memory_startups = 5;          // and, late, learned from this long
constexpr double learning_share = 0.3;      // weight of a new start-up time in the learned one

std::uint32_t whole(double workers) noexcept {
  const double up = std::ceil(workers - 1e-9);  // 3.0000000001 of rounding are 3 workers
  return up <= 0 ? 0 : static_cast<std::uint32_t>(std::min(up, 1e9));
}

// Of the objective, for batches that wait already when a worker is asked for.
duration time_left(const autoscale_settings& s) noexcept {
  return s.objective - s.startup_time - s.sustain;
}

std::string tenths(double x) {
  const auto n = static_cast<std::uint64_t>(std::clamp(x, 0.0, 1e15) * 10 + 0.5);
  return std::to_string(n / 10) + "." + std::to_string(n % 10);
}

}  // namespace

double capped_seconds(const autoscale_settings& settings) noexcept {
  return base::to_seconds(std::max(least_capped, time_left(settings)));
}

scaling::scaling(const autoscale_settings& settings, instant now)
    : settings_(settings), started_(now), deadline_(base::after(now, tick)), complete_since_(now) {
  slots_per_worker_ = std::max(1u, settings.slots_per_worker);
}

void scaling::configure(const autoscale_settings& settings, instant now) noexcept {
  if (settings.scale_in_window != settings_.scale_in_window) {
    wants_ = {};
    complete_since_ = now;
  }
  settings_ = settings;
}

// --- a tick --------------------------------------------------------------------------------------

scale_step scaling::step(const scale_facts& facts, instant now) {
  scale_step out;
  deadline_ = base::after(now, tick);
  measure_busy(facts, now);
  out.never_came = give_up(now);
  census c = take(facts);
  if (facts.paused || facts.outage)
    hold(now);
  else
    decide(facts, c, out, now);
  if (sequence_ > 0) keep(c);
  alone_ = expected(c) == 0 && facts.waiting == 0;
  return out;
}

// No decision, and nothing seen now says what will be needed later.
void scaling::hold(instant now) noexcept {
  pressed_since_ = base::never;
  complete_since_ = now;
  if (way_ == way::out) run_over_ = true;
}

void scaling::decide(const scale_facts& facts, census& c, scale_step& out, instant now) {
  wants_.put(want(facts, c), now, settings_.scale_in_window);
  const std::uint32_t target = out_target(facts, c, now);
  const bool more = target > expected(c);
  const bool ongoing = way_ == way::out ? more || pressed_since_ != base::never : !victims_.empty();
  if (!ongoing) run_over_ = true;
  if (more)
    scale_out(target, facts, c, out, now);
  else
    scale_in(facts, c, out, now);
  if (!out.decision) tell_again(facts, c, out, now);
}

// --- what the facts say ----------------------------------------------------------------------

void scaling::measure_busy(const scale_facts& facts, instant now) noexcept {
  const bool first = measured_ == base::never;
  const double passed = first ? 0 : base::to_seconds(now - measured_);
  const auto follow = [&](double& mean, double seconds) {
    if (first) mean = facts.busy_slots;
    mean += (facts.busy_slots - mean) * -std::expm1(-passed / seconds);
  };
  follow(busy_, busy_window_seconds);
  follow(busy_long_, std::max(busy_window_seconds, base::to_seconds(settings_.scale_in_window)));
  measured_ = now;
}

scaling::census scaling::take(const scale_facts& facts) {
  match_victims(facts);
  census c;
  for (const scale_worker& worker : facts.workers) count(worker, c);
  if (settings_.slots_per_worker > 0)
    slots_per_worker_ = settings_.slots_per_worker;
  else if (c.serving > 0)
    slots_per_worker_ = std::max(1u, c.slots / c.serving);
  return c;
}

// Forgets victims that left, and those that somebody else disposed of.
void scaling::match_victims(const scale_facts& facts) {
  for (victim& v : victims_) v.seen = false;
  for (std::uint32_t i = 0; i < facts.workers.size(); ++i) {
    const scale_worker& worker = facts.workers[i];
    victim* v = find(worker.id);
    if (!v || worker.stands == scale_worker::standing::serving) continue;
    const bool leaves = worker.stands == scale_worker::standing::leaving;
    v->seen = !(leaves && v->state == victim_state::draining);
    v->place = i;
  }
  std::erase_if(victims_, [](const victim& v) { return !v.seen; });
}

void scaling::count(const scale_worker& worker, census& c) const noexcept {
  if (const victim* v = find(worker.id)) {
    c.draining += v->state == victim_state::draining;
  } else if (worker.stands == scale_worker::standing::serving) {
    ++c.serving;
    c.slots += worker.slots;
    c.ready_slots += worker.ready ? worker.slots : 0;
  } else if (worker.stands == scale_worker::standing::drained) {
    ++c.kept;
  }
}

scaling::victim* scaling::find(worker_id worker) noexcept {
  const auto at = std::ranges::lower_bound(victims_, worker, {}, &victim::id);
  return at != victims_.end() && at->id == worker ? &*at : nullptr;
}

const scaling::victim* scaling::find(worker_id worker) const noexcept {
  return const_cast<scaling*>(this)->find(worker);
}

// --- the formulas ----------------------------------------------------------------------------

// Those that serve count with the slots they have, those to come with what is known of such.
std::uint32_t scaling::workers_for(double slots, const census& c) const noexcept {
  if (c.serving > 0 && slots <= c.slots) return whole(slots * c.serving / c.slots);
  return c.serving + whole((slots - c.slots) / slots_per_worker_);
}

std::uint32_t scaling::limited(std::uint32_t workers) const noexcept {
  return std::clamp(workers, settings_.min, std::max(settings_.min, settings_.max));
}

std::uint32_t scaling::base(const census& c) const noexcept {
  return workers_for(busy_target(), c);
}

// Slots for the backlog. What waits was estimated at its arrival: sizes that nobody declared are
// known better once some of their like have run, or run on and on.
double scaling::back(const scale_facts& facts) noexcept {
  return std::min(static_cast<double>(facts.waiting), facts.waiting_share * facts.times_low);
}

std::uint32_t scaling::want(const scale_facts& facts, const census& c) const noexcept {
  const auto batches = static_cast<double>(facts.running + facts.waiting);
  const std::uint32_t by_work = workers_for(busy_target() + back(facts), c);
  const std::uint32_t by_count = std::max(workers_for(batches, c), base(c));
  return limited(std::min(by_work, by_count));
}

// Has more waited than the ready slots do in T / 2, for as long as `sustain`? What they do sooner
// would be done before a worker asked for now could take any of it in time.
bool scaling::pressed(const scale_facts& facts, const census& c, instant now) noexcept {
  const double seconds = std::max(pressure_seconds, pressure_share * capped_seconds(settings_));
  const double work = facts.waiting_cost * facts.times_low;
  const bool pressure = facts.waiting > 0 && (c.ready_slots == 0 || work > seconds * c.ready_slots);
  if (!pressure) pressed_since_ = base::never;
  if (pressure && pressed_since_ == base::never) pressed_since_ = now;
  return pressure && now - pressed_since_ >= settings_.sustain;
}

// Are the slots, those to come included, so busy that batches are about to wait, or do they wait?
// Where workers start too slowly to help a batch that waits, the target itself is the mark.
bool scaling::crowded(const scale_facts& facts, const census& c) const noexcept {
  const double u = settings_.target_utilization;
  const double slots = c.slots + static_cast<double>(asked_for()) * slots_per_worker_;
  const double taken = time_left(settings_) < least_capped ? 0 : headroom_share;
  if (busy_ > slots * (u + taken * (1 - u)) + 1e-9) return true;
  return facts.waiting > 0 && facts.oldest_seconds >= waited_share * capped_seconds(settings_);
}

// What utilization alone asks for. A mark that is crossed and crossed back within minutes would
// cost a start and a stop each time, so without need it has to be crossed for long. Kubernetes' HPA
// has its tolerance and its stabilization window for the same.
std::uint32_t scaling::ahead(const scale_facts& facts, const census& c) const noexcept {
  if (crowded(facts, c)) return base(c);
  return workers_for(std::min(busy_, busy_long_) / settings_.target_utilization, c);
}

std::uint32_t scaling::out_target(const scale_facts& facts, const census& c, instant now) {
  const bool held = pressed(facts, c, now);
  const bool first = expected(c) == 0 && facts.waiting > 0;
  const bool settled = now - started_ >= settings_.sustain;
  std::uint32_t target = first ? 1 : 0;
  if (settled) target = std::max({target, settings_.min, ahead(facts, c)});
  if (settled && held) target = std::max(target, want(facts, c));
  return target > 0 ? limited(target) : 0;
}

// Workers that are there or expected, save those whose removal was decided.
std::uint32_t scaling::total(const census& c) const noexcept {
  return there(c) + asked_for();
}

// --- out ---------------------------------------------------------------------------------------

void scaling::scale_out(std::uint32_t target, const scale_facts& facts, census& c, scale_step& out,
                        instant now) {
  // Within one run an absolute number does not fall, so that no receiver reads a scale-in in it.
  const bool same_run = way_ == way::out && !run_over_;
  if (same_run && desired_ > c.kept) target = std::max(target, limited(desired_ - c.kept));
  const std::uint32_t before = expected(c);
  const std::uint32_t renamed = take_back(target - before, facts, c, out);
  const std::uint32_t most = std::max(settings_.min, settings_.max);
  const std::uint32_t room = most - std::min(most, total(c));
  const std::uint32_t asked = std::min(target - std::min(target, expected(c)), room);
  if (asked > 0) add_ask(asked, now);
  if (asked == 0 && renamed == 0) return;
  reason_ = before == 0 ? "batches wait and no worker is there or expected"
            : pressed_since_ != base::never
                ? tenths(facts.waiting_cost * facts.times_low) + " s of work wait for " +
                      std::to_string(c.ready_slots) + " ready slots"
                : tenths(busy_) + " busy slots, minimum " + std::to_string(settings_.min);
  if (renamed > 0) reason_ += "; " + std::to_string(renamed) + " removals are taken back";
  tell(way::out, facts, c, out, now);
}

// Drains of workers that were up, those that nobody was told of first, then those with most left
// to do: they would be here longest anyway. Returns how many of them had been named.
std::uint32_t scaling::take_back(std::uint32_t most, const scale_facts& facts, census& c,
                                 scale_step& out) {
  std::vector<victim> back;
  for (const victim& v : victims_)
    if (v.state != victim_state::sent && v.ready) back.push_back(v);
  std::ranges::stable_sort(back, [&](const victim& a, const victim& b) {
    if (a.state != b.state) return a.state < b.state;
    return facts.workers[a.place].finish_seconds > facts.workers[b.place].finish_seconds;
  });
  if (back.size() > most) back.resize(most);
  std::uint32_t named = 0;
  for (const victim& v : back) {
    const scale_worker& worker = facts.workers[v.place];
    named += v.state == victim_state::named;
    c.draining -= v.state == victim_state::draining;
    ++c.serving;
    c.slots += worker.slots;
    c.ready_slots += worker.slots;
    out.undrain.push_back(v.id);
    undrain(v.id);
  }
  return named;
}

// --- in ----------------------------------------------------------------------------------------

void scaling::scale_in(const scale_facts& facts, census& c, scale_step& out, instant now) {
  const std::uint32_t have = expected(c), most = std::max(wants_.largest(), settings_.min);
  const bool known = now - complete_since_ >= settings_.scale_in_window;
  std::uint32_t dropped = 0;
  if (known && pressed_since_ == base::never && most <= in_share * have) {
    dropped = forget_asks(have - most);
    pick_victims(have - most - dropped, facts, c, out);
  }
  const std::uint32_t named = name_empty(facts, c);
  if (dropped + named == 0) return;
  reason_ = "at most " + std::to_string(most) + (most == 1 ? " worker was" : " workers were") +
            " needed in the last " + tenths(base::to_seconds(settings_.scale_in_window)) + " s";
  if (c.draining > 0) reason_ += "; " + std::to_string(c.draining) + " still drain";
  tell(way::in, facts, c, out, now);
}

// Managed workers: those that are not up, then idle ones, then those that are done first.
void scaling::pick_victims(std::uint32_t count, const scale_facts& facts, census& c,
                           scale_step& out) {
  std::vector<const scale_worker*> candidates;
  for (const scale_worker& worker : facts.workers)
    if (worker.managed && worker.stands == scale_worker::standing::serving)
      candidates.push_back(&worker);
  const auto left = [](const scale_worker* w) { return w->empty ? -1.0 : w->finish_seconds; };
  std::ranges::stable_sort(candidates, [&](const scale_worker* a, const scale_worker* b) {
    if (a->ready != b->ready) return b->ready;
    return left(a) < left(b);
  });
  if (candidates.size() > count) candidates.resize(count);
  for (const scale_worker* worker : candidates) {
    out.drain.push_back(worker->id);
    victims_.insert(std::ranges::lower_bound(victims_, worker->id, {}, &victim::id),
                    {.id = worker->id, .ready = worker->ready});
    --c.serving;
    ++c.draining;
  }
}

std::uint32_t scaling::name_empty(const scale_facts& facts, census& c) noexcept {
  std::uint32_t named = 0;
  for (victim& v : victims_) {
    const bool ripe = v.seen && v.state == victim_state::draining && facts.workers[v.place].empty;
    if (!ripe) continue;
    v.state = victim_state::named;
    --c.draining;
    ++named;
  }
  return named;
}

bool scaling::removal_sent(worker_id worker) noexcept {
  victim* v = find(worker);
  if (!v || v->state == victim_state::draining) return false;
  v->state = victim_state::sent;
  return true;
}

bool scaling::undrain(worker_id worker) noexcept {
  const victim* v = find(worker);
  if (!v) return true;
  if (v->state == victim_state::sent) return false;
  victims_.erase(victims_.begin() + (v - victims_.data()));
  return true;
}

// --- decisions ---------------------------------------------------------------------------------

void scaling::tell(way direction, const scale_facts& facts, const census& c, scale_step& out,
                   instant now) {
  if (sequence_ == 0 || direction != way_ || run_over_) ++episode_;
  run_over_ = false;
  way_ = direction;
  desired_ = total(c);
  told_ = now;
  fill(out.decision.emplace(), facts, c);
}

void scaling::tell_again(const scale_facts& facts, const census& c, scale_step& out, instant now) {
  if (sequence_ == 0 || settings_.resend <= duration::zero() || now - told_ < settings_.resend)
    return;
  told_ = now;
  keep(c);
  const bool turns = way_ == way::in && desired_ > there(c);
  if (turns) turn_out(c);
  const bool says_the_same = !turns && desired_ == told_desired_;
  fill(out.decision.emplace(), facts, c);
  out.decision->resent = says_the_same;
}

// Who came unasked is not to be killed undrained.
void scaling::keep(const census& c) {
  if (total(c) <= desired_) return;
  reason_ = std::to_string(total(c)) + " workers are there or expected, " +
            std::to_string(desired_) + " were wanted";
  desired_ = total(c);
}

// Workers that the standing decision counts on are not there: what it asks for now is more.
void scaling::turn_out(const census& c) {
  way_ = way::out;
  ++episode_;
  run_over_ = true;
  reason_ =
      std::to_string(there(c)) + " of " + std::to_string(desired_) + " wanted workers are there";
}

void scaling::fill(scale_decision& d, const scale_facts& facts, const census& c) {
  d.way = way_;
  d.episode = first_episode_ + episode_;
  d.sequence = first_sequence_ + ++sequence_;
  d.desired = told_desired_ = desired_;
  d.current = there(c);
  d.reason = reason_;
  d.backlog_batches = facts.waiting;
  d.backlog_cost = facts.waiting_cost;
  d.backlog_bytes = facts.waiting_bytes;
  d.oldest_seconds = facts.oldest_seconds;
  d.drain_seconds = facts.drain_seconds;
  for (const victim& v : victims_)
    if (v.state != victim_state::draining) d.remove.emplace_back(facts.workers[v.place].name);
}

bool scaling::named(worker_id worker) const noexcept {
  const victim* v = find(worker);
  return v && v->state != victim_state::draining;
}

std::uint32_t scaling::desired(std::uint32_t there) const noexcept {
  return sequence_ > 0 ? desired_ : std::max(there, settings_.min);
}

// --- workers asked for -----------------------------------------------------------------------

std::uint32_t scaling::asked_for() const noexcept {
  std::uint32_t sum = 0;
  for (std::size_t i = 0; i < asks_size_; ++i) sum += asks_[i].count;
  return sum;
}

double scaling::startup_seconds() const noexcept {
  return learned_startup_.value_or(base::to_seconds(settings_.startup_time));
}

void scaling::add_ask(std::uint32_t count, instant now) noexcept {
  if (asks_size_ == asks_.size())
    asks_.back().count += count;
  else
    asks_[asks_size_++] = {now, count, 0};
}

// Newest first: the older ones are nearest to being here.
std::uint32_t scaling::forget_asks(std::uint32_t most) noexcept {
  std::uint32_t forgotten = 0;
  for (std::size_t i = asks_size_; i > 0 && forgotten < most; --i) {
    const std::uint32_t n = std::min(asks_[i - 1].count, most - forgotten);
    asks_[i - 1].count -= n;
    forgotten += n;
  }
  return forgotten;
}

std::uint32_t scaling::give_up(instant now) noexcept {
  const duration patience =
      std::max<duration>(2 * tick, base::from_seconds(patience_startups * startup_seconds()));
  std::uint32_t given_up = 0;
  for (std::size_t i = 0; i < asks_size_; ++i) {
    if (now - asks_[i].when < patience) continue;
    given_up += asks_[i].count;
    asks_[i].late += std::exchange(asks_[i].count, 0);
  }
  never_came_ += given_up;
  drop_asks(base::from_seconds(memory_startups * startup_seconds()), now);
  return given_up;
}

// Asks that are answered, and those given up on for so long that nothing is to be learned.
void scaling::drop_asks(duration memory, instant now) noexcept {
  std::size_t kept = 0;
  for (std::size_t i = 0; i < asks_size_; ++i) {
    const ask& a = asks_[i];
    const bool useful = a.count > 0 || (a.late > 0 && now - a.when < memory);
    if (useful) asks_[kept++] = a;
  }
  asks_size_ = kept;
}

// A worker that comes answers the oldest ask, given up on or not; when it comes late, whoever was
// asked for in its stead is not expected any more.
void scaling::joined(instant now) noexcept {
  alone_ = false;
  const auto end = asks_.begin() + static_cast<std::ptrdiff_t>(asks_size_);
  const auto oldest =
      std::find_if(asks_.begin(), end, [](const ask& a) { return a.late + a.count > 0; });
  if (oldest == end) return;
  learn(now - oldest->when);
  if (oldest->late > 0) --oldest->late;
  const auto expected = std::find_if(asks_.begin(), end, [](const ask& a) { return a.count > 0; });
  if (expected != end) --expected->count;
}

void scaling::learn(duration startup) noexcept {
  const double seconds = base::to_seconds(startup);
  const double known = learned_startup_.value_or(seconds);
  learned_startup_ = known + learning_share * (seconds - known);
}

// --- the window --------------------------------------------------------------------------------

void scaling::window::put(std::uint32_t want, instant now, duration length) noexcept {
  const std::int64_t width = std::max<std::int64_t>(1, length.count() / slices);
  const std::int64_t slice = now.time_since_epoch().count() / width;
  const std::int64_t size = static_cast<std::int64_t>(most.size());
  for (std::int64_t i = std::max(newest + 1, slice - size + 1); i <= slice; ++i)
    most[static_cast<std::size_t>(i % size)] = 0;
  newest = slice;
  std::uint32_t& m = most[static_cast<std::size_t>(slice % size)];
  m = std::max(m, want);
}

std::uint32_t scaling::window::largest() const noexcept {
  return *std::ranges::max_element(most);
}

}  // namespace weir::core
