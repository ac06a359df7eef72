#include "probe/check.hpp"

#include <catch2/catch.hpp>

#include "net/tls_client_context.hpp"

namespace {

using namespace weir;
using net::fetch_failure;
using net::fetch_result;
using probe::judge;
using probe::result;
using probe::target;

fetch_result answer(unsigned status) {
  return {fetch_failure::none, {}, status, {}, {}};
}

target with(std::vector<std::uint16_t> statuses) {
  target t;
  t.statuses = std::move(statuses);
  return t;
}

}  // namespace

TEST_CASE("a probe asks with GET for the path at the host, under its own name") {
  target t;
  t.host = "w1.test:9001";
  t.path = "/ready?full=1";
  const auto request = probe::make_request(t);
  CHECK(request.method == "GET");
  CHECK(request.target == "/ready?full=1");
  CHECK(request.host == "w1.test:9001");
  CHECK(request.body.empty());
  REQUIRE(!request.fields.empty());
  CHECK(request.fields[0].second == "weir-probe/" WEIR_VERSION);
}

TEST_CASE("a status is good when it is in the list, or from 200 to 399 without one") {
  struct row {
    std::vector<std::uint16_t> statuses;
    unsigned status;
    bool good;
    std::string detail;
  };
  const row rows[] = {
      {{}, 200, true, "GET /healthz: 200"},
      {{}, 399, true, "GET /healthz: 399"},
      {{}, 400, false, "GET /healthz: 400, expected 200-399"},
      {{}, 503, false, "GET /healthz: 503, expected 200-399"},
      {{204}, 204, true, "GET /healthz: 204"},
      {{204}, 200, false, "GET /healthz: 200, expected 204"},
      {{200, 404}, 404, true, "GET /healthz: 404"},
      {{200, 404}, 500, false, "GET /healthz: 500, expected 200, 404"},
  };
  for (const row& r : rows) {
    CAPTURE(r.detail);
    const auto o = judge(with(r.statuses), answer(r.status));
    CHECK(o.good() == r.good);
    CHECK(o.what == (r.good ? result::good : result::bad_status));
    CHECK(o.detail == r.detail);
  }
}

TEST_CASE("a probe without an answer is bad, and the detail is the reason") {
  const std::pair<fetch_failure, result> rows[] = {{fetch_failure::connect, result::connect},
                                                   {fetch_failure::exhausted, result::not_sent},
                                                   {fetch_failure::tls, result::tls},
                                                   {fetch_failure::timed_out, result::timed_out},
                                                   {fetch_failure::broken, result::broken}};
  for (const auto& [failure, meaning] : rows) {
    for (const auto kind : {core::probe_kind::http, core::probe_kind::tcp}) {
      target t;
      t.kind = kind;
      const auto o = judge(t, {failure, "the reason", 0, {}, {}});
      CHECK(o.what == meaning);
      CHECK(o.detail == "the reason");
      CHECK_FALSE(o.good());
      CHECK(o.sent() == (failure != fetch_failure::exhausted));
    }
  }
}

TEST_CASE("a good status whose body breaks off is bad") {
  CHECK(judge({}, {fetch_failure::broken, "closed", 200, {}, {}}).what == result::broken);
}

TEST_CASE("a body beyond the limit does not make a status worse") {
  CHECK(judge({}, {fetch_failure::too_large, "too large", 200, {}, {}}).good());
  CHECK(!judge({}, {fetch_failure::too_large, "too large", 500, {}, {}}).good());
}

TEST_CASE("a connection that was made is all that a TCP probe wants") {
  target t;
  t.kind = core::probe_kind::tcp;
  CHECK(judge(t, answer(0)).good());
  CHECK(judge(t, answer(0)).detail == "connection made");
  t.peer.tls = *net::tls_client_context::make({});
  CHECK(judge(t, answer(0)).detail == "TLS connection made");
}

TEST_CASE("agent words come along from good and bad replies, several lines as one list") {
  for (const unsigned status : {200u, 503u}) {
    fetch_result r = answer(status);
    r.fields = {{"weir-agent", "maxconn:8"}, {"X", "down"}, {"WEIR-AGENT", "drain 50%"}};
    const auto agent = judge({}, r).agent;
    CHECK(agent.maxconn == 8u);
    CHECK(agent.percent == 50u);
    CHECK(agent.wish == probe::agent_report::duty::drain);
    CHECK(agent.state == probe::agent_report::health::unsaid);
  }
}

TEST_CASE("a worker that says that it is down failed its probe") {
  fetch_result r = answer(200);
  r.fields = {{"Weir-Agent", "down#disk full"}};
  CHECK(judge({}, r).what == result::said_down);
  CHECK(judge({}, r).detail == "GET /healthz: 200, but the worker says that it is down: disk full");
  r.fields = {{"Weir-Agent", "down up"}};
  CHECK(judge({}, r).good());
}

TEST_CASE("a reply's load report comes along, and what is none is counted") {
  fetch_result r = answer(200);
  r.fields = {{"Endpoint-Load-Metrics", "TEXT cpu_utilization=0.9"}};
  CHECK(judge({}, r).load == Approx(0.9));
  CHECK_FALSE(judge({}, r).bad_load);
  r.fields = {{"endpoint-load-metrics", "TEXT cpu_utilization=nan"}};
  CHECK(judge({}, r).load == 0);
  CHECK(judge({}, r).bad_load);
}

TEST_CASE("what core is told of a worker's words") {
  using duty = core::worker_word::duty;
  struct row {
    std::string_view said;
    duty wish;
    std::optional<std::uint32_t> slots;
    std::optional<double> share;
  };
  const row rows[] = {
      {"", duty::unsaid, {}, {}},           {"up", duty::unsaid, {}, {}},
      {"ready", duty::ready, {}, {}},       {"drain", duty::drain, {}, {}},
      {"maint", duty::drain, {}, {}},       {"maxconn:8 drain", duty::drain, 8, {}},
      {"maxconn:0", duty::unsaid, 0, {}},   {"75%", duty::unsaid, {}, 0.75},
      {"ready 0%", duty::ready, {}, 0.0},
  };
  for (const row& w : rows) {
    CAPTURE(w.said);
    probe::outcome o;
    o.agent = probe::parse_agent(w.said);
    const core::worker_word word = probe::word_of(o);
    CHECK(word.wish == w.wish);
    CHECK(word.slots == w.slots);
    CHECK(word.share == w.share);
  }
  probe::outcome o;
  o.agent = probe::parse_agent("drain#disk full");
  o.load = 0.5;
  CHECK(probe::word_of(o).why == "the worker asks for it: disk full");
  CHECK(probe::word_of(o).load == 0.5);
}

TEST_CASE("every result has a name, and no two the same") {
  const std::vector<std::string_view> names{name(result::good),      name(result::bad_status),
                                            name(result::said_down), name(result::connect),
                                            name(result::tls),       name(result::timed_out),
                                            name(result::broken),    name(result::not_sent)};
  CHECK(names == std::vector<std::string_view>{"good", "bad_status", "said_down", "connect", "tls",
                                               "timed_out", "broken", "not_sent"});
}
