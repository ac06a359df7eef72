#include "scale/courier.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <map>
#include <set>
#include <tuple>

#include "scale/record.hpp"
#include "scale/scale_bench.hpp"
#include "scale/standard_webhooks.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using core::scale_decision;
using scale::courier;
using scale::hook_outcome;
using scale::hook_report;
using test::loopback_server;
using test::response;
using test::run_until;
using test::seen_request;
using test::shell;
using test::webhook_to;
using direction = scale_decision::direction;

scale_decision decision(std::uint64_t sequence, direction way = direction::out,
                        std::vector<std::string> remove = {}) {
  scale_decision d;
  d.sequence = sequence;
  d.way = way;
  d.desired = static_cast<std::uint32_t>(sequence);
  d.remove = std::move(remove);
  return d;
}

boost::json::value data(const seen_request& r) {
  return boost::json::parse(r.body).at("data");
}
std::int64_t sequence(const seen_request& r) {
  return data(r).at("sequence").as_int64();
}

struct bench : test::hook_bench {
  courier& make(std::vector<config::hook> hooks) {
    scale::courier_options o;
    o.pool = "loaders";
    o.backoff = {1ms, 4ms, 1h};
    o.claim_removal = claim;
    o.kept = std::move(from_before);
    o.keep = [this](const std::string& key, const scale::message* m) {
      ++writes;
      if (m) kept[key] = *m;
      else CHECK(kept.erase(key) == 1);
    };
    o.report = [this](const hook_report& r) {
      ++count[{r.what, r.way}];
      log.push_back(std::string(name(r.what)) + " " + std::to_string(r.sequence) +
                    (r.stopped ? " stopped" : ""));
      details.emplace_back(r.detail);
      if (then) then();
    };
    mail = std::make_unique<courier>(tools, std::move(o), std::move(hooks));
    return *mail;
  }
  unsigned of(hook_outcome what, direction way = direction::out) { return count[{what, way}]; }
  bool until(const std::function<bool()>& holds) { return run_until(context, holds); }

  std::function<std::vector<std::string>(std::span<const std::string>)> claim;
  std::map<std::pair<hook_outcome, direction>, unsigned> count;
  std::vector<std::string> log, details;
  std::map<std::string, scale::message> from_before, kept;
  unsigned writes = 0;
  std::function<void()> then;
  std::unique_ptr<courier> mail;
};

}  // namespace

TEST_CASE("a decision is posted once to each hook, signed, and counted as delivered") {
  bench b;
  loopback_server one(b.context, [](const seen_request&) { return response(204); });
  loopback_server two(b.context, [](const seen_request&) { return response(200, "ok"); });
  courier& mail = b.make({webhook_to(one, "secret one"), webhook_to(two)});
  mail.submit(decision(7), 1769903999250);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 2; }));
  CHECK(mail.undelivered() == 0);
  REQUIRE(one.seen().size() == 1);
  CHECK(test::verified(one.seen()[0], "secret one"));
  CHECK(two.seen().at(0).fields.count("webhook-signature") == 0);
  CHECK(one.seen()[0].body == two.seen()[0].body);
  CHECK(boost::json::parse(one.seen()[0].body).at("timestamp") == "2026-01-31T23:59:59.250Z");
  CHECK(data(one.seen()[0]).at("pool") == "loaders");
  CHECK(sequence(one.seen()[0]) == 7);
}

TEST_CASE("a receiver that is down, then up, gets exactly one decision: the newest") {
  bench b;
  loopback_server receiver(
      b.context, [](const seen_request&) { return response(200); }, nullptr,
      test::listening::later);
  courier& mail = b.make({webhook_to(receiver)});
  for (std::uint64_t n = 1; n <= 5; ++n) {
    mail.submit(decision(n), 0);
    const unsigned failed = b.of(hook_outcome::failed);
    REQUIRE(b.until([&] { return b.of(hook_outcome::failed) >= failed + 2; }));
  }
  CHECK(mail.undelivered() == 1);
  receiver.listen();
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 1; }));
  b.context.poll();
  REQUIRE(receiver.seen().size() == 1);
  CHECK(sequence(receiver.seen()[0]) == 5);
  CHECK(b.of(hook_outcome::superseded) == 4);
  CHECK(b.log.back() == "delivered 5");
  CHECK(b.details.front().find("Connection refused") != std::string::npos);
  CHECK(mail.undelivered() == 0);
}

