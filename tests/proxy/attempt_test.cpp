// What happens when workers refuse, are busy, break off, stall or lie: retried elsewhere or
// answered.
#include <catch2/catch.hpp>
#include <future>
#include <string>
#include <unistd.h>

#include "front_kit.hpp"
#include "net/listener.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using core::attempt_end;
using telemetry::outcome;
using test::fake_worker;
using test::front_kit;
using test::http_message;
using test::wire;

std::string request(std::string_view method, std::string_view body = {},
                    std::string_view fields = {}) {
  return std::string(method) + " /load HTTP/1.1\r\nHost: h\r\n" +
         (method == "GET" ? "" : "Content-Length: " + std::to_string(body.size()) + "\r\n") +
         std::string(fields) + "\r\n" + std::string(body);
}

// An address that refuses: a port that was just given back.
net::socket_address nobody() {
  const int fd = *net::open_listener(net::socket_address::ip("127.0.0.1", 0).value(), false);
  const auto at = net::local_address(fd);
  ::close(fd);
  return at;
}

// w1 is always asked first.
test::wishes in_order() {
  test::wishes w;
  w.pool = [](core::pool_settings& s) { s.balance = core::balance::first; };
  return w;
}

test::wishes in_order(std::function<void(config::route&)> route) {
  test::wishes w = in_order();
  w.route = std::move(route);
  return w;
}

fake_worker::script closing_after_request() {
  return [](wire& w) { w.read(); };
}

}  // namespace

TEST_CASE(
    "a busy worker's batch goes to another worker with its body, and the client sees only that") {
  fake_worker busy(test::answering([](const http_message&) {
    return test::response(429, "busy", "Retry-After: 1\r\n");
  }));
  fake_worker free(test::answering([](const http_message& r) {
    return test::response(200, r.body + " attempt " + r.field("Weir-Attempt"));
  }));
  front_kit front(in_order());
  front.add("w1", busy);
  front.add("w2", free);
  const auto answer = front.ask(request("POST", "rows", "Idempotency-Key: k1\r\n"));
  CHECK(answer.status() == 200);
  CHECK(answer.body == "rows attempt 2");
  CHECK(answer.field("Weir-Worker") == "w2");
  CHECK(front.retries(attempt_end::busy) == 1);
  CHECK(test::eventually([&] { return front.batches(outcome::ok) == 1; }));
}

TEST_CASE("a busy answer is relayed when the batch cannot be sent again") {
  fake_worker busy([](wire& w) {
    w.read();
    w.say(test::response(503, "busy", "Retry-After: 7\r\n"));
  });
  front_kit front(in_order([](config::route& r) { r.retry.bounces_max = 0; }));
  front.add("w1", busy);
  const auto answer = front.ask(request("POST", "rows"));
  CHECK(answer.status() == 503);
  CHECK(answer.body == "busy");
  CHECK(answer.field("Retry-After") == "7");
  CHECK(answer.field("Weir-Worker") == "w1");
}

TEST_CASE("429 without Retry-After is the worker's own answer, not a busy one") {
  fake_worker worker(
      test::answering([](const http_message&) { return test::response(429, "quota"); }));
  front_kit front;
  front.add("w1", worker);
  CHECK(front.ask(request("GET")).body == "quota");
  CHECK(front.retries(attempt_end::busy) == 0);
}

TEST_CASE(
    "a worker that dies before its answer: what may be sent again is, what may not is a 502") {
  struct row {
    const char *method, *fields;
    bool unsafe, chunked;
    unsigned status;
  };
  const row rows[] = {
      {"GET", "", false, false, 200},
      {"PUT", "", false, false, 200},
      {"POST", "", false, false, 502},
      {"POST", "Idempotency-Key: \"k\"\r\n", false, false, 200},
      {"POST", "", true, false, 200},
      {"PUT", "", false, true, 200},
      {"POST", "", false, true, 502},
  };
  for (const row& r : rows) {
    INFO(r.method << " " << r.fields << (r.unsafe ? "unsafe " : "")
                  << (r.chunked ? "chunked" : ""));
    fake_worker dying(closing_after_request()), sound(test::answering(test::echo));
    front_kit front(in_order([&](config::route& s) { s.retry.unsafe = r.unsafe; }));
    front.add("w1", dying);
    front.add("w2", sound);
    const std::string body = std::string(r.method) == "GET" ? "" : "some rows";
    const auto answer =
        front.ask(r.chunked ? std::string(r.method) +
                                  " /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
                                  "9\r\nsome rows\r\n0\r\n\r\n"
                            : request(r.method, body, r.fields));
    CHECK(answer.status() == r.status);
    if (r.status == 200) {
      CHECK(answer.body == std::string(r.method) + " /load HTTP/1.1\n" + body);
      CHECK(front.retries(attempt_end::failed) == 1);
    } else {
      CHECK(answer.field("Content-Type") == "application/problem+json");
      CHECK_THAT(answer.field("Proxy-Status"), Catch::Contains("connection_terminated"));
      CHECK(test::eventually([&] { return front.batches(outcome::failed) == 1; }));
    }
  }
}

