#include <catch2/catch.hpp>

#include "config/support.hpp"

using namespace weir;
using namespace std::chrono_literals;
using config::test::world;

namespace {

// Every key that users were promised, in its exact spelling.
const std::string promised = R"(threads: auto
state_dir: ./state              # durable batches and idempotency records
drain_timeout: 60s
drain_delay: 0s                 # readiness fails this long before listeners close
access_log: {file: "-"}         # JSON lines
reload: watch
listeners:
  - name: front
    bind: 127.0.0.1:8080        # also [::]:8080, unix:/run/weir.sock
    tls: {certificate: s.pem, private_key: s.key, client_ca: ca.pem, client_auth: require}
admin:
  bind: 127.0.0.1:9900          # API, metrics, web page; token_file when not loopback
registration: {bind: "127.0.0.1:9901", token_file: token, allow: [10.0.0.0/8]}
routes:                         # first match wins
  - name: orders
    path: /load/orders          # prefix, on segment borders; also host, methods, headers
    host: Loads.example.org
    methods: [POST, PUT]
    headers: {X-Kind: orders}
    pool: loaders
    tenant: {header: X-Tenant}
    cost: {header: X-Batch-Rows}  # or {bytes: true}, {fixed: 1}; default 1
    timeout: {queue: 4m, connect: 4s, progress: 61s, response: 2h, total: 3h}
    retry: {attempts: 4, unsafe: true, on_timeout: true, busy_statuses: [429]}
    on_client_gone: finish      # cancel | finish
    half_close: abort
    body_max: 1GiB
    rewrite: {strip_prefix: /load, host: worker,
              request_headers: {set: {X-A: b}, remove: [X-C]},
              response_headers: {set: {X-D: e}, remove: [Server]}}
    async: allow                # never | allow | always
pools:
  loaders:
    balance: hash               # which free worker
    workers:
      - {id: w1, url: "http://127.0.0.1:9001", slots: 4, weight: 1.5, managed: true}
    health_check: {path: /health, interval: 6s, timeout: 2s, fall: 4, rise: 3, type: tcp}
    ejection: {consecutive_failures: 6, base_time: 31s, max_time: 6m, max_ejected: 40%}
    slow_start: 61s             # share of slots and rate after (re)joining
    keepalive: {idle: 2s, max: 255}
    backup_workers: [{id: b1, url: "https://backup.example"}]
    queue: {order: fifo, max_batches: 5001, max_bytes: 2GiB, max_wait: 6m,
            durable: {max_batches: 4000000, max_bytes: 99GiB}}
    retry_budget: {ratio: 21%, min: 4}
    autoscale:
      min: 2
      max: 20
      objective: 3m               # the longest that a batch should wait
      sustain: 11s                # backlog must last this long
      startup_time: 61s           # until an asked-for worker takes work (learned once seen)
      target_utilization: 81%
      scale_in_window: 6m
      resend: 65s                 # the standing decision is sent again
      hooks:
        - webhook: {url: "https://scaler.example/weir", secret_file: /etc/weir/hook.secret}
        - exec: {command: [/usr/local/bin/scale, now]}
)";

}  // namespace

TEST_CASE("every promised key is taken in its exact spelling") {
  const auto got = world().read(promised);
  INFO(got.text());
  REQUIRE(got.ok());
  std::string warned;
  for (const auto& w : got.warnings) warned += w.message.substr(0, w.message.find(':')) + "\n";
  CHECK(warned == "pools.loaders.health_check.path\n");
}

TEST_CASE("promised keys of the process, its doors and its admin side arrive in their members") {
  const auto all = world().read(promised).settings;
  CHECK(all.threads == 0);
  CHECK(all.state_dir == "./state");
  CHECK(all.drain_timeout == 60s);
  CHECK(all.drain_delay == 0s);
  CHECK(all.access_log.file == "-");
  CHECK(all.reload_watch);
  REQUIRE(all.listeners.size() == 1);
  const auto& l = all.listeners.front();
  CHECK(l.name == "front");
  CHECK(l.bind == config::address{"127.0.0.1", 8080, {}});
  REQUIRE(l.tls);
  CHECK(*l.tls == config::tls_listener{"s.pem", "s.key", "ca.pem", config::client_auth::require});
  CHECK(all.admin.bind == config::address{"127.0.0.1", 9900, {}});
  CHECK(all.admin.token.empty());
  REQUIRE(all.registration);
  CHECK(all.registration->bind.port == 9901);
  CHECK(all.registration->token == "let-me-in-0123456789");
  CHECK(all.registration->token_file == "token");
  CHECK(all.registration->allow == std::vector<std::string>{"10.0.0.0/8"});
}

