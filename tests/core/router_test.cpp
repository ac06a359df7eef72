#include "core/router.hpp"

#include <catch2/catch.hpp>
#include <cctype>
#include <string>
#include <utility>
#include <vector>

using namespace weir::core;

namespace {

using fields = std::vector<std::pair<std::string, std::string>>;

bool same_name(std::string_view a, std::string_view b) {
  const auto same = [](unsigned char x, unsigned char y) {
    return std::tolower(x) == std::tolower(y);
  };
  return std::equal(a.begin(), a.end(), b.begin(), b.end(), same);
}

// The route for a request, or -1.
int find(const router& r, std::string_view target, std::string_view host = "h",
         std::string_view method = "POST", const fields& of = {}) {
  const auto ask = [&of](std::string_view name, std::size_t nth) -> header_source::value {
    for (const auto& [n, v] : of)
      if (same_name(n, name) && nth-- == 0) return v;
    return {};
  };
  std::string scratch;
  const auto found = r.find({host, target, method, ask}, scratch);
  return found ? static_cast<int>(*found) : -1;
}

router by_path(std::vector<std::string> paths) {
  std::vector<route_match> routes;
  for (std::string& path : paths) routes.push_back({{}, std::move(path), {}, {}});
  return router(std::move(routes));
}

std::string normal(std::string_view target) {
  std::string scratch;
  const auto path = normal_path(target, scratch);
  return path ? std::string{*path} : "none";
}

}  // namespace

TEST_CASE("a path prefix ends on a segment border") {
  const router r = by_path({"/load/orders"});
  struct row {
    const char* target;
    bool found;
  };
  const std::vector<row> rows{
      {"/load/orders", true},
      {"/load/orders/", true},
      {"/load/orders/x", true},
      {"/load/orders/x/y/z", true},
      {"/load/orders?day=1", true},
      {"/load/orders#top", true},
      {"/load/orders/?/../../x", true},      // the query is not the path
      {"/load/ordersx", false},
      {"/load/orders.csv", false},
      {"/load/order", false},
      {"/load", false},
      {"/", false},
      {"/load?/orders", false},
      {"/LOAD/orders", false},               // paths have a case
      {"/x/load/orders", false},
      {"load/orders", false},
      {"", false},
      {"*", false},
      {"http://h/load/orders", false},       // absolute form: the head's reader takes it apart
  };
  for (const row& want : rows) {
    INFO(want.target);
    CHECK(find(r, want.target) == (want.found ? 0 : -1));
  }
}

TEST_CASE("an empty path and the root match every path") {
  for (const char* path : {"", "/", "//", "/./"}) {
    const router r = by_path({path});
    for (const char* target : {"/", "/x", "/x/y?z", "/%41", "*"}) {
      INFO(path << " against " << target);
      CHECK(find(r, target) == 0);
    }
    CHECK(find(r, "") == -1);
    CHECK(find(r, "/..") == -1);
  }
}

TEST_CASE("the spelling of a route's path does not matter") {
  for (const char* path : {"/load/orders", "/load/orders/", "/load//orders//", "/load/./orders",
                           "/x/../load/orders", "/lo%61d/orders"}) {
    INFO(path);
    const router r = by_path({path});
    CHECK(find(r, "/load/orders") == 0);
    CHECK(find(r, "/load/orders/1") == 0);
    CHECK(find(r, "/load/orders1") == -1);
  }
}

TEST_CASE("a request cannot slip past a route by spelling its path in another way") {
  const router r = by_path({"/admin", "/"});
  for (const char* target :
       {"/admin", "//admin", "/./admin", "/x/../admin", "/%61dmin", "/adm%69n/x", "/x/%2e%2e/admin",
        "/x/.%2E/admin", "/a/b/../../admin", "/%2e/admin"}) {
    INFO(target);
    CHECK(find(r, target) == 0);
  }
  for (const char* target : {"/admin%2fx", "/%2fadmin", "/admin/..", "/administrator", "/Admin"}) {
    INFO(target);
    CHECK(find(r, target) == 1);
  }
}

