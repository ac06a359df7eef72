#include "app/hook_log.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace weir;
using namespace std::chrono_literals;
using state = admin::hook_status::state;
using outcome = scale::hook_outcome;

const base::instant start{base::duration(1h)};

config::hook webhook(std::string url) {
  config::hook h;
  h.webhook.emplace().url = std::move(url);
  return h;
}

config::hook program(std::string path) {
  config::hook h;
  h.exec.emplace().command = {std::move(path)};
  return h;
}

scale::hook_report report(std::size_t place, outcome what, std::string_view detail = "x") {
  scale::hook_report r;
  r.place = place;
  r.what = what;
  r.detail = detail;
  return r;
}

const std::vector<config::hook> both{webhook("http://a/path?key=1"), program("/bin/scale")};
constexpr std::size_t first = 0, second = 1;

scale::hook_report again(scale::hook_report r) {
  r.resent = true;
  return r;
}

}  // namespace

TEST_CASE("hooks are listed in the configuration's order, unused until something was sent") {
  app::hook_log log;
  CHECK(log.view(start).empty());
  log.keep(both, start);
  const auto seen = log.view(start + 3s);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].hook == "webhook http://a");
  CHECK(seen[1].hook == "exec /bin/scale");
  for (const auto& h : seen) {
    CHECK(h.now == state::unused);
    CHECK(h.seconds == 3);
    CHECK(h.detail.empty());
  }
}

TEST_CASE("a hook fails since its first failure, with the last one's reason, until a delivery") {
  app::hook_log log;
  log.keep(both, start);
  log.add(report(first, outcome::failed, "Connection refused"), start + 1s);
  log.add(report(first, outcome::failed, "answered 500"), start + 5s);
  auto seen = log.view(start + 6s);
  CHECK(seen[0].now == state::failing);
  CHECK(seen[0].seconds == 5);
  CHECK(seen[0].failures == 2);
  CHECK(seen[0].detail == "answered 500");
  CHECK(seen[1].now == state::unused);   // the other one is itself
  log.add(report(first, outcome::superseded, "by a newer decision"), start + 7s);
  CHECK(log.view(start + 7s)[0].detail == "answered 500");
  log.add(report(first, outcome::delivered, "answered 204"), start + 8s);
  seen = log.view(start + 9s);
  CHECK(seen[0].now == state::delivering);
  CHECK(seen[0].seconds == 1);
  CHECK(seen[0].failures == 0);
  CHECK(seen[0].detail == "answered 204");
}

TEST_CASE("a reload keeps what is known of hooks that stay, forgets the others, and ends a stop") {
  app::hook_log log;
  log.keep(both, start);
  log.add(report(first, outcome::failed), start + 1s);
  auto gone = report(second, outcome::failed, "answered 410");
  gone.stopped = true;
  log.add(gone, start + 1s);
  CHECK(log.view(start + 2s)[1].now == state::stopped);
  const std::vector<config::hook> after{both[1], both[0], webhook("http://b")};
  log.keep(after, start + 4s);
  const auto seen = log.view(start + 5s);
  REQUIRE(seen.size() == 3);
  CHECK(seen[0].now == state::unused);
  CHECK(seen[0].seconds == 1);
  CHECK(seen[1].now == state::failing);
  CHECK(seen[1].seconds == 4);
  CHECK(seen[2].now == state::unused);
  log.keep({}, start + 5s);
  CHECK(log.view(start + 5s).empty());
}

TEST_CASE("a decision sent or tried again is worth an event when it went otherwise than before") {
  app::hook_log log;
  log.keep(both, start);
  const auto worth = [&](const scale::hook_report& r) { return log.add(r, start); };
  const auto good = report(first, outcome::delivered, "answered 204");
  const auto bad = report(first, outcome::failed, "answered 500");
  CHECK(worth(good));
  CHECK(worth(good));   // another decision
  CHECK_FALSE(worth(again(good)));
  CHECK(worth(again(report(first, outcome::delivered, "answered 200"))));
  CHECK(worth(again(bad)));
  CHECK_FALSE(worth(again(bad)));
  auto retried = bad;
  retried.attempts = 2;
  CHECK_FALSE(worth(retried));
  CHECK(worth(again(report(first, outcome::failed, "timed out"))));
  CHECK(worth(again(good)));
  CHECK(worth(again(report(second, outcome::delivered, "answered 204"))));   // its own first
}

TEST_CASE("that a decision gave way is told of new ones, that it was taken back of all") {
  app::hook_log log;
  log.keep(both, start);
  auto gave_way = report(first, outcome::superseded, "by a newer decision");
  CHECK(log.add(gave_way, start));
  CHECK_FALSE(log.add(again(gave_way), start));
  gave_way.taken_back = true;
  CHECK(log.add(again(gave_way), start));
}

TEST_CASE("two hooks that look the same are told apart") {
  app::hook_log log;
  const std::vector<config::hook> twins{webhook("http://a/one"), webhook("http://a/two")};
  log.keep(twins, start);
  log.add(report(first, outcome::failed), start + 1s);
  log.add(report(second, outcome::delivered), start + 1s);
  log.keep(twins, start + 2s);
  const auto seen = log.view(start + 2s);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].now == state::failing);
  CHECK(seen[1].now == state::delivering);
}

TEST_CASE("a report of a hook that is not configured any more changes nothing") {
  app::hook_log log;
  log.keep(both, start);
  log.add(report(SIZE_MAX, outcome::failed), start + 1s);
  for (const auto& h : log.view(start)) CHECK(h.now == state::unused);
}
