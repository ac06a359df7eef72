// Tenants with weights and limits of their own, through the whole pool.
#include <algorithm>
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

using kind = admission::kind;

pool_settings with_tenants(std::vector<tenant_settings> named, tenant_settings defaults = {}) {
  pool_settings s = plain_settings();
  s.queue.tenants = std::move(named);
  s.queue.tenant_defaults = std::move(defaults);
  return s;
}

// Names of one letter.
batch_facts of(const char* tenant) {
  return {.tenant_hash = static_cast<std::uint64_t>(tenant[0]), .tenant = tenant, .label = tenant};
}

}  // namespace

TEST_CASE("a tenant at its cap waits beside free slots, and goes on when one of its own ends") {
  for (const attempt_end how : {attempt_end::succeeded, attempt_end::failed,
                                attempt_end::client_gone, attempt_end::client_fault}) {
    INFO(name(how));
    pool_kit k(with_tenants({{.name = "a", .running_max = 2}}));
    k.add("w1", 10);
    const auto first = k.admit(0, of("a"));
    CHECK(first.what == kind::granted);
    CHECK(k.admit(0, of("a")).what == kind::granted);
    const auto third = k.admit(0, of("a"));
    CHECK(third.what == kind::queued);
    CHECK(k.admit(0, of("b")).what == kind::granted);
    CHECK(k.admit(0).what == kind::granted);
    CHECK(k.grants().empty());
    CHECK(k.p.view(at(0)).held_tenants == 1);
    k.finish(first.batch, how, 1, false);
    const auto granted = k.grants();
    REQUIRE(granted.size() == 1);
    CHECK(granted[0].batch == third.batch);
  }
}

TEST_CASE("a cancelled attempt of a tenant at its cap lets the next one go, a waiting one not") {
  pool_kit k(with_tenants({{.name = "a", .running_max = 1}}));
  k.add("w1", 10);
  const auto runs = k.admit(0, of("a")), second = k.admit(0, of("a")), third = k.admit(0, of("a"));
  k.p.cancel(second.batch, at(1));
  CHECK(k.grants().empty());
  k.p.cancel(runs.batch, at(1));
  REQUIRE(k.grants().at(0).batch == third.batch);
}

TEST_CASE("an abandoned slot no longer counts for its tenant") {
  pool_kit k(with_tenants({{.name = "a", .running_max = 1}}));
  const auto w = k.add("w1", 10);
  const auto runs = k.admit(0, of("a"));
  k.admit(0, of("a"));
  k.p.finish(runs.batch, {.end = attempt_end::client_gone, .slot_abandoned = true}, at(1));
  CHECK(k.grants().size() == 1);
  CHECK(k.worker(w, 1).in_flight == 2);
}

TEST_CASE("a retry that backs off does not count as running, and then waits for the cap") {
  pool_kit k(with_tenants({{.name = "a", .running_max = 1}}));
  k.add("w1", 2), k.add("w2", 2);
  auto f = of("a");
  f.retry.backoff_base = 2s, f.retry.backoff_max = 2s;
  const auto fails = k.admit(0, f);
  const auto next = k.admit(0, of("a"));
  CHECK(k.finish(fails.batch, attempt_end::failed, 1).what == verdict::kind::waiting);
  REQUIRE(k.grants().at(0).batch == next.batch);
  k.run_until(4);
  CHECK(k.grants().empty());  // its back-off is over, its tenant's cap is not
  k.finish(next.batch, attempt_end::succeeded, 5);
  CHECK(k.grants().at(0).batch == fails.batch);
}

TEST_CASE("a stale connection's slot is used again by its tenant, unless the cap was lowered") {
  for (const bool lowered : {false, true}) {
    INFO(lowered);
    pool_kit k(with_tenants({{.name = "a", .running_max = 2}}));
    k.add("w1", 2);
    const auto one = k.admit(0, of("a")), other = k.admit(0, of("a"));
    if (lowered) k.p.configure(with_tenants({{.name = "a", .running_max = 1}}), at(1));
    const auto v = k.finish(one.batch, attempt_end::stale_connection, 1);
    CHECK(v.what == (lowered ? verdict::kind::waiting : verdict::kind::granted));
    k.finish(other.batch, attempt_end::succeeded, 2);
    CHECK(k.grants().size() == (lowered ? 1 : 0));
  }
}

TEST_CASE("a bounce of a tenant at its cap goes on at once: what bounced does not run") {
  pool_kit k(with_tenants({{.name = "a", .running_max = 1}}));
  k.add("w1"), k.add("w2");
  const auto a = k.admit(0, of("a"));
  CHECK(k.finish(a.batch, attempt_end::busy, 1).what == verdict::kind::granted);
}

