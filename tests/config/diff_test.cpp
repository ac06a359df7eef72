#include "config/diff.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "config/support.hpp"

using namespace weir::config;
using namespace std::chrono_literals;
using test::world;

namespace {

using action = change::action;
using subject = change::subject;

const std::string whole = R"(
threads: 2
listeners:
  - {name: front, bind: "127.0.0.1:8080"}
  - {name: back, bind: "127.0.0.1:8081"}
routes:
  - {name: orders, path: /orders, pool: loaders}
  - {name: items, path: /items, pool: loaders}
  - {name: rest, pool: spare}
pools:
  loaders:
    workers:
      - {id: w1, url: "http://127.0.0.1:9001", slots: 4}
      - {id: w2, url: "http://127.0.0.1:9002", slots: 4}
    backup_workers: [{id: b1, url: "http://127.0.0.1:9009"}]
  spare:
    workers: [{id: w1, url: "http://127.0.0.1:9003"}]
    autoscale:
      max: 4
      hooks: [{webhook: {url: "https://h/key-1", secret_file: hook.secret}}]
)";

settings read(const std::string& text, const world& w = {}) {
  const auto got = w.read(text);
  INFO(text << got.text());
  REQUIRE(got.ok());
  return got.settings;
}

// `whole` with a piece replaced.
std::string with(const std::string& from, const std::string& to) {
  auto text = whole;
  const auto at = text.find(from);
  REQUIRE(at != text.npos);
  return text.replace(at, from.size(), to);
}

std::vector<std::string> lines(const std::vector<change>& changes) {
  std::vector<std::string> out;
  for (const auto& c : changes) out.push_back(to_line(c));
  return out;
}

using texts = std::vector<std::string>;

texts changed(const std::string& from, const std::string& to) {
  return lines(diff(read(whole), read(with(from, to))));
}

}  // namespace

TEST_CASE("the same settings have no difference, however they are written") {
  CHECK(diff(read(whole), read(whole)).empty());
  CHECK(changed("threads: 2", "threads: 2 # as before").empty());
  CHECK(changed("threads: 2", "threads: 2\ndrain_timeout: 1m").empty());
  CHECK(changed("slots: 4}\n      - {id: w2", "slots: 4, weight: 1}\n      - {id: w2").empty());
  CHECK_FALSE(needs_restart({}));
}

TEST_CASE("settings of the process are told by key, those for the next start as such") {
  struct row {
    std::string from, to, line;
    bool restart;
  };
  const std::vector<row> rows{
      {"threads: 2", "threads: auto", "threads: 2 -> auto (needs a restart)", true},
      {"threads: 2", "threads: 2\nstate_dir: ./s", "state_dir: none -> ./s (needs a restart)",
       true},
      {"threads: 2", "threads: 2\nadmin: {bind: \"127.0.0.1:9910\"}",
       "admin.bind: 127.0.0.1:9900 -> 127.0.0.1:9910 (needs a restart)", true},
      {"threads: 2", "threads: 2\naccess_log: {buffer_records: 99}",
       "access_log.buffer_records: 8192 -> 99 (needs a restart)", true},
      {"threads: 2",
       "threads: 2\nregistration: {bind: \"127.0.0.1:1\", token_file: token, allow: [127.0.0.1]}",
       "registration: absent -> given (needs a restart)", true},
      {"threads: 2", "threads: 2\nretention: {keys: 1h}",
       "retention.keys: 1d -> 1h (from the reload on)", false},
      {"threads: 2", "threads: 2\nbackup: {dir: ./copies}",
       "backup: absent -> given (from the reload on)", false},
      {"threads: 2", "threads: 2\nlimits: {result_bytes_max: 2GiB}",
       "limits.result_bytes_max: 1GiB -> 2GiB (from the reload on)", false},
      {"threads: 2", "threads: 2\ndrain_timeout: 90s",
       "drain_timeout: 1m -> 90s (from the reload on)", false},
      {"threads: 2", "threads: 2\nreload: watch", "reload: manual -> watch (from the reload on)",
       false},
      {"threads: 2", "threads: 2\nlimits: {head_bytes_max: 32KiB}",
       "limits.head_bytes_max: 16KiB -> 32KiB (from the reload on)", false},
      {"threads: 2", "threads: 2\naccess_log: {file: \"\"}",
       "access_log.file: - -> none (from the reload on)", false},
      {"threads: 2", "threads: 2\nadmin: {token_file: token}",
       "admin.token_file: none -> token (from the reload on)", false},
  };
  for (const auto& r : rows) {
    INFO(r.to);
    const auto changes = diff(read(whole), read(with(r.from, r.to)));
    CHECK(lines(changes) == texts{r.line});
    CHECK(needs_restart(changes) == r.restart);
  }
}

