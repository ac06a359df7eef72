#include "core/deadlines.hpp"

#include <catch2/catch.hpp>

namespace {

using namespace std::chrono_literals;
using weir::base::instant;
using weir::base::never;
using weir::core::deadline;
using weir::core::deadlines;

constexpr instant at(std::chrono::nanoseconds t) { return instant{t}; }
constexpr weir::core::time_limits limits{3s, 60s, 3600s, 7200s};

deadlines begun() {
  deadlines d;
  d.begin(limits, at(0s));
  return d;
}

const deadlines::moved still{at(0s), at(0s)};

}  // namespace

TEST_CASE("only the total limit runs before an attempt and between attempts") {
  deadlines d = begun();
  CHECK(d.next(still) == at(7200s));
  d.connecting(at(10s));
  d.upload_due(true);
  d.request_sent(at(20s));
  d.download_due(true);
  d.attempt_ended();
  CHECK(d.next(still) == at(7200s));
  CHECK(d.expired(still, at(7199s)) == deadline::none);
  CHECK(d.expired(still, at(7200s)) == deadline::total);
}

TEST_CASE("each limit runs exactly while its part of the attempt does") {
  struct row {
    const char* what;
    void (*step)(deadlines&);
    instant next;
    deadline which;
  };
  const row rows[] = {
      {"connecting", [](deadlines& d) { d.connecting(at(5s)); }, at(8s), deadline::connect},
      {"connected", [](deadlines& d) { d.connected(); }, at(7200s), deadline::total},
      {"body bytes due from the client", [](deadlines& d) { d.upload_due(true); }, at(60s),
       deadline::upload},
      {"request sent", [](deadlines& d) { d.upload_due(false), d.request_sent(at(30s)); },
       at(3630s), deadline::response},
      {"response begun", [](deadlines& d) { d.response_begun(); }, at(7200s), deadline::total},
      {"body bytes due from the worker", [](deadlines& d) { d.download_due(true); }, at(60s),
       deadline::download},
  };
  deadlines d = begun();
  for (const row& r : rows) {
    INFO(r.what);
    r.step(d);
    CHECK(d.next(still) == r.next);
    CHECK(d.expired(still, r.next - 1ns) == deadline::none);
    CHECK(d.expired(still, r.next) == r.which);
  }
}

TEST_CASE("progress moves only the limit of its own direction") {
  deadlines d = begun();
  d.upload_due(true);
  d.download_due(true);
  CHECK(d.next({at(100s), at(130s)}) == at(160s));
  CHECK(d.expired({at(100s), at(130s)}, at(170s)) == deadline::upload);
  CHECK(d.expired({at(140s), at(100s)}, at(170s)) == deadline::download);
  CHECK(d.expired({at(140s), at(130s)}, at(170s)) == deadline::none);
}

TEST_CASE("the limit that passed first is named when several have passed") {
  deadlines d = begun();
  d.connecting(at(0s));
  d.upload_due(true);
  CHECK(d.expired(still, at(9000s)) == deadline::connect);
}

TEST_CASE("limits without an end never pass") {
  deadlines d;
  const auto forever = weir::base::forever;
  d.begin({forever, forever, forever, forever}, at(0s));
  d.connecting(at(1s));
  d.upload_due(true);
  d.download_due(true);
  d.request_sent(at(1s));
  CHECK(d.next(still) == never);
}
