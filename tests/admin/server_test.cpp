#include "admin/server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>

#include "live_server.hpp"

using namespace weir;
using namespace weir::admin;
using namespace std::chrono_literals;

namespace {

const std::string host = "Host: 127.0.0.1\r\n";
const std::string get_live = "GET /livez HTTP/1.1\r\n" + host + "\r\n";

std::string post(const std::string& path, const std::string& body, const std::string& fields = "") {
  return "POST " + path + " HTTP/1.1\r\n" + host + "Content-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

class folder {
 public:
  folder() {
    std::string name = std::filesystem::temp_directory_path() / "weir-admin-XXXXXX";
    REQUIRE(::mkdtemp(name.data()) != nullptr);
    path_ = name;
  }
  ~folder() {
    std::error_code ec;
    std::filesystem::remove_all(path_, ec);
  }
  std::string file(const char* name) const { return path_ / name; }

 private:
  std::filesystem::path path_;
};

}  // namespace

TEST_CASE("answers carry their length, their date and what browsers must not do with them") {
  const live_server live(on_loopback());
  const auto r = ask(live.address(), get_live);
  CHECK(r.status == 200);
  CHECK(r.body == "ok\n");
  CHECK(r.field("Content-Length") == "3");
  CHECK(r.field("Date").size() == 29);
  CHECK(r.field("Cache-Control") == "no-store");
  CHECK(r.field("X-Content-Type-Options") == "nosniff");
  CHECK(r.field("Connection").empty());
  const auto page = ask(live.address(), "GET / HTTP/1.1\r\n" + host + "\r\n");
  CHECK(page.field("Content-Type") == "text/html; charset=utf-8");
  CHECK(page.field("Content-Security-Policy").find("default-src 'none'") == 0);
}

TEST_CASE("the address says the port that the kernel picked") {
  const live_server live(on_loopback());
  CHECK(live.address().find("127.0.0.1:") == 0);
  CHECK(live.address() != "127.0.0.1:0");
}

TEST_CASE("a connection serves one request after the other, pipelined ones too") {
  const live_server live(on_loopback());
  raw_client client(live.address());
  for (int i = 0; i < 3; ++i) {
    client.send(get_live);
    CHECK(client.read().status == 200);
  }
  client.send(get_live + post("/v1/pools/loaders/pause", "{}") + get_live);
  CHECK(client.read().body == "ok\n");
  CHECK(client.read().body == "{\"ok\":true}\n");
  CHECK(client.read().body == "ok\n");
}

TEST_CASE("HEAD gets the head alone, and the connection goes on") {
  const live_server live(on_loopback());
  raw_client client(live.address());
  client.send("HEAD /livez HTTP/1.1\r\n" + host + "\r\n");
  const auto r = client.read(true);
  CHECK(r.status == 200);
  CHECK(r.field("Content-Length") == "3");
  client.send(get_live);
  CHECK(client.read().body == "ok\n");
}

TEST_CASE("who asks for a close, or speaks 1.0, gets it") {
  const live_server live(on_loopback());
  for (const auto& request : {"GET /livez HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n",
                              std::string("GET /livez HTTP/1.0\r\n\r\n")}) {
    raw_client client(live.address());
    client.send(request);
    const auto r = client.read();
    CHECK(r.status == 200);
    CHECK(r.field("Connection") == "close");
    CHECK(client.at_end());
  }
}

TEST_CASE("bodies come with a length or in chunks, in pieces too") {
  live_server live(on_loopback());
  const std::string chunked =
      "POST /v1/plan HTTP/1.1\r\n" + host +
      "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
      "9\r\n{\"yaml\": \r\n5\r\n\"two\"\r\n1\r\n}\r\n0\r\n\r\n";
  raw_client client(live.address());
  client.send(post("/v1/plan", R"({"yaml": "one"})"));
  CHECK(client.read().status == 200);
  client.send(chunked.substr(0, 125));
  client.send(chunked.substr(125) + get_live);
  CHECK(client.read().status == 200);
  CHECK(client.read().body == "ok\n");
  live.stop();
  CHECK(live.back.changes == std::vector<std::string>{"plan one", "plan two"});
}

TEST_CASE("a client that expects 100 Continue is told to go on, once and only when it waits") {
  const live_server live(on_loopback());
  raw_client client(live.address());
  const std::string whole = post("/v1/plan", "{}", "Expect: 100-continue\r\n");
  client.send(whole.substr(0, whole.size() - 2));
  CHECK(client.read().status == 100);
  client.send("{}");
  CHECK(client.read().status == 200);
  client.send(whole);
  CHECK(client.read().status == 200);
}

TEST_CASE("a body over the limit gets 413, and the answer arrives though much is on its way") {
  auto o = on_loopback();
  o.body_bytes_max = 1000;
  live_server live(o);
  const std::string big(400000, 'x');
  CHECK(ask(live.address(), post("/v1/plan", big)).status == 413);
  CHECK(ask(live.address(), "POST /v1/plan HTTP/1.1\r\n" + host +
                                "Content-Type: application/json\r\n"
                                "Transfer-Encoding: chunked\r\n\r\n800\r\n" + big)
            .status == 413);
  live.stop();
  CHECK(live.back.changes.empty());
}

TEST_CASE("broken requests are refused and the connection ends") {
  struct row {
    std::string request;
    unsigned status;
  };
  const row rows[] = {
      {"nonsense\r\n\r\n", 400},
      {"GET /livez HTTP/1.1\r\n\r\n", 400},   // no Host
      {"GET /livez HTTP/1.1\r\n" + host + host + "\r\n", 400},
      {"POST /v1/reload HTTP/1.1\r\n" + host +
           "Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\n{}", 400},
      {"POST /v1/reload HTTP/1.1\r\n" + host + "Transfer-Encoding: gzip\r\n\r\n", 501},
      {"POST /v1/reload HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", 400},
      {"GET /livez HTTP/1.1\r\n" + host + "X: " + std::string(20000, 'x') + "\r\n\r\n", 431},
      {"GET /" + std::string(9000, 'x') + " HTTP/1.1\r\n" + host + "\r\n", 414},
  };
  live_server live(on_loopback());
  for (const auto& r : rows) {
    raw_client client(live.address());
    client.send(r.request + get_live);
    CAPTURE(r.request.substr(0, 80));
    const auto got = client.read();
    CHECK(got.status == r.status);
    CHECK(got.field("Content-Type") == "application/problem+json");
    CHECK(got.field("Connection") == "close");
    CHECK(client.at_end());
  }
  live.stop();
  CHECK(live.back.changes.empty());
}

TEST_CASE("a slow head or body gets 408, an idle connection just ends") {
  auto o = on_loopback();
  o.request_timeout = 40ms, o.idle_timeout = 40ms;
  const live_server live(o);
  for (const auto& begun : {std::string("GET /li"), post("/v1/plan", "{}").substr(0, 90)}) {
    raw_client client(live.address());
    client.send(begun);
    CHECK(client.read().status == 408);
    CHECK(client.at_end());
  }
  raw_client idle(live.address());
  CHECK(idle.at_end());
  raw_client kept(live.address());
  kept.send(get_live);
  CHECK(kept.read().status == 200);
  CHECK(kept.at_end());
}

TEST_CASE("connections beyond the limit are closed at once and counted") {
  auto o = on_loopback();
  o.connections_max = 2;
  live_server live(o);
  raw_client one(live.address()), two(live.address());
  one.send(get_live), two.send(get_live);
  CHECK(one.read().status == 200);
  CHECK(two.read().status == 200);
  raw_client three(live.address());
  CHECK(three.at_end());
  live.on_server([](server& s, fake_backend&) { CHECK(s.refused_connections() == 1); });
  // One that ends makes room; the server notices it before the next one is let in.
  one.send("GET /livez HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n");
  CHECK(one.read().status == 200);
  CHECK(one.at_end());
}

TEST_CASE("an answer may come later, and the connection waits for it") {
  live_server live(on_loopback());
  live.back.hold_answers = true;
  raw_client client(live.address());
  client.send(post("/v1/reload", "{}") + get_live);
  raw_client other(live.address());   // is served meanwhile
  other.send(get_live);
  CHECK(other.read().status == 200);
  bool sent = false;
  while (!sent)
    live.on_server([&](server&, fake_backend& b) {
      for (auto& tell : b.held) tell(change_report{"at last", {}}), sent = true;
      b.held.clear();
    });
  CHECK(client.read().body.find("at last") != std::string::npos);
  CHECK(client.read().body == "ok\n");
}

TEST_CASE("an answer that does not come in time is 504, and a late one is let go") {
  auto o = on_loopback();
  o.answer_timeout = 40ms;
  live_server live(o);
  live.back.hold_answers = true;
  raw_client client(live.address());
  client.send(post("/v1/reload", "{}"));
  CHECK(client.read().status == 504);
  live.on_server([](server&, fake_backend& b) {
    REQUIRE(b.held.size() == 1);
    b.held[0](change_report{"late", {}});
  });
  client.send(get_live);
  CHECK(client.read().body == "ok\n");
}

TEST_CASE("a server that closes while an answer is due cuts the connection and lets it go") {
  live_server live(on_loopback());
  live.back.hold_answers = true;
  raw_client client(live.address());
  client.send(post("/v1/reload", "{}"));
  bool asked = false;
  while (!asked) live.on_server([&](server&, fake_backend& b) { asked = !b.held.empty(); });
  live.on_server([](server& s, fake_backend& b) {
    s.close();
    b.held[0](change_report{"too late", {}});
  });
  CHECK(client.at_end());
}

TEST_CASE("close ends idle connections and frees the address") {
  live_server live(on_loopback());
  raw_client client(live.address());
  client.send(get_live);
  CHECK(client.read().status == 200);
  live.on_server([](server& s, fake_backend&) {
    s.close();
    s.close();
  });
  CHECK(client.at_end());
  live.stop();
  boost::asio::io_context context;
  fake_backend back;
  auto o = on_loopback();
  o.bind.port = static_cast<std::uint16_t>(
      std::stoul(live.address().substr(live.address().rfind(':') + 1)));
  CHECK(server::open(context, back, o).has_value());
}

TEST_CASE("a server that goes with connections in every state leaves nothing behind") {
  for (int round = 0; round < 20; ++round) {
    boost::asio::io_context context{1};
    fake_backend back;
    back.hold_answers = true;
    auto s = server::open(context, back, on_loopback());
    REQUIRE(s.has_value());
    raw_client idle((*s)->address()), partial((*s)->address()), waiting((*s)->address());
    partial.send("GET /li");
    waiting.send(post("/v1/reload", "{}"));
    while (back.held.empty()) context.run_one();
    if (round % 2 == 0) (*s)->close();
    for (int i = 0; i < round; ++i) context.poll_one();
    if (round % 3 == 0) s->reset();
    // The context, the server and the callbacks go in an order that differs from round to round.
  }
  SUCCEED();
}

TEST_CASE("a reload may change the token, and a bad allow-list changes nothing") {
  live_server live(on_loopback("old"));
  const auto pause = [&](const char* token) {
    return ask(live.address(), post("/v1/pools/loaders/pause", "",
                                    std::string("Authorization: Bearer ") + token + "\r\n"))
        .status;
  };
  CHECK(pause("old") == 200);
  live.on_server([](server& s, fake_backend&) {
    CHECK_FALSE(s.update("new", {"nonsense"}, 1min));
  });
  CHECK(pause("old") == 200);
  live.on_server([](server& s, fake_backend&) { CHECK(s.update("new", {}, 1min)); });
  CHECK(pause("old") == 401);
  CHECK(pause("new") == 200);
}

TEST_CASE("a unix socket is for its owner and group, and goes with the server") {
  const folder f;
  auto o = on_loopback();
  o.bind = {"", 0, f.file("admin.sock")};
  {
    const live_server live(o);
    CHECK(live.address() == "unix:" + f.file("admin.sock"));
    CHECK(ask(live.address(), get_live).status == 200);
    CHECK(ask(live.address(), post("/v1/pools/loaders/pause", "")).status == 200);
    const auto allowed = std::filesystem::status(f.file("admin.sock")).permissions();
    CHECK((allowed & std::filesystem::perms::others_all) == std::filesystem::perms::none);
  }
  CHECK_FALSE(std::filesystem::exists(f.file("admin.sock")));
}

TEST_CASE("a socket file that another server put there meanwhile stays") {
  const folder f;
  auto o = on_loopback();
  o.bind = {"", 0, f.file("admin.sock")};
  live_server first(o);
  std::filesystem::rename(f.file("admin.sock"), f.file("old.sock"));
  const live_server second(o);
  first.stop();
  CHECK(ask(second.address(), get_live).status == 200);
}

TEST_CASE("over IPv6 too, where the machine has it") {
  auto o = on_loopback();
  o.bind = {"::1", 0, {}};
  boost::asio::io_context context;
  fake_backend back;
  if (!server::open(context, back, o)) return;
  const live_server live(o);
  CHECK(live.address().find("[::1]:") == 0);
  CHECK(ask(live.address(), "GET /v1/pools HTTP/1.1\r\nHost: " + live.address() + "\r\n\r\n")
            .status == 200);
}

TEST_CASE("registration lets in whom its list allows and serves them alone") {
  auto o = on_loopback("t0ken");
  o.surface = surface::registration;
  o.allow = {"127.0.0.0/8"};
  live_server live(o);
  const std::string worker = R"({"id": "w9", "url": "http://127.0.0.1:9009"})";
  const auto r = ask(live.address(), post("/v1/pools/loaders/workers", worker,
                                          "Authorization: Bearer t0ken\r\n"));
  CHECK(r.status == 201);
  CHECK(r.field("Location") == "/v1/pools/loaders/workers/w9");
  CHECK(ask(live.address(), "GET /v1/status HTTP/1.1\r\n" + host + "\r\n").status == 404);
  live.on_server([](server& s, fake_backend&) { CHECK(s.update("t0ken", {"10.0.0.0/8"}, 1min)); });
  raw_client outsider(live.address());
  CHECK(outsider.at_end());
  live.stop();
  REQUIRE(live.back.registered.size() == 1);
  CHECK(live.back.registered[0].peer == "127.0.0.1");
}

TEST_CASE("an address in use, none of ours, or a bad range is said in words") {
  boost::asio::io_context context;
  fake_backend back;
  const auto first = server::open(context, back, on_loopback());
  REQUIRE(first.has_value());
  auto o = on_loopback();
  o.bind.port = static_cast<std::uint16_t>(
      std::stoul((*first)->address().substr((*first)->address().rfind(':') + 1)));
  const auto used = server::open(context, back, o);
  REQUIRE_FALSE(used.has_value());
  CHECK(used.error().find((*first)->address()) != std::string::npos);
  o.bind = {"192.0.2.1", 0, {}};
  CHECK_FALSE(server::open(context, back, o).has_value());
  o.bind = {"not-an-address", 0, {}};
  CHECK_FALSE(server::open(context, back, o).has_value());
  o = on_loopback();
  o.allow = {"ten"};
  const auto range = server::open(context, back, o);
  REQUIRE_FALSE(range.has_value());
  CHECK(range.error().find("10.0.0.0/8") != std::string::npos);
}
