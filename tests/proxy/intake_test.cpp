// What a request's own fields say of it: wrong ones are refused with what was expected instead, and
// right ones reach the pool.
#include <catch2/catch.hpp>
#include <future>
#include <string>

#include "front_kit.hpp"

namespace {

using namespace weir;
using test::fake_worker;
using test::front_kit;
using test::http_message;
using test::wire;

test::wishes with_fields() {
  test::wishes w;
  w.route = [](config::route& r) {
    r.cost.kind = config::cost_kind::header;
    r.cost.header = "X-Batch-Rows";
    r.tenant_header = "X-Tenant";
  };
  return w;
}

std::string with(std::string_view fields,
                 std::string_view line = "GET /load HTTP/1.1\r\nHost: h\r\n") {
  return std::string(line) + std::string(fields) + "\r\n";
}

}  // namespace

TEST_CASE("a field that weir reads and cannot is refused, and the answer says what was expected") {
  fake_worker worker(test::answering(test::echo));
  front_kit front(with_fields());
  front.add("w1", worker);
  struct row {
    const char *fields, *expected;
  };
  const row rows[] = {
      {"Idempotency-Key: \r\n", "Idempotency-Key: expected"},
      {"Idempotency-Key: \"unclosed\r\n", "Idempotency-Key: expected"},
      {"Idempotency-Key: a\r\nIdempotency-Key: a\r\n", "Idempotency-Key: expected it once"},
      {"Weir-Deadline: 9\r\nWeir-Deadline: 10\r\n", "Weir-Deadline: expected it once"},
      {"Weir-Deadline: soon\r\n", "Weir-Deadline: expected it once, as seconds"},
      {"Weir-Deadline: -\r\n", "Weir-Deadline: expected it once, as seconds"},
      {"X-Batch-Rows: many\r\n", "X-Batch-Rows: expected a number"},
      {"X-Batch-Rows: -1\r\n", "X-Batch-Rows: expected a number"},
  };
  wire client = front.connect();   // a bad field does not cost the connection
  for (const row& r : rows) {
    INFO(r.fields);
    client.say(with(r.fields));
    const auto answer = client.read();
    CHECK(answer.status() == 400);
    CHECK(answer.field("Content-Type") == "application/problem+json");
    CHECK_THAT(answer.field("Proxy-Status"), Catch::Contains("http_request_error"));
    CHECK_THAT(answer.body, Catch::Contains(r.expected));
    CHECK_THAT(answer.body, Catch::Contains("bad-field"));
  }
  client.say(with("X-Batch-Rows: 12.5\r\nWeir-Deadline: 30\r\nIdempotency-Key: k\r\n"));
  CHECK(client.read().status() == 200);
  CHECK(worker.connections() == 1);
}

TEST_CASE(
    "fields that may be ignored are: priorities that do not parse, unknown ones, no cost at all") {
  fake_worker worker(test::answering(test::echo));
  front_kit front(with_fields());
  front.add("w1", worker);
  for (const char* fields : {"Priority: !!!\r\n", "Priority: u=9\r\n", "X-Unknown: 1\r\n", ""}) {
    INFO(fields);
    CHECK(front.ask(with(fields)).status() == 200);
  }
}

