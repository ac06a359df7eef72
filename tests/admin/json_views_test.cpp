#include "admin/json_views.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <limits>

using namespace weir;
using namespace weir::admin;
namespace json = boost::json;

TEST_CASE("JSON text is on one line, parses back, and has numbers as people write them") {
  struct row {
    json::object in;
    const char* out;
  };
  const row rows[] = {
      {{}, "{}\n"},
      {{{"a", 12.0}, {"b", 1.25}, {"c", -3}}, "{\"a\":12,\"b\":1.25,\"c\":-3}\n"},
      {{{"big", UINT64_MAX}, {"huge", 1e300}}, "{\"big\":18446744073709551615,\"huge\":1e+300}\n"},
      {{{"list", {1, 2.5, "x", nullptr, json::array{}}}}, "{\"list\":[1,2.5,\"x\",null,[]]}\n"},
      {{{"k\"ey", "new\nline \x01"}}, "{\"k\\\"ey\":\"new\\nline \\u0001\"}\n"},
      {{{"o", {{"yes", true}, {"no", false}}}}, "{\"o\":{\"yes\":true,\"no\":false}}\n"},
  };
  for (const auto& r : rows) {
    CHECK(to_text(r.in) == r.out);
    CHECK(to_text(json::parse(to_text(r.in)).as_object()) == r.out);
  }
}

TEST_CASE("text that is no UTF-8, or steers a terminal, is JSON that does neither") {
  const json::object in{{"\xff", "\xff\xc2\x9b" "31m\x7f"}};
  CHECK(to_text(in) == "{\"\\ufffd\":\"\\ufffd\\u009b31m\\u007f\"}\n");
  CHECK(json::parse(to_text(in)).as_object().begin()->key() == "\xef\xbf\xbd");
}

TEST_CASE("what is not finite is null in every view, so that the text is always JSON") {
  const double inf = std::numeric_limits<double>::infinity(), nan = std::nan("");
  core::pool_view p;
  p.waiting_cost = nan, p.oldest_seconds = inf, p.drain_seconds = inf, p.startup_seconds = nan;
  worker_status w;
  w.registered = true, w.lease_seconds = inf;
  w.view.rate = nan, w.view.weight = inf, w.view.outstanding_cost = inf;
  w.view.seconds_in_state = nan;
  scale_view s;
  s.backlog_cost = inf, s.oldest_seconds = nan, s.drain_seconds = inf;
  core::queue_item b;
  b.cost = inf, b.waited_seconds = nan;
  process_status status;
  status.uptime_seconds = nan;
  for (const auto& o : {to_json(p), to_json(w, "p"), to_json(s), to_json(b, "p"),
                        to_json(status, readiness{})}) {
    json::error_code ec;
    json::parse(to_text(o), ec);
    CAPTURE(to_text(o));
    CHECK_FALSE(ec);
  }
}

TEST_CASE("every state of a worker has its word in the view") {
  const std::pair<core::worker_state, const char*> rows[] = {
      {core::worker_state::checking, "checking"},   {core::worker_state::up, "up"},
      {core::worker_state::saturated, "saturated"}, {core::worker_state::ejected, "ejected"},
      {core::worker_state::down, "down"},           {core::worker_state::draining, "draining"},
      {core::worker_state::removed, "removed"},
  };
  for (const auto& [state, word] : rows) {
    worker_status w;
    w.view.state = state;
    CHECK(to_json(w, "p").at("state") == word);
  }
}

TEST_CASE("a reload that has not happened, was taken or was refused is told apart") {
  process_status s;
  CHECK(to_json(s, {}).at("config").at("last_reload_ok").is_null());
  s.last_reload_ok = true;
  CHECK(to_json(s, {}).at("config").at("last_reload_ok") == true);
  s.last_reload_ok = false, s.last_reload_error = "no";
  CHECK(to_json(s, {}).at("config").at("last_reload_ok") == false);
  CHECK(to_json(s, {}).at("config").at("last_reload_error") == "no");
}

TEST_CASE("a pool's view has these members") {
  core::pool_view p;
  p.name = "loaders", p.waiting = 1, p.running = 2, p.delayed = 3, p.waiting_cost = 4.5;
  p.waiting_bytes = 5, p.oldest_seconds = 6.25, p.drain_seconds = 7, p.workers = 8;
  p.workers_up = 9, p.slots = 10, p.slots_busy = 11, p.tenants = 12, p.paused = true;
  p.outage = true, p.scaling_holds = "it rains";
  p.desired = 13, p.asked_for = 14, p.never_came = 15, p.startup_seconds = 16;
  p.refused_batches = 17, p.refused_bytes = 18, p.refused_workers = 19, p.tenants_folded = 20;
  p.refused_tenants = 24, p.held_tenants = 25;
  p.retries_denied = 21, p.bounces = 22;
  CHECK(to_text(to_json(p)) ==
        R"({"name":"loaders","waiting":1,"running":2,"delayed":3,"waiting_cost":4.5,)"
        R"("waiting_bytes":5,"oldest_seconds":6.25,"drain_seconds":7,"workers":8,"workers_up":9,)"
        R"("slots":10,"slots_busy":11,"tenants":12,"paused":true,"closed":false,"outage":true,)"
        R"("scaling_holds":"it rains",)"
        R"("desired":13,"asked_for":14,"never_came":15,"startup_seconds":16,"refused_batches":17,)"
        R"("refused_bytes":18,"refused_workers":19,"tenants_folded":20,)"
        R"("refused_tenants":24,"held_tenants":25,"retries_denied":21,)"
        R"("bounces":22})"
        "\n");
}

