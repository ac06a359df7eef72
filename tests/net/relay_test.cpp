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

net::relay_stock stock_of(std::size_t pipes) {
  return {net::buffer_pool(4096, 4), net::pipe_pool(pipes)};
}

struct outcome {
  relay_end end{};
  std::string received, kept, overread;
  std::uint64_t taken = 0;
  bool wanted_pipe = false;
};

struct plan {
  body_kind from = body_kind::length, to = body_kind::length;
  std::string wire, buffered, replay, head;
  std::uint64_t left = 0;
  std::uint64_t taken_max = ~std::uint64_t{0};
  bool close = false;
  int socket_bytes = 4096;   // small, so that writes block half-way
  std::size_t pipes = 0;
  bool keeps = true;
};

net::task<void> run_relay(net::loop& l, const plan& p, outcome& out) {
  test::socket_pair in(p.socket_bytes), to(p.socket_bytes);
  net::socket client, source, sink, worker;
  client.open(l, in.near), source.open(l, in.far), sink.open(l, to.near), worker.open(l, to.far);
  net::relay_stock stock = stock_of(p.pipes);
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
  out.end = co_await net::relay(l, s, k, stock, progress, p.keeps ? &kept : nullptr);
  sink.close();
  co_await read;
  source.close();   // a writer that is still at it gets an error and ends
  co_await written;
  out.kept = kept.bytes, out.overread = s.buffered, out.taken = s.taken;
  out.wanted_pipe = s.wanted_pipe;
  CHECK(stock.buffers.taken() == 0);
  CHECK(stock.pipes.taken() == 0);
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

TEST_CASE("a long body is spliced when a pipe is free, copied when none is, and arrives alike") {
  const std::string body = patterned(700'001);
  for (const std::size_t pipes : {0, 1}) {
    INFO(pipes << " pipes");
    plan p;
    p.keeps = false, p.pipes = pipes, p.head = "HEAD\r\n\r\n", p.left = body.size();
    p.buffered = body.substr(0, 3000), p.wire = body.substr(3000) + "next";
    const outcome got = relay(p);
    CHECK(got.end == relay_end::done);
    CHECK(got.received == p.head + body);
    CHECK(got.taken == body.size());
    CHECK(got.wanted_pipe == (pipes == 0));
  }
}

TEST_CASE("a spliced body that breaks off, or whose sink closes, ends the relay and says how") {
  plan p;
  p.keeps = false, p.pipes = 1, p.left = 1 << 20, p.wire = patterned(300'000), p.close = true;
  const outcome cut = relay(p);
  CHECK(cut.end == relay_end::source_closed);
  CHECK(cut.received == p.wire);
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    test::socket_pair in, out;
    net::socket client, source, sink;
    client.open(l, in.near), source.open(l, in.far), sink.open(l, out.near);
    net::relay_progress progress;
    (void)co_await net::write_all(l, client, patterned(100'000), progress);
    ::close(out.far);
    net::relay_stock stock = stock_of(1);
    net::body_source s;
    s.from = &source, s.kind = body_kind::length, s.left = 1 << 20;
    net::body_sink k{&sink, body_kind::length, {}, 0};
    const relay_end end = co_await net::relay(l, s, k, stock, progress, nullptr);
    CHECK(end == relay_end::sink_failed);
    CHECK(stock.pipes.taken() == 0);   // with bytes inside: closed, not kept
  }(f.loop));
}

TEST_CASE("a message at hand goes out in one write, and what did not fit goes on from there") {
  test::loop_fixture f;
  f.run([](net::loop& l) -> net::task<void> {
    test::socket_pair out(4096);
    net::socket sink, worker;
    sink.open(l, out.near), worker.open(l, out.far);
    net::relay_progress progress;
    const auto send = [&](net::body_source& s, net::body_sink& k, collector& kept) {
      return net::relay_at_once(l, s, k, progress, &kept);
    };
    collector kept;
    net::body_source none;
    none.finished = true;
    net::body_sink head_only{&sink, body_kind::none, "HEAD", 0};
    CHECK(send(none, head_only, kept) == relay_end::done);
    net::body_source small;
    small.kind = body_kind::length, small.left = 4, small.buffered = "bodynext";
    net::body_sink k{&sink, body_kind::length, "HEAD", 0};
    CHECK(send(small, k, kept) == relay_end::done);
    CHECK(small.finished);
    CHECK(small.buffered == "next");
    CHECK(kept.bytes == "body");
    const std::string body = patterned(1 << 20);
    net::body_source large;
    large.kind = body_kind::length, large.left = body.size(), large.buffered = body;
    net::body_sink rest{&sink, body_kind::length, "HEAD", 0};
    CHECK_FALSE(send(large, rest, kept));
    CHECK(large.taken + large.left == body.size());
    CHECK(kept.bytes.size() == 4 + large.taken);
    std::string received;
    net::signal read(l);
    net::spawn([](net::socket& w, std::string& into, net::signal& done) -> net::task<void> {
      co_await read_all(w, into);
      done.ring();
    }(worker, received, read));
    net::relay_stock stock = stock_of(0);
    const relay_end end = co_await net::relay(l, large, rest, stock, progress, &kept);
    CHECK(end == relay_end::done);
    sink.close();
    co_await read;
    CHECK(received == "HEADHEADbodyHEAD" + body);
    CHECK(kept.bytes == "body" + body);
  }(f.loop));
}

TEST_CASE("not at hand: a body still to come, framing to write, a prefix to replay, no sink") {
  test::loop_fixture f;
  f.run(test::as_task([&] {
    test::socket_pair out;
    net::socket sink;
    sink.open(f.loop, out.near);
    ::close(out.far);   // a write would fail, and say so
    net::relay_progress progress;
    const auto tried = [&](net::body_source s, net::body_sink k) {
      return net::relay_at_once(f.loop, s, k, progress, nullptr).has_value();
    };
    net::body_source whole;
    whole.kind = body_kind::length, whole.left = 4, whole.buffered = "body";
    net::body_sink k{&sink, body_kind::length, "HEAD", 0};
    CHECK(tried(whole, k));
    net::body_source part = whole, again = whole, framed = whole, over = whole;
    part.left = 5, again.replay = "prefix", framed.kind = body_kind::chunked, over.taken_max = 3;
    for (const net::body_source& s : {part, again, framed, over}) CHECK_FALSE(tried(s, k));
    CHECK_FALSE(tried(whole, {&sink, body_kind::chunked, "HEAD", 0}));
    CHECK_FALSE(tried(whole, {nullptr, body_kind::length, "HEAD", 0}));
  }));
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
    net::relay_stock stock = stock_of(0);
    net::body_source s;
    s.from = &source, s.kind = body_kind::length, s.left = 10;
    net::body_sink nobody;
    const relay_end end = co_await net::relay(l, s, nobody, stock, progress, nullptr);
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
      net::relay_stock stock = stock_of(0);
      const std::string body = patterned(1 << 20);
      net::body_source s;
      s.from = &source, s.kind = body_kind::length, s.left = body.size();
      if (!on_source) s.buffered = body;
      net::body_sink k{&sink, body_kind::length, {}, 0};
      net::relay_progress progress;
      l.post([&] { source.interrupt(), sink.interrupt(); });
      const relay_end end = co_await net::relay(l, s, k, stock, progress, nullptr);
      CHECK(end == relay_end::interrupted);
      CHECK(progress.waits_for_source == on_source);
      CHECK(stock.buffers.taken() == 0);
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
      net::relay_stock stock = stock_of(0);
      net::body_source s;
      s.from = &source, s.kind = body_kind::length, s.left = 1000;
      net::body_sink k{&sink, body_kind::length, {}, 0};
      source.interrupt();   // as a deadline does while the relay lets others have their turn
      const relay_end end = co_await net::relay(l, s, k, stock, progress, nullptr);
      CHECK(end == relay_end::interrupted);
      CHECK(stock.buffers.taken() == 0);
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
    net::relay_stock stock = stock_of(0);
    net::body_source s;
    s.from = &source, s.kind = body_kind::length, s.left = 3, s.buffered = "abc";
    net::body_sink k{&sink, body_kind::length, "HEAD", 0};
    net::relay_progress progress;
    const relay_end end = co_await net::relay(l, s, k, stock, progress, nullptr);
    CHECK(end == relay_end::sink_failed);
  }(f.loop));
}
