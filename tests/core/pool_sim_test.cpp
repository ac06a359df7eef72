// The whole pool in a made-up world, thousands of seeds, every invariant after every step.
#include <catch2/catch.hpp>

#include "core/sim_world.hpp"

namespace weir::core::test {

TEST_CASE("over thousands of seeds every invariant holds after every step") {
  constexpr std::uint64_t seeds = 2000;
  sim_counts all;
  for (std::uint64_t seed = 1; seed <= seeds; ++seed) {
    sim_world world(seed, options_of(seed));
    world.run();
    INFO("seed " << seed);
    REQUIRE(world.broken() == "");
    all.add(world.counts());
  }
  // A run that never gets to the hard places proves nothing.
  CHECK(all.admitted > 30 * seeds);
  CHECK(all.done > all.admitted / 4);
  for (const std::uint64_t often :
       {all.refused, all.failed, all.evicted, all.cancelled, all.retries, all.bounces, all.refusals,
        all.stale, all.abandoned, all.ejections, all.outages, all.downs, all.drains, all.removals,
        all.reloads, all.decisions, all.pauses, all.backups_used, all.durable, all.stored,
        all.loaded, all.unstored, all.uncounted, all.capped, all.tenant_full})
    CHECK(often > seeds / 20);
  CHECK(all.poisoned > 0);
}

TEST_CASE("the same seed gives the same run") {
  for (std::uint64_t seed : {1u, 17u, 99u}) {
    sim_world a(seed, options_of(seed)), b(seed, options_of(seed));
    a.run();
    b.run();
    CHECK(a.counts().grants == b.counts().grants);
    CHECK(a.counts().evicted == b.counts().evicted);
    CHECK(a.counts().done == b.counts().done);
  }
}

}  // namespace weir::core::test
