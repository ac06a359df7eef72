#include "store/groups.hpp"

#include <catch2/catch.hpp>

#include <atomic>
#include <future>
#include <string>

#include "store_kit.hpp"

namespace {

using namespace weir::store;
using test::batch_of;
using test::id_of;

struct kit {
  std::unique_ptr<books> b = std::move(*books::open(":memory:", 0));
  std::vector<std::string> told;
  unsigned mended = 0;
  std::atomic<unsigned> rounds = 0;   // counted while its thread runs
  bool mends = true;
  groups work{*b, 4, {[this] { ++rounds; }, [this] { return ++mended, mends; }}};

  template <class Work>
  void ask(std::string name, Work w) {
    auto tell = [this, name](outcome<int> got) {
      told.push_back(name + (got ? "=" + std::to_string(*got) : ": " + got.error().detail));
    };
    work.ask(std::make_unique<job_of<int, Work, decltype(tell)>>(std::move(w), std::move(tell)));
  }
  // Everything that was asked is one group's or several's; this waits for all of it.
  void finish() {
    std::promise<void> last;
    auto work_of = [](books&) { return outcome<int>(0); };
    auto tell = [&](const outcome<int>&) { last.set_value(); };
    work.ask(std::make_unique<job_of<int, decltype(work_of), decltype(tell)>>(work_of, tell));
    if (rounds == 0) work.start();
    last.get_future().wait();
  }
};

auto adds(unsigned n) {
  return [n](books& b) -> outcome<int> {
    const auto made = b.batches.add(batch_of(n));
    if (!made) return made.error();
    return static_cast<int>(n);
  };
}

}  // namespace

TEST_CASE("jobs are done and told in the order in which they came, as many together as may be") {
  kit k;
  for (unsigned n = 0; n < 10; ++n) k.ask(std::to_string(n), adds(n));
  k.finish();
  REQUIRE(k.told.size() == 10);
  for (unsigned n = 0; n < 10; ++n) CHECK(k.told[n] == std::to_string(n) + "=" + std::to_string(n));
  CHECK(k.work.commits() == 3);   // eleven by four
}

TEST_CASE("a caller's own mistake spoils nobody else's change") {
  kit k;
  k.ask("a", adds(1));
  k.ask("b", adds(1));
  k.ask("c", adds(2));
  k.finish();
  CHECK(k.told == std::vector<std::string>{"a=1", "b: there is a batch of this id", "c=2"});
  CHECK(k.work.commits() == 1);
}

TEST_CASE("one that fails with the disk is undone alone, the others are done one by one") {
  kit k;
  unsigned runs = 0;
  k.ask("a", adds(1));
  k.ask("b", [&](books& b) -> outcome<int> {
    ++runs;
    (void)b.batches.add(batch_of(7));
    return failure{trouble::full, "no room"};
  });
  k.ask("c", adds(2));
  k.finish();
  CHECK(k.told == std::vector<std::string>{"a=1", "b: no room", "c=2"});
  CHECK(runs == 2);
  CHECK(k.b->batches.find(id_of(1), false).has_value());
  CHECK(k.b->batches.find(id_of(2), false).has_value());
  CHECK(k.b->batches.find(id_of(7), false).error().what == trouble::not_found);
  CHECK(k.mended == 0);
}

TEST_CASE("a job that finds the database malformed is tried again after it was mended, once") {
  for (const bool mends : {true, false}) {
    for (const bool helps : {true, false}) {
      kit k;
      k.mends = mends;
      k.ask("a", [&](books&) -> outcome<int> {
        if (helps && k.mended > 0) return 5;
        return failure{trouble::damaged, "malformed", true};
      });
      k.ask("b", adds(2));
      k.finish();
      CHECK(k.mended == 1);
      CHECK(k.told == std::vector<std::string>{mends && helps ? "a=5" : "a: malformed", "b=2"});
    }
  }
}

TEST_CASE("a damaged record is no reason to mend the database") {
  kit k;
  k.ask("a", [](books&) -> outcome<int> { return failure{trouble::damaged, "its checksum"}; });
  k.finish();
  CHECK(k.mended == 0);
}

TEST_CASE("what was asked before the end is done, and the hook is called after each group") {
  std::vector<std::string> told;
  {
    kit k;
    for (unsigned n = 0; n < 6; ++n) k.ask("x", adds(n));
    k.finish();
    CHECK(k.rounds >= 1);
    told = k.told;
  }
  CHECK(told.size() == 6);
}
