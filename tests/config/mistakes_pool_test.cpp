// Mistakes in pools: every mistake with its exact message and place. A row
// replaces one line of the smallest
// whole configuration (support.hpp).
#include <catch2/catch.hpp>

#include "config/support.hpp"

using weir::config::test::bad_part;
using weir::config::test::check_mistakes;
using weir::config::test::parts;
using weir::config::test::world;

TEST_CASE("mistakes in pools, workers, checks and queues") {
  check_mistakes(
      &parts::pools,
      {
          {"pools: {}",
           {"3:28: routes[0].pool: no pool `loaders`, expected a name under pools",
            "4:8: pools: 0 entries, expected 1 to 1000"}},
          {"pools: []",
           {"3:28: routes[0].pool: no pool `loaders`, expected a name under pools",
            "4:8: pools: a list, expected names with keys and values"}},
          {"pools: {loaders: }", {"4:9: pools.loaders: nothing, expected keys and values"}},
          {"pools: {loaders: {}, loaders: {}}",
           {"4:22: repeated key `loaders` in pools, expected once (first at line 4)"}},
          {R"(pools: {loaders: {}, "a/b": {}})",
           {"4:22: `a/b` in pools, expected a name of letters, digits, '-', '_' and '.', at most "
            "64"}},
          {"pools: {loaders: {balance: least_conn}}",
           {"4:28: pools.loaders.balance: `least_conn`, expected one of least_loaded, "
            "power_of_two, round_robin, random, hash, first"}},
          {"pools: {loaders: {balance: round-robin}}",
           {"4:28: pools.loaders.balance: `round-robin`, expected one of least_loaded, "
            "power_of_two, round_robin, random, hash, first, did you mean round_robin"}},
          {"pools: {loaders: {workers: {id: w1}}}",
           {"4:28: pools.loaders.workers: keys and values, expected a list"}},
          {"pools: {loaders: {workers: [{id: w1}]}}",
           {"4:29: missing key `url` in pools.loaders.workers[0], expected http://HOST:PORT, "
            "https://HOST:PORT or unix:/PATH"}},
          {R"(pools: {loaders: {workers: [{url: "http://h"}]}})",
           {"4:29: missing key `id` in pools.loaders.workers[0], expected a name of letters, "
            "digits, '-', '_' and '.', at most 64"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "h:80"}]}})",
           {"4:43: pools.loaders.workers[0].url: `h:80`, expected http://HOST:PORT, "
            "https://HOST:PORT or unix:/PATH, did you mean http://h:80"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "http://u@h"}]}})",
           {"4:43: pools.loaders.workers[0].url: a url with a user or password in it (not shown), "
            "expected http://HOST:PORT, https://HOST:PORT or unix:/PATH: credentials in urls are "
            "not taken"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "http://h/load"}]}})",
           {"4:43: pools.loaders.workers[0].url: `http://h/load`, expected http://HOST:PORT, "
            "https://HOST:PORT or unix:/PATH"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "http://h", slots: 0}]}})",
           {"4:62: pools.loaders.workers[0].slots: `0` is out of range, expected a whole number "
            "from 1 to 65536"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "http://h", weight: -1}]}})",
           {"4:63: pools.loaders.workers[0].weight: `-1`, expected a number from 0.001 to 1000"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "http://h", backup: true}]}})",
           {"4:55: unknown key `backup` in pools.loaders.workers[0] (it belongs in the top level), "
            "expected one of id, url, "
            "slots, weight, managed"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "http://a"}, {id: w1, url: )"
           R"("http://b"}]}})",
           {"4:61: pools.loaders.workers[1].id: `w1` is taken (line 4), expected one of its own"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "http://a"}], backup_workers: [{id: )"
           R"(w1, url: "http://b"}]}})",
           {"4:79: pools.loaders.backup_workers[0].id: `w1` is taken (line 4), expected one of "
            "its own"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "http://a"}, {id: w2, url: )"
           R"("http://b"}], workers_max: 1}})",
           {"4:97: pools.loaders.workers_max: 1 is less than the 2 workers listed, expected at "
            "least that"}},
          {"pools: {loaders: {health_check: {interval: 5}}}",
           {"4:44: pools.loaders.health_check.interval: `5`, expected a duration from 10ms to "
            "1h, such as 250ms, 5s, 2m or 1h, did you mean 5s"}},
          {"pools: {loaders: {health_check: {intervall: 5s}}}",
           {"4:34: unknown key `intervall` in pools.loaders.health_check, expected one of type, "
            "path, host, statuses, interval, fast_interval, down_interval_max, timeout, fall, "
            "rise, jitter, did you mean interval"}},
          {"pools: {loaders: {health_check: {type: https}}}",
           {"4:40: pools.loaders.health_check.type: `https`, expected one of none, http, tcp, "
            "did you mean http"}},
          {R"(pools: {loaders: {health_check: {path: ""}}})",
           {"4:40: pools.loaders.health_check.path: nothing, expected an absolute path such as "
            "/healthz"}},
          {"pools: {loaders: {health_check: {fast_interval: 6s}}}",
           {"4:49: pools.loaders.health_check.fast_interval: 6s is more than interval (5s, the "
            "default), expected at most that"}},
          {"pools: {loaders: {health_check: {interval: 1s, fast_interval: 2s}}}",
           {"4:44: pools.loaders.health_check.interval: 1s is less than fast_interval (2s), "
            "expected at least that"}},
          {"pools: {loaders: {health_check: {down_interval_max: 4s}}}",
           {"4:53: pools.loaders.health_check.down_interval_max: 4s is less than interval (5s, "
            "the default), expected at least that"}},
          {"pools: {loaders: {health_check: {jitter: 0.2}}}",
           {"4:42: pools.loaders.health_check.jitter: `0.2`, expected a share from 0% to 90%, "
            "did you mean 20%"}},
          {"pools: {loaders: {health_check: {jitter: 95%}}}",
           {"4:42: pools.loaders.health_check.jitter: `95%` is out of range, expected a share "
            "from 0% to 90%"}},
          {"pools: {loaders: {health_check: {statuses: 200}}}",
           {"4:44: pools.loaders.health_check.statuses: `200`, expected a list, each a whole "
            "number from 200 to 599"}},
          {"pools: {loaders: {health_check: {statuses: [99]}}}",
           {"4:45: pools.loaders.health_check.statuses[0]: `99` is out of range, expected a "
            "whole number from 200 to 599"}},
          {"pools: {loaders: {ejection: {max_ejected: 50}}}",
           {"4:43: pools.loaders.ejection.max_ejected: `50`, expected a share from 0% to 100%, "
            "did you mean 50%"}},
          {"pools: {loaders: {ejection: {base_time: 10m}}}",
           {"4:41: pools.loaders.ejection.base_time: 10m is more than max_time (5m, the "
            "default), expected at most that"}},
          {"pools: {loaders: {ejection: {max_time: 10s}}}",
           {"4:40: pools.loaders.ejection.max_time: 10s is less than base_time (30s, the "
            "default), expected at least that"}},
          {"pools: {loaders: {ejection: {base_time: 2m, max_time: 1m}}}",
           {"4:55: pools.loaders.ejection.max_time: 1m is less than base_time (2m), expected at "
            "least that"}},
          {"pools: {loaders: {keepalive: {idle: 1s, idle: 2s}}}",
           {"4:41: repeated key `idle` in pools.loaders.keepalive, expected once (first at line "
            "4)"}},
          {"pools: {loaders: {queue: {order: lifo}}}",
           {"4:34: pools.loaders.queue.order: `lifo`, expected one of cost_aware, fifo, did you "
            "mean fifo"}},
          {"pools: {loaders: {queue: {durable: {max_batches: 0}}}}",
           {"4:50: pools.loaders.queue.durable.max_batches: `0` is out of range, expected a "
            "whole number from 1 to 1000000000"}},
          {"pools: {loaders: {queue: {durable: {window: 15}}}}",
           {"4:45: pools.loaders.queue.durable.window: `15` is out of range, expected a whole "
            "number from 16 to 1000000"}},
          {"pools: {loaders: {queue: {durable: 5}}}",
           {"4:36: pools.loaders.queue.durable: `5`, expected keys and values"}},
          {"pools: {loaders: {retry_budget: {ratio: 20}}}",
           {"4:41: pools.loaders.retry_budget.ratio: `20`, expected a share from 0% to 100%, did "
            "you mean 20%"}},
          {"pools: {loaders: {tls: {certificate: s.pem}}}",
           {"4:38: pools.loaders.tls.certificate: needs private_key, expected it beside this"}},
          {"pools: {loaders: {tls: {private_key: s.key}}}",
           {"4:38: pools.loaders.tls.private_key: needs certificate, expected it beside this"}},
          {"pools: {loaders: {tls: {verify: no}}}",
           {"4:33: pools.loaders.tls.verify: `no`, expected true or false, did you mean false"}},
      });
}

