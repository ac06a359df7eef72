// A batch must not allocate: runs of millions would spend their time there.
#include <catch2/catch.hpp>
#include <memory>
#include <optional>

#include "allocations.hpp"
#include "sim/generators.hpp"
#include "sim/peers.hpp"
#include "sim/weir_policy.hpp"
#include "sim/world.hpp"

namespace weir::sim {
namespace {

worker_group sixteen() {
  worker_group g;
  g.afflictions = {affliction{}};
  return g;
}

// Allocations of a whole run of so many batches.
std::size_t allocated_by(std::uint64_t batches, const std::optional<peer>& how) {
  demand d;
  d.batches = batches;
  d.load = 0.8;
  const workload load = generate(d, capacity_of({sixteen()}), 3);
  const fleet_plan fleet = plan_fleet({sixteen()}, length_of(load), 3);
  const std::size_t before = weir::test::allocations;
  std::unique_ptr<policy> decides;
  if (how) {
    decides = std::make_unique<peer_policy>(*how, load.arrivals.size(), 3, 1);
  } else {
    decides = std::make_unique<weir_policy>(unlimited_weir(), load, 1);
  }
  const result r = world(load, fleet, *decides).run();
  REQUIRE(r.lost_batches == 0);
  return weir::test::allocations - before;
}

}  // namespace

TEST_CASE("a run of many batches allocates hardly more often than a short one") {
  const std::size_t few = allocated_by(10'000, {}), many = allocated_by(60'000, {});
  INFO("weir: " << few << " and " << many);
  CHECK(many < few + 200);  // tables that doubled once more
}

TEST_CASE("peers allocate a block of their queues now and then, not for each batch") {
  for (const peer how : {peer::round_robin, peer::two_choices, peer::least_connections,
                         peer::first_come}) {
    const std::size_t few = allocated_by(10'000, how), many = allocated_by(60'000, how);
    INFO("peer " << static_cast<int>(how) << ": " << few << " and " << many);
    CHECK(many < few + 50'000 / 20);
  }
}

}  // namespace weir::sim
