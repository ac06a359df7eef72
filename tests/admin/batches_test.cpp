#include "admin/calls.hpp"
#include "asking.hpp"

using namespace weir;
using namespace weir::admin;

TEST_CASE("a list of batches is asked for by state, pool, tenant and page, within bounds") {
  struct row {
    const char *query, *filter;
  };
  const row rows[] = {
      {"", "|||0|100"},
      {"?state=failed&pool=loaders", "failed|loaders||0|100"},
      {"?tenant=a%20b&after=17&limit=5", "||a b|17|5"},
      {"?limit=0", "|||0|1"},
      {"?limit=100000", "|||0|500"},
  };
  for (const row& r : rows) {
    asking a;
    CAPTURE(r.query);
    const auto got = a.ask("GET", std::string("/v1/batches") + r.query);
    CHECK(got.status == 200);
    CHECK(got.body == "{\"filter\":\"" + std::string(r.filter) + "\"}\n");
  }
  for (const char* query : {"?limit=x", "?after=-", "?after=1x"}) {
    asking a;
    CAPTURE(query);
    CHECK(a.ask("GET", std::string("/v1/batches") + query).status == 400);
  }
}

TEST_CASE("one batch is shown, and changed by its id") {
  asking a;
  CHECK(a.ask("GET", "/v1/batches/0af3").body == "{\"id\":\"0af3\"}\n");
  for (const char* verb : {"cancel", "requeue", "drop"}) {
    CHECK(a.ask("POST", std::string("/v1/batches/0af3/") + verb, "{}").status == 200);
    CHECK(a.back.changes.back() == std::string(verb) + " 0af3");
  }
}

TEST_CASE("all batches that match are changed at once") {
  asking a;
  for (const char* verb : {"cancel", "requeue", "drop"}) {
    const std::string target = std::string("/v1/batches/") + verb + "?pool=loaders&state=failed";
    CHECK(a.ask("POST", target, "{}").status == 200);
    CHECK(a.back.changes.back() == std::string(verb) + " all failed|loaders||0|100");
  }
  CHECK(a.ask("POST", "/v1/batches/requeue?limit=x", "{}").status == 400);
}

TEST_CASE("a copy of the state is asked for by an absolute path") {
  asking a;
  CHECK(a.ask("POST", "/v1/backup", R"({"dir":"/var/backups/weir"})").status == 200);
  CHECK(a.back.changes.back() == "back up /var/backups/weir");
  const auto changes = a.back.changes.size();
  for (const char* body : {"", "{}", "[]", R"({"dir":7})", R"({"dir":"relative"})", "{"}) {
    CAPTURE(body);
    CHECK(a.ask("POST", "/v1/backup", body).status == 422);
  }
  CHECK(a.back.changes.size() == changes);
}

TEST_CASE("what the store refuses is told as it is") {
  asking a;
  a.back.refusal = failure{failure::kind::conflict, "the batch has ended already", {}};
  CHECK(a.ask("GET", "/v1/batches").status == 409);
  CHECK(a.ask("GET", "/v1/batches/0af3").status == 409);
  CHECK(a.ask("POST", "/v1/batches/0af3/cancel", "{}").status == 409);
  CHECK(a.ask("POST", "/v1/batches/drop", "{}").status == 409);
  CHECK(a.ask("POST", "/v1/backup", R"({"dir":"/x"})").status == 409);
}
