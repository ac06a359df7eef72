// Durable batches when reloads take routes away, bring them back, or leave them as they are.
#include <catch2/catch.hpp>

#include "backroom_kit.hpp"

namespace {

using namespace weir;
using test::backroom_kit;
using test::check_empty;
using test::taken_slot;

store::lane_state lane_of(std::uint64_t batches) {
  store::lane_state l;
  l.lane = 1, l.pool = "loaders", l.route = "orders";
  l.batches = batches, l.bytes = 10 * batches, l.cost = static_cast<double>(batches);
  l.oldest = test::wall_now();
  return l;
}

void answer_lanes(backroom_kit& kit, std::vector<store::lane_state> lanes) {
  REQUIRE(kit.engine.lane_calls.size() == 1);
  const auto told = kit.engine.lane_calls.front();
  kit.engine.lane_calls.pop_front();
  told(std::move(lanes));
}

// What the pool asks for is read.
void load_all(backroom_kit& kit, unsigned first, unsigned last) {
  while (!kit.loads.empty()) {
    for (const core::load_order& o : std::exchange(kit.loads, {})) kit.room.load("loaders", o);
    for (auto& call : std::exchange(kit.engine.loads, {})) {
      std::vector<store::batch> page;
      for (unsigned n = first; n <= last && page.size() < call.limit; ++n)
        if (n > call.after) page.push_back(backroom_kit::batch(n));
      call.told(std::move(page));
    }
  }
}

}  // namespace

TEST_CASE("a batch whose route no plan has stays in the store alone") {
  backroom_kit kit;
  store::batch b = backroom_kit::batch(1);
  b.route = "gone";
  kit.room.arrived(b, {1, 1, b.id, false});
  CHECK(kit.begun == 0);
  CHECK_FALSE(kit.room.place(b));
}

TEST_CASE("a batch whose route was given to another pool runs there") {
  backroom_kit kit;
  store::batch b = backroom_kit::batch(1);
  b.pool = "elsewhere";
  kit.arrive(b);
  CHECK(kit.begun == 1);
  kit.until_quiet();
  check_empty(kit);
}

TEST_CASE("what waits for a route that goes leaves the pool, and is taken up when it comes back") {
  backroom_kit kit;
  answer_lanes(kit, {});
  kit.arrive(1);
  REQUIRE(kit.begun == 1);
  for (unsigned n = 2; n <= 5; ++n) kit.arrive(n);
  CHECK(kit.waiting() == 4);
  kit.room.publish(kit.plan_with({"others"}));
  answer_lanes(kit, {lane_of(5)});
  CHECK(kit.waiting() == 0);
  CHECK(kit.open_in_books() == 1);            // the one that runs
  const bool ends_first = GENERATE(false, true);
  if (ends_first) kit.until_quiet();
  CHECK(kit.begun == 1);
  kit.room.publish(kit.plan_with({"orders"}));
  answer_lanes(kit, {lane_of(ends_first ? 4 : 5)});
  CHECK(kit.open_in_books() == (ends_first ? 4 : 5));
  load_all(kit, 2, 5);
  kit.until_quiet();
  load_all(kit, 2, 5);
  CHECK(kit.begun == 5);
  check_empty(kit);
  CHECK(kit.open_in_books() == 0);
}

TEST_CASE("a batch that arrives while lanes are read does not keep the others of its lane back") {
  backroom_kit kit;
  kit.arrive(5);                              // before the answer, which knows it
  CHECK(kit.begun == 1);
  answer_lanes(kit, {lane_of(5)});
  CHECK(kit.open_in_books() == 5);
  load_all(kit, 1, 5);
  kit.until_quiet();
  CHECK(kit.begun >= 1);
}

TEST_CASE("a batch whose route is given to another pool while it runs goes on there") {
  backroom_kit kit, other;                    // two pools; the first one's room is used
  answer_lanes(kit, {});
  kit.arrive(1);
  REQUIRE(kit.begun == 1);
  auto plan = other.plan_with({"orders"});
  plan->pools[0].name = "others";
  kit.room.publish(plan);
  answer_lanes(kit, {lane_of(1)});
  kit.step();
  kit.step(core::attempt_end::stale_connection);
  while (!kit.runs.empty() && kit.runs[0].then.what == core::verdict::kind::granted) {
    kit.step(), kit.step();
    kit.step(core::attempt_end::stale_connection);
  }
  kit.step();                                 // it waits again: in the other pool
  REQUIRE(kit.engine.finds.size() == 1);
  kit.find_all();
  CHECK(kit.open_in_books() == 0);
  CHECK(other.open_in_books() == 1);
  REQUIRE(kit.runs.size() == 1);
  CHECK(kit.runs[0].order.gate == other.gate);
}

TEST_CASE("a reload that changes nothing of a route leaves its batches where they are") {
  backroom_kit kit;
  taken_slot slot(kit);
  answer_lanes(kit, {});
  for (unsigned n = 1; n <= 3; ++n) kit.arrive(n);
  kit.room.publish(kit.plan_with({"others", "orders"}));
  answer_lanes(kit, {lane_of(3)});
  CHECK(kit.waiting() == 3);
  CHECK(kit.open_in_books() == 3);
  slot.free();
  kit.until_quiet();
  CHECK(kit.begun == 3);
  check_empty(kit);
}
