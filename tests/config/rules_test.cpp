// The near side of every rule over several keys: what lies just within it is taken, and a key that
// has a mistake of its own is not judged by it too.
#include <algorithm>
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "config/support.hpp"

using namespace weir::config;
using test::parts;
using test::world;

namespace {

std::string told(std::string parts::*where, const std::string& text) {
  parts whole;
  whole.*where = text;
  return world().read(whole.text()).text();
}

std::string pool_with(const std::string& keys) {
  return told(&parts::pools, "pools: {loaders: {" + keys + "}}");
}

std::string route_with(const std::string& keys) {
  return told(&parts::routes, "routes: [{name: all, pool: loaders, " + keys + "}]");
}

std::string listener_with(const std::string& keys) {
  return told(&parts::listeners, "listeners: [{name: a, bind: \"127.0.0.1:1\", " + keys + "}]");
}

std::size_t lines(const std::string& text) {
  return static_cast<std::size_t>(std::count(text.begin(), text.end(), '\n'));
}

}  // namespace

TEST_CASE("two keys that bound each other may be equal") {
  CHECK(pool_with("autoscale: {min: 4, max: 4}") == "");
  CHECK(pool_with("autoscale: {min: 0, max: 1}") == "");
  CHECK(pool_with("ejection: {base_time: 1m, max_time: 60s}") == "");
  CHECK(pool_with("health_check: {interval: 2s, fast_interval: 2s, down_interval_max: 2s}") == "");
  CHECK(route_with("retry: {backoff_base: 1s, backoff_max: 1000ms}") == "");
  CHECK(route_with("async_retry: {backoff_base: 1s, backoff_max: 1000ms}") == "");
  CHECK(told(&parts::top, "limits: {head_bytes_max: 8KiB}") == "");
  CHECK(told(&parts::top, "limits: {target_bytes_max: 16KiB}") == "");
  CHECK(told(&parts::top, "limits: {replay_batch_bytes_max: 256MiB}") == "");
}

TEST_CASE("a key with a mistake of its own is told once, and no rule judges it or its fellow") {
  for (const auto& keys :
       {"autoscale: {min: many, max: 1}", "autoscale: {min: 5, max: many}",
        "ejection: {base_time: 10, max_time: 1m}", "ejection: {base_time: 10m, max_time: 1}",
        "health_check: {interval: 1, fast_interval: 1m}", "workers_max: none",
        "tls: {certificate: nowhere}", "tls: {private_key: nowhere}",
        "autoscale: {hooks: [{exec: {command: [[]]}}]}"}) {
    INFO(keys);
    CHECK(lines(pool_with(keys)) == 1);
  }
  CHECK(lines(route_with("retry: {backoff_base: 1h, backoff_max: x}")) == 1);
  CHECK(lines(route_with("async_retry: {backoff_base: 1h, backoff_max: x}")) == 1);
  CHECK(lines(route_with("callback: {allow: [ftp://h/x]}")) == 1);
  CHECK(lines(told(&parts::top, "backup: {dir: {a: b}}")) == 1);
  CHECK(lines(route_with("path: load, rewrite: {strip_prefix: /other}")) == 1);
  CHECK(lines(route_with("path: /load, rewrite: {strip_prefix: other}")) == 1);
  CHECK(lines(told(&parts::top, "admin: {bind: everywhere}")) == 1);
  CHECK(lines(told(&parts::top, "limits: {head_bytes_max: 4K, target_bytes_max: 1MiB}")) == 1);
}

TEST_CASE("asking clients for certificates takes an authority to check them by") {
  const std::string files = "tls: {certificate: s.pem, private_key: s.key, ";
  CHECK(listener_with(files + "client_auth: none}") == "");
  CHECK(listener_with(files + "client_ca: ca.pem}") == "");
  CHECK(listener_with(files + "client_ca: ca.pem, client_auth: request}") == "");
  CHECK(listener_with(files + "client_ca: ca.pem, client_auth: require}") == "");
  CHECK(lines(listener_with(files + "client_auth: request}")) == 1);
  CHECK(lines(listener_with(files + "client_ca: nowhere, client_auth: require}")) == 1);
}

TEST_CASE("a certificate for workers comes with its key, or neither is given") {
  CHECK(pool_with("tls: {}") == "");
  CHECK(pool_with("tls: {ca: ca.pem, server_name: w.example}") == "");
  CHECK(pool_with("tls: {certificate: s.pem, private_key: s.key}") == "");
}

TEST_CASE("header fields that are not weir's own may be set and removed") {
  CHECK(
      route_with("rewrite: {request_headers: {set: {X-A: b, Authorization: \"Bearer c\", Via: d}, "
                 "remove: [Cookie, X-Forwarded-For, Weirdness]}}") == "");
  CHECK(route_with(
            "rewrite: {response_headers: {set: {Cache-Control: no-store}, remove: [Server]}}") ==
        "");
  for (const auto name :
       {"connection", "Content-Length", "EXPECT", "Host", "Keep-Alive", "Proxy-Connection", "TE",
        "Trailer", "Upgrade", "Transfer-Encoding", "Weir-Batch-Id", "weir-anything"}) {
    INFO(name);
    const std::string field = name;
    CHECK(lines(route_with("rewrite: {request_headers: {set: {" + field + ": x}}}")) == 1);
    CHECK(lines(route_with("rewrite: {response_headers: {remove: [" + field + "]}}")) == 1);
  }
}

TEST_CASE("callbacks may go to any origin, with a port or without") {
  CHECK(route_with("callback: {}") == "");
  CHECK(route_with("callback: {allow: []}") == "");
  CHECK(route_with("callback: {allow: [\"http://h\", \"https://H.example:8443\", "
                   "\"https://[2001:db8::1]:1\", \"http://10.0.0.1\"]}") == "");
}

TEST_CASE("as many workers as workers_max allows may be listed, backups counted") {
  const std::string two =
      "workers: [{id: a, url: \"http://a\"}], backup_workers: [{id: b, url: \"http://b\"}], ";
  CHECK(pool_with(two + "workers_max: 2") == "");
  CHECK(lines(pool_with(two + "workers_max: 1")) == 1);
}

TEST_CASE("sockets collide by their whole address, whoever opens them") {
  const auto both = [](const std::string& a, const std::string& b) {
    return lines(told(&parts::listeners, "listeners: [{name: a, bind: \"" + a +
                                             "\"}, {name: b, bind: \"" + b + "\"}]"));
  };
  CHECK(both("127.0.0.1:1", "127.0.0.1:2") == 0);
  CHECK(both("127.0.0.1:1", "127.0.0.2:1") == 0);
  CHECK(both("127.0.0.1:1", "[::1]:1") == 0);
  CHECK(both("unix:/a", "unix:/b") == 0);
  CHECK(both("127.0.0.1:0", "127.0.0.1:0") == 0);
  CHECK(both("127.0.0.1:1", "127.0.0.1:1") == 1);
  CHECK(both("[::1]:1", "[0::1]:1") == 1);
  CHECK(both("unix:/a", "unix:/a") == 1);
}
