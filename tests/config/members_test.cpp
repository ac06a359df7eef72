// Every key beyond those of contract_test.cpp arrives in its own member, and every word of a choice
// becomes its own enumerator: the tables tie names to members, and a slip there compiles.
#include <catch2/catch.hpp>
#include <string>
#include <utility>
#include <vector>

#include "config/support.hpp"

using namespace weir;
using namespace weir::config;
using namespace std::chrono_literals;
using test::parts;
using test::world;

namespace {

settings read(const parts& whole) {
  const auto got = world().read(whole.text());
  INFO(whole.text() << got.text());
  REQUIRE(got.ok());
  return got.settings;
}

settings with_top(const std::string& keys) {
  return read(parts{.top = keys});
}

listener with_listener(const std::string& keys) {
  return read(parts{.listeners =
                        "listeners: [{name: front, bind: \"127.0.0.1:8080\", " + keys + "}]"})
      .listeners.front();
}

route with_route(const std::string& keys) {
  return read(parts{.routes = "routes: [{name: all, pool: loaders, " + keys + "}]"}).routes.front();
}

config::pool with_pool(const std::string& keys) {
  return read(parts{.pools = "pools: {loaders: {" + keys + "}}"}).pools.front();
}

}  // namespace

TEST_CASE("each limit arrives in its own member") {
  const auto l = with_top(
                     "limits:\n"
                     "  head_bytes_max: 20KiB\n"
                     "  fields_max: 101\n"
                     "  target_bytes_max: 9KiB\n"
                     "  connections_max: 102\n"
                     "  replay_batch_bytes_max: 2MiB\n"
                     "  replay_total_bytes_max: 3MiB\n"
                     "  replay_disk_bytes_max: 4MiB\n"
                     "  chunk_line_bytes_max: 257B\n"
                     "  trailer_bytes_max: 5KiB\n"
                     "  linger_bytes_max: 6KiB\n"
                     "  linger_timeout: 7s\n"
                     "  keys_memory_bytes_max: 17MiB\n"
                     "  disk_reserve_bytes: 18MiB\n"
                     "  inline_bytes_max: 9KiB\n"
                     "  result_bytes_max: 10KiB\n"
                     "  relay_buffer_bytes: 8KiB\n"
                     "  relay_pipes_max: 17\n")
                     .limits;
  CHECK(l.head_bytes_max == 20 * 1024);
  CHECK(l.fields_max == 101);
  CHECK(l.target_bytes_max == 9 * 1024);
  CHECK(l.connections_max == 102);
  CHECK(l.replay_batch_bytes_max == 2 << 20);
  CHECK(l.replay_total_bytes_max == 3 << 20);
  CHECK(l.replay_disk_bytes_max == 4 << 20);
  CHECK(l.chunk_line_bytes_max == 257);
  CHECK(l.trailer_bytes_max == 5 * 1024);
  CHECK(l.linger_bytes_max == 6 * 1024);
  CHECK(l.linger_timeout == 7s);
  CHECK(l.keys_memory_bytes_max == 17 << 20);
  CHECK(l.disk_reserve_bytes == 18 << 20);
  CHECK(l.inline_bytes_max == 9 * 1024);
  CHECK(l.result_bytes_max == 10 * 1024);
  CHECK(l.relay_buffer_bytes == 8 * 1024);
  CHECK(l.relay_pipes_max == 17);
}

TEST_CASE("access log and registration arrive in their members") {
  const auto all = with_top(
      "access_log: {file: /var/log/weir.log, buffer_records: 99}\n"
      "drain_timeout: 11s\n"
      "drain_delay: 12s\n"
      "registration: {bind: \"[::1]:9901\", token_file: token, allow: [10.0.0.0/8, \"fd00::/8\"], "
      "ttl_max: 13s}\n");
  CHECK(all.access_log.file == "/var/log/weir.log");
  CHECK(all.access_log.buffer_records == 99);
  CHECK(all.drain_timeout == 11s);
  CHECK(all.drain_delay == 12s);
  REQUIRE(all.registration);
  CHECK(all.registration->bind.host == "::1");
  CHECK(all.registration->allow == std::vector<std::string>{"10.0.0.0/8", "fd00::/8"});
  CHECK(all.registration->ttl_max == 13s);
}

