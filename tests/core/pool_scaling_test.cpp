// The pool and its scale policy together: what scaling.hpp decides becomes drains, names and
// events here, and what happens to workers gets back to it.
#include <catch2/catch.hpp>

#include "core/pool.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

pool_settings scaled(std::uint32_t min, std::uint32_t max) {
  pool_settings s = plain_settings();
  s.autoscale = autoscale_settings{.min = min, .max = max};
  s.autoscale->objective = 30s;
  s.autoscale->sustain = 5s;
  s.autoscale->startup_time = 10s;
  s.autoscale->scale_in_window = 60s;
  s.queue.wait_max = 1h;
  return s;
}

struct bench {
  explicit bench(pool_settings s) : k(std::move(s)) {}

  worker_id managed(std::string name, std::uint32_t slots, double when) {
    worker_settings w = worker_named(std::move(name), slots);
    w.managed = true;
    return k.p.add_worker(w, at(when));
  }
  // Runs to `until`; every batch takes its worker `seconds`.
  void run(double until, double seconds) {
    for (;;) {
      for (const grant& g : k.grants()) running.emplace_back(now + seconds, g.batch);
      const instant due = k.p.next_deadline();
      double next = base::to_seconds(due - at(0));
      std::size_t ends = running.size();
      for (std::size_t i = 0; i < running.size(); ++i)
        if (running[i].first <= next) next = running[i].first, ends = i;
      if (next > until) break;
      now = std::max(now, next);
      if (ends == running.size()) {
        k.p.expire(due);  // not at(now): rounding must not make it come too early
      } else {
        const batch_id b = running[ends].second;
        running.erase(running.begin() + static_cast<std::ptrdiff_t>(ends));
        k.finish(b, attempt_end::succeeded, now);
      }
      for (const scale_decision& d : k.take(k.p.pending().decisions)) decisions.push_back(d);
    }
    now = until;
  }
  void admit(int n) {
    for (int i = 0; i < n; ++i) {
      const admission a = k.admit(now);
      if (a.what == admission::kind::granted) running.emplace_back(now + 1e9, a.batch);
    }
  }

  pool_kit k;
  double now = 0;
  std::vector<std::pair<double, batch_id>> running;
  std::vector<scale_decision> decisions;
};

// Probes whose outcome the test says; one settles it.
struct probed_kit : pool_kit {
  static pool_settings settings() {
    pool_settings s = scaled(1, 10);
    s.health = {.kind = probe_kind::tcp, .interval = 10ms, .fast_interval = 10ms,
                .down_interval_max = 10ms, .timeout = 10s, .fall = 1, .rise = 1, .jitter = 0};
    return s;
  }
  probed_kit() : pool_kit(settings()) {}
  void probe(worker_id w, bool good, double when) {
    run_until(when);
    p.probed(w, good, good ? "" : "connection refused", at(when));
  }
};

}  // namespace

TEST_CASE("min: 0: a batch waits for the first worker, asks for it, and gets it") {
  bench b(scaled(0, 5));
  const admission a = b.k.admit(0);
  REQUIRE(a.what == admission::kind::queued);
  CHECK(b.k.p.can_serve());
  b.run(11, 1);
  REQUIRE(b.decisions.size() >= 1);
  CHECK(b.decisions[0].way == scale_decision::direction::out);
  CHECK(b.decisions[0].desired >= 1);
  CHECK(b.decisions[0].backlog_batches == 1);
  CHECK(b.k.p.view(at(11)).asked_for >= 1);
  b.managed("new", 1, 15);
  CHECK(b.k.grants().at(0).batch == a.batch);
  CHECK(b.k.p.view(at(15)).asked_for == 0);
}

TEST_CASE("sustained backlog asks for workers, once an episode, with the backlog's figures") {
  bench b(scaled(1, 10));
  b.managed("w1", 2, 0);
  b.admit(60);
  b.run(60, 10);
  REQUIRE_FALSE(b.decisions.empty());
  const scale_decision& d = b.decisions.back();
  CHECK(d.way == scale_decision::direction::out);
  CHECK(d.desired > 1);
  CHECK(d.desired <= 10);
  CHECK(d.current == 1);
  CHECK(d.backlog_batches > 0);
  CHECK(d.backlog_cost > 0);
  CHECK(d.oldest_seconds > 0);
  CHECK(d.drain_seconds > 0);
  for (const scale_decision& x : b.decisions) CHECK(x.episode == d.episode);
  CHECK(b.k.p.view(at(60)).desired == d.desired);
  std::size_t told = 0;
  for (const event& e : b.k.events()) told += e.what == event::kind::scale_decided;
  CHECK(told >= 1);
}

