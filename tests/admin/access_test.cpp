#include "admin/access.hpp"

#include <catch2/catch.hpp>

using namespace weir::admin;

namespace {

const access_rules local{"127.0.0.1", ""};
const access_rules local_token{"127.0.0.1", "t0ken"};
const access_rules open_token{"0.0.0.0", "t0ken"};
const access_rules unix_socket{"", ""};
const access_rules unix_token{"", "t0ken"};

struct asked {
  asked(std::string m = "POST", std::string h = "127.0.0.1:9900", std::string o = "",
        std::string a = "", std::string t = "application/json", std::string b = "")
      : method(m), host(h), origin(o), authorization(a), content_type(t), body(b) {}
  std::string method, host, origin, authorization, content_type, body;
};

unsigned status_of(const access_rules& rules, need needed, const asked& a) {
  api_request r;
  r.method = a.method, r.host = a.host, r.origin = a.origin, r.authorization = a.authorization;
  r.content_type = a.content_type, r.body = a.body;
  const auto no = refuse(rules, needed, r);
  return no ? no->status : 0;
}

}  // namespace

TEST_CASE("open paths ask for nothing") {
  for (const auto& rules : {local, open_token, unix_socket})
    CHECK(status_of(rules, need::open, {"GET", "evil.example", "http://evil.example"}) == 0);
}

TEST_CASE("reads are free on this machine and need the token from others") {
  struct row {
    access_rules rules;
    asked request;
    unsigned status;
  };
  const row rows[] = {
      {local, {"GET"}, 0},
      {local, {"GET", "localhost:9900"}, 0},
      {local, {"GET", "evil.example"}, 403},
      {local_token, {"GET"}, 0},
      {local_token, {"GET", "evil.example"}, 403},
      {local_token, {"GET", "proxy.example", "", "Bearer t0ken"}, 0},
      {open_token, {"GET"}, 401},
      {open_token, {"GET", "10.0.0.5", "", "Bearer wrong"}, 401},
      {open_token, {"GET", "weir.example", "", "Bearer t0ken"}, 0},
      {unix_socket, {"GET", "anything"}, 0},
      {unix_token, {"GET", "anything"}, 0},
  };
  for (const auto& r : rows) {
    CAPTURE(r.rules.bound_host, r.rules.token, r.request.host, r.request.authorization);
    CHECK(status_of(r.rules, need::read, r.request) == r.status);
  }
}

TEST_CASE("a change needs token, host, origin and a JSON type") {
  const std::string good = "Bearer t0ken", self = "http://127.0.0.1:9900";
  struct row {
    access_rules rules;
    asked request;
    unsigned status;
  };
  const row rows[] = {
      {local, {}, 0},
      {local, {"POST", "evil.example"}, 403},
      {local, {"POST", "127.0.0.1:9900", self}, 0},
      {local, {"POST", "127.0.0.1:9900", "http://evil.example"}, 403},
      {local, {"POST", "127.0.0.1:9900", "null"}, 403},
      {local, {"POST", "127.0.0.1:9900", "", "", ""}, 415},
      {local, {"POST", "127.0.0.1:9900", "", "", "text/plain"}, 415},
      {local, {"POST", "127.0.0.1:9900", "", "", "application/jsonx"}, 415},
      {local, {"POST", "127.0.0.1:9900", "", "", "Application/JSON; charset=utf-8"}, 0},
      {local, {"DELETE", "127.0.0.1:9900", "", "", ""}, 0},
      {local, {"DELETE", "127.0.0.1:9900", "", "", "", "{}"}, 415},
      {local, {"PUT", "127.0.0.1:9900", "", "", "application/json", "{}"}, 0},
      {local_token, {}, 401},
      {local_token, {"POST", "127.0.0.1:9900", "", "Bearer no"}, 401},
      {local_token, {"POST", "127.0.0.1:9900", "", good}, 0},
      {local_token, {"POST", "weir.example", "", good}, 0},
      {local_token, {"POST", "weir.example", "http://weir.example", good}, 0},
      {local_token, {"POST", "weir.example", "http://evil.example", good}, 403},
      {local_token, {"POST", "127.0.0.1:9900", "", good, "text/plain"}, 415},
      {open_token, {"POST", "weir:9900", "", good}, 0},
      {open_token, {"POST", "weir:9900"}, 401},
      {unix_socket, {"POST", "whatever"}, 0},
      {unix_token, {"POST", "whatever"}, 401},
      {unix_token, {"POST", "whatever", "", good}, 0},
  };
  for (const auto& r : rows) {
    CAPTURE(r.rules.bound_host, r.rules.token, r.request.method, r.request.host, r.request.origin,
            r.request.authorization, r.request.content_type);
    CHECK(status_of(r.rules, need::change, r.request) == r.status);
  }
}

TEST_CASE("a lease's call needs a secret to show, the rest of a change's rules, and no token") {
  CHECK(status_of(open_token, need::lease, {"PUT", "weir", "", ""}) == 401);
  CHECK(status_of(open_token, need::lease, {"PUT", "weir", "", "Bearer s"}) == 0);
  CHECK(status_of(open_token, need::lease, {"PUT", "weir", "http://evil", "Bearer s"}) == 403);
  CHECK(status_of(open_token, need::lease, {"PUT", "weir", "", "Bearer s", "", "{}"}) == 415);
}

TEST_CASE("a refused token is told how to authenticate") {
  api_request r;
  r.method = "POST";
  const auto no = refuse(open_token, need::change, r);
  REQUIRE(no.has_value());
  REQUIRE(no->fields.size() == 1);
  CHECK(no->fields[0].first == "WWW-Authenticate");
  CHECK(no->body.find("t0ken") == std::string::npos);
}

TEST_CASE("over every combination, what is let through holds the rules") {
  struct tally {
    int through = 0, refused = 0;
  } counts;
  for (const char* bound : {"", "127.0.0.1", "::1", "0.0.0.0", "10.0.0.5"})
    for (const char* token : {"", "t0ken"})
      for (const need needed : {need::read, need::change, need::lease})
        for (const char* host : {"127.0.0.1:9900", "10.0.0.5:9900", "weir.example", "evil.example"})
          for (const char* origin : {"", "http://weir.example", "http://evil.example", "null"})
            for (const char* bearer : {"", "Bearer t0ken", "Bearer wrong"})
              for (const char* type : {"", "application/json", "text/plain"}) {
                const access_rules rules{bound, token};
                const bool good_token = *token && bearer == std::string("Bearer t0ken");
                const bool through =
                    status_of(rules, needed, {"POST", host, origin, bearer, type}) == 0;
                through ? ++counts.through : ++counts.refused;
                if (!through) continue;
                CAPTURE(bound, token, static_cast<int>(needed), host, origin, bearer, type);
                if (needed != need::read) {
                  if (type != std::string("application/json")) FAIL("not JSON");
                  if (*origin && origin != "http://" + std::string(host)) FAIL("foreign origin");
                }
                if (needed == need::change && *token && !good_token) FAIL("no token");
                if (needed == need::lease && !*bearer) FAIL("no secret");
                const bool remote = bound == std::string("0.0.0.0") ||
                                    bound == std::string("10.0.0.5");
                if (needed == need::read && remote && *token && !good_token) FAIL("open read");
                // No name but the server's own gets in on trust alone.
                const bool foreign = host == std::string("evil.example");
                if (needed != need::lease && foreign && *bound && !good_token) FAIL("rebound");
              }
  CHECK(counts.through > 100);
  CHECK(counts.refused > 1000);
}
