// How weir's own good answers are framed, and how bodies are read that no worker gets.
#include <catch2/catch.hpp>

#include "durable_kit.hpp"

namespace {

using namespace weir;
using namespace weir::test;
using store::batch_state;

std::string address(const store::batch_id& id) {
  const auto hex = store::hex_of(id);
  return "/_weir/batches/" + std::string(hex.data(), hex.size());
}

}  // namespace

TEST_CASE("answers that have no body are kept and given without one") {
  struct row {
    const char* answer;
    unsigned status;
  };
  const row rows[] = {{"HTTP/1.1 204 None\r\nX-Row: 1\r\n\r\n", 204},
                      {"HTTP/1.1 304 Same\r\nX-Row: 1\r\nContent-Length: 9\r\n\r\n", 304},
                      {"HTTP/1.1 200 OK\r\nX-Row: 1\r\nContent-Length: 0\r\n\r\n", 200}};
  for (const row& r : rows) {
    INFO(r.answer);
    fake_worker worker(answering([&](const http_message&) { return std::string(r.answer); }));
    front_kit front(durable());
    front.add("w1", worker);
    const auto id = post_async(front);
    REQUIRE(becomes(front, id, batch_state::succeeded));
    wire client = front.connect();
    client.say(get(address(id) + "/result") + get(address(id)));
    const http_message got = client.read();
    CHECK(got.status() == r.status);
    CHECK(got.field("X-Row") == "1");
    CHECK(got.field("Content-Length") == (r.status == 200 ? "0" : ""));   // RFC 9110 section 8.6
    CHECK(client.read().field("Content-Type") == "application/json");
  }
}

TEST_CASE("a connection is kept after weir's own answers, unless the client wants it closed") {
  front_kit front(durable());
  const std::string at = address(post_async(front));
  wire client = front.connect();
  for (int i = 0; i < 3; ++i) {
    client.say(get(at));
    CHECK(client.read().field("Connection") == "keep-alive");
  }
  client.say(get(at, "Connection: close\r\n"));
  CHECK(client.read().field("Connection") == "close");
  CHECK(client.closed());
  CHECK(eventually([&] { return front.connections() == 0; }));
}

TEST_CASE("the body of a request to weir itself is read, so that the next is in its place") {
  front_kit front(durable());
  const std::string at = address(post_async(front));
  wire client = front.connect();
  const std::string body(30'000, 'x');
  client.say("GET " + at + " HTTP/1.1\r\nHost: a\r\nContent-Length: 30000\r\n\r\n" + body +
             get(at));
  CHECK(client.read().status() == 200);
  CHECK(client.read().status() == 200);
  client.say("GET " + at + " HTTP/1.1\r\nHost: a\r\nContent-Length: 70000\r\n\r\n" +
             std::string(70'000, 'x'));
  CHECK(client.read().status() == 413);   // nothing there takes one
}

TEST_CASE("a client that expects 100-continue is told to go on, once, before its body is read") {
  front_kit front(durable());
  wire client = front.connect();
  client.say("POST /load HTTP/1.1\r\nHost: a\r\nPrefer: respond-async\r\nContent-Length: 4\r\n"
             "Expect: 100-continue\r\n\r\n");
  CHECK(client.read().status() == 100);
  client.say("rows");
  const http_message got = client.read();
  CHECK(got.status() == 202);
  const auto id = id_in(got);
  REQUIRE(id);
  CHECK(find(front, *id).body.size == 4);
}

TEST_CASE("a client that does not wait for 100-continue is not told to go on") {
  front_kit front(durable());
  wire client = front.connect();
  client.say("POST /load HTTP/1.1\r\nHost: a\r\nPrefer: respond-async\r\nContent-Length: 4\r\n"
             "Expect: 100-continue\r\n\r\nrows");
  const http_message got = client.read();
  CHECK((got.status() == 202 || got.status() == 100));
  if (got.status() == 100) CHECK(client.read().status() == 202);
}

TEST_CASE("long kept answers come whole to a client that reads them in small steps") {
  std::string body(2'000'000, '\0');
  for (std::size_t i = 0; i < body.size(); ++i) body[i] = static_cast<char>('a' + i % 23);
  fake_worker worker(answering([&](const http_message&) { return response(200, body); }));
  front_kit front(durable());
  front.add("w1", worker);
  const auto id = post_async(front);
  REQUIRE(becomes(front, id, batch_state::succeeded));
  wire client = front.connect();
  for (int i = 0; i < 3; ++i) {
    client.say(get(address(id) + "/result"));
    const http_message got = client.read();
    CHECK(got.whole);
    CHECK((got.body == body));
  }
}