TEST_CASE("what waits for its tenant's cap keeps no other from the slots, nor its order") {
  pool_kit k(with_tenants({{.name = "a", .running_max = 1}}));
  k.add("w1", 2);
  const auto a1 = k.admit(0, of("a"));
  const auto a2 = k.admit(0, of("a")), a3 = k.admit(0, of("a"));
  const auto b1 = k.admit(0, of("b"));
  REQUIRE(b1.what == kind::granted);
  const auto b2 = k.admit(1, of("b"));
  k.finish(b1.batch, attempt_end::succeeded, 2);
  CHECK(k.grants().at(0).batch == b2.batch);
  k.finish(a1.batch, attempt_end::succeeded, 3);
  CHECK(k.grants().at(0).batch == a2.batch);
  k.finish(a2.batch, attempt_end::succeeded, 4);
  CHECK(k.grants().at(0).batch == a3.batch);
}

TEST_CASE("one more than a tenant's max_batches is refused for that, others are not") {
  pool_kit k(with_tenants({{.name = "a", .batches_max = 2}}));
  k.add("w1");
  k.admit(0);
  CHECK(k.admit(0, of("a")).what == kind::queued);
  CHECK(k.admit(0, of("a")).what == kind::queued);
  const auto over = k.admit(0, of("a"));
  CHECK(over.why == refusal::tenant_full);
  CHECK(over.retry_after >= 1s);
  CHECK(k.admit(0, of("b")).what == kind::queued);
  CHECK(k.admit(0).what == kind::queued);
  const auto v = k.p.view(at(0));
  CHECK(v.refused_tenants == 1);
  CHECK(v.refused_batches == 0);
  CHECK(v.waiting == 4);
}

TEST_CASE("who is refused for its own backlog comes back while that drains, whatever others do") {
  struct row {
    const char* what;
    tenant_settings a;
    double longest;   // seconds
  };
  for (const row& r : {row{"at its cap: 20 s of work one at a time, though slots are free",
                           {.name = "a", .running_max = 1, .batches_max = 20}, 21},
                       {"half of what the pool does is another's",
                        {.name = "a", .batches_max = 20}, 10.5}}) {
    INFO(r.what);
    pool_kit k(with_tenants({r.a}));
    k.add("w1", 4);
    for (int i = 0; i < 30 && k.admit(0, of("a")).what != kind::refused; ++i) continue;
    if (r.a.running_max == 0)
      for (int i = 0; i < 500; ++i) k.admit(0, of("b"));
    double last = 0;
    for (int i = 0; i < 50; ++i) {
      const auto a = k.admit(0, of("a"));
      REQUIRE(a.why == refusal::tenant_full);
      REQUIRE(a.retry_after >= 1s);
      last = std::max(last, base::to_seconds(a.retry_after));
    }
    CHECK(last <= r.longest + 1);
    CHECK(last > r.longest * 0.85);
  }
}

TEST_CASE("a tenant that may have none waiting still runs where a slot is free") {
  pool_kit k(with_tenants({{.name = "a", .running_max = 2, .batches_max = 1}}));
  k.add("w1", 4);
  CHECK(k.admit(0, of("a")).what == kind::granted);
  CHECK(k.admit(0, of("a")).what == kind::granted);
  CHECK(k.admit(0, of("a")).what == kind::queued);
  CHECK(k.admit(0, of("a")).why == refusal::tenant_full);
}

TEST_CASE("tenants beyond max_tenants and batches without one have no caps") {
  pool_settings s = with_tenants({}, {.running_max = 1, .batches_max = 1});
  s.queue.tenants_max = 1;
  pool_kit k(s);
  k.add("w1", 10);
  CHECK(k.admit(0, of("a")).what == kind::granted);
  CHECK(k.admit(0, of("a")).what == kind::queued);
  for (const char* folded : {"b", "b", "c", "", ""}) {
    batch_facts f = of(folded);
    CHECK(k.admit(0, f).what == kind::granted);
  }
}

TEST_CASE("a cap that is raised holds at once, and so does one that is taken away") {
  pool_kit k(with_tenants({{.name = "a", .running_max = 1}}));
  k.add("w1", 10);
  for (int i = 0; i < 8; ++i) k.admit(0, of("a"));
  CHECK(k.grants().empty());
  k.p.configure(with_tenants({{.name = "a", .running_max = 3}}), at(1));
  CHECK(k.grants().size() == 2);
  k.p.configure(with_tenants({{.name = "a", .running_max = 2}}), at(2));
  CHECK(k.p.running() == 3);
  k.p.configure(plain_settings(), at(3));
  CHECK(k.grants().size() == 5);
  CHECK(k.p.waiting() == 0);
}

TEST_CASE("a smaller max_batches refuses new batches of the tenant and keeps those that wait") {
  pool_kit k;
  k.add("w1");
  for (int i = 0; i < 5; ++i) k.admit(0, of("a"));
  k.p.configure(with_tenants({}, {.batches_max = 2}), at(1));
  CHECK(k.p.waiting() == 4);
  CHECK(k.admit(1, of("a")).why == refusal::tenant_full);
  CHECK(k.admit(1, of("b")).what == kind::queued);
}

