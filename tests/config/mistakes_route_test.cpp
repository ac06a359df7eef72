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
            "headers, pool, tenant, cost, timeout, retry, on_client_gone, half_close, body_max, "
            "rewrite, async, did you mean host"}},
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
           {"3:42: routes[0].async: always needs durable batches, which this version does not "
            "have, expected never or allow"}},
          {"routes: [{name: a, pool: loaders, async: sometimes}]",
           {"3:42: routes[0].async: `sometimes`, expected one of never, allow, always"}},
      });
}