TEST_CASE("retries repeat the same message under the same id, each with a signature of its own") {
  bench b;
  int refusals = 3;
  loopback_server receiver(
      b.context, [&](const seen_request&) { return response(refusals-- > 0 ? 500 : 200); });
  b.make({webhook_to(receiver, "secret")}).submit(decision(1), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 1; }));
  CHECK(b.of(hook_outcome::failed) == 3);
  REQUIRE(receiver.seen().size() == 4);
  for (const seen_request& r : receiver.seen()) {
    CHECK(test::verified(r, "secret"));
    CHECK(r.body == receiver.seen()[0].body);
    CHECK(r.fields.at("webhook-id") == receiver.seen()[0].fields.at("webhook-id"));
  }
}

TEST_CASE("every decision has an id of its own, a resent one too") {
  bench b;
  loopback_server receiver(b.context, [](const seen_request&) { return response(200); });
  courier& mail = b.make({webhook_to(receiver)});
  std::set<std::string> ids;
  for (std::uint64_t n = 1; n <= 3; ++n) {
    auto d = decision(n);
    d.resent = n > 1;
    mail.submit(d, 0);
    REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == n; }));
    ids.insert(receiver.seen().back().fields.at("webhook-id"));
  }
  CHECK(ids.size() == 3);
}

TEST_CASE("names are claimed before a byte of them leaves, and what was taken back is not sent") {
  bench b;
  int claims = 0;
  bool early = false;
  std::vector<std::string> claimed;
  b.claim = [&](std::span<const std::string> names) {
    ++claims;
    claimed.assign(names.begin(), names.end());
    return std::vector<std::string>{"w1", "w3"};
  };
  int refusals = 2;
  const auto answer = [&](const seen_request&) {
    early = early || claims == 0;
    return response(refusals-- > 0 ? 503 : 200);
  };
  loopback_server one(b.context, answer), two(b.context, answer);
  courier& mail = b.make({webhook_to(one), webhook_to(two)});
  mail.submit(decision(1, direction::in, {"w1", "w2", "w3"}), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered, direction::in) == 2; }));
  CHECK(claims == 1);  // once for all hooks and retries
  CHECK(!early);
  CHECK(claimed == std::vector<std::string>{"w1", "w2", "w3"});
  for (const auto& r : one.seen()) CHECK(data(r).at("remove") == boost::json::value({"w1", "w3"}));
  CHECK(data(two.seen().at(0)).at("remove") == boost::json::value({"w1", "w3"}));
}

TEST_CASE("a decision whose workers were all taken back is sent to nobody") {
  bench b;
  int claims = 0;
  b.claim = [&](std::span<const std::string>) {
    ++claims;
    return std::vector<std::string>();
  };
  loopback_server one(b.context, [](const seen_request&) { return response(200); });
  loopback_server two(b.context, [](const seen_request&) { return response(200); });
  courier& mail = b.make({webhook_to(one), webhook_to(two)});
  mail.submit(decision(1, direction::in, {"w1"}), 0);
  CHECK(b.of(hook_outcome::superseded, direction::in) == 2);
  CHECK(b.details.back() == "its workers were taken back");
  CHECK(claims == 1);
  CHECK(mail.undelivered() == 0);
  mail.submit(decision(2), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 2; }));
  CHECK(one.seen().size() == 1);
  CHECK(sequence(two.seen().at(0)) == 2);
}

