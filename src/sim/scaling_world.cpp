#include "sim/scaling_world.hpp"

#include <algorithm>
#include <cmath>
#include <functional>
#include <memory>
#include <queue>
#include <span>
#include <string>
#include <string_view>
#include <utility>

#include "core/pool.hpp"
#include "sim/peer_scalers.hpp"
#include "sim/random.hpp"

namespace weir::sim {
namespace {

using core::batch_id;
using core::duration;
using core::instant;
using core::worker_id;

constexpr double reversal_seconds = 600;
constexpr std::uint64_t startup_stream = 0x57a27;  // of chance

instant at(double seconds) {
  return instant{} + std::chrono::hours(1) + base::from_seconds(seconds);
}
double seconds_of(instant t) {
  return base::to_seconds(t - at(0));
}

core::pool_settings settings_of(const scaling_options& o) {
  core::pool_settings s;
  s.name = "simulated";
  s.queue.order = o.order;
  s.queue.batches_max = ~0u;
  s.queue.wait_max = base::forever;
  s.health.kind = core::probe_kind::none;
  s.slow_start = duration::zero();
  s.workers_max = ~0u;
  if (o.policy == scaling_policy::weir) {
    s.autoscale = o.autoscale;
    s.autoscale->slots_per_worker = o.slots;
  }
  return s;
}

// --- the machines -------------------------------------------------------------------------------

struct machine {
  enum class state : std::uint8_t { starting, serving, leaving, gone };
  state is = state::starting;
  worker_id worker;
  instant launched{}, ends{};  // ends: its last batch
  std::uint32_t busy = 0;
};

// --- what is measured ---------------------------------------------------------------------------

class meter {
 public:
  explicit meter(const scaling_options& o) : objective_(o.autoscale.objective) {}

  // Time passes with this state.
  void pass(instant from, instant to, bool waits, instant oldest) {
    if (!waits) return;
    const instant late = base::after(oldest, objective_);
    if (to > late) out.seconds_late += base::to_seconds(to - std::max(from, late));
  }
  // The number of workers that is wanted, as somebody was told.
  void wanted(std::uint32_t workers, instant now) {
    if (workers == wanted_) return;
    const bool up = workers > wanted_;
    const bool lately = out.decisions > 0 && base::to_seconds(now - changed_) < reversal_seconds;
    out.reversals += lately && up != up_;
    ++out.decisions;
    wanted_ = workers, up_ = up, changed_ = now;
  }
  void begin_with(std::uint32_t workers) { wanted_ = workers; }
  void waited(double seconds) { waits_.push_back(seconds); }
  void bill(instant from, instant to) { out.worker_seconds += base::to_seconds(to - from); }
  void fleet(std::uint32_t workers, instant now) {
    out.workers_most = std::max(out.workers_most, workers);
    const double s = seconds_of(now);
    if (!out.fleet.empty() && out.fleet.back().at == s)
      out.fleet.back().workers = workers;
    else
      out.fleet.push_back({s, workers});
  }
  void close() {
    out.batches = waits_.size();
    if (waits_.empty()) return;
    double sum = 0;
    for (double w : waits_) sum += w;
    out.wait_mean = sum / static_cast<double>(waits_.size());
    std::ranges::sort(waits_);
    out.wait_p99 = waits_[(waits_.size() * 99 - 1) / 100];
    out.wait_max = waits_.back();
  }

  scaling_result out;

 private:
  duration objective_;
  std::vector<double> waits_;
  std::uint32_t wanted_ = 0;
  bool up_ = false;
  instant changed_{};
};

// --- the world ----------------------------------------------------------------------------------

class pool_world {
 public:
  pool_world(const workload& load, const scaling_options& options)
      : load_(load),
        options_(options),
        random_(options.seed, startup_stream),
        scaler_(make_scaler(options.policy)),
        now_(at(0)),
        pool_(settings_of(options), options.seed, now_),
        meter_(options) {
    for (const std::string& r : load.routes) routes_.push_back(pool_.route(r));
    batches_.resize(load.arrivals.size());
    for (std::uint32_t i = 0; i < options.workers; ++i) become_ready(launch());
    meter_.begin_with(options.workers);
    look_at_ = scaler_ ? now_ + base::from_seconds(scaler_->interval()) : base::never;
  }

  scaling_result run() {
    for (instant next = upcoming(); go_on(next); next = upcoming()) {
      pass_to(next);
      happen();
    }
    return finish();
  }

 private:
  struct batch {
    batch_id id;
    std::uint32_t on = 0;
    bool started = false;
  };
  struct happening {
    instant when{};
    std::uint64_t order = 0;
    std::uint32_t subject = 0;  // a batch that ends, or a machine that is ready
    bool ends = false;
    bool operator>(const happening& o) const {
      return when != o.when ? when > o.when : order > o.order;
    }
  };

