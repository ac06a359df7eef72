// The durable batches in memory: what arrives runs, an attempt begins only after the one before it
// is written down, and whoever wins of grant, cancel, deadline and shutdown, no slot is lost.
#include <catch2/catch.hpp>
#include <algorithm>

#include "backroom_kit.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using test::backroom_kit;
using test::check_empty;
using test::taken_slot;
using stage = backroom_kit::stage;

}  // namespace

// --- arriving and running -----------------------------------------------------------------------

TEST_CASE("a batch that arrives while a slot is free runs at once, on the loop of its number") {
  backroom_kit kit(4, 3);
  for (unsigned n = 1; n <= 4; ++n) kit.arrive(n);
  REQUIRE(kit.runs.size() == 4);
  std::vector<bool> seen(3);
  for (const auto& r : kit.runs) {
    CHECK(proxy::backroom::owns(r.order.owner));
    CHECK(proxy::backroom::loop_of(r.order.owner) < 3);
    seen[proxy::backroom::loop_of(r.order.owner)] = true;
    CHECK(r.order.pool == "loaders");
    CHECK(r.order.route == "orders");
    CHECK(r.order.gate == kit.gate);
  }
  CHECK(std::count(seen.begin(), seen.end(), true) == 3);   // spread over all loops
  kit.until_quiet();
  check_empty(kit);
  CHECK(kit.open_in_books() == 0);
}

TEST_CASE("the numbers of durable batches are never those of waiting requests") {
  net::loop loop(127);
  proxy::waiting_room room(127);
  proxy::verdict_cell cell(loop);
  const std::uint64_t number = room.enter(cell);
  CHECK_FALSE(proxy::backroom::owns(number));
  room.leave(number);
}

TEST_CASE("a batch that finds no slot waits, and runs when one is free") {
  backroom_kit kit;
  taken_slot slot(kit);
  kit.arrive(1);
  CHECK(kit.begun == 0);
  const auto place = kit.room.place(backroom_kit::batch(1));
  REQUIRE(place);
  CHECK(place->position == 0);
  slot.free();
  CHECK(kit.begun == 0);   // the grant is in the mail
  kit.deliver();
  CHECK(kit.begun == 1);
  kit.until_quiet();
  check_empty(kit);
}

TEST_CASE("batches that came in the same moment run in the order in which the store put them") {
  core::pool_settings settings = test::plain_pool();
  settings.queue.order = GENERATE(core::queue_order::cost_aware, core::queue_order::fifo);
  backroom_kit kit(1, 2, settings);
  taken_slot slot(kit);
  const store::unix_ms now = test::wall_now();
  for (unsigned n = 1; n <= 200; ++n) {
    store::batch b = backroom_kit::batch(n);
    b.created = now - 50 + n / 10;
    kit.arrive(b);
  }
  slot.free();
  std::vector<store::batch_id> order, expected;
  for (unsigned n = 1; n <= 200; ++n) {
    expected.push_back(backroom_kit::batch(n).id);
    kit.deliver();
    REQUIRE(kit.runs.size() == 1);
    order.push_back(kit.runs[0].order.id);
    kit.step(), kit.step(), kit.step();
  }
  CHECK(order == expected);
}

TEST_CASE("the same batch twice is in the pool once") {
  backroom_kit kit;
  kit.arrive(1);
  kit.arrive(1);
  kit.room.requeued(backroom_kit::batch(1));
  CHECK(kit.begun == 1);
  kit.until_quiet();
  check_empty(kit);
}

TEST_CASE("a batch that the store says to leave alone for a while is not run before") {
  backroom_kit kit;
  store::batch b = backroom_kit::batch(1);
  b.not_before = test::wall_now() + 3'600'000;
  kit.arrive(b);
  CHECK(kit.begun == 0);
  CHECK(kit.waiting() == 1);
  kit.gate->expire(backroom_kit::now() + 2h);
  kit.deliver();
  CHECK(kit.begun == 1);
  kit.until_quiet();
  check_empty(kit);
}

// --- between two attempts -----------------------------------------------------------------------

namespace {

// Its attempt is over, not written down, and the next is due in some seconds.
void fail_once(backroom_kit& kit, unsigned n = 1) {
  kit.arrive(n);
  kit.step();
  kit.step(core::attempt_end::stale_connection);   // the one bounce: granted at once
  REQUIRE(kit.runs.size() == 1);
  REQUIRE(kit.runs[0].then.what == core::verdict::kind::granted);
  kit.step(), kit.step();
  kit.step(core::attempt_end::stale_connection);
  REQUIRE(kit.runs.size() == 1);
  REQUIRE(kit.runs[0].then.what == core::verdict::kind::waiting);
}

}  // namespace

