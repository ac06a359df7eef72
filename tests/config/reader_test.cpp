// How the reader goes about it: all mistakes in one run, variables, aliases, secrets kept quiet,
// and what follows from a key that was not given.
#include "config/reader.hpp"

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "config/support.hpp"

using namespace weir;
using namespace weir::config;
using namespace std::chrono_literals;
using test::parts;
using test::world;

namespace {

config::pool only_pool(const std::string& keys) {
  parts whole;
  whole.pools = "pools: {loaders: {" + keys + "}}";
  const auto got = world().read(whole.text());
  INFO(keys << "\n" << got.text());
  REQUIRE(got.ok());
  return got.settings.pools.front();
}

route only_route(const std::string& keys) {
  parts whole;
  whole.routes = "routes: [{name: all, pool: loaders, " + keys + "}]";
  const auto got = world().read(whole.text());
  INFO(keys << "\n" << got.text());
  REQUIRE(got.ok());
  return got.settings.routes.front();
}

settings whole_with(const std::string& top, const world& w = {}) {
  parts whole;
  whole.top = top;
  const auto got = w.read(whole.text());
  INFO(top << "\n" << got.text());
  REQUIRE(got.ok());
  return got.settings;
}

std::string mistakes_with(const std::string& top, const world& w = {}) {
  parts whole;
  whole.top = top;
  return w.read(whole.text()).text();
}

}  // namespace

TEST_CASE("the smallest configuration is whole and has the defaults of the settings") {
  const auto got = world().read(parts().text());
  INFO(got.text());
  REQUIRE(got.ok());
  CHECK(got.warnings.empty());
  const settings fresh;
  CHECK(got.settings.threads == fresh.threads);
  CHECK(got.settings.drain_timeout == fresh.drain_timeout);
  CHECK(got.settings.limits == fresh.limits);
  CHECK(got.settings.admin == fresh.admin);
  CHECK(got.settings.access_log == fresh.access_log);
  CHECK_FALSE(got.settings.registration);
  const route plain;
  CHECK(got.settings.routes.front().timeout == plain.timeout);
  CHECK(got.settings.routes.front().busy_statuses == plain.busy_statuses);
  CHECK(got.settings.routes.front().rewrite == plain.rewrite);
}

TEST_CASE("all mistakes of a file are told in one run, by position") {
  const auto got = world().read(
      "threads: 0\n"
      "listener: []\n"
      "listeners:\n"
      "  - name: front\n"
      "    bind: nowhere\n"
      "    idle: 5s\n"
      "admin:\n"
      "  bind: 0.0.0.0:9900\n"
      "routes:\n"
      "  - name: a\n"
      "    pool: loader\n"
      "    timeout: {queue: 5, total: \"${NOPE}\"}\n"
      "  - pool: loaders\n"
      "pools:\n"
      "  loaders:\n"
      "    workers:\n"
      "      - id: w1\n"
      "        url: http://127.0.0.1:9001\n"
      "        slots: many\n"
      "      - id: w1\n"
      "        url: http://127.0.0.1:9002\n"
      "    threads: 4\n");
  std::vector<mark> places;
  for (const auto& m : got.mistakes) places.push_back(m.at);
  CHECK(std::is_sorted(places.begin(), places.end()));
  CHECK(places == std::vector<mark>{{1, 10},
                                    {2, 1},
                                    {5, 11},
                                    {6, 5},
                                    {8, 9},
                                    {11, 11},
                                    {12, 22},
                                    {12, 33},
                                    {13, 5},
                                    {19, 16},
                                    {20, 13},
                                    {22, 5}});
}

TEST_CASE("the text of an outcome has a line for every mistake, the file's name first") {
  const auto text = world().read("threads: 0\ndrain_delay: 5\n").text();
  CHECK(
      text.starts_with("w.yaml:1:1: missing key `listeners`, expected at least one entry\n"
                       "w.yaml:1:1: missing key `routes`, expected at least one entry\n"
                       "w.yaml:1:1: missing key `pools`, expected at least one entry\n"
                       "w.yaml:1:10: threads: `0` is out of range, expected auto or"));
  CHECK(std::count(text.begin(), text.end(), '\n') == 5);
}

TEST_CASE("an empty file says what is needed, and a text alone is no configuration") {
  for (const auto text : {"", "# nothing\n", "\n\n"})
    CHECK(world().read(text).text() ==
          "w.yaml:1:1: an empty file, expected at least listeners, routes and pools\n");
  CHECK(world().read("weir").text() == "w.yaml:1:1: `weir`, expected keys and values\n");
  CHECK(world().read("- a\n").text() == "w.yaml:1:1: a list, expected keys and values\n");
}

