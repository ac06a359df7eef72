// Heads that must be refused, each with the status that it must be refused with: the classics of
// request smuggling, games with line ends and blanks, and limits. Each is fed whole, byte by byte
// and at random splits: the outcome must be the same.
#include <vector>

#include "http/support.hpp"

namespace weir::http {

namespace {

using namespace std::string_literals;
using namespace std::string_view_literals;

struct hostile {
  std::string_view why;
  unsigned status;
  std::string text;
};

std::string after_host(std::string_view fields) {
  return "POST /a HTTP/1.1\r\nHost: a.test\r\n" + std::string(fields) + "\r\n";
}
std::string with_line(std::string_view line) {
  return std::string(line) + "\r\nHost: a.test\r\n\r\n";
}
std::string with_host(std::string_view host) {
  return "GET / HTTP/1.1\r\nHost:" + std::string(host) + "\r\n\r\n";
}

const std::vector<hostile> framing = {
    {"CL.TE", 400, after_host("Content-Length: 6\r\nTransfer-Encoding: chunked\r\n")},
    {"TE.CL", 400, after_host("Transfer-Encoding: chunked\r\nContent-Length: 4\r\n")},
    {"CL.TE with CL 0", 400, after_host("Content-Length: 0\r\nTransfer-Encoding: chunked\r\n")},
    {"TE.TE, second unknown", 400,
     after_host("Transfer-Encoding: chunked\r\nTransfer-Encoding: x\r\n")},
    {"TE.TE, first unknown", 501,
     after_host("Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n")},
    {"TE.TE, same twice", 400,
     after_host("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n")},
    {"TE.TE, identity second", 400,
     after_host("Transfer-Encoding: chunked\r\ntransfer-encoding: identity\r\n")},
    {"TE chunked, chunked", 400, after_host("Transfer-Encoding: chunked, chunked\r\n")},
    {"TE chunked, gzip", 400, after_host("Transfer-Encoding: chunked, gzip\r\n")},
    {"TE gzip, chunked", 501, after_host("Transfer-Encoding: gzip, chunked\r\n")},
    {"TE gzip", 501, after_host("Transfer-Encoding: gzip\r\n")},
    {"TE identity", 501, after_host("Transfer-Encoding: identity\r\n")},
    {"TE xchunked", 501, after_host("Transfer-Encoding: xchunked\r\n")},
    {"TE chunke", 501, after_host("Transfer-Encoding: chunke\r\n")},
    {"TE chunked with parameter", 400, after_host("Transfer-Encoding: chunked;q=1\r\n")},
    {"TE quoted", 400, after_host("Transfer-Encoding: \"chunked\"\r\n")},
    {"TE empty", 400, after_host("Transfer-Encoding:\r\n")},
    {"TE blanks only", 400, after_host("Transfer-Encoding: \t \r\n")},
    {"TE trailing comma", 400, after_host("Transfer-Encoding: chunked,\r\n")},
    {"TE leading comma", 400, after_host("Transfer-Encoding: ,chunked\r\n")},
    {"TE inner blank", 400, after_host("Transfer-Encoding: chun ked\r\n")},
    {"TE with vertical tab", 400,
     after_host("Transfer-Encoding: \x0b"
                "chunked\r\n")},
    {"TE with form feed", 400, after_host("Transfer-Encoding: chunked\x0c\r\n")},
    {"TE with NUL", 400, after_host("Transfer-Encoding: chunked\0\r\n"sv)},
    {"TE with obs-text", 400, after_host("Transfer-Encoding: chunked\xa0\r\n")},
    {"TE, blank before colon", 400, after_host("Transfer-Encoding : chunked\r\n")},
    {"TE, tab before colon", 400, after_host("Transfer-Encoding\t: chunked\r\n")},
    {"TE folded", 400, after_host("Transfer-Encoding:\r\n chunked\r\n")},
    {"TE after a folded line", 400, after_host("X: y\r\n Transfer-Encoding: chunked\r\n")},
    {"TE behind a bare CR", 400, after_host("X: y\rTransfer-Encoding: chunked\r\n")},
    {"TE behind a bare LF", 400, after_host("X: y\nTransfer-Encoding: chunked\r\n")},
    {"TE on 1.0", 400, "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"},
    {"TE unknown on 1.0", 400, "POST / HTTP/1.0\r\nTransfer-Encoding: gzip\r\n\r\n"},
    {"CL differing", 400, after_host("Content-Length: 5\r\nContent-Length: 6\r\n")},
    {"CL differing, other case", 400, after_host("Content-Length: 5\r\ncontent-length: 6\r\n")},
    {"CL list differing", 400, after_host("Content-Length: 5, 6\r\n")},
    {"CL good then bad", 400, after_host("Content-Length: 5\r\nContent-Length: x\r\n")},
    {"CL list with empty", 400, after_host("Content-Length: 5,\r\n")},
    {"CL list with leading comma", 400, after_host("Content-Length: ,5\r\n")},
    {"CL plus", 400, after_host("Content-Length: +5\r\n")},
    {"CL minus", 400, after_host("Content-Length: -5\r\n")},
    {"CL minus zero", 400, after_host("Content-Length: -0\r\n")},
    {"CL hex", 400, after_host("Content-Length: 0x5\r\n")},
    {"CL hex digits", 400, after_host("Content-Length: 1a\r\n")},
    {"CL fraction", 400, after_host("Content-Length: 5.0\r\n")},
    {"CL exponent", 400, after_host("Content-Length: 1e3\r\n")},
    {"CL inner blank", 400, after_host("Content-Length: 5 5\r\n")},
    {"CL empty", 400, after_host("Content-Length:\r\n")},
    {"CL quoted", 400, after_host("Content-Length: \"5\"\r\n")},
    {"CL semicolon", 400, after_host("Content-Length: 5;x\r\n")},
    {"CL 2^63", 400, after_host("Content-Length: 9223372036854775808\r\n")},
    {"CL 2^64", 400, after_host("Content-Length: 18446744073709551616\r\n")},
    {"CL 2^64 + 5", 400, after_host("Content-Length: 18446744073709551621\r\n")},
    {"CL 30 digits", 400, after_host("Content-Length: 111111111111111111111111111111\r\n")},
    {"CL other digits", 400, after_host("Content-Length: \xd9\xa5\r\n")},
    {"CL, blank before colon", 400, after_host("Content-Length : 5\r\n")},
    {"CL folded", 400, after_host("Content-Length: 5\r\n 0\r\n")},
};

const std::vector<hostile> lines = {
    {"bare LF after the request line", 400, "GET / HTTP/1.1\nHost: a\r\n\r\n"},
    {"bare LF everywhere", 400, "GET / HTTP/1.1\nHost: a\n\n"},
    {"bare LF after a field", 400, after_host("X: y\n")},
    {"bare LF as the end", 400, "GET / HTTP/1.1\r\nHost: a\r\n\n"},
    {"LF CR", 400, "GET / HTTP/1.1\n\rHost: a\n\r\n\r"},
    {"bare CR in a value", 400, after_host("X: y\rz\r\n")},
    {"bare CR at the end of a value", 400, after_host("X: y\r\r\n")},
    {"bare CR in a name", 400, after_host("X\rY: z\r\n")},
    {"bare CR as the end", 400, "GET / HTTP/1.1\r\nHost: a\r\n\rX\r\n\r\n"},
    {"bare CR in the target", 400, with_line("GET /\r HTTP/1.1")},
    {"bare CR after the version", 400, "GET / HTTP/1.1\rHost: a\r\n\r\n"},
    {"NUL in a value", 400, after_host("X: a\0b\r\n"sv)},
    {"NUL in a name", 400, after_host("X\0Y: z\r\n"sv)},
    {"NUL first", 400, "\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"s},
    {"DEL in a value", 400,
     after_host("X: a\x7f"
                "b\r\n")},
    {"BEL in a value", 400, after_host("X: \a\r\n")},
    {"ESC in a long value", 400, after_host("X: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\x1b[31m\r\n")},
    {"obs-fold by a space", 400, after_host("X: a\r\n b\r\n")},
    {"obs-fold by a tab", 400, after_host("X: a\r\n\tb\r\n")},
    {"obs-fold without text", 400, after_host("X: a\r\n \r\n")},
    {"blank before the first field", 400, "GET / HTTP/1.1\r\n Host: a\r\n\r\n"},
    {"no name", 400, after_host(": y\r\n")},
    {"no colon", 400, after_host("nothing\r\n")},
    {"no colon, blank", 400, after_host("GET /other HTTP/1.1\r\n")},
    {"blank before the colon", 400, after_host("X : y\r\n")},
    {"name with a slash", 400, after_host("X/Y: z\r\n")},
    {"name with parentheses", 400, after_host("X(Y): z\r\n")},
    {"name in brackets", 400, after_host("[X]: z\r\n")},
    {"name quoted", 400, after_host("\"X\": z\r\n")},
    {"name with obs-text", 400, after_host("X\xe9: z\r\n")},
    {"name with obs-text, long", 400, after_host("Long-Name-Of-A-Field-\xe9-End: z\r\n")},
    {"name with @", 400, after_host("X@Y: z\r\n")},
    {"name with {", 400, after_host("X{Y: z\r\n")},
    {"5 empty lines first", 400, "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"LF first", 400, "\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"bare CR first", 400, "\rGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"blank first", 400, " GET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"byte order mark first", 400, "\xef\xbb\xbfGET / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"s},
};

const std::vector<hostile> request_lines = {
    {"HTTP/0.9", 400, "GET /\r\n\r\n"},
    {"HTTP/0.9 with fields", 400, with_line("GET /")},
    {"nothing but a method", 400, with_line("GET")},
    {"method and blank", 400, with_line("GET ")},
    {"two blanks before the target", 400, with_line("GET  / HTTP/1.1")},
    {"two blanks before the version", 400, with_line("GET /  HTTP/1.1")},
    {"tabs", 400, with_line("GET\t/\tHTTP/1.1")},
    {"blank after the version", 400, with_line("GET / HTTP/1.1 ")},
    {"text after the version", 400, with_line("GET / HTTP/1.1 x")},
    {"blank in the target", 400, with_line("GET /a b HTTP/1.1")},
    {"control byte in the target", 400, with_line("GET /\x01 HTTP/1.1")},
    {"DEL in the target", 400, with_line("GET /\x7f HTTP/1.1")},
    {"obs-text in the target", 400, with_line("GET /\xc3\xa9 HTTP/1.1")},
    {"fragment in the target", 400, with_line("GET /a#b HTTP/1.1")},
    {"no method", 400, with_line(" / HTTP/1.1")},
    {"method with a colon", 400, with_line("GE:T / HTTP/1.1")},
    {"method with obs-text", 400, with_line("G\xcaT / HTTP/1.1")},
    {"method quoted", 400, with_line("\"GET\" / HTTP/1.1")},
    {"lower-case version", 400, with_line("GET / http/1.1")},
    {"version without minor", 400, with_line("GET / HTTP/1")},
    {"version with a comma", 400, with_line("GET / HTTP/1,1")},
    {"version with two digits", 400, with_line("GET / HTTP/1.10")},
    {"version with two major digits", 400, with_line("GET / HTTP/11.1")},
    {"version with a sign", 400, with_line("GET / HTTP/+1.1")},
    {"version with a letter", 400, with_line("GET / HTTP/1.x")},
    {"another protocol", 400, with_line("GET / RTSP/1.0")},
    {"version 2.0", 505, with_line("GET / HTTP/2.0")},
    {"HTTP/2 preface", 505, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"},
    {"version 1.2", 505, with_line("GET / HTTP/1.2")},
    {"version 0.9 said", 505, with_line("GET / HTTP/0.9")},
    {"version 9.9", 505, with_line("GET / HTTP/9.9")},
    {"CONNECT", 501, with_line("CONNECT a.test:443 HTTP/1.1")},
    {"CONNECT with a path", 501, with_line("CONNECT / HTTP/1.1")},
    {"authority-form", 400, with_line("GET a.test:80 HTTP/1.1")},
    {"a relative path", 400, with_line("GET a/b HTTP/1.1")},
    {"a query alone", 400, with_line("GET ?a HTTP/1.1")},
    {"asterisk of another method", 400, with_line("GET * HTTP/1.1")},
    {"asterisk with more", 400, with_line("OPTIONS *a HTTP/1.1")},
    {"another scheme", 400, with_line("GET ftp://a.test/ HTTP/1.1")},
    {"absolute-form without authority", 400, with_line("GET http:///a HTTP/1.1")},
    {"absolute-form with a port only", 400, with_line("GET http://:80/a HTTP/1.1")},
    {"absolute-form with a user", 400, with_line("GET http://me@a.test/ HTTP/1.1")},
    {"absolute-form with one slash", 400, with_line("GET http:/a.test/ HTTP/1.1")},
    {"absolute-form with a huge port", 400, with_line("GET http://a.test:65536/ HTTP/1.1")},
};

const std::vector<hostile> hosts = {
    {"no Host", 400, "GET / HTTP/1.1\r\n\r\n"},
    {"no Host, other fields", 400, "GET / HTTP/1.1\r\nX: y\r\n\r\n"},
    {"no Host beside absolute-form", 400, "GET http://a.test/ HTTP/1.1\r\n\r\n"},
    {"two Hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"},
    {"two same Hosts", 400, "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n"},
    {"two Hosts in other case", 400, "GET / HTTP/1.1\r\nHost: a\r\nhOST: a\r\n\r\n"},
    {"two Hosts on 1.0", 400, "GET / HTTP/1.0\r\nHost: a\r\nHost: b\r\n\r\n"},
    {"bad Host beside absolute-form", 400, "GET http://a.test/ HTTP/1.1\r\nHost: a b\r\n\r\n"},
    {"empty Host", 400, with_host("")},
    {"blank Host", 400, with_host("  \t ")},
    {"Host with a list", 400, with_host(" a.test,b.test")},
    {"Host with a blank", 400, with_host(" a b")},
    {"Host with a user", 400, with_host(" me@a.test")},
    {"Host with a path", 400, with_host(" a.test/b")},
    {"Host with a scheme", 400, with_host(" http://a.test")},
    {"Host with a query", 400, with_host(" a.test?b")},
    {"Host with a percent sign", 400, with_host(" a%2etest")},
    {"Host with a sign in the port", 400, with_host(" a.test:+80")},
    {"Host with letters in the port", 400, with_host(" a.test:8o")},
    {"Host with a huge port", 400, with_host(" a.test:65536")},
    {"Host with a port alone", 400, with_host(" :80")},
    {"Host with two ports", 400, with_host(" a.test:80:80")},
    {"Host with obs-text", 400, with_host(" \xc3\xa9.test")},
    {"Host with open bracket", 400, with_host(" [::1")},
    {"Host with text after the bracket", 400, with_host(" [::1]x")},
    {"Host with an IPv6 zone", 400, with_host(" [fe80::1%25eth0]")},
    {"Host with an IPv6 address unbracketed", 400, with_host(" ::1")},
    {"Host with nine groups", 400, with_host(" [1:2:3:4:5:6:7:8:9]")},
    {"Host with two gaps", 400, with_host(" [1::2::3]")},
    {"bad Host on 1.0", 400, "GET / HTTP/1.0\r\nHost: a b\r\n\r\n"},
    {"Expect something else", 417, after_host("Content-Length: 1\r\nExpect: 200-ok\r\n")},
    {"Expect twice, one else", 417, after_host("Expect: 100-continue\r\nExpect: x\r\n")},
    {"Expect a list", 417, after_host("Expect: 100-continue, x\r\n")},
    {"Expect nothing", 417, after_host("Expect:\r\n")},
};

std::string many_options() {
  std::string text = "Connection: a";
  for (int i = 0; i < 64; ++i) text += ",a";
  return after_host(text + "\r\n");
}
std::string fields(int n) {
  std::string text;
  for (int i = 0; i < n; ++i) text += "X: y\r\n";
  return text;
}
std::string a(std::size_t n) {
  return std::string(n, 'a');
}

const std::vector<hostile> sizes = {
    {"a target over 8 KiB", 414, with_line("GET /" + a(8192) + " HTTP/1.1")},
    {"a target over 16 KiB", 414, with_line("GET /" + a(20000) + " HTTP/1.1")},
    {"a method over 16 KiB", 414, a(20000) + " / HTTP/1.1\r\nHost: a\r\n\r\n"},
    {"a value over 16 KiB", 431, after_host("X: " + a(20000) + "\r\n")},
    {"a name over 16 KiB", 431, after_host(a(20000) + ": y\r\n")},
    {"101 fields", 431, after_host(fields(100))},
    {"a head of 16 KiB and one byte", 431,
     after_host("X: " + a(16 * 1024 + 1 - after_host("X: \r\n").size()) + "\r\n")},
    {"65 Connection options", 400, many_options()},
    {"a bad field in too large a head", 400, after_host("X : y\r\nY: " + a(20000) + "\r\n")},
};

void check_refused(const hostile& row) {
  const head_limits limits;
  request_head head;
  const parse_outcome once =
      read_in_pieces(row.text, head, request_parser(limits), whole(row.text));
  INFO(row.why << ": " << shown(row.text) << " -> " << once.status << " " << once.reason);
  REQUIRE(once.what == outcome_kind::bad);
  CHECK(once.status == row.status);
  CHECK(once.reason.size() > 20);
  CHECK(once.reason.ends_with('.'));
  CHECK(same(once, read_in_pieces(row.text, head, request_parser(limits), byte_by_byte())));
  base::random random(seed_of_test());
  for (int i = 0; i < 5; ++i)
    CHECK(
        same(once, read_in_pieces(row.text, head, request_parser(limits), random_pieces(random))));
}

void check_all_refused(const std::vector<hostile>& rows) {
  INFO("WEIR_SEED=" << seed_of_test());
  for (const hostile& row : rows) check_refused(row);
}

}  // namespace

TEST_CASE("a request whose framing could be read in two ways is refused") {
  check_all_refused(framing);
}
TEST_CASE("a request head with broken lines, names or control bytes is refused") {
  check_all_refused(lines);
}
TEST_CASE("a request line that is not exactly method, target and HTTP/1.x is refused") {
  check_all_refused(request_lines);
}
TEST_CASE("a missing, repeated or invalid Host and an unknown expectation are refused") {
  check_all_refused(hosts);
}
TEST_CASE("a request head beyond a limit is refused with the status of that limit") {
  check_all_refused(sizes);
}

TEST_CASE("the table of hostile requests has more than 150 rows, each of its own") {
  std::vector<std::string_view> texts;
  for (const auto* table : {&framing, &lines, &request_lines, &hosts, &sizes})
    for (const hostile& row : *table) texts.push_back(row.text);
  CHECK(texts.size() > 150);
  std::sort(texts.begin(), texts.end());
  CHECK(std::adjacent_find(texts.begin(), texts.end()) == texts.end());
}

TEST_CASE("any control byte anywhere in a good head makes it bad or leaves it unfinished") {
  const std::string good = after_host("X-Tenant: acme\r\nContent-Length: 3\r\n");
  const head_limits limits;
  for (std::size_t at = 0; at <= good.size(); ++at) {
    for (int c = 0; c < 0x20; ++c) {
      if (c == '\t' || c == '\r' || c == '\n') continue;
      std::string text = good;
      text.insert(at, 1, static_cast<char>(c));
      request_head head;
      const auto outcome = read_in_pieces(text, head, request_parser(limits), whole(text));
      INFO("byte " << c << " at " << at);
      if (at == good.size())
        CHECK(outcome.what == outcome_kind::complete);  // it belongs to what follows
      else
        CHECK(outcome.what == outcome_kind::bad);
    }
  }
}

TEST_CASE("no field can be smuggled in by the value of another") {
  for (const std::string_view value : {"a\r\nX-Evil: 1"sv, "a\rX-Evil: 1"sv, "a\nX-Evil: 1"sv}) {
    const std::string text = after_host("X: " + std::string(value) + "\r\n");
    request_head head;
    std::size_t scanned = 0;
    const auto outcome = parse_request(text, head_limits{}, scanned, head);
    const bool two_lines = value.find("\r\n") != std::string_view::npos;
    CHECK(outcome.what == (two_lines ? outcome_kind::complete : outcome_kind::bad));
    CHECK((head.find("X-Evil") != nullptr) == two_lines);
  }
}

}  // namespace weir::http