TEST_CASE("what waits is worth what is known by now, not what was guessed at its arrival") {
  struct row {
    double takes;
    std::uint32_t least, most;
  };
  // Estimated at a second each, as nothing was known. One slot, T = 15 s.
  const std::vector<row> rows{{1, 1, 3}, {15, 15, 20}, {1e6, 15, 20}};   // the last never end
  for (const row& r : rows) {
    INFO(r.takes << " s each");
    bench b(scaled(1, 20));
    b.admit(20);
    b.managed("w1", 1, 0);
    b.run(40, r.takes);
    std::uint32_t desired = 1;
    for (const scale_decision& d : b.decisions) desired = std::max(desired, d.desired);
    CHECK(desired >= r.least);
    CHECK(desired <= r.most);
  }
}

TEST_CASE("while more workers can be had nobody is overtaken for half of the objective") {
  struct row {
    std::uint32_t max;
    bool scales;
    double second;               // arrives then, small
    bool overtakes;
  };
  // A large batch waits from 1 on, five times whose size are 500 s; the objective is 30 s.
  const std::vector<row> rows{{2, true, 15, true}, {2, true, 17, false}, {1, true, 17, true},
                              {2, false, 17, true}};
  for (const row& r : rows) {
    INFO("max " << r.max << ", at " << r.second);
    pool_settings s = scaled(1, r.max);
    if (!r.scales) s.autoscale.reset();
    pool_kit k(s);
    k.p.route("orders");
    k.add("w1");
    const auto declares = [](double units) {
      batch_facts f;
      f.units = units;
      return f;
    };
    const admission first = k.admit(-1, declares(1));
    k.finish(first.batch, attempt_end::succeeded, 0);   // units are seconds
    const admission runs = k.admit(0, declares(1));
    const admission large = k.admit(1, declares(100));
    const admission small = k.admit(r.second, declares(0.001));
    k.finish(runs.batch, attempt_end::succeeded, 20);
    const auto grants = k.grants();
    REQUIRE(grants.size() == 1);
    CHECK(grants[0].batch == (r.overtakes ? small.batch : large.batch));
  }
}

TEST_CASE("without autoscale nobody is asked for anything") {
  bench b(plain_settings());
  b.k.add("w1", 1);
  b.admit(50);
  b.run(60, 5);
  CHECK(b.decisions.empty());
  CHECK_FALSE(b.k.p.view(at(60)).desired);
}

TEST_CASE("scaling in drains managed workers first and names them when they are empty") {
  bench b(scaled(1, 10));
  for (int i = 0; i < 4; ++i) b.managed("m" + std::to_string(i), 1, 0);
  b.k.add("fixed", 1);
  b.run(200, 1);
  REQUIRE_FALSE(b.decisions.empty());
  std::vector<std::string> named;
  for (const scale_decision& d : b.decisions)
    for (const std::string& n : d.remove) named.push_back(n);
  CHECK_FALSE(named.empty());
  for (const std::string& n : named) {
    CHECK(n != "fixed");
    CHECK(b.k.worker(*b.k.p.find_worker(n), 200).state == worker_state::draining);
    CHECK(b.k.worker(*b.k.p.find_worker(n), 200).reason == "scale-in");
  }
}

TEST_CASE("hooks and views count the workers that are there in one way") {
  pool_settings s = scaled(1, 10);
  s.autoscale->resend = 5s;
  bench b(s);
  for (int i = 0; i < 4; ++i) b.managed("m" + std::to_string(i), 1, 0);
  b.k.p.add_worker({.name = "spare", .backup = true}, at(0));
  for (int i = 1; i <= 100; ++i) {
    const std::size_t told = b.decisions.size();
    if (i == 30) b.k.p.drain(*b.k.p.find_worker("m0"), "maintenance", at(b.now));
    if (i == 60) b.k.p.remove_worker(*b.k.p.find_worker("m1"), "", at(b.now));
    b.run(i * 5, 1);
    INFO(i * 5 << " s");
    if (b.decisions.size() > told)
      CHECK(b.k.p.view(at(i * 5)).scaled == b.decisions.back().current);
  }
  REQUIRE_FALSE(b.decisions.empty());
  CHECK_FALSE(b.decisions.back().remove.empty());   // named ones are there, and do not count
  CHECK(b.k.p.view(at(500)).scaled + b.decisions.back().remove.size() ==
        b.k.p.view(at(500)).workers - 1);
}