TEST_CASE("promised keys of a route arrive in their members") {
  const auto all = world().read(promised).settings;
  REQUIRE(all.routes.size() == 1);
  const auto& r = all.routes.front();
  CHECK(r.name == "orders");
  CHECK(r.path == "/load/orders");
  CHECK(r.hosts == std::vector<std::string>{"loads.example.org"});
  CHECK(r.methods == std::vector<std::string>{"POST", "PUT"});
  CHECK(r.headers == std::map<std::string, std::string>{{"X-Kind", "orders"}});
  CHECK(r.pool == "loaders");
  CHECK(r.tenant_header == "X-Tenant");
  CHECK(r.cost.kind == config::cost_kind::header);
  CHECK(r.cost.header == "X-Batch-Rows");
  CHECK(r.timeout.queue == 4min);
  CHECK(r.timeout.connect == 4s);
  CHECK(r.timeout.progress == 61s);
  CHECK(r.timeout.response == 2h);
  CHECK(r.timeout.total == 3h);
  CHECK(r.retry.attempts == 4);
  CHECK(r.retry.unsafe);
  CHECK(r.retry.on_timeout);
  CHECK(r.busy_statuses == std::vector<std::uint16_t>{429});
  CHECK(r.on_client_gone == config::gone_action::finish);
  CHECK(r.half_close == config::half_close_action::abort);
  CHECK(r.body_max == 1ull << 30);
  CHECK(r.rewrite.strip_prefix == "/load");
  CHECK_FALSE(r.rewrite.preserve_host);
  CHECK(r.rewrite.request == config::header_edits{{{"X-A", "b"}}, {"X-C"}});
  CHECK(r.rewrite.response == config::header_edits{{{"X-D", "e"}}, {"Server"}});
  CHECK(r.async == config::async_mode::allow);
}

TEST_CASE("promised keys of a pool arrive in their members") {
  const auto all = world().read(promised).settings;
  REQUIRE(all.pools.size() == 1);
  const auto& p = all.pools.front();
  const auto& s = p.settings;
  CHECK(s.name == "loaders");
  CHECK(s.balance == core::balance::hash);
  CHECK(s.health.kind == core::probe_kind::tcp);
  CHECK(p.probe.path == "/health");
  CHECK(s.health.interval == 6s);
  CHECK(s.health.timeout == 2s);
  CHECK(s.health.fall == 4);
  CHECK(s.health.rise == 3);
  CHECK(s.ejection.consecutive_failures == 6);
  CHECK(s.ejection.base_time == 31s);
  CHECK(s.ejection.time_max == 6min);
  CHECK(s.ejection.ejected_max == Approx(0.4));
  CHECK(s.slow_start == 61s);
  CHECK(p.keepalive.idle == 2s);
  CHECK(p.keepalive.max == 255);
  CHECK(s.queue.order == core::queue_order::fifo);
  CHECK(s.queue.batches_max == 5001);
  CHECK(s.queue.bytes_max == 2ull << 30);
  CHECK(s.queue.wait_max == 6min);
  CHECK(p.durable == config::durable_queue{4'000'000, 99ull << 30});
  CHECK(s.retry_budget.ratio == Approx(0.21));
  CHECK(s.retry_budget.min == 4);
}

TEST_CASE("workers and backup workers share a list and differ in a flag") {
  const auto all = world().read(promised).settings;
  const auto& workers = all.pools.front().workers;
  REQUIRE(workers.size() == 2);
  CHECK(workers[0].settings.name == "w1");
  CHECK(workers[0].settings.slots == 4);
  CHECK(workers[0].settings.weight == 1.5);
  CHECK(workers[0].settings.managed);
  CHECK_FALSE(workers[0].settings.backup);
  CHECK(workers[0].url == config::url{false, "127.0.0.1", 9001, {}});
  CHECK(workers[1].settings.name == "b1");
  CHECK(workers[1].settings.backup);
  CHECK(workers[1].url == config::url{true, "backup.example", 443, {}});
}

TEST_CASE("promised keys of scaling arrive in their members, the signing key decoded") {
  const auto all = world().read(promised).settings;
  const auto& p = all.pools.front();
  REQUIRE(p.settings.autoscale);
  const auto& a = *p.settings.autoscale;
  CHECK(a.min == 2);
  CHECK(a.max == 20);
  CHECK(a.objective == 3min);
  CHECK(a.sustain == 11s);
  CHECK(a.startup_time == 61s);
  CHECK(a.target_utilization == Approx(0.81));
  CHECK(a.scale_in_window == 6min);
  CHECK(a.resend == 65s);
  REQUIRE(p.hooks.size() == 2);
  REQUIRE(p.hooks[0].webhook);
  CHECK(p.hooks[0].webhook->url == "https://scaler.example/weir");
  CHECK(p.hooks[0].webhook->secret == "secret-secret-secret-secret-secret");
  CHECK_FALSE(p.hooks[0].exec);
  REQUIRE(p.hooks[1].exec);
  CHECK(p.hooks[1].exec->command == std::vector<std::string>{"/usr/local/bin/scale", "now"});
}
