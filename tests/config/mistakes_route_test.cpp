// Mistakes in routes: every mistake with its exact message and place. A row
// replaces one line of the smallest
// whole configuration (support.hpp).
#include <catch2/catch.hpp>

#include "config/support.hpp"

using weir::config::test::bad_part;
using weir::config::test::check_mistakes;
using weir::config::test::parts;

TEST_CASE("mistakes in routes") {
  check_mistakes(
      &parts::routes,
      {
          {"routes: []", {"3:9: routes: 0 entries, expected 1 to 1000"}},
          {"routes: [{name: a}]",
           {"3:10: missing key `pool` in routes[0], expected a name of letters, digits, '-', '_' "
            "and '.', at most 64"}},
          {"routes: [{pool: loaders}]",
           {"3:10: missing key `name` in routes[0], expected a name of letters, digits, '-', '_' "
            "and '.', at most 64"}},
          {"routes: [{name: a, pool: loader}]",
           {"3:26: routes[0].pool: no pool `loader`, expected a name under pools, did you mean "
            "loaders"}},
          {"routes: [{name: a, pool: transformers}]",
           {"3:26: routes[0].pool: no pool `transformers`, expected a name under pools"}},
          {"routes: [{name: a, pool: [loaders]}]",
           {"3:26: routes[0].pool: a list, expected a name of letters, digits, '-', '_' and '.', "
            "at most 64"}},
          {"routes: [{name: a, pool: loaders, path: /a}, {name: a, pool: loaders}]",
           {"3:53: routes[1].name: `a` is taken (line 3), expected one of its own"}},
          {"routes: [{name: a, pool: loaders, path: load}]",
           {"3:41: routes[0].path: `load`, expected an absolute path such as /load, without "
            "query"}},
          {R"(routes: [{name: a, pool: loaders, path: "/a?b"}])",
           {"3:41: routes[0].path: `/a?b`, expected an absolute path such as /load, without "
            "query"}},
          {R"(routes: [{name: a, pool: loaders, host: "a:80"}])",
           {"3:41: routes[0].host: `a:80`, expected a host name, or *.NAME"}},
          {R"(routes: [{name: a, pool: loaders, host: [a, "*.*.b"]}])",
           {"3:45: routes[0].host[1]: `*.*.b`, expected a host name, or *.NAME"}},
          {"routes: [{name: a, pool: loaders, hosts: [a]}]",
           {"3:35: unknown key `hosts` in routes[0], expected one of name, path, host, methods, "
            "headers, pool, tenant, cost, affinity, timeout, retry, on_client_gone, half_close, "
            "body_max, rewrite, async, async_retry, idempotency, callback, did you mean host"}},
          {"routes: [{name: a, pool: loaders, methods: [get]}]",
           {"3:45: routes[0].methods[0]: `get`, expected an HTTP method, did you mean GET"}},
          {"routes: [{name: a, pool: loaders, methods: POST}]",
           {"3:44: routes[0].methods: `POST`, expected a list, each an HTTP method"}},
          {R"(routes: [{name: a, pool: loaders, methods: ["P OST"]}])",
           {"3:45: routes[0].methods[0]: `P OST`, expected an HTTP method"}},
          {R"(routes: [{name: a, pool: loaders, headers: {"X Y": b}}])",
           {"3:45: `X Y` in routes[0].headers, expected a header field name"}},
          {"routes: [{name: a, pool: loaders, headers: {X-A: b, x-a: c}}]",
           {"3:53: repeated field `x-a` in routes[0].headers, expected once"}},
          {R"(routes: [{name: a, pool: loaders, headers: {X-A: "b\n"}}])",
           {"3:50: routes[0].headers.X-A: `b `, expected a header field value"}},
          {"routes: [{name: a, pool: loaders, headers: [X-A]}]",
           {"3:44: routes[0].headers: a list, expected header field names with their values"}},
          {"routes: [{name: a, pool: loaders, headers: {X-A: [b]}}]",
           {"3:50: routes[0].headers.X-A: a list, expected a header field value"}},
          {"routes: [{name: a, pool: loaders, tenant: {}}]",
           {"3:43: missing key `header` in routes[0].tenant, expected a header field name"}},
          {"routes: [{name: a, pool: loaders, tenant: X-Tenant}]",
           {"3:43: routes[0].tenant: `X-Tenant`, expected keys and values"}},
          {R"(routes: [{name: a, pool: loaders, tenant: {header: "X Tenant"}}])",
           {"3:52: routes[0].tenant.header: `X Tenant`, expected a header field name"}},
          {"routes: [{name: a, pool: loaders, cost: {header: X-Rows, fixed: 1}}]",
           {"3:41: routes[0].cost: 2 keys, expected only one of header, bytes, fixed"}},
          {"routes: [{name: a, pool: loaders, affinity: {header: X-Table, path: true}}]",
           {"3:45: routes[0].affinity: 2 keys, expected only one of header, path"}},
          {"routes: [{name: a, pool: loaders, affinity: {header: \"a b\"}}]",
           {"3:54: routes[0].affinity.header: `a b`, expected a header field name"}},
          {"routes: [{name: a, pool: loaders, cost: {bytes: yes}}]",
           {"3:49: routes[0].cost.bytes: `yes`, expected true or false, did you mean true"}},
          {"routes: [{name: a, pool: loaders, cost: {fixed: 0}}]",
           {"3:49: routes[0].cost.fixed: `0` is out of range, expected a number from 0.001 to "
            "1000000000"}},
          {"routes: [{name: a, pool: loaders, cost: 5}]",
           {"3:41: routes[0].cost: `5`, expected keys and values"}},
          {"routes: [{name: a, pool: loaders, timeout: 5s}]",
           {"3:44: routes[0].timeout: `5s`, expected keys and values"}},
          {"routes: [{name: a, pool: loaders, timeout: {queue: 8d}}]",
           {"3:52: routes[0].timeout.queue: `8d` is out of range, expected a duration from 0s to "
            "7d, such as 250ms, 5s, 2m or 1h"}},
          {"routes: [{name: a, pool: loaders, timeout: {total: }}]",
           {"3:45: routes[0].timeout.total: nothing, expected a duration from 10ms to 30d, such "
            "as 250ms, 5s, 2m or 1h"}},
          {"routes: [{name: a, pool: loaders, timeout: {idle: 5s}}]",
           {"3:45: unknown key `idle` in routes[0].timeout (it belongs in pools.NAME.keepalive), "
            "expected one of queue, connect, progress, response, total"}},
          {"routes: [{name: a, pool: loaders, retry: {attempts: 0}}]",
           {"3:53: routes[0].retry.attempts: `0` is out of range, expected a whole number from 1 "
            "to 100"}},
          {"routes: [{name: a, pool: loaders, retry: {busy_statuses: [200, x]}}]",
           {"3:59: routes[0].retry.busy_statuses[0]: `200` is out of range, expected a whole "
            "number from 400 to 599",
            "3:64: routes[0].retry.busy_statuses[1]: `x`, expected a whole number from 400 to "
            "599"}},
          {"routes: [{name: a, pool: loaders, retry: {backoff_base: 6s}}]",
           {"3:57: routes[0].retry.backoff_base: 6s is more than backoff_max (5s, the default), "
            "expected at most that"}},
          {R"(routes: [{name: a, pool: loaders, retry: {unsafe: "true"}}])",
           {"3:51: routes[0].retry.unsafe: `true` in quotes, expected true or false, did you "
            "mean true"}},
          {"routes: [{name: a, pool: loaders, on_client_gone: abort}]",
           {"3:51: routes[0].on_client_gone: `abort`, expected one of cancel, finish"}},
          {"routes: [{name: a, pool: loaders, body_max: 10GB/s}]",
           {"3:45: routes[0].body_max: `10GB/s`, expected a size from 0B to 1024TiB, such as "
            "64KiB or 1GiB"}},
          {"routes: [{name: a, pool: loaders, path: /a, rewrite: {strip_prefix: /b}}]",
           {"3:69: routes[0].rewrite.strip_prefix: no request of this route begins so, expected "
            "a part of its path `/a`"}},
          {"routes: [{name: a, pool: loaders, path: /ab, rewrite: {strip_prefix: /a}}]",
           {"3:70: routes[0].rewrite.strip_prefix: no request of this route begins so, expected "
            "a part of its path `/ab`"}},
          {"routes: [{name: a, pool: loaders, rewrite: {host: keep}}]",
           {"3:51: routes[0].rewrite.host: `keep`, expected one of worker, preserve"}},
          {"routes: [{name: a, pool: loaders, rewrite: {request_headers: {set: {Host: x}, "
           "remove: [Content-Length]}}}]",
           {"3:69: routes[0].rewrite.request_headers.set.Host: a field that weir writes itself, "
            "expected another",
            "3:88: routes[0].rewrite.request_headers.remove: `Content-Length` is a field that "
            "weir writes itself, expected another"}},
          {"routes: [{name: a, pool: loaders, rewrite: {response_headers: {set: "
           "{weir-worker: x}}}}]",
           {"3:70: routes[0].rewrite.response_headers.set.weir-worker: a field that weir writes "
            "itself, expected another"}},
          {"routes: [{name: a, pool: loaders, async: always}]",
           {"3:42: routes[0].async: always needs a place for durable batches, expected "
            "`state_dir` to be set"}},
          {"routes: [{name: a, pool: loaders, async: sometimes}]",
           {"3:42: routes[0].async: `sometimes`, expected one of never, allow, always"}},
      });
}

