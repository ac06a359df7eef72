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
