// Grant, eviction, the client's leaving, the wait limit and shutdown meet in a waiting batch's
// verdict cell. Every order of them is played against the real gate and the real waiting room.
#include <algorithm>
#include <catch2/catch.hpp>
#include <memory>
#include <string>
#include <vector>

#include "gate_kit.hpp"
#include "net/loop.hpp"

namespace {

using namespace weir;
using proxy::verdict_cell;
using state = verdict_cell::state;

// What an exchange does with its cell (proxy/carry.cpp), without its sockets.
class sleeper {
 public:
  sleeper(test::gate_kit& k, net::loop& l, proxy::waiting_room& r) : kit_(k), room_(r), cell_(l) {
    number_ = room_.enter(cell_);
    const core::admission a = kit_.admit(number_, 1);
    batch_ = a.batch;
    if (a.what == core::admission::kind::granted) take(a.grant);
    else if (a.what == core::admission::kind::refused) end("refused");
  }
  // Its own reason to stop waiting: the client left or timeout.total passed (exchange::stop).
  void stop() {
    if (cell_.now != state::waiting) return;
    cell_.now = state::interrupted;
    cell_.settled.ring();
  }
  // The coroutine's turn after the signal rang.
  void react(double when) {
    if (!cell_.settled.rung() || !verdicts.empty()) return;
    cell_.settled.reset();
    if (cell_.now == state::granted) return take(cell_.grant);
    if (cell_.now == state::interrupted) {
      kit_.gate.cancel(batch_, test::at(when));
      return end("left");
    }
    end("evicted");
  }
  void finish(double when) {
    if (!ticket_) return;
    core::attempt_report r;
    r.end = core::attempt_end::succeeded;
    ticket_.finish(r, test::at(when));
  }
  bool waits() const { return verdicts.empty(); }
  std::uint64_t number() const { return number_; }

  std::vector<std::string> verdicts;

 private:
  void take(const core::grant& g) {
    ticket_ = proxy::ticket(kit_.gate, g);
    end("granted");
  }
  void end(std::string how) {
    room_.leave(number_);
    verdicts.push_back(std::move(how));
  }

  test::gate_kit& kit_;
  proxy::waiting_room& room_;
  verdict_cell cell_;
  std::uint64_t number_ = 0;
  core::batch_id batch_;
  proxy::ticket ticket_;
};

struct scene {
  explicit scene(unsigned sleepers) {
    runner = kit.admit(0, 0);
    REQUIRE(runner.what == core::admission::kind::granted);
    for (unsigned i = 0; i < sleepers; ++i)
      all.push_back(std::make_unique<sleeper>(kit, *loops[i % 2], *rooms[i % 2]));
  }
  void deliver(unsigned loop) {
    while (!kit.mail[loop].empty()) {
      const proxy::settlement s = kit.mail[loop].front();
      kit.mail[loop].pop_front();
      rooms[loop]->deliver(s);
    }
  }
  void react(double when) {
    for (auto& s : all) s->react(when);
  }

  test::gate_kit kit;
  net::loop first{0}, second{1};
  proxy::waiting_room one{0}, two{1};
  net::loop* loops[2] = {&first, &second};
  proxy::waiting_room* rooms[2] = {&one, &two};
  core::admission runner;
  std::vector<std::unique_ptr<sleeper>> all;
};

enum class happening { slot_frees, mail, reacts, client_leaves, wait_limit, closes };

const char* name(happening h) {
  switch (h) {
    case happening::slot_frees: return "slot frees";
    case happening::mail: return "mail";
    case happening::reacts: return "reacts";
    case happening::client_leaves: return "client leaves";
    case happening::wait_limit: return "wait limit";
    case happening::closes: return "closes";
  }
  return "";
}

std::string text(const std::vector<happening>& order) {
  std::string out;
  for (const happening h : order) out += std::string(name(h)) + ", ";
  return out;
}

void play(scene& s, happening h, double& now) {
  switch (h) {
    case happening::slot_frees: s.kit.finish(s.runner.batch, now); break;
    case happening::mail: s.deliver(0), s.deliver(1); break;
    case happening::reacts: s.react(now); break;
    case happening::client_leaves: s.all[0]->stop(); break;
    case happening::wait_limit: now = std::max(now, 100.0), s.kit.gate.expire(test::at(now)); break;
    case happening::closes:
      s.kit.gate.with(test::at(now), [](core::pool& p, base::instant t) { p.close(t); });
      break;
  }
}

// Every message arrives and everybody reacts, until nothing is left to do.
void settle(scene& s, double now) {
  for (int i = 0; i < 4; ++i) {
    s.deliver(0), s.deliver(1);
    s.react(now);
  }
}

bool contains(const std::vector<happening>& order, happening h) {
  return std::find(order.begin(), order.end(), h) != order.end();
}

void check_end(scene& s, const std::vector<happening>& order, double now) {
  for (auto& one : s.all) {
    REQUIRE(one->verdicts.size() == 1);   // exactly one won
    one->finish(now);
  }
  if (!contains(order, happening::slot_frees)) s.kit.finish(s.runner.batch, now);
  settle(s, now);
  REQUIRE(s.kit.running() == 0);
  REQUIRE(s.kit.waiting() == 0);
  REQUIRE(s.one.size() + s.two.size() == 0);
  const core::admission fresh = s.kit.admit(0, now);
  const bool closed = contains(order, happening::closes);
  REQUIRE((fresh.what == core::admission::kind::granted) == !closed);
}

// All permutations of `order` (repeats counted once), each against a scene of its own.
int play_all(std::vector<happening> order, unsigned sleepers) {
  std::sort(order.begin(), order.end());
  int played = 0;
  do {
    INFO(text(order));
    scene s(sleepers);
    double now = 2;
    for (const happening h : order) {
      play(s, h, now);
      now += 0.001;
    }
    settle(s, now);
    bool waits = std::any_of(s.all.begin(), s.all.end(), [](auto& one) { return one->waits(); });
    if (waits) {   // nothing in this order ended it: the slot does
      s.kit.finish(s.runner.batch, now);
      settle(s, now);
      order.push_back(happening::slot_frees);
    }
    check_end(s, order, now);
    if (waits) order.pop_back();
    ++played;
  } while (std::next_permutation(order.begin(), order.end()));
  return played;
}

}  // namespace

