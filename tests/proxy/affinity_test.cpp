// What a batch's affinity is made of, of a request and of a durable batch's record alike.
#include "proxy/affinity.hpp"

#include <catch2/catch.hpp>
#include <utility>

#include "proxy/tenants.hpp"

using namespace weir;
using config::affinity_kind;
using config::affinity_source;

TEST_CASE("an affinity is the tenant's, a field's or the path's, else the tenant's") {
  constexpr std::uint64_t seed = 99, tenant = 7;
  struct row {
    const char* what;
    affinity_source by;
    std::string_view expected;   // what is hashed; empty: the tenant's number
  };
  const row rows[] = {
      {"by default", {}, ""},
      {"a field", {affinity_kind::header, "X-Table"}, "orders"},
      {"a field, whatever the case of its name", {affinity_kind::header, "x-tABLE"}, "orders"},
      {"a field that is not there", {affinity_kind::header, "X-Other"}, ""},
      {"no field, but a part of another's name", {affinity_kind::header, "Table"}, ""},
      {"an empty field", {affinity_kind::header, "X-Empty"}, ""},
      {"the path, without the query", {affinity_kind::path, ""}, "/load/orders"},
  };
  http::request_head head;
  head.path = "/load/orders", head.query = "day=3";
  for (const auto& [name, value] : {std::pair("Host", "h"), std::pair("X-Empty", ""),
                                    std::pair("X-Table", "orders")}) {
    http::field f;
    f.name = name, f.value = value;
    head.fields.push_back(f);
  }
  store::batch b;
  b.target = "/load/orders?day=3";
  b.fields = "Host: h\r\nX-Empty: \r\nX-Table: orders\r\n";
  for (const row& r : rows) {
    INFO(r.what);
    const auto expected = r.expected.empty() ? tenant : proxy::tenant_hash(r.expected, seed);
    CHECK(proxy::affinity_of(r.by, head, tenant, seed) == expected);
    CHECK(proxy::affinity_of(r.by, b, tenant, seed) == expected);
  }
}
