#include "admin/api.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "admin/calls.hpp"
#include "fake_backend.hpp"

using namespace weir;
using namespace weir::admin;
using namespace std::chrono_literals;
namespace json = boost::json;

namespace {

// An api over a fake backend, asked without sockets.
struct asking {
  fake_backend back;
  server_options options;
  explicit asking(surface s = surface::full, std::string token = "") {
    options.surface = s;
    options.bind = {"127.0.0.1", 9900, {}};
    options.token = std::move(token);
  }

  api_response ask(std::string method, std::string target, std::string body = "",
                   std::string bearer = "") {
    api_request r;
    r.method = std::move(method);
    const auto mark = target.find('?');
    r.path = target.substr(0, mark);
    if (mark != target.npos) r.query = target.substr(mark + 1);
    r.host = "127.0.0.1:9900", r.has_host = true, r.peer = "127.0.0.1";
    r.content_type = "application/json", r.body = std::move(body);
    if (!bearer.empty()) r.authorization = "Bearer " + bearer;
    std::optional<api_response> got;
    const auto a = api::make(back, options);
    REQUIRE(a.has_value());
    a->handle(r, [&](api_response answer) {
      CHECK_FALSE(got.has_value());
      got = std::move(answer);
    });
    REQUIRE(got.has_value());
    return *got;
  }
  json::object get(std::string target) {
    const auto a = ask("GET", std::move(target));
    INFO(a.body);
    REQUIRE(a.status == 200);
    CHECK(a.content_type == "application/json");
    return json::parse(a.body).as_object();
  }
};

std::string field(const api_response& a, std::string_view name) {
  for (const auto& [n, v] : a.fields)
    if (n == name) return v;
  return {};
}

}  // namespace

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
  for (const char* path : {"/v1/workers", "/v1/workers?pool=loaders", "/v1/pools/loaders/workers"}) {
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

TEST_CASE("the configuration in force is text") {
  asking a;
  CHECK(a.get("/v1/config").at("yaml") == "threads: auto\n");
}

TEST_CASE("each change calls the backend once") {
  struct row {
    const char *method, *path;
    unsigned status;
    const char* change;
  };
  const row rows[] = {
      {"POST", "/v1/reload", 200, "reload"},
      {"POST", "/v1/plan", 200, "plan (file)"},
      {"POST", "/v1/pools/loaders/workers/w1/drain", 200, "drain loaders/w1"},
      {"POST", "/v1/pools/loaders/workers/w1/undrain", 200, "undrain loaders/w1"},
      {"DELETE", "/v1/pools/loaders/workers/w1", 202, "remove loaders/w1"},
      {"POST", "/v1/pools/loaders/pause", 200, "pause loaders"},
      {"POST", "/v1/pools/loaders/resume", 200, "resume loaders"},
      {"POST", "/v1/pools/loaders/scale/test", 200, "test loaders"},
      {"POST", "/v1/pools/a%2Fb/pause", 200, "pause a/b"},
  };
  for (const auto& r : rows) {
    asking a;
    const auto got = a.ask(r.method, r.path);
    CAPTURE(r.path, got.body);
    CHECK(got.status == r.status);
    CHECK(json::parse(got.body).at("ok") == true);
    CHECK(a.back.changes == std::vector<std::string>{r.change});
  }
}

TEST_CASE("what a backend refuses becomes a problem with the right status") {
  const std::pair<failure::kind, unsigned> rows[] = {
      {failure::kind::not_found, 404}, {failure::kind::invalid, 422},
      {failure::kind::conflict, 409},  {failure::kind::forbidden, 403},
      {failure::kind::unavailable, 503},
  };
  for (const auto& [kind, status] : rows) {
    asking a;
    a.back.refusal = failure{kind, "no", {"weir.yaml:3:5: unknown key"}};
    for (const char* path : {"/v1/reload", "/v1/pools/loaders/workers/w1/drain"}) {
      const auto got = a.ask("POST", path);
      CHECK(got.status == status);
      CHECK(got.content_type == "application/problem+json");
      CHECK(json::parse(got.body).at("lines").at(0) == "weir.yaml:3:5: unknown key");
    }
  }
}

TEST_CASE("a reload reports what changed") {
  asking a;
  const auto r = json::parse(a.ask("POST", "/v1/reload", "{}").body);
  CHECK(r.at("summary") == "reloaded, 1 change");
  CHECK(r.at("lines").at(0) == "loaders/w3 added");
}

TEST_CASE("a plan takes YAML in JSON, or the file as it is") {
  struct row {
    const char *body, *change;
    unsigned status;
  };
  const row rows[] = {
      {"", "plan (file)", 200},
      {" {} ", "plan (file)", 200},
      {R"({"yaml": "threads: 2\n"})", "plan threads: 2\n", 200},
      {R"({"yaml": 5})", "", 422},
      {R"({"yml": "x"})", "", 422},
      {R"({"yaml": "x", "more": 1})", "", 422},
      {"[]", "", 422},
      {"threads: 2", "", 422},
  };
  for (const auto& r : rows) {
    asking a;
    CAPTURE(r.body);
    CHECK(a.ask("POST", "/v1/plan", r.body).status == r.status);
    if (r.status == 200)
      CHECK(a.back.changes == std::vector<std::string>{r.change});
    else
      CHECK(a.back.changes.empty());
  }
}

TEST_CASE("a registered worker gets its lease and where to renew it") {
  asking a(surface::registration, "t0ken");
  const auto got = a.ask("POST", "/v1/pools/loaders/workers",
                         R"({"id": "w9", "url": "http://127.0.0.1:9009", "slots": 2, "ttl": "1h"})",
                         "t0ken");
  CAPTURE(got.body);
  CHECK(got.status == 201);
  CHECK(field(got, "Location") == "/v1/pools/loaders/workers/w9");
  const auto lease = json::parse(got.body);
  CHECK(lease.at("secret") == "secret-of-w9");
  CHECK(lease.at("ttl_seconds") == 300);
  CHECK(lease.at("renew") == "/v1/pools/loaders/workers/w9/lease");
  REQUIRE(a.back.registered.size() == 1);
  CHECK(a.back.registered[0].through_registration);
  CHECK(a.back.registered[0].peer == "127.0.0.1");

  CHECK(a.ask("PUT", "/v1/pools/loaders/workers/w9/lease", "{}", "secret-of-w9").status == 200);
  CHECK(a.ask("PUT", "/v1/pools/loaders/workers/w9/lease", "{}", "t0ken").status == 403);
  CHECK(a.ask("PUT", "/v1/pools/loaders/workers/w9/lease", "{}").status == 401);
  CHECK(a.ask("DELETE", "/v1/pools/loaders/workers/w9", "", "t0ken").status == 403);
  CHECK(a.ask("DELETE", "/v1/pools/loaders/workers/w9", "", "secret-of-w9").status == 202);
  CHECK(a.back.changes == std::vector<std::string>{"renew loaders/w9", "end loaders/w9"});
}

TEST_CASE("registration needs the token and a right body") {
  asking a(surface::registration, "t0ken");
  const std::string good = R"({"id": "w9", "url": "http://127.0.0.1:9009"})";
  CHECK(a.ask("POST", "/v1/pools/loaders/workers", good).status == 401);
  CHECK(a.ask("POST", "/v1/pools/loaders/workers", good, "wrong").status == 401);
  CHECK(a.ask("POST", "/v1/pools/loaders/workers", "{}", "t0ken").status == 422);
  const auto metadata = R"({"id": "w9", "url": "http://169.254.169.254"})";
  CHECK(a.ask("POST", "/v1/pools/loaders/workers", metadata, "t0ken").status == 403);
  const auto other = R"({"id": "w9", "url": "http://10.0.0.1"})";
  CHECK(a.ask("POST", "/v1/pools/loaders/workers", other, "t0ken").status == 403);
  CHECK(a.back.registered.empty());
  a.back.refusal = failure{failure::kind::conflict, "the name is taken", {}};
  CHECK(a.ask("POST", "/v1/pools/loaders/workers", good, "t0ken").status == 409);
}

TEST_CASE("an operator registers any address that is not special") {
  asking a(surface::full, "t0ken");
  const auto other = R"({"id": "w9", "url": "http://10.0.0.1"})";
  CHECK(a.ask("POST", "/v1/pools/loaders/workers", other, "t0ken").status == 201);
  REQUIRE(a.back.registered.size() == 1);
  CHECK_FALSE(a.back.registered[0].through_registration);
}

TEST_CASE("the registration surface can do nothing else") {
  asking a(surface::registration, "t0ken");
  for (const auto& r : routes()) {
    if (r.in_registration) continue;
    std::string path(r.pattern);
    for (auto star = path.find('*'); star != path.npos; star = path.find('*'))
      path.replace(star, 1, "loaders");
    CAPTURE(r.method, path);
    const auto status = a.ask(std::string(r.method), path, "", "t0ken").status;
    CHECK((status == 404 || status == 405));
  }
  CHECK(a.back.changes.empty());
}

TEST_CASE("a change without the token is never carried out, on any route") {
  for (const auto& r : routes()) {
    if (r.needed != need::change) continue;
    asking a(surface::full, "t0ken");
    std::string path(r.pattern);
    for (auto star = path.find('*'); star != path.npos; star = path.find('*'))
      path.replace(star, 1, "loaders");
    CAPTURE(r.method, path);
    CHECK(a.ask(std::string(r.method), path).status == 401);
    CHECK(a.back.changes.empty());
    CHECK(a.back.registered.empty());
  }
}

TEST_CASE("a path is 404, a wrong method 405 with what is allowed") {
  asking a;
  for (const char* path : {"/nothing", "/v1", "/v1/", "/v1/pools/", "/v1/pools//workers",
                           "/v1/pools/loaders/workers/w1/drain/now", "/livez/", "//"}) {
    CAPTURE(path);
    CHECK(a.ask("GET", path).status == 404);
  }
  CHECK(a.ask("GET", "/v1/%zz").status == 400);
  struct row {
    const char *method, *path, *allow;
  };
  const row rows[] = {
      {"POST", "/v1/status", "GET, HEAD"},
      {"DELETE", "/livez", "GET, HEAD"},
      {"GET", "/v1/reload", "POST"},
      {"OPTIONS", "/v1/reload", "POST"},
      {"PATCH", "/v1/pools/loaders/workers", "GET, HEAD, POST"},
      {"GET", "/v1/pools/loaders/workers/w1", "DELETE"},
      {"get", "/livez", "GET, HEAD"},
  };
  for (const auto& r : rows) {
    const auto got = a.ask(r.method, r.path);
    CAPTURE(r.path);
    CHECK(got.status == 405);
    CHECK(field(got, "Allow") == r.allow);
  }
}

TEST_CASE("HEAD is answered where GET is") {
  asking a;
  CHECK(a.ask("HEAD", "/v1/status").status == 200);
  CHECK(a.ask("HEAD", "/v1/reload").status == 405);
}

TEST_CASE("reads from other machines need the token, liveness and metrics do not") {
  asking a(surface::full, "t0ken");
  a.options.bind.host = "0.0.0.0";
  for (const char* path : {"/v1/status", "/v1/pools", "/v1/workers", "/v1/queue", "/v1/config",
                           "/v1/events", "/v1/pools/loaders/scale"}) {
    CAPTURE(path);
    CHECK(a.ask("GET", path).status == 401);
    CHECK(a.ask("GET", path, "", "t0ken").status == 200);
  }
  for (const char* path : {"/livez", "/readyz", "/metrics", "/"})
    CHECK(a.ask("GET", path).status == 200);
}

TEST_CASE("an allow-list decides who may connect to registration, and to nothing else") {
  fake_backend back;
  server_options o;
  o.allow = {"10.0.0.0/8"};
  CHECK(api::make(back, o)->permits_peer("192.0.2.1"));
  o.surface = surface::registration;
  CHECK(api::make(back, o)->permits_peer("10.0.0.1"));
  CHECK_FALSE(api::make(back, o)->permits_peer("192.0.2.1"));
  o.allow = {"ten"};
  CHECK_FALSE(api::make(back, o).has_value());
}
