#include "config/units.hpp"

#include <catch2/catch.hpp>
#include <limits>
#include <string>
#include <vector>

using namespace weir;
using namespace weir::config;
using namespace std::chrono_literals;

TEST_CASE("durations are whole numbers with units, joined with the largest first") {
  const std::vector<std::pair<std::string_view, base::duration>> rows{
      {"0s", 0s},
      {"0ms", 0s},
      {"1ns", 1ns},
      {"250ms", 250ms},
      {"5s", 5s},
      {"90s", 90s},
      {"2m", 2min},
      {"1h", 1h},
      {"7d", 168h},
      {"1h30m", 90min},
      {"1d1h1m1s1ms1ns", 25h + 1min + 1s + 1ms + 1ns},
      {"1m500ms", 60500ms},
      {"007s", 7s},
      {"9223372036s", 9223372036s},
      {"9223372036854775807ns", base::duration::max()},
      {"106751d23h47m16s854ms775807ns", base::duration::max()},
  };
  for (const auto& [text, expected] : rows) {
    INFO(text);
    REQUIRE(parse_duration(text));
    CHECK(*parse_duration(text) == expected);
  }
}

TEST_CASE("a duration without unit, with blanks, signs, points or units out of order is none") {
  for (const std::string_view text : {"",
                                      "5",
                                      "s",
                                      "5 s",
                                      " 5s",
                                      "5s ",
                                      "-5s",
                                      "+5s",
                                      "1.5s",
                                      "5sec",
                                      "5S",
                                      "5M",
                                      "1s1m",
                                      "1s1s",
                                      "1h1h",
                                      "1ms1s",
                                      "5us",
                                      "5µs",
                                      "1h 30m",
                                      "1h30",
                                      "inf",
                                      "0x5s",
                                      "ms5",
                                      "1e3s",
                                      "9223372036854775808ns",
                                      "18446744073709551616ns",
                                      "9223372037s",
                                      "106752d",
                                      "106751d23h47m16s854ms775808ns",
                                      "99999999999999999999d"}) {
    INFO(text);
    CHECK_FALSE(parse_duration(text));
  }
}

TEST_CASE("a duration is written in the largest unit that divides it, and reads back") {
  const std::vector<std::pair<base::duration, std::string_view>> rows{
      {0s, "0s"},
      {1ns, "1ns"},
      {1500us, "1500000ns"},
      {250ms, "250ms"},
      {1000ms, "1s"},
      {75s, "75s"},
      {60s, "1m"},
      {90min, "90m"},
      {120min, "2h"},
      {24h, "1d"},
      {25h, "25h"},
      {168h, "7d"},
      {60500ms, "60500ms"},
      {base::duration::max(), "9223372036854775807ns"},
  };
  for (const auto& [d, text] : rows) {
    INFO(text);
    CHECK(format_duration(d) == text);
    CHECK(parse_duration(text) == d);
  }
}

TEST_CASE("whole seconds up to ten years are the same again after a double held them") {
  for (std::int64_t days = 0; days <= 3650; ++days)
    for (const auto d : {days * 24h + 0s, days * 24h + 1s, days * 24h + 86399s}) {
      const base::duration exact = d;
      if (base::from_seconds(exact_seconds(exact)) != exact) FAIL(exact.count());
    }
  CHECK(exact_seconds(365 * 24h) == 31536000.0);
  CHECK(exact_seconds(10ms) == 0.01);
}

