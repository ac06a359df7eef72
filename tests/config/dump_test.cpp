#include "config/dump.hpp"

#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "config/document.hpp"
#include "config/support.hpp"

using namespace weir::config;
using test::parts;
using test::world;

namespace {

// Everything that holds a secret, or may.
const std::string with_secrets = R"(
admin: {bind: "0.0.0.0:9900", token_file: token}
registration: {bind: "127.0.0.1:9901", token_file: token, allow: [10.0.0.0/8]}
state_dir: ./state
listeners:
  - {name: front, bind: "127.0.0.1:8080", tls: {certificate: s.pem, private_key: s.key}}
routes:
  - name: orders
    path: /load/orders
    host: [a.example, b.example]
    methods: [POST, PUT]
    headers: {X-Api-Key: header-secret}
    pool: loaders
    cost: {header: X-Rows}
    rewrite: {request_headers: {set: {Authorization: "Bearer set-secret"}, remove: [Cookie]}}
pools:
  loaders:
    workers:
      - {id: w1, url: "http://127.0.0.1:9001", slots: 4}
      - {id: w2, url: "https://w2.example", slots: 2}
    backup_workers: [{id: b1, url: "unix:/run/b1.sock"}]
    autoscale:
      max: 20
      hooks:
        - webhook: {url: "https://hooks.example:8443/services/path-secret?code=query-secret",
                    secret_file: hook.secret}
        - exec: {command: [/usr/local/bin/scale, --token, argument-secret]}
)";

settings read(const std::string& text) {
  const auto got = world().read(text);
  INFO(got.text());
  REQUIRE(got.ok());
  return got.settings;
}

node_ptr parse(const std::string& json) {  // JSON is YAML
  auto parsed = parse_document(json, {});
  for (const auto& m : parsed.mistakes) UNSCOPED_INFO(to_string(m, "dump"));
  REQUIRE(parsed.mistakes.empty());
  return parsed.root;
}

const node& at(const node& from, const std::vector<std::string>& path) {
  const node* n = &from;
  for (const auto& step : path) {
    INFO(step);
    n = n->what == node::kind::list ? n->items.at(std::stoul(step)).get() : n->find(step);
    REQUIRE(n);
  }
  return *n;
}

}  // namespace

TEST_CASE("the dump holds no secret, and nothing that may be one") {
  const auto text = dump_json(read(with_secrets)) + summary(read(with_secrets));
  for (const auto word : {"let-me-in", "secret-secret", "whsec_", "c2Vj", "header-secret",
                          "set-secret", "path-secret", "query-secret", "argument-secret"}) {
    INFO(word);
    CHECK(text.find(word) == text.npos);
  }
}

TEST_CASE("the dump has the shape of the file, every key with its value in force") {
  const auto root = parse(dump_json(read(with_secrets)));
  const std::vector<std::pair<std::vector<std::string>, std::string>> rows{
      {{"threads"}, "auto"},
      {{"state_dir"}, "./state"},
      {{"drain_timeout"}, "1m"},
      {{"admin", "bind"}, "0.0.0.0:9900"},
      {{"admin", "token_file"}, "token"},
      {{"registration", "allow", "0"}, "10.0.0.0/8"},
      {{"limits", "head_bytes_max"}, "16KiB"},
      {{"listeners", "0", "tls", "client_auth"}, "none"},
      {{"routes", "0", "host", "1"}, "b.example"},
      {{"routes", "0", "headers", "X-Api-Key"}, "(not shown)"},
      {{"routes", "0", "cost", "header"}, "X-Rows"},
      {{"routes", "0", "retry", "busy_statuses", "0"}, "429"},
      {{"routes", "0", "rewrite", "host"}, "preserve"},
      {{"routes", "0", "rewrite", "request_headers", "set", "Authorization"}, "(not shown)"},
      {{"routes", "0", "rewrite", "request_headers", "remove", "0"}, "Cookie"},
      {{"pools", "loaders", "balance"}, "least_loaded"},
      {{"pools", "loaders", "workers", "1", "url"}, "https://w2.example:443"},
      {{"pools", "loaders", "backup_workers", "0", "id"}, "b1"},
      {{"pools", "loaders", "health_check", "jitter"}, "20%"},
      {{"pools", "loaders", "queue", "durable", "max_bytes"}, "100GiB"},
      {{"pools", "loaders", "autoscale", "max"}, "20"},
      {{"pools", "loaders", "autoscale", "hooks", "0", "webhook", "url"},
       "https://hooks.example:8443/(not shown)"},
      {{"pools", "loaders", "autoscale", "hooks", "0", "webhook", "secret_file"}, "hook.secret"},
      {{"pools", "loaders", "autoscale", "hooks", "1", "exec", "command", "0"},
       "/usr/local/bin/scale"},
      {{"pools", "loaders", "autoscale", "hooks", "1", "exec", "command", "2"}, "(not shown)"},
  };
  for (const auto& [path, expected] : rows) CHECK(at(*root, path).text == expected);
}

