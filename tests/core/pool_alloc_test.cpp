// The hot path must not allocate once its tables have grown.
#include <catch2/catch.hpp>
#include <cmath>
#include <deque>

#include "allocations.hpp"
#include "base/random.hpp"
#include "core/picker.hpp"
#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

struct traffic {
  traffic(pool_kit& kit, int tenants) : k(kit), random(11) {
    for (int i = 0; i < tenants; ++i)
      names.push_back("tenant-with-a-long-name-" + std::to_string(i));
    running.reserve(4096);
  }
  void admit() {
    batch_facts f;
    f.label = "0123456789abcdef0123456789abcdef";
    f.units = 1 + random.below(100);
    f.urgency = static_cast<std::uint8_t>(random.below(8));
    if (!names.empty()) {
      const std::uint32_t t = random.below(static_cast<std::uint32_t>(names.size()));
      f.tenant = names[t];
      f.tenant_hash = t + 1;
      f.lane = t;
    }
    f.durable = durable;
    f.place = ++places;
    f.stored_bytes = 100;
    const admission a = k.admit(now, f);
    if (a.what == admission::kind::granted) running.push_back(a.batch);
  }
  void finish() {
    const std::uint32_t i = random.below(static_cast<std::uint32_t>(running.size()));
    std::swap(running[i], running.back());
    attempt_report r;
    r.may_retry = true;
    const std::uint32_t draw = random.below(50);
    r.end = draw == 0   ? attempt_end::busy
            : draw == 1 ? attempt_end::stale_connection
            : draw == 2 ? attempt_end::failed
                        : attempt_end::succeeded;
    const batch_id b = running.back();
    running.pop_back();
    const verdict v = k.p.finish(b, r, at(now));
    if (v.what == verdict::kind::granted) running.push_back(b);
  }
  void round() {
    now += 0.001;
    if (k.p.next_deadline() <= at(now)) k.p.expire(at(now));
    // Workers that rest let the backlog grow: a steady state keeps its level.
    if (k.p.waiting() + k.p.running() < level) admit();
    collect();
    if (!running.empty()) finish();
    collect();
  }
  void collect() {
    for (const grant& g : k.p.pending().grants) running.push_back(g.batch);
    k.p.pending().clear();
  }

  pool_kit& k;
  base::random random;
  std::vector<std::string> names;
  std::vector<batch_id> running;
  double now = 0;
  std::size_t level = 0;
  std::int64_t places = 0;
  bool durable = false;
};

}  // namespace

TEST_CASE("in the steady state no call allocates: free slots, a backlog, tenants, bounces, "
          "failures, durable ones") {
  struct row {
    const char* what;
    int workers, tenants, backlog;
    bool durable = false;
  };
  for (const row& r :
       {row{"free slots", 10, 0, -10}, row{"a backlog", 3, 0, 300},
        row{"a backlog of tenants", 3, 40, 300}, row{"tenants, no backlog", 10, 8, -10},
        row{"durable ones", 10, 8, -10, true}, row{"many durable ones", 3, 40, 300, true}}) {
    INFO(r.what);
    pool_settings s = plain_settings();
    s.queue.wait_max = 1h;
    pool_kit k(s);
    for (int i = 0; i < r.workers; ++i) k.add("w" + std::to_string(i), 4);
    traffic t(k, r.tenants);
    t.durable = r.durable;
    t.level = static_cast<std::size_t>(4 * r.workers + r.backlog);
    // Tables and names grow first: all that there can be waits, then all that can runs.
    k.p.pause(at(0));
    while (k.p.waiting() < t.level) t.admit();
    k.p.resume(at(0));
    t.collect();
    // More batches than ever before may be failing at once: such growth ends, that of calls would
    // not.
    std::size_t allocated = 1;
    for (int window = 0; window < 20 && allocated > 0; ++window) {
      const std::size_t before = weir::test::allocations;
      for (int i = 0; i < 5000; ++i) t.round();
      allocated = weir::test::allocations - before;
    }
    CHECK(allocated == 0);
  }
}

TEST_CASE("a rate that no worker ever had allocates nothing in the picker") {
  const auto p = make_picker(pool_settings{});
  constexpr std::uint32_t workers = 30;
  for (std::uint32_t w = 0; w < workers; ++w) p->put(w, {1, 0, 4});
  base::random random(5);
  const std::size_t before = weir::test::allocations;
  for (int i = 0; i < 20000; ++i) {
    const double rate = std::exp2(16 * random.unit() - 8);
    p->put(random.below(workers), {rate, random.below(4), 4});
  }
  CHECK(weir::test::allocations == before);
}

}  // namespace weir::core::test
