#include "net/relay.hpp"

#include <unistd.h>

#include <algorithm>
#include <catch2/catch.hpp>
#include <string>

#include "base/random.hpp"
#include "loop_fixture.hpp"

namespace {

using namespace weir;
using http::body_kind;
using net::relay_end;

std::string patterned(std::size_t n) {
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>('a' + i % 23);
  return s;
}

std::string chunked(std::string_view body, base::random& random) {
  std::string out;
  while (!body.empty()) {
    const auto n = std::min<std::size_t>(body.size(), random.below(5000) + 1);
    out.append(http::make_chunk_head(n).view()).append(body.substr(0, n)).append("\r\n");
    body.remove_prefix(n);
  }
  return out.append("0\r\n\r\n");
}

std::string dechunk(std::string_view wire) {
  http::chunk_decoder d;
  std::string out;
  for (;;) {
    const auto step = d.next(wire);
    wire.remove_prefix(step.consumed);
    if (step.what == http::chunk_decoder::step::kind::data) out += step.data;
    else if (step.what == http::chunk_decoder::step::kind::done) return out;
    else return "(broken)";
  }
}

struct collector final : net::body_keeper {
  std::string bytes;
  void keep(std::string_view b) override { bytes += b; }
};

// A peer that writes `wire` in pieces and then maybe closes, and one that reads all there is.
net::task<void> write_pieces(net::loop& l, net::socket& s, std::string wire, bool close) {
  net::relay_progress ignored;
  (void)co_await net::write_all(l, s, wire, ignored);
  if (close) s.shutdown_send();
}

net::task<void> read_all(net::socket& s, std::string& into) {
  std::array<char, 7001> room;
  for (;;) {
    (void)co_await s.readable();
    const net::io r = s.try_read(room);
    if (r.what == net::io::kind::end || r.what == net::io::kind::failed) co_return;
    if (r.what == net::io::kind::done) into.append(room.data(), r.bytes);
  }
}

struct outcome {
  relay_end end{};
  std::string received, kept, overread;
  std::uint64_t taken = 0;
};

struct plan {
  body_kind from = body_kind::length, to = body_kind::length;
  std::string wire, buffered, replay, head;
  std::uint64_t left = 0;
  std::uint64_t taken_max = ~std::uint64_t{0};
  bool close = false;
  int socket_bytes = 4096;   // small, so that writes block half-way
};

net::task<void> run_relay(net::loop& l, const plan& p, outcome& out) {
  test::socket_pair in(p.socket_bytes), to(p.socket_bytes);
  net::socket client, source, sink, worker;
  client.open(l, in.near), source.open(l, in.far), sink.open(l, to.near), worker.open(l, to.far);
  net::buffer_pool buffers(4096, 4);
  net::body_source s;
  s.from = &source, s.kind = p.from, s.left = p.left, s.taken_max = p.taken_max;
  s.buffered = p.buffered, s.replay = p.replay;
  net::body_sink k{&sink, p.to, p.head, 0};
  net::relay_progress progress;
  collector kept;
  net::signal written(l), read(l);
  net::spawn(
      [](net::loop& lp, net::socket& c, const plan& q, net::signal& done) -> net::task<void> {
        co_await write_pieces(lp, c, q.wire, q.close);
        done.ring();
      }(l, client, p, written));
  net::spawn([](net::socket& w, std::string& into, net::signal& done) -> net::task<void> {
    co_await read_all(w, into);
    done.ring();
  }(worker, out.received, read));
  out.end = co_await net::relay(l, s, k, buffers, progress, &kept);
  sink.close();
  co_await read;
  source.close();   // a writer that is still at it gets an error and ends
  co_await written;
  out.kept = kept.bytes, out.overread = s.buffered, out.taken = s.taken;
  CHECK(buffers.taken() == 0);
}

outcome relay(const plan& p) {
  test::loop_fixture f;
  outcome out;
  f.run(run_relay(f.loop, p, out));
  return out;
}

}  // namespace

