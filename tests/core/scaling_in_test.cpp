// Scaling in, decisions and their numbers, pauses and outages.
#include <algorithm>
#include <catch2/catch.hpp>

#include "scaling_bench.hpp"

using namespace weir;
using namespace weir::core;
using bench = test::scaling_bench;
using test::plain_scaling;
using test::settled;
using way = scale_decision::direction;
using names = std::vector<std::string>;
using standing = scale_worker::standing;

namespace {

names drained(const bench& b, const scale_step& step) {
  names out;
  for (worker_id id : step.drain) out.push_back(b.names[id.index]);
  return out;
}

// `count` workers of which all but the last drain, each with an attempt left.
bench draining(int count) {
  bench b = settled(count);
  b.busy(1);
  for (scale_worker& w : b.workers) w.empty = false, w.finish_seconds = 100;
  REQUIRE(b.until_drain().drain.size() == static_cast<std::size_t>(count - 1));
  return b;
}

void enough_for(bench& b, std::uint32_t workers) {
  b.busy(workers * 4);
  b.waiting(workers * 10, 1000);
}

}  // namespace

// --- when and whom ---------------------------------------------------------------------------

TEST_CASE("nothing is drained before the window is over") {
  bench b = settled(5);
  CHECK(b.until_drain(275s).drain.empty());
  CHECK(b.until_drain(10s).drain.size() == 4);
}

TEST_CASE("the largest want of the window stays") {
  bench b = settled(8);
  b.run(100s);
  b.busy(11);          // for a while four workers are needed
  b.run(120s);
  b.busy(0);
  CHECK(b.until_drain(100s).drain.size() == 4);
  CHECK(b.until_drain(200s).drain.empty());
  CHECK(b.until_drain(100s).drain.size() == 1);
}

TEST_CASE("small savings are not worth a scale-in") {
  struct row {
    int workers;
    std::uint32_t busy;
    std::size_t drained;
  };
  // 3.2 busy slots a worker
  const std::vector<row> rows{{10, 28, 1}, {10, 29, 0}, {9, 25, 1}, {5, 12, 1}, {2, 3, 1}};
  for (const row& r : rows) {
    INFO(r.busy << " busy on " << r.workers);
    bench b = settled(r.workers);
    b.busy(r.busy);
    CHECK(b.until_drain(600s).drain.size() == r.drained);
  }
}

TEST_CASE("first go workers that are not up then idle ones then those done first") {
  bench b = settled(6);
  b.busy(24, 50);
  b.workers[0].finish_seconds = 9;
  b.workers[1].finish_seconds = 3;
  b.workers[2].ready = false;
  b.workers[3].empty = true, b.workers[3].finish_seconds = 0;
  b.workers[4].finish_seconds = 0;    // overdue: predicted to be done, yet it is not empty
  b.facts.busy_slots = 0;
  const scale_step step = b.until_drain();
  CHECK(drained(b, step) == names{"w2", "w3", "w4", "w1", "w0"});
}

TEST_CASE("only managed workers that serve are drained") {
  bench b(plain_scaling());
  b.add(false);
  b.add(true);
  b.add(false);
  b.add(true);
  b.workers[3].stands = standing::drained;
  b.run(20s);
  CHECK(drained(b, b.until_drain()) == names{"w1"});
  CHECK(b.until_drain().drain.empty());
}

TEST_CASE("never fewer than the minimum stay") {
  autoscale_settings s = plain_scaling();
  s.min = 3;
  bench b = settled(8, s);
  CHECK(b.until_drain().drain.size() == 5);
  CHECK(b.until_drain(1000s).drain.empty());
}

TEST_CASE("nothing is drained while there is pressure") {
  bench b = settled(10);
  b.waiting(1, 1);
  for (scale_worker& w : b.workers) w.ready = false;
  b.facts.waiting_share = 0.1;
  autoscale_settings s = plain_scaling();
  s.sustain = 1h;
  b.machine.configure(s, b.now);
  CHECK(b.until_drain(1000s).drain.empty());
}

TEST_CASE("workers that are expected are given up before any that is there") {
  bench b = settled(2);
  b.busy(8);
  b.waiting(24, 1000);
  autoscale_settings s = plain_scaling();
  s.startup_time = 1h;
  b.machine.configure(s, b.now);
  REQUIRE_FALSE(b.run(100s).empty());
  REQUIRE(b.machine.asked_for() == 6);
  b.waiting(0, 0);
  b.busy(6);
  const auto told = b.run(900s);
  REQUIRE_FALSE(told.empty());
  for (const scale_decision& d : told) {
    CHECK(d.way == way::in);
    CHECK(d.remove.empty());
  }
  CHECK(told.back().desired == 2);
  CHECK(b.machine.asked_for() == 0);
  CHECK(b.serving() == 2);
}

