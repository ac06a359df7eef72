// A configuration as people write it, in blocks over many lines, with one line of it changed at a
// time: what is told, and that it points at that line and column.
#include <catch2/catch.hpp>
#include <string>
#include <vector>

#include "config/support.hpp"

using namespace weir::config;
using namespace std::chrono_literals;
using test::world;

namespace {

const std::vector<std::string> written{
    /*  1 */ "# Two doors, two pools.",
    /*  2 */ "threads: 2",
    /*  3 */ "state_dir: /var/lib/weir",
    /*  4 */ "listeners:",
    /*  5 */ "  - name: front",
    /*  6 */ "    bind: 0.0.0.0:8080",
    /*  7 */ "    trusted:",
    /*  8 */ "      - 10.0.0.0/8",
    /*  9 */ "      - 192.168.0.0/16",
    /* 10 */ "  - name: local",
    /* 11 */ "    bind: unix:/run/weir/front.sock",
    /* 12 */ "admin:",
    /* 13 */ "  bind: 127.0.0.1:9900",
    /* 14 */ "  token_file: token",
    /* 15 */ "routes:",
    /* 16 */ "  - name: orders",
    /* 17 */ "    path: /load/orders",
    /* 18 */ "    methods: [POST, PUT]",
    /* 19 */ "    pool: loaders",
    /* 20 */ "    tenant:",
    /* 21 */ "      header: X-Tenant",
    /* 22 */ "    cost:",
    /* 23 */ "      header: X-Batch-Rows",
    /* 24 */ "    timeout:",
    /* 25 */ "      queue: 10m",
    /* 26 */ "      response: 20m",
    /* 27 */ "    retry:",
    /* 28 */ "      attempts: 5",
    /* 29 */ "      busy_statuses:",
    /* 30 */ "        - 429",
    /* 31 */ "        - 503",
    /* 32 */ "    body_max: 2GiB",
    /* 33 */ "    rewrite:",
    /* 34 */ "      strip_prefix: /load",
    /* 35 */ "      request_headers:",
    /* 36 */ "        set:",
    /* 37 */ "          X-Loaded-By: weir",
    /* 38 */ "        remove:",
    /* 39 */ "          - Cookie",
    /* 40 */ "  - name: rest",
    /* 41 */ "    pool: slow",
    /* 42 */ "    async: allow",
    /* 43 */ "pools:",
    /* 44 */ "  loaders:",
    /* 45 */ "    workers:",
    /* 46 */ "      - id: w1",
    /* 47 */ "        url: http://10.0.0.1:9001",
    /* 48 */ "        slots: 4",
    /* 49 */ "      - id: w2",
    /* 50 */ "        url: http://10.0.0.2:9001",
    /* 51 */ "        slots: 4",
    /* 52 */ "    health_check:",
    /* 53 */ "      path: /healthz",
    /* 54 */ "      interval: 2s",
    /* 55 */ "      statuses: [200, 204]",
    /* 56 */ "    ejection:",
    /* 57 */ "      max_ejected: 34%",
    /* 58 */ "    queue:",
    /* 59 */ "      max_batches: 20000",
    /* 60 */ "      durable:",
    /* 61 */ "        max_bytes: 500GiB",
    /* 62 */ "  slow:",
    /* 63 */ "    workers:",
    /* 64 */ "      - id: w1",
    /* 65 */ "        url: https://slow.example",
    /* 66 */ "    tls:",
    /* 67 */ "      ca: ca.pem",
    /* 68 */ "    autoscale:",
    /* 69 */ "      min: 0",
    /* 70 */ "      max: 10",
    /* 71 */ "      hooks:",
    /* 72 */ "        - exec:",
    /* 73 */ "            command:",
    /* 74 */ "              - /usr/local/bin/scale",
    /* 75 */ "              - slow",
};

std::string joined(const std::vector<std::string>& lines) {
  std::string out;
  for (const auto& line : lines) out += line + "\n";
  return out;
}

std::string told_with(std::size_t number, const std::string& line) {
  auto lines = written;
  lines.at(number - 1) = line;
  return world().read(joined(lines)).text();
}

}  // namespace

