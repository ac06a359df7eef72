#include "admin/print.hpp"

#include <boost/json.hpp>
#include <catch2/catch.hpp>
#include <cmath>

#include "admin/json_views.hpp"
#include "base/random.hpp"
#include "fake_backend.hpp"

using namespace weir::admin;
namespace json = boost::json;

namespace {

std::string status_json(fake_backend& b) {
  json::object o = to_json(b.status(), b.ready());
  json::array& pools = o["pools"].emplace_array();
  for (const auto& p : b.pools()) pools.push_back(to_json(p));
  return json::serialize(o);
}

}  // namespace

TEST_CASE("the status is a headline, the listeners and a table of pools") {
  fake_backend b;
  CHECK(print_status(status_json(b)) ==
        "weir 0.1.0, ready, running for 3 min, 2 threads, /etc/weir.yaml (generation 3)\n"
        "listener front on 127.0.0.1:8080, 12 connections\n"
        "\n"
        "POOL     WAITING  RUNNING  SLOTS  WORKERS  WORK  OLDEST  DRAINED IN  WANTED  NOTES\n"
        "loaders        3        4    4/8      1/2  0 ms   1.5 s       never       -\n");
}

TEST_CASE("a backlog is drained in a time, never, or is none") {
  struct row {
    std::uint64_t waiting;
    double drain_seconds;
    const char* shown;
  };
  for (const row& r : {row{3, HUGE_VAL, " never "}, row{3, 90, " 90 s "}, row{0, 0, "  - "}}) {
    fake_backend b;
    b.pool_views[0].waiting = r.waiting, b.pool_views[0].drain_seconds = r.drain_seconds;
    b.pool_views[0].desired = 1;
    CAPTURE(print_status(status_json(b)));
    CHECK(print_status(status_json(b)).find(r.shown) != std::string::npos);
  }
}

TEST_CASE("the status says what is wrong") {
  fake_backend b;
  b.ready_now = {false, "no pool can serve"};
  b.process.last_reload_ok = false;
  b.process.last_reload_error = "weir.yaml:3:5: unknown key\nand more";
  b.process.listeners[0].tls = true;
  b.pool_views[0].paused = true, b.pool_views[0].outage = true, b.pool_views[0].never_came = 2;
  b.pool_views[0].desired = 7, b.pool_views[0].scaling_holds = "2 of 2 workers are down";
  const auto text = print_status(status_json(b));
  CAPTURE(text);
  CHECK(text.find("weir 0.1.0, not ready (no pool can serve), running for 3 min, ") != text.npos);
  CHECK(text.find("\nlast reload refused: weir.yaml:3:5: unknown key\n  and more\n") != text.npos);
  CHECK(text.find("127.0.0.1:8080 (TLS)") != text.npos);
  CHECK(text.find("7  paused, shared outage, scaling holds: 2 of 2 workers are down, 2 never "
                  "came\n") != text.npos);
  b.process.draining = true;
  CHECK(print_status(status_json(b)).find(", draining, ") != text.npos);
}

TEST_CASE("workers are a table with states, slots, rates and why") {
  fake_backend b;
  b.worker_list[0].view.in_flight = 2, b.worker_list[0].view.slots_open = 3;
  b.worker_list[0].view.managed = true;
  b.worker_list[1].registered = true, b.worker_list[1].lease_seconds = 20;
  b.worker_list[1].view.removing = true;
  json::object o;
  json::array& rows = o["workers"].emplace_array();
  for (const auto& w : b.worker_list) rows.push_back(to_json(w, "loaders"));
  CHECK(print_workers(json::serialize(o)) ==
        "WORKER      STATE  SINCE  SLOTS  RATE  DONE  FAILED  URL"
        "                       NOTES                                   REASON\n"
        "loaders/w1  up      0 ms    2/4  1.25     0       0  http://127.0.0.1:9001/w1"
        "  managed, slow start: 3 of 4 slots open  probe 200\n"
        "loaders/w2  down    0 ms    0/4  1.25     0       0  http://127.0.0.1:9001/w2"
        "  lease 20 s, leaving                     probe 200\n");
}

TEST_CASE("the queue is a table and how much more there is") {
  fake_backend b;
  json::object o;
  json::array& rows = o["batches"].emplace_array();
  rows.push_back(to_json(b.queue("loaders", 0, 1)->items[0], "loaders"));
  o["total"] = 3;
  CHECK(print_queue(json::serialize(o)) ==
        "BATCH  POOL     TENANT  ROUTE     AHEAD    STARTS IN  WAITED  COST  URGENCY  ATTEMPT\n"
        "b0     loaders  acme    orders  about 0  about 4.0 s   2.5 s  12 s        3        0\n"
        "1 of 3 waiting\n");
}

TEST_CASE("a place that is exact is a number, and a start not in time has none") {
  CHECK(print_queue(R"({"batches":[{"position":2,"position_exact":true,"eta_seconds":null}]})")
            .find("  2  not in time") != std::string::npos);
}

TEST_CASE("an explanation is its text, line by line, without control characters") {
  CHECK(print_explain(R"({"batch":"b","text":"waits:\nno slot\u001b is free"})") ==
        "waits:\nno slot? is free\n");
  CHECK(print_explain(R"({"text":"one\n"})") == "one\n");
}

TEST_CASE("events are a table in UTC") {
  fake_backend b;
  json::object o;
  json::array& rows = o["events"].emplace_array();
  rows.push_back(to_json(b.events(0, 1).items[0]));
  CHECK(print_events(json::serialize(o)) ==
        "TIME (UTC)           POOL     EVENT                 WORKER  WHAT\n"
        "2026-01-31 23:59:59  loaders  worker_state_changed  w2      up to down\n");
}