// --- two phases ------------------------------------------------------------------------------

TEST_CASE("a worker is named once it is empty and counts until then") {
  bench b = draining(3);
  CHECK(b.run(30s).empty());
  CHECK(b.machine.desired(3) == 3u);
  b.at(b.workers[0].id).empty = true;
  auto told = b.run(5s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].way == way::in);
  CHECK(told[0].remove == names{"w0"});
  CHECK(told[0].desired == 2);
  CHECK(told[0].current == 2);
  CHECK(b.run(30s).empty());

  b.workers[1].empty = true;
  told = b.run(5s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].remove == names{"w0", "w1"});    // absolute, as desired is
  CHECK(told[0].desired == 1);
}

TEST_CASE("a named worker that is gone is named no more") {
  bench b = draining(3);
  b.workers[0].empty = true;
  REQUIRE(b.run(5s).size() == 1);
  b.remove(b.workers[0].id);
  b.workers[0].empty = true;
  const auto told = b.run(5s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].remove == names{"w1"});
}

TEST_CASE("a scale-out takes drains back before it asks for more") {
  bench b = draining(6);
  enough_for(b, 4);
  for (scale_worker& w : b.workers) w.empty = false;
  scale_step step;
  while (step.undrain.empty()) {
    step = b.tick();
    REQUIRE((!step.decision || !step.undrain.empty()));
  }
  CHECK(b.serving() + b.machine.asked_for() <= 6);
  b.run(60s);
  CHECK(b.serving() == 6);
}

TEST_CASE("taking back a drain that nobody was told of is nobody's business") {
  bench b = draining(3);
  b.facts.busy_slots = 4;
  scale_step step;
  for (int i = 0; i < 20 && step.undrain.empty(); ++i) step = b.tick();
  CHECK(step.undrain.size() == 1);
  CHECK_FALSE(step.decision);
  CHECK(b.machine.sequence() == 0);
}

TEST_CASE("taking back a worker that was named is a newer decision") {
  bench b = draining(2);
  b.workers[0].empty = true;
  const auto named = b.run(5s);
  REQUIRE(named.size() == 1);
  REQUIRE(named[0].remove == names{"w0"});
  b.busy(4);
  const auto told = b.run(120s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].way == way::out);
  CHECK(told[0].desired == 2);
  CHECK(told[0].remove.empty());
  CHECK(told[0].episode > named[0].episode);
  CHECK(told[0].sequence > named[0].sequence);
  CHECK_FALSE(b.machine.removal_sent(b.workers[0].id));   // the older one must not go out
}

TEST_CASE("what was sent is never taken back") {
  bench b = draining(2);
  b.workers[0].empty = true;
  REQUIRE(b.run(5s).size() == 1);
  CHECK(b.machine.removal_sent(b.workers[0].id));
  CHECK(b.machine.removal_sent(b.workers[0].id));   // a second delivery
  CHECK_FALSE(b.machine.undrain(b.workers[0].id));
  b.busy(4);
  const auto told = b.run(120s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].way == way::out);
  CHECK(told[0].desired == 2);                      // another one in its stead
  CHECK(told[0].remove == names{"w0"});
  CHECK(b.machine.asked_for() == 1);
  CHECK(b.serving() == 1);
}

TEST_CASE("workers that are not up are not taken back") {
  bench b = settled(3);
  for (scale_worker& w : b.workers) w.empty = false, w.ready = false;
  b.workers[2].ready = true;
  REQUIRE(drained(b, b.until_drain()) == names{"w0", "w1"});
  b.facts.busy_slots = 4;
  const auto told = b.run(120s);
  CHECK(b.serving() == 1);
  REQUIRE_FALSE(told.empty());
  CHECK(told[0].desired == 4);      // two that drain, one that serves, one that is asked for
}

TEST_CASE("those are taken back first that nobody was told of and that have most to do") {
  bench b = draining(5);
  b.workers[0].empty = true;
  REQUIRE(b.run(5s).size() == 1);
  b.workers[1].finish_seconds = 5;
  b.workers[2].finish_seconds = 500;
  b.workers[3].finish_seconds = 50;
  b.facts.busy_slots = 4;
  std::vector<worker_id> back;
  b.waiting(16, 1000);
  for (int i = 0; i < 30; ++i)
    for (worker_id id : b.tick().undrain) back.push_back(id);
  names order;
  for (worker_id id : back) order.push_back(b.names[id.index]);
  CHECK(order == names{"w2", "w3", "w1", "w0"});
}

