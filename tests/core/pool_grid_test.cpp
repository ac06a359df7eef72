// The grids: every stage that a batch can be in against every call that can meet it there, and
// every state of a worker against everything that can happen to it.
#include <catch2/catch.hpp>
#include <functional>
#include <string>
#include <vector>

#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

// --- batches -------------------------------------------------------------------------------------

enum class stage { ready, kept_back, delayed, running, ended };
constexpr stage stages[] = {stage::ready, stage::kept_back, stage::delayed, stage::running,
                            stage::ended};
const char* word(stage s) {
  constexpr const char* words[] = {"ready", "kept back", "delayed", "running", "ended"};
  return words[static_cast<int>(s)];
}

// Two workers of one slot; `b` is the batch under test, `other` occupies a worker where needed.
struct batch_bench {
  explicit batch_bench(stage s) {
    w1 = k.add("w1");
    batch_facts f;
    f.label = "under-test";
    f.wait_max = 60s;
    f.held_bytes = 100;
    if (s == stage::ready) {
      w2 = k.add("w2");
      other = k.admit(0).batch;
      k.admit(0);
      b = k.admit(0, f).batch;
      return;
    }
    b = k.admit(0, f).batch;
    w2 = k.add("w2");
    other = k.admit(0).batch;
    if (s == stage::running) return;
    if (s == stage::ended) {
      k.finish(b, attempt_end::succeeded, 0);
      return;
    }
    k.finish(b, attempt_end::failed, 0);
    if (s == stage::kept_back) k.run_until(now = 6);
  }

  pool_kit k;
  worker_id w1, w2;
  batch_id b, other;
  double now = 0;
};

bool waits(stage s) {
  return s == stage::ready || s == stage::kept_back || s == stage::delayed;
}

}  // namespace

TEST_CASE("the bench puts a batch into each stage") {
  for (stage s : stages) {
    INFO(word(s));
    batch_bench x(s);
    const auto place = x.k.p.place(x.b, at(x.now));
    CHECK(place.has_value() == waits(s));
    if (place) CHECK(place->delayed == (s == stage::delayed));
    const std::string text = x.k.p.explain("under-test", at(x.now));
    const char* said[] = {"Every open slot", "kept from", "backs off", "runs on", "Left the pool"};
    CHECK_THAT(text, Catch::Matchers::Contains(said[static_cast<int>(s)]));
  }
}

TEST_CASE("cancel takes a batch out of any stage, once, and leaves sums that add up") {
  for (stage s : stages) {
    INFO(word(s));
    batch_bench x(s);
    const auto waiting = x.k.p.waiting(), running = x.k.p.running();
    CHECK(x.k.p.cancel(x.b, at(x.now)) == (s != stage::ended));
    CHECK_FALSE(x.k.p.cancel(x.b, at(x.now)));
    CHECK(x.k.p.waiting() == waiting - (waits(s) ? 1 : 0));
    CHECK(x.k.p.running() == running - (s == stage::running ? 1 : 0));
    const pool_view v = x.k.p.view(at(x.now));
    CHECK(v.waiting_bytes == 0);
    CHECK(v.delayed == 0);
    x.k.run_until(200);
    CHECK(x.k.grants().empty());
    CHECK(x.k.evictions().empty());
  }
}

TEST_CASE("held bytes count in every stage that waits, and nowhere else") {
  for (stage s : stages) {
    INFO(word(s));
    batch_bench x(s);
    x.k.p.held_bytes(x.b, 1234);
    CHECK(x.k.p.view(at(x.now)).waiting_bytes == (waits(s) ? 1234u : 0u));
  }
}

TEST_CASE("the wait limit evicts from every stage that waits, and nowhere else") {
  for (stage s : stages) {
    INFO(word(s));
    batch_bench x(s);
    x.k.p.pause(at(x.now));
    x.k.run_until(59.9);
    CHECK(x.k.evictions().empty());
    x.k.run_until(66.1);
    const auto gone = x.k.evictions();
    REQUIRE(gone.size() == (waits(s) ? 1u : 0u));
    if (waits(s)) CHECK(gone[0].batch == x.b);
    if (waits(s)) CHECK(gone[0].why == refusal::wait_expired);
  }
}

TEST_CASE("close evicts from every stage that waits, and nowhere else") {
  for (stage s : stages) {
    INFO(word(s));
    batch_bench x(s);
    x.k.p.close(at(x.now));
    const auto gone = x.k.evictions();
    REQUIRE(gone.size() == (waits(s) ? 1u : 0u));
    if (waits(s)) CHECK(gone[0].why == refusal::closing);
    CHECK(x.k.p.waiting() == 0);
    CHECK(x.k.p.cancel(x.b, at(x.now)) == (s == stage::running));
  }
}

TEST_CASE("a reload in any stage changes nothing about a batch") {
  for (stage s : stages) {
    INFO(word(s));
    batch_bench x(s);
    const auto before = x.k.p.place(x.b, at(x.now));
    pool_settings other = plain_settings();
    other.balance = balance::first;
    other.queue.order = queue_order::fifo;
    other.autoscale = autoscale_settings{.max = 4};
    x.k.p.configure(other, at(x.now));
    const auto after = x.k.p.place(x.b, at(x.now));
    REQUIRE(before.has_value() == after.has_value());
    if (before) CHECK(before->position == after->position);
    if (before) CHECK(before->delayed == after->delayed);
    CHECK(x.k.grants().empty());
  }
}

