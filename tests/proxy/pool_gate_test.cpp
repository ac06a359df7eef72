#include "proxy/pool_gate.hpp"

#include <atomic>
#include <catch2/catch.hpp>
#include <memory>
#include <mutex>
#include <thread>
#include <utility>
#include <vector>

#include "base/random.hpp"
#include "gate_kit.hpp"
#include "net/loop.hpp"

namespace {

using namespace weir;
using test::at;
using test::gate_kit;
using kind = core::admission::kind;

}  // namespace

TEST_CASE("a ticket gives its slot back when it is dropped, once, wherever it was moved to") {
  gate_kit k;
  {
    const core::admission a = k.admit(1, 0);
    REQUIRE(a.what == kind::granted);
    proxy::ticket one(k.gate, a.grant);
    CHECK(one);
    proxy::ticket two = std::move(one);
    CHECK_FALSE(one);   // NOLINT: empty by contract
    CHECK(two.grant().batch == a.batch);
    CHECK(k.running() == 1);
  }
  CHECK(k.running() == 0);
  CHECK(k.admit(2, 0).what == kind::granted);
}

TEST_CASE("a ticket that is assigned over gives the old slot back and keeps the new one") {
  gate_kit k(test::plain_pool(), 2);
  proxy::ticket t(k.gate, k.admit(1, 0).grant);
  const core::admission second = k.admit(2, 0);
  REQUIRE(second.what == kind::granted);
  t = proxy::ticket(k.gate, second.grant);
  CHECK(k.running() == 1);
  t = proxy::ticket();
  CHECK(k.running() == 0);
}

TEST_CASE("a finished ticket is empty, and dropping it does nothing more") {
  gate_kit k;
  {
    proxy::ticket t(k.gate, k.admit(1, 0).grant);
    core::attempt_report r;
    r.end = core::attempt_end::succeeded;
    CHECK(t.finish(r, at(1)).what == core::verdict::kind::done);
    CHECK_FALSE(t);
    CHECK(k.admit(2, 1).what == kind::granted);   // while the empty ticket still lives
  }
  CHECK(k.running() == 1);
}

TEST_CASE("time never runs backwards inside the gate, whatever the loops' clocks say") {
  gate_kit k;
  k.admit(1, 50);
  const auto seen = k.gate.with(at(10), [](core::pool&, base::instant now) { return now; });
  CHECK(seen == at(50));
}

TEST_CASE("the next deadline is published without the lock: the wait limit of what waits") {
  gate_kit k;
  k.admit(1, 0);
  const auto idle = k.gate.next_deadline();
  REQUIRE(k.admit(2, 1).what == kind::queued);
  CHECK(k.gate.next_deadline() <= at(61));
  CHECK(k.gate.next_deadline() <= idle);
  k.gate.expire(at(62));
  REQUIRE(k.mail[0].size() == 1);
  CHECK(k.mail[0].front().owner == 2);
  CHECK_FALSE(k.mail[0].front().granted);
}

TEST_CASE("what a call leaves goes to the owner's loop: by the number's highest byte") {
  gate_kit k;
  const core::admission a = k.admit(5, 0);
  const std::uint64_t elsewhere = (std::uint64_t{1} << 56) | 9;
  REQUIRE(k.admit(elsewhere, 0).what == kind::queued);
  k.finish(a.batch, 1);
  CHECK(k.mail[0].empty());
  REQUIRE(k.mail[1].size() == 1);
  CHECK(k.mail[1].front().owner == elsewhere);
  CHECK(k.mail[1].front().granted);
  CHECK(k.mail[1].front().grant.worker == k.worker);
}

TEST_CASE("an outlet may call the gate again while it is being told") {
  core::pool_settings s = test::plain_pool();
  std::unique_ptr<proxy::pool_gate> gate;
  std::vector<proxy::settlement> told;
  gate = std::make_unique<proxy::pool_gate>(
      s, 1, at(0),
      proxy::gate_outlet{[&](std::span<const proxy::settlement> all) {
                           for (const auto& one : all) {
                             told.push_back(one);
                             if (one.granted) gate->cancel(one.grant.batch, at(2));
                           }
                         },
                         [](core::effects&&) {}});
  core::worker_settings w;
  w.name = "w1";
  gate->with(at(0), [&](core::pool& p, base::instant now) { return p.add_worker(w, now); });
  core::batch_facts f;
  const core::admission a = gate->admit(f, at(0));
  for (f.owner = 1; f.owner <= 3; ++f.owner) REQUIRE(gate->admit(f, at(1)).what == kind::queued);
  core::attempt_report r;
  r.end = core::attempt_end::succeeded;
  gate->finish(a.batch, r, at(2));
  CHECK(told.size() == 3);   // each cancelled grant went on to the next
  CHECK(gate->with(at(3), [](core::pool& p, base::instant) { return p.running() + p.waiting(); }) ==
        0);
}

TEST_CASE("events and probe orders go to the control thread, not to the loops") {
  gate_kit k;
  REQUIRE_FALSE(k.events.empty());   // the worker that was added
  CHECK(k.events.front().worker_name == "w1");
  CHECK(k.mail[0].empty());
  CHECK(k.mail[1].empty());
}

TEST_CASE("an abandoned slot counts as taken until it is released") {
  gate_kit k;
  const core::admission a = k.admit(1, 0);
  core::attempt_report r;
  r.end = core::attempt_end::client_gone;
  r.slot_abandoned = true;
  k.gate.finish(a.batch, r, at(1));
  CHECK(k.admit(2, 1).what == kind::queued);
  k.gate.release_slot(k.worker, a.batch, at(2));
  REQUIRE(k.mail[0].size() == 1);
  CHECK(k.mail[0].front().granted);
  k.gate.release_slot(k.worker, a.batch, at(3));   // twice: nothing
  CHECK(k.mail[0].size() == 1);
}

