#include "scale/webhook.hpp"

#include <catch2/catch.hpp>

#include "net/test_certificates.hpp"
#include "scale/scale_bench.hpp"
#include "scale/standard_webhooks.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using net::fetch_failure;
using net::fetch_result;
using scale::judge_webhook;
using scale::parse_webhook_url;
using test::closed_port;
using test::hook_bench;
using test::loopback_server;
using test::response;
using test::run_until;
using test::seen_request;
using test::webhook;
using test::webhook_to;
using kind = scale::attempt_result::kind;

}  // namespace

TEST_CASE("a webhook's URL is taken apart into its origin and target") {
  struct row {
    std::string url;
    bool tls;
    std::string host;
    std::uint16_t port;
    std::string target;
  };
  const row rows[] = {
      {"https://scaler.example/weir", true, "scaler.example", 443, "/weir"},
      {"http://scaler.example", false, "scaler.example", 80, "/"},
      {"http://10.0.0.1:8080/a/b?c=d&e", false, "10.0.0.1", 8080, "/a/b?c=d&e"},
      {"https://[2001:db8::1]:8443/", true, "2001:db8::1", 8443, "/"},
      {"http://scaler.example?token=1", false, "scaler.example", 80, "/?token=1"},
  };
  for (const row& r : rows) {
    CAPTURE(r.url);
    const auto place = parse_webhook_url(r.url);
    REQUIRE(place);
    CHECK(place->origin == config::url{r.tls, r.host, r.port, {}});
    CHECK(place->target == r.target);
  }
  for (const std::string bad :
       {"", "scaler.example", "ftp://a/", "http://", "http://a b/", "http://user@a/", "http://a/#b",
        "http://a:0/", "http://a:99999/", "unix:/run/x"}) {
    CAPTURE(bad);
    CHECK(!parse_webhook_url(bad));
  }
}

TEST_CASE("a webhook request carries the headers of Standard Webhooks") {
  auto m = test::some_message(7);
  const auto place = *parse_webhook_url("https://scaler.example:8443/weir?x=1");
  const auto r = scale::make_webhook(place, "secret", m, 1614265330);
  CHECK(r.method == "POST");
  CHECK(r.target == "/weir?x=1");
  CHECK(r.host == "scaler.example:8443");
  CHECK(r.body == m.body);
  const std::string signature =
      "v1," + test::base64(test::hmac("secret", "msg_7.1614265330." + m.body));
  CHECK(r.fields ==
        std::vector<std::pair<std::string, std::string>>{{"Content-Type", "application/json"},
                                                         {"webhook-id", "msg_7"},
                                                         {"webhook-timestamp", "1614265330"},
                                                         {"webhook-signature", signature}});
  CHECK(scale::make_webhook(place, "", m, 1).fields.size() == 3);  // no secret: unsigned
}

TEST_CASE("the Host field leaves the scheme's own port out and brackets IPv6") {
  const std::pair<std::string, std::string> rows[] = {
      {"https://a.test/", "a.test"},       {"https://a.test:443/", "a.test"},
      {"https://a.test:80/", "a.test:80"}, {"http://a.test:80/", "a.test"},
      {"http://[::1]/", "[::1]"},          {"http://[::1]:8080/", "[::1]:8080"}};
  for (const auto& [url, host] : rows)
    CHECK(scale::make_webhook(*parse_webhook_url(url), "", {}, 1).host == host);
}

TEST_CASE("an address that may not be called is not connected to") {
  test::hook_bench b;
  test::loopback_server peer(b.context, [](const test::seen_request&) {
    return test::response(204);
  });
  std::vector<std::string> asked;
  b.tools.may_call = [&](std::string_view address) {
    asked.emplace_back(address);
    return asked.size() > 1;
  };
  const auto refused = b.run(test::webhook_to(peer));
  CHECK(refused.what == kind::failed);
  CHECK(refused.detail == "leads to no address that may be called");
  CHECK(peer.seen().empty());
  CHECK(b.run(test::webhook_to(peer)).what == kind::delivered);   // asked anew for each attempt
  CHECK(asked == std::vector<std::string>{"127.0.0.1", "127.0.0.1"});
}

TEST_CASE("an answer means delivered, again, or no more") {
  struct row {
    unsigned status;
    kind what;
  };
  const row rows[] = {{200, kind::delivered}, {202, kind::delivered}, {204, kind::delivered},
                      {299, kind::delivered}, {301, kind::failed},    {304, kind::failed},
                      {400, kind::failed},    {401, kind::failed},    {404, kind::failed},
                      {408, kind::failed},    {409, kind::failed},    {410, kind::gone},
                      {425, kind::failed},    {429, kind::failed},    {500, kind::failed},
                      {502, kind::failed},    {503, kind::failed},    {504, kind::failed}};
  for (const row& r : rows) {
    CAPTURE(r.status);
    const auto result = judge_webhook({fetch_failure::none, {}, r.status, {}, {}}, 0);
    CHECK(result.what == r.what);
    CHECK(result.detail.starts_with("answered " + std::to_string(r.status)));
  }
}

TEST_CASE("a status counts even when its body breaks off or is too large") {
  CHECK(judge_webhook({fetch_failure::broken, "closed", 200, {}, {}}, 0).what == kind::delivered);
  CHECK(judge_webhook({fetch_failure::too_large, "x", 204, {}, {}}, 0).what == kind::delivered);
  CHECK(judge_webhook({fetch_failure::timed_out, "x", 500, {}, {}}, 0).what == kind::failed);
}