  // --- time -------------------------------------------------------------------------------------
  instant arrives() const {
    return next_ < load_.arrivals.size() ? at(load_.arrivals[next_].at) : base::never;
  }
  instant upcoming() const {
    const instant event = agenda_.empty() ? base::never : agenda_.top().when;
    return std::max(now_, std::min({arrives(), event, pool_.next_deadline(), look_at_}));
  }
  bool go_on(instant next) const {
    const bool busy = next_ < load_.arrivals.size() || ended_ < load_.arrivals.size();
    return next != base::never && (busy || next < at(options_.seconds));
  }
  void pass_to(instant next) {
    while (oldest_ < next_ && batches_[oldest_].started) ++oldest_;
    const bool waits = oldest_ < next_;
    meter_.pass(now_, next, waits, waits ? at(load_.arrivals[oldest_].at) : instant{});
    const double d = base::to_seconds(next - now_);
    facts_.busy_seconds += d * busy_;
    facts_.demand_seconds += d * static_cast<double>(next_ - ended_);
    facts_.ready_seconds += d * facts_.ready;
    now_ = next;
  }
  void happen() {
    while (arrives() <= now_) arrive(next_++);
    while (!agenda_.empty() && agenda_.top().when <= now_) {
      const happening h = agenda_.top();
      agenda_.pop();
      h.ends ? end(h.subject) : become_ready(h.subject);
    }
    if (pool_.next_deadline() <= now_) pool_.expire(now_);
    take_effects();
    if (look_at_ <= now_) look();
  }
  void schedule(instant when, std::uint32_t subject, bool ends) {
    agenda_.push({when, ++order_, subject, ends});
  }

  // --- batches ----------------------------------------------------------------------------------
  void arrive(std::size_t i) {
    const arrival& a = load_.arrivals[i];
    core::batch_facts f;
    f.owner = i;
    f.route = routes_.at(a.route);
    f.tenant_hash = a.tenant;
    f.tenant = load_.tenants.at(a.tenant);
    f.units = options_.estimates ? a.work : a.units;
    const core::admission answer = pool_.admit(f, now_);
    if (answer.what == core::admission::kind::granted) start(answer.grant);
    take_effects();
  }
  void start(const core::grant& g) {
    const auto i = static_cast<std::uint32_t>(g.owner);
    batch& b = batches_[i];
    b = {g.batch, machine_of(g.worker), true};
    machine& m = machines_[b.on];
    ++m.busy, ++busy_;
    const instant ends = now_ + base::from_seconds(load_.arrivals[i].work);
    m.ends = std::max(m.ends, ends);
    meter_.waited(seconds_of(now_) - load_.arrivals[i].at);
    schedule(ends, i, true);
  }
  void end(std::uint32_t i) {
    machine& m = machines_[batches_[i].on];
    --m.busy, --busy_, ++ended_;
    core::attempt_report good;
    good.end = core::attempt_end::succeeded;
    pool_.finish(batches_[i].id, good, now_);
    if (m.is == machine::state::leaving && m.busy == 0) stop(m);
    take_effects();
  }
  void take_effects() {
    while (!pool_.pending().empty()) {
      core::effects out;
      std::swap(out, pool_.pending());
      for (const core::grant& g : out.grants) start(g);
      for (const core::scale_decision& d : out.decisions) obey(d);
    }
  }

  // --- machines ---------------------------------------------------------------------------------
  std::uint32_t machine_of(worker_id id) const { return machine_of_.at(id.index); }
  std::uint32_t launch() {
    machine m;
    m.launched = m.ends = now_;
    machines_.push_back(m);
    ++facts_.starting;
    count_fleet(1);
    return static_cast<std::uint32_t>(machines_.size() - 1);
  }
  void launch_later() {
    const double startup = base::to_seconds(options_.autoscale.startup_time);
    schedule(now_ + base::from_seconds(startup * random_.uniform(0.8, 1.2)), launch(), false);
    ++meter_.out.launches;
  }
  void become_ready(std::uint32_t i) {
    machine& m = machines_[i];
    if (m.is != machine::state::starting) return;  // it is not wanted any more
    m.is = machine::state::serving;
    --facts_.starting, ++facts_.ready;
    core::worker_settings s;
    s.name = "m" + std::to_string(i);
    s.slots = options_.slots;
    s.managed = true;
    m.worker = pool_.add_worker(s, now_);
    if (machine_of_.size() <= m.worker.index) machine_of_.resize(m.worker.index + 1);
    machine_of_[m.worker.index] = i;
    take_effects();
  }
  void stop(machine& m) {
    m.is = machine::state::gone;
    meter_.bill(m.launched, now_);
    count_fleet(-1);
  }
  void count_fleet(int change) {
    fleet_ += static_cast<std::uint32_t>(change);
    meter_.fleet(fleet_, now_);
  }
  // Those that start go first, the newest of them before the others.
  std::uint32_t cancel_starts(std::uint32_t most) {
    std::uint32_t cancelled = 0;
    for (auto m = machines_.rbegin(); m != machines_.rend() && cancelled < most; ++m) {
      if (m->is != machine::state::starting) continue;
      --facts_.starting, ++cancelled;
      stop(*m);
    }
    return cancelled;
  }

