// Batches whose body is too long for memory: sent again from disk, or not when the disk cannot.
#include <catch2/catch.hpp>
#include <cerrno>
#include <future>
#include <string>

#include "file_faults.hpp"
#include "front_kit.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using core::attempt_end;
using telemetry::outcome;
using test::fake_worker;
using test::file_faults;
using test::front_kit;
using test::http_message;
using test::wire;

std::string patterned(std::size_t n) {
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>('a' + (i + i / 251) % 26);
  return s;
}

std::string request(std::string_view body, bool chunked = false) {
  std::string text = "PUT /load HTTP/1.1\r\nHost: h\r\n";
  if (!chunked)
    return text + "Content-Length: " + std::to_string(body.size()) + "\r\n\r\n" + std::string(body);
  text += "Transfer-Encoding: chunked\r\n\r\n";
  for (; !body.empty(); body.remove_prefix(std::min<std::size_t>(body.size(), 70'000))) {
    const auto part = body.substr(0, 70'000);
    text.append(http::make_chunk_head(part.size()).view()).append(part).append("\r\n");
  }
  return text + "0\r\n\r\n";
}

// w1 is always asked first; a body of more than 100 kB goes to disk.
test::wishes spilling(std::function<void(config::route&)> route = {}) {
  test::wishes w;
  w.pool = [](core::pool_settings& s) { s.balance = core::balance::first; };
  w.limits = [](config::limits& l) { l.replay_batch_bytes_max = 100'000; };
  w.route = std::move(route);
  return w;
}

fake_worker::script closing_after_request() {
  return [](wire& w) { w.read(); };
}

fake_worker::script busy() {
  return test::answering(
      [](const http_message&) { return test::response(503, "busy", "Retry-After: 1\r\n"); });
}

// Closes with most of the body unread.
fake_worker::script closing_in_the_middle() {
  return [](wire& w) { w.wait_for("\r\n\r\n"); };
}

fake_worker::script echoing() { return test::answering(test::echo); }

std::string echoed(const std::string& body) { return "PUT /load HTTP/1.1\n" + body; }

}  // namespace

TEST_CASE("a body from disk reaches the next worker whole, whenever the one before failed") {
  struct row {
    const char* what;
    fake_worker::script fails;
  };
  const std::string body = patterned(3'000'000);
  for (const row& r : {row{"after the body", closing_after_request()}, row{"busy", busy()},
                       row{"in the middle", closing_in_the_middle()}})
    for (const bool chunked : {false, true}) {
      INFO(r.what << (chunked ? ", chunked" : ""));
      fake_worker first(r.fails), second(closing_after_request()), third(echoing());
      front_kit front(spilling());
      front.add("w1", first);
      front.add("w2", second);
      front.add("w3", third);
      const auto answer = front.ask(request(body, chunked));
      CHECK(answer.status() == 200);
      CHECK((answer.body == echoed(body)));
      CHECK(answer.field("Weir-Worker") == "w3");
      CHECK(front.plan->hits.replay_batch->total() == 1);
      CHECK(front.plan->hits.replay_disk->total() == 0);
      CHECK(test::eventually([&] { return front.replay_bytes_on_disk() == 0; }));
    }
}

TEST_CASE("a connection carries further requests after a body that was sent again from disk") {
  fake_worker dying(closing_after_request()), sound(echoing());
  front_kit front(spilling());
  front.add("w1", dying);
  front.add("w2", sound);
  wire client = front.connect();
  for (const std::size_t size : {500'000u, 10u, 800'000u, 300'000u}) {
    const std::string body = patterned(size);
    client.say(request(body));
    const auto answer = client.read();
    CHECK(answer.status() == 200);
    CHECK((answer.body == echoed(body)));
  }
}

TEST_CASE("a disk that fails at any write costs the promise, not the body that a worker takes") {
  const std::string body = patterned(2'000'000);
  for (const auto call : {net::file_call::open, net::file_call::write})
    for (const bool worker_fails : {false, true}) {
      INFO("call " << int(call) << (worker_fails ? ", worker fails" : ""));
      const file_faults faults(call, call == net::file_call::open ? 1 : 3, ENOSPC);
      fake_worker first(worker_fails ? closing_after_request() : echoing()), second(echoing());
      front_kit front(spilling());
      front.add("w1", first);
      front.add("w2", second);
      const auto answer = front.ask(request(body));
      CHECK(answer.status() == (worker_fails ? 502 : 200));
      if (!worker_fails) CHECK((answer.body == echoed(body)));
      CHECK(front.plan->hits.replay_folder->total() == 1);
      CHECK(front.retries(attempt_end::failed) == 0);
      CHECK(test::eventually([&] { return front.replay_bytes_on_disk() == 0; }));
      front.end();
    }
}

TEST_CASE("a copy that cannot be read is weir's fault: 502, and no worker is blamed for it") {
  const std::string body = patterned(2'000'000);
  const file_faults faults(net::file_call::read, 3, EIO);
  fake_worker first(closing_after_request()), second(echoing());
  front_kit front(spilling());
  front.add("w1", first);
  front.add("w2", second);
  const auto answer = front.ask(request(body));
  CHECK(answer.status() == 502);
  CHECK_THAT(answer.body, Catch::Contains("replay_dir"));
  CHECK_THAT(answer.field("Proxy-Status"), Catch::Contains("proxy_internal_error"));
  CHECK(front.gate->with(net::loop::read_clock(), [](core::pool& p, base::instant now) {
    return p.workers(now).at(1).failures;   // w2's
  }) == 0);
  front.end();
}

TEST_CASE("a disk that takes nothing for timeout.progress costs the promise, and nothing else") {
  fake_worker sound(echoing());
  front_kit front(spilling([](config::route& r) { r.timeout.progress = 100ms; }));
  front.add("w1", sound);
  std::promise<void> go_on;
  const auto held = go_on.get_future().share();
  front.on_loops([&](proxy::door& d) {
    for (int i = 0; i < 2; ++i) d.in().offload->post([held] { held.wait(); });
  });
  const std::string body = patterned(3'000'000);
  const auto answer = front.ask(request(body));
  CHECK(answer.status() == 200);
  CHECK((answer.body == echoed(body)));
  CHECK(front.plan->hits.replay_folder->total() == 1);
  go_on.set_value();
}

TEST_CASE("an answer that comes before the whole body ends the keeping, and the body streams on") {
  fake_worker early([](wire& w) {
    w.wait_for("\r\n\r\n");
    w.say("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\no");
    w.wait_for("END");
    w.say("k");
  });
  front_kit front(spilling());
  front.add("w1", early);
  wire client = front.connect();
  const std::string body = patterned(1'000'000);
  client.say("PUT /load HTTP/1.1\r\nHost: h\r\nContent-Length: 1000003\r\n\r\n" +
             body.substr(0, 300'000));
  CHECK(client.wait_for("\r\n\r\no"));
  client.say(body.substr(300'000) + "END");
  CHECK(client.wait_for("k"));
  CHECK(front.replay_bytes_on_disk() <= 500'000);
}

TEST_CASE("a client that leaves while its body goes to disk leaves nothing behind") {
  fake_worker worker([](wire& w) { w.read_all(); });
  front_kit front(spilling());
  front.add("w1", worker);
  {
    wire client = front.connect();
    client.say("PUT /load HTTP/1.1\r\nHost: h\r\nContent-Length: 9000000\r\n\r\n" +
               patterned(1'000'000));
    CHECK(test::eventually([&] { return front.replay_bytes_on_disk() > 0; }));
    client.reset();
  }
  CHECK(test::eventually([&] { return front.batches(outcome::client_gone) == 1; }));
  CHECK(test::eventually([&] { return front.replay_bytes_on_disk() == 0; }));
}
