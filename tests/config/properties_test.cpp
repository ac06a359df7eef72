// Made-up settings by the hundred, from a printed seed: what is written reads back, what differs is
// told, and the difference of a thing with itself is nothing.
#include <fmt/format.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <set>
#include <string>
#include <vector>

#include "base/random.hpp"
#include "config/addresses.hpp"
#include "config/diff.hpp"
#include "config/dump.hpp"
#include "config/nearest.hpp"
#include "config/support.hpp"
#include "config/units.hpp"

using namespace weir;
using namespace weir::config;
using test::world;

namespace {

constexpr std::uint64_t seed = 20240611;

// A whole configuration with a few listeners, routes, pools and workers, each there or not.
std::string made_up(base::random& rng) {
  std::string text = fmt::format("threads: {}\ndrain_timeout: {}s\nlisteners:\n", 1 + rng.below(3),
                                 1 + rng.below(3));
  for (unsigned i = 0; i < 3; ++i)
    if (i == 0 || rng.below(2))
      text += fmt::format("  - {{name: l{}, bind: \"127.0.0.1:{}\"}}\n", i,
                          8000 + i * 10 + rng.below(2));
  std::string routes = "routes:\n", pools = "pools:\n";
  for (unsigned i = 0; i < 4; ++i) {
    if (i > 0 && rng.below(2)) continue;
    routes += fmt::format("  - {{name: r{}, path: /r{}, pool: p{}, body_max: {}MiB}}\n", i, i, i,
                          1 + rng.below(2));
    pools += fmt::format("  p{}:\n    slow_start: {}s\n    workers:\n", i, rng.below(3));
    for (unsigned w = 0; w < 4; ++w)
      if (w == 0 || rng.below(2))
        pools += fmt::format("      - {{id: w{}, url: \"http://127.0.0.1:{}\", slots: {}}}\n", w,
                             9000 + w * 10 + rng.below(2), 1 + rng.below(3));
  }
  return text + routes + pools;
}

settings read(const std::string& text) {
  const auto got = world().read(text);
  INFO(text << got.text());
  REQUIRE(got.ok());
  return got.settings;
}

std::set<std::string> workers_of(const settings& all) {
  std::set<std::string> out;
  for (const auto& p : all.pools)
    for (const auto& w : p.workers)
      out.insert(p.settings.name + "/" + w.settings.name + " " + to_string(w.url));
  return out;
}

std::set<std::string> named(const std::vector<change>& changes, change::action what,
                            change::subject of) {
  std::set<std::string> out;
  for (const auto& c : changes)
    if (c.what == what && c.of == of) out.insert(c.pool + "/" + c.name);
  return out;
}

}  // namespace

TEST_CASE("settings differ by nothing from themselves, and from others when their dumps do") {
  INFO("seed " << seed);
  base::random rng(seed);
  for (int i = 0; i < 100; ++i) {
    const auto a = read(made_up(rng)), b = read(made_up(rng));
    CHECK(diff(a, a).empty());
    CHECK(diff(a, b).empty() == (dump_json(a) == dump_json(b)));
  }
}

TEST_CASE("what came one way goes the other way") {
  INFO("seed " << seed + 1);
  base::random rng(seed + 1);
  using action = change::action;
  using subject = change::subject;
  for (int i = 0; i < 100; ++i) {
    const auto a = read(made_up(rng)), b = read(made_up(rng));
    const auto there = diff(a, b), back = diff(b, a);
    CHECK(there.size() == back.size());
    for (const auto of : {subject::listener, subject::route, subject::pool}) {
      CHECK(named(there, action::added, of) == named(back, action::removed, of));
      CHECK(named(there, action::removed, of) == named(back, action::added, of));
    }
  }
}