TEST_CASE("a worker that becomes free is taken from the stages that may use it") {
  for (stage s : stages) {
    INFO(word(s));
    batch_bench x(s);
    x.k.add("w3", 1, x.now);
    const auto grants = x.k.grants();
    const bool taken = s == stage::ready || s == stage::kept_back;
    REQUIRE(grants.size() == (taken ? 1u : 0u));
    if (taken) CHECK(grants[0].batch == x.b);
  }
}

TEST_CASE("the loss of the last other worker sends a kept-back batch back") {
  batch_bench x(stage::kept_back);
  x.k.p.remove_worker(x.w2, "gone", at(x.now));
  const auto grants = x.k.grants();
  REQUIRE(grants.size() == 1);
  CHECK(grants[0].batch == x.b);
  CHECK(grants[0].worker == x.w1);
  CHECK(grants[0].attempt == 2);
}

TEST_CASE("a pause holds every stage, and resume lets go what may go") {
  for (stage s : stages) {
    INFO(word(s));
    batch_bench x(s);
    x.k.p.pause(at(x.now));
    x.k.finish(x.other, attempt_end::succeeded, x.now);
    x.k.run_until(10);
    CHECK(x.k.grants().empty());
    x.k.p.resume(at(11));
    const auto grants = x.k.grants();
    REQUIRE(grants.size() == (waits(s) ? 1u : 0u));
    if (waits(s)) CHECK(grants[0].batch == x.b);
  }
}

// --- workers -------------------------------------------------------------------------------------

namespace {

using ws = worker_state;
constexpr ws worker_states[] = {ws::checking, ws::up,       ws::saturated, ws::ejected,
                                ws::down,     ws::draining, ws::removed};

pool_settings probing() {
  pool_settings s = plain_settings();
  s.health.kind = probe_kind::http;
  s.health.fall = 1;
  s.health.rise = 1;
  s.ejection.outage_share = 1;
  return s;
}

// `w` is in the state under test, or leaving; two others keep the pool going.
struct worker_bench {
  explicit worker_bench(ws state) {
    for (const char* n : {"a", "b"}) prove(k.add(n, 1));
    for (int i = 0; i < 2; ++i) k.admit(0);
    w = k.add("w", 2);
    if (state != ws::checking) prove(w);
    switch (state) {
      case ws::checking:
      case ws::up:
        break;
      case ws::saturated:
        run(), run();
        break;
      case ws::ejected:
        for (int i = 0; i < 5; ++i) fail();
        break;
      case ws::down:
        answer(false);
        break;
      case ws::draining:
        k.p.drain(w, "operator", at(now));
        break;
      case ws::removed:
        run();
        k.p.remove_worker(w, "reload", at(now));
        break;
    }
    k.p.pending().clear();
  }
  void prove(worker_id id) {
    k.probes();  // the order that this answers
    k.p.probed(id, true, "200", at(now));
  }
  void run() { batches.push_back(k.admit(now).batch); }
  void fail() {
    run();
    k.finish(batches.back(), attempt_end::failed, now, false);
    batches.pop_back();
  }
  // The next probe of w ends so.
  void answer(bool good) {
    for (int i = 0; i < 200; ++i) {
      for (const probe_order& p : k.probes()) {
        if (p.worker == w) return k.p.probed(w, good, good ? "200" : "refused", at(now));
        k.p.probed(p.worker, true, "200", at(now));
      }
      const instant due = k.p.next_deadline();
      now = base::to_seconds(due - at(0));
      k.p.expire(due);
    }
  }
  ws state() { return k.worker(w, now).state; }
  bool exists() { return k.p.find_worker("w").has_value(); }

  pool_kit k{probing()};
  worker_id w;
  std::vector<batch_id> batches;
  double now = 0;
};

const char* word(ws s) {
  return name(s).data();
}

}  // namespace

TEST_CASE("the bench puts a worker into each state") {
  for (ws s : worker_states) {
    INFO(word(s));
    worker_bench x(s);
    // A worker that is being removed shows as draining until it is gone.
    CHECK(x.state() == (s == ws::removed ? ws::draining : s));
    CHECK(x.k.worker(x.w, x.now).removing == (s == ws::removed));
  }
}

TEST_CASE("worker state x probe: where each answer leads") {
  struct row {
    ws from, good, bad;
  };
  const row rows[] = {
      {ws::checking, ws::up, ws::down},
      {ws::up, ws::up, ws::down},
      {ws::saturated, ws::saturated, ws::down},
      {ws::ejected, ws::ejected, ws::down},
      {ws::down, ws::up, ws::down},
      {ws::draining, ws::draining, ws::draining},
      {ws::removed, ws::draining, ws::draining},
  };
  for (const row& r : rows)
    for (bool good : {true, false}) {
      INFO(word(r.from) << (good ? ", good" : ", bad"));
      worker_bench x(r.from);
      x.answer(good);
      CHECK(x.state() == (good ? r.good : r.bad));
    }
}

