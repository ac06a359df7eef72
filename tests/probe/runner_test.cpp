#include "probe/runner.hpp"

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <map>

#include "net/loopback_server.hpp"
#include "net/test_certificates.hpp"
#include "net/tls_client_context.hpp"

namespace {

using namespace weir;
using namespace std::chrono_literals;
using probe::outcome;
using probe::result;
using probe::runner;
using probe::subject;
using test::closed_port;
using test::loopback_server;
using test::response;
using test::run_until;
using test::seen_request;

subject worker(std::uint32_t n, std::uint64_t pool = 1) {
  return {pool, {n, 1}};
}

probe::target at(const net::socket_address& where) {
  probe::target t;
  t.peer.where = {where};
  t.host = "w.test";
  t.timeout = 30s;
  return t;
}

struct bench {
  explicit bench(std::size_t limit = runner::limit_default)
      : probes(std::make_unique<runner>(context, limit, [this](const subject& s, const outcome& o) {
          told[s].push_back(o);
          if (then) then(s);
        })) {}
  // The one outcome of a single probe.
  outcome of(const probe::target& t) {
    const subject who = worker(++last);
    REQUIRE(probes->start(who, t));
    CHECK(told.count(who) == 0);  // never from inside start()
    REQUIRE(run_until(context, [&] { return told.count(who) != 0; }));
    return told[who].at(0);
  }
  boost::asio::io_context context;
  std::map<subject, std::vector<outcome>> told;
  std::function<void(const subject&)> then;
  std::unique_ptr<runner> probes;
  std::uint32_t last = 1000;
};

// Says nothing, so that its probes run until they are cancelled or time out.
struct silent_server : loopback_server {
  explicit silent_server(boost::asio::io_context& context)
      : loopback_server(context, [](const seen_request&) { return std::nullopt; }) {}
};

}  // namespace

TEST_CASE("an HTTP probe tells what the worker answered") {
  bench b;
  unsigned status = 200;
  loopback_server server(b.context, [&](const seen_request&) {
    return response(status, "ok", "Weir-Agent: maxconn:8 drain\r\n");
  });
  const outcome good = b.of(at(server.address()));
  CHECK(good.good());
  CHECK(good.detail == "GET /healthz: 200");
  CHECK(good.agent.maxconn == 8u);
  CHECK(server.seen().front().method == "GET");
  CHECK(server.seen().front().fields.at("host") == "w.test");
  CHECK(server.seen().front().fields.at("connection") == "close");
  status = 503;
  const outcome bad = b.of(at(server.address()));
  CHECK(bad.what == result::bad_status);
  CHECK(bad.agent.wish == probe::agent_report::duty::drain);
  CHECK(b.probes->running() == 0);
}

TEST_CASE("a TCP probe sends nothing") {
  bench b;
  silent_server server(b.context);
  auto t = at(server.address());
  t.kind = core::probe_kind::tcp;
  CHECK(b.of(t).good());
  CHECK(server.seen().empty());
  const closed_port nobody(b.context);
  t.peer.where = {nobody.address()};
  CHECK(b.of(t).what == result::connect);
}

TEST_CASE("a probe that gets no answer tells why") {
  bench b;
  const closed_port nobody(b.context);
  CHECK(b.of(at(nobody.address())).what == result::connect);
  silent_server server(b.context);
  auto slow = at(server.address());
  slow.timeout = 20ms;
  const outcome late = b.of(slow);
  CHECK(late.what == result::timed_out);
  CHECK(late.detail.starts_with("timed out after 0.02 s"));
  loopback_server rude(b.context, [](const seen_request&) { return ""; });
  CHECK(b.of(at(rude.address())).what == result::broken);
}

TEST_CASE("a probe of an https worker verifies it") {
  bench b;
  const test::scratch_folder folder;
  const auto id = test::make_identity({"DNS:w.test", -3600, 3600, nullptr, true});
  const auto ca = folder.write("ca.pem", id.certificate_pem());
  loopback_server server(
      b.context, [](const seen_request&) { return response(200); }, test::server_context(id));
  auto t = at(server.address());
  t.peer.tls = *net::tls_client_context::make({ca, {}, {}, true});
  t.peer.server_name = "w.test";
  for (const auto kind : {core::probe_kind::http, core::probe_kind::tcp}) {
    t.kind = kind;
    t.peer.server_name = "w.test";
    CHECK(b.of(t).good());
    t.peer.server_name = "other.test";
    CHECK(b.of(t).what == result::tls);
  }
}

TEST_CASE("no more probes than the limit run at a time, and the rest follows in order") {
  bench b(2);
  std::vector<std::string> order;
  loopback_server server(b.context, [&](const seen_request& r) {
    order.push_back(r.target);
    return response(200);
  });
  for (std::uint32_t i = 0; i < 20; ++i) {
    auto t = at(server.address());
    t.path = "/" + std::to_string(i);
    REQUIRE(b.probes->start(worker(i), t));
    CHECK(b.probes->running() <= 2);
  }
  CHECK(b.probes->running() == 2);
  CHECK(b.probes->waiting() == 18);
  CHECK(b.probes->limit_hits() == 18);
  b.then = [&](const subject&) { CHECK(b.probes->running() <= 2); };
  REQUIRE(run_until(b.context, [&] { return b.told.size() == 20; }));
  for (std::size_t i = 0; i < order.size(); ++i) {  // two at a time: at most one place off
    const auto n = std::stol(order[i].substr(1));
    CHECK(std::abs(n - static_cast<long>(i)) <= 1);
  }
  CHECK(b.probes->running() == 0);
  CHECK(b.probes->waiting() == 0);
}

