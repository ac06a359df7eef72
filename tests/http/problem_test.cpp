// weir's own answers: golden texts, and that nothing in a detail can break out of its string.
#include "http/problem.hpp"

#include "http/support.hpp"

namespace weir::http {

namespace {

using namespace std::string_literals;

std::string written(const problem& p) {
  std::string out = "kept";
  write_problem(p, out);
  REQUIRE(out.starts_with("kept"));
  return out.substr(4);
}

std::string body_of(const std::string& text) {
  response_head head;
  std::size_t scanned = 0;
  const auto outcome = parse_response(text, head_limits{}, scanned, false, head);
  REQUIRE(outcome.what == outcome_kind::complete);
  CHECK(head.content_length == text.size() - outcome.consumed);
  return text.substr(outcome.consumed);
}

// What JSON holds of a detail, escaped.
std::string json_of(std::string_view detail) {
  problem p;
  p.detail = detail;
  const std::string body = body_of(written(p));
  const std::string before = "\"detail\":\"";
  const std::size_t from = body.find(before) + before.size();
  return body.substr(from, body.size() - from - std::string("\"}\n").size());
}

std::string details_of(std::string_view detail) {
  problem p;
  p.detail = detail;
  const std::string text = written(p);
  const std::string before = "Proxy-Status: weir; details=";
  const std::size_t from = text.find(before);
  REQUIRE(from != std::string::npos);
  const std::size_t value = from + before.size();
  return text.substr(value, text.find("\r\n", value) - value);
}

}  // namespace

TEST_CASE("golden: an overload answer") {
  problem p;
  p.status = 429;
  p.type = "queue-full";
  p.title = "The queue is full";
  p.detail = "5000 batches wait in pool \"loaders\"; try again in 7 s.";
  p.proxy_error = "connection_limit_reached";
  p.batch_id = "b1";
  p.retry_after_seconds = 7;
  p.keep_alive = true;
  p.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  CHECK(
      written(p) ==
      "HTTP/1.1 429 Too Many Requests\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\n"
      "Content-Type: application/problem+json\r\nContent-Length: 164\r\nCache-Control: no-store\r\n"
      "Proxy-Status: weir; error=connection_limit_reached; "
      "details=\"5000 batches wait in pool \\\"loaders\\\"; try again in 7 s.\"\r\n"
      "Weir-Batch-Id: b1\r\nRetry-After: 7\r\nConnection: keep-alive\r\n\r\n"
      "{\"type\":\"urn:weir:problem:queue-full\",\"title\":\"The queue is full\",\"status\":429,"
      "\"detail\":\"5000 batches wait in pool \\\"loaders\\\"; try again in 7 s.\","
      "\"batch_id\":\"b1\"}\n");
}

TEST_CASE("golden: the least that can be said") {
  problem p;
  p.status = 405;
  p.allow_or_extra = "Allow: GET\r\nX: y\r\n";
  CHECK(written(p) ==
        "HTTP/1.1 405 Method Not Allowed\r\nContent-Type: application/problem+json\r\n"
        "Content-Length: 65\r\nCache-Control: no-store\r\nProxy-Status: weir\r\nAllow: GET\r\nX: "
        "y\r\n"
        "Connection: close\r\n\r\n"
        "{\"type\":\"about:blank\",\"title\":\"Method Not Allowed\",\"status\":405}\n");
}

TEST_CASE("an answer to HEAD has the length of a body that it does not send") {
  problem p;
  p.status = 404;
  p.detail = "No route matches.";
  const std::string full = written(p);
  p.to_head = true;
  const std::string head = written(p);
  CHECK(full.starts_with(head));
  CHECK(full.size() - head.size() == body_of(full).size());
  CHECK(head.ends_with("\r\n\r\n"));
}

TEST_CASE("Retry-After of 0 is said, a negative one is not") {
  problem p;
  CHECK(written(p).find("Retry-After") == std::string::npos);
  p.retry_after_seconds = 0;
  CHECK(written(p).find("Retry-After: 0\r\n") != std::string::npos);
}

TEST_CASE("JSON strings are escaped and always valid UTF-8") {
  CHECK(json_of("plain é €") == "plain é €");
  CHECK(json_of("\"\\/") == "\\\"\\\\/");
  CHECK(json_of("a\r\n\tb") == "a\\r\\n\\tb");
  CHECK(json_of("\x01\x1f\x7f") == "\\u0001\\u001f\\u007f");
  CHECK(json_of("\0x"s) == "\\u0000x");
  CHECK(json_of("\xf0\x9f\x8c\x8a") == "\xf0\x9f\x8c\x8a");
  CHECK(json_of("\xed\x9f\xbf\xee\x80\x80") == "\xed\x9f\xbf\xee\x80\x80");
  CHECK(json_of("\xf4\x8f\xbf\xbf") == "\xf4\x8f\xbf\xbf");
  const std::string bad = "\\ufffd";
  CHECK(json_of("\xff") == bad);
  CHECK(json_of("\x80") == bad);
  CHECK(json_of("a\xc3") == "a" + bad);
  CHECK(json_of("\xc3(") == bad + "(");
  CHECK(json_of("\xc0\xaf") == bad + bad);            // overlong
  CHECK(json_of("\xe0\x80\x80") == bad + bad + bad);  // overlong
  CHECK(json_of("\xf0\x80\x80\x80") == bad + bad + bad + bad);
  CHECK(json_of("\xed\xa0\x80") == bad + bad + bad);            // a surrogate
  CHECK(json_of("\xf4\x90\x80\x80") == bad + bad + bad + bad);  // beyond U+10FFFF
  CHECK(json_of("\xe2\x82") == bad + bad);
  CHECK(json_of("\xf0\x9f\x8c") == bad + bad + bad);
}

TEST_CASE("Proxy-Status details are a structured-field string") {
  CHECK(details_of("plain") == "\"plain\"");
  CHECK(details_of("\"a\\b\"") == "\"\\\"a\\\\b\\\"\"");
  CHECK(details_of("é") == "\"??\"");
  CHECK(details_of("a\r\nX: y") == "\"a??X: y\"");
  CHECK(details_of("\0\x7f\t"s) == "\"???\"");
}

TEST_CASE("no detail, however hostile, adds a field or ends the head") {
  const std::uint64_t seed = seed_of_test();
  INFO("WEIR_SEED=" << seed);
  base::random random(seed);
  for (int i = 0; i < 3000; ++i) {
    std::string detail(1 + random.below(60), ' ');
    for (char& c : detail) c = static_cast<char>(random.below(random.below(2) ? 256 : 64));
    problem p;
    p.status = 400;
    p.detail = detail;
    p.title = detail;
    INFO(shown(detail));
    const std::string text = written(p);
    response_head head;
    std::size_t scanned = 0;
    const auto outcome = parse_response(text, head_limits{}, scanned, false, head);
    REQUIRE(outcome.what == outcome_kind::complete);
    CHECK(head.fields.size() == 5);
    CHECK(head.content_length == text.size() - outcome.consumed);
    for (const char c : text.substr(outcome.consumed, text.size() - outcome.consumed - 1))
      CHECK(static_cast<unsigned char>(c) >= 0x20);
  }
}

TEST_CASE("a detail of any size fits") {
  for (const std::size_t size : {std::size_t{0}, std::size_t{1000}, std::size_t{100000}}) {
    problem p;
    const std::string detail(size, '"');
    p.detail = detail;
    std::string out;
    write_problem(p, out);
    CHECK(out.size() > 4 * size);
    CHECK(out.ends_with("}\n"));
  }
}

TEST_CASE("reason phrases are the registered ones") {
  CHECK(reason_phrase(100) == "Continue");
  CHECK(reason_phrase(200) == "OK");
  CHECK(reason_phrase(413) == "Content Too Large");
  CHECK(reason_phrase(431) == "Request Header Fields Too Large");
  CHECK(reason_phrase(503) == "Service Unavailable");
  CHECK(reason_phrase(511) == "Network Authentication Required");
  for (const unsigned status : {0u, 99u, 299u, 418u, 499u, 512u, 600u, 4294967295u})
    CHECK(reason_phrase(status) == "Unknown");
  int known = 0;
  for (unsigned status = 100; status < 600; ++status) known += reason_phrase(status) != "Unknown";
  CHECK(known == 60);
}

}  // namespace weir::http
