#include "sim/weir_policy.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <set>

#include "sim/generators.hpp"
#include "sim/lower_bound.hpp"
#include "sim/world_kit.hpp"

namespace weir::sim {
namespace {

using namespace test;
using kind = change::kind;

result play(const workload& load, const fleet_plan& fleet, const weir_settings& settings,
            std::uint64_t seed = 1) {
  weir_policy decides(settings, load, seed);
  return world(load, fleet, decides).run();
}

fleet_worker slots(std::uint32_t n, std::string name) {
  return {std::move(name), n, 1, 1, false};
}

// Between the world and weir: what may never happen, whatever is played.
class watched final : public policy {
 public:
  watched(const weir_settings& settings, const workload& load, const fleet_plan& fleet)
      : weir_(settings, load, 1), running_(fleet.workers.size()), of_(load.arrivals.size()) {
    for (const fleet_worker& w : fleet.workers) slots_.push_back(w.slots);
  }
  void joined(std::uint32_t w, const fleet_worker& f, instant now) override {
    here_.insert(w);
    weir_.joined(w, f, now);
    look();
  }
  void arrived(std::uint32_t b, const arrival& a, instant now) override {
    weir_.arrived(b, a, now);
    look();
  }
  void ended(std::uint32_t b, std::uint32_t w, ending how, instant now) override {
    --running_[w];
    of_[b] = how == ending::good ? 'e' : 'w';
    weir_.ended(b, w, how, now);
    look();
  }
  void probed(std::uint32_t w, bool good, instant now) override {
    weir_.probed(w, good, now);
    look();
  }
  instant next_deadline() const noexcept override { return weir_.next_deadline(); }
  void expire(instant now) override {
    weir_.expire(now);
    look();
  }
  std::string broken;

