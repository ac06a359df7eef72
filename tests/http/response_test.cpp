// Response heads: what is found in good ones for the request they answer, and that whatever is
// broken is the worker's fault (502), whole or split.
#include <vector>

#include "http/support.hpp"

namespace weir::http {

namespace {

using namespace std::string_literals;

enum class to : bool { get, head };

struct good {
  std::string text;
  to request = to::get;
  body_kind body = body_kind::none;
  std::uint64_t length = 0;
  bool has_length = false, keep_alive = true;
};

std::string ok(const std::string& fields) {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n";
}
std::string status(const std::string& line, const std::string& fields = "") {
  return "HTTP/1.1 " + line + "\r\n" + fields + "\r\n";
}
const std::string chunked = "Transfer-Encoding: chunked\r\n";
const std::string five = "Content-Length: 5\r\n";
const std::string zero = "Content-Length: 0\r\n";

const std::vector<good> rows = {
    {ok(five), to::get, body_kind::length, 5, true},
    {ok(zero), to::get, body_kind::length, 0, true},
    {ok(five + five), to::get, body_kind::length, 5, true},
    {ok(chunked), to::get, body_kind::chunked},
    {ok(""), to::get, body_kind::until_close, 0, false, false},
    {ok("Connection: close\r\n" + five), to::get, body_kind::length, 5, true, false},
    {ok("Connection: keep-alive\r\n"), to::get, body_kind::until_close, 0, false, false},
    {ok(five), to::head, body_kind::none, 5, true},
    {ok(chunked), to::head, body_kind::none},
    {ok(""), to::head, body_kind::none},
    {status("204 No Content"), to::get, body_kind::none},
    {status("204 No Content", zero), to::get, body_kind::none, 0, true},
    {status("304 Not Modified", five), to::get, body_kind::none, 5, true},
    {status("304 Not Modified", chunked), to::get, body_kind::none},
    {status("304 Not Modified"), to::get, body_kind::none},
    {status("100 Continue"), to::get, body_kind::none},
    {status("102 Processing"), to::get, body_kind::none},
    {status("103 Early Hints", "Link: </a>\r\n"), to::head, body_kind::none},
    {status("205 Reset Content", zero), to::get, body_kind::length, 0, true},
    {status("404 Not Found", five), to::get, body_kind::length, 5, true},
    {status("599 Own Words", five), to::get, body_kind::length, 5, true},
    {"HTTP/1.0 200 OK\r\n" + five + "\r\n", to::get, body_kind::length, 5, true, false},
    {"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n" + five + "\r\n", to::get, body_kind::length, 5,
     true, true},
    {"HTTP/1.0 200 OK\r\n\r\n", to::get, body_kind::until_close, 0, false, false},
};

const std::vector<std::string> broken = {
    ok(five + chunked),
    ok(chunked + five),
    ok(five + "Content-Length: 6\r\n"),
    ok("Content-Length: -1\r\n"),
    ok("Content-Length: 5 bytes\r\n"),
    ok("Content-Length:\r\n"),
    ok("Transfer-Encoding: gzip\r\n"),
    ok("Transfer-Encoding: gzip, chunked\r\n"),
    ok("Transfer-Encoding: chunked, chunked\r\n"),
    ok("Transfer-Encoding:\r\n"),
    ok(chunked + chunked),
    "HTTP/1.0 200 OK\r\n" + chunked + "\r\n",
    status("204 No Content", five),
    status("204 No Content", chunked),
    status("100 Continue", five),
    status("103 Early Hints", chunked),
    status("101 Switching Protocols", "Upgrade: x\r\n"),
    status("099 Low"),
    status("600 High"),
    status("999 Higher"),
    status("000 None"),
    status("20 Short"),
    status("2000 Long"),
    status("2x0 Letter"),
    status("+20 Sign"),
    status(" 200 Blank"),
    status("200\tTab"),
    status("200 Bad \x01 reason"),
    status("200 Bad \r reason"),
    "HTTP/1.1  200 OK\r\n\r\n",
    "HTTP/1.1\r\n\r\n",
    "HTTP/2.0 200 OK\r\n\r\n",
    "HTTP/1.2 200 OK\r\n\r\n",
    "HTTP/0.9 200 OK\r\n\r\n",
    "http/1.1 200 OK\r\n\r\n",
    "ICY 200 OK\r\n\r\n",
    "<html>\r\n\r\n",
    "\r\nHTTP/1.1 200 OK\r\n\r\n",
    "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
    "HTTP/1.1 200 OK\n" + five + "\n",
    "HTTP/1.1 200 OK\r\nX: y\n\r\n",
    ok("X: a\r\n b\r\n"),
    ok(" X: a\r\n"),
    ok("X : a\r\n"),
    ok(": a\r\n"),
    ok("no colon\r\n"),
    ok("X: \0\r\n"s),
    ok("X: a\rb\r\n"),
    ok("X: " + std::string(20000, 'a') + "\r\n"),
    status("200 " + std::string(20000, 'a')),
};

}  // namespace

TEST_CASE("a good response head is read for what it says, however it is split") {
  base::random random(seed_of_test());
  INFO("WEIR_SEED=" << seed_of_test());
  const head_limits limits;
  for (const good& row : rows) {
    INFO(shown(row.text) << " to HEAD: " << (row.request == to::head));
    const auto parse = response_parser(limits, row.request == to::head);
    const auto check = [&](auto cut) {
      response_head head;
      const auto outcome = read_in_pieces(row.text, head, parse, cut);
      REQUIRE(outcome.what == outcome_kind::complete);
      CHECK(outcome.consumed == row.text.size());
      CHECK(head.body == row.body);
      CHECK(head.content_length == row.length);
      CHECK(head.has_length == row.has_length);
      CHECK(head.keep_alive == row.keep_alive);
    };
    check(whole(row.text));
    check(byte_by_byte());
    check(random_pieces(random));
  }
}

TEST_CASE("a broken response is the worker's fault, however it is split") {
  base::random random(seed_of_test());
  INFO("WEIR_SEED=" << seed_of_test());
  const head_limits limits;
  for (const std::string& text : broken) {
    response_head head;
    const auto parse = response_parser(limits, false);
    const auto once = read_in_pieces(text, head, parse, whole(text));
    INFO(shown(text) << " -> " << once.reason);
    REQUIRE(once.what == outcome_kind::bad);
    CHECK(once.status == 502);
    CHECK(once.reason.size() > 20);
    CHECK(same(once, read_in_pieces(text, head, parse, byte_by_byte())));
    CHECK(same(once, read_in_pieces(text, head, parse, random_pieces(random))));
  }
}

TEST_CASE("status, reason and version are as sent") {
  const std::string usual = "HTTP/1.1 418 I'm a teapot \xc3\xa9\r\nContent-Length: 0\r\n\r\n";
  response_head head = response_of(usual);
  CHECK(head.status == 418);
  CHECK(head.reason == "I'm a teapot \xc3\xa9");
  CHECK(head.version_minor == 1);
  head = response_of("HTTP/1.0 200 \r\n\r\n");
  CHECK(head.reason.empty());
  CHECK(head.version_minor == 0);
  head = response_of("HTTP/1.1 200\r\n\r\n");  // the space before no reason is often left out
  CHECK(head.status == 200);
  CHECK(head.reason.empty());
}

TEST_CASE("a body after the head is left alone") {
  const std::string text = "HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello";
  response_head head;
  std::size_t scanned = 0;
  const auto outcome = parse_response(text, head_limits{}, scanned, false, head);
  CHECK(outcome.what == outcome_kind::complete);
  CHECK(text.substr(outcome.consumed) == "hello");
}

TEST_CASE("every proper prefix of a good response head needs more") {
  for (const good& row : rows) {
    for (std::size_t n = 0; n < row.text.size(); ++n) {
      response_head head;
      std::size_t scanned = 0;
      INFO(shown(row.text) << " cut at " << n);
      const auto text = std::string_view(row.text).substr(0, n);
      CHECK(parse_response(text, head_limits{}, scanned, false, head).what ==
            outcome_kind::need_more);
    }
  }
}

TEST_CASE("a worker's fields are found and its hop-by-hop ones marked") {
  const std::string text =
      "HTTP/1.1 200 OK\r\nConnection: X-Hop, close\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n"
      "Weir-Agent: drain\r\nendpoint-load-metrics: TEXT cpu_utilization=0.3\r\nX_Forwarded_For: "
      "1\r\n"
      "Proxy-Authenticate: Basic\r\nContent-Length: 0\r\n\r\n";
  const response_head head = response_of(text);
  CHECK(head.find(field_name::weir_agent)->value == "drain");
  CHECK(head.find(field_name::endpoint_load_metrics)->value == "TEXT cpu_utilization=0.3");
  CHECK(head.find(field_name::keep_alive)->value == "timeout=5");
  CHECK(head.find("x-hop")->hop_by_hop);
  CHECK(head.find("proxy-authenticate")->hop_by_hop);
  CHECK_FALSE(head.find("x_forwarded_for")->hop_by_hop);  // CGI rules concern requests only
  CHECK_FALSE(head.keep_alive);
}

TEST_CASE("reading again into the same response head forgets the one before") {
  response_head head;
  std::size_t scanned = 0;
  const std::string first = "HTTP/1.0 304 Not Modified\r\nContent-Length: 9\r\nX: y\r\n\r\n";
  const std::string second = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
  REQUIRE(parse_response(first, {}, scanned, false, head).what == outcome_kind::complete);
  REQUIRE(parse_response(second, {}, scanned, false, head).what == outcome_kind::complete);
  CHECK(head.status == 200);
  CHECK(head.body == body_kind::chunked);
  CHECK_FALSE(head.has_length);
  CHECK(head.content_length == 0);
  CHECK(head.fields.size() == 1);
  CHECK(head.keep_alive);
}

}  // namespace weir::http
