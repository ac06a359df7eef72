#include "app/crew.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <future>
#include <string>
#include <vector>

#include "crew_kit.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using test::crew_kit;
using test::names_of;
using test::pool_of;
using test::worker_at;
using words = std::vector<std::string>;

admin::register_request registration(std::string id, std::string host = "127.0.0.1",
                                     base::duration ttl = 30s) {
  admin::register_request r;
  r.pool = "loaders";
  r.id = std::move(id);
  r.url.host = std::move(host);
  r.url.port = 9100;
  r.slots = 3;
  r.ttl = ttl;
  return r;
}

const auto anywhere = [](std::string_view) { return true; };

}  // namespace

TEST_CASE("a crew begins with the workers of its configuration, and says so in the journal") {
  crew_kit k;
  const auto c =
      k.make(pool_of("loaders", {worker_at("w1", "127.0.0.1"), worker_at("w2", "127.0.0.2")}));
  k.settle();
  CHECK(names_of(*c) == words{"w1", "w2"});
  CHECK(k.count("worker_added") == 2);
  CHECK(c->view().workers == 2);
  CHECK(c->view().slots == 4);
  CHECK(k.lookups.empty());   // numeric addresses are never looked up
}

TEST_CASE("every loop hears where a worker is, names once they are resolved") {
  crew_kit k(2);
  k.front.start();
  const auto c = k.make(
      pool_of("loaders", {worker_at("w1", "127.0.0.1"), worker_at("w2", "worker.test", 9002)}));
  k.settle();
  CHECK(k.lookups == words{"worker.test"});
  std::promise<void> told;
  std::atomic<int> good{0};
  const auto all = c->workers();
  k.front.each_links(
      "loaders",
      [&](proxy::links& links) {
        const auto one = links.target(all[0].view.id), two = links.target(all[1].view.id);
        good +=
            one && one->addresses.size() == 1 && to_string(one->addresses[0]) == "127.0.0.1:9001";
        good +=
            two && two->addresses.size() == 1 && to_string(two->addresses[0]) == "192.0.2.9:9002";
        good += two && two->host == "worker.test:9002" && two->server_name == "worker.test";
      },
      [&] { told.set_value(); });
  told.get_future().wait();
  CHECK(good == 6);
}

TEST_CASE(
    "a name that does not resolve is an entry in the journal, the worker stays without address") {
  crew_kit k;
  k.answer_with = "";
  const auto c = k.make(pool_of("loaders", {worker_at("w1", "nowhere.test")}));
  k.settle();
  CHECK(k.count("name_not_resolved") == 1);
  CHECK(names_of(*c) == words{"w1"});
}

TEST_CASE("a worker registers itself, renews with its secret, and says goodbye") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {}));
  const auto lease = c->enroll(registration("r1"), anywhere, 60s);
  REQUIRE(lease.has_value());
  CHECK(lease->secret.size() >= 16);
  CHECK(lease->ttl == 30s);
  const auto all = c->workers();
  REQUIRE(all.size() == 1);
  CHECK(all[0].registered);
  CHECK(all[0].view.slots == 3);
  CHECK(all[0].view.managed);   // scale-in may name it
  CHECK(all[0].lease_seconds > 0);
  CHECK(all[0].lease_seconds <= 30);
  CHECK(c->renew("r1", lease->secret).has_value());
  CHECK(c->end_lease("r1", lease->secret).has_value());
  k.settle();
  CHECK(names_of(*c).empty());
  CHECK(k.count("worker_removed") == 1);
  CHECK_FALSE(c->renew("r1", lease->secret).has_value());
}