TEST_CASE("a grant that comes while an attempt's end is not durable waits for it") {
  backroom_kit kit;
  fail_once(kit);
  kit.elapse(1min);
  REQUIRE(kit.mail.size() == 1);
  kit.deliver();
  REQUIRE(kit.runs.size() == 1);
  CHECK(kit.runs[0].at == stage::over);
  CHECK(kit.begun == 1);
  kit.step();                                          // the end is durable
  CHECK(kit.begun == 2);
  kit.until_quiet();
  check_empty(kit);
}

TEST_CASE("a grant that comes after an attempt's end is durable begins the next at once") {
  backroom_kit kit;
  fail_once(kit);
  kit.step();                                          // durable before it is granted
  CHECK(kit.runs.empty());
  CHECK(kit.waiting() == 1);
  kit.elapse(1min);
  CHECK(kit.begun == 1);
  kit.deliver();
  CHECK(kit.begun == 2);
  kit.until_quiet();
  check_empty(kit);
}

TEST_CASE("the next attempt is told how many tries the store counts") {
  backroom_kit kit;
  store::batch b = backroom_kit::batch(1);
  b.tries = 3;
  kit.arrive(b);
  REQUIRE(kit.runs.size() == 1);
  CHECK(kit.runs[0].order.tries == 3);
  const std::uint64_t owner = kit.runs[0].order.owner;
  kit.step();
  kit.step(core::attempt_end::stale_connection);
  kit.step(), kit.step();
  kit.step(core::attempt_end::stale_connection);
  kit.runs.at(0).then.tries = 5;
  kit.step();
  kit.elapse(1min);
  kit.deliver();
  REQUIRE(kit.runs.size() == 1);
  CHECK(kit.runs[0].order.tries == 5);
  CHECK(kit.runs[0].order.owner == owner);
  kit.until_quiet();
  check_empty(kit);
}

// --- attempts that could not begin --------------------------------------------------------------

TEST_CASE("an attempt that is put back is granted again, and its slot is free meanwhile") {
  backroom_kit kit;
  kit.arrive(1);
  const auto order = kit.runs[0].order;
  kit.runs.clear(), kit.open_now.clear();
  SECTION("at once") {
    kit.room.put_back(order, {});
    CHECK(kit.busy() == 0);
    kit.find_all();
    kit.deliver();
    REQUIRE(kit.runs.size() == 1);
    CHECK(kit.runs[0].order.owner != order.owner);   // messages to the old number find nobody
    CHECK(kit.runs[0].order.id == order.id);
  }
  SECTION("after a while") {
    kit.room.put_back(order, 1h);
    kit.find_all();
    kit.deliver();
    CHECK(kit.runs.empty());
    CHECK(kit.busy() == 0);
    kit.arrive(2);                                   // another one may use the slot
    CHECK(kit.runs.size() == 1);
    kit.until_quiet();
    kit.gate->expire(backroom_kit::now() + 2h);
    kit.deliver();
    REQUIRE(kit.runs.size() == 1);
    CHECK(kit.runs[0].order.id == order.id);
  }
  SECTION("while weir stops") {
    kit.room.stop();
    kit.room.put_back(order, {});
    kit.find_all();
    kit.deliver();
    CHECK(kit.runs.empty());
  }
  SECTION("not when it was cancelled meanwhile") {
    kit.room.put_back(order, {});
    kit.room.cancelled(backroom_kit::batch(1));
    kit.find_all(store::batch_state::cancelled);
    kit.deliver();
    CHECK(kit.runs.empty());
    CHECK(kit.open_in_books() == 0);
  }
  SECTION("not when the store has it no more, or closes") {
    kit.room.put_back(order, {});
    const auto what = GENERATE(store::trouble::not_found, store::trouble::closed);
    kit.engine.finds.at(0).second(store::failure{what, "gone"});
    kit.deliver();
    CHECK(kit.runs.empty());
  }
  kit.until_quiet();
  check_empty(kit);
}

TEST_CASE("a batch that is put back keeps the tries that were counted meanwhile") {
  backroom_kit kit;
  kit.arrive(1);
  auto order = kit.runs[0].order;
  kit.runs.clear(), kit.open_now.clear();
  order.tries = 4;
  kit.room.put_back(order, {});
  kit.engine.finds.at(0).second(store::failure{store::trouble::io, "it cannot be read now"});
  kit.deliver();
  REQUIRE(kit.runs.size() == 1);
  CHECK(kit.runs[0].order.tries == 4);
  kit.until_quiet();
}