TEST_CASE("a body arrives byte for byte whatever the framing on either side") {
  for (std::uint64_t seed = 1; seed <= 20; ++seed) {
    base::random random(seed);
    const std::string body = patterned(random.below(60'000));
    for (const body_kind from : {body_kind::length, body_kind::chunked, body_kind::until_close})
      for (const body_kind to : {body_kind::length, body_kind::chunked}) {
        INFO("seed " << seed << " from " << int(from) << " to " << int(to));
        plan p;
        p.from = from, p.to = to, p.head = "HEAD\r\n\r\n", p.left = body.size();
        p.close = from == body_kind::until_close;
        std::string wire = from == body_kind::chunked ? chunked(body, random) : body;
        const auto split = random.below(static_cast<std::uint32_t>(wire.size() + 1));
        p.buffered = wire.substr(0, split), p.wire = wire.substr(split);
        const outcome got = relay(p);
        CHECK(got.end == relay_end::done);
        REQUIRE(got.received.starts_with(p.head));
        const auto rest = std::string_view(got.received).substr(p.head.size());
        CHECK((to == body_kind::chunked ? dechunk(rest) : std::string(rest)) == body);
        CHECK(got.kept == body);
        CHECK(got.taken == body.size());
      }
  }
}

TEST_CASE("a kept prefix goes before what is still to come, and is not kept twice") {
  plan p;
  p.replay = "already ", p.wire = "and the rest", p.left = p.wire.size();
  const outcome got = relay(p);
  CHECK(got.end == relay_end::done);
  CHECK(got.received == "already and the rest");
  CHECK(got.kept == "and the rest");
}

TEST_CASE("bytes of the next message behind a body stay for the next message") {
  plan p;
  p.from = p.to = body_kind::chunked;
  p.buffered = "5\r\nhello\r\n0\r\n\r\nGET / HTTP/1.1\r\n";
  const outcome got = relay(p);
  CHECK(got.end == relay_end::done);
  CHECK(dechunk(got.received) == "hello");
  CHECK(got.overread == "GET / HTTP/1.1\r\n");
}

TEST_CASE(
    "a body that breaks off, breaks its framing or is too large ends the relay and says how") {
  struct row {
    const char* what;
    plan p;
    relay_end end;
  };
  plan short_body;
  short_body.wire = "abc", short_body.left = 10, short_body.close = true;
  plan bad_chunk;
  bad_chunk.from = bad_chunk.to = body_kind::chunked, bad_chunk.wire = "zz\r\n";
  plan cut_chunk;
  cut_chunk.from = cut_chunk.to = body_kind::chunked, cut_chunk.wire = "ff\r\nabc",
  cut_chunk.close = true;
  plan large;
  large.from = large.to = body_kind::chunked, large.wire = "5\r\nhello\r\n5\r\nworld\r\n0\r\n\r\n";
  large.taken_max = 7;
  for (const row& r : {row{"closed early", short_body, relay_end::source_closed},
                       row{"chunk size that is none", bad_chunk, relay_end::source_bad},
                       row{"closed in a chunk", cut_chunk, relay_end::source_closed},
                       row{"over taken_max", large, relay_end::too_large}}) {
    INFO(r.what);
    CHECK(relay(r.p).end == r.end);
  }
}

TEST_CASE("a body without a sink is read to its end and thrown away") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    test::socket_pair in;
    net::socket client, source;
    client.open(l, in.near), source.open(l, in.far);
    net::relay_progress progress;
    (void)co_await net::write_all(l, client, "0123456789", progress);
    net::buffer_pool buffers(4096, 4);
    net::body_source s;
    s.from = &source, s.kind = body_kind::length, s.left = 10;
    net::body_sink nobody;
    const relay_end end = co_await net::relay(l, s, nobody, buffers, progress, nullptr);
    CHECK(end == relay_end::done);
    CHECK(s.taken == 10);
  }(f.loop));
}

TEST_CASE("an interrupt ends a relay that waits on either side, and its buffer goes back") {
  for (const bool source_waits : {true, false}) {
    INFO("waits for " << (source_waits ? "source" : "sink"));
    test::loop_fixture f;
    f.run([](net::loop& l, bool on_source) -> net::task<void> {
      test::socket_pair in(4096), out(4096);
      net::socket client, source, sink, worker;
      client.open(l, in.near), source.open(l, in.far), sink.open(l, out.near),
          worker.open(l, out.far);
      net::buffer_pool buffers(4096, 4);
      const std::string body = patterned(1 << 20);
      net::body_source s;
      s.from = &source, s.kind = body_kind::length, s.left = body.size();
      if (!on_source) s.buffered = body;
      net::body_sink k{&sink, body_kind::length, {}, 0};
      net::relay_progress progress;
      l.post([&] { source.interrupt(), sink.interrupt(); });
      const relay_end end = co_await net::relay(l, s, k, buffers, progress, nullptr);
      CHECK(end == relay_end::interrupted);
      CHECK(progress.waits_for_source == on_source);
      CHECK(buffers.taken() == 0);
    }(f.loop, source_waits));
  }
}

TEST_CASE("an interrupt that came before the wait ends the relay, with and without bytes to read") {
  for (const bool has_bytes : {true, false}) {
    INFO((has_bytes ? "bytes to read" : "nothing to read"));
    test::loop_fixture f;
    f.run([](net::loop& l, bool bytes) -> net::task<void> {
      test::socket_pair in, out;
      net::socket client, source, sink, worker;
      client.open(l, in.near), source.open(l, in.far), sink.open(l, out.near),
          worker.open(l, out.far);
      net::relay_progress progress;
      if (bytes) (void)co_await net::write_all(l, client, "some", progress);
      co_await net::yield{l};
      net::buffer_pool buffers(4096, 4);
      net::body_source s;
      s.from = &source, s.kind = body_kind::length, s.left = 1000;
      net::body_sink k{&sink, body_kind::length, {}, 0};
      source.interrupt();   // as a deadline does while the relay lets others have their turn
      const relay_end end = co_await net::relay(l, s, k, buffers, progress, nullptr);
      CHECK(end == relay_end::interrupted);
      CHECK(buffers.taken() == 0);
    }(f.loop, has_bytes));
  }
}

TEST_CASE("a peer that closed its side makes the sink fail, not the source") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    test::socket_pair in, out;
    net::socket client, source, sink;
    client.open(l, in.near), source.open(l, in.far), sink.open(l, out.near);
    ::close(out.far);
    net::buffer_pool buffers(4096, 4);
    net::body_source s;
    s.from = &source, s.kind = body_kind::length, s.left = 3, s.buffered = "abc";
    net::body_sink k{&sink, body_kind::length, "HEAD", 0};
    net::relay_progress progress;
    const relay_end end = co_await net::relay(l, s, k, buffers, progress, nullptr);
    CHECK(end == relay_end::sink_failed);
  }(f.loop));
}
