// The reads of the admin API (src/admin/reads.cpp).
#include "admin/calls.hpp"
#include "asking.hpp"

using namespace weir;
using namespace weir::admin;

TEST_CASE("liveness is constant, readiness is the backend's and says why not") {
  asking a;
  CHECK(a.ask("GET", "/livez").status == 200);
  CHECK(a.ask("GET", "/readyz").status == 200);
  a.back.ready_now = {false, "draining"};
  CHECK(a.ask("GET", "/livez").status == 200);
  const auto no = a.ask("GET", "/readyz");
  CHECK(no.status == 503);
  CHECK(no.body == "draining\n");
}

TEST_CASE("metrics come in the Prometheus text format") {
  asking a;
  const auto m = a.ask("GET", "/metrics");
  CHECK(m.content_type == "text/plain; version=0.0.4; charset=utf-8");
  CHECK(m.body == a.back.metrics());
}

TEST_CASE("the status tells the process, its listeners and its pools") {
  asking a;
  const auto s = a.get("/v1/status");
  CHECK(s.at("version") == "0.1.0");
  CHECK(s.at("ready") == true);
  CHECK(s.at("draining") == false);
  CHECK(s.at("threads") == 2);
  CHECK(s.at("config").at("generation") == 3);
  CHECK(s.at("config").at("last_reload_ok").is_null());
  CHECK(s.at("listeners").at(0).at("name") == "front");
  CHECK(s.at("listeners").at(0).at("address") == "127.0.0.1:8080");
  CHECK(s.at("listeners").at(0).at("connections") == 12);
  CHECK(s.at("pools").at(0).at("name") == "loaders");
  CHECK(s.at("pools").at(0).at("scale").at("desired") == 5);
}

TEST_CASE("the API lists its calls") {
  asking a;
  const auto calls = a.get("/v1").at("calls").as_array();
  CHECK(calls.size() == routes().size());
  for (std::size_t i = 0; i < calls.size(); ++i) {
    CHECK(calls[i].at("method").as_string() == routes()[i].method);
    CHECK(calls[i].at("path").as_string() == routes()[i].pattern);
  }
  const auto none = a.ask("GET", "/v1/none");
  CHECK(none.status == 404);
  CHECK(none.body.find("GET /v1 ") != std::string::npos);
  CHECK(asking(surface::registration).ask("GET", "/v1").status == 404);
}

TEST_CASE("a pool with autoscaling tells how its hooks do") {
  asking a;
  a.back.hooks = {{"exec /bin/scale", hook_status::state::failing, 12.5, 3, "exit status 4"}};
  const auto p = a.get("/v1/pools/loaders");
  REQUIRE(p.at("hooks").as_array().size() == 1);
  CHECK(p.at("hooks").at(0) == boost::json::value{{"hook", "exec /bin/scale"},
                                                  {"state", "failing"},
                                                  {"seconds", 12.5},
                                                  {"failures", 3},
                                                  {"detail", "exit status 4"}});
  CHECK_FALSE(a.get("/v1/pools/loaders/scale").contains("hooks"));   // flat, for autoscalers
}

TEST_CASE("pools tell what waits and runs, and a time without end is null") {
  asking a;
  const auto pools = a.get("/v1/pools");
  REQUIRE(pools.at("pools").as_array().size() == 1);
  const auto p = a.get("/v1/pools/loaders");
  CHECK(p == pools.at("pools").at(0));
  CHECK(p.at("waiting") == 3);
  CHECK(p.at("running") == 4);
  CHECK(p.at("slots") == 8);
  CHECK(p.at("workers_up") == 1);
  CHECK(p.at("oldest_seconds") == 1.5);
  CHECK(p.at("drain_seconds").is_null());
  CHECK(p.at("desired").is_null());
  CHECK(a.ask("GET", "/v1/pools/nobody").status == 404);
}

