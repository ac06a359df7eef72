#include "core/retry.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

using namespace weir;
using namespace weir::core;

namespace {

constexpr instant start{500s};
constexpr attempt_end all_ends[] = {
    attempt_end::succeeded, attempt_end::connect_failed,   attempt_end::stale_connection,
    attempt_end::busy,      attempt_end::failed,           attempt_end::response_timeout,
    attempt_end::client_gone, attempt_end::client_fault,
};

retry_way rule(attempt_end end, bool may_retry, retry_record record, retry_settings settings = {}) {
  return retry_rule({.end = end, .may_retry = may_retry}, record, settings);
}

}  // namespace

TEST_CASE("a request may be repeated by the contract's rule") {
  // Every request there can be, against each way to end.
  for (unsigned bits = 0; bits < 32; ++bits) {
    const request_traits r{bool(bits & 1), bool(bits & 2), bool(bits & 4), bool(bits & 8)};
    retry_settings s;
    s.unsafe = bits & 16;
    const bool safe = r.idempotent_method || r.has_key || s.unsafe;
    INFO("request " << bits);
    for (attempt_end end : all_ends) {
      INFO("end " << static_cast<int>(end));
      const bool nothing_sent = end == attempt_end::connect_failed;
      const bool not_executed = nothing_sent || end == attempt_end::busy;
      const bool expected =
          !r.response_begun && (r.replayable || nothing_sent) && (safe || not_executed);
      CHECK(may_repeat(r, end, s) == expected);
    }
  }
}

TEST_CASE("named requests may be repeated or not") {
  struct row {
    const char* what;
    request_traits request;
    attempt_end end;
    bool unsafe, may;
  };
  const request_traits post{.replayable = true};
  const request_traits keyed{.has_key = true, .replayable = true};
  const request_traits put{.idempotent_method = true, .replayable = true};
  const request_traits huge_put{.idempotent_method = true};
  const request_traits answered{
      .idempotent_method = true, .replayable = true, .response_begun = true};
  const std::vector<row> rows{
      {"a POST after bytes were sent", post, attempt_end::failed, false, false},
      {"a POST where the route says unsafe", post, attempt_end::failed, true, true},
      {"a POST with a key", keyed, attempt_end::failed, false, true},
      {"a PUT", put, attempt_end::failed, false, true},
      {"a PUT whose body is gone", huge_put, attempt_end::failed, false, false},
      {"a PUT of a huge body that never left", huge_put, attempt_end::connect_failed, false, true},
      {"a POST that was refused", post, attempt_end::connect_failed, false, true},
      {"a POST that was told busy", post, attempt_end::busy, false, true},
      {"a busy answer to a body that is gone", huge_put, attempt_end::busy, false, false},
      {"a POST on a connection that was stale", post, attempt_end::stale_connection, false, false},
      {"anything whose answer began", answered, attempt_end::failed, true, false},
  };
  for (const row& r : rows) {
    INFO(r.what);
    retry_settings s;
    s.unsafe = r.unsafe;
    CHECK(may_repeat(r.request, r.end, s) == r.may);
  }
}

TEST_CASE("nothing is retried that may not be") {
  for (attempt_end end : all_ends) {
    INFO("end " << static_cast<int>(end));
    CHECK(rule(end, false, {.attempts = 0}) == retry_way::no);
  }
}

TEST_CASE("each end leads to its way to retry") {
  struct row {
    attempt_end end;
    retry_way fresh;       // with attempts and moves left
    retry_way no_attempts;
    retry_way no_moves;
  };
  using enum retry_way;
  const std::vector<row> rows{
      {attempt_end::succeeded, no, no, no},
      {attempt_end::connect_failed, free, free, no},
      {attempt_end::stale_connection, free, free, no},
      {attempt_end::busy, bounce, bounce, no},
      {attempt_end::failed, budgeted, no, budgeted},
      {attempt_end::response_timeout, no, no, no},
      {attempt_end::client_gone, no, no, no},
      {attempt_end::client_fault, no, no, no},
  };
  for (const row& r : rows) {
    INFO("end " << static_cast<int>(r.end));
    CHECK(rule(r.end, true, {1, 0}) == r.fresh);
    CHECK(rule(r.end, true, {3, 0}) == r.no_attempts);
    CHECK(rule(r.end, true, {1, 20}) == r.no_moves);
  }
}

TEST_CASE("a response timeout is retried only where the route says so") {
  retry_settings s;
  s.on_timeout = true;
  CHECK(rule(attempt_end::response_timeout, true, {1, 0}, s) == retry_way::budgeted);
  CHECK(rule(attempt_end::response_timeout, true, {3, 0}, s) == retry_way::no);
  CHECK(rule(attempt_end::response_timeout, false, {1, 0}, s) == retry_way::no);
}

TEST_CASE("attempts count in all with the first one included") {
  for (std::uint32_t limit : {0u, 1u, 2u, 5u}) {
    retry_settings s;
    s.attempts = limit;
    for (std::uint32_t made = 1; made < 8; ++made)
      CHECK(rule(attempt_end::failed, true, {made, 0}, s) ==
            (made < limit ? retry_way::budgeted : retry_way::no));
  }
}

TEST_CASE("moves are bounded together") {
  retry_settings s;
  s.bounces_max = 2;
  CHECK(rule(attempt_end::busy, true, {1, 1}, s) == retry_way::bounce);
  CHECK(rule(attempt_end::busy, true, {1, 2}, s) == retry_way::no);
  CHECK(rule(attempt_end::connect_failed, true, {1, 2}, s) == retry_way::no);
  s.bounces_max = 0;
  CHECK(rule(attempt_end::busy, true, {1, 0}, s) == retry_way::no);
}

