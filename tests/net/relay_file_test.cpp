// net::relay of a body whose part lies in a file.
#include <unistd.h>

#include <catch2/catch.hpp>
#include <cerrno>
#include <string>

#include "file_faults.hpp"
#include "http/chunked.hpp"
#include "net/file.hpp"
#include "net/relay.hpp"
#include "scratch.hpp"
#include "tls_fixture.hpp"

namespace {

using namespace weir;
using http::body_kind;
using net::relay_end;

constexpr std::size_t buffer_bytes = 4096;

std::string patterned(std::size_t n) {
  std::string s(n, '\0');
  for (std::size_t i = 0; i < n; ++i) s[i] = static_cast<char>('a' + (i + i / 251) % 26);
  return s;
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

// Text in an unnamed file.
struct stored {
  explicit stored(std::string_view text) {
    REQUIRE(fd >= 0);
    REQUIRE(net::write_at(fd, 0, text) == 0);
  }
  ~stored() { ::close(fd); }
  test::scratch_folder folder;
  int fd = net::open_unnamed(folder.path(""));
};

struct collector final : net::body_keeper {
  std::string bytes;
  void keep(std::string_view b) override { bytes += b; }
};

net::task<void> read_all(net::socket& s, std::string& into, net::signal& done) {
  std::array<char, 7001> room;
  for (;;) {
    (void)co_await s.readable();
    const net::io r = s.try_read(room);
    if (r.what == net::io::kind::end || r.what == net::io::kind::failed) break;
    if (r.what == net::io::kind::done) into.append(room.data(), r.bytes);
  }
  done.ring();
}

struct outcome {
  relay_end end{};
  std::string received;
  std::uint64_t sent = 0;
};

// Relays `s` to `sink`, whose other end is `worker`; the sink is closed at the end.
net::task<void> pass_on(net::loop& l, net::body_source& s, net::socket& sink, net::socket& worker,
                        body_kind to, std::string head, outcome& out,
                        net::body_keeper* keeper = nullptr) {
  net::relay_stock stock{net::buffer_pool(buffer_bytes, 4), net::pipe_pool(1)};
  net::relay_progress progress;
  net::signal read(l);
  net::spawn(read_all(worker, out.received, read));
  net::body_sink k{&sink, to, head, 0};
  out.end = co_await net::relay(l, s, k, stock, progress, keeper);
  out.sent = k.sent;
  sink.close();
  co_await read;
  CHECK(stock.buffers.taken() == 0);
}

outcome relay(net::body_source& s, body_kind to, std::string head) {
  test::loop_fixture f;
  outcome out;
  f.run([](net::loop& l, net::body_source& source, body_kind kind, std::string text,
           outcome& result) -> net::task<void> {
    test::socket_pair pair(4096);
    net::socket sink, worker;
    sink.open(l, pair.near), worker.open(l, pair.far);
    co_await pass_on(l, source, sink, worker, kind, std::move(text), result);
  }(f.loop, s, to, std::move(head), out));
  return out;
}

// Nothing comes from a socket.
net::body_source whole(const stored& file, std::uint64_t bytes, std::uint64_t offset = 0) {
  net::body_source s;
  s.kind = body_kind::length;
  s.finished = true;
  s.file = {file.fd, offset, bytes};
  return s;
}

}  // namespace

TEST_CASE("a body that lies in a file arrives byte for byte behind its head, with any framing") {
  for (const std::size_t size : {1u, 4095u, 4096u, 4097u, 300'000u, 5'000'000u}) {
    const std::string body = patterned(size);
    const stored file("skipped" + body + "behind");
    for (const body_kind to : {body_kind::length, body_kind::chunked, body_kind::until_close}) {
      INFO(size << " bytes, to " << int(to));
      net::body_source s = whole(file, size, 7);
      CHECK_FALSE(s.complete());
      const outcome got = relay(s, to, "HEAD\r\n\r\n");
      CHECK(got.end == relay_end::done);
      CHECK(s.complete());
      REQUIRE(got.received.starts_with("HEAD\r\n\r\n"));
      const std::string rest = got.received.substr(8);
      CHECK(((to == body_kind::chunked ? dechunk(rest) : rest) == body));
      CHECK(got.sent == got.received.size());
    }
  }
}

TEST_CASE("a file's part goes behind the replayed prefix and before what a socket still brings") {
  const std::string in_file = patterned(200'000);
  const stored file(in_file);
  for (const body_kind to : {body_kind::length, body_kind::chunked}) {
    INFO("to " << int(to));
    test::loop_fixture f;
    f.run([](net::loop& l, const stored& kept, const std::string& text,
             body_kind kind) -> net::task<void> {
      test::socket_pair in, out(4096);
      net::socket client, source, sink, worker;
      client.open(l, in.near), source.open(l, in.far), sink.open(l, out.near),
          worker.open(l, out.far);
      net::relay_progress progress;
      (void)co_await net::write_all(l, client, " from the socket", progress);
      net::body_source s;
      s.from = &source, s.kind = body_kind::length;
      s.replay = "prefix ", s.file = {kept.fd, 0, text.size()}, s.buffered = " read before";
      s.left = s.buffered.size() + 16;
      outcome got;
      collector keeper;
      co_await pass_on(l, s, sink, worker, kind, "", got, &keeper);
      const std::string body = kind == body_kind::chunked ? dechunk(got.received) : got.received;
      CHECK(got.end == relay_end::done);
      CHECK((body == "prefix " + text + " read before from the socket"));
      CHECK(keeper.bytes == " read before from the socket");   // the rest is kept already
      CHECK(s.taken == 28);
    }(f.loop, file, in_file, to));
  }
}

TEST_CASE("a file's part goes through TLS") {
  const std::string body = patterned(500'000);
  const stored file(body);
  test::loop_fixture f;
  f.run([](net::loop& l, const stored& kept, const std::string& text) -> net::task<void> {
    test::tls_pair t(l);
    net::io near, far;
    co_await test::shake_both(l, t, near, far);
    net::body_source s = whole(kept, text.size());
    outcome got;
    co_await pass_on(l, s, t.near, t.far, body_kind::length, "HEAD", got);
    CHECK(got.end == relay_end::done);
    CHECK((got.received == "HEAD" + text));
  }(f.loop, file, body));
}

TEST_CASE("a file that ends early or cannot be read ends the relay as the file's fault") {
  const stored file(patterned(100'000));
  for (const body_kind to : {body_kind::length, body_kind::chunked}) {
    INFO("to " << int(to));
    net::body_source cut = whole(file, 100'001);
    CHECK(relay(cut, to, "HEAD").end == relay_end::file_failed);
    net::body_source closed = whole(file, 100'000);
    closed.file.fd = -1;
    CHECK(relay(closed, to, "HEAD").end == relay_end::file_failed);
    net::body_source broken = whole(file, 100'000);
    const test::file_faults second(net::file_call::read, 2, EIO);
    const outcome got = relay(broken, to, "HEAD");
    CHECK(got.end == relay_end::file_failed);
    CHECK(got.received.size() > 4);
    CHECK(got.received.size() < 100'000);
  }
}

TEST_CASE("a peer that closed makes the sink fail while a file is sent, not the file") {
  const stored file(patterned(100'000));
  for (const body_kind to : {body_kind::length, body_kind::chunked}) {
    test::loop_fixture f;
    f.run([](net::loop& l, const stored& kept, body_kind kind) -> net::task<void> {
      test::socket_pair out;
      net::socket sink;
      sink.open(l, out.near);
      ::close(out.far);
      net::relay_stock stock{net::buffer_pool(buffer_bytes, 4), net::pipe_pool(0)};
      net::relay_progress progress;
      net::body_source s = whole(kept, 100'000);
      net::body_sink k{&sink, kind, {}, 0};
      const relay_end end = co_await net::relay(l, s, k, stock, progress, nullptr);
      CHECK(end == relay_end::sink_failed);
    }(f.loop, file, to));
  }
}

TEST_CASE("an interrupt ends a relay from a file, whether the sink has room or not") {
  const stored file(patterned(3'000'000));
  for (const bool blocked : {true, false}) {
    INFO((blocked ? "no room" : "room"));
    test::loop_fixture f;
    f.run([](net::loop& l, const stored& kept, bool waits) -> net::task<void> {
      test::socket_pair out(waits ? 4096 : 0);
      net::socket sink, worker;
      sink.open(l, out.near), worker.open(l, out.far);
      net::relay_stock stock{net::buffer_pool(buffer_bytes, 4), net::pipe_pool(0)};
      net::relay_progress progress;
      net::body_source s = whole(kept, 3'000'000);
      net::body_sink k{&sink, body_kind::length, {}, 0};
      if (waits) l.post([&] { sink.interrupt(); });
      else sink.interrupt();
      const relay_end end = co_await net::relay(l, s, k, stock, progress, nullptr);
      CHECK(end == relay_end::interrupted);
      CHECK(s.file.left > 0);
      CHECK_FALSE(progress.waits_for_source);
    }(f.loop, file, blocked));
  }
}

TEST_CASE("a stored body is not at hand, and without a sink it is dropped unread") {
  const stored file("stored");
  test::loop_fixture f;
  f.run([](net::loop& l, const stored& kept) -> net::task<void> {
    test::socket_pair out;
    net::socket sink, worker;
    sink.open(l, out.near), worker.open(l, out.far);
    net::relay_progress progress;
    net::body_source s = whole(kept, 6);
    net::body_sink k{&sink, body_kind::length, "HEAD", 0}, nobody;
    CHECK_FALSE(net::relay_at_once(l, s, k, progress, nullptr).has_value());
    CHECK(s.file.left == 6);
    net::relay_stock stock{net::buffer_pool(buffer_bytes, 4), net::pipe_pool(0)};
    const test::file_faults none(net::file_call::read, 1, EIO);
    const relay_end end = co_await net::relay(l, s, nobody, stock, progress, nullptr);
    CHECK(end == relay_end::done);
    CHECK(s.complete());
  }(f.loop, file));
}

TEST_CASE("a source without a socket that has bytes due ends as one that was closed") {
  test::loop_fixture f;
  net::body_source s;
  s.kind = body_kind::length, s.left = 5, s.buffered = "abc";
  const outcome got = relay(s, body_kind::length, "");
  CHECK(got.end == relay_end::source_closed);
  CHECK(got.received == "abc");
}