TEST_CASE("names of a decision that was superseded before it was begun are never claimed") {
  bench b;
  std::vector<std::string> claimed;
  b.claim = [&](std::span<const std::string> names) {
    claimed.insert(claimed.end(), names.begin(), names.end());
    return std::vector<std::string>(names.begin(), names.end());
  };
  loopback_server silent(b.context, [](const seen_request& r) {
    return sequence(r) == 1 ? std::optional<std::string>() : response(200);
  });
  auto hook = webhook_to(silent);
  hook.webhook->timeout = 100ms;
  courier& mail = b.make({hook});
  mail.submit(decision(1), 0);
  REQUIRE(b.until([&] { return silent.seen().size() == 1; }));
  mail.submit(decision(2, direction::in, {"w1"}), 0);
  mail.submit(decision(3), 0);
  CHECK(b.of(hook_outcome::superseded, direction::in) == 1);
  CHECK(mail.undelivered() == 2);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 1; }));
  CHECK(b.log ==
        std::vector<std::string>{"superseded 2", "failed 1", "superseded 1", "delivered 3"});
  CHECK(claimed.empty());
}

TEST_CASE("hooks fail and succeed independently of each other") {
  bench b;
  loopback_server bad(b.context, [](const seen_request&) { return response(500); });
  loopback_server good(b.context, [](const seen_request&) { return response(200); });
  courier& mail = b.make({webhook_to(bad), webhook_to(good), shell("exit 0")});
  for (std::uint64_t n = 1; n <= 3; ++n) {
    mail.submit(decision(n), 0);
    REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 2 * n; }));
  }
  CHECK(good.seen().size() == 3);
  CHECK(mail.undelivered() == 1);
}

TEST_CASE("a program is a hook like any other: tried again until it succeeds") {
  bench b;
  const std::string mark = "/tmp/weir-courier-test-" + std::to_string(::getpid());
  courier& mail = b.make(
      {shell("test -e " + mark + " && rm " + mark + " && exit 0; : > " + mark + "; exit 1")});
  mail.submit(decision(1), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 1; }));
  CHECK(b.log == std::vector<std::string>{"failed 1", "delivered 1"});
}

TEST_CASE("410 stops a hook until the next reload, and only that one") {
  bench b;
  unsigned status = 410;
  loopback_server receiver(b.context, [&](const seen_request&) { return response(status); });
  loopback_server other(b.context, [](const seen_request&) { return response(200); });
  courier& mail = b.make({webhook_to(receiver), webhook_to(other)});
  mail.submit(decision(1), 0);
  REQUIRE(b.until([&] { return b.log.size() == 2; }));
  CHECK(std::count(b.log.begin(), b.log.end(), "failed 1 stopped") == 1);
  mail.submit(decision(2), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 2; }));
  CHECK(receiver.seen().size() == 1);
  status = 200;
  mail.configure({webhook_to(receiver), webhook_to(other)}, b.tools.tls);
  mail.submit(decision(3), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 4; }));
  CHECK(receiver.seen().size() == 2);
}

TEST_CASE("a reload keeps what an unchanged hook still has to tell") {
  bench b;
  loopback_server receiver(
      b.context, [](const seen_request&) { return response(200); }, nullptr,
      test::listening::later);
  loopback_server added(b.context, [](const seen_request&) { return response(200); });
  courier& mail = b.make({webhook_to(receiver)});
  mail.submit(decision(1), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::failed) == 2; }));
  mail.configure({webhook_to(added), webhook_to(receiver)}, b.tools.tls);
  CHECK(mail.undelivered() == 1);
  receiver.listen();
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 1; }));
  CHECK(added.seen().empty());  // told with the next decision, resent ones included
  mail.submit(decision(2), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 3; }));
  CHECK(added.seen().size() == 1);
}

TEST_CASE("a removed hook ends the attempt under way and begins no other") {
  bench b;
  loopback_server bad(b.context, [](const seen_request&) { return response(500); });
  courier& mail = b.make({webhook_to(bad)});
  SECTION("while it is being called") {
    mail.submit(decision(1), 0);
    mail.configure({}, b.tools.tls);
    REQUIRE(b.until([&] { return b.of(hook_outcome::failed) == 1; }));
  }
  SECTION("while it backs off") {
    mail.submit(decision(1), 0);
    REQUIRE(b.until([&] { return b.of(hook_outcome::failed) == 1; }));
    mail.configure({}, b.tools.tls);
  }
  const auto tries = bad.seen().size();
  mail.submit(decision(2), 0);
  b.context.restart();
  b.context.run_for(30ms);  // many times the longest pause of this courier
  CHECK(bad.seen().size() == tries);
  CHECK(mail.undelivered() == 0);
}