TEST_CASE("applying the workers that came and went gives the workers there are") {
  INFO("seed " << seed + 2);
  base::random rng(seed + 2);
  for (int i = 0; i < 100; ++i) {
    const auto a = read(made_up(rng)), b = read(made_up(rng));
    auto there = workers_of(a);
    std::set<std::string> new_pools, old_pools;
    for (const auto& c : diff(a, b)) {
      const auto url = [&](const std::string& brief) { return brief.substr(0, brief.find(',')); };
      if (c.of == change::subject::pool && c.what == change::action::added)
        new_pools.insert(c.name);
      if (c.of == change::subject::pool && c.what == change::action::removed)
        old_pools.insert(c.name);
      if (c.of != change::subject::worker || c.what == change::action::changed) continue;
      const auto who = c.pool + "/" + c.name + " ";
      if (c.what == change::action::added) CHECK(there.insert(who + url(c.after)).second);
      if (c.what == change::action::removed) CHECK(there.erase(who + url(c.before)) == 1);
    }
    // Whole pools stand for their workers.
    std::erase_if(there, [&](auto& w) { return old_pools.contains(w.substr(0, w.find('/'))); });
    for (const auto& w : workers_of(b))
      if (new_pools.contains(w.substr(0, w.find('/')))) there.insert(w);
    CHECK(there == workers_of(b));
  }
}

TEST_CASE("a dump reads back to the same dump") {
  INFO("seed " << seed + 3);
  base::random rng(seed + 3);
  for (int i = 0; i < 50; ++i) {
    const auto text = dump_json(read(made_up(rng)));
    CHECK(dump_json(read(text)) == text);
  }
}

TEST_CASE("any duration, size and share that is written reads back") {
  INFO("seed " << seed + 4);
  base::random rng(seed + 4);
  for (int i = 0; i < 2000; ++i) {
    const auto n = rng.next() >> (1 + rng.below(63));
    const base::duration d{static_cast<std::int64_t>(n)};
    CHECK(parse_duration(format_duration(d)) == d);
    CHECK(parse_size(format_size(n)) == n);
    const double s = static_cast<double>(rng.below(1000)) / 1000;
    CHECK(*parse_share(format_share(s)) == Approx(s));
  }
}

TEST_CASE("the distance of words is a distance, but for one swap across a change") {
  INFO("seed " << seed + 5);
  base::random rng(seed + 5);
  const auto word = [&] {
    std::string out;
    for (auto n = rng.below(8); n > 0; --n) out += static_cast<char>('a' + rng.below(4));
    return out;
  };
  for (int i = 0; i < 2000; ++i) {
    const auto a = word(), b = word();
    INFO(a << " " << b);
    const auto d = edit_distance(a, b);
    CHECK((d == 0) == (a == b));
    CHECK(d == edit_distance(b, a));
    CHECK(d <= std::max(a.size(), b.size()));
    CHECK(d + std::min(a.size(), b.size()) >= std::max(a.size(), b.size()));
  }
}

TEST_CASE("a configuration cut off anywhere is told or taken, and never more than told") {
  INFO("seed " << seed + 6);
  base::random rng(seed + 6);
  const auto text = made_up(rng);
  for (std::size_t n = 0; n < text.size(); ++n) {
    const auto got = world().read(text.substr(0, n));
    for (const auto& m : got.mistakes) {
      CHECK(m.at.line >= 1);
      CHECK_FALSE(m.message.empty());
    }
  }
}

TEST_CASE("a configuration with any byte changed is told or taken") {
  INFO("seed " << seed + 7);
  base::random rng(seed + 7);
  const auto text = made_up(rng);
  for (int i = 0; i < 500; ++i) {
    auto changed = text;
    changed.at(rng.below(static_cast<std::uint32_t>(text.size()))) =
        static_cast<char>(rng.below(256));
    const auto got = world().read(changed);
    for (const auto& m : got.mistakes) CHECK(m.message.find('\n') == m.message.npos);
    if (got.ok()) CHECK(diff(got.settings, got.settings).empty());
  }
}
