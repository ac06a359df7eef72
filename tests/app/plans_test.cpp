#include "app/plans.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "crew_kit.hpp"
#include "store/local_engine.hpp"

namespace {

using namespace weir;
using test::crew_kit;
using test::pool_of;

config::route route(std::string name, std::string path, std::string pool) {
  config::route r;
  r.name = std::move(name);
  r.path = std::move(path);
  r.pool = std::move(pool);
  return r;
}

struct plan_kit : crew_kit {
  explicit plan_kit(std::vector<config::route> routes) : crew_kit(2) {
    for (const char* name : {"loaders", "checkers"}) crews[name] = make(pool_of(name, {}));
    settings.routes = std::move(routes);
  }
  ~plan_kit() { crews.clear(); }
  proxy::plan_ptr plan(unsigned loop = 0) {
    return app::make_plan(
        {settings, crews, front, metrics, replay, nullptr, *keys, "/copies", 123}, loop);
  }
  std::string route_of(const proxy::plan& p, std::string_view path) {
    std::string scratch;
    const auto found = p.router.find({"h", path, "POST", {}}, scratch);
    return found ? p.routes[*found].settings.name : "";
  }
  app::crews crews;
  config::settings settings;
  std::unique_ptr<store::local_engine> keys = std::move(*store::local_engine::open({}));
  std::shared_ptr<proxy::replay_budget> replay = std::make_shared<proxy::replay_budget>();
};

}  // namespace

TEST_CASE("routes lead to their pools, first match first") {
  plan_kit k({route("a", "/load/a", "checkers"), route("all", "/load", "loaders")});
  const auto p = k.plan();
  CHECK(k.route_of(*p, "/load/a/1") == "a");
  CHECK(k.route_of(*p, "/load/b") == "all");
  CHECK(k.route_of(*p, "/other").empty());
  REQUIRE(p->routes.size() == 2);
  CHECK(p->routes[0].pool->name == "checkers");
  CHECK(p->routes[0].pool->gate == k.crews["checkers"]->gate());
  CHECK(p->routes[1].pool->name == "loaders");
}

TEST_CASE("a plan takes no more connections than there are descriptors for") {
  plan_kit k({});
  CHECK(k.settings.limits.connections_max > 123);
  CHECK(k.plan()->limits.connections_max == 123);
}

TEST_CASE("a plan has every pool, those without a route too: their clocks must go on") {
  plan_kit k({});
  CHECK(k.plan()->pools.size() == 2);
  CHECK(k.plan()->routes.empty());
}

TEST_CASE("each loop's plan has its own connections and the same gates, series and budget") {
  plan_kit k({route("all", "/", "loaders")});
  const auto one = k.plan(0), two = k.plan(1);
  CHECK(one->pools[0].links != two->pools[0].links);
  CHECK(one->pools[0].gate == two->pools[0].gate);
  CHECK(one->routes[0].batches == two->routes[0].batches);
  CHECK(one->replay == two->replay);
  CHECK(one->replay_folder == "/copies");
  CHECK(one->pools[0].links == k.plan(0)->pools[0].links);   // kept from plan to plan
  CHECK(one->routes[0].core_route == two->routes[0].core_route);
}

TEST_CASE("nothing in a plan is missing: every series that a batch touches is there") {
  plan_kit k({route("all", "/", "loaders")});
  const auto p = k.plan();
  for (const auto& pool : p->pools) {
    CHECK(pool.links);
    CHECK(pool.duration);
    for (const auto& h : pool.queue_wait) CHECK(h);
    for (const auto& c : pool.retries) CHECK(c);
  }
  for (const auto& c : p->routes[0].batches) CHECK(c);
  const auto& h = p->hits;
  for (const auto& c : {h.head_bytes, h.fields, h.target_bytes, h.connections, h.replay_batch,
                        h.replay_total, h.body, h.linger, h.replay_disk, h.replay_folder})
    CHECK(c);
  CHECK(p->unrouted);
}

TEST_CASE("series carry the names that dashboards know") {
  plan_kit k({route("orders", "/", "loaders")});
  const auto p = k.plan();
  p->routes[0].batches[static_cast<std::size_t>(telemetry::outcome::failed)]->add(0);
  p->pools[1].retries[static_cast<std::size_t>(core::attempt_end::busy)]->add(0);
  p->hits.body->add(1);
  p->unrouted->add(0);
  const std::string text = k.metrics.text();
  for (const char* line : {
           "weir_batches_total{outcome=\"failed\",pool=\"loaders\",route=\"orders\"} 1",
           "weir_retries_total{pool=\"loaders\",reason=\"busy\"} 1",
           "weir_limit_hits_total{limit=\"routes.body_max\"} 1",
           "weir_batches_total{outcome=\"bad_request\",pool=\"\",route=\"\"} 1",
       }) {
    INFO(line);
    CHECK_THAT(text, Catch::Contains(line));
  }
}

TEST_CASE("every reason for which a batch is sent back has a series, no other has") {
  plan_kit k({});
  const auto p = k.plan();
  const std::string text = k.metrics.text();
  for (const char* reason : {"connect_failed", "stale_connection", "busy", "failed",
                             "response_timeout"})
    CHECK_THAT(text, Catch::Contains("weir_retries_total{pool=\"loaders\",reason=\"" +
                                     std::string(reason) + "\"} 0"));
  for (const char* reason : {"succeeded", "client_gone", "client_fault"})
    CHECK_THAT(text, !Catch::Contains("reason=\"" + std::string(reason) + "\""));
}

TEST_CASE("a route's lists of statuses and edits are taken over, nonsense statuses are not") {
  auto r = route("all", "/", "loaders");
  r.busy_statuses = {429, 599, 600, 65535};
  r.failure_statuses = {500};
  r.rewrite.request.set["X-Added"] = "1";
  r.rewrite.response.remove = {"Server"};
  plan_kit k({r});
  const auto p = k.plan();
  CHECK(p->routes[0].busy.count() == 2);
  CHECK(p->routes[0].busy.test(429));
  CHECK(p->routes[0].failure.count() == 1);
  CHECK(p->routes[0].request_edits.touches("x-added"));
  CHECK(p->routes[0].response_edits.touches("SERVER"));
}

TEST_CASE("limits are the configuration's") {
  plan_kit k({});
  k.settings.limits.head_bytes_max = 1234;
  k.settings.limits.fields_max = 12;
  k.settings.limits.target_bytes_max = 123;
  k.settings.limits.connections_max = 123;
  const auto p = k.plan();
  CHECK(p->head_limits.head_bytes_max == 1234);
  CHECK(p->head_limits.fields_max == 12);
  CHECK(p->head_limits.target_bytes_max == 123);
  CHECK(p->limits == k.settings.limits);
}