// --- real threads
// ---------------------------------------------------------------------------------

namespace {

// One loop's thread: batches come, are granted, waited for, cancelled or finished at random.
struct stress_loop {
  stress_loop(unsigned index, std::uint64_t seed) : loop(index), room(index), random(seed) {}

  struct waiter {
    explicit waiter(net::loop& l) : cell(l) {}
    proxy::verdict_cell cell;
    std::uint64_t number = 0;
    core::batch_id batch;
  };

  net::loop loop;
  proxy::waiting_room room;
  base::random random;
  std::vector<std::unique_ptr<waiter>> waiting;
  std::mutex mail_lock;
  std::vector<proxy::settlement> mail;
  std::uint64_t granted = 0, left = 0, evicted = 0, admitted = 0;
};

struct stress {
  static constexpr unsigned threads = 4;
  static constexpr int rounds = 3000;

  explicit stress(std::uint64_t seed)
      : gate(settings(), seed, net::loop::read_clock(),
             {[this](std::span<const proxy::settlement> all) {
                for (const auto& s : all) {
                  stress_loop& l = *loops[proxy::waiting_room::owner_loop(s.owner)];
                  std::lock_guard guard(l.mail_lock);
                  l.mail.push_back(s);
                }
              },
              [](core::effects&&) {}}) {
    for (unsigned i = 0; i < threads; ++i)
      loops.push_back(std::make_unique<stress_loop>(i, seed * 100 + i));
    for (const char* worker : {"w1", "w2", "w3"}) {
      core::worker_settings w;
      w.name = worker;
      w.slots = 2;
      gate.with(net::loop::read_clock(),
                [&](core::pool& p, base::instant now) { return p.add_worker(w, now); });
    }
  }
  static core::pool_settings settings() {
    core::pool_settings s = test::plain_pool();
    s.queue.batches_max = 50;
    return s;
  }

  void run(const core::grant& g, stress_loop& l) {
    proxy::ticket t(gate, g);
    ++l.granted;
    const int in_use = slots.fetch_add(1) + 1;
    if (in_use > 6) oversubscribed = true;
    slots.fetch_sub(1);
    if (l.random.below(4) == 0) return;   // dropped: gives the slot back all the same
    core::attempt_report r;
    r.end = core::attempt_end::succeeded;
    t.finish(r, net::loop::read_clock());
  }
  void admit(stress_loop& l) {
    auto w = std::make_unique<stress_loop::waiter>(l.loop);
    w->number = l.room.enter(w->cell);
    core::batch_facts f;
    f.owner = w->number;
    f.tenant_hash = l.random.below(3);
    if (l.random.below(20) == 0) f.wait_max = std::chrono::microseconds(1);
    const core::admission a = gate.admit(f, net::loop::read_clock());
    if (a.what == kind::queued) {
      ++l.admitted;
      w->batch = a.batch;
      return l.waiting.push_back(std::move(w));
    }
    l.room.leave(w->number);
    if (a.what == kind::granted) {
      ++l.admitted;
      run(a.grant, l);
    }
  }
  void read_mail(stress_loop& l) {
    std::vector<proxy::settlement> got;
    {
      std::lock_guard guard(l.mail_lock);
      got.swap(l.mail);
    }
    for (const auto& s : got) l.room.deliver(s);
  }
  void react(stress_loop& l, bool leave_all) {
    for (auto& w : l.waiting) {
      auto& cell = w->cell;
      const bool leaves = leave_all || l.random.below(30) == 0;
      if (cell.now == proxy::verdict_cell::state::waiting && !leaves) continue;
      l.room.leave(w->number);
      if (cell.now == proxy::verdict_cell::state::granted) {
        run(cell.grant, l);
      } else if (cell.now == proxy::verdict_cell::state::evicted) {
        ++l.evicted;
      } else {
        ++l.left;
        gate.cancel(w->batch, net::loop::read_clock());
      }
      w.reset();
    }
    std::erase_if(l.waiting, [](const auto& w) { return !w; });
  }
  void work(stress_loop& l) {
    for (int i = 0; i < rounds; ++i) {
      if (l.waiting.size() < 20) admit(l);
      read_mail(l);
      react(l, false);
      const auto now = net::loop::read_clock();
      if (gate.next_deadline() <= now) gate.expire(now);
    }
    read_mail(l);
    react(l, true);
  }

  std::vector<std::unique_ptr<stress_loop>> loops;
  proxy::pool_gate gate;
  std::atomic<int> slots{0};
  std::atomic<bool> oversubscribed{false};
};

}  // namespace

TEST_CASE(
    "threads that admit, wait, leave and finish at once: each batch ends once, no slot is lost") {
  for (const std::uint64_t seed : {1u, 2u, 3u}) {
    INFO("seed " << seed);
    stress s(seed);
    std::vector<std::thread> running;
    for (auto& l : s.loops) running.emplace_back([&s, l = l.get()] { s.work(*l); });
    for (auto& t : running) t.join();
    std::uint64_t admitted = 0, ended = 0;
    for (auto& l : s.loops) {
      admitted += l->admitted;
      ended += l->granted + l->left + l->evicted;
      CHECK(l->room.size() == 0);
    }
    CHECK(admitted == ended);
    CHECK(admitted > 100);
    CHECK_FALSE(s.oversubscribed);
    const auto now = net::loop::read_clock();
    CHECK(s.gate.with(now, [](core::pool& p, base::instant) { return p.running(); }) == 0);
    CHECK(s.gate.with(now, [](core::pool& p, base::instant) { return p.waiting(); }) == 0);
  }
}