TEST_CASE("worker state x operator: drain, then take back") {
  struct row {
    ws from, drained, taken_back;
    bool may;
  };
  const row rows[] = {
      {ws::checking, ws::draining, ws::checking, true},
      {ws::up, ws::draining, ws::up, true},
      {ws::saturated, ws::draining, ws::saturated, true},
      {ws::ejected, ws::draining, ws::up, true},  // a drain ends its record with ejection
      {ws::down, ws::draining, ws::down, true},
      {ws::draining, ws::draining, ws::up, true},
      {ws::removed, ws::draining, ws::draining, false},
  };
  for (const row& r : rows) {
    INFO(word(r.from));
    worker_bench x(r.from);
    x.k.p.drain(x.w, "twice", at(x.now));
    CHECK(x.state() == r.drained);
    CHECK(x.k.p.undrain(x.w, at(x.now)) == r.may);
    CHECK(x.state() == r.taken_back);
  }
}

TEST_CASE("worker state x removal: gone at once when empty, else when its last attempt ended") {
  for (ws s : worker_states) {
    INFO(word(s));
    worker_bench x(s);
    x.k.p.remove_worker(x.w, "DELETE", at(x.now));
    x.k.p.remove_worker(x.w, "DELETE", at(x.now));
    CHECK(x.exists() == !x.batches.empty());
    for (batch_id b : x.batches) x.k.finish(b, attempt_end::succeeded, x.now);
    CHECK_FALSE(x.exists());
    std::size_t told = 0;
    for (const event& e : x.k.events()) told += e.what == event::kind::worker_removed;
    CHECK(told == 1);
  }
}

TEST_CASE("worker state x waiting batch: only an up worker with a free slot gets one") {
  for (ws s : worker_states) {
    INFO(word(s));
    worker_bench x(s);
    const auto a = x.k.admit(x.now);
    CHECK((a.what == admission::kind::granted) == (s == ws::up));
    if (s == ws::up) CHECK(a.grant.worker == x.w);
  }
}

TEST_CASE("worker state x update: more slots matter only where it serves") {
  for (ws s : worker_states) {
    INFO(word(s));
    worker_bench x(s);
    const auto waiting = x.k.admit(x.now);
    worker_settings more = worker_named("renamed", 5);
    x.k.p.update_worker(x.w, more, at(x.now));
    const worker_view v = x.k.worker(x.w, x.now);
    CHECK(v.slots == 5);
    CHECK(v.name == "w");  // a worker keeps its name
    const auto grants = x.k.grants();
    CHECK(grants.size() == (s == ws::saturated ? 1u : 0u));
    if (!grants.empty()) CHECK(grants[0].batch == waiting.batch);
  }
}

TEST_CASE("worker state x attempt's end: what runs on it ends the same in any state") {
  using change = std::function<void(worker_bench&)>;
  const std::vector<std::pair<const char*, change>> changes = {
      {"still up", [](worker_bench&) {}},
      {"drained", [](worker_bench& x) { x.k.p.drain(x.w, "", at(x.now)); }},
      {"being removed", [](worker_bench& x) { x.k.p.remove_worker(x.w, "", at(x.now)); }},
      {"down", [](worker_bench& x) { x.answer(false); }},
      {"resting",
       [](worker_bench& x) {
         x.run(), x.k.finish(x.batches.back(), attempt_end::busy, x.now, false),
             x.batches.pop_back();
       }},
  };
  for (const auto& [what, make] : changes)
    for (attempt_end end :
         {attempt_end::succeeded, attempt_end::client_gone, attempt_end::failed}) {
      INFO(what << ", " << name(end));
      worker_bench x(ws::up);
      x.run();
      const batch_id b = x.batches.front();
      make(x);
      CHECK(x.k.p.running() >= 1);
      const verdict v = x.k.finish(b, end, x.now, false);
      CHECK(v.what == (end == attempt_end::failed ? verdict::kind::failed : verdict::kind::done));
      if (x.exists()) CHECK(x.k.worker(x.w, x.now).in_flight == 0);
    }
}

TEST_CASE("every change of state is told once, with what it was and became") {
  worker_bench x(ws::up);
  const auto change = [&](ws from, ws to) {
    const auto events = x.k.events();
    std::size_t hits = 0;
    for (const event& e : events)
      if (e.what == event::kind::worker_state_changed && e.worker == x.w) {
        CHECK(e.from == from);
        CHECK(e.to == to);
        CHECK(e.worker_name == "w");
        ++hits;
      }
    CHECK(hits == 1);
  };
  x.k.p.drain(x.w, "a", at(1));
  change(ws::up, ws::draining);
  x.k.p.drain(x.w, "b", at(1));
  CHECK(x.k.events().empty());
  x.k.p.undrain(x.w, at(2));
  change(ws::draining, ws::up);
  x.now = 2;
  x.answer(false);
  change(ws::up, ws::down);
  x.answer(true);
  change(ws::down, ws::up);
}

}  // namespace weir::core::test
