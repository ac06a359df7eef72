// A pool in virtual time with workers that fail as a test says, and batches, durable or not, whose
// ends are counted. Randomness comes from the seed, which tests print.
#pragma once

#include <functional>
#include <map>
#include <queue>
#include <vector>

#include "base/random.hpp"
#include "core/durable_kit.hpp"

namespace weir::core::test {

struct blame_world {
  struct client {
    bool durable = false, poison = false;
    std::uint32_t tries = 0;        // as its record has it
    int attempts = 0;
    std::vector<worker_id> on;
  };
  struct attempt_running {
    instant ends{};
    std::uint64_t order = 0;
    grant what;
    bool operator>(const attempt_running& o) const {
      return ends != o.ends ? ends > o.ends : order > o.order;
    }
  };

  blame_world(std::uint64_t seed, pool_settings settings)
      : random(seed), k(std::move(settings)) {}

  void add_workers(int count, std::uint32_t slots) {
    for (int i = 0; i < count; ++i) workers.push_back(k.add("w" + std::to_string(i + 1), slots));
  }
  void arrive(bool durable, bool poison = false, std::uint32_t attempts = 3,
              std::uint32_t lane = 1) {
    batch_facts f;
    f.retry = retry;
    f.retry.attempts = attempts;
    const admission a = durable ? k.submit(now(), lane, f) : k.admit(now(), f);
    clients[k.owners] = {durable, poison, 0, 0, {}};
    if (a.what == admission::kind::refused) ++ended[a.why];
    if (a.what == admission::kind::granted) begin(a.grant);
    take_effects();
  }
  // Whatever comes first, until `seconds`.
  void run_until(double seconds) {
    while (true) {
      const instant due = k.p.next_deadline();
      const bool attempt_first = !running.empty() && running.top().ends <= due;
      const instant next = attempt_first ? running.top().ends : due;
      if (next > at(seconds)) break;
      time = std::max(time, next);
      if (attempt_first) {
        const grant g = running.top().what;
        running.pop();
        finish(g);
      } else {
        k.p.expire(time);
      }
      take_effects();
    }
    time = at(seconds);
  }
  double now() const { return base::to_seconds(time - at(0)); }
  std::uint64_t open() const { return clients.size(); }
  // How many of the batches that have ended did so for that reason; none: they succeeded.
  std::uint64_t count(refusal why) { return ended[why]; }

  void begin(const grant& g) {
    client& c = clients.at(g.owner);
    ++c.attempts;
    c.on.push_back(g.worker);
    const double seconds = 0.05 + 0.1 * random.unit();
    running.push({time + base::from_seconds(seconds), ++order, g});
  }
  void finish(const grant& g) {
    client& c = clients.at(g.owner);
    attempt_report r;
    r.may_retry = true;
    r.end = c.poison || fails(g.worker, c) ? attempt_end::failed : attempt_end::succeeded;
    const verdict v = k.p.finish(g.batch, r, time);
    if (c.durable) c.tries = v.tries;
    if (v.what == verdict::kind::granted) begin(v.grant);
    if (v.what == verdict::kind::done || v.what == verdict::kind::failed) end(g.owner, v.why);
  }
  void end(std::uint64_t owner, refusal why) {
    ++ended[why];
    if (on_end) on_end(clients.at(owner), why);
    clients.erase(owner);
  }
  void take_effects() {
    while (!k.p.pending().empty()) {
      for (const event& e : k.events()) {
        ejections += e.what == event::kind::worker_state_changed && e.to == worker_state::ejected;
        outages += e.what == event::kind::outage_began;
      }
      for (const grant& g : k.grants()) begin(g);
      for (const eviction& e : k.evictions()) end(e.owner, e.why);
      k.probes();
      k.load(now());
      for (const grant& g : k.take(k.at_once)) begin(g);
    }
  }

  base::random random;
  durable_kit k;
  std::function<bool(worker_id, const client&)> fails = [](worker_id, const client&) {
    return false;
  };
  std::function<void(const client&, refusal)> on_end;
  retry_settings retry{.backoff_max = 10s};
  std::vector<worker_id> workers;
  std::map<std::uint64_t, client> clients;   // those that have not ended, by owner
  std::map<refusal, std::uint64_t> ended;
  std::priority_queue<attempt_running, std::vector<attempt_running>, std::greater<>> running;
  instant time = at(0);
  std::uint64_t order = 0, ejections = 0, outages = 0;
};

}  // namespace weir::core::test
