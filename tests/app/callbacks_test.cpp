// Callbacks between a store in memory and a receiver on this machine; the clock is the test's.
#include "app/callbacks.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <future>
#include <set>

#include "net/loopback_server.hpp"
#include "net/resolve.hpp"
#include "scale/standard_webhooks.hpp"
#include "store/local_engine.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using test::loopback_server;
using test::response;
using test::seen_request;

constexpr store::unix_ms start = 1'769'903'999'250;
constexpr store::unix_ms hour = 3'600'000;

struct bench {
  bench() {
    store::local_settings s;
    s.now = start;
    engine = std::move(*store::local_engine::open(s));
  }
  ~bench() {
    mail.reset();
    engine.reset();
  }

  template <class T, class Ask>
  store::outcome<T> ask(Ask what) {
    const auto answer = std::make_shared<std::promise<store::outcome<T>>>();
    what([answer](store::outcome<T> got) { answer->set_value(std::move(got)); });
    return answer->get_future().get();
  }
  // A batch that was given up and has a callback; its id.
  store::batch_id ended(const std::string& url, unsigned char number,
                        const char* route = "orders") {
    store::batch b;
    b.id.fill(number);
    b.pool = "loaders", b.route = route, b.method = "POST", b.target = "/", b.callback = url;
    b.created = b.changed = start;
    REQUIRE(ask<store::added>([&](auto told) { engine->add(b, {}, told); }).has_value());
    REQUIRE(ask<void>([&](auto told) {
              engine->give_up(b.id, "x", "y", start, true, told);
            }).has_value());
    return b.id;
  }
  void make(std::vector<std::string> allow, const std::string& secret = "secret") {
    app::callback_services s{.tools = {io, names, nullptr}, .engine = *engine,
                             .metrics = metrics, .shard = 0, .clock = [this] { return now; }};
    s.backoff = {1ms, 4ms, 1h};
    mail = std::make_unique<app::callbacks>(std::move(s));
    allow_only(std::move(allow), secret);
  }
  void allow_only(std::vector<std::string> allow, const std::string& secret = "secret") {
    config::settings all;
    config::route r;
    r.name = "orders";
    r.callback.allow = std::move(allow);
    r.callback.secret = secret;
    all.routes = {r};
    mail->configure(all);
  }
  double count(app::callback_outcome what) {
    const std::string wanted = "weir_callbacks_total{outcome=\"" + std::string(name(what)) +
                               "\",route=\"orders\"} ";
    const std::string text = metrics.text();
    const auto at = text.find(wanted);
    return at == text.npos ? -1 : std::stod(text.substr(at + wanted.size()));
  }
  std::size_t left() {
    return ask<store::message_page>([&](auto told) { engine->messages("callback/", told); })
        ->list.size();
  }
  bool until(const std::function<bool()>& holds) { return test::run_until(io, holds); }
  // Moves the clock as it waits: every wait is over at the next turn.
  bool until_later(const std::function<bool()>& holds) {
    return until([&] {
      now += 5;
      mail->look();
      return holds();
    });
  }

  boost::asio::io_context io;
  // Every name leads to the metadata service.
  net::resolver names{io, [](const std::string&, net::resolver::answered tell) {
    tell(net::addresses{*base::parse_ip("169.254.169.254")});
  }};
  telemetry::registry metrics{1};
  std::unique_ptr<store::local_engine> engine;
  store::unix_ms now = start;
  std::unique_ptr<app::callbacks> mail;
};

std::string origin(const loopback_server& s) {
  return "http://127.0.0.1:" + std::to_string(s.port());
}
using outcome = app::callback_outcome;

}  // namespace

TEST_CASE("what the store kept is told once, signed, and forgotten") {
  bench b;
  loopback_server peer(b.io, [](const seen_request&) { return response(204); });
  const auto id = b.ended(origin(peer) + "/a?b=c", 0xab);
  b.make({origin(peer)});
  REQUIRE(b.until([&] { return b.count(outcome::delivered) == 1 && b.left() == 0; }));
  REQUIRE(peer.seen().size() == 1);
  CHECK(peer.seen()[0].target == "/a?b=c");
  CHECK(test::verified(peer.seen()[0], "secret"));
  const auto data = boost::json::parse(peer.seen()[0].body).at("data");
  CHECK(data.at("id") == "abababababababababababababababab");
  CHECK(data.at("state") == "failed");
  CHECK(data.at("status").is_null());
  CHECK(id[0] == 0xab);
}

TEST_CASE("many are delivered, each once, with few connections at once") {
  bench b;
  loopback_server peer(b.io, [](const seen_request&) { return response(204); });
  for (unsigned char n = 1; n <= 200; ++n) b.ended(origin(peer) + "/", n);
  b.make({origin(peer)});
  REQUIRE(b.until([&] { return b.count(outcome::delivered) == 200; }));
  REQUIRE(b.until([&] { return b.left() == 0; }));
  std::set<std::string> ids;
  for (const seen_request& r : peer.seen()) ids.insert(r.fields.at("webhook-id"));
  CHECK((ids.size() == 200 && peer.seen().size() == 200));
}

