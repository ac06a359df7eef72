#include "admin/api.hpp"

#include "admin/calls.hpp"
#include "asking.hpp"

using namespace weir;
using namespace weir::admin;

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
  for (const char* path : {"/nothing", "/v1/", "/v2", "/v1/pools/", "/v1/pools//workers",
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

TEST_CASE("every path that users were promised is there, with what it needs") {
  struct row {
    const char *method, *pattern;
    need needed;
    bool in_registration;
  };
  const row rows[] = {
      {"GET", "/livez", need::open, false},
      {"GET", "/readyz", need::open, false},
      {"GET", "/metrics", need::open, false},
      {"GET", "/", need::open, false},
      {"GET", "/v1", need::read, false},
      {"GET", "/v1/status", need::read, false},
      {"GET", "/v1/pools", need::read, false},
      {"GET", "/v1/workers", need::read, false},
      {"GET", "/v1/queue", need::read, false},
      {"GET", "/v1/config", need::read, false},
      {"GET", "/v1/events", need::read, false},
      {"GET", "/v1/pools/*/scale", need::read, false},
      {"POST", "/v1/reload", need::change, false},
      {"POST", "/v1/plan", need::change, false},
      {"POST", "/v1/pools/*/workers", need::change, true},
      {"PUT", "/v1/pools/*/workers/*/lease", need::lease, true},
      {"POST", "/v1/pools/*/workers/*/drain", need::change, false},
      {"POST", "/v1/pools/*/workers/*/undrain", need::change, false},
      {"DELETE", "/v1/pools/*/workers/*", need::change, true},
      {"POST", "/v1/pools/*/pause", need::change, false},
      {"POST", "/v1/pools/*/resume", need::change, false},
      {"POST", "/v1/pools/*/scale/test", need::change, false},
  };
  for (const auto& wanted : rows) {
    CAPTURE(wanted.method, wanted.pattern);
    int found = 0;
    for (const auto& r : routes()) {
      if (r.method != wanted.method || r.pattern != wanted.pattern) continue;
      ++found;
      CHECK(r.needed == wanted.needed);
      CHECK(r.in_registration == wanted.in_registration);
    }
    CHECK(found == 1);
  }
}

TEST_CASE("whatever changes something needs a token or a secret, and reads are GET") {
  for (const auto& r : routes()) {
    CAPTURE(r.method, r.pattern);
    const bool reads = r.method == "GET";
    CHECK(reads == (r.needed == need::open || r.needed == need::read));
    CHECK(r.run != nullptr);
  }
}

TEST_CASE("names in paths may hold anything, and reach the backend decoded") {
  const std::pair<const char*, const char*> rows[] = {
      {"w1", "w1"}, {"w%201", "w 1"}, {"%77", "w"}, {"a%2fb", "a/b"}, {"%2e%2e", ".."},
      {"*", "*"},   {"%C3%A9", "\xc3\xa9"},
  };
  for (const auto& [sent, name] : rows) {
    asking a;
    CHECK(a.ask("POST", "/v1/pools/loaders/workers/" + std::string(sent) + "/drain").status == 200);
    CHECK(a.back.changes == std::vector<std::string>{"drain loaders/" + std::string(name)});
  }
}
