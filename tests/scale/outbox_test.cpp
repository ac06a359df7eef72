#include "scale/outbox.hpp"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <catch2/catch.hpp>
#include <functional>

namespace {

using namespace weir;
using namespace std::chrono_literals;
using base::never;
using scale::attempt_result;
using scale::outbox;
using kind = attempt_result::kind;
using state = outbox::state;

constexpr base::instant start{100s};

outbox::message_ptr decision(std::uint64_t sequence, bool resent = false) {
  auto m = std::make_shared<scale::message>();
  m->id = "m" + std::to_string(sequence);
  m->decision.sequence = sequence;
  m->decision.resent = resent;
  return m;
}

attempt_result ended(kind what, base::duration retry_after = {}) {
  return {what, "", retry_after};
}

std::string id(const outbox::message_ptr& m) {
  return m ? m->id : "-";
}

// An outbox in each of its states; in all but idle, decision m1 went in.
outbox in_state(state s) {
  outbox box({}, 1);
  if (s == state::idle) return box;
  box.submit(decision(1), start);
  if (s == state::waiting) return box;
  box.begin(start);
  if (s == state::stopped) box.finish(ended(kind::gone), start);
  return box;
}

// True when `act` ends the process by abort(): a broken CHECK.
bool aborts(const std::function<void()>& act) {
  const pid_t pid = fork();
  if (pid == 0) {
    signal(SIGABRT, SIG_DFL);  // not the test framework's
    close(2);
    act();
    _exit(0);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  return WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT;
}

}  // namespace

TEST_CASE("every state of the outbox takes every event as the table says") {
  struct row {
    state from;
    std::string event;
    state to;
    std::string returned;  // "-": null, "!": a broken CHECK
  };
  const row rows[] = {
      {state::idle, "submit", state::waiting, "-"},
      {state::idle, "begin", state::idle, "-"},
      {state::idle, "delivered", state::idle, "!"},
      {state::idle, "failed", state::idle, "!"},
      {state::idle, "gone", state::idle, "!"},
      {state::idle, "withdraw", state::idle, "!"},
      {state::waiting, "submit", state::waiting, "m1"},
      {state::waiting, "begin", state::sending, "m1"},
      {state::waiting, "delivered", state::waiting, "!"},
      {state::waiting, "failed", state::waiting, "!"},
      {state::waiting, "gone", state::waiting, "!"},
      {state::waiting, "withdraw", state::waiting, "!"},
      {state::sending, "submit", state::sending, "-"},
      {state::sending, "begin", state::sending, "-"},
      {state::sending, "delivered", state::idle, "-"},
      {state::sending, "failed", state::waiting, "-"},
      {state::sending, "gone", state::stopped, "-"},
      {state::sending, "withdraw", state::idle, "-"},
      {state::stopped, "submit", state::stopped, "m2"},
      {state::stopped, "begin", state::stopped, "-"},
      {state::stopped, "delivered", state::stopped, "!"},
      {state::stopped, "failed", state::stopped, "!"},
      {state::stopped, "gone", state::stopped, "!"},
      {state::stopped, "withdraw", state::stopped, "!"},
  };
  const auto act = [](outbox& box, const std::string& event) {
    if (event == "submit") return box.submit(decision(2), start);
    if (event == "begin") return box.begin(start);
    if (event == "delivered") return box.finish(ended(kind::delivered), start);
    if (event == "withdraw") return box.withdraw(start), outbox::message_ptr();
    if (event == "failed") return box.finish(ended(kind::failed), start);
    return box.finish(ended(kind::gone), start);
  };
  for (const row& r : rows) {
    CAPTURE(static_cast<int>(r.from), r.event);
    outbox box = in_state(r.from);
    REQUIRE(box.now_in() == r.from);
    if (r.returned == "!") {
      CHECK(aborts([&] { act(box, r.event); }));
      continue;
    }
    CHECK(id(act(box, r.event)) == r.returned);
    CHECK(box.now_in() == r.to);
  }
}

TEST_CASE("a decision is tried at once and forgotten when it is delivered") {
  outbox box({}, 1);
  CHECK(box.next_try() == never);
  CHECK(box.submit(decision(1), start) == nullptr);
  CHECK(box.next_try() == start);
  CHECK(id(box.begin(start)) == "m1");
  CHECK(box.attempts() == 1);
  CHECK(box.next_try() == never);
  CHECK(box.finish(ended(kind::delivered), start + 1s) == nullptr);
  CHECK(box.current() == nullptr);
  CHECK(box.next_try() == never);
}

TEST_CASE("retries come after doubled times with half of them drawn, up to a minute") {
  for (std::uint64_t seed = 1; seed <= 200; ++seed) {
    INFO("seed " << seed);
    outbox box({}, seed);
    base::instant now = start;
    box.submit(decision(1), now);
    base::duration whole = 1s;
    for (int attempt = 1; attempt <= 40; ++attempt) {
      REQUIRE(id(box.begin(now)) == "m1");
      REQUIRE(box.attempts() == static_cast<unsigned>(attempt));
      box.finish(ended(kind::failed), now);
      const base::duration pause = box.next_try() - now;
      REQUIRE(pause >= whole / 2);
      REQUIRE(pause <= whole);
      REQUIRE(box.begin(box.next_try() - 1ns) == nullptr);  // not a moment too soon
      now = box.next_try();
      whole = std::min<base::duration>(whole * 2, 60s);
    }
  }
}

TEST_CASE("the pauses of two outboxes are not in step") {
  outbox one({}, 1), two({}, 2);
  for (outbox* box : {&one, &two}) {
    box->submit(decision(1), start);
    box->begin(start);
    box->finish(ended(kind::failed), start);
  }
  CHECK(one.next_try() != two.next_try());
}

TEST_CASE("a success ends the row of failures") {
  outbox box({}, 1);
  base::instant now = start;
  box.submit(decision(1), now);
  for (int i = 0; i < 6; ++i) {
    box.begin(now);
    box.finish(ended(kind::failed), now);
    now = box.next_try();
  }
  CHECK(box.failures() == 6);
  box.begin(now);
  box.finish(ended(kind::delivered), now);
  CHECK(box.failures() == 0);
  box.submit(decision(2), now);
  box.begin(now);
  box.finish(ended(kind::failed), now);
  CHECK(box.next_try() <= now + 1s);
}

TEST_CASE("a newer decision supersedes the one that waits") {
  outbox box({}, 1);
  box.submit(decision(1), start);
  box.begin(start);
  box.finish(ended(kind::failed), start);
  SECTION("a changed one is tried at once, and counts its attempts anew") {
    CHECK(id(box.submit(decision(2), start + 10ms)) == "m1");
    CHECK(box.next_try() == start + 10ms);
    CHECK(id(box.begin(start + 10ms)) == "m2");
    CHECK(box.attempts() == 1);
    box.finish(ended(kind::failed), start + 10ms);
    CHECK(box.next_try() >= start + 1010ms);  // the row of failures goes on
  }
  SECTION("a resent one keeps the time that was set") {
    const auto at = box.next_try();
    CHECK(id(box.submit(decision(2, true), start + 10ms)) == "m1");
    CHECK(box.next_try() == at);
    CHECK(id(box.submit(decision(3, true), start + 20ms)) == "m2");
    CHECK(box.next_try() == at);
    CHECK(id(box.begin(at)) == "m3");
  }
}

TEST_CASE("a newer decision waits for the attempt that is under way") {
  outbox box = in_state(state::sending);
  CHECK(box.submit(decision(2), start + 1s) == nullptr);
  CHECK(id(box.submit(decision(3), start + 2s)) == "m2");  // was never begun
  CHECK(id(box.current()) == "m1");
  CHECK(id(box.newer()) == "m3");
  CHECK(box.begin(start + 3s) == nullptr);
  SECTION("delivered: the newer one goes out next, nothing was superseded") {
    CHECK(box.finish(ended(kind::delivered), start + 4s) == nullptr);
    CHECK(box.next_try() == start + 4s);
    CHECK(id(box.begin(start + 4s)) == "m3");
  }
  SECTION("failed: the older one is superseded and the newer one goes out at once") {
    CHECK(id(box.finish(ended(kind::failed), start + 4s)) == "m1");
    CHECK(box.next_try() == start + 4s);
    CHECK(id(box.begin(start + 4s)) == "m3");
    CHECK(box.attempts() == 1);
  }
  SECTION("gone: neither is sent any more") {
    CHECK(id(box.finish(ended(kind::gone), start + 4s)) == "m3");
    CHECK(box.next_try() == never);
    CHECK(box.current() == nullptr);
  }
  CHECK(box.newer() == nullptr);
}

TEST_CASE("a withdrawn decision is neither a success nor a failure, and the newer one follows") {
  outbox box({}, 1);
  box.submit(decision(1), start);
  box.begin(start);
  box.finish(ended(kind::failed), start);
  box.begin(box.next_try());
  SECTION("with nothing behind it") {
    box.withdraw(start + 1s);
    CHECK(box.current() == nullptr);
    CHECK(box.next_try() == never);
  }
  SECTION("with a newer one behind it") {
    box.submit(decision(2), start + 1s);
    box.withdraw(start + 1s);
    CHECK(box.next_try() == start + 1s);
    CHECK(id(box.begin(start + 1s)) == "m2");
  }
  CHECK(box.failures() == 1);
}

TEST_CASE("a resent decision that waited for a failed attempt backs off like it") {
  outbox box = in_state(state::sending);
  box.submit(decision(2, true), start);
  CHECK(id(box.finish(ended(kind::failed), start)) == "m1");
  CHECK(box.next_try() >= start + 500ms);
}

TEST_CASE("Retry-After is kept, by newer decisions too, and never longer than an hour") {
  outbox box = in_state(state::sending);
  SECTION("longer than the pause: it counts") {
    box.finish(ended(kind::failed, 5min), start);
    CHECK(box.next_try() == start + 5min);
    CHECK(id(box.submit(decision(2), start + 1s)) == "m1");
    CHECK(box.next_try() == start + 5min);
  }
  SECTION("shorter than the pause: the pause counts") {
    box.finish(ended(kind::failed, 1ms), start);
    CHECK(box.next_try() >= start + 500ms);
  }
  SECTION("a newer one that waited for the attempt keeps it as well") {
    box.submit(decision(2), start);
    box.finish(ended(kind::failed, 5min), start);
    CHECK(box.next_try() == start + 5min);
  }
  SECTION("a year is taken for an hour, and a negative time for none") {
    box.finish(ended(kind::failed, 24h * 365), start);
    CHECK(box.next_try() == start + 1h);
    outbox other = in_state(state::sending);
    other.finish(ended(kind::failed, -1h), start);
    CHECK(other.next_try() >= start + 500ms);
  }
}

TEST_CASE(
    "a receiver that is down for long gets exactly one decision when it is back: the newest") {
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    INFO("seed " << seed);
    base::random rng(seed);
    outbox box({}, seed);
    std::vector<std::string> delivered, superseded;
    const auto note = [](std::vector<std::string>& to, const outbox::message_ptr& m) {
      if (m) to.push_back(m->id);
    };
    const base::instant up = start + 10min;
    base::instant now = start, next_decision = start;
    std::uint64_t sequence = 0;
    while (now < up + 2min) {
      if (now >= next_decision && now < up) {
        note(superseded, box.submit(decision(++sequence, rng.below(2) == 0), now));
        next_decision = now + std::chrono::seconds(5 + rng.below(60));
      }
      if (const auto m = box.begin(now)) {
        if (now >= up) delivered.push_back(m->id);
        note(superseded, box.finish(ended(now >= up ? kind::delivered : kind::failed), now));
      }
      now += 100ms;
    }
    REQUIRE(delivered == std::vector<std::string>{"m" + std::to_string(sequence)});
    REQUIRE(superseded.size() == sequence - 1);
    REQUIRE(box.now_in() == state::idle);
  }
}
