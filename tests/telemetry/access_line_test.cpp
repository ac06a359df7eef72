#include <catch2/catch.hpp>

#include "base/random.hpp"
#include "parse_json.hpp"
#include "telemetry/access_log.hpp"

using namespace weir;
using namespace weir::telemetry;
using namespace std::chrono_literals;

namespace {

std::string line_of(const access_record& r) {
  second_cache cache;
  std::string out(access_line_bytes_max, '#');
  out.resize(static_cast<std::size_t>(format_access_line(r, cache, out.data()) - out.data()));
  return out;
}

access_record full_record() {
  access_record r;
  r.unix_ms = 1769903999042;
  r.listener = "front", r.client = "192.0.2.7";
  r.method = "POST", r.host = "loads.example", r.target = "/load/orders?day=3";
  r.status = 200, r.request_body_bytes = 1048576, r.response_body_bytes = 17;
  r.route = "orders", r.pool = "loaders", r.tenant = "acme", r.worker = "w1", r.batch = "b-1";
  r.group = "nightly", r.cost = 1048576.5;
  r.trace = "4bf92f3577b34da6a3ce929d0e0e4736";
  r.attempts = 2, r.retried = "connect_failed", r.reason = "none";
  r.accept = 150us, r.queue = 2s, r.connect = 0s, r.first_byte = 1234567ns,
  r.attempt = 1ms, r.total = 2001ms;
  r.tls = true, r.reused = true;
  return r;
}

}  // namespace

TEST_CASE("a full record is one line of JSON with every member") {
  CHECK(line_of(full_record()) ==
        R"({"time":"2026-01-31T23:59:59.042Z","outcome":"ok","reason":"none","listener":"front",)"
        R"("client":"192.0.2.7","method":"POST","host":"loads.example",)"
        R"("target":"/load/orders?day=3",)"
        R"("status":200,"request_bytes":1048576,"response_bytes":17,"route":"orders",)"
        R"("pool":"loaders","tenant":"acme","group":"nightly","cost":1048576.5,)"
        R"("worker":"w1","batch":"b-1",)"
        R"("trace":"4bf92f3577b34da6a3ce929d0e0e4736","attempts":2,"retried":"connect_failed",)"
        R"("accept_ms":0.150,"queue_ms":2000.000,"connect_ms":0.000,"first_byte_ms":1.234,)"
        R"("attempt_ms":1.000,"total_ms":2001.000,"tls":true,"reused":true})"
        "\n");
}

TEST_CASE("what a record does not have is left out of its line") {
  access_record r;
  r.outcome = outcome::bad_request;
  CHECK(line_of(r) ==
        R"({"time":"1970-01-01T00:00:00.000Z","outcome":"bad_request","request_bytes":0,)"
        R"("response_bytes":0,"tls":false,"reused":false})"
        "\n");
}

TEST_CASE("the time of a line is RFC 3339 in UTC") {
  struct row {
    std::int64_t unix_ms;
    const char* text;
  };
  const row rows[] = {
      {0, "1970-01-01T00:00:00.000Z"},
      {-5, "1970-01-01T00:00:00.000Z"},
      {951782399999, "2000-02-28T23:59:59.999Z"},
      {951782400000, "2000-02-29T00:00:00.000Z"},
      {1709251199001, "2024-02-29T23:59:59.001Z"},
      {4102444800000, "2100-01-01T00:00:00.000Z"},
      {253402300799999, "9999-12-31T23:59:59.999Z"},
      {INT64_MAX, "9999-12-31T23:59:59.999Z"},
  };
  for (const auto& r : rows) {
    access_record record;
    record.unix_ms = r.unix_ms;
    CHECK(parse_flat_json(line_of(record)).at("time") == r.text);
  }
}

TEST_CASE("the cached second is left as soon as another one comes") {
  second_cache cache;
  const auto time_of = [&](std::int64_t unix_ms) {
    access_record r;
    r.unix_ms = unix_ms;
    std::string out(access_line_bytes_max, '#');
    out.resize(static_cast<std::size_t>(format_access_line(r, cache, out.data()) - out.data()));
    return parse_flat_json(out).at("time");
  };
  CHECK(time_of(1000) == "1970-01-01T00:00:01.000Z");
  CHECK(time_of(1999) == "1970-01-01T00:00:01.999Z");
  CHECK(time_of(2000) == "1970-01-01T00:00:02.000Z");
  CHECK(time_of(1500) == "1970-01-01T00:00:01.500Z");
}

TEST_CASE("every outcome has its own word") {
  const std::pair<outcome, const char*> rows[] = {
      {outcome::ok, "ok"},               {outcome::bad_request, "bad_request"},
      {outcome::refused, "refused"},     {outcome::timed_out, "timed_out"},
      {outcome::failed, "failed"},       {outcome::client_gone, "client_gone"},
      {outcome::cancelled, "cancelled"},
  };
  for (const auto& [value, word] : rows) CHECK(name(value) == word);
}