TEST_CASE("what guards a surface changes with its bind, at the next start") {
  const auto at = [](const std::string& more) { return read(with("threads: 2", more)); };
  CHECK(lines(diff(at("admin: {bind: \"0.0.0.0:9900\", token_file: token}"),
                   at("admin: {bind: \"127.0.0.1:9910\"}"))) ==
        texts{"admin.bind: 0.0.0.0:9900 -> 127.0.0.1:9910 (needs a restart)",
              "admin.token_file: token -> none (needs a restart)"});
  CHECK(lines(diff(at("admin: {token_file: token}"), at("admin: {}"))) ==
        texts{"admin.token_file: token -> none (from the reload on)"});
  const auto door = [&](const std::string& port, const std::string& range) {
    return at("registration: {bind: \"127.0.0.1:" + port + "\", token_file: token, allow: [" +
              range + "]}");
  };
  CHECK(lines(diff(door("9902", "10.0.0.0/8"), door("9910", "10.0.0.0/7"))) ==
        texts{"registration.bind: 127.0.0.1:9902 -> 127.0.0.1:9910 (needs a restart)",
              "registration.allow: [10.0.0.0/8] -> [10.0.0.0/7] (needs a restart)"});
  CHECK(lines(diff(door("9902", "10.0.0.0/8"), door("9902", "10.0.0.0/7"))) ==
        texts{"registration.allow: [10.0.0.0/8] -> [10.0.0.0/7] (from the reload on)"});
}

TEST_CASE("copies change by key, and end without a restart") {
  const auto at = [](const std::string& keys) {
    return read(with("threads: 2", "threads: 2\nstate_dir: ./s\nbackup: {" + keys + "}"));
  };
  CHECK(lines(diff(at("dir: a, keep: 3"), at("dir: b, interval: 1h, keep: 3"))) ==
        texts{"backup.dir: a -> b (from the reload on)",
              "backup.interval: 1d -> 1h (from the reload on)"});
  CHECK(lines(diff(at("dir: a"), read(with("threads: 2", "threads: 2\nstate_dir: ./s")))) ==
        texts{"backup: given -> absent (from the reload on)"});
}

TEST_CASE("what a route says of durable batches and keys changes for new requests, by key") {
  const auto to = [](const std::string& keys) {
    return changed("/items, pool: loaders", "/items, pool: loaders, " + keys);
  };
  const std::string rest = " (for new requests)";
  CHECK(to("async_retry: {attempts: 9, backoff_max: 1m}") ==
        texts{"route items: async_retry.attempts 8 -> 9" + rest,
              "route items: async_retry.backoff_max 5m -> 1m" + rest});
  CHECK(to("idempotency: {on_running: wait, answer_bytes_max: 2MiB}") ==
        texts{"route items: idempotency.on_running refuse -> wait" + rest,
              "route items: idempotency.answer_bytes_max 1MiB -> 2MiB" + rest});
  CHECK(to("callback: {allow: [\"https://h:1\"], secret_file: hook.secret}") ==
        texts{"route items: callback.allow [] -> [https://h:1]" + rest,
              "route items: callback.secret_file none -> hook.secret" + rest});
  CHECK(to("async: allow") == texts{"route items: async never -> allow" + rest});
}

TEST_CASE("a route's async comes with the state_dir that it needs, at the next start") {
  const auto at = [](const std::string& top, const std::string& async) {
    auto text = with("threads: 2", "threads: 2\n" + top);
    const std::string items = "/items, pool: loaders";
    return read(text.replace(text.find(items), items.size(), items + ", async: " + async));
  };
  CHECK(lines(diff(at("", "never"), at("state_dir: ./s", "always"))) ==
        texts{"state_dir: none -> ./s (needs a restart)",
              "route items: async never -> always (needs a restart)"});
  CHECK(lines(diff(at("state_dir: ./s", "never"), at("state_dir: ./s", "always"))) ==
        texts{"route items: async never -> always (for new requests)"});
  CHECK(lines(diff(at("state_dir: ./s", "always"), at("", "never"))) ==
        texts{"state_dir: ./s -> none (needs a restart)",
              "route items: async always -> never (for new requests)"});
}

