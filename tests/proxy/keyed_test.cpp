// Idempotency-Key on requests that wait for their answer, where the store or one of the two
// clients fails: the key is never held by nobody, and no answer is kept that is not whole.
#include <catch2/catch.hpp>
#include <atomic>
#include <future>

#include "durable_kit.hpp"

namespace {

using namespace weir;
using namespace weir::test;
using store::trouble;

const std::string key = "Idempotency-Key: \"k1\"\r\n";

struct counted_worker {
  explicit counted_worker(std::function<std::string(int)> answer)
      : worker(answering([this, answer](const http_message&) { return answer(++asked); })) {}
  std::atomic<int> asked{0};
  fake_worker worker;
};

std::string numbered(int n) { return response(200, "answer " + std::to_string(n)); }

wishes waiting() {
  wishes w = durable();
  w.route = [](config::route& r) {
    r.idempotency.on_running = config::running_key_action::wait;
  };
  return w;
}

}  // namespace

TEST_CASE("a store that cannot claim a key refuses the request, and no worker is asked") {
  const std::pair<trouble, unsigned> rows[] = {{trouble::full, 507}, {trouble::io, 503}};
  for (const auto& [what, status] : rows) {
    counted_worker w(numbered);
    front_kit front(durable());
    front.add("w1", w.worker);
    front.store().fail(store_call::claim_key, what);
    const http_message got = front.ask(post("/load", "rows", key));
    CHECK(got.status() == status);
    CHECK_FALSE(got.field("Retry-After").empty());
    CHECK(w.asked == 0);
    CHECK(front.ask(post("/load", "rows", key)).body == "answer 1");
  }
}

TEST_CASE("nothing goes to a worker before the key is claimed") {
  counted_worker w(numbered);
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().hold(store_call::claim_key);
  wire client = front.connect();
  client.say(post("/load", "rows", key));
  REQUIRE(eventually([&] { return front.store().held(store_call::claim_key) == 1; }));
  front.on_loops([](proxy::door&) {});
  CHECK(w.worker.connections() == 0);
  front.store().release(store_call::claim_key);
  CHECK(client.read().body == "answer 1");
}

TEST_CASE("a client that leaves before its key is claimed does not keep it") {
  counted_worker w(numbered);
  front_kit front(durable());
  front.add("w1", w.worker);
  front.store().hold(store_call::claim_key);
  {
    wire client = front.connect();
    client.say(post("/load", "rows", key));
    REQUIRE(eventually([&] { return front.store().held(store_call::claim_key) == 1; }));
    client.reset();
  }
  REQUIRE(eventually([&] { return front.connections() == 0 || front.running() == 0; }));
  front.store().release(store_call::claim_key);
  CHECK(eventually([&] { return front.connections() == 0; }));
  // Whichever came first, the leaving or the claim: the key is free, or its answer is there.
  const http_message got = front.ask(post("/load", "rows", key));
  CHECK(got.status() == 200);
  CHECK(w.asked == 1);
}

TEST_CASE("an answer that says to try again, or is not whole, is not kept for the key") {
  const std::function<std::string(int)> firsts[] = {
      [](int) { return response(500, "broken"); },
      [](int) { return response(408, "slow"); },
      [](int) { return response(425, "early"); },
      [](int) { return response(429, "later"); },
      [](int) { return response(200, std::string(2000, 'a')); },   // over the limit
  };
  for (const auto& first : firsts) {
    counted_worker w([&](int n) { return n == 1 ? first(n) : numbered(n); });
    wishes wanted = durable();
    wanted.route = [](config::route& r) {
      r.idempotency.answer_bytes_max = 1000;
      r.retry.attempts = 1;
    };
    front_kit front(wanted);
    front.add("w1", w.worker);
    CHECK(front.ask(post("/load", "rows", key)));
    const http_message got = front.ask(post("/load", "rows", key));
    CHECK(got.body == "answer 2");
    CHECK(got.field("Idempotent-Replayed").empty());
    CHECK(w.asked == 2);
  }
}

TEST_CASE("final answers are replayed as they were, refusals of the worker too") {
  for (const unsigned status : {200u, 201u, 204u, 303u, 400u, 404u, 422u}) {
    INFO(status);
    counted_worker w([&](int) {
      return status == 204 ? std::string("HTTP/1.1 204 None\r\nX-Row: 1\r\n\r\n")
                           : response(status, "said", "X-Row: 1\r\n");
    });
    front_kit front(durable());
    front.add("w1", w.worker);
    wire client = front.connect();
    for (int i = 0; i < 3; ++i) {
      client.say(post("/load", "rows", key));
      const http_message got = client.read();
      CHECK(got.status() == status);
      CHECK(got.body == (status == 204 ? "" : "said"));
      CHECK(got.field("X-Row") == "1");
      CHECK(got.field("Content-Length") == (status == 204 ? "" : "4"));
      CHECK(got.field("Idempotent-Replayed") == (i ? "true" : ""));
    }
    CHECK(w.asked == 1);
  }
}

