#include "sim/world.hpp"

#include <catch2/catch.hpp>

#include "sim/world_kit.hpp"

namespace weir::sim {
namespace {

using namespace test;
using kind = change::kind;

fleet_worker slots(std::uint32_t n, double speed = 1) {
  return {"w", n, speed, 1, false};
}

}  // namespace

TEST_CASE("a batch takes its work over the speed of its worker") {
  const workload load = load_of({{1, 6}, {2, 6}});
  const fleet_plan fleet = fleet_of({slots(1, 2), slots(1, 0.5)});
  scripted decides;
  decides.choose = [](std::uint32_t batch) { return batch; };
  const result r = world(load, fleet, decides).run();
  CHECK(r.sojourns[0] == Approx(3));
  CHECK(r.sojourns[1] == Approx(12));
  CHECK(r.waits[0] == Approx(0).margin(1e-9));
  CHECK(r.attempts == 2);
  CHECK(r.lost_batches == 0);
  CHECK(r.end == Approx(14));
  CHECK(decides.story() == "jjaagg");
}

TEST_CASE("work is integrated over a speed that changes while it runs") {
  // 4 s at 1, then 0.5 from 4 to 10 s, then 2.
  const fleet_plan fleet =
      fleet_of({slots(3)}, {{4, 0, kind::speed, 0.5}, {10, 0, kind::speed, 2}});
  struct row { double at, work, sojourn; };
  for (const row& t : {row{0, 4, 4}, row{0, 5, 6}, row{0, 7, 10}, row{0, 9, 11}, row{3, 1, 1},
                       row{3, 2, 3}, row{5, 1, 2}, row{9, 2.5, 2}, row{20, 2, 1}}) {
    scripted decides;
    const result r = world(load_of({{t.at, t.work}}), fleet, decides).run();
    INFO("from " << t.at << " s, " << t.work << " s of work");
    CHECK(r.sojourns[0] == Approx(t.sojourn).epsilon(1e-6));
  }
}

TEST_CASE("an attempt begins to work when the overhead has passed, whatever the speed does") {
  // Speed 1, from 2 s on 0.5, from 3 s on 2; the overhead is 1 s and has no speed.
  struct row { double at, work, sojourn; };
  for (const row& t : {row{0, 0, 1}, row{0, 0.5, 1.5}, row{0, 1, 2}, row{0, 1.25, 2.5},
                       row{1.5, 1, 1.875}, row{2.5, 1, 1.5}, row{9, 4, 3}}) {
    fleet_plan fleet = fleet_of({slots(3)}, {{2, 0, kind::speed, 0.5}, {3, 0, kind::speed, 2}});
    fleet.overhead = 1;
    scripted decides;
    const result r = world(load_of({{t.at, t.work}}), fleet, decides).run();
    INFO("from " << t.at << " s, " << t.work << " s of work");
    CHECK(r.sojourns[0] == Approx(t.sojourn));
    CHECK(r.waits[0] == Approx(0).margin(1e-9));
    CHECK(r.busy_seconds == Approx(t.sojourn));
  }
}

TEST_CASE("an attempt that fails has had its overhead too") {
  fleet_plan fleet = fleet_of({slots(1)}, {{0, 0, kind::fails, 0}});
  fleet.overhead = 0.25;
  scripted decides;
  world(load_of({{1, 2}}), fleet, decides).run();
  CHECK(decides.story() == "jaf");
  CHECK(decides.heard[2].at == Approx(1.251));
}

TEST_CASE("a change of speed moves the ends of all that runs there, and of nothing else") {
  const fleet_plan fleet = fleet_of({slots(2), slots(2)}, {{1, 0, kind::speed, 0.1}});
  scripted decides;
  decides.choose = [](std::uint32_t batch) { return batch / 2; };
  const result r = world(load_of({{0, 2}, {0, 3}, {0, 2}, {0, 3}}), fleet, decides).run();
  CHECK(r.sojourns[0] == Approx(11));
  CHECK(r.sojourns[1] == Approx(21));
  CHECK(r.sojourns[2] == Approx(2));
  CHECK(r.sojourns[3] == Approx(3));
  CHECK(r.attempts == 4);
}

TEST_CASE("changes of speed without end lose no work") {
  std::vector<change> changes;
  double at = 0, done = 0;
  for (int i = 0; i < 1000; ++i) {
    const double speed = i % 2 ? 1.7 : 0.3;
    changes.push_back({at, 0, kind::speed, speed});
    at += 0.013;
    done += 0.013 * speed;
  }
  changes.push_back({at, 0, kind::speed, 1});
  scripted decides;
  const result r = world(load_of({{0, done + 1}}), fleet_of({slots(1)}, changes), decides).run();
  CHECK(r.sojourns[0] == Approx(at + 1).epsilon(1e-6));
}

TEST_CASE("a worker that goes down breaks what runs on it and refuses what comes") {
  const fleet_plan fleet =
      fleet_of({slots(4)}, {{2, 0, kind::down, 0}, {6, 0, kind::up, 0}});
  scripted decides;
  const result r = world(load_of({{0, 5}, {1, 0.5}, {3, 1}, {7, 1}}), fleet, decides).run();
  CHECK(r.sojourns[0] == result::lost);
  CHECK(r.sojourns[1] == Approx(0.5));
  CHECK(r.sojourns[2] == result::lost);
  CHECK(r.sojourns[3] == Approx(1));
  CHECK(r.failed_attempts == 2);
  CHECK(r.lost_batches == 2);
  CHECK(decides.story() == "jaagfarag");
}

TEST_CASE("a black hole fails attempts at once, and ends what it had begun") {
  const fleet_plan fleet =
      fleet_of({slots(4)}, {{2, 0, kind::fails, 0}, {6, 0, kind::works, 0}});
  scripted decides;
  const result r = world(load_of({{0, 5}, {3, 1}, {7, 1}}), fleet, decides).run();
  CHECK(r.sojourns[0] == Approx(5));
  CHECK(r.sojourns[1] == result::lost);
  CHECK(r.sojourns[2] == Approx(1));
  CHECK(decides.heard[3].what == 'f');
  CHECK(decides.heard[3].at == Approx(3.001));
}

TEST_CASE("a failed batch that is tried again counts one attempt more, and waits until then") {
  const fleet_plan fleet = fleet_of({slots(1), slots(1)}, {{0, 0, kind::fails, 0}});
  scripted decides;
  decides.tries = 2;
  int asked = 0;
  decides.choose = [&](std::uint32_t) { return asked++ == 0 ? 0 : 1; };
  const result r = world(load_of({{1, 2}}), fleet, decides).run();
  CHECK(r.attempts == 2);
  CHECK(r.retries == 1);
  CHECK(r.failed_attempts == 1);
  CHECK(r.waits[0] == Approx(0.001));
  CHECK(r.sojourns[0] == Approx(2.001));
}

TEST_CASE("probes are answered a little later, by how the worker is then") {
  const fleet_plan fleet =
      fleet_of({slots(1)}, {{1.9995, 0, kind::down, 0}, {3, 0, kind::up, 0}});
  scripted decides;
  decides.deadlines = {1, 1.999, 2.5, 4};
  const result r = world(load_of({{5, 1}}), fleet, decides).run();
  CHECK(decides.story() == "jeGeBeBeGag");
  CHECK(decides.heard[2].at == Approx(1.001));
  CHECK(r.lost_batches == 0);
}

TEST_CASE("busy and open slots are counted in seconds") {
  const fleet_plan fleet =
      fleet_of({slots(2), slots(1)}, {{4, 1, kind::down, 0}, {8, 1, kind::up, 0}});
  scripted decides;
  const result r = world(load_of({{0, 10}, {0, 2}}), fleet, decides).run();
  CHECK(r.busy_seconds == Approx(12));
  CHECK(r.open_seconds == Approx(2 * 10 + 1 * 6));
}

TEST_CASE("a worker that joins late is not there before") {
  fleet_plan fleet = fleet_of({slots(1), slots(1)});
  fleet.changes[1].at = 5;
  scripted decides;
  const result r = world(load_of({{0, 10}}), fleet, decides).run();
  CHECK(decides.story() == "jajg");
  CHECK(r.open_seconds == Approx(15));
}

TEST_CASE("at one time the fleet changes first, then attempts end, then batches arrive") {
  const fleet_plan fleet = fleet_of({slots(2)}, {{2, 0, kind::speed, 1}});
  scripted decides;
  decides.deadlines = {2};
  world(load_of({{0, 2}, {2, 1}}), fleet, decides).run();
  CHECK(decides.story() == "jagaeGg");
}

TEST_CASE("batches that nobody ever starts are lost at the end, and the run ends") {
  class idle final : public policy {
    void joined(std::uint32_t, const fleet_worker&, instant) override {}
    void arrived(std::uint32_t, const arrival&, instant) override {}
    void ended(std::uint32_t, std::uint32_t, ending, instant) override {}
    void probed(std::uint32_t, bool, instant) override {}
    instant next_deadline() const noexcept override { return due; }
    void expire(instant now) override { due = now + std::chrono::seconds(100); }
    instant due = world_begin;
  } decides;
  const workload load = load_of({{0, 1}, {1, 1}});
  const result r = world(load, fleet_of({slots(1)}), decides).run();
  CHECK(r.lost_batches == 2);
  CHECK(r.end < 10000);
}

TEST_CASE("work that takes far longer than its arrivals is done to the end") {
  for (const double speed : {0.01, 1.0, 50.0}) {
    scripted decides;
    const result r = world(load_of({{0, 1e5}, {1, 1}}), fleet_of({slots(2, speed)}), decides).run();
    INFO("speed " << speed);
    CHECK(r.lost_batches == 0);
    CHECK(r.sojourns[0] == Approx(1e5 / speed));
  }
}

TEST_CASE("an overhead far longer than the work is waited for too") {
  fleet_plan fleet = fleet_of({slots(1)});
  fleet.overhead = 1e5;
  scripted decides;
  CHECK(world(load_of({{0, 1}}), fleet, decides).run().lost_batches == 0);
}

TEST_CASE("no batch and no time") {
  scripted decides;
  const result r = world(load_of({}), fleet_of({slots(1)}), decides).run();
  CHECK(r.sojourns.empty());
  CHECK(r.end == 0);
}

}  // namespace weir::sim
