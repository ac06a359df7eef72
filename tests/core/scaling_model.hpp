// A small world around the scaling machine for its model tests: batches in virtual time, a
// first-come queue, workers of some slots, and a scaler that starts and stops machines as hooks
// tell it. As the model of `drain-cap`: a new worker is ready after start-up x uniform(0.8, 1.2),
// billed from launch until it is gone. Deterministic for a seed; one thread, no real time.
#pragma once

#include <deque>
#include <queue>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "core/scaling.hpp"

namespace weir::core::test {

struct arrival {
  double at = 0, seconds = 0;
};

struct scaling_model_options {
  autoscale_settings settings;
  std::uint32_t slots = 4;
  std::uint32_t workers = 2;        // at the start, ready
  double launches_that_fail = 0;    // share of machines that never come
  double hook_delay = 0;            // seconds from a decision to the scaler
  std::uint64_t seed = 1;
};

struct scaling_model_result {
  double seconds_late = 0;          // in which the oldest batch waited beyond the objective
  double worker_seconds = 0;
  double last_finish = 0;
  std::size_t served = 0;
  std::size_t reversals = 0;        // a change of direction within ten minutes of the last one
  std::uint32_t desired_most = 0;
  std::uint64_t never_came = 0;
  std::size_t killed_busy = 0;      // must be none
  std::vector<scale_decision> decisions;
  std::vector<double> told;         // and when
};

class scaling_model {
 public:
  explicit scaling_model(const scaling_model_options& options)
      : options_(options), random_(options.seed), machine_(options.settings, at(0)) {
    for (std::uint32_t i = 0; i < options.workers; ++i) machines_.push_back(make(0));
  }

  // Serves them all, and goes on to `until`.
  scaling_model_result run(const std::vector<arrival>& arrivals, double until) {
    std::size_t next = 0;
    while (now_ < until || !waiting_.empty() || !running_.empty()) {
      const double event = std::min({next < arrivals.size() ? arrivals[next].at : 1e18,
                                     running_.empty() ? 1e18 : running_.top().ends,
                                     hooks_.empty() ? 1e18 : hooks_.front().at, joins(), tick()});
      move_to(event);
      while (next < arrivals.size() && arrivals[next].at <= now_) arrive(arrivals[next++]);
      while (!running_.empty() && running_.top().ends <= now_) finish();
      while (!hooks_.empty() && hooks_.front().at <= now_) obey();
      join();
      if (tick() <= now_) decide();
      dispatch();
    }
    bill();
    result_.never_came = machine_.never_came();
    return result_;
  }

 private:
  enum class state { starting, serving, draining, gone };
  struct machine {
    double launched, ready;
    std::uint32_t busy = 0;
    double ends = 0;
    state is = state::starting;
    std::string name;
  };
  struct attempt {
    double ends;
    std::size_t on;
    bool operator<(const attempt& o) const { return ends > o.ends; }
  };
  struct hook {
    double at;
    scale_decision decision;
  };

  static instant at(double s) { return instant{1000s} + base::from_seconds(s); }
  double tick() const {
    return base::to_seconds(machine_.next_deadline() - at(0)) + 1e-9;
  }
  double joins() const {
    double first = 1e18;
    for (const machine& m : machines_)
      if (m.is == state::starting) first = std::min(first, m.ready);
    return first;
  }
  machine make(double startup) {
    return {now_, now_ + startup, 0, 0, startup > 0 ? state::starting : state::serving,
            "m" + std::to_string(machines_.size())};
  }