TEST_CASE("what is kept, for how long, and its copies arrive in their members") {
  const auto all = with_top(
      "state_dir: ./state\n"
      "retention: {results: 11h, results_bytes: 12GiB, dead_letters: 13d, keys: 14m, "
      "keys_bytes: 15GiB}\n"
      "backup: {dir: /var/backups/weir, interval: 15m, keep: 16}\n");
  CHECK(all.retention == retention{11h, 12ull << 30, 13 * 24h, 14min, 15ull << 30});
  REQUIRE(all.backup);
  CHECK(*all.backup == backup{"/var/backups/weir", 15min, 16});
  CHECK_FALSE(with_top("state_dir: ./state").backup);
}

TEST_CASE("a listener's times and trusted peers arrive in their members") {
  const auto l =
      with_listener("head_timeout: 11s, idle_timeout: 12s, trusted: [10.0.0.0/8, 192.0.2.7]");
  CHECK(l.head_timeout == 11s);
  CHECK(l.idle_timeout == 12s);
  CHECK(l.trusted == std::vector<std::string>{"10.0.0.0/8", "192.0.2.7"});
  CHECK_FALSE(l.tls);
}

TEST_CASE("a route's back-off, bounces and statuses arrive in their members") {
  const auto r = with_route(
      "retry: {backoff_base: 11ms, backoff_max: 12ms, bounces_max: 13, busy_statuses: [429, 444], "
      "failure_statuses: [500, 599]}");
  CHECK(r.retry.backoff_base == 11ms);
  CHECK(r.retry.backoff_max == 12ms);
  CHECK(r.retry.bounces_max == 13);
  CHECK(r.busy_statuses == std::vector<std::uint16_t>{429, 444});
  CHECK(r.failure_statuses == std::vector<std::uint16_t>{500, 599});
}

TEST_CASE("what a route says of durable batches and keys arrives in its members") {
  const auto r = with_route(
      "async_retry: {attempts: 11, backoff_base: 12s, backoff_max: 13s}, "
      "idempotency: {on_running: wait, answer_bytes_max: 14KiB}, "
      "callback: {allow: [\"https://a:8443\", \"http://b\"], secret_file: hook.secret}");
  CHECK(r.async_retry == async_retry{11, 12s, 13s});
  CHECK(r.idempotency.on_running == running_key_action::wait);
  CHECK(r.idempotency.answer_bytes_max == 14 * 1024);
  CHECK(r.callback.allow == std::vector<std::string>{"https://a:8443", "http://b"});
  CHECK(r.callback.secret == "secret-secret-secret-secret-secret");
  CHECK(r.callback.secret_file == "hook.secret");
  CHECK(r.retry.attempts == 3);
}

TEST_CASE("what batches go to the same worker by arrives in its members") {
  using by = affinity_kind;
  CHECK(with_route("retry: {}").affinity == affinity_source{by::tenant, ""});
  CHECK(with_route("affinity: {header: X-Table}").affinity ==
        affinity_source{by::header, "X-Table"});
  CHECK(with_route("affinity: {path: true}").affinity == affinity_source{by::path, ""});
  CHECK(with_route("affinity: {path: false}").affinity == affinity_source{by::tenant, ""});
  CHECK(with_pool("hash_balance_factor: 150%").settings.hash_balance_factor == Approx(1.5));
}

