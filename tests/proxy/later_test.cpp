// Requests that are taken for later when things go wrong: a 202 leaves only after the batch is
// durable, every other answer means that nothing was kept.
#include <catch2/catch.hpp>
#include <atomic>
#include <future>

#include "durable_kit.hpp"

namespace {

using namespace weir;
using namespace weir::test;
using store::batch_state;
using store::trouble;

std::uint64_t open_in_books(front_kit& front) {
  return front.gate->with(net::loop::read_clock(), [](core::pool& p, base::instant t) {
    return p.view(t).durable_batches;
  });
}

// Room that was not used is given back when the client has its answer.
bool books_become(front_kit& front, std::uint64_t n) {
  return eventually([&] { return open_in_books(front) == n; });
}

http_message ask_async(front_kit& front, std::string_view body = "rows",
                       const std::string& fields = {}) {
  return front.ask(post("/load", body, respond_async + fields));
}

std::string chunked(std::string_view chunks) {
  return "POST /load HTTP/1.1\r\nHost: h\r\nPrefer: respond-async\r\n"
         "Transfer-Encoding: chunked\r\n\r\n" +
         std::string(chunks);
}

}  // namespace

TEST_CASE("a 202 leaves only when the batch is durable") {
  front_kit front(durable());
  front.store().hold(store_call::add);
  wire client = front.connect();
  client.say(post("/load", "rows", respond_async) + get("/load/next"));
  REQUIRE(eventually([&] { return front.store().held(store_call::add) == 1; }));
  auto answer = std::async(std::launch::async, [&] { return client.read(); });
  CHECK(front.store().calls(store_call::open_attempt) == 0);
  CHECK(answer.wait_for(std::chrono::seconds(0)) == std::future_status::timeout);
  front.store().release(store_call::add);
  const http_message got = answer.get();
  CHECK(got.status() == 202);
  const auto id = id_in(got);
  REQUIRE(id);
  CHECK(state_of(front, *id) == batch_state::queued);
}

TEST_CASE("a store that fails is told with Retry-After, and nothing is left of the batch") {
  struct row {
    trouble what;
    unsigned status;
    const char* type;
  };
  const row rows[] = {{trouble::full, 507, "disk-full"},
                      {trouble::io, 503, "store-failed"},
                      {trouble::closed, 503, "draining"}};
  for (const row& r : rows) {
    for (const std::string& body : {std::string("short"), std::string(1000, 'r')}) {
      INFO(r.type << " " << body.size());
      front_kit front(with_files());
      front.store().fail(store_call::add, r.what);
      const http_message got = ask_async(front, body);
      CHECK(got.status() == r.status);
      CHECK_THAT(got.body, Catch::Contains(r.type));
      CHECK_FALSE(got.field("Retry-After").empty());
      CHECK(got.field("Location").empty());
      CHECK(books_become(front, 0));
      CHECK(eventually([&] { return spool_files(front) == 0; }));
      post_async(front, body);   // the next is taken
      CHECK(books_become(front, 1));
    }
  }
}

