// Every policy in every trouble: whatever befalls the fleet, the books of a run are right.
#include <catch2/catch.hpp>
#include <cmath>
#include <memory>
#include <set>

#include "sim/contest.hpp"
#include "sim/generators.hpp"
#include "sim/world_kit.hpp"

namespace weir::sim {
namespace {

// Between the world and a policy: counts what is started and ended, by batch and by worker.
class bookkeeper final : public policy {
 public:
  bookkeeper(policy& decides, std::size_t batches, const fleet_plan& fleet)
      : decides_(decides), runs_(batches), ended_(batches), busy_(fleet.workers.size()) {
    for (const fleet_worker& w : fleet.workers) slots_.push_back(w.slots);
  }
  void joined(std::uint32_t w, const fleet_worker& f, instant now) override {
    here_.insert(w);
    decides_.joined(w, f, now);
    take(now);
  }
  void arrived(std::uint32_t b, const arrival& a, instant now) override {
    decides_.arrived(b, a, now);
    take(now);
  }
  void ended(std::uint32_t b, std::uint32_t w, ending how, instant now) override {
    --runs_[b], --busy_[w];
    if (how == ending::good) ++ended_[b];
    decides_.ended(b, w, how, now);
    take(now);
  }
  void probed(std::uint32_t w, bool good, instant now) override {
    decides_.probed(w, good, now);
    take(now);
  }
  instant next_deadline() const noexcept override { return decides_.next_deadline(); }
  void expire(instant now) override {
    decides_.expire(now);
    take(now);
    if (decides_.next_deadline() <= now) broken = "a deadline is due again at once";
  }

  bool each_ended_once() const {
    for (std::size_t b = 0; b < ended_.size(); ++b)
      if (ended_[b] != 1 || runs_[b] != 0) return false;
    return true;
  }
  std::string broken;

 private:
  void take(instant now) {
    if (now < last_) broken = "time ran backwards";
    last_ = now;
    for (const orders::start& s : decides_.out.starts) {
      if (!here_.contains(s.worker)) broken = "sent to a worker that has not joined";
      if (++busy_[s.worker] > slots_[s.worker]) broken = "slots exceeded";
      if (++runs_[s.batch] > 1) broken = "a batch runs twice at once";
      if (ended_[s.batch]) broken = "a batch that ended runs again";
    }
    for (const std::uint32_t b : decides_.out.lost) {
      if (runs_[b]) broken = "a batch was given up on while it runs";
      ++ended_[b];
    }
    test::take_orders(out, decides_.out);
  }

  policy& decides_;
  std::vector<std::uint32_t> runs_, ended_, busy_, slots_;
  std::set<std::uint32_t> here_;
  instant last_ = instant::min();
};

affliction of(trouble what, double from, double to) {
  affliction a;
  a.what = what, a.from = from, a.to = to;
  return a;
}

struct fleet_case {
  const char* name;
  std::vector<worker_group> groups;
};

worker_group group(std::uint32_t count, std::vector<affliction> troubles, std::uint32_t slots = 2) {
  worker_group g;
  g.count = count, g.slots = slots, g.afflictions = std::move(troubles);
  return g;
}

std::vector<fleet_case> fleets() {
  worker_group late = group(3, {}), fast = group(2, {}, 1);
  late.joins = 0.4, fast.speed = 5;
  return {{"well", {group(4, {})}},
          {"antagonists", {group(4, {of(trouble::antagonists, 0, 1)})}},
          {"brownout", {group(1, {of(trouble::brownout, 0.2, 0.6)}), group(3, {})}},
          {"black hole", {group(1, {of(trouble::black_hole, 0.2, 0.6)}), group(3, {})}},
          {"flapping", {group(1, {of(trouble::flapping, 0, 1)}), group(3, {})}},
          {"all flap", {group(4, {of(trouble::flapping, 0, 0.8)})}},
          {"all fail", {group(4, {of(trouble::black_hole, 0.3, 0.4)})}},
          {"late ones", {group(2, {}), late}},
          {"unequal", {group(3, {}), fast}}};
}

}  // namespace

TEST_CASE("in every trouble and under every policy each batch ends once") {
  for (const fleet_case& f : fleets())
    for (const std::string_view name : policy_names())
      for (const double wanted : {0.6, 1.2}) {
        demand d;
        d.batches = 1500;
        d.load = wanted;
        const workload load = generate(d, capacity_of(f.groups), 11);
        const fleet_plan fleet = plan_fleet(f.groups, length_of(load), 11);
        const contender c = contender_named(name, unlimited_weir(), f.groups);
        std::unique_ptr<policy> inner;
        if (c.peer) inner = std::make_unique<peer_policy>(*c.peer, load.arrivals.size(), 3, 1);
        if (!c.peer) inner = std::make_unique<weir_policy>(c.weir, load, 1);
        bookkeeper books(*inner, load.arrivals.size(), fleet);
        const result r = world(load, fleet, books).run();
        INFO(f.name << " under " << name << " at load " << wanted);
        REQUIRE(books.broken == "");
        REQUIRE(books.each_ended_once());
        REQUIRE(r.attempts == r.failed_attempts + load.arrivals.size() - r.lost_batches);
        REQUIRE(r.retries <= r.failed_attempts);
        REQUIRE(r.busy_seconds <= r.open_seconds * (1 + 1e-9));
        REQUIRE(std::isfinite(r.end));
      }
}

TEST_CASE("no policy beats the lower bound while it loses nothing") {
  for (const fleet_case& f : fleets())
    for (const std::string_view name : policy_names()) {
      contest c;
      c.seeds = 2;
      c.load = [capacity = capacity_of(f.groups)](std::uint64_t seed) {
        demand d;
        d.batches = 2000;
        d.load = 0.8;
        return generate(d, capacity, seed);
      };
      c.contenders = {contender_named(name, unlimited_weir(), f.groups)};
      const standing s = compete(c).front();
      for (const measures& m : s.runs) {
        INFO(f.name << " under " << name << ": " << m.ratio);
        if (m.lost == 0) REQUIRE(m.ratio >= 1 - 1e-9);
      }
    }
}

TEST_CASE("slots that are there are used while batches wait") {
  // At load 1.2 of a fleet that is well every slot is busy nearly all the time.
  for (const std::string_view name : policy_names()) {
    contest c;
    c.seeds = 1;
    c.load = [](std::uint64_t seed) {
      demand d;
      d.batches = 5000;
      d.load = 1.5;
      d.sources[0].sizes = {sizes::kind::uniform, 0, 0.1, 0.3};
      return generate(d, 8, seed);
    };
    c.contenders = {contender_named(name, unlimited_weir(), {group(4, {})})};
    const double busy = compete(c).front().median.utilisation;
    INFO(name << ": " << busy);
    CHECK(busy > (name == "two-choices" ? 0.9 : 0.95));
  }
}

}  // namespace weir::sim
