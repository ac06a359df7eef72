#include "admin/message.hpp"

#include <algorithm>
#include <boost/json.hpp>
#include <catch2/catch.hpp>

#include "admin/client.hpp"
#include "base/random.hpp"

using namespace weir::admin;

TEST_CASE("a bearer token is what follows its scheme") {
  struct row {
    const char *field, *token;
  };
  const row rows[] = {
      {"Bearer abc", "abc"},   {"bearer abc", "abc"}, {"BEARER   a b", "a b"}, {"Bearer", ""},
      {"Bearer ", ""},         {"Basic abc", ""},     {"", ""},                {"Bearerabc", ""},
  };
  for (const auto& r : rows) {
    api_request request;
    request.authorization = r.field;
    CAPTURE(r.field);
    CHECK(request.bearer() == r.token);
  }
}

TEST_CASE("only GET and HEAD change nothing") {
  const std::pair<const char*, bool> rows[] = {{"GET", false},   {"HEAD", false},  {"POST", true},
                                               {"PUT", true},    {"DELETE", true}, {"PATCH", true},
                                               {"get", true}};
  for (const auto& [method, changes] : rows) {
    api_request request;
    request.method = method;
    CHECK(request.changes() == changes);
  }
}

TEST_CASE("percent escapes are decoded, broken ones refused") {
  using namespace std::string_literals;
  struct row {
    std::string in, out;
    bool good;
  };
  const row rows[] = {
      {"plain", "plain", true},     {"a%20b", "a b", true},  {"%2F%2f", "//", true},
      {"%c3%a9", "\xc3\xa9", true}, {"", "", true},          {"a+b", "a+b", true},
      {"%", "", false},             {"%2", "", false},       {"%zz", "", false},
      {"%0g", "", false},           {"x%00", "", false},     {"x\0y"s, "", false},
  };
  for (const auto& r : rows) {
    std::string out;
    CAPTURE(r.in);
    CHECK(percent_decode(r.in, out) == r.good);
    if (r.good) CHECK(out == r.out);
  }
}

TEST_CASE("a path splits into decoded segments") {
  using list = std::vector<std::string>;
  struct row {
    const char* path;
    list segments;
  };
  const row rows[] = {
      {"/", {""}},
      {"/v1/pools", {"v1", "pools"}},
      {"/v1/pools/", {"v1", "pools", ""}},
      {"//x", {"", "x"}},
      {"/a%2Fb/c", {"a/b", "c"}},
  };
  for (const auto& r : rows) {
    list got;
    CAPTURE(r.path);
    CHECK(split_path(r.path, got));
    CHECK(got == r.segments);
  }
  list got;
  for (const char* bad : {"", "*", "v1/pools", "/v1/%zz", "http://x/"})
    CHECK_FALSE(split_path(bad, got));
}

TEST_CASE("a query gives the first value of a key") {
  struct row {
    const char *query, *key, *value;
  };
  const row rows[] = {
      {"pool=a", "pool", "a"},
      {"x=1&pool=a&pool=b", "pool", "a"},
      {"pool=a%20b&x", "pool", "a b"},
      {"pool=", "pool", ""},
      {"pool", "pool", ""},
      {"mypool=1", "pool", ""},
      {"pool=%zz", "pool", ""},
      {"pool=a=b", "pool", "a=b"},
      {"&&pool=a", "pool", "a"},
      {"", "pool", ""},
  };
  for (const auto& r : rows) {
    CAPTURE(r.query);
    CHECK(query_value(r.query, r.key) == r.value);
  }
}

TEST_CASE("a problem is RFC 9457 JSON") {
  const auto p = make_problem(404, "not-found", "no pool \"x\"", {"one", "two"});
  CHECK(p.status == 404);
  CHECK(p.content_type == "application/problem+json");
  const auto body = boost::json::parse(p.body).as_object();
  CHECK(body.at("type") == "urn:weir:problem:not-found");
  CHECK(body.at("title") == "Not Found");
  CHECK(body.at("status") == 404);
  CHECK(body.at("detail") == "no pool \"x\"");
  CHECK(body.at("lines").as_array().size() == 2);
  CHECK_FALSE(boost::json::parse(make_problem(400, "x", "y").body).as_object().contains("lines"));
}

TEST_CASE("a problem that quotes any bytes is JSON all the same") {
  const auto p = make_problem(404, "not-found", "no pool '\xff\xc2\x9b'", {"line \x80"});
  const auto body = boost::json::parse(p.body).as_object();
  CHECK(body.at("detail") == "no pool '\xef\xbf\xbd\xc2\x9b'");
  CHECK(body.at("lines").at(0) == "line \xef\xbf\xbd");
  CHECK(p.body.find('\x9b') == std::string::npos);
}

TEST_CASE("any component survives encoding and the way through a path or a query") {
  weir::base::random random(8);
  for (int i = 0; i < 2000; ++i) {
    std::string name(1 + random.below(20), '\0');
    for (char& c : name) c = static_cast<char>(1 + random.below(255));
    const std::string encoded = encode_component(name);
    std::vector<std::string> segments;
    if (!split_path("/v1/" + encoded + "/x", segments) || segments.at(1) != name) FAIL(encoded);
    if (query_value("a=1&pool=" + encoded + "&b=2", "pool") != name) FAIL(encoded);
  }
  SUCCEED();
}

TEST_CASE("no bytes break the splitting of paths and queries") {
  weir::base::random random(9);
  const std::string_view letters = "/%&=?ab0F%%//";
  for (int i = 0; i < 5000; ++i) {
    std::string text;
    for (std::uint32_t n = random.below(30); n > 0; --n)
      text += letters[random.below(static_cast<std::uint32_t>(letters.size()))];
    std::vector<std::string> segments;
    const bool good = split_path(text, segments);
    const auto slashes = static_cast<std::size_t>(std::count(text.begin(), text.end(), '/'));
    if (good && segments.size() != slashes) FAIL(text);
    query_value(text, "a");
  }
  SUCCEED();
}
