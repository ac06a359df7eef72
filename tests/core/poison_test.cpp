// Whose fault it is: a table of histories of one batch and the workers it failed on.
#include <catch2/catch.hpp>
#include <map>
#include <string>
#include <vector>

#include "core/poison.hpp"
#include "core/pool_kit.hpp"

namespace weir::core::test {
namespace {

worker_id worker(std::uint32_t n) {
  return {n, 1};
}

// What happened, in order: "f1" the batch failed on worker 1 in an attempt that began a second
// before, "l1" in one that began five seconds before, "s1" another batch succeeded on worker 1, "."
// nothing. A second passes after each.
struct history_of {
  auto proven() const {
    return [this](worker_id w) {
      const auto found = good.find(w);
      return found == good.end() ? instant::min() : found->second;
    };
  }
  explicit history_of(const std::string& text) {
    for (std::size_t i = 0; i < text.size(); ++i, ++now) {
      const char what = text[i];
      if (what == ' ' || what == '.') continue;
      const worker_id w = worker(static_cast<std::uint32_t>(text[++i] - '0'));
      if (what == 's') {
        good[w] = at(now);
        continue;
      }
      record.add(w, at(now - (what == 'l' ? 5 : 1)), at(now), proven());
    }
  }
  std::string charges() const {
    std::string text;
    for (const charge& c : record.all())
      text += std::to_string(c.worker.index) + "x" + std::to_string(c.count) + " ";
    return text;
  }

  failure_record record;
  std::map<worker_id, instant> good;
  double now = 0;
};

}  // namespace

TEST_CASE("a batch is condemned by two workers on which others succeeded meanwhile") {
  struct row {
    const char* history;
    bool condemned;
    const char* why;
  };
  const std::vector<row> rows{
      {"", false, "nothing failed"},
      {"f1", false, "one worker is no proof"},
      {"f1 s1", false, "one worker is no proof, however good it is"},
      {"f1 s1 f1 s1 f1 s1", false, "nor is one worker many times"},
      {"f1 f2", false, "nobody did better"},
      {"f1 s1 f2", false, "on the second worker nobody did better"},
      {"f1 f2 s2", false, "on the first worker nobody did better"},
      {"f1 s1 f2 s2", true, "others succeeded on both"},
      {"f1 f2 s1 s2", true, "whenever they did"},
      {"f1 f2 s2 s1", true, "in whatever order"},
      {"f1 s1 s2 l2", true, "on the newest one while the attempt ran"},
      {"s2 f1 s1 . . . l2", false, "but not before it began"},
      {"f1 s1 s2 l2 f3", false, "while it ran counts for the newest failure only"},
      {"f1 s1 s2 l2 f3 s2", true, "until another one succeeds there"},
      {"s1 s2 f1 f2", false, "what was good before may have broken: an outage begins so"},
      {"s1 s2 s3 f1 f2 f3", false, "on any number of workers"},
      {"f1 f2 f3 s1 s3", true, "two of three are enough"},
      {"f1 f2 f3 s3", false, "one of three is not"},
      {"f1 s1 f1 f2 s2", false, "the last failure there is what counts"},
      {"f1 s1 f1 f2 s2 s1", true, "the last failure there, too"},
      {"f1 s1 f2 s2 f3 f4 f5", false, "the oldest charge makes room"},
      {"f1 f2 s2 f3 s3 f4 f5", true, "those that stay count"},
  };
  for (const row& r : rows) {
    INFO(r.history << ": " << r.why);
    const history_of h(r.history);
    CHECK(h.record.condemned(h.proven()) == r.condemned);
  }
}

TEST_CASE("a worker has one charge, with its failures in a row, and the last four have one") {
  struct row {
    const char* history;
    const char* charges;
  };
  const std::vector<row> rows{
      {"", ""},
      {"f1", "1x1 "},
      {"f1 f1", "1x2 "},
      {"f1 s1 f1", "1x1 "},
      {"f1 f1 s1 f1 f1 f1", "1x3 "},
      {"f1 f2 f1", "2x1 1x2 "},
      {"f1 f2 f3 f4", "1x1 2x1 3x1 4x1 "},
      {"f1 f2 f3 f4 f5", "2x1 3x1 4x1 5x1 "},
      {"f1 f2 f3 f4 f2", "1x1 3x1 4x1 2x2 "},
      {"f1 f2 f3 f4 f1 f5", "3x1 4x1 1x2 5x1 "},
  };
  for (const row& r : rows) {
    INFO(r.history);
    CHECK(history_of(r.history).charges() == r.charges);
  }
}

TEST_CASE("an outage takes back what failed on workers that did nothing well since") {
  struct row {
    const char* history;
    std::uint32_t forgiven;
    const char* left;
  };
  const std::vector<row> rows{
      {"", 0, ""},
      {"f1", 1, ""},
      {"s1 f1", 1, ""},
      {"f1 s1", 0, "1x1 "},
      {"f1 f1 f1", 3, ""},
      {"f1 f2 s1", 1, "1x1 "},
      {"f1 f2 s2 f3 f3", 3, "2x1 "},
      {"f1 s1 f1", 1, ""},
      {"f1 s1 f2 s2", 0, "1x1 2x1 "},
  };
  for (const row& r : rows) {
    INFO(r.history);
    history_of h(r.history);
    CHECK(h.record.forgive(h.proven()) == r.forgiven);
    CHECK(h.charges() == r.left);
    CHECK(h.record.forgive(h.proven()) == 0);
  }
}

TEST_CASE("a worker that has left speaks neither for nor against a batch") {
  history_of h("f1 s1 f2 s2");
  h.good.erase(worker(2));
  CHECK_FALSE(h.record.condemned(h.proven()));
  CHECK(h.record.forgive(h.proven()) == 1);
}

// --- who else fails -----------------------------------------------------------------------------

TEST_CASE("others fail when another batch failed since where nothing succeeded after it") {
  const batch_id me{1, 1}, you{2, 1}, third{3, 1};
  const auto never = [](worker_id) { return instant::min(); };
  failure_watch w;
  CHECK_FALSE(w.others_fail(me, at(0), never));
  w.failed(me, worker(1), at(1));
  CHECK_FALSE(w.others_fail(me, at(0), never));
  CHECK(w.others_fail(you, at(0), never));
  w.failed(me, worker(2), at(2));
  CHECK_FALSE(w.others_fail(me, at(0), never));
  w.failed(you, worker(1), at(3));
  CHECK(w.others_fail(me, at(0), never));
  CHECK(w.others_fail(you, at(0), never));
  for (double now = 4; now < 20; ++now) w.failed(me, worker(2), at(now));
  CHECK(w.others_fail(me, at(3), never));        // its own many hide nobody
  CHECK_FALSE(w.others_fail(me, at(3.5), never));  // before its time
  CHECK(w.others_fail(third, at(19), never));
  const auto good_at = [](double t) {
    return [t](worker_id id) { return id == worker(1) ? at(t) : instant::min(); };
  };
  CHECK_FALSE(w.others_fail(me, at(0), good_at(4)));  // the other's worker is well again
  CHECK(w.others_fail(me, at(0), good_at(3)));
  CHECK(w.others_fail(you, at(0), good_at(4)));       // mine is not
}

}  // namespace weir::core::test