TEST_CASE("mistakes in scaling and its hooks") {
  check_mistakes(
      &parts::pools,
      {
          {"pools: {loaders: {autoscale: {min: 2}}}",
           {"4:36: pools.loaders.autoscale.min: 2 is more than max (1, the default), expected at "
            "most that"}},
          {"pools: {loaders: {autoscale: {min: 5, max: 4}}}",
           {"4:44: pools.loaders.autoscale.max: 4 is less than min (5), expected at least that"}},
          {"pools: {loaders: {autoscale: {max: 0}}}",
           {"4:36: pools.loaders.autoscale.max: `0` is out of range, expected a whole number "
            "from 1 to 65536"}},
          {"pools: {loaders: {autoscale: {target_utilization: 0%}}}",
           {"4:51: pools.loaders.autoscale.target_utilization: `0%` is out of range, expected a "
            "share from 5% to 100%"}},
          {"pools: {loaders: {autoscale: {hooks: [{}]}}}",
           {"4:39: pools.loaders.autoscale.hooks[0]: no key, expected one of webhook, exec"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "http://h"}, exec: )"
           "{command: [/x]}}]}}}",
           {"4:39: pools.loaders.autoscale.hooks[0]: 2 keys, expected only one of webhook, exec"}},
          {"pools: {loaders: {autoscale: {hooks: [{webhook: {}}]}}}",
           {"4:49: missing key `url` in pools.loaders.autoscale.hooks[0].webhook, expected an "
            "http:// or https:// url"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "http://u:pass@h/x"}}]}}})",
           {"4:55: pools.loaders.autoscale.hooks[0].webhook.url: a url with a user or password in "
            "it (not shown), expected an http:// or https:// url: credentials in urls are not "
            "taken"}},
          {R"(pools: {loaders: {workers: [{id: w1, url: "u:pass@h:1"}]}})",
           {"4:43: pools.loaders.workers[0].url: a url with a user or password in it (not shown), "
            "expected http://HOST:PORT, https://HOST:PORT or unix:/PATH: credentials in urls are "
            "not taken"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "h/x"}}]}}})",
           {"4:55: pools.loaders.autoscale.hooks[0].webhook.url: a url (not shown), expected an "
            "http:// or https:// url"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "https://h/k?key=K#f"}}]}}})",
           {"4:55: pools.loaders.autoscale.hooks[0].webhook.url: `https://h/...`, expected an "
            "http:// or https:// url"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: "http://u:pw@h/x"}]}}})",
           {"4:49: pools.loaders.autoscale.hooks[0].webhook: a url (not shown), expected keys and "
            "values"}},
          {R"(pools: {loaders: {workers: ["http://h/x?key=K"]}})",
           {"4:29: pools.loaders.workers[0]: `http://h/x...`, expected keys and values"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "http://h", secret_file: )"
           "nowhere}}]}}}",
           {"4:80: pools.loaders.autoscale.hooks[0].webhook.secret_file: `nowhere` cannot be "
            "read (No such file or directory), expected the path of a file with whsec_ and a "
            "base64 key"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "http://h", secret_file: )"
           "raw.secret}}]}}}",
           {"4:80: pools.loaders.autoscale.hooks[0].webhook.secret_file: `raw.secret` does not "
            "begin with whsec_, expected the path of a file with whsec_ and a base64 key"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "http://h", secret_file: )"
           "broken.secret}}]}}}",
           {"4:80: pools.loaders.autoscale.hooks[0].webhook.secret_file: `broken.secret` holds "
            "no base64 after whsec_, expected the path of a file with whsec_ and a base64 key"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "http://h", secret_file: )"
           "short.secret}}]}}}",
           {"4:80: pools.loaders.autoscale.hooks[0].webhook.secret_file: `short.secret` does not "
            "hold a key of 24 to 64 bytes, expected the path of a file with whsec_ and a base64 "
            "key"}},
          {R"(pools: {loaders: {autoscale: {hooks: [{webhook: {url: "http://h", secret: )"
           "abc}}]}}}",
           {"4:67: unknown key `secret` in pools.loaders.autoscale.hooks[0].webhook, expected "
            "one of url, secret_file, timeout, did you mean secret_file"}},
          {"pools: {loaders: {autoscale: {hooks: [{exec: {command: []}}]}}}",
           {"4:56: pools.loaders.autoscale.hooks[0].exec.command: 0 entries, expected 1 to 64"}},
          {"pools: {loaders: {autoscale: {hooks: [{exec: {command: [scale]}}]}}}",
           {"4:57: pools.loaders.autoscale.hooks[0].exec.command[0]: `scale`, expected an "
            "absolute path"}},
          {"pools: {loaders: {autoscale: {hooks: [{exec: {command: /bin/scale}}]}}}",
           {"4:56: pools.loaders.autoscale.hooks[0].exec.command: `/bin/scale`, expected a list, "
            "each a text"}},
      });
}