TEST_CASE(
    "one waiting batch: whatever comes in whatever order, one verdict wins and no slot is lost") {
  using enum happening;
  CHECK(play_all({slot_frees, mail, mail, reacts, client_leaves, wait_limit, closes}, 1) == 2520);
}

TEST_CASE("without shutdown too: a slot that nobody took goes to the next batch at once") {
  using enum happening;
  CHECK(play_all({slot_frees, mail, reacts, reacts, client_leaves, wait_limit}, 1) == 360);
}

TEST_CASE("two batches on two loops and one slot: each ends once, the slot outlives both") {
  using enum happening;
  const auto two = [](std::vector<happening> order) {
    std::sort(order.begin(), order.end());
    int played = 0;
    do {
      INFO(text(order));
      scene s(2);
      double now = 2;
      for (const happening h : order) {
        play(s, h, now);
        if (h == reacts) s.all[0]->finish(now);   // frees the slot for the other
        now += 0.001;
      }
      settle(s, now);
      for (int i = 0; i < 3; ++i) {
        for (auto& one : s.all) one->finish(now);
        settle(s, now);
      }
      check_end(s, order, now);
      ++played;
    } while (std::next_permutation(order.begin(), order.end()));
    return played;
  };
  CHECK(two({slot_frees, mail, mail, reacts, client_leaves, wait_limit}) == 360);
  CHECK(two({slot_frees, mail, reacts, client_leaves, closes}) == 120);
  CHECK(two({slot_frees, mail, reacts, client_leaves}) == 24);
}

TEST_CASE("a grant that is under way when the client leaves finds nobody, and its slot is free") {
  scene s(1);
  s.kit.finish(s.runner.batch, 2);   // the grant is in the mail
  REQUIRE(s.kit.mail[0].size() == 1);
  const proxy::settlement late = s.kit.mail[0].front();
  s.all[0]->stop();
  s.all[0]->react(2);
  CHECK(s.all[0]->verdicts == std::vector<std::string>{"left"});
  CHECK(s.kit.running() == 0);
  CHECK_FALSE(s.one.deliver(late));
  CHECK(s.kit.admit(0, 2).what == core::admission::kind::granted);
}

TEST_CASE("a late grant does not reach the batch that took the number's place") {
  scene s(1);
  s.kit.finish(s.runner.batch, 2);
  const proxy::settlement late = s.kit.mail[0].front();
  s.all[0]->stop();
  s.all[0]->react(2);
  verdict_cell fresh(s.first);
  const auto number = s.one.enter(fresh);
  CHECK(number != late.owner);
  CHECK(static_cast<std::uint32_t>(number) == static_cast<std::uint32_t>(late.owner));
  CHECK_FALSE(s.one.deliver(late));
  CHECK(fresh.now == state::waiting);
  s.one.leave(number);
}

TEST_CASE("when the wait limit and a grant are both in the mail, the first delivered wins") {
  scene s(1);
  s.kit.gate.expire(test::at(100));   // evicts
  REQUIRE(s.kit.mail[0].size() == 1);
  CHECK_FALSE(s.kit.mail[0].front().granted);
  CHECK(s.kit.mail[0].front().why == core::refusal::wait_expired);
  s.kit.finish(s.runner.batch, 100);
  CHECK(s.kit.mail[0].size() == 1);   // no grant for a batch that is gone
  settle(s, 100);
  CHECK(s.all[0]->verdicts == std::vector<std::string>{"evicted"});
}
