// What one peer can make weir hold, spend or wait for, and what weir still has of a short body.
#include <catch2/catch.hpp>
#include <future>
#include <string>

#include "front_kit.hpp"
#include "net/test_certificates.hpp"
#include "net/tls_server_context.hpp"

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

}  // namespace

TEST_CASE("a worker that sends interim responses without end is cut off at a limit") {
  fake_worker worker([](wire& w) {
    w.read();
    std::string flood;
    for (int i = 0; i < 40; ++i) flood += "HTTP/1.1 103 Early Hints\r\n\r\n";
    w.say(flood + test::response(200, "late"));
  });
  for (const std::uint32_t limit : {39, 40}) {
    test::wishes w;
    w.limits = [limit](config::limits& l) { l.interim_responses_max = limit; };
    front_kit front(w);
    front.add("w1", worker);
    wire client = front.connect();
    client.say("POST /load HTTP/1.0\r\nContent-Length: 0\r\n\r\n");   // 1.0: told none of them
    const auto answer = client.read();
    CHECK(answer.status() == (limit < 40 ? 502 : 200));
    CHECK(front.plan->hits.interims->total() == (limit < 40 ? 1 : 0));
  }
}

TEST_CASE("a TLS client that is idle between requests does not hold the drain") {
  test::scratch_folder folder;
  const auto who = test::make_identity({"DNS:front.test"});
  const auto pem = folder.write("cert.pem", who.certificate_pem());
  test::wishes w;
  w.tls = *net::make_tls_server({pem, folder.write("key.pem", who.key_pem()), {}});
  fake_worker worker(test::answering(test::echo));
  front_kit front(w);
  front.add("w1", worker);
  wire client = front.connect();
  client.secure();
  for (int i = 0; i < 2; ++i) {
    client.say(get("/load"));
    CHECK(client.read().status() == 200);
    CHECK(test::eventually([&] { return front.heads_taken() == 0; }));   // idle: holds no buffer
  }
  front.on_loops([](proxy::door& d) { d.drain(); });
  CHECK(test::eventually([&] { return front.connections() == 0; }));
}

TEST_CASE("a copy for a retry is given back once the answer is on its way") {
  std::promise<void> go_on;
  fake_worker worker([&](wire& w) {
    w.read();
    w.say("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nhe");
    go_on.get_future().wait();
    w.say("re");
  });
  front_kit front;
  front.add("w1", worker);
  wire client = front.connect();
  client.say("PUT /load HTTP/1.1\r\nHost: h\r\nContent-Length: 9\r\n\r\nkept body");
  CHECK(client.wait_for("\r\n\r\nhe"));
  CHECK(front.replay_bytes() == 0);
  go_on.set_value();
}

TEST_CASE("out of descriptors is weir's fault: 503, and no worker is blamed") {
  fake_worker worker(test::answering(test::echo));
  net::before_kernel_call = [](net::kernel_call c) noexcept {
    return net::call_plan{c == net::kernel_call::connect ? EMFILE : 0};
  };
  front_kit front;
  front.add("w1", worker);
  const auto answer = front.ask(get("/load"));
  CHECK(answer.status() == 503);
  CHECK(answer.body.find("exhausted") != std::string::npos);
  CHECK(front.gate->with(net::loop::read_clock(), [](core::pool& p, base::instant now) {
    return p.workers(now).at(0).failures;
  }) == 0);
  front.end();
  net::before_kernel_call = nullptr;
}

TEST_CASE("many pipelined requests are answered in order while others get their turn") {
  front_kit front;
  wire client = front.connect();
  constexpr int requests = 50;
  std::string all;
  for (int i = 0; i < requests; ++i) all += "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n";
  client.say(all);
  for (int i = 0; i < requests; ++i) CHECK(client.read().status() == 404);
}

TEST_CASE("a limit on a chunked body's lines is counted when it is hit") {
  fake_worker worker(test::answering(test::echo));
  front_kit front;
  front.add("w1", worker);
  const std::string head = "POST /load HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n";
  const std::string endless(70'000, 'e');
  CHECK(front.ask(head + "1;" + endless + "\r\na\r\n0\r\n\r\n").status() == 400);
  CHECK(front.plan->hits.chunk_line->total() == 1);
  CHECK(front.ask(head + "0\r\nX: " + endless + "\r\n\r\n").status() == 400);
  CHECK(front.plan->hits.trailer->total() == 1);
}

TEST_CASE("a body that came with its head is sent again when the worker was busy, key or not") {
  fake_worker busy(test::answering([](const http_message&) {
    return test::response(503, "busy", "Retry-After: 1\r\n");
  }));
  fake_worker free(test::answering([](const http_message& r) {
    return test::response(200, r.body + " attempt " + r.field("Weir-Attempt"));
  }));
  test::wishes w;
  w.pool = [](core::pool_settings& s) { s.balance = core::balance::first; };
  front_kit front(w);
  front.add("w1", busy);
  front.add("w2", free);
  wire client = front.connect();
  for (int i = 1; i <= 2; ++i) {   // what came behind the body is the next request
    client.say(post("/load", "rows") + "GET /nowhere HTTP/1.1\r\nHost: h\r\n\r\n");
    CHECK(client.read().body == (i == 1 ? "rows attempt 2" : "rows attempt 1"));
    CHECK(client.read().status() == 404);
  }
  CHECK(front.replay_bytes() == 0);
}