TEST_CASE("what is learned of workers' speed goes by the keys that are given") {
  const auto p = with_pool(
      "learning: {memory: 1m, prior_attempts: 2.5, equal_within: 5%, overdue: 3, stuck: 9, "
      "joining_share: 50%, load_free: 60%, load_full_share: 10%, load_memory: 3s}, "
      "queue: {critical_share: 90%}");
  const core::learning_settings& l = p.settings.learning;
  CHECK(l.memory == 60s);
  CHECK(l.prior_attempts == 2.5);
  CHECK(l.equal_within == Approx(0.05));
  CHECK(l.overdue == 3);
  CHECK(l.stuck == 9);
  CHECK(l.joining_share == Approx(0.5));
  CHECK(l.load_free == Approx(0.6));
  CHECK(l.load_full_share == Approx(0.1));
  CHECK(l.load_memory == 3s);
  CHECK(p.settings.queue.critical_share == Approx(0.9));
}

TEST_CASE("a pool's probe keys arrive in their members") {
  const auto p = with_pool(
      "health_check: {host: up.example, statuses: [204, 299], interval: 11s, fast_interval: 10s, "
      "down_interval_max: 12s, jitter: 5%}");
  CHECK(p.probe.host == "up.example");
  CHECK(p.probe.statuses == std::vector<std::uint16_t>{204, 299});
  CHECK(p.settings.health.interval == 11s);
  CHECK(p.settings.health.fast_interval == 10s);
  CHECK(p.settings.health.down_interval_max == 12s);
  CHECK(p.settings.health.jitter == Approx(0.05));
}

TEST_CASE("a pool's further keys arrive in their members") {
  const auto p = with_pool(
      "ejection: {outage_share: 60%, failure_share: 25%}, "
      "queue: {priority_step: 11s, cost_weight: 2.5, max_tenants: 12, durable: {window: 18}}, "
      "abandoned_hold: 13s, busy_rest_min: 14ms, busy_rest_max: 21m, "
      "workers_max: 15, resolve_interval: 16s, "
      "autoscale: {slots_per_worker: 17}");
  CHECK(p.settings.ejection.outage_share == Approx(0.6));
  CHECK(p.settings.ejection.failure_share == Approx(0.25));
  CHECK(p.settings.queue.priority_step == 11s);
  CHECK(p.settings.queue.cost_weight == 2.5);
  CHECK(p.settings.queue.tenants_max == 12);
  CHECK(p.settings.durable.window == 18);
  CHECK(p.settings.abandoned_hold == 13s);
  CHECK(p.settings.busy_rest_min == 14ms);
  CHECK(p.settings.busy_rest_max == 21min);
  CHECK(p.settings.workers_max == 15);
  CHECK(p.resolve_interval == 16s);
  REQUIRE(p.settings.autoscale);
  CHECK(p.settings.autoscale->slots_per_worker == 17);
}

TEST_CASE("a pool's tenants arrive complete, what was not given as of the defaults") {
  const auto q = with_pool(
                     "queue: {tenants: {acme: {weight: 4, max_running: 11}, \"b@x.example\": "
                     "{max_batches: 0}, c: {}}, tenant_defaults: {weight: 0.5, max_running: 12, "
                     "max_batches: 13}}")
                     .settings.queue;
  CHECK(q.tenant_defaults.weight == 0.5);
  CHECK(q.tenant_defaults.running_max == 12);
  CHECK(q.tenant_defaults.batches_max == 13);
  REQUIRE(q.tenants.size() == 3);
  const auto has = [](const weir::core::tenant_settings& t, const char* name, double weight,
                      std::uint32_t running, std::uint64_t batches) {
    CHECK(t.name == name);
    CHECK(t.weight == weight);
    CHECK(t.running_max == running);
    CHECK(t.batches_max == batches);
  };
  has(q.tenants[0], "acme", 4, 11, 13);
  has(q.tenants[1], "b@x.example", 0.5, 12, 0);
  has(q.tenants[2], "c", 0.5, 12, 13);
}