TEST_CASE("a body that cannot be written to its file is a 503, and the connection goes on") {
  front_kit front(with_files());
  std::filesystem::remove_all(front.state_path("spool"));
  wire client = front.connect();
  client.say(post("/load", std::string(500'000, 'r'), respond_async));
  const http_message got = client.read();
  CHECK(got.status() == 503);
  CHECK_THAT(got.body, Catch::Contains("store-failed"));
  CHECK_FALSE(got.field("Retry-After").empty());
  client.say(post("/load", "short", respond_async));
  CHECK(client.read().status() == 202);
  CHECK(books_become(front, 1));
}

TEST_CASE("a client that leaves within its body has asked for nothing") {
  front_kit front(with_files());
  {
    wire client = front.connect();
    client.say("POST /load HTTP/1.1\r\nHost: h\r\nPrefer: respond-async\r\n"
               "Content-Length: 1000000\r\n\r\n" + std::string(400'000, 'r'));
    REQUIRE(eventually([&] { return spool_files(front) == 1; }));
    client.reset();
  }
  CHECK(eventually([&] { return spool_files(front) == 0; }));
  CHECK(books_become(front, 0));
  CHECK(front.store().calls(store_call::add) == 0);
}

TEST_CASE("a chunked body that is broken, or too large, is refused and leaves nothing") {
  wishes w = with_files();
  w.route = [](config::route& r) { r.body_max = 1000; };
  front_kit front(w);
  const std::string large(600, 'r');
  const std::pair<std::string, unsigned> rows[] = {
      {chunked("5\r\nhello\r\nZ\r\n"), 400},
      {chunked("258\r\n" + large + "\r\n258\r\n" + large + "\r\n0\r\n\r\n"), 413},
  };
  for (const auto& [request, status] : rows) {
    CHECK(front.ask(request).status() == status);
    CHECK(eventually([&] { return spool_files(front) == 0; }));
    CHECK(books_become(front, 0));
  }
  CHECK(front.store().calls(store_call::add) == 0);
}

TEST_CASE("a pool's limits on disk refuse with 429 before a body is read, or after a chunked one") {
  wishes w = with_files();
  const bool by_bytes = GENERATE(false, true);
  w.pool = [=](core::pool_settings& s) {
    by_bytes ? s.durable.bytes_max = 1500 : s.durable.batches_max = 1;
  };
  front_kit front(w);
  post_async(front, std::string(1000, 'r'));
  const char* limit = by_bytes ? "max_bytes" : "max_batches";
  wire client = front.connect();
  client.say("POST /load HTTP/1.1\r\nHost: h\r\nPrefer: respond-async\r\n"
             "Content-Length: 1000\r\n\r\n");   // its body is not sent
  http_message got = client.read();
  CHECK(got.status() == 429);
  CHECK_THAT(got.body, Catch::Contains(limit));
  CHECK_FALSE(got.field("Retry-After").empty());
  got = front.ask(chunked("3e8\r\n" + std::string(1000, 'r') + "\r\n0\r\n\r\n"));
  CHECK(got.status() == 429);
  CHECK(eventually([&] { return spool_files(front) == 1; }));   // of the first
  CHECK(books_become(front, 1));
}

TEST_CASE("a key that comes again gets the first batch's address, and its body is not kept") {
  front_kit front(with_files());
  const std::string body(1000, 'r'), key = "Idempotency-Key: \"k1\"\r\n";
  const auto first = post_async(front, body, key);
  CHECK(post_async(front, body, key) == first);
  CHECK(eventually([&] { return spool_files(front) == 1; }));
  CHECK(books_become(front, 1));
  const http_message other = ask_async(front, "other rows", key);
  CHECK(other.status() == 422);
  CHECK(eventually([&] { return spool_files(front) == 1; }));
  CHECK(books_become(front, 1));
  fake_worker worker(answering(echo));
  front.add("w1", worker);
  CHECK(becomes(front, first, batch_state::succeeded));
  CHECK(post_async(front, body, key) == first);   // when it has ended, too
  CHECK(books_become(front, 0));
}

TEST_CASE("an answer that came within wait has each of its fields once") {
  fake_worker worker(answering([](const http_message&) {
    return response(201, "loaded", "X-Rows: 7\r\n");
  }));
  front_kit front(durable());
  front.add("w1", worker);
  const http_message got =
      front.ask(post("/load", "rows", "Prefer: respond-async, wait=60\r\n"));
  CHECK(got.status() == 201);
  CHECK(got.body == "loaded");
  CHECK(got.field("X-Rows") == "7");
  CHECK(got.field("Preference-Applied") == "respond-async");
  REQUIRE(id_in(got));
  for (const char* name : {"Weir-Batch-Id:", "Location:", "Content-Length:", "Date:"}) {
    INFO(name << " in " << got.head);
    const std::size_t at = got.head.find(name);
    REQUIRE(at != std::string::npos);
    CHECK(got.head.find(name, at + 1) == std::string::npos);
  }
}

TEST_CASE("a batch that is cancelled while its client waits ends that wait") {
  front_kit front(durable());
  wire client = front.connect();
  client.say(post("/load", "rows", "Prefer: respond-async, wait=3600\r\n"
                                   "Idempotency-Key: k\r\n"));
  REQUIRE(eventually([&] { return front.store().calls(store_call::add) == 1; }));
  const auto id = post_async(front, "rows", "Idempotency-Key: k\r\n");   // to learn its address
  const auto hex = store::hex_of(id);
  const std::string at = "/_weir/batches/" + std::string(hex.data(), hex.size());
  CHECK(front.ask("DELETE " + at + " HTTP/1.1\r\nHost: a\r\n\r\n").status() == 200);
  const http_message got = client.read();
  CHECK(got.status() == 502);
  CHECK_THAT(got.body, Catch::Contains(at));
  CHECK(books_become(front, 0));
}

TEST_CASE("a client that waits for an answer that the store cannot read now is sent to fetch it") {
  fake_worker worker(answering(echo));
  front_kit front(durable());
  front.add("w1", worker);
  front.store().fail(store_call::response_of, trouble::io);
  const http_message got =
      front.ask(post("/load", "rows", "Prefer: respond-async, wait=60\r\n"));
  CHECK(got.status() == 202);
  const auto id = id_in(got);
  REQUIRE(id);
  CHECK(result_of(front, *id).body == "POST /load HTTP/1.1\nrows");
}

TEST_CASE("a shutdown while clients wait leaves their batches in the store") {
  front_kit front(durable());
  wire client = front.connect();
  client.say(post("/load", "rows", "Prefer: respond-async, wait=3600\r\n"));
  REQUIRE(eventually([&] { return front.store().calls(store_call::add) == 1; }));
  front.end();
  store::store_counts all{};
  const auto counted = store::test::answer<store::store_counts>(
      [&](auto told) { front.store().count(told); });
  REQUIRE(counted.has_value());
  all = *counted;
  CHECK(all.queued == 1);
  client.read();
  CHECK(client.closed());
}

TEST_CASE("a deadline that passes while a batch waits makes a dead letter of it") {
  front_kit front(durable());
  const auto id = post_async(front, "rows", "Weir-Deadline: 3600\r\n");
  front.gate->expire(net::loop::read_clock() + std::chrono::hours(2));
  CHECK(becomes(front, id, batch_state::failed));
  const auto notes = history(front, id);
  REQUIRE(notes.size() == 1);
  CHECK(notes[0].outcome == "deadline");
}
