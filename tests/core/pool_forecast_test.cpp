// What the pool says of the time to come: when the backlog will be gone, when a batch will start,
// when to come back. Against batches whose true times the test knows.
#include <catch2/catch.hpp>
#include <cmath>
#include <vector>

#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

// Batches that each take a given time wherever they run.
struct bench {
  explicit bench(std::uint32_t workers, std::uint32_t slots, pool_settings s = plain_settings())
      : k(std::move(s)) {
    for (std::uint32_t i = 0; i < workers; ++i) k.add("w" + std::to_string(i), slots);
  }
  void admit(int n, double seconds, double units = 0) {
    const std::uint32_t route = k.p.route("orders");
    for (int i = 0; i < n; ++i) {
      const admission a = k.admit(now, {.route = route, .units = units});
      times.push_back(seconds);  // by owner, which counts from 1
      if (a.what == admission::kind::granted) begin(a.grant);
    }
  }
  void begin(const grant& g) {
    const double speed = g.worker.index < speeds.size() ? speeds[g.worker.index] : 1;
    running.push_back({now + times.at(g.owner - 1) / speed, g.batch});
  }
  // The next attempt that ends, if it ends by `until`.
  bool step(double until) {
    std::size_t next = 0;
    for (std::size_t i = 1; i < running.size(); ++i)
      if (running[i].end < running[next].end) next = i;
    if (running.empty() || running[next].end > until) return false;
    const started r = running[next];
    k.run_until(r.end);
    now = std::max(now, r.end);
    running.erase(running.begin() + static_cast<std::ptrdiff_t>(next));
    k.finish(r.batch, attempt_end::succeeded, now);
    for (const grant& g : k.grants()) begin(g);
    return true;
  }
  void run(double until) {
    while (step(until)) {
    }
    k.run_until(until);
    now = until;
  }
  double drain() { return k.p.view(at(now)).drain_seconds; }
  // Until nothing is left that waits now, by playing it.
  double truth() {
    const double from = now;
    while (k.p.waiting() > 0) REQUIRE(step(1e9));
    while (step(1e9)) {
    }
    return now - from;
  }

  struct started {
    double end;
    batch_id batch;
  };
  pool_kit k;
  double now = 0;
  std::vector<double> times;
  std::vector<started> running;
  std::vector<double> speeds;  // by worker; 1 for those beyond it
};

// Within a factor, and what the last round takes: it is not divisible.
void check_near(double said, double true_seconds, double factor, double round) {
  CHECK(said <= factor * true_seconds + round);
  CHECK(said * factor + round >= true_seconds);
}

}  // namespace

TEST_CASE("a drain time is true after some finishes, however long batches take and began") {
  for (const double seconds : {0.1, 1.0, 3.0, 30.0})
    for (const double first : {0.1, 1.0, 10.0})
      for (const std::uint32_t workers : {1u, 2u})
        for (const std::uint32_t slots : {1u, 3u, 8u}) {
          INFO(seconds << " s, the first " << first << " times that, " << workers << " x "
                       << slots);
          bench b(workers, slots);
          const int all = static_cast<int>(workers * slots);
          b.admit(1, seconds * first);
          b.run(seconds * first + 1);
          b.admit(12 * all, seconds);
          b.run(b.now + (all == 1 ? 6.5 : 2.5) * seconds);
          const double said = b.drain();
          CAPTURE(said);
          check_near(said, b.truth(), 1.5, seconds);
        }
}

TEST_CASE("the pool's mean over finished batches is not what those that wait are valued by") {
  bench b(2, 3);
  b.admit(1, 0.3, 1);
  b.run(1);
  b.admit(40, 3, 10);  // ten times the units: what was learned holds for them
  const pool_view v = b.k.p.view(at(b.now));
  CHECK(v.waiting_cost == Approx(102));
  CHECK(v.drain_seconds == Approx(17));
  b.run(b.now + 2.9);
  CHECK(b.drain() == Approx(17));
}