TEST_CASE("a file that is no YAML is told as such, with what was found before") {
  CHECK(world().read("threads: ${NOPE}\nb: [\n").mistakes.size() == 2);
}

TEST_CASE("variables work in every kind of value, in quotes too") {
  world w;
  w.variables = {{"N", "4"}, {"T", "90s"}, {"YES", "true"}, {"P", "8081"}, {"W", "watch"}};
  const auto all = whole_with(
      "threads: ${N}\ndrain_timeout: \"${T}\"\nreload: ${W}\n"
      "admin: {bind: \"127.0.0.1:${P}\"}\nlimits: {fields_max: \"${N}${N}\", linger_timeout: "
      "\"${NOPE:-3s}\"}",
      w);
  CHECK(all.threads == 4);
  CHECK(all.drain_timeout == 90s);
  CHECK(all.reload_watch);
  CHECK(all.admin.bind.port == 8081);
  CHECK(all.limits.fields_max == 44);
  CHECK(all.limits.linger_timeout == 3s);
}

TEST_CASE("what a variable held stands in no message") {
  world w;
  w.variables = {{"SECRET", "hunter2-hunter2-hunter2"}};
  const std::vector<std::string> tops{
      "threads: ${SECRET}",
      "drain_timeout: ${SECRET}",
      "reload: ${SECRET}",
      "state_dir: [\"${SECRET}\", x]",
      "limits: {head_bytes_max: \"${SECRET}\"}",
      "admin: {bind: \"${SECRET}\"}",
      "admin: {token_file: \"${SECRET}\"}",
      "registration: {bind: \"127.0.0.1:1\", token_file: token, allow: [\"${SECRET}\"]}",
  };
  for (const auto& top : tops) {
    INFO(top);
    const auto text = mistakes_with(top, w);
    CHECK_FALSE(text.empty());
    CHECK(text.find("hunter2") == text.npos);
  }
  parts whole;
  whole.routes =
      "routes: [{name: \"a${SECRET}/\", pool: \"${SECRET}\", host: \"${SECRET}:\", "
      "methods: [\"${SECRET} x\"], rewrite: {strip_prefix: \"${SECRET}\"}}]";
  whole.pools =
      "pools: {loaders: {workers: [{id: w1, url: \"${SECRET}\"}, {id: \"${SECRET}/\", url: "
      "\"http://h\"}]}}";
  const auto text = w.read(whole.text()).text();
  CHECK(std::count(text.begin(), text.end(), '\n') >= 6);
  CHECK(text.find("hunter2") == text.npos);
}

TEST_CASE("a value made by a variable is shown as it was written") {
  world w;
  w.variables = {{"N", "0"}};
  CHECK(mistakes_with("threads: ${N}", w) ==
        "w.yaml:1:10: threads: `${N}` (from the environment) is out of range, expected auto or a "
        "whole number from 1 to 1024\n");
}

TEST_CASE("a value whose variable is not set is told once, and no rule judges it") {
  CHECK(mistakes_with("limits: {head_bytes_max: \"${NOPE}\", target_bytes_max: 1MiB}") ==
        "w.yaml:1:27: the environment variable NOPE is not set, expected it, or a default: "
        "${NOPE:-default}\n");
}

TEST_CASE("secrets stand in no message, even when one was put where its file belongs") {
  parts whole;
  whole.pools =
      "pools: {loaders: {autoscale: {hooks: [{webhook: {url: \"http://h\", secret_file: "
      "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz}}]}}}";
  CHECK(world().read(whole.text()).text() ==
        "w.yaml:4:80: pools.loaders.autoscale.hooks[0].webhook.secret_file: a path (not shown) "
        "cannot be read (No such file or directory), expected the path of a file with whsec_ and a "
        "base64 key\n");
  CHECK(mistakes_with("admin: {token_file: 0123456789abcdef0123}") ==
        "w.yaml:1:21: admin.token_file: a path (not shown) cannot be read (No such file or "
        "directory), expected the path of a file with a token\n");
  for (const auto file : {"raw.secret", "broken.secret", "short.secret", "two-lines"}) {
    whole.pools = std::string(
                      "pools: {loaders: {autoscale: {hooks: [{webhook: {url: \"http://h\", "
                      "secret_file: ") +
                  file + "}}]}}}";
    const auto text = world().read(whole.text()).text();
    const auto held = world().files.at(file);
    CHECK(text.find(held.substr(0, 6) + held.substr(6, 4)) == text.npos);
  }
}