TEST_CASE("a repeated request whose body differs is refused, wherever it differs") {
  counted_worker w(numbered);
  front_kit front(durable());
  front.add("w1", w.worker);
  const std::string body(100'000, 'r');
  CHECK(front.ask(post("/load", body, key)).body == "answer 1");
  std::string last = body;
  last.back() = 'x';
  CHECK(front.ask(post("/load", last, key)).status() == 422);
  CHECK(front.ask(post("/load", body.substr(1), key)).status() == 422);
  CHECK(front.ask(post("/load", "", key)).status() == 422);
  CHECK(front.ask(post("/load?a=1", body, key)).status() == 422);
  std::string put = post("/load", body, key);
  CHECK(front.ask(put.replace(0, 4, "PUT")).status() == 422);
  CHECK(front.ask(post("/load", body, key)).body == "answer 1");
  CHECK(w.asked == 1);
}

TEST_CASE("who waits for the first request gets its answer, or the key when there is none") {
  const bool fails = GENERATE(false, true);
  std::promise<void> go_on;
  std::shared_future<void> held = go_on.get_future().share();
  counted_worker w([=](int n) {
    if (n == 1) held.wait();
    return n == 1 && fails ? response(500, "broken") : numbered(n);
  });
  wishes wanted = waiting();
  const auto wait = wanted.route;
  wanted.route = [wait](config::route& r) { wait(r), r.retry.attempts = 1; };
  front_kit front(wanted);
  front.add("w1", w.worker, 2);
  wire first = front.connect(), second = front.connect();
  first.say(post("/load", "rows", key));
  const bool reached = eventually([&] { return w.asked == 1; });
  second.say(post("/load", "rows", key));
  // It has looked once, and looks again and again.
  const bool looked =
      eventually([&] { return front.store().calls(store_call::claim_key) >= 3; });
  const int asked = w.asked;
  go_on.set_value();
  CHECK(reached);
  CHECK(looked);
  CHECK(asked == 1);
  CHECK(first.read().status() == (fails ? 500 : 200));
  const http_message got = second.read();
  CHECK(got.status() == 200);
  CHECK(got.body == (fails ? "answer 2" : "answer 1"));
  CHECK(got.field("Idempotent-Replayed") == (fails ? "" : "true"));
}

TEST_CASE("a client that waited for the first and then stalls within its body is told so") {
  std::promise<void> go_on;
  std::shared_future<void> held = go_on.get_future().share();
  counted_worker w([=](int n) {
    if (n == 1) held.wait();
    return numbered(n);
  });
  wishes wanted = waiting();
  const auto wait = wanted.route;
  wanted.route = [wait](config::route& r) {
    wait(r), r.timeout.progress = std::chrono::milliseconds(50);
  };
  front_kit front(wanted);
  front.add("w1", w.worker, 2);
  wire first = front.connect(), second = front.connect();
  first.say(post("/load", "rows", key));
  const bool reached = eventually([&] { return w.asked == 1; });
  std::string half = post("/load", "rows", key);
  half.pop_back();
  second.say(half);
  const bool looked =
      eventually([&] { return front.store().calls(store_call::claim_key) >= 3; });
  go_on.set_value();
  CHECK(reached);
  CHECK(looked);
  CHECK(first.read().status() == 200);
  const http_message got = second.read();
  CHECK_FALSE(second.hung());
  CHECK(got.status() == 408);
}

TEST_CASE("a key of an asynchronous batch is refused with that batch's address") {
  front_kit front(durable());
  const auto id = post_async(front, "rows", key);
  const auto hex = store::hex_of(id);
  const http_message got = front.ask(post("/load", "rows", key));
  CHECK(got.status() == 409);
  CHECK_THAT(got.body, Catch::Contains(std::string(hex.data(), hex.size())));
  CHECK(front.ask(post("/load", "other", key)).status() == 422);
}

TEST_CASE("tenants do not see each other's keys") {
  counted_worker w(numbered);
  wishes wanted = durable();
  wanted.route = [](config::route& r) { r.tenant_header = "X-Tenant"; };
  front_kit front(wanted);
  front.add("w1", w.worker);
  CHECK(front.ask(post("/load", "rows", key + "X-Tenant: a\r\n")).body == "answer 1");
  CHECK(front.ask(post("/load", "other", key + "X-Tenant: b\r\n")).body == "answer 2");
  CHECK(front.ask(post("/load", "third", key)).body == "answer 3");
  CHECK(front.ask(post("/load", "rows", key + "X-Tenant: a\r\n")).body == "answer 1");
}