TEST_CASE("a batch that leaves is in no pool, and those who watch it are told") {
  backroom_kit kit;
  int told = 0;
  kit.room.when_ended(backroom_kit::batch(1).id, [&] { ++told; });
  kit.arrive(1);
  kit.room.leave(kit.runs[0].order);
  kit.runs.clear();
  CHECK(told == 1);
  check_empty(kit);
  kit.arrive(2);
  CHECK(kit.runs.size() == 1);   // the slot is free
  kit.until_quiet();
}

// --- cancelling ---------------------------------------------------------------------------------

TEST_CASE("cancelling a waiting batch takes it out of the pool") {
  backroom_kit kit;
  taken_slot slot(kit);
  kit.arrive(1);
  kit.room.cancelled(backroom_kit::batch(1));
  CHECK(kit.waiting() == 0);
  CHECK(kit.open_in_books() == 0);
  CHECK(kit.interrupted.empty());
  slot.free();
  kit.deliver();
  CHECK(kit.begun == 0);
  check_empty(kit);
}

TEST_CASE("cancelling a batch whose grant is in the mail gives the slot to the next") {
  backroom_kit kit;
  taken_slot slot(kit);
  kit.arrive(1);
  kit.arrive(2);
  slot.free();
  kit.room.cancelled(backroom_kit::batch(1));
  kit.deliver();
  REQUIRE(kit.runs.size() == 1);
  CHECK(kit.runs[0].order.id == backroom_kit::batch(2).id);
  kit.until_quiet();
  check_empty(kit);
}

TEST_CASE("cancelling a running batch interrupts its attempt, and no other follows") {
  backroom_kit kit;
  kit.arrive(1);
  if (GENERATE(false, true)) kit.step();   // sent already, or not yet
  kit.room.cancelled(backroom_kit::batch(1));
  CHECK(kit.interrupted == std::vector<std::uint64_t>{kit.runs[0].order.owner});
  kit.until_quiet();
  CHECK(kit.begun == 1);
  check_empty(kit);
}

TEST_CASE("cancelling a batch that is on disk only corrects the pool's books") {
  core::pool_settings s = test::plain_pool();
  s.durable.window = 1;
  backroom_kit kit(1, 2, s);
  kit.engine.lane_calls[0](std::vector<store::lane_state>{});
  taken_slot slot(kit);
  for (unsigned n = 1; n <= 6; ++n) kit.arrive(n);
  const auto before = kit.open_in_books();
  CHECK(before == 6);
  REQUIRE(kit.waiting() < 6);                         // the rest is stored
  CHECK(kit.room.place(backroom_kit::batch(6)));
  kit.room.cancelled(backroom_kit::batch(6));
  CHECK(kit.open_in_books() == before - 1);
  slot.free();
  kit.until_quiet();
}

TEST_CASE("cancelling a batch that is put back takes none of its lane's off the books") {
  core::pool_settings s = test::plain_pool();
  s.durable.window = 1;
  backroom_kit kit(1, 2, s);
  for (unsigned n = 1; n <= 6; ++n) kit.arrive(n);
  REQUIRE(kit.runs.size() == 1);
  const auto order = kit.runs[0].order;
  kit.runs.clear(), kit.open_now.clear();
  kit.room.put_back(order, 1h);
  CHECK(kit.open_in_books() == 5);
  kit.room.cancelled(backroom_kit::batch(1));
  CHECK(kit.open_in_books() == 5);
  kit.find_all(store::batch_state::cancelled);
  CHECK(kit.open_in_books() == 5);
}

TEST_CASE("cancelling a batch that nobody knows does nothing") {
  backroom_kit kit;
  kit.room.cancelled(backroom_kit::batch(9));
  store::batch b = backroom_kit::batch(9);
  b.route = "gone";
  kit.room.cancelled(b);
  check_empty(kit);
}

// --- watching -----------------------------------------------------------------------------------

TEST_CASE("everybody who watches a batch is told of its end once, and nobody else is") {
  backroom_kit kit;
  const auto id = backroom_kit::batch(1).id;
  int first = 0, second = 0, gone = 0, other = 0;
  kit.room.when_ended(id, [&] { ++first; });
  kit.room.when_ended(id, [&] { ++second; });
  const auto left = kit.room.when_ended(id, [&] { ++gone; });
  kit.room.when_ended(backroom_kit::batch(2).id, [&] { ++other; });
  kit.room.forget(id, left);
  kit.room.forget(id, left);   // twice is no error
  kit.arrive(1);
  CHECK(first + second == 0);
  kit.until_quiet();
  CHECK(first == 1);
  CHECK(second == 1);
  CHECK(gone == 0);
  CHECK(other == 0);
  kit.room.tell(id);
  CHECK(first == 1);
}