TEST_CASE("sizes count by 1024 with an i and by 1000 without") {
  const std::vector<std::pair<std::string_view, std::uint64_t>> rows{
      {"0", 0},
      {"4096", 4096},
      {"512B", 512},
      {"64KiB", 65536},
      {"1MiB", 1048576},
      {"1GiB", 1073741824},
      {"2TiB", 2199023255552},
      {"10KB", 10'000},
      {"10MB", 10'000'000},
      {"3GB", 3'000'000'000},
      {"1TB", 1'000'000'000'000},
      {"8388607TiB", 8388607ull << 40},
  };
  for (const auto& [text, expected] : rows) {
    INFO(text);
    REQUIRE(parse_size(text));
    CHECK(*parse_size(text) == expected);
  }
}

TEST_CASE("a size with another spelling, a blank, a sign or too large for 63 bits is none") {
  for (const std::string_view text :
       {"", "KiB", "64K", "64k", "64M", "64kib", "64kB", "64Kib", "64 KiB", "-1", "+1", "1.5GiB",
        "1PiB", "0x10", "1_000", "8388608TiB", "18446744073709551615TiB", "18446744073709551616"}) {
    INFO(text);
    CHECK_FALSE(parse_size(text));
  }
}

TEST_CASE("a size is written in the largest unit that divides it, and reads back") {
  const std::vector<std::pair<std::uint64_t, std::string_view>> rows{
      {0, "0B"},
      {1, "1B"},
      {256, "256B"},
      {1000, "1KB"},
      {1024, "1KiB"},
      {1001, "1001B"},
      {65536, "64KiB"},
      {10'000'000, "10MB"},
      {1ull << 30, "1GiB"},
      {10ull << 30, "10GiB"},
      {1536ull << 20, "1536MiB"},
      {1ull << 50, "1024TiB"},
  };
  for (const auto& [n, text] : rows) {
    INFO(text);
    CHECK(format_size(n) == text);
    CHECK(parse_size(text) == n);
  }
}

TEST_CASE("shares are percentages, whole or decimal") {
  const std::vector<std::pair<std::string_view, double>> rows{
      {"0%", 0}, {"20%", 0.2}, {"12.5%", 0.125}, {"100%", 1}, {"150%", 1.5}, {"0.5%", 0.005}};
  for (const auto& [text, expected] : rows) {
    INFO(text);
    REQUIRE(parse_share(text));
    CHECK(*parse_share(text) == Approx(expected));
  }
  for (const std::string_view text : {"", "%", "20", "0.2", "20 %", "-20%", "+20%", "20%%", ".5%",
                                      "5.%", "1.2.3%", "a%", "1e2%"}) {
    INFO(text);
    CHECK_FALSE(parse_share(text));
  }
}

TEST_CASE("a share is written without the noise of binary fractions, and reads back") {
  for (int percent = 0; percent <= 100; ++percent) {
    const auto text = std::to_string(percent) + "%";
    INFO(text);
    CHECK(format_share(*parse_share(text)) == text);
  }
  CHECK(format_share(0.125) == "12.5%");
}

TEST_CASE("counts are digits and nothing else") {
  CHECK(parse_count("0") == 0);
  CHECK(parse_count("18446744073709551615") == std::numeric_limits<std::uint64_t>::max());
  for (const std::string_view text :
       {"", "-1", "+1", " 1", "1 ", "1.0", "1e3", "0x1", "1_0", "a", "18446744073709551616"}) {
    INFO(text);
    CHECK_FALSE(parse_count(text));
  }
}

TEST_CASE("numbers have at most one point, between digits") {
  CHECK(parse_number("0.5") == 0.5);
  CHECK(parse_number("5") == 5);
  CHECK(parse_number("1000000000000") == 1e12);
  for (const std::string_view text :
       {"", ".", ".5", "5.", "1.2.3", "-1", "+1", "1e3", "inf", "nan", "0x1", " 1"}) {
    INFO(text);
    CHECK_FALSE(parse_number(text));
  }
  CHECK(format_number(0.5) == "0.5");
  CHECK(format_number(5) == "5");
  CHECK(parse_number(format_number(0.1)) == 0.1);
}

TEST_CASE("what was meant is said only where it is plain") {
  const std::vector<std::pair<std::string_view, std::string_view>> durations{
      {"5", "5s"},      {"5sec", "5s"},
      {"5 s", "5s"},    {"5 Seconds", "5s"},
      {"2min", "2m"},   {"2 minutes", "2m"},
      {"1hour", "1h"},  {"3 days", "3d"},
      {"7msec", "7ms"}, {"", ""},
      {"abc", ""},      {"5 fortnights", ""},
      {"-5s", ""},      {"1.5s", ""},
  };
  for (const auto& [text, meant] : durations) CHECK(duration_meant(text) == meant);
  const std::vector<std::pair<std::string_view, std::string_view>> sizes{
      {"64K", "64KiB"},  {"64k", "64KiB"}, {"64kib", "64KiB"}, {"10mb", "10MB"},
      {"1 GiB", "1GiB"}, {"1 g", "1GiB"},  {"5b", "5B"},       {"5", ""},
      {"", ""},          {"5 pages", ""},  {"-5K", ""},
  };
  for (const auto& [text, meant] : sizes) CHECK(size_meant(text) == meant);
  const std::vector<std::pair<std::string_view, std::string_view>> shares{
      {"0.2", "20%"},  {"0.125", "12.5%"}, {"20", "20%"}, {"1", "1%"},
      {"1.0", "100%"}, {"", ""},           {"half", ""},  {"2.5", "2.5%"},
  };
  for (const auto& [text, meant] : shares) CHECK(share_meant(text) == meant);
}