TEST_CASE("a body over the copy's limits still streams, but is not sent twice") {
  for (const std::size_t size : {1000u, 100'000u}) {
    INFO(size << " bytes");
    fake_worker dying(closing_after_request()), sound(test::answering(test::echo));
    test::wishes w = in_order();
    w.limits = [](config::limits& l) {
      l.replay_batch_bytes_max = 5000;
      l.replay_disk_bytes_max = 0;
    };
    front_kit front(w);
    front.add("w1", dying);
    front.add("w2", sound);
    const std::string body(size, 'x');
    const auto answer = front.ask(request("PUT", body));
    CHECK(answer.status() == (size < 5000 ? 200 : 502));
    CHECK(front.plan->hits.replay_batch->total() == (size < 5000 ? 0 : 1));
    CHECK(front.plan->hits.replay_disk->total() == (size < 5000 ? 0 : 1));
  }
}

TEST_CASE(
    "a refused connection goes elsewhere, whatever the method, and a body is still kept for "
    "later") {
  fake_worker dying(closing_after_request()), sound(test::answering(test::echo));
  front_kit front(in_order());
  front.add("w1", {nobody()});
  front.add("w2", dying);
  front.add("w3", sound);
  const auto answer = front.ask(request("PUT", "some rows"));   // refused, then dropped, then taken
  CHECK(answer.status() == 200);
  CHECK(answer.body == "PUT /load HTTP/1.1\nsome rows");
  CHECK(front.retries(attempt_end::connect_failed) == 1);
  CHECK(front.retries(attempt_end::failed) == 1);
}

TEST_CASE("POST without a key survives a refused connection: nothing of it was sent") {
  fake_worker sound(test::answering(test::echo));
  front_kit front(in_order());
  front.add("w1", {nobody()});
  front.add("w2", sound);
  CHECK(front.ask(request("POST", "rows")).body == "POST /load HTTP/1.1\nrows");
}

TEST_CASE("a worker's second address is tried when its first refuses") {
  fake_worker sound(test::answering(test::echo));
  front_kit front;
  front.add("w1", {nobody(), sound.where()});
  CHECK(front.ask(request("POST", "rows")).status() == 200);
  CHECK(front.retries(attempt_end::connect_failed) == 0);
}

TEST_CASE("framing that breaks before a byte of it went out is a 502, not a half-trusted relay") {
  fake_worker worker([&](wire& w) {
    w.read();
    w.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n9\r\nonly this\r\nzz\r\n");
  });
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  client.say(request("GET"));
  CHECK(client.read().status() == 502);
  CHECK(client.closed());
  CHECK(test::eventually([&] { return front.batches(outcome::failed) == 1; }));
}

TEST_CASE("a response that breaks off ends the client's connection, so that it never looks whole") {
  struct row {
    const char *what, *said;
  };
  const row rows[] = {
      {"length", "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this"},
      {"chunked", "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this"},
  };
  for (const row& r : rows) {
    INFO(r.what);
    fake_worker worker([&](wire& w) {
      w.read();
      w.say(r.said);
    });
    front_kit front;
    front.add("w1", worker);
    wire client = front.connect();
    client.say(request("GET"));
    const auto answer = client.read();
    CHECK(answer.status() == 200);
    CHECK_FALSE(answer.whole);
    CHECK(client.closed());
    CHECK(front.retries(attempt_end::failed) == 0);   // the client had bytes of it
    CHECK(test::eventually([&] { return front.batches(outcome::failed) == 1; }));
  }
}

TEST_CASE("a broken response head is a 502 that says so, never half a response") {
  for (const std::string said :
       {"HTTP/2.0 200 OK\r\n\r\n", "nonsense\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nBad\nLine: 1\r\n\r\n", "HTTP/1.1 200 OK\r\nA: b"}) {
    INFO(said);
    fake_worker worker([&](wire& w) {
      w.read();
      w.say(said);
    });
    front_kit front;
    front.add("w1", worker);
    const auto answer = front.ask(request("POST", "x"));
    CHECK(answer.status() == 502);
    CHECK(answer.field("Content-Type") == "application/problem+json");
  }
}

TEST_CASE("a response head over the limit is a 502") {
  fake_worker worker(test::answering([](const http_message&) {
    return test::response(200, "", "X-Long: " + std::string(20'000, 'x') + "\r\n");
  }));
  test::wishes w;
  w.limits = [](config::limits& l) { l.head_bytes_max = 4096; };
  front_kit front(w);
  front.add("w1", worker);
  CHECK(front.ask(request("POST", "x")).status() == 502);
}

TEST_CASE(
    "a failing status is tried elsewhere when it may be, else relayed as the worker said it") {
  struct row {
    const char* method;
    unsigned status;
  };
  for (const row& r : {row{"GET", 200}, row{"POST", 500}}) {
    INFO(r.method);
    fake_worker failing(
        test::answering([](const http_message&) { return test::response(500, "broken"); }));
    fake_worker sound(test::answering(test::echo));
    front_kit front(in_order());
    front.add("w1", failing);
    front.add("w2", sound);
    const auto answer = front.ask(request(r.method));
    CHECK(answer.status() == r.status);
    if (r.status == 500) CHECK(answer.body == "broken");
  }
}

TEST_CASE("when every attempt was used up the last answer of a worker is relayed") {
  fake_worker failing(test::answering([](const http_message& r) {
    return test::response(500, "attempt " + r.field("Weir-Attempt"));
  }));
  front_kit front([] {
    test::wishes w;
    w.route = [](config::route& r) {
      r.retry.attempts = 3;
      r.retry.backoff_base = 1ms;
      r.retry.backoff_max = 1ms;
    };
    w.pool = [](core::pool_settings& s) { s.ejection.consecutive_failures = 0; };
    return w;
  }());
  front.add("w1", failing, 2);
  const auto answer = front.ask(request("GET"));
  CHECK(answer.status() == 500);
  CHECK(answer.body == "attempt 3");
}

TEST_CASE("a kept connection that the worker closes as the request comes is not the client's 502") {
  std::atomic<int> requests{0};
  fake_worker worker([&](wire& w) {
    if (const auto first = w.read()) w.say(test::echo(first));
    ++requests;
    if (w.read()) ++requests;   // closes without an answer
  });
  front_kit front;
  front.add("w1", worker);
  CHECK(front.ask(request("GET")).status() == 200);
  REQUIRE(test::eventually([&] { return front.idle_links() == 1; }));
  CHECK(front.ask(request("GET")).status() == 200);
  CHECK(front.retries(attempt_end::stale_connection) == 1);
  CHECK(worker.connections() == 2);
}

TEST_CASE("an idle connection that the worker closed is dropped before anybody takes it") {
  std::promise<void> close_now;
  fake_worker worker([&](wire& w) {
    if (const auto first = w.read()) w.say(test::echo(first));
    if (worker.connections() == 1) close_now.get_future().wait();
    else w.closed();
  });
  front_kit front;
  front.add("w1", worker);
  CHECK(front.ask(request("POST", "x")).status() == 200);
  REQUIRE(test::eventually([&] { return front.idle_links() == 1; }));
  close_now.set_value();
  CHECK(test::eventually([&] { return front.idle_links() == 0; }));
  CHECK(front.ask(request("POST", "x")).status() == 200);
  CHECK(front.retries(attempt_end::stale_connection) == 0);
}

TEST_CASE("a connection is not kept when the worker says close, or said more than its answer") {
  for (const std::string extra : {"close", "more"}) {
    INFO(extra);
    fake_worker worker([&](wire& w) {
      while (const auto r = w.read()) {
        w.say(test::response(200, "x", extra == "close" ? "Connection: close\r\n" : "") +
              (extra == "more" ? "HTTP/1.1 200 OK\r\n\r\n" : ""));
      }
    });
    front_kit front;
    front.add("w1", worker);
    wire client = front.connect();
    client.say(request("GET"));
    CHECK(client.read().body == "x");
    client.say(request("GET"));
    CHECK(client.read().body == "x");
    CHECK(worker.connections() == 2);
  }
}

// --- limits in time
// -------------------------------------------------------------------------------

TEST_CASE("no response within timeout.response: 504, and elsewhere only when the route says so") {
  for (const bool retries : {false, true}) {
    INFO("on_timeout " << retries);
    fake_worker silent([](wire& w) {
      w.read();
      w.closed();
    });
    fake_worker sound(test::answering(test::echo));
    front_kit front(in_order([&](config::route& r) {
      r.timeout.response = 40ms;
      r.retry.on_timeout = retries;
    }));
    front.add("w1", silent);
    if (retries) front.add("w2", sound);
    const auto answer = front.ask(request("PUT", "rows"));
    if (!retries) {
      CHECK(answer.status() == 504);
      CHECK_THAT(answer.field("Proxy-Status"), Catch::Contains("http_response_timeout"));
    } else if (answer.status() == 200) {
      CHECK(answer.field("Weir-Worker") == "w2");
      CHECK(front.retries(attempt_end::response_timeout) >= 1);
    } else {
      CHECK(answer.status() == 504);   // a machine so slow that w2 was late too
    }
    CHECK(test::eventually([&] { return front.idle(); }));
  }
}

TEST_CASE("timeout.total ends a batch that waits and one that runs") {
  std::atomic<int> seen{0};
  fake_worker silent([&](wire& w) {
    w.read();
    ++seen;
    w.closed();
  });
  front_kit front(in_order([](config::route& r) { r.timeout.total = 60ms; }));
  front.add("w1", silent);
  wire runs = front.connect(), waits = front.connect();
  runs.say(request("POST", "x"));
  waits.say(request("POST", "y"));
  CHECK(runs.read().status() == 504);
  CHECK(waits.read().status() == 504);
  CHECK(test::eventually([&] { return front.idle(); }));
}

TEST_CASE("a body that stops coming is a 408, a worker that stops sending ends the response") {
  test::wishes w = in_order([](config::route& r) { r.timeout.progress = 60ms; });
  fake_worker reading([](wire& c) { c.read(); }), stalling([](wire& c) {
    c.read();
    c.say("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhalf");
    c.closed();
  });
  {
    front_kit front(w);
    front.add("w1", reading);
    wire client = front.connect();
    client.say("POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 10\r\n\r\nhalf");
    CHECK(client.read().status() == 408);
    CHECK(client.closed());
  }
  front_kit front(w);
  front.add("w1", stalling);
  wire client = front.connect();
  client.say(request("GET"));
  const auto answer = client.read();
  CHECK(answer.status() == 200);
  CHECK_FALSE(answer.whole);
}

TEST_CASE(
    "nobody to wait for: 503 at once without a worker, and after the wait limit with dead ones") {
  {
    front_kit front;
    const auto answer = front.ask(request("POST", "x"));
    CHECK(answer.status() == 503);
    CHECK_FALSE(answer.field("Retry-After").empty());
  }
  front_kit front(in_order([](config::route& r) { r.timeout.queue = 50ms; }));
  front.add("w1", {nobody()});
  const auto answer = front.ask(request("POST", "x"));
  CHECK((answer.status() == 502 || answer.status() == 503));
  CHECK(answer.field("Content-Type") == "application/problem+json");
}

TEST_CASE("contended: waiting too long and a full queue are 429 with Retry-After") {
  for (const bool full : {false, true}) {
    INFO((full ? "full" : "too long"));
    std::atomic<int> seen{0};
    fake_worker silent([&](wire& w) {
      w.read();
      ++seen;
      w.closed();
    });
    test::wishes w = in_order([&](config::route& r) {
      if (!full) r.timeout.queue = 50ms;
    });
    w.pool = [](core::pool_settings& s) { s.queue.batches_max = 1; };
    front_kit front(w);
    front.add("w1", silent);
    wire runs = front.connect(), waits = front.connect();
    runs.say(request("POST", "x"));
    REQUIRE(test::eventually([&] { return seen == 1; }));
    waits.say(request("POST", "y"));
    if (full) REQUIRE(test::eventually([&] { return front.waiting() == 1; }));
    const auto answer = full ? front.ask(request("POST", "z")) : waits.read();
    CHECK(answer.status() == 429);
    CHECK_FALSE(answer.field("Retry-After").empty());
    CHECK_THAT(answer.body, Catch::Contains(full ? "queue-full" : "wait-expired"));
    const auto counted = full ? outcome::refused : outcome::timed_out;
    CHECK(test::eventually([&] { return front.batches(counted) == 1; }));
  }
}

TEST_CASE("a body over body_max is a 413: by its length at once, by its bytes when they come") {
  fake_worker worker(test::answering(test::echo));
  front_kit front(in_order([](config::route& r) { r.body_max = 10; }));
  front.add("w1", worker);
  CHECK(front.ask(request("POST", "0123456789")).status() == 200);
  CHECK(front.ask(request("POST", "0123456789a")).status() == 413);
  CHECK(worker.connections() == 1);
  const auto chunked = front.ask(
      "POST /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
      "chunked\r\n\r\nb\r\n0123456789a\r\n0\r\n\r\n");
  CHECK(chunked.status() == 413);
}

TEST_CASE("a body whose chunks are broken is the client's fault, not the worker's") {
  fake_worker worker([](wire& w) { w.read(); });
  front_kit front;
  front.add("w1", worker);
  const auto answer =
      front.ask("PUT /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n");
  CHECK(answer.status() == 400);
  CHECK(front.retries(attempt_end::failed) == 0);
  CHECK(test::eventually([&] { return front.batches(outcome::bad_request) == 1; }));
}
