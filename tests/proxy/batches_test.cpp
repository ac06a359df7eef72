// The addresses of durable batches when the store fails or an address is hostile: a batch that is
// there is never said to be unknown, and one that is another's is.
#include <catch2/catch.hpp>
#include <boost/json.hpp>

#include "durable_kit.hpp"

namespace {

using namespace weir;
using namespace weir::test;
using store::batch_state;
using store::trouble;

std::string address(const store::batch_id& id) {
  const auto hex = store::hex_of(id);
  return "/_weir/batches/" + std::string(hex.data(), hex.size());
}

std::string remove(const std::string& at, const std::string& fields = {}) {
  return "DELETE " + at + " HTTP/1.1\r\nHost: a\r\n" + fields + "\r\n";
}

}  // namespace

TEST_CASE("what the store cannot do now is a 503 or 507 with Retry-After, and no unknown batch") {
  struct row {
    store_call call;
    trouble what;
    std::string request;
    unsigned status;
  };
  fake_worker worker(answering(echo));
  front_kit front(durable());
  const auto waiting = post_async(front);
  front.add("w1", worker);
  const auto done = post_async(front);
  REQUIRE(becomes(front, done, batch_state::succeeded));
  const std::string at = address(done), open = address(waiting);
  const row rows[] = {
      {store_call::find, trouble::io, get(at), 503},
      {store_call::find, trouble::full, get(at), 507},
      {store_call::find, trouble::closed, get(at), 503},
      {store_call::find, trouble::not_found, get(at), 404},
      {store_call::find, trouble::damaged, get(at), 404},
      {store_call::find, trouble::io, get(at + "/result"), 503},
      {store_call::find, trouble::io, remove(at), 503},
      {store_call::response_of, trouble::io, get(at + "/result"), 503},
      {store_call::response_of, trouble::not_found, get(at + "/result"), 410},
      {store_call::response_of, trouble::damaged, get(at + "/result"), 410},
      {store_call::cancel, trouble::io, remove(at), 503},
      {store_call::cancel, trouble::full, remove(at), 507},
      {store_call::cancel, trouble::not_found, remove(at), 404},
      {store_call::cancel, trouble::conflict, remove(at), 409},
      {store_call::attempts_of, trouble::io, get(at), 200},   // all but its history
  };
  for (const row& r : rows) {
    INFO(r.request << static_cast<int>(r.call) << " " << static_cast<int>(r.what));
    front.store().fail(r.call, r.what);
    wire client = front.connect();
    client.say(r.request);
    const http_message got = client.read();
    CHECK(got.status() == r.status);
    CHECK(got.field("Retry-After").empty() == (r.status < 500));
    client.say(get(at));   // the connection goes on
    CHECK(client.read().status() == 200);
  }
}

TEST_CASE("a running batch shows its attempt, and its result is not there yet") {
  front_kit front(durable());
  fake_worker silent([](wire& w) {
    w.read();
    w.read();
  });
  front.add("w1", silent);
  const auto id = post_async(front, "rows");
  REQUIRE(becomes(front, id, batch_state::running));
  const http_message got = front.ask(get(address(id)));
  CHECK(got.field("Content-Type") == "application/json");
  CHECK(got.field("Cache-Control") == "no-store");
  const auto o = boost::json::parse(got.body).as_object();
  CHECK(o.at("state") == "running");
  CHECK(o.at("attempts") == 1);
  CHECK_FALSE(o.contains("position"));
  REQUIRE(o.at("history").as_array().size() == 1);
  CHECK_FALSE(o.at("history").as_array()[0].as_object().contains("outcome"));
  const http_message result = front.ask(get(address(id) + "/result"));
  CHECK(result.status() == 409);
  CHECK_FALSE(result.field("Retry-After").empty());
}

