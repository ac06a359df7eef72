// The changes that the admin API makes (src/admin/changes.cpp).
#include "asking.hpp"

using namespace weir;
using namespace weir::admin;
namespace json = boost::json;

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
      {failure::kind::unavailable, 503}, {failure::kind::bad_gateway, 502},
  };
  for (const auto& [kind, status] : rows) {
    asking a;
    a.back.refusal = failure{kind, "no", {"weir.yaml:3:5: unknown key"}};
    for (const char* path : {"/v1/reload", "/v1/pools/loaders/workers/w1/drain"}) {
      const auto got = a.ask("POST", path);
      CHECK(got.status == status);
      CHECK(got.content_type == "application/problem+json");
      CHECK(json::parse(got.body).at("ok") == false);
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
      {R"({"yaml": "x", "file": "my.yaml: "})", "plan my.yaml: x", 200},
      {R"({"yaml": 5})", "", 422},
      {R"({"yaml": "x", "file": 5})", "", 422},
      {R"({"file": "my.yaml"})", "", 422},
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