TEST_CASE("weights share a full pool by work, and a changed one holds from then on") {
  pool_kit k(with_tenants({{.name = "a", .weight = 3}}));
  k.add("w1");
  auto running = k.admit(0).batch;
  double now = 0;
  const auto served = [&](int rounds) {
    std::map<batch_id, std::string> whose;
    std::map<std::string, int> counts;
    for (int i = 0; i < rounds; ++i)
      for (const char* t : {"a", "b"}) whose[k.admit(now, of(t)).batch] = t;
    for (int i = 0; i < rounds; ++i) {
      k.finish(running, attempt_end::succeeded, now += 1);
      running = k.grants().at(0).batch;
      ++counts[whose[running]];
    }
    return counts;
  };
  CHECK(served(40)["a"] == Approx(30).margin(2));
  k.p.configure(with_tenants({{.name = "b", .weight = 3}}), at(now));
  CHECK(k.p.queue(0, 1, at(now)).items.size() == 1);
  // Those of before wait too: b's share is counted by its tenants' turns.
  int b_before = 0;
  for (int i = 0; i < 40; ++i) {
    k.finish(running, attempt_end::succeeded, now += 1);
    running = k.grants().at(0).batch;
    const auto page = k.p.explain("b", at(now));
    b_before += page.find("runs on") != page.npos;
  }
  CHECK(b_before >= 25);
}

TEST_CASE("the batch of a tenant at its cap says so") {
  pool_kit k(with_tenants({{.name = "a", .running_max = 1}}));
  k.add("w1", 4);
  k.admit(0, of("a"));
  auto f = of("a");
  f.label = "waits";
  k.admit(0, f);
  CHECK_THAT(k.p.explain("waits", at(1)),
             Catch::Contains("Its tenant runs as many as it may (1)."));
}

TEST_CASE("where a tenant's batch stands goes by weights, and by its cap") {
  struct row {
    const char* what;
    std::vector<tenant_settings> named;
    double least, most;  // seconds until the last of ten is granted
  };
  // Two slots, ten batches of about 1 s of each of two tenants.
  const row rows[] = {
      {"equal weights", {}, 8, 12},
      {"four times the weight", {{.name = "a", .weight = 4}}, 4, 8},
      {"one at a time", {{.name = "a", .running_max = 1}}, 8, 12},
      {"all alone, one at a time", {{.name = "a", .weight = 1000, .running_max = 1}}, 8, 12},
  };
  for (const row& r : rows) {
    INFO(r.what);
    pool_settings s = with_tenants(r.named);
    s.queue.order = queue_order::fifo;
    pool_kit k(s);
    k.add("w1", 2);
    double now = 0;
    for (int i = 0; i < 20; ++i, now += 1)
      k.finish(k.admit(now, {.units = 1}).batch, attempt_end::succeeded, now + 1);
    batch_id last;
    for (int i = 0; i < 10; ++i)
      for (const char* t : {"a", "b"}) {
        auto f = of(t);
        f.units = 1;
        const auto got = k.admit(now, f);
        if (*t == 'a') last = got.batch;
      }
    const double eta = k.p.place(last, at(now))->eta_seconds;
    CHECK(eta >= r.least);
    CHECK(eta <= r.most);
  }
}

TEST_CASE("a backlog that its tenant's cap holds asks for no more workers than the cap can use") {
  for (const bool capped : {false, true}) {
    INFO(capped);
    pool_settings s = plain_settings();
    s.autoscale = autoscale_settings{.min = 1, .max = 20, .sustain = 1s, .startup_time = 1s};
    if (capped) s.queue.tenant_defaults.running_max = 3;
    pool_kit k(s);
    k.add("w1");
    for (int i = 0; i < 500; ++i) k.admit(0, of("a"));
    k.run_until(60);
    std::uint32_t most = 0;
    for (const scale_decision& d : k.take(k.p.pending().decisions))
      most = std::max(most, d.desired);
    if (capped) CHECK(most <= 4);
    if (!capped) CHECK(most == 20);
  }
}

TEST_CASE("durable batches have their tenant's cap too, but not its max_batches") {
  pool_settings s = with_tenants({}, {.running_max = 1, .batches_max = 1});
  pool_kit k(s);
  k.add("w1", 4);
  std::int64_t place = 0;
  const auto durable = [&] {
    auto f = of("a");
    f.durable = true;
    f.place = ++place;
    return k.admit(0, f);
  };
  const auto first = durable();
  CHECK(first.what == kind::granted);
  const auto second = durable();
  CHECK(second.what == kind::queued);
  CHECK(durable().what == kind::queued);
  CHECK(k.admit(0, of("a")).what == kind::queued);
  CHECK(k.admit(0, of("a")).why == refusal::tenant_full);
  k.finish(first.batch, attempt_end::succeeded, 1);
  CHECK(k.grants().size() == 1);
}

}  // namespace weir::core::test