  void move_to(double event) {
    if (!waiting_.empty()) {
      const double late = waiting_.front().at + base::to_seconds(options_.settings.objective);
      result_.seconds_late += std::max(0.0, event - std::max(now_, late));
    }
    now_ = event;
  }
  void arrive(const arrival& a) {
    waiting_.push_back(a);
    cost_ += a.seconds;
    share_ += slot_share(a.seconds, capped_seconds(options_.settings));
    if (serving_slots_free() == 0) machine_.wake(at(now_));
  }
  std::uint32_t serving_slots_free() const {
    std::uint32_t n = 0;
    for (const machine& m : machines_)
      if (m.is == state::serving) n += options_.slots - m.busy;
    return n;
  }
  void dispatch() {
    for (std::size_t i = 0; i < machines_.size() && !waiting_.empty(); ++i)
      while (machines_[i].is == state::serving && machines_[i].busy < options_.slots &&
             !waiting_.empty())
        start(i);
  }
  void start(std::size_t i) {
    const arrival a = waiting_.front();
    waiting_.pop_front();
    cost_ -= a.seconds;
    share_ -= slot_share(a.seconds, capped_seconds(options_.settings));
    ++machines_[i].busy;
    machines_[i].ends = std::max(machines_[i].ends, now_ + a.seconds);
    running_.push({now_ + a.seconds, i});
  }
  void finish() {
    --machines_[running_.top().on].busy;
    running_.pop();
    ++result_.served;
    result_.last_finish = now_;
  }
  void join() {
    for (machine& m : machines_) {
      if (m.is != state::starting || m.ready > now_) continue;
      m.is = state::serving;
      machine_.joined(at(now_));
    }
  }

  void decide() {
    std::vector<scale_worker> workers;
    std::uint32_t busy = 0;
    for (std::size_t i = 0; i < machines_.size(); ++i) {
      const machine& m = machines_[i];
      if (m.is == state::starting || m.is == state::gone) continue;
      busy += m.busy;
      workers.push_back({.id = {static_cast<std::uint32_t>(i), 1}, .name = m.name,
                         .stands = m.is == state::serving ? scale_worker::standing::serving
                                                          : scale_worker::standing::drained,
                         .managed = true, .ready = m.is == state::serving, .empty = m.busy == 0,
                         .slots = options_.slots,
                         .finish_seconds = std::max(0.0, m.ends - now_)});
    }
    scale_facts facts;
    facts.busy_slots = busy, facts.running = busy, facts.waiting = waiting_.size();
    facts.waiting_cost = cost_, facts.waiting_share = share_, facts.workers = workers;
    facts.oldest_seconds = waiting_.empty() ? 0 : now_ - waiting_.front().at;
    scale_step step = machine_.step(facts, at(now_));
    for (worker_id id : step.undrain) machines_[id.index].is = state::serving;
    for (worker_id id : step.drain) machines_[id.index].is = state::draining;
    if (step.decision) tell(std::move(*step.decision));
  }
  void tell(scale_decision d) {
    if (!result_.decisions.empty() && !d.resent) {
      const bool turned = result_.decisions.back().way != d.way;
      result_.reversals += turned && now_ - told_ < 600;
    }
    told_ = now_;
    result_.desired_most = std::max(result_.desired_most, d.desired);
    result_.decisions.push_back(d);
    result_.told.push_back(now_);
    hooks_.push_back({now_ + options_.hook_delay, std::move(d)});
  }
  // What a scaler does: as many machines as desired, and those named are stopped.
  void obey() {
    const scale_decision d = std::move(hooks_.front().decision);
    hooks_.pop_front();
    for (const std::string& name : d.remove) stop(name);
    std::uint32_t have = 0;
    for (const machine& m : machines_) have += m.is != state::gone;
    for (; have < d.desired; ++have) launch();
  }
  void launch() {
    const double startup = base::to_seconds(options_.settings.startup_time);
    machines_.push_back(make(startup * (0.8 + 0.4 * random_.unit())));
    if (random_.unit() < options_.launches_that_fail) drop(machines_.back());
  }
  void stop(const std::string& name) {
    for (std::size_t i = 0; i < machines_.size(); ++i) {
      machine& m = machines_[i];
      if (m.name != name || m.is == state::gone) continue;
      if (!machine_.removal_sent({static_cast<std::uint32_t>(i), 1})) continue;
      result_.killed_busy += m.busy > 0 || m.is != state::draining;
      drop(m);
    }
  }
  void drop(machine& m) {
    result_.worker_seconds += now_ - m.launched;
    m.is = state::gone;
  }
  void bill() {
    for (machine& m : machines_)
      if (m.is != state::gone) drop(m);
  }

  scaling_model_options options_;
  base::random random_;
  scaling machine_;
  double now_ = 0, cost_ = 0, share_ = 0, told_ = 0;
  std::deque<arrival> waiting_;
  std::priority_queue<attempt> running_;
  std::deque<hook> hooks_;
  std::vector<machine> machines_;
  scaling_model_result result_;
};

}  // namespace weir::core::test
