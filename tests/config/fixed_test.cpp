#include "config/fixed.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "config/support.hpp"

using namespace weir::config;
using namespace std::chrono_literals;
using test::parts;
using test::world;

namespace {

using texts = std::vector<std::string>;

settings read(const parts& p) {
  world w;
  w.files["other"] = "another-token-0123456789\n";
  const auto got = w.read(p.text());
  INFO(p.text() << got.text());
  REQUIRE(got.ok());
  return got.settings;
}

settings with(const std::string& top) {
  return read(parts{.top = top});
}

settings with_routes(const std::string& top, const std::string& routes) {
  return read(parts{.top = top, .routes = "routes: [" + routes + "]"});
}

settings kept(const std::string& running, const std::string& wanted) {
  auto s = with(wanted);
  keep_fixed(with(running), s);
  return s;
}

const std::string open_admin = "admin: {bind: \"0.0.0.0:9900\", token_file: token}";
const std::string open_registration =
    "registration: {bind: \"0.0.0.0:9902\", token_file: token, allow: [10.0.0.0/8]}";

}  // namespace

TEST_CASE("what needs a restart stays as it runs, the rest is taken") {
  const auto s = kept(
      "threads: 2\nstate_dir: ./a\naccess_log: {file: a}\n"
      "limits: {relay_buffer_bytes: 64KiB, relay_pipes_max: 5, fields_max: 50}",
      "threads: 4\nstate_dir: ./b\naccess_log: {file: b}\n"
      "limits: {relay_buffer_bytes: 8KiB, relay_pipes_max: 6, fields_max: 60}");
  CHECK(s.threads == 2);
  CHECK(s.state_dir == "./a");
  CHECK(s.access_log.file == "a");
  CHECK(s.limits.relay_buffer_bytes == 64 * 1024);
  CHECK(s.limits.relay_pipes_max == 5);
  CHECK(s.limits.fields_max == 60);
}

TEST_CASE("what is kept, for how long, and where copies go is taken at once") {
  const std::string before =
      "state_dir: ./a\nretention: {results: 1h}\nlimits: {result_bytes_max: 1KiB}\n";
  const auto s = kept(before + "backup: {dir: one}",
                      "state_dir: ./a\nretention: {keys: 2h}\nlimits: {inline_bytes_max: 2KiB}\n"
                      "backup: {dir: two, keep: 3}");
  CHECK(s.retention == retention{24h, 10ull << 30, 30 * 24h, 2h});
  CHECK(s.limits.inline_bytes_max == 2 * 1024);
  CHECK(s.limits.result_bytes_max == 1ull << 30);
  CHECK(s.backup == backup{"two", 24h, 3});
  CHECK_FALSE(kept(before + "backup: {dir: one}", before).backup);
  CHECK(kept(before, before + "backup: {dir: one}").backup == backup{"one", 24h, 7});
}

TEST_CASE("what a route says of durable batches and keys is taken at once") {
  const auto running = with_routes("state_dir: ./a", "{name: all, pool: loaders, async: allow}");
  auto wanted = with_routes("state_dir: ./a",
                            "{name: all, pool: loaders, async: always, async_retry: {attempts: 2}, "
                            "idempotency: {on_running: wait}, callback: {allow: [\"http://h\"]}}");
  const auto read = wanted.routes.front();
  keep_fixed(running, wanted);
  const auto& s = wanted.routes.front();
  CHECK(s.async == async_mode::always);
  CHECK(s.async_retry == async_retry{2, 1s, 5min});
  CHECK(s.idempotency == read.idempotency);
  CHECK(s.idempotency.on_running == running_key_action::wait);
  CHECK(s.callback == read.callback);
  CHECK(s.callback.allow == texts{"http://h"});
}