TEST_CASE("the longest line of the worst bytes fits its bound and still parses") {
  for (const char worst : {'\x01', '"', '\xff', 'x'}) {
    const std::string text(100000, worst);
    access_record r = full_record();
    for (auto* v : {&r.client, &r.method, &r.host, &r.target, &r.tenant, &r.group,
                    &r.trace})
      *v = text;
    const std::string name(100000, 'n');   // checked before it came here
    for (auto* v : {&r.listener, &r.route, &r.pool, &r.worker, &r.batch, &r.retried, &r.reason})
      *v = name;
    r.status = 4294967295u, r.attempts = 4294967295u;
    r.request_body_bytes = r.response_body_bytes = UINT64_MAX;
    r.cost = -1.7976931348623157e308;
    r.accept = r.queue = r.connect = r.first_byte = r.attempt = r.total = base::duration::max();
    const std::string line = line_of(r);
    CAPTURE(static_cast<int>(worst), line.size());
    CHECK(line.size() < access_line_bytes_max);
    CHECK(line.find('\n') == line.size() - 1);
    const auto back = parse_flat_json(line);
    CHECK(back.at("request_bytes") == "18446744073709551615");
    CHECK(back.at("target").size() >= 600);
  }
}

TEST_CASE("a target is cut at 4096 bytes, other text at 512") {
  const std::string text(5000, 'x');
  access_record r;
  r.host = text, r.target = text;
  const auto back = parse_flat_json(line_of(r));
  CHECK(back.at("host").size() == 512);
  CHECK(back.at("target").size() == 4096);
}

TEST_CASE("random records are single lines that parse") {
  base::random random(77);
  for (int round = 0; round < 2000; ++round) {
    std::string bytes(random.below(700), '\0');
    for (char& c : bytes) c = static_cast<char>(random.below(256));
    access_record r = full_record();
    r.target = bytes, r.host = std::string_view(bytes).substr(bytes.size() / 2);
    r.total = base::duration(static_cast<std::int64_t>(random.next() >> 1));
    const std::string line = line_of(r);
    CAPTURE(round);
    if (line.find('\n') != line.size() - 1) FAIL("more than one line");
    if (parse_flat_json(line).at("worker") != "w1") FAIL("changed");
  }
  SUCCEED();
}

TEST_CASE("times are milliseconds with three decimals, rounded down") {
  struct row {
    base::duration time;
    const char* text;   // nullptr: left out
  };
  const row rows[] = {
      {0ns, "0.000"},       {999ns, "0.000"},        {1us, "0.001"},      {1500us, "1.500"},
      {1ms, "1.000"},       {10ms + 20us, "10.020"}, {1s, "1000.000"},    {1h, "3600000.000"},
      {-1ns, nullptr},      {-1h, nullptr},          {base::duration::min(), nullptr},
      {base::duration::max(), "9223372036854.775"},
  };
  for (const auto& r : rows) {
    access_record record;
    record.queue = r.time;
    const std::string line = line_of(record);
    CAPTURE(line);
    if (r.text)
      CHECK(line.find(std::string(",\"queue_ms\":") + r.text + ",") != line.npos);
    else
      CHECK(line.find("queue_ms") == line.npos);
  }
}

TEST_CASE("a cost is written so that it reads back as the same, and none is left out") {
  struct row {
    double cost;
    const char* text;
  };
  const row rows[] = {{1, "1,"}, {0.1, "0.1,"}, {1e21, "1e+21,"}, {1048576, "1048576,"},
                      {3e9, "3e+09,"}};
  for (const auto& r : rows) {
    access_record record;
    record.cost = r.cost;
    CHECK_THAT(line_of(record), Catch::Contains(std::string(R"("cost":)") + r.text));
    CHECK(std::stod(parse_flat_json(line_of(record)).at("cost")) == r.cost);
  }
  CHECK(parse_flat_json(line_of({})).count("cost") == 0);
}

TEST_CASE("each text goes under its own key and nowhere else") {
  struct row {
    std::string_view access_record::*member;
    const char* key;
    bool escaped = false;   // else it is a name or a word that needs none
  };
  const row rows[] = {
      {&access_record::client, "client", true}, {&access_record::method, "method", true},
      {&access_record::host, "host", true},     {&access_record::target, "target", true},
      {&access_record::tenant, "tenant", true}, {&access_record::trace, "trace", true},
      {&access_record::group, "group", true},
      {&access_record::listener, "listener"},   {&access_record::route, "route"},
      {&access_record::pool, "pool"},           {&access_record::worker, "worker"},
      {&access_record::batch, "batch"},         {&access_record::retried, "retried"},
      {&access_record::reason, "reason"},
  };
  const auto without = parse_flat_json(line_of({}));
  for (const auto& r : rows) {
    access_record record;
    const std::string_view value = r.escaped ? "the \"value\"" : "the-value";
    record.*r.member = value;
    auto with = parse_flat_json(line_of(record));
    CAPTURE(r.key);
    CHECK(with.at(r.key) == value);
    with.erase(r.key);
    CHECK(with == without);
  }
}
