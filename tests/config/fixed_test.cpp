#include "config/fixed.hpp"

#include <catch2/catch.hpp>
#include <string>

#include "config/support.hpp"

using namespace weir::config;
using test::parts;
using test::world;

namespace {

using texts = std::vector<std::string>;

settings with(const std::string& top) {
  parts p;
  p.top = top;
  world w;
  w.files["other"] = "another-token-0123456789\n";
  const auto got = w.read(p.text());
  INFO(p.text() << got.text());
  REQUIRE(got.ok());
  return got.settings;
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
      "threads: 2\naccess_log: {file: a}\nlimits: {relay_buffer_bytes: 64KiB, fields_max: 50}",
      "threads: 4\naccess_log: {file: b}\nlimits: {relay_buffer_bytes: 8KiB, fields_max: 60}");
  CHECK(s.threads == 2);
  CHECK(s.access_log.file == "a");
  CHECK(s.limits.relay_buffer_bytes == 64 * 1024);
  CHECK(s.limits.fields_max == 60);
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