TEST_CASE("what is absent, or excluded by another key, is not in the dump") {
  const auto root = parse(dump_json(read(parts().text())));
  CHECK_FALSE(root->find("registration"));
  CHECK_FALSE(at(*root, {"listeners", "0"}).find("tls"));
  CHECK_FALSE(at(*root, {"pools", "loaders"}).find("autoscale"));
  CHECK(at(*root, {"routes", "0", "cost"}).entries.empty());
  const auto fixed =
      read(parts{.routes = "routes: [{name: a, pool: loaders, cost: {fixed: 2}}]"}.text());
  CHECK(at(*parse(dump_json(fixed)), {"routes", "0", "cost"}).entries.size() == 1);
}

TEST_CASE("numbers and booleans are bare in the dump, texts are quoted") {
  const auto text = dump_json(read(with_secrets));
  for (const auto piece : {"\"fields_max\": 100,", "\"unsafe\": false,", "\"weight\": 1,",
                           "\"busy_statuses\": [429, 503],", "\"interval\": \"5s\","}) {
    INFO(piece);
    CHECK(text.find(piece) != text.npos);
  }
}

TEST_CASE("a dump without secrets in it can be read again, to the same settings") {
  parts whole;
  whole.top = "threads: 3\ndrain_timeout: 90s\nlimits: {head_bytes_max: 20000}";
  whole.pools =
      "pools: {loaders: {balance: first, workers: [{id: w1, url: \"http://[::1]:9001\", weight: "
      "0.3}], "
      "health_check: {jitter: 7%}, autoscale: {max: 3}}}";
  const auto first = dump_json(read(whole.text()));
  CHECK(dump_json(read(first)) == first);
}

TEST_CASE("a name with quotes in a path cannot break the JSON") {
  parts whole;
  whole.top = "state_dir: 'a\"b\\c'";
  CHECK(at(*parse(dump_json(read(whole.text()))), {"state_dir"}).text == "a\"b\\c");
}

TEST_CASE("the summary is a line for the process and one for each door, route and pool") {
  CHECK(
      summary(read(with_secrets)) ==
      "threads auto, admin 0.0.0.0:9900\n"
      "registration: 127.0.0.1:9901\n"
      "listener front: 127.0.0.1:8080, TLS\n"
      "route orders: POST|PUT a.example|b.example /load/orders with X-Api-Key -> loaders\n"
      "pool loaders: 2 workers with 6 slots, 1 backup; GET /healthz every 5s; backlog up to 5000 "
      "batches, 1GiB, 5m; 1 to 20 workers for waits under 2m, 2 hooks\n");
  CHECK(
      summary(read(parts().text())) ==
      "threads auto, admin 127.0.0.1:9900\n"
      "listener front: 127.0.0.1:8080\n"
      "route all: everything -> loaders\n"
      "pool loaders: 1 worker with 1 slot, 0 backups; GET /healthz every 5s; backlog up to 5000 "
      "batches, 1GiB, 5m\n");
}

TEST_CASE("the summary tells how workers are checked") {
  parts whole;
  whole.pools = "pools: {loaders: {health_check: {type: tcp, interval: 2s}}}";
  CHECK(summary(read(whole.text())).find("; connect every 2s;") != std::string::npos);
  whole.pools = "pools: {loaders: {health_check: {type: none}}}";
  CHECK(summary(read(whole.text())).find("; no probes;") != std::string::npos);
}
