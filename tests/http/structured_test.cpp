// The small grammars of fields that weir reads: what is taken, and what is not.
#include "http/structured.hpp"

#include <cmath>
#include <string>

#include "http/support.hpp"

namespace weir::http {

namespace {

using namespace std::chrono_literals;
using namespace std::string_literals;

// 1994-11-06T08:49:37Z
constexpr std::int64_t then_ms = 784'111'777'000;

std::string text_of(std::optional<priority> p) {
  if (!p) return "none";
  return std::to_string(p->urgency) + (p->incremental ? "i" : "");
}

}  // namespace

TEST_CASE("Priority is read by RFC 9218") {
  struct row {
    std::string_view text, expected;
  };
  const row rows[] = {
      {"", "3"},
      {"u=0", "0"},
      {"u=7", "7"},
      {"u=5, i", "5i"},
      {"i", "3i"},
      {"i=?1", "3i"},
      {"i=?0", "3"},
      {"  u=1 ,\ti  ", "1i"},
      {"u=1;a=b;c, i;d", "1i"},
      {"u=1, u=2", "2"},
      {"u=1, u=9", "3"},  // the last one counts, and is out of range: the default
      {"u=8", "3"},
      {"u=-1", "3"},
      {"u=07", "7"},
      {"u=1.0", "3"},  // a decimal is not an integer
      {"u=a", "3"},
      {"u=\"1\"", "3"},
      {"u", "3"},
      {"i=1", "3"},
      {"i, i=?0", "3"},
      {"x=(1 2 \"a b\");p, u=2", "2"},
      {"x=:aGk=:, y=tok/en:*, z=?0, *k=-1.5, u=4", "4"},
      {"u=1,", "none"},
      {",u=1", "none"},
      {"u=1 i", "none"},
      {"u=1,,i", "none"},
      {"u =1", "none"},
      {"u= 1", "none"},
      {"u=", "none"},
      {"U=1", "none"},
      {"u=1;", "none"},
      {"u=1; =2", "none"},
      {"u=\"1", "none"},
      {"u=?2", "none"},
      {"u=(1 2", "none"},
      {"u=(1,2)", "none"},
      {"u=:a b:", "none"},
      {"u=1.", "none"},
      {"u=1.2345", "none"},
      {"u=1234567890123456", "none"},
      {"u=-", "none"},
      {"u=\"\\x\"", "none"},
      {"u=\"\xc3\xa9\"", "none"},
      {"u=1\x01", "none"},
      {"=1", "none"},
      {"1=u", "none"},
  };
  for (const row& r : rows) {
    INFO(r.text);
    CHECK(text_of(parse_priority(r.text)) == r.expected);
  }
}

TEST_CASE("Prefer is read by RFC 7240, what is not known is ignored") {
  struct row {
    std::string_view text;
    bool async;
    std::optional<std::uint32_t> wait;
  };
  const row rows[] = {
      {"", false, {}},
      {"respond-async", true, {}},
      {"Respond-Async", true, {}},
      {"respond-async, wait=10", true, 10},
      {"wait=10,respond-async", true, 10},
      {"wait = 10", false, 10},
      {"wait=\"10\"", false, 10},
      {"WAIT=0", false, 0},
      {"wait=10, wait=20", false, 10},
      {"wait=x, wait=20", false, {}},
      {"wait=-1", false, {}},
      {"wait=1.5", false, {}},
      {"wait=", false, {}},
      {"wait", false, {}},
      {"wait=99999999999", false, 4294967295u},
      {"respond-async;x=y, wait=5;z", true, 5},
      {"return=minimal, respond-async", true, {}},
      {"x=\"respond-async, wait=5\"", false, {}},
      {"x=\"a\\\", respond-async\", wait=5", false, 5},
      {"respond-async=no", false, {}},
      {"respond-asynchronously", false, {}},
      {",,respond-async,,", true, {}},
  };
  for (const row& r : rows) {
    INFO(r.text);
    const prefer p = parse_prefer(r.text);
    CHECK(p.respond_async == r.async);
    CHECK(p.wait_seconds == r.wait);
  }
}

TEST_CASE("Idempotency-Key is a quoted string or a bare token") {
  const auto key = [](std::string_view text) {
    const auto k = parse_idempotency_key(text);
    return k ? std::string(*k) : "none"s;
  };
  CHECK(key("\"8e03978e-40d5\"") == "8e03978e-40d5");
  CHECK(key("8e03978e-40d5") == "8e03978e-40d5");
  CHECK(key(" \"k\" ") == "k");
  CHECK(key("\"k 1\"") == "k 1");
  CHECK(key("a+b/c==:x") == "a+b/c==:x");
  CHECK(key("\"a,b;c\"") == "a,b;c");
  CHECK(key("\"a\\\"b\\\\\"") == "a\\\"b\\\\");
  CHECK(key("\"" + std::string(255, 'k') + "\"") == std::string(255, 'k'));
  for (const std::string& text : {""s,
                                  " "s,
                                  "\""s,
                                  "\"\""s,
                                  "a b"s,
                                  "a,b"s,
                                  "a;b"s,
                                  "a\"b"s,
                                  "\"a"s,
                                  "a\""s,
                                  "\"a\"b\""s,
                                  "\"a\\\""s,
                                  "\"a\\n\""s,
                                  "a\\b"s,
                                  "\"\t\""s,
                                  "\"\xc3\xa9\""s,
                                  "\xc3\xa9"s,
                                  "a\x7f"s,
                                  "\"a\";b"s,
                                  std::string(256, 'k'),
                                  "\"" + std::string(256, 'k') + "\"",
                                  "\"\0\""s}) {
    INFO(shown(text));
    CHECK(key(text) == "none");
  }
}

TEST_CASE("Weir-Deadline is seconds or an absolute time") {
  const auto left = [](std::string_view text) { return parse_deadline(text, then_ms); };
  CHECK(left("30") == 30s);
  CHECK(left("2.5") == 2500ms);
  CHECK(left("0") == 0s);
  CHECK(left("Sun, 06 Nov 1994 08:49:47 GMT") == 10s);
  CHECK(left("Sun, 06 Nov 1994 08:49:37 GMT") == 0s);
  CHECK(left("Sun, 06 Nov 1994 08:49:27 GMT") == 0s);
  CHECK(left("1994-11-06T08:50:37Z") == 60s);
  CHECK(left("1994-11-06T08:49:37.250Z") == 250ms);
  CHECK(left("1990-01-01T00:00:00Z") == 0s);
  CHECK(left("99999999999999999999") == base::forever);
  for (const std::string_view text : {"", "-1", "+1", "1e3", "soon", ".5", "5.", "1 s", "inf",
                                      "nan", "1994-11-06", "1994-11-06T08:49:37+01:00", "0x10"}) {
    INFO(text);
    CHECK_FALSE(left(text));
  }
}

TEST_CASE("Retry-After is whole seconds or a date") {
  const auto wait = [](std::string_view text) { return parse_retry_after(text, then_ms); };
  CHECK(wait("0") == 0s);
  CHECK(wait("120") == 120s);
  CHECK(wait("99999999999") == std::chrono::seconds{4294967295});
  CHECK(wait("Sun, 06 Nov 1994 08:49:47 GMT") == 10s);
  CHECK(wait("Sun, 06 Nov 1994 08:49:27 GMT") == 0s);
  for (const std::string_view text : {"", "1.5", "-1", "5s", "1994-11-06T08:50:37Z", "1, 2"}) {
    INFO(text);
    CHECK_FALSE(wait(text));
  }
}

TEST_CASE("Keep-Alive says its timeout") {
  CHECK(parse_keep_alive_timeout("timeout=5, max=1000") == 5u);
  CHECK(parse_keep_alive_timeout("max=1000,Timeout = 7") == 7u);
  CHECK(parse_keep_alive_timeout("timeout=\"9\"") == 9u);
  for (const std::string_view text :
       {"", "max=5", "timeout", "timeout=", "timeout=x", "timeout=-1"}) {
    INFO(text);
    CHECK_FALSE(parse_keep_alive_timeout(text));
  }
}

TEST_CASE("a traceparent is valid by W3C Trace Context") {
  const std::string good = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
  CHECK(valid_traceparent(good));
  CHECK(valid_traceparent("01" + good.substr(2)));
  CHECK(valid_traceparent("01" + good.substr(2) + "-more"));
  CHECK(valid_traceparent("cc" + good.substr(2) + "-"));
  CHECK_FALSE(valid_traceparent(""));
  CHECK_FALSE(valid_traceparent("ff" + good.substr(2)));
  CHECK_FALSE(valid_traceparent(good + "-more"));
  CHECK_FALSE(valid_traceparent(good + " "));
  CHECK_FALSE(valid_traceparent("01" + good.substr(2) + "more"));
  CHECK_FALSE(valid_traceparent("00-00000000000000000000000000000000-00f067aa0ba902b7-01"));
  CHECK_FALSE(valid_traceparent("00-4bf92f3577b34da6a3ce929d0e0e4736-0000000000000000-01"));
  for (std::size_t i = 0; i < good.size(); ++i) {
    std::string text = good;
    text[i] = text[i] == '-' ? '0' : 'A';  // upper case is not allowed either
    INFO(text);
    CHECK_FALSE(valid_traceparent(text));
    CHECK_FALSE(valid_traceparent(good.substr(0, i)));
  }
}

TEST_CASE("a number is digits with an optional fraction") {
  CHECK(parse_number("0") == 0.0);
  CHECK(parse_number("007") == 7.0);
  CHECK(parse_number("1000000") == 1e6);
  CHECK(parse_number("2.50") == 2.5);
  CHECK(parse_number("123456789012345678901234567890") == Approx(1.2345678901234568e29));
  for (const std::string& text :
       {""s, "."s, "1."s, ".1"s, "-1"s, "+1"s, "1e5"s, "1E5"s, "0x1"s, " 1"s, "1 "s, "1,0"s,
        "1.2.3"s, "inf"s, "nan"s, "1_000"s, "1" + std::string(400, '0')}) {
    INFO(text);
    CHECK_FALSE(parse_number(text));
  }
}

TEST_CASE("a list contains a token whatever its case and place") {
  CHECK(list_contains("chunked", "chunked"));
  CHECK(list_contains("a, B ,c", "b"));
  CHECK(list_contains(",,a", "A"));
  CHECK_FALSE(list_contains("", "a"));
  CHECK_FALSE(list_contains("ab", "a"));
  CHECK_FALSE(list_contains("a b", "a"));
  CHECK_FALSE(list_contains("a;q=1", "a"));
}

TEST_CASE("dates of RFC 9110 are read in their fixed form only") {
  CHECK(parse_http_date_ms("Sun, 06 Nov 1994 08:49:37 GMT") == then_ms);
  CHECK(parse_http_date_ms("Thu, 01 Jan 1970 00:00:00 GMT") == 0);
  CHECK(parse_http_date_ms("Tue, 29 Feb 2000 23:59:60 GMT") == 951'868'800'000);
  CHECK(parse_http_date_ms("Fri, 31 Dec 9999 23:59:59 GMT") == 253'402'300'799'000);
  for (const std::string_view text : {"",
                                      "Sun, 6 Nov 1994 08:49:37 GMT",
                                      "Sunday, 06-Nov-94 08:49:37 GMT",
                                      "Sun Nov  6 08:49:37 1994",
                                      "Sun, 06 Nov 1994 08:49:37 UTC",
                                      "Sun, 06 Nov 1994 08:49:37",
                                      "Sun, 06 Nov 1994 08:49:37 GMT ",
                                      "sun, 06 Nov 1994 08:49:37 GMT",
                                      "Xyz, 06 Nov 1994 08:49:37 GMT",
                                      "unM, 06 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 nov 1994 08:49:37 GMT",
                                      "Sun, 00 Nov 1994 08:49:37 GMT",
                                      "Sun, 31 Nov 1994 08:49:37 GMT",
                                      "Mon, 29 Feb 1999 08:49:37 GMT",
                                      "Sun, 06 Nov 1969 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 24:00:00 GMT",
                                      "Sun, 06 Nov 1994 08:60:37 GMT",
                                      "Sun, 06 Nov 1994 08:49:61 GMT",
                                      "Sun, +6 Nov 1994 08:49:37 GMT",
                                      "Sun, 06 Nov 1994 08.49.37 GMT"}) {
    INFO(text);
    CHECK_FALSE(parse_http_date_ms(text));
  }
}

TEST_CASE("dates of RFC 3339 are read in UTC only") {
  CHECK(parse_rfc3339_ms("1994-11-06T08:49:37Z") == then_ms);
  CHECK(parse_rfc3339_ms("1994-11-06t08:49:37z") == then_ms);
  CHECK(parse_rfc3339_ms("1994-11-06T08:49:37+00:00") == then_ms);
  CHECK(parse_rfc3339_ms("1994-11-06T08:49:37-00:00") == then_ms);
  CHECK(parse_rfc3339_ms("1994-11-06T08:49:37.5Z") == then_ms + 500);
  CHECK(parse_rfc3339_ms("1994-11-06T08:49:37.0129999Z") == then_ms + 12);
  for (const std::string_view text :
       {"", "1994-11-06", "1994-11-06T08:49:37", "1994-11-06 08:49:37Z", "1994-11-06T08:49Z",
        "1994-11-06T08:49:37.Z", "1994-11-06T08:49:37+01:00", "1994-13-06T08:49:37Z",
        "1994-02-30T08:49:37Z", "94-11-06T08:49:37Z", "1994-11-06T08:49:37Zx",
        "1994-11-06T25:49:37Z", "1960-11-06T08:49:37Z"}) {
    INFO(text);
    CHECK_FALSE(parse_rfc3339_ms(text));
  }
}

TEST_CASE("a date that is written is read again") {
  CHECK(make_http_date(then_ms / 1000).view() == "Sun, 06 Nov 1994 08:49:37 GMT");
  CHECK(make_http_date(0).view() == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(make_http_date(-5).view() == "Thu, 01 Jan 1970 00:00:00 GMT");
  CHECK(make_http_date(INT64_MAX).view() == "Fri, 31 Dec 9999 23:59:59 GMT");
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  base::random random(seed);
  for (int i = 0; i < 5000; ++i) {
    const auto seconds = static_cast<std::int64_t>(random.next() % 253'402'300'800ull);
    INFO(seconds);
    CHECK(parse_http_date_ms(make_http_date(seconds).view()) == seconds * 1000);
  }
}

TEST_CASE("no grammar reads beyond its text or fails on random bytes") {
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  base::random random(seed);
  const std::string alphabet = "u=i?01;,( )\":*-.abT\\ \t39Z+\xff";
  for (int i = 0; i < 20000; ++i) {
    std::string text(1 + random.below(40), ' ');
    for (char& c : text) c = alphabet[random.below(static_cast<std::uint32_t>(alphabet.size()))];
    const exact_copy copy(text);
    const std::string_view v = copy.view();
    const auto p = parse_priority(v);
    CHECK((!p || p->urgency <= 7));
    const auto key = parse_idempotency_key(v);
    CHECK((!key || (!key->empty() && key->size() <= 255)));
    const auto deadline = parse_deadline(v, then_ms);
    CHECK((!deadline || *deadline >= 0s));
    const auto number = parse_number(v);
    CHECK((!number || (std::isfinite(*number) && *number >= 0)));
    parse_prefer(v);
    parse_retry_after(v, then_ms);
    parse_keep_alive_timeout(v);
    list_contains(v, "a");
    CHECK_FALSE(valid_traceparent(v));
  }
}

}  // namespace weir::http
