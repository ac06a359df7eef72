#include "core/pool.hpp"

#include <catch2/catch.hpp>

#include "core/pool_kit.hpp"

namespace weir::core::test {

using kind = admission::kind;

TEST_CASE("a free slot is granted at once, with attempt 1 and the batch's owner") {
  pool_kit k;
  const worker_id w = k.add("w1");
  const admission a = k.admit(0);
  REQUIRE(a.what == kind::granted);
  CHECK(a.grant.worker == w);
  CHECK(a.grant.attempt == 1);
  CHECK(a.grant.owner == 1);
  CHECK(a.grant.batch == a.batch);
  CHECK(k.p.running() == 1);
}

TEST_CASE("a batch that finds every slot taken waits, and gets the slot that frees up") {
  pool_kit k;
  const worker_id w = k.add("w1");
  const admission first = k.admit(0);
  const admission second = k.admit(0.1);
  REQUIRE(second.what == kind::queued);
  CHECK(k.p.waiting() == 1);
  const verdict v = k.finish(first.batch, attempt_end::succeeded, 1);
  CHECK(v.what == verdict::kind::done);
  const auto grants = k.grants();
  REQUIRE(grants.size() == 1);
  CHECK(grants[0].batch == second.batch);
  CHECK(grants[0].owner == 2);
  CHECK(grants[0].worker == w);
  CHECK(k.p.waiting() == 0);
}

}  // namespace weir::core::test
