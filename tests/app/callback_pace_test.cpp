#include "app/callback_pace.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace weir;
using namespace std::chrono_literals;
using app::callback_pace;
using kind = scale::attempt_result::kind;
using scale::attempt_result;
using store::unix_ms;

constexpr unix_ms hour = 3'600'000;
const std::string peer = "https://a.example";

attempt_result no_answer() { return {kind::failed, "refused", {}}; }
attempt_result answer(base::duration retry_after = {}) {
  return {kind::failed, "answered 500", retry_after, true};
}

callback_pace pace(std::uint64_t seed = 1) { return {scale::outbox_settings{}, 24h, seed}; }

}  // namespace

TEST_CASE("each failure doubles the wait, up to a minute, half of it drawn") {
  for (std::uint64_t seed = 1; seed <= 50; ++seed) {
    INFO("seed " << seed);
    callback_pace p = pace(seed);
    unix_ms whole = 1000;
    for (unsigned tries = 1; tries <= 12; ++tries) {
      const auto again = p.failed(peer, tries, 0, answer(), 5000);
      REQUIRE(again);
      CHECK(*again - 5000 >= whole / 2 - 1);
      CHECK(*again - 5000 <= whole);
      whole = std::min<unix_ms>(2 * whole, 60'000);
    }
  }
}

TEST_CASE("Retry-After is kept, for an hour at most, and holds for the whole receiver") {
  callback_pace p = pace();
  CHECK(p.failed(peer, 1, 0, answer(10min), 0) == 600'000);
  CHECK(p.postponed(peer, 0, 599'999).value() >= 600'000);
  CHECK_FALSE(p.postponed(peer, 0, 600'000));
  CHECK_FALSE(p.postponed("https://b.example", 0, 0));
  CHECK(p.failed(peer, 1, 0, answer(48h), 0) == hour);
}

TEST_CASE("a day after the batch's end a callback is given up, and not before") {
  callback_pace p = pace();
  const unix_ms ended = 1000;
  CHECK(p.failed(peer, 30, ended, answer(), ended + 24 * hour - 60'001));
  CHECK_FALSE(p.failed(peer, 30, ended, answer(), ended + 24 * hour));
  // One that would only be tried after that is given up now.
  CHECK_FALSE(p.failed(peer, 1, ended, answer(1h), ended + 23 * hour + 1));
}

TEST_CASE("a receiver that does not answer is left alone, longer each time") {
  callback_pace p = pace();
  unix_ms now = 0, whole = 1000;
  for (int failures = 1; failures <= 10; ++failures) {
    REQUIRE(p.failed(peer, 1, now, no_answer(), now));
    REQUIRE(p.postponed(peer, now, now));
    CHECK(*p.postponed(peer, now, now) - now >= whole / 2 - 1);
    CHECK(*p.postponed(peer, now, now) - now <= whole);
    CHECK_FALSE(p.postponed(peer, now, now + whole));
    now += whole;
    whole = std::min<unix_ms>(2 * whole, 60'000);
  }
  p.delivered(peer);
  REQUIRE(p.failed(peer, 1, now, no_answer(), now));
  CHECK(*p.postponed(peer, now, now) <= now + 1000);   // from the beginning
}

TEST_CASE("an answer, however bad, and a delivery end its being left alone") {
  for (const bool good : {false, true}) {
    callback_pace p = pace();
    REQUIRE(p.failed(peer, 1, 0, no_answer(), 0));
    REQUIRE(p.postponed(peer, 0, 1));
    if (good) p.delivered(peer);
    else REQUIRE(p.failed(peer, 1, 0, answer(), 1));
    CHECK_FALSE(p.postponed(peer, 0, 1));
  }
}

TEST_CASE("an old callback is moved further, so that many old ones are not moved all the time") {
  callback_pace p = pace();
  const unix_ms now = 20 * hour;
  REQUIRE(p.failed(peer, 1, now, no_answer(), now));
  double sum = 0;
  for (int i = 0; i < 1000; ++i) {
    const unix_ms due = p.postponed(peer, 0, now).value();
    CHECK(due - now <= hour + 1000);
    sum += static_cast<double>(due - now);
  }
  CHECK(sum / 1000 > hour / 3);
}

TEST_CASE("a clock that was set back keeps no receiver waiting for longer than an hour") {
  callback_pace p = pace();
  REQUIRE(p.failed(peer, 1, 100 * hour, answer(1h), 100 * hour));
  CHECK(p.postponed(peer, 0, 0).value() == hour);
  CHECK_FALSE(p.postponed(peer, 0, hour));
}