TEST_CASE("paths have a normal form") {
  const std::vector<std::pair<const char*, const char*>> rows{
      {"/", "/"},
      {"/a", "/a"},
      {"/a/", "/a/"},
      {"/a/b?c#d", "/a/b"},
      {"*", "*"},
      {"*?x", "*"},
      {"", "none"},
      {"a", "none"},
      {"?/a", "none"},
      {"//", "/"},
      {"//a", "/a"},
      {"/a//b", "/a/b"},
      {"/a//", "/a/"},
      {"/.", "/"},
      {"/./", "/"},
      {"/a/.", "/a/"},
      {"/a/./b", "/a/b"},
      {"/a/b/..", "/a/"},
      {"/a/b/../", "/a/"},
      {"/a/b/../c", "/a/c"},
      {"/a/..", "/"},
      {"/a/../b", "/b"},
      {"/..", "none"},
      {"/../", "none"},
      {"/a/../..", "none"},
      {"/a/../../a/b", "none"},
      {"/a/./../..", "none"},
      {"/...", "/..."},
      {"/.a", "/.a"},
      {"/a..", "/a.."},
      {"/..a/b", "/..a/b"},
      {"/%7Euser", "/~user"},
      {"/%7euser", "/~user"},
      {"/%41%5A%61%7a%30%39%2D%2e%5f", "/AZaz09-._"},
      {"/%2f", "/%2F"},
      {"/a%2Fb", "/a%2Fb"},
      {"/a%2f..%2fb", "/a%2F..%2Fb"},        // encoded slashes are no borders
      {"/%2e%2e", "none"},
      {"/a/%2E./b", "/b"},
      {"/%20", "/%20"},
      {"/%25%34%31", "/%2541"},              // decoded once, not twice
      {"/%", "/%"},
      {"/%4", "/%4"},
      {"/%4x/%41", "/%4x/A"},
      {"/%zz", "/%zz"},
      {"/a%00b", "/a%00b"},
      {"/%ff", "/%FF"},
      {"/a;b=1/c", "/a;b=1/c"},
  };
  for (const auto& [target, expected] : rows) {
    INFO(target);
    CHECK(normal(target) == expected);
  }
}

TEST_CASE("a normal path is a view of the target and normalising is done once for all") {
  std::string scratch;
  const std::string_view target = "/load/orders?x";
  CHECK(normal_path(target, scratch)->data() == target.data());
  CHECK(scratch.empty());
  for (const char* odd : {"/a/./b/%2e%2e/c", "//%41//", "/a%2fb/../c/", "/%25%32%65"}) {
    const std::string once = normal(odd);
    CHECK(normal(once) == once);
  }
}

TEST_CASE("a path lies within itself and what is above it") {
  CHECK(path_within("/a/b", ""));
  CHECK(path_within("/a/b", "/a"));
  CHECK(path_within("/a/b", "/a/b"));
  CHECK_FALSE(path_within("/a/b", "/a/b/c"));
  CHECK_FALSE(path_within("/a/bc", "/a/b"));
  CHECK_FALSE(path_within("", "/a"));
}

TEST_CASE("hosts match without case or port and a star takes one label") {
  struct row {
    const char* host;
    const char* pattern;
    bool match;
  };
  const std::vector<row> rows{
      {"example.org", "example.org", true},
      {"EXAMPLE.Org", "example.org", true},
      {"AZ-09.ORG", "az-09.org", true},
      {"@[`{.org", "`{@[.org", false},      // next to the letters, and not letters
      {"example.org:8080", "example.org", true},
      {"example.org.", "example.org", true},
      {"example.org.:80", "example.org", true},
      {"example.org", "example.com", false},
      {"a.example.org", "example.org", false},
      {"example.orgx", "example.org", false},
      {"", "example.org", false},
      {":80", "example.org", false},
      {"a.example.org", "*.example.org", true},
      {"A.Example.ORG:1", "*.example.org", true},
      {"a.b.example.org", "*.example.org", false},
      {"example.org", "*.example.org", false},
      {".example.org", "*.example.org", false},
      {"aexample.org", "*.example.org", false},
      {"[::1]", "[::1]", true},
      {"[::1]:8080", "[::1]", true},
      {"[2001:DB8::1]:80", "[2001:db8::1]", true},
      {"[::1", "[::1]", false},
      {"127.0.0.1:80", "127.0.0.1", true},
      {"localhost", "*.example.org", false},
  };
  for (const row& r : rows) {
    INFO(r.host << " against " << r.pattern);
    CHECK(host_matches(r.host, r.pattern) == r.match);
  }
}

TEST_CASE("any of a route's hosts and methods is enough") {
  const router r({{{"a.org", "*.b.org"}, "", {"PUT", "POST"}, {}}});
  CHECK(find(r, "/", "a.org", "PUT") == 0);
  CHECK(find(r, "/", "x.b.org", "POST") == 0);
  CHECK(find(r, "/", "b.org", "POST") == -1);
  CHECK(find(r, "/", "a.org", "GET") == -1);
  CHECK(find(r, "/", "a.org", "put") == -1);   // methods have a case
}

