// The durable batches in memory, continued: grants, cancels, deadlines and shutdowns in every
// order, and what is taken up from the store.
#include <catch2/catch.hpp>
#include <algorithm>

#include "backroom_kit.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using test::backroom_kit;
using test::check_empty;
using test::taken_slot;

}  // namespace

// --- every order --------------------------------------------------------------------------------

namespace {

enum class happening { slot_frees, mail, steps, fails, due, cancel, deadline, stop };

const char* name(happening h) {
  constexpr const char* names[] = {"slot frees", "mail",   "steps",    "fails",
                                   "due",        "cancel", "deadline", "stop"};
  return names[static_cast<int>(h)];
}

std::string text(const std::vector<happening>& order) {
  std::string out;
  for (const happening h : order) out += std::string(name(h)) + ", ";
  return out;
}

struct scene {
  // `bounced`: it runs already, and the attempt's next failure backs off.
  explicit scene(bool bounced) : slot(kit) {
    batch.deadline = test::wall_now() + 1'800'000;
    kit.room.when_ended(batch.id, [this] { ++told; });
    kit.arrive(batch);
    if (!bounced) return;
    slot.free(), kit.deliver(), kit.step();
    kit.step(core::attempt_end::stale_connection);
    kit.step(), kit.step();
  }
  void play(happening h) {
    switch (h) {
      case happening::slot_frees: slot.free(); break;
      case happening::mail: kit.deliver(); break;
      case happening::steps: kit.step(); break;
      case happening::fails: kit.step(core::attempt_end::stale_connection); break;
      case happening::due: kit.elapse(1min); break;
      case happening::cancel: kit.room.cancelled(batch); break;
      case happening::deadline: kit.elapse(1h); break;
      case happening::stop:
        kit.room.stop(), stopped = true;
        begun_at_stop = kit.begun;
        break;
    }
  }
  void check() {
    slot.free();
    kit.until_quiet();
    if (!stopped) kit.elapse(1min), kit.until_quiet();
    for (auto& g : std::exchange(kit.engine.given_up, {})) ++given_up, g.told({});
    REQUIRE(kit.runs.empty());
    REQUIRE(kit.most_open <= 1);
    REQUIRE(kit.running() == 0);
    REQUIRE(kit.waiting() == 0);
    REQUIRE(kit.busy() == 0);
    REQUIRE(given_up <= 1);
    if (stopped) REQUIRE(kit.begun == begun_at_stop);
    if (!stopped) REQUIRE(told == 1);               // it ended: done, cancelled or given up
    kit.room.tell(batch.id);                        // now nobody is left who could be told again
    REQUIRE(told == 1);
  }

  backroom_kit kit;
  taken_slot slot;
  store::batch batch = backroom_kit::batch(1);
  int told = 0, given_up = 0;
  unsigned begun_at_stop = 0;
  bool stopped = false;
};

int play_all(std::vector<happening> order, bool bounced = false) {
  std::sort(order.begin(), order.end());
  int played = 0;
  do {
    INFO(text(order));
    scene s(bounced);
    for (const happening h : order) s.play(h);
    s.check();
    ++played;
  } while (std::next_permutation(order.begin(), order.end()));
  return played;
}

}  // namespace

TEST_CASE("grant, cancel, deadline and stop in every order: one wins and no slot is lost") {
  using enum happening;
  CHECK(play_all({slot_frees, mail, steps, cancel, deadline, stop}) == 720);
  CHECK(play_all({slot_frees, mail, steps, steps, deadline}) == 60);
}

TEST_CASE("the same around an attempt that fails and is granted again before it is written down") {
  using enum happening;
  CHECK(play_all({fails, steps, due, mail, mail, cancel, stop}, true) == 2520);
  CHECK(play_all({fails, steps, due, mail, cancel, deadline}, true) == 720);
  CHECK(play_all({fails, fails, steps, steps, due, mail, stop}, true) == 1260);
  CHECK(play_all({fails, steps, steps, due, mail, deadline}, true) == 360);
}

// --- loading ------------------------------------------------------------------------------------

namespace {

std::vector<store::batch> batches(unsigned from, unsigned to) {
  std::vector<store::batch> all;
  for (unsigned n = from; n <= to; ++n) all.push_back(backroom_kit::batch(n));
  return all;
}

store::lane_state lane_of(unsigned batches, std::string route = "orders") {
  store::lane_state l;
  l.lane = 1, l.pool = "loaders", l.route = std::move(route);
  l.batches = batches, l.bytes = 10 * batches, l.cost = batches;
  l.oldest = test::wall_now() - 5000;
  return l;
}

// Carries out what pools ordered, as the control thread and the store would.
void serve_loads(backroom_kit& kit, unsigned total) {
  for (int i = 0; i < 500; ++i) {
    for (const core::load_order& o : std::exchange(kit.loads, {})) kit.room.load("loaders", o);
    for (auto& c : std::exchange(kit.engine.loads, {})) {
      const auto first = static_cast<unsigned>(c.after) + 1;
      c.told(batches(first, std::min(total, first + c.limit - 1)));
    }
    kit.deliver(), kit.step();
  }
}

}  // namespace

