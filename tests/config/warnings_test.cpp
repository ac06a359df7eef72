// What works but was probably not meant.
#include <catch2/catch.hpp>

#include "config/support.hpp"

using weir::config::test::parts;
using weir::config::test::world;

namespace {

std::string warnings(const parts& whole) {
  const auto got = world().read(whole.text());
  INFO(got.text());
  REQUIRE(got.ok());
  return got.warning_text();
}

std::string pool_warnings(const std::string& keys) {
  parts whole;
  whole.pools = "pools: {loaders: {workers: [{id: w, url: \"http://h\"}], " + keys + "}}";
  return warnings(whole);
}

}  // namespace

TEST_CASE("a route behind one that takes everything is never reached") {
  parts whole;
  whole.routes =
      "routes: [{name: all, pool: loaders, path: /}, {name: a, pool: loaders, path: /a}]";
  CHECK(
      warnings(whole) ==
      "w.yaml:3:47: warning: routes[1]: is never reached: the route `all` before it takes every "
      "request\n");
  whole.routes =
      "routes: [{name: some, pool: loaders, methods: [GET]}, {name: a, pool: loaders, path: /a}]";
  CHECK(warnings(whole).empty());
}

TEST_CASE("a pool that no route uses is told") {
  parts whole;
  whole.pools =
      "pools: {loaders: {workers: [{id: w, url: \"http://h\"}]}, spare: {workers: [{id: w, "
      "url: \"http://h\"}]}}";
  CHECK(warnings(whole) == "w.yaml:4:64: warning: pools.spare: is not used by any route\n");
}

TEST_CASE("a pool that a mistyped name was meant for is not told as unused too") {
  parts whole;
  for (const char* route : {"{name: a, pool: loders}", "{name: a, pool: \"${ABSENT}\"}"}) {
    whole.routes = std::string("routes: [") + route + "]";
    const auto got = world().read(whole.text());
    CHECK(got.mistakes.size() == 1);
    CHECK(got.warning_text().empty());
  }
}

TEST_CASE("a pool that can get workers only through the admin API is told") {
  parts whole;
  whole.pools = "pools: {loaders: {}}";
  CHECK(warnings(whole) ==
        "w.yaml:4:18: warning: pools.loaders: has no workers, and without registration "
        "none can come but through the admin API\n");
  whole.top = "registration: {bind: \"127.0.0.1:9901\", token_file: token, allow: [127.0.0.0/8]}";
  CHECK(warnings(whole).empty());
}

TEST_CASE("keys that only http probes have are told beside another type") {
  CHECK(pool_warnings("health_check: {type: tcp, path: /up}") ==
        "w.yaml:4:88: warning: pools.loaders.health_check.path: is not used: only `type: http` has "
        "it\n");
  CHECK(
      pool_warnings("health_check: {type: none, statuses: [200]}") ==
      "w.yaml:4:93: warning: pools.loaders.health_check.statuses: is not used: only `type: http` "
      "has it\n");
  CHECK(pool_warnings("health_check: {type: http, path: /up}").empty());
}

TEST_CASE("an objective that new workers cannot keep is told, with what they can, and why") {
  const std::string at = "w.yaml:4:79: warning: pools.loaders.autoscale.";
  CHECK(pool_warnings("autoscale: {objective: 1m}") ==
        at + "objective: 1m cannot be kept by new workers, about 80s can: startup_time 1m, sustain "
             "10s, and 10s in which a backlog drains\n");
  CHECK(pool_warnings("autoscale: {objective: 1s, startup_time: 0s, sustain: 0s}") ==
        at + "objective: 1s cannot be kept by new workers, about 10s can: startup_time 0s, sustain "
             "0s, and 10s in which a backlog drains\n");
  CHECK_THAT(pool_warnings("autoscale: {startup_time: 3m}"),
             Catch::Contains("startup_time: the objective of 2m cannot be kept by new workers, "
                             "about 200s can"));
  CHECK(pool_warnings("autoscale: {objective: 1m, startup_time: 30s}").empty());
  CHECK(pool_warnings("autoscale: {objective: 80s}").empty());
}