TEST_CASE("a worker's view has these members") {
  worker_status w;
  w.view.name = "w1", w.view.state = core::worker_state::ejected, w.view.reason = "5 failures";
  w.view.seconds_in_state = 1.5, w.view.slots = 2, w.view.slots_open = 3, w.view.in_flight = 4;
  w.view.slots_lasting = 3, w.view.reported_load = 0.5;
  w.view.outstanding_cost = 5, w.view.rate = 0.75, w.view.weight = 2;
  w.view.consecutive_failures = 6, w.view.ejections = 7, w.view.attempts = 8;
  w.view.successes = 9, w.view.failures = 10, w.view.managed = true, w.view.removing = true;
  w.url = "http://10.0.0.9:9001", w.registered = true, w.lease_seconds = 11.5;
  CHECK(to_text(to_json(w, "loaders")) ==
        R"({"pool":"loaders","id":"w1","url":"http://10.0.0.9:9001","state":"ejected",)"
        R"("reason":"5 failures","seconds_in_state":1.5,"slots":2,"slots_open":3,)"
        R"("slots_lasting":3,"in_flight":4,"outstanding_cost":5,"rate":0.75,)"
        R"("reported_load":0.5,"weight":2,)"
        R"("consecutive_failures":6,"ejections":7,)"
        R"("attempts":8,"successes":9,"failures":10,"managed":true,"backup":false,)"
        R"("removing":true,"registered":true,"lease_seconds":11.5})"
        "\n");
}

TEST_CASE("the views of a waiting batch, an event and a report have these members") {
  core::queue_item b{"b1", "acme", "orders", 2, 1.5, 12, 0, {3, 9, 4.5, true, true, false}};
  CHECK(to_text(to_json(b, "loaders")) ==
        R"({"pool":"loaders","batch":"b1","tenant":"acme","route":"orders","attempt":2,)"
        R"("waited_seconds":1.5,"cost":12,"urgency":0,"position":3,"position_exact":true,)"
        R"("eta_seconds":4.5})"
        "\n");
  b.place.in_time = false;
  CHECK(to_json(b, "loaders").at("eta_seconds").is_null());
  const event_entry e{7, 1769903999042, "loaders", "worker_added", "w1", "by a reload"};
  CHECK(to_text(to_json(e)) ==
        R"({"sequence":7,"time_ms":1769903999042,"pool":"loaders","kind":"worker_added",)"
        R"("worker":"w1","text":"by a reload"})"
        "\n");
  CHECK(to_text(to_json(change_report{"done", {"one", "two"}})) ==
        "{\"ok\":true,\"summary\":\"done\",\"lines\":[\"one\",\"two\"]}\n");
}

TEST_CASE("the scale view has these members, all of them flat") {
  scale_view s;
  s.pool = "loaders", s.enabled = true, s.desired = 1, s.current = 2, s.ready = 3;
  s.asked_for = 4, s.never_came = 5, s.min = 6, s.max = 7, s.backlog_batches = 8;
  s.backlog_bytes = 9, s.backlog_cost = 10.5, s.oldest_seconds = 11, s.drain_seconds = 12;
  s.direction = "in", s.reason = "calm", s.episode = 13, s.sequence = 14;
  CHECK(to_text(to_json(s)) ==
        R"({"pool":"loaders","enabled":true,"desired":1,"current":2,"ready":3,"asked_for":4,)"
        R"("never_came":5,"min":6,"max":7,"backlog_batches":8,"backlog_bytes":9,)"
        R"("backlog_cost":10.5,"oldest_seconds":11,"drain_seconds":12,"direction":"in",)"
        R"("reason":"calm","episode":13,"sequence":14})"
        "\n");
}

TEST_CASE("the process's view has these members") {
  process_status s;
  s.version = "1.2.3", s.started_unix_ms = 5, s.uptime_seconds = 6.5, s.threads = 2;
  s.config_file = "weir.yaml", s.config_generation = 3, s.last_reload_ok = true;
  s.last_reload_unix_ms = 8;
  s.listeners = {{"front", "127.0.0.1:8080", true, 9}, {"local", "unix:/run/w.sock", false, 0}};
  CHECK(to_text(to_json(s, readiness{false, "starting"})) ==
        R"({"version":"1.2.3","ready":false,"reason":"starting","draining":false,"started_ms":5,)"
        R"("uptime_seconds":6.5,"threads":2,"config":{"file":"weir.yaml","generation":3,)"
        R"("last_reload_ok":true,"last_reload_ms":8,"last_reload_error":""},"listeners":[)"
        R"({"name":"front","address":"127.0.0.1:8080","tls":true,"connections":9},)"
        R"({"name":"local","address":"unix:/run/w.sock","tls":false,"connections":0}]})"
        "\n");
}
