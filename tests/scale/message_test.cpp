#include "scale/message.hpp"

#include <boost/json/parse.hpp>
#include <catch2/catch.hpp>
#include <limits>
#include <set>

#include "http/structured.hpp"

namespace {

using namespace weir;
using scale::make_body;
using scale::rfc3339;

core::scale_decision decision() {
  core::scale_decision d;
  d.way = core::scale_decision::direction::out;
  d.episode = 3;
  d.sequence = 17;
  d.desired = 6;
  d.current = 2;
  d.reason = "backlog";
  d.backlog_batches = 41;
  d.backlog_cost = 120.5;
  d.backlog_bytes = 9000000000;
  d.oldest_seconds = 12.3456;
  d.drain_seconds = 30;
  return d;
}

}  // namespace

TEST_CASE("a decision is written exactly as the contract shows it") {
  CHECK(make_body(scale::type_scale, "loaders", decision(), 1769903999250) ==
        R"({"type":"weir.scale","timestamp":"2026-01-31T23:59:59.250Z","data":{"pool":"loaders",)"
        R"("episode":3,"sequence":17,"direction":"out","desired":6,"current":2,)"
        R"("reason":"backlog","backlog":{"batches":41,"cost":120.5,"bytes":9000000000,)"
        R"("oldest_seconds":12.346,"drain_seconds":30},"remove":[]}})");
}

TEST_CASE("a scale-in names the workers to remove, in order") {
  auto d = decision();
  d.way = core::scale_decision::direction::in;
  d.remove = {"w2", "w1"};
  const auto body = boost::json::parse(make_body(scale::type_scale, "p", d, 0));
  CHECK(body.at("data").at("direction").as_string() == "in");
  CHECK(body.at("data").at("remove") == boost::json::value({"w2", "w1"}));
}

TEST_CASE("any text in a decision stays one JSON string") {
  for (const std::string& text :
       {std::string("say \"no\""), std::string("back\\slash"), std::string("a\nb\tc"),
        std::string("\x01"), std::string("größer"), std::string("</script>")}) {
    auto d = decision();
    d.reason = text;
    d.remove = {text};
    const auto data = boost::json::parse(make_body(scale::type_scale, text, d, 0)).at("data");
    CHECK(data.at("reason").as_string() == text);
    CHECK(data.at("pool").as_string() == text);
    CHECK(data.at("remove").at(0).as_string() == text);
  }
}

TEST_CASE("numbers are JSON numbers, and what is not finite is null") {
  struct row {
    double value;
    std::string shown;
  };
  const double inf = std::numeric_limits<double>::infinity();
  const row rows[] = {{0, "0"},
                      {-0.0, "0"},
                      {0.0004, "0"},
                      {0.0005, "0.001"},
                      {1e-9, "0"},
                      {2.5, "2.5"},
                      {59.9999, "60"},
                      {86400, "86400"},
                      {inf, "null"},
                      {-inf, "null"},
                      {std::nan(""), "null"},
                      {1e20, "1e+20"},
                      {123456.789, "123456.789"}};
  for (const row& r : rows) {
    auto d = decision();
    d.drain_seconds = r.value;
    const std::string body = make_body(scale::type_scale, "p", d, 0);
    CAPTURE(r.shown, body);
    CHECK(body.find("\"drain_seconds\":" + r.shown + "}") != body.npos);
    CHECK_NOTHROW(boost::json::parse(body));
  }
}

TEST_CASE("times are RFC 3339 in UTC with milliseconds, and read back the same") {
  const std::pair<std::int64_t, std::string> rows[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {1, "1970-01-01T00:00:00.001Z"},
      {951782399999, "2000-02-28T23:59:59.999Z"},
      {951782400000, "2000-02-29T00:00:00.000Z"},
      {1709164800000, "2024-02-29T00:00:00.000Z"},
      {253402300799999, "9999-12-31T23:59:59.999Z"},
  };
  for (const auto& [ms, text] : rows) {
    CHECK(rfc3339(ms) == text);
    CHECK(http::parse_rfc3339_ms(text) == ms);
  }
}

TEST_CASE("message ids are distinct and fit for a header field") {
  std::set<std::string> ids;
  for (int i = 0; i < 1000; ++i) ids.insert(scale::new_message_id());
  CHECK(ids.size() == 1000);
  CHECK(ids.begin()->size() == 36);
  CHECK(ids.begin()->starts_with("msg_"));
  CHECK(ids.begin()->find_first_not_of("0123456789abcdef", 4) == std::string::npos);
}

TEST_CASE("directions have the contract's names") {
  CHECK(scale::name(core::scale_decision::direction::out) == "out");
  CHECK(scale::name(core::scale_decision::direction::in) == "in");
}