TEST_CASE("the end of a batch with a callback is told to whoever sends those, once") {
  backroom_kit kit;
  kit.arrive(1);
  kit.until_quiet();
  CHECK(kit.callbacks_due == 0);
  store::batch b = backroom_kit::batch(2);
  b.callback = "https://client.example/done";
  kit.arrive(b);
  CHECK(kit.callbacks_due == 0);
  kit.until_quiet();
  CHECK(kit.callbacks_due == 1);
}

TEST_CASE("a watcher may watch again, or forget others, when it is told") {
  backroom_kit kit;
  const auto id = backroom_kit::batch(1).id;
  int again = 0;
  proxy::backroom::watch second = 0;
  kit.room.when_ended(id, [&] {
    kit.room.forget(id, second);
    kit.room.when_ended(id, [&] { ++again; });
  });
  second = kit.room.when_ended(id, [&] {});
  kit.room.tell(id);
  CHECK(again == 0);
  kit.room.tell(id);
  CHECK(again == 1);
}

// --- deadlines ----------------------------------------------------------------------------------

TEST_CASE("a batch whose deadline passes while it waits is given up in the store, then told") {
  backroom_kit kit;
  taken_slot slot(kit);
  int told = 0;
  store::batch b = backroom_kit::batch(1);
  b.deadline = test::wall_now() + 60'000;
  b.callback = GENERATE(std::string(), std::string("https://client.example/done"));
  kit.room.when_ended(b.id, [&] { ++told; });
  kit.arrive(b);
  CHECK(kit.waiting() == 1);
  kit.gate->expire(backroom_kit::now() + 1h);
  kit.deliver();
  REQUIRE(kit.engine.given_up.size() == 1);
  CHECK(kit.engine.given_up[0].which == b.id);
  CHECK(kit.engine.given_up[0].outcome == "deadline");
  CHECK(kit.engine.given_up[0].tells == !b.callback.empty());
  CHECK(told == 0);
  CHECK(kit.callbacks_due == 0);
  kit.engine.given_up[0].told({});
  CHECK(told == 1);
  CHECK(kit.callbacks_due == (b.callback.empty() ? 0 : 1));
  slot.free();
  kit.until_quiet();
  CHECK(kit.begun == 0);
  check_empty(kit);
}

TEST_CASE("a batch whose deadline passed while it was on disk is given up when it is taken up") {
  backroom_kit kit;
  store::batch b = backroom_kit::batch(1);
  b.deadline = test::wall_now() - 60'000;
  kit.arrive(b);
  kit.deliver();
  CHECK(kit.begun == 0);
  REQUIRE(kit.engine.given_up.size() == 1);
  CHECK(kit.engine.given_up[0].outcome == "deadline");
  check_empty(kit);
  CHECK(kit.open_in_books() == 0);
}

// --- stopping -----------------------------------------------------------------------------------

TEST_CASE("after stop nothing begins, and what runs goes on to its end") {
  backroom_kit kit;
  int told = 0;
  kit.room.when_ended(backroom_kit::batch(1).id, [&] { ++told; });
  kit.arrive(1);
  kit.arrive(2);
  kit.room.stop();
  kit.arrive(3);
  kit.room.requeued(backroom_kit::batch(4));
  CHECK(kit.runs.size() == 1);
  kit.until_quiet();
  CHECK(told == 1);
  CHECK(kit.begun == 1);
  check_empty(kit);
}

TEST_CASE("after stop an attempt that failed is not followed by another, whoever was first") {
  backroom_kit kit;
  fail_once(kit);
  const int delivered = GENERATE(0, 1, 2);         // not granted yet, in the mail, held
  if (delivered > 0) kit.elapse(1min);
  if (delivered > 1) kit.deliver();
  kit.room.stop();
  kit.until_quiet();
  CHECK(kit.begun == 1);
  CHECK(kit.engine.given_up.empty());              // it stays in the store as it is
  check_empty(kit);
}

TEST_CASE("a pool that closes leaves its batches in the store") {
  backroom_kit kit;
  taken_slot slot(kit);
  kit.arrive(1);
  kit.pool([](core::pool& p, base::instant t) { p.close(t); });
  kit.deliver();
  CHECK(kit.engine.given_up.empty());
  slot.free();
  check_empty(kit);
}