TEST_CASE("mistakes in what routes say of durable batches and keys") {
  check_mistakes(
      &parts::routes,
      {
          {"routes: [{name: a, pool: loaders, async_retry: 8}]",
           {"3:48: routes[0].async_retry: `8`, expected keys and values"}},
          {"routes: [{name: a, pool: loaders, async_retry: {attempts: 0}}]",
           {"3:59: routes[0].async_retry.attempts: `0` is out of range, expected a whole number "
            "from 1 to 1000"}},
          {"routes: [{name: a, pool: loaders, async_retry: {backoff_base: 6m}}]",
           {"3:63: routes[0].async_retry.backoff_base: 6m is more than backoff_max (5m, the "
            "default), expected at most that"}},
          {"routes: [{name: a, pool: loaders, async_retry: {backoff_max: 900ms}}]",
           {"3:62: routes[0].async_retry.backoff_max: 900ms is less than backoff_base (1s, the "
            "default), expected at least that"}},
          {"routes: [{name: a, pool: loaders, async_retry: {backoff_base: 3s, backoff_max: 2s}}]",
           {"3:80: routes[0].async_retry.backoff_max: 2s is less than backoff_base (3s), expected "
            "at least that"}},
          {"routes: [{name: a, pool: loaders, async_retry: {unsafe: true}}]",
           {"3:49: unknown key `unsafe` in routes[0].async_retry (it belongs in routes[].retry), "
            "expected one of attempts, backoff_base, backoff_max"}},
          {"routes: [{name: a, pool: loaders, idempotency: wait}]",
           {"3:48: routes[0].idempotency: `wait`, expected keys and values"}},
          {"routes: [{name: a, pool: loaders, idempotency: {on_running: replay}}]",
           {"3:61: routes[0].idempotency.on_running: `replay`, expected one of refuse, wait"}},
          {"routes: [{name: a, pool: loaders, idempotency: {answer_bytes_max: 65MiB}}]",
           {"3:67: routes[0].idempotency.answer_bytes_max: `65MiB` is out of range, expected a "
            "size from 0B to 64MiB, such as 64KiB or 1GiB"}},
          {R"(routes: [{name: a, pool: loaders, callback: {allow: "https://h"}}])",
           {"3:53: routes[0].callback.allow: `https://h`, expected a list, each an http:// or "
            "https:// url"}},
          {R"(routes: [{name: a, pool: loaders, callback: {allow: [h.example]}}])",
           {"3:54: routes[0].callback.allow[0]: a url (not shown), expected an http:// or https:// "
            "url"}},
          {"routes: [{name: a, pool: loaders, callback: {secret_file: nowhere}}]",
           {"3:59: routes[0].callback.secret_file: `nowhere` cannot be read (No such file or "
            "directory), expected the path of a file with whsec_ and a base64 key"}},
          {"routes: [{name: a, pool: loaders, callback: {secret_file: raw.secret}}]",
           {"3:59: routes[0].callback.secret_file: `raw.secret` does not begin with whsec_, "
            "expected the path of a file with whsec_ and a base64 key"}},
          {"routes: [{name: a, pool: loaders, callback: {secret: whsec_abc}}]",
           {"3:46: unknown key `secret` in routes[0].callback, expected one of allow, "
            "secret_file, did you mean secret_file"}},
      });
}

