#include "probe/agent.hpp"

#include <catch2/catch.hpp>

namespace {

using weir::probe::agent_report;
using weir::probe::parse_agent;
using health = agent_report::health;
using duty = agent_report::duty;

agent_report said(health state, duty wish, std::optional<std::uint32_t> maxconn = {},
                  std::optional<std::uint32_t> percent = {}, std::string description = {},
                  std::string unknown = {}) {
  return {state, wish, maxconn, percent, std::move(description), std::move(unknown)};
}

}  // namespace

TEST_CASE("agent words mean what HAProxy's agent-check means by them") {
  struct row {
    std::string text;
    agent_report meaning;
  };
  const row rows[] = {
      {"", said(health::unsaid, duty::unsaid)},
      {" \t, ,", said(health::unsaid, duty::unsaid)},
      {"up", said(health::up, duty::unsaid)},
      {"down", said(health::down, duty::unsaid)},
      {"failed", said(health::down, duty::unsaid)},
      {"stopped", said(health::down, duty::unsaid)},
      {"ready", said(health::unsaid, duty::ready)},
      {"drain", said(health::unsaid, duty::drain)},
      {"maint", said(health::unsaid, duty::maintain)},
      {"maxconn:8", said(health::unsaid, duty::unsaid, 8)},
      {"maxconn:0", said(health::unsaid, duty::unsaid, 0)},
      {"75%", said(health::unsaid, duty::unsaid, {}, 75)},
      {"0%", said(health::unsaid, duty::unsaid, {}, 0)},
      {"150%", said(health::unsaid, duty::unsaid, {}, 150)},
      {"maxconn:8 drain ready down up 75%", said(health::up, duty::ready, 8, 75)},
      {"up,ready,\t50% , maxconn:30", said(health::up, duty::ready, 30, 50)},
      {"UP Ready MAXCONN:4", said(health::up, duty::ready, 4)},
      {"drain drain", said(health::unsaid, duty::drain)},
      {"maxconn:8 maxconn:9 10% 20%", said(health::unsaid, duty::unsaid, 9, 20)},
      {"down#disk full", said(health::down, duty::unsaid, {}, {}, "disk full")},
      {"drain # up for repair", said(health::unsaid, duty::drain, {}, {}, "up for repair")},
      {"#", said(health::unsaid, duty::unsaid)},
  };
  for (const row& r : rows) {
    CAPTURE(r.text);
    CHECK(parse_agent(r.text) == r.meaning);
  }
}

TEST_CASE("what is no agent word changes nothing, and the first one is named") {
  const std::string bad[] = {"upp",
                             "maxconn",
                             "maxconn:",
                             "maxconn:x",
                             "maxconn:-1",
                             "maxconn:8x",
                             "maxconn: 8",
                             "%",
                             "x%",
                             "-5%",
                             "7.5%",
                             "1001%",
                             "up;ready",
                             "maxconn:1000001",
                             "maxconn:99999999999999999999",
                             "99999999999999999999%",
                             "75 %"};
  for (const std::string& text : bad) {
    CAPTURE(text);
    agent_report r = parse_agent(text);
    CHECK(!r.unknown.empty());
    CHECK(text.starts_with(r.unknown));
    r.unknown.clear();
    CHECK(r == agent_report{});
  }
  CHECK(parse_agent("one up two") == said(health::up, duty::unsaid, {}, {}, {}, "one"));
}

TEST_CASE("a bad number leaves the good one before it standing") {
  CHECK(parse_agent("maxconn:8 maxconn:x 50% 5000%") ==
        said(health::unsaid, duty::unsaid, 8, 50, {}, "maxconn:x"));
}

TEST_CASE("the limits of the agent's numbers are taken, one more is not") {
  CHECK(parse_agent("maxconn:1000000").maxconn == agent_report::slots_max);
  CHECK(parse_agent("1000%").percent == agent_report::percent_max);
}

TEST_CASE("text from a worker is cut and made printable before anybody logs it") {
  const agent_report r = parse_agent("\x1b[31m up #" + std::string(500, 'a') + "\n");
  CHECK(r.unknown == "?[31m");
  CHECK(r.description.size() == agent_report::description_max);
  CHECK(parse_agent("down#a\x01\xff\nb").description == "a???b");
}
