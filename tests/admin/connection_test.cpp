#include "admin/connection.hpp"

#include <catch2/catch.hpp>

#include "base/random.hpp"
#include "live_server.hpp"
#include "requests.hpp"

using namespace weir;
using namespace weir::admin;
using namespace std::chrono_literals;

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


TEST_CASE("a request cut at any byte is the same request") {
  live_server live(on_loopback());
  const std::string whole = post("/v1/plan", R"({"yaml": "x"})") +
                            "POST /v1/plan HTTP/1.1\r\n" + host +
                            "Content-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
                            "d;ext=1\r\n{\"yaml\": \"y\"}\r\n0\r\nTrailer: x\r\n\r\n";
  raw_client client(live.address());
  for (std::size_t cut = 1; cut < whole.size(); ++cut) {
    client.send(whole.substr(0, cut));
    client.send(whole.substr(cut));
    if (client.read().status != 200 || client.read().status != 200) FAIL("cut at " << cut);
  }
  live.stop();
  REQUIRE(live.back.changes.size() == 2 * (whole.size() - 1));
  for (std::size_t i = 0; i < live.back.changes.size(); ++i)
    if (live.back.changes[i] != (i % 2 == 0 ? "plan x" : "plan y")) FAIL(live.back.changes[i]);
}

TEST_CASE("a request that comes byte by byte is answered once") {
  live_server live(on_loopback());
  raw_client client(live.address());
  for (const char c : post("/v1/pools/loaders/pause", "{}")) client.send({&c, 1});
  CHECK(client.read().status == 200);
  live.stop();
  CHECK(live.back.changes == std::vector<std::string>{"pause loaders"});
}

TEST_CASE("hundreds of pipelined requests are answered in order") {
  const live_server live(on_loopback());
  raw_client client(live.address());
  std::string all;
  for (int i = 0; i < 300; ++i)
    all += "GET /v1/queue?limit=1&offset=" + std::to_string(i % 3) + " HTTP/1.1\r\n" + host +
           "\r\n";
  client.send(all);
  for (int i = 0; i < 300; ++i) {
    const auto r = client.read();
    if (r.body.find("\"batch\":\"b" + std::to_string(i % 3) + "\"") == r.body.npos) FAIL(r.body);
  }
  SUCCEED();
}

TEST_CASE("empty lines before a request are skipped") {
  const live_server live(on_loopback());
  raw_client client(live.address());
  client.send(get_live + "\r\n\r\n" + get_live);
  CHECK(client.read().status == 200);
  CHECK(client.read().status == 200);
}

TEST_CASE("whatever bytes come, the server answers or closes and serves the next one") {
  const std::uint64_t seed = 555;
  CAPTURE(seed);
  base::random random(seed);
  live_server live(on_loopback());
  const std::string good = post("/v1/plan", "{}", "Expect: 100-continue\r\nX-Y: z\r\n");
  for (int i = 0; i < 150; ++i) {
    std::string text = good;
    for (std::uint32_t n = 1 + random.below(4); n > 0; --n)
      text[random.below(static_cast<std::uint32_t>(text.size()))] =
          static_cast<char>(random.below(256));
    raw_client client(live.address());
    client.send(text);
    client.finish();
    client.read_to_end();
  }
  CHECK(ask(live.address(), get_live).status == 200);
}

TEST_CASE("a client that goes at any point leaves the server well") {
  live_server live(on_loopback());
  live.back.pool_views.resize(500, live.back.pool_views[0]);
  const std::string whole = "GET /v1/pools HTTP/1.1\r\n" + host + "\r\n" + post("/v1/plan", "{}");
  for (std::size_t cut = 0; cut <= whole.size(); cut += 3) {
    raw_client client(live.address());
    client.send(whole.substr(0, cut));
  }
  CHECK(ask(live.address(), get_live).status == 200);
}

TEST_CASE("an answer larger than the kernel's buffers arrives whole") {
  live_server live(on_loopback());
  live.back.pool_views.resize(20000, live.back.pool_views[0]);
  const auto r = ask(live.address(), "GET /v1/pools HTTP/1.1\r\n" + host + "\r\n");
  CHECK(r.status == 200);
  CHECK(r.body.size() > 8000000);
  CHECK(r.body.ends_with("]}\n"));
}

TEST_CASE("a client that does not read its answer is cut off, others are not") {
  auto o = on_loopback();
  o.request_timeout = 100ms;
  live_server live(o);
  live.back.pool_views.resize(40000, live.back.pool_views[0]);
  raw_client stalled(live.address());
  stalled.send("GET /v1/pools HTTP/1.1\r\n" + host + "\r\n");
  // The server works on one thread: the next answer comes while the first one is stuck.
  raw_client other(live.address());
  other.send(get_live);
  CHECK(other.read().status == 200);
  // Idle now, the other one is closed after the idle time; the stalled one much earlier, and with
  // only a part of its answer.
  bool cut = false;
  while (!cut) live.on_server([&](server& s, fake_backend&) { cut = s.connections() <= 1; });
  CHECK(stalled.read_to_end().size() < 16000000);
}

TEST_CASE("a body as large as the limit is taken, one byte more is not") {
  auto o = on_loopback();
  o.body_bytes_max = 2000;
  live_server live(o);
  const std::string frame = R"({"yaml": ""})";
  for (const std::size_t size : {1999u, 2000u, 2001u}) {
    std::string body = frame;
    body.insert(frame.size() - 2, size - frame.size(), 'y');
    REQUIRE(body.size() == size);
    CAPTURE(size);
    CHECK(ask(live.address(), post("/v1/plan", body)).status == (size <= 2000 ? 200u : 413u));
  }
  live.stop();
  CHECK(live.back.changes.size() == 2);
}

TEST_CASE("methods and paths that the API does not have keep the connection open") {
  const live_server live(on_loopback());
  raw_client client(live.address());
  for (const auto& [request, status] :
       {std::pair<std::string, unsigned>{"PATCH /livez HTTP/1.1\r\n" + host + "\r\n", 405},
        {"GET /nothing HTTP/1.1\r\n" + host + "\r\n", 404},
        {"GET http://127.0.0.1/livez HTTP/1.1\r\n" + host + "\r\n", 200},
        {"OPTIONS * HTTP/1.1\r\n" + host + "\r\n", 400}}) {
    CAPTURE(request);
    client.send(request);
    CHECK(client.read().status == status);
  }
}
