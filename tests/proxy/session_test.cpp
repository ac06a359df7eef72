// The way of a batch through a real door: requests in, responses out, and the connection after.
#include <poll.h>

#include <catch2/catch.hpp>
#include <future>
#include <string>

#include "front_kit.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using telemetry::outcome;
using test::fake_worker;
using test::front_kit;
using test::get;
using test::http_message;
using test::post;
using test::wire;

// Nothing can be read right now.
bool silent(const wire& w) {
  pollfd p{w.fd(), POLLIN, 0};
  return ::poll(&p, 1, 0) == 0;
}

// A worker that holds its first request until it is let go, and answers all others at once.
struct holding_worker {
  holding_worker() : worker([this](wire& w) { serve(w); }) {}
  void serve(wire& w) {
    while (const http_message request = w.read()) {
      if (seen.fetch_add(1) == 0)
        (void)let_go.get_future().wait_for(60s);  // a failed test must not hang
      if (!w.say(test::echo(request))) return;
    }
  }
  void release() { let_go.set_value(); }
  std::promise<void> let_go;
  std::atomic<int> seen{0};
  fake_worker worker;
};

}  // namespace

TEST_CASE("a batch goes to the worker and its answer comes back, with weir's marks on both") {
  std::promise<http_message> seen;
  fake_worker worker([&](wire& w) {
    auto request = w.read();
    w.say(test::response(201, "loaded", "X-Rows: 3\r\nConnection: x-hop\r\nX-Hop: 1\r\n"));
    seen.set_value(std::move(request));
  });
  front_kit front;
  front.add("w1", worker);
  const auto answer = front.ask(post("/load/orders?day=1", "a,b\n1,2\n",
                                     "Weir-Batch-Id: forged\r\nX-Forwarded-For: 6.6.6.6\r\n"));
  CHECK(answer.status() == 201);
  CHECK(answer.body == "loaded");
  CHECK(answer.field("X-Rows") == "3");
  CHECK(answer.field("X-Hop").empty());
  CHECK(answer.field("Weir-Worker") == "w1");
  CHECK(answer.field("Weir-Batch-Id").size() == 32);
  CHECK_THAT(answer.field("Server-Timing"),
             Catch::Contains("queue;dur=") && Catch::Contains("worker;dur="));
  CHECK_FALSE(answer.field("Via").empty());
  const auto request = seen.get_future().get();
  CHECK(request.first_line() == "POST /load/orders?day=1 HTTP/1.1");
  CHECK(request.body == "a,b\n1,2\n");
  CHECK(request.field("Weir-Batch-Id") == answer.field("Weir-Batch-Id"));
  CHECK(request.field("Weir-Attempt") == "1");
  CHECK(request.field("X-Forwarded-For") == "127.0.0.1");
  CHECK(request.field("Host") == "front.test");
  CHECK_FALSE(request.field("traceparent").empty());
  CHECK(test::eventually([&] { return front.batches(outcome::ok) == 1; }));
}

TEST_CASE(
    "a kept-alive connection carries request after request, over one connection to the worker") {
  fake_worker worker(test::answering(test::echo));
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  for (int i = 0; i < 20; ++i) {
    const std::string path = "/load/" + std::to_string(i);
    REQUIRE(client.say(post(path, "body " + std::to_string(i))));
    const auto answer = client.read();
    REQUIRE(answer.status() == 200);
    CHECK(answer.body == "POST " + path + " HTTP/1.1\nbody " + std::to_string(i));
    CHECK(answer.field("Connection").empty());
  }
  CHECK(worker.connections() == 1);
}

TEST_CASE("pipelined requests are answered in their order, also those with bodies") {
  fake_worker worker(test::answering(test::echo));
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  client.say(get("/load/1") + post("/load/2", "two") + get("/load/3") +
             "POST /load/4 HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: "
             "chunked\r\n\r\n4\r\nfour\r\n0\r\n\r\n" +
             get("/load/5"));
  for (const char* expected :
       {"GET /load/1 HTTP/1.1\n", "POST /load/2 HTTP/1.1\ntwo", "GET /load/3 HTTP/1.1\n",
        "POST /load/4 HTTP/1.1\nfour", "GET /load/5 HTTP/1.1\n"}) {
    const auto answer = client.read();
    REQUIRE(answer.status() == 200);
    CHECK(answer.body == expected);
  }
}