TEST_CASE("a drain by scaling may be taken back by an operator until its name was sent") {
  for (bool sent : {false, true}) {
    INFO(sent);
    bench b(scaled(1, 10));
    for (int i = 0; i < 3; ++i) b.managed("m" + std::to_string(i), 1, 0);
    b.run(200, 1);
    REQUIRE_FALSE(b.decisions.empty());
    REQUIRE_FALSE(b.decisions.back().remove.empty());
    const std::string name = b.decisions.back().remove.front();
    const worker_id w = *b.k.p.find_worker(name);
    if (sent) CHECK(b.k.p.removal_sent(std::vector{name}, at(200)));
    CHECK(b.k.p.undrain(w, at(200)) == !sent);
    CHECK((b.k.worker(w, 200).state == worker_state::up) == !sent);
    // What was taken back must not be sent any more.
    if (!sent) CHECK_FALSE(b.k.p.removal_sent(std::vector{name}, at(200)));
  }
}

TEST_CASE("a worker drained by an operator stays drained when scaling takes its own back") {
  bench b(scaled(1, 10));
  for (int i = 0; i < 3; ++i) b.managed("m" + std::to_string(i), 1, 0);
  const worker_id mine = *b.k.p.find_worker("m0");
  b.k.p.drain(mine, "maintenance", at(1));
  b.run(200, 1);
  b.admit(100);
  b.run(260, 5);
  CHECK(b.k.worker(mine, 260).state == worker_state::draining);
}

TEST_CASE("switching autoscaling off gives every drain of its back") {
  bench b(scaled(1, 10));
  for (int i = 0; i < 4; ++i) b.managed("m" + std::to_string(i), 1, 0);
  b.run(200, 1);
  std::size_t drained = 0;
  for (const worker_view& w : b.k.p.workers(at(200))) drained += w.state == worker_state::draining;
  REQUIRE(drained > 0);
  b.k.p.configure(plain_settings(), at(201));
  for (const worker_view& w : b.k.p.workers(at(201))) CHECK(w.state == worker_state::up);
  CHECK_FALSE(b.k.p.view(at(201)).desired);
}

TEST_CASE("nothing is decided while the pool is paused, closed or in an outage") {
  enum class why { paused, closed, outage };
  for (why w : {why::paused, why::closed, why::outage}) {
    INFO(static_cast<int>(w));
    pool_settings s = scaled(1, 10);
    bench b(s);
    std::vector<worker_id> all;
    for (int i = 0; i < 3; ++i) all.push_back(b.managed("m" + std::to_string(i), 10, 0));
    b.admit(200);
    if (w == why::paused) b.k.p.pause(at(0));
    if (w == why::closed) b.k.p.close(at(0));
    if (w == why::outage)
      for (int i = 0; i < 30; ++i)
        b.k.finish(b.running[static_cast<std::size_t>(i)].second, attempt_end::failed, 0.1, false);
    if (w == why::outage) REQUIRE(b.k.p.view(at(0.1)).outage);
    b.running.clear();
    b.k.grants();
    // Deadlines only: nothing ends, so nothing recovers.
    for (double t = 1; t < 20; t += 1) b.k.p.expire(at(t));
    CHECK(b.k.p.pending().decisions.empty());
  }
}

TEST_CASE("from the start the wanted number is at least min and what is there") {
  bench b(scaled(2, 5));
  CHECK(b.k.p.view(at(0)).desired == 2u);
  for (int i = 0; i < 4; ++i) b.managed("m" + std::to_string(i), 1, 0);
  worker_settings spare = worker_named("spare");
  spare.backup = true;
  b.k.p.add_worker(spare, at(0));
  CHECK(b.k.p.view(at(0)).desired == 4u);
}

TEST_CASE("what is told of a decision counts every worker that is still there") {
  bench b(scaled(1, 10));
  std::vector<worker_id> all;
  for (int i = 0; i < 4; ++i) all.push_back(b.managed("m" + std::to_string(i), 1, 0));
  b.run(200, 1);
  REQUIRE_FALSE(b.decisions.empty());
  std::vector<std::string> told;
  for (const event& e : b.k.events())
    if (e.what == event::kind::scale_decided) told.push_back(e.reason);
  REQUIRE(told.size() == 1);
  CHECK(told[0] ==
        "4 to 1 worker: at most 1 worker was needed in the last 60.0 s; may be stopped: "
        "m0, m1, m2");
}