TEST_CASE("ways to retry have names") {
  CHECK(name(retry_way::no) == "no");
  CHECK(name(retry_way::free) == "free");
  CHECK(name(retry_way::bounce) == "bounce");
  CHECK(name(retry_way::budgeted) == "budgeted");
}

// --- backoff -------------------------------------------------------------------------------------

TEST_CASE("backoff is uniform below a ceiling that doubles up to a limit") {
  const std::uint64_t seed = 99;
  INFO("seed " << seed);
  base::random random{seed};
  const retry_settings s;   // 50 ms, 5 s
  struct row {
    std::uint32_t n;
    double ceiling;
  };
  const std::vector<row> rows{{0, .05}, {1, .05}, {2, .1}, {3, .2}, {7, 3.2}, {8, 5}, {9, 5},
                              {64, 5}, {5000, 5}, {0xffffffff, 5}};
  for (const row& r : rows) {
    INFO("retry " << r.n);
    double sum = 0, most = 0, least = 1e9;
    for (int i = 0; i < 2000; ++i) {
      const double wait = base::to_seconds(backoff(s, r.n, random));
      sum += wait, most = std::max(most, wait), least = std::min(least, wait);
    }
    CHECK(least >= 0);
    CHECK(least < 0.01 * r.ceiling);
    CHECK(most < r.ceiling);
    CHECK(most > 0.99 * r.ceiling);
    CHECK(sum / 2000 == Approx(r.ceiling / 2).epsilon(0.05));
  }
}

TEST_CASE("the same seed gives the same backoff") {
  base::random a{3}, b{3};
  for (std::uint32_t n = 1; n < 20; ++n) CHECK(backoff({}, n, a) == backoff({}, n, b));
}

TEST_CASE("backoff of nothing is nothing") {
  base::random random{1};
  retry_settings s;
  s.backoff_base = 0s;
  CHECK(backoff(s, 10, random) == 0s);
  s.backoff_base = 1s, s.backoff_max = -1s;
  CHECK(backoff(s, 10, random) == 0s);
}

// --- budget ------------------------------------------------------------------------------------

TEST_CASE("a few retries are always allowed") {
  retry_budget budget({.ratio = 0.2, .min = 3});
  for (int i = 0; i < 3; ++i) CHECK(budget.take(start));
  CHECK_FALSE(budget.take(start));
  CHECK(budget.denied() == 1);
}

TEST_CASE("retries follow what was admitted") {
  for (std::uint32_t admitted : {0u, 10u, 15u, 20u, 100u, 1000u}) {
    retry_budget budget({.ratio = 0.2, .min = 3});
    for (std::uint32_t i = 0; i < admitted; ++i) budget.admitted(start);
    std::uint32_t taken = 0;
    while (budget.take(start)) ++taken;
    CHECK(taken == std::max(3u, admitted / 5));
  }
}

TEST_CASE("what was admitted or retried counts for ten seconds") {
  retry_budget budget({.ratio = 0.5, .min = 1});
  for (int i = 0; i < 10; ++i) budget.admitted(start);
  for (int i = 0; i < 5; ++i) REQUIRE(budget.take(start));
  CHECK_FALSE(budget.take(start + 9999ms));
  CHECK_FALSE(budget.take(start + 10s));      // the bucket of a whole second is still there
  CHECK(budget.take(start + 11s));            // gone, and so is what was admitted: the minimum
  CHECK_FALSE(budget.take(start + 11s));
}

TEST_CASE("a long silence empties the budget's memory at once") {
  retry_budget budget({.ratio = 1, .min = 0});
  for (int i = 0; i < 100; ++i) budget.admitted(start);
  REQUIRE(budget.take(start + 1s));
  CHECK_FALSE(budget.take(start + 100h));
  budget.admitted(start + 100h);
  CHECK(budget.take(start + 100h));
  CHECK_FALSE(budget.take(start + 100h));
}

TEST_CASE("a budget of nothing allows nothing") {
  retry_budget budget({.ratio = 0, .min = 0});
  for (int i = 0; i < 100; ++i) budget.admitted(start);
  CHECK_FALSE(budget.take(start));
}

TEST_CASE("new settings of a budget hold at once and forget nothing") {
  retry_budget budget({.ratio = 0.1, .min = 0});
  for (int i = 0; i < 100; ++i) budget.admitted(start);
  for (int i = 0; i < 10; ++i) REQUIRE(budget.take(start));
  REQUIRE_FALSE(budget.take(start));
  budget.configure({.ratio = 0.12, .min = 0});
  CHECK(budget.take(start));
  CHECK(budget.take(start));
  CHECK_FALSE(budget.take(start));
}

TEST_CASE("in any ten seconds retries stay within the budget") {
  const std::uint64_t seed = 4711;
  INFO("seed " << seed);
  base::random random{seed};
  retry_budget budget({.ratio = 0.2, .min = 3});
  std::vector<instant> admitted, taken;
  instant now = start;
  const auto within = [&](const std::vector<instant>& of, duration window) {
    return std::count_if(of.begin(), of.end(), [&](instant t) { return t > now - window; });
  };
  for (int i = 0; i < 5000; ++i) {
    now += base::from_seconds(random.unit() * (random.below(100) == 0 ? 15 : 0.2));
    if (random.below(3) > 0) {
      budget.admitted(now);
      admitted.push_back(now);
    } else if (budget.take(now)) {
      taken.push_back(now);
    }
    const double allowed = std::max(3.0, 0.2 * static_cast<double>(within(admitted, 22s)));
    REQUIRE(static_cast<double>(within(taken, 10s)) <= allowed);
  }
  CHECK(taken.size() > 300);
}