TEST_CASE("HEAD is answered without a body and the connection goes on") {
  fake_worker worker([](wire& w) {
    while (const auto request = w.read()) {
      const bool head = request.head.starts_with("HEAD");
      w.say(head ? "HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n" : test::echo(request));
    }
  });
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  client.say("HEAD /load/x HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto head = client.read(true);
  CHECK(head.status() == 200);
  CHECK(head.field("Content-Length") == "1234");
  client.say(get("/load/y"));
  CHECK(client.read().body == "GET /load/y HTTP/1.1\n");
  client.say("HEAD /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
  const auto refused = client.read(true);
  CHECK(refused.status() == 404);
  client.say(get("/load/z"));
  CHECK(client.read().body == "GET /load/z HTTP/1.1\n");
}

TEST_CASE("bodies are chunked on either side as each needs it") {
  std::atomic<bool> chunked_in{false};
  fake_worker worker([&](wire& w) {
    while (const auto request = w.read()) {
      chunked_in = request.field("Transfer-Encoding") == "chunked";
      w.say("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
      for (const char c : request.body) w.say(std::string("1;ext=1\r\n") + c + "\r\n");
      w.say("0\r\nX-Trailer: dropped\r\n\r\n");
    }
  });
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  client.say("POST /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
  client.say("2\r\nde\r\n0\r\n\r\n");
  const auto answer = client.read();
  CHECK(answer.body == "abcde");
  CHECK(answer.whole);
  CHECK(answer.field("Transfer-Encoding") == "chunked");
  CHECK(chunked_in);
  client.say("POST /load HTTP/1.0\r\nContent-Length: 2\r\n\r\nxy");
  const auto old = client.read();   // HTTP/1.0 knows no chunks: framed by the close
  CHECK(old.body == "xy");
  CHECK(old.field("Transfer-Encoding").empty());
}

TEST_CASE("a response that the worker ends by closing is framed anew") {
  fake_worker worker([](wire& w) {
    w.read();
    w.say("HTTP/1.1 200 OK\r\n\r\nuntil the end");
  });
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  for (int i = 0; i < 2; ++i) {   // the client's connection is kept, the worker's cannot be
    client.say(get("/load"));
    const auto answer = client.read();
    CHECK(answer.body == "until the end");
    CHECK(answer.field("Transfer-Encoding") == "chunked");
  }
  CHECK(worker.connections() == 2);
}

TEST_CASE("interim responses pass through to a 1.1 client, 100 does not") {
  fake_worker worker(test::answering([](const http_message& r) {
    return "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" +
           test::echo(r);
  }));
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  client.say(get("/load"));
  CHECK(client.read().status() == 103);
  CHECK(client.read().status() == 200);
  client.say("GET /load HTTP/1.0\r\n\r\n");
  CHECK(client.read().status() == 200);
}

TEST_CASE("100 Continue is said when a slot was granted, not before") {
  holding_worker held;
  front_kit front;
  front.add("w1", held.worker);
  wire first = front.connect(), second = front.connect();
  first.say(get("/load/first"));
  REQUIRE(test::eventually([&] { return held.seen == 1; }));
  second.say(
      "PUT /load/second HTTP/1.1\r\nHost: h\r\nContent-Length: 4\r\nExpect: 100-continue\r\n\r\n");
  REQUIRE(test::eventually([&] { return front.waiting() == 1; }));
  CHECK(silent(second));
  held.release();
  CHECK(first.read().status() == 200);
  const auto go_on = second.read();
  CHECK(go_on.status() == 100);
  second.say("body");
  CHECK(second.read().body == "PUT /load/second HTTP/1.1\nbody");
}

TEST_CASE("an early final answer arrives though the body is unread, and no 100 is said after it") {
  fake_worker worker([](wire& w) {
    while (w.read(true)) {   // a request's head only
      w.say(test::response(413, "too much"));
      w.finish_sending();
    }
  });
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  client.say("POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 100000000\r\n\r\n");
  const std::string block(100'000, 'x');
  client.say(block);
  const auto answer = client.read();
  CHECK(answer.status() == 413);
  CHECK(answer.body == "too much");
  CHECK(answer.field("Connection") == "close");
  CHECK(test::eventually([&] { return front.idle(); }));
}

TEST_CASE("megabytes up and down arrive as sent, and no buffer is held afterwards") {
  fake_worker worker(
      test::answering([](const http_message& r) { return test::response(200, r.body); }));
  std::string body(5'000'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>(i * 31 >> 3);
  for (const std::size_t pipes : {4, 0}) {
    INFO((pipes ? "spliced" : "copied"));
    test::wishes w;
    w.relays.pipes_max = pipes;
    front_kit front(w);
    front.add("w1", worker);
    wire client = front.connect();
    for (int i = 0; i < 2; ++i) {
      std::thread sender([&] { client.say(post("/load", body)); });
      const auto answer = client.read();
      sender.join();
      CHECK(answer.status() == 200);
      CHECK((answer.body == body));
    }
    CHECK(front.plan->hits.pipes->total() == (pipes ? 0 : 4));
  }
}

TEST_CASE("a client that leaves while it waits takes its batch out of the queue") {
  holding_worker held;
  front_kit front;
  front.add("w1", held.worker);
  wire first = front.connect();
  first.say(get("/load"));
  REQUIRE(test::eventually([&] { return held.seen == 1; }));
  for (const bool resets : {true, false}) {
    INFO((resets ? "reset" : "closed with its body unsent"));
    wire second = front.connect();
    second.say(resets ? get("/load")
                      : "POST /load HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nhalf");
    REQUIRE(test::eventually([&] { return front.waiting() == 1; }));
    if (resets) second.reset();
    else second.close();
    CHECK(test::eventually([&] { return front.waiting() == 0; }));
  }
  held.release();
  CHECK(first.read().status() == 200);
  CHECK(held.seen == 1);   // nobody else reached the worker
  CHECK(test::eventually([&] { return front.batches(outcome::client_gone) == 2; }));
}

TEST_CASE(
    "a half-closed client still gets its answer, unless the route says that a FIN means gone") {
  for (const bool aborts : {false, true}) {
    INFO("half_close: " << (aborts ? "abort" : "wait"));
    holding_worker held;
    test::wishes w;
    w.route = [&](config::route& r) {
      if (aborts) r.half_close = config::half_close_action::abort;
    };
    front_kit front(w);
    front.add("w1", held.worker);
    wire first = front.connect(), second = front.connect();
    first.say(get("/load"));
    REQUIRE(test::eventually([&] { return held.seen == 1; }));
    second.say(get("/load/second"));
    REQUIRE(test::eventually([&] { return front.waiting() == 1; }));
    second.finish_sending();
    if (aborts) CHECK(test::eventually([&] { return front.waiting() == 0; }));
    held.release();
    CHECK(first.read().status() == 200);
    CHECK(second.read().status() == (aborts ? 0 : 200));
  }
}

TEST_CASE("a client that leaves while its batch runs: the slot is held until the worker closes") {
  std::promise<void> got_it, may_close;
  fake_worker worker([&](wire& w) {
    w.read();
    got_it.set_value();
    w.closed();   // weir half-closes
    may_close.get_future().wait();
  });
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  client.say(get("/load"));
  got_it.get_future().wait();
  client.reset();
  CHECK(test::eventually([&] { return front.batches(outcome::client_gone) == 1; }));
  CHECK_FALSE(front.idle());   // the worker may still be at it
  may_close.set_value();
  CHECK(test::eventually([&] { return front.idle(); }));
}

TEST_CASE("on_client_gone: finish lets the worker end its work") {
  std::promise<void> got_it, go_on, wrote;
  std::atomic<bool> whole{false};
  fake_worker worker([&](wire& w) {
    if (!w.read()) return;
    got_it.set_value();
    go_on.get_future().wait();
    whole = w.say(test::response(200, std::string(1'000'000, 'x')));
    wrote.set_value();
    w.closed();
  });
  test::wishes w;
  w.route = [](config::route& r) { r.on_client_gone = config::gone_action::finish; };
  front_kit front(w);
  front.add("w1", worker);
  wire client = front.connect();
  client.say(post("/load", "work"));
  got_it.get_future().wait();
  client.reset();
  go_on.set_value();
  wrote.get_future().wait();
  CHECK(whole);
  CHECK(test::eventually([&] { return front.idle(); }));
  CHECK(test::eventually([&] { return front.batches(outcome::client_gone) == 1; }));
}

TEST_CASE("grants cross loops: many clients, few slots, every request answered once") {
  fake_worker worker(test::answering(test::echo));
  test::wishes w;
  w.loops = 3;
  front_kit front(w);
  front.add("w1", worker, 2);
  std::atomic<int> good{0};
  std::vector<wire> wires;
  for (int c = 0; c < 12; ++c) wires.push_back(front.connect());
  std::vector<std::thread> clients;
  for (int c = 0; c < 12; ++c)
    clients.emplace_back([&, c] {
      wire& client = wires[static_cast<std::size_t>(c)];
      for (int i = 0; i < 25; ++i) {
        const std::string path = "/load/" + std::to_string(c) + "/" + std::to_string(i);
        client.say(post(path, path));
        good += client.read().body == "POST " + path + " HTTP/1.1\n" + path;
      }
    });
  for (auto& t : clients) t.join();
  CHECK(good == 12 * 25);
  CHECK(test::eventually([&] { return front.batches(outcome::ok) == 12 * 25; }));
}

TEST_CASE(
    "draining: an idle connection is closed, a running batch ends and its connection after it") {
  holding_worker held;
  front_kit front;
  front.add("w1", held.worker, 2);
  wire busy = front.connect(), idle = front.connect();
  busy.say(get("/load/busy"));
  REQUIRE(test::eventually([&] { return held.seen == 1; }));
  idle.say(get("/load/idle"));
  CHECK(idle.read().status() == 200);
  front.on_loops([](proxy::door& d) {
    d.close_listeners();
    d.drain();
  });
  CHECK(idle.closed());
  held.release();
  const auto answer = busy.read();
  CHECK(answer.body == "GET /load/busy HTTP/1.1\n");
  CHECK(answer.field("Connection") == "close");
  CHECK(busy.closed());
}

TEST_CASE("when draining takes too long, what waits gets a 503, what was under way a 504") {
  std::promise<void> got_it;
  fake_worker worker([&](wire& w) {
    w.read();
    got_it.set_value();
    w.closed();
  });
  front_kit front;
  front.add("w1", worker);
  wire runs = front.connect(), waits = front.connect();
  runs.say(get("/load"));
  got_it.get_future().wait();
  waits.say(get("/load"));
  REQUIRE(test::eventually([&] { return front.waiting() == 1; }));
  front.on_loops([](proxy::door& d) {
    d.close_listeners();
    d.drain();
    d.abort_sessions();
  });
  const auto cut = runs.read(), refused = waits.read();
  CHECK(refused.status() == 503);
  CHECK_FALSE(refused.field("Retry-After").empty());
  CHECK(cut.status() == 504);   // the worker may have done it: not an invitation to send it again
  CHECK(cut.field("Retry-After").empty());
  CHECK(cut.body.find("may have been executed") != std::string::npos);
  for (const auto* answer : {&cut, &refused}) CHECK(answer->field("Connection") == "close");
}

TEST_CASE("closing the pool answers what waits with 503 and refuses what comes") {
  holding_worker held;
  front_kit front;
  front.add("w1", held.worker);
  wire first = front.connect(), second = front.connect();
  first.say(get("/load"));
  REQUIRE(test::eventually([&] { return held.seen == 1; }));
  second.say(get("/load"));
  REQUIRE(test::eventually([&] { return front.waiting() == 1; }));
  front.gate->with(net::loop::read_clock(), [](core::pool& p, base::instant now) { p.close(now); });
  CHECK(second.read().status() == 503);
  CHECK(front.ask(get("/load")).status() == 503);
  held.release();
  CHECK(first.read().status() == 200);
}