 private:
  void expect(bool holds, const char* what) {
    if (!holds && broken.empty()) broken = what;
  }
  void look() {
    for (const orders::start& s : weir_.out.starts) {
      expect(here_.contains(s.worker), "a batch went to a worker that has not joined");
      expect(++running_[s.worker] <= slots_[s.worker], "slots were exceeded");
      expect(of_[s.batch] != 'r' && of_[s.batch] != 'e', "a batch ran twice at once, or again");
      of_[s.batch] = 'r';
    }
    for (const std::uint32_t b : weir_.out.lost) {
      expect(of_[b] != 'r' && of_[b] != 'e', "a batch was lost that runs or has ended");
      of_[b] = 'e';
    }
    std::swap(out, weir_.out);
    weir_.out.clear();
  }
  weir_policy weir_;
  std::vector<std::uint32_t> slots_, running_;
  std::vector<char> of_;  // 0, running, waiting again, ended
  std::set<std::uint32_t> here_;
};

}  // namespace

TEST_CASE("a batch alone is served at once, for as long as its work takes") {
  const result r = play(load_of({{1, 3}, {10, 2}}), fleet_of({slots(1, "a")}), unlimited_weir());
  CHECK(r.sojourns[0] == Approx(3));
  CHECK(r.sojourns[1] == Approx(2));
  CHECK(r.waits[1] == Approx(0).margin(1e-9));
}

TEST_CASE("a small batch overtakes a large one that waits, within its reach") {
  // The first two teach the route its cost; then one runs and two wait.
  const workload load = load_of({{0, 1}, {2, 1}, {10, 5}, {11, 4}, {11.5, 0.5}});
  const fleet_plan fleet = fleet_of({slots(1, "a")});
  const result r = play(load, fleet, unlimited_weir());
  CHECK(r.sojourns[4] == Approx(15.5 - 11.5));
  CHECK(r.sojourns[3] == Approx(19.5 - 11));
  weir_settings fifo = unlimited_weir();
  fifo.pool.queue.order = core::queue_order::fifo;
  const result f = play(load, fleet, fifo);
  CHECK(f.sojourns[3] == Approx(19 - 11));
  CHECK(f.sojourns[4] == Approx(19.5 - 11.5));
}

TEST_CASE("what the pool turns away is lost") {
  weir_settings tight = unlimited_weir();
  tight.pool.queue.batches_max = 1;
  const result r =
      play(load_of({{1, 5}, {1, 5}, {1, 5}, {1, 5}}), fleet_of({slots(1, "a")}), tight);
  CHECK(r.lost_batches == 2);
  CHECK(r.attempts == 2);
}

TEST_CASE("what waits longer than the route allows is lost") {
  weir_settings hasty = unlimited_weir();
  hasty.wait_max = std::chrono::seconds(2);
  const result r = play(load_of({{1, 5}, {1, 1}, {5.5, 1}}), fleet_of({slots(1, "a")}), hasty);
  CHECK(r.sojourns[1] == result::lost);
  CHECK(r.lost_batches == 1);
  CHECK(r.sojourns[2] == Approx(1.5));
}

TEST_CASE("a worker that is down is probed out and back, and its batches go elsewhere") {
  const fleet_plan fleet = fleet_of({slots(2, "a"), slots(2, "b")},
                                    {{20, 0, kind::down, 0}, {60, 0, kind::up, 0}});
  std::vector<planned> all;
  for (int i = 1; i < 100; ++i) all.push_back({i * 1.0, 0.9});
  const workload load = load_of(all);
  const result r = play(load, fleet, unlimited_weir());
  CHECK(r.lost_batches == 0);
  CHECK(r.retries >= 1);
  CHECK(r.failed_attempts < 20);
}

TEST_CASE("a black hole is ejected") {
  const fleet_plan fleet = fleet_of({slots(2, "a"), slots(2, "b"), slots(2, "c")},
                                    {{20, 0, kind::fails, 0}});
  std::vector<planned> all;
  for (int i = 1; i < 200; ++i) all.push_back({i * 0.5, 0.4});
  const workload load = load_of(all);
  weir_policy decides(unlimited_weir(), load, 1);
  const result r = world(load, fleet, decides).run();
  CHECK(decides.ejections() >= 1);
  CHECK(r.lost_batches <= 2);  // retries have a budget
  CHECK(r.failed_attempts < 30);
}

TEST_CASE("attempts of a route are as many as it says") {
  weir_settings once = unlimited_weir();
  once.retry.attempts = 1;
  const fleet_plan fleet = fleet_of({slots(2, "a"), slots(2, "b")}, {{0, 0, kind::fails, 0}});
  const result r = play(load_of({{1, 1}, {1, 1}, {1, 1}, {1, 1}}), fleet, once);
  CHECK(r.retries == 0);
  CHECK(r.lost_batches >= 1);
}

TEST_CASE("a backup is used only when no other worker is left") {
  fleet_plan fleet = fleet_of({slots(1, "a"), slots(9, "spare")}, {{10, 0, kind::down, 0}});
  fleet.workers[1].backup = true;
  const workload load = load_of({{1, 2}, {1, 2}, {30, 2}, {30, 2}});
  const result r = play(load, fleet, unlimited_weir());
  CHECK(r.sojourns[1] == Approx(4));  // it waited for the one worker
  CHECK(r.sojourns[2] == Approx(2));
  CHECK(r.sojourns[3] == Approx(2));
}

TEST_CASE("whatever befalls the fleet, slots hold and batches run once at a time") {
  demand d;
  d.batches = 4000;
  worker_group flapping, broken, slowed, late;
  flapping.count = broken.count = slowed.count = late.count = 2;
  flapping.afflictions = {{trouble::flapping, 0, 1}};
  broken.afflictions = {{trouble::black_hole, 0.3, 0.5}};
  slowed.afflictions = {{trouble::antagonists}};
  late.joins = 0.5, late.slots = 5;
  const std::vector<worker_group> groups{flapping, broken, slowed, late};
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    for (const double load_wanted : {0.5, 1.1}) {
      d.load = load_wanted;
      const workload load = generate(d, capacity_of(groups), seed);
      const fleet_plan fleet = plan_fleet(groups, length_of(load), seed);
      watched decides(unlimited_weir(), load, fleet);
      const result r = world(load, fleet, decides).run();
      INFO("seed " << seed << ", load " << load_wanted);
      REQUIRE(decides.broken == "");
      const auto lost = std::count(r.sojourns.begin(), r.sojourns.end(), result::lost);
      REQUIRE(static_cast<std::uint64_t>(lost) == r.lost_batches);
      REQUIRE(r.busy_seconds <= r.open_seconds);
      REQUIRE(r.failed_attempts > 0);
      for (std::size_t i = 0; i < r.sojourns.size(); ++i)
        if (r.sojourns[i] != result::lost) REQUIRE(r.sojourns[i] >= r.waits[i]);
    }
  }
}

TEST_CASE("nothing beats the lower bound when no batch is lost") {
  demand d;
  d.batches = 3000;
  for (std::uint64_t seed = 1; seed <= 5; ++seed) {
    worker_group g;
    g.count = 4;
    g.afflictions = {affliction{}};
    const workload load = generate(d, capacity_of({g}), seed);
    const fleet_plan fleet = plan_fleet({g}, length_of(load), seed);
    const result r = play(load, fleet, unlimited_weir(), seed);
    double sum = 0;
    for (double s : r.sojourns) sum += s;
    REQUIRE(r.lost_batches == 0);
    CHECK(sum / 3000 >= lower_bound(load, fleet));
  }
}

TEST_CASE("the same seed gives the same run to the bit") {
  demand d;
  d.batches = 3000;
  d.load = 0.9;
  const workload load = generate(d, 32, 2);
  worker_group g;
  const fleet_plan fleet = plan_fleet({g}, length_of(load), 2);
  CHECK(play(load, fleet, unlimited_weir()).sojourns ==
        play(load, fleet, unlimited_weir()).sojourns);
}

}  // namespace weir::sim