  // --- weir's decisions
  // ------------------------------------------------------------------------------- What an
  // autoscaler does: it stops those that are named, and has as many machines as desired.
  void obey(const core::scale_decision& d) {
    if (!pool_.removal_sent(d.remove, now_)) return;  // a newer decision is on its way
    for (const std::string& name : d.remove) remove(name);
    meter_.wanted(d.desired, now_);
    for (std::uint32_t have = fleet_; have < d.desired; ++have) launch_later();
    if (fleet_ > d.desired) cancel_starts(fleet_ - d.desired);
  }
  void remove(const std::string& name) {
    const auto id = pool_.find_worker(name);
    if (!id) return;
    machine& m = machines_[machine_of(*id)];
    pool_.remove_worker(*id, "stopped", now_);
    --facts_.ready;
    if (m.busy == 0)
      stop(m);
    else
      m.is = machine::state::leaving;
  }

  // --- a peer's ---------------------------------------------------------------------------------
  void look() {
    facts_.now = seconds_of(now_);
    facts_.slots = options_.slots;
    facts_.waiting = pool_.waiting();
    const auto& limits = options_.autoscale;
    const std::uint32_t wanted = std::clamp(scaler_->desired(facts_), limits.min, limits.max);
    const std::uint32_t have = facts_.ready + facts_.starting;
    meter_.wanted(wanted, now_);
    for (std::uint32_t i = have; i < wanted; ++i) launch_later();
    if (wanted < have) retire(have - wanted);
    look_at_ = base::after(now_, base::from_seconds(scaler_->interval()));
  }
  // In weir's order, which is kinder than Kubernetes': starting ones, idle ones, then those that
  // are done first; and each finishes what it has.
  void retire(std::uint32_t count) {
    count -= cancel_starts(count);
    std::vector<std::uint32_t> serving;
    for (std::uint32_t i = 0; i < machines_.size(); ++i)
      if (machines_[i].is == machine::state::serving) serving.push_back(i);
    std::ranges::stable_sort(serving, {}, [&](std::uint32_t i) {
      return machines_[i].busy == 0 ? instant{} : machines_[i].ends;
    });
    for (std::uint32_t i : std::span(serving).first(std::min<std::size_t>(count, serving.size()))) {
      pool_.remove_worker(machines_[i].worker, "scale-in", now_);
      --facts_.ready;
      machines_[i].is = machine::state::leaving;
      if (machines_[i].busy == 0) stop(machines_[i]);
    }
    take_effects();
  }

  scaling_result finish() {
    now_ = std::max(now_, at(options_.seconds));
    double work = 0;
    for (const arrival& a : load_.arrivals) work += a.work;
    for (machine& m : machines_)
      if (m.is != machine::state::gone) stop(m);
    meter_.close();
    meter_.out.seconds = seconds_of(now_);
    const double paid = meter_.out.worker_seconds * options_.slots;
    meter_.out.utilization = paid > 0 ? work / paid : 0;
    return std::move(meter_.out);
  }

  const workload& load_;
  const scaling_options& options_;
  random random_;
  std::unique_ptr<scaler> scaler_;
  instant now_;
  core::pool pool_;
  meter meter_;
  std::vector<std::uint32_t> routes_;
  std::vector<batch> batches_;
  std::vector<machine> machines_;
  std::vector<std::uint32_t> machine_of_;  // by worker_id.index
  std::priority_queue<happening, std::vector<happening>, std::greater<>> agenda_;
  std::uint64_t order_ = 0;
  fleet_facts facts_;
  instant look_at_ = base::never;
  std::size_t next_ = 0, ended_ = 0;  // arrivals so far, and those of them that ended
  std::size_t oldest_ = 0;            // no earlier one waits
  std::uint32_t busy_ = 0, fleet_ = 0;
};

}  // namespace

double scaling_result::reversals_a_day() const noexcept {
  return seconds > 0 ? static_cast<double>(reversals) * 86400 / seconds : 0;
}

scaling_result run_scaling(const workload& load, const scaling_options& options) {
  return pool_world(load, options).run();
}

}  // namespace weir::sim