TEST_CASE("each state of a worker that scales in meets each request") {
  struct row {
    const char* state;
    bool sent, undrained;      // the answers
  };
  for (const row& r : std::vector<row>{{"unknown", false, true},
                                       {"draining", false, true},
                                       {"named", true, true},
                                       {"sent", true, false}}) {
    for (bool ask_undrain : {false, true}) {
      INFO(r.state << " undrain " << ask_undrain);
      bench b = std::string_view{r.state} == "unknown" ? settled(2) : draining(2);
      const worker_id id = b.workers[0].id;
      const bool empty = r.sent;
      b.workers[0].empty = empty;
      b.tick();
      if (std::string_view{r.state} == "sent") REQUIRE(b.machine.removal_sent(id));
      if (ask_undrain)
        CHECK(b.machine.undrain(id) == r.undrained);
      else
        CHECK(b.machine.removal_sent(id) == r.sent);
    }
  }
}

TEST_CASE("a worker that an operator takes back is the scale-in's no more") {
  bench b = draining(3);
  REQUIRE(b.machine.undrain(b.workers[0].id));
  b.workers[0].stands = standing::serving;
  b.workers[0].empty = true;
  CHECK(b.tick().decision == std::nullopt);
  CHECK(b.machine.desired(3) == 3u);
}

TEST_CASE("a worker that drains and is being removed anyway is not waited for") {
  bench b = draining(3);
  b.workers[0].stands = standing::leaving;
  b.workers[0].empty = true;
  b.workers[1].empty = true;
  const auto told = b.run(5s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].remove == names{"w1"});
  CHECK(told[0].desired == 1);
}

TEST_CASE("workers drained by an operator are kept in the count and never named") {
  bench b = settled(4);
  b.workers[0].stands = standing::drained;
  b.busy(9);
  b.run(100s);
  CHECK(b.serving() == 3);
  CHECK(b.machine.desired(4) == 4u);
  b.busy(0);
  const auto told = b.run(900s);
  REQUIRE_FALSE(told.empty());
  CHECK(told.back().desired == 2);      // the one that stays and the operator's
  CHECK(told.back().remove == names{"w1", "w2"});
}

// --- pause and outage --------------------------------------------------------------------------

TEST_CASE("while paused or in an outage nothing is decided") {
  for (bool paused : {false, true}) {
    autoscale_settings s = plain_scaling();
    s.resend = 60s;
    bench b = settled(4, s);
    b.busy(16);
    b.waiting(1000, 100);
    REQUIRE(b.run(100s).size() >= 1);
    b.facts.paused = paused, b.facts.outage = !paused;
    b.machine.joined(b.now);
    CHECK(b.run(500s).empty());
    b.busy(0);
    b.waiting(0, 0);
    CHECK(b.until_drain(500s).drain.empty());
  }
}

TEST_CASE("after a pause backlog has to last anew and the window is gathered anew") {
  bench b = settled(4);
  b.waiting(1000, 100);
  b.tick();
  b.facts.paused = true;
  b.run(100s);
  b.facts.paused = false;
  CHECK_FALSE(b.tick().decision);
  CHECK_FALSE(b.tick().decision);
  CHECK(b.tick().decision);

  bench idle = settled(4);
  idle.facts.outage = true;
  idle.run(1000s);
  idle.facts.outage = false;
  CHECK(idle.until_drain(295s).drain.empty());
  CHECK(idle.until_drain(20s).drain.size() == 3);
}

// --- decisions -----------------------------------------------------------------------------------

TEST_CASE("the standing decision is sent again and says so") {
  autoscale_settings s = plain_scaling();
  s.resend = 60s;
  bench b = settled(1, s);
  CHECK(b.run(300s).empty());          // nothing was decided: nothing stands
  b.waiting(1000, 100);
  scale_step first;
  while (!first.decision) first = b.tick();
  CHECK_FALSE(first.decision->resent);
  b.add(9);
  b.waiting(3, 1);
  std::uint64_t sequence = first.decision->sequence;
  const instant told = b.now;
  for (int i = 1; i <= 4; ++i) {
    scale_step step;
    while (!step.decision) step = b.tick();
    CHECK(step.decision->resent);
    CHECK(b.now - told == i * 60s);
    CHECK(step.decision->desired == 10);
    CHECK(step.decision->current == 10);
    CHECK(step.decision->episode == first.decision->episode);
    CHECK(step.decision->sequence == ++sequence);
    CHECK(step.decision->backlog_batches == 3);     // of now
  }
}

