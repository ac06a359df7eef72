// What a client gets: golden texts of forwarded response heads, framing towards 1.1 and 1.0
// clients.
#include <limits>

#include "http/forward.hpp"
#include "http/support.hpp"

namespace weir::http {

namespace {

struct written {
  std::string text;
  body_kind kind;
};

written forwarded(const std::string& text, forward_response how = {}, bool to_head = false) {
  const response_head head = response_of(text, to_head);
  how.head = &head;
  std::string out = "kept";
  const body_kind kind = write_response_head(how, out);
  REQUIRE(out.starts_with("kept"));
  out.erase(0, 4);
  response_of(out, to_head);  // what weir writes, weir reads
  return {out, kind};
}

std::string ok(const std::string& fields) {
  return "HTTP/1.1 200 OK\r\n" + fields + "\r\n";
}

std::string value_of(const std::string& text, std::string_view name, bool to_head = false) {
  const response_head head = response_of(text, to_head);
  const field* const f = head.find(name);
  return f ? std::string(f->value) : "-";
}

}  // namespace

TEST_CASE("golden: a usual answer") {
  forward_response how;
  how.batch_id = "b1";
  how.worker = "w1";
  how.queue_ms = 0.25;
  how.worker_ms = 12;
  const auto out = forwarded(
      ok("Server: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nConnection: X-Hop, close\r\nX-Hop: "
         "1\r\n"
         "Keep-Alive: timeout=5\r\nContent-Type: a/b\r\nContent-Length: 003\r\n"
         "Server-Timing: db;dur=5\r\nWeir-Agent: drain\r\nWeir-Worker: forged\r\n"
         "endpoint-load-metrics: TEXT cpu_utilization=0.3\r\nendpoint-load-metrics-bin: AA==\r\n"
         "Proxy-Authenticate: Basic\r\nProxy-Status: other; error=x\r\nSet-Cookie: a\r\n"
         "Set-Cookie: b\r\n"),
      how);
  CHECK(out.kind == body_kind::length);
  CHECK(
      out.text ==
      "HTTP/1.1 200 OK\r\nServer: x\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nContent-Type: a/b\r\n"
      "Server-Timing: db;dur=5\r\nProxy-Status: other; error=x\r\nSet-Cookie: a\r\nSet-Cookie: "
      "b\r\n"
      "Content-Length: 3\r\nVia: 1.1 weir\r\nWeir-Batch-Id: b1\r\nWeir-Worker: w1\r\n"
      "Server-Timing: queue;dur=0.25, worker;dur=12\r\n\r\n");
}

TEST_CASE("golden: a 1.0 worker's endless answer to a 1.1 client becomes chunked") {
  const auto out = forwarded("HTTP/1.0 200 Fine\r\nX: y\r\n\r\n");
  CHECK(out.kind == body_kind::chunked);
  CHECK(out.text ==
        "HTTP/1.1 200 Fine\r\nX: y\r\nTransfer-Encoding: chunked\r\nVia: 1.0 weir\r\n"
        "Server-Timing: queue;dur=0, worker;dur=0\r\n\r\n");
}

TEST_CASE("the body's kind and the connection fit the client") {
  struct row {
    std::string fields;
    unsigned client_minor;
    bool keep_alive;
    body_kind kind;
    std::string length, coding, connection;
  };
  const std::string chunked = "Transfer-Encoding: chunked\r\n", five = "Content-Length: 5\r\n";
  const row rows[] = {
      {five, 1, true, body_kind::length, "5", "-", "-"},
      {five, 1, false, body_kind::length, "5", "-", "close"},
      {five, 0, true, body_kind::length, "5", "-", "keep-alive"},
      {five, 0, false, body_kind::length, "5", "-", "close"},
      {chunked, 1, true, body_kind::chunked, "-", "chunked", "-"},
      {chunked, 1, false, body_kind::chunked, "-", "chunked", "close"},
      {chunked, 0, true, body_kind::until_close, "-", "-", "close"},
      {"", 1, true, body_kind::chunked, "-", "chunked", "-"},
      {"", 0, true, body_kind::until_close, "-", "-", "close"},
      {"", 0, false, body_kind::until_close, "-", "-", "close"},
      {"Connection: close\r\n" + five, 1, true, body_kind::length, "5", "-", "-"},
  };
  for (const row& r : rows) {
    INFO(shown(r.fields) << " to HTTP/1." << r.client_minor << ", keep alive " << r.keep_alive);
    forward_response how;
    how.client_minor = r.client_minor;
    how.keep_alive = r.keep_alive;
    const auto out = forwarded(ok(r.fields), how);
    CHECK(out.kind == r.kind);
    CHECK(value_of(out.text, "Content-Length") == r.length);
    CHECK(value_of(out.text, "Transfer-Encoding") == r.coding);
    CHECK(value_of(out.text, "Connection") == r.connection);
  }
}

TEST_CASE("answers without a body tell a length only where the RFC lets them") {
  const auto length_of = [](const std::string& text, bool to_head) {
    const auto out = forwarded(text, {}, to_head);
    CHECK(out.kind == body_kind::none);
    CHECK(value_of(out.text, "Transfer-Encoding", to_head) == "-");
    return value_of(out.text, "Content-Length", to_head);
  };
  CHECK(length_of(ok("Content-Length: 5\r\n"), true) == "5");
  CHECK(length_of(ok(""), true) == "-");
  CHECK(length_of(ok("Transfer-Encoding: chunked\r\n"), true) == "-");
  CHECK(length_of("HTTP/1.1 304 Not Modified\r\nContent-Length: 5\r\n\r\n", false) == "5");
  CHECK(length_of("HTTP/1.1 304 Not Modified\r\n\r\n", false) == "-");
  CHECK(length_of("HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", false) == "-");
}

TEST_CASE("Date is added when the worker sent none") {
  forward_response how;
  how.date = "Sun, 06 Nov 1994 08:49:37 GMT";
  CHECK(value_of(forwarded(ok(""), how).text, "Date") == how.date);
  CHECK(value_of(forwarded(ok("Date: theirs\r\n"), how).text, "Date") == "theirs");
  CHECK(value_of(forwarded(ok("")).text, "Date") == "-");
}

TEST_CASE("times are milliseconds with at most three decimals") {
  const auto timing = [](double queue, double worker) {
    forward_response how;
    how.queue_ms = queue;
    how.worker_ms = worker;
    return value_of(forwarded(ok(""), how).text, "Server-Timing");
  };
  constexpr double inf = std::numeric_limits<double>::infinity();
  constexpr double nan = std::numeric_limits<double>::quiet_NaN();
  CHECK(timing(0, 0.001) == "queue;dur=0, worker;dur=0.001");
  CHECK(timing(0.0004, 0.0006) == "queue;dur=0, worker;dur=0.001");
  CHECK(timing(1.5, 2.25) == "queue;dur=1.5, worker;dur=2.25");
  CHECK(timing(999.9999, 3600000.042) == "queue;dur=1000, worker;dur=3600000.042");
  CHECK(timing(0.05, 10.5) == "queue;dur=0.05, worker;dur=10.5");
  CHECK(timing(-1, nan) == "queue;dur=0, worker;dur=0");
  CHECK(timing(inf, 1e300) == "queue;dur=0, worker;dur=0");
}

TEST_CASE("a route's edits change the answer's fields but not its framing") {
  edits changes;
  changes.set = {{"X-Said", "weir"}, {"Server", "y"}, {"Content-Length", "9"}, {"Connection", "x"}};
  changes.remove = {"X-Secret", "Server-Timing", "Via", "Weir-Batch-Id"};
  forward_response how;
  how.changes = &changes;
  how.batch_id = "b1";
  const std::string text =
      forwarded(ok("Server: x\r\nX-Secret: 1\r\nServer-Timing: db\r\nContent-Length: 5\r\n"), how)
          .text;
  CHECK(value_of(text, "X-Said") == "weir");
  CHECK(value_of(text, "Server") == "y");
  CHECK(value_of(text, "X-Secret") == "-");
  CHECK(value_of(text, "Server-Timing") == "-");
  CHECK(value_of(text, "Via") == "-");
  CHECK(value_of(text, "Content-Length") == "5");
  CHECK(value_of(text, "Connection") == "-");
  CHECK(value_of(text, "Weir-Batch-Id") == "b1");
}

TEST_CASE("the status line is the worker's, as HTTP/1.1") {
  CHECK(forwarded("HTTP/1.0 418 I'm a \xc3\xa9\r\n\r\n")
            .text.starts_with("HTTP/1.1 418 I'm a \xc3\xa9\r\n"));
  CHECK(forwarded("HTTP/1.1 200\r\n\r\n").text.starts_with("HTTP/1.1 200 \r\n"));
}

TEST_CASE("an interim answer goes on without what is between worker and weir") {
  const std::string text =
      "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nConnection: X\r\nX: 1\r\n"
      "Weir-Agent: up\r\nendpoint-load-metrics: x\r\nContent-Length: 0\r\nLink: </b>\r\n\r\n";
  const response_head head = response_of(text);
  std::string out;
  write_interim_head(head, out);
  CHECK(
      out ==
      "HTTP/1.1 103 Early Hints\r\nLink: </a>; rel=preload\r\nLink: </b>\r\nVia: 1.1 weir\r\n\r\n");
}

TEST_CASE("what is kept of an answer's head is every line that is the worker's or weir's own") {
  struct row {
    const char *fields, *kept;
  };
  const row rows[] = {
      {"Content-Length: 3\r\n", ""},
      {"content-length: 3\r\nX-Rows: 7\r\n", "X-Rows: 7\r\n"},
      {"Transfer-Encoding: chunked\r\nX-A: 1\r\nX-B: \r\n", "X-A: 1\r\nX-B: \r\n"},
      {"Connection: X-Hop\r\nX-Hop: 1\r\nX-A: Content-Length: 3\r\n",
       "X-A: Content-Length: 3\r\n"},
      {"X-Content-Length: 9\r\nX-Connection: a\r\nContent-Length: 0\r\n",
       "X-Content-Length: 9\r\nX-Connection: a\r\n"},
      {"Set-Cookie: a\r\nSet-Cookie: b\r\n", "Set-Cookie: a\r\nSet-Cookie: b\r\n"},
  };
  for (const row& r : rows) {
    for (const unsigned minor : {0u, 1u}) {
      forward_response how;
      how.batch_id = "b1", how.worker = "w1";
      how.client_minor = minor;
      how.keep_alive = minor == 0;
      const std::string head = forwarded(ok(r.fields), how).text;
      INFO(shown(head));
      const std::string lines = end_to_end_lines(head);
      CHECK(lines.starts_with(r.kept));
      const std::string text = ok(lines);
      for (const char* framing : {"Content-Length", "Transfer-Encoding", "Connection"})
        CHECK(value_of(text, framing) == "-");
      CHECK(value_of(text, "Weir-Batch-Id") == "b1");
      CHECK(value_of(text, "Weir-Worker") == "w1");
    }
  }
}

TEST_CASE("a head of a status line alone has no lines to keep") {
  CHECK(end_to_end_lines("HTTP/1.1 204 No Content\r\n\r\n").empty());
  CHECK(end_to_end_lines("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n").empty());
}

}  // namespace weir::http