TEST_CASE("every header of a route has to be there") {
  const router r({{.hosts = {}, .path = "", .methods = {},
                   .headers = {{"content-type", "text/csv"}, {"X-Load", "*"}}}});
  struct row {
    fields of;
    bool found;
  };
  const std::vector<row> rows{
      {{}, false},
      {{{"Content-Type", "text/csv"}}, false},
      {{{"Content-Type", "text/csv"}, {"x-load", ""}}, true},
      {{{"Content-Type", "text/csv"}, {"x-load", "a"}}, true},
      {{{"CONTENT-TYPE", "TEXT/CSV"}, {"x-load", "a"}}, false},       // values have a case
      {{{"Content-Type", "text/csv; charset=x"}, {"x-load", "a"}}, false},
      {{{"Content-Type", "a"}, {"x-load", "a"}, {"content-type", "text/csv"}}, true},  // repeated
  };
  for (const row& want : rows) CHECK(find(r, "/", "h", "POST", want.of) == (want.found ? 0 : -1));
}

TEST_CASE("a star as a header's value asks for presence only") {
  const router r({{.hosts = {}, .path = "", .methods = {}, .headers = {{"x", "*"}}}});
  CHECK(find(r, "/", "h", "GET", {{"x", "*"}}) == 0);
  CHECK(find(r, "/", "h", "GET", {{"y", "*"}}) == -1);
}

TEST_CASE("the first route that matches wins") {
  const router r({
      {.hosts = {"a.org"}, .path = "/load", .methods = {"POST"}, .headers = {{"x", "1"}}},
      {.hosts = {"a.org"}, .path = "/load", .methods = {"POST"}, .headers = {}},
      {.hosts = {"a.org"}, .path = "/load", .methods = {}, .headers = {}},
      {.hosts = {"a.org"}, .path = "", .methods = {}, .headers = {}},
      {.hosts = {}, .path = "/load/orders", .methods = {}, .headers = {}},
      {.hosts = {}, .path = "/load", .methods = {}, .headers = {}},
  });
  CHECK(find(r, "/load/orders", "a.org", "POST", {{"x", "1"}}) == 0);
  CHECK(find(r, "/load/orders", "a.org", "POST", {{"x", "2"}}) == 1);
  CHECK(find(r, "/load/orders", "a.org", "PUT") == 2);
  CHECK(find(r, "/other", "a.org", "PUT") == 3);
  CHECK(find(r, "/load/orders", "b.org") == 4);
  CHECK(find(r, "/load/x", "b.org") == 5);
  CHECK(find(r, "/other", "b.org") == -1);
}

TEST_CASE("each condition alone can fail a route") {
  const route_match all{{"a.org"}, "/p", {"POST"}, {{"x", "1"}}};
  const fields x{{"x", "1"}};
  const router r({all});
  REQUIRE(find(r, "/p", "a.org", "POST", x) == 0);
  CHECK(find(r, "/q", "a.org", "POST", x) == -1);
  CHECK(find(r, "/p", "b.org", "POST", x) == -1);
  CHECK(find(r, "/p", "a.org", "GET", x) == -1);
  CHECK(find(r, "/p", "a.org", "POST", {}) == -1);
}

TEST_CASE("without routes nothing is found and a request needs no headers") {
  std::string scratch;
  const router none({});
  CHECK(none.size() == 0);
  CHECK_FALSE(none.find({"h", "/", "GET", {}}, scratch));
  const router one = by_path({"/"});
  CHECK(one.size() == 1);
  CHECK(one.find({"h", "/", "GET", {}}, scratch) == 0u);
  const router wants({{.hosts = {}, .path = "", .methods = {}, .headers = {{"x", "*"}}}});
  CHECK_FALSE(wants.find({"h", "/", "GET", {}}, scratch));
}

TEST_CASE("a path longer than any route is matched whole") {
  const router r = by_path({"/a"});
  const std::string deep(4000, 'x');
  CHECK(find(r, "/a/" + deep + "/%2e%2e/b") == 0);
  std::string climbs = "/a";
  for (int i = 0; i < 1000; ++i) climbs += "/b";
  for (int i = 0; i < 1000; ++i) climbs += "/..";
  CHECK(find(r, climbs) == 0);
  CHECK(find(r, climbs + "/..") == -1);
  CHECK(find(r, climbs + "/../..") == -1);
}