TEST_CASE("what fails is tried again under its id until it is taken") {
  bench b;
  int refusals = 3;
  loopback_server peer(
      b.io, [&](const seen_request&) { return response(refusals-- > 0 ? 500 : 200); });
  b.ended(origin(peer) + "/", 1);
  b.make({origin(peer)});
  REQUIRE(b.until_later([&] { return b.count(outcome::delivered) == 1; }));
  CHECK(b.count(outcome::failed) == 3);
  REQUIRE(peer.seen().size() == 4);
  for (const seen_request& r : peer.seen())
    CHECK(r.fields.at("webhook-id") == peer.seen()[0].fields.at("webhook-id"));
}

TEST_CASE("a new process goes on with what the old one did not get delivered") {
  bench b;
  loopback_server peer(
      b.io, [](const seen_request&) { return response(204); }, nullptr, test::listening::later);
  b.ended(origin(peer) + "/", 1);
  b.make({origin(peer)});
  REQUIRE(b.until([&] { return b.count(outcome::failed) == 1; }));
  b.mail.reset();
  peer.listen();
  b.now += 60'000;
  b.make({origin(peer)});
  REQUIRE(b.until([&] { return b.count(outcome::delivered) == 1 && b.left() == 0; }));
}

TEST_CASE("410, an origin that is allowed no more and the end of a day end it without delivery") {
  struct row {
    unsigned status;
    bool allowed;
    store::unix_ms after;
    outcome how;
  };
  for (const row& r : {row{410, true, 0, outcome::gone}, row{200, false, 0, outcome::refused},
                       row{500, true, 25 * hour, outcome::expired}}) {
    bench b;
    loopback_server peer(b.io, [&](const seen_request&) { return response(r.status); });
    b.ended(origin(peer) + "/", 1);
    b.now += r.after;
    b.make({r.allowed ? origin(peer) : "https://other.example"});
    REQUIRE(b.until([&] { return b.count(r.how) == 1 && b.left() == 0; }));
    CHECK(b.count(outcome::delivered) == 0);
    CHECK(peer.seen().size() == (r.allowed ? 1 : 0));
  }
}

TEST_CASE("a route that is gone tells nobody") {
  bench b;
  loopback_server peer(b.io, [](const seen_request&) { return response(204); });
  b.ended(origin(peer) + "/", 1, "another");
  b.make({origin(peer)});
  REQUIRE(b.until([&] { return b.left() == 0; }));
  CHECK(peer.seen().empty());
}

TEST_CASE("a batch that waits again, and one that is gone, are not told of") {
  for (const bool gone : {false, true}) {
    bench b;
    loopback_server peer(b.io, [](const seen_request&) { return response(204); });
    const auto id = b.ended(origin(peer) + "/", 1);
    if (gone) b.engine->drop(id, [](const store::outcome<void>&) {});
    else b.engine->requeue(id, start, [](const store::outcome<store::batch>&) {});
    b.make({origin(peer)});
    REQUIRE(b.until([&] { return b.left() == 0; }));
    CHECK(peer.seen().empty());
  }
}

TEST_CASE("a message that is no callback's is dropped") {
  bench b;
  REQUIRE(b.ask<void>([&](auto told) {
    b.engine->keep_message({"callback/none", "", start}, told);
  }).has_value());
  b.make({"http://127.0.0.1:1"});
  REQUIRE(b.until([&] { return b.left() == 0; }));
}

TEST_CASE("addresses of metadata services are not called, whatever name leads there") {
  bench b;
  b.ended("http://metadata.example/", 1);
  b.ended("http://[fe80::1]/", 2);
  b.make({"http://metadata.example", "http://[fe80::1]"});
  REQUIRE(b.until([&] { return b.count(outcome::failed) == 2; }));
  CHECK(b.left() == 2);
}

TEST_CASE("what the worker answered is told too") {
  bench b;
  loopback_server peer(b.io, [](const seen_request&) { return response(204); });
  store::batch one;
  one.id.fill(9);
  one.pool = "loaders", one.route = "orders", one.callback = origin(peer) + "/";
  one.created = one.changed = start;
  REQUIRE(b.ask<store::added>([&](auto told) { b.engine->add(one, {}, told); }).has_value());
  const auto opened = b.ask<store::opened_attempt>(
      [&](auto told) { b.engine->open_attempt(one.id, "w1", start, told); });
  REQUIRE(opened.has_value());
  store::finished_attempt how;
  how.id = one.id;
  how.note = {opened->number, "w1", start, start + 5, "succeeded", ""};
  how.next = store::batch_state::succeeded;
  how.answer = store::response{207, "w1", "", {}};
  how.tells = true;
  b.make({origin(peer)});
  REQUIRE(b.ask<void>([&](auto told) { b.engine->end_attempt(how, told); }).has_value());
  REQUIRE(b.until_later([&] { return b.count(outcome::delivered) == 1; }));
  const auto data = boost::json::parse(peer.seen().at(0).body).at("data");
  CHECK((data.at("status") == 207 && data.at("state") == "succeeded" && data.at("attempts") == 1));
}
