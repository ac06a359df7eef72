// Heads that must be read, and what is found in them: forms of targets, framing, connection,
// fields.
#include <vector>

#include "http/support.hpp"

namespace weir::http {

namespace {

using namespace std::string_literals;

struct good {
  std::string why, text, method, path, query, authority;
  body_kind body = body_kind::none;
  std::uint64_t length = 0;
  bool keep_alive = true, expect = false;
  unsigned minor = 1;
};

const std::vector<good> rows = {
    {"the smallest", "GET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "", "a"},
    {"a query", "GET /a/b?c=d&e HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a/b", "c=d&e", "a"},
    {"an empty query", "GET /a? HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a", "", "a"},
    {"two question marks", "GET /a?b?c HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/a", "b?c", "a"},
    {"odd but visible bytes", "GET /{a}|\"<>^`\\ HTTP/1.1\r\nHost: a\r\n\r\n", "GET",
     "/{a}|\"<>^`\\", "", "a"},
    {"percent-encoding kept", "GET /%2e%2E/%zz HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/%2e%2E/%zz",
     "", "a"},
    {"two slashes", "GET //a//b HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "//a//b", "", "a"},
    {"absolute-form", "GET http://b.test/c?d HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/c", "d",
     "b.test"},
    {"absolute-form, https, port", "PUT HTTPS://b.test:8443/c HTTP/1.1\r\nHost: a\r\n\r\n", "PUT",
     "/c", "", "b.test:8443"},
    {"absolute-form without path", "GET http://b.test HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "",
     "b.test"},
    {"absolute-form with query only", "GET http://b.test?x HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/",
     "x", "b.test"},
    {"absolute-form on 1.0", "GET http://b.test/ HTTP/1.0\r\n\r\n", "GET", "/", "", "b.test",
     body_kind::none, 0, false, false, 0},
    {"asterisk-form", "OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "*", "", "a"},
    {"OPTIONS of a URI without path", "OPTIONS http://b.test HTTP/1.1\r\nHost: a\r\n\r\n",
     "OPTIONS", "*", "", "b.test"},
    {"OPTIONS of a path", "OPTIONS /a HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS", "/a", "", "a"},
    {"OPTIONS with query only", "OPTIONS http://b.test?x HTTP/1.1\r\nHost: a\r\n\r\n", "OPTIONS",
     "/", "x", "b.test"},
    {"an unknown method", "BREW /pot HTTP/1.1\r\nHost: a\r\n\r\n", "BREW", "/pot", "", "a"},
    {"a method of odd tchars", "M-SEARCH!#$ /x HTTP/1.1\r\nHost: a\r\n\r\n", "M-SEARCH!#$", "/x",
     "", "a"},
    {"a length", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 42\r\n\r\n", "POST", "/", "", "a",
     body_kind::length, 42},
    {"a length of 0", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", "POST", "/", "",
     "a", body_kind::length, 0},
    {"leading zeros", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 00042\r\n\r\n", "POST", "/",
     "", "a", body_kind::length, 42},
    {"the largest length",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775807\r\n\r\n", "POST", "/", "",
     "a", body_kind::length, 9223372036854775807ull},
    {"the same length twice",
     "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\n", "POST", "/",
     "", "a", body_kind::length, 5},
    {"the same length as a list", "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n",
     "POST", "/", "", "a", body_kind::length, 5},
    {"a body of a GET", "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n", "GET", "/", "",
     "a", body_kind::length, 3},
    {"chunked", "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n", "POST", "/", "",
     "a", body_kind::chunked},
    {"chunked in other case", "POST / HTTP/1.1\r\nHost: a\r\ntRANSFER-eNCODING:ChunKED \t\r\n\r\n",
     "POST", "/", "", "a", body_kind::chunked},
    {"close", "GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n", "GET", "/", "", "a",
     body_kind::none, 0, false},
    {"close in a list", "GET / HTTP/1.1\r\nHost: a\r\nConnection: x , CLOSE,, y\r\n\r\n", "GET",
     "/", "", "a", body_kind::none, 0, false},
    {"close on a second line",
     "GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive\r\nConnection: close\r\n\r\n", "GET", "/",
     "", "a", body_kind::none, 0, false},
    {"close is not part of a word", "GET / HTTP/1.1\r\nHost: a\r\nConnection: closed\r\n\r\n",
     "GET", "/", "", "a"},
    {"1.0 closes", "GET / HTTP/1.0\r\n\r\n", "GET", "/", "", "", body_kind::none, 0, false, false,
     0},
    {"1.0 keep-alive", "GET / HTTP/1.0\r\nHost: a\r\nConnection: Keep-Alive\r\n\r\n", "GET", "/",
     "", "a", body_kind::none, 0, true, false, 0},
    {"1.0 keep-alive and close", "GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", "GET",
     "/", "", "", body_kind::none, 0, false, false, 0},
    {"1.0 with a length", "POST / HTTP/1.0\r\nContent-Length: 7\r\n\r\n", "POST", "/", "", "",
     body_kind::length, 7, false, false, 0},
    {"Expect with a body",
     "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 9\r\n\r\n", "PUT", "/",
     "", "a", body_kind::length, 9, true, true},
    {"Expect with chunks",
     "PUT / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nExpect: 100-continue\r\n\r\n",
     "PUT", "/", "", "a", body_kind::chunked, 0, true, true},
    {"Expect without a body", "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", "PUT",
     "/", "", "a"},
    {"Expect with an empty body",
     "PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", "PUT", "/",
     "", "a", body_kind::length, 0},
    {"Expect of a 1.0 client is ignored",
     "PUT / HTTP/1.0\r\nExpect: anything\r\nContent-Length: 9\r\n\r\n", "PUT", "/", "", "",
     body_kind::length, 9, false, false, 0},
    {"4 empty lines first", "\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", "GET", "/", "",
     "a"},
    {"Upgrade is ignored",
     "GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n", "GET", "/",
     "", "a"},
    {"a Host with a port", "GET / HTTP/1.1\r\nHost:a.test:8080\r\n\r\n", "GET", "/", "",
     "a.test:8080"},
    {"a Host with an empty port", "GET / HTTP/1.1\r\nHost: a.test:\r\n\r\n", "GET", "/", "",
     "a.test:"},
    {"a Host with IPv4", "GET / HTTP/1.1\r\nHost: 192.0.2.1\r\n\r\n", "GET", "/", "", "192.0.2.1"},
    {"a Host with IPv6", "GET / HTTP/1.1\r\nHost: [2001:db8::1]:80\r\n\r\n", "GET", "/", "",
     "[2001:db8::1]:80"},
    {"a Host with underscore and trailing dot", "GET / HTTP/1.1\r\nHost: my_pool.test.\r\n\r\n",
     "GET", "/", "", "my_pool.test."},
    {"a tab and obs-text in a value", "GET / HTTP/1.1\r\nHost: a\r\nX: b\tc \xc3\xa9\r\n\r\n",
     "GET", "/", "", "a"},
};

void check_found(const request_head& head, const good& row) {
  CHECK(head.version_minor == row.minor);
  CHECK(head.body == row.body);
  CHECK(head.content_length == row.length);
  CHECK(head.keep_alive == row.keep_alive);
  CHECK(head.expect_continue == row.expect);
}

}  // namespace

TEST_CASE("a good request head is read for what it says") {
  for (const good& row : rows) {
    INFO(row.why << ": " << shown(row.text));
    const request_head head = request_of(row.text);
    CHECK(head.method == row.method);
    CHECK(head.path == row.path);
    CHECK(head.query == row.query);
    CHECK(head.authority == row.authority);
    check_found(head, row);
  }
}

TEST_CASE("a good request head is the same however it is split") {
  base::random random(seed_of_test());
  INFO("WEIR_SEED=" << seed_of_test());
  const head_limits limits;
  for (const good& row : rows) {
    INFO(row.why << ": " << shown(row.text));
    request_head head;
    const auto once = read_in_pieces(row.text, head, request_parser(limits), whole(row.text));
    CHECK(once.what == outcome_kind::complete);
    CHECK(once.consumed == row.text.size());
    CHECK(same(once, read_in_pieces(row.text, head, request_parser(limits), byte_by_byte())));
    check_found(head, row);
    CHECK(
        same(once, read_in_pieces(row.text, head, request_parser(limits), random_pieces(random))));
    check_found(head, row);
  }
}

TEST_CASE("what follows a head is left alone") {
  const std::string head_text = "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\n";
  for (const std::string& rest : {"hello"s, "\r\n\r\n"s, "GET / HTTP/1.1\r\n\r\n"s, "\0\1\2"s}) {
    request_head head;
    std::size_t scanned = 0;
    const std::string text = head_text + rest;
    const auto outcome = parse_request(text, head_limits{}, scanned, head);
    CHECK(outcome.what == outcome_kind::complete);
    CHECK(outcome.consumed == head_text.size());
    CHECK(scanned == 0);
  }
}

TEST_CASE("every proper prefix of a good head needs more") {
  const head_limits limits;
  for (const good& row : rows) {
    for (std::size_t n = 0; n < row.text.size(); ++n) {
      request_head head;
      std::size_t scanned = 0;
      INFO(row.why << " cut at " << n);
      CHECK(parse_request(std::string_view(row.text).substr(0, n), limits, scanned, head).what ==
            outcome_kind::need_more);
    }
  }
}

TEST_CASE("field values are without surrounding blanks and otherwise as sent") {
  const std::string text =
      "GET / HTTP/1.1\r\nHost: a\r\nA:b\r\nB: \t c d \t\r\nC:\r\nD: \t \r\nE: \"x\\\"y\"; "
      "z\r\n\r\n";
  const request_head head = request_of(text);
  REQUIRE(head.fields.size() == 6);
  CHECK(head.find("A")->value == "b");
  CHECK(head.find("b")->value == "c d");
  CHECK(head.find("c")->value.empty());
  CHECK(head.find("d")->value.empty());
  CHECK(head.find("E")->value == "\"x\\\"y\"; z");
  CHECK(head.find("F") == nullptr);
  CHECK(head.fields[1].name == "A");
}

TEST_CASE("find gives the first field of a name") {
  const std::string text = "GET / HTTP/1.1\r\nHost: a\r\nVia: 1\r\nX: 2\r\nvia: 3\r\nx: 4\r\n\r\n";
  const request_head head = request_of(text);
  CHECK(head.find(field_name::via)->value == "1");
  CHECK(head.find("x")->value == "2");
  CHECK(head.find(field_name::te) == nullptr);
}

TEST_CASE("an empty query and no query differ") {
  CHECK(request_of("GET /a HTTP/1.1\r\nHost: a\r\n\r\n").query.data() == nullptr);
  CHECK(request_of("GET /a? HTTP/1.1\r\nHost: a\r\n\r\n").query.data() != nullptr);
  CHECK(request_of("GET http://b? HTTP/1.1\r\nHost: a\r\n\r\n").query.data() != nullptr);
  CHECK(request_of("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n").query.data() == nullptr);
}

TEST_CASE("idempotent are the methods of RFC 9110 9.2.2, in upper case only") {
  for (const std::string method : {"GET", "HEAD", "OPTIONS", "TRACE", "PUT", "DELETE"})
    CHECK(request_of(method + " / HTTP/1.1\r\nHost: a\r\n\r\n").idempotent);
  for (const std::string method : {"POST", "PATCH", "get", "Put", "GETS", "X", "LINK1", "DELETES"})
    CHECK_FALSE(request_of(method + " / HTTP/1.1\r\nHost: a\r\n\r\n").idempotent);
  CHECK(request_of("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n").is_head);
  CHECK_FALSE(request_of("GET / HTTP/1.1\r\nHost: a\r\n\r\n").is_head);
}

TEST_CASE("hop-by-hop are the fields of the RFC and those that Connection names") {
  const std::string text =
      "GET / HTTP/1.1\r\nHost: a\r\nX-One: 1\r\nConnection: x-one, TE,X-Two\r\nTE: trailers\r\n"
      "X-Two: 2\r\nX-Three: 3\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\nUpgrade: y\r\nTrailer: "
      "z\r\n"
      "Proxy-Authorization: Basic eA==\r\nConnection: X-Four\r\nX-Four: 4\r\n\r\n";
  const request_head head = request_of(text);
  const std::vector<std::string_view> kept = {"Host", "X-Three"};
  for (const field& f : head.fields) {
    INFO(f.name);
    const bool is_kept = std::find(kept.begin(), kept.end(), f.name) != kept.end();
    CHECK(f.hop_by_hop == !is_kept);
  }
}

TEST_CASE("Connection cannot name away framing, identity and what weir writes") {
  const std::string names =
      "Host, Content-Length, Content-Type, Forwarded, X-Forwarded-For, X-Forwarded-Host, "
      "X-Forwarded-Proto, Via, Weir-Deadline, Weir-Group, traceparent, Idempotency-Key, Date";
  const std::string text =
      "POST / HTTP/1.1\r\nHost: a\r\nConnection: " + names +
      "\r\nContent-Length: 1\r\nContent-Type: x/y\r\nForwarded: for=b\r\nX-Forwarded-For: c\r\n"
      "X-Forwarded-Host: d\r\nX-Forwarded-Proto: e\r\nVia: f\r\nWeir-Deadline: 3\r\nWeir-Group: "
      "g\r\n"
      "traceparent: h\r\nIdempotency-Key: i\r\nDate: j\r\n\r\n";
  for (const field& f : request_of(text).fields) {
    INFO(f.name);
    CHECK(f.hop_by_hop == (f.known == field_name::connection));
  }
}

TEST_CASE("a name that only CGI rules take for a known one is not forwarded") {
  const std::string text =
      "GET / HTTP/1.1\r\nHost: a\r\nX_Forwarded_For: 1\r\nX-Forwarded_Proto: 2\r\n"
      "Weir_Attempt: 3\r\nContent_Length: 4\r\nTransfer_Encoding: chunked\r\nX_Own: 5\r\n\r\n";
  const request_head head = request_of(text);
  CHECK(head.body == body_kind::none);
  CHECK(head.find(field_name::x_forwarded_for) == nullptr);
  for (const field& f : head.fields) {
    INFO(f.name);
    CHECK(f.hop_by_hop == (f.name != "Host" && f.name != "X_Own"));
  }
}

TEST_CASE("limits are exact") {
  const auto outcome_of = [](std::string_view text, const head_limits& limits) {
    request_head head;
    std::size_t scanned = 0;
    return parse_request(text, limits, scanned, head);
  };
  const std::string text = "GET /abc HTTP/1.1\r\nHost: a\r\nX: y\r\n\r\n";
  head_limits limits;
  limits.head_bytes_max = text.size();
  limits.fields_max = 2;
  limits.target_bytes_max = 4;
  CHECK(outcome_of(text, limits).what == outcome_kind::complete);
  CHECK(outcome_of(text + "body", limits).what == outcome_kind::complete);
  head_limits smaller = limits;
  smaller.head_bytes_max -= 1;
  CHECK(outcome_of(text, smaller).status == 431);
  CHECK(outcome_of(text.substr(0, text.size() - 1), smaller).status == 431);
  CHECK(outcome_of(text.substr(0, text.size() - 2), smaller).what == outcome_kind::need_more);
  smaller = limits;
  smaller.fields_max = 1;
  CHECK(outcome_of(text, smaller).status == 431);
  smaller = limits;
  smaller.target_bytes_max = 3;
  CHECK(outcome_of(text, smaller).status == 414);
}

TEST_CASE("reading again into the same head forgets the one before and keeps its capacity") {
  request_head head;
  std::size_t scanned = 0;
  const head_limits limits;
  const std::string first =
      "PUT /a?b HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\nX: 1\r\nY: 2\r\n\r\n";
  const std::string second = "GET / HTTP/1.1\r\nHost: c\r\n\r\n";
  REQUIRE(parse_request(first, limits, scanned, head).what == outcome_kind::complete);
  const std::size_t capacity = head.fields.capacity();
  REQUIRE(parse_request(second, limits, scanned, head).what == outcome_kind::complete);
  CHECK(head.fields.size() == 1);
  CHECK(head.fields.capacity() == capacity);
  CHECK(head.query.data() == nullptr);
  CHECK(head.body == body_kind::none);
  CHECK(head.content_length == 0);
  CHECK(head.keep_alive);
  CHECK(head.version_minor == 1);
}

TEST_CASE("looking for a head's end costs each byte once however it trickles in") {
  std::string text = "GET / HTTP/1.1\r\nHost: a\r\n";
  request_head head;
  std::size_t scanned = 0;
  head_limits limits;
  limits.head_bytes_max = 1 << 20;
  limits.fields_max = 100000;
  REQUIRE(parse_request(text, limits, scanned, head).what == outcome_kind::need_more);
  const std::size_t fields_before = head.fields.size();
  for (int i = 0; i < 1000; ++i) {
    text += "X: y\r\n";
    REQUIRE(parse_request(text, limits, scanned, head).what == outcome_kind::need_more);
    CHECK(scanned == text.size());
    CHECK(head.fields.size() == fields_before);  // not parsed again before its end came
  }
  text += "\r\n";
  CHECK(parse_request(text, limits, scanned, head).what == outcome_kind::complete);
  CHECK(head.fields.size() == 1001);
}

}  // namespace weir::http