TEST_CASE("listeners come, go and move, a kept one keeps its socket") {
  CHECK(changed("  - {name: back, bind: \"127.0.0.1:8081\"}\n", "") ==
        texts{"listener back: removed, was 127.0.0.1:8081 (closes; what it had accepted goes on)"});
  CHECK(changed("listeners:\n", "listeners:\n  - {name: side, bind: \"127.0.0.1:8082\"}\n") ==
        texts{"listener side: added, 127.0.0.1:8082 (opens)"});
  CHECK(
      changed("127.0.0.1:8081", "127.0.0.1:8083") ==
      texts{"listener back: bind 127.0.0.1:8081 -> 127.0.0.1:8083 (the new socket opens, then the "
            "old one closes)"});
  CHECK(changed("8081\"}", "8081\", idle_timeout: 9s}") ==
        texts{"listener back: idle_timeout 75s -> 9s (for new connections; the socket is kept)"});
  CHECK(changed("8081\"}", "8081\", tls: {certificate: s.pem, private_key: s.key}}") ==
        texts{"listener back: tls absent -> given (for new connections; the socket is kept)"});
}

TEST_CASE("the order of listeners, pools and workers means nothing") {
  CHECK(changed("  - {name: front, bind: \"127.0.0.1:8080\"}\n"
                "  - {name: back, bind: \"127.0.0.1:8081\"}\n",
                "  - {name: back, bind: \"127.0.0.1:8081\"}\n"
                "  - {name: front, bind: \"127.0.0.1:8080\"}\n")
            .empty());
  CHECK(changed("      - {id: w1, url: \"http://127.0.0.1:9001\", slots: 4}\n"
                "      - {id: w2, url: \"http://127.0.0.1:9002\", slots: 4}\n",
                "      - {id: w2, url: \"http://127.0.0.1:9002\", slots: 4}\n"
                "      - {id: w1, url: \"http://127.0.0.1:9001\", slots: 4}\n")
            .empty());
}

TEST_CASE("routes come, go, change and are reordered") {
  CHECK(
      changed("  - {name: items, path: /items, pool: loaders}\n", "") ==
      texts{"route items: removed, was to loaders (its requests go by the routes that are left)"});
  CHECK(changed("routes:\n", "routes:\n  - {name: new, path: /new, pool: spare}\n") ==
        texts{"route new: added, to spare (for new requests)"});
  CHECK(changed("/items, pool: loaders",
                "/items, pool: spare, timeout: {queue: 1m}, methods: [PUT]") ==
        texts{"route items: methods [] -> [PUT] (for new requests)",
              "route items: pool loaders -> spare (for new requests)",
              "route items: timeout.queue 5m -> 1m (for new requests)"});
  CHECK(
      changed("  - {name: orders, path: /orders, pool: loaders}\n"
              "  - {name: items, path: /items, pool: loaders}\n",
              "  - {name: items, path: /items, pool: loaders}\n"
              "  - {name: orders, path: /orders, pool: loaders}\n") ==
      texts{"routes: reordered, orders, items, rest -> items, orders, rest (for new requests: the "
            "first match wins)"});
}

TEST_CASE("a route that comes or goes does not count as a new order of the others") {
  CHECK(changed("  - {name: orders, path: /orders, pool: loaders}\n",
                "  - {name: first, path: /f, pool: loaders}\n")
            .size() == 2);
}

TEST_CASE("pools come and go with their workers, and change by key") {
  CHECK(
      changed("  spare:\n", "  more: {workers: []}\n  spare:\n") ==
      texts{"pool more: added, 0 workers (its workers get batches after their first good probes)"});
  const auto gone = lines(diff(read(whole + "  more: {workers: []}\n"), read(whole)));
  CHECK(gone == texts{"pool more: removed, was 0 workers (its backlog is refused and its workers "
                      "drain)"});
  CHECK(
      changed("  spare:\n",
              "  spare:\n    slow_start: 5s\n    balance: random\n"
              "    health_check: {interval: 9s, path: /up}\n"
              "    queue: {durable: {max_batches: 5}}\n") ==
      texts{
          "pool spare: balance least_loaded -> random (at once; backlog, health and learned rates "
          "are kept)",
          "pool spare: health_check.path /healthz -> /up (at once; backlog, health and learned "
          "rates are kept)",
          "pool spare: health_check.interval 5s -> 9s (at once; backlog, health and learned rates "
          "are kept)",
          "pool spare: slow_start 1m -> 5s (at once; backlog, health and learned rates are kept)",
          "pool spare: queue.durable.max_batches 5000000 -> 5 (at once; backlog, health and "
          "learned rates are kept)"});
}