TEST_CASE("what the store has of earlier runs is taken up and done, in its order") {
  backroom_kit kit;
  REQUIRE(kit.engine.lane_calls.size() == 1);
  kit.engine.lane_calls[0](std::vector{lane_of(50)});
  REQUIRE(kit.loads.size() == 1);
  CHECK(kit.loads[0].lane == 1);
  CHECK(kit.loads[0].after == 0);
  CHECK(kit.open_in_books() == 50);
  serve_loads(kit, 50);
  kit.until_quiet();
  CHECK(kit.begun == 50);
  CHECK(kit.open_in_books() == 0);
  check_empty(kit);
}

TEST_CASE("a load order is the engine's with its lane, place and limit, and its failure no end") {
  backroom_kit kit;
  kit.engine.lane_calls[0](std::vector{lane_of(5)});
  REQUIRE(kit.loads.size() == 1);
  const core::load_order o = kit.loads[0];
  kit.loads.clear();
  kit.room.load("loaders", o);
  REQUIRE(kit.engine.loads.size() == 1);
  CHECK(kit.engine.loads[0].lane == o.lane);
  CHECK(kit.engine.loads[0].after == o.after);
  CHECK(kit.engine.loads[0].limit == o.limit);
  kit.engine.loads[0].told(store::failure{store::trouble::io, "EIO"});
  kit.engine.loads.clear();
  CHECK(kit.open_in_books() == 5);
  kit.gate->expire(backroom_kit::now() + 1h);
  REQUIRE(kit.loads.size() == 1);                    // ordered again
  serve_loads(kit, 5);
  kit.until_quiet();
  CHECK(kit.begun == 5);
  check_empty(kit);
}

TEST_CASE("an answer to a load order after stop, or for a pool that is gone, changes nothing") {
  backroom_kit kit;
  kit.engine.lane_calls[0](std::vector{lane_of(5)});
  kit.room.load("loaders", kit.loads.at(0));
  kit.room.load("elsewhere", kit.loads.at(0));
  kit.engine.loads.at(1).told(batches(1, 5));
  CHECK(kit.begun == 0);
  kit.room.stop();
  kit.engine.loads.at(0).told(batches(1, 5));
  CHECK(kit.begun == 0);
  check_empty(kit);
}

TEST_CASE("lanes that no route serves wait for one, and each is taken up once") {
  backroom_kit kit;
  auto lanes = std::vector{lane_of(3, "later")};
  kit.engine.lane_calls[0](lanes);
  CHECK(kit.loads.empty());
  kit.room.publish(kit.plan_with({"orders", "later"}));
  REQUIRE(kit.engine.lane_calls.size() == 2);
  kit.engine.lane_calls[1](lanes);
  CHECK(kit.loads.size() == 1);
  CHECK(kit.open_in_books() == 3);
  kit.room.publish(kit.plan_with({"orders", "later"}));
  kit.engine.lane_calls[2](lanes);
  CHECK(kit.open_in_books() == 3);
}

TEST_CASE("what waited is known once the store has told of its lanes, and not before") {
  backroom_kit kit;
  CHECK_FALSE(kit.room.restored());
  kit.engine.lane_calls[0](std::vector<store::lane_state>{});
  CHECK(kit.room.restored());
}

TEST_CASE("lanes that the store cannot tell of, or tells of after stop, are left alone") {
  backroom_kit kit;
  kit.engine.lane_calls[0](store::failure{store::trouble::closed, "closing"});
  CHECK_FALSE(kit.room.restored());
  CHECK(kit.open_in_books() == 0);
  kit.room.publish(kit.plan_with({"orders"}));
  kit.room.stop();
  kit.engine.lane_calls[1](std::vector{lane_of(3)});
  CHECK(kit.open_in_books() == 0);
}

TEST_CASE("a batch that a failing disk kept from being given up is given up later") {
  backroom_kit kit;
  int told = 0;
  store::batch b = backroom_kit::batch(1);
  b.deadline = test::wall_now() - 60'000;
  kit.room.when_ended(b.id, [&] { ++told; });
  kit.arrive(b);
  for (const auto why : {store::trouble::full, store::trouble::io}) {
    REQUIRE(kit.engine.given_up.size() == 1);
    const auto call = kit.engine.given_up.front();
    kit.engine.given_up.pop_front();
    call.told(store::failure{why, "the disk"});
    CHECK(told == 0);
    CHECK(kit.engine.given_up.empty());
    kit.room.tick();
  }
  REQUIRE(kit.engine.given_up.size() == 1);
  CHECK(kit.engine.given_up[0].which == b.id);
  kit.engine.given_up[0].told({});
  CHECK(told == 1);
  kit.room.tick();
  CHECK(kit.engine.given_up.size() == 1);
}