TEST_CASE(
    "what callbacks are allowed to is an origin: of more than that, only the origin is shown") {
  check_mistakes(
      &parts::routes,
      {
          {R"(routes: [{name: a, pool: loaders, callback: {allow: ["https://h/token-42"]}}])",
           {"3:54: routes[0].callback.allow[0]: `https://h/...`, expected an origin without a "
            "path, did you mean https://h"}},
          {R"(routes: [{name: a, pool: loaders, callback: {allow: ["http://h:81/"]}}])",
           {"3:54: routes[0].callback.allow[0]: `http://h:81/...`, expected an origin without a "
            "path, did you mean http://h:81"}},
          {R"(routes: [{name: a, pool: loaders, callback: {allow: ["https://[::1]?key=42"]}}])",
           {"3:54: routes[0].callback.allow[0]: `https://[::1]/...`, expected an origin without a "
            "path, did you mean https://[::1]"}},
          {R"(routes: [{name: a, pool: loaders, callback: {allow: ["http://a", "http://b/c"]}}])",
           {"3:66: routes[0].callback.allow[1]: `http://b/...`, expected an origin without a "
            "path, did you mean http://b"}},
          {R"(routes: [{name: a, pool: loaders, callback: {allow: ["https://u:pw@h/x"]}}])",
           {"3:54: routes[0].callback.allow[0]: a url with a user or password in it (not shown), "
            "expected an http:// or https:// url: credentials in urls are not taken"}},
          {R"(routes: [{name: a, pool: loaders, callback: {allow: ["${ABSENT}"]}}])",
           {"3:55: the environment variable ABSENT is not set, expected it, or a default: "
            "${ABSENT:-default}"}},
      });
}