TEST_CASE("tenants come, go and change, each by its name, with what they inherit") {
  const std::string kept = " (at once; backlog, health and learned rates are kept)";
  const auto tenants = [](const std::string& defaults, const std::string& named) {
    return read(with("  spare:\n", "  spare:\n    queue: {tenant_defaults: {" + defaults +
                                       "}, tenants: {" + named + "}}\n"));
  };
  const auto before = tenants("", "a: {weight: 2}, b: {max_running: 5}");
  CHECK(lines(diff(before, tenants("", "b: {max_running: 5}, a: {weight: 2}"))).empty());
  CHECK(lines(diff(before, tenants("", "a: {weight: 3}, c: {}"))) ==
        texts{"pool spare: queue.tenants.a.weight 2 -> 3" + kept,
              "pool spare: queue.tenants.c absent -> given" + kept,
              "pool spare: queue.tenants.b given -> absent" + kept});
  CHECK(lines(diff(before, tenants("max_running: 9", "a: {weight: 2}, b: {max_running: 5}"))) ==
        texts{"pool spare: queue.tenant_defaults.max_running 0 -> 9" + kept,
              "pool spare: queue.tenants.a.max_running 0 -> 9" + kept});
}

TEST_CASE("autoscaling comes, goes and changes, its hooks as one") {
  const std::string kept = " (at once; backlog, health and learned rates are kept)";
  CHECK(changed("      max: 4\n", "      max: 5\n") ==
        texts{"pool spare: autoscale.max 4 -> 5" + kept});
  CHECK(changed("  loaders:\n    workers", "  loaders:\n    autoscale: {max: 2}\n    workers") ==
        texts{"pool loaders: autoscale absent -> given" + kept});
  CHECK(changed("secret_file: hook.secret}}]",
                "secret_file: hook.secret}}, {exec: {command: [/x]}}]") ==
        texts{"pool spare: autoscale.hooks 1 of them -> 2 of them" + kept});
  CHECK(changed("https://h/key-1", "https://h/key-2") ==
        texts{"pool spare: autoscale.hooks 1 of them -> 1 of them, changed" + kept});
}

TEST_CASE("workers come, go and change by their id") {
  CHECK(changed("      - {id: w2, url: \"http://127.0.0.1:9002\", slots: 4}\n", "") ==
        texts{"worker loaders/w2: removed, was http://127.0.0.1:9002, 4 slots (drains: no new "
              "batches, those it has finish)"});
  CHECK(
      changed("    backup_workers",
              "      - {id: w3, url: \"http://127.0.0.1:9004\"}\n    backup_workers") ==
      texts{
          "worker loaders/w3: added, http://127.0.0.1:9004, 1 slots (gets batches after its first "
          "good probe)"});
  CHECK(changed("9002\", slots: 4}", "9002\", slots: 6, weight: 0.5, managed: true}") ==
        texts{"worker loaders/w2: slots 4 -> 6 (at once; its health and learned rate are kept)",
              "worker loaders/w2: weight 1 -> 0.5 (at once; its health and learned rate are kept)",
              "worker loaders/w2: managed false -> true (at once; its health and learned rate are "
              "kept)"});
}

TEST_CASE("a worker with another url is another machine: removed and added") {
  const auto changes = diff(read(whole), read(with("127.0.0.1:9002", "127.0.0.1:9012")));
  REQUIRE(changes.size() == 2);
  CHECK(changes[0].what == action::removed);
  CHECK(changes[1].what == action::added);
  for (const auto& c : changes) {
    CHECK(c.of == subject::worker);
    CHECK(c.pool == "loaders");
    CHECK(c.name == "w2");
    CHECK_FALSE(c.restart);
  }
  CHECK(changes[0].before == "http://127.0.0.1:9002, 4 slots");
  CHECK(changes[1].after == "http://127.0.0.1:9012, 4 slots");
}

TEST_CASE("a worker that becomes a backup is the same worker") {
  CHECK(lines(diff(
            read(whole),
            read(with(
                "      - {id: w2, url: \"http://127.0.0.1:9002\", slots: 4}\n"
                "    backup_workers: [",
                "    backup_workers: [{id: w2, url: \"http://127.0.0.1:9002\", slots: 4}, ")))) ==
        texts{"worker loaders/w2: backup false -> true (at once; its health and learned rate are "
              "kept)"});
}

TEST_CASE("workers of the same id in two pools are two") {
  const auto changes =
      diff(read(whole), read(with("127.0.0.1:9003\"", "127.0.0.1:9003\", slots: 2")));
  REQUIRE(changes.size() == 1);
  CHECK(changes[0].pool == "spare");
}