TEST_CASE("while scaling holds the view says why") {
  probed_kit k;
  const worker_id a = k.add("a", 10), b = k.add("b", 10);
  const auto reason = [&](double t) { return k.p.view(at(t)).scaling_holds; };
  k.probe(a, true, 0);
  k.probe(b, true, 0);
  CHECK(reason(0).empty());
  k.probe(a, false, 1);
  CHECK(reason(1).empty());  // one of two is no common fault
  k.probe(b, false, 2);
  CHECK(reason(2) == "2 of 2 workers are down or fail: more of them would not help");
  CHECK_FALSE(k.p.view(at(2)).outage);
  k.p.pause(at(3));
  CHECK(reason(3) == "the pool is paused");
  k.p.close(at(4));
  CHECK(reason(4) == "weir is shutting down");
  CHECK(pool_kit().p.view(at(0)).scaling_holds.empty());
}

TEST_CASE("killed workers: the outage lasts until their probes pass, and says so") {
  probed_kit k;
  const worker_id a = k.add("a", 10), b = k.add("b", 10);
  for (const worker_id w : {a, b}) k.probe(w, true, 0);
  std::vector<batch_id> all;
  for (int i = 0; i < 6; ++i) all.push_back(k.admit(0).batch);
  for (const batch_id x : all) k.finish(x, attempt_end::failed, 1, false);
  REQUIRE(k.p.view(at(1)).outage);
  const auto told = [&] {
    std::string text;
    for (const event& e : k.events())
      if (e.what == event::kind::outage_ended) text += e.reason + ";";
    return text;
  };
  for (const worker_id w : {a, b}) k.probe(w, false, 2);
  CHECK(told().empty());
  CHECK(k.p.view(at(2)).outage);
  CHECK(k.p.view(at(2)).scaling_holds == "shared outage, 2 of 2 workers fail or are down");
  k.probe(a, true, 3);
  CHECK(told() == "workers that went down in it pass their probes again;");
  CHECK_FALSE(k.p.view(at(3)).outage);
  CHECK(k.p.view(at(3)).scaling_holds.empty());
}

TEST_CASE("workers asked for that never come are told of and no longer counted on") {
  bench b(scaled(1, 10));
  b.managed("w1", 1, 0);
  b.admit(100);
  b.run(120, 20);
  std::size_t told = 0;
  for (const event& e : b.k.events()) told += e.what == event::kind::worker_never_came;
  CHECK(told >= 1);
  CHECK(b.k.p.view(at(120)).never_came >= 1);
}

TEST_CASE("batches that back off are no backlog to scale for") {
  pool_settings s = scaled(0, 5);
  bench b(s);
  b.managed("w1", 1, 0);
  batch_facts f;
  f.retry.backoff_base = 1000s;
  f.retry.backoff_max = 1000s;
  const auto a = b.k.admit(0, f);
  b.k.finish(a.batch, attempt_end::failed, 0.1);
  CHECK(b.k.p.view(at(1)).delayed == 1);
  b.run(20, 1);
  for (const scale_decision& d : b.decisions) CHECK(d.way == scale_decision::direction::in);
}

TEST_CASE("decisions are numbered above what was told before, whatever becomes of the settings") {
  bench b(scaled(1, 10));
  b.k.p.scaled_before(7, 1000);
  b.managed("w1", 2, 0);
  b.admit(60);
  b.run(60, 10);
  REQUIRE_FALSE(b.decisions.empty());
  std::uint64_t above = 1000;
  for (const scale_decision& d : b.decisions) CHECK(d.sequence == ++above);
  CHECK(b.decisions.front().episode == 8);
  const std::uint64_t episode = b.decisions.back().episode;
  pool_settings without = scaled(1, 10);
  without.autoscale.reset();
  b.k.p.configure(without, at(60));
  b.k.p.configure(scaled(1, 10), at(60));
  b.decisions.clear();
  b.admit(60);
  b.run(120, 10);
  REQUIRE_FALSE(b.decisions.empty());
  CHECK(b.decisions.front().sequence == above + 1);
  CHECK(b.decisions.front().episode == episode + 1);
  b.k.p.scaled_before(1, 1);   // lower ones change nothing
  b.k.p.configure(without, at(120));
  b.k.p.configure(scaled(1, 10), at(120));
  b.decisions.clear();
  b.admit(60);
  b.run(180, 10);
  REQUIRE_FALSE(b.decisions.empty());
  CHECK(b.decisions.front().sequence > above);
}

TEST_CASE("backup workers are no part of the scaling") {
  bench b(scaled(1, 5));
  worker_settings spare = worker_named("spare", 50);
  spare.backup = true;
  spare.managed = true;
  b.k.p.add_worker(spare, at(0));
  b.run(100, 1);
  for (const scale_decision& d : b.decisions) {
    CHECK(d.current == 0);
    CHECK(d.remove.empty());
  }
  CHECK(b.k.worker(*b.k.p.find_worker("spare"), 100).state == worker_state::up);
}

}  // namespace weir::core::test