TEST_CASE("a lease's own secret is asked for, each worker's its own") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {worker_at("w1", "127.0.0.1")}));
  const auto one = c->enroll(registration("r1"), anywhere, 60s);
  const auto two = c->enroll(registration("r2", "127.0.0.2"), anywhere, 60s);
  REQUIRE((one.has_value() && two.has_value()));
  CHECK(one->secret != two->secret);
  struct row {
    const char* what;
    std::string worker, secret;
    admin::failure::kind why;
  };
  const row rows[] = {
      {"another's secret", "r1", two->secret, admin::failure::kind::forbidden},
      {"no secret", "r1", "", admin::failure::kind::forbidden},
      {"part of it", "r1", one->secret.substr(1), admin::failure::kind::forbidden},
      {"a configured worker", "w1", one->secret, admin::failure::kind::forbidden},
      {"a configured worker without secret", "w1", "", admin::failure::kind::forbidden},
      {"nobody", "r9", one->secret, admin::failure::kind::not_found},
  };
  for (const row& r : rows) {
    INFO(r.what);
    const auto renewed = c->renew(r.worker, r.secret);
    REQUIRE_FALSE(renewed.has_value());
    CHECK(renewed.error().what == r.why);
    const auto ended = c->end_lease(r.worker, r.secret);
    REQUIRE_FALSE(ended.has_value());
    CHECK(ended.error().what == r.why);
  }
  CHECK(names_of(*c) == words{"w1", "r1", "r2"});
}

TEST_CASE("a lease that is not renewed is lost: the worker is drained, removed and told of") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {}));
  const auto lease = c->enroll(registration("r1", "127.0.0.1", 5s), anywhere, 60s);
  REQUIRE(lease.has_value());
  const auto now = net::loop::read_clock();
  c->tick(now);
  CHECK(names_of(*c) == words{"r1"});
  c->tick(now + 1h);
  k.settle();
  CHECK(names_of(*c).empty());
  CHECK(k.count("lease_lost") == 1);
  CHECK(k.count("worker_removed") == 1);
  CHECK_FALSE(c->renew("r1", lease->secret).has_value());
  c->tick(now + 2h);
  CHECK(k.count("lease_lost") == 1);   // once
}

TEST_CASE("a lease is never longer than the surface allows") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {}));
  const auto lease = c->enroll(registration("r1", "127.0.0.1", 24h), anywhere, 60s);
  REQUIRE(lease.has_value());
  CHECK(lease->ttl == 60s);
}

TEST_CASE(
    "a worker that comes back before its lease ran out takes its own place, with a new secret") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {}));
  const auto before = c->enroll(registration("r1"), anywhere, 60s);
  const auto after = c->enroll(registration("r1"), anywhere, 60s);
  REQUIRE((before.has_value() && after.has_value()));
  CHECK(before->secret != after->secret);
  k.settle();
  CHECK(names_of(*c) == words{"r1"});
  CHECK_FALSE(c->renew("r1", before->secret).has_value());
  CHECK(c->renew("r1", after->secret).has_value());
}

TEST_CASE("the id of a live lease moves to another url only with that lease's secret") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {}));
  const auto held = c->enroll(registration("r1"), anywhere, 60s);
  const auto other = c->enroll(registration("r2", "127.0.0.2"), anywhere, 60s);
  REQUIRE((held.has_value() && other.has_value()));
  auto moved = registration("r1", "127.0.0.3");
  for (const std::string& secret : {std::string(), std::string("guess"), other->secret}) {
    moved.secret = secret;
    const auto no = c->enroll(moved, anywhere, 60s);
    REQUIRE_FALSE(no.has_value());
    CHECK(no.error().what == admin::failure::kind::conflict);
    CHECK_THAT(no.error().detail, Catch::Contains("http://127.0.0.1:9100"));
  }
  CHECK(c->renew("r1", held->secret).has_value());   // nothing happened to its lease
  moved.secret = held->secret;
  const auto taken = c->enroll(moved, anywhere, 60s);
  REQUIRE(taken.has_value());
  CHECK_FALSE(c->renew("r1", held->secret).has_value());
  moved = registration("r1", "127.0.0.4");
  c->tick(net::loop::read_clock() + 1h);   // its lease has ended
  CHECK(c->enroll(moved, anywhere, 60s).has_value());
}

