#include "telemetry/repeat_limiter.hpp"

#include <catch2/catch.hpp>

#include "base/random.hpp"

using namespace weir;
using namespace weir::telemetry;
using namespace std::chrono_literals;

TEST_CASE("the limiter opens again with each window and says what it left out") {
  repeat_limiter limiter;
  const base::instant start{5s};
  for (int i = 0; i < 2; ++i) CHECK(limiter.rule("m", 2, start + 1s).pass);
  for (int i = 0; i < 5; ++i) CHECK_FALSE(limiter.rule("m", 2, start + 2s).pass);
  const auto again = limiter.rule("m", 2, start + 1s + repeat_limiter::window);
  CHECK(again.pass);
  CHECK(again.left_out == 5);
  CHECK(limiter.rule("m", 2, start + 2s + repeat_limiter::window).left_out == 0);
  CHECK_FALSE(limiter.rule("m", 2, start + 2s + repeat_limiter::window).pass);
}

TEST_CASE("messages beyond those told apart share one account") {
  repeat_limiter limiter;
  const base::instant now{1h};
  for (std::size_t i = 0; i < repeat_limiter::messages_max; ++i)
    REQUIRE(limiter.rule("m" + std::to_string(i), 1, now).pass);
  CHECK(limiter.rule("new one", 1, now).pass);
  CHECK_FALSE(limiter.rule("another new one", 1, now).pass);
  CHECK_FALSE(limiter.rule("m3", 1, now).pass);
  CHECK(limiter.rule("m3", 1, now + repeat_limiter::window).pass);
}


TEST_CASE("a burst of zero lets everything pass and remembers nothing") {
  repeat_limiter limiter;
  for (int i = 0; i < 100; ++i) {
    const auto r = limiter.rule("m", 0, base::instant{1s});
    CHECK(r.pass);
    CHECK(r.left_out == 0);
  }
  CHECK(limiter.rule("m", 1, base::instant{1s}).pass);
}

TEST_CASE("messages do not use up each other's burst") {
  repeat_limiter limiter;
  const base::instant now{1s};
  CHECK(limiter.rule("a", 1, now).pass);
  CHECK(limiter.rule("b", 1, now).pass);
  CHECK_FALSE(limiter.rule("a", 1, now).pass);
  CHECK_FALSE(limiter.rule("b", 1, now).pass);
}

TEST_CASE("whatever comes, nothing is lost from the count: let through or left out, then told") {
  const std::uint64_t seed = 4711;
  CAPTURE(seed);
  base::random random(seed);
  repeat_limiter limiter;
  base::instant now{0s};
  std::uint64_t asked = 0, passed = 0, told = 0;
  for (int i = 0; i < 20000; ++i) {
    now += std::chrono::milliseconds(random.below(200));
    const auto r = limiter.rule("m", 1 + random.below(4), now);
    ++asked;
    passed += r.pass;
    told += r.left_out;
    if (!r.pass && r.left_out != 0) FAIL("told without passing");
  }
  const auto last = limiter.rule("m", 1, now + repeat_limiter::window);
  REQUIRE(last.pass);
  CHECK(passed + told + last.left_out == asked);
  CHECK(passed < asked);
}

TEST_CASE("in no window more than the burst passes") {
  repeat_limiter limiter;
  for (int window = 0; window < 50; ++window) {
    unsigned passed = 0;
    for (int i = 0; i < 30; ++i)
      passed += limiter.rule("m", 5, base::instant{window * repeat_limiter::window + 1ms * i}).pass;
    CHECK(passed == 5);
  }
}
