#include "proxy/replay.hpp"

#include <catch2/catch.hpp>
#include <memory>
#include <string>

namespace {

using namespace weir;

struct budget_kit {
  explicit budget_kit(std::uint64_t batch_max, std::uint64_t total_max) {
    p.replay = std::make_shared<proxy::replay_budget>();
    p.replay->batch_max = batch_max;
    p.replay->total_max = total_max;
    p.hits.replay_batch = std::make_shared<telemetry::counter>(1);
    p.hits.replay_total = std::make_shared<telemetry::counter>(1);
  }
  std::uint64_t used() const { return p.replay->used; }
  proxy::plan p;
};

}  // namespace

TEST_CASE("a copy holds what passed, in order, and counts it against the budget of all") {
  budget_kit k(100, 1000);
  proxy::replay_copy copy;
  copy.start(k.p);
  copy.keep("abc");
  copy.keep("");
  copy.keep("defg");
  CHECK(copy.keeping());
  CHECK(copy.bytes() == "abcdefg");
  CHECK(k.used() == 7);
  CHECK(copy.limit_hit() == nullptr);
}

TEST_CASE("nothing is kept before the start or after the stop, which gives the memory back") {
  budget_kit k(100, 1000);
  proxy::replay_copy copy;
  copy.keep("before");
  CHECK_FALSE(copy.keeping());
  CHECK(copy.bytes().empty());
  copy.start(k.p);
  copy.keep("during");
  copy.stop();
  CHECK(k.used() == 0);
  CHECK(copy.bytes().empty());
  copy.keep("after");
  copy.stop();
  CHECK(k.used() == 0);
  CHECK_FALSE(copy.keeping());
}

TEST_CASE("exactly the limit is kept, one byte more ends the copy and says which limit it was") {
  struct row {
    const char* what;
    std::uint64_t batch_max, total_max, by_others, kept;
    bool keeps;
  };
  const row rows[] = {
      {"the batch's limit, filled", 10, 1000, 0, 10, true},
      {"the batch's limit, passed", 10, 1000, 0, 11, false},
      {"the limit of all, filled", 100, 50, 40, 10, true},
      {"the limit of all, passed", 100, 50, 40, 11, false},
  };
  for (const row& r : rows) {
    for (const bool at_once : {true, false}) {
      INFO(r.what << (at_once ? ", at once" : ", byte by byte"));
      budget_kit k(r.batch_max, r.total_max);
      k.p.replay->used = r.by_others;
      proxy::replay_copy copy;
      copy.start(k.p);
      if (at_once) copy.keep(std::string(r.kept, 'x'));
      else for (std::uint64_t i = 0; i < r.kept; ++i) copy.keep("x");
      CHECK(copy.keeping() == r.keeps);
      CHECK(k.used() == r.by_others + (r.keeps ? r.kept : 0));
      const auto* limit =
          r.batch_max < r.total_max ? k.p.hits.replay_batch.get() : k.p.hits.replay_total.get();
      CHECK(copy.limit_hit() == (r.keeps ? nullptr : limit));
      if (!r.keeps) CHECK(copy.bytes().empty());
    }
  }
}

TEST_CASE("many copies share one budget, each gives back exactly what it took") {
  budget_kit k(100, 250);
  {
    proxy::replay_copy one, two, three;
    for (auto* c : {&one, &two, &three}) c->start(k.p);
    one.keep(std::string(100, 'a'));
    two.keep(std::string(100, 'b'));
    three.keep(std::string(60, 'c'));   // over the 250 of all
    CHECK_FALSE(three.keeping());
    CHECK(k.used() == 200);
    one.stop();
    three.start(k.p);
    CHECK(three.limit_hit() == nullptr);
    three.keep(std::string(60, 'c'));
    CHECK(three.keeping());
    CHECK(k.used() == 160);
  }
  CHECK(k.used() == 0);
}

TEST_CASE("a copy counts against the plan that it began with, though another is published") {
  budget_kit before(100, 1000), after(100, 1000);
  proxy::replay_copy copy;
  copy.start(before.p);
  copy.keep("12345");
  copy.start(after.p);
  CHECK(before.used() == 0);
  copy.keep("123");
  CHECK(after.used() == 3);
  auto budget = after.p.replay;
  after.p.replay.reset();   // the plan went, the exchange goes on
  copy.stop();
  CHECK(budget->used == 0);
}
