#include "sim/peers.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <map>

#include "sim/generators.hpp"
#include "sim/world_kit.hpp"

namespace weir::sim {
namespace {

using namespace test;

constexpr peer every_peer[] = {peer::round_robin, peer::two_choices, peer::least_connections,
                               peer::first_come};

instant at(double seconds) {
  return world_begin + base::from_seconds(seconds);
}

// A peer with its workers, asked by hand.
struct bench {
  peer_policy p;
  explicit bench(peer how, std::vector<std::uint32_t> slots, std::uint32_t attempts = 3)
      : p(how, 1000, attempts, 1) {
    for (std::uint32_t w = 0; w < slots.size(); ++w) p.joined(w, {"w", slots[w]}, at(0));
  }
  // Workers on which batches started since the last call, in order.
  std::vector<std::uint32_t> started() {
    std::vector<std::uint32_t> workers;
    for (const auto& s : p.out.starts) workers.push_back(s.worker);
    p.out.clear();
    return workers;
  }
  void arrive(std::uint32_t from, std::uint32_t to) {
    for (std::uint32_t b = from; b <= to; ++b) p.arrived(b, {}, at(0));
  }
  void probe(std::uint32_t worker, bool good, int times) {
    for (int i = 0; i < times; ++i) p.probed(worker, good, at(0));
  }
};

using list = std::vector<std::uint32_t>;

result play(peer how, const workload& load, const fleet_plan& fleet) {
  peer_policy decides(how, load.arrivals.size(), 3, 1);
  return world(load, fleet, decides).run();
}

double mean(const result& r) {
  double sum = 0;
  for (double s : r.sojourns) sum += s;
  return sum / static_cast<double>(r.sojourns.size());
}

}  // namespace

TEST_CASE("round robin gives each worker its turn, busy or not") {
  bench b(peer::round_robin, {1, 1, 1});
  b.arrive(0, 4);
  CHECK(b.started() == list{0, 1, 2});
  b.p.ended(1, 1, ending::good, at(1));
  CHECK(b.started() == list{1});  // batch 4 waited there
  b.p.ended(2, 2, ending::good, at(1));
  CHECK(b.started().empty());
}

TEST_CASE("least connections counts what waits too, ties go in turn") {
  bench b(peer::least_connections, {1, 1, 1});
  b.arrive(0, 3);
  CHECK(b.started() == list{0, 1, 2});
  b.p.ended(1, 1, ending::good, at(1));
  b.arrive(4, 4);
  CHECK(b.started() == list{1});
  b.p.ended(0, 0, ending::good, at(2));
  CHECK(b.started() == list{0});  // batch 3 had been given to worker 0
}

TEST_CASE("two choices never takes the more loaded of those that it drew") {
  bench b(peer::two_choices, {50, 50, 50, 50});
  b.arrive(0, 99);
  std::map<std::uint32_t, int> load;
  for (const std::uint32_t w : b.started()) ++load[w];
  REQUIRE(load.size() == 4);
  for (const auto& [worker, n] : load) CHECK((n >= 20 && n <= 30));
}

TEST_CASE("first come keeps one queue and serves it in order of arrival") {
  bench b(peer::first_come, {1, 2});
  b.arrive(0, 5);
  CHECK(b.started() == list{0, 1, 1});
  b.p.ended(2, 1, ending::good, at(1));
  REQUIRE(b.p.out.starts.size() == 1);
  CHECK(b.p.out.starts[0].batch == 3);
  CHECK(b.p.out.starts[0].worker == 1);
  b.started();
  b.p.ended(0, 0, ending::good, at(2));
  CHECK(b.p.out.starts[0].batch == 4);
}

TEST_CASE("slots are never exceeded, and everything ends, under every peer") {
  demand d;
  d.batches = 3000;
  const workload load = generate(d, 12, 4);
  worker_group g;
  g.count = 4, g.slots = 3;
  const fleet_plan fleet = plan_fleet({g}, length_of(load), 4);
  for (const peer how : every_peer) {
    const result r = play(how, load, fleet);
    CHECK(r.lost_batches == 0);
    CHECK(r.attempts == load.arrivals.size());
    CHECK(r.busy_seconds <= r.open_seconds);
    CHECK(std::none_of(r.sojourns.begin(), r.sojourns.end(), [](double s) { return s < 0; }));
  }
}

TEST_CASE("each policy is better than the one before it, on the same arrivals") {
  demand d;
  d.batches = 20000;
  d.load = 0.9;
  const workload load = generate(d, 32, 2);
  worker_group g;
  const fleet_plan fleet = plan_fleet({g}, length_of(load), 2);
  double before = HUGE_VAL;
  for (const peer how : every_peer) {
    const double now = mean(play(how, load, fleet));
    INFO("policy " << static_cast<int>(how) << ": " << now << " after " << before);
    CHECK(now < before);
    before = now;
  }
}

TEST_CASE("a failed attempt goes elsewhere until the attempts are used up") {
  for (const peer how : every_peer) {
    bench b(how, {1, 1}, 3);
    b.arrive(0, 0);
    std::uint32_t on = b.p.out.starts.at(0).worker;
    CHECK_FALSE(b.p.out.starts[0].again);
    for (int i = 0; i < 2; ++i) {
      b.started();
      b.p.ended(0, on, ending::failed, at(1));
      REQUIRE(b.p.out.starts.size() == 1);
      CHECK(b.p.out.starts[0].again);
      on = b.p.out.starts[0].worker;
    }
    b.started();
    b.p.ended(0, on, ending::refused, at(1));
    CHECK(b.p.out.starts.empty());
    CHECK(b.p.out.lost == list{0});
  }
}

TEST_CASE("three failed probes take a worker out, two good ones bring it back") {
  for (const peer how : every_peer) {
    bench b(how, {100, 100});
    b.probe(0, false, 2);
    b.probe(0, true, 1);
    b.probe(0, false, 2);
    b.arrive(0, 19);
    auto used = b.started();
    CHECK(std::count(used.begin(), used.end(), 0u) > 0);
    b.probe(0, false, 1);
    b.arrive(20, 39);
    used = b.started();
    CHECK(std::count(used.begin(), used.end(), 0u) == 0);
    b.probe(0, true, 2);
    b.arrive(40, 79);
    used = b.started();
    CHECK(std::count(used.begin(), used.end(), 0u) > 0);
  }
}

TEST_CASE("what waits at a worker that is down is given to others") {
  bench b(peer::round_robin, {1, 1});
  b.arrive(0, 5);
  b.started();
  b.probe(0, false, 3);  // batches 2 and 4 waited there
  CHECK(b.started().empty());
  list order;
  for (std::uint32_t done : {1u, 3u, 5u, 2u}) {
    b.p.ended(done, 1, ending::good, at(1));
    for (const auto& s : b.p.out.starts) order.push_back(s.batch);
    b.started();
  }
  CHECK(order == list{3, 5, 2, 4});
}

TEST_CASE("with every worker down all are tried, and without any batches wait for one") {
  bench b(peer::least_connections, {5, 5});
  b.probe(0, false, 3);
  b.probe(1, false, 3);
  b.arrive(0, 1);
  CHECK(b.started().size() == 2);
  bench none(peer::first_come, {});
  none.arrive(0, 1);
  CHECK(none.started().empty());
  none.p.joined(0, {"w", 1}, at(1));
  CHECK(none.started() == list{0});
}

TEST_CASE("backups are not used, and every member is probed every two seconds") {
  bench b(peer::round_robin, {1, 1});
  b.p.joined(2, {"spare", 5, 1, 1, true}, at(0));
  b.arrive(0, 5);
  CHECK(b.started() == list{0, 1});
  CHECK(b.p.next_deadline() == at(2));
  b.p.expire(at(2));
  CHECK(b.p.out.probes == list{0, 1});
  CHECK(b.p.next_deadline() == at(4));
}

}  // namespace weir::sim