TEST_CASE("heads that are not HTTP as the RFC has it are refused and the connection is closed") {
  front_kit front;
  struct row {
    const char* what;
    std::string request;
    unsigned status;
  };
  const row rows[] = {
      {"no host", "GET /load HTTP/1.1\r\n\r\n", 400},
      {"two hosts", "GET /load HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", 400},
      {"no version", "GET /load\r\n\r\n", 400},
      {"2.0", "GET /load HTTP/2.0\r\nHost: h\r\n\r\n", 505},
      {"length and chunked",
       "POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
       400},
      {"gzip coding", "POST /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: gzip\r\n\r\n", 501},
      {"long target", "GET /" + std::string(9000, 'x') + " HTTP/1.1\r\nHost: h\r\n\r\n", 414},
      {"large head", "GET /load HTTP/1.1\r\nHost: h\r\nX: " + std::string(20'000, 'x') + "\r\n\r\n",
       431},
      {"odd expectation",
       "POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 1\r\nExpect: miracles\r\n\r\nx", 417},
  };
  for (const row& r : rows) {
    INFO(r.what);
    wire client = front.connect();
    client.say(r.request + "GET /load HTTP/1.1\r\nHost: h\r\n\r\n");
    const auto answer = client.read();
    CHECK(answer.status() == r.status);
    CHECK(answer.field("Connection") == "close");
    CHECK_THAT(answer.field("Proxy-Status"), Catch::Contains("http_request_error"));
    CHECK(client.closed());
  }
  CHECK(front.plan->hits.head_bytes->total() == 1);
  CHECK(front.plan->hits.target_bytes->total() == 1);
}

TEST_CASE("no route is a 404 that keeps the connection, also when the request has a body at hand") {
  fake_worker worker(test::answering(test::echo));
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  for (const std::string request :
       {"GET /elsewhere HTTP/1.1\r\nHost: h\r\n\r\n", "GET /loader HTTP/1.1\r\nHost: h\r\n\r\n",
        "POST /elsewhere HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\n\r\nhello"}) {
    client.say(request);
    const auto answer = client.read();
    CHECK(answer.status() == 404);
    CHECK_THAT(answer.body, Catch::Contains("no-route"));
    CHECK(answer.field("Weir-Batch-Id").empty());
  }
  client.say("GET /load/x HTTP/1.1\r\nHost: h\r\n\r\n");
  CHECK(client.read().status() == 200);
  CHECK(test::eventually([&] { return front.plan->unrouted->total() == 3; }));
}

TEST_CASE(
    "a head that does not arrive in time is a 408, an idle connection is closed without a word") {
  test::wishes w;
  w.listener = [](config::listener& l) {
    l.head_timeout = std::chrono::milliseconds(30);
    l.idle_timeout = std::chrono::milliseconds(60);
  };
  front_kit front(w);
  wire slow = front.connect(), idle = front.connect();
  slow.say("GET /load HTTP/1.1\r\nHo");
  const auto answer = slow.read();
  CHECK(answer.status() == 408);
  CHECK_THAT(answer.body, Catch::Contains("head_timeout"));
  CHECK(slow.closed());
  CHECK(idle.read_all().empty());
}

TEST_CASE("a deadline that cannot be met is refused while the batch would have to wait") {
  std::promise<void> got_it;
  fake_worker silent([&](wire& w) {
    w.read();
    got_it.set_value();
    w.closed();
  });
  front_kit front;
  front.add("w1", silent);
  wire runs = front.connect();
  runs.say(with(""));
  got_it.get_future().wait();
  const auto answer = front.ask(with("Weir-Deadline: 0.05\r\n"));
  CHECK(answer.status() == 429);
  CHECK_THAT(answer.body, Catch::Contains("deadline"));
  CHECK_FALSE(answer.field("Retry-After").empty());
}

TEST_CASE("what the queue shows of a batch is what its fields said") {
  std::promise<void> got_it;
  fake_worker silent([&](wire& w) {
    w.read();
    got_it.set_value();
    w.closed();
  });
  front_kit front(with_fields());
  front.add("w1", silent);
  wire runs = front.connect(), waits = front.connect();
  runs.say(with(""));
  got_it.get_future().wait();
  waits.say(with("X-Tenant: acme\r\nX-Batch-Rows: 7\r\nPriority: u=1\r\n"));
  REQUIRE(test::eventually([&] { return front.waiting() == 1; }));
  const auto page = front.gate->with(net::loop::read_clock(), [](core::pool& p, base::instant now) {
    return p.queue(0, 10, now);
  });
  REQUIRE(page.items.size() == 1);
  CHECK(page.items[0].tenant == "acme");
  CHECK(page.items[0].route == "orders");
  CHECK(page.items[0].urgency == 1);
  CHECK(page.items[0].label.size() == 32);
}

TEST_CASE("rewriting: prefix, host, and fields of request and response") {
  std::promise<http_message> seen;
  fake_worker worker([&](wire& w) {
    auto r = w.read();
    w.say(test::response(200, "", "X-Inner: 1\r\n"));
    seen.set_value(std::move(r));
  });
  test::wishes w;
  w.route = [](config::route& r) {
    r.rewrite.strip_prefix = "/load";
    r.rewrite.preserve_host = false;
  };
  front_kit front(w);
  front.add("w1", worker);
  CHECK(front.ask("GET /load/orders?x=1 HTTP/1.1\r\nHost: front.test\r\n\r\n").status() == 200);
  const auto request = seen.get_future().get();
  CHECK(request.first_line() == "GET /orders?x=1 HTTP/1.1");
  CHECK(request.field("Host") == "worker.test");
  CHECK(request.field("X-Forwarded-Host") == "front.test");
}