TEST_CASE("a worker has one probe at a time, waiting or running") {
  bench b(1);
  loopback_server server(b.context, [](const seen_request&) { return response(200); });
  CHECK(b.probes->start(worker(1), at(server.address())));
  CHECK(!b.probes->start(worker(1), at(server.address())));
  CHECK(b.probes->start(worker(1, 2), at(server.address())));  // another pool's
  CHECK(!b.probes->start(worker(1, 2), at(server.address())));
  REQUIRE(run_until(b.context, [&] { return b.told.size() == 2; }));
  CHECK(server.seen().size() == 2);
  CHECK(b.probes->start(worker(1), at(server.address())));
}

TEST_CASE("a cancelled probe is never told, running or waiting") {
  bench b(1);
  silent_server silent(b.context);
  loopback_server server(b.context, [](const seen_request&) { return response(200); });
  REQUIRE(b.probes->start(worker(1), at(silent.address())));
  REQUIRE(b.probes->start(worker(2), at(server.address())));
  REQUIRE(b.probes->start(worker(3), at(server.address())));
  REQUIRE(run_until(b.context, [&] { return silent.seen().size() == 1; }));
  b.probes->cancel(worker(2));
  CHECK(b.probes->waiting() == 1);
  b.probes->cancel(worker(1));
  b.probes->cancel(worker(9));      // nothing to cancel is fine
  CHECK(b.probes->running() == 1);  // until its connection is closed
  REQUIRE(run_until(b.context, [&] { return b.told.count(worker(3)) == 1; }));
  CHECK(b.told.size() == 1);
  CHECK(server.seen().size() == 1);
  CHECK(b.probes->running() == 0);
}

TEST_CASE("a worker probed anew after a cancel hears only of the new probe") {
  bench b;
  silent_server silent(b.context);
  loopback_server server(b.context, [](const seen_request&) { return response(204); });
  REQUIRE(b.probes->start(worker(1), at(silent.address())));
  REQUIRE(run_until(b.context, [&] { return silent.seen().size() == 1; }));
  b.probes->cancel(worker(1));
  REQUIRE(b.probes->start(worker(1), at(server.address())));
  REQUIRE(run_until(b.context, [&] { return b.probes->running() == 0; }));
  REQUIRE(b.told[worker(1)].size() == 1);
  CHECK(b.told[worker(1)][0].detail == "GET /healthz: 204");
}

TEST_CASE("a pool that goes takes its probes along and leaves the others'") {
  bench b(2);
  silent_server silent(b.context);
  loopback_server server(b.context, [](const seen_request&) { return response(200); });
  for (std::uint32_t i = 0; i < 4; ++i)
    REQUIRE(b.probes->start(worker(i, 2), at(silent.address())));
  for (std::uint64_t pool : {1, 3}) REQUIRE(b.probes->start(worker(0, pool), at(server.address())));
  b.probes->cancel_pool(2);
  REQUIRE(run_until(b.context, [&] { return b.told.size() == 2 && b.probes->running() == 0; }));
  CHECK(b.told.count(worker(0, 1)) == 1);
  CHECK(b.told.count(worker(0, 3)) == 1);
}

TEST_CASE("a callback may start and cancel probes, or end the runner") {
  bench b(1);
  loopback_server server(b.context, [](const seen_request&) { return response(200); });
  SECTION("start and cancel") {
    int rounds = 0;
    b.then = [&](const subject& s) {
      b.probes->cancel(worker(7));
      if (++rounds < 5) CHECK(b.probes->start(s, at(server.address())));
    };
    b.probes->start(worker(1), at(server.address()));
    b.probes->start(worker(7), at(server.address()));
    REQUIRE(run_until(b.context, [&] { return rounds == 5; }));
    CHECK(b.told.count(worker(7)) == 0);
  }
  SECTION("end the runner") {
    b.then = [&](const subject&) { b.probes.reset(); };
    b.probes->start(worker(1), at(server.address()));
    b.probes->start(worker(2), at(server.address()));
    REQUIRE(run_until(b.context, [&] { return !b.probes; }));
    b.context.restart();
    b.context.poll();
    CHECK(b.told.size() == 1);
  }
}

TEST_CASE("a runner that goes cancels everything quietly") {
  bench b;
  silent_server silent(b.context);
  for (std::uint32_t i = 0; i < 5; ++i) b.probes->start(worker(i), at(silent.address()));
  REQUIRE(run_until(b.context, [&] { return silent.seen().size() == 5; }));
  b.probes.reset();
  b.context.restart();
  b.context.poll();
  CHECK(b.told.empty());
}