TEST_CASE("no answer is a failure with its reason") {
  const auto r = judge_webhook({fetch_failure::connect, "connecting: refused", 0, {}, {}}, 0);
  CHECK(r.what == kind::failed);
  CHECK(r.detail == "connecting: refused");
}

TEST_CASE("Retry-After comes along in seconds or as a date") {
  const auto wait = [](const std::string& value) {
    return judge_webhook({fetch_failure::none, {}, 503, {{"retry-after", value}}, {}}, 784111777000)
        .retry_after;
  };
  CHECK(wait("120") == 120s);
  CHECK(wait("Sun, 06 Nov 1994 08:50:37 GMT") == 60s);
  CHECK(wait("Sun, 06 Nov 1994 08:48:37 GMT") == 0s);
  CHECK(wait("soon") == 0s);
  CHECK(wait("") == 0s);
}

TEST_CASE("a webhook is posted and its signature holds for the receiver") {
  hook_bench b;
  loopback_server server(b.context, [](const seen_request&) { return response(204); });
  const std::string secret = test::from_base64("MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
  const auto m = test::some_message();
  const auto r = b.run(webhook_to(server, secret), m);
  CHECK(r.what == kind::delivered);
  REQUIRE(server.seen().size() == 1);
  const seen_request& seen = server.seen().front();
  CHECK(seen.method == "POST");
  CHECK(seen.target == "/hook?key=1");
  CHECK(seen.body == m.body);
  CHECK(seen.fields.at("content-type") == "application/json");
  CHECK(test::verified(seen, secret));
  CHECK(!test::verified(seen, secret + "x"));
}

TEST_CASE("a hook may name its receiver") {
  hook_bench b;
  loopback_server server(b.context, [](const seen_request&) { return response(200); });
  net::resolver::lookup asked = [&](const std::string& host, net::resolver::answered tell) {
    net::lookup_answer answer = "cannot resolve " + host;
    if (host == "scaler.test") answer = net::addresses{*base::parse_ip("127.0.0.1")};
    boost::asio::post(b.context, [tell, answer] { tell(answer); });
  };
  net::resolver names(b.context, asked);
  hook_bench with_names;
  scale::attempt_tools tools{b.context, names, nullptr, 20ms};
  const auto attempt_at = [&](const std::string& host) {
    std::optional<scale::attempt_result> out;
    const auto under_way = scale::begin_attempt(
        tools, webhook("http://" + host + ":" + std::to_string(server.port()) + "/"),
        test::some_message(), [&](scale::attempt_result r) { out = std::move(r); });
    REQUIRE(run_until(b.context, [&] { return out.has_value(); }));
    return *out;
  };
  CHECK(attempt_at("scaler.test").what == kind::delivered);
  CHECK(server.seen().at(0).fields.at("host") == "scaler.test:" + std::to_string(server.port()));
  const auto unknown = attempt_at("other.test");
  CHECK(unknown.what == kind::failed);
  CHECK(unknown.detail == "cannot resolve other.test");
}

TEST_CASE("a receiver that is down, silent or strange is tried again") {
  hook_bench b;
  const closed_port nobody(b.context);
  const auto refused = b.run(webhook("http://127.0.0.1:" + std::to_string(nobody.port()) + "/"));
  CHECK(refused.what == kind::failed);
  CHECK(refused.detail.find("Connection refused") != std::string::npos);
  loopback_server silent(b.context, [](const seen_request&) { return std::nullopt; });
  auto hook = webhook_to(silent);
  hook.webhook->timeout = 20ms;
  CHECK(b.run(hook).detail.starts_with("timed out after "));
  const auto malformed = b.run(webhook("gopher://nowhere"));
  CHECK(malformed.what == kind::gone);  // no retry will mend it
}

TEST_CASE("https receivers are verified before they get a byte") {
  hook_bench b;
  const test::scratch_folder folder;
  const auto id = test::make_identity({"IP:127.0.0.1", -3600, 3600, nullptr, true});
  const auto ca = folder.write("ca.pem", id.certificate_pem());
  loopback_server server(
      b.context, [](const seen_request&) { return response(200); }, test::server_context(id));
  const auto hook = webhook("https://127.0.0.1:" + std::to_string(server.port()) + "/");
  const auto strange = b.run(hook);
  CHECK(strange.what == kind::failed);
  CHECK(strange.detail.find("certificate refused: self-signed certificate") != std::string::npos);
  CHECK(server.seen().empty());
  b.tools.tls = *net::tls_client_context::make({ca, {}, {}, true});
  CHECK(b.run(hook).what == kind::delivered);
}

TEST_CASE("a webhook attempt that is dropped is never told") {
  hook_bench b;
  loopback_server silent(b.context, [](const seen_request&) { return std::nullopt; });
  const auto never = [](const scale::attempt_result&) { FAIL("told after it was dropped"); };
  auto under_way = scale::begin_attempt(b.tools, webhook_to(silent), test::some_message(), never);
  SECTION("before it looked the name up") {}
  SECTION("while it waits for the answer") {
    REQUIRE(run_until(b.context, [&] { return silent.seen().size() == 1; }));
  }
  SECTION("before it was found to be no URL") {
    under_way = scale::begin_attempt(b.tools, webhook("x"), test::some_message(), never);
  }
  under_way.reset();
  b.context.restart();
  b.context.poll();
}

TEST_CASE("hooks are shown without what may be a key") {
  CHECK(scale::label(webhook("https://scaler.example:8443/T0K3N?key=1")) ==
        "webhook https://scaler.example:8443");
  CHECK(scale::label(test::shell("echo secret")) == "exec /bin/sh");
}