TEST_CASE("HEAD is answered as GET without a body, and the next answer is in its place") {
  const bool in_file = GENERATE(false, true);
  const std::string body(in_file ? 300'000 : 9, 'a');
  fake_worker worker(answering([&](const http_message&) { return response(200, body); }));
  front_kit front(with_files());
  front.add("w1", worker);
  const auto id = post_async(front, "rows");
  REQUIRE(becomes(front, id, batch_state::succeeded));
  for (const char* suffix : {"", "/result"}) {
    INFO(suffix);
    wire client = front.connect();
    const std::string at = address(id) + suffix;
    client.say("HEAD " + at + " HTTP/1.1\r\nHost: a\r\n\r\n" + get(at));
    const http_message head = client.read(true);
    CHECK(head.status() == 200);
    const http_message full = client.read();
    CHECK(full.status() == 200);
    CHECK(full.whole);
    CHECK(head.field("Content-Length") == std::to_string(full.body.size()));
    if (*suffix) CHECK((full.body == body));
  }
}

TEST_CASE("a result whose file is gone or short is said to be gone, not cut off") {
  fake_worker worker(answering([&](const http_message&) {
    return response(200, std::string(300'000, 'a'));
  }));
  front_kit front(with_files());
  front.add("w1", worker);
  const auto id = post_async(front, "rows");
  REQUIRE(becomes(front, id, batch_state::succeeded));
  std::filesystem::remove_all(front.state_path("spool"));
  wire client = front.connect();
  client.say(get(address(id) + "/result"));
  CHECK(client.read().status() == 410);
  client.say(get(address(id)));
  CHECK(client.read().status() == 200);
}

TEST_CASE("a batch is its tenant's alone, by the field of its own route") {
  wishes w = durable();
  w.route = [](config::route& r) { r.tenant_header = "X-Tenant"; };
  front_kit front(w);
  const auto id = post_async(front, "rows", "X-Tenant: a\r\n");
  const auto anonymous = post_async(front);
  for (const char* fields : {"", "X-Tenant: b\r\n", "X-Tenant: A\r\n", "X-Tenant: a b\r\n",
                             "X-Tenant-Id: a\r\n"}) {
    INFO(fields);
    CHECK(front.ask(get(address(id), fields)).status() == 404);
    CHECK(front.ask(get(address(id) + "/result", fields)).status() == 404);
    CHECK(front.ask(remove(address(id), fields)).status() == 404);
  }
  CHECK(front.ask(get(address(id), "X-Tenant: a\r\n")).status() == 200);
  CHECK(front.ask(get(address(anonymous), "X-Tenant: a\r\n")).status() == 404);
  CHECK(front.ask(get(address(anonymous))).status() == 200);
  CHECK(state_of(front, id) == batch_state::queued);
}

TEST_CASE("addresses that are none are 404, whatever they look like") {
  front_kit front(durable());
  const std::string at = address(post_async(front));
  const std::string upper = "/_weir/batches/" + std::string(32, 'A');
  for (const std::string& bad :
       {std::string("/_weir/"), std::string("/_weir/batches"), upper, at + "/", at + "/result/",
        at + "/result/result", at + "0", at.substr(0, at.size() - 1), "/_weir/batches//" + at,
        std::string("/_weir/batches/result"), std::string("/_weir/batches/%30") + at.substr(16),
        std::string("/_weir/../load")}) {
    INFO(bad);
    const unsigned status = front.ask(get(bad)).status();
    CHECK((status == 404 || status == 400));
  }
  CHECK(front.ask(get(at + "?a=1")).status() == 200);
  CHECK(front.ask(post(at, "body")).status() == 405);
  CHECK(front.ask(remove(at + "/result")).status() == 405);
}

TEST_CASE("without a store there are no batches, and Prefer is not honoured") {
  front_kit front;
  fake_worker worker(answering(echo));
  front.add("w1", worker);
  CHECK(front.ask(get("/_weir/batches/" + std::string(32, '0'))).status() == 404);
  const http_message got = front.ask(post("/load", "rows", respond_async));
  CHECK(got.status() == 200);
  CHECK(got.field("Preference-Applied").empty());
}
