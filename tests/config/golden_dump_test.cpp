// What GET /v1/config says of a configuration, whole: the shape that scripts rely on.
#include <catch2/catch.hpp>
#include <string>

#include "config/dump.hpp"
#include "config/support.hpp"

using namespace weir::config;
using test::world;

namespace {

const std::string given = R"(state_dir: ./state
backup: {dir: ./copies}
listeners:
  - {name: front, bind: "[::]:8443", tls: {certificate: s.pem, private_key: s.key}}
registration: {bind: "127.0.0.1:9901", token_file: token, allow: [10.0.0.0/8]}
routes:
  - name: orders
    path: /load/orders
    methods: [POST]
    headers: {X-Kind: orders}
    pool: loaders
    tenant: {header: X-Tenant}
    cost: {bytes: true}
    affinity: {path: true}
    async: allow
    callback: {allow: ["https://scheduler.example:8443"], secret_file: hook.secret}
pools:
  loaders:
    workers: [{id: w1, url: "http://127.0.0.1:9001", slots: 4}]
    backup_workers: [{id: b1, url: "unix:/run/b1.sock"}]
    queue:
      tenants: {acme/eu: {weight: 4, max_running: 10}, beta: {max_batches: 500}}
      tenant_defaults: {weight: 2}
    autoscale:
      max: 20
      hooks:
        - webhook: {url: "https://scaler.example/weir", secret_file: hook.secret}
        - exec: {command: [/usr/local/bin/scale, now]}
)";