TEST_CASE("the same hook twice is called twice") {
  bench b;
  loopback_server receiver(b.context, [](const seen_request&) { return response(200); });
  courier& mail = b.make({webhook_to(receiver), webhook_to(receiver)});
  mail.configure({webhook_to(receiver), webhook_to(receiver)}, b.tools.tls);
  mail.submit(decision(1), 0);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 2; }));
  CHECK(receiver.seen().size() == 2);
}

TEST_CASE("a courier that goes is silent, whatever was under way") {
  bench b;
  loopback_server silent(b.context, [](const seen_request&) { return std::nullopt; });
  courier& mail = b.make({webhook_to(silent), shell("tail -f /dev/null"), shell("exit 1")});
  mail.submit(decision(1), 0);
  mail.test(decision(1), 0, [](const auto&) { FAIL("told after the courier went"); });
  SECTION("by its owner") {
    REQUIRE(b.until([&] { return silent.seen().size() == 2; }));
    b.mail.reset();
  }
  SECTION("from within its own report") {
    b.then = [&] { b.mail.reset(); };
    REQUIRE(b.until([&] { return !b.mail; }));
  }
  const auto told = b.log.size();
  b.context.restart();
  b.context.run_for(30ms);
  CHECK(b.log.size() == told);
}

TEST_CASE("what a hook was not told yet is kept, the newest in place of the others") {
  bench b;
  loopback_server up(b.context, [](const seen_request&) { return response(200); });
  loopback_server down(
      b.context, [](const seen_request&) { return response(200); }, nullptr,
      test::listening::later);
  const std::vector<config::hook> hooks{webhook_to(up), webhook_to(down)};
  courier& mail = b.make(hooks);
  mail.submit(decision(1), 5);
  CHECK(b.kept.size() == 2);   // before anything was sent
  const std::string key = scale::hook_key(hooks, 1);
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 1; }));
  REQUIRE(b.kept.size() == 1);
  CHECK(b.kept.at(key).decision.sequence == 1);
  CHECK(b.kept.at(key).decided_unix_ms == 5);
  const std::string id = b.kept.at(key).id;
  mail.submit(decision(2), 6);
  CHECK(b.kept.at(key).decision.sequence == 2);
  CHECK(b.kept.at(key).id != id);
  down.listen();
  REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 3 && b.kept.empty(); }));
  CHECK(b.writes == 7);   // retries write nothing
}

TEST_CASE("what was kept is sent on as it was, unless something newer comes") {
  for (const bool newer : {false, true}) {
    bench b;
    loopback_server peer(
        b.context, [](const seen_request&) { return response(200); }, nullptr,
        newer ? test::listening::later : test::listening::at_once);
    scale::message m{"msg_before", decision(41), 7, "{\"data\":{\"sequence\":41}}"};
    const std::vector<config::hook> hooks{webhook_to(peer, "secret")};
    b.from_before[scale::hook_key(hooks, 0)] = m;
    b.from_before["of another"] = m;
    courier& mail = b.make(hooks);
    CHECK(mail.undelivered() == 1);
    CHECK(b.writes == 0);   // it is kept
    b.kept[scale::hook_key(hooks, 0)] = m;
    if (newer) {
      mail.submit(decision(42), 8);
      REQUIRE(b.until([&] { return b.of(hook_outcome::failed) > 0; }));
      peer.listen();
    }
    REQUIRE(b.until([&] { return b.of(hook_outcome::delivered) == 1; }));
    REQUIRE(peer.seen().size() == 1);
    CHECK(sequence(peer.seen()[0]) == (newer ? 42 : 41));
    CHECK(test::verified(peer.seen()[0], "secret"));
    if (!newer) CHECK(peer.seen()[0].body == m.body);
    CHECK((peer.seen()[0].fields.at("webhook-id") == "msg_before") == !newer);
    CHECK(b.kept.empty());
  }
}