TEST_CASE("a resend that falls between the ticks of scaling is told, with when it is sent") {
  CHECK(pool_warnings("autoscale: {resend: 2s}") ==
        "w.yaml:4:76: warning: pools.loaders.autoscale.resend: is sent every 5s: scaling decides "
        "every 5s\n");
  CHECK_THAT(pool_warnings("autoscale: {resend: 61s}"), Catch::Contains("is sent every 65s"));
  CHECK(pool_warnings("autoscale: {resend: 15s}").empty());
}

TEST_CASE("workers that are not verified are told") {
  CHECK(pool_warnings("tls: {verify: false}") ==
        "w.yaml:4:70: warning: pools.loaders.tls.verify: anyone can pose as a worker\n");
}

TEST_CASE("keys of durable batches have no effect without a state_dir, and that is told") {
  const std::string why = ": has no effect without `state_dir`: batches are not made durable\n";
  struct row {
    std::string parts::*where;
    std::string text, at;
  };
  const std::vector<row> rows{
      {&parts::top, "retention: {results: 1h}", "1:22: warning: retention.results"},
      {&parts::top, "retention: {results_bytes: 1GiB}", "1:28: warning: retention.results_bytes"},
      {&parts::top, "retention: {dead_letters: 1h}", "1:27: warning: retention.dead_letters"},
      {&parts::top, "backup: {dir: b}", "1:9: warning: backup"},
      {&parts::routes, "routes: [{name: a, pool: loaders, async: allow}]",
       "3:42: warning: routes[0].async"},
      {&parts::routes, "routes: [{name: a, pool: loaders, async_retry: {attempts: 2}}]",
       "3:48: warning: routes[0].async_retry"},
      {&parts::routes, "routes: [{name: a, pool: loaders, callback: {allow: [\"http://h\"]}}]",
       "3:45: warning: routes[0].callback"},
      {&parts::pools,
       "pools: {loaders: {workers: [{id: w, url: \"http://h\"}], queue: {durable: {window: 99}}}}",
       "4:73: warning: pools.loaders.queue.durable"},
  };
  for (const auto& r : rows) {
    INFO(r.text);
    parts whole;
    whole.*r.where = r.text;
    CHECK(warnings(whole) == "w.yaml:" + r.at + why);
    whole.listeners += "\nstate_dir: ./state";
    CHECK(warnings(whole).empty());
  }
}

TEST_CASE("a state_dir that is empty is none") {
  parts whole;
  whole.routes = "routes: [{name: a, pool: loaders, async: allow}]";
  whole.top = "state_dir: \"\"";
  CHECK_THAT(warnings(whole), Catch::Contains("routes[0].async: has no effect without"));
}

TEST_CASE("what works without a state_dir is not told") {
  parts whole;
  for (const char* top : {"state_dir: ./state", "state_dir: \"\"", "retention: {keys: 1h}",
                          "retention: {}", "limits: {inline_bytes_max: 0, result_bytes_max: 0}"}) {
    whole.top = top;
    CHECK(warnings(whole).empty());
  }
  whole.routes =
      "routes: [{name: a, pool: loaders, async: never, idempotency: {on_running: wait}}]";
  CHECK(warnings(whole).empty());
  CHECK(pool_warnings("queue: {max_batches: 5}").empty());
}

TEST_CASE("an affinity that its pool does not look at is told") {
  parts whole;
  whole.routes = "routes: [{name: a, pool: loaders, affinity: {path: true}}]";
  CHECK_THAT(warnings(whole), Catch::Contains("warning: routes[0].affinity: has no effect: the "
                                              "pool `loaders` is without `balance: hash`\n"));
  whole.pools =
      "pools: {loaders: {workers: [{id: w, url: \"http://h\"}], balance: hash}}";
  CHECK(warnings(whole).empty());
}

TEST_CASE("a max of autoscale below the workers listed is told, backups not counted") {
  const auto with = [](const std::string& max) {
    parts whole;
    whole.pools =
        "pools: {loaders: {workers: [{id: v, url: \"http://g\"}, {id: w, url: \"http://h\"}], "
        "backup_workers: [{id: b, url: \"http://b\"}], autoscale: {" + max + "}}}";
    return warnings(whole);
  };
  const char* told = "pools.loaders.autoscale.max: 1 is less than the 2 workers listed: none is "
                     "ever asked for\n";
  CHECK_THAT(with("max: 1"), Catch::Contains(told));
  CHECK_THAT(with("min: 1"), Catch::Contains(told));
  CHECK(with("max: 2").find("workers listed") == std::string::npos);
}