TEST_CASE("a renewed secret is told, and neither the old nor the new one is shown") {
  world renewed;
  renewed.files["token"] = "another-token-42";
  renewed.files["hook.secret"] = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
  const auto text = with("threads: 2", "threads: 2\nadmin: {token_file: token}");
  const auto changes = diff(read(text), read(text, renewed));
  CHECK(
      lines(changes) ==
      texts{"admin.token_file: token -> token, another content (from the reload on)",
            "pool spare: autoscale.hooks 1 of them -> 1 of them, changed (at once; backlog, health "
            "and learned rates are kept)"});
  for (const auto& shown : {to_json(changes), lines(changes).front()})
    for (const auto word : {"let-me-in", "another-token", "MDEy", "secret-secret"})
      CHECK(shown.find(word) == shown.npos);
}

TEST_CASE("a renewed key of callbacks is told, and not shown") {
  world renewed;
  renewed.files["hook.secret"] = "whsec_MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTIz";
  const auto text =
      with("/items, pool: loaders", "/items, pool: loaders, callback: {secret_file: hook.secret}");
  const auto changes = diff(read(text), read(text, renewed));
  REQUIRE(changes.size() == 2);  // the pool's hook has the same file
  CHECK(to_line(changes[0]) ==
        "route items: callback.secret_file hook.secret -> hook.secret, another content (for new "
        "requests)");
  CHECK_THAT(to_json(changes), !Catch::Contains("secret-secret") && !Catch::Contains("MDEy") &&
                                   !Catch::Contains("0123456789"));
}

TEST_CASE("header values, hook paths and arguments are not shown, but that they changed is") {
  const auto edit = [](const std::string& value) {
    return with("/items, pool: loaders",
                "/items, pool: loaders, headers: {X-Key: " + value +
                    "}, rewrite: {request_headers: {set: {X-Out: " + value + "}}}");
  };
  const auto shown = lines(diff(read(edit("one-secret")), read(edit("two-secret"))));
  CHECK(shown ==
        texts{"route items: headers {X-Key: (not shown)} -> {X-Key: (not shown)}, another "
              "content (for new requests)",
              "route items: rewrite.request_headers.set {X-Out: (not shown)} -> {X-Out: (not "
              "shown)}, another content (for new requests)"});
}

TEST_CASE("changes stand in the order of the file") {
  auto text = with("threads: 2", "threads: 3");
  for (const auto& [from, to] :
       {std::pair<std::string, std::string>{"127.0.0.1:8081", "127.0.0.1:8085"},
        {"/items", "/other"},
        {"127.0.0.1:9001\", slots: 4", "127.0.0.1:9001\", slots: 5"},
        {"max: 4", "max: 6"}})
    text.replace(text.find(from), from.size(), to);
  std::vector<subject> order;
  for (const auto& c : diff(read(whole), read(text))) order.push_back(c.of);
  CHECK(order == std::vector<subject>{subject::setting, subject::listener, subject::route,
                                      subject::worker, subject::pool});
}

TEST_CASE("a worker that was taken out by other means is said to come again, and why") {
  const change c = restored("loaders", "w1", "removed through the API");
  CHECK(to_line(c) == "worker loaders/w1: added again (removed through the API)");
  CHECK_THAT(to_json({c}), Catch::Contains(R"("what": "restored")") &&
                               Catch::Contains(R"("restart": false)"));
}

TEST_CASE("the machine's form holds what, who, which key and whether it needs a restart") {
  const auto changes = diff(read(whole), read(with("threads: 2", "threads: 3")));
  CHECK(to_json(changes) == R"({
  "changes": [
    {
      "what": "changed",
      "subject": "setting",
      "key": "threads",
      "before": "2",
      "after": "3",
      "effect": "at the next start",
      "restart": true
    }
  ],
  "restart": true
}
)");
  CHECK(to_json(std::vector<change>{}) == "{\n  \"changes\": [],\n  \"restart\": false\n}\n");
  const auto worker =
      to_json(diff(read(whole), read(with("9002\", slots: 4", "9002\", slots: 5"))));
  CHECK(worker.find("\"pool\": \"loaders\",\n      \"name\": \"w2\",\n      \"key\": \"slots\"") !=
        worker.npos);
}

TEST_CASE("a difference read backwards swaps what came with what went") {
  const auto after = read(with("      - {id: w2, url: \"http://127.0.0.1:9002\", slots: 4}\n", ""));
  const auto there = diff(read(whole), after);
  const auto back = diff(after, read(whole));
  REQUIRE(there.size() == 1);
  REQUIRE(back.size() == 1);
  CHECK(there[0].what == action::removed);
  CHECK(back[0].what == action::added);
  CHECK(there[0].before == back[0].after);
}