TEST_CASE("an anchor's value can be used again, and mistakes in it are told for each use") {
  parts whole;
  whole.routes = "routes: [{name: a, path: /a, pool: one}, {name: b, pool: two}]";
  whole.pools =
      "pools:\n"
      "  one:\n"
      "    workers: [{id: w1, url: \"http://a\"}]\n"
      "    health_check: &checks {interval: 7s, path: /up}\n"
      "  two:\n"
      "    workers: [{id: w1, url: \"http://b\"}]\n"
      "    health_check: *checks\n";
  const auto got = world().read(whole.text());
  INFO(got.text());
  REQUIRE(got.ok());
  CHECK(got.settings.pools.at(1).settings.health.interval == 7s);
  CHECK(got.settings.pools.at(1).probe.path == "/up");
  const auto at = whole.pools.find("7s");
  whole.pools.replace(at, 2, "7");
  const auto bad = world().read(whole.text());
  REQUIRE(bad.mistakes.size() == 2);
  CHECK(bad.mistakes[0].at == bad.mistakes[1].at);
  CHECK(bad.mistakes[0].message.starts_with("pools.one."));
  CHECK(bad.mistakes[1].message.starts_with("pools.two."));
}

TEST_CASE("pools stand in the order of the file, workers before their backups") {
  parts whole;
  whole.routes = "routes: [{name: a, path: /a, pool: z}, {name: b, path: /b, pool: a}]";
  whole.pools =
      "pools: {z: {backup_workers: [{id: b1, url: \"http://b\"}], workers: [{id: w1, url: "
      "\"http://a\"}]}, a: {workers: [{id: w1, url: \"http://a\"}]}}";
  const auto got = world().read(whole.text());
  INFO(got.text());
  REQUIRE(got.ok());
  CHECK(got.settings.pools.at(0).settings.name == "z");
  CHECK(got.settings.pools.at(1).settings.name == "a");
  CHECK(got.settings.pools.at(0).workers.size() == 2);
}

TEST_CASE("auto stands for zero where it has a name") {
  CHECK(whole_with("threads: auto").threads == 0);
  CHECK(whole_with("threads: 3").threads == 3);
  CHECK(only_pool("autoscale: {slots_per_worker: auto}").settings.autoscale->slots_per_worker == 0);
  CHECK(only_pool("autoscale: {slots_per_worker: 4}").settings.autoscale->slots_per_worker == 4);
}

TEST_CASE("cost is one of header, bytes and fixed, or none") {
  CHECK(only_route("path: /").cost.kind == cost_kind::none);
  CHECK(only_route("cost: {}").cost.kind == cost_kind::none);
  CHECK(only_route("cost: {bytes: false}").cost.kind == cost_kind::none);
  CHECK(only_route("cost: {bytes: true}").cost.kind == cost_kind::bytes);
  CHECK(only_route("cost: {header: X-Rows}").cost.header == "X-Rows");
  const auto fixed = only_route("cost: {fixed: 2.5}").cost;
  CHECK(fixed.kind == cost_kind::fixed);
  CHECK(fixed.fixed == 2.5);
}

TEST_CASE("a host is one or a list, in lower case") {
  CHECK(only_route("host: A.Example").hosts == std::vector<std::string>{"a.example"});
  CHECK(only_route("host: [a, \"*.B.example\"]").hosts ==
        std::vector<std::string>{"a", "*.b.example"});
  CHECK(only_route("host: []").hosts.empty());
}

TEST_CASE("a path's final slash says nothing, since prefixes end on segments") {
  CHECK(only_route("path: /load/").path == "/load");
  CHECK(only_route("path: /").path == "/");
  CHECK(only_route("path: \"\"").path == "");
  CHECK(only_route("path: /load, rewrite: {strip_prefix: /load/}").rewrite.strip_prefix == "/load");
  CHECK(only_route("path: /, rewrite: {strip_prefix: /load}").rewrite.strip_prefix == "/load");
  CHECK(only_route("path: /a/b, rewrite: {strip_prefix: /a}").rewrite.strip_prefix == "/a");
  CHECK(only_route("path: /a, rewrite: {strip_prefix: /a/b}").rewrite.strip_prefix == "/a/b");
  CHECK(only_route("rewrite: {strip_prefix: /}").rewrite.strip_prefix == "");
}

