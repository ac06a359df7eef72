#include "store/rows.hpp"

#include <catch2/catch.hpp>

#include <functional>
#include <set>

#include "store_kit.hpp"

using namespace weir::store;

TEST_CASE("a batch's checksum covers every member that is written once") {
  using change = std::function<void(batch&)>;
  const change changes[] = {
      [](batch& b) { b.id[3] = 9; },        [](batch& b) { b.pool = "x"; },
      [](batch& b) { b.route = "x"; },      [](batch& b) { b.tenant = "x"; },
      [](batch& b) { b.key = "x"; },        [](batch& b) { b.method = "PUT"; },
      [](batch& b) { b.target = "/"; },     [](batch& b) { b.fields = ""; },
      [](batch& b) { b.cost = 13; },        [](batch& b) { b.urgency = 2; },
      [](batch& b) { b.callback = ""; },    [](batch& b) { b.deadline = 7; },
      [](batch& b) { b.created = 7; },      [](batch& b) { b.body.size = 7; },
      [](batch& b) { b.body.crc = 7; },     [](batch& b) { b.body.spool = 7; },
      [](batch& b) { b.deadline.reset(); },
  };
  std::set<std::uint32_t> sums{sum_of(test::batch_of(1))};
  for (const change& c : changes) {
    batch b = test::batch_of(1);
    c(b);
    sums.insert(sum_of(b));
  }
  CHECK(sums.size() == 1 + std::size(changes));
}

TEST_CASE("what changes in its life has a checksum of its own, bound to the id") {
  const auto id = test::id_of(1);
  const std::set<std::uint32_t> sums{
      sum_of(id, {batch_state::queued, 1, 2, 3, 4}),
      sum_of(id, {batch_state::running, 1, 2, 3, 4}),
      sum_of(id, {batch_state::queued, 2, 2, 3, 4}),
      sum_of(id, {batch_state::queued, 1, 3, 3, 4}),
      sum_of(id, {batch_state::queued, 1, 2, 4, 4}),
      sum_of(id, {batch_state::queued, 1, 2, 3, 5}),
      sum_of(test::id_of(2), {batch_state::queued, 1, 2, 3, 4})};
  CHECK(sums.size() == 7);
}

TEST_CASE("a response's checksum covers all but the bytes, which have their own") {
  const response r{200, "w1", "X: y\r\n", test::inline_body("abc")};
  std::set<std::uint32_t> sums{sum_of(r)};
  for (const auto& c : std::initializer_list<std::function<void(response&)>>{
           [](response& x) { x.status = 201; }, [](response& x) { x.worker = "w2"; },
           [](response& x) { x.fields = ""; }, [](response& x) { x.body.size = 1; },
           [](response& x) { x.body.crc = 1; }, [](response& x) { x.body.spool = 1; }}) {
    response changed = r;
    c(changed);
    sums.insert(sum_of(changed));
  }
  CHECK(sums.size() == 7);
}

TEST_CASE("inline bytes are whole by their size and checksum, spooled ones are not looked at") {
  payload p = test::inline_body("some bytes");
  CHECK(inline_whole(p));
  p.bytes[0] = 'S';
  CHECK_FALSE(inline_whole(p));
  p = test::inline_body("some bytes");
  p.bytes.pop_back();
  CHECK_FALSE(inline_whole(p));
  p.spool = 4;
  CHECK(inline_whole(p));
  CHECK(inline_whole(payload{}));
}

TEST_CASE("a state that is none reads as damaged") {
  database db = std::move(*database::open(":memory:"));
  for (const int n : {-1, 0, 1, 2, 3, 4, 5, 6, 1000}) {
    auto s = db.prepare("SELECT ?");
    auto u = s->begin();
    REQUIRE(u.number(n).next().has_value());
    const bool known = n >= 0 && n <= 5;
    CHECK(state_at(u, 0) == (known ? static_cast<batch_state>(n) : batch_state::damaged));
  }
}
