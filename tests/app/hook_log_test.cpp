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

scale::hook_report report(std::string_view hook, outcome what, std::string_view detail = "x") {
  scale::hook_report r;
  r.hook = hook;
  r.what = what;
  r.detail = detail;
  return r;
}

const std::vector<config::hook> both{webhook("http://a/path?key=1"), program("/bin/scale")};
constexpr std::string_view first = "webhook http://a", second = "exec /bin/scale";

}  // namespace

TEST_CASE("hooks are listed in the configuration's order, unused until something was sent") {
  app::hook_log log;
  CHECK(log.view(start).empty());
  log.keep(both, start);
  const auto seen = log.view(start + 3s);
  REQUIRE(seen.size() == 2);
  CHECK(seen[0].hook == first);
  CHECK(seen[1].hook == second);
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

TEST_CASE("a report is news when the hook's state or the reason for it is another") {
  app::hook_log log;
  log.keep(both, start);
  CHECK(log.add(report(first, outcome::delivered, "answered 204"), start));
  CHECK_FALSE(log.add(report(first, outcome::delivered, "answered 204"), start));
  CHECK(log.add(report(first, outcome::delivered, "answered 200"), start));
  CHECK(log.add(report(first, outcome::failed, "answered 500"), start));
  CHECK_FALSE(log.add(report(first, outcome::superseded, "by a newer decision"), start));
  CHECK_FALSE(log.add(report(first, outcome::failed, "answered 500"), start));
  CHECK(log.add(report(first, outcome::failed, "timed out"), start));
  CHECK(log.add(report(first, outcome::delivered, "answered 200"), start));
}

TEST_CASE("a report of a hook that is not configured any more changes nothing") {
  app::hook_log log;
  log.keep(both, start);
  log.add(report("webhook http://gone", outcome::failed), start + 1s);
  for (const auto& h : log.view(start)) CHECK(h.now == state::unused);
}