TEST_CASE("nothing is kept for a hook that is gone or wants no more, all for a process that ends") {
  enum class how { removed, replaced, refused, ended };
  for (const how h : {how::removed, how::replaced, how::refused, how::ended}) {
    bench b;
    loopback_server peer(b.context, [&](const seen_request&) {
      return response(h == how::refused ? 410 : 500);
    });
    const auto hook = webhook_to(peer);
    courier& mail = b.make({hook, hook});
    mail.submit(decision(1), 0);
    REQUIRE(b.until([&] { return b.of(hook_outcome::failed) >= 2; }));
    if (h == how::removed) mail.configure({}, nullptr);
    auto other = hook;
    other.webhook->timeout = 9s;
    if (h == how::replaced) mail.configure({other}, nullptr);   // another hook of the same name
    if (h == how::ended) b.mail.reset();
    CHECK(b.kept.size() == (h == how::ended ? 2 : 0));
  }
}

TEST_CASE("of two hooks that look the same the one that stays keeps its message") {
  bench b;
  loopback_server peer(b.context, [&](const seen_request&) { return response(500); });
  const auto hook = webhook_to(peer);
  auto first = hook;
  first.webhook->timeout = 9s;
  courier& mail = b.make({first, hook});
  mail.submit(decision(1), 0);
  const std::string key = scale::hook_key({hook}, 0);
  CHECK(b.kept.contains(key + "-2"));
  mail.configure({hook}, nullptr);
  REQUIRE(b.kept.size() == 1);
  CHECK(b.kept.contains(key));
  CHECK(mail.undelivered() == 1);
}

TEST_CASE("a test message goes once to every hook and leaves the outboxes alone") {
  bench b;
  bool claimed = false;
  b.claim = [&](std::span<const std::string>) {
    claimed = true;
    return std::vector<std::string>();
  };
  loopback_server good(b.context, [](const seen_request&) { return response(202); });
  loopback_server bad(b.context, [](const seen_request&) { return response(500); });
  courier& mail = b.make({webhook_to(good, "secret"), webhook_to(bad), shell("exit 4")});
  std::optional<std::vector<scale::hook_test>> hooks;
  mail.test(decision(9, direction::in, {"w1"}), 0, [&](auto h) { hooks = std::move(h); });
  REQUIRE(b.until([&] { return hooks.has_value(); }));
  REQUIRE(hooks->size() == 3);
  const auto [first, second, third] = std::tie((*hooks)[0], (*hooks)[1], (*hooks)[2]);
  CHECK(first.hook == "webhook http://127.0.0.1:" + std::to_string(good.port()));
  CHECK(first.delivered);
  CHECK(first.detail == "answered 202");
  CHECK_FALSE(second.delivered);
  CHECK(second.detail == "answered 500");
  CHECK(third.hook == "exec /bin/sh");
  CHECK_FALSE(third.delivered);
  CHECK(third.detail == "exit status 4");
  CHECK(boost::json::parse(good.seen().at(0).body).at("type") == "weir.scale.test");
  CHECK(data(good.seen()[0]).at("remove") == boost::json::array());
  CHECK(test::verified(good.seen()[0], "secret"));
  CHECK(b.log.empty());
  CHECK(!claimed);
  CHECK(bad.seen().size() == 1);
  CHECK(mail.undelivered() == 0);
}

TEST_CASE("a pool without hooks has nobody to tell and nothing to test") {
  bench b;
  courier& mail = b.make({});
  mail.submit(decision(1), 0);
  std::optional<std::vector<scale::hook_test>> hooks;
  mail.test(decision(1), 0, [&](auto h) { hooks = std::move(h); });
  CHECK(!hooks);
  REQUIRE(b.until([&] { return hooks.has_value(); }));
  CHECK(hooks->empty());
  CHECK(b.log.empty());
}

TEST_CASE("outcomes have the metric's names") {
  CHECK(name(hook_outcome::delivered) == "delivered");
  CHECK(name(hook_outcome::failed) == "failed");
  CHECK(name(hook_outcome::superseded) == "superseded");
}