TEST_CASE("one url is one worker: a second id for it is a conflict until the first has left") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {worker_at("w1", "127.0.0.7", 9100)}));
  const auto first = c->enroll(registration("r1"), anywhere, 60s);
  REQUIRE(first.has_value());
  for (const char* host : {"127.0.0.1", "127.0.0.7"}) {
    const auto second = c->enroll(registration("r2", host), anywhere, 60s);
    REQUIRE_FALSE(second.has_value());
    CHECK(second.error().what == admin::failure::kind::conflict);
    CHECK_THAT(second.error().detail, Catch::Contains("http://" + std::string(host) + ":9100"));
  }
  CHECK(c->enroll(registration("r1"), anywhere, 60s).has_value());   // itself, anew
  auto elsewhere = registration("r2");
  elsewhere.url.port = 9101;
  CHECK(c->enroll(elsewhere, anywhere, 60s).has_value());
  CHECK(c->remove("r1").has_value());
  CHECK(c->enroll(registration("r3"), anywhere, 60s).has_value());
}

TEST_CASE("who may not register is told why") {
  crew_kit k;
  auto settings = pool_of("loaders", {worker_at("w1", "127.0.0.1")});
  settings.settings.workers_max = 2;
  const auto c = k.make(settings);
  const auto taken = c->enroll(registration("w1"), anywhere, 60s);
  REQUIRE_FALSE(taken.has_value());
  CHECK(taken.error().what == admin::failure::kind::conflict);
  CHECK(c->enroll(registration("r1"), anywhere, 60s).has_value());
  const auto full = c->enroll(registration("r2", "127.0.0.2"), anywhere, 60s);
  REQUIRE_FALSE(full.has_value());
  CHECK(full.error().what == admin::failure::kind::unavailable);
  c->retire();
  const auto retired = c->enroll(registration("r3"), anywhere, 60s);
  REQUIRE_FALSE(retired.has_value());
  CHECK(retired.error().what == admin::failure::kind::not_found);
}

TEST_CASE("a registered name is held to the list each time that it is resolved") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {}));
  words asked;
  const auto lease = c->enroll(
      registration("r1", "worker.test"),
      [&](std::string_view a) {
        asked.emplace_back(a);
        return false;
      },
      60s);
  REQUIRE(lease.has_value());
  k.settle();
  CHECK(asked == words{"192.0.2.9"});
  CHECK(k.count("name_not_resolved") == 1);   // all that it brought was refused
}

TEST_CASE("drain, undrain and remove go by name, and unknown names are told as such") {
  crew_kit k;
  const auto c =
      k.make(pool_of("loaders", {worker_at("w1", "127.0.0.1"), worker_at("w2", "127.0.0.2")}));
  CHECK(c->drain("w1", "by an operator").has_value());
  CHECK(c->workers()[0].view.state == core::worker_state::draining);
  CHECK(c->undrain("w1").has_value());
  CHECK(c->workers()[0].view.state == core::worker_state::up);
  CHECK(c->remove("w2").has_value());
  k.settle();
  CHECK(names_of(*c) == words{"w1"});
  for (const char* gone : {"w2", "w9", ""}) {
    INFO("'" << gone << "'");
    CHECK(c->drain(gone, "x").error().what == admin::failure::kind::not_found);
    CHECK(c->undrain(gone).error().what == admin::failure::kind::not_found);
    CHECK(c->remove(gone).error().what == admin::failure::kind::not_found);
  }
}

// --- reload
// ---------------------------------------------------------------------------------------