TEST_CASE("no route takes durable batches before the state_dir that they need is in use") {
  const auto running = with_routes(
      "threads: 1", "{name: a, path: /a, pool: loaders, async: allow}, {name: b, pool: loaders}");
  auto wanted = with_routes("state_dir: ./a",
                            "{name: new, path: /n, pool: loaders, async: always}, "
                            "{name: a, path: /a, pool: loaders, async: always}, "
                            "{name: b, pool: loaders, async: always}");
  CHECK(keeps_async(running, wanted));
  keep_fixed(running, wanted);
  CHECK(wanted.state_dir.empty());
  CHECK(wanted.routes[0].async == async_mode::never);
  CHECK(wanted.routes[1].async == async_mode::allow);
  CHECK(wanted.routes[2].async == async_mode::never);
}

TEST_CASE("a state_dir that is to go, or another one, holds no route back") {
  const auto running = with_routes("state_dir: ./a", "{name: all, pool: loaders, async: always}");
  for (const char* top : {"threads: 1", "state_dir: ./b"}) {
    auto wanted = with_routes(top, "{name: all, pool: loaders, async: never}");
    keep_fixed(running, wanted);
    CHECK(wanted.state_dir == "./a");
    CHECK(wanted.routes.front().async == async_mode::never);
  }
}

TEST_CASE("an admin surface keeps its token as long as it keeps its bind") {
  struct row {
    const char* what;
    std::string running, wanted, bind, token;
  };
  const row rows[] = {
      {"a bind on this machine needs no token, the open one that stays does", open_admin,
       "admin: {bind: \"127.0.0.1:9900\"}", "0.0.0.0:9900", "let-me-in-0123456789"},
      {"no admin section at all", open_admin, "threads: 1", "0.0.0.0:9900",
       "let-me-in-0123456789"},
      {"a renewed token is taken, whatever the bind", open_admin,
       "admin: {bind: \"127.0.0.1:9900\", token_file: other}", "0.0.0.0:9900",
       "another-token-0123456789"},
      {"same bind, renewed token", open_admin,
       "admin: {bind: \"0.0.0.0:9900\", token_file: other}", "0.0.0.0:9900",
       "another-token-0123456789"},
      {"a token may go where none is needed", "admin: {token_file: token}", "admin: {}",
       "127.0.0.1:9900", ""},
      {"a local surface may be given one", "admin: {}",
       "admin: {bind: \"0.0.0.0:9900\", token_file: token}", "127.0.0.1:9900",
       "let-me-in-0123456789"},
  };
  for (const row& r : rows) {
    INFO(r.what);
    const auto s = kept(r.running, r.wanted);
    CHECK(to_string(s.admin.bind) == r.bind);
    CHECK(s.admin.token == r.token);
    CHECK(s.admin.token.empty() == s.admin.token_file.empty());
  }
}

TEST_CASE("a token that was kept stays kept in the reloads after") {
  const auto running = with(open_admin);
  auto first = with("admin: {bind: \"127.0.0.1:9900\"}"), second = first;
  keep_fixed(running, first);
  keep_fixed(first, second);
  CHECK(second.admin == running.admin);
}

TEST_CASE("a registration surface keeps its allow-list as long as it keeps its bind") {
  struct row {
    const char* what;
    std::string running, wanted;
    texts allow;
    std::string token;
  };
  const row rows[] = {
      {"wider ranges are for the new bind", open_registration,
       "registration: {bind: \"127.0.0.1:9902\", token_file: other, allow: [0.0.0.0/0]}",
       {"10.0.0.0/8"},
       "another-token-0123456789"},
      {"same bind", open_registration,
       "registration: {bind: \"0.0.0.0:9902\", token_file: token, allow: [127.0.0.0/8]}",
       {"127.0.0.0/8"},
       "let-me-in-0123456789"},
      {"a section that is to go", open_registration, "threads: 1", {"10.0.0.0/8"},
       "let-me-in-0123456789"},
  };
  for (const row& r : rows) {
    INFO(r.what);
    const auto s = kept(r.running, r.wanted);
    REQUIRE(s.registration);
    CHECK(to_string(s.registration->bind) == "0.0.0.0:9902");
    CHECK(s.registration->allow == r.allow);
    CHECK(s.registration->token == r.token);
  }
}

TEST_CASE("a registration surface that is new opens at the next start") {
  CHECK_FALSE(kept("threads: 1", open_registration).registration);
}
