#include "admin/registration.hpp"

#include <catch2/catch.hpp>

#include "base/random.hpp"

using namespace weir;
using namespace weir::admin;
using namespace std::chrono_literals;

namespace {

answer<register_request> read(std::string_view body, const address_guard* guard = nullptr,
                              std::string_view peer = "10.0.0.9") {
  return read_registration(body, "loaders", peer, {guard, 5min});
}

}  // namespace

TEST_CASE("a registration is read with its defaults") {
  const auto r = read(R"({"id": "w-1", "url": "http://10.0.0.9:9001"})");
  REQUIRE(r.has_value());
  CHECK(r->pool == "loaders");
  CHECK(r->id == "w-1");
  CHECK(to_string(r->url) == "http://10.0.0.9:9001");
  CHECK(r->slots == 1);
  CHECK(r->weight == 1);
  CHECK(r->ttl == base::duration(30s));
  CHECK(r->peer == "10.0.0.9");
}

TEST_CASE("every member is taken, and a longer ttl than allowed becomes the longest") {
  const auto r = read(R"({"id": "w", "url": "https://worker.example/", "slots": 8, "weight": 1.5,
                          "ttl": "1h"})");
  REQUIRE(r.has_value());
  CHECK(r->url.tls);
  CHECK(r->url.host == "worker.example");
  CHECK(r->url.port == 443);
  CHECK(r->slots == 8);
  CHECK(r->weight == 1.5);
  CHECK(r->ttl == base::duration(5min));
}

TEST_CASE("a worker that moved shows the secret of the lease that it had") {
  const std::string start = R"({"id": "w", "url": "http://10.0.0.9", "secret": )";
  CHECK(read(start + "\"s3cret\"}")->secret == "s3cret");
  for (const char* wrong : {"null}", "7}", "[]}"}) {
    const auto got = read(start + wrong);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().detail.find("secret: expected") == 0);
  }
}

TEST_CASE("a ttl is a duration or a number of seconds") {
  struct row {
    const char* json;
    base::duration ttl;   // zero: refused
  };
  const row rows[] = {
      {"\"30s\"", 30s},   {"\"1500ms\"", 1500ms}, {"\"2m\"", 2min},   {"\"0.05h\"", {}},
      {"45", 45s},        {"1.5", 1500ms},        {"\"999ms\"", {}},  {"0", {}},
      {"-5", {}},         {"\"\"", {}},           {"\"s\"", {}},      {"\"5\"", {}},
      {"\"5 s\"", {}},    {"\"1d\"", 5min},         {"\"nans\"", {}},   {"\"infs\"", {}},
      {"null", {}},       {"true", {}},           {"[30]", {}},
  };
  for (const auto& r : rows) {
    const auto got = read(R"({"id": "w", "url": "http://10.0.0.9", "ttl": )" +
                          std::string(r.json) + "}");
    CAPTURE(r.json);
    CHECK(got.has_value() == (r.ttl > base::duration::zero()));
    if (got) CHECK(got->ttl == r.ttl);
  }
}