TEST_CASE("what is sent again never falls below the workers there are") {
  autoscale_settings s = plain_scaling();
  s.resend = 60s;
  bench b = settled(1, s);
  b.busy(4);
  scale_step first;
  while (!first.decision) first = b.tick();
  REQUIRE(first.decision->desired == 2);
  b.add(4);
  b.busy(13);
  const auto told = b.run(60s);
  REQUIRE(told.size() == 1);
  CHECK_FALSE(told[0].resent);   // another number is another decision
  CHECK(told[0].desired == 5);
  CHECK(told[0].reason == "5 workers are there or expected, 2 were wanted");
}

TEST_CASE("within a run of pressure the episode stays and the desired number never falls") {
  bench b = settled(1);
  std::uint32_t desired = 0;
  std::uint64_t sequence = 0;
  for (std::uint64_t batches : {12u, 20u, 30u, 25u, 14u}) {
    b.waiting(batches, 1000);
    for (const scale_decision& d : b.run(150s)) {
      CHECK(d.episode == 1);
      CHECK(d.desired >= desired);
      CHECK(d.sequence == sequence + 1);
      desired = d.desired, sequence = d.sequence;
    }
  }
  CHECK(desired == 8);
}

TEST_CASE("pressure that comes again begins another episode") {
  bench b = settled(2);
  b.waiting(20, 1000);
  REQUIRE(b.run(30s).back().episode == 1);
  b.add(3);
  b.waiting(0, 0);
  b.run(60s);
  b.waiting(40, 1000);
  const auto told = b.run(30s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].episode == 2);
  CHECK(told[0].desired == 10);
}

TEST_CASE("another direction begins another episode and one way has one at a time") {
  bench b = settled(1);
  b.waiting(1000, 100);
  REQUIRE(b.run(30s).size() == 1);
  b.add(9);
  b.waiting(0, 0);
  std::vector<scale_decision> told = b.run(400s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].way == way::in);
  CHECK(told[0].episode == 2);
  CHECK(told[0].remove.size() == 9);
  for (worker_id id : {b.workers[0].id, b.workers[1].id}) b.remove(id);
  b.waiting(1000, 100);
  told = b.run(30s);
  REQUIRE_FALSE(told.empty());
  CHECK(told[0].way == way::out);
  CHECK(told[0].episode == 3);
}

TEST_CASE("a decision carries the numbers of the moment and a reason") {
  bench b = settled(2);
  b.waiting(40, 50);
  b.facts.waiting_bytes = 12345;
  b.facts.oldest_seconds = 7.5;
  b.facts.drain_seconds = 250;
  const auto told = b.run(15s);
  REQUIRE(told.size() == 1);
  CHECK(told[0].backlog_batches == 40);
  CHECK(told[0].backlog_cost == Approx(2000));
  CHECK(told[0].backlog_bytes == 12345);
  CHECK(told[0].oldest_seconds == Approx(7.5));
  CHECK(told[0].drain_seconds == Approx(250));
  CHECK(told[0].reason == "2000.0 s of work wait for 8 ready slots");
}

TEST_CASE("reasons say what made a decision") {
  autoscale_settings s = plain_scaling();
  s.min = 0;
  bench none(s);
  none.waiting(1, 1);
  CHECK(none.run(5s).at(0).reason == "batches wait and no worker is there or expected");

  bench busy = settled(1);
  busy.busy(4);
  CHECK(busy.run(100s).at(0).reason.find("busy slots") != std::string::npos);

  bench idle = settled(2);
  idle.until_drain();
  CHECK(idle.run(5s).at(0).reason == "at most 1 worker was needed in the last 300.0 s");
}

TEST_CASE("before the first decision the workers there are stand, at least min") {
  struct row {
    std::uint32_t min, max, there, desired;
  };
  for (const row& r : std::vector<row>{
           {0, 5, 0, 0}, {1, 5, 0, 1}, {3, 5, 1, 3}, {1, 5, 4, 4}, {1, 5, 9, 9}, {2, 2, 0, 2}}) {
    INFO(r.there << " workers, min " << r.min);
    autoscale_settings s = plain_scaling();
    s.min = r.min, s.max = r.max;
    bench b(s);
    CHECK(b.machine.desired(r.there) == r.desired);
    b.add(static_cast<int>(r.there));
    b.tick();
    if (b.machine.sequence() == 0) CHECK(b.machine.desired(r.there) == r.desired);
    CHECK(b.machine.desired(r.there) >= std::max(r.min, r.there));
  }
}