TEST_CASE("a changed probe interval takes its companions along unless they are given") {
  const auto quick = only_pool("health_check: {interval: 500ms}").settings.health;
  CHECK(quick.fast_interval == 500ms);
  CHECK(quick.down_interval_max == 60s);
  const auto slow = only_pool("health_check: {interval: 2m}").settings.health;
  CHECK(slow.fast_interval == 1s);
  CHECK(slow.down_interval_max == 2min);
  const auto given =
      only_pool("health_check: {interval: 10s, fast_interval: 2s, down_interval_max: 20s}")
          .settings.health;
  CHECK(given.fast_interval == 2s);
  CHECK(given.down_interval_max == 20s);
}

TEST_CASE("admin may be reached from elsewhere with a token, over unix and loopback without") {
  CHECK(whole_with("admin: {bind: \"0.0.0.0:9900\", token_file: token}").admin.token ==
        "let-me-in-0123456789");
  CHECK(whole_with("admin: {bind: \"[::1]:9900\"}").admin.bind.host == "::1");
  CHECK(whole_with("admin: {bind: \"unix:/run/weir.admin\"}").admin.bind.unix_path ==
        "/run/weir.admin");
}

TEST_CASE("two sockets on port 0 are two sockets") {
  parts whole;
  whole.listeners =
      "listeners: [{name: a, bind: \"127.0.0.1:0\"}, {name: b, bind: \"127.0.0.1:0\"}]";
  CHECK(world().read(whole.text()).ok());
}

TEST_CASE("a listener on the admin side's default address collides with it") {
  parts whole;
  whole.listeners = "listeners: [{name: a, bind: \"127.0.0.1:9900\"}]";
  const auto text = world().read(whole.text()).text();
  CHECK(text ==
        "w.yaml:2:29: listeners[0].bind: `127.0.0.1:9900` is taken by admin (its default), "
        "expected one of its own\n");
}

TEST_CASE("async: always needs a state_dir, a faulty one is told alone, allow needs none") {
  parts whole;
  whole.routes = "routes: [{name: a, pool: loaders, async: always}]";
  const auto mistakes = [&](const std::string& top) {
    whole.top = top;
    return world().read(whole.text()).text();
  };
  const std::string told =
      "w.yaml:3:42: routes[0].async: always needs a place for durable batches, expected "
      "`state_dir` to be set\n";
  CHECK(mistakes("state_dir: ./state") == "");
  CHECK(mistakes("state_dir: \"\"") == told);
  CHECK(mistakes("state_dir: \"${ABSENT:-}\"") == told);
  CHECK(mistakes("threads: auto") == told);
  CHECK(mistakes("state_dir: [x]") == "w.yaml:1:12: state_dir: a list, expected a path\n");
  CHECK(only_route("async: allow").async == async_mode::allow);
}

TEST_CASE("a message is one line of bounded length, whatever stands in the file") {
  const std::string long_text(5000, 'x');
  for (const auto& top : {"\"a\\nb\": 1", "threads: \"4\\n5\"", "threads: \"4\\n\"",
                          "limits: {\"a\\rb\": {\"c\\nd\": 1}}"}) {
    const auto text = mistakes_with(top);
    INFO(text);
    CHECK(std::count(text.begin(), text.end(), '\n') == 1);
    CHECK(text.find('\r') == text.npos);
  }
  CHECK(mistakes_with("threads: " + long_text).size() < 200);
  CHECK(mistakes_with(long_text + ": 1").size() < 400);
  parts whole;
  whole.pools =
      "pools: {\"a\\nb\": {threads: 1}, loaders: {workers: [{id: w, url: \"http://h\"}]}}";
  CHECK(world().read(whole.text()).mistakes.size() == 2);
  const auto text = world().read(whole.text()).text();
  CHECK(std::count(text.begin(), text.end(), '\n') == 2);
}

TEST_CASE("a long text is cut between characters") {
  const auto text = mistakes_with("threads: " + std::string(59, 'x') + "\xc3\xa9\xc3\xa9");
  CHECK(text.starts_with("w.yaml:1:10: threads: `" + std::string(59, 'x') + "...`, expected"));
}

TEST_CASE("worker ids are unique in their pool, not beyond it") {
  parts whole;
  whole.routes = "routes: [{name: a, path: /a, pool: one}, {name: b, pool: two}]";
  whole.pools =
      "pools: {one: {workers: [{id: w, url: \"http://a\"}]}, two: {workers: [{id: w, url: "
      "\"http://b\"}]}}";
  CHECK(world().read(whole.text()).ok());
}