TEST_CASE("an event of several lines has them below its row, without control characters") {
  const auto event = [](const char* text) {
    return json::serialize(json::object{{"time_ms", 0}, {"pool", "p"}, {"kind", "reload_refused"},
                                        {"worker", ""}, {"text", text}});
  };
  CHECK(print_events("{\"events\":[" + event("nothing was changed\na:1:2: x\na:3:4: y\x1b") + "," +
                     event("again") + "]}") ==
        "TIME (UTC)           POOL  EVENT           WORKER  WHAT\n"
        "1970-01-01 00:00:00  p     reload_refused          nothing was changed\n"
        "    a:1:2: x\n"
        "    a:3:4: y?\n"
        "1970-01-01 00:00:00  p     reload_refused          again\n");
}

TEST_CASE("the status says how each scale hook does, since when and why") {
  using state = hook_status::state;
  const hook_status hooks[] = {{"exec /a", state::unused, 1, 0, ""},
                               {"exec /b", state::delivering, 90, 0, "exit status 0"},
                               {"exec /c", state::failing, 12, 1, "exit status 4"},
                               {"webhook http://d", state::failing, 12, 3, "answered\n500"},
                               {"webhook http://e", state::stopped, 5, 1, "answered 410"}};
  json::object pool{{"name", "loaders"}};
  json::array& list = pool["hooks"].emplace_array();
  for (const auto& h : hooks) list.push_back(to_json(h));
  const auto text = print_status(json::serialize(json::object{{"pools", json::array{pool}}}));
  CHECK(text.substr(text.find("\nhook ")) ==
        "\nhook of loaders: exec /a, nothing sent yet\n"
        "hook of loaders: exec /b, delivering for 90 s, last: exit status 0\n"
        "hook of loaders: exec /c, failing for 12 s, 1 attempt: exit status 4\n"
        "hook of loaders: webhook http://d, failing for 12 s, 3 attempts: answered?500\n"
        "hook of loaders: webhook http://e, stopped 5.0 s ago: answered 410\n");
}

TEST_CASE("one of a thing is one thing") {
  fake_backend b;
  b.process.threads = 1, b.process.listeners[0].connections = 1;
  const auto text = print_status(status_json(b));
  CHECK(text.find(", 1 thread, ") != text.npos);
  CHECK(text.find("127.0.0.1:8080, 1 connection\n") != text.npos);
}

TEST_CASE("a report is its summary and its lines") {
  CHECK(print_report(json::serialize(to_json(change_report{"1 change", {"w3 added"}}))) ==
        "1 change\n  w3 added\n");
  CHECK(print_report(R"({"ok":true})") == "done\n");
}

TEST_CASE("a problem is one line and its diagnostics") {
  CHECK(print_problem(422, R"({"title":"Invalid","detail":"no","lines":["a:1:2: x"]})") ==
        "422 Invalid: no\n  a:1:2: x\n");
  CHECK(print_problem(502, "<html>\x1b") == "502 <html>?\n");
}

TEST_CASE("what is not the API's JSON comes back as it is, or empty, and never throws") {
  for (const auto print : {print_status, print_workers, print_queue, print_explain, print_events,
                           print_report}) {
    CHECK(print("not json") == "not json");
    CHECK(print("[1]") == "[1]");
    CHECK_FALSE(print("{}").empty());
    CHECK_FALSE(print(R"({"pools":[1,{}],"workers":[null,{"rate":"x"}],"batches":7,"total":"y",
      "listeners":{},"events":[{"time_ms":"z"}],"lines":[1],"config":[]})").empty());
  }
}

TEST_CASE("no JSON breaks the tables") {
  fake_backend b;
  const std::string good = status_json(b);
  weir::base::random random(12);
  for (int i = 0; i < 5000; ++i) {
    std::string text = good;
    for (std::uint32_t n = 1 + random.below(4); n > 0; --n) {
      const std::size_t at = random.below(static_cast<std::uint32_t>(text.size()));
      static constexpr std::string_view letters = "{}[]\",:0-9enullx";
      text[at] = letters[random.below(static_cast<std::uint32_t>(letters.size()))];
    }
    for (const auto print : {print_status, print_workers, print_queue, print_report})
      if (print(text).empty()) FAIL(text);
    if (print_problem(500, text).empty()) FAIL(text);
  }
  SUCCEED();
}

TEST_CASE("batches are a table, and one is shown with the reason of every attempt") {
  const std::string list = print_batches(
      R"({"batches":[{"id":"0a","state":"failed","pool":"p","route":"r","tenant":"t","attempts":3,)"
      R"("created_unix_ms":1000,"changed_unix_ms":61000,"body_bytes":9}],"next":4})");
  CHECK(list.find("0a     failed  p     t              3      9") != list.npos);
  CHECK(list.find("1970-01-01 00:01:01") != list.npos);
  CHECK(list.find("there are more") != list.npos);
  const std::string one = print_batch(
      R"({"id":"0a","state":"failed","pool":"p","route":"r","tenant":"t","method":"POST",)"
      R"("target":"/x","body_bytes":9,"changed_unix_ms":0,"history":[{"attempt":1,"worker":"w1",)"
      R"("began_unix_ms":0,"ended_unix_ms":1000,"outcome":"failed","detail":"it answered 500"},)"
      R"({"attempt":2,"worker":"w2","began_unix_ms":2000}]})");
  CHECK(one.find("0a is failed since 1970-01-01 00:00:00 UTC\nPOST /x, 9 bytes") == 0);
  CHECK(one.find("failed   it answered 500") != one.npos);
  CHECK(one.find("runs") != one.npos);
}
