// What a crew shows of its scale hooks and workers before anything happened to them.
#include <algorithm>
#include <catch2/catch.hpp>
#include <future>
#include <optional>
#include <string>
#include <vector>

#include "app/crew.hpp"
#include "crew_kit.hpp"
#include "scale/record.hpp"
#include "store/local_engine.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using test::crew_kit;
using test::pool_of;
using test::worker_at;

config::pool scaled(std::vector<config::worker> workers) {
  config::pool p = pool_of("loaders", std::move(workers));
  p.settings.autoscale = core::autoscale_settings{.min = 1, .max = 3};
  config::hook h;
  h.exec.emplace().command = {"/bin/true"};
  p.hooks = {h};
  return p;
}

}  // namespace

TEST_CASE("counters of hooks and ejections are 0 from the start, so that a rise can be seen") {
  crew_kit k;
  const auto c = k.make(scaled({worker_at("w1", "127.0.0.1")}));
  const std::string text = k.metrics.text();
  for (const char* direction : {"out", "in"})
    for (const char* outcome : {"delivered", "failed", "superseded"})
      CHECK_THAT(text, Catch::Contains("weir_autoscale_hooks_total{direction=\"" +
                                       std::string(direction) + "\",outcome=\"" + outcome +
                                       "\",pool=\"loaders\"} 0"));
  CHECK_THAT(text, Catch::Contains("weir_ejections_total{pool=\"loaders\",worker=\"w1\"} 0"));
}

TEST_CASE("a pool without hooks has no series of them") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {worker_at("w1", "127.0.0.1")}));
  CHECK_THAT(k.metrics.text(), !Catch::Contains("weir_autoscale_hooks_total"));
}

TEST_CASE("an undelivered decision and the numbers of all go on in the next process") {
  crew_kit k;
  const auto engine = std::move(*store::local_engine::open({}));
  config::pool settings = scaled({});
  settings.settings.autoscale->min = 0;
  config::hook nobody;
  nobody.webhook.emplace().url = "http://127.0.0.1:1/";
  settings.hooks = {nobody};
  const auto record = [&]() -> std::optional<scale::message> {
    const auto answer = std::make_shared<std::promise<store::message_page>>();
    engine->messages("scale/loaders/", [answer](auto got) { answer->set_value(*got); });
    const store::message_page page = answer->get_future().get();
    return page.list.empty() ? std::nullopt : scale::parse_record(page.list.at(0).text);
  };
  std::uint64_t before = 0;
  std::string id;
  for (int process = 0; process < 3; ++process) {
    const auto notes = app::scale_notes::open(*engine);
    app::crew_services services = k.services();
    services.notes = notes.get();
    app::crew c(services, 0, settings, nullptr);
    k.settle();
    if (process > 0) CHECK(record()->id == id);   // still to be delivered
    core::batch_facts f;
    const auto now = net::loop::read_clock();
    f.route = c.gate()->with(now, [](core::pool& p, base::instant) { return p.route("r"); });
    c.gate()->admit(f, now);   // nobody is there for it
    c.gate()->with(now, [](core::pool& p, base::instant t) { p.expire(t); });
    k.settle();
    REQUIRE(record());
    CHECK(record()->decision.sequence > before);
    CHECK(record()->id != id);
    before = record()->decision.sequence;
    id = record()->id;
  }
}

TEST_CASE("the workers that are there are counted without those that leave") {
  crew_kit k;
  const auto c = k.make(scaled({worker_at("w1", "127.0.0.1", 9001, 1),
                                worker_at("w2", "127.0.0.2")}));
  k.settle();
  core::batch_facts f;
  f.route = c->gate()->with(net::loop::read_clock(),
                            [](core::pool& p, base::instant) { return p.route("r"); });
  for (int i = 0; i < 3; ++i) c->gate()->admit(f, net::loop::read_clock());
  REQUIRE(c->remove("w1").has_value());
  k.settle();
  CHECK(c->view().workers == 2);   // it has a batch yet
  CHECK(c->scale().current == 1);
}

TEST_CASE("a reload says which workers come again that the API removed, and brings them") {
  crew_kit k;
  const auto settings = pool_of("loaders", {worker_at("w1", "127.0.0.1"),
                                            worker_at("w2", "127.0.0.2")});
  const auto c = k.make(settings);
  k.settle();
  CHECK(c->changes_to(settings).empty());
  REQUIRE(c->remove("w1").has_value());
  k.settle();
  const auto again = c->changes_to(settings);
  REQUIRE(again.size() == 1);
  CHECK(config::to_line(again[0]) ==
        "worker loaders/w1: added again (removed through the API)");
  CHECK(c->changes_to(pool_of("loaders", {worker_at("w2", "127.0.0.2")})).empty());
  // Another url is a change of the file: that says so itself.
  CHECK(c->changes_to(pool_of("loaders", {worker_at("w1", "127.0.0.9")})).empty());
  c->apply(settings, nullptr);
  k.settle();
  auto now = test::names_of(*c);
  std::sort(now.begin(), now.end());
  CHECK(now == std::vector<std::string>{"w1", "w2"});
  CHECK(c->changes_to(settings).empty());
}