TEST_CASE("a configuration in blocks is read whole") {
  const auto got = world().read(joined(written));
  INFO(got.text() << got.warning_text());
  REQUIRE(got.ok());
  CHECK(got.warnings.empty());
  const auto& all = got.settings;
  CHECK(all.listeners.at(0).trusted.size() == 2);
  CHECK(all.listeners.at(1).bind.unix_path == "/run/weir/front.sock");
  CHECK(all.routes.at(0).timeout.queue == 10min);
  CHECK(all.routes.at(0).timeout.connect == 3s);
  CHECK(all.routes.at(0).rewrite.request.set.at("X-Loaded-By") == "weir");
  CHECK(all.routes.at(1).async == async_mode::allow);
  CHECK(all.pools.at(0).settings.durable.bytes_max == 500ull << 30);
  CHECK(all.pools.at(1).workers.at(0).url.tls);
  CHECK(all.pools.at(1).settings.autoscale->min == 0);
  CHECK(all.pools.at(1).hooks.at(0).exec->command.at(1) == "slow");
}

TEST_CASE("a changed line is told with its number, its column and what was expected") {
  struct row {
    std::size_t number;
    std::string line, told;
  };
  const std::vector<row> rows{
      {2, "threads:  none",
       "2:11: threads: `none`, expected auto or a whole number from 1 to 1024"},
      {3, "state_dir:", "3:1: state_dir: nothing, expected a path"},
      {6, "    bind: 0.0.0.0",
       "6:11: listeners[0].bind: `0.0.0.0`, expected ADDRESS:PORT, [IPV6]:PORT (in quotes) or "
       "unix:/PATH"},
      {8, "      - 10.0.0.0/40",
       "8:9: listeners[0].trusted[0]: `10.0.0.0/40`, expected an address range such as 10.0.0.0/8"},
      {10, "  - name: front",
       "10:11: listeners[1].name: `front` is taken (line 5), expected one of its own"},
      {11, "    bind: 0.0.0.0:8080",
       "11:11: listeners[1].bind: `0.0.0.0:8080` is taken (line 6), expected one of its own"},
      {14, "  tokenfile: token",
       "14:3: unknown key `tokenfile` in admin, expected one of bind, token_file, did you mean "
       "token_file"},
      {17, "    path: load/orders",
       "17:11: routes[0].path: `load/orders`, expected an absolute path such as /load, without "
       "query"},
      {18, "    methods: [POST, put]",
       "18:21: routes[0].methods[1]: `put`, expected an HTTP method, did you mean PUT"},
      {19, "    pool: loader",
       "19:11: routes[0].pool: no pool `loader`, expected a name under pools, did you mean "
       "loaders"},
      {21, "      name: X-Tenant",
       "21:7: unknown key `name` in routes[0].tenant (it belongs in listeners[] or routes[]), "
       "expected one of header\n"
       "w.yaml:21:7: missing key `header` in routes[0].tenant, expected a header field name"},
      {25, "      queue: 10 min",
       "25:14: routes[0].timeout.queue: `10 min`, expected a duration from 0s to 7d, such as "
       "250ms, "
       "5s, 2m or 1h, did you mean 10m"},
      {28, "      attempts: 0",
       "28:17: routes[0].retry.attempts: `0` is out of range, expected a whole number from 1 to "
       "100"},
      {31, "        - busy",
       "31:11: routes[0].retry.busy_statuses[1]: `busy`, expected a whole number from 400 to 599"},
      {32, "    body_max: 2G",
       "32:15: routes[0].body_max: `2G`, expected a size from 0B to 1024TiB, such as 64KiB or "
       "1GiB, "
       "did you mean 2GiB"},
      {32, "    bodymax: 2GiB",
       "32:5: unknown key `bodymax` in routes[0], expected one of name, path, host, methods, "
       "headers, "
       "pool, tenant, cost, affinity, timeout, retry, on_client_gone, half_close, body_max, "
       "rewrite, async, async_retry, idempotency, callback, did "
       "you mean body_max"},
      {34, "      strip_prefix: /lo",
       "34:21: routes[0].rewrite.strip_prefix: no request of this route begins so, expected a part "
       "of "
       "its path `/load/orders`"},
      {37, "          Content-Length: 5",
       "37:11: routes[0].rewrite.request_headers.set.Content-Length: a field that weir writes "
       "itself, "
       "expected another"},
      {39, "          - Transfer-Encoding",
       "39:13: routes[0].rewrite.request_headers.remove: `Transfer-Encoding` is a field that weir "
       "writes itself, expected another"},
      {46, "      - id: w/1",
       "46:13: pools.loaders.workers[0].id: `w/1`, expected a name of letters, digits, '-', '_' "
       "and "
       "'.', at most 64"},
      {47, "        url: 10.0.0.1:9001",
       "47:14: pools.loaders.workers[0].url: `10.0.0.1:9001`, expected http://HOST:PORT, "
       "https://HOST:PORT or unix:/PATH, did you mean http://10.0.0.1:9001"},
      {49, "      - id: w1",
       "49:13: pools.loaders.workers[1].id: `w1` is taken (line 46), expected one of its own"},
      {51, "        slot: 4",
       "51:9: unknown key `slot` in pools.loaders.workers[1], expected one of id, url, slots, "
       "weight, "
       "managed, did you mean slots"},
      {54, "      interval: 2",
       "54:17: pools.loaders.health_check.interval: `2`, expected a duration from 10ms to 1h, such "
       "as "
       "250ms, 5s, 2m or 1h, did you mean 2s"},
      {54, "      fast_interval: 20s",
       "54:22: pools.loaders.health_check.fast_interval: 20s is more than interval (5s, the "
       "default), "
       "expected at most that"},
      {57, "      max_ejected: 0.34",
       "57:20: pools.loaders.ejection.max_ejected: `0.34`, expected a share from 0% to 100%, did "
       "you "
       "mean 34%"},
      {61, "        max_wait: 5m",
       "61:9: unknown key `max_wait` in pools.loaders.queue.durable (it belongs in "
       "pools.NAME.queue), expected one of max_batches, max_bytes, window"},
      {65, "        url: https://slow.example/load",
       "65:14: pools.slow.workers[0].url: `https://slow.example/load`, expected http://HOST:PORT, "
       "https://HOST:PORT or unix:/PATH"},
      {67, "      ca: missing.pem",
       "67:11: pools.slow.tls.ca: `missing.pem` cannot be read (No such file or directory), "
       "expected "
       "the path of a PEM file"},
      {69, "      min: 11",
       "70:12: pools.slow.autoscale.max: 10 is less than min (11), expected at least that"},
      {74, "              - scale",
       "74:17: pools.slow.autoscale.hooks[0].exec.command[0]: `scale`, expected an absolute path"},
  };
  for (const auto& r : rows) {
    INFO(r.line);
    CHECK(told_with(r.number, r.line) == "w.yaml:" + r.told + "\n");
  }
}

TEST_CASE("a line that breaks the blocks is told where it stands") {
  CHECK(told_with(13, "   bind: 127.0.0.1:9900\n  x: 1")
            .starts_with("w.yaml:14:3: not YAML: a line"));
  CHECK(told_with(13, "\tbind: 127.0.0.1:9900").starts_with("w.yaml:13:1: not YAML: a tab"));
  CHECK(told_with(6, "    bind: [::]:8080").starts_with("w.yaml:6:15: not YAML: a line"));
  CHECK(told_with(19, "    pool: loaders: x").starts_with("w.yaml:19:18: not YAML: a colon"));
}

TEST_CASE("taking out any one line never passes unseen when the line was needed") {
  for (const std::size_t needed :
       {4u, 5u, 6u, 12u, 15u, 16u, 19u, 21u, 41u, 43u, 44u, 46u, 47u, 65u}) {
    INFO(written.at(needed - 1));
    CHECK_FALSE(told_with(needed, "").empty());
  }
}

TEST_CASE("the ends of lines do not matter") {
  std::string crlf;
  for (const auto& line : written) crlf += line + "\r\n";
  CHECK(world().read(crlf).ok());
  auto open_end = joined(written);
  open_end.pop_back();
  CHECK(world().read(open_end).ok());
}