TEST_CASE("a reload keeps who did not change, drains who left, adds who came") {
  crew_kit k;
  const auto c =
      k.make(pool_of("loaders", {worker_at("same", "127.0.0.1"), worker_at("slots", "127.0.0.2"),
                                 worker_at("moved", "127.0.0.3"), worker_at("gone", "127.0.0.4")}));
  k.settle();
  const auto id_of = [&](std::string_view name) {
    for (const auto& w : c->workers())
      if (!w.view.removing && w.view.name == name) return w.view.id;
    return core::worker_id{};
  };
  const auto same = id_of("same"), slots = id_of("slots"), moved = id_of("moved");
  c->apply(
      pool_of("loaders", {worker_at("same", "127.0.0.1"), worker_at("slots", "127.0.0.2", 9001, 7),
                          worker_at("moved", "127.0.0.9"), worker_at("fresh", "127.0.0.5")}),
      nullptr);
  k.settle();
  auto now = names_of(*c);
  std::sort(now.begin(), now.end());
  CHECK(now == words{"fresh", "moved", "same", "slots"});
  CHECK(id_of("same") == same);
  CHECK(id_of("slots") == slots);
  CHECK(id_of("moved") != moved);   // another machine: nothing learned of the old one holds
  for (const auto& w : c->workers())
    if (w.view.name == "slots") CHECK(w.view.slots == 7);
}

TEST_CASE("workers_max never keeps a configured worker out") {
  crew_kit k;
  auto settings = pool_of("loaders", {worker_at("w1", "127.0.0.1", 9001, 1)});
  settings.settings.workers_max = 1;
  const auto c = k.make(settings);
  k.settle();
  core::batch_facts f;
  f.route = c->gate()->with(net::loop::read_clock(),
                            [](core::pool& p, base::instant) { return p.route("r"); });
  REQUIRE(c->gate()->admit(f, net::loop::read_clock()).what == core::admission::kind::granted);

  SECTION("its url changed while the old one has a batch to finish") {
    settings.workers = {worker_at("w1", "127.0.0.2")};
    c->apply(settings, nullptr);
    k.settle();
    CHECK(names_of(*c) == words{"w1"});
    CHECK(c->workers().size() == 2);   // the one that leaves is still to be seen
  }
  SECTION("workers that registered took every place") {
    settings.settings.workers_max = 2;
    c->apply(settings, nullptr);
    REQUIRE(c->enroll(registration("r1"), anywhere, 60s).has_value());
    settings.workers.push_back(worker_at("w2", "127.0.0.2"));
    c->apply(settings, nullptr);
    k.settle();
    CHECK(names_of(*c) == words{"w1", "r1", "w2"});
    CHECK_FALSE(c->enroll(registration("r2", "127.0.0.9"), anywhere, 60s).has_value());
  }
}

TEST_CASE("a worker that registers again takes its own place in a full pool with batches") {
  crew_kit k;
  auto settings = pool_of("loaders", {});
  settings.settings.workers_max = 1;
  const auto c = k.make(settings);
  REQUIRE(c->enroll(registration("r1"), anywhere, 60s).has_value());
  k.settle();
  core::batch_facts f;
  f.route = c->gate()->with(net::loop::read_clock(),
                            [](core::pool& p, base::instant) { return p.route("r"); });
  REQUIRE(c->gate()->admit(f, net::loop::read_clock()).what == core::admission::kind::granted);
  CHECK(c->enroll(registration("r1"), anywhere, 60s).has_value());
  k.settle();
  CHECK(names_of(*c) == words{"r1"});
}

