#include "admin/server.hpp"

#include <sys/stat.h>
#include <unistd.h>

#include <boost/asio/io_context.hpp>
#include <atomic>
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <thread>
#include <vector>

#include "live_server.hpp"
#include "requests.hpp"

using namespace weir;
using namespace weir::admin;
using namespace std::chrono_literals;

namespace {

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

TEST_CASE("the address says the port that the kernel picked") {
  const live_server live(on_loopback());
  CHECK(live.address().find("127.0.0.1:") == 0);
  CHECK(live.address() != "127.0.0.1:0");
}

TEST_CASE("at the limit the connection that waited longest for a request makes room") {
  auto o = on_loopback();
  o.connections_max = 2;
  live_server live(o);
  raw_client one(live.address());
  one.send(get_live);
  CHECK(one.read().status == 200);
  raw_client two(live.address());
  two.send(get_live);
  CHECK(two.read().status == 200);
  raw_client three(live.address());
  three.send(get_live);
  CHECK(three.read().status == 200);
  CHECK(one.at_end());
  two.send(get_live);
  CHECK(two.read().status == 200);
  live.on_server([](server& s, fake_backend&) {
    CHECK(s.refused_connections() == 1);
    CHECK(s.connections() == 2);
  });
}

TEST_CASE("half a request holds no place against a new connection") {
  auto o = on_loopback();
  o.connections_max = 1;
  live_server live(o);
  raw_client half(live.address());
  half.send("GET /livez HTTP/1.1\r\nHost: ");
  raw_client whole(live.address());
  whole.send(get_live);
  CHECK(whole.read().status == 200);
}

TEST_CASE("who has a request under way keeps its place: a new connection is closed and counted") {
  auto o = on_loopback();
  o.connections_max = 1;
  live_server live(o);
  live.back.hold_answers = true;
  raw_client busy(live.address());
  busy.send(post("/v1/reload", "{}"));
  bool held = false;
  while (!held) live.on_server([&](server&, fake_backend& b) { held = !b.held.empty(); });
  raw_client late(live.address());
  CHECK(late.at_end());
  live.on_server([](server& s, fake_backend& b) {
    CHECK(s.refused_connections() == 1);
    b.held.front()(change_report{"done", {}});
  });
  CHECK(busy.read().status == 200);
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

TEST_CASE("a new token leaves the longest lease as it was") {
  auto o = on_loopback("old");
  o.ttl_max = 45s;
  live_server live(o);
  live.on_server([](server& s, fake_backend&) { s.update("new"); });
  CHECK(ask(live.address(), post("/v1/pools/loaders/workers",
                                 R"({"id":"r1","url":"http://127.0.0.1:9","ttl":"1h"})",
                                 "Authorization: Bearer new\r\n"))
            .status == 201);
  REQUIRE(live.back.registered.size() == 1);
  CHECK(live.back.registered[0].ttl == 45s);
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

TEST_CASE("many clients at once are all served") {
  auto o = on_loopback();
  o.connections_max = 64;
  live_server live(o);
  std::vector<std::unique_ptr<raw_client>> clients;
  for (int t = 0; t < 8; ++t) clients.push_back(std::make_unique<raw_client>(live.address()));
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (const auto& c : clients)
    threads.emplace_back([&, &client = *c] {
      for (int i = 0; i < 50; ++i) {
        client.send(i % 5 ? get_live : post("/v1/pools/loaders/pause", "{}"));
        good += client.read().status == 200;
      }
    });
  for (auto& t : threads) t.join();
  live.stop();
  CHECK(good == 400);
  CHECK(live.back.changes.size() == 80);
}

TEST_CASE("room is made by connections that end") {
  auto o = on_loopback();
  o.connections_max = 1;
  live_server live(o);
  for (int i = 0; i < 20; ++i) {
    // The end of the one before is seen in its own time: ask until there is room.
    unsigned status = 0;
    while (status != 200) {
      raw_client client(live.address());
      client.send("GET /livez HTTP/1.1\r\n" + host + "Connection: close\r\n\r\n");
      status = client.read().status;
    }
  }
  SUCCEED();
}

TEST_CASE("a page of another site changes nothing, by whatever trick") {
  struct row {
    const char* what;
    std::string request;
    unsigned status;
  };
  const std::string to = "POST /v1/pools/loaders/pause HTTP/1.1\r\n";
  const row rows[] = {
      {"a form", to + host + "Content-Type: application/x-www-form-urlencoded\r\n"
                 "Origin: http://evil.example\r\nContent-Length: 0\r\n\r\n", 403},
      {"a form without Origin", to + host + "Content-Type: text/plain\r\n"
                                "Content-Length: 2\r\n\r\n{}", 415},
      {"no type at all", to + host + "Content-Length: 0\r\n\r\n", 415},
      {"a rebound name", to + "Host: evil.example\r\nContent-Type: application/json\r\n"
                         "Origin: http://evil.example\r\nContent-Length: 2\r\n\r\n{}", 403},
      {"a sandboxed frame", to + host + "Content-Type: application/json\r\nOrigin: null\r\n"
                            "Content-Length: 2\r\n\r\n{}", 403},
      {"a preflight", "OPTIONS /v1/pools/loaders/pause HTTP/1.1\r\n" + host +
                      "Origin: http://evil.example\r\n"
                      "Access-Control-Request-Method: POST\r\n\r\n", 405},
      {"a read of a rebound name", "GET /v1/config HTTP/1.1\r\nHost: evil.example\r\n\r\n", 403},
  };
  live_server live(on_loopback());
  for (const auto& r : rows) {
    CAPTURE(r.what);
    const auto got = ask(live.address(), r.request);
    CHECK(got.status == r.status);
    CHECK(got.head.find("Access-Control-Allow") == got.head.npos);
  }
  live.stop();
  CHECK(live.back.changes.empty());
}