const std::string shown = R"json({
  "threads": "auto",
  "state_dir": "./state",
  "retention": {
    "results": "1d",
    "results_bytes": "10GiB",
    "dead_letters": "30d",
    "keys": "1d",
    "keys_bytes": "10GiB"
  },
  "backup": {
    "dir": "./copies",
    "interval": "1d",
    "keep": 7
  },
  "replay_dir": "",
  "drain_timeout": "1m",
  "drain_delay": "0s",
  "reload": "manual",
  "access_log": {
    "file": "-",
    "buffer_records": 8192
  },
  "limits": {
    "head_bytes_max": "16KiB",
    "fields_max": 100,
    "target_bytes_max": "8KiB",
    "interim_responses_max": 32,
    "connections_max": 100000,
    "replay_batch_bytes_max": "1MiB",
    "replay_total_bytes_max": "256MiB",
    "replay_disk_bytes_max": "10GiB",
    "chunk_line_bytes_max": "256B",
    "trailer_bytes_max": "4KiB",
    "linger_bytes_max": "1MiB",
    "linger_timeout": "2s",
    "keys_memory_bytes_max": "256MiB",
    "disk_reserve_bytes": "128MiB",
    "inline_bytes_max": "128KiB",
    "result_bytes_max": "1GiB",
    "relay_buffer_bytes": "64KiB",
    "relay_pipes_max": 256
  },
  "listeners": [
    {
      "name": "front",
      "bind": "[::]:8443",
      "tls": {
        "certificate": "s.pem",
        "private_key": "s.key",
        "client_ca": "",
        "client_auth": "none"
      },
      "head_timeout": "10s",
      "idle_timeout": "75s",
      "trusted": []
    }
  ],
  "admin": {
    "bind": "127.0.0.1:9900"
  },
  "registration": {
    "bind": "127.0.0.1:9901",
    "token_file": "token",
    "allow": ["10.0.0.0/8"],
    "ttl_max": "5m"
  },
  "routes": [
    {
      "name": "orders",
      "path": "/load/orders",
      "host": [],
      "methods": ["POST"],
      "headers": {"X-Kind": "(not shown)"},
      "pool": "loaders",
      "tenant": {
        "header": "X-Tenant"
      },
      "cost": {
        "bytes": true
      },
      "affinity": {
        "path": true
      },
      "timeout": {
        "queue": "5m",
        "connect": "3s",
        "progress": "1m",
        "response": "1h",
        "total": "2h"
      },
      "retry": {
        "attempts": 3,
        "unsafe": false,
        "on_timeout": false,
        "backoff_base": "50ms",
        "backoff_max": "5s",
        "bounces_max": 20,
        "busy_statuses": [429, 503],
        "failure_statuses": [500, 502, 503, 504]
      },
      "on_client_gone": "cancel",
      "half_close": "abort",
      "body_max": "10GiB",
      "rewrite": {
        "strip_prefix": "",
        "host": "preserve",
        "request_headers": {
          "set": {},
          "remove": []
        },
        "response_headers": {
          "set": {},
          "remove": []
        }
      },
      "async": "allow",
      "async_retry": {
        "attempts": 8,
        "backoff_base": "1s",
        "backoff_max": "5m"
      },
      "idempotency": {
        "on_running": "refuse",
        "answer_bytes_max": "1MiB"
      },
      "callback": {
        "allow": ["https://scheduler.example:8443"],
        "secret_file": "hook.secret"
      }
    }
  ],
  "pools": {
    "loaders": {
      "balance": "least_loaded",
      "hash_balance_factor": "125%",
      "workers": [
        {
          "id": "w1",
          "url": "http://127.0.0.1:9001",
          "slots": 4,
          "weight": 1,
          "managed": false
        }
      ],
      "backup_workers": [
        {
          "id": "b1",
          "url": "unix:/run/b1.sock",
          "slots": 1,
          "weight": 1,
          "managed": false
        }
      ],
      "health_check": {
        "type": "http",
        "path": "/healthz",
        "host": "",
        "statuses": [],
        "interval": "5s",
        "fast_interval": "1s",
        "down_interval_max": "1m",
        "timeout": "3s",
        "fall": 3,
        "rise": 2,
        "jitter": "20%"
      },
      "ejection": {
        "consecutive_failures": 5,
        "failure_share": "30%",
        "base_time": "30s",
        "max_time": "5m",
        "max_ejected": "50%",
        "outage_share": "50%"
      },
      "slow_start": "1m",
      "learning": {
        "memory": "30s",
        "prior_attempts": 8,
        "equal_within": "10%",
        "overdue": 4,
        "stuck": 16,
        "joining_share": "30%",
        "load_free": "80%",
        "load_full_share": "25%",
        "load_memory": "10s"
      },
      "keepalive": {
        "idle": "1s",
        "max": 256
      },
      "queue": {
        "order": "cost_aware",
        "max_batches": 5000,
        "max_bytes": "1GiB",
        "max_wait": "5m",
        "priority_step": "10s",
        "cost_weight": 5,
        "critical_share": "70%",
        "max_tenants": 10000,
        "tenant_defaults": {
          "weight": 2,
          "max_running": 0,
          "max_batches": 0
        },
        "tenants": {
          "acme/eu": {
            "weight": 4,
            "max_running": 10,
            "max_batches": 0
          },
          "beta": {
            "weight": 2,
            "max_running": 0,
            "max_batches": 500
          }
        },
        "durable": {
          "max_batches": 5000000,
          "max_bytes": "100GiB",
          "window": 10000
        }
      },
      "retry_budget": {
        "ratio": "20%",
        "min": 3
      },
      "abandoned_hold": "30s",
      "busy_rest_min": "100ms",
      "busy_rest_max": "5m",
      "workers_max": 4096,
      "resolve_interval": "30s",
      "tls": {
        "ca": "",
        "certificate": "",
        "private_key": "",
        "server_name": "",
        "verify": true
      },
      "autoscale": {
        "min": 1,
        "max": 20,
        "objective": "2m",
        "sustain": "10s",
        "startup_time": "1m",
        "target_utilization": "80%",
        "scale_in_window": "5m",
        "resend": "1m",
        "slots_per_worker": "auto",
        "hooks": [
          {
            "webhook": {
              "url": "https://scaler.example/(not shown)",
              "secret_file": "hook.secret",
              "timeout": "10s"
            }
          },
          {
            "exec": {
              "command": ["/usr/local/bin/scale", "(not shown)"],
              "timeout": "30s"
            }
          }
        ]
      }
    }
  }
}
)json";

}  // namespace

TEST_CASE("a configuration is shown whole, in the order of the reference") {
  const auto got = world().read(given);
  INFO(got.text());
  REQUIRE(got.ok());
  CHECK(dump_json(got.settings) == shown);
}

TEST_CASE("what is shown, less what is not shown, is a configuration again") {
  auto text = shown;
  const auto put_back = [&](const std::string& hidden, const std::string& value) {
    const auto at = text.find(hidden);
    REQUIRE(at != text.npos);
    text.replace(at, hidden.size(), value);
  };
  put_back("\"X-Kind\": \"(not shown)\"", "\"X-Kind\": \"orders\"");
  put_back("https://scaler.example/(not shown)", "https://scaler.example/weir");
  put_back("\"(not shown)\"]", "\"now\"]");
  const auto got = world().read(text);
  INFO(got.text());
  REQUIRE(got.ok());
  CHECK(dump_json(got.settings) == shown);
}
