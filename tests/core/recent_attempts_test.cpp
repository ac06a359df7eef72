#include "core/recent_attempts.hpp"

#include <catch2/catch.hpp>
#include <string_view>

using namespace weir::core;

namespace {

recent_attempts of(std::string_view ends) {  // '+', '-', '!' far too fast; the oldest first
  recent_attempts r;
  for (char c : ends) c == '+' ? r.succeeded() : r.failed(c == '!');
  return r;
}

}  // namespace

TEST_CASE("Wilson's lower bound is what tables of the interval say") {
  struct row {
    std::uint32_t failures, attempts;
    double bound;
  };
  // From (p + z2/2n - z sqrt(p(1-p)/n + z2/4n2)) / (1 + z2/n), worked out by hand at z = 1.96.
  const row rows[] = {
      {0, 0, 0},      {0, 20, 0},      {1, 1, 0.2065},  {2, 2, 0.3424},  {5, 5, 0.5655},
      {5, 8, 0.3057}, {5, 10, 0.2366}, {6, 10, 0.3127}, {10, 20, 0.2993}, {11, 20, 0.3421},
      {20, 20, 0.8389},
  };
  for (const row& r : rows) {
    CAPTURE(r.failures, r.attempts);
    CHECK(wilson_lower(r.failures, r.attempts) == Approx(r.bound).margin(5e-5));
  }
}

TEST_CASE("the bound rises with failures, and with certainty at the same share") {
  for (std::uint32_t n = 1; n <= recent_attempts::kept; ++n)
    for (std::uint32_t f = 0; f < n; ++f) {
      CAPTURE(f, n);
      CHECK(wilson_lower(f, n) < wilson_lower(f + 1, n));
      CHECK(wilson_lower(f + 1, n) <= wilson_lower(2 * (f + 1), 2 * n));
      CHECK(wilson_lower(f + 1, n) < static_cast<double>(f + 1) / n);
    }
}

TEST_CASE("only the last twenty attempts count") {
  recent_attempts r = of("----------");
  CHECK(r.failures() == 10);
  CHECK(r.count() == 10);
  for (int i = 0; i < 10; ++i) r.succeeded();
  CHECK(r.failures() == 10);
  CHECK(r.count() == 20);
  r.succeeded();
  CHECK(r.failures() == 9);
  CHECK(r.count() == 20);
  for (int i = 0; i < 9; ++i) r.succeeded();
  CHECK(r.failures() == 0);
}

TEST_CASE("failures that are far too fast are not among the attempts that took their time") {
  struct row {
    std::string_view ends;
    std::uint32_t failures, fast, timely;
  };
  const row rows[] = {
      {"", 0, 0, 1},    {"+++", 0, 0, 3},  {"+-!", 2, 1, 2}, {"!!!", 3, 3, 1},
      {"!!!!!!!!!!++++++++++", 10, 10, 10},
      {"!!!!!!!!!!++++++++++++++++", 4, 4, 16},
  };
  for (const row& r : rows) {
    CAPTURE(r.ends);
    const recent_attempts got = of(r.ends);
    CHECK(got.failures() == r.failures);
    CHECK(got.fast_failures() == r.fast);
    CHECK(got.timely() == r.timely);
  }
}

TEST_CASE("forgiving takes the last failures out, and what came before keeps its age") {
  struct row {
    std::string_view before;
    std::uint32_t count;
    std::string_view after;
  };
  const row rows[] = {
      {"", 1, ""},           {"+++", 2, "+++"},     {"---", 1, "--"},      {"---", 5, ""},
      {"-+-+", 1, "-++"},    {"-+-+", 2, "++"},     {"+--++", 2, "+++"},
      {"!-!+", 1, "!-+"},    {"!-!+", 2, "!+"},     {"-!+!+!", 3, "-++"},
      {"!!!!!!!!!!!!!!!!!!!!!", 3, "!!!!!!!!!!!!!!!!!"},
  };
  for (const row& r : rows) {
    CAPTURE(r.before, r.count);
    recent_attempts got = of(r.before), expected = of(r.after);
    got.forgive(r.count);
    CHECK(got.count() == expected.count());
    CHECK(got.failures() == expected.failures());
    CHECK(got.fast_failures() == expected.fast_failures());
    // The ages: each further success pushes the same ones out.
    for (int i = 0; i < 25; ++i) {
      got.succeeded(), expected.succeeded();
      CHECK(got.failures() == expected.failures());
      CHECK(got.fast_failures() == expected.fast_failures());
    }
  }
}