TEST_CASE("a batch that runs longer than expected raises the time before any has finished") {
  for (const double first : {0.0, 0.3}) {
    INFO("a first batch of " << first << " s");
    bench b(2, 3);
    if (first > 0) b.admit(1, first), b.run(1);
    b.admit(40, 30);
    double last = b.drain();
    for (double t = 3; t < 30; t += 3) {
      b.run(b.now + 3);
      const double said = b.drain();
      CHECK(said > last);
      CHECK(said >= 0.999 * t * 34 / 6 / (first > 0 ? 2 : 1));  // each takes at least t
      last = said;
    }
    check_near(last, b.truth(), 2.5, 0);  // one known batch still counts against them
  }
}

TEST_CASE("estimates that were fixed too low count by what was learned since") {
  bench b(1, 4);
  b.admit(60, 5);  // taken for a second each: nothing is known yet
  CHECK(b.k.p.view(at(0)).waiting_cost == Approx(56));
  b.run(11);
  const double work = b.k.p.view(at(11)).waiting_cost;
  CHECK(work == Approx(48 * 5));
  const auto page = b.k.p.queue(0, 1, at(11));
  CHECK(page.items.at(0).cost == Approx(1));  // the order's, fixed
}

TEST_CASE("unequal workers count with what each does in a second") {
  bench b(2, 2);
  b.speeds = {0.25, 1};
  b.admit(400, 2);
  b.run(100);
  const double said = b.drain();
  check_near(said, b.truth(), 1.2, 8);
}

TEST_CASE("a place's time counts what still runs before it") {
  bench b(1, 1);
  b.admit(1, 5, 5), b.run(6);
  b.admit(1, 5, 5);
  const admission next = b.k.admit(b.now, {.route = 0, .units = 10});
  const admission last = b.k.admit(b.now, {.route = 0, .units = 20});
  const double t = b.now;
  CHECK(b.k.p.place(next.batch, at(t + 2))->eta_seconds == Approx(3));
  CHECK(b.k.p.place(last.batch, at(t + 2))->eta_seconds == Approx(13));
  CHECK(b.k.p.place(last.batch, at(t + 2))->cost_ahead == Approx(10));
}

TEST_CASE("Retry-After is never before the first slot is expected to be free") {
  pool_settings s = plain_settings();
  s.queue.batches_max = 0;
  bench b(1, 2, s);
  b.admit(2, 20), b.run(21);
  b.admit(2, 20);
  double least = 1e9, most = 0;
  for (int i = 0; i < 20; ++i) {
    const admission a = b.k.admit(b.now + 5);
    REQUIRE(a.why == refusal::queue_full);
    least = std::min(least, base::to_seconds(a.retry_after));
    most = std::max(most, base::to_seconds(a.retry_after));
  }
  CHECK(least >= 15);
  CHECK(most <= 15 * 1.5);
  CHECK(most - least > 5);
}

TEST_CASE("with no worker up nothing drains") {
  pool_settings s = plain_settings();
  s.health.kind = probe_kind::tcp;
  pool_kit k(s);
  k.add("w", 1);
  CHECK(k.p.view(at(0)).drain_seconds == 0);  // nothing waits
  const admission a = k.admit(0, {.wait_max = base::forever});
  REQUIRE(a.what == admission::kind::queued);
  CHECK(std::isinf(k.p.view(at(1)).drain_seconds));
  CHECK(k.p.place(a.batch, at(1))->eta_seconds <= 300);  // its wait ends before
}

TEST_CASE("a worker that rests is waited for") {
  bench b(1, 1);
  b.admit(2, 1);
  const attempt_report busy{.end = attempt_end::busy, .may_retry = true, .retry_after = 30s};
  b.k.p.finish(b.running.at(0).batch, busy, at(0));
  CHECK(b.drain() == Approx(30));
}

}  // namespace weir::core::test