TEST_CASE("a url stands once in a pool, however it is written, and may stand in another") {
  const auto said = [](const std::string& pools) {
    parts whole;
    whole.pools = "pools: {" + pools + "}";
    return world().read(whole.text()).text();
  };
  const std::string w1 = "loaders: {workers: [{id: w1, url: \"http://h\"}";
  const std::string taken = " is taken (line 4), expected one of its own\n";
  for (const std::string again : {"http://h", "http://h:80", "http://h/", "http://H"}) {
    INFO(again);
    CHECK(said(w1 + ", {id: w2, url: \"" + again + "\"}]}") ==
          "w.yaml:4:70: pools.loaders.workers[1].url: `" + again + "`" + taken);
    CHECK(said(w1 + "], backup_workers: [{id: w2, url: \"" + again + "\"}]}") ==
          "w.yaml:4:88: pools.loaders.backup_workers[0].url: `" + again + "`" + taken);
  }
  for (const std::string other : {"https://h", "http://h:81", "http://h2", "unix:/run/h"}) {
    INFO(other);
    CHECK(said(w1 + ", {id: w2, url: \"" + other + "\"}]}") == "");
  }
  CHECK(said(w1 + "]}, others: {workers: [{id: w1, url: \"http://h\"}]}") == "");
}

TEST_CASE("mistakes in what a pool says of its tenants and of its ring") {
  check_mistakes(
      &parts::pools,
      {
          {R"(pools: {loaders: {queue: {tenants: {"": {}, a: {wieght: 2}}}}})",
           {"4:37: `` in pools.loaders.queue.tenants, expected a header field value",
            "4:49: unknown key `wieght` in pools.loaders.queue.tenants.a, expected one of weight, "
            "max_running, max_batches, did you mean weight"}},
          {"pools: {loaders: {queue: {tenants: {a: {weight: 0}, a: {max_running: -1}}}}}",
           {"4:49: pools.loaders.queue.tenants.a.weight: `0` is out of range, expected a number "
            "from 0.01 to 1000",
            "4:53: repeated key `a` in pools.loaders.queue.tenants, expected once (first at line "
            "4)"}},
          {"pools: {loaders: {queue: {tenant_defaults: {max_batches: 1.5}}}}",
           {"4:58: pools.loaders.queue.tenant_defaults.max_batches: `1.5`, expected a whole number "
            "from 0 to 10000000"}},
          {"pools: {loaders: {queue: {tenants: [a]}}}",
           {"4:36: pools.loaders.queue.tenants: a list, expected names with keys and values"}},
          {"pools: {loaders: {hash_balance_factor: 99%}}",
           {"4:40: pools.loaders.hash_balance_factor: `99%` is out of range, expected a share from "
            "100% to 1000%"}},
      });
}