TEST_CASE("a reload leaves registered workers alone, unless it takes their name or their url") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {worker_at("w1", "127.0.0.1")}));
  const auto stays = c->enroll(registration("r1"), anywhere, 60s);
  const auto yields = c->enroll(registration("r2", "127.0.0.2"), anywhere, 60s);
  const auto doubled = c->enroll(registration("r3", "127.0.0.3"), anywhere, 60s);
  REQUIRE((stays.has_value() && yields.has_value() && doubled.has_value()));
  const auto wanted =
      pool_of("loaders", {worker_at("r2", "127.0.0.7"), worker_at("w3", "127.0.0.3", 9100)});
  words said;
  for (const auto& one : c->changes_to(wanted)) said.push_back(config::to_line(one));
  CHECK(said == words{"worker loaders/r2: removed, was http://127.0.0.2:9100, registered (drains "
                      "first: the configuration lists its id)",
                      "worker loaders/r3: removed, was http://127.0.0.3:9100, registered (drains "
                      "first: the configuration lists its url)"});
  c->apply(wanted, nullptr);
  k.settle();
  auto now = names_of(*c);
  std::sort(now.begin(), now.end());
  CHECK(now == words{"r1", "r2", "w3"});
  CHECK(c->renew("r1", stays->secret).has_value());
  CHECK_FALSE(c->renew("r2", yields->secret).has_value());    // it is the configuration's now
  CHECK_FALSE(c->renew("r3", doubled->secret).has_value());   // one url is one worker
}

TEST_CASE("a removed pool serves what waits, lets its workers go, and is gone when it is empty") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {worker_at("w1", "127.0.0.1", 9001, 1)}));
  k.settle();
  core::batch_facts f;
  f.route = c->gate()->with(net::loop::read_clock(),
                            [](core::pool& p, base::instant) { return p.route("r"); });
  const auto now = net::loop::read_clock();
  const auto runs = c->gate()->admit(f, now);
  const auto waits = c->gate()->admit(f, now);
  REQUIRE(waits.what == core::admission::kind::queued);
  c->retire();
  k.settle();
  CHECK_FALSE(c->gone());
  CHECK(names_of(*c) == words{"w1"});   // it is needed for what waits
  c->gate()->cancel(waits.batch, now);
  c->tick(net::loop::read_clock());
  CHECK_FALSE(c->gone());   // one runs
  c->gate()->cancel(runs.batch, now);
  k.settle();
  CHECK(c->gone());
}

TEST_CASE("a pool that comes back with the next reload is not retired any more") {
  crew_kit k;
  const auto settings = pool_of("loaders", {worker_at("w1", "127.0.0.1")});
  const auto c = k.make(settings);
  c->retire();
  k.settle();
  CHECK(c->gone());
  c->apply(settings, nullptr);
  k.settle();
  CHECK_FALSE(c->retiring());
  CHECK_FALSE(c->gone());
  CHECK(names_of(*c) == words{"w1"});
}

TEST_CASE("what a pool says after its crew is gone finds nobody") {
  crew_kit k;
  auto c = k.make(pool_of("loaders", {worker_at("w1", "127.0.0.1")}));
  const auto gate = c->gate();
  c.reset();
  gate->with(net::loop::read_clock(), [](core::pool& p, base::instant now) { p.pause(now); });
  k.settle();
  CHECK(k.count("pool_paused") == 0);
}

TEST_CASE("series of a worker that departed go, unless a new one has its name") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {worker_at("w1", "127.0.0.1")}));
  k.settle();
  CHECK_THAT(k.metrics.text(), Catch::Contains("worker=\"w1\""));
  c->apply(pool_of("loaders", {worker_at("w1", "127.0.0.9")}), nullptr);
  k.settle();
  CHECK_THAT(k.metrics.text(), Catch::Contains("worker=\"w1\""));
  c->apply(pool_of("loaders", {}), nullptr);
  k.settle();
  CHECK_THAT(k.metrics.text(), !Catch::Contains("worker=\"w1\""));
}

TEST_CASE("hooks can only be tested where there are some") {
  crew_kit k;
  const auto c = k.make(pool_of("loaders", {}));
  bool refused = false;
  c->test_hooks([&](const admin::answer<admin::change_report>& a) {
    refused = !a.has_value() && a.error().what == admin::failure::kind::conflict;
  });
  CHECK(refused);
  CHECK_FALSE(c->scale().enabled);
}