TEST_CASE("workers are listed by pool or for all, with their lease when they have one") {
  asking a;
  a.back.worker_list[1].registered = true;
  a.back.worker_list[1].lease_seconds = 12;
  for (const char* path :
       {"/v1/workers", "/v1/workers?pool=loaders", "/v1/pools/loaders/workers"}) {
    const auto rows = a.get(path).at("workers").as_array();
    REQUIRE(rows.size() == 2);
    CHECK(rows[0].at("pool") == "loaders");
    CHECK(rows[0].at("id") == "w1");
    CHECK(rows[0].at("state") == "up");
    CHECK(rows[0].at("slots") == 4);
    CHECK(rows[0].at("rate") == 1.25);
    CHECK_FALSE(rows[0].as_object().contains("lease_seconds"));
    CHECK(rows[1].at("state") == "down");
    CHECK(rows[1].at("lease_seconds") == 12);
  }
  CHECK(a.ask("GET", "/v1/workers?pool=nobody").status == 404);
}

TEST_CASE("the queue comes in pages of at most 500") {
  struct row {
    const char* query;
    std::size_t waiting, items;
    const char* first;
  };
  const row rows[] = {
      {"", 3, 3, "b0"},
      {"?pool=loaders", 250, 100, "b0"},
      {"?limit=10", 250, 10, "b0"},
      {"?limit=10&offset=245", 250, 5, "b245"},
      {"?limit=1000", 2000, 500, "b0"},
      {"?offset=2000", 2000, 0, nullptr},
      {"?offset=18446744073709551615", 5, 0, nullptr},
      {"?limit=0", 5, 0, nullptr},
  };
  for (const auto& r : rows) {
    asking a;
    a.back.waiting = r.waiting;
    const auto q = a.get("/v1/queue" + std::string(r.query));
    CAPTURE(r.query);
    CHECK(q.at("total") == r.waiting);
    REQUIRE(q.at("batches").as_array().size() == r.items);
    if (r.first) CHECK(q.at("batches").at(0).at("batch") == r.first);
  }
}

TEST_CASE("one page of the queue runs over several pools") {
  asking a;
  a.back.pool_views.push_back(a.back.pool_views[0]);
  a.back.pool_views[1].name = "transformers";
  a.back.waiting = 6;
  const auto q = a.get("/v1/queue?offset=4&limit=5");
  CHECK(q.at("total") == 12);
  const auto& items = q.at("batches").as_array();
  REQUIRE(items.size() == 5);
  CHECK(items[1].at("pool") == "loaders");
  CHECK(items[1].at("batch") == "b5");
  CHECK(items[2].at("pool") == "transformers");
  CHECK(items[2].at("batch") == "b0");
}

TEST_CASE("a number of a query that is none is refused") {
  asking a;
  for (const char* path : {"/v1/queue?limit=x", "/v1/queue?offset=-1", "/v1/queue?limit=1.5",
                           "/v1/events?since=a", "/v1/events?limit=99999999999999999999"})
    CHECK(a.ask("GET", path).status == 400);
}

TEST_CASE("events come in pages with where to go on") {
  asking a;
  auto page = a.get("/v1/events");
  CHECK(page.at("events").as_array().size() == 100);
  CHECK(page.at("next") == 100);
  CHECK(page.at("events").at(0).at("kind") == "worker_state_changed");
  page = a.get("/v1/events?since=100&limit=600");
  CHECK(page.at("events").as_array().size() == 500);
  CHECK(page.at("next") == 600);
  page = a.get("/v1/events?since=700");
  CHECK(page.at("events").as_array().empty());
  CHECK(page.at("next") == 700);
}

TEST_CASE("a batch is explained by its id, decoded") {
  asking a;
  const auto e = a.get("/v1/explain?batch=b%201");
  CHECK(e.at("batch") == "b 1");
  CHECK(e.at("text") == "b 1 waits:\nno slot is free");
  CHECK(a.ask("GET", "/v1/explain?batch=other").status == 404);
  CHECK(a.ask("GET", "/v1/explain").status == 400);
}

TEST_CASE("scale is flat, for autoscalers that poll") {
  asking a;
  const auto s = a.get("/v1/pools/loaders/scale");
  CHECK(s.at("desired") == 5);
  CHECK(s.at("backlog_batches") == 3);
  for (const auto& [key, value] : s) CHECK_FALSE(value.is_structured());
  CHECK(a.ask("GET", "/v1/pools/nobody/scale").status == 404);
}

TEST_CASE("the configuration in force is the JSON that the backend shows") {
  asking a;
  CHECK(a.get("/v1/config").at("threads") == "auto");
}