TEST_CASE("mistakes are named with the member they are in") {
  struct row {
    const char *body, *detail;
  };
  const row rows[] = {
      {"", "expected a JSON object"},
      {"[]", "expected a JSON object"},
      {"{", "expected a JSON object"},
      {R"({"url": "http://a"})", "id: is missing"},
      {R"({"id": "w"})", "url: is missing"},
      {R"({"id": "", "url": "http://a"})", "id: expected"},
      {R"({"id": "a/b", "url": "http://a"})", "id: expected"},
      {R"({"id": 7, "url": "http://a"})", "id: expected"},
      {R"({"id": "w", "url": "ftp://a"})", "url: expected"},
      {R"({"id": "w", "url": "http://a/path"})", "url: expected"},
      {R"({"id": "w", "url": "http://user@a"})", "url: expected"},
      {R"({"id": "w", "url": "unix:/run/w.sock"})", "url: expected"},
      {R"({"id": "w", "url": 5})", "url: expected"},
      {R"({"id": "w", "url": "http://0x7f.1"})", "url: expected"},
      {R"({"id": "w", "url": "http://worker.0x10"})", "url: expected"},
      {R"({"id": "w", "url": "http://2130706433"})", "url: expected"},
      {R"({"id": "w", "url": "http://a.127."})", "url: expected"},
      {R"({"id": "w", "url": "http://a", "slots": 0})", "slots: expected"},
      {R"({"id": "w", "url": "http://a", "slots": 65537})", "slots: expected"},
      {R"({"id": "w", "url": "http://a", "slots": 1.5})", "slots: expected"},
      {R"({"id": "w", "url": "http://a", "slots": "4"})", "slots: expected"},
      {R"({"id": "w", "url": "http://a", "weight": 0})", "weight: expected"},
      {R"({"id": "w", "url": "http://a", "weight": 0.0009})", "weight: expected"},
      {R"({"id": "w", "url": "http://a", "weight": 1001})", "weight: expected"},
      {R"({"id": "w", "url": "http://a", "ttl": "soon"})", "ttl: expected"},
      {R"({"id": "w", "url": "http://a", "colour": "red"})", "colour: not known"},
  };
  for (const auto& r : rows) {
    const auto got = read(r.body);
    CAPTURE(r.body);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().what == failure::kind::invalid);
    CHECK(got.error().detail.find(r.detail) == 0);
  }
}

TEST_CASE("special addresses are forbidden on every surface") {
  for (const char* url : {"http://169.254.169.254", "http://[fe80::1]:80", "http://0.0.0.0:9001",
                          "http://[::ffff:169.254.169.254]", "http://100.100.100.200",
                          "http://[fd00:ec2::254]", "http://224.1.1.1", "http://[::]:1"}) {
    const auto got = read(R"({"id": "w", "url": ")" + std::string(url) + "\"}");
    CAPTURE(url);
    REQUIRE_FALSE(got.has_value());
    CHECK(got.error().what == failure::kind::forbidden);
  }
}

TEST_CASE("the registration surface holds addresses to its list and leaves names to the backend") {
  const auto guard = address_guard::make({"10.0.0.0/8"});
  REQUIRE(guard.has_value());
  CHECK(read(R"({"id": "w", "url": "http://10.5.5.5"})", &*guard).has_value());
  CHECK(read(R"({"id": "w", "url": "http://worker.example"})", &*guard).has_value());
  const auto outside = read(R"({"id": "w", "url": "http://172.16.0.1"})", &*guard);
  REQUIRE_FALSE(outside.has_value());
  CHECK(outside.error().what == failure::kind::forbidden);
  CHECK(read(R"({"id": "w", "url": "http://172.16.0.1"})", nullptr).has_value());
}

TEST_CASE("no body breaks the reader, and what it takes keeps the rules") {
  base::random random(2026);
  const std::string good =
      R"({"id": "w-1", "url": "http://10.0.0.9:9001", "slots": 8, "ttl": "30s"})";
  int taken = 0;
  for (int i = 0; i < 20000; ++i) {
    std::string body = good;
    for (std::uint32_t n = 1 + random.below(3); n > 0; --n) {
      const std::size_t at = random.below(static_cast<std::uint32_t>(body.size()));
      const auto byte = static_cast<char>(random.below(4) ? 0x20 + random.below(95)
                                                          : random.below(256));
      if (random.below(3) == 0)
        body.erase(at, 1 + random.below(5));
      else
        body[at] = byte;
    }
    const auto r = read(body);
    if (!r) continue;
    ++taken;
    const bool sound = !r->id.empty() && r->id.size() <= 64 && r->slots >= 1 && r->ttl >= 1s &&
                       r->ttl <= 5min && !r->url.host.empty() && r->url.port != 0 &&
                       !is_refused_address(r->url.host);
    if (!sound) FAIL(body);
  }
  CHECK(taken > 100);
}
