#include "core/fleet.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "core/fleet_kit.hpp"

namespace weir::core::test {

using bench = fleet_bench;

TEST_CASE("the whole grid of conditions combines to the strongest state") {
  for (int removed = 0; removed < 2; ++removed)
    for (int draining = 0; draining < 2; ++draining)
      for (auto h : {health_state::checking, health_state::up, health_state::down})
        for (int ejected = 0; ejected < 2; ++ejected)
          for (int full = 0; full < 2; ++full) {
            const worker_state s =
                combine({removed == 1, draining == 1, h, ejected == 1, full == 1});
            INFO(removed << draining << static_cast<int>(h) << ejected << full);
            worker_state strongest = full ? worker_state::saturated : worker_state::up;
            if (ejected) strongest = worker_state::ejected;
            if (h == health_state::checking) strongest = worker_state::checking;
            if (h == health_state::down) strongest = worker_state::down;
            if (draining) strongest = worker_state::draining;
            if (removed) strongest = worker_state::removed;
            CHECK(s == strongest);
          }
}

TEST_CASE("a name is taken by a worker that is not leaving, and the limit holds") {
  pool_settings s = plain_settings();
  s.workers_max = 2;
  bench b(s);
  const auto w1 = b.add("w1");
  REQUIRE(w1);
  CHECK_FALSE(b.add("w1"));
  REQUIRE(b.add("w2"));
  CHECK_FALSE(b.add("w3"));
  CHECK(b.f.refused_workers() == 1);
  const auto a = b.start(w1, 0);
  b.f.remove(w1, "reload", at(1));
  CHECK_FALSE(b.add("w1"));  // still there until its attempt ended
  b.f.end(a, at(2));
  CHECK(b.add("w1", 1, 3));
}

TEST_CASE("a name finds who stays, else who leaves, and nobody once all are gone") {
  bench b(plain_settings());
  const auto old = b.add("w1");
  const auto a1 = b.start(old, 0);
  b.f.remove(old, "reload", at(1));
  CHECK(b.f.find("w1") == old);
  const auto fresh = b.add("w1");
  const auto a2 = b.start(fresh, 1);
  CHECK(b.f.find("w1") == fresh);
  b.f.remove(fresh, "reload", at(2));
  b.f.end(a2, at(3));
  CHECK(b.f.find("w1") == old);
  b.f.end(a1, at(4));
  CHECK_FALSE(b.f.find("w1"));
}

TEST_CASE("a reserved seat is there beyond the limit, and counts") {
  pool_settings s = plain_settings();
  s.workers_max = 1;
  bench b(s);
  REQUIRE(b.add("w1"));
  const auto reserve = [&](const char* name) {
    worker_settings w;
    w.name = name;
    return b.f.add(w, at(0), seat::reserved);
  };
  CHECK(reserve("w2"));
  CHECK_FALSE(reserve("w2"));   // a name is one worker's all the same
  CHECK(b.f.refused_workers() == 0);
  CHECK_FALSE(b.add("w3"));
  CHECK(b.f.refused_workers() == 1);
}

TEST_CASE("a leaving worker's name may join again at once, and is the one that is found") {
  bench b;
  const auto old = b.add("w1");
  const auto a = b.start(old, 0);
  b.f.remove(old, "lease lost", at(1));
  const auto fresh = b.add("w1", 1, 2);
  REQUIRE(fresh);
  CHECK(b.f.find("w1") == fresh);
  b.f.end(a, at(3));
  CHECK(b.f.find("w1") == fresh);
  CHECK(b.f.size() == 1);
  CHECK(b.events(event::kind::worker_removed) == 1);
}

TEST_CASE("removal waits for the last attempt, an abandoned one included") {
  bench b;
  const auto w = b.add("w1", 2);
  const auto a = b.start(w, 0, 1), c = b.start(w, 0, 2);
  b.f.remove(w, "gone", at(1));
  CHECK(b.state(w, 1) == worker_state::draining);
  CHECK(b.f.staying() == 0);
  b.f.end(a, at(2));
  b.f.abandon(c, at(2));
  CHECK(b.f.find(w));
  b.run_until(100);
  CHECK_FALSE(b.f.find(w));
}

TEST_CASE("no traffic before the first proof, the probe goes out at once") {
  bench b(probed_settings());
  const auto w = b.add("w1");
  CHECK(b.state(w) == worker_state::checking);
  CHECK_FALSE(b.f.any_free());
  REQUIRE(b.out.probes.size() == 1);
  CHECK(b.out.probes[0].worker == w);
  b.f.probed(w, true, "200", at(0.1));
  CHECK(b.state(w, 0.1) == worker_state::up);
  CHECK(b.pick() == w);
}

TEST_CASE("a worker without a free slot is saturated, which is no event") {
  bench b;
  const auto w = b.add("w1", 2);
  const auto told = b.out.events.size();
  const auto a = b.start(w, 0);
  CHECK(b.state(w) == worker_state::up);
  b.start(w, 0);
  CHECK(b.state(w) == worker_state::saturated);
  CHECK_FALSE(b.f.any_free());
  CHECK_FALSE(b.pick());
  b.f.end(a, at(1));
  CHECK(b.pick() == w);
  CHECK(b.out.events.size() == told);
}

TEST_CASE("drains by operator and by scaling are taken back each on its own") {
  bench b;
  const auto w = b.add("w1");
  b.f.drain(w, drain_order::by_operator, "maintenance", at(1));
  b.f.drain(w, drain_order::by_scaling, "scale-in", at(2));
  b.f.undrain(w, drain_order::by_scaling, at(3));
  CHECK(b.state(w, 3) == worker_state::draining);
  b.f.undrain(w, drain_order::by_operator, at(4));
  CHECK(b.state(w, 4) == worker_state::up);
  CHECK(b.pick() == w);
  CHECK(b.f.view(w, at(4)).reason.empty());
}

TEST_CASE("a busy worker rests for its Retry-After, at least busy_rest_min") {
  for (double asked : {0.0, 0.05, 2.0}) {
    bench b;
    const auto w = b.add("w1");
    b.f.rest(w, base::from_seconds(asked), at(0));
    const double rest = std::max(asked, 0.1);
    CHECK_FALSE(b.f.any_free());
    CHECK(b.f.serving() == 1);  // resting is not gone
    b.run_until(rest - 0.01);
    CHECK_FALSE(b.f.any_free());
    b.run_until(rest);
    CHECK(b.pick() == w);
  }
}

TEST_CASE("a worker rests no longer than busy_rest_max, and not at all once it is undrained") {
  bench b;
  const auto w = b.add("w1");
  b.f.rest(w, 1000h, at(0));
  CHECK(b.f.rests_cut() == 1);
  b.run_until(299);
  CHECK_FALSE(b.f.any_free());
  b.run_until(300);
  CHECK(b.pick() == w);
  b.f.rest(w, 60s, at(300));
  CHECK_FALSE(b.f.any_free());
  b.f.drain(w, drain_order::by_operator, "look at it", at(301));
  b.f.undrain(w, drain_order::by_operator, at(302));
  CHECK(b.pick() == w);
}

TEST_CASE("a shorter rest does not cut a longer one") {
  bench b;
  const auto w = b.add("w1");
  b.f.rest(w, 5s, at(0));
  b.f.rest(w, 1s, at(1));
  b.run_until(4.9);
  CHECK_FALSE(b.f.any_free());
  b.run_until(5);
  CHECK(b.pick() == w);
}

TEST_CASE("refused connections rest a worker longer each time, up to 5 s, until one is taken") {
  bench b;
  const auto w = b.add("w1");
  double now = 0;
  for (double rest : {0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 5.0, 5.0}) {
    b.f.refused_connection(w, at(now));
    CHECK(b.f.next_deadline() == at(now) + base::from_seconds(rest));
    now += rest;
    b.run_until(now);
  }
  b.f.succeeded(w, at(now));
  b.f.refused_connection(w, at(now));
  CHECK(b.f.next_deadline() == at(now) + 100ms);
}

TEST_CASE("a refused connection is probed at once, and a good probe ends the rest") {
  bench b(probed_settings());
  const auto w = b.add("w1");
  b.f.probed(w, true, "", at(0));
  b.out.probes.clear();
  for (int i = 0; i < 6; ++i) b.f.refused_connection(w, at(2));
  CHECK_FALSE(b.f.any_free());
  b.run_until(2);
  CHECK(b.out.probes.size() == 1);
  b.f.probed(w, true, "", at(2.1));
  CHECK(b.pick() == w);
}

TEST_CASE("backup workers serve only while no other worker does") {
  bench b;
  const auto main = b.add("main", 1), spare = b.add("spare", 1, 0, true);
  CHECK(b.pick() == main);
  b.start(main, 0);
  CHECK_FALSE(b.pick());  // saturated is not gone
  b.f.drain(main, drain_order::by_operator, "", at(1));
  CHECK(b.pick() == spare);
  b.f.undrain(main, drain_order::by_operator, at(2));
  CHECK_FALSE(b.pick());
}

TEST_CASE("a worker that becomes a backup, or stops being one, changes its tier") {
  bench b;
  const auto a = b.add("a"), c = b.add("c");
  worker_settings s = worker_named("a");
  s.backup = true;
  b.f.update(a, s, at(1));
  for (int i = 0; i < 5; ++i) CHECK(b.pick() == c);
  b.f.drain(c, drain_order::by_operator, "", at(2));
  CHECK(b.pick() == a);
  s.backup = false;
  b.f.update(a, s, at(3));
  CHECK(b.pick() == a);
  b.f.drain(a, drain_order::by_operator, "", at(4));
  CHECK_FALSE(b.pick());
  CHECK(b.f.serving() == 0);
}

TEST_CASE("a batch is kept from the workers that failed it while another serves") {
  bench b;
  const auto x = b.add("x"), y = b.add("y"), z = b.add("z");
  CHECK(b.pick({x}) != x);
  CHECK(b.pick({x, y}) == z);
  CHECK(b.f.could_take(std::vector{x, y}));
  b.start(z, 0);  // z is busy, but may become free
  CHECK_FALSE(b.pick({x, y}));
  CHECK_FALSE(b.f.could_take(std::vector{x, y}));
  b.f.drain(z, drain_order::by_operator, "", at(1));  // now it will not
  CHECK(b.f.could_take(std::vector{x, y}));
  const auto back = b.pick({x, y});
  CHECK((back == x || back == y));
  CHECK(b.pick() == back);  // the excluded ones are free for others as before
}

TEST_CASE("an excluded worker that left the pool keeps nobody from anything") {
  bench b;
  const auto x = b.add("x");
  b.f.remove(x, "", at(1));
  const auto y = b.add("y", 1, 2);
  CHECK(y.index == x.index);  // the same number, another worker
  CHECK(b.pick({x}) == y);
}

TEST_CASE("slots are opened and closed by an update") {
  bench b;
  const auto w = b.add("w1", 1);
  b.start(w, 0);
  CHECK_FALSE(b.f.any_free());
  b.f.update(w, worker_named("w1", 2), at(1));
  CHECK(b.pick() == w);
  b.f.update(w, worker_named("w1", 1), at(2));
  CHECK_FALSE(b.f.any_free());
}

TEST_CASE("an abandoned slot stays taken until it is released or its hold runs out") {
  for (bool released : {true, false}) {
    bench b;
    const auto w = b.add("w1");
    b.f.abandon(b.start(w, 0, 9), at(1));
    CHECK_FALSE(b.f.any_free());
    CHECK(b.f.in_flight() == 1);
    b.f.release(w, {8, 1}, at(2));  // another batch's: nothing
    CHECK_FALSE(b.f.any_free());
    if (released) b.f.release(w, {9, 1}, at(2));
    b.run_until(30.9);
    CHECK(b.f.any_free() == released);
    b.run_until(31);
    CHECK(b.f.any_free());
    b.f.release(w, {9, 1}, at(32));  // late: nothing
    CHECK(b.f.in_flight() == 0);
  }
}

// --- slow start ----------------------------------------------------------------------------------

namespace {

pool_settings slow_settings() {
  pool_settings s = probed_settings();
  s.slow_start = 60s;
  s.health.fall = 1;
  s.health.rise = 1;
  return s;
}

}  // namespace

TEST_CASE("workers of a pool that has just begun start with every slot") {
  bench b(slow_settings());
  const auto w1 = b.add("w1", 10), w2 = b.add("w2", 10);
  b.f.probed(w1, true, "", at(0.1));
  b.f.probed(w2, true, "", at(5));
  CHECK(b.f.view(w1, at(5)).slots_open == 10);
  CHECK(b.f.view(w2, at(5)).slots_open == 10);
}

TEST_CASE("a worker that joins a pool at work opens its slots over slow_start") {
  bench b(slow_settings());
  b.f.probed(b.add("w1", 10), true, "", at(0));
  const auto late = b.add("w2", 10, 100);
  b.f.probed(late, true, "", at(100));
  struct row {
    double age;
    std::uint32_t open;
    double share;
  };
  for (const row& r :
       {row{0, 3, 0.3}, {10, 5, 0.3 + 0.7 / 6}, {30, 7, 0.65}, {59.9, 10, 0.999}, {70, 10, 1}}) {
    INFO(r.age);
    b.run_until(100 + r.age);
    b.f.probed(late, true, "", at(100 + r.age));
    CHECK(b.f.view(late, at(100 + r.age)).slots_open == r.open);
    CHECK(b.f.view(late, at(100 + r.age)).rate == Approx(r.share).epsilon(0.01));
  }
}

TEST_CASE("while no slot is free a success opens one more of a worker that starts small") {
  bench b(slow_settings());
  const auto old = b.add("w1", 1);
  b.f.probed(old, true, "", at(0));
  const auto late = b.add("w2", 10, 100);
  b.f.probed(late, true, "", at(100));
  const auto open = [&] { return b.f.view(late, at(100)).slots_open; };
  REQUIRE(open() == 3);
  for (std::uint32_t i = 0; i < 3; ++i) b.start(late, 100, i);
  b.f.succeeded(late, at(100));
  CHECK(open() == 3);   // the old one has a free slot
  b.start(old, 100, 3);
  for (std::uint32_t i = 4; i < 11; ++i) {
    CHECK(open() == i - 1);
    b.f.succeeded(late, at(100));
    CHECK(open() == i);
    CHECK(b.pick() == late);
    b.f.succeeded(late, at(100));
    CHECK(open() == i);   // one is free again
    b.start(late, 100, i);
  }
  b.f.succeeded(late, at(100));
  CHECK(open() == 10);
  CHECK(b.f.view(late, at(100)).rate == Approx(0.3));
  b.f.failed(late, at(100));
  CHECK(open() == 3);
  b.run_until(106);
  b.f.probed(late, false, "refused", at(106));
  b.run_until(130);
  b.f.probed(late, true, "200", at(130));
  CHECK(b.f.view(late, at(130)).slots_open == 3);
}

TEST_CASE("a worker that was down starts small again, even in the pool's first minute") {
  bench b(slow_settings());
  const auto w = b.add("w1", 10);
  b.f.probed(w, true, "", at(0));
  b.run_until(6);
  b.f.probed(w, false, "refused", at(6));
  CHECK(b.state(w, 6) == worker_state::down);
  CHECK(b.f.view(w, at(6)).reason == "refused");
  b.run_until(30);  // by then it was probed again
  b.f.probed(w, true, "200", at(30));
  CHECK(b.state(w, 30) == worker_state::up);
  CHECK(b.f.view(w, at(30)).slots_open == 3);
}

// --- rates
// -----------------------------------------------------------------------------------------

TEST_CASE("the faster of two workers is learned and preferred") {
  bench b;
  const auto slow = b.add("slow"), fast = b.add("fast");
  double now = 0;
  for (int i = 0; i < 30; ++i, now += 3) {
    const auto a = b.start(slow, now, 1), c = b.start(fast, now, 2);
    b.run_until(now + 0.5);
    b.f.learn(c, at(now + 0.5));
    b.f.end(c, at(now + 0.5));
    b.run_until(now + 2);
    b.f.learn(a, at(now + 2));
    b.f.end(a, at(now + 2));
  }
  CHECK(b.pick() == fast);
  CHECK(b.f.view(fast, at(now)).rate > 1.5 * b.f.view(slow, at(now)).rate);
  const auto quick = b.start(fast, now), long_one = b.start(slow, now);
  CHECK(b.f.at(quick).expected_seconds < b.f.at(long_one).expected_seconds);
}

TEST_CASE("weight multiplies the rate") {
  bench b;
  worker_settings s = worker_named("w1", 4);
  s.weight = 3;
  const auto w = b.f.add(s, at(0));
  b.add("w2", 4);
  CHECK(b.f.view(w, at(0)).rate == Approx(3));
  for (int i = 0; i < 4; ++i) {
    CHECK(b.pick() == w);
    b.start(w, 0);
  }
}

TEST_CASE("an attempt that is long overdue lowers its worker's rate, and its end restores it") {
  bench b;
  const auto stuck = b.add("stuck", 2), fine = b.add("fine", 2);
  const auto a = b.start(stuck, 0, 1, 1);
  b.run_until(3.9);
  CHECK(b.f.view(stuck, at(3.9)).rate == Approx(1));
  b.run_until(40);
  CHECK(b.f.view(stuck, at(40)).rate == Approx(0.1).epsilon(0.02));
  CHECK(b.pick() == fine);
  b.f.end(a, at(40));
  CHECK(b.f.view(stuck, at(40)).rate == Approx(1));
}

TEST_CASE("rates are refreshed every 100 ms while something runs, and not otherwise") {
  bench b;
  const auto w = b.add("w1");
  CHECK(b.f.next_deadline() == base::never);
  const auto a = b.start(w, 1);
  CHECK(b.f.next_deadline() == at(1.1));
  b.f.expire(at(1.1));
  CHECK(b.f.next_deadline() == at(1.2));
  b.f.end(a, at(1.15));
  b.f.expire(at(1.2));
  CHECK(b.f.next_deadline() == base::never);
}

TEST_CASE("the fleet's speed is that of its open slots in service") {
  bench b;
  CHECK(b.f.speed() == 0);
  const auto w = b.add("w1", 4);
  b.add("w2", 2);
  CHECK(b.f.speed() == Approx(6));
  b.f.drain(w, drain_order::by_operator, "", at(1));
  CHECK(b.f.speed() == Approx(2));
}

// --- ejection
// --------------------------------------------------------------------------------------

TEST_CASE("switching probes off brings workers up, a new policy keeps everybody") {
  bench b(probed_settings());
  const auto w = b.add("w1");
  CHECK_FALSE(b.f.any_free());
  b.settings.health.kind = probe_kind::none;
  b.settings.balance = balance::round_robin;
  b.f.reconfigured(true, at(1));
  CHECK(b.pick() == w);
}

TEST_CASE("orders for a worker that is gone do nothing") {
  bench b;
  const auto w = b.add("w1");
  b.f.remove(w, "", at(1));
  b.out.clear();
  b.f.update(w, worker_named("x"), at(2));
  b.f.drain(w, drain_order::by_operator, "", at(2));
  b.f.undrain(w, drain_order::by_operator, at(2));
  b.f.remove(w, "", at(2));
  b.f.probed(w, true, "", at(2));
  b.f.rest(w, 1s, at(2));
  b.f.refused_connection(w, at(2));
  b.f.succeeded(w, at(2));
  b.f.failed(w, at(2));
  b.f.release(w, {1, 1}, at(2));
  CHECK(b.out.empty());
  CHECK(b.f.size() == 0);
}

}  // namespace weir::core::test
