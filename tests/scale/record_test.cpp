#include "scale/record.hpp"

#include <boost/json/parse.hpp>
#include <boost/json/serialize.hpp>
#include <catch2/catch.hpp>
#include <set>

#include "scale/scale_bench.hpp"

namespace {

using namespace weir;
using way = core::scale_decision::direction;

scale::message full() {
  scale::message m;
  m.id = "msg_1";
  m.decided_unix_ms = 1769903999250;
  m.decision.way = way::in;
  m.decision.episode = 3, m.decision.sequence = 1'000'000'000'000'000;
  m.decision.desired = 7, m.decision.current = 9;
  m.decision.reason = "a \"reason\"\n";
  m.decision.remove = {"w1", "w\"2"};
  return m;
}

}  // namespace

TEST_CASE("a record gives back what is needed to go on, and the body as it was") {
  scale::message m = full();
  m.body = "{\"exactly\": \"this\"}";
  const auto back = scale::parse_record(scale::to_record(m, "loaders"));
  REQUIRE(back);
  CHECK(back->id == m.id);
  CHECK(back->body == m.body);
  CHECK(back->decided_unix_ms == m.decided_unix_ms);
  CHECK(back->decision.way == way::in);
  CHECK((back->decision.episode == 3 && back->decision.sequence == m.decision.sequence));
  CHECK((back->decision.desired == 7 && back->decision.current == 9));
  CHECK(back->decision.remove == m.decision.remove);
  CHECK_FALSE(back->withdrawn);
}

TEST_CASE("one that was not sent yet gets the body that it would be sent with") {
  const scale::message m = full();
  const auto back = scale::parse_record(scale::to_record(m, "loaders"));
  REQUIRE(back);
  CHECK(back->body ==
        scale::make_body(scale::type_scale, "loaders", m.decision, m.decided_unix_ms));
}

TEST_CASE("what is no record, or not whole, is none") {
  const std::string good = scale::to_record(full(), "p");
  REQUIRE(scale::parse_record(good));
  for (std::size_t n = 0; n < good.size(); ++n) CHECK_FALSE(scale::parse_record(good.substr(0, n)));
  for (const char* member : {"id", "decided_unix_ms", "direction", "episode", "sequence", "desired",
                             "current", "remove", "body"}) {
    auto less = boost::json::parse(good).as_object();
    less.erase(member);
    CHECK_FALSE(scale::parse_record(boost::json::serialize(less)));
    less[member] = nullptr;
    CHECK_FALSE(scale::parse_record(boost::json::serialize(less)));
  }
  for (const char* text : {"", "null", "[]", "17", "\"x\""}) CHECK_FALSE(scale::parse_record(text));
}

TEST_CASE("a hook's key is its url's or command's, and tells those that look the same apart") {
  auto secret = test::webhook("https://a.example/x?token=1", "secret");
  secret.webhook->timeout = std::chrono::seconds(3);
  const std::vector<config::hook> hooks{
      test::webhook("https://a.example/x?token=1"), test::webhook("https://a.example/x?token=2"),
      test::shell("exit 0"), test::shell("exit 1"), secret};
  std::set<std::string> keys;
  for (std::size_t i = 0; i < hooks.size(); ++i) keys.insert(scale::hook_key(hooks, i));
  CHECK(keys.size() == hooks.size());
  CHECK(scale::hook_key(hooks, 4) == scale::hook_key(hooks, 0) + "-2");
  CHECK(scale::hook_key({secret}, 0) == scale::hook_key(hooks, 0));
  CHECK(scale::hook_key(hooks, 0).size() == 16);
  CHECK(scale::hook_key(hooks, 0).find("token") == std::string::npos);
}
