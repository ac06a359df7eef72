// What a worker says of itself, and what becomes of it: slots, weight, drains, and its load, which
// moves the choice for a while and nothing that is learned.
#include <catch2/catch.hpp>
#include <cmath>

#include "core/fleet_kit.hpp"

namespace weir::core::test {
namespace {

using duty = worker_word::duty;

worker_word slots_of(std::uint32_t n) {
  worker_word w;
  w.slots = n;
  return w;
}
worker_word share_of(double s) {
  worker_word w;
  w.share = s;
  return w;
}
worker_word wishing(duty d) {
  worker_word w;
  w.wish = d;
  w.why = "it asks for it";
  return w;
}

}  // namespace

TEST_CASE("a worker's own slots cap the declared ones and never exceed them") {
  struct row {
    std::uint32_t asked, open;
  };
  for (const row& r : {row{3, 3}, row{8, 8}, row{99, 8}, row{0, 8}, row{1, 1}}) {
    fleet_bench b;
    const worker_id w = b.add("w", 8);
    b.f.told(w, slots_of(r.asked), at(1));
    CAPTURE(r.asked);
    CHECK(b.f.view(w, at(1)).slots_open == r.open);
    CHECK(b.f.view(w, at(1)).slots_lasting == r.open);
    CHECK(b.f.view(w, at(1)).slots == 8);
  }
  fleet_bench b;
  const worker_id w = b.add("w", 8);
  b.f.told(w, slots_of(2), at(1));
  b.f.told(w, worker_word{}, at(2));  // silence changes nothing
  CHECK(b.f.view(w, at(2)).slots_open == 2);
  b.start(w, 3, 1), b.start(w, 3, 2);
  CHECK_FALSE(b.f.has_free_slot(w));
}

TEST_CASE("a worker's own share multiplies its weight") {
  fleet_bench b;
  const worker_id w = b.add("w");
  b.f.told(w, share_of(0.5), at(1));
  CHECK(b.f.rate(*b.f.find(w), at(1)) == Approx(0.5));
  b.f.told(w, share_of(0), at(1));
  CHECK(b.f.rate(*b.f.find(w), at(1)) > 0);
  CHECK(b.pick() == w);  // still better than nobody
  const worker_id other = b.add("other");
  CHECK(b.pick() == other);
}

TEST_CASE("a worker drains itself, and is ready again") {
  fleet_bench b;
  const worker_id w = b.add("w");
  b.f.told(w, wishing(duty::drain), at(1));
  CHECK(b.state(w, 1) == worker_state::draining);
  CHECK(b.f.view(w, at(1)).reason == "it asks for it");
  const std::size_t told = b.events(event::kind::worker_state_changed);
  b.f.told(w, wishing(duty::drain), at(2));  // with every probe
  CHECK(b.events(event::kind::worker_state_changed) == told);
  b.f.told(w, wishing(duty::ready), at(3));
  CHECK(b.state(w, 3) == worker_state::up);
  CHECK(b.f.view(w, at(3)).reason.empty());
  b.f.drain(w, drain_order::by_operator, "op", at(4));
  b.f.told(w, wishing(duty::ready), at(5));  // no word against an operator's
  CHECK(b.state(w, 5) == worker_state::draining);
}

TEST_CASE("a worker that comes up anew has said nothing yet") {
  fleet_bench b(probed_settings());
  const worker_id w = b.add("w", 8);
  b.f.probed(w, true, "", at(0));
  b.f.told(w, slots_of(2), at(0));
  b.f.told(w, wishing(duty::drain), at(0));
  for (int i = 0; i < 8; ++i) {  // three bad probes, then good ones, each when it is due
    const instant due = b.f.next_deadline();
    b.f.expire(due);
    b.f.probed(w, i >= 3, "", due);
  }
  CHECK(b.state(w, 900) == worker_state::up);
  CHECK(b.f.view(w, at(900)).slots_lasting == 8);
}

TEST_CASE("a full worker is preferred less, for as long as its report is young") {
  fleet_bench b;
  const worker_id full = b.add("full", 4), other = b.add("other", 4);
  b.f.reported(full, 0.95, at(0));
  CHECK(b.f.rate(*b.f.find(full), at(0)) == Approx(1 - 0.75 * 0.75));
  CHECK(b.pick() == other);
  CHECK(b.f.view(full, at(0)).reported_load == Approx(0.95));
  b.run_until(10);
  CHECK(b.f.rate(*b.f.find(full), at(10)) == Approx(1 - 0.75 * 0.75 * std::exp(-1)).epsilon(0.05));
  b.run_until(61);
  CHECK(b.f.rate(*b.f.find(full), at(61)) == 1);
  CHECK(b.f.view(full, at(61)).reported_load == 0);
  CHECK(b.f.next_deadline() == base::never);
}

TEST_CASE("a report replaces the one before") {
  fleet_bench b;
  const worker_id w = b.add("w", 4);
  b.f.reported(w, 3, at(0));
  CHECK(b.f.rate(*b.f.find(w), at(0)) == Approx(0.25));
  b.f.reported(w, 0.001, at(1));
  CHECK(b.f.rate(*b.f.find(w), at(1)) == 1);
  b.f.reported(worker_id{}, 0.9, at(1));  // gone meanwhile
}

TEST_CASE("a report changes nothing of what is learned or expected") {
  fleet_bench plain, said;
  const worker_id a = plain.add("w", 4), b = said.add("w", 4);
  said.f.reported(b, 1, at(0));
  for (std::uint32_t i = 1; i < 20; ++i) {
    const attempt_id x = plain.start(a, i, i), y = said.start(b, i, i);
    CHECK(plain.f.at(x).expected_seconds == said.f.at(y).expected_seconds);
    CHECK(plain.f.learn(x, at(i + 0.5)) == said.f.learn(y, at(i + 0.5)));
    plain.f.end(x, at(i + 0.5)), said.f.end(y, at(i + 0.5));
  }
  CHECK(plain.f.find(a)->learned == said.f.find(b)->learned);
  CHECK(plain.f.speed() == said.f.speed());
}

TEST_CASE("a pool hears a report with an attempt's end") {
  pool_kit k;
  const worker_id w1 = k.add("w1", 2), w2 = k.add("w2", 2);
  const admission a = k.admit(0);
  attempt_report r;
  r.end = attempt_end::succeeded;
  r.reported_load = 0.97;
  k.p.finish(a.batch, r, at(1));
  CHECK(k.worker(a.grant.worker, 1).reported_load == Approx(0.97));
  for (int i = 0; i < 2; ++i) CHECK(k.admit(1).grant.worker == (a.grant.worker == w1 ? w2 : w1));
  CHECK(k.admit(1).grant.worker == a.grant.worker);  // the other one is full: it takes work still
}

TEST_CASE("an operator's undrain takes back a worker's own drain") {
  pool_kit k;
  const worker_id w = k.add("w");
  k.p.told(w, wishing(duty::drain), at(1));
  CHECK(k.admit(1).what == admission::kind::queued);
  CHECK(k.p.undrain(w, at(2)));
  CHECK(k.worker(w, 2).state == worker_state::saturated);
}

TEST_CASE("adaptive slots come and go with the settings") {
  pool_kit k;
  const worker_id w = k.add("w", 16);
  CHECK(k.worker(w, 0).slots_open == 16);
  pool_settings s = plain_settings();
  s.adaptive_slots.emplace();
  s.adaptive_slots->min = 3;
  k.p.configure(s, at(1));
  CHECK(k.worker(w, 1).slots_open == 3);
  CHECK(k.worker(w, 1).slots == 16);
  s.adaptive_slots.reset();
  k.p.configure(s, at(2));
  CHECK(k.worker(w, 2).slots_open == 16);
}

TEST_CASE("adaptive slots begin at what a worker runs when they are asked for") {
  pool_kit k;
  const worker_id w = k.add("w", 16);
  for (int i = 0; i < 12; ++i) k.admit(0);
  pool_settings s = plain_settings();
  s.adaptive_slots.emplace();
  s.adaptive_slots->min = 3;
  k.p.configure(s, at(1));
  CHECK(k.worker(w, 1).slots_open == 12);
}

}  // namespace weir::core::test