TEST_CASE("a pool's TLS arrives in its members") {
  const auto t = with_pool(
                     "tls: {ca: ca.pem, certificate: s.pem, private_key: s.key, server_name: "
                     "w.example, verify: false}")
                     .tls;
  CHECK(t.ca == "ca.pem");
  CHECK(t.certificate == "s.pem");
  CHECK(t.private_key == "s.key");
  CHECK(t.server_name == "w.example");
  CHECK_FALSE(t.verify);
}

TEST_CASE("the limits of hooks arrive in their members") {
  const auto hooks = with_pool(
                         "autoscale: {hooks: [{webhook: {url: \"http://h\", timeout: 11s}}, "
                         "{exec: {command: [/x], timeout: 12s}}]}")
                         .hooks;
  REQUIRE(hooks.size() == 2);
  CHECK(hooks[0].webhook->timeout == 11s);
  CHECK(hooks[0].webhook->secret.empty());
  CHECK(hooks[1].exec->timeout == 12s);
}

TEST_CASE("each word of balance is its own policy") {
  using core::balance;
  for (const auto& [word, expected] :
       std::vector<std::pair<std::string, balance>>{{"least_loaded", balance::least_loaded},
                                                    {"power_of_two", balance::power_of_two},
                                                    {"round_robin", balance::round_robin},
                                                    {"random", balance::random},
                                                    {"hash", balance::hash},
                                                    {"first", balance::first}}) {
    INFO(word);
    CHECK(with_pool("balance: " + word).settings.balance == expected);
  }
}

TEST_CASE("each word of the queue's order and of the probe's type is its own") {
  CHECK(with_pool("queue: {order: cost_aware}").settings.queue.order ==
        core::queue_order::cost_aware);
  CHECK(with_pool("queue: {order: fifo}").settings.queue.order == core::queue_order::fifo);
  const auto kind = [](const std::string& word) {
    return with_pool("health_check: {type: " + word + "}").settings.health.kind;
  };
  CHECK(kind("none") == core::probe_kind::none);
  CHECK(kind("http") == core::probe_kind::http);
  CHECK(kind("tcp") == core::probe_kind::tcp);
}

TEST_CASE("each word of client_auth is its own") {
  const auto auth = [](const std::string& word) {
    return with_listener(
               "tls: {certificate: s.pem, private_key: s.key, client_ca: ca.pem, "
               "client_auth: " +
               word + "}")
        .tls->client_auth;
  };
  CHECK(auth("none") == client_auth::none);
  CHECK(auth("request") == client_auth::request);
  CHECK(auth("require") == client_auth::require);
}

TEST_CASE("each word of a route's choices is its own") {
  CHECK(with_route("on_client_gone: cancel").on_client_gone == gone_action::cancel);
  CHECK(with_route("on_client_gone: finish").on_client_gone == gone_action::finish);
  CHECK(with_route("half_close: abort").half_close == half_close_action::abort);
  CHECK(with_route("half_close: wait").half_close == half_close_action::wait);
  CHECK(with_route("async: never").async == async_mode::never);
  CHECK(with_route("async: allow").async == async_mode::allow);
  const parts durable{.top = "state_dir: ./state",
                      .routes = "routes: [{name: all, pool: loaders, async: always}]"};
  CHECK(read(durable).routes.front().async == async_mode::always);
  const auto on_running = [](const std::string& word) {
    return with_route("idempotency: {on_running: " + word + "}").idempotency.on_running;
  };
  CHECK(on_running("refuse") == running_key_action::refuse);
  CHECK(on_running("wait") == running_key_action::wait);
  CHECK(with_route("rewrite: {host: preserve}").rewrite.preserve_host);
  CHECK_FALSE(with_route("rewrite: {host: worker}").rewrite.preserve_host);
}

TEST_CASE("each word of reload is its own") {
  CHECK(with_top("reload: watch").reload_watch);
  CHECK_FALSE(with_top("reload: manual").reload_watch);
}
